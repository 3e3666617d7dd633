//! Who gets which credentials.

use caliper_pypi::index::{ClientOptions, PackageIndex as _};
use caliper_pypi::netrc::Netrc;

use crate::server::{DEMO, Scripted, hasty, json, json_with, reply, walk};

#[test]
fn credentials_reach_their_host_only_and_no_text() {
    let target = Scripted::start(vec![json(
        r#"{"filename":"demo-1.0.tar.gz","url":"http://you:hush@files.example/demo-1.0.tar.gz","hashes":{}}"#,
    )]);
    let location = format!("302 Found\nLocation: http://{}/demo/", target.address);
    let server = Scripted::start(vec![reply(&location, ""), reply("403 No", "")]);
    let client = server.client_as("me:secret@", hasty());
    let project = client.project(&"demo".parse().unwrap()).unwrap();
    assert!(server.requests()[0].to_lowercase().contains("authorization: basic bwu6c2vjcmv0"));
    assert!(!target.requests()[0].to_lowercase().contains("authorization"));
    assert_eq!(project.releases()[0].files()[0].file.url, "http://files.example/demo-1.0.tar.gz");
    let error = client.project(&"demo".parse().unwrap()).unwrap_err();
    for text in [error.to_string(), format!("{error:?}"), format!("{client:?}")] {
        assert!(!text.contains("secret") && !text.contains("hush"), "{text}");
        assert!(!text.contains("bWU6c2VjcmV0"), "{text}");
    }
}

#[test]
fn a_login_of_a_netrc_file_reaches_its_host_only_and_nothing_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("netrc");
    std::fs::write(&file, "machine 127.0.0.1 login me password secret\n").unwrap();
    let target = Scripted::start(vec![json(DEMO)]);
    let location = format!("302 Found\nLocation: http://{}/demo/", target.address);
    let server = Scripted::start(vec![
        json_with("\nCache-Control: max-age=600", DEMO),
        reply(&location, ""),
        reply("403 No", ""),
    ]);
    let options = || ClientOptions {
        cache: Some(folder.path().join("cache")),
        netrc: Netrc::read(&file).unwrap(),
        ..hasty()
    };
    let client = server.client(options());
    client.project(&"demo".parse().unwrap()).unwrap();
    let login = "authorization: basic bwu6c2vjcmv0";
    assert!(server.requests()[0].to_lowercase().contains(login));
    for path in walk(&folder.path().join("cache")) {
        let kept = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for secret in ["secret", "bWU6c2VjcmV0"] {
            assert!(!kept.contains(secret) && !path.to_str().unwrap().contains(secret), "{kept}");
        }
    }
    client.project(&"moved".parse().unwrap()).unwrap();
    assert!(server.requests()[1].to_lowercase().contains(login));
    assert!(!target.requests()[0].to_lowercase().contains("authorization"));
    let error = client.project(&"closed".parse().unwrap()).unwrap_err();
    let options = client.options();
    for text in [error.to_string(), format!("{error:?} {client:?} {options:?}")] {
        assert!(!text.contains("secret") && !text.contains("bWU6c2VjcmV0"), "{text}");
    }
    // An address that has a login of its own is asked with that one.
    let client = server.client_as("you:hush@", options.clone());
    client.project(&"other".parse().unwrap()).unwrap_err();
    assert!(server.requests()[3].contains("Basic eW91Omh1c2g="), "{:?}", server.requests()[3]);
}
