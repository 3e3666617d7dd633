//! What is kept of answers, and what is not.

use caliper_pypi::index::{ClientOptions, IndexClient, IndexError, PackageIndex as _};

use crate::child;
use crate::server::{DEMO, NEWER, Scripted, Step, cut, gzip, hasty, json_with, reply, walk};

#[test]
fn an_answer_is_kept_for_as_long_as_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![json_with("\nCache-Control: max-age=600", DEMO)]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    let first = server.client(options()).project(&"demo".parse().unwrap()).unwrap();
    // Another process, as it were; and another spelling.
    let second = server.client(options()).project(&"Demo".parse().unwrap()).unwrap();
    assert_eq!(first.releases(), second.releases());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_stale_answer_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![
        json_with("\nCache-Control: no-cache\nETag: \"one\"", DEMO),
        reply("304 Not Modified\nCache-Control: max-age=600", ""),
        reply("500 Oh", ""),
    ]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    for _ in 0..3 {
        let project = server.client(options()).project(&"demo".parse().unwrap()).unwrap();
        assert_eq!(project.releases().len(), 1);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2); // the second answer was fresh for the third time
    assert!(requests[1].to_lowercase().contains("if-none-match: \"one\""), "{}", requests[1]);
}

#[test]
fn an_answer_with_expires_is_kept_and_then_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let expires = "\nDate: Sun, 06 Nov 1994 08:49:37 GMT\nExpires: Sun, 06 Nov 1994 08:49:38 GMT\nETag: \"one\"";
    let server = Scripted::start(vec![
        json_with(expires, DEMO),
        reply("304 Not Modified", ""),
        reply("500 Oh", ""),
    ]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    let ask = || server.client(options()).project(&"demo".parse().unwrap());
    let first = ask().unwrap();
    // It holds for the one second from its `Date` to its `Expires`.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(ask().unwrap().releases(), first.releases());
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].to_lowercase().contains("if-none-match: \"one\""), "{}", requests[1]);
    // The confirmation said nothing new: the same second counts again, and then the index fails.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    ask().unwrap_err();
}

#[test]
fn an_answer_that_must_not_be_stored_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let answer = || json_with("\nCache-Control: max-age=600, no-store", DEMO);
    let server = Scripted::start(vec![answer(), answer()]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    for _ in 0..2 {
        server.client(options()).project(&"demo".parse().unwrap()).unwrap();
    }
    assert_eq!((server.requests().len(), walk(folder.path()).len()), (2, 0));
}

#[test]
fn offline_answers_from_what_is_kept_or_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![json_with("\nCache-Control: no-cache", DEMO)]);
    let offline = || ClientOptions { cache: Some(folder.path().into()), offline: true, ..hasty() };
    let (error, text) = server.error(offline());
    assert!(matches!(error, IndexError::Offline { .. }));
    insta::assert_snapshot!(text, @"nothing is known of `demo` from the index at http://HOST/simple/ without asking it: run once without the offline option");
    let online = ClientOptions { offline: false, ..offline() };
    server.client(online).project(&"demo".parse().unwrap()).unwrap();
    server.client(offline()).project(&"demo".parse().unwrap()).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_was_not_whole_or_not_readable_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![
        reply("200 OK\nContent-Type: text/html\nCache-Control: max-age=600", "Links for demo"),
        reply("200 OK\nContent-Type: application/json\nCache-Control: max-age=600", "<"),
    ]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    let demo = "demo".parse().unwrap();
    let other = "other".parse().unwrap();
    server.client(options()).project(&demo).unwrap();
    server.client(options()).project(&other).unwrap_err();
    let kept: Vec<_> = walk(folder.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    // A kept answer that was damaged is asked for again.
    std::fs::write(&kept[0], b"damaged").unwrap();
    server.client(options()).project(&demo).unwrap_err();
    assert_eq!(server.requests().len(), 3);
}

/// What servers give that is not an answer.
fn faults() -> Vec<(&'static str, Step)> {
    let html = "200 OK\nContent-Type: text/html\nCache-Control: max-age=600";
    let page = b"Links for demo <a href=demo-9.0.tar.gz>".as_slice();
    let squeezed = gzip(page);
    let half = &squeezed[..squeezed.len() / 2];
    vec![
        ("cut", cut(&format!("{html}\nContent-Length: 1000"), page)),
        ("cut in a chunk", cut(&format!("{html}\nTransfer-Encoding: chunked"), b"20\r\nLinks for")),
        ("cut gzip", reply(&format!("{html}\nContent-Encoding: gzip"), half)),
        ("too large", reply(html, [page, &b" ".repeat(20_000)].concat())),
        ("a page to log in", reply(html, "<form>")),
        ("no form", reply("200 OK\nContent-Type: text/plain\nCache-Control: max-age=600", page)),
        ("an error", reply("500 Oh\nContent-Type: text/html\nCache-Control: max-age=600", page)),
        ("not there", reply("404 No\nContent-Type: text/html\nCache-Control: max-age=600", page)),
        ("a redirect", reply("302 Found\nLocation: ftp://x/\nCache-Control: max-age=600", page)),
        ("a refusal", reply("403 No\nContent-Type: text/html\nCache-Control: max-age=600", page)),
        ("a part", reply(&html.replace("200 OK", "206 Part"), &page[..20])),
        ("not modified", reply("304 Same\nCache-Control: max-age=600", "")),
        ("nothing", Box::new(|_| {})),
    ]
}

#[test]
fn a_fault_is_never_kept_and_spoils_nothing_that_is() {
    let demo = "demo".parse().unwrap();
    for (name, fault) in faults() {
        let folder = tempfile::tempdir().unwrap();
        let server = Scripted::start(vec![fault, json_with("\nCache-Control: no-cache", DEMO)]);
        let cache = Some(folder.path().to_owned());
        let options = || ClientOptions { cache: cache.clone(), largest_answer: 10_000, ..hasty() };
        server.client(options()).project(&demo).expect_err(name);
        // At most the word that there is no such project, which holds for nobody who may ask.
        let kept: Vec<u64> =
            walk(folder.path()).iter().map(|path| path.metadata().unwrap().len()).collect();
        assert!(kept.iter().all(|length| *length == 0), "{name}: {kept:?}");
        let project = server.client(options()).project(&demo).expect(name);
        assert_eq!(project.releases()[0].version().to_string(), "1.0", "{name}");
    }
    // The answer that is kept, asked about again, stays as it is.
    for (name, fault) in faults() {
        if name == "not modified" {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let server = Scripted::start(vec![json_with("\nCache-Control: no-cache", DEMO), fault]);
        let cache = Some(folder.path().to_owned());
        let options = || ClientOptions { cache: cache.clone(), largest_answer: 10_000, ..hasty() };
        server.client(options()).project(&demo).unwrap();
        let file = walk(folder.path()).pop().unwrap();
        let before = std::fs::read(&file).unwrap();
        server.client(options()).project(&demo).expect_err(name);
        assert_eq!(std::fs::read(&file).unwrap(), before, "{name}");
        let offline = ClientOptions { offline: true, ..options() };
        let project = server.client(offline).project(&demo).unwrap();
        assert_eq!(project.releases()[0].version().to_string(), "1.0", "{name}");
    }
}

#[test]
fn a_damaged_answer_is_fetched_anew() {
    let demo = "demo".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![json_with("\nCache-Control: max-age=600", DEMO)]);
    let cache = Some(folder.path().to_owned());
    let options = || ClientOptions { cache: cache.clone(), ..hasty() };
    server.client(options()).project(&demo).unwrap();
    let file = walk(folder.path()).pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let longer = [whole.as_slice(), b" "].concat();
    for (count, damage) in
        [&whole[..whole.len() / 2], b"", b"\n", &[0xff; 100], &flipped, &longer].iter().enumerate()
    {
        std::fs::write(&file, damage).unwrap();
        let project = server.client(options()).project(&demo).unwrap();
        assert_eq!(project.releases().len(), 1);
        assert_eq!(server.requests().len(), 2 + count, "{damage:?}");
        server.client(options()).project(&demo).unwrap();
        assert_eq!(server.requests().len(), 2 + count, "the new one is kept");
    }
}

#[test]
fn an_answer_never_serves_another_address() {
    let demo = "demo".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(vec![
        json_with("\nCache-Control: max-age=600", DEMO),
        json_with("\nCache-Control: max-age=600", NEWER),
    ]);
    let other = Scripted::start(vec![json_with("\nCache-Control: max-age=600", NEWER)]);
    let options = || ClientOptions { cache: Some(folder.path().into()), ..hasty() };
    let newest = |client: IndexClient| {
        let project = client.project(&demo).unwrap();
        project.releases().last().unwrap().version().to_string()
    };
    let at = |path: &str| {
        let address = format!("http://{}/{path}/", server.address).parse().unwrap();
        IndexClient::new(address, options())
    };
    assert_eq!(newest(at("simple")), "1.0");
    assert_eq!(newest(at("simple2")), "9.0"); // another path
    assert_eq!(newest(other.client(options())), "9.0"); // another host
    assert_eq!(newest(at("simple")), "1.0");
    // And where somebody put the file of one in the place of another.
    let files = walk(folder.path());
    let kept = |text: &str| {
        let holds = |path: &&std::path::PathBuf| {
            String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(text)
        };
        files.iter().find(holds).unwrap()
    };
    let host = server.address;
    let (from, to) = (format!("{host}/simple2/demo/"), format!("{host}/simple/demo/"));
    std::fs::copy(kept(&from), kept(&to)).unwrap();
    assert_eq!(newest(at("simple")), "9.0");
    assert_eq!(server.requests().len(), 3, "it was asked again");
}

#[test]
fn processes_that_share_a_cache_do_not_harm_each_other() {
    let demo = "demo".parse().unwrap();
    if let Some(task) = child::task() {
        let (address, folder) = task.split_once(' ').unwrap();
        let options = ClientOptions { cache: Some(folder.into()), ..hasty() };
        for _ in 0..30 {
            let address = format!("http://{address}/simple/").parse().unwrap();
            let project = IndexClient::new(address, options.clone()).project(&demo).unwrap();
            assert!(project.releases().len() >= 500);
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Answers of different lengths, never fresh: each process writes each time.
    let files = |count: usize| {
        let entry = |n| {
            format!(r#"{{"filename":"demo-1.{n}.tar.gz","url":"demo-1.{n}.tar.gz","hashes":{{}}}}"#)
        };
        let entries: Vec<String> = (0..count).map(entry).collect();
        json_with("\nCache-Control: no-cache", &entries.join(","))
    };
    let server = Scripted::start((0..200).map(|number| files(500 + number % 7 * 100)).collect());
    let task = format!("{} {}", server.address, folder.path().display());
    let test = "cache::processes_that_share_a_cache_do_not_harm_each_other";
    let children: Vec<_> = (0..4).map(|_| child::command(test, &task).spawn().unwrap()).collect();
    for running in children {
        child::said(&running.wait_with_output().unwrap());
    }
    let kept = walk(folder.path());
    assert_eq!(kept.len(), 1, "{kept:?}");
    let options = ClientOptions { cache: Some(folder.path().into()), offline: true, ..hasty() };
    assert!(server.client(options).project(&demo).unwrap().releases().len() >= 500);
}
