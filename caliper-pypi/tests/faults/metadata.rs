//! The metadata of wheels, from servers that help and servers that do not.

use std::io::{Cursor, Write as _};
use std::net::TcpStream;

use caliper_core::names::Sha256;
use caliper_core::question::grid::{DistFile, FileKind};
use caliper_pypi::download::{DownloadOptions, Downloader, MetadataError, Way, WheelMetadata};
use caliper_pypi::index::{
    ClientOptions, CoreMetadata, FileName, IndexClient, PackageIndex as _, ProjectFile,
};
use caliper_pypi::serve::{FolderServer, ServeOptions};

use crate::server::{Scripted, Step, cut, drip, hasty, reply, walk};

const NAME: &str = "demo-1.0-py3-none-any.whl";
const TEXT: &str = "Metadata-Version: 2.1\nName: Demo\nVersion: 1.0.0\nRequires-Python: >=3.8\n\n";

/// A wheel of about half a megabyte that cannot be compressed, with its metadata at the start.
fn wheel(metadata: &str) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("demo-1.0.dist-info/METADATA", options).unwrap();
    archive.write_all(metadata.as_bytes()).unwrap();
    archive.start_file("demo/data.bin", options).unwrap();
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(500_000)
    .collect();
    archive.write_all(&noise).unwrap();
    archive.finish().unwrap().into_inner()
}

fn described(url: String, bytes: &[u8], core_metadata: CoreMetadata) -> ProjectFile {
    let file = DistFile {
        filename: NAME.to_owned(),
        url,
        sha256: Some(Sha256::of(bytes)),
        size: Some(bytes.len() as u64),
        kind: FileKind::Wheel,
        upload_time: None,
        requires_python: None,
        yanked: false,
    };
    ProjectFile { file, name: FileName::Wheel(NAME.parse().unwrap()), core_metadata }
}

/// The part of `bytes` that a request wants, as `(first, last)`.
fn wanted(request: &str, bytes: &[u8]) -> Option<(usize, usize)> {
    let line = request
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned))?;
    let (first, last) = line.split_once('-')?;
    if first.is_empty() {
        let count: usize = last.parse().unwrap();
        return Some((bytes.len().saturating_sub(count), bytes.len() - 1));
    }
    let last = last.parse().unwrap_or(bytes.len() - 1);
    Some((first.parse().unwrap(), last.min(bytes.len() - 1)))
}

fn part(stream: &mut TcpStream, range: &str, bytes: &[u8]) {
    let head = format!("206 Partial Content\nContent-Range: bytes {range}\nETag: \"one\"");
    reply(&head, bytes)(stream);
}

fn whole(stream: &mut TcpStream, bytes: &[u8]) {
    reply("200 OK", bytes)(stream);
}

/// What a server does with a request for a range.
type Manner = fn(&mut TcpStream, &[u8], (usize, usize));

/// What came of asking a server of this manner, and how many requests and bytes it took.
fn ask(
    manner: Manner,
    bytes: &[u8],
    size_is_known: bool,
) -> (Result<WheelMetadata, MetadataError>, Scripted) {
    let served = bytes.to_vec();
    let server = Scripted::answering(move |_, request, stream| match wanted(request, &served) {
        Some(range) => manner(stream, &served, range),
        None => whole(stream, &served),
    });
    let folder = tempfile::tempdir().unwrap();
    let downloader = downloader(&server, folder.path());
    let url = format!("http://{}/files/{NAME}?token=1", server.address);
    let mut file = described(url, bytes, CoreMetadata::Absent);
    if !size_is_known {
        file.file.size = None;
    }
    (downloader.metadata(&file), server)
}

fn downloader(server: &Scripted, folder: &std::path::Path) -> Downloader {
    Downloader::new(&server.client(hasty()), folder, DownloadOptions::default())
}

#[test]
fn metadata_is_read_in_pieces() {
    let bytes = wheel(TEXT);
    let honest: Manner = |stream, bytes, (first, last)| {
        part(stream, &format!("{first}-{last}/{}", bytes.len()), &bytes[first..=last]);
    };
    for size_is_known in [true, false] {
        let (read, server) = ask(honest, &bytes, size_is_known);
        let read = read.unwrap();
        assert_eq!(read.way, Way::Ranges);
        assert_eq!(read.metadata.requires_python.as_deref(), Some(">=3.8"));
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "the end, then the start: {requests:?}");
        assert!(requests[1].to_lowercase().contains("if-range: \"one\""), "{}", requests[1]);
    }
    // A wheel that is smaller than what is asked for first.
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("demo-1.0.dist-info/METADATA", options).unwrap();
    archive.write_all(TEXT.as_bytes()).unwrap();
    let small = archive.finish().unwrap().into_inner();
    for size_is_known in [true, false] {
        let (read, server) = ask(honest, &small, size_is_known);
        assert_eq!(read.unwrap().way, Way::Ranges);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_server_whose_ranges_cannot_be_relied_on_gives_the_whole_file() {
    let manners: &[(&str, Manner)] = &[
        ("ignores them", |stream, bytes, _| whole(stream, bytes)),
        ("refuses them", |stream, _, _| reply("416 Range Not Satisfiable", "")(stream)),
        ("does not know them", |stream, _, _| reply("501 Not Implemented", "")(stream)),
        ("does not say which", |stream, bytes, (first, last)| {
            reply("206 Partial Content", &bytes[first..=last])(stream);
        }),
        ("says nonsense", |stream, bytes, (first, last)| {
            part(stream, "all of it", &bytes[first..=last]);
        }),
        ("gives another part", |stream, bytes, _| {
            part(stream, &format!("0-99/{}", bytes.len()), &bytes[..100]);
        }),
        ("lies about the length", |stream, bytes, (first, last)| {
            part(stream, &format!("{first}-{last}/{}", bytes.len() + 7), &bytes[first..=last]);
        }),
        ("does not know the length", |stream, bytes, (first, last)| {
            part(stream, &format!("{first}-{last}/*"), &bytes[first..=last]);
        }),
        ("turns them around", |stream, bytes, (first, last)| {
            part(stream, &format!("{last}-{first}/{}", bytes.len()), &bytes[first..=last]);
        }),
        ("overflows", |stream, bytes, _| {
            part(stream, &format!("0-{}/{}", u64::MAX, u64::MAX), bytes);
        }),
        ("gives less", |stream, bytes, (first, last)| {
            part(stream, &format!("{first}-{last}/{}", bytes.len()), &bytes[first..last]);
        }),
        ("gives more", |stream, bytes, (first, last)| {
            let more = [&bytes[first..=last], b"more"].concat();
            part(stream, &format!("{first}-{last}/{}", bytes.len()), &more);
        }),
        ("gives everything under another name", |stream, bytes, _| {
            part(stream, &format!("0-{}/{}", bytes.len() - 1, bytes.len()), bytes);
        }),
        ("gives other bytes", |stream, bytes, (first, last)| {
            let other = vec![b'x'; last - first + 1];
            part(stream, &format!("{first}-{last}/{}", bytes.len()), &other);
        }),
        ("has a new version meanwhile", |stream, bytes, (first, last)| {
            if last + 1 < bytes.len() {
                return whole(stream, bytes);
            }
            part(stream, &format!("{first}-{last}/{}", bytes.len()), &bytes[first..=last]);
        }),
        ("has the metadata of something else", |stream, bytes, (first, last)| {
            let other = wheel(&TEXT.replace("Demo", "Memo"));
            part(stream, &format!("{first}-{last}/{}", bytes.len()), &other[first..=last]);
        }),
    ];
    let bytes = wheel(TEXT);
    for (name, manner) in manners {
        let (read, server) = ask(*manner, &bytes, true);
        let read = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.way, Way::File, "{name}");
        assert_eq!(read.metadata.version, "1.0.0", "{name}");
        assert!(server.requests().len() <= 3, "{name}: {}", server.requests().len());
    }
}

#[test]
fn a_wheel_that_is_none_is_said() {
    let honest: Manner = |stream, bytes, (first, last)| {
        part(stream, &format!("{first}-{last}/{}", bytes.len()), &bytes[first..=last]);
    };
    let say = |bytes: &[u8]| {
        let (read, _) = ask(honest, bytes, true);
        let error = read.unwrap_err();
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        let text = format!("{error}{}", source.unwrap_or_default());
        // The file is in a folder of the test.
        text.rsplit('/').next().unwrap().to_owned()
    };
    insta::assert_snapshot!(say(b"not a zip archive"), @"demo-1.0-py3-none-any.whl` cannot be read as a wheel: it is not a whole zip archive");
    let bytes = wheel(TEXT);
    insta::assert_snapshot!(say(&bytes[..bytes.len() / 2]), @"demo-1.0-py3-none-any.whl` cannot be read as a wheel: it is not a whole zip archive");
    insta::assert_snapshot!(say(&wheel(&TEXT.replace("1.0.0", "2.0"))), @"the metadata of `demo-1.0-py3-none-any.whl` is that of `Demo` 2.0");
    insta::assert_snapshot!(say(&wheel("Description: none\n\n")), @"the metadata of `demo-1.0-py3-none-any.whl` has no `Name` and `Version`");
    // A bomb: 20 MB of metadata in 20 KB.
    insta::assert_snapshot!(say(&wheel(&format!("{TEXT}{}", " ".repeat(20 << 20)))), @"demo-1.0-py3-none-any.whl` cannot be read as a wheel: it holds more than is read of any wheel");
}

#[test]
fn a_network_that_fails_is_not_the_wheels_fault() {
    let bytes = wheel(TEXT);
    let cut_off: Manner = |stream, bytes, (first, last)| {
        let range = format!("206 P\nContent-Range: bytes {first}-{last}/{}", bytes.len());
        let head = format!("{range}\nContent-Length: {}", last - first + 1);
        cut(&head, &bytes[first..first + 10])(stream);
    };
    let (read, server) = ask(cut_off, &bytes, true);
    let text = read.unwrap_err().to_string().replace(&server.address.to_string(), "HOST");
    insta::assert_snapshot!(text, @"the answer from http://HOST/files/demo-1.0-py3-none-any.whl ended early, after 10 of 65536 bytes");
    let (read, _) = ask(|stream, _, _| reply("403 No", "")(stream), &bytes, true);
    assert!(matches!(read, Err(MetadataError::Request(_))), "{read:?}");
}

/// What came of metadata that the index offers by itself, from a server that answers it so.
fn beside(step: Step, core_metadata: CoreMetadata) -> (Result<WheelMetadata, String>, Vec<String>) {
    let bytes = wheel(TEXT);
    let served = bytes.clone();
    let server = Scripted::answering(move |_, request, stream| {
        if request.starts_with(&format!("GET /files/{NAME}.metadata?token=1 ")) {
            step(stream);
        } else {
            whole(stream, &served);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let options = ClientOptions { whole_timeout: std::time::Duration::from_secs(2), ..hasty() };
    let client = server.client(options);
    let downloader = Downloader::new(&client, folder.path(), DownloadOptions::default());
    let url = format!("http://{}/files/{NAME}?token=1", server.address);
    let read = downloader.metadata(&described(url, &bytes, core_metadata));
    let read = read.map_err(|error| error.to_string().replace(&server.address.to_string(), "HOST"));
    if read.is_err() {
        assert!(walk(folder.path()).is_empty(), "nothing is kept of it");
    }
    (read, server.requests())
}

#[test]
fn metadata_beside_the_wheel_comes_first_and_is_verified() {
    let digest = CoreMetadata::Offered(Some(Sha256::of(TEXT.as_bytes())));
    for offered in [digest, CoreMetadata::Offered(None)] {
        let (read, requests) = beside(reply("200 OK", TEXT), offered);
        assert_eq!(read.unwrap().way, Way::Beside);
        assert_eq!(requests.len(), 1);
    }
    // A proxy that lists it and does not have it.
    let (read, _) = beside(reply("404 No", ""), digest);
    assert_eq!(read.unwrap().way, Way::File);

    let say = |step| beside(step, digest).0.unwrap_err();
    insta::assert_snapshot!(say(reply("200 OK", TEXT.replace("3.8", "2.7"))), @"http://HOST/files/demo-1.0-py3-none-any.whl.metadata is not the metadata that the index describes: expected sha256:2561fbfb629648f0b5471d6018c2fd636975eb341e71b68265f9b059820afd80, got sha256:eba7fd778f7cece210ce9631ee66e9da896dd6a98ce4ca49058ad4f1ea3d2e6c");
    insta::assert_snapshot!(say(reply("500 Oh", "")), @"http://HOST/files/demo-1.0-py3-none-any.whl.metadata answered with status 500");
    insta::assert_snapshot!(say(drip("200 OK")), @"http://HOST/files/demo-1.0-py3-none-any.whl.metadata took too long (from start to end)");
    insta::assert_snapshot!(say(cut("200 OK\nContent-Length: 1000", TEXT.as_bytes())), @"the answer from http://HOST/files/demo-1.0-py3-none-any.whl.metadata ended early, after 72 of 1000 bytes");
    insta::assert_snapshot!(say(cut("200 OK\nContent-Length: 10000000000", b"")), @"the answer from http://HOST/files/demo-1.0-py3-none-any.whl.metadata is larger than the limit of 16777216 bytes");
    let say =
        |text: &str| beside(reply("200 OK", text), CoreMetadata::Offered(None)).0.unwrap_err();
    insta::assert_snapshot!(say("Name: demo\nVersion: 1.1\n"), @"the metadata of `demo-1.0-py3-none-any.whl` is that of `demo` 1.1");
    insta::assert_snapshot!(say("Name: memo\u{1b}\nVersion: 1.0\n"), @r"the metadata of `demo-1.0-py3-none-any.whl` is that of `memo\u{1b}` 1.0");
    insta::assert_snapshot!(say("<html>"), @"the metadata of `demo-1.0-py3-none-any.whl` has no `Name` and `Version`");
}

#[test]
fn both_forms_say_where_the_metadata_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAME), wheel(TEXT)).unwrap();
    let demo = "demo".parse().unwrap();
    for forms in [caliper_pypi::serve::Forms::Html, caliper_pypi::serve::Forms::Json] {
        for metadata in [true, false] {
            let options = ServeOptions { forms, metadata, ..ServeOptions::default() };
            let server = FolderServer::start(folder.path(), options).unwrap();
            let client = IndexClient::new(server.address(), ClientOptions::default());
            let project = client.project(&demo).unwrap();
            let file = &project.releases()[0].files()[0];
            let cache = tempfile::tempdir().unwrap();
            let downloader = Downloader::new(&client, cache.path(), DownloadOptions::default());
            let way = || downloader.metadata(file).unwrap().way;
            if metadata {
                let digest = Sha256::of(TEXT.as_bytes());
                assert_eq!(file.core_metadata, CoreMetadata::Offered(Some(digest)));
                assert_eq!(way(), Way::Beside);
            } else {
                assert_eq!(file.core_metadata, CoreMetadata::Absent);
                assert_eq!(way(), Way::Ranges);
            }
            caliper_core::question::files::FileSource::fetch(&downloader, &file.file).unwrap();
            assert_eq!(way(), Way::File);
        }
    }
}

#[test]
fn the_older_names_of_the_attributes_are_known() {
    let digest = Sha256::of(TEXT.as_bytes());
    let hex = digest.hex();
    let offered = |head: &str, body: String| {
        let server = Scripted::start(vec![reply(&format!("200 OK\nContent-Type: {head}"), body)]);
        let project = server.client(hasty()).project(&"demo".parse().unwrap()).unwrap();
        project.releases()[0].files()[0].core_metadata
    };
    let json = |keys: &str| {
        let body =
            format!(r#"{{"files":[{{"filename":"{NAME}","url":"{NAME}","hashes":{{}}{keys}}}]}}"#);
        offered("application/vnd.pypi.simple.v1+json", body)
    };
    let verified = CoreMetadata::Offered(Some(digest));
    let bare = CoreMetadata::Offered(None);
    assert_eq!(json(""), CoreMetadata::Absent);
    assert_eq!(json(r#","core-metadata":false"#), CoreMetadata::Absent);
    assert_eq!(json(r#","core-metadata":true"#), bare);
    assert_eq!(json(&format!(r#","core-metadata":{{"sha256":"{hex}"}}"#)), verified);
    assert_eq!(json(&format!(r#","dist-info-metadata":{{"sha256":"{hex}"}}"#)), verified);
    // The newer name counts (PEP 714).
    assert_eq!(
        json(&format!(r#","dist-info-metadata":true,"core-metadata":{{"sha256":"{hex}"}}"#)),
        verified
    );
    assert_eq!(json(r#","core-metadata":{"md5":"1"}"#), bare);
    // What makes no sense is not offered, and does not sink the file.
    assert_eq!(json(r#","core-metadata":{"sha256":"nonsense"}"#), CoreMetadata::Absent);
    for odd in ["[7]", "7", "-7", "7.5", "{\"sha256\":7}", "{\"sha256\":{\"sha256\":\"1\"}}"] {
        assert_eq!(json(&format!(",\"core-metadata\":{odd}")), CoreMetadata::Absent, "{odd}");
    }
    assert_eq!(json(r#","core-metadata":"yes""#), CoreMetadata::Absent);
    assert_eq!(json(r#","core-metadata":null"#), CoreMetadata::Absent);

    let html = |attributes: &str| offered("text/html", format!("<a href={NAME} {attributes}>"));
    assert_eq!(html(""), CoreMetadata::Absent);
    assert_eq!(html("data-core-metadata=true"), bare);
    assert_eq!(html("data-core-metadata=false"), CoreMetadata::Absent);
    assert_eq!(html(&format!("data-core-metadata=sha256={hex}")), verified);
    assert_eq!(html(&format!("data-dist-info-metadata='sha256={hex}'")), verified);
    assert_eq!(
        html(&format!("data-dist-info-metadata=true data-core-metadata=sha256={hex}")),
        verified
    );
    assert_eq!(html("data-core-metadata=sha256=nonsense"), CoreMetadata::Absent);
}
