use caliper_core::names::PackageName;

use crate::http::RequestError;

/// Projects whose modules have other names, by the normal form of those.
const MODULES: &[(&str, &str)] = &[
    ("attr", "attrs"),
    ("bio", "biopython"),
    ("bs4", "beautifulsoup4"),
    ("crypto", "pycryptodome"),
    ("cv2", "opencv-python"),
    ("dateutil", "python-dateutil"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("fitz", "pymupdf"),
    ("git", "gitpython"),
    ("github", "pygithub"),
    ("googleapiclient", "google-api-python-client"),
    ("jose", "python-jose"),
    ("jwt", "pyjwt"),
    ("ldap", "python-ldap"),
    ("magic", "python-magic"),
    ("mpl-toolkits", "matplotlib"),
    ("mysqldb", "mysqlclient"),
    ("nacl", "pynacl"),
    ("openssl", "pyopenssl"),
    ("osgeo", "gdal"),
    ("pil", "pillow"),
    ("pkg-resources", "setuptools"),
    ("pptx", "python-pptx"),
    ("pylab", "matplotlib"),
    ("pywintypes", "pywin32"),
    ("serial", "pyserial"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("slugify", "python-slugify"),
    ("socks", "pysocks"),
    ("tlz", "toolz"),
    ("umap", "umap-learn"),
    ("usb", "pyusb"),
    ("win32api", "pywin32"),
    ("yaml", "pyyaml"),
    ("zmq", "pyzmq"),
];

/// What to do about a name that is not there.
fn advice(project: &PackageName) -> String {
    let known = MODULES.iter().find(|(module, _)| *module == project.normalized());
    match known {
        Some((_, name)) => format!("the project with that module is `{name}`; use that name"),
        None => "check its spelling".to_owned(),
    }
}

/// Why an index did not tell what it offers of a project.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The index has no such project.
    #[error(
        "the index at {index} has no project `{project}`: {}, or name another index",
        advice(project)
    )]
    NotFound {
        /// The address of the index.
        index: String,
        /// The project.
        project: PackageName,
    },
    /// None of the indexes has such a project.
    #[error(
        "none of the indexes at {} has a project `{project}`: {}, or name another index",
        indexes.join(" and "), advice(project)
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
