//! The pages of projects, made once for all clients that ask at the same time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::grid::{DistFile, FileKind};

use super::UnknownUploadTime;
use super::failure::Failure;
use crate::Notice;
use crate::index::{CoreMetadata, IndexClient, PackageIndex as _, Project, ProjectFile, Release};
use crate::turns::Turns;
use crate::web::answer::{JSON, Page};
use crate::web::page::{self, Row};

/// The folder of files without a digest.
pub(super) const UNVERIFIED: &str = "unverified";

/// How long a page is given to further clients before the index client is asked again, which knows how long
/// the index's own answer holds.
const FRESH: Duration = Duration::from_secs(5);
/// How many bytes the pages may take that are held for further clients.
const MOST_BYTES: usize = 32 << 20;

/// Which page: of which project, as of when, in which form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Which {
    pub(super) project: PackageName,
    pub(super) as_of: Option<Timestamp>,
    /// How many folders below the root it is.
    pub(super) depth: usize,
    /// What is done with files without upload time.
    pub(super) undated: UnknownUploadTime,
    /// The content type.
    pub(super) form: &'static str,
}

/// Makes pages, and holds them for a moment.
#[derive(Debug, Default)]
pub(super) struct Pages {
    held: Mutex<BTreeMap<Which, (Instant, Page)>>,
    under_way: Turns<Which>,
    without_upload_time: Mutex<BTreeMap<PackageName, Vec<String>>>,
}

impl Pages {
    /// The page of a project that `client` is asked for, if none is held.
    pub(super) fn page(&self, which: &Which, client: &IndexClient) -> Result<Page, Failure> {
        if let Some(page) = self.held(which) {
            return Ok(page);
        }
        self.under_way.alone(which, || {
            if let Some(page) = self.held(which) {
                return Ok(page); // another thread was faster
            }
            let project = client.project(&which.project)?;
            let rows = self.rows(&project, which, client)?;
            let text = match which.form {
                JSON => page::project_json(&which.project, &rows),
                _ => page::project_html(&which.project, &rows),
            };
            let page = Page::new(which.form, text);
            self.hold(which.clone(), page.clone());
            Ok(page)
        })
    }

    pub(super) fn without_upload_time(&self) -> BTreeMap<PackageName, Vec<String>> {
        self.without_upload_time.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn held(&self, which: &Which) -> Option<Page> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, page) = held.get(which)?;
        (since.elapsed() < FRESH).then(|| page.clone())
    }

    fn hold(&self, which: Which, page: Page) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, (since, _)| since.elapsed() < FRESH);
        let bytes: usize = held.values().map(|(_, page)| page.length()).sum();
        if bytes + page.length() <= MOST_BYTES {
            held.insert(which, (Instant::now(), page));
        }
    }

    /// The files that are offered, of those that were there by `as_of`.
    fn rows(
        &self,
        project: &Project,
        &Which { as_of, depth, undated: unknown, .. }: &Which,
        client: &IndexClient,
    ) -> Result<Vec<Row>, Failure> {
        let releases = project.releases().iter();
        let files = releases.flat_map(|release| {
            release.files().iter().map(|file| (release.version().clone(), file))
        });
        let files: Vec<_> = files.collect();
        let Some(as_of) = as_of else {
            return Ok(files
                .into_iter()
                .map(|(version, file)| row(file, version, depth))
                .collect());
        };
        let undated = without_upload_time(project);
        let included = unknown == UnknownUploadTime::Include;
        if !undated.is_empty() {
            if !included && undated.len() == files.len() {
                let index = project.index().unwrap_or_default();
                return Err(Failure::undated(project.name().normalized(), index, as_of));
            }
            self.note(project.name(), undated, included, client);
        }
        let existed =
            |file: &ProjectFile| file.file.upload_time.map_or(included, |time| time <= as_of);
        let existing = files.into_iter().filter(|(_, file)| existed(file));
        Ok(existing.map(|(version, file)| row(file, version, depth)).collect())
    }

    fn note(
        &self,
        project: &PackageName,
        filenames: Vec<String>,
        included: bool,
        client: &IndexClient,
    ) {
        let mut known = self.without_upload_time.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(project) != Some(&filenames) {
            known.insert(project.clone(), filenames.clone());
            drop(known);
            let project = project.clone();
            client.http().notify(&Notice::NoUploadTime { project, filenames, included });
        }
    }
}

/// The names of the files without upload time.
pub(super) fn without_upload_time(project: &Project) -> Vec<String> {
    let files = project.releases().iter().flat_map(Release::files);
    let undated = files.filter(|file| file.file.upload_time.is_none());
    undated.map(|file| file.file.filename.clone()).collect()
}

/// What a page says of a file, `depth` folders below the root.
pub(super) fn row(file: &ProjectFile, version: pep440_rs::Version, depth: usize) -> Row {
    let core_metadata = file.core_metadata;
    let file = &file.file;
    Row {
        url: format!("{}{}", "../".repeat(depth), path_of(file)),
        version,
        filename: file.filename.clone(),
        sha256: file.sha256,
        size: file.size,
        upload_time: file.upload_time,
        requires_python: file.requires_python.clone(),
        yanked: file.yanked.then(String::new),
        metadata: match (core_metadata, file.kind) {
            // It would be looked up by a digest that there is not, or is not there at all.
            _ if file.sha256.is_none() || file.kind == FileKind::Sdist => CoreMetadata::Absent,
            (CoreMetadata::Offered(digest), _) => CoreMetadata::Offered(digest),
            // Read out of the wheel when it is asked for.
            (CoreMetadata::Absent, _) => CoreMetadata::Offered(None),
        },
    }
}

/// Where a file is, from the root.
pub(super) fn path_of(file: &DistFile) -> String {
    let folder = file.sha256.map_or_else(|| UNVERIFIED.to_owned(), |sha256| sha256.hex());
    format!("files/{folder}/{}", page::in_path(&file.filename))
}
