mod choice;
mod look;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use caliper_core::analysis::survey::{Need, Survey, SurveyError};
use caliper_core::names::PackageName;
use caliper_core::report::starter;

use crate::exit::{Exit, Failure, Outcome};
use crate::sources;
use crate::terminal::{Terminal, printable};

/// What is written where there is nothing yet, and under which names.
const FILES: &[(&str, &str)] = &[
    ("caliper.yaml", include_str!("init/caliper.yaml")),
    ("Dockerfile", include_str!("init/Dockerfile")),
    ("smoke.py", include_str!("init/smoke.py")),
];

/// The dependency of the example, as it stands in its files.
const EXAMPLE: &str = "jinja2";

pub(super) fn run(folder: &Path, dependency: Option<&PackageName>, terminal: Terminal) -> Outcome {
    let failed = |path: &Path, error| {
        Failure::infrastructure(format!("could not write `{}`", path.display()), error)
    };
    let survey = Survey::of(&look::folder(folder)?).map_err(|error| unreadable(folder, &error))?;
    #[expect(clippy::single_match_else, reason = "both arms are of one length")]
    let files = match &survey {
        // A project has code and tests of its own, and pytest would collect another.
        Some(survey) => {
            refuse_to_overwrite(folder, &["caliper.yaml"])?;
            for remark in &survey.remarks {
                terminal.warning(remark);
            }
            let need = choice::choose(survey, dependency, terminal)?;
            vec![("caliper.yaml", of_project(survey, &need, terminal)?)]
        }
        None => {
            let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
            refuse_to_overwrite(folder, &names)?;
            let named = |text: &str| match dependency {
                // The script of the example is about the package of the example.
                Some(name) => text
                    .replace(EXAMPLE, name.normalized())
                    .replace("versions: \">=3\"", "versions: \"latest-patch, latest: 10\""),
                None => text.to_owned(),
            };
            let files =
                FILES.iter().filter(|(name, _)| dependency.is_none() || *name != "smoke.py");
            let mut files: Vec<(&str, String)> =
                files.map(|(name, text)| (*name, named(text))).collect();
            if let Some(name) = dependency {
                files.push(("smoke.py", smoke(name)));
            }
            files
        }
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (name, text) in files {
        let path = folder.join(name);
        // `create_new` does not overwrite a file that another process creates at this moment.
        File::create_new(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| failed(&path, error))?;
        terminal.note(&format!("wrote {}", path.display()));
    }
    let config = folder.join("caliper.yaml");
    terminal.note(&format!("now edit it, and then: caliper run {}", config.display()));
    Ok(Exit::Done)
}

/// A test to be written, which passes as it is.
fn smoke(name: &PackageName) -> String {
    format!(
        "\"\"\"Passes if it exits with status 0. What it prints is the result that releases are compared by.\"\"\"\n\n\
         # In place of this: import {name}, use it as your code does, and print what comes out.\n\
         print(\"nothing of {name} is used yet\")\n"
    )
}

fn refuse_to_overwrite(folder: &Path, names: &[&str]) -> Result<(), Failure> {
    let exists = |name: &&&str| fs::symlink_metadata(folder.join(name)).is_ok();
    let existing: Vec<&str> = names.iter().filter(exists).copied().collect();
    if existing.is_empty() {
        return Ok(());
    }
    Err(Failure::question(format!(
        "`{}` has {} already, and nothing that exists is overwritten; choose another folder, \
         or move it away",
        folder.display(),
        existing.join(", ")
    )))
}

fn unreadable(folder: &Path, error: &SurveyError) -> Failure {
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    let folder = folder.display();
    Failure::question(format!("{error}{} (in `{folder}`)", source.unwrap_or_default()))
}

/// The configuration of a project; what was found out about it is said.
fn of_project(survey: &Survey, need: &Need, terminal: Terminal) -> Result<String, Failure> {
    if survey.testing.place.is_empty() {
        terminal.warning("no tests were found; the test is that the project can be imported");
    }
    let pythons = sources::pythons_at_hand()
        .map_err(|error| Failure::infrastructure("could not make a temporary folder", error))?;
    let pythons = survey.pythons(&pythons);
    if pythons.is_empty()
        && let Some((_, specifiers)) = &survey.python
    {
        let specifiers = printable(&specifiers.to_string());
        terminal.warning(&format!(
            "the project is for Python {specifiers}, and this machine has none; `python_versions` is left out, and \
             `--backend docker` can use images"
        ));
    }
    Ok(starter::configuration(survey, need, &pythons))
}

#[cfg(test)]
mod tests {
    use caliper_core::question::config::Config;

    use super::*;

    #[test]
    fn what_is_written_is_a_valid_configuration() {
        let read = |name: &str| {
            let file = FILES.iter().find(|(file, _)| *file == name);
            file.map(|(_, text)| text.as_bytes().to_vec())
                .ok_or_else(|| std::io::ErrorKind::NotFound.into())
        };
        let config = Config::from_yaml("caliper.yaml", FILES[0].1, &read).unwrap();
        assert_eq!(config.tests.len(), 1);
        // The template is there to be switched on.
        let on = FILES[0].1.replace("# dockerfile: Dockerfile", "dockerfile: Dockerfile");
        assert!(on != FILES[0].1, "the line is there");
        let config = Config::from_yaml("caliper.yaml", &on, &read).unwrap();
        assert!(config.dockerfile.is_some());
    }
}
