//! A witness: a folder with which a maintainer sees by two commands that a test does not end alike with two sets of
//! packages.
//!
//! Here its texts are made. Nothing is written or run; whoever writes the folder tries its commands first, and says in
//! [`Tried`] when and with what that was.
//!
//! Everything that a program printed is quoted so that it cannot become part of the page: in fences that are longer than
//! any in it, without control characters.

use std::collections::BTreeMap;

use pep440_rs::Version;

use super::details::shell_word;

use crate::analysis::blame::Pin;
use crate::names::{PackageName, PythonVersion, Timestamp};
use crate::question::grid::CellId;

/// Versions of packages, all that are installed.
pub type Pins = BTreeMap<PackageName, Version>;

/// A difference that can be shown again.
#[derive(Debug, Clone)]
pub struct Witness {
    /// The package that was measured.
    pub package: PackageName,
    /// The name of the test.
    pub test: String,
    /// The program of the test and its arguments.
    pub command: Vec<String>,
    /// The environment variables that it needs.
    pub variables: BTreeMap<String, String>,
    /// The address of the package index; `None` for the usual one.
    pub index: Option<String>,
    /// What its commands need.
    pub means: Means,
    /// The side on which it passes, or the first of two that pass with other results.
    pub good: Side,
    /// The other side.
    pub bad: Side,
}

/// With what the commands of a witness make their environments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// `uv`, and a Python of the machine.
    Uv,
    /// A container engine.
    Engine {
        /// Its program.
        program: &'static str,
        /// Whether tests have the network.
        has_network: bool,
    },
}

/// One of the two sides.
#[derive(Debug, Clone)]
pub struct Side {
    /// The cell that was measured.
    pub cell: CellId,
    /// The Python.
    pub python: PythonVersion,
    /// The name of the image that its environment starts from, with an engine.
    pub base: Option<String>,
    /// All packages that are installed, without those of the base image.
    pub pins: Pins,
    /// How the test ended, in words.
    pub outcome: String,
    /// What it printed.
    pub output: String,
    /// What it printed on standard error.
    pub error: String,
}

/// How a witness was tried.
#[derive(Debug, Clone)]
pub struct Tried {
    /// When.
    pub at: Timestamp,
    /// The programs, with their versions.
    pub tools: BTreeMap<String, String>,
    /// The system, such as `linux x86_64`.
    pub system: String,
}

/// Which of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The good one.
    Good,
    /// The bad one.
    Bad,
}

impl Which {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Good, Self::Bad];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// The pins of `good` with the guilty ones as the bad side has them. What differs besides is left as it is.
pub fn with_guilty(good: &Pins, guilty: &[Pin]) -> Pins {
    let mut pins = good.clone();
    for Pin { name, to, .. } in guilty {
        match to {
            Some(version) => pins.insert(name.clone(), version.clone()),
            None => pins.remove(name),
        };
    }
    pins
}

impl Witness {
    /// A side.
    pub fn side(&self, which: Which) -> &Side {
        match which {
            Which::Good => &self.good,
            Which::Bad => &self.bad,
        }
    }

    /// The command that runs the test on a side, for a shell in the folder. With an engine, [`Witness::installing`]
    /// comes before it.
    pub fn command(&self, which: Which) -> String {
        match self.means {
            Means::Uv => {
                let with_variables = if self.variables.is_empty() { "" } else { "env " };
                let assignments = self.assignments();
                format!("{with_variables}{assignments}{} -- {}", self.with_uv(which), self.words())
            }
            Means::Engine { program, has_network } => {
                let network = if has_network { "" } else { " --network none" };
                let one = |(name, value)| format!(" -e {}", shell_word(&format!("{name}={value}")));
                let variables: String = self.variables.iter().map(one).collect();
                let image = Self::image(which);
                format!(
                    "{program} run --rm --name {image}{network}{variables} {image} {}",
                    self.words()
                )
            }
        }
    }

    /// A command that installs the packages of a side and does nothing with them, to tell a test that fails from packages
    /// that cannot be installed.
    pub fn installing(&self, which: Which) -> String {
        match self.means {
            Means::Uv => format!("{} -- python -c pass", self.with_uv(which)),
            Means::Engine { program, .. } => {
                let (image, folder) = (Self::image(which), which.folder());
                // A build has a loopback of its own, where an index of this machine does not answer.
                let is_here = self.index.as_deref().is_some_and(is_on_loopback);
                let network = if is_here { " --network host" } else { "" };
                format!("{program} build{network} -t {image} -f {folder}/Dockerfile .")
            }
        }
    }

    /// A command that removes what the others leave behind in an engine.
    pub fn removing(&self) -> Option<String> {
        let Means::Engine { program, .. } = self.means else { return None };
        let images = Which::ALL.map(Self::image).join(" ");
        Some(format!("{program} rm -f {images}; {program} rmi -f {images}"))
    }

    /// The name of an image, and of a container.
    fn image(which: Which) -> String {
        format!("caliper-witness-{}", which.folder())
    }

    /// Takes nothing of the engine's or of the user's project but what stands in the folder.
    fn dockerfile(&self, which: Which) -> String {
        let (folder, base) = (which.folder(), self.side(which).base.as_deref());
        format!(
            "FROM {}\nCOPY {folder}/requirements.txt /tmp/\n\
             RUN PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --no-cache-dir --no-deps -r /tmp/requirements.txt\n\
             COPY . /project\nWORKDIR /project\n",
            base.map_or_else(|| format!("python:{}", self.side(which).python), str::to_owned)
        )
    }

    fn with_uv(&self, which: Which) -> String {
        let (python, folder) = (self.side(which).python, which.folder());
        // `uv run` does not read the index of a requirements file.
        let index =
            self.index.iter().map(|index| format!(" --default-index {}", shell_word(index)));
        let index: String = index.collect();
        format!(
            "uv run -q --isolated --no-project --python {python}{index} --with-requirements {folder}/requirements.txt"
        )
    }

    /// The same without `uv`, a line for each step.
    fn with_pip(&self, which: Which) -> String {
        let (python, folder) = (self.side(which).python, which.folder());
        let assignments = self.assignments();
        format!(
            "python{python} -m venv {folder}/venv\n\
             {folder}/venv/bin/python -m pip install -r {folder}/requirements.txt\n\
             env {assignments}PATH=\"$PWD/{folder}/venv/bin:$PATH\" {}\n",
            self.words()
        )
    }

    fn words(&self) -> String {
        let words: Vec<String> = self.command.iter().map(|word| shell_word(word)).collect();
        words.join(" ")
    }

    fn assignments(&self) -> String {
        let one = |(name, value)| format!("{} ", shell_word(&format!("{name}={value}")));
        self.variables.iter().map(one).collect()
    }

    /// What the environments of both sides are made from: each a path in the folder with its text.
    pub fn files(&self) -> Vec<(String, String)> {
        let requirements = |which: Which| {
            let index = self.index.iter().map(|index| format!("--index-url {index}\n"));
            let pins = self.side(which).pins.iter();
            let pins = pins.map(|(name, version)| format!("{}=={version}\n", name.normalized()));
            (format!("{}/requirements.txt", which.folder()), index.chain(pins).collect())
        };
        let mut files: Vec<(String, String)> = Which::ALL.map(requirements).into();
        if let Means::Engine { .. } = self.means {
            files.extend(
                Which::ALL.map(|which| {
                    (format!("{}/Dockerfile", which.folder()), self.dockerfile(which))
                }),
            );
        }
        files
    }

    /// The page that says what this is, and what is to be seen.
    pub fn readme(&self, tried: &Tried) -> String {
        let Self { package, good, bad, .. } = self;
        let (test, package) = (code(&self.test), package.normalized());
        let differs = if good.outcome == bad.outcome {
            "gives another result with another set of packages"
        } else {
            "passes with one set of packages and fails with another"
        };
        let mut text = format!("# {test} {differs}\n\n");
        text += &format!(
            "Found by testing {package} {} on Python {} ({}), against {} ({}). This is all that differs between \
             [good](good/requirements.txt) and [bad](bad/requirements.txt):\n\n",
            bad.cell.version,
            bad.python,
            code(&bad.cell.to_string()),
            good.cell.version,
            code(&good.cell.to_string()),
        );
        text += "| package | good | bad |\n|---|---|---|\n";
        if good.python != bad.python {
            text += &format!("| Python | {} | {} |\n", good.python, bad.python);
        }
        let shown = |version: Option<Version>| {
            version.map_or_else(|| "not installed".to_owned(), |version| version.to_string())
        };
        for Pin { name, from, to } in Pin::differing(&good.pins, &bad.pins) {
            text += &format!("| {} | {} | {} |\n", name.normalized(), shown(from), shown(to));
        }
        let [with_good, with_bad] = Which::ALL.map(|which| self.command(which));
        let tried_commands = match self.means {
            Means::Uv => {
                text +=
                    "\n## Seeing it\n\nIn this folder, with [uv](https://docs.astral.sh/uv/):\n\n";
                text += &fenced("sh", &format!("{with_good}\n{with_bad}\n"));
                text += "\nThe same with pip, each side in an environment of its own:\n\n";
                let [with_good, with_bad] = Which::ALL.map(|which| self.with_pip(which));
                text += &fenced("sh", &format!("{with_good}\n{with_bad}"));
                "both commands of uv, in a fresh folder, and both ended as above. The commands of pip were not tried."
            }
            Means::Engine { .. } => {
                text += "\n## Seeing it\n\nIn this folder:\n\n";
                let [good, bad] = Which::ALL.map(|which| self.installing(which));
                text += &fenced("sh", &format!("{good}\n{with_good}\n{bad}\n{with_bad}\n"));
                if let Some(command) = self.removing() {
                    text += &format!(
                        "\nThis removes what it leaves behind:\n\n{}",
                        fenced("sh", &command)
                    );
                }
                "all these commands, in a fresh folder, and both sides ended as above."
            }
        };
        text += "\n## What is to be seen\n";
        for which in Which::ALL {
            let Side { outcome, output, error, .. } = self.side(which);
            text += &format!("\nWith {}: the test {outcome}.\n", which.folder());
            for (name, printed) in [("Output", output), ("Standard error", error)] {
                let excerpt = excerpt(printed);
                if !excerpt.is_empty() {
                    text += &format!("\n{name}:\n\n{}", fenced("text", &excerpt));
                }
            }
        }
        let tools: Vec<String> =
            tried.tools.iter().map(|(name, version)| format!("{name} {version}")).collect();
        text += &format!(
            "\n## Tried\n\n{}, on {}, with {}: {tried_commands}\n",
            tried.at,
            tried.system,
            tools.join(", ")
        );
        text
    }
}

/// Whether an address is on the machine's own loopback.
fn is_on_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["127.", "localhost", "[::1]"].iter().any(|start| host.starts_with(start))
}

/// How many lines of an output are shown: the last ones, where errors stand.
const MOST_LINES: usize = 30;
/// How many characters of a line are shown.
const MOST_COLUMNS: usize = 300;

/// The end of what a program printed, without control characters.
fn excerpt(printed: &str) -> String {
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    let left_out = lines.len().saturating_sub(MOST_LINES);
    let mut text = String::new();
    if left_out > 0 {
        text += &format!("… {left_out} lines are left out\n");
    }
    for line in &lines[left_out..] {
        let shown = line.chars().take(MOST_COLUMNS);
        text.extend(shown.map(|c| if c == '\t' { c } else { harmless(c) }));
        if line.chars().nth(MOST_COLUMNS).is_some() {
            text.push('…');
        }
        text.push('\n');
    }
    text
}

/// A block of code, in a fence that is longer than every run of backticks in it
/// (<https://spec.commonmark.org/0.31.2/#fenced-code-blocks>).
fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}\n")
}

/// Code within a line, with more backticks around it than it has.
fn code(text: &str) -> String {
    let text: String = text.chars().map(harmless).collect();
    let ticks = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// A character that moves no cursor and does not turn the direction of the text
/// (<https://trojansource.codes>).
fn harmless(c: char) -> char {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { '\u{fffd}' } else { c }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
