use super::*;
use crate::names::PythonVersion;
use crate::question::config::Config;
use crate::question::testing;

fn config(axes: &str) -> Config {
    let text = format!(
        "analysis:\n  dependency: demo\n  limits: {{timeout: 1m}}\n  tests: [{{run: python t.py, name: t, env: {{SEED: old, KEEP: x}}}}]\n{axes}"
    );
    Config::from_yaml("caliper.yaml", &text, &|_| Ok(Vec::new())).unwrap()
}

fn grid(releases: &[(&str, Option<&str>)]) -> Grid {
    let python = PythonVersion::new(3, 11);
    let cells = releases.iter().map(|(version, uploaded)| {
        let mut cell = testing::cell(version, python);
        if let Choice::File { file, .. } = &mut cell.choice {
            file.upload_time = uploaded.map(|time| time.parse().unwrap());
        }
        cell
    });
    testing::grid(cells.collect())
}

const TODAY: &str = "2024-01-02T00:00:00Z";

fn cells(axes: &str) -> Vec<PlannedCell> {
    let config = config(axes);
    let today: Timestamp = TODAY.parse().unwrap();
    let releases = |_: &PackageName, _: &Versions| -> Result<_, std::convert::Infallible> {
        Ok(["1.9", "1.10", "2.0"].map(|version| version.parse().unwrap()).to_vec())
    };
    let Ok(axes) = config.axes.clone().with_releases(releases);
    let plain = grid(&[("1.0", Some("2020-01-01")), ("2.0", None)]);
    // What a real index would answer is decided elsewhere; here only 1.0 existed at any date.
    let dated = axes.dates(today).into_iter();
    let dated = dated.map(|date| (date, grid(&[("1.0", Some("2020-01-01"))]))).collect();
    axes.lay_out(&config.setup(), Grids { plain: &plain, dated: &dated }, today)
}

fn names(cells: &[PlannedCell]) -> String {
    let names: Vec<String> = cells.iter().map(|cell| cell.id.to_string()).collect();
    names.join("\n")
}

#[test]
fn cells_are_the_product_of_the_axes() {
    let cells = cells("  axes:\n    seed: {env: SEED, values: [0, 1]}\n    cpus: [1, 0.5]\n");
    insta::assert_snapshot!(names(&cells), @"
    1.0/3.11[seed=0,cpus=1]
    1.0/3.11[seed=0,cpus=0.5]
    1.0/3.11[seed=1,cpus=1]
    1.0/3.11[seed=1,cpus=0.5]
    2.0/3.11[seed=0,cpus=1]
    2.0/3.11[seed=0,cpus=0.5]
    2.0/3.11[seed=1,cpus=1]
    2.0/3.11[seed=1,cpus=0.5]
    ");
    let setup = cells[1].setup.as_deref().unwrap();
    assert_eq!(setup.limits.cpus, Some(0.5));
    assert_eq!(setup.limits.timeout.as_secs(), 60);
    let variables = &setup.tests[0].environment;
    assert_eq!((&*variables["SEED"], &*variables["KEEP"]), ("0", "x"));
    // The import gets what an axis says, and nothing of the tests' own.
    let import = setup.all_tests().next().unwrap();
    assert_eq!(import.environment, [("SEED".to_owned(), "0".to_owned())].into());
}

#[test]
fn combinations_are_excluded_and_included() {
    let axes = "  axes:\n    numpy: {releases: '>=1.9'}\n    seed: {env: SEED, values: [0, 1]}\n";
    let text = names(&cells(&format!(
        "{axes}  exclude: [{{numpy: '>=1.10', version: '<2'}}, {{seed: 1}}]\n  include: [{{seed: '1', numpy: ['1.9', 2.0.0], version: 2}}]\n"
    )));
    insta::assert_snapshot!(text, @"
    1.0/3.11[numpy=1.9,seed=0]
    2.0/3.11[numpy=1.9,seed=0]
    2.0/3.11[numpy=1.9,seed=1]
    2.0/3.11[numpy=1.10,seed=0]
    2.0/3.11[numpy=2.0,seed=0]
    2.0/3.11[numpy=2.0,seed=1]
    ");
}

#[test]
fn each_date_has_its_own_files() {
    let cells = cells("  axes: {as_of: [release, today, 2021-03-01]}\n");
    let told: Vec<String> = cells
        .iter()
        .map(|cell| {
            let date = cell.setup.as_ref().and_then(|setup| setup.as_of);
            let date = date.map(|date| date.to_string()).unwrap_or_default();
            match &cell.choice {
                Choice::File { .. } => format!("{}: {date}", cell.id),
                Choice::Missing(missing) => format!("{}: {}", cell.id, missing.reason),
            }
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    1.0/3.11[as_of=release]: 2020-01-01T00:00:00Z
    1.0/3.11[as_of=today]: 2024-01-02T00:00:00Z
    1.0/3.11[as_of=2021-03-01]: 2021-03-01T00:00:00Z
    2.0/3.11[as_of=release]: no upload time
    2.0/3.11[as_of=today]: no files
    2.0/3.11[as_of=2021-03-01]: no files
    ");
}

#[test]
fn a_bundle_changes_several_things() {
    let cells = cells(
        "  args: {blas: none}\n  requirements: [six]\n  axes:\n    flavour:\n      plain: {}\n      mkl: {requirements: [mkl], constraints: ['mkl<2024'], env: {MKL: '1'}, \
         limits: {memory: 1GiB}, base: 'mine:{{ python }}', args: {blas: mkl}, as_of: 2022-01-01}\n",
    );
    let plain = cells[0].setup.as_deref().unwrap();
    assert_eq!(*plain, config("  args: {blas: none}\n  requirements: [six]\n").setup());
    let mkl = cells[1].setup.as_deref().unwrap();
    assert_eq!(cells[1].id.to_string(), "1.0/3.11[flavour=mkl]");
    assert_eq!(mkl.requirements, ["six", "mkl"]);
    assert_eq!(mkl.constraints, ["mkl<2024"]);
    assert_eq!(mkl.limits.memory, Some(1 << 30));
    assert_eq!(mkl.base.source, "mine:{{ python }}");
    assert_eq!(serde_json::to_string(&mkl.args).unwrap(), r#"{"blas":"mkl"}"#);
    assert_eq!(mkl.as_of, Some("2022-01-01".parse().unwrap()));
}

#[test]
fn without_axes_the_grid_stays() {
    assert_eq!(names(&cells("")), "1.0/3.11\n2.0/3.11");
}
