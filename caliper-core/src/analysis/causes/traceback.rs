//! Tracebacks as Python 2.7 and 3 print them, also within the log of a build.
//!
//! <https://docs.python.org/3/library/traceback.html> shows the forms: chained exceptions, groups
//! with a `|` in front of each line, and syntax errors, which need no `Traceback` above them.

use std::collections::BTreeSet;
use std::fmt;

use super::mask;
use super::signature::Signature;

/// What was raised last.
#[derive(Debug)]
pub(super) struct Raised {
    /// The first line of the exception: `ImportError: cannot import name 'x'`.
    line: String,
    /// The innermost line of the project or of a package.
    frame: Option<Frame>,
    /// Of a group: the types of what is in it.
    members: Option<BTreeSet<String>>,
}

/// A place in the project or in a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    path: String,
    function: Option<String>,
}

impl fmt::Display for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.path)?;
        match &self.function {
            Some(function) => write!(formatter, " in {function}"),
            None => Ok(()),
        }
    }
}

impl Raised {
    /// `ImportError: cannot import name 'x' from 'y'` at `z/filters.py in <module>`.
    pub(super) fn signature(&self) -> Signature {
        let (kind, mut message) = self.parts();
        let mut kind = kind.to_owned();
        let named;
        if matches!(&*kind, "ImportError" | "ModuleNotFoundError") {
            if let Some(module) = message.strip_prefix("No module named ") {
                // 2.7 has no quotes, and before 3.6 it was an ImportError: the cause is the same.
                "ModuleNotFoundError".clone_into(&mut kind);
                let bare = !module.starts_with('\'');
                named = if bare { format!("No module named '{module}'") } else { message.into() };
                message = &named;
            } else if let Some((before, place)) = message.rsplit_once(" (")
                && (place.starts_with('/') || place == "unknown location)")
            {
                // Where the module lies differs from cell to cell.
                message = before;
            }
        }
        let members = self.members.as_ref().map(|members| {
            // The number of members is in the line as well: `several (2 sub-exceptions)`.
            message = message.rsplit_once(" (").map_or(message, |(before, _)| before);
            members.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
        });
        let mut signature = mask::printable(&kind);
        if !message.is_empty() {
            signature += &format!(": {}", mask::masked(message));
        }
        if let Some(members) = members.filter(|members| !members.is_empty()) {
            signature += &format!(" [{}]", mask::printable(&members));
        }
        Signature { cause: signature, at: self.frame.as_ref().map(ToString::to_string) }
    }

    /// Whether it says only that another program failed.
    pub(super) fn is_of_a_child(&self) -> bool {
        const KINDS: &[&str] =
            &["CalledProcessError", "SystemExit", "CompileError", "MetadataGenerationFailed"];
        KINDS.contains(&self.parts().0)
    }

    /// The type without its module, which 2.7 does not print, and the message.
    fn parts(&self) -> (&str, &str) {
        match kind_of(&self.line) {
            Some((kind, message)) => (kind, message),
            None => ("exception", &self.line),
        }
    }
}

/// Splits `a.b.KeyError: 'x'` into `KeyError` and `'x'`.
fn kind_of(line: &str) -> Option<(&str, &str)> {
    let (kind, message) = line.split_once(':').unwrap_or((line, ""));
    let is_name = |part: &str| {
        part.starts_with(|first: char| first.is_alphabetic() || first == '_')
            && part.chars().all(|character| character.is_alphanumeric() || character == '_')
    };
    // `<locals>` stands in the name of a class that a function made.
    let valid = kind.split('.').all(|part| is_name(part) || part == "<locals>");
    valid.then(|| (kind.rsplit('.').next().unwrap_or(kind), message.trim()))
}

/// A line, and how far its text is from the left.
struct Line<'a> {
    margin: usize,
    /// Whether it is within a group: there is a `|` or `+` in the margin.
    in_group: bool,
    body: &'a str,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Self {
        let text = without_step(text);
        let body = text.trim_start_matches([' ', '\t', '|']);
        let margin = text.len() - body.len();
        let in_group =
            text[..margin].contains('|') || body.starts_with("+-") || body.starts_with("+ ");
        // In `  + Exception Group Traceback` there is a plus where the lines under it have a `|`.
        match body.strip_prefix("+ ") {
            Some(body) => Self { margin: margin + 2, in_group, body },
            None => Self { margin, in_group, body },
        }
    }
}

/// The line without what `BuildKit` prints in front: `#8 1.234 `.
fn without_step(text: &str) -> &str {
    let strip = || {
        let (step, rest) = text.strip_prefix('#')?.split_once(' ')?;
        let (seconds, rest) = rest.split_once(' ')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        (digits(step) && digits(seconds)).then_some(rest)
    };
    strip().unwrap_or(text)
}

/// A traceback that has begun.
struct Block {
    margin: usize,
    frame: Option<Frame>,
    group: bool,
    /// Whether it is part of a group that was raised.
    member: bool,
    /// Whether Python says that it went on all the same.
    ignored: bool,
}

#[derive(Default)]
struct Reader {
    block: Option<Block>,
    /// A file that no traceback stands above, and how far from the left: a syntax error follows.
    lone: Option<(usize, Option<Frame>)>,
    last: Option<Raised>,
    last_ignored: Option<Raised>,
    /// Whether lines of the members of a group follow.
    in_group: bool,
    /// What the last line says of the next.
    next: Next,
}

/// What is to be expected of a line.
#[derive(Default, PartialEq, Eq)]
enum Next {
    #[default]
    Anything,
    /// A member of a group, without a traceback.
    Member,
    /// A traceback that Python goes on after.
    IgnoredTraceback,
    /// The message of the exception: `ImportError:`, and text further below.
    Message,
}

/// Finds the exception that was raised last.
///
/// Of chained exceptions that is the uncaught one. Tracebacks after which Python continues (`Exception
/// ignored in`, threads, logging) count only if there is no other.
pub(super) fn raised(text: &str) -> Option<Raised> {
    let mut reader = Reader::default();
    for line in text.lines() {
        let line = mask::plain(line);
        let line = Line::new(&line);
        if !line.body.is_empty() {
            reader.read(&line);
        }
    }
    reader.last.or(reader.last_ignored)
}

impl Reader {
    fn read(&mut self, line: &Line<'_>) {
        let expected = std::mem::take(&mut self.next);
        // What NumPy and others wrap an error of the loader in: a page of advice, and then the error.
        if let (Some(original), Some(last)) =
            (line.body.strip_prefix("Original error was: "), &mut self.last)
        {
            last.line = format!("{}: {original}", last.parts().0);
            return;
        }
        if expected == Next::Message
            && !line.body.starts_with("Traceback ")
            && let Some(last) = &mut self.last
        {
            if line.body.contains(char::is_alphanumeric) {
                last.line = format!("{} {}", last.line, line.body.trim());
            } else {
                // A frame around the message.
                self.next = Next::Message;
            }
        }
        let group = line.body.starts_with("Exception Group Traceback (most recent call last)");
        if group || line.body.starts_with("Traceback (most recent call last)") {
            let member = self.in_group && line.in_group;
            let ignored = expected == Next::IgnoredTraceback;
            let margin = line.margin;
            self.block = Some(Block { margin, frame: None, group, member, ignored });
            self.lone = None;
        } else if let Some(block) = &mut self.block {
            if line.margin > block.margin {
                if let Some(frame) = frame(line.body, ", in ").flatten() {
                    block.frame = Some(frame);
                }
            } else if let Some(block) = self.block.take() {
                self.end(block, line);
            }
        } else {
            self.read_outside(line, &expected);
        }
    }

    fn end(&mut self, block: Block, line: &Line<'_>) {
        if block.member {
            self.add_member(line.body);
            return;
        }
        let members = block.group.then(BTreeSet::new);
        let raised = Raised { line: line.body.to_owned(), frame: block.frame, members };
        self.in_group = block.group;
        if block.ignored {
            self.last_ignored = Some(raised);
        } else {
            if line.body.ends_with(':') {
                self.next = Next::Message;
            }
            self.last = Some(raised);
        }
    }

    fn add_member(&mut self, line: &str) {
        let members = self.last.as_mut().and_then(|last| last.members.as_mut());
        if let (Some(members), Some((kind, _))) = (members, kind_of(line)) {
            members.insert(kind.to_owned());
        }
    }

    fn read_outside(&mut self, line: &Line<'_>, expected: &Next) {
        let ignored = ["Exception ignored ", "Exception in thread ", "--- Logging error"];
        self.in_group &= line.in_group;
        if self.in_group && line.body.starts_with("+-") {
            self.next = Next::Member;
        } else if self.in_group && *expected == Next::Member {
            self.add_member(line.body);
        } else if ignored.iter().any(|start| line.body.starts_with(start)) {
            self.next = Next::IgnoredTraceback;
        }
        if let Some(frame) = frame(line.body, ", in ") {
            self.lone = Some((line.margin, frame));
        } else if let Some((margin, frame)) = self.lone.take() {
            if line.margin >= margin {
                self.lone = Some((margin, frame));
            } else if ["SyntaxError", "IndentationError", "TabError"]
                .iter()
                .any(|kind| line.body.starts_with(kind))
            {
                self.last = Some(Raised { line: line.body.to_owned(), frame, members: None });
            }
        }
    }
}

/// An exception of which only the first line is known; `None` if the line names none.
pub(super) fn of_line(line: &str) -> Option<Raised> {
    kind_of(line)?;
    Some(Raised { line: line.to_owned(), frame: None, members: None })
}

/// The innermost place that a traceback in pytest's form names: `x/y.py:3: KeyError`, `x/y.py:3: in f`, or that of a
/// syntax error.
pub(super) fn place_of_pytest(text: &str) -> Option<String> {
    let of_line = |line: &str| {
        let marked = line.strip_prefix('E').map_or(line, str::trim_start);
        if let Some(frame) = frame(marked, ", in ") {
            return frame.map(|frame| frame.to_string());
        }
        let (path, rest) = line.split_once(".py:")?;
        let path = place(&line[..path.len() + ".py".len()])?;
        let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let function =
            rest.strip_prefix(": in ").map(|name| format!(" in {}", mask::printable(name.trim())));
        Some(format!("{}{}", mask::printable(path), function.unwrap_or_default()))
    };
    text.lines().rev().find_map(of_line)
}

/// The place that faulthandler names when Python crashes: the innermost comes first.
///
/// <https://docs.python.org/3/library/faulthandler.html>
pub(super) fn crash_frame(text: &str) -> Option<Frame> {
    let lines = text.lines().map(str::trim_start);
    lines
        .skip_while(|line| !line.ends_with("(most recent call first):"))
        .find_map(|line| frame(line, " in ").flatten())
}

/// Reads `File "x.py", line 3, in f`. The outer `None` if it is another line; the inner one if the
/// place is in the standard library or in no file.
#[expect(
    clippy::option_option,
    reason = "whether it is such a line, and whether it tells something"
)]
fn frame(line: &str, before_function: &str) -> Option<Option<Frame>> {
    let (path, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let function = rest.strip_prefix(before_function).map(|name| mask::printable(name.trim()));
    Some(place(path).map(|path| Frame { path: mask::printable(path), function }))
}

/// What runs the `setup.py` of others, which has no file name then: `File "<string>"`.
const INSTALLERS: &[&str] = &["pip/", "pyproject_hooks/", "setuptools/"];

/// What runs the tests of others.
const RUNNERS: &[&str] = &["_pytest/", "pluggy/", "py/_path/", "nbclient/", "IPython/"];

/// Which file it is, whatever folder it lies in on the machine that ran it; `None` if it is Python's
/// own or that of an installer, or none.
fn place(path: &str) -> Option<&str> {
    if path.starts_with('<') {
        return None;
    }
    for packages in ["/site-packages/", "/dist-packages/"] {
        if let Some(start) = path.rfind(packages) {
            let path = &path[start + packages.len()..];
            // An egg has the version in its name: `x-1.0-py3.8.egg/x/y.py`.
            let in_egg = path.split_once(".egg/").filter(|(egg, _)| !egg.contains('/'));
            let path = in_egg.map_or(path, |(_, path)| path);
            let is_own = |path: &&str| {
                let own = INSTALLERS.iter().chain(RUNNERS);
                !own.into_iter().any(|own| path.starts_with(own))
            };
            return Some(path).filter(is_own);
        }
    }
    if ["/lib/python", "/lib64/python", "/lib/pypy"].iter().any(|library| path.contains(library)) {
        return None;
    }
    if let Some((_, path)) = path.split_once("/project/") {
        return Some(path);
    }
    match path.rsplit_once('/') {
        Some((_, name)) if path.starts_with('/') => Some(name),
        Some(_) | None => Some(path.strip_prefix("./").unwrap_or(path)),
    }
}
