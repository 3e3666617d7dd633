//! Requirements files in which each line is a pin, as `pip freeze`, `pip-compile` and `uv export` write them
//! (<https://pip.pypa.io/en/stable/reference/requirements-file-format/>).

use pep440_rs::Version;

use super::{LeftOut, LeftOutReason, LockFile, LockFileError, LockKind, Locked, Roots};
use crate::names::{PackageName, excerpt};
use crate::question::requirements_file::lines;

pub(super) fn read(text: &str) -> Result<LockFile, LockFileError> {
    let (mut packages, mut options) = (Vec::new(), Vec::new());
    for (line, text) in lines(text) {
        match read_line(line, &text)? {
            Line::Nothing => {}
            Line::Pin(package) => packages.push(*package),
            Line::LeftOut(left_out) => options.push(left_out),
        }
    }
    let kind = LockKind::Requirements;
    Ok(LockFile { kind, packages, roots: Roots::All, requires_python: None, options })
}

enum Line {
    Nothing,
    Pin(Box<Locked>),
    LeftOut(LeftOut),
}

fn read_line(line: usize, whole: &str) -> Result<Line, LockFileError> {
    let text = whole.trim();
    if text.is_empty() {
        return Ok(Line::Nothing);
    }
    let shown = || excerpt(&without_login(text), 120);
    let left_out = |what: &str, why| {
        Ok(Line::LeftOut(LeftOut { what: excerpt(&without_login(what), 120), why }))
    };
    if text.starts_with('-') {
        let (option, value) = text.split_once(['=', ' ']).unwrap_or((text, ""));
        let value = value.trim();
        return match option {
            "-r" | "--requirement" => {
                Err(LockFileError::Includes { line, file: excerpt(value, 120) })
            }
            "-e" | "--editable" if is_repository(value) => {
                left_out(value, LeftOutReason::Repository)
            }
            "-e" | "--editable" => left_out(value, LeftOutReason::Folder),
            _ => left_out(option, LeftOutReason::Option),
        };
    }
    if is_repository(text) {
        return left_out(text, LeftOutReason::Repository);
    }
    if ["http://", "https://", "file:"].iter().any(|scheme| text.starts_with(scheme)) {
        return left_out(text, LeftOutReason::Address);
    }
    let is_archive = matches!(text.rsplit('.').next(), Some("whl" | "gz" | "zip"));
    if text.starts_with(['.', '/', '~']) || (is_archive && !text.contains('@')) {
        return left_out(text, LeftOutReason::File);
    }
    // Options of one requirement, such as hashes.
    let text = text.split_once(" --").map_or(text, |(text, _)| text.trim_end());
    let (spelt, rest) = PackageName::split(text);
    let unreadable = || LockFileError::Requirement { line, text: shown() };
    let name = spelt.parse().map_err(|_| unreadable())?;
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').ok_or_else(unreadable)?.1.trim_start(),
        None => rest,
    };
    if let Some(address) = rest.strip_prefix('@') {
        let why = if is_repository(address.trim()) {
            LeftOutReason::Repository
        } else {
            LeftOutReason::Address
        };
        return left_out(spelt, why);
    }
    let (specifier, marker) = match rest.split_once(';') {
        Some((specifier, marker)) => (specifier.trim(), Some(marker.trim().to_owned())),
        None => (rest.trim(), None),
    };
    let version = specifier.strip_prefix("===").or_else(|| specifier.strip_prefix("=="));
    let version: Option<Version> = version.and_then(|version| version.trim().parse().ok());
    let version = version.ok_or_else(|| {
        // What reads as a specifier allows too much; all else is something else.
        let is_specifier = specifier.is_empty() || specifier.starts_with(['=', '<', '>', '~', '!']);
        if is_specifier { LockFileError::NotPinned { line, text: shown() } } else { unreadable() }
    })?;
    let package =
        Locked { markers: marker.into_iter().collect(), ..Locked::new(name, Some(version)) };
    Ok(Line::Pin(Box::new(package)))
}

/// The text without the login of an address in it.
fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let host = rest.find('/').unwrap_or(rest.len());
    match rest[..host].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

fn is_repository(text: &str) -> bool {
    ["git+", "hg+", "svn+", "bzr+"].iter().any(|scheme| text.starts_with(scheme))
}
