//! Dockerfiles: what a template renders to, what it copies, and the lines that Caliper adds.
//!
//! Two texts come of one template. The *recorded* one is the rendered template, with the project
//! behind it where the template does not copy it itself; it depends on nothing but the cell, so that
//! a cell keeps its key from run to run. The text that is *sent* has, after each `FROM`, a label by
//! which every layer can be told to be Caliper's, and the argument that leads pip to another index.

use std::collections::BTreeMap;

use caliper_core::template::Template;
use globset::Glob;

use super::labels;

/// Where a template that does not copy the project finds it: in a folder of the context that no
/// project can have itself.
pub(super) const PROJECT: &str = ".caliper/project";

/// Where tests find the project, and are run, if the template does not copy it.
pub(super) const WORK: &str = "/project";

/// The Dockerfile's own name in the context, which a project is unlikely to have.
pub(super) const DOCKERFILE: &str = ".caliper.Dockerfile";

/// The built-in template. The file is copied rather than named by its address, so that what is
/// installed is what Caliper verified.
const BUILT_IN: &str = r#"FROM {{ base }}
COPY {{ basename }} /tmp/caliper/
RUN PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1 \
    python -m pip --disable-pip-version-check install --no-cache-dir \
    {% for requirement in requirements %}'{{ requirement | replace(from="'", to="'\\''") }}' {% endfor -%}
    /tmp/caliper/{{ basename }}
"#;

/// The template of cells for which the user gave none.
pub(super) fn built_in() -> Template {
    Template::new("the built-in Dockerfile", BUILT_IN)
}

/// A rendered Dockerfile, and what of the context it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// What is recorded.
    pub(super) text: String,
    /// The image that the last stage starts from, where the text itself names it.
    pub(super) base: Option<String>,
    /// It copies the file to install.
    pub(super) uses_file: bool,
    /// It copies something else, which can only be the user's.
    pub(super) uses_root: bool,
    /// It has a last layer with the project in [`PROJECT`].
    pub(super) uses_project: bool,
}

impl Dockerfile {
    /// Reads `rendered`, and gives it the project if it does not take it by itself.
    pub(super) fn new(rendered: &str, basename: &str) -> Self {
        let instructions = instructions(rendered);
        let sources: Vec<String> = instructions.iter().flat_map(Instruction::sources).collect();
        let is_file = |source: &String| {
            source == basename
                || Glob::new(source).is_ok_and(|glob| glob.compile_matcher().is_match(basename))
        };
        let copies_all = sources.iter().any(String::is_empty);
        let mut text = rendered.trim_end().to_owned();
        text.push('\n');
        if !copies_all {
            // Without a WORKDIR, which would be a layer of its own: containers are started there.
            text.push_str(&format!("COPY {PROJECT}/ {WORK}/\n"));
        }
        Self {
            base: last_base(&instructions),
            uses_file: sources.iter().any(is_file),
            uses_root: sources.iter().any(|source| source != basename),
            uses_project: !copies_all,
            text,
        }
    }

    /// The first thing that is built of every Dockerfile that starts from `base`.
    pub(super) fn first_layer(base: &str) -> Self {
        Self {
            text: format!("FROM {base}\n"),
            base: Some(base.to_owned()),
            uses_file: false,
            uses_root: false,
            uses_project: false,
        }
    }

    /// What is sent to the engine.
    ///
    /// Only a label in the text itself reaches the layers in the middle, which stay behind when a
    /// build fails or its Caliper is killed. It also keeps Caliper's layers apart from equal ones
    /// that the user built, so that removing ours never takes away theirs.
    pub(super) fn sent(&self, index: bool) -> String {
        let mut added = format!("LABEL {}=1\n", labels::OURS);
        if index {
            added.push_str("ARG PIP_INDEX_URL\n");
        }
        let ends: Vec<usize> = instructions(&self.text)
            .iter()
            .filter(|instruction| instruction.keyword == "FROM")
            .map(|instruction| instruction.last_line)
            .collect();
        let mut sent = String::new();
        for (number, line) in self.text.lines().enumerate() {
            sent.push_str(line);
            sent.push('\n');
            if ends.contains(&number) {
                sent.push_str(&added);
            }
        }
        sent
    }
}

/// One instruction of a Dockerfile, its continuation lines joined.
#[derive(Debug)]
struct Instruction {
    /// In capitals.
    keyword: String,
    arguments: String,
    /// Its last line, from 0.
    last_line: usize,
}

/// Splits a Dockerfile as <https://docs.docker.com/reference/dockerfile/#format> says.
fn instructions(text: &str) -> Vec<Instruction> {
    let escape = escape_character(text);
    let mut found = Vec::new();
    let mut open = String::new();
    let mut last_line = 0;
    let mut close = |open: &mut String, last_line| {
        let whole = std::mem::take(open);
        let (keyword, arguments) =
            whole.trim().split_once(char::is_whitespace).unwrap_or((whole.trim(), ""));
        if !keyword.is_empty() {
            found.push(Instruction {
                keyword: keyword.to_ascii_uppercase(),
                arguments: arguments.trim().to_owned(),
                last_line,
            });
        }
    };
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        // Comments and empty lines also vanish inside of an instruction that goes on.
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        last_line = number;
        if let Some(start) = line.strip_suffix(escape) {
            open.push_str(start);
            open.push(' ');
        } else {
            open.push_str(line);
            close(&mut open, number);
        }
    }
    close(&mut open, last_line);
    found
}

/// What joins lines: a backslash, unless a directive at the top says otherwise.
fn escape_character(text: &str) -> char {
    text.lines()
        .map_while(|line| line.trim().strip_prefix('#'))
        .filter_map(|directive| directive.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("escape"))
        .and_then(|(_, value)| value.trim().chars().next())
        .unwrap_or('\\')
}

impl Instruction {
    /// What this instruction copies out of the context, relative to it; empty for all of it.
    fn sources(&self) -> Vec<String> {
        if !matches!(self.keyword.as_str(), "COPY" | "ADD") {
            return Vec::new();
        }
        let mut arguments = self.arguments.as_str();
        while arguments.starts_with("--") {
            let (flag, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
            // Out of another stage or image.
            if flag.starts_with("--from=") {
                return Vec::new();
            }
            arguments = rest.trim_start();
        }
        let mut sources: Vec<String> = serde_json::from_str(arguments)
            .unwrap_or_else(|_| arguments.split_whitespace().map(str::to_owned).collect());
        sources.pop();
        sources.retain(|source| !source.contains("://") && !source.starts_with("<<"));
        for source in &mut sources {
            let parts = source.split('/').filter(|part| !part.is_empty() && *part != ".");
            *source = parts.collect::<Vec<_>>().join("/");
        }
        sources
    }
}

/// The image that the last stage stands on, through the stages in between.
fn last_base(instructions: &[Instruction]) -> Option<String> {
    let mut stages: BTreeMap<String, String> = BTreeMap::new();
    let mut last = None;
    for instruction in instructions.iter().filter(|instruction| instruction.keyword == "FROM") {
        let mut words =
            instruction.arguments.split_whitespace().filter(|word| !word.starts_with("--"));
        let name = words.next()?;
        let base = stages.get(&name.to_lowercase()).cloned().unwrap_or_else(|| name.to_owned());
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("as")) {
            stages.insert(words.next()?.to_lowercase(), base.clone());
        }
        last = Some(base);
    }
    last.filter(|base| !base.contains('$') && base != "scratch")
}

#[cfg(test)]
mod tests {
    use super::*;
    use caliper_core::template::{Args, Variables};

    #[test]
    fn the_project_is_the_last_layer_unless_the_template_copies_it() {
        // (instructions, copies the file, something of the user's, project appended)
        for (text, file, root, project) in [
            ("RUN true", false, false, true),
            ("COPY a.whl /tmp/", true, false, true),
            ("COPY ./a.whl requirements.txt /tmp/", true, true, true),
            ("COPY *.whl /tmp/", true, true, true),
            ("COPY . /app", false, true, false),
            ("COPY ./ /app/\nCOPY a.whl /tmp/", true, true, false),
            ("add --chown=1:1 . .", false, true, false),
            ("COPY [\".\", \"/app\"]", false, true, false),
            ("COPY \\\n  # all of it\n\n  . \\\n  /app", false, true, false),
            ("# escape=`\nCOPY `\n . /app", false, true, false),
            ("# COPY . /app", false, false, true),
            ("COPY --from=other . /app", false, false, true), // out of another stage
            ("ADD https://example.org/a.whl /tmp/", false, false, true),
            ("COPY .. /app", false, true, true), // nothing lies above a context
            ("RUN echo COPY . /app", false, false, true),
        ] {
            let dockerfile = Dockerfile::new(text, "a.whl");
            let got = (dockerfile.uses_file, dockerfile.uses_root, dockerfile.uses_project);
            assert_eq!(got, (file, root, project), "{text}");
            let appended = dockerfile.text.ends_with("COPY .caliper/project/ /project/\n");
            assert_eq!(appended, project, "{text}");
            assert!(dockerfile.text.starts_with(text), "{text}");
        }
    }

    #[test]
    fn every_stage_is_labelled_in_what_is_sent_only() {
        let text = "ARG x=1\nFROM python:3.11 \\\n  AS one\nRUN a\n# FROM\nfrom one\nCOPY . /app\n";
        let dockerfile = Dockerfile::new(text, "a.whl");
        assert_eq!(dockerfile.text, text);
        insta::assert_snapshot!(dockerfile.sent(true), @r"
        ARG x=1
        FROM python:3.11 \
          AS one
        LABEL dev.caliper=1
        ARG PIP_INDEX_URL
        RUN a
        # FROM
        from one
        LABEL dev.caliper=1
        ARG PIP_INDEX_URL
        COPY . /app
        ");
        assert!(!dockerfile.sent(false).contains("PIP_INDEX_URL"));
    }

    #[test]
    fn the_base_is_what_the_last_stage_stands_on() {
        for (text, base) in [
            ("FROM a", Some("a")),
            ("FROM a AS x\nFROM b\nCOPY --from=x y z", Some("b")),
            ("FROM a AS X\nFROM x as y\nFROM y", Some("a")),
            ("FROM --platform=linux/amd64 a:1", Some("a:1")),
            ("FROM $BASE", None),
            ("FROM scratch", None),
            ("", None),
        ] {
            assert_eq!(Dockerfile::new(text, "").base.as_deref(), base, "{text}");
        }
    }

    #[test]
    fn the_built_in_template_quotes_for_the_shell() {
        let variables = Variables {
            base: "python:3.11".into(),
            basename: "six-1.16.0-py2.py3-none-any.whl".into(),
            requirements: vec!["numpy<2".into(), "x; python_version < '3'".into()],
            ..Variables::default()
        };
        let text = built_in().render(&variables, &Args::default()).unwrap();
        insta::assert_snapshot!(Dockerfile::new(&text, &variables.basename).text, @r"
        FROM python:3.11
        COPY six-1.16.0-py2.py3-none-any.whl /tmp/caliper/
        RUN PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1 \
            python -m pip --disable-pip-version-check install --no-cache-dir \
            'numpy<2' 'x; python_version < '\''3'\''' /tmp/caliper/six-1.16.0-py2.py3-none-any.whl
        COPY .caliper/project/ /project/
        ");
    }
}
