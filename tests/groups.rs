//! Groups of runs: which seed a run gets, and what a process that is killed has kept.

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
}
