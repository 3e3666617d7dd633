//! The HTML form ([PEP 503](https://peps.python.org/pep-0503/)): a link for each file, with the
//! attributes of [PEP 592](https://peps.python.org/pep-0592/) (yanked) and the upload time that some
//! indexes add.

use std::borrow::Cow;
use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, HtmlString, Spanned, Token, Tokenizer};
use percent_encoding::percent_decode_str;

use super::answer::{Collector, Entry, check_version};

/// Reads `text` into `collector`. Tells whether the page says of itself that it is one of an index;
/// PEP 503 does not ask for that, so one that says nothing may be one too.
///
/// # Errors
///
/// What is wrong, if the page is of a later version of the simple API, or makes its links longer than
/// addresses are.
pub(super) fn read(text: &str, collector: &mut Collector) -> Result<bool, String> {
    let mut declared = text.contains("Links for");
    let mut emitter = DefaultEmitter::default();
    // What looks like a link in a script is none.
    emitter.naively_switch_states(true);
    for token in Tokenizer::new_with_emitter(text, emitter) {
        let Ok(Token::StartTag(tag)) = token else {
            continue;
        };
        let attributes = Attributes(&tag.attributes);
        match &**tag.name {
            b"a" => {
                if let Some(entry) =
                    attributes.get("href").and_then(|link| file(&link, &attributes))
                {
                    collector.file(entry);
                }
            }
            b"base" => {
                if let Some(link) = attributes.get("href") {
                    collector.set_base(&link)?;
                }
            }
            b"meta" if attributes.get("name").as_deref() == Some("pypi:repository-version") => {
                check_version(&attributes.get("content").unwrap_or_default())?;
                declared = true;
            }
            _ => {}
        }
    }
    Ok(declared)
}

fn file(link: &str, attributes: &Attributes<'_>) -> Option<Entry<'static>> {
    let (address, fragment) = link.trim().split_once('#').unwrap_or((link.trim(), ""));
    let path = address.split('?').next()?;
    let last = path.rsplit('/').next()?;
    let filename = percent_decode_str(last).decode_utf8_lossy().into_owned();
    // A link to a folder is none to a file.
    if filename.is_empty() {
        return None;
    }
    let sha256 = fragment.split('&').find_map(|part| part.strip_prefix("sha256="));
    Some(Entry {
        filename: filename.into(),
        url: address.to_owned().into(),
        sha256: sha256.map(|digest| digest.to_owned().into()),
        size: attributes.get("data-size").and_then(|text| text.parse().ok()),
        upload_time: attributes.get("data-upload-time").map(Cow::Owned),
        requires_python: attributes.get("data-requires-python").map(Cow::Owned),
        yanked: attributes.get("data-yanked").is_some(),
    })
}

struct Attributes<'a>(&'a BTreeMap<HtmlString, Spanned<HtmlString, ()>>);

impl Attributes<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let value = self.0.get(name.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}
