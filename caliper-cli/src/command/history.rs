//! `caliper history`: how verdicts changed over several sets of results.

#[cfg(feature = "sqlite")]
use std::path::Path;
use std::path::PathBuf;

use crate::args::FormatName;
use crate::exit::Outcome;
use crate::terminal::Terminal;

#[cfg(not(feature = "sqlite"))]
pub(super) fn run(_: &[PathBuf], _: Option<PathBuf>, _: FormatName, _: Terminal) -> Outcome {
    Err(super::not_built_in("has no SQLite", "sqlite"))
}

#[cfg(feature = "sqlite")]
pub(super) use with_sqlite::run;

#[cfg(feature = "sqlite")]
mod with_sqlite {
    use std::fs;
    use std::io::ErrorKind;

    use caliper_core::analysis::results::Results;
    use caliper_core::facts::store::DirStore;
    use caliper_core::report::export::{DatabaseError, history, remember};
    use caliper_core::report::history::lines;

    use super::super::recorded::{configuration, recorded};
    use super::super::{print, print_json};
    use super::{FormatName, Outcome, Path, PathBuf, Terminal};
    use crate::exit::{Exit, Failure};
    use crate::output;
    use crate::setting;
    use crate::terminal::printable;

    /// The history of a configuration, in the folder of its results.
    const USUAL: &str = "history.sqlite";

    pub(in crate::command) fn run(
        from: &[PathBuf],
        database: Option<PathBuf>,
        format: FormatName,
        terminal: Terminal,
    ) -> Outcome {
        let usual = PathBuf::from(setting::FILE);
        // A history may be looked at where there are no results.
        let is_alone = from.is_empty() && database.is_some() && !usual.exists();
        let paths = match from {
            [] if is_alone => Vec::new(),
            [] => vec![usual],
            paths => paths.to_vec(),
        };
        let mut sets: Vec<(DirStore, Results)> = Vec::new();
        for path in &paths {
            sets.push(recorded(path, terminal)?);
        }
        let database = match (database, paths.first().zip(sets.first())) {
            (Some(database), first) => {
                if let Some((path, (store, _))) = first {
                    check(&database, path, store)?;
                }
                database
            }
            (None, Some((path, (store, _)))) if configuration(path, store.folder()).is_some() => {
                store.folder().join(USUAL)
            }
            _ => {
                return Err(Failure::question(
                    "a folder of results alone has no history of its own; name a database with `--db`",
                ));
            }
        };
        let content = gathered(&database, &sets, terminal)?;
        let mut found = history(&content).map_err(|error| unusable(&database, error))?;
        match format {
            FormatName::Json => print_json(&found, terminal)?,
            FormatName::Text => {
                // Of a history of many, what was asked for now.
                let is_asked = |dependency: &str, analysis: &str| {
                    sets.iter().any(|(_, results)| {
                        results.dependency.normalized() == dependency
                            && results.analysis == analysis
                    })
                };
                if !sets.is_empty() {
                    found.studies.retain(|study| is_asked(&study.dependency, &study.analysis));
                }
                print::say(lines(&found), terminal);
            }
        }
        Ok(Exit::Done)
    }

    /// Adds results to a database. Returns its content.
    fn gathered(
        database: &Path,
        sets: &[(DirStore, Results)],
        terminal: Terminal,
    ) -> Result<Vec<u8>, Failure> {
        let _lock = if sets.is_empty() { None } else { Some(output::lock(database)?) };
        let mut content = match fs::read(database) {
            Ok(content) => Some(content),
            Err(error) if error.kind() == ErrorKind::NotFound && !sets.is_empty() => None,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let database = database.display();
                return Err(Failure::question(format!("there is no history `{database}`")));
            }
            Err(error) => {
                let database = database.display();
                return Err(Failure::infrastructure(format!("could not read `{database}`"), error));
            }
        };
        let mut added = 0;
        for (_, results) in sets {
            let (bytes, is_new) =
                remember(content.as_deref(), results).map_err(|error| unusable(database, error))?;
            content = Some(bytes);
            added += usize::from(is_new);
        }
        let content = content.unwrap_or_default();
        if added > 0 {
            output::replace(database, &content)?;
            let count = if added == 1 {
                "1 set of results".to_owned()
            } else {
                format!("{added} sets of results")
            };
            terminal.note(&printable(&format!("{count} added to `{}`", database.display())));
        }
        Ok(content)
    }

    /// A database may lie in the folder of the results under its usual name only.
    fn check(database: &Path, path: &Path, store: &DirStore) -> Result<(), Failure> {
        if database == store.folder().join(USUAL) {
            return Ok(());
        }
        output::check(database, configuration(path, store.folder()).as_deref(), store.folder())
    }

    fn unusable(database: &Path, error: DatabaseError) -> Failure {
        let database = database.display();
        match error {
            DatabaseError::Sqlite(_) => {
                Failure::infrastructure(format!("could not work on `{database}`"), error)
            }
            _ => Failure::question(format!("`{database}` cannot be used: {error}")),
        }
    }
}
