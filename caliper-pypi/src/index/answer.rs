//! From the bytes of an answer to a project, whichever of the three forms it has.

use std::borrow::Cow;

use caliper_core::names::PackageName;
use url::Url;

use super::collector::{Collector, Parsed};
use super::{html, json};

/// Reads an answer.
///
/// What was asked for does not matter: a proxy may answer in another form. `base` is the address
/// that the answer came from in the end, against which relative addresses are read.
///
/// # Errors
///
/// What is wrong, as a sentence, if the answer has none of the three forms.
pub(super) fn parse(
    name: &PackageName,
    content_type: &str,
    base: &Url,
    body: &[u8],
) -> Result<Parsed, String> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if is_html(content_type) => String::from_utf8_lossy(body),
        Err(_) => return Err("expected UTF-8".to_owned()),
    };
    let mut collector = Collector::new(name.clone(), base);
    if is_json(content_type) {
        json::read(&text, &mut collector)?;
    } else if is_html(content_type) {
        let declared = html::read(&text, &mut collector)?;
        let parsed = collector.finish();
        // A page to log in, say.
        if !declared && parsed.project.releases().is_empty() {
            return Err("expected a page of links to files".to_owned());
        }
        return Ok(parsed);
    } else {
        return Err("expected JSON or HTML".to_owned());
    }
    Ok(collector.finish())
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

fn is_json(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    media_type.eq_ignore_ascii_case("application/json")
        || media_type.to_ascii_lowercase().ends_with("+json")
}

fn is_html(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    ["text/html", "application/vnd.pypi.simple.v1+html", "application/xhtml+xml"]
        .iter()
        .any(|html| media_type.eq_ignore_ascii_case(html))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_makes_no_more_of_itself_than_it_is() {
        let name = "demo".parse().unwrap();
        let base = "https://index.example/simple/demo/".parse().unwrap();
        let html = |body: &str| parse(&name, "text/html", &base, body.as_bytes());
        // Each base stood behind the one before it, so that addresses grew with the page.
        let parsed = html(&("<base href='a/'>".repeat(100) + "<a href=demo-1.zip>")).unwrap();
        let file = &parsed.project.releases()[0].files()[0].file;
        assert_eq!(file.url, "https://index.example/simple/demo/a/demo-1.zip");
        let long = "a".repeat(10_000);
        insta::assert_snapshot!(html(&format!("<base href={long}/>")).unwrap_err(), @"its `base` is longer than 1024 bytes");
        let parsed = html(&format!("Links for <a href='/{long}/demo-1.zip'>")).unwrap();
        insta::assert_snapshot!(parsed.project.malformed()[0].fault, @"the index gives `demo-1.zip` an invalid address");
        // A version that no file could have.
        let json = format!(r#"{{"versions":["1{}"],"files":[]}}"#, ".1".repeat(1000));
        let parsed = parse(&name, "application/json", &base, json.as_bytes()).unwrap();
        assert!(parsed.project.releases().is_empty());
        // What is wrong is said without all that is.
        let why =
            parse(&name, "application/json", &base, format!(r#"{{"files":"{long}"}}"#).as_bytes());
        let why = why.unwrap_err();
        assert!(why.len() < 300, "{} bytes", why.len());
        assert!(why.ends_with("a\", expected a sequence at line 1 column 10011)"), "{why}");
    }

    #[test]
    fn the_content_type_decides_the_form() {
        let name = "demo".parse().unwrap();
        let base = "https://index.example/simple/demo/".parse().unwrap();
        let json = r#"{"meta":{"api-version":"1.1"},"files":[]}"#;
        for content_type in
            ["application/json", "application/vnd.pypi.simple.v1+json; charset=utf-8"]
        {
            assert!(parse(&name, content_type, &base, json.as_bytes()).is_ok());
        }
        let why = |content_type, body: &[u8]| parse(&name, content_type, &base, body).unwrap_err();
        insta::assert_snapshot!(why("text/plain", json.as_bytes()), @"expected JSON or HTML");
        insta::assert_snapshot!(why("application/json", b"\xff"), @"expected UTF-8");
        insta::assert_snapshot!(why("application/json", b"<html>"), @"expected an index's JSON (expected value at line 1 column 1)");
        insta::assert_snapshot!(why("application/json", b"{}"), @"it lists no files");
        insta::assert_snapshot!(why("application/json", br#"{"meta":{"api-version":"2.0"},"files":[]}"#), @"it speaks version `2.0` of the simple API, and only 1 is known here");
        insta::assert_snapshot!(why("text/html", br#"<meta name="pypi:repository-version" content="2.0">"#), @"it speaks version `2.0` of the simple API, and only 1 is known here");
    }
}
