//! The history of several sets of results, in an SQLite database.

use std::collections::BTreeMap;
use std::error::Error;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::analysis::history::{
    History, SCHEMA, Snapshot, SnapshotInfo, SnapshotLine, Standing, StudyHistory,
};
use crate::analysis::results::Results;
use crate::names::Sha256;

/// Why a database cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The bytes are not those of a history that Caliper wrote.
    #[error("it is no history that Caliper wrote")]
    NoHistory,
    /// A newer Caliper wrote it.
    #[error("it has format {found}, and this Caliper reads up to {known}; use a newer Caliper")]
    TooNew {
        /// The version of its format.
        found: i32,
        /// The newest version that is known here.
        known: i32,
    },
    /// What is in it cannot be read.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// `SQLite` refuses.
    #[error("SQLite could not work on it")]
    Sqlite(#[source] Box<dyn Error + Send + Sync>),
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Box::new(error))
    }
}

/// Says in `application_id` that a database is a history of Caliper: `CALH`.
const APPLICATION: i32 = i32::from_be_bytes(*b"CALH");

/// The version of the tables, which stands in `user_version`.
///
/// 1: the first.
const VERSION: i32 = 1;

/// A set of results refers to lines, which most sets share: what did not change takes a few bytes.
const TABLES: &str = "
CREATE TABLE studies (
    study INTEGER PRIMARY KEY, dependency TEXT NOT NULL, analysis TEXT NOT NULL, UNIQUE (dependency, analysis));
CREATE TABLE snapshots (
    snapshot INTEGER PRIMARY KEY, study INTEGER NOT NULL REFERENCES studies, finished TEXT NOT NULL, caliper TEXT NOT NULL,
    cells INTEGER NOT NULL, digest TEXT NOT NULL UNIQUE);
CREATE TABLE environments (environment INTEGER PRIMARY KEY, packages TEXT NOT NULL UNIQUE);
CREATE TABLE lines (
    line INTEGER PRIMARY KEY, study INTEGER NOT NULL REFERENCES studies, cell TEXT NOT NULL, test TEXT NOT NULL,
    state TEXT NOT NULL, verdict TEXT NOT NULL, measured TEXT NOT NULL, key TEXT NOT NULL,
    environment INTEGER NOT NULL REFERENCES environments,
    UNIQUE (study, cell, test, measured, state, verdict, key, environment));
CREATE TABLE seen (
    snapshot INTEGER NOT NULL REFERENCES snapshots, line INTEGER NOT NULL REFERENCES lines,
    PRIMARY KEY (snapshot, line)) WITHOUT ROWID;
";

/// Adds results to a history, which is the content of a file; `None` begins one. Returns the new content, and whether the
/// results were not in it before.
///
/// # Errors
///
/// [`DatabaseError`] if `database` is no history, or from a newer Caliper.
pub fn remember(
    database: Option<&[u8]>,
    results: &Results,
) -> Result<(Vec<u8>, bool), DatabaseError> {
    let mut connection = open(database)?;
    let transaction = connection.transaction()?;
    let snapshot = Snapshot::of(results);
    let (dependency, analysis) = (results.dependency.normalized(), &results.analysis);
    transaction.execute(
        "INSERT OR IGNORE INTO studies (dependency, analysis) VALUES (?, ?)",
        [dependency, analysis],
    )?;
    let study: i64 = transaction.query_row(
        "SELECT study FROM studies WHERE dependency = ? AND analysis = ?",
        [dependency, analysis],
        |row| row.get(0),
    )?;
    let digest = digest(study, &snapshot);
    let known: Option<i64> = transaction
        .query_row("SELECT snapshot FROM snapshots WHERE digest = ?", [&digest], |row| row.get(0))
        .optional()?;
    let is_new = known.is_none();
    if is_new {
        let SnapshotInfo { finished, caliper, cells } = &snapshot.info;
        let cells = i64::try_from(*cells).unwrap_or(i64::MAX);
        transaction.execute(
            "INSERT INTO snapshots (study, finished, caliper, cells, digest) VALUES (?, ?, ?, ?, ?)",
            params![study, finished.to_string(), caliper, cells, digest],
        )?;
        add_lines(&transaction, study, transaction.last_insert_rowid(), &snapshot.lines)?;
    }
    transaction.commit()?;
    Ok((bytes(&mut connection)?, is_new))
}

fn add_lines(
    connection: &Connection,
    study: i64,
    snapshot: i64,
    lines: &[SnapshotLine],
) -> Result<(), DatabaseError> {
    let mut environments: BTreeMap<String, i64> = BTreeMap::new();
    let mut insert = connection.prepare(
        "INSERT OR IGNORE INTO lines (study, cell, test, measured, state, verdict, key, environment) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut find = connection.prepare(
        "SELECT line FROM lines WHERE study = ? AND cell = ? AND test = ? AND measured = ? AND state = ? \
         AND verdict = ? AND key = ? AND environment = ?",
    )?;
    let mut see = connection.prepare("INSERT OR IGNORE INTO seen VALUES (?, ?)")?;
    for line in lines {
        let packages = json!(line.packages).to_string();
        let environment = if let Some(known) = environments.get(&packages) {
            *known
        } else {
            let number = environment(connection, &packages)?;
            environments.insert(packages, number);
            number
        };
        let Standing { state, verdict, measured } = line.standing;
        let verdict = verdict.map(|verdict| word(&verdict)).unwrap_or_default();
        let (measured, key) = (measured.to_string(), line.key.to_string());
        let values =
            params![study, line.cell, line.test, measured, word(&state), verdict, key, environment];
        insert.execute(values)?;
        let number: i64 = find.query_row(values, |row| row.get(0))?;
        see.execute([snapshot, number])?;
    }
    Ok(())
}

fn environment(connection: &Connection, packages: &str) -> Result<i64, DatabaseError> {
    connection.execute("INSERT OR IGNORE INTO environments (packages) VALUES (?)", [packages])?;
    let find = "SELECT environment FROM environments WHERE packages = ?";
    Ok(connection.query_row(find, [packages], |row| row.get(0))?)
}

/// What is the same if the same results are gathered again.
fn digest(study: i64, snapshot: &Snapshot) -> String {
    let lines = snapshot.lines.iter().map(|line| {
        let SnapshotLine { cell, test, standing, key, packages } = line;
        json!([cell, test, standing, key, packages])
    });
    let all = json!([study, snapshot.info.finished, lines.collect::<Vec<Value>>()]);
    Sha256::of(all.to_string().as_bytes()).to_string()
}

/// The word that JSON has for a value.
fn word(value: &impl Serialize) -> String {
    json!(value).as_str().unwrap_or_default().to_owned()
}

/// Reads a history: the content of a file that [`remember`] made.
///
/// # Errors
///
/// [`DatabaseError`] if it is no history, from a newer Caliper, or damaged.
pub fn history(database: &[u8]) -> Result<History, DatabaseError> {
    let connection = open(Some(database))?;
    let mut studies = connection
        .prepare("SELECT study, dependency, analysis FROM studies ORDER BY dependency, analysis")?;
    let studies = studies.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut all = Vec::new();
    for study in studies {
        let (study, dependency, analysis): (i64, String, String) = study?;
        let snapshots = snapshots(&connection, study)?;
        all.push(StudyHistory::of(dependency, analysis, snapshots));
    }
    Ok(History { schema: SCHEMA, studies: all })
}

fn snapshots(connection: &Connection, study: i64) -> Result<Vec<Snapshot>, DatabaseError> {
    let mut found: BTreeMap<i64, Snapshot> = BTreeMap::new();
    let mut of_study = connection
        .prepare("SELECT snapshot, finished, caliper, cells FROM snapshots WHERE study = ?")?;
    let mut rows = of_study.query([study])?;
    while let Some(row) = rows.next()? {
        let cells: i64 = row.get(3)?;
        let info = SnapshotInfo {
            finished: typed(&row.get::<_, String>(1)?)?,
            caliper: row.get(2)?,
            cells: usize::try_from(cells).unwrap_or_default(),
        };
        found.insert(row.get(0)?, Snapshot { info, lines: Vec::new() });
    }
    let mut of_study = connection.prepare(
        "SELECT snapshot, cell, test, state, verdict, measured, key, packages \
         FROM seen JOIN lines USING (line) JOIN environments USING (environment) \
         WHERE study = ? ORDER BY snapshot, line",
    )?;
    let mut rows = of_study.query([study])?;
    while let Some(row) = rows.next()? {
        let verdict: String = row.get(4)?;
        let packages: String = row.get(7)?;
        let line = SnapshotLine {
            cell: row.get(1)?,
            test: row.get(2)?,
            standing: Standing {
                state: typed(&row.get::<_, String>(3)?)?,
                verdict: if verdict.is_empty() { None } else { Some(typed(&verdict)?) },
                measured: typed(&row.get::<_, String>(5)?)?,
            },
            key: typed(&row.get::<_, String>(6)?)?,
            packages: serde_json::from_str(&packages)
                .map_err(|error| DatabaseError::Damaged(error.to_string()))?,
        };
        if let Some(snapshot) = found.get_mut(&row.get(0)?) {
            snapshot.lines.push(line);
        }
    }
    Ok(found.into_values().collect())
}

/// A value that JSON has a word for.
fn typed<T: DeserializeOwned>(word: &str) -> Result<T, DatabaseError> {
    serde_json::from_value(Value::from(word))
        .map_err(|error| DatabaseError::Damaged(error.to_string()))
}

/// Opens the content of a file in memory, or begins one.
fn open(database: Option<&[u8]>) -> Result<Connection, DatabaseError> {
    let mut connection = Connection::open_in_memory()?;
    // The file may come from somebody else.
    connection.execute_batch("PRAGMA trusted_schema = OFF")?;
    let Some(database) = database else {
        connection.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; {TABLES}"
        ))?;
        return Ok(connection);
    };
    if !database.starts_with(b"SQLite format 3\0") {
        return Err(DatabaseError::NoHistory);
    }
    connection.deserialize_read_exact("main", database, database.len(), false)?;
    let number = |name: &str| -> Result<i32, DatabaseError> {
        Ok(connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?)
    };
    if number("application_id")? != APPLICATION {
        return Err(DatabaseError::NoHistory);
    }
    match number("user_version")? {
        found if found > VERSION => Err(DatabaseError::TooNew { found, known: VERSION }),
        _ => Ok(connection),
    }
}

/// The content of a file with what is in memory.
pub(super) fn bytes(connection: &mut Connection) -> Result<Vec<u8>, DatabaseError> {
    Ok(connection.serialize("main")?.to_vec())
}

#[cfg(test)]
mod tests;
