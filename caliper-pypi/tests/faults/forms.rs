//! The forms that answers have.

use caliper_pypi::index::{IndexClient, PackageIndex as _};

use crate::server::{Scripted, hasty, reply};

#[test]
fn project_json_is_understood() {
    let server = Scripted::start(vec![reply(
        "200 OK\nContent-Type: application/json",
        r#"{"info":{"name":"demo"},"releases":{"0.1":[],"1.0":[
            {"filename":"demo-1.0.tar.gz","url":"https://files.example/demo-1.0.tar.gz",
             "digests":{"md5":"x","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
             "size":3,"upload_time":"2020-01-02T03:04:05","upload_time_iso_8601":"2020-01-02T03:04:05.678Z",
             "requires_python":">=3.6","yanked":true,"yanked_reason":null},
            {"filename":"demo-1.0-py3-none-any.whl","url":7}]},"urls":[]}"#,
    )]);
    let address = format!("http://{}/pypi/", server.address).parse().unwrap();
    let project = IndexClient::new(address, hasty()).project(&"demo".parse().unwrap()).unwrap();
    assert!(server.requests()[0].starts_with("GET /pypi/demo/json "));
    assert_eq!(project.releases().len(), 2);
    assert_eq!(project.malformed().len(), 1);
    insta::assert_snapshot!(project.malformed()[0].fault, @"the index describes a file wrongly: invalid type: integer `7`, expected a string at line 1 column 47");
    let file = &project.releases()[1].files()[0].file;
    insta::assert_snapshot!(serde_json::to_string_pretty(file).unwrap(), @r#"
    {
      "filename": "demo-1.0.tar.gz",
      "url": "https://files.example/demo-1.0.tar.gz",
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "size": 3,
      "kind": "sdist",
      "upload_time": "2020-01-02T03:04:05.678Z",
      "requires_python": ">=3.6",
      "yanked": true
    }
    "#);
}

#[test]
fn html_is_understood() {
    let server = Scripted::start(vec![reply(
        "200 OK\nContent-Type: text/html; charset=utf-8",
        r#"<!DOCTYPE html><html><head><base href="/files/"><title>x</title></head><body>
           <A HREF="a/demo-1.0%2Bcpu-py3-none-any.whl?token=1#sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
              data-requires-python="&gt;=3.6" data-yanked data-upload-time='2020-01-02T03:04:05Z'>text</A>
           <a href="../">up</a> <a>none</a> <a href="demo-0.9.tar.gz#sha256=nonsense">x</a>
           <script>"<a href='demo-0.8.tar.gz'>"</script>"#,
    )]);
    let project = server.client(hasty()).project(&"demo".parse().unwrap()).unwrap();
    assert_eq!(project.releases().len(), 1);
    let file = &project.releases()[0].files()[0].file;
    let shown = serde_json::to_string_pretty(file).unwrap();
    insta::assert_snapshot!(shown.replace(&server.address.to_string(), "HOST"), @r#"
    {
      "filename": "demo-1.0+cpu-py3-none-any.whl",
      "url": "http://HOST/files/a/demo-1.0%2Bcpu-py3-none-any.whl?token=1",
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "size": null,
      "kind": "wheel",
      "upload_time": "2020-01-02T03:04:05Z",
      "requires_python": ">=3.6",
      "yanked": true
    }
    "#);
    insta::assert_snapshot!(project.malformed()[0].fault, @"the index gives `demo-0.9.tar.gz` an invalid digest");
}
