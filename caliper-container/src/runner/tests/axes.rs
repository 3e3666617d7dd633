use caliper_core::analysis::Analysis;
use caliper_core::analysis::changes::differences;
use caliper_core::analysis::results::Results;
use caliper_core::analysis::suggest::{Columns, Known, releases};
use caliper_core::names::Timestamp;
use caliper_core::question::axes::{AsOf, Axes, Axis, AxisValue, Grids, LimitChanges, Overlay};
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::Variant;
use caliper_core::question::limits::Limits;
use caliper_core::report::model::GridView;

use super::*;

/// Two releases with dates, seeds and limits.
pub(super) fn plan_with_axes(backend: &FakeBackend) -> Plan {
    let plain = plan(backend, 2, &["t"]);
    let cells = plain.cells.iter().filter(|cell| cell.file().is_some()).cloned();
    let cells = cells.map(|cell| GridCell { id: cell.id, choice: cell.choice }).collect();
    let grid = Grid { index: plain.index.clone(), ..testing::grid(cells) };
    let today = Timestamp::from_unix_seconds(1_700_000_000);
    let seed = |seed: &str| AxisValue {
        label: seed.to_owned(),
        overlay: Overlay {
            env: [("SEED".to_owned(), seed.to_owned())].into(),
            ..Overlay::default()
        },
    };
    let cpus = |cpus: f64| {
        let limits = Limits { cpus: Some(cpus), ..Limits::default() };
        let limits = LimitChanges::of(&limits, ["cpus"]);
        AxisValue { label: cpus.to_string(), overlay: Overlay { limits, ..Overlay::default() } }
    };
    let dates = vec![AxisValue::named("any"), AxisValue::as_of("today", AsOf::Today)];
    let axes = Axes {
        axes: vec![
            Axis::new("as_of", dates),
            Axis::new("seed", vec![seed("0"), seed("1")]),
            Axis::new("cpus", vec![cpus(1.0), cpus(2.0)]),
        ],
        ..Axes::default()
    };
    let dated = [(today, grid.clone())].into();
    let cells = axes.lay_out(&plain.setup, Grids { plain: &grid, dated: &dated }, today);
    Plan { cells, ..plain }
}

#[test]
fn several_axes_go_from_the_plan_to_the_rows() {
    let backend = backend().running(|cell, test| {
        let broken = cell.version.to_string() == "1.1"
            && cell.variant.get("as_of") == Some("today")
            && test == "t";
        let seed = cell.variant.get("seed").unwrap_or_default();
        Ok(if broken { FakeRun::exits(1) } else { FakeRun::passes(seed) })
    });
    let bench = Bench::new(backend);
    let plan = plan_with_axes(&bench.backend);
    assert_eq!(plan.cells.len(), 16);
    let outcome = bench.run(&plan);
    assert_eq!(outcome.measured, 16);
    let records = outcome.records;
    // Seeds and limits share an environment, and each cell has a key of its own.
    let environments: BTreeSet<_> = records.iter().map(|record| record.environment.key).collect();
    assert_eq!(environments.len(), 2 * 2);
    // Each was built once, for the first of its cells.
    let mut builds = bench.backend.builds();
    builds.sort();
    insta::assert_snapshot!(builds.join("\n"), @"
    1.0/3.11[as_of=any,seed=0,cpus=1]
    1.0/3.11[as_of=today,seed=0,cpus=1]
    1.1/3.11[as_of=any,seed=0,cpus=1]
    1.1/3.11[as_of=today,seed=0,cpus=1]
    ");
    assert!(bench.backend.standing().is_empty());
    let built = records.iter().filter_map(|record| record.build.as_ref());
    assert_eq!(built.filter(|build| !build.reused).count(), 4);
    let keys: BTreeSet<_> = records.iter().map(|record| record.key).collect();
    assert_eq!(keys.len(), 16);
    let asked: BTreeSet<_> = records
        .iter()
        .map(|record| {
            let limits = record.tests[0].runs[0].limits.as_ref();
            let cpus = limits.and_then(|limits| limits.asked.cpus);
            (record.variant.get("cpus").map(str::to_owned), cpus.map(|cpus| cpus.to_string()))
        })
        .collect();
    assert!(asked.iter().all(|(label, asked)| label == asked), "{asked:?}");
    assert_eq!(bench.run(&plan).reused, 16);
    let part = plan.part(|cell| cell.variant.get("seed") == Some("1"));
    assert_eq!(bench.run(&part).reused, 8);

    let criteria = caliper_core::question::criteria::Criteria::default();
    let analysis = caliper_core::analysis::Analysis::new(&[], None, &criteria, &|_| None);
    let changed = differences(
        &records
            .iter()
            .filter(|one| one.variant.get("as_of") == Some("any"))
            .cloned()
            .collect::<Vec<_>>(),
        &records
            .iter()
            .filter(|one| one.variant.get("as_of") == Some("today"))
            .cloned()
            .collect::<Vec<_>>(),
        |record| {
            let others = record.variant.iter().filter(|(axis, _)| *axis != "as_of");
            (record.version.clone(), others.collect::<Variant>())
        },
        &analysis,
    );
    let broken = changed.iter().filter(|one| one.first != one.second).count();
    assert_eq!(broken, 4);

    let results = Results::new("demo", plan.dependency.clone(), "fake", records).unwrap();
    let all: Vec<_> = ["1.0", "1.1"].map(|version| version.parse().unwrap()).to_vec();
    let criteria = Criteria::default();
    let analysis = Analysis::new(&[], None, &criteria, &|_| None).along(&all);
    let results = results.read_through(&analysis, &[]);
    // One test in eight variants; only those of today break. Beside a test the import makes no row.
    assert_eq!(results.rows.len(), 8);
    let breaking: Vec<String> = results
        .rows
        .iter()
        .filter(|row| !row.transitions.is_empty())
        .map(|row| format!("{} {}", row.test, row.variant))
        .collect();
    insta::assert_snapshot!(breaking.join("\n"), @"
    t as_of=today,seed=0,cpus=1
    t as_of=today,seed=1,cpus=1
    t as_of=today,seed=0,cpus=2
    t as_of=today,seed=1,cpus=2
    ");
    let columns: Vec<String> =
        GridView::of(&results).columns.iter().map(ToString::to_string).collect();
    assert!(columns.contains(&"3.11 as_of=today,seed=1,cpus=2".to_owned()), "{columns:?}");
    let known = |date: &str| -> Vec<Known> {
        let variant = Variant::from_iter([("as_of", date), ("seed", "0"), ("cpus", "1")]);
        let columns = Columns { variant: Some(&variant), ..Columns::default() };
        releases(&results, &|_| true, columns).into_iter().map(|(_, known)| known).collect()
    };
    assert_eq!(known("any"), [Known::Passed, Known::Passed]);
    assert_eq!(known("today"), [Known::Passed, Known::Failed]);
}
