//! The package index that a build is given.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use caliper_core::names::{PackageName, PythonVersion, Timestamp};
use caliper_core::question::grid::DistFile;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::lock::Lock;
use caliper_core::question::plan::Setup;
use pep440_rs::Version;

use super::DockerBackend;
use super::kind::EngineKind;
use crate::backend::BackendError;

/// An index on this machine's loopback, which answers as of any moment: for builds whose installer knows no
/// limit by date, no rule for several indexes, and no login.
///
/// Builds reach it because they get the network of the host.
pub trait BuildIndex: Send + Sync + fmt::Debug {
    /// Its address, for what it offered at `as_of`, or offers now, to a build for this Python, which may need newer tools.
    /// Called for every build, and the same as long as possible: the layers of an image are found again by it.
    ///
    /// # Errors
    ///
    /// Why it cannot be reached.
    fn address(
        &self,
        as_of: Option<Timestamp>,
        python: PythonVersion,
    ) -> Result<String, Box<dyn Error + Send + Sync>>;

    /// Where it offers a file of the indexes.
    ///
    /// # Errors
    ///
    /// As [`address`](Self::address).
    fn file_address(&self, file: &DistFile) -> Result<String, Box<dyn Error + Send + Sync>>;

    /// Its address for a build that must end with the files of `lock`: of the projects in it, it offers these alone.
    ///
    /// # Errors
    ///
    /// As [`address`](Self::address).
    fn lock_address(
        &self,
        lock: &Lock,
        python: PythonVersion,
    ) -> Result<String, Box<dyn Error + Send + Sync>>;

    /// The file of the indexes that a distribution was installed from, where that is certain.
    ///
    /// # Errors
    ///
    /// Why the indexes do not say.
    fn file_of(
        &self,
        installed: &FromIndex<'_>,
    ) -> Result<Option<DistFile>, Box<dyn Error + Send + Sync>>;

    /// What it answers from, as a short word: layers that were made with another one are not used.
    fn identity(&self) -> String;

    /// How many requests it could not answer so far because what is behind it failed, and why the last.
    fn failures(&self) -> (u64, Option<String>);

    /// The files without upload time that it leaves out of pages of a date: of these projects, as far as it knows
    /// them, or of all that it was asked for so far.
    fn without_upload_time(&self, of: Option<&BTreeSet<PackageName>>) -> Vec<String>;
}

/// A distribution that pip or uv took from an index, as it describes itself.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FromIndex<'a> {
    /// Its name.
    pub name: &'a PackageName,
    /// Its version.
    pub version: &'a Version,
    /// The tags of the wheel that it was installed from, which may have been built on the way; none if there was
    /// no wheel.
    pub tags: &'a [String],
    /// The build tag of that wheel.
    pub build: Option<&'a str>,
    /// The Python.
    pub interpreter: &'a Interpreter,
    /// What the index offered at this moment.
    pub as_of: Option<Timestamp>,
    /// The files that there were to choose from.
    pub lock: Option<&'a Lock>,
}

/// What names the index for pip; for uv; for older ones of uv.
const ADDRESS: [&str; 3] = ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"];
/// The indexes behind the address, so that layers made with others are not used.
const IDENTITY: &str = "CALIPER_INDEX";
/// How long pip and uv wait, in seconds, while a large file is fetched for them.
const PATIENCE: [(&str, &str); 2] = [("PIP_DEFAULT_TIMEOUT", "600"), ("UV_HTTP_TIMEOUT", "600")];
/// What would lead pip or uv to another index beside it.
const OTHERS: [&str; 6] = [
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "PIP_CONFIG_FILE",
];
/// Options of pip and uv that name an index.
const OPTIONS: [&str; 6] =
    ["--index-url", "--extra-index-url", "--find-links", "--default-index", "--index=", "--index "];

/// What a build is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GivenIndex {
    /// Variables that are set while the build runs, and that the image does not have.
    pub(super) variables: Vec<(&'static str, String)>,
    /// The index is on this machine's own loopback, which no other network reaches.
    pub(super) on_loopback: bool,
    /// The address of a file, and the address that takes its place in what is sent.
    pub(super) moved: Option<(String, String)>,
    /// It is a [`BuildIndex`].
    pub(super) is_mirror: bool,
}

impl DockerBackend {
    /// Whether builds of these cells are given the index on this machine.
    pub(super) fn needs_mirror(&self, setup: &Setup) -> bool {
        setup.as_of.is_some() || setup.lock.is_some() || self.options.only_build_index
    }

    /// Why builds cannot be given an index on this machine, with a fix; `None` if they can.
    pub(super) fn fault_of_mirror(&self, setup: &Setup) -> Option<(String, &'static str)> {
        let what = match (&setup.lock, setup.as_of) {
            (Some(_), _) => "the files of a lock",
            (None, Some(_)) => "an index of a past date",
            (None, None) => "several indexes, an index with a login, or `--offline`",
        };
        let facts = &self.facts;
        if self.options.build_index.is_none() {
            let why = "the pip in an image may know no such limit, and there is no mirror";
            return Some((format!("{what}: {why}"), "use `--backend local`"));
        }
        if !facts.endpoint.starts_with("unix:") {
            let why = format!(
                "builds need the mirror of the index on this machine, and the engine at {} is on another one",
                facts.endpoint
            );
            return Some((
                format!("{what}: {why}"),
                "use an engine with a socket on this machine, or `--backend local`",
            ));
        }
        if facts.kind == EngineKind::Docker && facts.rootless {
            let why = "builds need the mirror of the index on this machine's loopback, and those of a \
                       rootless Docker have a loopback of their own";
            return Some((
                format!("{what}: {why}"),
                "use `--backend podman`, a Docker that runs as root, or `--backend local`",
            ));
        }
        None
    }

    /// The index for the builds of a cell for `python`, which installs `file`.
    pub(super) fn given_index(
        &self,
        setup: &Setup,
        python: PythonVersion,
        file: Option<&DistFile>,
    ) -> Result<GivenIndex, BackendError> {
        if !self.needs_mirror(setup) {
            let url = self.options.index_url.as_deref();
            return Ok(GivenIndex {
                variables: url.map(|url| (ADDRESS[0], url.to_owned())).into_iter().collect(),
                on_loopback: url.is_some_and(is_loopback),
                ..GivenIndex::default()
            });
        }
        if let Some((what, fix)) = self.fault_of_mirror(setup) {
            self.cannot(what, fix)?;
        }
        let Some(mirror) = &self.options.build_index else { return Ok(GivenIndex::default()) };
        let failed =
            |error: Box<dyn Error + Send + Sync>| BackendError::Index { reason: error.to_string() };
        let address = match &setup.lock {
            Some(lock) => mirror.lock_address(lock, python),
            None => mirror.address(setup.as_of, python),
        };
        let address = address.map_err(failed)?;
        let mut variables: Vec<_> = ADDRESS.map(|name| (name, address.clone())).into();
        variables.push((IDENTITY, mirror.identity()));
        variables.extend(PATIENCE.map(|(name, value)| (name, value.to_owned())));
        let moved = file.map(|file| Ok((file.url.clone(), mirror.file_address(file)?)));
        let moved = moved.transpose().map_err(failed)?;
        Ok(GivenIndex { variables, on_loopback: true, moved, is_mirror: true })
    }

    /// Refuses a build that would not, or not only, ask the index that it is given, although it must.
    /// `mentioned` looks for variables and options in the Dockerfile; `image` has the variables of the image that
    /// it starts from, such as `LANG=C`.
    pub(super) fn refuse_other_indexes(
        &self,
        given: &GivenIndex,
        mentioned: impl Fn(&BTreeSet<&str>, &[&str]) -> Option<String>,
        base: &str,
        image: &[String],
    ) -> Result<(), BackendError> {
        if !given.is_mirror {
            return Ok(());
        }
        let names: BTreeSet<&str> = ADDRESS.into_iter().chain(OTHERS).collect();
        let set = image.iter().filter_map(|variable| variable.split_once('='));
        let set: Vec<&str> =
            set.filter(|(_, value)| !value.is_empty()).map(|(name, _)| name).collect();
        let what = if let Some(name) = set.iter().find(|name| names.contains(*name)) {
            format!("the image `{base}` sets {name}")
        } else if let Some(found) = mentioned(&names, &OPTIONS) {
            format!("the Dockerfile has `{}`", found.trim())
        } else {
            return Ok(());
        };
        self.cannot(
            format!(
                "a build with the mirror of the index (for a date, `--offline`, several indexes or a login): {what}, \
                 which leads to another index"
            ),
            "remove that, and name the index with `--index`; or use `--backend local`",
        )
    }

    /// The number of failures of the mirror, for [`failure_of_mirror`](Self::failure_of_mirror).
    pub(super) fn mark_of_mirror(&self, given: &GivenIndex) -> u64 {
        let mirror = self.options.build_index.as_ref().filter(|_| given.is_mirror);
        mirror.map_or(0, |mirror| mirror.failures().0)
    }

    /// The error for a build that failed while the mirror could not answer some build since `mark`: pip takes a
    /// page that fails for a package that does not exist.
    pub(super) fn failure_of_mirror(&self, given: &GivenIndex, mark: u64) -> Option<BackendError> {
        let mirror = self.options.build_index.as_ref().filter(|_| given.is_mirror)?;
        let (now, last) = mirror.failures();
        (now > mark).then(|| BackendError::Index { reason: last.unwrap_or_default() })
    }

    /// The files without upload time that were left out for a build: of these projects, or of all.
    pub(super) fn left_out_of_date(
        &self,
        setup: &Setup,
        of: Option<&BTreeSet<PackageName>>,
    ) -> Vec<String> {
        let mirror = self.options.build_index.as_ref().filter(|_| setup.as_of.is_some());
        mirror.map(|mirror| mirror.without_upload_time(of)).unwrap_or_default()
    }
}

/// Whether an address leads to this very machine.
fn is_loopback(url: &str) -> bool {
    let host = url.parse::<hyper::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    host.is_some_and(|host| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_recognised() {
        for (url, expected) in [
            ("http://127.0.0.1:8000/simple/", true),
            ("http://localhost/simple", true),
            ("http://[::1]:80/", true),
            ("http://127.1.2.3/", true),
            ("https://example.org/simple/", false),
            ("http://10.0.0.1/", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_loopback(url), expected, "{url}");
        }
    }
}
