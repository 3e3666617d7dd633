//! One table for each rule, and properties over random projects.

mod properties;

use caliper_core::question::grid::DistFile;
use caliper_core::question::selection::{SdistPolicy, UnknownUploadTime, Versions};
use caliper_core::question::testing::interpreter;

use super::*;
use crate::index::IndexInMemory;

/// A file of which only the name is known, changed by `change`.
pub(super) fn file(filename: &str, change: impl FnOnce(&mut DistFile)) -> DistFile {
    let project = Project::from_filenames("demo".parse().unwrap(), [filename]);
    let mut file = project.releases()[0].files()[0].file.clone();
    change(&mut file);
    file
}

/// A file in one line: its name, and behind it `yanked`, `python=…` or `time=…`.
fn described(line: &str) -> DistFile {
    let mut words = line.split_whitespace();
    file(words.next().unwrap(), |file| {
        for word in words {
            match word.split_once('=') {
                None if word == "yanked" => file.yanked = true,
                Some(("python", text)) => file.requires_python = Some(text.to_owned()),
                Some(("time", text)) => file.upload_time = Some(text.parse().unwrap()),
                _ => panic!("{word}"),
            }
        }
    })
}

fn project(lines: &[&str]) -> Project {
    Project::from_files("demo".parse().unwrap(), lines.iter().map(|line| described(line)))
}

fn try_resolve(
    lines: &[&str],
    selection: &Selection,
    pythons: &[&str],
) -> Result<Grid, ResolveError> {
    let index = IndexInMemory::default().with(project(lines));
    let pythons: Vec<_> = pythons.iter().map(|python| interpreter(python)).collect();
    resolve(&"demo".parse().unwrap(), selection, &pythons, &index)
}

/// The grid in lines: the cell, and its file or reason.
fn show(lines: &[&str], selection: &Selection, pythons: &[&str]) -> String {
    use caliper_core::question::grid::Choice;
    let grid = match try_resolve(lines, selection, pythons) {
        Ok(grid) => grid,
        Err(error) => return format!("error: {error}"),
    };
    let lines = grid.cells.iter().map(|cell| match &cell.choice {
        Choice::File { file, abi } => format!("{} {} for {abi}", cell.id, file.filename),
        Choice::Missing(missing) => format!(
            "{} - {}{}{}",
            cell.id,
            missing.reason,
            missing.nearest.as_ref().map(|name| format!(", nearest {name}")).unwrap_or_default(),
            missing.mismatch.map(|part| format!(" ({part:?})")).unwrap_or_default(),
        ),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn versions(text: &str) -> Selection {
    Selection { versions: text.parse().unwrap(), ..Selection::default() }
}

#[test]
fn the_best_tag_is_taken_then_the_highest_build() {
    insta::assert_snapshot!(show(&[
        "demo-1-py3-none-any.whl",
        "demo-1-cp37-abi3-manylinux2014_x86_64.whl",
        "demo-1-cp311-cp311-manylinux1_x86_64.whl",
        "demo-1-cp311-cp311-manylinux_2_28_x86_64.whl", // nearer to the machine's glibc
        "demo-1.tar.gz",
        "demo-2-1-py3-none-any.whl",
        "demo-2-10-py3-none-any.whl",
        "demo-2-py3-none-any.whl",
        "demo-3.tar.gz",
        "demo-3.zip",
    ], &Selection::default(), &["3.11", "3.12", "3.13t", "2.7"]), @"
    1/2.7 demo-1.tar.gz for cp27mu
    1/3.11 demo-1-cp311-cp311-manylinux_2_28_x86_64.whl for cp311
    1/3.12 demo-1-cp37-abi3-manylinux2014_x86_64.whl for cp312
    1/3.13t demo-1-py3-none-any.whl for cp313t
    2/2.7 - no compatible wheel, nearest demo-2-1-py3-none-any.whl (Python)
    2/3.11 demo-2-10-py3-none-any.whl for cp311
    2/3.12 demo-2-10-py3-none-any.whl for cp312
    2/3.13t demo-2-10-py3-none-any.whl for cp313t
    3/2.7 demo-3.tar.gz for cp27mu
    3/3.11 demo-3.tar.gz for cp311
    3/3.12 demo-3.tar.gz for cp312
    3/3.13t demo-3.tar.gz for cp313t
    ");
}

#[test]
fn yanked_files_need_a_pin() {
    let lines = [
        "demo-1-py3-none-any.whl yanked",
        "demo-2-py3-none-any.whl yanked",
        "demo-2.tar.gz",
        "demo-3-py3-none-any.whl",
    ];
    insta::assert_snapshot!(show(&lines, &Selection::default(), &["3.11"]), @"
    1/3.11 - yanked, nearest demo-1-py3-none-any.whl
    2/3.11 demo-2.tar.gz for cp311
    3/3.11 demo-3-py3-none-any.whl for cp311
    ");
    insta::assert_snapshot!(show(&lines, &versions("==1"), &["3.11"]), @"1/3.11 demo-1-py3-none-any.whl for cp311");
    insta::assert_snapshot!(show(&lines, &versions("==1.*"), &["3.11"]), @"1/3.11 - yanked, nearest demo-1-py3-none-any.whl");
    // What was not withdrawn comes first, were it a source distribution.
    insta::assert_snapshot!(show(&lines, &versions("1, 2"), &["3.11"]), @"
    1/3.11 demo-1-py3-none-any.whl for cp311
    2/3.11 demo-2.tar.gz for cp311
    ");
    let yanked = Selection { yanked: true, ..Selection::default() };
    insta::assert_snapshot!(show(&lines, &yanked, &["3.11"]), @"
    1/3.11 demo-1-py3-none-any.whl for cp311
    2/3.11 demo-2.tar.gz for cp311
    3/3.11 demo-3-py3-none-any.whl for cp311
    ");
}

#[test]
fn pre_releases_are_taken_when_asked_for_or_alone() {
    let lines = ["demo-1.tar.gz", "demo-2.0b1.tar.gz", "demo-3.dev1.tar.gz"];
    insta::assert_snapshot!(show(&lines, &Selection::default(), &["3.11"]), @"1/3.11 demo-1.tar.gz for cp311");
    insta::assert_snapshot!(show(&lines, &versions(">=2.0a1"), &["3.11"]), @"
    2.0b1/3.11 demo-2.0b1.tar.gz for cp311
    3.dev1/3.11 demo-3.dev1.tar.gz for cp311
    ");
    insta::assert_snapshot!(show(&lines, &versions(">1"), &["3.11"]), @"
    2.0b1/3.11 demo-2.0b1.tar.gz for cp311
    3.dev1/3.11 demo-3.dev1.tar.gz for cp311
    ");
    insta::assert_snapshot!(show(&lines, &versions(">=0,!=2.0b1"), &["3.11"]), @"1/3.11 demo-1.tar.gz for cp311");
    let pre = Selection { pre: true, ..Selection::default() };
    insta::assert_snapshot!(show(&lines, &pre, &["3.11"]), @"
    1/3.11 demo-1.tar.gz for cp311
    2.0b1/3.11 demo-2.0b1.tar.gz for cp311
    3.dev1/3.11 demo-3.dev1.tar.gz for cp311
    ");
    insta::assert_snapshot!(show(&lines[1..], &Selection::default(), &["3.11"]), @"
    2.0b1/3.11 demo-2.0b1.tar.gz for cp311
    3.dev1/3.11 demo-3.dev1.tar.gz for cp311
    ");
}

#[test]
fn the_python_is_held_against_requires_python() {
    let lines = [
        "demo-1-py3-none-any.whl python=>=3.12",
        "demo-1.tar.gz",
        "demo-2-py3-none-any.whl python=>=3.12",
        "demo-3-cp313-cp313-manylinux1_x86_64.whl python=>=3.13",
        "demo-4-py3-none-any.whl python=what",
    ];
    insta::assert_snapshot!(show(&lines, &Selection::default(), &["3.11", "3.12"]), @"
    1/3.11 demo-1.tar.gz for cp311
    1/3.12 demo-1-py3-none-any.whl for cp312
    2/3.11 - requires another Python, nearest demo-2-py3-none-any.whl
    2/3.12 demo-2-py3-none-any.whl for cp312
    3/3.11 - requires another Python, nearest demo-3-cp313-cp313-manylinux1_x86_64.whl (Python)
    3/3.12 - requires another Python, nearest demo-3-cp313-cp313-manylinux1_x86_64.whl (Python)
    4/3.11 demo-4-py3-none-any.whl for cp311
    4/3.12 demo-4-py3-none-any.whl for cp312
    ");
}

#[test]
fn every_empty_cell_says_why() {
    let lines = [
        "demo-1.tar.gz",
        "demo-2-cp310-cp310-manylinux1_x86_64.whl",
        "demo-2-cp39-cp39-manylinux1_x86_64.whl",
        "demo-2-cp310-cp310-win_amd64.whl",
        "demo-3-cp311-cp311-win_amd64.whl",
        "demo-3-cp311-cp311-macosx_11_0_arm64.whl",
        "demo-4-cp312-cp312-manylinux1_x86_64.whl",
        "demo-4-pp39-pypy39_pp73-manylinux1_x86_64.whl",
        "demo-5-cp311-cp311-manylinux_2_39_x86_64.whl",
        "demo-5-cp310-cp310-manylinux_2_17_x86_64.whl",
        "demo-6-py2.7.tar.gz",
    ];
    let never = Selection { sdist: SdistPolicy::Never, ..Selection::default() };
    insta::assert_snapshot!(show(&lines, &never, &["3.11"]), @"
    1/3.11 - only a source distribution
    2/3.11 - no compatible wheel, nearest demo-2-cp310-cp310-manylinux1_x86_64.whl (Abi)
    3/3.11 - no compatible wheel, nearest demo-3-cp311-cp311-macosx_11_0_arm64.whl (Platform)
    4/3.11 - no compatible wheel, nearest demo-4-cp312-cp312-manylinux1_x86_64.whl (Python)
    5/3.11 - no compatible wheel, nearest demo-5-cp311-cp311-manylinux_2_39_x86_64.whl (Platform)
    6/3.11 - only a source distribution
    ");
    let only = Selection { sdist: SdistPolicy::Only, ..Selection::default() };
    insta::assert_snapshot!(show(&lines, &only, &["3.11"]), @"
    1/3.11 demo-1.tar.gz for cp311
    2/3.11 - no files
    3/3.11 - no files
    4/3.11 - no files
    5/3.11 - no files
    6/3.11 - no compatible wheel
    ");
}

#[test]
fn a_date_limit_hides_what_came_later_and_reports_what_has_no_date() {
    let lines = [
        "demo-1-py3-none-any.whl time=2020-01-01",
        "demo-1-cp311-cp311-manylinux1_x86_64.whl time=2022-01-01", // a wheel added later
        "demo-2-py3-none-any.whl",
        "demo-3-py3-none-any.whl time=2022-01-01",
    ];
    let as_of = |date: &str, text: &str| {
        let versions = text.parse().unwrap();
        Selection { as_of: Some(date.parse().unwrap()), versions, ..Selection::default() }
    };
    insta::assert_snapshot!(show(&lines, &as_of("2021-01-01", ">0"), &["3.11"]), @"
    1/3.11 demo-1-py3-none-any.whl for cp311
    2/3.11 - no upload time, nearest demo-2-py3-none-any.whl
    ");
    insta::assert_snapshot!(show(&lines, &as_of("2022-01-01", ">0"), &["3.11"]), @"
    1/3.11 demo-1-cp311-cp311-manylinux1_x86_64.whl for cp311
    2/3.11 - no upload time, nearest demo-2-py3-none-any.whl
    3/3.11 demo-3-py3-none-any.whl for cp311
    ");
    insta::assert_snapshot!(show(&lines, &as_of("2021-01-01", "3"), &["3.11"]), @"error: `demo` has no release 3 that was uploaded by 2021-01-01T00:00:00Z: the nearest is 2");
    insta::assert_snapshot!(show(&lines[3..], &as_of("2021-01-01", ">0"), &["3.11"]), @"error: `demo` has no releases that were uploaded by 2021-01-01T00:00:00Z: choose a later date");
    // An index that tells no date at all.
    let lines = ["demo-1-py3-none-any.whl", "demo-2-py3-none-any.whl"];
    insta::assert_snapshot!(show(&lines, &as_of("2021-01-01", ">0"), &["3.11"]), @"error: the index does not say when any file of `demo` was uploaded, so it cannot be looked at as of 2021-01-01T00:00:00Z: leave the date out, or use an index that says");
    let included =
        Selection { unknown_upload_time: UnknownUploadTime::Include, ..as_of("2021-01-01", ">0") };
    insta::assert_snapshot!(show(&lines, &included, &["3.11"]), @"
    1/3.11 demo-1-py3-none-any.whl for cp311
    2/3.11 demo-2-py3-none-any.whl for cp311
    ");
}

#[test]
fn people_choose_by_date_by_number_and_by_minor_release() {
    let lines = [
        "demo-1.0-py3-none-any.whl time=2020-01-01",
        "demo-1.0.1-py3-none-any.whl time=2020-06-01",
        "demo-1.1-py3-none-any.whl time=2020-03-01",
        "demo-1.1.9-py3-none-any.whl time=2021-01-01 yanked",
        "demo-1.10.2-py3-none-any.whl time=2021-02-01",
        "demo-1.10.10-py3-none-any.whl time=2021-03-01",
        "demo-2-py3-none-any.whl time=2022-01-01",
        "demo-2.0.1rc1-py3-none-any.whl time=2022-02-01",
        "demo-1!0.1-py3-none-any.whl time=2019-01-01",
    ];
    let of = |lines: &[&str], text: &str| {
        let selection = versions(text);
        match try_resolve(lines, &selection, &["3.11"]) {
            Ok(grid) => {
                let rows = grid.cells.iter().map(|cell| cell.id.version.to_string());
                rows.collect::<Vec<_>>().join(" ")
            }
            Err(error) => format!("error: {error}"),
        }
    };
    let chosen = |text| of(&lines, text);
    assert_eq!(chosen("latest-patch"), "1.0.1 1.1 1.10.10 2 1!0.1");
    assert_eq!(chosen("latest: 2"), "2 1!0.1");
    assert_eq!(chosen("latest: 100, <1.5"), "1.0 1.0.1 1.1");
    assert_eq!(chosen("latest: 1, >=1.1, <1.2"), "1.1", "1.1.9 was withdrawn");
    assert_eq!(chosen("since: 2020-06-01, <2"), "1.0.1 1.1.9 1.10.2 1.10.10");
    assert_eq!(chosen("since: 2020-03-01, latest-patch, latest: 2"), "1.10.10 2");
    assert_eq!(chosen(">=2rc1, latest-patch, <3"), "2.0.1rc1");
    insta::assert_snapshot!(chosen("since: 2030-01-01"), @"error: `since: 2030-01-01T00:00:00Z` selects none of the 9 releases of `demo` (1.0 to 1!0.1)");
    insta::assert_snapshot!(of(&["demo-1.0-py3-none-any.whl"], "since: 2020-01-01"), @"error: the index does not say when `demo` 1.0 was uploaded, so `since` cannot choose: leave it out, or use an index that does");
    let mut limited = versions("latest: 1, <2");
    limited.as_of = Some("2021-02-15".parse().unwrap());
    assert_eq!(
        show(&lines, &limited, &["3.11"]),
        "1.10.2/3.11 demo-1.10.2-py3-none-any.whl for cp311"
    );
}

#[test]
fn a_selection_that_selects_nothing_says_what_there_is() {
    let lines = ["demo-1.9.tar.gz", "demo-1.10.tar.gz", "demo-2.0.tar.gz"];
    insta::assert_snapshot!(show(&lines, &versions(">=3"), &["3.11"]), @"error: `>=3` selects none of the 3 releases of `demo` (1.9 to 2.0)");
    insta::assert_snapshot!(show(&lines, &versions("1.1"), &["3.11"]), @"error: `demo` has no release 1.1: the nearest is 1.9");
    insta::assert_snapshot!(show(&lines, &versions("1.11"), &["3.11"]), @"error: `demo` has no release 1.11: the nearest are 1.10 and 2.0");
    let demo = "demo".parse().unwrap();
    let nothing = Project::from_filenames("demo".parse().unwrap(), ["demo-1.exe"]);
    let nothing = resolve_project(&nothing, &demo, &Selection::default(), &[]);
    insta::assert_snapshot!(nothing.unwrap_err(), @"`demo` has no releases on this index");
    let missing =
        resolve(&"absent".parse().unwrap(), &Selection::default(), &[], &IndexInMemory::default());
    let missing = missing.unwrap_err();
    insta::assert_snapshot!(missing, @"could not learn which releases `absent` has");
    insta::assert_snapshot!(std::error::Error::source(&missing).unwrap(), @"the index at memory has no project `absent`: check its spelling, or name another index");
}

#[test]
fn one_column_for_each_python() {
    let index = IndexInMemory::default().with(project(&["demo-1.tar.gz"]));
    let once = interpreter("3.11");
    let mut other = once.clone();
    other.abi = "cp311d".parse().unwrap();
    let resolve = |interpreters: &[Interpreter]| {
        resolve(&"demo".parse().unwrap(), &Selection::default(), interpreters, &index)
    };
    assert_eq!(resolve(&[once.clone(), once.clone()]).unwrap().cells.len(), 1);
    insta::assert_snapshot!(resolve(&[once, other]).unwrap_err(), @"two different interpreters are Python 3.11 (cp311 and cp311d): choose one of them");
}

#[test]
fn spellings_of_one_version_are_one_row() {
    insta::assert_snapshot!(show(
        &["demo-1.0.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0-py2-none-any.whl"],
        &versions("1"), &["2.7", "3.11"],
    ), @"
    1.0.0/2.7 demo-1.0-py2-none-any.whl for cp27mu
    1.0.0/3.11 demo-1.0.0-py3-none-any.whl for cp311
    ");
}

#[test]
fn the_pythons_that_files_are_made_for() {
    let made_for = |lines: &[&str], selection: &Selection| {
        let made_for = pythons_made_for(&project(lines), selection);
        let exact: Vec<String> = made_for.exact.iter().map(ToString::to_string).collect();
        (exact.join(" "), made_for.any)
    };
    let all = Selection::default();
    let cases: &[(&[&str], &str, bool)] = &[
        (&["demo-1-cp310-cp310-manylinux1_x86_64.whl"], "3.10", false), // the original made 3.1.0 of it
        (&["demo-1-cp27-cp27mu-manylinux1_x86_64.whl"], "2.7", false),
        (&["demo-1-cp313-cp313t-musllinux_1_2_x86_64.whl"], "3.13t", false),
        (&["demo-1-cp37-abi3-linux_aarch64.whl"], "", true),
        (&["demo-1-py2.py3-none-any.whl"], "", true),
        (&["demo-1-cp311-none-any.whl"], "3.11", false),
        (&["demo-1-cp311-cp311-win_amd64.whl"], "", false),
        (&["demo-1-pp39-pypy39_pp73-manylinux1_x86_64.whl"], "", false),
        (&["demo-1.tar.gz"], "", true),
        (&["demo-1-cp311-cp311-manylinux1_x86_64.whl yanked"], "", false),
    ];
    for (lines, exact, any) in cases {
        assert_eq!(made_for(lines, &all), ((*exact).to_owned(), *any), "{lines:?}");
    }
    let never = Selection { sdist: SdistPolicy::Never, ..Selection::default() };
    assert_eq!(made_for(&["demo-1.tar.gz"], &never), (String::new(), false));
}

#[test]
fn the_pythons_of_a_grid_where_none_are_named() {
    let supported: Vec<String> = SUPPORTED_PYTHONS.iter().map(ToString::to_string).collect();
    let supported = supported.join(" ");
    // The files, the Pythons that are present, and the columns.
    let cases: &[(&[&str], &[&str], String)] = &[
        // Decided by what the files are made for; the present Pythons are not asked for.
        (&["demo-1-cp27-cp27mu-manylinux1_x86_64.whl"], &["never asked"], "2.7".to_owned()),
        (&["demo-1-cp311-cp311-win_amd64.whl"], &["never asked"], supported.clone()),
        // A file for any Python: what is present, beside what other files are made for.
        (&["demo-1-py3-none-any.whl"], &["3.9"], "3.9".to_owned()),
        (
            &["demo-1.tar.gz", "demo-1-cp310-cp310-manylinux1_x86_64.whl"],
            &["3.9"],
            "3.9 3.10".to_owned(),
        ),
        (&["demo-1-py3-none-any.whl"], &[], supported.clone()),
        (
            &["demo-1.tar.gz", "demo-1-cp310-cp310-manylinux1_x86_64.whl"],
            &[],
            format!("3.10 {supported}"),
        ),
    ];
    for (lines, present, expected) in cases {
        let present = || present.iter().map(|python| python.parse()).collect();
        let wanted = pythons_wanted(&project(lines), &Selection::default(), present).unwrap();
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        assert_eq!(wanted.join(" "), *expected, "{lines:?}");
    }
}
