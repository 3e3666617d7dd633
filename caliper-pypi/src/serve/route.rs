//! Which answer a request gets.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::PathBuf;

use caliper_core::names::PackageName;
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode, header};

use super::folder::Folder;
use super::{Forms, ServeOptions};
use crate::web::answer::{self, Page, not_found, redirect, set, text};
use crate::web::page;
use crate::web::{self, Content};

/// What is served.
#[derive(Debug)]
pub(super) struct Site {
    folder: Folder,
    options: ServeOptions,
}

impl web::Site for Site {
    fn route(&self, path: &str, headers: &HeaderMap) -> Response<Content> {
        self.page_at(path, headers).unwrap_or_else(|error| {
            text(StatusCode::INTERNAL_SERVER_ERROR, &format!("the folder cannot be read: {error}"))
        })
    }
}

impl Site {
    pub(super) fn new(folder: PathBuf, options: ServeOptions) -> Self {
        Self { folder: Folder::new(folder), options }
    }

    fn page_at(&self, path: &str, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["simple", ""] => self.list(headers),
            ["simple"] => Ok(redirect("/simple/")),
            ["simple", project] | ["simple", project, ""] => {
                let Ok(project) = project.parse::<PackageName>() else {
                    return Ok(not_found());
                };
                let canonical = format!("/simple/{}/", project.normalized());
                if path != canonical {
                    return Ok(redirect(&canonical));
                }
                self.project(&project, headers)
            }
            ["files", name] => self.file(name, headers),
            _ => Ok(not_found()),
        }
    }

    fn list(&self, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let files = self.folder.files()?;
        let projects: BTreeSet<PackageName> = files.into_iter().map(|file| file.project).collect();
        Ok(self.page(headers, || page::list_json(&projects), || page::list_html(&projects)))
    }

    fn project(&self, project: &PackageName, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let mut rows = Vec::new();
        for file in self.folder.files()?.into_iter().filter(|file| file.project == *project) {
            let learnt = self.folder.learn(&file)?;
            rows.push(file.row(&learnt, self.options.metadata));
        }
        if rows.is_empty() {
            return Ok(not_found());
        }
        Ok(self.page(
            headers,
            || page::project_json(project, &rows),
            || page::project_html(project, &rows),
        ))
    }

    /// The form that the client likes best.
    fn page(
        &self,
        headers: &HeaderMap,
        json: impl FnOnce() -> String,
        html: impl FnOnce() -> String,
    ) -> Response<Content> {
        let content_type = match self.options.forms {
            Forms::Html => Some(answer::OLD_HTML),
            Forms::Json => Some(answer::JSON),
            Forms::Negotiated => answer::best_form_for(headers),
        };
        let Some(content_type) = content_type else { return answer::not_acceptable() };
        let body = if content_type == answer::JSON { json() } else { html() };
        let page = Page::new(content_type, body);
        let cache_control = match self.options.max_age.as_secs() {
            0 => "no-cache".to_owned(),
            seconds => format!("max-age={seconds}"),
        };
        let mut answer = page.unless_known(headers);
        set(&mut answer, header::CACHE_CONTROL, &cache_control);
        set(&mut answer, header::VARY, "Accept");
        answer
    }

    fn file(&self, name: &str, headers: &HeaderMap) -> io::Result<Response<Content>> {
        let files = self.folder.files()?;
        // What is looked for must be in the folder's list, so no name leads out of it.
        if let Some(file) = files.iter().find(|file| file.filename == name) {
            let sha256 = self.folder.learn(file)?.sha256;
            return answer::file(File::open(&file.path)?, sha256, file.changed, headers);
        }
        let wheel = name.strip_suffix(".metadata").filter(|_| self.options.metadata);
        let wheel = wheel.and_then(|wheel| files.iter().find(|file| file.filename == wheel));
        if let Some(wheel) = wheel
            && let Some(metadata) = &self.folder.learn(wheel)?.metadata
        {
            return Ok(Page::new(answer::BYTES, metadata.clone()).unless_known(headers));
        }
        Ok(not_found())
    }
}
