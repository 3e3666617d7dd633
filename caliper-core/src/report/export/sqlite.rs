use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params, params_from_iter};
use serde_json::json;

use super::columns::{Column, ColumnKind, Value, object, rows, seconds_number};
use super::database::{DatabaseError, bytes};
use crate::analysis::results::Results;
use crate::facts::record::Record;

/// The version of the tables, which stands in `user_version`.
///
/// 1: the first.
const VERSION: i32 = 1;

/// The tables beside `runs`, which has the columns [`Column::ALL`].
const TABLES: &str = "
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE cells (
    cell TEXT NOT NULL, release TEXT NOT NULL, python TEXT NOT NULL, variant TEXT NOT NULL, outcome TEXT NOT NULL,
    reason TEXT, stale INTEGER NOT NULL, backend TEXT NOT NULL, as_of TEXT, index_url TEXT, base TEXT, base_digest TEXT,
    python_release TEXT, file TEXT, file_sha256 TEXT, build_reason TEXT, build_seconds REAL, build_reused INTEGER,
    processor TEXT, started TEXT NOT NULL, finished TEXT NOT NULL, key TEXT NOT NULL);
CREATE TABLE installed (cell TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, file TEXT, sha256 TEXT);
CREATE TABLE verdicts (cell TEXT NOT NULL, test TEXT NOT NULL, state TEXT NOT NULL, verdict TEXT, evidence TEXT);
CREATE TABLE transitions (
    test TEXT NOT NULL, python TEXT NOT NULL, variant TEXT NOT NULL, kind TEXT NOT NULL, from_release TEXT NOT NULL,
    to_release TEXT NOT NULL, adjacent INTEGER NOT NULL, sure TEXT NOT NULL, unmeasured TEXT NOT NULL,
    also_differs TEXT NOT NULL);
CREATE TABLE causes (
    cause INTEGER PRIMARY KEY, signature TEXT NOT NULL, cells INTEGER NOT NULL, first_release TEXT NOT NULL,
    places TEXT NOT NULL);
CREATE TABLE cause_cells (cause INTEGER NOT NULL REFERENCES causes, cell TEXT NOT NULL);
CREATE INDEX cells_by_cell ON cells (cell);
CREATE INDEX runs_by_cell ON runs (cell, test);
CREATE INDEX installed_by_cell ON installed (cell);
CREATE INDEX verdicts_by_cell ON verdicts (cell, test);
";

/// Results as an SQLite database: a row of `runs` for each run of each test, with the columns [`Column::ALL`], and the tables
/// `cells`, `installed`, `verdicts`, `transitions`, `causes`, `cause_cells` and `about`. Lists and objects are JSON.
///
/// # Errors
///
/// [`DatabaseError`] if it does not fit into memory.
pub fn sqlite(results: &Results) -> Result<Vec<u8>, DatabaseError> {
    let mut connection = Connection::open_in_memory()?;
    let columns = Column::ALL.map(|column| format!("{} {}", column.name, kind(column.kind)));
    connection.execute_batch(&format!(
        "PRAGMA user_version = {VERSION}; CREATE TABLE runs ({}); {TABLES}",
        columns.join(", ")
    ))?;
    let transaction = connection.transaction()?;
    about(&transaction, results)?;
    let places = vec!["?"; Column::ALL.len()].join(", ");
    let mut insert = transaction.prepare(&format!("INSERT INTO runs VALUES ({places})"))?;
    for row in rows(results) {
        insert.execute(params_from_iter(row.into_iter().map(cell)))?;
    }
    drop(insert);
    cells(&transaction, results)?;
    conclusions(&transaction, results)?;
    transaction.commit()?;
    bytes(&mut connection)
}

fn kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text | ColumnKind::Object => "TEXT",
        ColumnKind::Integer | ColumnKind::Boolean => "INTEGER",
        ColumnKind::Number => "REAL",
    }
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Nothing => Cell::Null,
        Value::Text(text) => Cell::Text(text),
        Value::Integer(number) => Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX)),
        // A seed that is another one would be worse than none.
        Value::Seed(seed) => i64::try_from(seed).map_or(Cell::Null, Cell::Integer),
        Value::Status(number) => Cell::Integer(number.into()),
        Value::Nanoseconds(time) => Cell::Real(seconds_number(time)),
        Value::Boolean(is_so) => Cell::Integer(is_so.into()),
        Value::Numbers(numbers) => Cell::Text(object(&numbers)),
    }
}

fn about(connection: &Connection, results: &Results) -> Result<(), DatabaseError> {
    for (name, value) in [
        ("analysis", results.analysis.clone()),
        ("dependency", results.dependency.to_string()),
        ("backend", results.backend.clone()),
        ("caliper", results.caliper.clone()),
        ("started", results.started.to_string()),
        ("finished", results.finished.to_string()),
    ] {
        connection.execute("INSERT INTO about VALUES (?, ?)", [name, &value])?;
    }
    Ok(())
}

fn cells(connection: &Connection, results: &Results) -> Result<(), DatabaseError> {
    let places = ["?"; 22].join(", ");
    let mut insert = connection.prepare(&format!("INSERT INTO cells VALUES ({places})"))?;
    let mut install = connection.prepare("INSERT INTO installed VALUES (?, ?, ?, ?, ?)")?;
    let current = results.cells.iter().map(|record| (record, false));
    for (record, is_stale) in current.chain(results.stale.iter().map(|record| (record, true))) {
        insert.execute(params_from_iter(cell_of(record, is_stale)))?;
        let id = record.id().to_string();
        for one in &record.environment.installed {
            let file = one.file.as_ref();
            let sha256 = file.and_then(|file| Some(file.sha256?.to_string()));
            let filename = file.map(|file| &file.filename);
            install.execute(params![id, one.name, one.version, filename, sha256])?;
        }
    }
    Ok(())
}

/// A row of `cells`.
fn cell_of(record: &Record, is_stale: bool) -> [Cell; 22] {
    let variant: serde_json::Map<String, serde_json::Value> =
        record.variant.iter().map(|(axis, label)| (axis.to_owned(), json!(label))).collect();
    let environment = &record.environment;
    let (file, base, build) = (&environment.file, &environment.base, &record.build);
    let text = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
    [
        Cell::Text(record.id().to_string()),
        Cell::Text(record.version.to_string()),
        Cell::Text(record.python.to_string()),
        Cell::Text(serde_json::Value::from(variant).to_string()),
        Cell::Text(record.outcome.to_string()),
        text(record.reason.clone()),
        Cell::Integer(is_stale.into()),
        Cell::Text(environment.backend.clone()),
        text(environment.as_of.map(|moment| moment.to_string())),
        text(environment.index.clone()),
        text(base.as_ref().map(|base| base.name.clone())),
        text(base.as_ref().map(|base| base.digest.clone())),
        text(environment.interpreter.as_ref().map(|python| python.version.to_string())),
        text(file.as_ref().map(|file| file.filename.clone())),
        text(file.as_ref().and_then(|file| Some(file.sha256?.to_string()))),
        text(build.as_ref().and_then(|build| Some(build.reason?.to_string()))),
        build.as_ref().map_or(Cell::Null, |build| Cell::Real(seconds_number(build.nanoseconds))),
        build.as_ref().map_or(Cell::Null, |build| Cell::Integer(build.reused.into())),
        text(record.machine.as_ref().and_then(|machine| machine.cpu.clone())),
        Cell::Text(record.started.to_string()),
        Cell::Text(record.finished.to_string()),
        Cell::Text(record.key.to_string()),
    ]
}

fn conclusions(connection: &Connection, results: &Results) -> Result<(), DatabaseError> {
    let mut insert = connection.prepare("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?)")?;
    for one in &results.verdicts {
        let verdict = one.verdict.map(|verdict| verdict.to_string());
        let evidence = one.evidence.as_ref().map(|evidence| json!(evidence).to_string());
        insert.execute(params![one.cell, one.test, one.state.to_string(), verdict, evidence])?;
    }
    let mut insert =
        connection.prepare("INSERT INTO transitions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    for row in &results.rows {
        for one in &row.transitions {
            insert.execute(params![
                row.test,
                row.python.to_string(),
                json!(row.variant).to_string(),
                json!(one.kind).as_str(),
                one.from,
                one.to,
                one.is_adjacent(),
                json!(one.sure).to_string(),
                json!(one.unmeasured).to_string(),
                json!(one.also_differs).to_string(),
            ])?;
        }
    }
    let mut insert = connection.prepare("INSERT INTO causes VALUES (?, ?, ?, ?, ?)")?;
    let mut of_cell = connection.prepare("INSERT INTO cause_cells VALUES (?, ?)")?;
    for (number, cause) in (1_i64..).zip(&results.causes) {
        let places = json!(cause.places).to_string();
        let first = cause.first.to_string();
        let count = i64::try_from(cause.count).unwrap_or(i64::MAX);
        insert.execute(params![number, cause.signature, count, first, places])?;
        for cell in &cause.cells {
            of_cell.execute(params![number, cell])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
