//! Results as one page of HTML that needs nothing else: no server, no other file, no network.
//!
//! The page has three layers. Its first screen is plain HTML, which Tera renders and which is readable without
//! JavaScript. Then follow the numbers of all runs as JSON in columns, from which the script of the page draws the
//! matrix and the plots. At the end stand outputs, logs and environments in compressed pieces, of which the script
//! unpacks only those that a reader opens.
//!
//! Everything that comes from tests and from an index is untrusted. In the first screen Tera escapes it; in JSON no
//! character stands that could end the element; the compressed pieces are base64. A content security policy lets only the
//! script of the page run, which is named by its digest.

mod data;
mod evidence;
mod first;
mod pack;
mod texts;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::analysis::changes::Difference;
use crate::analysis::compare::Blobs;
use crate::analysis::results::Results;
use evidence::Evidence;
use texts::Texts;

/// Other results that these are held against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// What the reader knows the other results by.
    pub name: &'a str,
    /// What became of each test, from [`differences`](crate::analysis::changes::differences) with the other results as
    /// the first set and these as the second.
    pub differences: &'a [Difference],
}

/// How large the texts of a page become at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many bytes of an output, a log or a file are shown; the middle of a longer one is left out.
    pub text: usize,
    /// How large an image is at most; a larger one is left out.
    pub image: usize,
    /// How many bytes all of them together take at most in the page, after compression. When it is used up, further texts
    /// are left out, and the page says so. Cells that fail or have other results come first.
    pub all: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { text: 64 << 10, image: 1 << 20, all: 12 << 20 }
    }
}

/// A page that could not be rendered, which is a defect of the template.
#[derive(Debug, thiserror::Error)]
#[error("could not render the page")]
pub struct PageError(#[from] tera::Error);

/// Renders `results` as HTML. `config` is what commands name the results by, if it is not `caliper.yaml`. `blobs` finds
/// long outputs, logs and result files; what it does not find is left out.
///
/// # Errors
///
/// [`PageError`] if the template is wrong.
pub fn page(
    results: &Results,
    config: Option<&str>,
    against: Option<Against<'_>>,
    room: Room,
    blobs: Blobs<'_>,
) -> Result<String, PageError> {
    let data = data::Data::of(results, against);
    let mut texts = Texts::new(room, blobs);
    let evidence = Evidence::of(&data, results, &mut texts);
    let (cell_starts, mut chunks) = evidence.into_chunks();
    let (text_starts, text_chunks) = texts.into_chunks();
    chunks.extend(text_chunks);
    let starts = pack::Starts { cell_chunks: cell_starts, text_chunks: text_starts };
    let parts = Parts {
        page: first::First::of(results, config, against),
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        data: pack::in_html(&pack::WithStarts { data: &data, starts }),
        chunks,
    };
    let mut engine = tera::Tera::new();
    engine.autoescape_on(vec![".html"]);
    engine.add_raw_template(NAME, TEMPLATE)?;
    Ok(engine.render(NAME, &tera::Context::from_serialize(&parts)?)?)
}

const NAME: &str = "page.html";
const TEMPLATE: &str = include_str!("page/front/page.html");
const STYLE: &str = include_str!("page/front/page.css");
/// The parts share one scope, which is closed to the rest of the page.
const SCRIPT: &str = concat!(
    "(() => {\n\"use strict\";\n",
    include_str!("page/front/data.js"),
    include_str!("page/front/dom.js"),
    include_str!("page/front/filter.js"),
    include_str!("page/front/matrix.js"),
    include_str!("page/front/controls.js"),
    include_str!("page/front/diff.js"),
    include_str!("page/front/images.js"),
    include_str!("page/front/panel.js"),
    include_str!("page/front/evidence.js"),
    include_str!("page/front/plot.js"),
    include_str!("page/front/series.js"),
    include_str!("page/front/start.js"),
    "})();\n",
);

/// What the template inserts.
#[derive(Serialize)]
struct Parts {
    page: first::First,
    policy: String,
    style: &'static str,
    script: &'static str,
    data: String,
    chunks: Vec<String>,
}

/// Only the script of the page runs, and nothing is loaded from anywhere
/// ([Content Security Policy Level 3](https://www.w3.org/TR/CSP3/)).
fn policy() -> String {
    let digest = BASE64_STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; base-uri \
         'none'; form-action 'none'"
    )
}

#[cfg(test)]
mod tests;
