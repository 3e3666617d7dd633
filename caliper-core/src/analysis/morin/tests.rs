use std::collections::BTreeMap;
use std::io::Write as _;

use super::*;
use crate::facts::record::TestOutcome::{self, Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::facts::record::{BlobRef, CellOutcome, RecordedResult};
use crate::facts::store::Content;
use crate::names::Sha256;
use crate::question::criteria::Criteria;
use crate::report::morin::text;

/// The files of one run with their content, and how it ended.
type Left = (Vec<(&'static str, Vec<u8>)>, TestOutcome);

/// Recorded groups.
#[derive(Default)]
struct World {
    records: Vec<Record>,
    blobs: BTreeMap<Sha256, Vec<u8>>,
    criteria: Criteria,
}

const STAGES: [(&str, &str); 4] =
    [("init", "*.npz"), ("data", "xy*"), ("batches", "array *.txt"), ("final", "final*")];

impl World {
    fn new(stages: &[(&str, &str)]) -> Self {
        let stage = |(name, files): &(&str, &str)| Stage {
            name: (*name).to_owned(),
            files: vec![(*files).to_owned()],
        };
        let stages = stages.iter().map(stage).collect();
        Self { criteria: Criteria { stages, ..Criteria::default() }, ..Self::default() }
    }

    fn group(&mut self, version: &str, label: &str, runs: Vec<Left>) -> &mut Record {
        let mut record = record(version, "3.11");
        record.variant = [("group", label)].into_iter().collect();
        for (files, outcome) in runs {
            let mut one = test("train", outcome, "");
            for (path, content) in files {
                let sha256 = Sha256::of(&content);
                one.runs[0].files.push(RecordedResult {
                    path: path.to_owned(),
                    size: content.len() as u64,
                    sha256,
                    content: Some(BlobRef(sha256)),
                });
                self.blobs.insert(sha256, content);
            }
            record = record.with_runs([one]);
        }
        self.records.push(record);
        self.records.last_mut().unwrap()
    }

    fn found(&self, planned: usize, labels: &[&str]) -> Result<Vec<Experiment>, MorinError> {
        let recording = Recording {
            records: &self.records,
            criteria: &self.criteria,
            blobs: &|blob| self.blobs.get(&blob.0).cloned().map(Content::from),
            planned: &|_, _| Some(planned),
            labels: &|_| labels.iter().map(ToString::to_string).collect(),
        };
        experiments(&recording, None)
    }

    fn told(&self, planned: usize) -> String {
        text(&self.found(planned, &["different_seeds", "same_seed"]).unwrap())
    }
}

fn npy(numbers: &[f64]) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}\n", numbers.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

fn npz(arrays: &[(&str, &[f64])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, numbers) in arrays {
        zip.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&npy(numbers)).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A run with these weights, training data and order of the first epoch.
fn run(weights: &[(&str, &[f64])], data: f64, order: &'static str) -> Left {
    let files =
        vec![("m.npz", npz(weights)), ("xy.npy", npy(&[data])), ("array 0.txt", order.into())];
    (files, Passed)
}

/// Arrays in an order that is not that of their names.
const WEIGHTS: &[(&str, &[f64])] = &[("kernel", &[0.5, -0.0]), ("bias", &[f64::NAN, 2.0])];

#[test]
fn the_report_is_that_of_the_experiment_byte_for_byte() {
    let mut world = World::new(&STAGES);
    let other: &[(&str, &[f64])] = &[("kernel", &[0.5, 0.0]), ("bias", &[f64::NAN, 3.0])];
    // The zeros of both signs and a NaN in the same place are the same.
    let zero: &[(&str, &[f64])] = &[("kernel", &[0.5, 0.0]), ("bias", &[f64::NAN, 2.0])];
    world.group("1.0", "same_seed", vec![run(WEIGHTS, 1.0, "1\n2"), run(zero, 1.0, "1\n2")]);
    let runs = vec![run(WEIGHTS, 1.0, "1\n2"), run(other, 1.0, "2\n1"), run(WEIGHTS, 1.0, "1\n2")];
    world.group("1.0", "different_seeds", runs);
    assert_eq!(
        world.told(3),
        "Comparison results for different_seeds:\n\
         \n\
         Models all the same: False (number of models checked: 3/3)\n\
         - Different model (layers and weights compared with run #0) in this run: #1 (file = m.npz, layer = 1, array = 0)\n\
         XY training data all the same: True(number of models checked: 3/3)\n\
         Batches all the same: False(number of models checked: 3/3)\n\
         - Different batches array (compared with run #0) in this run: #1\n\
         \n\
         Comparison results for same_seed:\n\
         \n\
         Models all the same: True (number of models checked: 2/3)\n\
         XY training data all the same: True(number of models checked: 2/3)\n\
         Batches all the same: True(number of models checked: 2/3)\n"
    );
}

#[test]
fn what_the_original_could_not_tell_is_told() {
    let mut world = World::new(&STAGES);
    let more: &[(&str, &[f64])] = &[WEIGHTS[0], WEIGHTS[1], ("more", &[1.0])];
    let longer: &[(&str, &[f64])] = &[("kernel", &[0.5, 0.0, 1.0]), WEIGHTS[1]];
    let mut lacking = run(WEIGHTS, 1.0, "1");
    lacking.0.push(("array 1.txt", b"1".to_vec()));
    let runs = vec![
        lacking.clone(),
        run(WEIGHTS, 2.0, "1"), // other training data, and a file that is missing
        (lacking.0.clone(), Failed), // a run that failed left all the same
        run(more, 1.0, "1"),
        run(&WEIGHTS[..1], 1.0, "1"),
        run(longer, 1.0, "1"),
        (vec![("m.npz", b"PK broken".to_vec())], Passed), // and nothing else
    ];
    world.group("1.0", "same_seed", runs);
    insta::assert_snapshot!(world.told(9), @r"
    Comparison results for same_seed:

    Models all the same: False (number of models checked: 7/9)
    - Different model (layers and weights compared with run #0) in this run: #3 (file = m.npz, layer = 2, array = 0: not in run #0)
    - Different model (layers and weights compared with run #0) in this run: #4 (file = m.npz, layer = 1, array = 0: missing in this run)
    - Different model (layers and weights compared with run #0) in this run: #5 (file = m.npz, layer = 0, array = 0: <f8 (3,) instead of <f8 (2,))
    - Different model (layers and weights compared with run #0) in this run: #6 (file = m.npz: the actual result is not an archive of arrays, so they were compared as bytes: invalid Zip archive: Could not find EOCD)
    XY training data all the same: False(number of models checked: 6/9)
    - Different XY training data (compared with run #0) in this run: #1 (file = xy.npy, layer = 0, array = 0)
    Batches all the same: False(number of models checked: 6/9)
    - Different batches array (compared with run #0) in this run: #1 (file = array 1.txt: missing in this run)
    - Different batches array (compared with run #0) in this run: #3 (file = array 1.txt: missing in this run)
    - Different batches array (compared with run #0) in this run: #4 (file = array 1.txt: missing in this run)
    - Different batches array (compared with run #0) in this run: #5 (file = array 1.txt: missing in this run)
    ");
}

#[test]
fn several_places_have_a_line_each_and_gaps_are_told() {
    let mut world = World::new(&STAGES);
    for version in ["1.0", "2.0"] {
        world.group(version, "same_seed", vec![run(WEIGHTS, 1.0, "1"), run(WEIGHTS, 1.0, "1")]);
    }
    let (mut files, outcome) = run(WEIGHTS, 1.0, "1");
    files.remove(1);
    world.group("1.0", "different_seeds", vec![(files, outcome), run(WEIGHTS, 1.0, "1")]);
    world.group("1.0", "killed", vec![run(WEIGHTS, 1.0, "1")]).tests[0].runs[0].attempt = 2;
    world.group("1.0", "unbuilt", Vec::new()).outcome = CellOutcome::BuildFailed;
    let found = world.found(2, &[]).unwrap();
    let gaps = found.iter().flat_map(|one| &one.gaps).map(ToString::to_string);
    let told = format!("{}\n{}", text(&found), gaps.collect::<Vec<_>>().join("\n"));
    insta::assert_snapshot!(told, @r"
    train in 1.0/3.11

    Comparison results for same_seed:

    Models all the same: True (number of models checked: 2/2)
    XY training data all the same: True(number of models checked: 2/2)
    Batches all the same: True(number of models checked: 2/2)

    train in 2.0/3.11

    Comparison results for same_seed:

    Models all the same: True (number of models checked: 2/2)
    XY training data all the same: True(number of models checked: 2/2)
    Batches all the same: True(number of models checked: 2/2)

    the group `different_seeds` is not compared: run #0 left no file of the stage `data`
    the group `killed` is not compared: run #0 is not recorded; `caliper run` makes it
    the group `unbuilt` is not compared: `train` was not run: cannot be built
    the group `different_seeds` is not compared: it is not recorded
    the group `killed` is not compared: it is not recorded
    the group `unbuilt` is not compared: it is not recorded
    ");
}

#[test]
fn what_is_missing_is_named() {
    let told = |stages: &[(&str, &str)], files: Vec<(&'static str, Vec<u8>)>| {
        let mut world = World::new(stages);
        world.group("1.0", "same", vec![(files, Passed)]);
        world.found(1, &[]).unwrap_err().to_string()
    };
    let lines = [
        told(&[], Vec::new()),
        told(&[("initial", "a"), ("final", "b")], Vec::new()),
        told(&[("model", "a"), ("XY", "b"), ("batch", "c")], vec![("d", b"1".to_vec())]),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    `results` names no stage for the models (a name that begins with `init` or `model`) and none for the training data (a name that begins with `data` or `xy`) and none for the batches (a name that begins with `batch`); for example `results: {init: [model.h5], data: [xy_train.npz], batches: ["array *.txt"]}`
    `results` names no stage for the training data (a name that begins with `data` or `xy`) and none for the batches (a name that begins with `batch`); for example `results: {init: [model.h5], data: [xy_train.npz], batches: ["array *.txt"]}`
    no run left a file of the stages `model`, `XY`, `batch` that is compared (with `compare: exit-status` none is)
    "#);
}

#[cfg(feature = "hdf5")]
#[test]
fn layers_and_arrays_are_those_of_keras() {
    let mut world =
        World::new(&[("model", "saved_models/*.h5"), ("xy", "xy*"), ("batch", "array*")]);
    let models: [&[u8]; 2] = [
        include_bytes!("../../../tests/arrays/files/keras_model.expected.h5"),
        include_bytes!("../../../tests/arrays/files/keras_model.actual.h5"),
    ];
    let run = |model: &[u8]| {
        let mut files = run(WEIGHTS, 1.0, "1").0;
        files[0] = ("saved_models/cifar10_ResNet29v2_model.h5", model.to_vec());
        (files, Passed)
    };
    world.group("1.0", "different_seeds", vec![run(models[0]), run(models[1])]);
    insta::assert_snapshot!(world.told(2), @r"
    Comparison results for different_seeds:

    Models all the same: False (number of models checked: 2/2)
    - Different model (layers and weights compared with run #0) in this run: #1 (file = saved_models/cifar10_ResNet29v2_model.h5, layer = 1, array = 0)
    XY training data all the same: True(number of models checked: 2/2)
    Batches all the same: True(number of models checked: 2/2)
    ");
}
