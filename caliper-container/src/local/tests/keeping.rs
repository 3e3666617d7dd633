//! Environments that stay for the next run.

use std::fs;
use std::path::Path;

use caliper_core::facts::record::TestEnd;
use caliper_core::names::{Sha256, Timestamp};

use super::bench::{Bench, has_uv, test, text, wheel};
use crate::backend::Environment as _;
use crate::local::{LocalBackend, LocalEnvironment, LocalOptions};

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
