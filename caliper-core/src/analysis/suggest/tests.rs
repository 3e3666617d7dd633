use std::collections::BTreeSet;

use pep440_rs::VersionSpecifiers;
use proptest::prelude::*;

use super::*;

/// Releases with their outcome: `+` passes, `-` fails, `?` was not measured.
fn releases(text: &str) -> Vec<(Version, Known)> {
    let release = |word: &str| {
        let (sign, version) = word.split_at(1);
        let known = match sign {
            "+" => Known::Passed,
            "-" => Known::Failed,
            _ => Known::Unmeasured,
        };
        (version.parse().unwrap(), known)
    };
    text.split_whitespace().map(release).collect()
}

fn suggested(text: &str) -> String {
    match suggest(&releases(text)) {
        Suggested::Specifier(suggestion) => suggestion.specifier,
        Suggested::NothingPasses => "nothing passes".to_owned(),
        Suggested::Inseparable { failing } => {
            let failing: Vec<String> = failing.iter().map(ToString::to_string).collect();
            format!("inseparable: {}", failing.join(" "))
        }
    }
}

#[test]
fn the_shortest_specifier_is_one_that_people_would_write() {
    for (outcomes, expected) in [
        ("+1.0 +1.1 +2.0", ">=1.0"), // nothing fails
        ("?0.9 +1.0 +1.1", ">=1.0"), // nothing older is known to pass
        ("-1.0 +1.1 +2.0", ">=1.1"),
        ("+1.0 +1.9 -2.0 -2.1", "<2"),
        ("+2.0.4 -2.1.3", "<2.1"),
        ("+2.0.4 -2.0.5 -2.1", "<2.0.5"),   // `<2.1` would allow it
        ("+2.0.4 ?2.1.0 -2.1.3", "<2.1.3"), // 2.1.0 might be fine
        ("-1.0 +1.1 +1.2 -2.0", ">=1.1,<2"),
        ("-1.0 +2.0 +2.1 -3.0", "==2.*"), // one clause for two
        ("-2.1.3 +2.2.0 +2.2.1 -2.3", "==2.2.*"),
        ("-1.0 +2.0 -3.0", "==2.*"),
        ("-2.0 +2.0.1 -2.0.2", "==2.0.1"),
        ("+1.0 -1.1 +1.2", "!=1.1"),
        ("+1.0 -1.1.0 -1.1.1 +1.2", "!=1.1.*"),
        ("+1.0 -1.1.0 ?1.1.1 +1.2", "!=1.1.0"), // only what is known to fail
        ("+1.0 -1.1.0 ?1.1.1 -1.1.2 +1.2", "!=1.1.*"), // unless it saves a clause
        ("-1.0 +1.1 -1.2 +1.3 -2.0", ">=1.1,<2,!=1.2"),
        ("-1.0 -2.0", "nothing passes"),
        ("?1.0", "nothing passes"),
        ("", "nothing passes"),
        ("+1.0 -1.0", "nothing passes"), // twice, and failing once
    ] {
        assert_eq!(suggested(outcomes), expected, "{outcomes}");
    }
}

#[test]
fn the_traps_of_pep_440_are_stepped_around() {
    for (outcomes, expected) in [
        ("-1.0 +1.0.post1 +1.1", ">=1.0.post1"), // `>1.0` excludes 1.0.post1
        ("+2.0rc1 -2.0", "<=2.0rc1"),            // `<2.0` excludes 2.0rc1
        ("+1.9 -2.0rc1 -2.0", "<2"),             // here it is what is wanted
        ("+1.9 -2.0rc1 +2.0", "!=2.0rc1"),
        ("+2.0rc1 ?2.0rc2 -2.0", "<=2.0rc2"),
        ("-1.9 +2.0rc1 +2.0", ">=2.0rc1"),
        ("+1.0 -1.0+cu118 +1.1", "!=1.0+cu118"),
        ("+1.0 -1.0+cu118", "!=1.0+cu118"), // `<=1.0` allows it
        ("-1.0 -1.0+cu118 +1.1 -1.2", "==1.1.*"),
        ("-1.0 +1.0+cpu", "==1.0+cpu"),
        ("-1.0 +1.0+cpu +1.1", "inseparable: 1.0"), // `!=1.0` excludes 1.0+cpu
        ("-1!1.0 +1!2.0 +3.0", "!=1!1.0"),          // 3.0 is older than both
        ("+3.0 -1!1.0 -1!2.0", "<1!1"),
        ("-0.9 +1.0.dev1 +1.0", ">=1.0.dev1"),
        ("+1.0 -1.0.post1 +1.1", "!=1.0.post1"),
        ("-1 +1.0.1 +1.0.2 -1.1", ">=1.0.1,<1.1"), // `==1.0.*` allows 1
    ] {
        assert_eq!(suggested(outcomes), expected, "{outcomes}");
    }
}

#[test]
fn what_nobody_measured_is_listed() {
    let answer = suggest(&releases("?0.9 -1.0 +1.1 ?1.2 +1.3 ?1.4 -2.0 ?2.1"));
    insta::assert_snapshot!(serde_json::to_string(&answer).unwrap(), @r#"{"specifier":{"specifier":">=1.1,<2","clauses":2,"nothing_fails":false,"allows":["1.1","1.3"],"unproven":["1.2","1.4"],"unproven_excluded":["0.9","2.1"]}}"#);
    let schema = schemars::schema_for!(Suggested);
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    for outcomes in ["+1.0", "-1.0", "-1.0 +1.0+cpu +1.1"] {
        let answer = suggest(&releases(outcomes));
        let value = serde_json::to_value(&answer).unwrap();
        assert!(validator.is_valid(&value), "{value}");
        assert_eq!(serde_json::from_value::<Suggested>(value).unwrap(), answer);
    }
}

#[test]
fn pythons_are_feature_releases() {
    let suggested = |text: &str| {
        let pythons: Vec<(PythonVersion, Known)> = text
            .split_whitespace()
            .map(|word| (word[1..].parse().unwrap(), releases(&format!("{}1", &word[..1]))[0].1))
            .collect();
        match suggest_python(&pythons) {
            Suggested::Specifier(suggestion) => {
                let allows: Vec<String> =
                    suggestion.allows.iter().map(ToString::to_string).collect();
                format!("{} allows {}", suggestion.specifier, allows.join(" "))
            }
            other => format!("{other:?}"),
        }
    };
    for (pythons, expected) in [
        ("-2.7 +3.9 +3.10 +3.11", ">=3.9 allows 3.9 3.10 3.11"),
        ("+3.9 +3.10", ">=3.9 allows 3.9 3.10"),
        ("+3.9 +3.10 -3.12", "<3.12 allows 3.9 3.10"),
        ("-3.8 +3.9 -3.10", "==3.9.* allows 3.9"), // `==3.9` would not allow 3.9.1
        ("+3.9 -3.10 +3.11", "!=3.10.* allows 3.9 3.11"),
        ("+2.7 -3.9 -3.10", "<3 allows 2.7"),
        ("+3.13 -3.13t", ">=3.13 allows 3.13"), // one version, two builds
        ("-3.9", "NothingPasses"),
    ] {
        assert_eq!(suggested(pythons), expected, "{pythons}");
    }
}

#[test]
fn a_declaration_is_held_against_the_evidence() {
    let evidence = releases("+1.0 -1.1 +1.2 ?1.3 +2.0 -2.1 -2.2 -2.3 -2.4 -2.5 -2.6");
    let said = |declared| match check(declared, &evidence) {
        Ok(declared) => declared.to_string(),
        Err(error) => format!("error: {error}"),
    };
    let all = [">=1.2,<2", ">=1.2, <2.1", "", ">=1.0", "==1.*", ">=2.1", "^1.0", "1.0"].map(said);
    insta::assert_snapshot!(all.join("\n\n"), @"
    >=1.2,<2: holds, it allows 1 passing release and no failing one (oldest measured: 1.0, newest: 2.6)
    >=1.2,<2: too narrow, it excludes 2 passing releases: 1.0, 2.0
    >=1.2,<2: without evidence, it allows 1 unmeasured release: 1.3

    >=1.2, <2.1: holds, it allows 2 passing releases and no failing one (oldest measured: 1.0, newest: 2.6)
    >=1.2, <2.1: too narrow, it excludes 1 passing release: 1.0
    >=1.2, <2.1: without evidence, it allows 1 unmeasured release: 1.3

    any release: refuted, it allows 7 failing releases: 1.1, 2.1, 2.2, 2.3, 2.4, …
    any release: without evidence, it allows 1 unmeasured release: 1.3

    >=1.0: refuted, it allows 7 failing releases: 1.1, 2.1, 2.2, 2.3, 2.4, …
    >=1.0: without evidence, it allows 1 unmeasured release: 1.3

    ==1.*: refuted, it allows 1 failing release: 1.1
    ==1.*: too narrow, it excludes 1 passing release: 2.0
    ==1.*: without evidence, it allows 1 unmeasured release: 1.3

    >=2.1: refuted, it allows 6 failing releases: 2.1, 2.2, 2.3, 2.4, 2.5, …
    >=2.1: too narrow, it excludes 3 passing releases: 1.0, 1.2, 2.0

    error: `^1.0` is not a version specifier (Unexpected end of version specifier, expected operator): write it as PEP 440 does, such as `>=1.0,<2`

    error: `1.0` is not a version specifier (Unexpected end of version specifier, expected operator): write it as PEP 440 does, such as `>=1.0,<2`
    ");
    assert!(check("!=1.1,<2.1", &evidence).unwrap().holds());
}

const PROJECT: &str = r#"
[project]
name = "x"
requires-python = ">=3.9"
dependencies = [
    "Jinja2>=2.10,<4",
    "markupsafe",
    "demo[fast, more] (>=1.0) ; python_version < '3.12'",
    "jinja-2.extra==1",
    "elsewhere @ https://example.org/x.whl",
    "odd>=x",
]

[project.optional-dependencies]
docs = ["JINJA2 ~= 3.1", "sphinx"]

[tool.poetry.dependencies]
python = "^3.9"
poetic = "^1.2"
tilde = "~1.2"
fine = { version = ">=1,<2", extras = ["a"], markers = "os_name == 'posix'" }
bare = "1.2"
any = "*"
local = { path = "../x" }
either = ">=1 || <0.5"
compatible = "~=1.2"
"#;

fn declared(pyproject: &str, package: &str) -> String {
    let told = |declaration: &Declaration| {
        let Declaration { section, specifier, extras, marker } = declaration;
        format!("{section}: `{specifier}` {extras:?} {marker:?}")
    };
    match declarations(pyproject, &package.parse().unwrap()) {
        Ok(found) => found.iter().map(told).collect::<Vec<_>>().join("\n"),
        Err(error) => match std::error::Error::source(&error) {
            Some(source) => format!("error: {error}: {source}"),
            None => format!("error: {error}"),
        },
    }
}

#[test]
fn declarations_are_read_from_pyproject() {
    let packages = [
        "jinja2",
        "markupsafe",
        "demo",
        "elsewhere",
        "odd",
        "poetic",
        "tilde",
        "fine",
        "bare",
        "any",
        "local",
        "either",
        "compatible",
        "absent",
    ];
    let told = packages.map(|package| format!("{package}\n{}", declared(PROJECT, package)));
    insta::assert_snapshot!(told.join("\n"), @r#"
    jinja2
    project.dependencies: `>=2.10, <4` [] None
    project.optional-dependencies.docs: `~=3.1` [] None
    markupsafe
    project.dependencies: `` [] None
    demo
    project.dependencies: `>=1.0` ["fast", "more"] Some("python_version < '3.12'")
    elsewhere
    error: `elsewhere` in `project.dependencies` names an address and no releases, so there is nothing to hold it against
    odd
    error: `odd` in `project.dependencies` cannot be compared with releases: `>=x` is not a version specifier (expected version to start with a number, but no leading ASCII digits were found): write it as PEP 440 does, such as `>=1.0,<2`
    poetic
    error: `^1.2` of `poetic` in `tool.poetry.dependencies` is Poetry's own notation: write what it means as a PEP 440 specifier, such as `>=1.2,<2` for `^1.2`
    tilde
    error: `~1.2` of `tilde` in `tool.poetry.dependencies` is Poetry's own notation: write what it means as a PEP 440 specifier, such as `>=1.2,<2` for `^1.2`
    fine
    tool.poetry.dependencies: `>=1, <2` ["a"] Some("os_name == 'posix'")
    bare
    tool.poetry.dependencies: `==1.2` [] None
    any
    tool.poetry.dependencies: `` [] None
    local
    error: `local` in `tool.poetry.dependencies` names an address and no releases, so there is nothing to hold it against
    either
    error: `>=1 || <0.5` of `either` in `tool.poetry.dependencies` is Poetry's own notation: write what it means as a PEP 440 specifier, such as `>=1.2,<2` for `^1.2`
    compatible
    tool.poetry.dependencies: `~=1.2` [] None
    absent
    "#);
    assert_eq!(requires_python(PROJECT).unwrap(), Some(">=3.9".parse().unwrap()));
    assert_eq!(requires_python("").unwrap(), None);
}

#[test]
fn what_is_wrong_with_a_pyproject_is_named() {
    let wrong = [
        "[project]\ndependencies = [",
        "project = 1",
        "[project]\ndependencies = 'demo'",
        "[project]\ndependencies = [1]",
        "[project]\ndependencies = ['>=1.0']",
        "[project]\ndependencies = ['demo[a']",
        "[project]\ndependencies = ['demo (>=1']",
        "[project]\ndependencies = ['demo 1.0']",
        "[project]\ndynamic = ['dependencies']",
        "[project.optional-dependencies]\n'a\u{202e}' = 1",
        "[tool.poetry.dependencies]\ndemo = 1",
        "[tool.poetry.dependencies]\ndemo = {version = 1}",
    ];
    let told = wrong.map(|text| declared(text, "demo"));
    insta::assert_snapshot!(told.join("\n"), @r#"
    error: line 2 of `pyproject.toml` is not TOML: unclosed array, expected `]`
    error: `project` of `pyproject.toml` is not a table
    error: `project.dependencies` of `pyproject.toml` is not a list
    error: `project.dependencies` of `pyproject.toml` is not a list of texts
    error: `>=1.0` in `project.dependencies` is not a requirement: write a name and a specifier, such as `demo>=1.0,<2`
    error: `demo[a` in `project.dependencies` is not a requirement: write a name and a specifier, such as `demo>=1.0,<2`
    error: `demo (>=1` in `project.dependencies` is not a requirement: write a name and a specifier, such as `demo>=1.0,<2`
    error: `demo` in `project.dependencies` cannot be compared with releases: `1.0` is not a version specifier (Unexpected end of version specifier, expected operator): write it as PEP 440 does, such as `>=1.0,<2`
    error: `project.dynamic` of `pyproject.toml` says that `dependencies` is computed: name the specifier itself (`'>=1.2,<2'`)
    error: `project.optional-dependencies.a\u{202e}` of `pyproject.toml` is not a list
    error: `tool.poetry.dependencies.demo` of `pyproject.toml` is not a text or a table
    error: `tool.poetry.dependencies.demo.version` of `pyproject.toml` is not a text
    "#);
    let python = |text| requires_python(text).unwrap_err().to_string();
    let told = [
        python("[project]\nrequires-python = 3"),
        python("[project]\nrequires-python = '3.9'"),
        python("[project]\ndynamic = ['requires-python']"),
        python("[tool.poetry.dependencies]\npython = '^3.9'"),
    ];
    insta::assert_snapshot!(told.join("\n"), @"
    `project.requires-python` of `pyproject.toml` is not a text
    `python` in `project.requires-python` cannot be compared with releases
    `project.dynamic` of `pyproject.toml` says that `requires-python` is computed: name the specifier itself (`'>=1.2,<2'`)
    `^3.9` of `python` in `tool.poetry.dependencies` is Poetry's own notation: write what it means as a PEP 440 specifier, such as `>=1.2,<2` for `^1.2`
    ");
}

/// Releases as projects have them, with pre-, post- and development releases, epochs and locals.
fn histories() -> impl Strategy<Value = Vec<(Version, Known)>> {
    let version =
        "([0-2]!)?[0-3](\\.[0-3]){1,2}((a|rc)[12])?(\\.post[12])?(\\.dev[12])?(\\+(cpu|cu1))?";
    let plain = "[0-3]\\.[0-3]\\.[0-3]";
    let known = prop::sample::select(vec![Known::Passed, Known::Failed, Known::Unmeasured]);
    let release = (prop_oneof![3 => plain, 1 => version], known);
    prop::collection::vec(release, 0..40).prop_map(|releases| {
        // Of a release that stands there twice, the first counts.
        let mut seen = BTreeSet::new();
        let parsed = releases.into_iter().map(|(text, known)| (text.parse().unwrap(), known));
        parsed.filter(|(version, _): &(Version, Known)| seen.insert(version.clone())).collect()
    })
}

proptest! {
    /// The same as `tests/suggest/check.py` holds against `packaging`.
    #[test]
    fn a_suggestion_allows_exactly_what_passes(releases in histories()) {
        let with = |wanted| releases.iter().filter(move |(_, known)| *known == wanted);
        match suggest(&releases) {
            Suggested::NothingPasses => prop_assert_eq!(with(Known::Passed).count(), 0),
            Suggested::Inseparable { failing } => {
                for failing in failing {
                    // Somebody passes who is the same but for the local part.
                    let public = failing.without_local();
                    prop_assert!(with(Known::Passed).any(|(version, _)| version.is_local()
                        && version.clone().without_local() == public));
                }
            }
            Suggested::Specifier(suggestion) => {
                let specifier: VersionSpecifiers = suggestion.specifier.parse().unwrap();
                prop_assert_eq!(specifier.len(), suggestion.clauses);
                prop_assert!(suggestion.clauses <= with(Known::Failed).count().max(1));
                for (version, known) in &releases {
                    let allowed = specifier.contains(version);
                    match known {
                        Known::Passed => prop_assert!(allowed, "{} not in {}", version, specifier),
                        Known::Failed => prop_assert!(!allowed, "{} in {}", version, specifier),
                        Known::Unmeasured => {
                            prop_assert_eq!(allowed, suggestion.unproven.contains(version));
                            prop_assert_ne!(allowed, suggestion.unproven_excluded.contains(version));
                        }
                    }
                }
                // What is suggested is not refuted by what it was made from.
                let declared = check(&suggestion.specifier, &releases).unwrap();
                prop_assert!(declared.holds() && declared.too_narrow_for.is_empty());
                prop_assert_eq!(declared.unproven, suggestion.unproven);
            }
        }
    }

    /// In which order releases are given does not matter.
    #[test]
    fn a_suggestion_has_no_order(releases in histories()) {
        let reversed: Vec<_> = releases.iter().rev().cloned().collect();
        prop_assert_eq!(suggest(&releases), suggest(&reversed));
    }

    /// Whatever stands in a file, it is read or refused.
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}", requirement in "\\PC{0,40}") {
        let package = "demo".parse().unwrap();
        let _ = declarations(&text, &package);
        let _ = requires_python(&text);
        let quoted = serde_json::to_string(&format!("demo{requirement}")).unwrap();
        for project in [
            format!("[project]\ndependencies = [{quoted}]"),
            format!("[tool.poetry.dependencies]\ndemo = {quoted}"),
        ] {
            if let Err(error) = declarations(&project, &package) {
                prop_assert!(!error.to_string().contains(char::is_control));
            }
        }
    }
}
