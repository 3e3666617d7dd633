//! Requirements files of pip (<https://pip.pypa.io/en/stable/reference/requirements-file-format/>).

use serde::{Deserialize, Serialize};

use crate::names::{Sha256, excerpt};

/// The files that may be installed of a package: the hashes that a requirements file gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AllowedFiles {
    /// The requirement that the hashes stand at, with its marker, as written.
    pub requirement: String,
    /// The digests of the files.
    pub sha256: Vec<Sha256>,
    /// The file of the project that says so.
    pub source: String,
}

/// What stands in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A requirement, and the hashes of the files that it allows.
    Requirement { text: String, sha256: Vec<Sha256> },
    /// `-r FILE`
    Requirements(String),
    /// `-c FILE`
    Constraints(String),
}

/// What cannot be honoured of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: String,
}

/// The lines of a file that say something, each with the number of its first line.
pub(crate) fn read(text: &str) -> Vec<(usize, Result<Entry, Refused>)> {
    let lines = lines(text).into_iter();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| (number, read_line(line.trim()))).collect()
}

/// The lines, joined where a `\` stands at the end, without comments, each with the number of its first.
pub(crate) fn lines(text: &str) -> Vec<(usize, String)> {
    let mut joined: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (number, line) in (1..).zip(text.lines()) {
        let is_comment = line.trim_start().starts_with('#');
        let bare = line.trim_end();
        let (part, more) = match bare.strip_suffix('\\') {
            Some(part) if !is_comment => (part, true),
            _ => (bare, false),
        };
        match joined.last_mut() {
            Some((_, whole)) if goes_on => {
                whole.push(' ');
                whole.push_str(part);
            }
            _ => joined.push((number, part.to_owned())),
        }
        goes_on = more;
    }
    for (_, line) in &mut joined {
        let comment = if line.trim_start().starts_with('#') {
            Some(0)
        } else {
            line.find(" #").or(line.find("\t#"))
        };
        line.truncate(comment.unwrap_or(line.len()));
    }
    joined
}

/// Whether a path is the project itself: `.`, `./`, `.[test]`.
pub(crate) fn is_the_project(text: &str) -> bool {
    let path = text.split('[').next().unwrap_or_default().trim();
    matches!(path, "." | "./")
}

/// How the project itself is installed, with the extras that stand behind a `.`.
pub(crate) fn the_project(text: &str) -> String {
    let extras = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    match extras.map(|(extras, _)| extras.trim()).filter(|extras| !extras.is_empty()) {
        Some(extras) => {
            format!(
                "install the project itself by the key `project: {{extras: [{}]}}`",
                excerpt(extras, 80)
            )
        }
        None => "install the project itself by the key `project: true`".to_owned(),
    }
}

const INDEX: &str = "name the index when Caliper is called, with `--index` or CALIPER_INDEX_URL";

/// Options that are refused, and what to do about each.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &[
            "-i",
            "--index-url",
            "--extra-index-url",
            "-f",
            "--find-links",
            "--no-index",
            "--trusted-host",
        ],
        INDEX,
    ),
    (&["--pre"], "a specifier that names a pre-release allows it: `demo>=2.0rc1`"),
    (
        &["--require-hashes"],
        "leave it out: each hash that is declared is checked, and packages without one are allowed",
    ),
    (
        &["--no-binary", "--only-binary", "--prefer-binary"],
        "leave it out; the key `sdist` says so of the dependency",
    ),
];

fn read_line(line: &str) -> Result<Entry, Refused> {
    let refused = |message: String, help: &str| Refused { message, help: help.to_owned() };
    if line.starts_with('-') {
        let end = line.find(['=', ' ', '\t']).unwrap_or(line.len());
        let (option, value) = line.split_at(end);
        let value = value.trim_start_matches(['=', ' ', '\t']).trim().to_owned();
        return match option {
            "-r" | "--requirement" => Ok(Entry::Requirements(value)),
            "-c" | "--constraint" => Ok(Entry::Constraints(value)),
            "-e" | "--editable" if is_the_project(&value) => Err(Refused {
                message: format!("`{}` is no requirement", excerpt(line, 80)),
                help: the_project(&value),
            }),
            "-e" | "--editable" => Err(refused(
                format!(
                    "`{}` is an editable install, which no cell has for itself",
                    excerpt(line, 80)
                ),
                "name a package and what may be installed of it: `numpy<2`, or `demo @ file:///absolute/path.whl`",
            )),
            option => {
                let known = OPTIONS.iter().find(|(names, _)| names.contains(&option));
                let help = known.map_or("leave it out", |(_, help)| help);
                let option = excerpt(option, 80);
                Err(refused(format!("the option `{option}` has no meaning here"), help))
            }
        };
    }
    if is_the_project(line) {
        let message = format!("`{}` is no requirement", excerpt(line, 80));
        return Err(Refused { message, help: the_project(line) });
    }
    // Options of one requirement.
    let (text, options) = match line.find(" --") {
        Some(start) => (line[..start].trim_end(), &line[start..]),
        None => (line, ""),
    };
    let mut sha256 = Vec::new();
    let mut words = options.split_whitespace();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--hash") {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => rest.trim_start_matches('='),
            None => {
                let message = format!("the option `{}` has no meaning here", excerpt(word, 80));
                return Err(refused(message, "leave it out"));
            }
        };
        let digest = value.strip_prefix("sha256:").and_then(|digest| digest.parse().ok());
        sha256.push(digest.ok_or_else(|| {
            let message = format!("`{}` is no hash that can be checked", excerpt(value, 80));
            refused(message, "write `--hash=sha256:` and 64 hexadecimal digits")
        })?);
    }
    Ok(Entry::Requirement { text: text.to_owned(), sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_line_by_line() {
        let digest = "a".repeat(64);
        let text = format!(
            "# what is needed\n-r base.txt\n--constraint=limits.txt # here\n\nnumpy==1.26.4 ; python_version >= '3.9' \\\n    \
             --hash=sha256:{digest} \\\n    --hash sha256:{digest}\nclick>=8 # for the command\nx @ https://x/y.whl#sha256=0\n"
        );
        let told: Vec<String> = read(&text)
            .into_iter()
            .map(|(line, entry)| match entry.unwrap() {
                Entry::Requirement { text, sha256 } => format!("{line}: {text} ({})", sha256.len()),
                Entry::Requirements(file) => format!("{line}: file {file}"),
                Entry::Constraints(file) => format!("{line}: constraints {file}"),
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        2: file base.txt
        3: constraints limits.txt
        5: numpy==1.26.4 ; python_version >= '3.9' (2)
        8: click>=8 (0)
        9: x @ https://x/y.whl#sha256=0 (0)
        ");
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_with_a_fix() {
        let text = "-e .\n-e .[test, plot]\n.[test]\n-e git+https://x/y\n--index-url https://x\n--pre\n\
                    --require-hashes\n--no-binary :all:\n--use-pep517\nsix --hash=md5:0\nsix --config-settings=x\n";
        let told: Vec<String> = read(text)
            .into_iter()
            .map(|(_, entry)| {
                let Refused { message, help } = entry.unwrap_err();
                format!("{message}: {help}")
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        `-e .` is no requirement: install the project itself by the key `project: true`
        `-e .[test, plot]` is no requirement: install the project itself by the key `project: {extras: [test, plot]}`
        `.[test]` is no requirement: install the project itself by the key `project: {extras: [test]}`
        `-e git+https://x/y` is an editable install, which no cell has for itself: name a package and what may be installed of it: `numpy<2`, or `demo @ file:///absolute/path.whl`
        the option `--index-url` has no meaning here: name the index when Caliper is called, with `--index` or CALIPER_INDEX_URL
        the option `--pre` has no meaning here: a specifier that names a pre-release allows it: `demo>=2.0rc1`
        the option `--require-hashes` has no meaning here: leave it out: each hash that is declared is checked, and packages without one are allowed
        the option `--no-binary` has no meaning here: leave it out; the key `sdist` says so of the dependency
        the option `--use-pep517` has no meaning here: leave it out
        `md5:0` is no hash that can be checked: write `--hash=sha256:` and 64 hexadecimal digits
        the option `--config-settings=x` has no meaning here: leave it out
        ");
    }
}
