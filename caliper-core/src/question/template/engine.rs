//! Rendering and checking, by Tera.

use super::{Args, Problem, Template, TemplateError, VARIABLES, Variables};

impl Template {
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
        let similar = nearest(name, known.iter().map(String::as_str));
        let similar = similar.map(|similar| format!("did you mean `{similar}`?"));
        let all = format!("the variables are {}", known.join(", "));
        Err(TemplateError(Box::new(Problem {
            name: self.name.clone(),
            line: self.excerpt(line),
            message: format!("there is no variable `{name}`"),
            help: similar.into_iter().chain([all]).collect(),
        })))
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
        let (name, help) = (self.name.clone(), Vec::new());
        TemplateError(Box::new(Problem { name, line, message, help }))
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
        help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, build_constraints, project_wheel, project_extras, additionaldeps
        ");
        insta::assert_snapshot!(render("{% for d in extradeps %}{{ d }}{% endfor %}").unwrap_err(), @"
        template `Dockerfile`, line 1: there is no variable `extradeps`
           1 | {% for d in extradeps %}{{ d }}{% endfor %}
        help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, build_constraints, project_wheel, project_extras, additionaldeps
        ");
        insta::assert_snapshot!(render("{% if nothing %}x{% endif %}").unwrap_err(), @"
        template `Dockerfile`, line 1: there is no variable `nothing`
           1 | {% if nothing %}x{% endif %}
        help: the variables are base, filename, basename, sha256, dependency, version, python, abi, requirements, constraints, build_constraints, project_wheel, project_extras, additionaldeps
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
