//! Lists of requirements that are files of their own.

use pep440_rs::VersionSpecifiers;

use super::folder::Folder;
use crate::question::requirement::Requirement;
use crate::question::requirements_file::{Entry, is_the_project, lines, read};

/// How many files may include each other behind each other.
const DEEPEST: usize = 8;

/// Whether a configuration can name the file as it is: everything in it is a requirement or an option that is honoured.
pub(super) fn is_sound(file: &str, folder: &Folder) -> bool {
    is_sound_below(file, folder, 0)
}

fn is_sound_below(file: &str, folder: &Folder, depth: usize) -> bool {
    let Ok(Some(text)) = folder.text(file) else { return false };
    depth <= DEEPEST
        && read(text).into_iter().all(|(_, entry)| match entry {
            Ok(Entry::Requirement { text, .. }) => is_requirement(&text),
            Ok(Entry::Requirements(named) | Entry::Constraints(named)) => {
                beside(file, &named).is_some_and(|named| is_sound_below(&named, folder, depth + 1))
            }
            Err(_) => false,
        })
}

/// Whether a configuration can hold a text as a requirement.
pub(super) fn is_requirement(text: &str) -> bool {
    let is_odd = |one: char| one.is_control() || matches!(one, '`' | '$' | '\\');
    let is_readable = |one: Requirement| {
        one.is_address() || one.range.is_empty() || one.range.parse::<VersionSpecifiers>().is_ok()
    };
    !text.contains(is_odd) && text.parse().is_ok_and(is_readable)
}

/// The name of a file that another one names relative to itself. `None` if that is not in the folder.
pub(super) fn beside(file: &str, named: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in named.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!named.starts_with('/')).then(|| parts.join("/"))
}

/// The extras with which a list installs the project itself: `-e .[test]`.
pub(super) fn extras(text: &str) -> Vec<String> {
    let lines = lines(text);
    let of_project = lines.iter().filter_map(|(_, line)| {
        let line = line.trim();
        let path = line.strip_prefix("-e").or(line.strip_prefix("--editable")).unwrap_or(line);
        let path = path.trim_start_matches(['=', ' ']);
        let (_, extras) = path.split_once('[').filter(|_| is_the_project(path))?;
        extras.split_once(']').map(|(extras, _)| extras)
    });
    of_project.flat_map(|extras| extras.split(',')).map(|extra| extra.trim().to_owned()).collect()
}
