//! Which dependency of a project is to be measured.

use std::io::{self, BufRead as _, IsTerminal as _};

use caliper_core::analysis::survey::{Need, Survey};
use caliper_core::names::PackageName;

use crate::exit::Failure;
use crate::terminal::{Terminal, printable};

/// How many dependencies are listed.
const LISTED: usize = 20;

/// How often is asked.
const TRIES: usize = 3;

/// The dependency: the one that is named, or else the one that is chosen at a terminal, or else the first.
pub(super) fn choose(
    survey: &Survey,
    named: Option<&PackageName>,
    terminal: Terminal,
) -> Result<Need, Failure> {
    let first = survey.choose(named).map_err(Failure::question)?;
    if named.is_some() {
        return Ok(first);
    }
    let is_asked = io::stdin().is_terminal() && io::stderr().is_terminal() && !terminal.is_quiet();
    match survey.needs.as_slice() {
        [_] => {
            terminal.note(&format!("{} is its only dependency ({})", first.name, first.place));
            Ok(first)
        }
        needs if is_asked => ask(needs, terminal).cloned(),
        needs => {
            let others: Vec<String> =
                needs[1..].iter().take(LISTED).map(|need| need.name.to_string()).collect();
            let more = match needs.len().saturating_sub(LISTED + 1) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            terminal.note(&printable(&format!(
                "{} is the first of {} dependencies ({}); `--dependency` chooses another: {}{more}",
                first.name,
                needs.len(),
                first.place,
                others.join(", ")
            )));
            Ok(first)
        }
    }
}

/// Asks a person.
fn ask(needs: &[Need], terminal: Terminal) -> Result<&Need, Failure> {
    terminal.note("Which dependency is to be measured?");
    for (number, need) in (1..).zip(needs).take(LISTED) {
        terminal.note(&printable(&format!("{number:>4}  {}", need.text)));
    }
    if needs.len() > LISTED {
        terminal.note(&format!("      … and {} more", needs.len() - LISTED));
    }
    for _ in 0..TRIES {
        terminal.note("Its number or name; Enter takes the first:");
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        let read =
            read.map_err(|error| Failure::infrastructure("could not read the answer", error))?;
        if read == 0 {
            return Err(Failure::question("nothing was chosen, and nothing is written"));
        }
        match answered(answer.trim(), needs) {
            Ok(need) => return Ok(need),
            Err(problem) => terminal.note(&printable(&problem)),
        }
    }
    Err(Failure::question(
        "nothing was chosen, and nothing is written; `--dependency NAME` names one",
    ))
}

/// Which dependency an answer means.
fn answered<'a>(answer: &str, needs: &'a [Need]) -> Result<&'a Need, String> {
    if answer.is_empty() {
        return needs.first().ok_or_else(|| "there is none".to_owned());
    }
    if let Ok(number) = answer.parse::<usize>() {
        let chosen = number.checked_sub(1).and_then(|index| needs.get(index));
        return chosen.ok_or_else(|| format!("{number} is not between 1 and {}", needs.len()));
    }
    let name = answer.parse::<PackageName>().ok();
    let found = name.and_then(|name| needs.iter().find(|need| need.name == name));
    found.ok_or_else(|| format!("there is no dependency `{answer}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_number_or_a_name() {
        let need = |name: &str| Need {
            name: name.parse().unwrap(),
            text: name.to_owned(),
            specifier: None,
            has_marker: false,
            place: String::new(),
        };
        let needs = [need("numpy"), need("Jinja2")];
        let told = |answer| match answered(answer, &needs) {
            Ok(need) => need.name.to_string(),
            Err(problem) => problem,
        };
        insta::assert_snapshot!(["", "1", "2", "jinja2", "0", "3", "pandas", "-1", "99999999999999999999"].map(told).join("\n"), @"
        numpy
        numpy
        Jinja2
        Jinja2
        0 is not between 1 and 2
        3 is not between 1 and 2
        there is no dependency `pandas`
        there is no dependency `-1`
        there is no dependency `99999999999999999999`
        ");
    }
}
