//! What tox and nox run for tests, read without running them.

use toml::Value;

use super::folder::{Folder, is_path};
use super::needs::Found;
use super::{Runner, SurveyError};
use crate::analysis::suggest::entries;
use crate::analysis::suggest::literal::calls_of;

/// A session that runs tests.
pub(super) struct Session {
    pub(super) runner: Runner,
    pub(super) paths: Vec<String>,
    /// Where it stands.
    pub(super) place: String,
    pub(super) extras: Vec<String>,
    pub(super) groups: Vec<String>,
    /// Requirements, and `-rFILE`.
    pub(super) requirements: Vec<String>,
}

/// The environment of tox that is run if nothing else is said
/// (<https://tox.wiki/en/latest/config.html>).
pub(super) fn of_tox(folder: &Folder, found: &Found) -> Result<Option<Session>, SurveyError> {
    let table = found.tool("tox");
    if let Some(text) = folder.text("tox.ini")? {
        return Ok(of_tox_ini(text, "tox.ini", folder));
    }
    let Some(table) = table else { return Ok(None) };
    if let Some(text) = table.get("legacy_tox_ini").and_then(Value::as_str) {
        return Ok(of_tox_ini(text, "pyproject.toml", folder));
    }
    let Some(base) = table.get("env_run_base") else { return Ok(None) };
    let texts = |key: &str| -> Vec<String> {
        let list = base.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let commands = base.get("commands").and_then(Value::as_array).into_iter().flatten();
    let commands = commands.filter_map(|command| {
        let words = command.as_array()?.iter().filter_map(Value::as_str);
        Some(words.map(str::to_owned).collect::<Vec<_>>())
    });
    let place = "`tool.tox` of pyproject.toml".to_owned();
    let requirements = texts("deps");
    let (extras, groups) = (texts("extras"), texts("dependency_groups"));
    Ok(session(commands, folder).map(|(runner, paths)| Session {
        runner,
        paths,
        place,
        extras,
        groups,
        requirements,
    }))
}

fn of_tox_ini(text: &str, file: &str, folder: &Folder) -> Option<Session> {
    let entries = entries(text);
    let lines = |key: &str| -> Vec<&str> {
        let place = format!("testenv.{key}");
        let found = entries.iter().filter(|entry| entry.place == place);
        // Lines with a condition (`py39: …`) are for some environments only, and lines with braces refer to others.
        found.flat_map(|entry| &entry.lines).copied().filter(|line| !is_conditional(line)).collect()
    };
    let commands = lines("commands");
    let words = commands.iter().map(|line| words_of(line));
    let (runner, paths) = session(words, folder)?;
    let listed = |key: &str| -> Vec<String> {
        let all = lines(key).into_iter().flat_map(|line| line.split([',', ' ']));
        let names = all.map(str::trim).filter(|name| !name.is_empty() && !name.contains('{'));
        names.map(str::to_owned).collect()
    };
    let requirements = lines("deps").into_iter().filter(|line| !line.contains('{'));
    Some(Session {
        runner,
        paths,
        place: format!("`[testenv]` of {file}"),
        extras: listed("extras"),
        groups: listed("dependency_groups"),
        requirements: requirements.filter_map(requirement).collect(),
    })
}

/// Whether a line of tox begins with factors: `py39,py310: pytest`.
fn is_conditional(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(factors, _)| {
        let is_factor = |one: char| one.is_alphanumeric() || "-_.,!{} ".contains(one);
        factors.chars().all(is_factor)
    }) || line.ends_with(':')
}

/// The words of a command of tox. What may be given in place of `{posargs:tests}` is `tests` if nothing is.
fn words_of(line: &str) -> Vec<String> {
    let line = line
        .trim_start_matches(['-', '!', ' '])
        .replace("{posargs:", " ")
        .replace("{envpython}", "python");
    let words = line.split_whitespace().map(|word| word.trim_matches('"'));
    // `{[testenv]…}` and `{toxinidir}` are left out; a brace alone ends what was in `{posargs:…}`.
    let words = words.map(|word| if word.contains('{') { "" } else { word.trim_end_matches('}') });
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What can be installed, and `-rFILE` for a list.
fn requirement(line: &str) -> Option<String> {
    let list = ["-r", "--requirement"].iter().find_map(|option| line.strip_prefix(option));
    match list {
        Some(file) => Some(format!("-r{}", file.trim_start_matches(['=', ' ']))),
        None => is_name(line).then(|| line.trim().to_owned()),
    }
}

/// Whether a text begins as a requirement, and not as an option, a path or an address.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && !text.contains(['/', '{'])
}

/// The first session of nox that runs tests (<https://nox.thea.codes/en/stable/config.html>).
pub(super) fn of_nox(folder: &Folder) -> Result<Option<Session>, SurveyError> {
    let Some(source) = folder.text("noxfile.py")? else { return Ok(None) };
    for function in source.split("\ndef ").skip(1) {
        let name = function.split('(').next().unwrap_or_default();
        let Some((runner, paths)) = session(calls_of(function, ".run").into_iter(), folder) else {
            continue;
        };
        let (mut extras, mut groups, mut requirements) = (Vec::new(), Vec::new(), Vec::new());
        for installed in calls_of(function, ".install") {
            let mut words = installed.iter();
            while let Some(word) = words.next() {
                match word.as_str() {
                    "-r" | "--requirement" => {
                        requirements.extend(words.next().map(|file| format!("-r{file}")));
                    }
                    "--group" => groups.extend(words.next().cloned()),
                    path if path.starts_with(['.', '-']) => {
                        let named = path.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
                        let named = named.into_iter().flat_map(|(named, _)| named.split(','));
                        extras.extend(named.map(|extra| extra.trim().to_owned()));
                    }
                    name => requirements.extend(is_name(name).then(|| name.to_owned())),
                }
            }
        }
        let place = format!("session `{}` of noxfile.py", crate::names::excerpt(name, 40));
        return Ok(Some(Session { runner, paths, place, extras, groups, requirements }));
    }
    Ok(None)
}

/// What runs tests, in the first command that does.
fn session(
    commands: impl Iterator<Item = Vec<String>>,
    folder: &Folder,
) -> Option<(Runner, Vec<String>)> {
    commands.into_iter().find_map(|words| {
        // `pip install pytest`
        if words.iter().any(|word| word == "install") {
            return None;
        }
        let at = |wanted: &[&str]| words.iter().position(|word| wanted.contains(&word.as_str()));
        let paths = |from: usize| -> Vec<String> {
            let rest = words[from + 1..].iter().filter(|word| !word.starts_with('-'));
            rest.filter(|word| is_path(word) && folder.has(word.trim_end_matches('/')))
                .cloned()
                .collect()
        };
        if let Some(place) = at(&["pytest", "py.test"]) {
            return Some((Runner::Pytest, paths(place)));
        }
        if let Some(place) = at(&["unittest"]) {
            return Some((Runner::Unittest, paths(place)));
        }
        // `python tests/run.py`
        let program = words.iter().position(|word| word == "python" || word == "python3")?;
        let file = words.get(program + 1)?;
        let is_python = std::path::Path::new(file).extension().is_some_and(|end| end == "py");
        let is_one = is_python && file.contains("test") && folder.has_file(file);
        let mut command = vec!["python".to_owned()];
        command.extend(words[program + 1..].iter().cloned());
        is_one.then_some((Runner::Program(command), Vec::new()))
    })
}
