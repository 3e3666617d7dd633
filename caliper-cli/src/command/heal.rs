use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use caliper_container::backend::ContainerBackend as _;
use caliper_container::interrupt::Interrupt;
use caliper_container::local::date_of_build_tools;
use caliper_container::project::Project;
use caliper_container::runner::{RunContext, RunOptions, during};
use caliper_container::study::{HealQuestion, PinnedError, heal};
use caliper_core::analysis::heal::{HealState, Healing, day, moments};
use caliper_core::facts::event::Phase;
use caliper_core::facts::store::DirStore;
use caliper_core::names::{PackageName, PythonVersion, Timestamp};
use caliper_core::question::grid::{Choice, GridCell};
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::plan::{Pins, Setup};
use caliper_core::question::selection::{SdistPolicy, Selection};
use caliper_pypi::index::{IndexError, PackageIndex as _, Release};
use caliper_pypi::resolve::resolve_project;

use crate::args::{FormatName, Heal};
use crate::cache_lock::CacheLock;
use crate::exit::{Exit, Failure, Outcome};
use crate::own;
use crate::progress;
use crate::setting::{self, OWN};
use crate::signals::Watch;
use crate::sources::{self, Index};
use crate::subject::{self, Subject};
use crate::terminal::{Terminal, printable};
use crate::today;

/// Looks for a Python on which the project works, or can be healed.
pub(super) fn run(how: &Heal, terminal: Terminal) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let folder = fs::canonicalize(&how.project).map_err(|error| {
        Failure::question(format!("there is no folder `{}`: {error}", how.project.display()))
    })?;
    if let Some(output) = how.output.as_ref().filter(|output| output.exists()) {
        let output = output.display();
        return Err(Failure::question(format!("`{output}` exists already: choose another name")));
    }
    let reporter = progress::reporter(how.progress, terminal);
    let cache = setting::cache(&folder.join(setting::FILE));
    let _in_use = CacheLock::open(&folder, &cache)?;
    let index = Index::open(&how.index, &cache, terminal)?;
    let backend = sources::local(&index, &cache, None);
    let project = Project::read_without(&folder, None, &own::outputs(&folder))?;
    let subject = Subject::of(&project, &cache)?;
    let setup = setup(how)?;
    let wanted: BTreeSet<PythonVersion> = how.python.iter().copied().collect();
    let mut interpreters =
        during(&*reporter, Phase::Pythons, || backend.interpreters(&wanted, &setup))?;
    let asked = |one: &Interpreter| how.python.iter().position(|python| *python == one.python);
    interpreters.sort_by_key(|one| (asked(one), std::cmp::Reverse(one.python)));
    if !subject.is_package && how.with.is_empty() && how.requirements.is_empty() {
        return Err(Failure::question(format!(
            "there is no package in `{}` (no `setup.py`, and no `pyproject.toml` of one), and nothing is required: \
             name the folder of a project, or what it needs with `-r FILE` or `--with REQUIREMENT`",
            folder.display()
        )));
    }
    let (came_out, says) = during(&*reporter, Phase::Index, || came_out(how, &subject, &index))?;
    terminal.note(&format!(
        "it came out on {}, as {says} says; `--came-out DATE` says another day",
        day(came_out)
    ));
    let kept = folder.join(OWN).join("heal");
    let store = DirStore::open(&kept)?;
    let today = today::of(&kept, terminal)?;
    let mut found = Vec::new();
    for interpreter in interpreters {
        let python = interpreter.python;
        terminal.note(&format!("{} {} on Python {python} …", subject.name, subject.version));
        let mut setup = setup.clone();
        let brings_setuptools = (python.major(), python.minor()) < (3, 12);
        if brings_setuptools
            && !setup.requirements.iter().any(|line| line.starts_with("setuptools"))
        {
            setup.requirements.push("setuptools".to_owned());
        }
        let plan = subject.plan(&subject.name.to_string(), setup, interpreter.clone());
        let context = RunContext {
            backend: &backend,
            project: &project,
            files: &subject,
            store: &store,
            reporter: &*reporter,
            interrupt: &interrupt,
        };
        let question = HealQuestion {
            plan: &plan,
            today,
            moments: &moments(came_out, python.released(), today),
            build_tools: &|moment| build_tools(&index, &interpreter, moment),
            repeats: how.repeats,
        };
        let healing = match heal(question, context, &RunOptions::default()) {
            Err(PinnedError::Interrupted) => {
                terminal
                    .note("interrupted; what was measured is kept, and the same command goes on");
                return Ok(watch.exit().unwrap_or(Exit::Interrupted));
            }
            healing => healing?,
        };
        if how.format.format == FormatName::Text {
            terminal.prose(&healing.to_string());
        }
        let works = healing.works();
        if matches!(healing.state, HealState::Healed { .. }) {
            write(&healing, how, &kept, terminal)?;
        }
        found.push(healing);
        if works {
            break;
        }
    }
    if how.format.format == FormatName::Json {
        super::print_json(&found, terminal)?;
    }
    Ok(if found.iter().any(Healing::works) { Exit::Done } else { Exit::Unexpected })
}

/// What is installed beside the project, and the test.
fn setup(how: &Heal) -> Result<Setup, Failure> {
    let plain = subject::setup(&how.command, how.timeout, 1);
    let command = &plain.tests[0].command;
    let mut requirements = Vec::new();
    for file in &how.requirements {
        requirements.extend(requirements_of(file)?);
    }
    requirements.extend(how.with.iter().cloned());
    let is_pytest =
        command[0] == "pytest" || command.get(1..3) == Some(&["-m", "pytest"].map(str::to_owned));
    let names = |line: &String| line.to_ascii_lowercase().starts_with("pytest");
    if is_pytest && !requirements.iter().any(names) {
        requirements.push("pytest".to_owned());
    }
    Ok(Setup { requirements, ..plain })
}

/// The requirements in a file: one on each line. Options of pip are refused, because they would be lost.
fn requirements_of(path: &Path) -> Result<Vec<String>, Failure> {
    let told = |problem: String| Failure::question(format!("`{}`: {problem}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('-') || line.ends_with('\\') {
            return Err(told(format!(
                "`{line}` is more than a requirement: write the requirements alone, one on each line"
            )));
        }
        lines.push(line.to_owned());
    }
    Ok(lines)
}

/// When the project came out, and what says so.
fn came_out(
    how: &Heal,
    subject: &Subject,
    index: &Index,
) -> Result<(Timestamp, &'static str), Failure> {
    if let Some(date) = how.came_out {
        return Ok((date, "`--came-out`"));
    }
    match index.client.project(&subject.name) {
        Ok(known) => {
            let releases = known.releases().iter();
            let mut of_release = releases.filter(|release| *release.version() == subject.version);
            let files = of_release.next().into_iter().flat_map(Release::files);
            if let Some(date) = files.filter_map(|file| file.file.upload_time).min() {
                return Ok((date, "the index"));
            }
        }
        Err(IndexError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let about = ["PKG-INFO", "setup.py", "setup.cfg", "pyproject.toml", "requirements.txt"];
    let changed = about.iter().filter_map(|name| {
        fs::metadata(how.project.join(name)).and_then(|file| file.modified()).ok()
    });
    let changed = changed.max().map(|time| (Timestamp::from(time), "the date of its files"));
    changed.ok_or_else(|| {
        Failure::question("it is not known when the project came out: write `--came-out DATE`")
    })
}

/// The newest tools for builds that fit a Python, as `local` takes them at a moment. None if the index does not say.
fn build_tools(index: &Index, interpreter: &Interpreter, moment: Timestamp) -> Pins {
    let moment = date_of_build_tools(moment, interpreter.python);
    let newest = |name: &str| {
        let name: PackageName = name.parse().ok()?;
        let project = index.client.project(&name).ok()?;
        let selection =
            Selection { as_of: Some(moment), sdist: SdistPolicy::Never, ..Selection::default() };
        let grid = resolve_project(&project, &name, &selection, std::slice::from_ref(interpreter));
        let has_file = |cell: &GridCell| matches!(cell.choice, Choice::File { .. });
        let cell = grid.ok()?.cells.into_iter().rev().find(has_file)?;
        Some((name, cell.id.version))
    };
    ["setuptools", "wheel"].into_iter().filter_map(newest).collect()
}

/// Writes the constraints.
fn write(healing: &Healing, how: &Heal, kept: &Path, terminal: Terminal) -> Result<(), Failure> {
    let usual = || kept.join(format!("constraints-{}.txt", healing.python));
    let path = how.output.clone().unwrap_or_else(usual);
    let for_builds = |path: &Path| -> PathBuf {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("build-{stem}.txt"))
    };
    let mut command = "uv pip install".to_owned();
    for (is_for_builds, path, option) in
        [(false, path.clone(), "--constraints"), (true, for_builds(&path), "--build-constraints")]
    {
        let Some(text) = healing.constraints(is_for_builds) else { continue };
        fs::write(&path, text).map_err(|error| {
            Failure::infrastructure(format!("could not write `{}`", path.display()), error)
        })?;
        command += &format!(" {option} {}", path.display());
    }
    if how.format.format == FormatName::Text {
        terminal.data(&printable(&format!("  {command} .\n")));
    }
    Ok(())
}
