use proptest::prelude::*;

use super::*;
use crate::question::config::Config;
use crate::report::starter::configuration;

fn folder(files: &[(String, String)]) -> Folder {
    let mut folder = Folder::default();
    for (name, text) in files {
        let content = Folder::reads(name).then(|| text.as_bytes().to_vec());
        folder.add(name.clone(), content);
    }
    folder
}

/// A configuration that is made for any need of a project can be read.
fn is_readable(files: &[(String, String)]) -> Result<(), TestCaseError> {
    // What cannot be read is refused.
    let Ok(Some(survey)) = Survey::of(&folder(files)) else { return Ok(()) };
    for remark in &survey.remarks {
        prop_assert!(!remark.contains(char::is_control), "{remark}");
    }
    for need in survey.needs.iter().chain(&survey.further) {
        let pythons = survey.pythons(&[PythonVersion::new(3, 11)]);
        let text = configuration(&survey, need, &pythons);
        let there = |name: &str| {
            let file = files.iter().find(|(file, _)| file == name);
            file.map(|(_, text)| text.clone().into_bytes())
                .ok_or_else(|| std::io::ErrorKind::NotFound.into())
        };
        if let Err(error) = Config::from_yaml("caliper.yaml", &text, &there) {
            return Err(TestCaseError::fail(format!("{error}\n{text}")));
        }
    }
    Ok(())
}

/// A word, a requirement, or what is neither.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c](\\[x\\])?(>=1|==1.0|~=1.1|<2,>=1|\\^1)?(; python_version<'3')?",
        2 => prop::sample::select(vec!["pytest", "pytest>=8", "tests", "test", "src", "x", "-r requirements.txt", "{posargs:tests}"]).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

#[test]
fn what_is_no_marker_is_not_written_into_a_configuration() {
    let setup = r#"setup(name="a", install_requires=["a", "B;$"])"#;
    is_readable(&[
        ("setup.py".to_owned(), setup.to_owned()),
        ("tests/test_a.py".to_owned(), String::new()),
    ])
    .unwrap();
}

proptest! {
    #[test]
    fn whatever_a_project_says_the_configuration_can_be_read(
        name in text(), needs in prop::collection::vec(text(), 0..4), extra in text(), group in text(),
        tests in prop::collection::vec(text(), 0..3), path in text(), command in text(), python in "(>=|<|==)?3(\\.[0-9]{1,2})?(\\.\\*)?",
        is_built in any::<bool>(),
    ) {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let list = |texts: &[String]| texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", ");
        let built = if is_built { "[build-system]\nrequires = []\n" } else { "" };
        let pyproject = format!(
            "{built}[project]\nname = {}\nrequires-python = {}\ndependencies = [{}]\n[project.optional-dependencies]\n{} = [{}]\n\
             [dependency-groups]\n{} = [{}]\n[tool.pytest.ini_options]\ntestpaths = [{}]\n",
            quoted(&name), quoted(&python), list(&needs), quoted(&extra), list(&tests), quoted(&group), list(&tests), quoted(&path),
        );
        let setup = format!("setup(name={}, install_requires=[{}], extras_require={{{}: [{}]}})", quoted(&name), list(&needs), quoted(&extra), list(&tests));
        let tox = format!("[testenv]\nextras = {extra}\ndeps =\n  {}\ncommands = pytest {command} {path}\n", tests.join("\n  "));
        let nox = format!("\ndef tests(session):\n  session.install('-e', '.[{extra}]', {})\n  session.run('pytest', {})\n", list(&tests), quoted(&path));
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let there = file(&format!("{path}/test_a.py"), "");
        for files in [
            vec![file("pyproject.toml", &pyproject), there.clone()],
            vec![file("setup.py", &setup), file("tox.ini", &tox), there.clone()],
            vec![file("setup.py", &setup), file("noxfile.py", &nox), there.clone()],
            vec![file("requirements.txt", &needs.join("\n")), file("requirements-test.txt", &tests.join("\n")), file("tests/test_a.py", "import pytest")],
        ] {
            is_readable(&files)?;
        }
    }
}

#[test]
fn the_pythons_are_those_that_are_supported() {
    let at_hand = [(3, 9), (3, 10), (3, 13)].map(|(major, minor)| PythonVersion::new(major, minor));
    let cases = [
        (">=3.10", "3.10 3.13"),
        (">=3.9.2,<3.13", "3.9 3.10"),
        ("!=3.10.*", "3.9 3.13"),
        ("==3.9.5", ""),
        (">3.14", ""),
    ];
    for (specifiers, expected) in cases {
        let python = format!(
            "[project]\nname = 'x'\ndependencies = ['y']\nrequires-python = '{specifiers}'\n"
        );
        let files = [("pyproject.toml".to_owned(), python)];
        let survey = Survey::of(&folder(&files)).unwrap().unwrap();
        let pythons: Vec<String> =
            survey.pythons(&at_hand).iter().map(ToString::to_string).collect();
        assert_eq!(pythons.join(" "), expected, "{specifiers}");
    }
}
