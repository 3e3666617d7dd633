//! The HTML form ([PEP 503](https://peps.python.org/pep-0503/)): a link for each file, with the
//! attributes of [PEP 592](https://peps.python.org/pep-0592/) (yanked), of
//! [PEP 714](https://peps.python.org/pep-0714/) (metadata by itself), and the upload time that some
//! indexes add.

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use percent_encoding::percent_decode_str;

use super::collector::{Collector, Entry, MOST_FILES, check_version};
use super::project::CoreMetadata;

/// Reads `text` into `collector`. Tells whether the page says of itself that it is one of an index;
/// PEP 503 does not ask for that, so one that says nothing may be one too.
///
/// # Errors
///
/// What is wrong, if the page is of a later version of the simple API, has too many links, or makes them
/// longer than addresses are.
pub(super) fn read(text: &str, collector: &mut Collector) -> Result<bool, String> {
    let mut page = Page {
        declared: text.contains("Links for"),
        collector,
        links: 0,
        tag: Tag::Other,
        attributes: Attributes::default(),
    };
    // Tags are taken as they come: of a tag with a million attributes a few are kept.
    let mut emitter =
        CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| page.take(&event).err());
    // Text in a script that looks like a link is not a link.
    emitter.naively_switch_states(true);
    if let Some(Ok(fault)) = Tokenizer::new_with_emitter(text, emitter).next() {
        return Err(fault);
    }
    Ok(page.declared)
}

/// A page while it is read.
struct Page<'a> {
    declared: bool,
    collector: &'a mut Collector,
    links: usize,
    tag: Tag,
    attributes: Attributes,
}

/// The start tag that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Link,
    Base,
    Meta,
    /// Any other, or none.
    Other,
}

impl Page<'_> {
    fn take(&mut self, event: &CallbackEvent<'_>) -> Result<(), String> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.attributes = Attributes::default();
                self.tag = match *name {
                    b"a" => Tag::Link,
                    b"base" => Tag::Base,
                    b"meta" => Tag::Meta,
                    _ => Tag::Other,
                };
            }
            CallbackEvent::AttributeName { name } if self.tag != Tag::Other => {
                self.attributes.name(name);
            }
            CallbackEvent::AttributeValue { value } if self.tag != Tag::Other => {
                self.attributes.value(value);
            }
            CallbackEvent::CloseStartTag { .. } => return self.close(),
            CallbackEvent::EndTag { .. } => self.tag = Tag::Other,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let attributes = std::mem::take(&mut self.attributes);
        match std::mem::replace(&mut self.tag, Tag::Other) {
            Tag::Link => {
                self.links += 1;
                if self.links > MOST_FILES {
                    return Err(format!("it has more than {MOST_FILES} links"));
                }
                if let Some(entry) = attributes.get("href").and_then(|link| file(link, &attributes))
                {
                    self.collector.file(entry);
                }
            }
            Tag::Base => {
                if let Some(link) = attributes.get("href") {
                    self.collector.set_base(link)?;
                }
            }
            Tag::Meta if attributes.get("name") == Some("pypi:repository-version") => {
                check_version(attributes.get("content").unwrap_or_default())?;
                self.declared = true;
            }
            Tag::Meta | Tag::Other => {}
        }
        Ok(())
    }
}

fn file<'a>(link: &'a str, attributes: &'a Attributes) -> Option<Entry<'a>> {
    let (address, fragment) = link.trim().split_once('#').unwrap_or((link.trim(), ""));
    let path = address.split('?').next()?;
    let last = path.rsplit('/').next()?;
    let filename = percent_decode_str(last).decode_utf8_lossy();
    // A link to a folder is not a link to a file.
    if filename.is_empty() {
        return None;
    }
    let digest_in = |text: &'a str| text.split('&').find_map(|part| part.strip_prefix("sha256="));
    let metadata = attributes
        .get("data-core-metadata")
        .or_else(|| attributes.get("data-dist-info-metadata"))
        .filter(|text| *text != "false");
    Some(Entry {
        filename,
        url: address.into(),
        sha256: digest_in(fragment).map(Into::into),
        size: attributes.get("data-size").and_then(|text| text.parse().ok()),
        upload_time: attributes.get("data-upload-time").map(Into::into),
        requires_python: attributes.get("data-requires-python").map(Into::into),
        yanked: attributes.get("data-yanked").is_some(),
        core_metadata: metadata
            .map_or(CoreMetadata::Absent, |text| CoreMetadata::offered(digest_in(text))),
    })
}

/// The attributes that mean something here.
const WANTED: [&str; 9] = [
    "href",
    "name",
    "content",
    "data-requires-python",
    "data-yanked",
    "data-upload-time",
    "data-size",
    "data-core-metadata",
    "data-dist-info-metadata",
];

/// Their values in one tag.
#[derive(Default)]
struct Attributes {
    values: [Option<String>; WANTED.len()],
    /// The one whose value comes next.
    open: Option<usize>,
}

impl Attributes {
    fn name(&mut self, name: &[u8]) {
        let wanted = WANTED.iter().position(|wanted| wanted.as_bytes() == name);
        // Of two with one name the first counts, as in browsers.
        self.open = wanted.filter(|wanted| self.values[*wanted].is_none());
        if let Some(open) = self.open {
            self.values[open] = Some(String::new());
        }
    }

    fn value(&mut self, value: &[u8]) {
        if let Some(open) = self.open.take() {
            self.values[open] = Some(String::from_utf8_lossy(value).into_owned());
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let wanted = WANTED.iter().position(|wanted| *wanted == name)?;
        self.values[wanted].as_deref()
    }
}
