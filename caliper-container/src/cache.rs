//! The names of what the backends keep in their cache folder.

/// Environments of the `local` backend that a later run can use again.
pub(crate) const ENVIRONMENTS: &str = "environments";
/// What is known of images, and the logs of their builds.
pub const IMAGES: &str = "images";
/// The Pythons that were found on this machine.
pub(crate) const PYTHONS: &str = "pythons.json";
/// Programs that the `local` backend fetches for itself.
pub(crate) const TOOLS: &str = "tools";
/// The cache of `uv`.
pub(crate) const UV: &str = "uv";
/// Folders in which tests run.
pub(crate) const WORK: &str = "work";

/// Everything that the backends keep in a cache folder. It can be removed while no run uses the
/// folder; the next run makes it again.
pub const PARTS: &[&str] = &[ENVIRONMENTS, IMAGES, PYTHONS, TOOLS, UV, WORK];
