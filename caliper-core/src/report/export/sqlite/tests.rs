use super::*;
use crate::report::export::tests::hostile;

#[test]
fn a_database_has_what_the_results_have() {
    let results = hostile();
    let database = sqlite(&results).unwrap();
    let mut connection = Connection::open_in_memory().unwrap();
    let length = database.len();
    connection.deserialize_read_exact("main", &*database, length, true).unwrap();
    let count = |table: &str| -> usize {
        let count = format!("SELECT count(*) FROM {table}");
        let count: i64 = connection.query_row(&count, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    };
    assert_eq!(count("runs"), rows(&results).count());
    assert_eq!(count("cells"), results.cells.len() + results.stale.len());
    assert_eq!(count("verdicts"), results.verdicts.iter().count());
    assert_eq!(count("causes"), results.causes.len());
    let transitions: usize = results.rows.iter().map(|row| row.transitions.len()).sum();
    assert_eq!(count("transitions"), transitions);
    assert!(count("cause_cells") > 0 && count("installed") > 0);
    // A seed comes back as it is, or not at all.
    let seeds: Vec<i64> = connection
        .prepare("SELECT DISTINCT seed FROM runs WHERE seed IS NOT NULL")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(seeds, [7]);
    // A text comes back as it is, whatever is in it.
    let analysis: String = connection
        .query_row("SELECT value FROM about WHERE name = 'analysis'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(analysis, results.analysis);
}
