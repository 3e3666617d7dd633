//! The harness: a project, an index, and the binary.

pub mod faults;
pub mod sshd;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use caliper_pypi::pack;
use caliper_pypi::serve::{FolderServer, ServeOptions};

/// A folder for a project, an index of its own, and a home.
pub struct World {
    folder: tempfile::TempDir,
    server: FolderServer,
}

/// What the binary said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["project", "packages", "home"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let server =
            FolderServer::start(folder.path().join("packages"), ServeOptions::default()).unwrap();
        Self { folder, server }
    }

    /// A world with a configuration for the package `demo`, under the key `analysis`.
    pub fn with_config(rest: &str) -> Self {
        let world = Self::new();
        world.write("caliper.yaml", &format!("analysis:\n  dependency: demo\n{rest}"));
        world
    }

    /// Checks what a command printed against the schema of its format.
    pub fn follows(&self, schema: &str, printed: &str) {
        let schema = self.caliper(&["schema", schema]).expect(0).out;
        let schema = serde_json::from_str(&schema).unwrap();
        jsonschema::validate(&schema, &serde_json::from_str(printed).unwrap()).unwrap();
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Puts a pure wheel on the index.
    pub fn wheel(&self, name: &str, version: &str, files: &[(&str, &str)]) {
        pack::wheel(&self.packages(), name, version, &[], files).unwrap();
    }

    pub fn packages(&self) -> PathBuf {
        self.folder.path().join("packages")
    }

    pub fn index(&self) -> String {
        self.server.address().to_string()
    }

    /// How many requests its index had.
    pub fn requests(&self) -> u64 {
        self.server.requests()
    }

    /// Where its index listens.
    pub fn listening(&self) -> std::net::SocketAddr {
        self.server.listening()
    }

    /// The binary in the project's folder, with nothing of the user's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_caliper"));
        command
            .args(arguments)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", path_with_uv())
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.folder.path())
            .env("CALIPER_INDEX_URL", self.index())
            .stdin(Stdio::null());
        for name in ["PYENV_ROOT", "DOCKER_HOST", "CONTAINER_HOST"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs the binary to its end.
    pub fn caliper(&self, arguments: &[&str]) -> Said {
        self.said(self.command(arguments).output().unwrap())
    }

    /// Text of [`Said`] with the address of the index in it again.
    pub fn unmasked(&self, text: &str) -> String {
        text.replace("[INDEX]", &self.server.listening().to_string())
    }

    /// What came out, without what differs from machine to machine.
    pub fn said(&self, output: Output) -> Said {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            let here = self.folder.path().display().to_string();
            text.replace(&here, "[HERE]").replace(&self.server.listening().to_string(), "[INDEX]")
        };
        Said {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// The summary that a run left.
    pub fn results(&self) -> serde_json::Value {
        let text = fs::read(self.project().join(".caliper/results.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

impl Said {
    /// The error alone, of a command that had to fail with `code`.
    pub fn error(self, code: i32) -> String {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        let start = self.err.find("error: ").unwrap_or(0);
        self.err[start..].to_owned()
    }

    /// Itself, if it ended with `code`.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }
}

/// Each cell of a summary as `1.0/3.11: tested [import passed, t failed]`, for one Python.
pub fn cells(results: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("?").to_owned();
    let cells = results["cells"].as_array().unwrap();
    cells
        .iter()
        .map(|cell| {
            let tests: Vec<String> = cell["tests"]
                .as_array()
                .unwrap()
                .iter()
                .flat_map(|test| {
                    let runs = test["runs"].as_array().unwrap().iter();
                    runs.map(|run| format!("{} {}", text(&test["name"]), text(&run["outcome"])))
                })
                .collect();
            format!("{}: {} [{}]", text(&cell["version"]), text(&cell["outcome"]), tests.join(", "))
        })
        .collect()
}

/// Says loudly that a test is skipped; a failure where nothing may be skipped.
///
/// Written past the test runner's capture, which would hide it.
pub fn skip(what: &str) {
    let required = std::env::var_os("CALIPER_REQUIRE_ENGINE").is_some_and(|value| value == "1");
    assert!(!required, "CALIPER_REQUIRE_ENGINE is 1, and {what}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// The program `uv`, for tests that make environments: `CALIPER_TEST_UV`, or the one on `PATH`.
fn uv() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CALIPER_TEST_UV").map(PathBuf::from) {
        return path.is_file().then_some(path);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("uv")).find(|path| path.is_file())
}

/// Whether there is a `uv`; says so if not.
pub fn has_uv() -> bool {
    let found = uv().is_some();
    if !found {
        skip("there is no uv for tests that make environments; install it, or set CALIPER_TEST_UV");
    }
    found
}

fn path_with_uv() -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folder = uv().and_then(|uv| uv.parent().map(Path::to_owned));
    let folders = folder.into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap()
}

/// A Python that the `local` backend has: what `python3` on this machine is, such as `3.11`.
pub fn python() -> String {
    let program = "import sys; print('%d.%d' % sys.version_info[:2])";
    let output = Command::new("python3").args(["-c", program]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The verdict on a test in each cell of a summary, in the order of the cells; empty without one.
pub fn verdicts(results: &serde_json::Value, test: &str) -> Vec<String> {
    let judged = results["verdicts"].as_array().unwrap().iter();
    let of_test = judged.filter(|judged| judged["test"] == test);
    of_test.map(|judged| judged["verdict"].as_str().unwrap_or_default().to_owned()).collect()
}
