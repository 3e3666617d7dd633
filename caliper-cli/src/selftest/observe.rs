//! Measuring a scenario with this very program, and looking at what is left.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use caliper_core::analysis::results::Results;
use caliper_core::facts::record::{CellOutcome, Record, Run};
use caliper_core::names::PythonVersion;
use caliper_pypi::pack;
use caliper_pypi::serve::{FolderServer, ServeOptions};

use super::Scenario;

/// Where scenarios are measured: a folder of their own, gone when this is dropped.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    /// A wheel of uv, for machines without one.
    uv: Option<PathBuf>,
}

/// How a scenario ended.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// In the words of its expectation.
    pub(crate) text: String,
    /// What was left behind or changed that should not be, one sentence each.
    pub(crate) faults: Vec<String>,
    /// The output of the program, to find the reason of a deviation.
    pub(crate) said: String,
}

impl Bench {
    pub(crate) fn new(uv: Option<PathBuf>) -> io::Result<Self> {
        Ok(Self { folder: tempfile::Builder::new().prefix("caliper-selftest-").tempdir()?, uv })
    }

    /// Measures `scenario` on `backend`.
    pub(crate) fn observe(
        &self,
        scenario: &Scenario,
        backend: &str,
        python: PythonVersion,
    ) -> io::Result<Observed> {
        let world = self.folder.path().join(backend).join(&scenario.name);
        let (project, packages) = (world.join("project"), world.join("packages"));
        fs::create_dir_all(&project)?;
        fs::create_dir_all(&packages)?;
        self.offer(scenario, &packages)?;
        for (path, text) in &scenario.files {
            let path = project.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&project))?;
            fs::write(path, text)?;
        }
        fs::write(project.join("caliper.yaml"), scenario.configuration())?;
        let before = contents(&project)?;
        let server =
            FolderServer::start(&packages, ServeOptions::default()).map_err(io::Error::other)?;

        let run = self
            .caliper(&project)
            .args(["run", "--backend", backend, "--python", &python.to_string()])
            .args(["--index", &server.address().to_string()])
            .args(["--progress", "plain", "--fail-on", "never"])
            .output()?;
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        let mut faults = Vec::new();
        if contents(&project)? != before {
            faults.push("the project was changed".to_owned());
        }
        faults.extend(leftovers(scenario));
        let results = fs::read(project.join(".caliper/results.json"));
        let results = results
            .and_then(|bytes| serde_json::from_slice::<Results>(&bytes).map_err(io::Error::other));
        let text = match results {
            Ok(results) => results.cells.iter().map(describe).collect(),
            Err(error) => format!("no results: {error}\n"),
        };
        if let Some(painted) = self.painted(&project, python)? {
            faults.push(painted);
        }
        // What remains is no longer needed, and the disk may be small.
        let _ = fs::remove_dir_all(&world);
        Ok(Observed { text, faults, said })
    }

    /// Puts what the scenario needs on its index.
    fn offer(&self, scenario: &Scenario, packages: &Path) -> io::Result<()> {
        let requires: Vec<&str> = scenario.requires.iter().map(String::as_str).collect();
        let files: Vec<(&str, &str)> =
            scenario.package.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let write = if scenario.sdist { pack::sdist } else { pack::wheel };
        write(packages, "demo", "1.0", &requires, &files)?;
        for (name, releases) in &scenario.others {
            let module = format!("{name}.py");
            for release in releases {
                pack::wheel(packages, name, release, &[], &[(&module, "")])?;
            }
        }
        if let Some(uv) = &self.uv
            && let Some(name) = uv.file_name()
        {
            fs::copy(uv, packages.join(name))?;
        }
        Ok(())
    }

    fn caliper(&self, project: &Path) -> Command {
        let program = std::env::current_exe().unwrap_or_else(|_| "caliper".into());
        let mut command = Command::new(program);
        command
            .current_dir(project)
            .env("CALIPER_CACHE_DIR", self.folder.path().join("cache"))
            .env_remove("CALIPER_INDEX_URL")
            .stdin(Stdio::null());
        command
    }

    /// Folders of runs that have ended, which should not be there any more. To be asked when all have.
    pub(crate) fn left_behind(&self) -> Vec<PathBuf> {
        let work = fs::read_dir(self.folder.path().join("cache/work"));
        let entries = work.into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }

    /// Whether the results, shown to a person, could write on a terminal as they like.
    fn painted(&self, project: &Path, python: PythonVersion) -> io::Result<Option<String>> {
        let cell = format!("1.0/{python}");
        let shown = self.caliper(project).args(["show", &cell, "--no-color"]).output()?;
        let bad = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t');
        let bad = shown.stdout.iter().chain(&shown.stderr).find(|byte| bad(byte));
        Ok(bad.map(|byte| format!("`caliper show` prints the control character {byte}")))
    }
}

/// What should not be there any more.
fn leftovers(scenario: &Scenario) -> Vec<String> {
    let mut faults = Vec::new();
    for path in scenario.absent.iter().map(Path::new).filter(|path| path.exists()) {
        faults.push(format!("`{}` is there", path.display()));
        // It is the scenario's own, and would be found again by the next.
        let _ = fs::remove_file(path);
    }
    if let Some(command) = scenario.gone.as_ref().filter(|command| is_running(command)) {
        faults.push(format!("a process `{command}` is still running"));
    }
    faults
}

/// A cell in the words of an expectation.
fn describe(record: &Record) -> String {
    let mut text = format!("{} ", record.version);
    text += match record.outcome {
        CellOutcome::Unavailable => "unavailable",
        CellOutcome::BuildFailed => "build_failed",
        CellOutcome::Tested => "tested",
        CellOutcome::NotMeasured => "not_measured",
    };
    if let Some(reason) = record.build.as_ref().and_then(|build| build.reason) {
        let name = serde_json::to_value(reason).unwrap_or_default();
        let _ = write!(text, ": {}", name.as_str().unwrap_or_default());
    }
    text.push('\n');
    record.runs().for_each(|(test, run)| text += &describe_run(&test.name, run));
    text
}

fn describe_run(test: &str, run: &Run) -> String {
    let outcome = serde_json::to_value(run.outcome).unwrap_or_default();
    let mut text = format!("  {test} {}", outcome.as_str().unwrap_or_default());
    // Whether a program that was killed had a status is the backend's affair.
    let by_itself = matches!(outcome.as_str(), Some("failed" | "killed"));
    if let Some(status) = run.retval.filter(|status| by_itself && *status != 0) {
        let _ = write!(text, ", status {status}");
    }
    if let Some(signal) = run.signal.filter(|_| by_itself) {
        let _ = write!(text, ", signal {signal}");
    }
    if run.truncated {
        text += ", truncated\n";
        return text;
    }
    text.push('\n');
    for line in run.output.split_terminator('\n') {
        let visible = |character: char| {
            let escaped: String = character.escape_default().collect();
            if character.is_control() { escaped } else { character.to_string() }
        };
        let line: String = line.chars().map(visible).collect();
        let _ = writeln!(text, "    | {line}");
    }
    text
}

/// Every file of a folder with its content, but for what Caliper keeps there.
fn contents(folder: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name() == ".caliper" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path(), fs::read(entry.path())?);
            }
        }
    }
    Ok(found)
}

/// Whether a process runs that was started with `words` in its command.
fn is_running(words: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut commands = processes.filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        fs::read(entry.path().join("cmdline")).ok()
    });
    commands.any(|command| {
        let command: Vec<u8> =
            command.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect();
        String::from_utf8_lossy(&command).contains(words)
    })
}
