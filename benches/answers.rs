//! Answers of an index in the size and shape of real ones, and a server for them on loopback.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// The platforms of a release's wheels, in the order in which they are filled.
const PLATFORMS: [&str; 8] = [
    "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "win_amd64",
    "macosx_10_9_x86_64",
    "manylinux_2_17_aarch64.manylinux2014_aarch64",
    "macosx_11_0_arm64",
    "musllinux_1_2_x86_64",
    "win32",
    "musllinux_1_2_aarch64",
];

/// What the public index would answer for a project with so many releases and files: simple JSON,
/// with every key that it writes. numpy has 140 releases, 4,415 files and 3.6 MB.
pub(crate) fn answer(project: &str, releases: usize, files: usize) -> String {
    let mut text = format!(
        r#"{{"meta":{{"_last-serial":1,"api-version":"1.4"}},"name":"{project}","versions":["#
    );
    for release in 0..releases {
        let _ = write!(text, r#"{}"{}""#, comma(release), version(release));
    }
    text.push_str(r#"],"files":["#);
    let mut in_release = 0;
    for file in 0..files {
        let release = file * releases / files;
        let first = file == 0 || (file - 1) * releases / files != release;
        in_release = if first { 0 } else { in_release + 1 };
        // Each release supports five Pythons, and the newest the newest.
        let oldest = 6 + release * 6 / releases;
        let filename = match in_release {
            0 => format!("{project}-{}.tar.gz", version(release)),
            wheel => {
                let (python, platform) =
                    (oldest + (wheel - 1) % 5, PLATFORMS[(wheel - 1) / 5 % PLATFORMS.len()]);
                let abi = if python < 8 { format!("cp3{python}m") } else { format!("cp3{python}") };
                format!("{project}-{}-cp3{python}-{abi}-{platform}.whl", version(release))
            }
        };
        let (digest, metadata) = (digest(2 * file), digest(2 * file + 1));
        let _ = write!(
            text,
            concat!(
                r#"{}{{"core-metadata": {{"sha256": "{metadata}"}}, "#,
                r#""data-dist-info-metadata": {{"sha256": "{metadata}"}}, "#,
                r#""filename": "{filename}", "hashes": {{"sha256": "{digest}"}}, "provenance": "#,
                r#""https://index.example/integrity/{project}/{filename}/provenance", "#,
                r#""requires-python": ">=3.{oldest}", "size": {}, "#,
                r#""upload-time": "20{:02}-0{}-01T12:30:{:02}.123456Z", "#,
                r#""url": "https://files.example/packages/{}/{}/{}/{filename}", "yanked": {}}}"#,
            ),
            comma(file),
            1000 + file * 7919,
            10 + release * 16 / releases,
            1 + release % 9,
            file % 60,
            &digest[..2],
            &digest[2..4],
            &digest[4..],
            release % 50 == 49,
            project = project,
            metadata = metadata,
            filename = filename,
            digest = digest,
            oldest = oldest,
        );
    }
    text.push_str("]}");
    text
}

fn version(release: usize) -> String {
    let (major, minor, patch) = (release / 80, release / 8 % 10, release % 8);
    if patch == 0 {
        format!("{major}.{minor}.0rc1")
    } else {
        format!("{major}.{minor}.{}", patch - 1)
    }
}

fn comma(place: usize) -> &'static str {
    if place == 0 { "" } else { "," }
}

/// Text that looks like a digest, and is another for each number.
fn digest(number: usize) -> String {
    let half = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    format!("{half:032x}{:032x}", half.wrapping_mul(half | 1))
}

/// Serves each answer under the name of its project for as long as the process lives, and gives the
/// address.
pub(crate) fn serve(answers: HashMap<String, String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = format!("http://{}/", listener.local_addr().expect("an address"));
    let answers = Arc::new(answers);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || _ = talk(&stream, &answers));
        }
    });
    address
}

fn talk(mut stream: &TcpStream, answers: &HashMap<String, String>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(request) = lines.next().transpose()? {
        while lines.next().transpose()?.is_some_and(|header| !header.is_empty()) {}
        let name = request.split(' ').nth(1).unwrap_or_default().trim_matches('/');
        let (status, body) = match answers.get(name) {
            Some(body) => ("200 OK", body.as_str()),
            None => ("404 Not Found", ""),
        };
        let (content_type, length) = ("application/vnd.pypi.simple.v1+json", body.len());
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
    }
    Ok(())
}
