//! Writing what was found into `pyproject.toml`.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use caliper_core::analysis::bounds::edited;
use caliper_core::report::model::BoundsReport;
use similar::TextDiff;
use tempfile::NamedTempFile;

use crate::exit::Failure;
use crate::terminal::{Terminal, printable};

/// Shows what changes, and writes it if that is asked for. `pyproject` is the text that was measured.
pub(super) fn write(
    folder: &Path,
    report: &BoundsReport,
    pyproject: Option<&str>,
    is_written: bool,
    terminal: Terminal,
) -> Result<(), Failure> {
    let changes = report.suggestions();
    if changes.is_empty() {
        terminal.note("there is nothing to change in pyproject.toml");
        return Ok(());
    }
    let Some(before) = pyproject else {
        let all: Vec<String> =
            changes.iter().map(|(name, specifier)| format!("`{name}{specifier}`")).collect();
        return Err(Failure::question(format!(
            "there is no `pyproject.toml` in `{}`; write {} where the project declares its dependencies",
            folder.display(),
            all.join(", ")
        )));
    };
    let edit = edited(before, &changes).map_err(|error| Failure::question(error.to_string()))?;
    for (_, error) in &edit.refused {
        terminal.warning(&printable(&error.to_string()));
    }
    if edit.text == before {
        return Ok(());
    }
    let diff = TextDiff::from_lines(before, &edit.text);
    let diff = diff.unified_diff().header("pyproject.toml", "pyproject.toml").to_string();
    terminal.note(printable(&diff).trim_end());
    if is_written {
        let path = folder.join("pyproject.toml");
        replace(&path, before, &edit.text)?;
        terminal.note(&format!("written to `{}`", path.display()));
    }
    Ok(())
}

/// Puts a text in place of another one, unless the file has changed meanwhile.
fn replace(path: &Path, before: &str, text: &str) -> Result<(), Failure> {
    let told = |error: io::Error| {
        Failure::infrastructure(format!("could not write `{}`", path.display()), error)
    };
    // A link stays one.
    let path = fs::canonicalize(path).map_err(told)?;
    if fs::read_to_string(&path).map_err(told)? != before {
        return Err(Failure::question(format!(
            "`{}` has changed since it was measured, so nothing is written to it; the same command measures it again",
            path.display()
        )));
    }
    let folder = path.parent().unwrap_or(&path);
    let mut new = NamedTempFile::new_in(folder).map_err(told)?;
    new.write_all(text.as_bytes()).and_then(|()| new.as_file().sync_all()).map_err(told)?;
    let permissions = fs::metadata(&path).map_err(told)?.permissions();
    fs::set_permissions(new.path(), permissions).map_err(told)?;
    new.persist(&path).map_err(|error| told(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pyproject.toml");
        fs::write(&path, "old\n").unwrap();
        replace(&path, "old\n", "new\n").unwrap_or_else(|_| panic!());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        let refused = replace(&path, "old\n", "newer\n").err().unwrap().error.to_string();
        let refused =
            refused.replace(&fs::canonicalize(&path).unwrap().display().to_string(), "[FILE]");
        insta::assert_snapshot!(refused, @"`[FILE]` has changed since it was measured, so nothing is written to it; the same command measures it again");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    }
}
