//! What can be installed: every release × Python of one package, with the file for it or the reason
//! why there is none.

mod cell_id;
mod pattern;

use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

pub use cell_id::{CellId, ParseCellIdError, Variant};
pub use pattern::{CellPattern, ParsePatternError};

use crate::names::{AbiTag, PackageName, PythonVersion, Sha256, Timestamp};

/// The version of the format that [`Grid`] is written in.
///
/// 1: the first.
pub const SCHEMA: u32 = 1;

/// The answer to "which file for which release × Python?".
///
/// Cells are sorted by version (PEP 440), then Python, then variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Grid {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The package whose releases these are.
    pub package: PackageName,
    /// Files that were uploaded later were left out.
    pub as_of: Option<Timestamp>,
    /// The address of the index that all the files are from, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// One cell for every release × Python.
    pub cells: Vec<GridCell>,
    /// The final releases that the index offers and the selection leaves out, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub left_out: Vec<Version>,
}

/// One release for one Python.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(into = "GridCellWire", try_from = "GridCellWire")]
#[schemars(with = "GridCellWire")]
pub struct GridCell {
    /// Which cell this is.
    pub id: CellId,
    /// What there is to install.
    pub choice: Choice,
}

/// What there is to install in a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// This file.
    File {
        /// The file.
        file: DistFile,
        /// The ABI tag of the Python that it was chosen for.
        abi: AbiTag,
    },
    /// Nothing, and why.
    Missing(Missing),
}

/// A file that a package index offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DistFile {
    /// Its name, without a path.
    pub filename: String,
    /// Where it can be fetched: an absolute URL without credentials.
    pub url: String,
    /// Its digest, where the index gives one.
    #[serde(with = "bare_hex")]
    #[schemars(with = "Option<String>")]
    pub sha256: Option<Sha256>,
    /// Its size in bytes, where the index gives it.
    pub size: Option<u64>,
    /// Whether it is built already.
    pub kind: FileKind,
    /// When it was uploaded, where the index says so
    /// ([PEP 700](https://peps.python.org/pep-0700/)).
    pub upload_time: Option<Timestamp>,
    /// The specifier of Pythons that it declares, as written.
    pub requires_python: Option<String>,
    /// Whether it was withdrawn ([PEP 592](https://peps.python.org/pep-0592/)).
    pub yanked: bool,
}

/// Whether a file is built already.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A built distribution ([PEP 427](https://peps.python.org/pep-0427/)).
    Wheel,
    /// A source distribution, which must be built before it is installed.
    Sdist,
}

/// Why there is nothing to install for a Python.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Missing {
    /// What kept every file out.
    pub reason: MissingReason,
    /// The name of the file that came nearest.
    pub nearest: Option<String>,
    /// Which part of that file's tag does not fit.
    pub mismatch: Option<Mismatch>,
}

/// What kept every file of a release out.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// There are wheels, and none fits this Python.
    NoCompatibleWheel,
    /// The release declares that it does not support this Python.
    RequiresPython,
    /// All that would fit was withdrawn.
    Yanked,
    /// There is only a source distribution, and the selection takes none.
    SdistOnly,
    /// The release has no files.
    NoFiles,
    /// A date limit was asked for, and the index does not say when the files were uploaded.
    NoUploadTime,
}

impl fmt::Display for MissingReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoCompatibleWheel => "no compatible wheel",
            Self::RequiresPython => "requires another Python",
            Self::Yanked => "yanked",
            Self::SdistOnly => "only a source distribution",
            Self::NoFiles => "no files",
            Self::NoUploadTime => "no upload time",
        })
    }
}

/// The part of a wheel's tag that does not fit, in the order in which a file comes nearer.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mismatch {
    /// It is for another Python.
    Python,
    /// It is for another ABI of this Python.
    Abi,
    /// It is for another platform.
    Platform,
}

/// The shape of a [`GridCell`] on the wire.
#[derive(Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "GridCell")]
struct GridCellWire {
    #[schemars(with = "String")]
    version: Version,
    python: PythonVersion,
    abi: Option<AbiTag>,
    #[serde(default, skip_serializing_if = "Variant::is_empty")]
    variant: Variant,
    file: Option<DistFile>,
    missing: Option<Missing>,
}

impl From<GridCell> for GridCellWire {
    fn from(cell: GridCell) -> Self {
        let CellId { version, python, variant } = cell.id;
        let (abi, file, missing) = match cell.choice {
            Choice::File { file, abi } => (Some(abi), Some(file), None),
            Choice::Missing(missing) => (None, None, Some(missing)),
        };
        Self { version, python, abi, variant, file, missing }
    }
}

impl TryFrom<GridCellWire> for GridCell {
    type Error = &'static str;

    fn try_from(wire: GridCellWire) -> Result<Self, Self::Error> {
        let choice = match (wire.file, wire.abi, wire.missing) {
            (Some(file), Some(abi), None) => Choice::File { file, abi },
            (None, None, Some(missing)) => Choice::Missing(missing),
            _ => return Err("a cell has either `file` and `abi`, or `missing`"),
        };
        let id = CellId { version: wire.version, python: wire.python, variant: wire.variant };
        Ok(Self { id, choice })
    }
}

/// A digest as package indexes write it: the digits alone.
mod bare_hex {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::names::Sha256;

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Sha256>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        digest.map(|digest| digest.hex()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Sha256>, D::Error> {
        Option::<Sha256>::deserialize(deserializer)
    }
}
