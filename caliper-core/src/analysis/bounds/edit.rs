//! Writing bounds into a `pyproject.toml`.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::names::{PackageName, excerpt};

/// A `pyproject.toml` with other bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The whole text. It differs from the old one in the specifiers alone.
    pub text: String,
    /// What could not be changed, and why.
    pub refused: Vec<(PackageName, EditError)>,
}

/// Why a bound cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// It is not TOML.
    #[error("`pyproject.toml` is not TOML: {detail}")]
    Syntax {
        /// What is wrong.
        detail: String,
    },
    /// It is declared elsewhere, or computed.
    #[error(
        "`{name}` does not stand in `project.dependencies` or `tool.poetry.dependencies` of `pyproject.toml`: write \
         `{name}{specifier}` where it is declared"
    )]
    NotThere {
        /// The dependency.
        name: String,
        /// What was to be written.
        specifier: String,
    },
    /// It is declared several times, for example for different Pythons.
    #[error(
        "`{name}` is declared {times} times in `pyproject.toml`: choose where `{name}{specifier}` belongs"
    )]
    Several {
        /// The dependency.
        name: String,
        /// How often.
        times: usize,
        /// What was to be written.
        specifier: String,
    },
    /// The text is written with escapes, or over several lines.
    #[error(
        "`{name}` is written with escapes in `pyproject.toml`: write `{name}{specifier}` by hand"
    )]
    Escaped {
        /// The dependency.
        name: String,
        /// What was to be written.
        specifier: String,
    },
}

/// Puts other specifiers into a `pyproject.toml`. Only the specifiers change: names, extras, markers, comments, quotes
/// and order stay as they are.
///
/// # Errors
///
/// [`EditError::Syntax`] if it cannot be read. What cannot be changed for another reason is in [`Edit::refused`].
pub fn edited(pyproject: &str, changes: &[(PackageName, String)]) -> Result<Edit, EditError> {
    let root = DeTable::parse(pyproject)
        .map_err(|error| EditError::Syntax { detail: excerpt(error.message(), 80) })?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    let mut refused = Vec::new();
    for (name, specifier) in changes {
        match place(pyproject, root.get_ref(), name, specifier) {
            Ok(edit) => edits.push(edit),
            Err(error) => refused.push((name.clone(), error)),
        }
    }
    // From the end on, so that the places of the others stay.
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = pyproject.to_owned();
    for (span, replacement) in edits {
        text.replace_range(span, &replacement);
    }
    Ok(Edit { text, refused })
}

/// Where something stands, and what comes in its place.
fn place(
    pyproject: &str,
    root: &DeTable<'_>,
    name: &PackageName,
    specifier: &str,
) -> Result<(Range<usize>, String), EditError> {
    let (told, specifier_told) = (name.to_string(), specifier.to_owned());
    let is_it = |text: &str| {
        PackageName::split(text.trim()).0.parse().is_ok_and(|found: PackageName| found == *name)
    };
    let mut found: Vec<(Range<usize>, String, String)> = Vec::new();
    let listed = get(root, &["project", "dependencies"]).and_then(DeValue::as_array);
    for entry in listed.into_iter().flatten() {
        let Some(text) = entry.get_ref().as_str().filter(|text| is_it(text)) else { continue };
        found.push((entry.span(), text.to_owned(), requirement(text, specifier)));
    }
    let poetry = get(root, &["tool", "poetry", "dependencies"]).and_then(DeValue::as_table);
    for (key, value) in poetry.into_iter().flatten().filter(|(key, _)| is_it(key.get_ref())) {
        let _ = key;
        let value = match value.get_ref() {
            DeValue::Table(details) => details.get("version").unwrap_or(value),
            _ => value,
        };
        if let Some(text) = value.get_ref().as_str() {
            found.push((value.span(), text.to_owned(), specifier.to_owned()));
        }
    }
    match found.as_slice() {
        [] => Err(EditError::NotThere { name: told, specifier: specifier_told }),
        [(span, old, new)] => {
            let raw = pyproject.get(span.clone()).unwrap_or_default();
            // Within its quotes it reads as it is, and neither the old nor the new text needs an escape.
            let is_plain = raw.matches(old.as_str()).count() == 1
                && !raw.contains(['\\', '\n'])
                && new.contains(['\\', '"', '\'']) == old.contains(['\\', '"', '\'']);
            if is_plain {
                Ok((span.clone(), raw.replacen(old.as_str(), new, 1)))
            } else {
                Err(EditError::Escaped { name: told, specifier: specifier_told })
            }
        }
        several => {
            Err(EditError::Several { name: told, times: several.len(), specifier: specifier_told })
        }
    }
}

fn get<'a>(root: &'a DeTable<'a>, path: &[&str]) -> Option<&'a DeValue<'a>> {
    let (last, tables) = path.split_last()?;
    let mut table = root;
    for key in tables {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    table.get(*last).map(toml::Spanned::get_ref)
}

/// A [dependency specifier](https://packaging.python.org/en/latest/specifications/dependency-specifiers/) with other
/// clauses: `Demo[extra] >=1 ; marker`.
fn requirement(text: &str, specifier: &str) -> String {
    let (before, marker) = text.find(';').map_or((text, ""), |at| text.split_at(at));
    let end = if let Some(bracket) = before.find(']') {
        bracket + 1
    } else {
        let start = before.len() - before.trim_start().len();
        start + PackageName::split(before.trim_start()).0.len()
    };
    let (head, old) = before.split_at(end);
    let old_clauses = old.trim();
    if old_clauses.is_empty() {
        return format!("{head}{specifier}{old}{marker}");
    }
    let at = old.len() - old.trim_start().len();
    let (gap, rest) = old.split_at(at);
    let behind = &rest[old_clauses.len()..];
    // As the project writes lists.
    let specifier = if old_clauses.contains(", ") {
        specifier.replace(',', ", ")
    } else {
        specifier.to_owned()
    };
    let is_in_parentheses = old_clauses.starts_with('(');
    let new = if is_in_parentheses { format!("({specifier})") } else { specifier };
    format!("{head}{gap}{new}{behind}{marker}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(pyproject: &str, name: &str, specifier: &str) -> Result<Edit, EditError> {
        edited(pyproject, &[(name.parse().unwrap(), specifier.to_owned())])
    }

    #[test]
    fn only_the_specifier_changes() {
        let text = "[project]  # of us\nname = 'x'\r\ndependencies = [\n    'Demo[a,b] >=1.3 ; python_version > \"3.8\"',  # why\n  \
                    \"click\",\n    \"other>=1, <2\",\n]\n";
        for (name, specifier, old, new) in [
            ("demo", ">=1.4,<2", ">=1.3 ;", ">=1.4,<2 ;"),
            ("Click", ">=7", "\"click\"", "\"click>=7\""),
            ("other", ">=1.5,<2", ">=1, <2", ">=1.5, <2"),
        ] {
            let edit = change(text, name, specifier).unwrap();
            assert_eq!((edit.text, edit.refused), (text.replace(old, new), vec![]), "{name}");
        }
        let both: Vec<_> = [("demo", ">=2"), ("other", ">=3")]
            .map(|(name, specifier)| (name.parse().unwrap(), specifier.to_owned()))
            .into();
        let edit = edited(text, &both).unwrap().text;
        assert_eq!(edit, text.replace(">=1.3 ;", ">=2 ;").replace(">=1, <2", ">=3"));
        let poetry = "[tool.poetry.dependencies]\npython = '>=3.9'\ndemo = { version = \">=1\", optional = true }\n\
                      other = '>=2'\n";
        assert_eq!(
            change(poetry, "demo", ">=1.5").unwrap().text,
            poetry.replace(">=1\"", ">=1.5\"")
        );
        assert_eq!(change(poetry, "other", ">=3").unwrap().text, poetry.replace(">=2'", ">=3'"));
    }

    #[test]
    fn what_stands_in_parentheses_stays_there() {
        assert_eq!(requirement("demo (>=1)", ">=2"), "demo (>=2)");
        assert_eq!(requirement(" demo ; x", ">=2"), " demo>=2 ; x");
    }

    #[test]
    fn what_cannot_be_written_says_why() {
        let refused = |text: &str| {
            let edit = change(text, "demo", ">=2").unwrap();
            assert_eq!(edit.text, text);
            edit.refused.into_iter().next().unwrap().1.to_string()
        };
        let told = [
            change("[project", "demo", ">=2").unwrap_err().to_string(),
            refused("[project]\ndynamic = ['dependencies']\n"),
            refused("[project]\ndependencies = [\"demo>=1; python_version<'3.9'\", 'demo>=2']\n"),
            refused("[project]\ndependencies = [\"demo\\u003e=1\"]\n"),
        ];
        insta::assert_snapshot!(told.join("\n"), @"
        `pyproject.toml` is not TOML: unclosed table, expected `]`
        `demo` does not stand in `project.dependencies` or `tool.poetry.dependencies` of `pyproject.toml`: write `demo>=2` where it is declared
        `demo` is declared 2 times in `pyproject.toml`: choose where `demo>=2` belongs
        `demo` is written with escapes in `pyproject.toml`: write `demo>=2` by hand
        ");
    }
}
