//! Properties that hold for any project.

use proptest::prelude::*;

use super::*;

/// A file of release 1 or 2 in the notation of [`described`].
fn any_file() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "(1|1\\.0|1\\.0\\.0|2|2\\.0b1)(-[1-3])?-(cp311-cp311|cp310-abi3|cp312-cp312)-(manylinux1_x86_64|manylinux_2_28_x86_64|win_amd64)\\.whl",
        "(1|1\\.0|2)(-[1-3])?-(py3|py2\\.py3|cp311)-none-any\\.whl",
        "(1|2)-(pp39-pypy39_pp73|cp27-cp27m|cp313-cp313t)-(manylinux2014_x86_64\\.manylinux_2_17_x86_64|macosx_11_0_arm64)\\.whl",
        "(1|1\\.0|2)(-py2\\.7)?\\.(tar\\.gz|zip)",
    ];
    (name, "( yanked)?( python=>=3\\.1[0-3])?( time=20(19|21)-01-01)?")
        .prop_map(|(name, rest)| format!("demo-{name}{rest}"))
}

/// One file as an index describes it, rightly or wrongly, and perhaps in two ways.
fn any_entries() -> impl Strategy<Value = Vec<String>> {
    let metadata = prop::sample::select(vec!["true", "false", "{}", "7"]);
    let ways = ("[ab]", prop::option::of(1..2_u8), any::<bool>(), metadata);
    let facts = (any_file(), prop::collection::vec(ways, 1..3));
    let right = facts.prop_map(|(line, ways)| {
        let file = described(&line);
        let entries = ways.into_iter().map(|(folder, size, digest, metadata)| {
            let entry = serde_json::json!({
                "filename": file.filename,
                "url": format!("https://files.example/{folder}/{}", file.filename),
                "size": size,
                "hashes": {"sha256": digest.then(|| folder.repeat(64))},
                "requires-python": file.requires_python,
                "upload-time": file.upload_time,
                "yanked": file.yanked,
                "core-metadata": metadata.parse::<serde_json::Value>().unwrap(),
            });
            entry.to_string()
        });
        entries.collect()
    });
    let wrong = prop::sample::select(vec![
        "7",
        "{}",
        r#"{"filename":7,"url":"/x"}"#,
        r#"{"filename":"demo-1.zip"}"#,
        r#"{"filename":"demo-1.zip","url":"https://"}"#,
        r#"{"filename":"demo-1.zip","url":"ftp://files.example/demo-1.zip"}"#,
        r#"{"filename":"demo-1.zip","url":"/x","hashes":{"sha256":"1"}}"#,
        r#"{"filename":"demo-1.zip","url":"/x","hashes":{"sha256":"2"}}"#,
        r#"{"filename":"demo-1.exe","url":"/x"}"#,
        r#"{"filename":"other-1-py3-none-any.whl","url":"/x"}"#,
    ]);
    prop_oneof![4 => right, 1 => wrong.prop_map(|entry| vec![entry.to_owned()])]
}

fn any_selection() -> impl Strategy<Value = Selection> {
    let texts =
        prop::sample::select(vec![">0", "==1", "1, 2", "latest-patch", "since: 2020-06-01"]);
    let sdist =
        prop::sample::select(vec![SdistPolicy::Fallback, SdistPolicy::Never, SdistPolicy::Only]);
    (texts, any::<bool>(), any::<bool>(), any::<bool>(), sdist).prop_map(
        |(text, pre, yanked, limited, sdist)| {
            let as_of = limited.then(|| "2020-01-01".parse().unwrap());
            Selection { pre, yanked, sdist, as_of, ..versions(text) }
        },
    )
}

/// What is made of an answer that lists these entries and releases.
fn answered(entries: &[String], releases: &[&str]) -> Project {
    let releases: Vec<String> = releases.iter().map(|text| format!("{text:?}")).collect();
    let (entries, releases) = (entries.join(","), releases.join(","));
    let body = format!(r#"{{"files":[{entries}],"versions":[{releases}]}}"#);
    let base = "https://index.example/simple/demo/".parse().unwrap();
    let name = "demo".parse().unwrap();
    crate::index::read_answer(&name, "application/json", &base, body.as_bytes()).unwrap()
}

const PYTHONS: [&str; 3] = ["3.11", "2.7", "3.13t"];

/// The file that is taken for a Python, or comes nearest to it, out of files of one release.
fn winner(files: &[DistFile], selection: &Selection, python: &str) -> Option<String> {
    use caliper_core::question::grid::Choice;
    let project = Project::from_files("demo".parse().unwrap(), files.iter().cloned());
    let grid = resolve_project(&project, project.name(), selection, &[interpreter(python)]);
    match &grid.ok()?.cells[..] {
        [cell] => match &cell.choice {
            Choice::File { file, .. } => Some(file.filename.clone()),
            Choice::Missing(missing) => missing.nearest.clone(),
        },
        cells => panic!("{cells:?}"),
    }
}

proptest! {
    #[test]
    fn the_order_of_the_answer_does_not_matter(
        (entries, shuffled) in prop::collection::vec(any_entries(), 1..20)
            .prop_map(|entries| entries.concat())
            .prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
        (releases, releases_shuffled) in prop::sample::subsequence(vec!["1", "1.0.0", "2.0", "3", "x"], 0..5)
            .prop_flat_map(|releases| (Just(releases.clone()), Just(releases).prop_shuffle())),
        selection in any_selection(),
    ) {
        let project = answered(&entries, &releases);
        // With what was left out and why.
        prop_assert_eq!(&project, &answered(&shuffled, &releases_shuffled));
        let backwards: Vec<_> = PYTHONS.iter().rev().map(|python| interpreter(python)).collect();
        let forwards: Vec<_> = PYTHONS.iter().map(|python| interpreter(python)).collect();
        let grid = resolve_project(&project, project.name(), &selection, &forwards);
        let again = resolve_project(
            &answered(&shuffled, &releases_shuffled), project.name(), &selection, &backwards,
        );
        match (grid, again) {
            (Ok(grid), Ok(again)) => {
                // Reasons and nearest misses are in the grid.
                prop_assert_eq!(&grid, &again);
                // Rows and columns are full and sorted.
                prop_assert!(grid.cells.is_sorted_by(|a, b| a.id < b.id));
                prop_assert_eq!(grid.cells.len() % PYTHONS.len(), 0);
            }
            (grid, again) => {
                prop_assert_eq!(grid.unwrap_err().to_string(), again.unwrap_err().to_string());
            }
        }
    }

    /// What wins among many wins against each of them: the files of a release are in total order.
    #[test]
    fn the_files_of_a_release_are_in_total_order(
        lines in prop::collection::vec(any_file(), 1..7),
        selection in any_selection(),
    ) {
        let mut files: Vec<DistFile> = lines.iter().map(|line| described(line)).collect();
        files.retain(|file| file.filename.starts_with("demo-1"));
        files.sort_by(|a, b| a.filename.cmp(&b.filename));
        files.dedup_by(|a, b| a.filename == b.filename);
        let selection = Selection { versions: Versions::default(), pre: true, ..selection };
        for python in PYTHONS {
            let Some(best) = winner(&files, &selection, python) else { continue };
            let best = files.iter().find(|file| file.filename == best).unwrap();
            for other in &files {
                let pair = [other.clone(), best.clone()];
                // Without any date nothing can be looked at as of one, which is an error of its own.
                let dateless = pair.iter().all(|file| file.upload_time.is_none());
                if dateless && selection.as_of.is_some() {
                    continue;
                }
                prop_assert_eq!(winner(&pair, &selection, python), Some(best.filename.clone()));
            }
        }
    }
}
