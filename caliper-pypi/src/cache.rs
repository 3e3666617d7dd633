//! The names of what the index client and the downloader keep in a cache folder.

/// Answers of indexes.
pub const INDEX: &str = "index";
/// Files that were downloaded: each in a folder whose name is its sha256.
pub const FILES: &str = "files";

/// Everything that this crate keeps in a cache folder. It can be removed while no run uses the folder;
/// it is fetched again when it is needed.
pub const PARTS: &[&str] = &[FILES, INDEX];
