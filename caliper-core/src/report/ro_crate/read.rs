//! Reading the description of a bundle, which may come from anywhere.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{ARRANGEMENT, BUNDLE_SCHEMA};
use crate::names::{Sha256, excerpt};

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The path of the configuration.
    pub configuration: String,
    /// The files by their paths.
    pub files: BTreeMap<String, Listed>,
}

/// What is said of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// Why a text does not describe a bundle of Caliper.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadCrateError {
    /// It is not JSON-LD with a graph.
    #[error("its `ro-crate-metadata.json` cannot be read: {problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// It is the RO-Crate of something else.
    #[error("it is an RO-Crate, and not one of Caliper: it lacks {lacks}")]
    Foreign {
        /// What is lacking.
        lacks: &'static str,
    },
    /// It was made by a later Caliper.
    #[error(
        "its arrangement is {found}, and this Caliper reads up to {BUNDLE_SCHEMA}; use a newer Caliper"
    )]
    Newer {
        /// The version.
        found: u64,
    },
    /// A file is not described as it must be.
    #[error("its file `{path}` {fault}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        fault: &'static str,
    },
}

#[derive(Deserialize)]
struct Graph {
    #[serde(rename = "@graph")]
    graph: Vec<Value>,
}

impl Contents {
    /// Reads the text of `ro-crate-metadata.json`.
    ///
    /// # Errors
    ///
    /// [`ReadCrateError`] says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, ReadCrateError> {
        let Graph { graph } = serde_json::from_str(text)
            .map_err(|error| ReadCrateError::Malformed { problem: error.to_string() })?;
        let entity = |id: &str| graph.iter().find(|one| one["@id"] == id);
        let foreign = |lacks| ReadCrateError::Foreign { lacks };
        let arrangement = entity(ARRANGEMENT).and_then(|one| one["value"].as_u64());
        let found = arrangement.ok_or_else(|| foreign("the number of its arrangement"))?;
        if found > BUNDLE_SCHEMA.into() {
            return Err(ReadCrateError::Newer { found });
        }
        let root = entity("./").ok_or_else(|| foreign("a root"))?;
        let main = root["mainEntity"]["@id"].as_str();
        let configuration = main.and_then(path).ok_or_else(|| foreign("a configuration"))?;
        let mut files = BTreeMap::new();
        for one in graph.iter().filter(|one| one["@type"] == "File") {
            let (path, listed) = file(one)?;
            if files.insert(path.clone(), listed).is_some() {
                let path = excerpt(&path, 120);
                return Err(ReadCrateError::File { path, fault: "is described twice" });
            }
        }
        if !files.contains_key(&configuration) {
            return Err(foreign("its configuration among its files"));
        }
        Ok(Self { configuration, files })
    }
}

fn file(one: &Value) -> Result<(String, Listed), ReadCrateError> {
    let id = one["@id"].as_str().unwrap_or_default();
    let fault = |fault| ReadCrateError::File { path: excerpt(id, 120), fault };
    let path = path(id).ok_or_else(|| fault("has a path that leads elsewhere"))?;
    let size = one["contentSize"].as_str().and_then(|size| size.parse().ok());
    let sha256 = one["sha256"].as_str().and_then(|digest| digest.parse().ok());
    let (Some(size), Some(sha256)) = (size, sha256) else {
        return Err(fault("has no valid `contentSize` and `sha256`"));
    };
    Ok((path, Listed { size, sha256 }))
}

/// The path of a reference, if it leads to a file in the bundle: no part of it is empty, means another folder, or
/// holds what is more than a name on some system.
fn path(id: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(id.len());
    let mut rest = id.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    is_inside(&path).then_some(path)
}

/// Whether a path leads to something in the bundle, on every system.
pub fn is_inside(path: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty()
            && !matches!(part, "." | "..")
            && part.len() <= 255
            && !part.contains(['\\', ':'])
            && !part.chars().any(char::is_control)
    };
    path.len() <= 4096 && path.split('/').all(is_name)
}
