//! Reads the keys `versions`, `python_versions`, `sdist` and `unknown_upload_time`.

use super::{At, Node, Reader};
use crate::names::PythonVersion;
use crate::question::selection::{Among, SdistPolicy, UnknownUploadTime, Versions};

/// The keys under `versions`, where it is a mapping.
pub(in crate::question::config) const VERSIONS: &[&str] =
    &["specifiers", "since", "latest-patch", "latest"];

impl Reader<'_> {
    pub(super) fn versions(&mut self, at: &At<'_>) -> Option<Versions> {
        match at.node {
            Node::Sequence(_) => {}
            Node::Mapping(_) => return self.among(at).map(Versions::Among),
            _ => return self.parsed(at, "`versions`"),
        }
        let nodes = self.list(at, "`versions`");
        if nodes.is_empty() {
            self.problem_with_help(
                at,
                "`versions` is an empty list",
                "leave the line out to take all final releases",
            );
        }
        let versions = nodes.iter().map(|node| self.parsed(node, "a version"));
        versions.collect::<Vec<_>>().into_iter().collect::<Option<_>>().map(Versions::Listed)
    }

    /// A rule as keys and values; as text it is read by [`Versions`].
    fn among(&mut self, at: &At<'_>) -> Option<Among> {
        let before = self.problems.len();
        let mut among = Among::default();
        for (key, node) in self.mapping(at, "`versions`", VERSIONS)? {
            if key == "specifiers" {
                among.specifiers = self.parsed(&node, "`specifiers`").unwrap_or_default();
            } else if let Some(text) = self.text(&node, &format!("`{key}`"))
                && let Err(error) = among.set(key, &text)
            {
                self.problem(&node, error);
            }
        }
        (self.problems.len() == before).then_some(among)
    }

    pub(super) fn pythons(&mut self, at: &At<'_>) -> Vec<PythonVersion> {
        let mut pythons: Vec<PythonVersion> = Vec::new();
        for node in self.list(at, "`python_versions`") {
            let Some(python) = self.parsed(&node, "a Python") else { continue };
            if pythons.contains(&python) {
                self.problem(&node, format!("Python {python} is in the list twice"));
            }
            pythons.push(python);
        }
        pythons
    }

    pub(super) fn sdist(&mut self, at: &At<'_>) -> Option<SdistPolicy> {
        self.choice(
            at,
            "`sdist`",
            &[
                ("fallback", SdistPolicy::Fallback),
                ("never", SdistPolicy::Never),
                ("only", SdistPolicy::Only),
            ],
        )
    }

    pub(super) fn unknown_upload_time(&mut self, at: &At<'_>) -> Option<UnknownUploadTime> {
        self.choice(
            at,
            "`unknown_upload_time`",
            &[("include", UnknownUploadTime::Include), ("exclude", UnknownUploadTime::Exclude)],
        )
    }
}
