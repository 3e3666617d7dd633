//! The files besides `pyproject.toml` in which projects declare what they need.

use pep440_rs::VersionSpecifiers;

use super::project::{
    Declaration, ProjectError, Requirements, Section, requirements as of_pyproject,
    requires_python as python_of_pyproject, specifiers,
};
use super::setup_py;
use crate::names::{PackageName, excerpt};

/// A kind of file that declares requirements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectFile {
    /// `pyproject.toml`
    Pyproject,
    /// `setup.cfg` of setuptools
    SetupCfg,
    /// `setup.py` of setuptools, as far as it can be read without running it
    SetupPy,
    /// A [requirements file](https://pip.pypa.io/en/stable/reference/requirements-file-format/) of pip
    Requirements,
}

impl ProjectFile {
    /// The kind of a file with this name; `None` if it declares nothing that can be read.
    pub fn named(name: &str) -> Option<Self> {
        match name.rsplit_once('.')? {
            ("setup", "cfg") => Some(Self::SetupCfg),
            ("setup", "py") => Some(Self::SetupPy),
            (_, "toml") => Some(Self::Pyproject),
            (_, "txt" | "in") => Some(Self::Requirements),
            _ => None,
        }
    }

    /// Finds what a file of this kind declares about `package`. Empty if nothing.
    ///
    /// # Errors
    ///
    /// As for [`declarations`](super::declarations).
    pub fn declarations(
        self,
        text: &str,
        package: &PackageName,
    ) -> Result<Vec<Declaration>, ProjectError> {
        self.requirements(text)?.of(package)
    }

    /// Finds all that a file of this kind requires.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if the text is not of this kind.
    pub fn requirements(self, text: &str) -> Result<Requirements, ProjectError> {
        match self {
            Self::Pyproject => of_pyproject(text),
            Self::SetupCfg => Ok(of_setup_cfg(text)),
            Self::SetupPy => Ok(setup_py::requirements(text)),
            Self::Requirements => Ok(of_requirements(text)),
        }
    }

    /// Finds which Pythons a file of this kind declares to support, and where.
    ///
    /// # Errors
    ///
    /// As for [`declarations`](super::declarations).
    pub fn requires_python(
        self,
        text: &str,
    ) -> Result<Option<(&'static str, VersionSpecifiers)>, ProjectError> {
        match self {
            Self::Pyproject => {
                let place = "project.requires-python";
                Ok(python_of_pyproject(text)?.map(|required| (place, required)))
            }
            Self::SetupCfg => {
                let place = "options.python_requires";
                let entry = entries(text).into_iter().find(|entry| entry.place == place);
                let required =
                    entry.map(|entry| specifiers(entry.lines.join(",").trim(), place, "python"));
                Ok(required.transpose()?.map(|required| (place, required)))
            }
            Self::SetupPy => {
                let place = "python_requires";
                let text = setup_py::text_of(text, place);
                let required = text.map(|text| specifiers(&text, place, "python")).transpose()?;
                Ok(required.map(|required| (place, required)))
            }
            Self::Requirements => Ok(None),
        }
    }
}

/// An entry of a file in the format of `configparser`: `SECTION.KEY`, and the lines of its value.
pub(in crate::analysis) struct Entry<'a> {
    pub(in crate::analysis) place: String,
    pub(in crate::analysis) lines: Vec<&'a str>,
}

pub(in crate::analysis) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut section = "";
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for line in text.lines() {
        let told = line.trim();
        if told.is_empty() || told.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some(entry) = entries.last_mut()
        {
            entry.lines.push(told);
        } else if let Some(name) = told.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = told.split_once(['=', ':']) {
            let lines = Some(value.trim()).filter(|value| !value.is_empty()).into_iter().collect();
            entries.push(Entry { place: format!("{section}.{}", key.trim()), lines });
        }
    }
    entries
}

/// <https://setuptools.pypa.io/en/latest/userguide/declarative_config.html>
fn of_setup_cfg(text: &str) -> Requirements {
    let mut all = Requirements::default();
    for Entry { place, lines } in entries(text) {
        // Extras are keys of a section; those of the oldest form stand in its name.
        let section = match place.strip_prefix("options.") {
            Some("install_requires") => Section::SetupCfg,
            Some(key) => match key.strip_prefix("extras_require.") {
                Some(extra) => Section::SetupCfgExtra(extra.to_owned()),
                None => continue,
            },
            None => continue,
        };
        for line in lines {
            if line.starts_with("file:") || line.starts_with("attr:") {
                let error = ProjectError::Elsewhere { place, text: excerpt(line, 80) };
                all.elsewhere.get_or_insert(error);
                break;
            }
            all.add(line, &section);
        }
    }
    all
}

fn of_requirements(text: &str) -> Requirements {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut all = Requirements::default();
    for line in joined.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        let file = ["-r", "--requirement", "-c", "--constraint"];
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('-') {
            if file.iter().any(|option| line.starts_with(option)) {
                let place = Section::Requirements.to_string();
                let error = ProjectError::Elsewhere { place, text: excerpt(line, 80) };
                all.elsewhere.get_or_insert(error);
            }
            continue;
        }
        // Options of one requirement, such as its hashes; and what is no name but a path or an address.
        let line = line.split(" --").next().unwrap_or_default().trim();
        if line.starts_with(['.', '/']) || (line.contains("://") && !line.contains('@')) {
            continue;
        }
        all.add(line, &Section::Requirements);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(kind: ProjectFile, text: &str) -> String {
        match kind.declarations(text, &"pandas".parse().unwrap()) {
            Ok(found) => {
                let line = |one: &Declaration| {
                    let marker = one.marker.as_ref().map(|marker| format!("; {marker}"));
                    format!("{}: {}{}", one.section, one.specifier, marker.unwrap_or_default())
                };
                found.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn setup_cfg_is_read() {
        let text = "[metadata]\nname = x\n\n[options]\npython_requires = >=3.8\ninstall_requires =\n    # a comment\n    \
                    Pandas>=1.2,<2; python_version < '3.12'\n    numpy\n[options.extras_require]\ntest =\n    pandas >= 2\n    pytest\n";
        insta::assert_snapshot!(declared(ProjectFile::SetupCfg, text), @"
        options.install_requires: >=1.2, <2; python_version < '3.12'
        options.extras_require.test: >=2
        ");
        let python = ProjectFile::SetupCfg.requires_python(text).unwrap();
        assert_eq!(
            python.map(|(place, text)| format!("{place} {text}")).as_deref(),
            Some("options.python_requires >=3.8")
        );
        let text = "[options]\ninstall_requires = file: requirements.txt\n";
        insta::assert_snapshot!(declared(ProjectFile::SetupCfg, text), @"`options.install_requires` is taken from elsewhere (`file: requirements.txt`): name that file, or the specifier itself (`'>=1.2,<2'`)");
    }

    #[test]
    fn a_requirements_file_is_read() {
        let text = "# what is needed\n-r base.txt\n--index-url https://x.example\npandas[test] >=1.2, \\\n  <2 --hash=sha256:00 # new\n\
                    ./local\nhttps://x.example/y.zip\nnumpy\n";
        insta::assert_snapshot!(declared(ProjectFile::Requirements, text), @"requirements: >=1.2, <2");
        insta::assert_snapshot!(declared(ProjectFile::Requirements, "-r base.txt\nnumpy\n"), @"`requirements` is taken from elsewhere (`-r base.txt`): name that file, or the specifier itself (`'>=1.2,<2'`)");
        assert_eq!(declared(ProjectFile::Requirements, "numpy\n"), "");
    }

    #[test]
    fn a_kind_is_known_by_its_name() {
        for (name, kind) in [
            ("pyproject.toml", Some(ProjectFile::Pyproject)),
            ("setup.cfg", Some(ProjectFile::SetupCfg)),
            ("requirements-dev.txt", Some(ProjectFile::Requirements)),
            ("requirements.in", Some(ProjectFile::Requirements)),
            ("setup.py", Some(ProjectFile::SetupPy)),
            ("tox.cfg", None),
            ("Pipfile", None),
        ] {
            assert_eq!(ProjectFile::named(name), kind, "{name}");
        }
    }
}
