use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use caliper_core::question::plan::Test;

use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn paths(project: &Project) -> Vec<&str> {
    project.entries.iter().map(|entry| entry.path.as_str()).collect()
}

fn left_out(project: &Project) -> Vec<String> {
    project.left_out().iter().map(|one| format!("{}: {}", one.path, one.why)).collect()
}

fn test(command: &[&str], files: Option<&[&str]>) -> Test {
    Test {
        name: "t".to_owned(),
        command: command.iter().map(ToString::to_string).collect(),
        kind: caliper_core::question::plan::TestKind::Command,
        environment: BTreeMap::new(),
        timeout: None,
        repeat: 1,
        seeds: None,
        files: files.map(|files| files.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn a_project_is_what_is_not_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for path in ["a.py", "caliper.yaml", ".caliper/x", ".git/x", "data/big", "data/keep/small"] {
        write(root, path, path);
    }
    write(root, "data/keep/too", "");
    write(root, "other/big", "");
    write(root, ".dockerignore", "data\nother\n!data/keep/*\n");
    let project = Project::read(root, Some(&root.join("caliper.yaml"))).unwrap();
    assert_eq!(
        paths(&project),
        [".dockerignore", "a.py", "data", "data/keep", "data/keep/small", "data/keep/too"]
    );
    assert_eq!(
        left_out(&project),
        [
            ".caliper: Caliper's own",
            ".git: version control",
            "caliper.yaml: a configuration of Caliper",
            "data/big: excluded by .dockerignore",
            "other: excluded by .dockerignore",
        ]
    );
    let target = root.join(".caliper/copy");
    project.copy_to(&target).unwrap();
    assert!(target.join("data/keep/small").exists() && !target.join("data/big").exists());
}

#[test]
fn a_folder_as_people_have_it_is_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "a.py", "");
    write(root, "env/pyvenv.cfg", "home = /usr/bin\n");
    write(root, "conda/conda-meta/history", "");
    fs::create_dir_all(root.join("env/bin")).unwrap();
    symlink("/usr/bin/python3", root.join("env/bin/python3")).unwrap();
    write(root, ".cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# by x\n");
    write(root, "notes/CACHEDIR.TAG", "Signature: another\n");
    write(root, "sub/__pycache__/a.pyc", "");
    write(root, "sub/.git", "gitdir: ../../x\n");
    write(root, "study.yml", "analysis:\n  dependency: numpy\n");
    write(root, "data.yaml", "analysis: of variance\n");
    write(root, ".a.py.swp", "");
    write(root, "out.txt", "");
    symlink("me@machine.1234", root.join(".#a.py")).unwrap();
    symlink("/etc/passwd", root.join("outside")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink(root.join("a.py"), root.join("sub/inside")).unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt")), "").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();

    let project = Project::read_without(root, None, &[root.join("out.txt")]).unwrap();
    assert_eq!(
        paths(&project),
        ["a.py", "data.yaml", "notes", "notes/CACHEDIR.TAG", "sub", "sub/inside"]
    );
    insta::assert_snapshot!(left_out(&project).join("\n"), @"
    .#a.py: of an editor
    .a.py.swp: of an editor
    .cache: a cache (CACHEDIR.TAG)
    caf�.txt: its name is not UTF-8
    conda: a Python environment
    dangling: a link to `nowhere`, which does not exist
    env: a Python environment
    out.txt: written by Caliper
    outside: a link out of the project, to `/etc/passwd`
    socket: a socket, pipe or device
    study.yml: a configuration of Caliper
    sub/.git: version control
    sub/__pycache__: bytecode
    ");
    // A copy does not lead to the original.
    let copy = tempfile::tempdir().unwrap();
    project.copy_to(&copy.path().join("p")).unwrap();
    assert_eq!(fs::read_link(copy.path().join("p/sub/inside")).unwrap(), Path::new("../a.py"));
    let sizes = project.left_out_with_sizes();
    let environment = sizes.iter().find(|one| one.path == "env").unwrap().size.unwrap();
    assert_eq!((environment.files, environment.bytes), (2, 16));
}

#[test]
fn what_git_ignores_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = &folder.path().join("repository/project");
    write(root, "../.git/info/exclude", "notes\n");
    write(root, "../.gitignore", "*.csv\n/project/build\n");
    write(root, ".gitignore", "data/\n!keep.csv\nback/*\n!back/in\n");
    write(root, "sub/.gitignore", "*\n!.gitignore\n");
    for path in [
        "a.csv",
        "keep.csv",
        "build/x",
        "sub/build/x",
        "data/keep.csv",
        "notes",
        "back/in",
        "back/out",
        "deep/data/x",
        "deep/a.csv",
        "b.py",
    ] {
        write(root, path, path);
    }
    let project = Project::read(root, None).unwrap();
    assert_eq!(
        paths(&project),
        [".gitignore", "b.py", "back", "back/in", "deep", "keep.csv", "sub", "sub/.gitignore"]
    );
    insta::assert_snapshot!(left_out(&project).join("\n").replace(&*folder.path().to_string_lossy(), "[HERE]"), @"
    a.csv: git ignores it: `*.csv` in [HERE]/repository/.gitignore
    back/out: git ignores it: `back/*` in .gitignore
    build: git ignores it: `/project/build` in [HERE]/repository/.gitignore
    data: git ignores it: `data/` in .gitignore
    deep/a.csv: git ignores it: `*.csv` in [HERE]/repository/.gitignore
    deep/data: git ignores it: `data/` in .gitignore
    notes: git ignores it: `notes` in [HERE]/repository/.git/info/exclude
    sub/build: git ignores it: `*` in sub/.gitignore
    ");

    // A project in a folder that its repository ignores.
    write(root, "../.gitignore", "project/\n");
    let project = Project::read(root, None).unwrap();
    assert!(paths(&project).contains(&"b.py") && !paths(&project).contains(&"data"));
}

#[test]
fn what_git_tracks_is_not_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-C", &root.to_string_lossy()]).args(arguments);
        command.output().is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "-q"]) {
        return; // The reading of an index has a test of its own.
    }
    write(root, ".gitignore", "data/\n*.csv\n");
    for path in ["data/small", "data/big", "data/deep/x", "a.csv", "b.csv"] {
        write(root, path, path);
    }
    assert!(git(&["add", "-f", "data/small", "a.csv"]));
    let project = Project::read(root, None).unwrap();
    assert_eq!(paths(&project), [".gitignore", "a.csv", "data", "data/small"]);
    assert_eq!(
        project.left_out().iter().map(|one| one.path.as_str()).collect::<Vec<_>>(),
        [".git", "b.csv", "data/big", "data/deep"]
    );
}

#[test]
fn files_take_in_what_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, ".gitignore", "*.csv\nbuild/\n");
    write(root, ".dockerignore", "large\n");
    write(root, "cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    for path in [
        "a.py",
        "a.csv",
        "data/b.csv",
        "data/c.txt",
        "build/lib/x.csv",
        "build/y",
        "large/z",
        "cache/w",
    ] {
        write(root, path, path);
    }
    symlink("/etc/passwd", root.join("data/link")).unwrap();
    let project = Project::read(root, None).unwrap();
    let seen = |files: &[&str]| {
        let part = project.for_test(&test(&["python", "a.py"], Some(files)));
        part.map(|part| paths(&part).join(" ")).map_err(|error| error.to_string())
    };
    let cases: &[(&[&str], &str)] = &[
        (&["a.py", "data/b.csv"], "a.py data data/b.csv"),
        (&["data/*.csv"], "data data/b.csv"),
        (&["data"], "data data/b.csv data/c.txt"),
        (&["./data/"], "data data/b.csv data/c.txt"),
        (&["*.csv"], "a.csv"),
        // A wildcard at the beginning does not reach into folders that are left out.
        (&["**/*.csv"], "a.csv data data/b.csv"),
        (&["build"], "build build/lib build/lib/x.csv build/y"),
        (&["build/**/*.csv"], "build build/lib build/lib/x.csv"),
        (&["build/y"], "build build/y"),
        (&["large/z"], "large large/z"),
        (&["cache/w"], "cache cache/w"),
        (&[".", "a.csv"], ".dockerignore .gitignore a.csv a.py data data/c.txt"),
    ];
    for (files, expected) in cases {
        assert_eq!(seen(files).as_deref(), Ok(*expected), "{files:?}");
    }
    insta::assert_snapshot!(seen(&["c*/w"]).unwrap_err(), @"`files` of the test `t`: `c*/w`: the project has no such file");
    insta::assert_snapshot!(seen(&["data/link"]).unwrap_err(), @"`files` of the test `t`: `data/link`: `data/link` cannot be part of the project: a link out of the project, to `/etc/passwd`");
    // For a build, only .dockerignore counts.
    let copied = |pattern: &str| paths(&project.matching(&[glob(pattern).unwrap()])).join(" ");
    assert_eq!(copied("build/y"), "build build/y");
    assert_eq!(copied("large"), "");
    assert_eq!(copied("demo-1.0-py3-none-any.whl"), "");
}

#[test]
fn a_command_that_names_what_is_left_out_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, ".gitignore", "*.csv\n");
    write(root, ".venv/pyvenv.cfg", "");
    write(root, ".venv/bin/python", "");
    for path in ["a.py", "a.csv", "data/b.csv", "tests/local.csv"] {
        write(root, path, path);
    }
    let project = Project::read(root, None).unwrap();
    let said = |command: &[&str]| {
        project.for_test(&test(command, None)).err().map(|error| error.to_string())
    };
    insta::assert_snapshot!(said(&["python", "a.py", "./data/b.csv"]).unwrap(), @"the test `t` names `data/b.csv`, which is not part of the project (git ignores it: `*.csv` in .gitignore); give the test `files: [., data/b.csv]` if it reads it, and remove it if the test writes it");
    insta::assert_snapshot!(said(&[".venv/bin/python", "a.py"]).unwrap(), @"the test `t` names `.venv/bin/python`, which is not part of the project (a Python environment); tests run in the environment of their cell; name the program alone, such as `python`");
    for names in [
        &["python", "a.py", "--data=a.csv"][..],
        &["sh", "-c", "python a.py < a.csv"],
        &["sh", "-c", "python a.py <a.csv; true"],
        &["pytest", "tests/local.csv::test_a"],
    ] {
        assert!(said(names).is_some(), "{names:?}");
    }
    for fine in [
        &["python", "a.py", "--output", "a.csv"][..],
        &["python", "a.py", "--out=a.csv", "-o", "data/b.csv"],
        &["sh", "-c", "python a.py >a.csv 2> data/b.csv"],
        &["python", "a.py", "c.csv"], // there is none
        &["python", "-c", "open('a.csv', 'w')"],
    ] {
        assert_eq!(said(fine), None, "{fine:?}");
    }
    let listed = test(&["python", "a.py", "data/b.csv"], Some(&[".", "data/b.csv"]));
    assert!(project.for_test(&listed).is_ok());
}

#[test]
fn a_project_that_is_too_large_says_what_is_large() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.py", "");
    write(folder.path(), "data/x", "");
    fs::File::create(folder.path().join("data/x")).unwrap().set_len(3 << 30).unwrap();
    let error = Project::read(folder.path(), None).unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(&*folder.path().to_string_lossy(), "[HERE]"), @"the project `[HERE]` has 3 files and folders with 3072 MiB, and every test gets a copy of it: at most 50000 and 1024 MiB; the largest are `data` (3072 MiB, 2 files), `a.py` (0 MiB, 1 files); list what no test needs in .gitignore or .dockerignore");
}

#[test]
fn the_digest_follows_names_contents_and_modes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "a.py", "1");
    let read = || *Project::read(root, None).unwrap().digest();
    let first = read();
    assert_eq!(read(), first);
    write(root, ".caliper/results.json", "{}");
    assert_eq!(read(), first);
    write(root, "a.py", "2");
    let second = read();
    assert_ne!(second, first);
    fs::rename(root.join("a.py"), root.join("b.py")).unwrap();
    assert_ne!(read(), second);
}

#[test]
fn a_copy_shows_the_history_and_leaves_that_of_the_project_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    fs::create_dir(&root).unwrap();
    let git = |at: &Path, arguments: &[&str]| -> Option<String> {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(arguments);
        let said = git.current_dir(at).env("HOME", folder.path()).output().ok()?;
        assert!(said.status.success(), "{said:?}");
        Some(String::from_utf8(said.stdout).unwrap().trim().to_owned())
    };
    for (name, text) in [("a.py", "1"), ("caliper.yaml", "analysis: {dependency: demo}\n")] {
        fs::write(root.join(name), text).unwrap();
    }
    if git(&root, &["init", "--quiet"]).is_none() {
        return; // this machine has no Git
    }
    git(&root, &["add", "."]);
    git(&root, &["commit", "--quiet", "-m", "all"]);
    git(&root, &["tag", "1.0"]);
    let config = root.join("caliper.yaml");
    let read = || Project::read(&root, Some(&config)).unwrap();
    let described = |name: &str| {
        let copy = folder.path().join(name);
        read().copy_with_history(&copy).unwrap();
        assert!(!copy.join("caliper.yaml").exists());
        git(&copy, &["describe", "--tags", "--dirty"]).unwrap()
    };
    let index = fs::read(root.join(".git/index")).unwrap();
    // The configuration is no part of the project, and an edit of it no change of the project.
    fs::write(&config, "analysis: {dependency: other}\n").unwrap();
    assert_eq!(described("clean"), "1.0");
    assert_eq!(fs::read(root.join(".git/index")).unwrap(), index);
    let before = read().history();
    fs::write(root.join("a.py"), "2").unwrap();
    assert_eq!(described("edited"), "1.0-dirty");
    assert_eq!(read().history(), before, "the files have a digest of their own");
    git(&root, &["tag", "1.1"]);
    assert_ne!(read().history(), before);
    // A linked work tree has its data elsewhere.
    let tree = folder.path().join("tree");
    git(&root, &["worktree", "add", "--quiet", tree.to_str().unwrap(), "1.0"]);
    let copy = folder.path().join("of-tree");
    Project::read(&tree, None).unwrap().copy_with_history(&copy).unwrap();
    assert_eq!(git(&copy, &["status", "--porcelain"]).as_deref(), Some(""));
    fs::create_dir(root.join("below")).unwrap();
    assert_eq!(Project::read(&root.join("below"), None).unwrap().history(), None);
}

#[test]
fn an_overlay_is_carried_whatever_leaves_it_out() {
    use caliper_core::question::overlay::{OverlayFile, PackageOverlay};
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(".gitignore", "patches/\n");
    write("t.py", "");
    write("patches/demo/demo/a.py", "A = 1\n");
    write("patches/demo/demo/b.py", "B = 1\n");
    write("patches/another.txt", "");
    let project = Project::read(folder.path(), None).unwrap();
    let paths = |project: &Project| project.manifest().into_keys().collect::<Vec<_>>().join(" ");
    assert_eq!(paths(&project), ".gitignore t.py");
    let overlay = PackageOverlay {
        package: "demo".parse().unwrap(),
        version: "1.0".parse().unwrap(),
        folder: "patches/demo".to_owned(),
        files: vec![OverlayFile { path: "demo/a.py".to_owned(), sha256: Sha256::of(b"A = 1\n") }],
    };
    let carried = project.with_overlays(&[overlay]).unwrap();
    assert_eq!(
        paths(&carried),
        ".gitignore patches patches/demo patches/demo/demo patches/demo/demo/a.py t.py"
    );
    assert_eq!(project.with_overlays(&[]).unwrap().digest(), project.digest());
}
