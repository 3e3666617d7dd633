use proptest::prelude::*;

use super::*;
use crate::facts::record::Installed;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, test};

/// A cell with these packages; `demo` itself is installed in each.
fn cell(version: &str, python: &str, packages: &[(&str, &str)], passes: bool) -> Record {
    let mut record = record(version, python);
    record.environment.installed = vec![Installed::new("Demo", version)];
    let all = packages.iter().map(|(name, version)| Installed::new(*name, *version));
    record.environment.installed.extend(all);
    record.with_runs([test("t", if passes { Passed } else { Failed }, "")])
}

fn told(cells: &[Record]) -> String {
    let found = suspects(cells, &"demo".parse().unwrap());
    let lines = found.iter().map(|one| {
        let decide = one.decide.as_ref();
        let decide = decide.map(|two| format!("\n  {} against {}", two.failing, two.passing));
        format!("{}: {one}{}", one.test, decide.unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Releases 1.0 … 1.(n - 1), each with the helpers that `versions` gives it.
fn grid<'a>(
    count: usize,
    cell_of: impl Fn(usize) -> (Vec<(&'a str, String)>, bool),
) -> Vec<Record> {
    let cell_of = |index| {
        let (packages, passes) = cell_of(index);
        let packages: Vec<(&str, &str)> =
            packages.iter().map(|(name, version)| (*name, version.as_str())).collect();
        cell(&format!("1.{index}"), "3.11", &packages, passes)
    };
    (0..count).map(cell_of).collect()
}

#[test]
fn the_package_that_failing_goes_with_is_named() {
    // The helper goes back and forth along the releases, so that neither they nor the clock explain it.
    let cells = grid(24, |index| {
        let bad = index % 3 == 0;
        let helper = if bad { format!("2.{index}") } else { format!("1.{index}") };
        (vec![("Helper", helper), ("other", format!("{}", index % 5)), ("six", "1".into())], !bad)
    });
    insta::assert_snapshot!(told(&cells), @"
    t: failing goes with helper >= 2.0: 8 of 8 cells fail; otherwise 0 of 16
      1.21/3.11 against 1.16/3.11
    ");
}

#[test]
fn what_cannot_be_told_apart_is_named_together() {
    // The releases and two packages turn at the same cell; a third one turns a cell later.
    let cells = grid(24, |index| {
        let turns = |at: usize| if index >= at { "2.0" } else { "1.0" }.to_owned();
        (vec![("b", turns(12)), ("a", turns(12)), ("late", turns(13))], index < 12)
    });
    insta::assert_snapshot!(told(&cells), @"
    t: failing goes with the release demo >= 1.12 or a >= 2.0 or b >= 2.0 (the same cells): 12 of 12 cells fail; otherwise 0 of 12; nearly as well with late >= 2.0
      1.12/3.11 against 1.11/3.11
    ");
    // Without the releases, which alternate, only the packages are left.
    let cells: Vec<Record> = cells
        .into_iter()
        .enumerate()
        .map(|(index, mut cell)| {
            let place = if index < 12 { 2 * index } else { 2 * (index - 12) + 1 };
            cell.version = format!("1.{place}").parse().unwrap();
            cell
        })
        .collect();
    insta::assert_snapshot!(told(&cells), @"
    t: failing goes with a >= 2.0 or b >= 2.0 (the same cells): 12 of 12 cells fail; otherwise 0 of 12; nearly as well with late >= 2.0
      1.1/3.11 against 1.22/3.11
    ");
}

#[test]
fn a_package_is_found_among_the_releases_that_it_breaks() {
    // Old releases fail with the new helper only; new ones never. On 3.12 all old ones fail.
    let cells: Vec<Record> = (0..20)
        .flat_map(|index| ["release", "today"].map(|date| (index, date)))
        .map(|(index, date)| {
            let helper = match date {
                "today" => "3.0.4".to_owned(),
                _ if index < 16 => format!("1.{index}"),
                _ => "2.1.1".to_owned(),
            };
            let fails = index < 14 && date == "today";
            let packages = [("markupsafe", &*helper)];
            let mut cell = cell(&format!("2.{index}"), "3.9", &packages, !fails);
            cell.variant.insert("as_of", date);
            cell
        })
        .collect();
    insta::assert_snapshot!(told(&cells), @"
    t: in cells with the release demo < 2.14, failing goes with markupsafe >= 3.0.4: 14 of 14 cells fail; otherwise 0 of 14; in all other cells 0 of 12
      2.13/3.9[as_of=today] against 2.13/3.9[as_of=release]
    ");
}

#[test]
fn what_is_there_or_not_can_be_it() {
    let cells = grid(24, |index| {
        let has_it = index % 4 == 1;
        let odd = ("odd", if index % 2 == 0 { "not a version" } else { "1.0" }.to_owned());
        (if has_it { vec![("extra", "1.0".to_owned()), odd] } else { vec![odd] }, !has_it)
    });
    insta::assert_snapshot!(told(&cells), @"
    t: failing goes with extra installed: 6 of 6 cells fail; otherwise 0 of 18
      1.21/3.11 against 1.23/3.11
    ");
}

#[test]
fn little_evidence_says_nothing() {
    let few = grid(8, |index| (vec![("helper", format!("{}", index % 2))], index % 2 == 0));
    assert_eq!(told(&few), "");
    // Many cells of two environments are two observations.
    let cells: Vec<Record> = (0..50)
        .map(|seed| {
            let helper = if seed % 2 == 0 { "1" } else { "2" };
            let mut cell = cell("1.0", "3.11", &[("helper", helper)], seed % 2 == 0);
            cell.variant.insert("seed", seed.to_string());
            cell
        })
        .collect();
    assert_eq!(told(&cells), "");
    // All fail, or what is installed is not known.
    assert_eq!(told(&grid(24, |index| (vec![("helper", index.to_string())], false))), "");
    let mut unknown =
        grid(24, |index| (vec![("helper", format!("{}", index % 2))], index % 2 == 0));
    for cell in &mut unknown {
        cell.environment.installed.clear();
    }
    assert_eq!(told(&unknown), "");
}

/// Cells with five packages in three versions, of which the last is the same in all.
fn any_cells() -> impl Strategy<Value = Vec<Record>> {
    let one = (0..12_u8, 0..2_u8, proptest::collection::vec(0..3_u8, 4), any::<bool>());
    proptest::collection::vec(one, 0..60).prop_map(|cells| {
        let cells = cells.into_iter().enumerate();
        cells
            .map(|(index, (version, python, helpers, noise))| {
                let names = ["a", "b", "c", "d"];
                let versions: Vec<String> = helpers.iter().map(|one| format!("1.{one}")).collect();
                let packages = names.iter().zip(&versions).map(|(name, one)| (*name, one.as_str()));
                let packages: Vec<_> = packages.chain([("constant", "1.0")]).collect();
                let passes = if index % 8 == 0 { noise } else { helpers[1] < 2 };
                let python = ["3.9", "3.11"][usize::from(python)];
                let mut cell = cell(&format!("1.{version}"), python, &packages, passes);
                cell.variant.insert("seed", index.to_string());
                cell
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_the_cells_does_not_matter(
        cells in any_cells(),
        order in proptest::collection::vec(any::<u32>(), 60),
    ) {
        let dependency = "demo".parse().unwrap();
        let mut mixed: Vec<(u32, Record)> = order.into_iter().zip(cells.clone()).collect();
        mixed.sort_by_key(|(place, _)| *place);
        let mixed: Vec<Record> = mixed.into_iter().map(|(_, cell)| cell).collect();
        prop_assert_eq!(suspects(&cells, &dependency), suspects(&mixed, &dependency));
    }

    #[test]
    fn what_never_varies_is_never_named_and_the_counts_are_those_of_the_cells(cells in any_cells()) {
        for found in suspects(&cells, &"demo".parse().unwrap()) {
            let named = found.splits.iter().chain(found.close.iter().map(|one| &one.split));
            for split in named.chain(&found.among) {
                prop_assert!(split.name != "constant", "{found}");
            }
            let shares = [Some(found.with), Some(found.without), found.elsewhere];
            let sum = |of: fn(Share) -> usize| shares.iter().flatten().map(|one| of(*one)).sum::<usize>();
            prop_assert_eq!(sum(|share| share.cells), cells.len());
            let failing = cells.iter().filter(|cell| !cell.passed()).count();
            prop_assert_eq!(sum(|share| share.failing), failing);
            prop_assert!(found.p <= RATE);
        }
    }
}
