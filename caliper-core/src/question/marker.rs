//! Environment markers, evaluated for the Python of a column
//! ([dependency specifiers](https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers)).

use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use crate::question::interpreter::{Implementation, Interpreter, Platform};

/// Whether a marker holds for `interpreter`. `None` if it cannot be read, or if it depends on what is not
/// known, such as the extras that are asked for.
pub(crate) fn holds(marker: &str, interpreter: &Interpreter) -> Option<bool> {
    let tokens = tokens(marker)?;
    let mut reader = Reader { tokens: &tokens, at: 0, interpreter };
    let value = reader.any()?;
    (reader.at == tokens.len()).then_some(value).flatten()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    /// A variable, `and`, `or`, `in` or `not`.
    Word(String),
    Text(String),
    Operator(String),
}

fn tokens(marker: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = marker.trim_start();
    while let Some(first) = rest.chars().next() {
        let run = |accept: &dyn Fn(char) -> bool| {
            rest.find(|character| !accept(character)).unwrap_or(rest.len())
        };
        let length = match first {
            '(' | ')' => {
                tokens.push(if first == '(' { Token::Open } else { Token::Close });
                1
            }
            '\'' | '"' => {
                let text = rest[1..].split(first).next()?;
                // Without its end it is as long as all that remains.
                rest.get(text.len() + 1..text.len() + 2)?;
                tokens.push(Token::Text(text.to_owned()));
                text.len() + 2
            }
            _ if first.is_alphabetic() => {
                let end = run(&|character| character.is_alphanumeric() || "_.".contains(character));
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            _ if "<>=!~".contains(first) => {
                let end = run(&|character| "<>=!~".contains(character));
                tokens.push(Token::Operator(rest[..end].to_owned()));
                end
            }
            _ => return None,
        };
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// Reads `or` over `and` over comparisons. The outer `None` of a value says that the text is no marker, the
/// inner one that nobody knows.
struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    interpreter: &'a Interpreter,
}

/// True, false, or not known.
type Truth = Option<bool>;

impl Reader<'_> {
    fn any(&mut self) -> Option<Truth> {
        let mut value = self.all()?;
        while self.takes_word("or") {
            value = match (value, self.all()?) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        Some(value)
    }

    fn all(&mut self) -> Option<Truth> {
        let mut value = self.one()?;
        while self.takes_word("and") {
            value = match (value, self.one()?) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
        }
        Some(value)
    }

    fn one(&mut self) -> Option<Truth> {
        if self.peek() == Some(&Token::Open) {
            self.at += 1;
            let value = self.any()?;
            (self.next()? == Token::Close).then_some(value)
        } else {
            let left = self.next()?;
            let operator = match self.next()? {
                Token::Operator(operator) => operator,
                Token::Word(word) if word == "in" => word,
                Token::Word(word) if word == "not" && self.takes_word("in") => "not in".to_owned(),
                _ => return None,
            };
            let right = self.next()?;
            self.compared(&left, &operator, &right)
        }
    }

    /// One of the two sides is a variable, and the other a text.
    fn compared(&self, left: &Token, operator: &str, right: &Token) -> Option<Truth> {
        let (variable, text, turned) = match (left, right) {
            (Token::Word(variable), Token::Text(text)) => (variable, text, false),
            (Token::Text(text), Token::Word(variable)) => (variable, text, true),
            _ => return None,
        };
        let Some(value) = self.value(variable) else { return Some(None) };
        let (one, other) = if turned { (text, &value) } else { (&value, text) };
        Some(match operator {
            "in" => Some(other.contains(one.as_str())),
            "not in" => Some(!other.contains(one.as_str())),
            operator if is_version(variable) => compared_as_versions(one, operator, other, turned),
            "==" => Some(one == other),
            "!=" => Some(one != other),
            // The order of texts means nothing here.
            _ => None,
        })
    }

    /// What the Python says of itself; `None` for what is not known of it.
    fn value(&self, variable: &str) -> Option<String> {
        let Interpreter { python, version, implementation, platform, .. } = self.interpreter;
        let implementation = match implementation {
            Implementation::CPython => ("cpython", "CPython"),
            Implementation::PyPy => ("pypy", "PyPy"),
            Implementation::GraalPy => ("graalpy", "GraalVM"),
        };
        let (os, sys, system, machine) = match platform {
            Platform::Linux { arch, .. } => ("posix", "linux", "Linux", arch.clone()),
            Platform::MacOs { arch, .. } => ("posix", "darwin", "Darwin", arch.clone()),
            Platform::Windows { arch } => ("nt", "win32", "Windows", arch.to_uppercase()),
        };
        Some(match variable {
            "python_version" => format!("{}.{}", python.major(), python.minor()),
            "python_full_version" | "implementation_version" => version.to_string(),
            "implementation_name" => implementation.0.to_owned(),
            "platform_python_implementation" | "python_implementation" => {
                implementation.1.to_owned()
            }
            "os_name" | "os.name" => os.to_owned(),
            "sys_platform" | "sys.platform" => sys.to_owned(),
            "platform_system" => system.to_owned(),
            "platform_machine" | "platform.machine" => machine,
            _ => return None,
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let takes = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(takes);
        takes
    }
}

fn is_version(variable: &str) -> bool {
    ["python_version", "python_full_version", "implementation_version"].contains(&variable)
}

fn compared_as_versions(one: &str, operator: &str, other: &str, turned: bool) -> Truth {
    // `'3.8' <= python_version` is `python_version >= '3.8'`.
    let operator = match (turned, operator) {
        (true, "<") => ">",
        (true, "<=") => ">=",
        (true, ">") => "<",
        (true, ">=") => "<=",
        (_, same) => same,
    };
    let (version, bound) = if turned { (other, one) } else { (one, other) };
    let version: Version = version.parse().ok()?;
    let specifiers = VersionSpecifiers::from_str(&format!("{operator}{bound}")).ok()?;
    Some(specifiers.contains(&version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::testing;

    #[test]
    fn a_marker_is_true_false_or_not_known() {
        let python = testing::interpreter("3.11");
        for (marker, expected) in [
            ("python_version < '3.12'", Some(true)),
            ("python_version<\"3.9\"", Some(false)),
            // As versions, and not as texts.
            ("python_version >= '3.9'", Some(true)),
            ("'3.12' > python_version", Some(true)),
            ("python_full_version == '3.11.*'", Some(true)),
            ("sys_platform == 'linux' and python_version != '3.10'", Some(true)),
            (
                "sys_platform == 'win32' or (python_version > '3' and os_name == 'posix')",
                Some(true),
            ),
            ("platform_system in 'Linux Darwin'", Some(true)),
            ("platform_system not in 'Linux'", Some(false)),
            ("platform_python_implementation == 'PyPy'", Some(false)),
            // What is asked for is not known, but may not matter.
            ("extra == 'test'", None),
            ("extra == 'test' and python_version < '3'", Some(false)),
            ("extra == 'test' or python_version > '3'", Some(true)),
            ("python_version", None),
            ("python_version < '3.9", None),
            ("(python_version < '3.12'", None),
            ("python_version < '3.12')", None),
            ("'a' == 'b'", None),
            ("", None),
        ] {
            assert_eq!(holds(marker, &python), expected, "{marker}");
        }
    }
}
