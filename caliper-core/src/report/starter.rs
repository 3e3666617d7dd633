//! A configuration to start from, for a project that was surveyed.

use std::fmt::Write as _;

use crate::analysis::survey::{Need, Runner, Survey, Testing};
use crate::names::{PackageName, PythonVersion};

/// The text of a configuration that measures what the releases of `need` do to the project of `survey`, on `pythons`;
/// on all that there are if there is none among them.
///
/// Each text of the project stands in quotes, so that whatever it holds is one value.
pub fn configuration(survey: &Survey, need: &Need, pythons: &[PythonVersion]) -> String {
    let project = survey.name.as_ref().map(ToString::to_string);
    let it = project.as_deref().unwrap_or("this project");
    let name = need.name.to_string();
    let mut text = format!(
        "# What do the releases of {name} do to {it}? Run `caliper run` here to see.\n\
         # Every key but `dependency` has a default. `caliper schema config` describes them all.\n\
         analysis:\n"
    );
    if let Some(project) = &project {
        let _ = writeln!(text, "  name: {}\n", quoted(&format!("{name} in {project}")));
    }
    let others = survey.needs.iter().filter(|other| other.name != need.name);
    let others: Vec<String> = others.map(|other| other.name.to_string()).collect();
    text += &match others.as_slice() {
        [] => comment("Declared in ", std::slice::from_ref(&need.place), "."),
        others => comment("It also needs ", others, ". Each can be measured in place of this one."),
    };
    let _ = writeln!(text, "  dependency: {name}\n");
    text += &versions(need);
    text += &python_versions(survey, pythons);
    text += &environment(survey, need);
    text += &tests(survey);
    let declared = need.specifier.as_ref().map(ToString::to_string).unwrap_or_default();
    let _ = write!(
        text,
        "\n  # The releases that must pass: `caliper run` exits with 1 if one does not.\n  # expect: {}\n",
        quoted(if declared.is_empty() { ">=1" } else { &declared })
    );
    text
}

/// The releases: those that are declared, unless that is a single one.
fn versions(need: &Need) -> String {
    const NEWEST: &str = "latest-patch, latest: 10";
    let declared = need.specifier.as_ref().map(ToString::to_string).unwrap_or_default();
    let is_pinned = declared.starts_with("==") && !declared.contains('*');
    let (why, versions) = if declared.is_empty() {
        (
            "Of all releases the newest patch of each series, and of these the ten newest."
                .to_owned(),
            NEWEST.to_owned(),
        )
    } else if is_pinned {
        (
            format!(
                "The project pins it ({declared}). The newest patch of each series, and of these the ten newest."
            ),
            NEWEST.to_owned(),
        )
    } else {
        let why = "Those that the project declares: the newest patch of each series, and of these the ten newest.";
        (why.to_owned(), format!("{declared}, {NEWEST}"))
    };
    format!("  # {why}\n  versions: {}\n\n", quoted(&versions))
}

fn python_versions(survey: &Survey, pythons: &[PythonVersion]) -> String {
    let of_all =
        "Default: every Python of this machine, or every one that the container engine can serve.";
    let Some((place, specifiers)) = &survey.python else {
        let listed =
            if pythons.is_empty() { "\"3.11\", \"3.13\"".to_owned() } else { listed(pythons) };
        return format!("  # On which Pythons. {of_all}\n  # python_versions: [{listed}]\n\n");
    };
    let declared = format!("`{place}` is {}", quoted(&specifiers.to_string()));
    if pythons.is_empty() {
        return format!(
            "  # On which Pythons. {declared}, and this machine has none of these.\n  \
             # {of_all}\n  # python_versions: [\"3.13\"]\n\n"
        );
    }
    format!(
        "  # Those of this machine that the project supports: {declared}.\n  python_versions: [{}]\n\n",
        listed(pythons)
    )
}

fn listed(pythons: &[PythonVersion]) -> String {
    pythons.iter().map(|python| quoted(&python.to_string())).collect::<Vec<_>>().join(", ")
}

/// What is installed beside the dependency.
fn environment(survey: &Survey, need: &Need) -> String {
    let Testing { extras, groups, lists, requirements, .. } = &survey.testing;
    let (mut text, mut lists, mut all) = (String::new(), lists.clone(), Vec::new());
    if survey.is_installable {
        text += "  # The project is installed in every cell";
        let is_alone = extras.is_empty() && groups.is_empty();
        text += if is_alone { ".\n" } else { ", with what its tests need.\n" };
        let keys = [("extras", extras), ("groups", groups)];
        let keys = keys.into_iter().filter(|(_, names)| !names.is_empty());
        let keys: Vec<String> =
            keys.map(|(key, names)| format!("{key}: {}", list(names))).collect();
        let value = if is_alone { "true".to_owned() } else { format!("{{{}}}", keys.join(", ")) };
        let _ = writeln!(text, "  project: {value}\n");
    } else if let Some(file) = &survey.list {
        lists.insert(0, file.clone());
        lists.dedup();
    } else {
        let others = survey.needs.iter().filter(|other| other.name != need.name);
        all.extend(
            others.filter(|other| other.specifier.is_some()).map(|other| other.text.clone()),
        );
    }
    for requirement in requirements {
        let (name, _) = PackageName::split(requirement.trim());
        // Which release of the dependency there is, the cell decides.
        let is_need = name.parse::<PackageName>().is_ok_and(|name| name == need.name);
        if !is_need && !all.contains(requirement) {
            all.push(requirement.clone());
        }
    }
    if !(lists.is_empty() && all.is_empty()) {
        text += if survey.is_installable {
            "  # What its tests need besides.\n"
        } else {
            "  # Installed beside the dependency: what else the project and its tests need. The project itself is no\n  \
             # package; its files are there.\n"
        };
    }
    if !lists.is_empty() {
        let _ = writeln!(text, "  requirements_files: {}", list(&lists));
    }
    if !all.is_empty() {
        text += &requirements_key(&all);
    } else if !lists.is_empty() {
        text.push('\n');
    }
    text
}

fn requirements_key(requirements: &[String]) -> String {
    let line = format!("  requirements: {}\n\n", list(requirements));
    if line.chars().count() <= WIDTH {
        return line;
    }
    let each: Vec<String> =
        requirements.iter().map(|one| format!("    - {}\n", quoted(one))).collect();
    format!("  requirements:\n{}\n", each.concat())
}

/// How the project is tested, as the key `tests` has it.
fn tests(survey: &Survey) -> String {
    let Testing { runner, paths, place, .. } = &survey.testing;
    let has_path = !survey.is_installable && survey.has_src;
    let environment = if has_path { ", env: {PYTHONPATH: src}" } else { "" };
    let test = match runner {
        Runner::Pytest => format!("{{pytest: {}{environment}}}", quoted(&words(paths))),
        Runner::Unittest => format!("{{unittest: {}{environment}}}", quoted(&words(paths))),
        Runner::Program(command) => {
            let run = quoted(&words(command));
            format!("{{name: tests, run: {run}{environment}, compare: exit-status}}")
        }
        Runner::None => {
            let module = survey.name.as_ref().map(|name| name.normalized().replace('-', "_"));
            let module = module.unwrap_or_else(|| "sys".to_owned());
            let run = quoted(&format!("python -c 'import {module}'"));
            format!("{{name: import-the-project, run: {run}{environment}}}")
        }
    };
    let why = if *runner == Runner::None {
        let why = "No tests were found here; this passes if the project can be imported. Write `{pytest: tests}`, a \
                   script, or a command.";
        comment(why, &[], "")
    } else {
        comment("Found: ", std::slice::from_ref(place), ".")
    };
    format!("{why}  tests:\n    - {test}\n")
}

/// Paths as the words of a command; `.` without any.
fn words(paths: &[String]) -> String {
    if paths.is_empty() {
        return ".".to_owned();
    }
    let word = |path: &String| {
        let is_plain = |one: char| one.is_ascii_alphanumeric() || "-_./".contains(one);
        if path.chars().all(is_plain) {
            path.clone()
        } else {
            format!("'{}'", path.replace('\'', "'\\''"))
        }
    };
    paths.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// How wide a line may be.
const WIDTH: usize = 120;

/// Lines of comment: names between two pieces of a sentence, the first of many.
fn comment(before: &str, names: &[String], after: &str) -> String {
    const LISTED: usize = 20;
    let mut listed = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        let _ = write!(listed, " and {} more", names.len() - LISTED);
    }
    let text: String =
        format!("{before}{listed}{after}").chars().filter(|one| is_plain(*one)).collect();
    let mut lines = vec![String::from("  #")];
    for word in text.split(' ') {
        let width = lines.last().map_or(0, |line| line.chars().count());
        if width + 1 + word.chars().count() > WIDTH && width > 3 {
            lines.push(String::from("  #"));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", names.join(", "))
}

/// Whether YAML may hold a character as it is, and it turns no line around (Unicode, UAX #9).
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A text as YAML has it in double quotes. Characters that are not plain are written as their numbers.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            plain if is_plain(plain) => quoted.push(plain),
            other => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(other));
            }
        }
    }
    quoted.push('"');
    quoted
}
