//! Dockerfiles: what a template renders to, what it copies, and the lines that Caliper adds.
//!
//! Two texts come of one template. The *recorded* one is the rendered template; it depends on nothing
//! but the cell, so that a cell keeps its key from run to run. The text that is *sent* has, after each `FROM`, a label by
//! which every layer can be told to be Caliper's, and the argument that leads pip to another index.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::question::template::Template;
use globset::Glob;

use super::index::GivenIndex;
use super::labels;
use crate::project::{Project, glob};

/// Where tests find the project, and are run, if the template does not copy it.
pub(super) const WORK: &str = "/project";

/// The Dockerfile's own name in the context, which a project is unlikely to have.
pub(super) const DOCKERFILE: &str = ".caliper.Dockerfile";

/// The built-in template. The file is copied rather than named by its address, so that what is
/// installed is what Caliper verified. Before pip 25.3, which has an option for it, what a source
/// distribution is built with is bound only by the environment variable for all constraints.
const BUILT_IN: &str = r#"FROM {{ base }}
COPY {{ basename }} {% if project_wheel %}{{ project_wheel }} {% endif %}/tmp/caliper/
RUN {% if constraints %}printf '%s\n' \
    {% for constraint in constraints %}'{{ constraint | replace(from="'", to="'\\''") }}' {% endfor -%}
    > /tmp/caliper/constraints.txt && {% endif -%}
    {% if build_constraints %}printf '%s\n' \
    {% for constraint in build_constraints %}'{{ constraint | replace(from="'", to="'\\''") }}' {% endfor -%}
    > /tmp/caliper/build-constraints.txt && \
    if python -m pip install --help | grep -q -e --build-constraint; \
    then export PIP_BUILD_CONSTRAINT=/tmp/caliper/build-constraints.txt; \
    else export PIP_CONSTRAINT=/tmp/caliper/build-constraints.txt; fi && {% endif -%}
    PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1 \
    python -m pip --disable-pip-version-check install --no-cache-dir \
    {% if constraints %}--constraint /tmp/caliper/constraints.txt {% endif -%}
    {% for requirement in requirements %}'{{ requirement | replace(from="'", to="'\\''") }}' {% endfor -%}
    {% if project_wheel %}'/tmp/caliper/{{ project_wheel }}
    {%- if project_extras %}[{{ project_extras | join(sep=",") }}]{% endif %}' {% endif -%}
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
    /// All images that it starts from; `None` if only the engine can say.
    pub(super) bases: Option<BTreeSet<String>>,
    /// It copies the file to install.
    pub(super) uses_file: bool,
    /// It copies the wheel of the project's own package.
    pub(super) uses_wheel: bool,
    /// It takes the whole project itself; otherwise that is put into [`WORK`] of each container.
    pub(super) copies_all: bool,
    /// What of it comes before these files, and may be the same in other cells.
    pub(super) general: String,
    /// What it copies out of the context: paths and patterns.
    sources: Vec<String>,
}

impl Dockerfile {
    /// Reads `rendered`, which may copy the file to install, called `basename`, and the wheel of the project's own
    /// package, called `wheel`; that is empty if there is none.
    pub(super) fn new(rendered: &str, basename: &str, wheel: &str) -> Self {
        let text = format!("{}\n", rendered.trim_end());
        let instructions = instructions(&text);
        let sources: Vec<String> = instructions.iter().flat_map(Instruction::sources).collect();
        let first_that_copies = |name: &str| {
            let is_file = |source: &String| {
                source == name
                    || Glob::new(source).is_ok_and(|glob| glob.compile_matcher().is_match(name))
            };
            let uses = |instruction: &Instruction| instruction.sources().iter().any(is_file);
            instructions.iter().position(uses)
        };
        let of_file = first_that_copies(basename);
        let of_wheel = if wheel.is_empty() { None } else { first_that_copies(wheel) };
        let own = of_file.into_iter().chain(of_wheel).min();
        let general = instructions[..own.unwrap_or(instructions.len())].last();
        Self {
            base: last_base(&instructions),
            bases: bases(&instructions),
            uses_file: of_file.is_some(),
            uses_wheel: of_wheel.is_some(),
            copies_all: sources.iter().any(String::is_empty),
            general: general.map(|last| last.and_before(&text).to_owned()).unwrap_or_default(),
            sources,
            text,
        }
    }

    /// What of `project` the build needs.
    pub(super) fn part_of(&self, project: &Project) -> Project {
        let is_plain = |source: &String| !source.contains(['$', '\\']) && !source.contains("..");
        if self.copies_all || !self.sources.iter().all(is_plain) {
            return project.clone();
        }
        // https://docs.docker.com/reference/dockerfile/#pattern-matching
        let patterns: Result<Vec<Glob>, _> =
            self.sources.iter().map(|source| glob(source)).collect();
        match patterns {
            Ok(patterns) => project.matching(&patterns),
            // What we cannot read, the engine may.
            Err(_) => project.clone(),
        }
    }

    /// What is built before anything else of the cells whose Dockerfiles start from `base`: what all
    /// of `texts` begin with, or the base alone if that is nothing.
    pub(super) fn beginning<'a>(base: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let from = format!("FROM {base}\n");
        let text = texts.into_iter().reduce(common).filter(|text| !text.is_empty());
        // No file to install, also where it copies the whole project.
        let (uses_file, uses_wheel) = (false, false);
        Self { uses_file, uses_wheel, ..Self::new(text.unwrap_or(&from), "", "") }
    }

    /// What is sent to the engine.
    ///
    /// Only a label in the text itself reaches the layers in the middle, which stay behind when a
    /// build fails or its Caliper is killed. It also keeps Caliper's layers apart from equal ones
    /// that the user built, so that removing ours never takes away theirs. The engine takes up layers
    /// only from builds with the same `mark`, the value of the label.
    ///
    /// The variables of the index are arguments: a command sees them, and the image does not have them. Their
    /// values, which are sent beside the text, are part of what the engine finds the layers of commands by.
    pub(super) fn sent(&self, mark: &str, index: &GivenIndex) -> String {
        let mut added = format!("LABEL {}={mark}\n", labels::OURS);
        for (name, _) in &index.variables {
            added.push_str(&format!("ARG {name}\n"));
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
        match &index.moved {
            Some((from, to)) if !from.is_empty() => sent.replace(from, to),
            _ => sent,
        }
    }

    /// Where an instruction sets one of these variables, or a command has one of these options; the
    /// words that do.
    pub(super) fn mentions(&self, variables: &BTreeSet<&str>, options: &[&str]) -> Option<String> {
        instructions(&self.text).iter().find_map(|instruction| {
            let arguments = &instruction.arguments;
            let set = || {
                let names = arguments.split(|character: char| {
                    !character.is_ascii_alphanumeric() && character != '_'
                });
                names.into_iter().find(|name| variables.contains(name)).map(str::to_owned)
            };
            match instruction.keyword.as_str() {
                "ENV" | "ARG" => set(),
                "RUN" => {
                    let option = options.iter().find(|option| arguments.contains(**option));
                    option.map(|option| (*option).to_owned())
                }
                _ => None,
            }
        })
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

/// What two Dockerfiles begin with alike: whole instructions, of which one is a `FROM`, or nothing.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let pairs = instructions(one).into_iter().zip(instructions(other));
    let same = |one: &Instruction, other: &Instruction| {
        (&one.keyword, &one.arguments) == (&other.keyword, &other.arguments)
    };
    let alike: Vec<Instruction> =
        pairs.take_while(|(one, other)| same(one, other)).map(|(one, _)| one).collect();
    if !alike.iter().any(|instruction| instruction.keyword == "FROM") {
        return "";
    }
    alike.last().map_or("", |last| last.and_before(one))
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
    /// The part of `text`, in which it stands, up to its end.
    fn and_before<'a>(&self, text: &'a str) -> &'a str {
        let length = text.split_inclusive('\n').take(self.last_line + 1).map(str::len).sum();
        &text[..length]
    }

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

/// The images that the stages start from, other stages and nothing at all aside.
fn bases(instructions: &[Instruction]) -> Option<BTreeSet<String>> {
    let mut stages = BTreeSet::new();
    let mut bases = BTreeSet::new();
    for instruction in instructions.iter().filter(|instruction| instruction.keyword == "FROM") {
        let mut words =
            instruction.arguments.split_whitespace().filter(|word| !word.starts_with("--"));
        let name = words.next()?;
        if name.contains('$') {
            return None;
        }
        if name != "scratch" && !stages.contains(&name.to_lowercase()) {
            bases.insert(name.to_owned());
        }
        if words.next().is_some_and(|word| word.eq_ignore_ascii_case("as")) {
            stages.insert(words.next()?.to_lowercase());
        }
    }
    // Also `COPY --from=` may name an image.
    let copies = instructions.iter().filter(|instruction| instruction.keyword == "COPY");
    let from = |copy: &Instruction| {
        let flags = copy.arguments.split_whitespace().take_while(|word| word.starts_with("--"));
        flags.filter_map(|flag| flag.strip_prefix("--from=")).map(str::to_owned).last()
    };
    let is_stage = |name: &String| {
        name.bytes().all(|byte| byte.is_ascii_digit()) || stages.contains(&name.to_lowercase())
    };
    let mut others = copies.filter_map(from).filter(|name| !is_stage(name)).peekable();
    if others.peek().is_some_and(|name| name.contains('$')) {
        return None;
    }
    bases.extend(others);
    Some(bases)
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
    use caliper_core::question::template::{Args, Variables};

    #[test]
    fn a_build_gets_what_it_copies() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data/deep")).unwrap();
        for path in ["a.py", "requirements.txt", "data/b.txt", "data/deep/c.txt"] {
            std::fs::write(folder.path().join(path), path).unwrap();
        }
        let project = Project::read(folder.path(), None).unwrap();
        let all = project.bytes();
        let size = |paths: &[&str]| paths.iter().map(|path| path.len() as u64).sum::<u64>();
        let requirements = size(&["requirements.txt"]);
        let data = size(&["data/b.txt", "data/deep/c.txt"]);
        // (instructions, copies the file, takes the whole project, bytes of the project)
        for (text, file, whole, bytes) in [
            ("RUN true", false, false, 0),
            ("COPY a.whl /tmp/", true, false, 0),
            ("COPY ./a.whl requirements.txt /tmp/", true, false, requirements),
            ("COPY *.whl /tmp/", true, false, 0),
            ("COPY data /x/", false, false, data),
            ("COPY d?ta/*.txt /x/", false, false, size(&["data/b.txt"])), // a star has no slash
            ("COPY data/deep/ *.py /x/", false, false, size(&["a.py", "data/deep/c.txt"])),
            ("COPY . /app", false, true, all),
            ("COPY ./ /app/\nCOPY a.whl /tmp/", true, true, all),
            ("add --chown=1:1 . .", false, true, all),
            ("COPY [\".\", \"/app\"]", false, true, all),
            ("COPY \\\n  # all of it\n\n  . \\\n  /app", false, true, all),
            ("# escape=`\nCOPY `\n . /app", false, true, all),
            ("# COPY . /app", false, false, 0),
            ("COPY --from=other . /app", false, false, 0), // out of another stage
            ("ADD https://example.org/a.whl /tmp/", false, false, 0),
            ("COPY $WHAT /app", false, false, all), // only the engine knows
            ("COPY data/../a.py /app", false, false, all),
            ("RUN echo COPY . /app", false, false, 0),
        ] {
            let dockerfile = Dockerfile::new(text, "a.whl", "");
            let part = dockerfile.part_of(&project).bytes();
            assert_eq!(
                (dockerfile.uses_file, dockerfile.copies_all, part),
                (file, whole, bytes),
                "{text}"
            );
            assert_eq!(dockerfile.text, format!("{text}\n"));
        }
    }

    #[test]
    fn every_stage_is_labelled_in_what_is_sent_only() {
        let text = "ARG x=1\nFROM python:3.11 \\\n  AS one\nRUN a\n# FROM\nfrom one\nCOPY . /app\n";
        let dockerfile = Dockerfile::new(text, "a.whl", "");
        assert_eq!(dockerfile.text, text);
        let index = GivenIndex {
            variables: vec![("PIP_INDEX_URL", "http://127.0.0.1/simple/".to_owned())],
            ..GivenIndex::default()
        };
        insta::assert_snapshot!(dockerfile.sent("1", &index), @r"
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
        assert!(!dockerfile.sent("1", &GivenIndex::default()).contains("PIP_INDEX_URL"));
        let dockerfile =
            Dockerfile::new("FROM a\nRUN pip install https://f.example/a.whl#x", "a.whl", "");
        let moved = Some(("https://f.example/a.whl".to_owned(), "http://here/a.whl".to_owned()));
        let sent = dockerfile.sent("1", &GivenIndex { moved, ..GivenIndex::default() });
        assert!(sent.ends_with("RUN pip install http://here/a.whl#x\n"), "{sent}");
    }

    #[test]
    fn other_indexes_are_found() {
        let names = BTreeSet::from(["PIP_INDEX_URL", "UV_INDEX"]);
        for (text, found) in [
            ("ENV PIP_INDEX_URL=https://x", Some("PIP_INDEX_URL")),
            ("ENV A=1 \\\n  UV_INDEX=https://x", Some("UV_INDEX")),
            ("ENV UV_INDEX https://x", Some("UV_INDEX")),
            ("ENV MY_PIP_INDEX_URL_2=x", None),
            ("RUN pip install --extra-index-url https://x y", Some("--extra-index-url")),
            ("RUN echo $PIP_INDEX_URL", None),
            ("# ENV UV_INDEX=x\nCOPY --index-url x", None),
        ] {
            let dockerfile = Dockerfile::new(&format!("FROM a\n{text}"), "a.whl", "");
            let mentioned = dockerfile.mentions(&names, &["--index-url", "--extra-index-url"]);
            assert_eq!(mentioned.as_deref(), found, "{text}");
        }
    }

    #[test]
    fn the_base_is_what_the_last_stage_stands_on() {
        for (text, base, all) in [
            ("FROM a", Some("a"), Some("a")),
            ("FROM a AS x\nFROM b\nCOPY --from=x y z", Some("b"), Some("a b")),
            ("FROM a\nFROM b\nCOPY --from=0 y z", Some("b"), Some("a b")),
            ("FROM b\nCOPY --from=a:1 --chown=1 y z", Some("b"), Some("a:1 b")),
            ("FROM a AS X\nFROM x as y\nFROM y", Some("a"), Some("a")),
            ("FROM --platform=linux/amd64 a:1", Some("a:1"), Some("a:1")),
            ("FROM $BASE", None, None),
            ("FROM b\nCOPY --from=$X y z", Some("b"), None),
            ("FROM scratch", None, Some("")),
            ("", None, Some("")),
        ] {
            let dockerfile = Dockerfile::new(text, "", "");
            assert_eq!(dockerfile.base.as_deref(), base, "{text}");
            let found = dockerfile.bases.map(|all| all.into_iter().collect::<Vec<_>>().join(" "));
            assert_eq!(found.as_deref(), all, "{text}");
        }
    }

    #[test]
    fn cells_begin_with_what_their_dockerfiles_have_in_common() {
        let beginning = |texts: &[&str]| {
            let dockerfiles = texts.iter().map(|text| Dockerfile::new(text, "a.whl", ""));
            let general: Vec<String> = dockerfiles.map(|dockerfile| dockerfile.general).collect();
            let common = Dockerfile::beginning("b", general.iter().map(String::as_str));
            (common.text.trim_end().to_owned(), common.copies_all)
        };
        for (texts, expected, copies_all) in [
            (&[][..], "FROM b", false),
            (&["FROM b\nCOPY a.whl /\nRUN x", "FROM b\nCOPY a.whl /\nRUN x"], "FROM b", false),
            (&["FROM b\nCOPY *.whl /", "FROM b\nCOPY *.whl /"], "FROM b", false),
            (
                &["FROM b\nADD . /x\nRUN a\nRUN y 1", "FROM b\nADD . /x\nRUN a\nRUN y 2"],
                "FROM b\nADD . /x\nRUN a",
                true,
            ),
            // Whole instructions, however they are written.
            (
                &["FROM b\nRUN x \\\n  y\nRUN 1", "FROM b\n# z\nrun x \\\n  # z\n  y\nRUN 2"],
                "FROM b\nRUN x \\\n  y",
                false,
            ),
            (&["FROM b\nRUN x \\\n 1", "FROM b\nRUN x \\\n 2"], "FROM b", false),
            (&["FROM b\nRUN x", "FROM b\nRUN x\nRUN y"], "FROM b\nRUN x", false),
            (
                &["FROM c AS d\nRUN x\nFROM b", "FROM c AS d\nRUN x\nFROM b"],
                "FROM c AS d\nRUN x\nFROM b",
                false,
            ),
            // Without any image there is nothing to build.
            (&["ARG x=1\nFROM b AS c", "ARG x=1\nFROM b AS d"], "FROM b", false),
        ] {
            assert_eq!(beginning(texts), (expected.to_owned(), copies_all), "{texts:?}");
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
        insta::assert_snapshot!(Dockerfile::new(&text, &variables.basename, "").text, @r"
        FROM python:3.11
        COPY six-1.16.0-py2.py3-none-any.whl /tmp/caliper/
        RUN PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1 \
            python -m pip --disable-pip-version-check install --no-cache-dir \
            'numpy<2' 'x; python_version < '\''3'\''' /tmp/caliper/six-1.16.0-py2.py3-none-any.whl
        ");
    }
    #[test]
    fn the_built_in_template_installs_the_project_with_its_extras() {
        let variables = Variables {
            base: "python:3.11".into(),
            basename: "six-1.16.0-py2.py3-none-any.whl".into(),
            project_wheel: "weatherkit-1.0-py3-none-any.whl".into(),
            project_extras: vec!["test".into(), "plot".into()],
            ..Variables::default()
        };
        let text = built_in().render(&variables, &Args::default()).unwrap();
        let dockerfile = Dockerfile::new(&text, &variables.basename, &variables.project_wheel);
        assert!(dockerfile.uses_file && dockerfile.uses_wheel);
        assert_eq!(dockerfile.general, "FROM python:3.11\n");
        insta::assert_snapshot!(dockerfile.text, @r"
        FROM python:3.11
        COPY six-1.16.0-py2.py3-none-any.whl weatherkit-1.0-py3-none-any.whl /tmp/caliper/
        RUN PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1 \
            python -m pip --disable-pip-version-check install --no-cache-dir \
            '/tmp/caliper/weatherkit-1.0-py3-none-any.whl[test,plot]' /tmp/caliper/six-1.16.0-py2.py3-none-any.whl
        ");
        let own =
            "FROM b\nRUN x\nCOPY weatherkit-*.whl /w/\nCOPY six-1.16.0-py2.py3-none-any.whl /f/\n";
        let dockerfile = Dockerfile::new(own, &variables.basename, &variables.project_wheel);
        assert!(dockerfile.uses_file && dockerfile.uses_wheel);
        assert_eq!(dockerfile.general, "FROM b\nRUN x\n");
    }
}
