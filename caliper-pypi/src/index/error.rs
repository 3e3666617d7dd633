use caliper_core::names::PackageName;

use crate::http::RequestError;

/// Why an index did not tell what it offers of a project.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The index has no such project.
    #[error(
        "the index at {index} has no project `{project}`: check its spelling, or name another index"
    )]
    NotFound {
        /// The address of the index.
        index: String,
        /// The project.
        project: PackageName,
    },
    /// None of the indexes has such a project.
    #[error(
        "none of the indexes at {} has a project `{project}`: check its spelling, or name another \
         index",
        indexes.join(" and ")
    )]
    NotFoundAnywhere {
        /// The addresses of the indexes.
        indexes: Vec<String>,
        /// The project.
        project: PackageName,
    },
    /// The index wants credentials, or others than it got.
    #[error(
        "the index at {index} refused to show `{project}` (status {status}): \
         put credentials that may read it into the address (`https://user:password@host/…`) or into \
         a netrc file"
    )]
    Unauthorised {
        /// The address of the index.
        index: String,
        /// The project.
        project: PackageName,
        /// The HTTP status: 401 or 403.
        status: u16,
    },
    /// The answer is not in a format of an index.
    #[error(
        "the answer from {url} is not one of a package index: {expected}; \
         its content type is `{content_type}` and it starts with `{start}`"
    )]
    Rubbish {
        /// The address of the answer.
        url: String,
        /// What is wrong, or what was expected.
        expected: String,
        /// The content type of the answer; empty if it has none.
        content_type: String,
        /// The first bytes of the answer, as text.
        start: String,
    },
    /// No request may be made, and no answer about this project is in the cache.
    #[error(
        "nothing is known of `{project}` from the index at {index} without asking it: \
         run once without the offline option"
    )]
    Offline {
        /// The address of the index.
        index: String,
        /// The project.
        project: PackageName,
    },
    /// The request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
}
