//! Environments that stay for the next run.

use std::fs;
use std::path::Path;

use caliper_core::facts::record::TestEnd;
use caliper_core::names::{Sha256, Timestamp};

use super::bench::{Bench, has_uv, test, text, wheel};
use caliper_core::question::modules::Imports;
use caliper_core::question::plan::{Recipe, Test};

use crate::backend::{ContainerBackend as _, Environment as _, EnvironmentRequest};
use crate::local::environment::LocalEnvironment;
use crate::local::{LocalBackend, LocalOptions};

/// A bench whose environments may be kept; `None` if there is no `uv`.
fn bench() -> Option<Bench> {
    let mut bench = Bench::new(&[], |folder| {
        let module = "value = 1\n";
        wheel(folder, &[("demo.py", module), ("demo_loud.py", "'a' is 1\n")], "")
    });
    if let caliper_core::question::grid::Choice::File { file, .. } = &mut bench.cell.choice {
        file.sha256 = Some(Sha256::of(b"whatever it is: nobody here asks whether that is true"));
    }
    has_uv(&bench).then_some(bench)
}

/// Makes the environment and runs a program in it; whether it was there already, and what it is.
fn cell<'a>(bench: &'a Bench, program: &str) -> (bool, Box<LocalEnvironment<'a>>) {
    let built = bench.build().unwrap();
    let environment = built.environment.unwrap_or_else(|reason| panic!("{reason}"));
    let run = environment.run(&bench.run_of(&test(&["python", "-c", program]))).unwrap();
    assert_eq!(run.end, TestEnd::Exited(0), "{}", text(&run.error));
    (built.reused, Box::new(environment))
}

/// As another run would do it.
fn again(bench: &mut Bench, change: impl FnOnce(&mut LocalOptions)) {
    let mut options = LocalOptions {
        offline: true,
        ..LocalOptions::new(bench.folder.path().join("cache"), Box::new(|| Err("no wheel".into())))
    };
    change(&mut options);
    bench.backend = LocalBackend::new(options);
}

#[test]
fn an_environment_that_nobody_changed_is_taken_up_again() {
    let Some(mut bench) = bench() else { return };
    let (reused, first) = cell(&bench, "import demo");
    assert!(!reused);
    let folder = first.folder().to_owned();
    let imports = first.imports().clone();
    first.release().unwrap();
    again(&mut bench, |_| {});
    let built = bench.build().unwrap();
    assert!(built.reused);
    assert!(!built.log.is_empty(), "the log of its making");
    let environment = Box::new(built.environment.unwrap_or_else(|reason| panic!("{reason}")));
    assert_eq!((environment.folder(), environment.imports()), (&*folder, &imports));
    // Compiled already, so that it need not be done again.
    let look = "import demo, os; print(os.path.exists(demo.__cached__), demo.value)";
    let look = environment.run(&bench.run_of(&test(&["python", "-c", look])));
    assert_eq!(text(&look.unwrap().output), "True 1\n");

    // While it is in use another one is made, and is gone when it is done.
    let (reused, second) = cell(&bench, "import demo");
    assert!(!reused);
    assert_ne!(second.folder(), environment.folder());
    let folder = second.folder().to_owned();
    second.release().unwrap();
    assert!(!folder.exists());
    environment.release().unwrap();
    assert!(cell(&bench, "import demo").0);
}

#[test]
fn an_environment_that_a_test_changed_is_made_anew() {
    let Some(mut bench) = bench() else { return };
    let written = "import demo, os\n\
        before = os.stat(demo.__file__)\n\
        open(demo.__file__, 'r+').write('value = 2')\n\
        os.utime(demo.__file__, ns=(before.st_atime_ns, before.st_mtime_ns))\n";
    let removed = "import demo, os; os.remove(demo.__file__)";
    let added = "import sys; open(sys.prefix + '/lib/new.txt', 'w')";
    let gone = "import sys, shutil; shutil.rmtree(sys.prefix)";
    // It said something when it was compiled, and would not say it again.
    let loud = "import demo_loud";
    for change in [written, removed, added, gone, loud] {
        let (reused, environment) = cell(&bench, change);
        assert!(!reused, "before {change}");
        let folder = environment.folder().to_owned();
        environment.release().unwrap();
        assert!(!folder.exists(), "after {change}");
    }
    // Nor is one that its run did not give back, or that was changed at rest.
    let (_, environment) = cell(&bench, "import demo");
    let folder = environment.folder().to_owned();
    let seal = folder.with_file_name("seal.json");
    environment.release().unwrap();
    fs::remove_file(seal).unwrap();
    again(&mut bench, |_| {});
    assert!(!cell(&bench, "import demo").0);
    again(&mut bench, |_| {});
    let (_, same) = cell(&bench, "import demo");
    assert_eq!(same.folder(), folder);
    same.release().unwrap();
    fs::write(folder.join("bin/new"), "").unwrap();
    assert!(!cell(&bench, "import demo").0);
}

#[test]
fn an_environment_is_used_only_as_long_as_the_index_would_give_the_same() {
    let Some(mut bench) = bench() else { return };
    let make = |bench: &Bench| {
        let (reused, environment) = cell(bench, "import demo");
        let folder = environment.folder().to_owned();
        environment.release().unwrap();
        (reused, folder)
    };
    let grow_old = |folder: &Path| {
        let seal = folder.with_file_name("seal.json");
        let text = fs::read_to_string(&seal).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["made"] = (value["made"].as_u64().unwrap() - 601).into();
        fs::write(&seal, value.to_string()).unwrap();
    };
    let (_, id) = make(&bench);
    grow_old(&id);
    assert!(!make(&bench).0);
    assert!(make(&bench).0);

    // Another moment is another environment, and lasts.
    bench.setup.as_of = Some(Timestamp::from_unix_seconds(1_700_000_000));
    let (reused, dated) = make(&bench);
    assert!(!reused && dated != id);
    grow_old(&dated);
    assert!(make(&bench).0);

    // What is of no use any more goes with the next run.
    grow_old(&id);
    again(&mut bench, |_| {});
    assert!(make(&bench).0);
    assert!(!id.exists() && dated.exists());

    // So do those for which there is no room.
    again(&mut bench, |options| options.keep = 1);
    assert!(make(&bench).0, "it is there, so it is used");
    assert!(!make(&bench).0);
    assert!(!dated.exists());

    // A requirement that is a path or an address may stand for something else tomorrow.
    bench.setup.requirements = vec!["./demo-1.0-py3-none-any.whl".to_owned()];
    again(&mut bench, |_| {});
    let (request, key) = (bench.request(), bench.key());
    let python = bench.backend.pythons().of(bench.interpreter.python).unwrap();
    assert!(super::kept::Name::of(&request, &key, python, &python.executable, &[]).is_none());
}

/// The bench with a test of this program, and the import test before it.
fn after_import<'a>(bench: &'a Bench, program: &str) -> (bool, Box<LocalEnvironment<'a>>) {
    let built = bench.build().unwrap();
    let environment = built.environment.unwrap_or_else(|reason| panic!("{reason}"));
    for test in [
        Test::import(&Imports::All(vec!["demo".parse().unwrap()])),
        test(&["python", "-c", program]),
    ] {
        let run = environment.run(&bench.run_of(&test)).unwrap();
        assert_eq!(run.end, TestEnd::Exited(0), "{}", text(&run.error));
    }
    (built.reused, Box::new(environment))
}

#[test]
fn a_test_that_writes_to_its_environment_harms_no_other() {
    let Some(mut bench) = bench() else { return };
    {
        let printed = |environment: &LocalEnvironment<'_>| {
            let look = test(&["python", "-c", "import demo; print(demo.value)"]);
            text(&environment.run(&bench.run_of(&look)).unwrap().output)
        };
        // Whatever its time says afterwards.
        let written = "import demo, os\n\
            before = os.stat(demo.__file__)\n\
            open(demo.__file__, 'r+').write('value = 2')\n\
            os.utime(demo.__file__, ns=(before.st_atime_ns, before.st_mtime_ns))\n";
        let victim = bench.build().unwrap().environment.unwrap_or_else(|reason| panic!("{reason}"));
        assert!(victim.changed().is_empty());
        let (_, culprit) = after_import(&bench, written);
        assert!(culprit.changed()[0].ends_with("demo.py"), "{:?}", culprit.changed());
        // Both had the file, so both are measured again.
        assert_eq!(!victim.changed().is_empty(), victim.is_shared());
        // The next one gets what the wheel holds, and so does one that shares nothing.
        let next = bench.build().unwrap().environment.unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(printed(&next), "1\n");
        let request = EnvironmentRequest { alone: true, ..bench.request() };
        let alone = bench.backend.build(&request, &Recipe::default(), &bench.key()).unwrap();
        let alone = alone.environment.unwrap_or_else(|reason| panic!("{reason}"));
        assert!(!alone.is_shared());
        drop((culprit, alone));
        Box::new(next).release().unwrap();
        Box::new(victim).release().unwrap();
    }
    // A later run, too.
    again(&mut bench, |_| {});
    let (_, later) = after_import(&bench, "import demo; assert demo.value == 1");
    later.release().unwrap();
}

#[test]
fn bytecode_that_a_test_wrote_does_not_stay() {
    let Some(mut bench) = bench() else { return };
    // As Python writes it, for a source that says something else.
    let forged = "import demo, importlib.util, marshal, os\n\
        start = open(demo.__cached__, 'rb').read(16)\n\
        code = compile('value = 3', demo.__file__, 'exec')\n\
        open(demo.__cached__, 'wb').write(start + marshal.dumps(code))\n\
        open(importlib.util.cache_from_source(demo.__file__, optimization='1'), 'wb').write(start)\n";
    let (_, environment) = after_import(&bench, forged);
    let folder = environment.folder().to_owned();
    environment.release().unwrap();
    again(&mut bench, |_| {});
    let (reused, environment) = after_import(&bench, "import demo; assert demo.value == 1");
    assert!(reused);
    assert_eq!(environment.folder(), folder);
    environment.release().unwrap();
}

/// Its import is recorded and not run again, for example after an edit.
#[test]
fn what_the_import_compiles_stays_though_it_is_not_a_test_of_this_run() {
    let Some(mut bench) = bench() else { return };
    let look = "import os, importlib.util, sys\n\
        found = importlib.util.find_spec('demo')\n\
        assert os.path.exists(found.cached), 'not compiled'\n";
    for is_reused in [false, true] {
        let (reused, environment) = cell(&bench, look);
        assert_eq!(reused, is_reused);
        environment.release().unwrap();
        again(&mut bench, |_| {});
    }
}
