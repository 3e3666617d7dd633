//! Pages of an index, as values to bytes.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use caliper_core::names::{PackageName, Sha256, Timestamp};
use pep440_rs::Version;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::folder::Learnt;

/// The version of the simple API that the pages are written in
/// ([PEP 700](https://peps.python.org/pep-0700/)).
const API_VERSION: &str = "1.1";

/// What may stand in a path as it is.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One file on a project's page.
pub(super) struct Row {
    pub(super) filename: String,
    pub(super) version: Version,
    pub(super) size: u64,
    pub(super) upload_time: Timestamp,
    /// The reason, if it is withdrawn.
    pub(super) yanked: Option<String>,
    pub(super) learnt: Arc<Learnt>,
    /// Whether its metadata is offered by itself.
    pub(super) metadata: bool,
}

impl Row {
    /// Relative to the page of the project, as many indexes write it.
    fn relative_url(&self) -> String {
        format!("../../files/{}", utf8_percent_encode(&self.filename, IN_PATH))
    }

    fn metadata_digest(&self) -> Option<Sha256> {
        let bytes = self.learnt.metadata.as_deref().filter(|_| self.metadata)?;
        Some(Sha256::of(bytes))
    }
}

/// The page of a project, as JSON ([PEP 691](https://peps.python.org/pep-0691/)).
pub(super) fn project_json(project: &PackageName, rows: &[Row]) -> Value {
    let versions: BTreeSet<&Version> = rows.iter().map(|row| &row.version).collect();
    let versions: Vec<String> = versions.into_iter().map(ToString::to_string).collect();
    let files: Vec<Value> = rows
        .iter()
        .map(|row| {
            let metadata = match row.metadata_digest() {
                Some(digest) => json!({ "sha256": digest.hex() }),
                None => json!(false),
            };
            json!({
                "filename": row.filename,
                "url": row.relative_url(),
                "hashes": { "sha256": row.learnt.sha256.hex() },
                "requires-python": row.learnt.requires_python,
                "size": row.size,
                "upload-time": row.upload_time,
                "yanked": yanked(row),
                // Not also `dist-info-metadata`, as it was called first: pip 22.3 to 23.0 take it for a
                // text, and fail (https://peps.python.org/pep-0714/).
                "core-metadata": metadata,
            })
        })
        .collect();
    json!({
        "meta": { "api-version": API_VERSION },
        "name": project.normalized(),
        "versions": versions,
        "files": files,
    })
}

fn yanked(row: &Row) -> Value {
    match row.yanked.as_deref() {
        None => json!(false),
        Some("") => json!(true),
        Some(reason) => json!(reason),
    }
}

/// The page of a project, as HTML ([PEP 503](https://peps.python.org/pep-0503/)).
pub(super) fn project_html(project: &PackageName, rows: &[Row]) -> String {
    let links = rows.iter().fold(String::new(), |mut links, row| {
        let mut attributes = String::new();
        let mut attribute = |name: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = write!(attributes, " {name}=\"{}\"", escape(value));
        };
        if let Some(requires_python) = &row.learnt.requires_python {
            attribute("data-requires-python", requires_python);
        }
        if let Some(reason) = &row.yanked {
            attribute("data-yanked", reason);
        }
        if let Some(digest) = row.metadata_digest() {
            let digest = format!("sha256={}", digest.hex());
            attribute("data-core-metadata", &digest);
            attribute("data-dist-info-metadata", &digest);
        }
        attribute("data-upload-time", &row.upload_time.to_string());
        let _ = writeln!(
            links,
            "<a href=\"{}#sha256={}\"{attributes}>{}</a><br>",
            row.relative_url(),
            row.learnt.sha256.hex(),
            escape(&row.filename),
        );
        links
    });
    html(&format!("Links for {}", project.normalized()), &links)
}

/// The list of projects, as JSON.
pub(super) fn list_json(projects: &BTreeSet<PackageName>) -> Value {
    let projects: Vec<Value> =
        projects.iter().map(|project| json!({ "name": project.normalized() })).collect();
    json!({ "meta": { "api-version": API_VERSION }, "projects": projects })
}

/// The list of projects, as HTML.
pub(super) fn list_html(projects: &BTreeSet<PackageName>) -> String {
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
