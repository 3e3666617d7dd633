//! The JSON forms: the simple API ([PEP 691](https://peps.python.org/pep-0691/),
//! [PEP 700](https://peps.python.org/pep-0700/)) and the older
//! project JSON (`/pypi/NAME/json`).
//!
//! Both describe a file with the same facts under different names, so one reader takes both.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::collector::{Collector, Entry, MOST_FILES, check_version};
use super::project::CoreMetadata;

/// Reads `text` into `collector`.
///
/// # Errors
///
/// What is wrong, if this is neither form.
pub(super) fn read(text: &str, collector: &mut Collector) -> Result<(), String> {
    if let Ok(answer) = serde_json::from_str::<Answer<'_, File<'_>>>(text) {
        return answer.collect(collector, |collector, file| collector.file(file.into()));
    }
    // Some entry has not the form that it should have: look at each on its own.
    let answer: Answer<'_, &RawValue> = serde_json::from_str(text)
        .map_err(|error| format!("expected an index's JSON ({})", explain(&error)))?;
    answer.collect(collector, |collector, raw| match serde_json::from_str::<File<'_>>(raw.get()) {
        Ok(file) => collector.file(file.into()),
        Err(error) => collector.malformed(explain(&error)),
    })
}

/// What is wrong with a JSON text. Serde quotes what it did not expect, however long, and then says
/// what it did.
fn explain(error: &serde_json::Error) -> String {
    const START: usize = 120;
    const END: usize = 80;
    let text = error.to_string();
    let length = text.chars().count();
    if length <= START + END {
        return text;
    }
    let start: String = text.chars().take(START).collect();
    let end: String = text.chars().skip(length - END).collect();
    format!("{start}…{end}")
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "F: Deserialize<'de>"))]
struct Answer<'a, F> {
    #[serde(borrow)]
    meta: Option<Meta<'a>>,
    /// The simple API.
    files: Option<List<F>>,
    #[serde(borrow, default = "List::default")]
    versions: List<Text<'a>>,
    /// Project JSON: every release.
    #[serde(borrow)]
    releases: Option<Releases<'a, F>>,
    /// Project JSON: the newest release, in answers that leave out the others.
    urls: Option<List<F>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "api-version")]
    api_version: Option<Text<'a>>,
}

impl<F> Answer<'_, F> {
    fn collect(
        self,
        collector: &mut Collector,
        mut add: impl FnMut(&mut Collector, F),
    ) -> Result<(), String> {
        if let Some(version) = self.meta.and_then(|meta| meta.api_version) {
            check_version(&version.0)?;
        }
        for version in self.versions.0 {
            collector.release(&version.0);
        }
        let files = match (self.files, self.releases, self.urls) {
            (Some(files), ..) | (None, None, Some(files)) => files,
            (None, Some(releases), _) => {
                for version in releases.versions {
                    collector.release(&version.0);
                }
                releases.files
            }
            (None, None, None) => return Err("it lists no files".to_owned()),
        };
        for file in files.0 {
            add(collector, file);
        }
        Ok(())
    }
}

/// At most [`MOST_FILES`] things.
struct List<T>(Vec<T>);

impl<T> List<T> {
    fn push<E: de::Error>(&mut self, thing: T) -> Result<(), E> {
        if self.0.len() == MOST_FILES {
            return Err(de::Error::custom(format_args!("more than {MOST_FILES} entries")));
        }
        self.0.push(thing);
        Ok(())
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut things: A) -> Result<List<T>, A::Error> {
                let mut list = List::default();
                while let Some(thing) = things.next_element()? {
                    list.push(thing)?;
                }
                Ok(list)
            }
        }

        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

/// The files of all releases, by release.
struct Releases<'a, F> {
    versions: Vec<Text<'a>>,
    files: List<F>,
}

impl<'de: 'a, 'a, F: Deserialize<'de>> Deserialize<'de> for Releases<'a, F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReleasesVisitor<F>(PhantomData<F>);

        impl<'de, F: Deserialize<'de>> Visitor<'de> for ReleasesVisitor<F> {
            type Value = Releases<'de, F>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("releases and their files")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut versions = List::default();
                let mut files = List::default();
                while let Some((version, of_release)) = map.next_entry::<Text<'de>, List<F>>()? {
                    versions.push(version)?;
                    for file in of_release.0 {
                        files.push(file)?;
                    }
                }
                Ok(Releases { versions: versions.0, files })
            }
        }

        deserializer.deserialize_map(ReleasesVisitor(PhantomData))
    }
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    filename: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow, default, alias = "digests")]
    hashes: Hashes<'a>,
    size: Option<u64>,
    #[serde(borrow, rename = "upload-time", alias = "upload_time_iso_8601")]
    upload_time: Option<Text<'a>>,
    #[serde(borrow, rename = "requires-python", alias = "requires_python")]
    requires_python: Option<Text<'a>>,
    #[serde(default)]
    yanked: Yanked,
    #[serde(rename = "core-metadata")]
    core_metadata: Option<Offered>,
    /// The older name (PEP 714).
    #[serde(rename = "dist-info-metadata")]
    dist_info_metadata: Option<Offered>,
}

#[derive(Deserialize, Default)]
struct Hashes<'a> {
    #[serde(borrow)]
    sha256: Option<Text<'a>>,
}

impl<'a> From<File<'a>> for Entry<'a> {
    fn from(file: File<'a>) -> Self {
        Self {
            filename: file.filename.0,
            url: file.url.0,
            sha256: file.hashes.sha256.map(|text| text.0),
            size: file.size,
            upload_time: file.upload_time.map(|text| text.0),
            requires_python: file.requires_python.map(|text| text.0),
            yanked: file.yanked.0,
            core_metadata: file
                .core_metadata
                .or(file.dist_info_metadata)
                .map_or(CoreMetadata::Absent, |offered| offered.0),
        }
    }
}

/// A string that stays where it is in the answer, unless it has escapes.
///
/// `Option<Cow<str>>` would always copy.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// `false`, `true`, or the reason of a withdrawal ([PEP 592](https://peps.python.org/pep-0592/)).
#[derive(Default)]
struct Yanked(bool);

impl<'de> Deserialize<'de> for Yanked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct YankedVisitor;

        impl<'de> Visitor<'de> for YankedVisitor {
            type Value = Yanked;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`true`, `false` or a reason")
            }

            fn visit_bool<E: de::Error>(self, yanked: bool) -> Result<Yanked, E> {
                Ok(Yanked(yanked))
            }

            fn visit_str<E: de::Error>(self, _reason: &str) -> Result<Yanked, E> {
                Ok(Yanked(true)) // also when the reason is empty
            }

            fn visit_unit<E: de::Error>(self) -> Result<Yanked, E> {
                Ok(Yanked(false))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Yanked, A::Error> {
                Err(de::Error::custom("`yanked` is a list"))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Yanked, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Err(de::Error::custom("`yanked` is an object"))
            }
        }

        deserializer.deserialize_any(YankedVisitor)
    }
}

/// Whether metadata is offered, and with which digest: `true`, or an object of digests
/// ([PEP 658](https://peps.python.org/pep-0658/)). Whatever else stands there offers nothing.
struct Offered(CoreMetadata);

impl<'de> Deserialize<'de> for Offered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Loose::deserialize(deserializer)? {
            Loose::Digests(sha256) => CoreMetadata::offered(sha256.as_deref()),
            Loose::Bool(true) => CoreMetadata::offered(None),
            Loose::Bool(false) | Loose::Text(_) | Loose::Other => CoreMetadata::Absent,
        }))
    }
}

/// A value of any type.
enum Loose<'a> {
    Bool(bool),
    Text(Cow<'a, str>),
    /// An object, and the text under `sha256` in it.
    Digests(Option<Cow<'a, str>>),
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LooseVisitor;

        impl<'de> Visitor<'de> for LooseVisitor {
            type Value = Loose<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("anything")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Loose<'de>, E> {
                Ok(Loose::Bool(value))
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Loose<'de>, E> {
                Ok(Loose::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Loose<'de>, E> {
                Ok(Loose::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Loose<'de>, E> {
                Ok(Loose::Other)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Loose<'de>, E> {
                Ok(Loose::Other)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Loose<'de>, E> {
                Ok(Loose::Other)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Loose<'de>, E> {
                Ok(Loose::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose<'de>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose<'de>, A::Error> {
                let mut sha256 = None;
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if name.0 != "sha256" {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    sha256 = Some(match map.next_value()? {
                        Loose::Text(text) => text,
                        // An invalid digest, which the caller reports.
                        _ => Cow::Borrowed(""),
                    });
                }
                Ok(Loose::Digests(sha256))
            }
        }

        deserializer.deserialize_any(LooseVisitor)
    }
}
