//! The numbers of a text by name, for plots.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::nearest::Nearest;
use super::rules::{Lens, Line};
use super::tokens::{Token, Tokens};
use crate::question::criteria::Policy;

/// More numbers of a text are not named.
const MOST: usize = 200;

/// A longer name loses its beginning.
const LONGEST: usize = 40;

/// The numbers of a text, each with the words before it on its line as its name, such as `test accuracy`. Numbers of
/// the same name are counted: `epoch`, `epoch (2)`. Times, addresses and the like are left out, as where results are
/// compared.
pub fn named_numbers(text: &str) -> Vec<(String, f64)> {
    let policy = Policy::default();
    let lens = Lens::new(&policy, None);
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut found = Vec::new();
    let _ = labelled(text, &lens, &mut |name, Nearest { value: number, .. }| {
        if !number.is_finite() {
            return ControlFlow::Continue(());
        }
        let base = if name.is_empty() { "a line" } else { name };
        let count = seen.entry(base.to_owned()).or_default();
        *count += 1;
        let name = if *count > 1 { format!("{base} ({count})") } else { base.to_owned() };
        found.push((name, number));
        if found.len() < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found
}

/// Goes through the numbers of a text with the words before each on its line, which are empty without a word. What the
/// lens leaves out is not there.
pub(super) fn labelled(
    text: &str,
    lens: &Lens<'_>,
    found: &mut dyn FnMut(&str, Nearest) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for line in text.lines().filter(|line| lens.leaves_out(line).is_none()) {
        let line = Line::under(lens, line).text;
        let mut name = String::new();
        for (_, token) in Tokens::of(&line) {
            match token {
                Token::Text(text) => name = short(text),
                Token::Number(number) => {
                    if let Some(number) = Nearest::read(number) {
                        found(&name, number)?;
                    }
                }
            }
        }
    }
    ControlFlow::Continue(())
}

/// The words of a text without the signs around them.
fn short(text: &str) -> String {
    let text = text.trim_matches(|character: char| {
        character.is_whitespace() || character.is_ascii_punctuation() && character != ')'
    });
    let left_out = text.chars().count().saturating_sub(LONGEST);
    if left_out == 0 {
        return text.to_owned();
    }
    format!("…{}", text.chars().skip(left_out).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_words_before_them_as_their_names() {
        let text =
            "inertia 12.5, iterations 8\nloss: 0.25\nloss: 0.125\ntook 3.2 s\n7\nversion 1.2.3\n";
        let found = named_numbers(text);
        let told: Vec<String> =
            found.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        inertia = 12.5
        iterations = 8
        loss = 0.25
        loss (2) = 0.125
        a line = 7
        ");
        assert_eq!(named_numbers(&"1 ".repeat(1000)).len(), MOST);
    }
}
