//! Pages of an index, as values to bytes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use caliper_core::names::{PackageName, Sha256, Timestamp};
use pep440_rs::Version;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::index::CoreMetadata;

/// The version of the simple API that the pages are written in
/// ([PEP 700](https://peps.python.org/pep-0700/)).
const API_VERSION: &str = "1.1";
/// The version without that PEP, which demands the size of each file.
const WITHOUT_SIZES: &str = "1.0";

/// What may stand in a path as it is.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as it may stand in a path.
pub(crate) fn in_path(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, IN_PATH)
}

/// One file on a project's page.
pub(crate) struct Row {
    pub(crate) filename: String,
    pub(crate) version: Version,
    /// Relative to the page, as many indexes write it.
    pub(crate) url: String,
    pub(crate) sha256: Option<Sha256>,
    pub(crate) size: Option<u64>,
    pub(crate) upload_time: Option<Timestamp>,
    pub(crate) requires_python: Option<String>,
    /// The reason, if it is withdrawn; empty if none is known.
    pub(crate) yanked: Option<String>,
    /// Whether its metadata is offered by itself.
    pub(crate) metadata: CoreMetadata,
}

#[derive(Serialize)]
struct Meta {
    #[serde(rename = "api-version")]
    api_version: &'static str,
}

#[derive(Serialize)]
struct ProjectPage<'a> {
    meta: Meta,
    name: &'a str,
    versions: Vec<String>,
    files: Vec<FileEntry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FileEntry<'a> {
    filename: &'a str,
    url: &'a str,
    hashes: Hashes,
    requires_python: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_time: Option<Timestamp>,
    yanked: Yanked<'a>,
    // Not also `dist-info-metadata`, as it was called first: pip 22.3 to 23.0 take it for a text, and fail
    // (https://peps.python.org/pep-0714/).
    core_metadata: BesideEntry,
}

#[derive(Serialize)]
struct Hashes {
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// `false`, `true`, or the reason.
#[derive(Serialize)]
#[serde(untagged)]
enum Yanked<'a> {
    Is(bool),
    Because(&'a str),
}

/// `false`, `true`, or the digest.
#[derive(Serialize)]
#[serde(untagged)]
enum BesideEntry {
    Is(bool),
    With(Hashes),
}

impl<'a> FileEntry<'a> {
    fn of(row: &'a Row) -> Self {
        Self {
            filename: &row.filename,
            url: &row.url,
            hashes: Hashes { sha256: row.sha256.map(|sha256| sha256.hex()) },
            requires_python: row.requires_python.as_deref(),
            size: row.size,
            upload_time: row.upload_time,
            yanked: match row.yanked.as_deref() {
                None => Yanked::Is(false),
                Some("") => Yanked::Is(true),
                Some(reason) => Yanked::Because(reason),
            },
            core_metadata: match row.metadata {
                CoreMetadata::Absent => BesideEntry::Is(false),
                CoreMetadata::Offered(None) => BesideEntry::Is(true),
                CoreMetadata::Offered(Some(sha256)) => {
                    BesideEntry::With(Hashes { sha256: Some(sha256.hex()) })
                }
            },
        }
    }
}

/// The page of a project, as JSON ([PEP 691](https://peps.python.org/pep-0691/)).
pub(crate) fn project_json(project: &PackageName, rows: &[Row]) -> String {
    let versions: BTreeSet<&Version> = rows.iter().map(|row| &row.version).collect();
    let sizes = rows.iter().all(|row| row.size.is_some());
    to_json(&ProjectPage {
        meta: Meta { api_version: if sizes { API_VERSION } else { WITHOUT_SIZES } },
        name: project.normalized(),
        versions: versions.into_iter().map(ToString::to_string).collect(),
        files: rows.iter().map(FileEntry::of).collect(),
    })
}

fn to_json(page: &impl Serialize) -> String {
    match serde_json::to_string(page) {
        Ok(text) => text,
        Err(error) => unreachable!("texts and numbers are JSON: {error}"),
    }
}

/// The page of a project, as HTML ([PEP 503](https://peps.python.org/pep-0503/)).
pub(crate) fn project_html(project: &PackageName, rows: &[Row]) -> String {
    let links = rows.iter().fold(String::new(), |mut links, row| {
        let mut attributes = String::new();
        let mut attribute = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = write!(attributes, " {name}=\"{}\"", escape(value));
        };
        if let Some(requires_python) = &row.requires_python {
            attribute("data-requires-python", requires_python);
        }
        if let Some(reason) = &row.yanked {
            attribute("data-yanked", reason);
        }
        if let CoreMetadata::Offered(digest) = row.metadata {
            let digest =
                digest.map_or("true".to_owned(), |digest| format!("sha256={}", digest.hex()));
            attribute("data-core-metadata", &digest);
            attribute("data-dist-info-metadata", &digest);
        }
        if let Some(time) = row.upload_time {
            attribute("data-upload-time", &time.to_string());
        }
        let digest = row.sha256.map(|sha256| format!("#sha256={}", sha256.hex()));
        let _ = writeln!(
            links,
            "<a href=\"{}{}\"{attributes}>{}</a><br>",
            row.url,
            digest.unwrap_or_default(),
            escape(&row.filename),
        );
        links
    });
    html(&format!("Links for {}", project.normalized()), &links)
}

#[derive(Serialize)]
struct ListPage<'a> {
    meta: Meta,
    projects: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

/// The list of projects, as JSON.
pub(crate) fn list_json(projects: &BTreeSet<PackageName>) -> String {
    let named = projects.iter().map(|project| Named { name: project.normalized() });
    to_json(&ListPage { meta: Meta { api_version: API_VERSION }, projects: named.collect() })
}

/// The list of projects, as HTML.
pub(crate) fn list_html(projects: &BTreeSet<PackageName>) -> String {
    let links = projects.iter().fold(String::new(), |mut links, project| {
        let name = project.normalized();
        let _ = writeln!(links, "<a href=\"{name}/\">{name}</a><br>");
        links
    });
    html("Simple index", &links)
}

fn html(title: &str, links: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n\
         <meta name=\"pypi:repository-version\" content=\"{API_VERSION}\">\n\
         <title>{title}</title>\n</head>\n<body>\n{links}</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
