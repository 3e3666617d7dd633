//! Strict Tera templates: an unknown variable is an error, which gives its name, its line and the
//! known names. A Dockerfile that silently lacks a line would be a wrong measurement.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A template and its name for error messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Template {
    /// The name in error messages: a path, or a key of the configuration.
    pub name: String,
    /// Its text.
    pub source: String,
}

/// The user's template variables: the key `args` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Args(serde_json::Map<String, serde_json::Value>);

impl Args {
    /// Adds a variable. The value can be anything that serde can convert to JSON.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the value cannot be converted to JSON, or if the name is one of [`VARIABLES`].
    pub fn insert(&mut self, name: &str, value: impl Serialize) -> Result<(), TemplateError> {
        let error = |problem: String| TemplateError {
            name: "args".to_owned(),
            line: None,
            problem: Box::new(Problem::Other(problem)),
        };
        if VARIABLES.contains(&name) {
            return Err(error(format!("`{name}` is a variable of Caliper's own")));
        }
        let value = serde_json::to_value(value).map_err(|source| error(source.to_string()))?;
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// Takes the variables of `others` too, in place of those of the same name.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.clone());
    }

    /// Whether it holds no variables.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the variables, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// The variables that every template has, beside the user's own.
pub const VARIABLES: &[&str] = &[
    "base",
    "filename",
    "basename",
    "sha256",
    "dependency",
    "version",
    "python",
    "abi",
    "requirements",
    "constraints",
];

/// The values of [`VARIABLES`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct Variables {
    /// The name of the base image.
    pub base: String,
    /// The URL of the file to install.
    pub filename: String,
    /// The name of the file to install.
    pub basename: String,
    /// The digest of the file to install: 64 hexadecimal digits.
    pub sha256: String,
    /// The name of the package.
    pub dependency: String,
    /// The release.
    pub version: String,
    /// The Python: `3.11`.
    pub python: String,
    /// Its ABI tag: `cp311`.
    pub abi: String,
    /// Requirements that are installed together with the dependency.
    pub requirements: Vec<String>,
    /// What binds what is installed anyway.
    pub constraints: Vec<String>,
}

impl Template {
    /// A template called `name` with the text `source`.
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name: name.into(), source: source.into() }
    }

    /// Renders the template.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the template is not valid, or names a variable that does not exist.
    pub fn render(&self, variables: &Variables, args: &Args) -> Result<String, TemplateError> {
        let engine = self.parse()?;
        self.check_names(&engine, args)?;
        let mut context = tera::Context::from_serialize(variables).map_err(|e| self.error(&e))?;
        for (name, value) in &args.0 {
            context.insert(name.clone(), value);
        }
        engine.render(&self.name, &context).map_err(|error| self.error(&error))
    }

    /// Checks the template without values: its syntax and the names that it uses.
    ///
    /// # Errors
    ///
    /// As [`Template::render`].
    pub fn check(&self, args: &Args) -> Result<(), TemplateError> {
        self.check_names(&self.parse()?, args)
    }

    fn parse(&self) -> Result<tera::Tera, TemplateError> {
        let mut engine = tera::Tera::new();
        // A Dockerfile is not HTML.
        engine.autoescape_on(Vec::<String>::new());
        engine.add_raw_template(&self.name, &self.source).map_err(|error| self.error(&error))?;
        Ok(engine)
    }

    /// Checks all names. Tera itself accepts an unknown name in a loop or a condition.
    fn check_names(&self, engine: &tera::Tera, args: &Args) -> Result<(), TemplateError> {
        let used = engine.get_template_variables(&self.name).map_err(|error| self.error(&error))?;
        let mut known: Vec<String> = VARIABLES.iter().map(ToString::to_string).collect();
        known.extend(args.names().map(str::to_owned));
        let unknown = used
            .into_iter()
            .filter(|name| !known.iter().any(|known| known == name))
            .map(|name| (self.first_line_that_uses(name), name))
            .min();
        let Some((line, name)) = unknown else {
            return Ok(());
        };
        Err(TemplateError {
            name: self.name.clone(),
            line: self.excerpt(line),
            problem: Box::new(Problem::UnknownVariable {
                name: name.to_owned(),
                nearest: nearest(name, known.iter().map(String::as_str)),
                known,
            }),
        })
    }

    /// The line number, from 1, of the first tag that contains `name` as a whole word; for a tag of
    /// several lines, its last line.
    fn first_line_that_uses(&self, name: &str) -> usize {
        let uses = |line: &str| {
            let start = line.find("{{").into_iter().chain(line.find("{%")).min();
            start.is_some_and(|start| {
                line[start..]
                    .split(|character: char| !character.is_alphanumeric() && character != '_')
                    .any(|word| word == name)
            })
        };
        let mut lines = self.source.lines();
        lines.position(uses).map_or_else(|| self.source.lines().count(), |index| index + 1)
    }

    fn excerpt(&self, line: usize) -> Option<(usize, String)> {
        let text = self.source.lines().nth(line.checked_sub(1)?)?;
        Some((line, text.trim_end().to_owned()))
    }

    fn error(&self, error: &tera::Error) -> TemplateError {
        use tera::ErrorKind::{RenderingError, SyntaxError};
        let (line, message) = match error.kind() {
            SyntaxError(report) | RenderingError(report) => {
                (self.excerpt(report.span().start_line), report.message().to_owned())
            }
            _ => (None, error.to_string()),
        };
        TemplateError { name: self.name.clone(), line, problem: Box::new(Problem::Other(message)) }
    }
}

/// The name in `known` that is most similar to `name`, as a suggestion.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(name.len()) / 4)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    name: String,
    /// The number of the line, from 1, and its text.
    line: Option<(usize, String)>,
    problem: Box<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    UnknownVariable { name: String, nearest: Option<String>, known: Vec<String> },
    Other(String),
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "template `{}`", self.name)?;
        if let Some((number, _)) = &self.line {
            write!(formatter, ", line {number}")?;
        }
        match &*self.problem {
            Problem::UnknownVariable { name, .. } => {
                write!(formatter, ": there is no variable `{name}`")?;
            }
            Problem::Other(message) => write!(formatter, ": {message}")?,
        }
        if let Some((number, text)) = &self.line {
            write!(formatter, "\n{number:>4} | {text}")?;
        }
        if let Problem::UnknownVariable { nearest, known, .. } = &*self.problem {
            if let Some(nearest) = nearest {
                write!(formatter, "\nhelp: did you mean `{nearest}`?")?;
            }
            write!(formatter, "\nhelp: the variables are {}", known.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String, String> {
        let variables = Variables {
            base: "python:3.11".into(),
            requirements: vec!["numpy<2".into(), "six".into()],
            ..Variables::default()
        };
        let mut args = Args::default();
        args.insert("additionaldeps", ["scikit-learn"]).unwrap();
        Template::new("Dockerfile", source)
            .render(&variables, &args)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_template_renders_without_escaping() {
        let source =
            "FROM {{ base }}\n{% for r in requirements %}RUN pip install '{{ r }}'\n{% endfor %}";
        insta::assert_snapshot!(render(source).unwrap(), @"
        FROM python:3.11
        RUN pip install 'numpy<2'
        RUN pip install 'six'
        ");
        assert_eq!(render("{{ additionaldeps | join(sep=' ') }}").unwrap(), "scikit-learn");
    }

    #[test]
    fn an_unknown_variable_is_named_with_its_line() {
        insta::assert_snapshot!(render("FROM x\nFROM {{ bse }}\n").unwrap_err(), @"
        template `Dockerfile`, line 2: there is no variable `bse`
           2 | FROM {{ bse }}
        help: did you mean `base`?
        help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, additionaldeps
        ");
        insta::assert_snapshot!(render("{% for d in extradeps %}{{ d }}{% endfor %}").unwrap_err(), @"
        template `Dockerfile`, line 1: there is no variable `extradeps`
           1 | {% for d in extradeps %}{{ d }}{% endfor %}
        help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, additionaldeps
        ");
        insta::assert_snapshot!(render("{% if nothing %}x{% endif %}").unwrap_err(), @"
        template `Dockerfile`, line 1: there is no variable `nothing`
           1 | {% if nothing %}x{% endif %}
        help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, additionaldeps
        ");
    }

    #[test]
    fn a_syntax_error_is_shown() {
        insta::assert_snapshot!(render("FROM {{ base }\n").unwrap_err(), @"
        template `Dockerfile`, line 1: Found `}` but expected }}.
           1 | FROM {{ base }
        ");
        insta::assert_snapshot!(render("a\n{% for x in requirements %}").unwrap_err(), @"
        template `Dockerfile`, line 2: Unexpected end of input
           2 | {% for x in requirements %}
        ");
    }

    #[test]
    fn own_variables_cannot_be_replaced() {
        let mut args = Args::default();
        insta::assert_snapshot!(args.insert("base", "x").unwrap_err(), @"template `args`: `base` is a variable of Caliper's own");
    }
}
