use std::io;
use std::path::PathBuf;

use caliper_core::names::Sha256;

use crate::http::RequestError;

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// What came is not the file that the index describes.
    #[error("{url} is not the file that the index describes: expected {expected}, got {actual}")]
    Digest {
        /// Where it came from.
        url: String,
        /// The digest that the index gives.
        expected: Sha256,
        /// The digest of what came.
        actual: Sha256,
    },
    /// The index gives no digest, so the download could not be verified.
    #[error("the index gives no sha256 for it, and files that cannot be verified are not allowed")]
    NoDigest,
    /// Its name could lead out of the folder that it is meant for.
    #[error("`{name}` is not accepted as the name of a file")]
    Name {
        /// The name.
        name: String,
    },
    /// Its address is not valid.
    #[error("`{url}` is not an address that a file can be fetched from")]
    Address {
        /// The address.
        url: String,
    },
    /// No request may be made, and the file is not here yet.
    #[error("it is not on this machine yet: run once without the offline option")]
    Offline,
    /// No index has it, and it is not kept here any more.
    #[error(
        "no index has it, because it was built on some machine, and it is not kept on this one"
    )]
    NotOfIndex,
    /// It could not be written.
    #[error("could not write `{}`", path.display())]
    Keep {
        /// Where.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_says_what_to_know() {
        let digest = Sha256::of(b"");
        insta::assert_snapshot!(
            DownloadError::Digest {
                url: "https://files.example/a".into(),
                expected: digest,
                actual: Sha256::of(b"x"),
            },
            @"https://files.example/a is not the file that the index describes: expected sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, got sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        );
        insta::assert_snapshot!(DownloadError::NoDigest, @"the index gives no sha256 for it, and files that cannot be verified are not allowed");
        insta::assert_snapshot!(DownloadError::Name { name: "../x".into() }, @"`../x` is not accepted as the name of a file");
        insta::assert_snapshot!(DownloadError::Address { url: "x".into() }, @"`x` is not an address that a file can be fetched from");
        insta::assert_snapshot!(DownloadError::Offline, @"it is not on this machine yet: run once without the offline option");
        insta::assert_snapshot!(DownloadError::NotOfIndex, @"no index has it, because it was built on some machine, and it is not kept on this one");
        insta::assert_snapshot!(
            DownloadError::Keep { path: "/x".into(), source: io::ErrorKind::StorageFull.into() },
            @"could not write `/x`"
        );
    }
}
