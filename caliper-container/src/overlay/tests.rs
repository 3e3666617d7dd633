//! The program, on Pythons of this machine.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;

/// A folder of packages, and beside it a cache that has the same file of one.
struct World {
    folder: tempfile::TempDir,
    python: &'static str,
}

const RECORD: &str = "demo/__init__.py,sha256=x,1\ndemo/part/__init__.py,,\ndemo/part/code.py,,\n\
                      single.py,,\n../../../bin/demo,,\ndemo-1.0.dist-info/RECORD,,\n";

impl World {
    fn new(python: &'static str) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), python };
        world.write("site/demo/__init__.py", "VALUE = 1\n");
        world.write("site/demo/part/__init__.py", "");
        world.write("cache/code.py", "a = 1\nb = 2\nc = 3\n");
        fs::set_permissions(world.path("cache/code.py"), fs::Permissions::from_mode(0o640))
            .unwrap();
        fs::hard_link(world.path("cache/code.py"), world.path("site/demo/part/code.py")).unwrap();
        world.write(
            "site/demo-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: De.Mo\nVersion: 1.0\n\nVersion: 9\n",
        );
        world.write("site/demo-1.0.dist-info/RECORD", RECORD);
        world.write("site/other/x.py", "");
        world.write("site/single.py", "");
        // Without a list of its files, as distutils leaves it.
        world.write("site/old-2.0.egg-info", "Name: old\nVersion: 2.0\n");
        world
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn python(&self, arguments: &[&Path]) -> Output {
        fs::write(self.path("overlay.py"), PROGRAM).unwrap();
        Command::new(self.python)
            .arg("-B")
            .arg(self.path("overlay.py"))
            .args(arguments)
            .env("PYTHONPATH", self.path("site"))
            .output()
            .unwrap()
    }

    /// Lays files over a package; the error is what the user is told.
    fn lay(
        &self,
        package: &str,
        version: &str,
        files: &[(&str, &str)],
    ) -> Result<Vec<Told>, String> {
        let files: Vec<_> = files
            .iter()
            .map(|(path, text)| json!({ "path": path, "content": hexadecimal(text.as_bytes()) }))
            .collect();
        let order = json!([{ "package": package, "version": version, "files": files }]);
        let (order_path, report) = (self.path("order.json"), self.path("report.json"));
        fs::write(&order_path, order.to_string()).unwrap();
        let output = self.python(&[&order_path, &report]);
        if output.status.success() {
            Ok(read(&fs::read(report).unwrap()).unwrap())
        } else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let here = self.folder.path().canonicalize().unwrap().display().to_string();
            Err(refused(&said).to_string().replace(&here, "[HERE]"))
        }
    }

    fn tell(&self) -> Result<Vec<Told>, String> {
        let output = self.python(&[&self.path("report.json")]);
        if output.status.success() {
            return Ok(read(&output.stdout).unwrap());
        }
        Err(refused(&String::from_utf8_lossy(&output.stderr)).to_string())
    }
}

/// The Pythons to try: always one of today, and the oldest that the program is for where it is there.
fn pythons() -> Vec<&'static str> {
    let works = |python: &&str| {
        Command::new(python).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    ["python3"].into_iter().chain(["python2.7"].into_iter().filter(works)).collect()
}

#[test]
fn a_file_is_replaced_and_never_written_into() {
    for python in pythons() {
        let world = World::new(python);
        for name in ["code.cpython-311.pyc", "code.cpython-311.opt-1.pyc", "codec.cpython-311.pyc"]
        {
            world.write(&format!("site/demo/part/__pycache__/{name}"), "");
        }
        world.write("site/demo/part/code.pyc", "");
        let cached = fs::metadata(world.path("cache/code.py")).unwrap();
        let laid =
            [("demo/part/code.py", "a = 1\nb = 20\nc = 3\nd = 4\n"), ("demo/more/new.py", "x\n")];
        let told = world.lay("de-mo", "1.0", &laid).unwrap();
        // The file that others share is what it was.
        assert_eq!(world.read("cache/code.py"), "a = 1\nb = 2\nc = 3\n", "{python}");
        let after = fs::metadata(world.path("cache/code.py")).unwrap();
        assert_eq!((after.ino(), after.mtime_nsec()), (cached.ino(), cached.mtime_nsec()));
        assert_eq!((after.nlink(), cached.nlink()), (1, 2));
        for (path, text) in laid {
            assert_eq!(world.read(&format!("site/{path}")), text);
        }
        let mode = fs::metadata(world.path("site/demo/part/code.py")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o640);
        let left: Vec<_> =
            fs::read_dir(world.path("site/demo/part/__pycache__")).unwrap().collect();
        assert_eq!(left.len(), 1, "only the other module's bytecode stays");
        assert!(!world.path("site/demo/part/code.pyc").exists());

        let [Told { files, diff, is_diff_cut }] = told.as_slice() else { panic!("{told:?}") };
        let changed = &files[0];
        assert_eq!(changed.before, Some(Sha256::of(b"a = 1\nb = 2\nc = 3\n")));
        assert_eq!(changed.after, Sha256::of(laid[0].1.as_bytes()));
        assert_eq!((changed.added, changed.removed), (Some(2), Some(1)));
        assert_eq!((files[1].before, files[1].added), (None, Some(1)));
        assert!(!is_diff_cut);
        insta::allow_duplicates! {
            insta::assert_snapshot!(diff, @"
            --- a/demo/part/code.py
            +++ b/demo/part/code.py
            @@ -1,3 +1,4 @@
             a = 1
            -b = 2
            +b = 20
             c = 3
            +d = 4
            --- /dev/null
            +++ b/demo/more/new.py
            @@ -0,0 +1 @@
            +x
            ");
        }
        assert_eq!(world.tell().unwrap().len(), 1);
        world.write("site/demo/more/new.py", "y\n");
        assert!(
            world.tell().unwrap_err().contains("does not have the content that was laid there")
        );
    }
}

#[test]
fn what_belongs_to_something_else_is_refused() {
    for python in pythons() {
        let world = World::new(python);
        symlink(world.path("site/other"), world.path("site/demo/link")).unwrap();
        let refused = |package, version, path| {
            // The first of both would be fine: nothing is written before all is checked.
            let files = [("demo/__init__.py", "VALUE = 2\n"), (path, "x")];
            let error = world.lay(package, version, &files).unwrap_err();
            assert_eq!(world.read("site/demo/__init__.py"), "VALUE = 1\n");
            error.strip_prefix("the overlay could not be laid: ").unwrap().to_owned()
        };
        let told = [
            ("de-mo", "1.1", "demo/x.py"),
            ("nosuch", "1.0", "demo/x.py"),
            ("de-mo", "1.0", "../outside.py"),
            ("de-mo", "1.0", "/etc/passwd"),
            ("de-mo", "1.0", "demo//x.py"),
            ("de-mo", "1.0", "demo/link/x.py"),
            ("de-mo", "1.0", "demo/part"),
            ("de-mo", "1.0", "other/x.py"),
            ("de-mo", "1.0", "another/x.py"),
            ("de-mo", "1.0", "new.py"),
            ("de-mo", "1.0", "demo-1.0.dist-info/new"),
            ("old", "2.0", "other/x.py"),
        ]
        .map(|(package, version, path)| refused(package, version, path));
        insta::allow_duplicates! {
            insta::assert_snapshot!(told.join("\n"), @r"
            de-mo 1.0 is installed, and the overlay is for 1.1
            nosuch is not installed for this Python
            `../outside.py` leaves site-packages
            `/etc/passwd` leaves site-packages
            `demo//x.py` leaves site-packages
            `demo/link/x.py` leads through a symbolic link, `[HERE]/site/demo/link`
            `demo/part` is a folder of the environment
            `other/x.py` is not a file of de-mo
            `another/x.py` is in no folder of de-mo, which has demo
            `new.py` is in no folder of de-mo, which has demo
            `demo-1.0.dist-info/new` is in no folder of de-mo, which has demo
            `demo/__init__.py` is not a file of old, which does not list its files
            ");
        }
    }
}

#[test]
fn what_is_no_text_or_too_long_is_not_told_in_full() {
    for python in pythons() {
        let world = World::new(python);
        let long = "é = 1\n".repeat(60_000);
        let told =
            world.lay("de-mo", "1.0", &[("demo/__init__.py", &long), ("single.py", "\0")]).unwrap();
        assert!(told[0].is_diff_cut && told[0].diff.len() <= 256 << 10, "{}", told[0].diff.len());
        assert_eq!(told[0].files[0].added, Some(60_000));
        assert_eq!((told[0].files[1].added, told[0].files[1].removed), (None, None));
    }
}

#[test]
fn what_said_nothing_known_is_told_by_its_last_line() {
    let told = |said: &str| refused(said).to_string();
    insta::assert_snapshot!(told("Step 3\nTraceback\nOSError: [Errno 28] no space\n\n"), @"the overlay could not be laid: OSError: [Errno 28] no space");
    insta::assert_snapshot!(told("caliper: overlay refused: it is `x`\nThe command returned 3\n"), @"the overlay could not be laid: it is `x`");
    insta::assert_snapshot!(told(""), @"the overlay could not be laid: its Python said nothing");
}
