//! Several arrays in an archive, by name.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::judge::Judge;
use super::ladder::{Comparison, Place, ReadAs, Unlike};
use super::{npy, show};
use crate::question::criteria::Policy;

/// How many bytes the files of an archive may hold together, unpacked.
const MOST: u64 = 1 << 30;

/// Of how many arrays it is told why they were not read.
const TOLD: usize = 10;

/// An archive, of which nothing is unpacked yet.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The places of files, by their names.
    files: BTreeMap<String, usize>,
    /// How many bytes may still be unpacked.
    left: u64,
}

pub(super) fn open(bytes: &[u8]) -> Result<Archive<'_>, String> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut files: BTreeMap<String, usize> = BTreeMap::new();
    for place in 0..zip.len() {
        let file = zip.by_index_raw(place).map_err(|error| error.to_string())?;
        let name = file.name().map_err(|error| error.to_string())?.into_owned();
        if !file.is_file() {
            continue;
        }
        if let Some((name, _)) = files.get_key_value(&name) {
            return Err(format!("it has two files named `{}`", show::excerpt(name)));
        }
        files.insert(name, place);
    }
    Ok(Archive { zip, files, left: MOST })
}

impl Archive<'_> {
    /// Unpacks a file. Nothing is believed of the size that it says it has.
    fn file(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let explain = |error: &dyn std::fmt::Display| {
            format!("`{}` cannot be unpacked: {error}", show::excerpt(name))
        };
        let place = self.files.get(name).copied().unwrap_or(usize::MAX);
        let file = self.zip.by_index(place).map_err(|error| explain(&error))?;
        let mut bytes = Vec::new();
        file.take(self.left + 1).read_to_end(&mut bytes).map_err(|error| explain(&error))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(length).ok_or_else(|| {
            format!("an archive holds more than the {MOST} bytes that are unpacked")
        })?;
        Ok(bytes)
    }
}

pub(super) fn compare(
    mut expected: Archive<'_>,
    mut actual: Archive<'_>,
    policy: &Policy,
) -> Result<(Comparison, Unlike), String> {
    let mut judge = Judge::new(policy);
    let mut opaque = Vec::new();
    let missing = |one: &Archive<'_>, other: &Archive<'_>| {
        one.files.keys().find(|name| !other.files.contains_key(*name)).cloned()
    };
    for (name, sides) in [
        (missing(&expected, &actual), ["an array", "nothing"]),
        (missing(&actual, &expected), ["nothing", "an array"]),
    ] {
        if let Some(name) = name {
            judge.other(
                &|| Place::Array { array: show::excerpt(array(&name)) },
                sides[0],
                sides[1],
            );
        }
    }
    let names: Vec<String> = expected.files.keys().cloned().collect();
    for (array_number, file) in (0..).zip(names) {
        judge.begin(array_number);
        if judge.decided() {
            break;
        }
        let name = array(&file);
        let (left, right) = (expected.file(&file)?, actual.file(&file)?);
        match (npy::read(&left), npy::read(&right)) {
            (Ok(left), Ok(right)) => npy::compare(Some(name), &left, &right, &mut judge),
            (one, other) => {
                let reason = one.err().or(other.err()).unwrap_or_default();
                opaque.push(format!("`{}` was compared as bytes: {reason}", show::excerpt(name)));
                judge.bytes(Some(name), &left, &right);
            }
        }
    }
    // A hostile archive has many files.
    let more = opaque.len().saturating_sub(TOLD);
    opaque.truncate(TOLD);
    if more > 0 {
        opaque.push(format!("{more} more arrays were compared as bytes"));
    }
    Ok(judge.done(ReadAs::Npz, opaque))
}

/// The name of the array in a file.
fn array(file: &str) -> &str {
    file.strip_suffix(".npy").unwrap_or(file)
}
