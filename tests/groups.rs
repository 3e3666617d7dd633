//! Groups of runs: which seed a run gets, and what a process that is killed has kept.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{World, has_uv, python};

const GROUPS: &str = "  import: false
  groups:
    same: {seed: 7, repeat: 3}
    different: {seeds: 0..2}
  tests:
    - {name: t, run: 'python show.py {{ seed }}'}
";

/// The seeds and the first lines of the runs of a group.
fn runs(results: &Value, group: &str) -> Vec<(u64, String)> {
    let cells = results["cells"].as_array().unwrap();
    let cell = cells.iter().find(|cell| cell["variant"]["group"] == group).unwrap();
    let runs = cell["tests"][0]["runs"].as_array().unwrap().iter();
    let of = |run: &Value| {
        (run["seed"].as_u64().unwrap(), run["output"].as_str().unwrap().trim().to_owned())
    };
    runs.map(of).collect()
}

#[test]
fn each_run_of_a_group_gets_its_seed() {
    if !has_uv() {
        return;
    }
    let world = World::with_config(GROUPS);
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write("show.py", "import os, sys\nprint(os.environ['SEED'], sys.argv[1])\n");
    let python = python();
    let run = || world.caliper(&["run", "--python", &python, "--progress", "plain"]).expect(0);
    let said = run();
    assert!(said.err.contains("2 measured"), "{}", said.err);
    let said = |seeds: [u64; 3]| seeds.map(|seed| (seed, format!("{seed} {seed}"))).to_vec();
    assert_eq!(runs(&world.results(), "same"), said([7, 7, 7]));
    assert_eq!(runs(&world.results(), "different"), said([0, 1, 2]));
    assert!(run().err.contains("0 measured, 2 reused"));

    // More runs are added to those that there are; another seed is another question.
    world.write(
        "caliper.yaml",
        &format!(
            "analysis:\n  dependency: demo\n{}",
            GROUPS.replace("0..2", "0..4").replace("seed: 7", "seed: 8")
        ),
    );
    run();
    let results = world.results();
    let seeds: Vec<u64> = runs(&results, "different").iter().map(|(seed, _)| *seed).collect();
    assert_eq!(seeds, [0, 1, 2, 3, 4]);
    let reused = results["cells"].as_array().unwrap().iter().flat_map(|cell| {
        cell["tests"][0]["runs"].as_array().unwrap().iter().filter(|run| run["reused"] == true)
    });
    assert_eq!(reused.count(), 0, "runs that are added make no run an old one");
    assert_eq!(runs(&results, "same"), said([8, 8, 8]));
}

#[test]
fn a_process_that_is_killed_has_kept_its_runs() {
    if !has_uv() {
        return;
    }
    let world = World::with_config(
        "  import: false
  groups: {one: {seeds: 0..39}}
  tests:
    - {name: t, run: python show.py}
",
    );
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write("show.py", "import os, time\ntime.sleep(0.2)\nprint(os.environ['SEED'])\n");
    let python = python();
    let arguments = ["run", "--python", &python, "--progress", "none"];
    let record = || -> Option<Value> {
        let folder = std::fs::read_dir(world.project().join(".caliper/records")).ok()?;
        let path = folder
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "json"))?;
        Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    };
    let had = |record: &Option<Value>| -> usize {
        let runs = record.as_ref().and_then(|record| record["tests"][0]["runs"].as_array());
        runs.map_or(0, Vec::len)
    };
    // Killed twice, without a chance to save anything.
    let mut before = 0;
    for _ in 0..2 {
        let mut child = world.command(&arguments).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while had(&record()) <= before && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "nothing was kept");
            std::thread::sleep(Duration::from_millis(50));
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
        child.wait().unwrap();
        before = had(&record());
    }
    assert!(before > 0 && before < 40, "{before}");
    let kept = record().unwrap();
    assert_eq!(kept["interrupted"], true);
    world.caliper(&arguments).expect(0);
    let after = record().unwrap();
    let (kept, after) = (&kept["tests"][0]["runs"], &after["tests"][0]["runs"]);
    for run in kept.as_array().unwrap() {
        let same =
            after.as_array().unwrap().iter().find(|other| other["attempt"] == run["attempt"]);
        assert_eq!(same.unwrap()["started"], run["started"], "it was made once");
    }
    let seeds: Vec<u64> =
        after.as_array().unwrap().iter().map(|run| run["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, (0..40).collect::<Vec<u64>>());
}

/// A training in little: weights at the beginning, an order of the data for each epoch, and weights at the end.
const TRAIN: &str = "import math, os, random
seed = int(os.environ['SEED'])
os.makedirs('out', exist_ok=True)
rng = random.Random(seed)
weights = [rng.gauss(0, 1) for _ in range(8)]
open('out/init.txt', 'w').write('\\n'.join(map(repr, weights)))
for epoch in range(3):
    order = list(range(200))
    SHUFFLE(order)
    open(f'out/order {epoch}.txt', 'w').write('\\n'.join(map(str, order)))
    parts = [weights[index % 8] * (index + 0.1) for index in order]
    SUM
    total = 0.0
    for part in parts: total = math.sin(3 * total + part)
    weights = [weight + total for weight in weights]
open('out/final.txt', 'w').write('\\n'.join(map(repr, weights)))
";

#[test]
fn stages_name_where_runs_part() {
    if !has_uv() {
        return;
    }
    let stages = "  import: false
  compare: {stdout: false, relative: 0}
  groups:
    same: {seed: 1, repeat: 4}
    different: {seeds: 0..3}
  results: {init: [out/init.txt], batches: ['out/order *.txt'], final: [out/final.txt]}
  tests:
    - {name: train, run: python train.py}
";
    let world = World::with_config(stages);
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    let python = python();
    let told = |shuffle: &str, sum: &str| {
        world.write("train.py", &TRAIN.replace("SHUFFLE", shuffle).replace("SUM", sum));
        let said = world.caliper(&["run", "--python", &python, "--progress", "none"]).expect(0);
        let at = said.out.find("the runs of each cell, stage by stage").unwrap();
        let part = said.out[at..].split("\n\n").next().unwrap().to_owned();
        // Which numbers differ is left to chance; that they do is not.
        let part: Vec<&str> =
            part.lines().filter(|line| !line.starts_with("  first in run")).collect();
        part.join("\n").replace(&python, "X.YZ")
    };
    insta::assert_snapshot!(told("rng.shuffle", "pass"), @r"
    the runs of each cell, stage by stage, against the first that passed
    cell                       runs  init        batches     final
    1.0/X.YZ[group=different]  4     all differ  all differ  all differ
    1.0/X.YZ[group=same]       4     same        same        same
    1.0/X.YZ[group=different]: `init` differs: the runs do not begin with the same
    1.0/X.YZ[group=same]: all runs agree in `init`, `batches` and `final`
    ");
    // The order in which threads end: what is added first is left to chance.
    let threads = "random.shuffle(parts)";
    insta::assert_snapshot!(told("rng.shuffle", threads), @r"
    the runs of each cell, stage by stage, against the first that passed
    cell                       runs  init        batches     final
    1.0/X.YZ[group=different]  4     all differ  all differ  all differ
    1.0/X.YZ[group=same]       4     same        same        all differ
    1.0/X.YZ[group=different]: `init` differs: the runs do not begin with the same
    1.0/X.YZ[group=same]: `init` and `batches` are the same, `final` differs: the difference comes from the computation
    ");
    // A random generator without a seed.
    insta::assert_snapshot!(told("random.shuffle", "pass"), @r"
    the runs of each cell, stage by stage, against the first that passed
    cell                       runs  init        batches     final
    1.0/X.YZ[group=different]  4     all differ  all differ  all differ
    1.0/X.YZ[group=same]       4     same        all differ  all differ
    1.0/X.YZ[group=different]: `init` differs: the runs do not begin with the same
    1.0/X.YZ[group=same]: `init` is the same, `batches` differs: the runs part there
    ");
    let cell = format!("1.0/{python}[group=same]");
    let shown = world.caliper(&["show", &cell]).expect(0).out;
    let at = shown.find("its runs, stage by stage").unwrap();
    assert!(shown[at..].contains(&format!("{cell}: `init` is the same, `batches` differs")));
    assert!(!shown.contains("group=different"), "{shown}");
}

/// A training that leaves what that of the reproducibility experiment leaves: a model of Keras, data and batches. What is
/// initial, and the order of the data, follow from the seed.
const EXPERIMENT: &str = "import os, random, shutil
seed = int(os.environ['SEED'])
os.makedirs('saved_models', exist_ok=True)
shutil.copy(f'model{seed % 2}.h5', 'saved_models/cifar10_ResNet29v2_model.h5')
open('saved_models/xy_train.csv', 'w').write('x,y\\n1,2\\n')
order = list(range(50))
random.Random(seed % 2).shuffle(order)
open('saved_models/array 0.txt', 'w').write('\\n'.join(map(str, order)))
";

#[test]
fn the_report_of_the_reproducibility_experiment_is_printed() {
    if !has_uv() {
        return;
    }
    let config = "  import: false
  groups:
    different_seeds: {seeds: 0..2}
    same_seed: {seed: 0, repeat: 3}
  results: {init: ['saved_models/*.h5'], data: [saved_models/xy_train.csv], batches: ['saved_models/array *.txt']}
  tests:
    - {name: train, run: python train.py}
";
    let world = World::with_config(config);
    world.wheel("demo", "1.0", &[("demo.py", "")]);
    world.write("train.py", EXPERIMENT);
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../caliper-core/tests/arrays/files");
    for (number, side) in ["expected", "actual"].iter().enumerate() {
        let model = files.join(format!("keras_model.{side}.h5"));
        std::fs::copy(model, world.project().join(format!("model{number}.h5"))).unwrap();
    }
    world.caliper(&["run", "--python", &python(), "--progress", "none"]).expect(0);
    let said = world.caliper(&["compare", "--format", "morin"]).expect(0);
    assert_eq!(
        said.out,
        "Comparison results for different_seeds:

Models all the same: False (number of models checked: 3/3)
- Different model (layers and weights compared with run #0) in this run: #1 (file = saved_models/cifar10_ResNet29v2_model.h5, layer = 1, array = 0)
XY training data all the same: True(number of models checked: 3/3)
Batches all the same: False(number of models checked: 3/3)
- Different batches array (compared with run #0) in this run: #1

Comparison results for same_seed:

Models all the same: True (number of models checked: 3/3)
XY training data all the same: True(number of models checked: 3/3)
Batches all the same: True(number of models checked: 3/3)
"
    );
    assert!(said.err.is_empty(), "{}", said.err);
    let same =
        world.caliper(&["compare", "caliper.yaml", "--format", "morin", "--by", "group"]).expect(0);
    assert_eq!(same.out, said.out);
    let error = |arguments: &[&str], code: i32| {
        world.caliper(&[&["compare"], arguments].concat()).error(code).trim().to_owned()
    };
    let lines = [
        error(&[], 2),
        error(&["1.0"], 2),
        error(&["1.0", "1.0", "--by", "group"], 2),
        error(&["1.0", "1.0", "--format", "morin"], 2),
        error(&["--format", "morin", "--by", "host"], 2),
        error(&["none.yaml", "--format", "morin"], 2),
    ];
    insta::assert_snapshot!(lines.join("\n"));
    // More runs are planned than there are, and a stage is gone.
    let with = |from: &str, to: &str| {
        let text = format!("analysis:\n  dependency: demo\n{}", config.replace(from, to));
        world.write("caliper.yaml", &text);
    };
    with("0..2", "0..4");
    let said = world.caliper(&["compare", "--format", "morin"]).expect(0);
    assert!(said.out.contains("(number of models checked: 3/5)"), "{}", said.out);
    with("data: [", "other: [");
    let error = world.caliper(&["compare", "--format", "morin"]).error(2);
    assert!(error.contains("names no stage for the training data"), "{error}");
}
