use std::collections::{HashMap, HashSet};
use std::fmt;

use caliper_core::names::{PackageName, ParseDigestError, Sha256};
use caliper_core::question::grid::{DistFile, FileKind};
use pep440_rs::Version;

use crate::sdist::{ParseSdistNameError, SdistName, SdistParts};
use crate::wheel::{ParseWheelNameError, WheelName, WheelParts};

/// Everything that an index offers of one project.
///
/// Releases are sorted by version, and the files of each by name, whatever order they came in. Two
/// spellings of one version (`1.0`, `1.0.0`) are one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    name: PackageName,
    releases: Vec<Release>,
    malformed: Vec<MalformedFile>,
    index: Option<String>,
}

impl Project {
    /// The project of these files. A file whose name cannot be read is kept among
    /// [`Project::malformed`].
    pub fn from_files(name: PackageName, files: impl IntoIterator<Item = DistFile>) -> Self {
        let mut builder = ProjectBuilder::new(name);
        for file in files {
            builder.add(file, CoreMetadata::Absent);
        }
        builder.finish()
    }

    /// The project of files with these names, of which nothing else is known. For tests.
    pub fn from_filenames<'a>(
        name: PackageName,
        filenames: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let folder = format!("https://files.example/{}", name.normalized());
        let files = filenames.into_iter().map(|filename| DistFile {
            filename: filename.to_owned(),
            url: format!("{folder}/{filename}"),
            sha256: None,
            size: None,
            kind: kind_of(filename),
            upload_time: None,
            requires_python: None,
            yanked: false,
        });
        Self::from_files(name, files)
    }

    /// Its name.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The address of the index that offers it, without credentials; `None` if no index was asked.
    pub fn index(&self) -> Option<&str> {
        self.index.as_deref()
    }

    /// The same, as the index at this address offers it.
    pub(crate) fn offered_by(self, address: &str) -> Self {
        Self { index: Some(address.to_owned()), ..self }
    }

    /// Its releases, the oldest version first.
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// What the index offers beside wheels and source distributions, and what it describes wrongly,
    /// by name.
    pub fn malformed(&self) -> &[MalformedFile] {
        &self.malformed
    }
}

/// One release and its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    version: Version,
    files: Vec<ProjectFile>,
}

impl Release {
    /// Its version, in the longest of its spellings.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Its files, by name. An index may know of a release that has none.
    pub fn files(&self) -> &[ProjectFile] {
        &self.files
    }
}

/// One file, with its name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// What the index says of it.
    pub file: DistFile,
    /// What its name says.
    pub name: FileName,
    /// Whether the index offers what it says of itself without the rest of it.
    pub core_metadata: CoreMetadata,
}

/// Whether an index offers the METADATA of a wheel by itself, beside the wheel
/// ([PEP 658](https://peps.python.org/pep-0658/), [PEP 714](https://peps.python.org/pep-0714/)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoreMetadata {
    /// It does not say so, or not in a way that makes sense.
    #[default]
    Absent,
    /// It does, with its digest or without.
    Offered(Option<Sha256>),
}

impl CoreMetadata {
    /// Of an entry that offers it with this digest, or without one.
    pub(crate) fn offered(sha256: Option<&str>) -> Self {
        match sha256.map(str::parse) {
            None => Self::Offered(None),
            Some(Ok(sha256)) => Self::Offered(Some(sha256)),
            // Without its digest it could be taken for one that never had any.
            Some(Err(_)) => Self::Absent,
        }
    }
}

/// The name of a file that can be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileName {
    /// Of a wheel.
    Wheel(WheelName),
    /// Of a source distribution.
    Sdist(SdistName),
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wheel(name) => name.fmt(formatter),
            Self::Sdist(name) => name.fmt(formatter),
        }
    }
}

/// A file that was left out of its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedFile {
    /// Its name, as far as the index gives one.
    pub filename: String,
    /// Why it was left out.
    pub fault: FileFault,
}

/// Why a file was left out of its project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// It ends in `.whl` and is not named as a wheel.
    #[error(transparent)]
    Wheel(#[from] ParseWheelNameError),
    /// It is neither a wheel nor named as a source distribution of this project.
    #[error(transparent)]
    Sdist(#[from] ParseSdistNameError),
    /// It is a wheel of another project.
    #[error("`{filename}` is a wheel of another project")]
    OtherProject {
        /// The name of the file.
        filename: String,
    },
    /// Its digest is not one.
    #[error("the index gives `{filename}` an invalid digest")]
    Digest {
        /// The name of the file.
        filename: String,
        /// What is wrong with the digest.
        source: ParseDigestError,
    },
    /// Its address cannot be understood.
    #[error("the index gives `{filename}` an invalid address")]
    Address {
        /// The name of the file.
        filename: String,
    },
    /// The index describes it in a form that it should not have.
    #[error("the index describes a file wrongly: {detail}")]
    Entry {
        /// What is wrong.
        detail: String,
    },
}

/// The kind of file that the end of a name speaks of.
pub(crate) fn kind_of(filename: &str) -> FileKind {
    // `.WHL` is no wheel to pip either.
    if filename.strip_suffix(".whl").is_some() { FileKind::Wheel } else { FileKind::Sdist }
}

/// Puts a project together, reading each version once however many files have it.
pub(crate) struct ProjectBuilder {
    name: PackageName,
    releases: Vec<Release>,
    by_text: HashMap<Box<str>, Option<usize>>,
    /// The releases that the index names by themselves, so that they exist without files.
    named: HashSet<usize>,
    malformed: Vec<MalformedFile>,
}

impl ProjectBuilder {
    pub(crate) fn new(name: PackageName) -> Self {
        Self {
            name,
            releases: Vec::new(),
            by_text: HashMap::new(),
            named: HashSet::new(),
            malformed: Vec::new(),
        }
    }

    /// Adds a release that may have no files; a version that cannot be read is passed over, as pip
    /// passes over the files of such a release.
    pub(crate) fn add_release(&mut self, version: &str) {
        // One that no file's name could hold.
        if version.len() > 255 {
            return;
        }
        let release = self.release(version);
        self.named.extend(release);
    }

    /// Adds a file, or the reason why it cannot be used.
    pub(crate) fn add(&mut self, file: DistFile, core_metadata: CoreMetadata) {
        match self.read_name(&file.filename) {
            Ok((release, name)) => {
                let file = ProjectFile { file, name, core_metadata };
                self.releases[release].files.push(file);
            }
            Err(fault) => self.leave_out(file.filename, fault),
        }
    }

    pub(crate) fn leave_out(&mut self, filename: String, fault: FileFault) {
        self.malformed.push(MalformedFile { filename, fault });
    }

    /// The digest of a file, whose entry says it in `text`.
    pub(crate) fn digest(filename: &str, text: Option<&str>) -> Result<Option<Sha256>, FileFault> {
        text.map(str::parse).transpose().map_err(|source| FileFault::Digest {
            filename: crate::excerpt::excerpt(filename),
            source,
        })
    }

    fn read_name(&mut self, filename: &str) -> Result<(usize, FileName), FileFault> {
        if kind_of(filename) == FileKind::Wheel {
            let parts = WheelParts::split(filename)?;
            let release = self.release(parts.version).ok_or_else(|| parts.bad_version())?;
            let wheel = WheelName::from_parts(&parts, self.releases[release].version.clone())?;
            if !wheel.is_of(&self.name) {
                return Err(FileFault::OtherProject { filename: filename.to_owned() });
            }
            return Ok((release, FileName::Wheel(wheel)));
        }
        let parts = SdistParts::split(filename, &self.name)?;
        let release = self.release(parts.version).ok_or_else(|| parts.bad_version())?;
        let version = self.releases[release].version.clone();
        Ok((release, FileName::Sdist(SdistName::from_parts(&parts, version))))
    }

    fn release(&mut self, text: &str) -> Option<usize> {
        if let Some(known) = self.by_text.get(text) {
            return *known;
        }
        let release = text.parse().ok().map(|version| {
            self.releases.push(Release { version, files: Vec::new() });
            self.releases.len() - 1
        });
        self.by_text.insert(text.into(), release);
        release
    }

    pub(crate) fn finish(mut self) -> Project {
        // A file that was left out may have been the only one of its release.
        let mut index = 0..;
        self.releases.retain(|release| {
            let named = index.next().is_some_and(|index| self.named.contains(&index));
            named || !release.files.is_empty()
        });
        // Of equal versions the longest spelling comes first, and gives its name to the others.
        let spelling = |version: &Version| {
            let text = version.to_string();
            (std::cmp::Reverse(text.len()), text)
        };
        self.releases.sort_by(|a, b| {
            a.version.cmp(&b.version).then_with(|| spelling(&a.version).cmp(&spelling(&b.version)))
        });
        self.releases.dedup_by(|later, kept| {
            let same = later.version == kept.version;
            if same {
                kept.files.append(&mut later.files);
            }
            same
        });
        for release in &mut self.releases {
            // Beside the name so much else that the order of the answer cannot matter.
            release.files.sort_by(|a, b| {
                let facts =
                    |file: &DistFile| (file.yanked, file.sha256, file.size, file.upload_time);
                (a.file.filename.cmp(&b.file.filename))
                    .then_with(|| facts(&a.file).cmp(&facts(&b.file)))
                    .then_with(|| a.file.requires_python.cmp(&b.file.requires_python))
                    .then_with(|| a.file.url.cmp(&b.file.url))
                    .then_with(|| a.core_metadata.cmp(&b.core_metadata))
            });
            release.files.dedup_by(|later, kept| later.file.filename == kept.file.filename);
        }
        // Several may have one name, or none.
        self.malformed
            .sort_by_cached_key(|file| (file.filename.clone(), format!("{:?}", file.fault)));
        let Self { name, releases, malformed, .. } = self;
        Project { name, releases, malformed, index: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_a_version_are_one_release() {
        let project = Project::from_filenames(
            "demo".parse().unwrap(),
            ["demo-1.0.tar.gz", "demo-1.0.0-py3-none-any.whl", "demo-1-cp27-none-any.whl"],
        );
        assert_eq!(project.releases().len(), 1);
        assert_eq!(project.releases()[0].version().to_string(), "1.0.0");
        assert_eq!(project.releases()[0].files().len(), 3);
    }

    #[test]
    fn one_bad_file_does_not_sink_the_project() {
        let project = Project::from_filenames(
            "demo".parse().unwrap(),
            [
                "demo-1.0.tar.gz",
                "demo-1.0.win32-py2.7.exe",
                "demo-x-py3-none-any.whl",
                "other-1.0-py3-none-any.whl",
                "",
            ],
        );
        assert_eq!(
            project.releases().iter().map(|release| release.files().len()).sum::<usize>(),
            1
        );
        let faults: Vec<String> =
            project.malformed().iter().map(|file| file.fault.to_string()).collect();
        insta::assert_snapshot!(faults.join("\n"), @"
        `` is not the name of a source distribution: its ending is not that of an archive such as `.tar.gz` or `.zip`
        `demo-1.0.win32-py2.7.exe` is not the name of a source distribution: its ending is not that of an archive such as `.tar.gz` or `.zip`
        `demo-x-py3-none-any.whl` is not the name of a wheel: its second part is not a version (PEP 440)
        `other-1.0-py3-none-any.whl` is a wheel of another project
        ");
    }

    /// Versions that often differ in one part only, some of which are too large for the compact form
    /// in which `pep440_rs` keeps most.
    fn any_version() -> impl Strategy<Value = String> {
        "([01]!)?[0-2](\\.(0|1|10|300|70000)){0,4}((a|b|rc)[01])?(\\.post[01])?(\\.dev(0|1|300))?(\\+(1|01|10|a|b)(\\.(1|a))?)?"
    }

    proptest! {
        #[test]
        fn releases_are_in_total_order(texts in prop::collection::vec(any_version(), 1..6)) {
            let versions: Vec<Version> = texts.iter().map(|text| text.parse().unwrap()).collect();
            crate::fuzzing::assert_total_order(&versions);
            for version in &versions {
                prop_assert_eq!(&version.to_string().parse::<Version>().unwrap(), version);
            }
            let files = texts.iter().map(|text| format!("demo-{text}.zip"));
            let files: Vec<String> = files.collect();
            let project = Project::from_filenames(
                "demo".parse().unwrap(),
                files.iter().map(String::as_str),
            );
            prop_assert!(project.releases().is_sorted_by(|a, b| a.version < b.version));
            let distinct: HashSet<&Version> = versions.iter().collect();
            prop_assert_eq!(project.releases().len(), distinct.len());
        }
    }
}
