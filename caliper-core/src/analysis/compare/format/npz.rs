//! Several arrays in an archive, by name.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _};

use zip::ZipArchive;

use super::named::{self, Container, Named, Part};
use super::source::{Data, Seeker, Source};
use super::{Outcome, ResultFormat, Weaker, both, npy};
use crate::analysis::compare::collector::Collector;
use crate::analysis::compare::comparison::ReadAs;
use crate::analysis::compare::show;

/// How many bytes the files of an archive may hold together, unpacked. They are unpacked piece by piece, so that this
/// limits the time and not the memory.
const MOST: u64 = 8 << 30;

/// Arrays with names.
pub(super) struct Npz;

impl ResultFormat for Npz {
    fn endings(&self) -> &'static [&'static str] {
        &["npz"]
    }

    fn read_as(&self) -> ReadAs {
        ReadAs::Npz
    }

    fn compare(&self, sides: [Source<'_>; 2], collector: &mut Collector<'_>) -> Outcome {
        let [expected, actual] = sides;
        let what = "an archive of arrays";
        let (mut expected, mut actual) = both(what, Weaker::Bytes, open(expected), open(actual))?;
        named::compare(&mut expected, &mut actual, collector)
    }
}

/// An archive, of which nothing is unpacked yet.
struct Archive<'a> {
    zip: ZipArchive<BufReader<Seeker<'a>>>,
    /// The places of files, by their names.
    files: BTreeMap<String, usize>,
    /// How many bytes may still be unpacked.
    left: u64,
}

fn open(source: Source<'_>) -> Result<Archive<'_>, String> {
    let reader = BufReader::new(Seeker::new(source));
    let mut zip = ZipArchive::new(reader).map_err(|error| error.to_string())?;
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

/// Files that are not longer are unpacked at once.
const SHORT: u64 = if cfg!(test) { 200 } else { 64 << 20 };

impl Archive<'_> {
    /// Unpacks a file, up to the size that it says it has, of which nothing else is believed.
    fn file(&mut self, name: &str) -> Result<Data<'_>, String> {
        let explain = |error: &dyn std::fmt::Display| {
            format!("`{}` cannot be unpacked: {error}", show::excerpt(name))
        };
        let place = self.files.get(name).copied().unwrap_or(usize::MAX);
        let file = self.zip.by_index(place).map_err(|error| explain(&error))?;
        let size = file.size();
        // A bomb that tells its size is not unpacked at all, and one that does not is cut off.
        self.left = self.left.checked_sub(size).ok_or_else(|| {
            format!("an archive holds more than the {MOST} bytes that are unpacked")
        })?;
        if size > SHORT {
            return Ok(Data::there(size, file.take(size)));
        }
        let mut bytes = Vec::new();
        file.take(size.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| explain(&error))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > size {
            return Err(explain(&"it is longer than it says"));
        }
        Ok(bytes.into())
    }
}

impl Container for Archive<'_> {
    fn names(&self) -> Vec<Named> {
        let named = |(file, place): (&String, &usize)| Named {
            name: array(file).to_owned(),
            key: file.clone(),
            position: None,
            index: u64::try_from(*place).ok(),
        };
        self.files.iter().map(named).collect()
    }

    fn open(&mut self, key: &str) -> Result<Part<'_>, String> {
        Ok(match npy::read(self.file(key)?) {
            Ok(array) => Part::Array(array),
            Err((bytes, reason)) => Part::Opaque { bytes: Some(bytes), reason },
        })
    }
}

/// The name of the array in a file.
fn array(file: &str) -> &str {
    file.strip_suffix(".npy").unwrap_or(file)
}
