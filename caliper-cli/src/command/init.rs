mod library;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::Terminal;
use library::Library;

/// What is written where there is nothing yet, and under which names.
const FILES: &[(&str, &str)] = &[
    ("caliper.yaml", include_str!("init/caliper.yaml")),
    ("Dockerfile", include_str!("init/Dockerfile")),
    ("smoke.py", include_str!("init/smoke.py")),
];

pub(super) fn run(folder: &Path, terminal: Terminal) -> Outcome {
    // A library has code and tests of its own, and pytest would collect another.
    let of_library = Library::read(folder).map(|library| library.configuration());
    let files: Vec<(&str, &str)> = match &of_library {
        Some(text) => vec![("caliper.yaml", text)],
        None => FILES.to_vec(),
    };
    let existing: Vec<&str> = files
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| fs::symlink_metadata(folder.join(name)).is_ok())
        .collect();
    if !existing.is_empty() {
        return Err(Failure::question(format!(
            "`{}` has {} already, and nothing that exists is overwritten; choose another folder, \
             or move it away",
            folder.display(),
            existing.join(", ")
        )));
    }
    let failed = |path: &Path, error| {
        Failure::infrastructure(format!("could not write `{}`", path.display()), error)
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
