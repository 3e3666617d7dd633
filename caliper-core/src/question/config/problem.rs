use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::yaml::{self, Path, Place};

/// All problems of a configuration.
///
/// Displays each problem with its position, its line, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    name: String,
    text: String,
    problems: Vec<Located>,
    /// The number of problems that are not shown.
    more: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Located {
    place: Option<Place>,
    message: String,
    help: Option<String>,
}

/// One problem and its path in the tree.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) path: Path,
    /// Whether the key is wrong, and not its value.
    pub(super) key: bool,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// Locating a problem takes another pass over the text, and users do not fix more at once.
const MOST: usize = 30;

impl ConfigError {
    pub(super) fn new(name: &str, text: &str, problems: Vec<Problem>) -> Self {
        let more = problems.len().saturating_sub(MOST);
        let mut problems: Vec<Located> = problems
            .into_iter()
            .take(MOST)
            .map(|problem| Located {
                place: yaml::locate(text, &problem.path, problem.key),
                message: problem.message,
                help: problem.help,
            })
            .collect();
        problems.sort_by_key(|problem| problem.place);
        Self { name: name.to_owned(), text: text.to_owned(), problems, more }
    }

    pub(super) fn syntax(name: &str, text: &str, message: &str, place: Option<Place>) -> Self {
        let message = format!("this is not valid YAML: {message}");
        let problems = vec![Located { place, message, help: None }];
        Self { name: name.to_owned(), text: text.to_owned(), problems, more: 0 }
    }

    /// How many problems there are.
    pub fn count(&self) -> usize {
        self.problems.len() + self.more
    }

    /// Each problem with its fix and without its place: for a text that is not the user's.
    pub fn without_places(&self) -> String {
        let told = self.problems.iter().map(|problem| match &problem.help {
            Some(help) => format!("{}\nhelp: {help}", problem.message),
            None => problem.message.clone(),
        });
        told.collect::<Vec<_>>().join("\n")
    }

    /// Each problem as its line and column, from 1 (where it has a place), and its message.
    pub fn problems(&self) -> impl Iterator<Item = (Option<(usize, usize)>, &str)> {
        self.problems.iter().map(|problem| {
            (problem.place.map(|place| (place.line, place.column)), problem.message.as_str())
        })
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = Renderer::plain();
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n\n")?;
            }
            let title = format!("{}: {}", self.name, problem.message);
            let Some(place) = problem.place else {
                formatter.write_str(&title)?;
                if let Some(help) = &problem.help {
                    write!(formatter, "\nhelp: {help}")?;
                }
                continue;
            };
            let mut group = Level::ERROR.primary_title(&problem.message).element(
                Snippet::source(&self.text)
                    .path(&self.name)
                    .annotation(AnnotationKind::Primary.span(span(&self.text, place))),
            );
            if let Some(help) = &problem.help {
                group = group.element(Level::HELP.message(help));
            }
            let rendered = plain.render(&[group]);
            // The caller says that it is an error.
            formatter.write_str(rendered.strip_prefix("error: ").unwrap_or(&rendered))?;
        }
        if self.more > 0 {
            write!(formatter, "\n\nand {} more problems", self.more)?;
        }
        Ok(())
    }
}

/// The bytes of the word at a place.
fn span(text: &str, place: Place) -> std::ops::Range<usize> {
    let line_start: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let line = text[line_start..].lines().next().unwrap_or_default();
    // The column counts characters.
    let offset = line.char_indices().nth(place.column - 1).map_or(line.len(), |(offset, _)| offset);
    let rest = &line[offset..];
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    let length = match quote {
        Some(quote) => rest[1..].find(quote).map_or(rest.len(), |end| end + 2),
        None => rest.find([':', ',', ']', '}', '#']).unwrap_or(rest.len()),
    };
    let word = rest[..length].trim_end();
    let start = line_start + offset;
    start..start + word.len().max(usize::from(!rest.is_empty()))
}
