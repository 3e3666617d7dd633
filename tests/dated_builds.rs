//! Builds on a container engine that are given the mirror: a date, several indexes, no network.

use std::process::Command;

use crate::support::{World, cells, skip};

/// Whether there is an engine with the image that these tests build on; says so if not.
fn has_engine() -> bool {
    let inspect = Command::new("docker").args(["image", "inspect", "python:3.11"]).output();
    let found = inspect.is_ok_and(|output| output.status.success());
    if !found {
        skip("there is no engine with the image python:3.11; tests/images/build.sh makes it");
    }
    found
}

/// `demo` needs `helper`, whose second release breaks it.
fn world(rest: &str) -> World {
    let world =
        World::with_config(&format!("  python_versions: ['3.11']\n  tests: [t.py]\n{rest}"));
    world.write("t.py", "import demo, helper\nassert helper.VALUE == 1\nprint(helper.VALUE)\n");
    let wheel = |name: &str, version: &str, requires: &[&str], uploaded: &str, text: &str| {
        let files = [(format!("{name}.py"), text)];
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let path =
            caliper_pypi::pack::wheel(&world.packages(), name, version, requires, &files).unwrap();
        std::fs::write(format!("{}.uploaded", path.display()), uploaded).unwrap();
    };
    wheel("demo", "1.0", &["helper"], "2020-01-01", "");
    wheel("helper", "1.0", &[], "2019-01-01", "VALUE = 1\n");
    wheel("helper", "2.0", &[], "2020-06-01", "VALUE = 2\n");
    world
}

const RUN: [&str; 5] = ["run", "--backend", "docker", "--progress", "plain"];

#[test]
fn builds_find_what_was_there_at_the_date() {
    if !has_engine() {
        return;
    }
    let world = world("  dockerfile: Dockerfile\n  axes:\n    as_of: [release, today]\n");
    // The template names neither an index nor a date.
    world.write(
        "Dockerfile",
        "FROM {{ base }}\nCOPY {{ basename }} /tmp/\n\
         RUN PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --no-cache-dir /tmp/{{ basename }}\n",
    );
    world.caliper(&RUN).expect(0);
    let results = world.results();
    let found = cells(&results);
    assert_eq!(
        found,
        ["1.0: tested [import passed, t.py passed]", "1.0: tested [import passed, t.py failed]"]
    );
    let environment = |cell: usize| &results["cells"][cell]["environment"];
    let helper = |cell: usize| {
        let installed = environment(cell)["installed"].as_array().unwrap().iter();
        installed.clone().find(|one| one["name"] == "helper").unwrap()["version"].clone()
    };
    assert_eq!((helper(0), helper(1)), ("1.0".into(), "2.0".into()));
    assert_eq!(environment(0)["as_of"], "2020-01-01T00:00:00Z");
    assert_ne!(environment(0)["key"], environment(1)["key"]);
    let dockerfile = environment(0)["dockerfile"].as_str().unwrap();
    assert!(!dockerfile.contains("ARG"), "recorded is what the user wrote: {dockerfile}");
    // The date that is typed is the same question, and the same address: all layers are there.
    let again = world.caliper(&[&RUN[..], &["--as-of", "2020-03-01"]].concat()).expect(0);
    assert!(again.out.contains("2020-03-01"), "{}", again.out);
}

#[test]
fn files_without_upload_time_are_left_out_and_named_in_the_record() {
    if !has_engine() {
        return;
    }
    let world = world("");
    // An index before the one of this world, which gives the second release of `helper` no time.
    let packages = world.packages();
    let digest = |name: &str| {
        caliper_core::names::Sha256::of(&std::fs::read(packages.join(name)).unwrap()).hex()
    };
    let base = world.index().replace("/simple/", "/files");
    let link = |name: &str, time: &str| {
        format!("<a href=\"{base}/{name}#sha256={}\"{time}>{name}</a>\n", digest(name))
    };
    let page = link("helper-1.0-py3-none-any.whl", " data-upload-time=\"2019-01-01T00:00:00Z\"")
        + &link("helper-2.0-py3-none-any.whl", "");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let first = format!("http://{}/simple/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::{Read as _, Write as _};
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap();
            let has = request[..count].starts_with(b"GET /simple/helper/");
            let (status, body) = if has { ("200 OK", page.as_str()) } else { ("404 No", "") };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let indexes = ["--index", &first, "--index", &world.index(), "--as-of", "2020-03-01"];
    for more in [&[][..], &["--rerun", "all"]] {
        world.caliper(&[&RUN[..], &indexes, more].concat()).expect(0);
        let results = world.results();
        let environment = &results["cells"][0]["environment"];
        let named = environment["without_upload_time"].clone();
        assert_eq!(named, serde_json::json!(["helper-2.0-py3-none-any.whl"]));
        let installed = environment["installed"].to_string();
        assert!(installed.contains(r#""name":"helper","version":"1.0""#), "{installed}");
    }
    let config = std::fs::read_to_string(world.project().join("caliper.yaml")).unwrap();
    world.write("caliper.yaml", &(config + "  unknown_upload_time: include\n"));
    world.caliper(&[&RUN[..], &indexes].concat()).expect(0);
    let installed = world.results()["cells"][0]["environment"]["installed"].to_string();
    assert!(installed.contains(r#""name":"helper","version":"2.0""#), "{installed}");
    let refused = world.caliper(&[&["run", "--progress", "none"][..], &indexes].concat()).error(2);
    insta::assert_snapshot!(refused, @"error: the `local` backend cannot give `unknown_upload_time: include` at a date, because uv leaves such files out; pass `--backend docker`, or leave it out");
}

#[test]
fn an_installer_of_its_own_index_is_refused_where_a_date_is_asked_for() {
    if !has_engine() {
        return;
    }
    let world = world("  dockerfile: Dockerfile\n");
    world.write(
        "Dockerfile",
        "FROM {{ base }}\nCOPY {{ basename }} /tmp/\n\
         RUN python -m pip install --index-url https://pypi.org/simple /tmp/{{ basename }}\n",
    );
    let said = world.caliper(&[&RUN[..], &["--as-of", "2020-03-01"]].concat()).expect(3);
    let line = said.err.lines().find(|line| line.contains("could not be measured")).unwrap();
    insta::assert_snapshot!(line, @"[1/1] 1.0/3.11[as_of=2020-03-01]  could not be measured: the `docker` backend cannot give a build with the mirror of the index (for a date, `--offline`, several indexes or a login): the Dockerfile has `--index-url`, which leads to another index; remove that, and name the index with `--index`; or use `--backend local`");
}

#[test]
fn several_indexes_and_no_network_are_one_index_for_builds() {
    if !has_engine() {
        return;
    }
    let (own, public) = (world(""), World::new());
    // The same names, and higher versions: dependency confusion.
    public.wheel("helper", "9.0", &[("helper.py", "raise Exception('taken')")]);
    std::fs::remove_file(own.packages().join("helper-2.0-py3-none-any.whl")).unwrap();
    let (first, second) = (own.index(), public.index());
    let several = [&RUN[..], &["--index", &first, "--index", &second]].concat();
    own.caliper(&several).expect(0);
    let passed = ["1.0: tested [import passed, t.py passed]"];
    assert_eq!(cells(&own.results()), passed);

    // All of it is in the cache now.
    let before = own.requests();
    let offline = [&several[..], &["--offline", "--rerun", "all"]].concat();
    own.caliper(&offline).expect(0);
    assert_eq!(cells(&own.results()), passed);
    assert_eq!(own.requests(), before);

    // What the cache lacks is no fault of the package.
    std::fs::remove_dir_all(own.project().join(".caliper/cache/index")).unwrap();
    let said = own.caliper(&[&several[..], &["--rerun", "all"]].concat()).expect(0);
    assert!(said.out.contains("1.0"), "{}", said.out);
    for entry in walk(&own.project().join(".caliper/cache/index")) {
        if entry.ends_with("helper.answer") {
            std::fs::remove_file(entry).unwrap();
        }
    }
    let said = own.caliper(&offline).expect(3);
    let line = said.err.lines().find(|line| line.contains("could not be measured")).unwrap();
    insta::assert_snapshot!(line.replace(&second, "http://[SECOND]/simple/"), @"[1/1] 1.0/3.11[backend=docker]  could not be measured: the index could not answer a build: nothing is known of `helper` from the index at http://[INDEX]/simple/ without asking it: run once without the offline option");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn an_engine_on_another_machine_does_not_reach_the_mirror() {
    if !has_engine() {
        return;
    }
    let world = world("");
    // This machine's own engine, as if it were another one's.
    let socket =
        std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".into());
    let socket = socket.strip_prefix("unix://").unwrap().to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut client = stream.unwrap();
            let mut engine = std::os::unix::net::UnixStream::connect(&socket).unwrap();
            let (mut from, mut to) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut client, &mut engine));
        }
    });
    let mut command = world.command(&[&RUN[..], &["--as-of", "2020-03-01"]].concat());
    command.env("DOCKER_HOST", format!("tcp://{address}"));
    let error = world.said(command.output().unwrap()).error(2);
    insta::assert_snapshot!(error.replace(&address.to_string(), "FAR"), @"error: the `docker` backend cannot give an index of a past date: builds need the mirror of the index on this machine, and the engine at tcp://FAR is on another one; use an engine with a socket on this machine, or `--backend local`");
}

#[test]
fn a_witness_of_containers_is_tried_with_the_engine() {
    if !has_engine() {
        return;
    }
    let world = world("  axes:\n    as_of: [release, today]\n");
    world.caliper(&RUN).expect(0);
    let [good, bad] = ["release", "today"].map(|date| format!("1.0/3.11[as_of={date}]"));
    // The backend was typed, so it is an axis.
    let [good, bad] = [good, bad].map(|cell| cell.replace(']', ",backend=docker]"));
    let witness = ["witness", &bad, "--against", &good, "-o", "report"];
    let said = world.caliper(&witness).expect(0);
    assert!(said.out.contains("both sides end as recorded"), "{}", said.out);
    let read =
        |path: &str| std::fs::read_to_string(world.project().join("report").join(path)).unwrap();
    let requirements =
        |helper: &str| format!("--index-url {}\ndemo==1.0\nhelper=={helper}\n", world.index());
    assert_eq!(read("good/requirements.txt"), requirements("1.0"));
    assert_eq!(read("bad/requirements.txt"), requirements("2.0"));
    assert!(read("bad/Dockerfile").starts_with("FROM python:3.11\n"), "{}", read("bad/Dockerfile"));
    assert!(read("README.md").contains("docker run --rm"), "{}", read("README.md"));
    let images = Command::new("docker").args(["images", "-q", "caliper-witness-bad"]).output();
    assert!(images.unwrap().stdout.is_empty(), "nothing stays in the engine");
    // What is not as recorded is not shown.
    world.write("t.py", "print('fine')\n");
    let said = world.caliper(&["witness", &bad, "--against", &good]).expect(1);
    assert!(said.err.contains("on the bad side the test does not end as in"), "{}", said.err);
}
