//! A study as an [RO-Crate 1.2](https://w3id.org/ro/crate/1.2): what its files are, for people and programs that know
//! nothing of Caliper.
//!
//! The same text is the list of contents by which Caliper reads a bundle: each file with its size and digest.

mod read;

use serde_json::{Value, json};

pub use read::{Contents, Listed, ReadCrateError, is_inside};

use crate::names::{PackageName, Sha256, Timestamp};

/// The name of the text in a bundle.
pub const FILE: &str = "ro-crate-metadata.json";

/// The version of the arrangement of a bundle.
///
/// 1: the first.
pub const BUNDLE_SCHEMA: u32 = 1;

const CONTEXT: &str = "https://w3id.org/ro/crate/1.2/context";
const PROFILE: &str = "https://w3id.org/ro/crate/1.2";
/// The entity that holds [`BUNDLE_SCHEMA`].
const ARRANGEMENT: &str = "#bundle-format";
const PROGRAM: &str = "#caliper";
const RUN: &str = "#run";
const PERSON: &str = "#author";

/// What a bundle is of.
#[derive(Debug, Clone)]
pub struct StudyInfo {
    /// The title of the analysis.
    pub name: String,
    /// The package that was measured.
    pub dependency: PackageName,
    /// When the first of its cells was begun.
    pub started: Timestamp,
    /// When the last of its cells ended.
    pub finished: Timestamp,
    /// How many cells have a record.
    pub cells: usize,
    /// The version of Caliper that measured.
    pub caliper: String,
    /// The licence: an SPDX identifier or a URL; `None` where none is stated.
    pub license: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The path of the configuration in the bundle.
    pub configuration: String,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrateFile {
    /// Its path in the bundle, with `/`.
    pub path: String,
    /// What it is, in words.
    pub description: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// The text of `ro-crate-metadata.json`.
pub fn metadata(study: &StudyInfo, files: &[CrateFile]) -> String {
    let StudyInfo { name, dependency, started, finished, cells, .. } = study;
    let parts: Vec<Value> = files.iter().map(|file| json!({"@id": id(&file.path)})).collect();
    let records = files.iter().filter(|file| file.path.starts_with("records/"));
    let records: Vec<Value> = records.map(|file| json!({"@id": id(&file.path)})).collect();
    let configuration = json!({"@id": id(&study.configuration)});
    let (license, of_license) = license(study.license.as_deref());
    let person = json!({"@id": PERSON});
    let day: String = finished.to_string().chars().take(10).collect();
    let what = format!(
        "What the releases of {dependency} do to this code, measured by Caliper in {cells} cells: the configuration and \
         the project, the record of each cell with its outputs, and the lock of each environment. `caliper run --from` \
         rebuilds the environments and compares."
    );
    let mut graph = vec![
        json!({"@id": FILE, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": PROFILE}}),
        json!({
            "@id": "./", "@type": "Dataset", "name": name, "description": what, "datePublished": day,
            "license": license, "mainEntity": configuration, "mentions": {"@id": RUN},
            "additionalProperty": {"@id": ARRANGEMENT}, "hasPart": one_or_list(parts),
        }),
        json!({
            "@id": ARRANGEMENT, "@type": "PropertyValue", "name": "Arrangement of this bundle of Caliper",
            "description": "By it Caliper knows how to read the bundle", "value": BUNDLE_SCHEMA,
        }),
        json!({
            "@id": PROGRAM, "@type": "SoftwareApplication", "name": "Caliper", "alternateName": "caliper",
            "version": study.caliper, "softwareVersion": study.caliper,
            "description": "Measures what the releases of a Python dependency do to code",
            "url": "https://crates.io/crates/caliper-cli",
        }),
        json!({
            "@id": RUN, "@type": "CreateAction", "name": format!("Measurement of {name}"),
            "description": format!("{cells} cells were measured"), "instrument": {"@id": PROGRAM},
            "object": configuration, "result": one_or_list(records), "startTime": started, "endTime": finished,
        }),
    ];
    if let Some(author) = &study.author {
        for role in ["author", "publisher"] {
            graph[1][role] = person.clone();
        }
        graph[4]["agent"] = person;
        graph.push(json!({
            "@id": PERSON, "@type": "Person", "name": author, "description": "Who made this study",
        }));
    }
    graph.push(of_license);
    graph.extend(files.iter().map(|file| {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        json!({
            "@id": id(&file.path), "@type": "File", "name": name, "description": file.description,
            "encodingFormat": format_of(&file.path), "contentSize": file.size.to_string(),
            "sha256": file.sha256.hex(),
        })
    }));
    format!("{:#}\n", json!({"@context": CONTEXT, "@graph": graph}))
}

/// A list of one is written as that one (RO-Crate 1.2).
fn one_or_list(mut list: Vec<Value>) -> Value {
    if list.len() == 1 { list.swap_remove(0) } else { Value::Array(list) }
}

/// What stands for the licence, and the entity that it needs.
fn license(named: Option<&str>) -> (Value, Value) {
    let (id, name, description) = match named {
        None => ("#no-licence".to_owned(), "No licence is stated", "Ask who made this bundle."),
        Some(url) if url.contains("://") => (url.to_owned(), url, "The licence of this study"),
        Some(name) => {
            (format!("https://spdx.org/licenses/{}", id(name)), name, "The licence of this study")
        }
    };
    let entity =
        json!({"@id": id, "@type": "CreativeWork", "name": name, "description": description});
    (json!({"@id": id}), entity)
}

/// The type of a file by its name.
fn format_of(path: &str) -> &'static str {
    const KNOWN: &[(&str, &str)] = &[
        (".yaml", "application/yaml"),
        (".yml", "application/yaml"),
        (".json", "application/json"),
        (".toml", "application/toml"),
        (".zst", "application/zstd"),
        (".whl", "application/zip"),
        (".zip", "application/zip"),
        (".tar.gz", "application/gzip"),
        (".tgz", "application/gzip"),
        (".py", "text/x-python"),
        (".md", "text/markdown"),
        (".txt", "text/plain"),
        (".csv", "text/csv"),
        (".png", "image/png"),
    ];
    let lower = path.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(end, _)| lower.ends_with(end));
    known.map_or("application/octet-stream", |(_, format)| format)
}

/// A path as the reference to a file ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986)).
fn id(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/!+".contains(&byte);
    let encoded = path.bytes().map(|byte| match byte {
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study() -> StudyInfo {
        StudyInfo {
            name: "A study".to_owned(),
            dependency: "demo".parse().unwrap(),
            started: "2026-11-28T19:00:00Z".parse().unwrap(),
            finished: "2026-11-28T20:00:00Z".parse().unwrap(),
            cells: 1,
            caliper: "0.1.0".to_owned(),
            license: Some("CC-BY-4.0".to_owned()),
            author: Some("A. Person".to_owned()),
            configuration: "project/caliper.yaml".to_owned(),
        }
    }

    fn files() -> Vec<CrateFile> {
        let file = |path: &str| CrateFile {
            path: path.to_owned(),
            description: "A file".to_owned(),
            size: 1,
            sha256: Sha256::of(path.as_bytes()),
        };
        ["project/caliper.yaml", "project/a b%é.py", "records/1.0-py3.11.json"].map(file).to_vec()
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a whole description")]
    fn a_study_is_described() {
        insta::assert_snapshot!(metadata(&study(), &files()[..1]), @r##"
        {
          "@context": "https://w3id.org/ro/crate/1.2/context",
          "@graph": [
            {
              "@id": "ro-crate-metadata.json",
              "@type": "CreativeWork",
              "about": {
                "@id": "./"
              },
              "conformsTo": {
                "@id": "https://w3id.org/ro/crate/1.2"
              }
            },
            {
              "@id": "./",
              "@type": "Dataset",
              "additionalProperty": {
                "@id": "#bundle-format"
              },
              "author": {
                "@id": "#author"
              },
              "datePublished": "2026-11-28",
              "description": "What the releases of demo do to this code, measured by Caliper in 1 cells: the configuration and the project, the record of each cell with its outputs, and the lock of each environment. `caliper run --from` rebuilds the environments and compares.",
              "hasPart": {
                "@id": "project/caliper.yaml"
              },
              "license": {
                "@id": "https://spdx.org/licenses/CC-BY-4.0"
              },
              "mainEntity": {
                "@id": "project/caliper.yaml"
              },
              "mentions": {
                "@id": "#run"
              },
              "name": "A study",
              "publisher": {
                "@id": "#author"
              }
            },
            {
              "@id": "#bundle-format",
              "@type": "PropertyValue",
              "description": "By it Caliper knows how to read the bundle",
              "name": "Arrangement of this bundle of Caliper",
              "value": 1
            },
            {
              "@id": "#caliper",
              "@type": "SoftwareApplication",
              "alternateName": "caliper",
              "description": "Measures what the releases of a Python dependency do to code",
              "name": "Caliper",
              "softwareVersion": "0.1.0",
              "url": "https://crates.io/crates/caliper-cli",
              "version": "0.1.0"
            },
            {
              "@id": "#run",
              "@type": "CreateAction",
              "agent": {
                "@id": "#author"
              },
              "description": "1 cells were measured",
              "endTime": "2026-11-28T20:00:00Z",
              "instrument": {
                "@id": "#caliper"
              },
              "name": "Measurement of A study",
              "object": {
                "@id": "project/caliper.yaml"
              },
              "result": [],
              "startTime": "2026-11-28T19:00:00Z"
            },
            {
              "@id": "#author",
              "@type": "Person",
              "description": "Who made this study",
              "name": "A. Person"
            },
            {
              "@id": "https://spdx.org/licenses/CC-BY-4.0",
              "@type": "CreativeWork",
              "description": "The licence of this study",
              "name": "CC-BY-4.0"
            },
            {
              "@id": "project/caliper.yaml",
              "@type": "File",
              "contentSize": "1",
              "description": "A file",
              "encodingFormat": "application/yaml",
              "name": "caliper.yaml",
              "sha256": "6aa434b24dbb5ef451db8353abec71655a60777bdade1279d69c621f409c0d57"
            }
          ]
        }
        "##);
    }

    #[test]
    fn what_is_described_is_read() {
        let read = Contents::read(&metadata(&study(), &files())).unwrap();
        assert_eq!(read.configuration, "project/caliper.yaml");
        let paths: Vec<&str> = read.files.keys().map(String::as_str).collect();
        assert_eq!(paths, ["project/a b%é.py", "project/caliper.yaml", "records/1.0-py3.11.json"]);
        let sizes = read.files.values().map(|listed| listed.size).collect::<Vec<_>>();
        assert_eq!(sizes, [1, 1, 1]);
    }

    #[test]
    fn what_is_no_bundle_is_refused() {
        let change = |from: &str, to: &str| metadata(&study(), &files()).replace(from, to);
        let texts = [
            "PK".to_owned(),
            "{}".to_owned(),
            r#"{"@graph": [{"@id": "./", "@type": "Dataset", "hasPart": []}]}"#.to_owned(),
            change("\"value\": 1", "\"value\": 2"),
            change("\"contentSize\": \"1\"", "\"contentSize\": \"one\""),
            change("\"sha256\"", "\"md5\""),
            change("records/1.0", "../1.0"),
            change("\"@id\": \"project/caliper.yaml\"", "\"@id\": \"project/other.yaml\"")
                .replacen("project/other.yaml", "project/caliper.yaml", 1),
        ];
        let errors = texts.map(|text| match Contents::read(&text) {
            Ok(read) => format!("read {}", read.configuration),
            Err(error) => error.to_string(),
        });
        insta::assert_snapshot!(errors.join("\n"), @"
        its `ro-crate-metadata.json` cannot be read: expected value at line 1 column 1
        its `ro-crate-metadata.json` cannot be read: missing field `@graph` at line 1 column 2
        it is an RO-Crate, and not one of Caliper: it lacks the number of its arrangement
        its arrangement is 2, and this Caliper reads up to 1; use a newer Caliper
        its file `project/caliper.yaml` has no valid `contentSize` and `sha256`
        its file `project/caliper.yaml` has no valid `contentSize` and `sha256`
        its file `../1.0-py3.11.json` has a path that leads elsewhere
        read project/other.yaml
        ");
    }
}
