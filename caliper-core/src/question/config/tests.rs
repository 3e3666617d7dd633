mod groups;
mod overlay;
mod project;

use std::io;

use super::*;
use crate::question::criteria::Rule;

/// A project with a template and one script.
fn read(path: &str) -> io::Result<Vec<u8>> {
    match path {
        "Dockerfile" => Ok(b"FROM {{ base }}\nRUN pip install {{ filename }}\n".to_vec()),
        "broken" => Ok(b"FROM {{ bse }}\n".to_vec()),
        "test.py" | "docs/tour.ipynb" => Ok(Vec::new()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse(text: &str) -> Result<Config, String> {
    Config::from_yaml("caliper.yaml", text, &read).map_err(|error| error.to_string())
}

#[test]
fn what_is_looked_past_is_read_strictly() {
    let first = |line: &str| -> String {
        let text = problems(&format!("analysis:\n  dependency: demo\n  {line}\n"));
        text.lines().next().unwrap_or_default().to_owned()
    };
    for (line, problem) in [
        ("compare: {relative: -1}", "`relative` must be a finite number, not below 0"),
        ("compare: {absolute: .nan}", "`absolute`: invalid float literal"),
        ("compare: {alpha: 1}", "`alpha` is an error rate between 0 and 1, such as 0.05"),
        ("compare: {nan: same}", "`nan` is `equal`, `different`, not `same`"),
        ("compare: {fields: {x: {rtol: 1}}}", "unknown key `rtol`"),
        ("compare: none", "`compare` is `exit-status`, not `none`"),
        (
            "compare: {keep: [dates]}",
            "`keep` is `line_endings`, `progress_bars`, `ansi`, `version`, `timestamps`, `warning_lines`, `addresses`, `paths`, `temp_names`, `durations`, `rates`, `sets`, `svg_ids`, `image_metadata`, `spelling`, not `dates`",
        ),
        (
            "compare: {ignore: [{line: 'a('}]}",
            "`line`: `a(` is not a regular expression: error: unclosed group",
        ),
        (
            "compare: {ignore: [{line: a, field: b}]}",
            "an entry of `ignore` is one of `line`, `pattern` and `field`",
        ),
        (
            "tests: [{run: x, compare: {alpha: 0.1}}]",
            "`alpha` is the error rate over all tests together",
        ),
        ("results: [/etc/passwd]", "`/etc/passwd` leaves the project"),
        ("results: ['a[']", "`a[`: unclosed character class; missing ']'"),
        ("export: [a.pt]", "`a.pt` is none of the `results`"),
        ("export: ['a{b,c}']", "`a{b,c}` has more than `*`, `**` and `?`"),
    ] {
        assert_eq!(first(line), problem);
    }
}

#[test]
fn the_import_is_chosen_or_switched_off() {
    use crate::question::modules::ImportChoice;
    let choice = |rest: &str| {
        parse(&format!("analysis:\n  dependency: demo\n  {rest}\n")).map(|config| config.import)
    };
    let name = |text: &str| text.parse().unwrap();
    assert_eq!(choice("").unwrap(), ImportChoice::OfTheDependency);
    let modules = ImportChoice::Modules(vec![name("sklearn"), name("a.b")]);
    assert_eq!(choice("import: [sklearn, a.b]").unwrap(), modules);
    assert_eq!(choice("import: false\n  tests: [test.py]").unwrap(), ImportChoice::Off);
    let first = |rest: &str| -> String {
        choice(rest).unwrap_err().lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(first("import: false"), "without the import and `tests` nothing is run");
    assert_eq!(first("import: true"), "`import` is a list of modules, or `false`");
    assert_eq!(first("import: []"), "`import` is a list of modules, or `false`");
    assert!(first("import: [a-b]").contains("`a-b` is not the name of a module"));
}

#[test]
fn extras_of_the_dependency_are_led_to_the_requirements() {
    let text = problems("analysis: {dependency: 'requests[socks]'}");
    insta::assert_snapshot!(text, @r#"
    the extras of the dependency do not stand here
     --> caliper.yaml:1:24
      |
    1 | analysis: {dependency: 'requests[socks]'}
      |                        ^^^^^^^^^^^^^^^^^
      |
      = help: write `dependency: requests` and `requirements: ["requests[socks]"]`
    "#);
}

/// The problems of a configuration, in full.
fn problems(text: &str) -> String {
    parse(text).expect_err("there is something wrong with it")
}

#[test]
fn tests_with_functions_are_read() {
    let config = parse(
        r#"
analysis:
  dependency: demo
  tests:
    - pytest: tests/ -k "fast and not slow"
    - {name: unit, unittest: discover -s unit, repeat: 3, env: {A: "1"}, timeout: 5s, files: [unit]}
    - doctest: README.rst src
    - {notebook: docs/tour.ipynb, compare: {absolute: 1e-3}}
    - {run: pytest tests}
"#,
    )
    .unwrap();
    let told: Vec<String> = config
        .tests
        .iter()
        .map(|test| {
            let words = test.command.iter().map(|word| word.lines().last().unwrap_or_default());
            format!("{} {:?} {}", test.name, test.kind, words.collect::<Vec<_>>().join(" | "))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    pytest tests/ -k "fast and not slow" Pytest python | -m | pytest | -p | no:cacheprovider | -p | no:randomly | --color=no | --continue-on-collection-errors | -o | junit_family=xunit1 | --junitxml=$CALIPER_REPORT | tests/ | -k | fast and not slow
    unit Unittest python | -c |         report.write() | discover | -s | unit
    doctest README.rst src Doctest python | -c | sys.exit(1 if failed else 0) | README.rst | src
    notebook docs/tour.ipynb Notebook python | -c |     sys.exit(1) | docs/tour.ipynb
    pytest tests Command pytest | tests
    "#);
    assert_eq!((config.tests[1].repeat, config.tests[1].environment.len()), (3, 1));
    // What a plan says of a command does not change.
    let command = serde_json::to_value(&config.tests[4]).unwrap();
    assert!(command.get("kind").is_none(), "{command}");
    let pytest = serde_json::to_value(&config.tests[0]).unwrap();
    assert_eq!(pytest["kind"], "pytest");
}

#[test]
fn what_is_wrong_with_a_test_with_functions_is_told() {
    let text = problems(
        r#"
analysis:
  dependency: demo
  tests:
    - {name: a}
    - {pytest: tests, run: x}
    - {pytest: tests --junitxml=x.xml}
    - {pytest: "tests && echo"}
    - {notebook: one.ipynb two.ipynb}
    - {notebook: missing.ipynb}
    - {pytest: "'"}
    - pytest:
"#,
    );
    insta::assert_snapshot!(text, @r#"
    this test has no `run`
     --> caliper.yaml:5:7
      |
    5 |     - {name: a}
      |       ^^^^^
      |
      = help: give it a command, `run: python script.py --fast`, or one of `pytest`, `unittest`, `doctest` and `notebook`

    this test has both `run` and `pytest`
     --> caliper.yaml:6:16
      |
    6 |     - {pytest: tests, run: x}
      |                ^^^^^
      |
      = help: make two tests of it

    `--junitxml=x.xml` would take away the report that Caliper reads
     --> caliper.yaml:7:16
      |
    7 |     - {pytest: tests --junitxml=x.xml}
      |                ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: leave it out; `caliper show CELL` tells how each function ended

    `&&` means something to a shell only, and no shell runs this
     --> caliper.yaml:8:16
      |
    8 |     - {pytest: "tests && echo"}
      |                ^^^^^^^^^^^^^^^
      |
      = help: only arguments stand here; what else is to be done is a test of its own

    `notebook` is the path of one notebook
     --> caliper.yaml:9:18
      |
    9 |     - {notebook: one.ipynb two.ipynb}
      |                  ^^^^^^^^^^^^^^^^^^^
      |
      = help: write a test for each notebook: `notebook: docs/tour.ipynb`

    there is no file `missing.ipynb`
      --> caliper.yaml:10:18
       |
    10 |     - {notebook: missing.ipynb}
       |                  ^^^^^^^^^^^^^
       |
       = help: paths are relative to the folder of the configuration

    `pytest` has a quote that is not closed
      --> caliper.yaml:11:16
       |
    11 |     - {pytest: "'"}
       |                ^^^

    `pytest` has no value
      --> caliper.yaml:12:7
       |
    12 |     - pytest:
       |       ^^^^^^
       |
       = help: give it one, or leave the line out

    this test has no `run`
      --> caliper.yaml:12:7
       |
    12 |     - pytest:
       |       ^^^^^^
       |
       = help: give it a command, `run: python script.py --fast`, or one of `pytest`, `unittest`, `doctest` and `notebook`
    "#);
}

#[test]
fn everything_but_the_dependency_has_a_default() {
    let config = parse("analysis:\n  dependency: Jinja2\n").unwrap();
    assert_eq!(config.name, "Jinja2");
    assert_eq!(config.base.source, "python:{{ python }}");
    assert!(config.tests.is_empty() && config.python_versions.is_empty());
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
analysis:
  name: Testing tensorflow
  packagemanager: pypi
  dependency: tensorflow
  versions: ">=1.0,<2"
  python_versions: [cp27, "3.11", 3.10]
  sdist: never
  dockerfile: Dockerfile
  base: "python:{{ python }}-slim"
  args: {additionaldeps: [scikit-learn], fast: true, level: 3.10}
  requirements: ["numpy<2"]
  tests:
    - test.py
    - {name: train, run: "python train.py --name 'a b'", timeout: 10m, env: {SEED: 0}, repeat: 3, files: [train.py, "data/*.csv"]}
    - {run: lint, compare: exit-status}
    - {run: fit, compare: {keep: [durations], relative: 0.1, ignore: [{line: "^versions"}, {pattern: "[0-9]+ s"}, {field: "t*"}]}}
  results: ["out/*.csv", "**/w.npz"]
  compare: {absolute: 0.5, relative: 1e-3, ulps: 4, nan: different, fields: {loss: {relative: 0}}, keep: [sets],
    stderr: true, alpha: 0.01}
  limits: {timeout: 1m, idle: 5m, memory: 2GiB, cpus: 1.5, pids: 512, output: 1MiB, network: none, capabilities: [cap_net_raw],
    cpuset: '0,1', disk: 1GiB, gpus: [0, GPU-3f], runtime: nvidia}
  baseline: "2.0.0"
  expect: ">=2.0"
"#,
    )
    .unwrap();
    insta::assert_debug_snapshot!(config);
}

#[test]
fn a_test_says_how_it_is_compared() {
    let config = parse(
        r"
analysis:
  dependency: x
  compare: {absolute: 0.5, keep: [sets], stderr: true, ignore: [{line: a}]}
  tests: [test.py, {name: lint, run: lint, compare: exit-status}, {name: fit, run: fit, compare: {keep: [ansi], ulps: 4}}]
",
    )
    .unwrap();
    let Criteria { usual, tests, .. } = &config.compare;
    assert_eq!(tests.keys().collect::<Vec<_>>(), ["fit", "lint"]);
    assert_eq!(config.compare.of("test.py"), usual);
    let of = |test| config.compare.of(test);
    assert!(of("lint").exit_status && !of("fit").exit_status);
    // The keys that a test names replace those of the analysis, and no others.
    let fit = of("fit");
    assert!(fit.stderr && fit.policy.rules.contains(&Rule::Sets));
    assert!(!fit.policy.rules.contains(&Rule::Ansi));
    assert_eq!((fit.policy.tolerance.absolute(), fit.policy.tolerance.ulps()), (0.5, Some(4)));
    assert_eq!(fit.policy.ignore, usual.policy.ignore);
}

#[test]
fn unquoted_numbers_keep_their_digits() {
    let config = parse("analysis: {dependency: x, versions: [0.1, 1.10, 2]}").unwrap();
    assert_eq!(config.selection.versions.to_string(), "0.1, 1.10, 2");
    let config = parse("analysis: {dependency: x, versions: 1.10}").unwrap();
    assert_eq!(config.selection.versions.to_string(), "1.10");
}

#[test]
fn a_rule_for_versions_is_text_or_keys() {
    let versions = |text: &str| {
        let config = parse(&format!("analysis: {{dependency: x, versions: {text}}}")).unwrap();
        config.selection.versions.to_string()
    };
    let expected = ">=2, since: 2021-03-01T00:00:00Z, latest-patch, latest: 5";
    assert_eq!(versions("'latest: 5, >=2, latest-patch, since: 2021-03-01'"), expected);
    let keys = "{specifiers: '>=2', since: 2021-03-01, latest-patch: true, latest: 5}";
    assert_eq!(versions(keys), expected);
    assert_eq!(versions("{latest-patch: false}"), "all final releases");
    insta::assert_snapshot!(problems(
        "analysis:\n  dependency: x\n  versions:\n    latest: none\n    last: 3\n    since: spring\n"
    ), @"
    `latest` takes how many releases, from 1 on, and not `none`
     --> caliper.yaml:4:13
      |
    4 |     latest: none
      |             ^^^^

    unknown key `last`
     --> caliper.yaml:5:5
      |
    5 |     last: 3
      |     ^^^^
      |
      = help: did you mean `latest`?

    `since`: `spring` is not a date: write `2021-03-01` or `2021-03-01T12:00:00Z`
     --> caliper.yaml:6:12
      |
    6 |     since: spring
      |            ^^^^^^
    ");
}

#[test]
fn every_problem_is_told_at_once() {
    insta::assert_snapshot!(problems(
        r"
analysis:
  dependancy: jinja2
  versions: '=>1.0'
  python_versions: [py3, 3.11, 3.11]
  dockerfile: Dockerfil
  limits: {timeout: 10, memroy: 2GiB, network: some}
  limits: {}
  tests:
    - missing.py
    - ../outside.py
    - test.py
    - test.py
    - {run: python a.py | tee b}
    - {name: x}
  nonsense: 1
  expect:
"
    ));
}

#[test]
fn the_root_is_analysis() {
    insta::assert_snapshot!(problems(""), @"
    the configuration must be keys with values
     --> caliper.yaml:1:1
      |
    1 |
      | ^
      |
      = help: it holds `analysis`
    ");
    insta::assert_snapshot!(problems("- x"), @"
    the configuration must be keys with values
     --> caliper.yaml:1:1
      |
    1 | - x
      | ^^^
      |
      = help: it holds `analysis`
    ");
    insta::assert_snapshot!(problems("dependency: x"), @"
    unknown key `dependency`
     --> caliper.yaml:1:1
      |
    1 | dependency: x
      | ^^^^^^^^^^
      |
      = help: the keys here are `analysis`
    ");
    insta::assert_snapshot!(problems("analysis: {}"), @"
    there is no `dependency`
     --> caliper.yaml:1:1
      |
    1 | analysis: {}
      | ^^^^^^^^
      |
      = help: name a package: `dependency: jinja2`
    ");
    insta::assert_snapshot!(problems("analysis: x: y"), @"
    this is not valid YAML: mapping values are not allowed in this context
     --> caliper.yaml:1:12
      |
    1 | analysis: x: y
      |            ^
    ");
}

#[test]
fn a_broken_template_is_shown() {
    insta::assert_snapshot!(problems("analysis:\n  dependency: x\n  dockerfile: broken\n"), @"
    template `broken`, line 1: there is no variable `bse`
              1 | FROM {{ bse }}
           help: did you mean `base`?
           help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, build_constraints, project_wheel, project_extras
     --> caliper.yaml:3:15
      |
    3 |   dockerfile: broken
      |               ^^^^^^
    ");
    insta::assert_snapshot!(problems("analysis:\n  dependency: x\n  args: {base: 1, a b: 2}\n"), @"
    `base` is a template variable of Caliper's own
     --> caliper.yaml:3:10
      |
    3 |   args: {base: 1, a b: 2}
      |          ^^^^
      |
      = help: choose another name

    `a b` cannot be the name of a template variable
     --> caliper.yaml:3:19
      |
    3 |   args: {base: 1, a b: 2}
      |                   ^^^
      |
      = help: use letters, digits and `_`
    ");
}

#[test]
fn requirements_cannot_pass_for_options() {
    insta::assert_snapshot!(
        problems("analysis:\n  dependency: x\n  requirements: [--index-url=x, 'a`id`', numpy<2]\n"),
        @"
    `--index-url=x` is not a requirement
     --> caliper.yaml:3:18
      |
    3 |   requirements: [--index-url=x, 'a`id`', numpy<2]
      |                  ^^^^^^^^^^^^^
      |
      = help: name a package and what may be installed of it: `numpy<2`

    `a`id`` is not a requirement
     --> caliper.yaml:3:33
      |
    3 |   requirements: [--index-url=x, 'a`id`', numpy<2]
      |                                 ^^^^^^^
      |
      = help: name a package and what may be installed of it: `numpy<2`
    "
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one snapshot for each message")]
fn axes_are_read_strictly() {
    insta::assert_snapshot!(problems(
        r"
analysis:
  dependency: x
  args: {blas: none}
  axes:
    version: [1]
    cpu: [1]
    cpus: [1, many]
    as_of: [release, yesterday, release]
    seed: {values: [1]}
    numpy: {releases: '=>1'}
    a b: {plain: {}}
    flavour: {plain: , mkl: {requirement: [mkl], args: {x: 1}}}
  exclude: [{as_of: relase}, {sed: 1}, {version: '<a'}]
"
    ), @r#"
    `version` is a name that cells have already
     --> caliper.yaml:6:5
      |
    6 |     version: [1]
      |     ^^^^^^^
      |
      = help: choose another name

    `cpu` is not an axis that Caliper knows
     --> caliper.yaml:7:10
      |
    7 |     cpu: [1]
      |          ^^
      |
      = help: an axis is a list (of dates for `as_of`, or of values of a limit such as `cpus`), `{env: NAME, values: […]}`, `{releases: SPECIFIERS}`, or bundles such as `{plain: {}, mkl: {requirements: [mkl]}}`

    `cpus`: invalid float literal
     --> caliper.yaml:8:15
      |
    8 |     cpus: [1, many]
      |               ^^^^

    `yesterday` is not a date of the index
     --> caliper.yaml:9:22
      |
    9 |     as_of: [release, yesterday, release]
      |                      ^^^^^^^^^
      |
      = help: write `release`, `today`, or a date such as `2021-03-01`

    `release` is in the list twice
     --> caliper.yaml:9:33
      |
    9 |     as_of: [release, yesterday, release]
      |                                 ^^^^^^^

    it is not said which variable has these values
      --> caliper.yaml:10:11
       |
    10 |     seed: {values: [1]}
       |           ^^^^^^^
       |
       = help: name an environment variable: `{env: SEED, values: [0, 1]}`

    `versions`: `=>1` does not select releases (Failed to parse version: no such comparison operator "=>", must be one of ~= == != <= >= < > ===:): write specifiers such as `>=1.0,<2`, versions, `latest-patch`, `latest: 5` or `since: 2021-03-01`
      --> caliper.yaml:11:23
       |
    11 |     numpy: {releases: '=>1'}
       |                       ^^^^^

    `a b` cannot be the name of an axis
      --> caliper.yaml:12:5
       |
    12 |     a b: {plain: {}}
       |     ^^^
       |
       = help: use letters, digits, `_`, `-` and `.`

    `plain` must say what it changes
      --> caliper.yaml:13:22
       |
    13 |     flavour: {plain: , mkl: {requirement: [mkl], args: {x: 1}}}
       |                      ^
       |
       = help: write `plain: {}` for nothing; an axis is a list (of dates for `as_of`, or of values of a limit such as `cpus`), `{env: NAME, values: […]}`, `{releases: SPECIFIERS}`, or bundles such as `{plain: {}, mkl: {requirements: [mkl]}}`

    unknown key `requirement`
      --> caliper.yaml:13:30
       |
    13 |     flavour: {plain: , mkl: {requirement: [mkl], args: {x: 1}}}
       |                              ^^^^^^^^^^^
       |
       = help: did you mean `requirements`?

    `x` does not stand under the `args` of the analysis
      --> caliper.yaml:13:56
       |
    13 |     flavour: {plain: , mkl: {requirement: [mkl], args: {x: 1}}}
       |                                                        ^^
       |
       = help: give it the value there that it has in all other cells

    `relase` is not a value of `as_of`
      --> caliper.yaml:14:21
       |
    14 |   exclude: [{as_of: relase}, {sed: 1}, {version: '<a'}]
       |                     ^^^^^^
       |
       = help: did you mean `release`?

    unknown key `sed`
      --> caliper.yaml:14:31
       |
    14 |   exclude: [{as_of: relase}, {sed: 1}, {version: '<a'}]
       |                               ^^^
       |
       = help: the keys here are `version`, `python`, `cpus`, `as_of`, `flavour`

    a condition: Failed to parse version: expected version to start with a number, but no leading ASCII digits were found:
      --> caliper.yaml:14:50
       |
    14 |   exclude: [{as_of: relase}, {sed: 1}, {version: '<a'}]
       |                                                  ^^^^
    "#);
}

#[test]
fn a_date_is_that_of_the_analysis_and_clocks_are_an_axis() {
    let labels = |text: &str| {
        let config = parse(&format!("analysis:\n  dependency: x\n  {text}\n")).unwrap();
        let labels = config.axes.axes.iter().flat_map(|axis| {
            axis.listed().iter().map(|value| format!("{}={}", axis.name, value.label))
        });
        let date = config.selection.as_of.map(|date| date.to_string());
        (date, labels.collect::<Vec<_>>().join(" "))
    };
    let of_day = Some("2024-05-01T00:00:00Z".to_owned());
    assert_eq!(labels("as_of: 2024-05-01"), (of_day, String::new()));
    assert_eq!(labels("as_of: release"), (None, "as_of=release".to_owned()));
    let both = "as_of=today as_of=release".to_owned();
    assert_eq!(labels("as_of: [today, release]"), (None, both.clone()));
    assert_eq!(labels("axes: {as_of: [today, release]}"), (None, both));
    assert_eq!(labels("axes: {as_of: today}"), (None, "as_of=today".to_owned()));

    let twice = parse("analysis:\n  dependency: x\n  as_of: [today]\n  axes: {as_of: [release]}\n");
    insta::assert_snapshot!(twice.unwrap_err(), @r"
    `as_of` is among the `axes` too
     --> caliper.yaml:3:3
      |
    3 |   as_of: [today]
      |   ^^^^^
      |
      = help: keep one of the two
    ");
}

#[test]
fn axes_are_lists_of_overlays() {
    let config = parse(
        r"
analysis:
  dependency: x
  as_of: 2024-05-01
  constraints: ['numpy<2']
  axes:
    cpuset: [0, '0-1']
    gpus: [all, [0, 1]]
    seed: {env: SEED, values: [0, 1]}
    np: {package: numpy, releases: {latest: 2}}
    flavour: {plain: {}, mkl: {limits: {memory: 1GiB}}}
",
    )
    .unwrap();
    assert_eq!(config.selection.as_of, Some("2024-05-01".parse().unwrap()));
    assert_eq!(config.setup().constraints, ["numpy<2"]);
    let told: Vec<String> = config
        .axes
        .axes
        .iter()
        .map(|axis| {
            let labels: Vec<&str> = axis.listed().iter().map(|value| &*value.label).collect();
            format!("{}: {}", axis.name, labels.join(" "))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    cpuset: 0 0-1
    gpus: all 0+1
    seed: 0 1
    np: 
    flavour: plain mkl
    ");
}

#[test]
fn escape_sequences_do_not_reach_the_terminal() {
    let shown = problems("analysis:\n  dependency: \"\\e[2Jx\"\n  \"a\\e[31m\": 1\n");
    assert!(!shown.contains('\x1b'), "{shown:?}");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(analysis:\n  )?[ -~\n]{0,120}") {
        let _ = parse(&text);
    }
}

#[test]
fn values_are_expected_in_some_cells() {
    let text = |values: &str| {
        format!(
            "analysis:\n  dependency: x\n  tests: [{{name: draw, run: a}}]\n  axes: {{mode: {{eager: {{}}, graph: {{}}}}}}\n  expect:\n{values}"
        )
    };
    let config = parse(&text(
        "    releases: '>=2'
    values:
      - {metric: mean, value: 0.25, where: {version: '<2', mode: [eager, graph]}, absolute: 0.5, relative: 0}
      - {test: draw, metric: 'm.json: sd', value: -1e-3, machine: '*aarch64*', nan: different}
",
    ))
    .unwrap();
    assert_eq!(config.expect.unwrap().to_string(), ">=2");
    insta::assert_debug_snapshot!(config.expected);
    insta::assert_snapshot!(problems(&text(
        "    release: '>=2'
    values:
      - {metric: mean, where: {version: '<2', mode: eagre}}
      - {test: drew, value: one, machine: '['}
      - {metric: mean, value: 1, where: {}}
      - mean
"
    )));
    let said = problems("analysis: {dependency: x, expect: {values: []}}");
    assert!(said.contains("`expect` expects nothing"), "{said}");
    let several = "analysis: {dependency: x, tests: [{name: a, run: a}, {name: b, run: b}], expect: {values: [{metric: m, value: 1}]}}";
    let said = problems(several);
    assert!(said.contains("it is not said of which test the value is"), "{said}");
}
