use crate::names::Sha256;

/// The name of a blob in a store: `blob:` and the digest of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobRef(pub Sha256);

impl std::fmt::Display for BlobRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "blob:{}", self.0)
    }
}

impl std::str::FromStr for BlobRef {
    type Err = crate::names::ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("blob:").unwrap_or(text).parse().map(Self)
    }
}

crate::names::serde_as_string!(
    BlobRef,
    "the name of a blob in the store",
    "^blob:sha256:[0-9a-f]{64}$"
);
