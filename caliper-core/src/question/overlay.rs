//! Files of the project that are laid over an installed package of an exact version: the key `overlay` of a
//! configuration.
//!
//! The backend lays them when everything is installed, before the first test. An environment with another version of the
//! package is not what was asked for, so its cell is not measured.

use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use crate::names::{PackageName, Sha256};

/// Files that are laid over one version of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PackageOverlay {
    /// The package.
    pub package: PackageName,
    /// The version that the files are for.
    #[schemars(with = "String")]
    pub version: Version,
    /// The folder of the project that holds the files.
    pub folder: String,
    /// The files, sorted by path.
    pub files: Vec<OverlayFile>,
}

/// A file of an overlay.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct OverlayFile {
    /// Its path in `site-packages`, which is also its path in the folder of the overlay.
    pub path: String,
    /// The digest of its content.
    pub sha256: Sha256,
}

impl PackageOverlay {
    /// The path of one of its files in the project.
    pub fn in_project(&self, file: &OverlayFile) -> String {
        format!("{}/{}", self.folder, file.path)
    }
}

/// An environment does not have the version of a package that an overlay is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayMismatch {
    /// The package.
    pub package: PackageName,
    /// The versions that there are overlays for.
    pub wanted: Vec<Version>,
    /// The version in the environment; `None` if the package is not installed.
    pub found: Option<String>,
}

impl fmt::Display for OverlayMismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, wanted, found } = self;
        let versions: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let (noun, versions) = match versions.as_slice() {
            [one] => ("overlay", format!("is for {one}")),
            [first @ .., last] => ("overlays", format!("are for {} and {last}", first.join(", "))),
            [] => ("overlay", "is for no version".to_owned()),
        };
        write!(formatter, "the {noun} of {package} {versions}, and this environment has ")?;
        match found {
            Some(found) => formatter.write_str(found),
            None => write!(formatter, "no {package}"),
        }
    }
}

impl std::error::Error for OverlayMismatch {}

/// The overlays of `all` that an environment gets: for each package the one that is for its version. `installed` gives
/// the version of a package as its metadata spells it, which stands beside its overlay in the answer.
///
/// # Errors
///
/// [`OverlayMismatch`] for the first package of which there are overlays, and none for its version.
pub fn chosen(
    all: &[PackageOverlay],
    installed: impl Fn(&PackageName) -> Option<String>,
) -> Result<Vec<(&PackageOverlay, String)>, OverlayMismatch> {
    let mut found = Vec::new();
    for (index, overlay) in all.iter().enumerate() {
        let package = &overlay.package;
        if all[..index].iter().any(|earlier| earlier.package == *package) {
            continue;
        }
        let of_package = || all.iter().filter(|one| one.package == *package);
        let spelled = installed(package);
        let version = spelled.as_ref().and_then(|text| text.parse::<Version>().ok());
        let fitting = of_package().find(|one| Some(&one.version) == version.as_ref());
        match (fitting, spelled) {
            (Some(overlay), Some(spelled)) => found.push((overlay, spelled)),
            (_, spelled) => {
                let wanted = of_package().map(|one| one.version.clone()).collect();
                return Err(OverlayMismatch { package: package.clone(), wanted, found: spelled });
            }
        }
    }
    Ok(found)
}

/// Why no cell with this release of `dependency` can be measured, as far as it is known before there is an environment.
pub fn mismatch_of_release(
    all: &[PackageOverlay],
    dependency: &PackageName,
    release: &Version,
) -> Option<OverlayMismatch> {
    let own: Vec<PackageOverlay> =
        all.iter().filter(|one| one.package == *dependency).cloned().collect();
    chosen(&own, |_| Some(release.to_string())).err()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn overlay(package: &str, version: &str) -> PackageOverlay {
        let sha256 = Sha256::of(version.as_bytes());
        PackageOverlay {
            package: package.parse().unwrap(),
            version: version.parse().unwrap(),
            folder: format!("patches/{package}"),
            files: vec![OverlayFile { path: format!("{package}/__init__.py"), sha256 }],
        }
    }

    #[test]
    fn each_package_gets_the_overlay_for_its_version() {
        let all = [overlay("keras", "2.2.4"), overlay("keras", "2.3"), overlay("h5py", "2.10.0")];
        let of = |keras: Option<&str>, h5py: Option<&str>| {
            let installed = |name: &PackageName| match name.normalized() {
                "keras" => keras.map(str::to_owned),
                _ => h5py.map(str::to_owned),
            };
            chosen(&all, installed)
                .map(|found| {
                    let told =
                        found.iter().map(|(one, spelled)| format!("{} {spelled}", one.folder));
                    told.collect::<Vec<_>>().join(", ")
                })
                .map_err(|error| error.to_string())
        };
        // A version may be spelled in another way.
        assert_eq!(
            of(Some("2.3.0"), Some("2.10")).unwrap(),
            "patches/keras 2.3.0, patches/h5py 2.10"
        );
        insta::assert_snapshot!(of(Some("2.2.5"), Some("2.10")).unwrap_err(), @"the overlays of keras are for 2.2.4 and 2.3, and this environment has 2.2.5");
        insta::assert_snapshot!(of(Some("2.3"), None).unwrap_err(), @"the overlay of h5py is for 2.10.0, and this environment has no h5py");
        insta::assert_snapshot!(of(Some("2.3"), Some("unknown")).unwrap_err(), @"the overlay of h5py is for 2.10.0, and this environment has unknown");
    }

    #[test]
    fn of_the_dependency_it_is_known_before() {
        let all = [overlay("keras", "2.2.4"), overlay("h5py", "2.10.0")];
        let of = |release: &str| {
            let dependency = "Keras".parse().unwrap();
            mismatch_of_release(&all, &dependency, &release.parse().unwrap())
                .map(|one| one.to_string())
        };
        assert_eq!(of("2.2.4"), None);
        insta::assert_snapshot!(of("2.3.0").unwrap(), @"the overlay of keras is for 2.2.4, and this environment has 2.3.0");
    }
}
