//! Where a distribution was installed from, as its `direct_url.json` says
//! ([PEP 610](https://peps.python.org/pep-0610/)).

use caliper_core::facts::record::RecordedFile;
use caliper_core::names::Sha256;
use caliper_core::question::grid::FileKind;
use serde::Deserialize;

#[derive(Deserialize)]
struct DirectUrl {
    url: String,
    archive_info: Option<ArchiveInfo>,
}

#[derive(Deserialize)]
struct ArchiveInfo {
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
    /// The older form, `sha256=…`.
    hash: Option<String>,
}

/// The file in the text of a `direct_url.json`; `None` if it does not name a file on the network. A path of
/// this machine is not recorded, and neither are credentials.
pub(crate) fn read(text: &[u8]) -> Option<RecordedFile> {
    let DirectUrl { url, archive_info } = serde_json::from_slice(text).ok()?;
    let archive_info = archive_info?;
    let hash = archive_info.hashes.get("sha256").cloned().or_else(|| {
        let hash = archive_info.hash?;
        hash.strip_prefix("sha256=").map(str::to_owned)
    });
    file_at(&url, hash.and_then(|hash| hash.parse().ok()))
}

/// The file at an address, which is recorded without credentials; `None` if it is not on the network.
pub(crate) fn file_at(url: &str, sha256: Option<Sha256>) -> Option<RecordedFile> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].contains(&scheme) {
        return None;
    }
    let (host, path) = rest.split_once('/')?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let path = path.split(['?', '#']).next()?;
    let filename = path.rsplit('/').next().filter(|name| !name.is_empty())?;
    Some(RecordedFile {
        filename: filename.to_owned(),
        url: format!("{scheme}://{host}/{path}"),
        sha256,
        kind: match filename.rsplit_once('.') {
            Some((_, "whl")) => FileKind::Wheel,
            _ => FileKind::Sdist,
        },
        upload_time: None,
        size: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_on_the_network_is_named_without_credentials() {
        let hash = "a".repeat(64);
        let text = format!(
            r#"{{"url": "https://u:p@x.example/d/a-1.0-py3-none-any.whl?t=1#egg",
                 "archive_info": {{"hashes": {{"sha256": "{hash}"}}}}}}"#
        );
        let file = read(text.as_bytes()).unwrap();
        assert_eq!(file.url, "https://x.example/d/a-1.0-py3-none-any.whl");
        assert_eq!(file.filename, "a-1.0-py3-none-any.whl");
        assert_eq!(file.sha256.unwrap().hex(), hash);
        let older = format!(
            r#"{{"url": "http://x/a.tar.gz", "archive_info": {{"hash": "sha256={hash}"}}}}"#
        );
        assert_eq!(read(older.as_bytes()).unwrap().kind, FileKind::Sdist);
        for other in [
            r#"{"url": "file:///home/a.whl", "archive_info": {}}"#,
            r#"{"url": "https://x/repository", "vcs_info": {"vcs": "git"}}"#,
            r#"{"url": "https://x", "archive_info": {}}"#,
            "{",
        ] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
