//! Which files a Python may install by their own word
//! ([Requires-Python](https://packaging.python.org/en/latest/specifications/core-metadata/#requires-python)).

use std::collections::{HashMap, HashSet};

use pep440_rs::{Version, VersionSpecifier};

use crate::index::{Project, Release};

/// Every specifier of a project, read once: thousands of files share a few.
pub(super) struct Table<'a> {
    specifiers: HashMap<&'a str, Vec<VersionSpecifier>>,
}

/// The specifiers, as written, that keep one Python out.
pub(super) struct Admitted<'a> {
    refused: HashSet<&'a str>,
}

impl Admitted<'_> {
    /// Whether a file with this specifier lets the Python in.
    pub(super) fn allows(&self, requires_python: Option<&str>) -> bool {
        requires_python.is_none_or(|text| !self.refused.contains(text))
    }
}

impl<'a> Table<'a> {
    pub(super) fn of(project: &'a Project) -> Self {
        let mut specifiers: HashMap<&str, Vec<VersionSpecifier>> = HashMap::new();
        let files = project.releases().iter().flat_map(Release::files);
        for text in files.filter_map(|file| file.file.requires_python.as_deref()) {
            if !specifiers.contains_key(text) {
                specifiers.insert(text, read(text));
            }
        }
        Self { specifiers }
    }

    /// What lets this Python in.
    pub(super) fn admitting(&self, python: &Version) -> Admitted<'a> {
        // As pip: `3.15.0a1` counts as 3.15.0.
        let python = python.only_release();
        let refused = self.specifiers.iter().filter_map(|(text, specifiers)| {
            let refused = specifiers.iter().any(|specifier| !specifier.contains(&python));
            refused.then_some(*text)
        });
        Admitted { refused: refused.collect() }
    }
}

/// The parts of a specifier. A part that cannot be read excludes no Python, as in pip.
fn read(text: &str) -> Vec<VersionSpecifier> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn specifiers_admit_what_pip_admits() {
        let cases: &[(&str, &str, bool)] = &[
            (">=3.7", "3.11.7", true),
            (">=3.7", "3.6.15", false),
            (">=3.7,<3.11", "3.11.0", false),
            (">=3.11.4", "3.11.3", false), // the micro version counts
            (">=3.11.4", "3.11.4", true),
            ("!=3.0.*,!=3.1.*,>=2.7,", "3.1.2", false), // a comma at the end is fine
            (">=3.15", "3.15.0a1", true),
            ("~=3.6", "3.12.1", true),
            ("~=3.6", "4.0", false),
            ("==3.8.*", "3.8.10", true),
            (">=3.6.*", "2.7.18", true), // malformed: excludes no Python
            ("3.6", "2.7.18", true),
            ("nonsense", "3.11", true),
            ("", "3.11", true),
            ("<4,>=2.7", "2.7.18", true),
        ];
        for (text, python, admitted) in cases {
            let project = Project::from_files(
                "demo".parse().unwrap(),
                [crate::resolve::tests::file("demo-1-py3-none-any.whl", |file| {
                    file.requires_python = Some((*text).to_owned());
                })],
            );
            let table = Table::of(&project);
            let allows = table.admitting(&python.parse().unwrap()).allows(Some(text));
            assert_eq!(allows, *admitted, "{text} {python}");
        }
    }

    proptest! {
        #[test]
        fn a_specifier_prints_as_it_is_meant(
            text in "( ?(>=|<=|>|<|!=|==) ?[23]\\.[0-9]{1,2}(\\.[0-9])?,){0,3}(~=[23]\\.[0-9]|[!=]=3\\.[0-9]{1,2}\\.\\*)"
        ) {
            let specifiers = read(&text);
            prop_assert!(!specifiers.is_empty());
            let printed: Vec<String> = specifiers.iter().map(ToString::to_string).collect();
            prop_assert_eq!(read(&printed.join(",")), specifiers);
        }
    }
}
