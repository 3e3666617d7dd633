mod hostile;

use super::test_run::signature as of_run;
use super::*;
use crate::facts::record::tests::{record, run};
use crate::facts::record::{BuildReason, Run, TestOutcome, TestRecord};
use crate::names::Sha256;

/// A failing run that printed `error` on standard error.
fn failing(error: &str) -> Run {
    Run { error: error.into(), ..run(TestOutcome::Failed, "") }
}

fn signatures(errors: &[&str]) -> String {
    let signatures = errors.iter().map(|error| of_run(&failing(error)).unwrap().to_string());
    signatures.collect::<Vec<_>>().join("\n")
}

const SOFT_UNICODE: &str = r#"Traceback (most recent call last):
  File "<string>", line 1, in <module>
  File "/opt/venv/lib/python3.11/site-packages/jinja2/__init__.py", line 33, in <module>
    from jinja2.environment import Environment, Template
  File "/opt/venv/lib/python3.11/site-packages/jinja2/filters.py", line 13, in <module>
    from markupsafe import soft_unicode
ImportError: cannot import name 'soft_unicode' from 'markupsafe' (/opt/venv/lib/python3.11/site-packages/markupsafe/__init__.py)
"#;

#[test]
fn an_exception_is_told_with_its_innermost_frame() {
    let json = r#"Traceback (most recent call last):
  File "/project/tests/smoke.py", line 4, in test_load
    json.loads(text)
    ~~~~~~~~~~^^^^^^
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError("Expecting value", s, err.value) from None
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
"#;
    let local = r#"Traceback (most recent call last):
  File "/tmp/caliper-x1/project/pkg/read.py", line 9, in read
    open(path)
FileNotFoundError: [Errno 2] No such file or directory: '/tmp/caliper-x1/project/data 7.csv'
"#;
    let recursion = r#"Traceback (most recent call last):
  File "x.py", line 2, in f
    f()
  [Previous line repeated 996 more times]
RecursionError: maximum recursion depth exceeded
"#;
    let later = "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n\
                 ImportError: \n\nIMPORTANT: PLEASE READ THIS\n\nmore\n";
    let wrapped =
        format!("{later}\nOriginal error was: libfoo.so.3: cannot open shared object file\n");
    let bare = "Traceback (most recent call last):\n  File \"<stdin>\", line 1, in <module>\nKeyboardInterrupt\n";
    insta::assert_snapshot!(signatures(&[SOFT_UNICODE, json, local, recursion, later, &wrapped, bare]), @"
    ImportError: cannot import name 'soft_unicode' from 'markupsafe' (jinja2/filters.py in <module>)
    JSONDecodeError: Expecting value: line N column N (char N) (tests/smoke.py in test_load)
    FileNotFoundError: [Errno N] No such file or directory: '…/data N.csv' (pkg/read.py in read)
    RecursionError: maximum recursion depth exceeded (x.py in f)
    ImportError: IMPORTANT: PLEASE READ THIS (x.py in <module>)
    ImportError: libfoo.so.N: cannot open shared object file (x.py in <module>)
    KeyboardInterrupt
    ");
}

#[test]
fn python_2_and_3_name_one_cause_alike() {
    let two = "Traceback (most recent call last):\n  File \"/project/x.py\", line 1, in <module>\n    \
               import yaml\nImportError: No module named yaml\n";
    let three = "Traceback (most recent call last):\n  File \"/project/x.py\", line 3, in <module>\n    \
                 import yaml\nModuleNotFoundError: No module named 'yaml'\n";
    assert_eq!(signatures(&[two]), signatures(&[three]));
    insta::assert_snapshot!(signatures(&[two]), @"ModuleNotFoundError: No module named 'yaml' (x.py in <module>)");
}

#[test]
fn of_chained_exceptions_the_last_counts() {
    let chained = r#"Traceback (most recent call last):
  File "/project/x.py", line 2, in <module>
    import yaml
ModuleNotFoundError: No module named 'yaml'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/project/x.py", line 4, in load
    raise ValueError("no yaml for 12")
ValueError: no yaml for 12

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/venv/lib/python3.12/site-packages/demo/core.py", line 8, in main
    raise RuntimeError("failed after 3.5 s")
demo.errors.Failure: failed after 3.5 s
"#;
    let ignored = r#"Traceback (most recent call last):
  File "x.py", line 2, in <module>
KeyError: 'x'
Exception ignored in: <function D.__del__ at 0x7f1>
Traceback (most recent call last):
  File "x.py", line 9, in __del__
TypeError: 'NoneType' object is not callable
"#;
    let only_ignored = ignored.split_once("'x'\n").unwrap().1;
    insta::assert_snapshot!(signatures(&[chained, ignored, only_ignored]), @"
    Failure: failed after N s (demo/core.py in main)
    KeyError: 'x' (x.py in <module>)
    TypeError: 'NoneType' object is not callable (x.py in __del__)
    ");
}

#[test]
fn syntax_errors_need_no_traceback() {
    let script = r#"  File "/project/x.py", line 3
    print "x"
          ^
SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?
"#;
    let imported = r#"Traceback (most recent call last):
  File "x.py", line 1, in <module>
    import demo
  File "/venv/lib/python2.7/site-packages/demo/a.py", line 8
    async def f(): pass
            ^
SyntaxError: invalid syntax
"#;
    let indentation =
        "  File \"x.py\", line 2\n    x\n    ^\nIndentationError: expected an indented block\n";
    insta::assert_snapshot!(signatures(&[script, imported, indentation]), @"
    SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)? (x.py)
    SyntaxError: invalid syntax (demo/a.py)
    IndentationError: expected an indented block (x.py)
    ");
}

#[test]
fn a_group_names_what_is_in_it() {
    let group = r#"  + Exception Group Traceback (most recent call last):
  |   File "/project/x.py", line 5, in <module>
  |     raise ExceptionGroup("several", errors)
  | ExceptionGroup: several (3 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/project/x.py", line 2, in f
    |     raise ValueError(1)
    | ValueError: 1
    +---------------- 2 ----------------
    | TypeError: x
    +---------------- 3 ----------------
    | ValueError: 7
    +------------------------------------
"#;
    insta::assert_snapshot!(signatures(&[group]), @"ExceptionGroup: several [TypeError, ValueError] (x.py in <module>)");
}

#[test]
fn ends_without_a_traceback_have_a_signature() {
    use TestOutcome::{Failed, Idle, Killed, NotRun, OutOfMemory, Passed, TimedOut};
    let end = |outcome, signal, retval, output: &str, error: &str| {
        let mut run = Run { error: error.into(), ..run(outcome, output) };
        (run.signal, run.retval) = (signal, retval);
        of_run(&run).map_or_else(|| "no failure".to_owned(), |one| one.to_string())
    };
    let faulthandler = r#"Fatal Python error: Segmentation fault

Current thread 0x00007f2a (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519, in string_at
  File "/venv/lib/python3.11/site-packages/demo/native.py", line 3 in call
  File "/project/x.py", line 1 in <module>
"#;
    let pytest = "E   assert 1 == 2\n=== short test summary info ===\n\
                  FAILED tests/test_x.py::test_a - assert 17 == 2\nFAILED tests/test_x.py::test_b - x\n";
    let import = "ImportError while importing test module 'x'.\nE   ImportError: cannot import name 'url_quote'\n\
                  === short test summary info ===\nERROR tests/test_x.py\n";
    let ends = [
        end(Failed, Some(11), None, "", ""),
        end(Failed, None, Some(139), "", "Segmentation fault (core dumped)"),
        end(Failed, Some(11), None, "", faulthandler),
        end(
            Failed,
            Some(6),
            None,
            "",
            "terminate called after throwing an instance of 'std::bad_alloc'\n",
        ),
        end(Failed, Some(15), None, "", ""),
        end(TimedOut, None, None, "", "half a traceback"),
        end(Idle, None, None, "", ""),
        end(OutOfMemory, None, Some(137), "", ""),
        end(NotRun, None, None, "", ""),
        end(Failed, None, Some(1), "", ""),
        end(Failed, None, Some(2), "", "usage: x [-h]\nx: error: bad 3\n\n"),
        end(Failed, None, Some(3), "the result is 1.25e-07\n", "\n"),
        end(Failed, None, Some(1), pytest, ""),
        end(Failed, None, Some(2), import, ""),
        end(Failed, None, None, "", ""),
        end(Passed, None, Some(0), "", "Traceback (most recent call last):\nX: y"),
        end(Killed, Some(9), None, "", ""),
    ];
    insta::assert_snapshot!(ends.join("\n"), @"
    signal 11 (SIGSEGV)
    signal 11 (SIGSEGV)
    signal 11 (SIGSEGV) (demo/native.py in call)
    signal 6 (SIGABRT): terminate called after throwing an instance of 'std::bad_alloc'
    signal 15
    timed out
    idle: it neither printed nor computed
    out of memory
    not run
    exit status 1, no output
    exit status 2: x: error: bad N
    exit status 3: the result is N
    pytest: assert N == N (tests/test_x.py::test_a)
    pytest: ImportError: cannot import name 'url_quote' (tests/test_x.py)
    failed, no output
    no failure
    no failure
    ");
}

/// What pytest 9.2 prints of a module with a syntax error beside one that fails, and pytest 4.6, which has no summary.
#[test]
fn pytest_that_cannot_collect_is_told_by_what_was_raised() {
    let section = r#"___________________ ERROR collecting tests/test_syn.py ____________________
../environment/lib/python3.11/site-packages/_pytest/python.py:528: in importtestmodule
    mod = import_path(
<frozen importlib._bootstrap>:1204: in _gcd_import
    ???
../environment/lib/python3.11/site-packages/_pytest/assertion/rewrite.py:176: in exec_module
    source_hash, co = _rewrite_test(fn, self.config)
/usr/lib/python3.11/ast.py:50: in parse
    return compile(source, filename, mode, flags,
E     File "/project/tests/test_syn.py", line 1
E       Name: int =
E                 ^
E   SyntaxError: invalid syntax
"#;
    let other = "_______ ERROR collecting tests/test_imp.py _______\ntests/test_imp.py:1: in <module>\n    from json import x\n\
                 E   ImportError: cannot import name 'x' from 'json' (/usr/lib/python3.11/json/__init__.py)\n";
    let new = format!(
        "==== ERRORS ====\n{section}{other}=== short test summary info ===\nERROR tests/test_syn.py\nERROR tests/test_imp.py\n"
    );
    let old =
        format!("==== ERRORS ====\n{section}=========== 1 error in 0.10 seconds ===========\n");
    let conftest = "ImportError while loading conftest '/project/tests/conftest.py'.\ntests/conftest.py:1: in <module>\n    \
                    from jinja2 import x\n../environment/lib/python3.11/site-packages/jinja2/__init__.py:5: in <module>\n    y\n\
                    E   ImportError: cannot import name 'x' from 'jinja2' (/environment/x.py)\n";
    let of = |status, output: &str, error: &str| {
        let mut run = Run { error: error.into(), ..run(TestOutcome::Failed, output) };
        run.retval = Some(status);
        of_run(&run).unwrap().to_string()
    };
    let told = [of(2, &new, ""), of(2, &old, ""), of(4, "", conftest)];
    insta::assert_snapshot!(told.join("\n"), @"
    SyntaxError: invalid syntax (tests/test_syn.py)
    SyntaxError: invalid syntax (tests/test_syn.py)
    ImportError: cannot import name 'x' from 'jinja2' (jinja2/__init__.py in <module>)
    ");
}

#[test]
fn what_differs_from_run_to_run_is_masked() {
    let cases = [
        ("<object at 0x7f3c2a90>", "<object at 0xN>"),
        (
            "demo 1.2.0rc1 needs numpy>=1.20,<2 (found 2.0.0.post1+cu12)",
            "demo N needs numpy>=N,<N (found N)",
        ),
        ("got 1.5e-05 and -3", "got N and N"),
        ("shapes (3, 4, 5) and (2, 1)", "shapes (N…) and (N…)"),
        ("[0.1 0.22 0.333]", "[N…]"),
        ("float64, int32, jinja2 and utf8", "float64, int32, jinja2 and utf8"), // names
        ("'/tmp/x/project/a.csv' is missing", "'…/a.csv' is missing"),
        ("'/home/a b/c d.txt' is missing", "'…/c d.txt' is missing"),
        ("cannot open /lib/x86_64/libm-2.31.so: no", "cannot open …/libm-N.so: no"),
        ("'/tmp/tmpab12cd'", "'…'"),
        ("input/output and 1/2", "input/output and N/N"),
        ("v1.2.3 on python3.11", "vN on python3.11"),
        ("wheel deadbeef12345678 is bad", "wheel N is bad"),
        ("GLIBC_2.28 not found", "GLIBC_2.28 not found"), // which one is the point
        ("https://index.example/simple/", "https://index.example/simple/"),
        ("it's  'quoted'", "it's  'quoted'"),
        ("a\tb\u{202e}c\u{1b}[2Jd\u{0}\u{200b}", "a b\\u{202e}c\\u{1b}[N\\u{0}\\u{200b}"),
        ("/", "/"),
        ("'/unclosed path 12", "'…/unclosed path N"),
    ];
    for (text, expected) in cases {
        assert_eq!(mask::masked(text), expected, "{text}");
    }
    assert!(mask::masked(&"x ".repeat(10_000)).chars().count() <= 201);
    assert_eq!(mask::plain("a\x1b[31;1mb\x1b[0m"), "ab");
    assert_eq!(mask::plain("10 %\r50 %\rdone \r\n"), "done");
    assert_eq!(mask::plain("\x1b[3"), "");
}

#[test]
fn logs_of_builds_tell_what_stopped_them() {
    let pip = r#"Collecting demo==1.0
  error: subprocess-exited-with-error

  × python setup.py egg_info did not run successfully.
  │ exit code: 1
  ╰─> [6 lines of output]
      Traceback (most recent call last):
        File "<string>", line 2, in <module>
        File "/tmp/pip-install-k3j/demo_91/setup.py", line 3, in <module>
          import numpy
      ModuleNotFoundError: No module named 'numpy'
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
error: metadata-generation-failed
"#;
    let uv = r"  × Failed to build `demo==1.0`
  ├─▶ The build backend returned an error
  ╰─▶ Call to `setuptools.build_meta.build_wheel` failed (exit status: 1)

      [stderr]
      /tmp/x/demo/_x.c:3:10: fatal error: Python.h: No such file or directory
      error: command '/usr/bin/gcc' failed with exit code 1
";
    let conflict = "  × No solution found when resolving dependencies:\n  \
                    ╰─▶ Because dep==1.0 depends on jinja2==2.10 and jinja2==2.11, we can conclude that\n      \
                    your requirements are unsatisfiable.\n";
    // What pip 23.2 and uv 0.13 print; the last frames are of a `setup.py` that they run.
    let executed = r#"  × Preparing metadata (pyproject.toml) did not run successfully.
  │ exit code: 1
  ╰─> [18 lines of output]
      Traceback (most recent call last):
        File "/usr/lib/python3.11/site-packages/pip/_vendor/pyproject_hooks/_in_process.py", line 353, in <module>
          main()
        File "/usr/lib/python3.11/site-packages/setuptools/build_meta.py", line 335, in run_setup
          exec(code, locals())
        File "<string>", line 1, in <module>
      ModuleNotFoundError: No module named 'numpy'
      [end of output]
error: metadata-generation-failed
"#;
    let command = "  ╰─> [2 lines of output]\n      running dist_info\n      error: invalid command \
                   'bdist_wheel'\n      [end of output]\nerror: metadata-generation-failed\n\n\
                   × Encountered error while generating package metadata.\n╰─> See above for output.\n";
    let resolved = "error: No solution found when resolving dependencies\n  \
                    cause: Because a==3.1.2 depends on b>=2.0 and you require a==3.1.2, we can\n         \
                    conclude that you require b>=2.0.\n         And because you require b<2, no.\n";
    let missing = "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: 1.0, 1.1)\n\
                   ERROR: No matching distribution found for x==9\n";
    let cause = "error: Failed to build `x`\n  cause: The build backend returned an error\n  \
                 cause: unsupported archive of 3 parts\n";
    let buildkit = "#8 1.234 Traceback (most recent call last):\n#8 1.240   File \"/x/setup.py\", line 1, in <module>\n\
                    #8 1.250 OSError: no README\n";
    let cases = [
        (BuildReason::SourceBuildFailed, Some(pip)),
        (BuildReason::CompilerMissing, Some(uv)),
        (BuildReason::DependencyConflict, Some(conflict)),
        (BuildReason::NoMatchingDistribution, Some(missing)),
        (BuildReason::SourceBuildFailed, Some(cause)),
        (BuildReason::SourceBuildFailed, Some(executed)),
        (BuildReason::SourceBuildFailed, Some(command)),
        (BuildReason::DependencyConflict, Some(resolved)),
        (BuildReason::Unknown, Some(buildkit)),
        (BuildReason::Unknown, Some("")),
        (BuildReason::TimedOut, Some(pip)),
        (BuildReason::DependencyConflict, None),
    ];
    let signatures = cases.map(|(reason, log)| {
        let mut record = record("1.0", "3.11");
        record.build.as_mut().unwrap().reason = Some(reason);
        build::signature(&record, log).to_string()
    });
    insta::assert_snapshot!(signatures.join("\n"), @"
    build: ModuleNotFoundError: No module named 'numpy' (setup.py in <module>)
    build: error: Python.h: No such file or directory (_x.c)
    build: Because dep==N depends on jinja2==2.10 and jinja2==2.11, we can conclude that your requirements are unsatisfiable.
    build: No matching distribution found for x==9
    build: unsupported archive of 3 parts
    build: ModuleNotFoundError: No module named 'numpy'
    build: invalid command 'bdist_wheel'
    build: Because a==3.1.2 depends on b>=2.0 and you require a==3.1.2, we can conclude that you require b>=2.0. And because you require b<2, no.
    build: OSError: no README (setup.py in <module>)
    build: unknown, see the log
    build timed out
    build: dependencies conflict
    ");
}

#[test]
fn causes_are_counted_and_say_where() {
    let with = |version, python, errors: &[&str]| {
        let mut record = record(version, python);
        for (index, error) in errors.iter().enumerate() {
            record.add_run(&TestRecord::new(format!("t{index}"), ["t"]), failing(error));
        }
        record
    };
    let mut records = [
        with("2.11.3", "3.11", &[SOFT_UNICODE, SOFT_UNICODE]),
        with("2.8", "3.12", &[SOFT_UNICODE]),
        with("2.10", "3.11", &[SOFT_UNICODE, "bad 1"]),
        with("2.9", "3.11", &["bad 2"]),
        with("3.0", "3.11", &[]),
        with("3.1", "3.11", &[]),
    ];
    // A repeat of one test is one failure.
    let repeat = records[1].tests[0].runs[0].clone();
    records[1].tests[0].runs.push(repeat);
    records[4].outcome = CellOutcome::NotMeasured;
    records[5].outcome = CellOutcome::BuildFailed;
    let blob = BlobRef(Sha256::of(b"log"));
    records[5].build.as_mut().unwrap().log = Some(blob);
    let causes = cluster_with(&records, &|asked| {
        (*asked == blob).then(|| "ERROR: No matching distribution found for x==9".to_owned())
    });
    let lines: Vec<String> = causes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    3x ImportError: cannot import name 'soft_unicode' from 'markupsafe' (jinja2/filters.py in <module>) in 2.8 … 2.11.3
    2x exit status 1: bad N in 2.9, 2.10
    1x build: No matching distribution found for x==9 in 3.1
    ");
    insta::assert_snapshot!(serde_json::to_string_pretty(&causes[0]).unwrap(), @r#"
    {
      "signature": "ImportError: cannot import name 'soft_unicode' from 'markupsafe'",
      "count": 3,
      "first": "2.8",
      "example": {
        "cell": "2.8/3.12",
        "test": "t0"
      },
      "releases": [
        "2.8",
        "2.10",
        "2.11.3"
      ],
      "cells": [
        "2.8/3.12",
        "2.10/3.11",
        "2.11.3/3.11"
      ],
      "places": [
        {
          "at": "jinja2/filters.py in <module>",
          "count": 3,
          "tests": [
            "t0",
            "t1"
          ]
        }
      ]
    }
    "#);
    let schema = schemars::schema_for!(Cause);
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    for cause in causes {
        let value = serde_json::to_value(&cause).unwrap();
        assert!(validator.is_valid(&value));
        assert_eq!(serde_json::from_value::<Cause>(value).unwrap(), cause);
    }
    assert_eq!(cluster(&records).iter().filter(|cause| cause.example.test.is_none()).count(), 1);
}

/// One exception with its message is one cause, wherever it surfaces.
#[test]
fn places_do_not_split_a_cause() {
    let from = |file: &str, function: &str, message: &str| {
        format!(
            "Traceback (most recent call last):\n  File \"/project/{file}\", line 3, in {function}\n\
             AttributeError: {message}\n"
        )
    };
    let gone = "module 'tensorflow' has no attribute 'placeholder'";
    let mut all = record("2.0", "3.7");
    let mut deep = record("2.1", "3.7");
    let fail = |record: &mut Record, test: &str, error: &str| {
        record.add_run(&TestRecord::new(test, ["t"]), failing(error));
    };
    fail(&mut all, "a", &from("a.py", "<module>", gone));
    fail(&mut all, "b", &from("b.py", "<module>", gone));
    fail(&mut all, "c", &from("c.py", "build", gone));
    fail(
        &mut all,
        "d",
        &from("d.py", "<module>", "module 'tensorflow' has no attribute 'Session'"),
    );
    fail(&mut all, "e", "exit\n");
    // The same test twice in one cell, at two places: one failure.
    let chained = format!(
        "KeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\n{}",
        from("z.py", "main", gone)
    );
    fail(&mut deep, "a", &from("a.py", "<module>", gone));
    fail(&mut deep, "a", &chained);
    let causes = cluster(&[all, deep]);
    let lines: Vec<String> = causes.iter().flat_map(Cause::lines).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    2x AttributeError: module 'tensorflow' has no attribute 'placeholder' in 2.0, 2.1
      2x a.py in <module>
      1x b.py in <module>
      1x c.py in build
      1x z.py in main
    1x AttributeError: module 'tensorflow' has no attribute 'Session' (d.py in <module>) in 2.0
    1x exit status 1: exit in 2.0
    ");
    let tests: Vec<_> = causes[0].places.iter().map(|place| (place.count, &place.tests)).collect();
    assert_eq!(tests[0], (2, &["a".to_owned()].into()));
}
