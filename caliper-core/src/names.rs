//! Names that come from outside, each a type that can only be made through [`std::str::FromStr`].
//!
//! Serde uses `FromStr` too. So code that holds a [`PackageName`] or a [`PythonVersion`] knows that it
//! is valid.

mod bytes;
mod digest;
mod module;
mod package;
mod printable;
mod python;
mod time;

pub use bytes::Bytes;
pub use digest::{ParseDigestError, Sha256, Sha256Stream};
pub use module::{ModuleName, ParseModuleNameError};
pub use package::{PackageName, ParsePackageNameError};
pub(crate) use printable::printable;
pub use python::{AbiTag, ParseAbiTagError, ParsePythonVersionError, PythonVersion};
pub use time::{ParseTimestampError, Timestamp};

/// The start of an untrusted text, escaped for error messages on a terminal.
pub(crate) fn excerpt(text: &str, longest: usize) -> String {
    text.chars().take(longest).flat_map(char::escape_debug).collect()
}

/// Gives a type with `FromStr` and `Display` the serde implementations that go through them.
macro_rules! serde_as_string {
    ($type:ty, $description:literal, $pattern:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": $description,
                    "pattern": $pattern,
                })
            }
        }
    };
}
pub(crate) use serde_as_string;
