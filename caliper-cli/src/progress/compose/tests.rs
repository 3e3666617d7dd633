use super::super::state::tests::seconds;
use super::*;

fn terminal() -> Terminal {
    Terminal::new(true, false, false)
}

fn now(what: &str, detail: &str, age: u64) -> Now {
    Now { what: what.to_owned(), detail: detail.to_owned(), age: seconds(age) }
}

fn at(view: &View) -> String {
    let lines = [20, 39, 40, 60, 80, 200].map(|columns| {
        let line = line(view, columns, false, terminal());
        assert!(width(&line) < columns, "{columns}: {line}");
        format!("{columns:>3} {line}")
    });
    lines.join("\n")
}

fn view() -> View {
    let now = vec![
        now("3.0.3/3.11[seed=1] test_filters", "", 134),
        now("2.11.3/3.9 import", "", 1),
        now("building 3.1.6/3.12 from source", "", 4),
    ];
    View {
        cells: Some((12, Some(51))),
        passed: 9,
        failed: 2,
        not_measured: 1,
        now,
        elapsed: seconds(83),
        left: Some(170.0),
    }
}

#[test]
fn the_line_fits_the_terminal() {
    insta::assert_snapshot!(at(&view()), @"
     20 [12/51] ✓ 9 ✗ 2…
     39 [12/51] ✓ 9 ✗ 2 ? 1  3.0.3/3.1… 2:14
     40 [12/51] ✓ 9 ✗ 2 ? 1  3.0.3/3.11… 2:14
     60 [12/51] ✓ 9 ✗ 2 ? 1  3.0.3/3.11[se… 2:14, +2 more  ~3 min
     80 [12/51] ✓ 9 ✗ 2 ? 1  3.0.3/3.11[seed=1] test_filters 2:14, +2 more  ~3 min
    200 [12/51] ✓ 9 ✗ 2 ? 1  3.0.3/3.11[seed=1] test_filters 2:14, 2.11.3/3.9 import, building 3.1.6/3.12 from source 4 s  1:23, about 3 min left
    ");
}

#[test]
fn a_download_is_told_with_its_bytes() {
    let file =
        now("fetching numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl", " 3.1 of 17.4 MiB", 5);
    let view = View { now: vec![file], left: None, ..view() };
    insta::assert_snapshot!(at(&view), @"
     20 [12/51] ✓ 9 ✗ 2…
     39 [12/51] ✓ 9 ✗ 2 ? 1  fetching numpy…
     40 [12/51] ✓ 9 ✗ 2 ? 1  fetching numpy-…
     60 [12/51] ✓ 9 ✗ 2 ? 1  fetching… 3.1 of 17.4 MiB 5 s  1:23
     80 [12/51] ✓ 9 ✗ 2 ? 1  fetching numpy-1.26.4-cp311-c… 3.1 of 17.4 MiB 5 s  1:23
    200 [12/51] ✓ 9 ✗ 2 ? 1  fetching numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.whl 3.1 of 17.4 MiB 5 s  1:23
    ");
}

#[test]
fn a_phase_is_all_that_is_told_before_the_first_cell() {
    let view = View { now: vec![now("reading the index", "", 3)], ..View::default() };
    insta::assert_snapshot!(at(&view), @"
     20 reading the… 3 s
     39 reading the index 3 s
     40 reading the index 3 s
     60 reading the index 3 s
     80 reading the index 3 s
    200 reading the index 3 s
    ");
}

#[test]
fn a_stop_is_told() {
    let mut view = view();
    let told = |view: &View| line(view, 80, true, terminal());
    insta::assert_snapshot!(told(&view), @"[12/51] ✓ 9 ✗ 2 ? 1  stopping: 3.0.3/3.11[seed=1] test_f… 2:14, +2 more  1:23");
    view.now.clear();
    insta::assert_snapshot!(told(&view), @"[12/51] ✓ 9 ✗ 2 ? 1  stopping  1:23");
}

#[test]
fn no_terminal_is_too_narrow_or_too_wide() {
    for columns in 0..300 {
        let line = line(&view(), columns, false, terminal());
        assert!(width(&line) < columns.max(1), "{columns}: {line}");
    }
}

#[test]
fn what_others_name_is_one_line() {
    let now = vec![now("3.0/3.11 a\n\x1b[2Jb", "", 0)];
    let line = line(&View { now, ..view() }, 200, false, terminal());
    assert!(!line.contains(['\n', '\x1b']), "{line:?}");
}

#[test]
fn a_log_has_words() {
    insta::assert_snapshot!(plain(&view()), @"12 of 51 cells, 9 pass, 2 fail, 1 not measured; now 3.0.3/3.11[seed=1] test_filters 2:14, +2 more; about 3 min left");
    let searching = View { cells: Some((3, None)), now: Vec::new(), left: None, ..view() };
    insta::assert_snapshot!(plain(&searching), @"3 cells, 9 pass, 2 fail, 1 not measured");
    let phase = View { now: vec![now("reading the index", "", 35)], ..View::default() };
    insta::assert_snapshot!(plain(&phase), @"reading the index 35 s");
}
