//! Several arrays in an archive, by name.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use super::{Outcome, ResultFormat, Unread, Weaker, both, npy};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::{Place, ReadAs};
use crate::analysis::compare::show;

/// How many bytes the files of an archive may hold together, unpacked.
const MOST: u64 = 1 << 30;

/// Of how many arrays it is told why they were not read.
const TOLD: usize = 10;

/// Arrays with names.
pub(super) struct Npz;

impl ResultFormat for Npz {
    fn endings(&self) -> &'static [&'static str] {
        &["npz"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Npz
    }

    fn compare(&self, expected: &[u8], actual: &[u8], collector: &mut Collector<'_>) -> Outcome {
        let what = "an archive of arrays";
        let (expected, actual) = both(what, Weaker::Bytes, open(expected), open(actual))?;
        compare(expected, actual, collector).map_err(|reason| Unread {
            reasons: vec![format!("{reason}: compared as bytes")],
            weaker: Weaker::Bytes,
        })
    }
}

/// An archive, of which nothing is unpacked yet.
struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// The places of files, by their names.
    files: BTreeMap<String, usize>,
    /// How many bytes may still be unpacked.
    left: u64,
}

fn open(bytes: &[u8]) -> Result<Archive<'_>, String> {
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

fn compare(
    mut expected: Archive<'_>,
    mut actual: Archive<'_>,
    collector: &mut Collector<'_>,
) -> Result<Vec<String>, String> {
    let mut opaque = Vec::new();
    let policy = collector.policy();
    let missing = |one: &Archive<'_>, other: &Archive<'_>| {
        let mut names = one.files.keys();
        let compared = |name: &str| policy.ignored(&[array(name)]).is_none();
        names.find(|name| !other.files.contains_key(*name) && compared(name)).cloned()
    };
    for (name, sides) in [
        (missing(&expected, &actual), ["an array", "nothing"]),
        (missing(&actual, &expected), ["nothing", "an array"]),
    ] {
        if let Some(name) = name {
            collector.other(
                &|| Place::Array { array: show::excerpt(array(&name)) },
                sides[0],
                sides[1],
            );
        }
    }
    let names: Vec<String> = expected.files.keys().cloned().collect();
    for (array_number, file) in (0..).zip(names) {
        collector.begin(array_number);
        if collector.decided() {
            break;
        }
        let name = array(&file);
        if collector.ignores_field(&[name]) {
            continue;
        }
        let (left, right) = (expected.file(&file)?, actual.file(&file)?);
        match (npy::read(&left), npy::read(&right)) {
            (Ok(left), Ok(right)) => npy::compare(Some(name), &left, &right, collector),
            (one, other) => {
                let reason = one.err().or(other.err()).unwrap_or_default();
                opaque.push(format!("`{}` was compared as bytes: {reason}", show::excerpt(name)));
                collector.bytes(Some(name), &left, &right);
            }
        }
    }
    // A hostile archive has many files.
    let more = opaque.len().saturating_sub(TOLD);
    opaque.truncate(TOLD);
    if more > 0 {
        opaque.push(format!("{more} more arrays were compared as bytes"));
    }
    Ok(opaque)
}

/// The name of the array in a file.
fn array(file: &str) -> &str {
    file.strip_suffix(".npy").unwrap_or(file)
}
