//! What a build backend printed: setuptools, meson, `CMake`, Cython, Cargo, and the compilers they call.
//!
//! Each of them says why it stopped in a form of its own, and then the programs around it say that it
//! failed, each in turn. So the lines are ranked by what said them, and the highest rank that is there
//! decides: what a build tool concludes, then what a compiler reports, then an exception, then a line
//! that is marked as an error, then plain words. Last come those who only called another program.

use super::super::signature::Signature;
use super::super::{mask, traceback};

/// The lines that the backend printed, within a log of pip or uv; `None` if nothing marks them.
pub(super) fn of_build(log: &str) -> Option<Vec<&str>> {
    let mut sections: Vec<Vec<&str>> = Vec::new();
    let mut open = false;
    for line in log.lines() {
        let text = line.trim().trim_start_matches(['╰', '─', '>', '│', ' ']);
        let starts_in_uv = matches!(text, "[stdout]" | "[stderr]");
        let ends_in_pip = text == "[end of output]";
        let in_pip = (text.starts_with('[') && text.ends_with(" of output]") && !ends_in_pip)
            || (text.starts_with("Complete output (") && text.ends_with("):"));
        let ends = ends_in_pip
            || (text.len() > 20 && text.bytes().all(|byte| byte == b'-'))
            || line.starts_with("hint: ");
        if starts_in_uv && open {
            // The two outputs of one build.
        } else if starts_in_uv || in_pip {
            sections.push(Vec::new());
            open = true;
        } else if ends && open && !is_within_cython(sections.last()) {
            open = false;
        } else if open && let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    sections.into_iter().rev().find(|section| !section.is_empty())
}

/// Cython draws lines around the code that it shows.
fn is_within_cython(section: Option<&Vec<&str>>) -> bool {
    let mut recent = section.into_iter().flat_map(|lines| lines.iter().rev().take(20));
    recent.any(|line| line.trim() == "Error compiling Cython file:")
}

/// Why the build stopped, from the lines that a backend printed. Of the release that was built the log
/// names `version`.
pub(super) fn cause(lines: &[&str], version: &str) -> Option<Signature> {
    let lines: Vec<std::borrow::Cow<'_, str>> =
        lines.iter().map(|line| mask::plain(line)).collect();
    let text = |said: &str| mask::without_version(said, version);
    let found = |read: &dyn Fn(usize, &str) -> Option<Signature>| {
        lines.iter().enumerate().find_map(|(at, line)| read(at, line.trim_start()))
    };
    // The first paragraph below a line.
    let after = |at: usize| {
        let below =
            lines[at + 1..].iter().map(|line| line.trim()).skip_while(|line| line.is_empty());
        below.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let raised = traceback::raised(&lines.join("\n"));
    let of_itself = raised.as_ref().filter(|raised| !raised.is_of_a_child());
    found(&|_, line| setuptools(line).map(|said| Signature::new(text(&said))))
        .or_else(|| found(&|_, line| meson(line, &text)))
        .or_else(|| {
            found(&|at, line| cmake(line, &|| after(at)).map(|said| Signature::new(text(&said))))
        })
        .or_else(|| found(&|_, line| compiler(line)))
        .or_else(|| found(&|_, line| cython(line)))
        .or_else(|| of_itself.map(traceback::Raised::signature))
        .or_else(|| {
            let said = |line: &str| marked(line).map(|said| Signature::new(text(said)));
            lines.iter().rev().find_map(|line| said(line.trim_start()))
        })
        .or_else(|| words(&lines).map(|said| Signature::new(text(&said))))
        .or_else(|| raised.map(|raised| raised.signature()))
}

/// `error in PyVCF setup command: use_2to3 is invalid.`
fn setuptools(line: &str) -> Option<String> {
    let (project, _) = line.strip_prefix("error in ")?.split_once(" setup command: ")?;
    (!project.contains(' ')).then(|| line.to_owned())
}

/// `../meson.build:41:0: ERROR: Unknown compiler(s): [['gfortran'], ['flang']]`
fn meson(line: &str, text: &dyn Fn(&str) -> String) -> Option<Signature> {
    let (place, said) = line.split_once(": ERROR: ")?;
    let place = without_position(place);
    let file = place.rsplit('/').next().unwrap_or(place);
    let known = matches!(file, "meson.build" | "meson_options.txt" | "meson.options");
    known.then(|| Signature::new(text(&format!("error: {said}"))).at(file))
}

/// `CMake Error at CMakeLists.txt:3 (project):`, with the message below.
fn cmake(line: &str, below: &dyn Fn() -> String) -> Option<String> {
    let said = line.strip_prefix("CMake Error")?;
    let said = match said.strip_prefix(": ") {
        Some(said) => said.to_owned(),
        None if said.ends_with(':') => below(),
        None => said.rsplit_once(": ")?.1.to_owned(),
    };
    Some(format!("CMake Error: {said}"))
}

/// The first error of a compiler: `x.c:1:10: fatal error: Python.h: No such file or directory`.
fn compiler(line: &str) -> Option<Signature> {
    let (place, message) =
        line.split_once(": fatal error: ").or_else(|| line.split_once(": error: "))?;
    // In front of it are the line and the column, and where they are missing it is no compiler.
    let file = without_position(place).rsplit(['/', ' ']).next()?;
    let known = [".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".pyx", ".rs", ".f", ".f90"];
    let source = known.iter().any(|ending| file.ends_with(ending));
    let message = mask::masked(message);
    source.then(|| Signature::new(format!("error: {message}")).at(mask::printable(file)))
}

/// `gevent/corecext.pyx:59:26: undeclared name not builtin: long`
fn cython(line: &str) -> Option<Signature> {
    let (place, message) = line.split_once(": ")?;
    let file = without_position(place);
    let ends = [".pyx", ".pxd", ".pxi"].iter().any(|ending| file.ends_with(ending));
    let known = ends && file.len() < place.len() && !place.contains(' ');
    let file = file.rsplit('/').next()?;
    known.then(|| {
        Signature::new(format!("error: {}", mask::masked(message))).at(mask::printable(file))
    })
}

/// The file of `x.c:1:10`.
fn without_position(place: &str) -> &str {
    place.trim_end_matches(|part: char| part.is_ascii_digit() || part == ':')
}

/// What is marked as an error and tells more than that a program failed.
fn marked(line: &str) -> Option<&str> {
    let said =
        ["error: ", "Error: ", "ERROR: "].iter().find_map(|start| line.strip_prefix(start))?;
    let of_a_child = [
        "command ",
        "Command ",
        "`cargo ",
        "subprocess",
        "Compilation failed",
        "compile failed",
        "could not compile ",
        "metadata-generation-failed",
    ];
    let empty = of_a_child.iter().any(|start| said.starts_with(start))
        || [
            "returned non-zero exit status",
            "failed with exit code",
            "failed with exit status",
            "failed with code",
        ]
        .iter()
        .any(|words| said.contains(words));
    // A program that was not found is what failed, whatever called it.
    (!empty || said.contains("No such file or directory")).then_some(said)
}

/// The first sentence that is no report of progress: what a package prints that is there only to say that
/// another is meant.
fn words(lines: &[std::borrow::Cow<'_, str>]) -> Option<String> {
    const REPORTS: &[&str] = &[
        "running ",
        "creating ",
        "copying ",
        "writing ",
        "reading ",
        "adding ",
        "building ",
        "Building ",
        "warning: ",
        "removing ",
        "Compiling ",
        "Trying ",
        "File ",
        "Traceback ",
        "+ ",
    ];
    let is_told = |line: &str| {
        let text = line.trim();
        let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
        letters > 10
            && text.contains(' ')
            && !text.contains("Warning")
            && !text.starts_with("warnings.")
            && !REPORTS.iter().any(|start| text.starts_with(start))
    };
    let first = lines.iter().position(|line| is_told(line))?;
    let mut said = lines[first].trim().to_owned();
    for line in &lines[first + 1..] {
        if said.ends_with(['.', ':', '!']) || line.trim().is_empty() {
            break;
        }
        said.push(' ');
        said.push_str(line.trim());
    }
    Some(said)
}
