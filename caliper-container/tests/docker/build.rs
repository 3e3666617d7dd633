//! How images are made, and how that fails.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use caliper_container::backend::{BackendError, Built, ContainerBackend as _, Environment};
use caliper_container::cache::has_logs_of_images;
use caliper_container::docker::{BuildIndex, DockerBackend, DockerOptions, EngineKind, FromIndex};
use caliper_core::facts::record::{BuildReason, TestEnd};
use caliper_core::names::{PackageName, PythonVersion, Timestamp};
use caliper_core::question::grid::DistFile;
use caliper_core::question::interpreter::Implementation;
use caliper_core::question::lock::Lock;
use caliper_core::question::overlay::{OverlayFile, PackageOverlay};
use caliper_core::question::plan::Recipe;
use caliper_core::question::template::Template;

use crate::bench::{Bench, command, docker, engine, lines, of_docker};

fn made(built: Built<'_>) -> Box<dyn Environment + '_> {
    built.environment.unwrap_or_else(|reason| panic!("{reason}"))
}

fn log_of<'a>(built: &'a Built<'_>) -> Cow<'a, str> {
    String::from_utf8_lossy(&built.log)
}

/// Whether the layer of the last instruction was there already. Docker and Podman say so in the same
/// words.
fn found_its_layers(built: &Built<'_>) -> bool {
    log_of(built).rsplit("RUN ").next().is_some_and(|last| last.contains("Using cache"))
}

#[test]
fn a_template_may_place_the_project_itself_and_reach_a_local_index() {
    let Some(bench) = Bench::new() else { return };
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/simple/", server.local_addr().unwrap());
    let mut bench = bench.with(|options| options.index_url = Some(url.clone()));
    bench.dockerfile(
        "FROM {{ base }} AS made\nCOPY data/numbers.txt /made.txt\n\
         FROM {{ base }}\nWORKDIR /here\nCOPY --from=made /made.txt /\nCOPY . .\n\
         COPY {{ basename }} /tmp/\n\
         RUN python -m pip install --no-deps /tmp/{{ basename }} && echo index $PIP_INDEX_URL && \
         python -c \"import os, socket, urllib.parse as p; url = p.urlparse(os.environ['PIP_INDEX_URL']); \
         socket.create_connection((url.hostname, url.port)); print('reached')\"\n",
    );
    let recorded = bench.recipe().dockerfile.unwrap();
    assert!(!recorded.contains("/project") && !recorded.contains(&url), "{recorded}");
    let built = bench.try_build().unwrap();
    let log = String::from_utf8(built.log.clone()).unwrap();
    assert!(log.contains(&format!("index {url}\nreached\n")), "{log}");
    let environment = made(built);
    let program = "import os, tinier; print(os.getcwd(), sorted(os.listdir('.')), \
                   open('/made.txt').read(), os.environ.get('PIP_INDEX_URL'))";
    let (end, output, error) = bench.test(&*environment, &["python", "-c", program]);
    assert_eq!(end, TestEnd::Exited(0), "{error}");
    // The project and the file, but neither Caliper's Dockerfile nor its list of what to ignore.
    insta::assert_snapshot!(output, @"
    /here ['data', 'script.py', 'tiny-1.0-py2.py3-none-any.whl'] 1 2 3
     None
    ");
    environment.release().unwrap();
    bench.assert_clean();
}

/// An index on this machine of which nothing is asked.
#[derive(Debug, Default)]
struct Mirror {
    failures: AtomicU64,
}

type Answer = Result<String, Box<dyn std::error::Error + Send + Sync>>;

impl BuildIndex for Mirror {
    fn address(&self, as_of: Option<Timestamp>, _: PythonVersion) -> Answer {
        Ok(format!("http://127.0.0.1:9/{}/simple/", as_of.map_or(0, Timestamp::unix_seconds)))
    }

    fn file_address(&self, file: &DistFile) -> Answer {
        Ok(format!("http://127.0.0.1:9/files/{}", file.filename))
    }

    fn lock_address(&self, lock: &Lock, _: PythonVersion) -> Answer {
        Ok(format!("http://127.0.0.1:9/lock/{}/simple/", lock.packages.len()))
    }

    fn file_of(
        &self,
        installed: &FromIndex<'_>,
    ) -> Result<Option<DistFile>, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("nothing is known of {}", installed.name).into())
    }

    fn identity(&self) -> String {
        "one".to_owned()
    }

    fn failures(&self) -> (u64, Option<String>) {
        // Each look at it finds a new failure.
        let count = self.failures.fetch_add(1, Ordering::SeqCst);
        (count, Some("the index is down".to_owned()))
    }

    fn without_upload_time(&self, of: Option<&BTreeSet<PackageName>>) -> Vec<String> {
        let all = ["tiny", "other"].map(|name| name.parse::<PackageName>().unwrap()).into_iter();
        let wanted = all.filter(|name| of.is_none_or(|of| of.contains(name)));
        wanted.map(|name| format!("{name}-0.zip")).collect()
    }
}

#[test]
fn builds_of_a_date_are_given_the_index_of_this_machine() {
    let Some(mut bench) = Bench::new() else { return };
    bench.setup.as_of = Some(Timestamp::from_unix_seconds(7));
    let error = bench.backend.check(&bench.setup).unwrap_err().to_string();
    assert!(error.contains("an index of a past date: the pip in an image"), "{error}");
    let mut bench = bench.with(|options| options.build_index = Some(Arc::new(Mirror::default())));
    bench.setup.as_of = Some(Timestamp::from_unix_seconds(7));
    bench.backend.check(&bench.setup).unwrap();
    let install =
        "COPY {{ basename }} /tmp/\nRUN python -m pip install --no-deps /tmp/{{ basename }}";
    let template =
        format!("FROM {{{{ base }}}}\n{install} && env | sort && echo {{{{ filename }}}}\n");
    bench.dockerfile(&template);
    let built = bench.try_build().unwrap();
    assert_eq!(built.without_upload_time, ["tiny-0.zip"], "of what is installed");
    let log = log_of(&built);
    for line in [
        "PIP_INDEX_URL=http://127.0.0.1:9/7/simple/\n",
        "UV_DEFAULT_INDEX=http://127.0.0.1:9/7/simple/\n",
        "CALIPER_INDEX=one\n",
        "http://127.0.0.1:9/files/tiny-1.0-py2.py3-none-any.whl\n",
    ] {
        assert!(log.contains(line), "{line}{log}");
    }
    let environment = made(built);
    let program = "import os; print([name for name in os.environ if 'INDEX' in name or name.startswith('UV_')])";
    let (_, output, _) = bench.test(&*environment, &["python", "-c", program]);
    assert_eq!(output.trim(), "[]", "nothing of it stays in the image");
    environment.release().unwrap();

    // A build that fails when the index did is the index's failure.
    bench.dockerfile("FROM {{ base }}\nRUN echo 'No matching distribution found for x'; exit 1\n");
    let error = bench.try_build().unwrap_err();
    assert_eq!(error.to_string(), "the index could not answer a build: the index is down");
    // Other indexes are no part of the date.
    for other in ["ENV PIP_EXTRA_INDEX_URL=http://x/", "RUN pip download --index-url http://x/ y"] {
        bench.dockerfile(&format!("FROM {{{{ base }}}}\n{other}\n{install}\n"));
        let error = bench.try_build().unwrap_err();
        assert!(matches!(error, BackendError::Unsupported { .. }), "{error}");
    }
    bench.assert_clean();
}

#[test]
fn a_build_that_fails_keeps_its_log_and_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    for (instructions, reason, words) in [
        (
            "RUN echo 'No matching distribution found for x'; exit 1\n",
            BuildReason::NoMatchingDistribution,
            "No matching distribution found",
        ),
        ("COPY nowhere.txt /\n", BuildReason::Unknown, "nowhere.txt"),
        ("RUNN x\n", BuildReason::Unknown, "RUNN"),
        ("RUN true\n", BuildReason::Unknown, "Tiny is not installed"),
        // A line of a `.pth` file is run whenever Python starts.
        (
            concat!(
                r#"RUN cd $(python -c "import site; print(site.getsitepackages()[0])") && echo "import os; "#,
                r#"print('{\"installed\": [[\"Tiny\", \"1.0\"]], \"paths\": [\"tinier.py\"]}', flush=True); "#,
                "os._exit(0)\" > liar.pth\n",
            ),
            BuildReason::Unknown,
            "Tiny is not installed",
        ),
        (
            "COPY {{ basename }} /tmp/\nRUN python -m pip install --no-deps /tmp/{{ basename }} && \
             cd $(python -c \"import site; print(site.getsitepackages()[0])\") && \
             sed -i 's/^Version: .*/Version: 2.0/' *iny*/METADATA\n",
            BuildReason::Unknown,
            "Tiny 2.0 is installed",
        ),
    ] {
        bench.dockerfile(&format!("FROM {{{{ base }}}}\n{instructions}"));
        let built = bench.try_build().unwrap();
        let log = String::from_utf8(built.log.clone()).unwrap();
        assert_eq!(built.environment.err(), Some(reason), "{instructions}{log}");
        assert!(log.contains(words), "{instructions}{log}");
    }
    bench.assert_clean();
}

#[test]
fn an_interrupt_stops_a_build_and_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    let seconds = if engine() == EngineKind::Podman { 15 } else { 60 };
    bench.dockerfile(&format!("FROM {{{{ base }}}}\nRUN echo one\nRUN sleep {seconds}\n"));
    let began = Instant::now();
    let error = std::thread::scope(|scope| {
        let building = scope.spawn(|| bench.try_build());
        std::thread::sleep(Duration::from_secs(3));
        bench.interrupt.raise();
        building.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, BackendError::Interrupted), "{error}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    if engine() == EngineKind::Podman {
        // Podman ends the step that it is at, whoever has gone. The next run removes what it stood on.
        bench = bench.with(|_| {});
        let deadline = began + Duration::from_secs(60);
        while !docker(&["ps", "--all", "--external", "--quiet"]).is_empty() {
            assert!(Instant::now() < deadline, "the build goes on");
            std::thread::sleep(Duration::from_millis(200));
        }
        bench.backend.clean().unwrap();
    }
    bench.assert_clean();
}

#[test]
fn a_python_is_what_its_image_says() {
    let Some(mut bench) = Bench::new() else { return };
    let python = "3.11".parse().unwrap();
    let present = bench.backend.interpreters(&BTreeSet::new(), &bench.setup).unwrap();
    let found = present.iter().find(|found| found.python == python).unwrap();
    assert_eq!(found.implementation, Implementation::CPython);
    // Kept: asked of the file, not of a container.
    let kept = std::fs::read_dir(bench.folder.path().join("cache/images")).unwrap().count();
    assert_eq!(kept, present.len());

    bench.setup.base = Template::new("base", "python:3.11");
    let all = bench.backend.interpreters(&BTreeSet::new(), &bench.setup).unwrap();
    assert_eq!(all.iter().map(|found| found.python).collect::<Vec<_>>(), [python]);
    let wrong = BTreeSet::from(["3.9".parse().unwrap()]);
    let error = bench.backend.interpreters(&wrong, &bench.setup).unwrap_err();
    insta::assert_snapshot!(of_docker(&error), @"there is no Python 3.9 for the `docker` backend; it has Python 3.11 in the image `python:3.11`");
    bench.assert_clean();
}

#[test]
fn an_image_that_cannot_be_had_is_the_worlds_doing() {
    let Some(bench) = Bench::new() else { return };
    let mut bench = bench.with(|options| options.pull_nothing = true);
    // Nothing listens on the discard port: refused at once.
    bench.setup.base = Template::new("base", "127.0.0.1:9/nobody/python:{{ python }}");
    let wanted = BTreeSet::from(["3.11".parse().unwrap(), "3.12".parse().unwrap()]);
    assert_eq!(bench.backend.interpreters(&wanted, &bench.setup).unwrap().len(), 2);
    assert!(bench.estimate().pulls);
    let error = bench.try_build().unwrap_err().to_string();
    assert!(error.contains("was not there when the run began"), "{error}");

    let mut bench = bench.with(|_| {});
    let assumed = bench.backend.interpreters(&wanted, &bench.setup).unwrap();
    assert_eq!(assumed.len(), 2);
    assert_eq!(bench.recipe().base, None);
    match bench.try_build().unwrap_err() {
        BackendError::NoImage { image, message } => {
            assert_eq!(image, "127.0.0.1:9/nobody/python:3.11");
            assert!(message.contains("refused"), "{message}");
        }
        error => panic!("{error}"),
    }
    bench.setup.base = Template::new("base", "python:{{ python }}");
    bench.dockerfile("FROM 127.0.0.1:9/nobody/y AS y\nFROM {{ base }}\nCOPY --from=y /etc /tmp/\n");
    let error = bench.try_build().unwrap_err();
    assert!(
        matches!(&error, BackendError::NoImage { image, .. } if image.ends_with("nobody/y")),
        "{error}"
    );
    bench.assert_clean();
}

#[test]
fn a_kept_image_is_taken_up_while_it_is_the_same_question() {
    let Some(bench) = Bench::new() else { return };
    let bench = bench.with(|options| options.keep = u64::MAX);
    // Others may keep images meanwhile.
    let names_of = |image: &str| -> Vec<String> {
        let names = docker(&["image", "inspect", "--format", "{{join .RepoTags \"\\n\"}}", image]);
        // Podman puts `localhost/` before it.
        lines(&names).into_iter().filter(|name| name.contains("caliper/kept:")).collect()
    };
    let first = bench.try_build().unwrap();
    assert!(!first.reused);
    let log = first.log.clone();
    let environment = made(first);
    let id = environment.id().to_owned();
    environment.release().unwrap();
    let names = names_of(&id);
    assert_eq!(names.len(), 1);

    // Another run, and a test that was edited: the project is no part of the image.
    let mut bench = bench.with(|options| options.keep = u64::MAX);
    let script = bench.folder.path().join("project/script.py");
    std::fs::write(&script, "print('edited')\n").unwrap();
    assert!(bench.estimate().ready);
    let second = bench.try_build().unwrap();
    assert!(second.reused);
    assert_eq!(second.log, log);
    let environment = made(second);
    assert_eq!(environment.id(), id);
    assert_eq!(bench.test(&*environment, &["python", "script.py"]).1, "edited");
    environment.release().unwrap();

    // What the template copies of the project is.
    bench.dockerfile("FROM {{ base }}\nCOPY {{ basename }} /\nCOPY data/numbers.txt /\nRUN pip install --no-deps /{{ basename }}\n");
    let estimate = bench.estimate();
    assert!(!estimate.ready && estimate.fetches && !estimate.pulls, "{estimate:?}");
    bench.setup.dockerfile = None;

    // In a cache of its own there is no log: then the engine's layers are all that is found again.
    let bench = bench.with(|options| options.cache = options.cache.join("other"));
    assert!(!bench.estimate().ready);
    // Nor is it this project's to remove.
    let cleaned = bench.backend.leftovers().unwrap();
    assert!(cleaned.of_others > 0 && !cleaned.images.contains(&names[0]), "{cleaned:?}");
    let third = bench.try_build().unwrap();
    assert!(!third.reused && found_its_layers(&third), "{}", log_of(&third));
    made(third).release().unwrap();

    // Anew: with layers of its own, and in the place of what was kept.
    let bench = bench.with(|options| (options.keep, options.anew) = (u64::MAX, true));
    let anew = bench.try_build().unwrap();
    assert!(!anew.reused && !found_its_layers(&anew), "{}", log_of(&anew));
    let anew = made(anew);
    let anew_id = anew.id().to_owned();
    assert_ne!(anew_id, id);
    anew.release().unwrap();
    assert_eq!(names_of(&anew_id), names);
    let is_there = |image: &str| {
        command().args(["image", "inspect", image]).output().unwrap().status.success()
    };
    assert!(!is_there(&id));

    // Its base, which is larger, is not counted.
    let bench = bench.with(|options| options.keep = 50 << 20);
    bench.build().release().unwrap();
    assert!(is_there(&names[0]));

    // Whoever wants none kept for long has the last one removed.
    let bench = bench.with(|options| options.keep = 1);
    let last = bench.build();
    assert_eq!(last.id(), anew_id);
    last.release().unwrap();
    assert!(!is_there(&names[0]));

    // Cleaning removes it with its log. A log that stays says that its image may be on another engine.
    let bench = bench.with(|options| options.keep = u64::MAX);
    let cache = bench.folder.path().join("cache");
    assert!(!has_logs_of_images(&cache));
    bench.build().release().unwrap();
    assert!(is_there(&names[0]) && has_logs_of_images(&cache));
    assert!(
        bench.backend.clean().unwrap().images.iter().any(|image| image.contains("caliper/kept:"))
    );
    assert!(!is_there(&names[0]) && !has_logs_of_images(&cache));
    bench.assert_clean();
}

#[test]
fn an_image_stays_while_a_cell_needs_it() {
    let Some(bench) = Bench::new() else { return };
    let (one, other) = std::thread::scope(|scope| {
        let one = scope.spawn(|| bench.build());
        (bench.build(), one.join().unwrap())
    });
    // Side by side each may have made its own; one after the other the second is the first.
    let built = bench.try_build().unwrap();
    assert!(found_its_layers(&built), "{}", log_of(&built));
    let third = made(built);
    assert!(third.id() == one.id() || third.id() == other.id());
    one.release().unwrap();
    other.release().unwrap();
    assert_eq!(bench.test(&*third, &["python", "script.py"]).0, TestEnd::Exited(0));
    third.release().unwrap();
    // And until the next one on its base is done.
    let again = bench.try_build().unwrap();
    assert!(found_its_layers(&again), "{}", log_of(&again));
    made(again).release().unwrap();
    bench.assert_clean();
}

#[test]
fn what_cells_begin_with_is_made_once() {
    let Some(mut bench) = Bench::new() else { return };
    bench.dockerfile(
        "FROM {{ base }}\nRUN cat /proc/sys/kernel/random/uuid > /once && sleep 1\n\
         COPY {{ basename }} /\nRUN pip install --no-deps /{{ basename }}\n",
    );
    let cells = [bench.variant("one"), bench.variant("other")];
    let bench = bench;
    for cell in &cells {
        bench.order_of(cell, |order| {
            bench.backend.prepare(&[(*order, Bench::key(order, &Recipe::default()))]);
        });
    }
    let built = std::thread::scope(|scope| {
        let building = cells.each_ref().map(|cell| {
            let bench = &bench;
            scope.spawn(move || bench.try_build_of(cell))
        });
        building.map(|one| made(one.join().unwrap().unwrap()))
    });
    let said = built.each_ref().map(|one| bench.test(&**one, &["cat", "/once"]).1);
    assert!(said[0].len() > 30 && said[0] == said[1], "{said:?}");
    for environment in built {
        environment.release().unwrap();
    }
    bench.assert_clean();
}

#[test]
fn an_engine_that_is_not_there_is_named_with_a_fix() {
    let folder = tempfile::tempdir().unwrap();
    let connect = |host: String| {
        let options = DockerOptions {
            host: Some(host),
            cache: folder.path().to_owned(),
            ..DockerOptions::default()
        };
        let error = DockerBackend::connect(options).unwrap_err();
        let mut text = error.to_string();
        let mut next = std::error::Error::source(&error);
        while let Some(error) = next {
            text.push_str(&format!("\n- {error}"));
            next = error.source();
        }
        text
    };
    insta::assert_snapshot!(connect("unix:///nowhere/docker.sock".into()), @"
    could not reach the container engine at `unix:///nowhere/docker.sock`
    - there is no such socket: install and start a container engine, or point DOCKER_HOST at one
    - error trying to connect: No such file or directory (os error 2)
    - No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(connect("https://box".into()), @"the `docker` backend cannot give a connection over https to `https://box`; set DOCKER_HOST to `unix:///path/to/socket`, `tcp://name:port` (with DOCKER_TLS_VERIFY for TLS) or `ssh://user@name`");
    insta::assert_snapshot!(connect("/var/run/docker.sock".into()), @"
    could not reach the container engine at `/var/run/docker.sock`
    - this is not the address of an engine: set DOCKER_HOST to `unix:///path/to/socket`, `tcp://name:port` or `ssh://user@name`, or unset it
    ");
    insta::assert_snapshot!(connect("tcp://127.0.0.1:9".into()), @"
    could not reach the container engine at `tcp://127.0.0.1:9`
    - nothing listens there: start the container engine, or point DOCKER_HOST at one
    - error trying to connect: tcp connect error: Connection refused (os error 111)
    - tcp connect error: Connection refused (os error 111)
    - Connection refused (os error 111)
    ");
    let path = folder.path().join("silent.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let refused = connect(format!("unix://{}", path.display()));
    assert!(refused.contains("nothing listens there"), "{refused}");
}

#[test]
fn an_overlay_is_a_layer_behind_the_template() {
    let Some(bench) = Bench::new() else { return };
    let mut bench = bench.with(|options| options.keep = u64::MAX);
    // Its packages belong to another user than that of its programs, and `/tmp` is no part of the image.
    bench.dockerfile(
        "FROM {{ base }}\nVOLUME /tmp\nCOPY {{ basename }} /\nRUN pip install --no-deps /{{ basename }}\nUSER 1234\n",
    );
    let text = "PATCHED = True\n";
    let folder = bench.folder.path().join("project/patches");
    std::fs::create_dir_all(folder.join("tinier")).unwrap();
    std::fs::write(folder.join("tinier/__init__.py"), text).unwrap();
    let sha256 = caliper_core::names::Sha256::of(text.as_bytes());
    let overlay = |version: &str| PackageOverlay {
        package: "tiny".parse().unwrap(),
        version: version.parse().unwrap(),
        folder: "patches".to_owned(),
        files: vec![OverlayFile { path: "tinier/__init__.py".to_owned(), sha256 }],
    };
    let program = "import os, tinier; print(tinier.PATCHED, os.getuid())";
    let mut laid = Vec::new();
    bench.setup.overlays = vec![overlay("1.0")];
    for reused in [false, true] {
        let built = bench.try_build().unwrap();
        assert_eq!(built.reused, reused, "{}", log_of(&built));
        laid.push(built.overlays.clone());
        let environment = made(built);
        let (end, out, error) = bench.test(&*environment, &["python", "-c", program]);
        assert_eq!((end, out.as_str()), (TestEnd::Exited(0), "True 1234"), "{error}");
        environment.release().unwrap();
    }
    let [one] = laid[0].as_slice() else { panic!("{laid:?}") };
    let file = &one.files[0];
    assert_eq!((file.path.as_str(), file.after), ("tinier/__init__.py", sha256));
    assert!(file.before.is_some_and(|before| before != sha256) && file.added == Some(1));
    assert!(one.diff.contains("+PATCHED = True\n"), "{}", one.diff);
    assert_eq!(laid[0], laid[1]);

    // A file that changed since the plan was made, and another version, are not laid.
    std::fs::write(folder.join("tinier/__init__.py"), "PATCHED = None\n").unwrap();
    let refused = |bench: &Bench| bench.try_build().map(|_| ()).unwrap_err();
    let error = refused(&bench);
    assert!(error.to_string().contains("is not the file that is asked for"), "{error}");
    let mut bench = bench.with(|options| options.anew = true);
    bench.setup.overlays = vec![overlay("1.1")];
    let error = refused(&bench);
    assert!(!error.may_pass());
    insta::assert_snapshot!(error, @"the overlay of tiny is for 1.1, and this environment has 1.0");
    bench.backend.clean().unwrap();
    bench.assert_clean();
}
