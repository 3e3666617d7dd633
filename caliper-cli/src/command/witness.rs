//! A folder for a bug report: it reproduces the difference between two cells. It is tried before it is written.

mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use caliper_container::docker::EngineKind;
use caliper_container::interrupt::Interrupt;
use caliper_container::local::{LocalBackend, LocalOptions};
use caliper_container::project::Project;
use caliper_core::analysis::Analysis;
use caliper_core::analysis::blame::Pin;
use caliper_core::analysis::results::Results;
use caliper_core::analysis::row::State;
use caliper_core::facts::record::{Record, RecordedEnvironment, Run, test_names};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::names::{Bytes, PackageName, Timestamp};
use caliper_core::question::grid::CellId;
use caliper_core::question::limits::Network;
use caliper_core::question::plan::Test;
use caliper_core::report::witness::{Means, Pins, Side, Tried, Which, Witness, with_guilty};
use caliper_pypi::index::IndexAddress;

use super::no_such_test;
use super::recorded::recorded;
use super::show::find;
use crate::exit::{Exit, Failure, Outcome};
use crate::setting::{self, Setting};
use crate::signals::Watch;
use crate::sources::LOCAL;
use crate::terminal::{Terminal, printable};
use trial::{Ended, Trial};

/// The most files of the project, and bytes, in a witness: nobody reads a longer report.
const MOST_FILES: usize = 100;
const MOST_BYTES: u64 = 4 << 20;

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub(super) config: &'a Path,
    pub(super) cell: &'a CellId,
    pub(super) against: &'a CellId,
    pub(super) test: Option<&'a str>,
    pub(super) folder: &'a Path,
}

/// Makes the witness of two cells. `guilty` are the pins of the bad one that the witness shows to be enough; `None` for all
/// that differ.
pub(super) fn run(wanted: &Wanted<'_>, guilty: Option<&[Pin]>, terminal: Terminal) -> Outcome {
    refuse_what_is_there(wanted.folder)?;
    let setting = Setting::open(wanted.config)?;
    let (store, results) = recorded(wanted.config, terminal)?;
    let pair = Pair::of(wanted, &results, &setting, &store)?;
    let all = Pin::differing(&pins(pair.good)?, &pins(pair.bad)?);
    pair.write(guilty.unwrap_or(&all), wanted, &setting, &store, terminal)
}

/// Two cells in which a test does not end alike.
struct Pair<'a> {
    results: &'a Results,
    good: &'a Record,
    bad: &'a Record,
    test: String,
}

impl<'a> Pair<'a> {
    fn of(
        wanted: &Wanted<'_>,
        results: &'a Results,
        setting: &Setting,
        store: &DirStore,
    ) -> Result<Self, Failure> {
        let [first, second] = [wanted.cell, wanted.against].map(|id| find(id, results));
        let (first, second) = (first?, second?);
        for (record, is_stale) in [first, second] {
            if is_stale {
                return Err(Failure::question(format!(
                    "`{}` is stale: it answered another question; `caliper run` measures it again",
                    record.id()
                )));
            }
        }
        let (first, second) = (first.0, second.0);
        if first.environment.backend != second.environment.backend {
            let told = |record: &Record| {
                format!("`{}` with `{}`", record.id(), record.environment.backend)
            };
            let (first, second) = (told(first), told(second));
            return Err(Failure::question(format!(
                "a witness shows what packages do, and {first} was measured otherwise than {second}"
            )));
        }
        let differs = |test: &str| {
            let states = [first, second].map(|record| State::of(record, test));
            match states {
                [State::Passed, State::Failed] | [State::Failed, State::Passed] => true,
                [State::Passed, State::Passed] => !is_same(first, second, test, setting, store),
                _ => false,
            }
        };
        let names = test_names(first.judged().iter().chain(second.judged()));
        let named = wanted.test.map_or(names.clone(), |test| vec![test]);
        if let Some(test) = wanted.test.filter(|test| !names.contains(test)) {
            return Err(no_such_test(test, " in these cells", &names));
        }
        let differing: Vec<&str> = named.into_iter().filter(|test| differs(test)).collect();
        let [test] = differing.as_slice() else {
            let (first, second) = (first.id(), second.id());
            return Err(Failure::question(if differing.is_empty() {
                format!(
                    "there is nothing to show: no test passes in one of `{first}` and `{second}` and fails in the \
                     other, or passes in both with another result"
                )
            } else {
                format!(
                    "several tests do not end alike in `{first}` and `{second}`: `{}`; choose one with `--test`",
                    differing.join("`, `")
                )
            }));
        };
        let (good, bad) = match State::of(first, test) {
            State::Passed if State::of(second, test) != State::Passed => (first, second),
            _ => (second, first),
        };
        Ok(Self { results, good, bad, test: (*test).to_owned() })
    }

    /// Writes the folder, if its commands show what was recorded.
    fn write(
        &self,
        guilty: &[Pin],
        wanted: &Wanted<'_>,
        setting: &Setting,
        store: &DirStore,
        terminal: Terminal,
    ) -> Outcome {
        let setup = setting.config.setup();
        let test = setup.tests.iter().find(|test| test.name == self.test);
        let witness = self.witness(guilty, test)?;
        let parent = match wanted.folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(broken)?;
        let mut sets = vec![None];
        if let Some(test) = test {
            let project = Project::read(&setting.folder(), Some(&setting.path))?;
            sets = file_sets(&project, test)?.into_iter().map(Some).collect();
        }
        let interrupt = Interrupt::default();
        let watch = Watch::start(&interrupt)?;
        let trying = Trying {
            pair: self,
            witness: &witness,
            setting,
            store,
            limit: test.and_then(|test| test.timeout).unwrap_or(setup.limits.timeout),
            interrupt: &interrupt,
        };
        let mut problem = None;
        for files in sets {
            let made = tempfile::Builder::new().prefix(".caliper-witness-").tempdir_in(parent);
            let made = made.map_err(broken)?;
            if let Some(files) = files {
                copy(&files, made.path())?;
            }
            for (path, text) in witness.files() {
                let path = made.path().join(path);
                fs::create_dir_all(path.parent().unwrap_or(made.path())).map_err(broken)?;
                fs::write(path, text).map_err(broken)?;
            }
            let tried = trying.run(made.path(), terminal)?;
            if let Some(exit) = watch.exit() {
                return Ok(exit);
            }
            match tried {
                Ok(tried) => {
                    let readme = made.path().join("README.md");
                    fs::write(readme, witness.readme(&tried)).map_err(broken)?;
                    place(made, wanted.folder)?;
                    let folder = wanted.folder.display();
                    let text =
                        format!("{folder}: both sides end as recorded; see {folder}/README.md\n");
                    terminal.data(&printable(&text));
                    return Ok(Exit::Done);
                }
                Err(Problem::Packages(text)) => {
                    problem = Some(text);
                    // With other files of the project they cannot be installed either.
                    break;
                }
                Err(Problem::Test(text)) => problem = Some(text),
            }
        }
        if let Some(problem) = problem {
            terminal.verdict(&format!("no witness was written: {problem}"));
        }
        Ok(Exit::Unexpected)
    }

    fn witness(&self, guilty: &[Pin], test: Option<&Test>) -> Result<Witness, Failure> {
        let Self { good, bad, .. } = self;
        let good_pins = pins(good)?;
        let bad_pins = with_guilty(&good_pins, guilty);
        let recorded = good.test(&self.test).or_else(|| bad.test(&self.test));
        let command = recorded.map(|test| test.command.clone()).unwrap_or_default();
        let mut variables = test.map(|test| test.environment.clone()).unwrap_or_default();
        if State::of(good, &self.test) == State::of(bad, &self.test) {
            // What a test of Caliper has, and results may depend on.
            variables.entry("PYTHONHASHSEED".to_owned()).or_insert("0".to_owned());
            variables.entry("COLUMNS".to_owned()).or_insert("200".to_owned());
        }
        Ok(Witness {
            package: self.results.dependency.clone(),
            test: self.test.clone(),
            command,
            variables,
            index: index(&good.environment)?,
            means: means(good, &self.test)?,
            good: side(good, good_pins, &self.test),
            bad: side(bad, bad_pins, &self.test),
        })
    }

    /// Whether a side ended as its record says: it fails from the same cause, or passes; if both pass, with the same
    /// result.
    fn is_as_recorded(
        &self,
        record: &Record,
        ended: &Ended,
        setting: &Setting,
        store: &DirStore,
    ) -> bool {
        let mut tried = record.clone();
        tried.tests.retain(|test| test.name == self.test);
        for test in &mut tried.tests {
            test.runs = vec![ended.as_run()];
        }
        let state = |record: &Record| State::of(record, &self.test);
        // Where the other side fails, it is enough to pass: the result may be another one each time.
        let is_enough = state(record) == State::Passed && state(self.good) != state(self.bad);
        state(&tried) == state(record)
            && (is_enough || is_same(record, &tried, &self.test, setting, store))
    }
}

fn is_same(one: &Record, other: &Record, test: &str, setting: &Setting, store: &DirStore) -> bool {
    let blobs = |blob| store.content(blob).ok();
    Analysis::new(&[], None, &setting.config.compare, &blobs).same(one, other, test)
}

/// All that was installed in a cell.
fn pins(record: &Record) -> Result<Pins, Failure> {
    if record.environment.installed.is_empty() {
        let id = record.id();
        return Err(Failure::question(format!("what was installed in `{id}` is not known")));
    }
    if let Some(project) = &record.environment.project {
        return Err(Failure::question(printable(&format!(
            "a witness is made of packages that an index has, and `{}` has the project's own package, {} {}: `caliper \
             blame` tells which packages are guilty",
            record.id(),
            project.name,
            project.version
        ))));
    }
    if let Some(overlay) = record.environment.overlays.first() {
        return Err(Failure::question(printable(&format!(
            "a witness is made of packages that an index has, and in `{}` files of the project lie over {} {}",
            record.id(),
            overlay.package,
            overlay.version
        ))));
    }
    let pin = |name: &str, version: &str| {
        let told = |problem: &dyn std::fmt::Display| {
            let id = record.id();
            Failure::question(format!(
                "`{name} {version}`, which is installed in `{id}`, cannot be required from an index: {problem}"
            ))
        };
        let name: PackageName = name.parse().map_err(|error| told(&error))?;
        Ok((name, version.parse().map_err(|error| told(&error))?))
    };
    let installed = record.environment.installed.iter().filter(|one| !one.of_image);
    installed.map(|one| pin(&one.name, &one.version)).collect()
}

/// The index for the requirements, if it is not the usual one. A record may come from anywhere, so its text is not trusted.
fn index(environment: &RecordedEnvironment) -> Result<Option<String>, Failure> {
    let Some(text) = &environment.index else { return Ok(None) };
    let address: IndexAddress = text.parse()?;
    let address = address.to_string();
    Ok((address != IndexAddress::default().to_string()).then_some(address))
}

/// What the commands need, by the backend that measured a cell.
fn means(record: &Record, test: &str) -> Result<Means, Failure> {
    let backend = record.environment.backend.as_str();
    if backend == LOCAL {
        return Ok(Means::Uv);
    }
    let engines = [EngineKind::Docker, EngineKind::Podman].map(EngineKind::name);
    let Some(program) = engines.into_iter().find(|name| *name == backend) else {
        return Err(Failure::question(format!(
            "`{}` was measured with `{backend}`, of which no witness can be made",
            record.id()
        )));
    };
    let runs = record.test(test).map(|test| &test.runs);
    let limits = runs.and_then(|runs| runs.first()?.limits.as_deref());
    let has_network = limits.is_some_and(|limits| limits.granted.network == Network::Full);
    Ok(Means::Engine { program, has_network })
}

fn side(record: &Record, pins: Pins, test: &str) -> Side {
    let run = record.test(test).and_then(|test| test.runs.first());
    let outcome = run.map_or_else(
        || "was not run".to_owned(),
        |run| {
            let status = run.retval.map(|status| format!(", with exit status {status}"));
            format!("{}{}", run.outcome, status.unwrap_or_default())
        },
    );
    let printed = |of: fn(&Run) -> &String| run.map(of).cloned().unwrap_or_default();
    Side {
        cell: record.id(),
        python: record.python,
        base: record.environment.base.as_ref().map(|base| base.name.clone()),
        pins,
        outcome,
        output: printed(|run| &run.output),
        error: printed(|run| &run.error),
    }
}

/// What did not come out as recorded, in words.
enum Problem {
    /// Packages of a side cannot be installed.
    Packages(String),
    /// The test ends otherwise.
    Test(String),
}

/// How the commands of a witness are tried.
struct Trying<'a> {
    pair: &'a Pair<'a>,
    witness: &'a Witness,
    setting: &'a Setting,
    store: &'a DirStore,
    limit: Duration,
    interrupt: &'a Interrupt,
}

impl Trying<'_> {
    /// Tries both sides. The inner error says how one came out, which is not as recorded.
    fn run(&self, folder: &Path, terminal: Terminal) -> Result<Result<Tried, Problem>, Failure> {
        let tried = self.try_sides(folder, terminal);
        if let Some(removing) = self.witness.removing() {
            let trial =
                Trial { folder, python: None, limit: self.limit, interrupt: self.interrupt };
            trial.finish(&removing);
        }
        tried
    }

    fn try_sides(
        &self,
        folder: &Path,
        terminal: Terminal,
    ) -> Result<Result<Tried, Problem>, Failure> {
        let mut tools =
            BTreeMap::from([("Caliper".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
        for which in Which::ALL {
            let python = self.python(which)?;
            let trial = Trial {
                folder,
                python: python.as_deref(),
                limit: self.limit,
                interrupt: self.interrupt,
            };
            terminal.note(&format!("trying the {} side", which.folder()));
            let program = match self.witness.means {
                Means::Uv => "uv",
                Means::Engine { program, .. } => program,
            };
            tools.insert(program.to_owned(), trial.version(program)?);
            let installed = trial.run(&self.witness.installing(which))?;
            if installed.status != Some(0) {
                let told = "its packages cannot be installed";
                return Ok(Err(Problem::Packages(other(which, told, &installed))));
            }
            let ended = trial.run(&self.witness.command(which))?;
            let Pair { good, bad, .. } = self.pair;
            let record = if which == Which::Good { good } else { bad };
            if !self.pair.is_as_recorded(record, &ended, self.setting, self.store) {
                let told = format!("the test does not end as in `{}`", record.id());
                return Ok(Err(Problem::Test(other(which, &told, &ended))));
            }
        }
        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        Ok(Ok(Tried { at: Timestamp::from(SystemTime::now()), tools, system }))
    }

    /// The folder of the Python that a side is tried with; `None` if it is in an image.
    fn python(&self, which: Which) -> Result<Option<PathBuf>, Failure> {
        if self.witness.means != Means::Uv {
            return Ok(None);
        }
        let local = LocalBackend::new(LocalOptions::new(
            setting::cache(&self.setting.path),
            Box::new(|| Err("no environment is made here".into())),
        ));
        let python = local.executable(self.witness.side(which).python)?;
        Ok(Some(python.parent().unwrap_or(Path::new("/")).to_owned()))
    }
}

fn broken(error: io::Error) -> Failure {
    Failure::infrastructure("could not write the witness", error)
}

/// What of the project may be enough for the test, the smallest first: the files that its command names, and all
/// that it finds. The trial tells whether it is.
fn file_sets(project: &Project, test: &Test) -> Result<Vec<Project>, Failure> {
    let all = project.for_test(test)?;
    let names = project.manifest();
    let is_named = |word: &&String| names.contains_key(word.as_str());
    let named: Vec<String> = test.command.iter().filter(is_named).cloned().collect();
    let mut sets = Vec::new();
    if test.files.is_none() && !named.is_empty() {
        sets.push(project.for_test(&Test { files: Some(named), ..test.clone() })?);
    }
    sets.push(all);
    Ok(sets)
}

/// Puts files of the project into the folder. Its README.md gives way to that of the witness.
fn copy(files: &Project, folder: &Path) -> Result<(), Failure> {
    let names = files.manifest();
    let advice = "name what the test needs under its `files` in the configuration";
    if names.len() > MOST_FILES || files.bytes() > MOST_BYTES {
        return Err(Failure::question(format!(
            "the test finds {} files ({}), too many for a report; {advice}",
            names.len(),
            Bytes(files.bytes())
        )));
    }
    let is_ours = |name: &&String| Which::ALL.iter().any(|which| *name == which.folder());
    if let Some(name) = names.keys().find(is_ours) {
        return Err(Failure::question(format!(
            "the test finds `{name}`, and a witness has a `{name}` of its own; {advice}"
        )));
    }
    files.copy_to(folder).map_err(broken)?;
    if names.contains_key("README.md") {
        fs::remove_file(folder.join("README.md")).map_err(broken)?;
    }
    Ok(())
}

/// Moves what was made to where it is wanted, if that is still free.
fn place(made: tempfile::TempDir, folder: &Path) -> Result<(), Failure> {
    refuse_what_is_there(folder)?;
    // Only a folder without anything in it can be removed so, and gives way.
    if folder.is_dir() {
        fs::remove_dir(folder).map_err(broken)?;
    }
    // A temporary folder is its user's alone, and this one is to be read by others.
    fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).map_err(broken)?;
    fs::rename(made.path(), folder).map_err(broken)?;
    // It is no longer where it was made: there is nothing to remove.
    let _ = made.keep();
    Ok(())
}

/// How a side came out, which is not as recorded.
fn other(which: Which, told: &str, ended: &Ended) -> String {
    const SHOWN: usize = 15;
    let status = match (ended.status, ended.timed_out) {
        (Some(status), _) => format!("ended with exit status {status}"),
        (None, true) => "did not end in time".to_owned(),
        (None, false) => "was ended by a signal".to_owned(),
    };
    let mut text = format!("on the {} side {told}; it {status}", which.folder());
    for printed in [&ended.output, &ended.error] {
        let lines: Vec<&str> = printed.trim_end().lines().collect();
        for line in &lines[lines.len().saturating_sub(SHOWN)..] {
            text += &format!("\n    {}", printable(line));
        }
    }
    text
}

/// What is there is not overwritten.
pub(super) fn refuse_what_is_there(folder: &Path) -> Result<(), Failure> {
    let is_taken = match fs::read_dir(folder) {
        Ok(mut inside) => inside.next().is_some(),
        Err(_) => folder.symlink_metadata().is_ok(),
    };
    if is_taken {
        return Err(Failure::question(format!(
            "`{}` is there already and not empty; name another folder with `-o`",
            folder.display()
        )));
    }
    Ok(())
}
