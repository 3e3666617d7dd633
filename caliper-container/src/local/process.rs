//! Running one test once.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use caliper_core::facts::functions::ReportError;
use caliper_core::facts::record::TestEnd;
use caliper_core::question::limits::Limits;
use caliper_core::question::plan::TestKind;
use rustix::fs::Access;

use super::control::Group;
use super::limits::Keeper;
use super::supervise::{How, Program};
use super::variables::{self, Variables};
use super::work::Workspace;
use crate::backend::{BackendError, RunRequest, TestRun};
use crate::capture::Captured;
use crate::results::{self, Collector, Left, Seen};

/// Runs a test once in the environment in that folder.
pub(super) fn run(
    environment: &Path,
    request: &RunRequest<'_>,
    workspace: &Workspace,
    keeper: &Keeper,
) -> Result<TestRun, BackendError> {
    let RunRequest { test, limits, .. } = request;
    let place = workspace.place('t')?;
    let (home, temporary) = (place.folder("home")?, place.folder("tmp")?);
    let project = place.path().join("project");
    request.project.copy_to(&project).map_err(BackendError::machine(format!(
        "could not copy the project to `{}`",
        project.display()
    )))?;
    let mut variables = variables::of_test(environment, &home, &temporary);
    variables.extend(test.environment.iter().map(|(name, value)| (name.into(), value.into())));
    // Beside the project, so that it is in no way of a test and no result file.
    let reports = (!test.kind.is_command()).then(|| place.folder("report")).transpose()?;
    if let Some(reports) = &reports {
        variables.insert(TestKind::REPORT.into(), reports.join(results::REPORT).into());
    }

    let granted = keeper.granted(limits);
    let not_run = |reason: String| TestRun {
        end: TestEnd::NotRun { reason },
        elapsed: Duration::ZERO,
        cpu_time: None,
        granted: granted.clone(),
        peak_memory: None,
        output: Captured::default(),
        error: Captured::default(),
        files: Vec::new(),
        report: Err(ReportError::Missing),
    };
    if !environment.join("pyvenv.cfg").exists() && workspace.folder().exists() {
        // Only the tests of this environment know where it is, so one of them removed it.
        return Ok(not_run("its environment is gone: a test removed it".to_owned()));
    }
    let Some((name, arguments)) = test.command.split_first() else {
        return Ok(not_run("the command is empty".to_owned()));
    };
    let program = match find(name, &project, &variables) {
        Ok(program) => program,
        Err(error) => return Ok(not_run(format!("`{name}`: {error}"))),
    };
    // A name alone means the environment's. Another Python has other packages, and its result would be told as
    // this release's.
    if !name.contains('/')
        && !program.starts_with(environment)
        && runs_another_python(&program).unwrap_or(false)
    {
        return Ok(not_run(format!(
            "`{name}` is not installed in this environment, and the one on `PATH` runs on another Python: add \
             it to `requirements`, or give its path"
        )));
    }
    let mut command = Command::new(&program);
    command.args(arguments).current_dir(&project).env_clear().envs(&variables);
    let group = keeper.control().map(|control| control.group(limits)).transpose();
    let group = group.map_err(BackendError::machine("could not make a control group"))?;
    let program = Program::new(command, limits.timeout)
        .until(request.interrupt)
        .idle_for(limits.idle)
        .keeping(limits.output)
        .within(limits, group.as_ref());
    let ended = taking_up(&project, request, || program.run());
    let ended = match ended {
        Ok(ended) => ended,
        // It was found, so it is not itself what is missing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(not_run(format!("`{name}`: the interpreter in its first line: {error}")));
        }
        Err(error) if is_of_the_program(&error) => {
            return Ok(not_run(format!("`{name}`: {error}")));
        }
        Err(error) => return Err(BackendError::machine(format!("could not run `{name}`"))(error)),
    };
    let end = end(ended.how, group.as_ref()).ok_or(BackendError::Interrupted)?;
    let unread = |folder: &Path| {
        let (name, folder) = (&test.name, folder.display());
        BackendError::machine(format!("could not read what `{name}` left in `{folder}`"))
    };
    let left = results_in(&project, request).map_err(unread(&project))?;
    let report = match &reports {
        Some(reports) => report_in(reports, limits).map_err(unread(reports))?,
        None => Err(ReportError::Missing),
    };
    // The folders of this one run: another run of the same test prints others.
    let passing: [(&Path, &str); 4] = [
        (environment, "/environment"),
        (&project, "/project"),
        (&home, "/home"),
        (&temporary, "/tmp"),
    ];
    Ok(TestRun {
        end: left.end(end),
        elapsed: ended.elapsed,
        cpu_time: group.as_ref().and_then(Group::cpu_time).or(ended.cpu_time),
        granted,
        peak_memory: group.as_ref().and_then(Group::peak_memory).or(ended.peak_memory),
        output: settled(ended.output, &passing),
        error: settled(ended.error, &passing),
        files: left.files,
        report: report.map(|report| in_lasting_names(report, &passing)),
    })
}

/// How a test ended; `None` if the run was interrupted.
fn end(how: How, group: Option<&Group>) -> Option<TestEnd> {
    Some(match how {
        How::Interrupted => return None,
        How::TimedOut => TestEnd::TimedOut,
        How::Idle => TestEnd::Idle,
        How::OutOfMemory => TestEnd::OutOfMemory { status: None },
        // The kernel's word is the evidence: the program itself may well have gone on.
        How::Ended(status) if group.is_some_and(Group::ran_out_of_memory) => {
            TestEnd::OutOfMemory { status: status.code() }
        }
        How::Ended(status) => match (status.code(), status.signal()) {
            (Some(code), _) => TestEnd::Exited(code),
            (None, Some(signal)) => TestEnd::Signalled(signal),
            (None, None) => TestEnd::Exited(status.into_raw()),
        },
    })
}

/// Does `work`, and meanwhile takes up the result files that are complete.
fn taking_up<T>(project: &Path, request: &RunRequest<'_>, work: impl FnOnce() -> T) -> T {
    let (Some(take), false) = (request.meanwhile, request.results.is_empty()) else {
        return work();
    };
    let mut seen = Seen::default();
    let ended = Arc::clone(&seen.ended);
    let (end, waiting) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut pause = results::pause_after(Duration::ZERO);
            while waiting.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let began = Instant::now();
                let collector = Collector::new(request.results, request.limits);
                let Some(collector) = collector else { return };
                let mut collector = collector.meanwhile(std::mem::take(&mut seen));
                // A folder may go while it is looked at. What is there is seen the next time.
                let _ = collector.folder(project);
                let left = collector.finish();
                left.files.iter().for_each(take);
                seen = left.seen;
                pause = results::pause_after(began.elapsed());
            }
        });
        let done = work();
        ended.store(true, Ordering::Relaxed);
        drop(end);
        done
    })
}

/// The result files in the copy of the project.
fn results_in(project: &Path, request: &RunRequest<'_>) -> io::Result<Left> {
    let Some(mut collector) = Collector::new(request.results, request.limits) else {
        return Ok(Left::default());
    };
    collector.folder(project)?;
    Ok(collector.finish())
}

/// The report in its folder, of which the test may have made anything.
fn report_in(folder: &Path, limits: &Limits) -> io::Result<Result<Vec<u8>, ReportError>> {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let Some(mut collector) = results::report_collector(limits) else {
        return Ok(Err(ReportError::Missing));
    };
    let taken = fs::symlink_metadata(folder).and_then(|found| {
        if found.is_dir() { collector.folder(folder) } else { Err(NotADirectory.into()) }
    });
    match taken {
        Err(error) if [NotADirectory, NotFound, PermissionDenied].contains(&error.kind()) => {
            Ok(Err(ReportError::Missing))
        }
        taken => taken.map(|()| results::report(collector.finish())),
    }
}

/// Output in which folders that exist for one run only bear lasting names, as they do in a container.
/// Without this a traceback, or a warning with its place, would never be the same twice.
fn settled(captured: Captured, passing: &[(&Path, &str)]) -> Captured {
    let bytes = in_lasting_names(captured.bytes, passing);
    Captured { bytes, ..captured }
}

fn in_lasting_names(mut bytes: Vec<u8>, passing: &[(&Path, &str)]) -> Vec<u8> {
    for (folder, name) in passing {
        bytes = replace(bytes, folder.as_os_str().as_encoded_bytes(), name.as_bytes());
    }
    bytes
}

fn replace(text: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut places = memchr::memmem::find_iter(&text, from).peekable();
    if places.peek().is_none() {
        return text;
    }
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = 0;
    for place in places {
        replaced.extend_from_slice(&text[rest..place]);
        replaced.extend_from_slice(to);
        rest = place + from.len();
    }
    replaced.extend_from_slice(&text[rest..]);
    replaced
}

/// The program that a shell in the project would run, were there one.
fn find(name: &str, project: &Path, variables: &Variables) -> io::Result<PathBuf> {
    let check = |path: PathBuf| match rustix::fs::access(&path, Access::EXEC_OK) {
        Ok(()) if fs::metadata(&path)?.is_dir() => Err(rustix::io::Errno::ACCESS.into()),
        Ok(()) => Ok(path),
        Err(error) => Err(io::Error::from(error)),
    };
    if name.contains('/') {
        return check(project.join(name));
    }
    let path = variables.get(OsStr::new("PATH")).map(|path| env::split_paths(path));
    let mut refused = None;
    for folder in path.into_iter().flatten() {
        match check(project.join(folder).join(name)) {
            Ok(program) => return Ok(program),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = Some(error),
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| rustix::io::Errno::NOENT.into()))
}

/// Whether a program outside of the environment is a Python, or a script that runs on one: what an installer of
/// packages made, or a shim.
fn runs_another_python(program: &Path) -> io::Result<bool> {
    let is_python = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
        rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    };
    if is_python(program) {
        return Ok(true);
    }
    let mut start = Vec::new();
    fs::File::open(program)?.take(512).read_to_end(&mut start)?;
    let Some(line) = start.strip_prefix(b"#!") else { return Ok(false) };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    // `env python3` finds the environment's.
    let interpreter = line.split_whitespace().next().unwrap_or_default();
    // Where the first line would be too long, installers let a shell start the Python.
    let through_shell = memchr::memmem::find(&start, b"'''exec'").is_some();
    let folder = program.parent().unwrap_or(Path::new("/"));
    let has = |name: &str| folder.join(name).exists();
    // A folder with all kinds of programs, such as `/usr/bin`, has a shell too.
    let is_of_a_python = (has("python") || has("python3")) && !has("sh");
    Ok(is_python(Path::new(interpreter)) || through_shell || is_of_a_python)
}

/// Whether it is the program's own fault that it cannot be started: it is missing, not executable, no
/// program at all, or its arguments are impossible.
fn is_of_the_program(error: &io::Error) -> bool {
    use rustix::io::Errno;
    const ITS_OWN: &[Errno] = &[
        Errno::ACCESS,
        Errno::NOEXEC,
        Errno::NOTDIR,
        Errno::ISDIR,
        Errno::LOOP,
        Errno::NAMETOOLONG,
        Errno::TOOBIG,
        Errno::INVAL,
        Errno::PERM,
    ];
    error.kind() == io::ErrorKind::InvalidInput
        || Errno::from_io_error(error).is_some_and(|errno| ITS_OWN.contains(&errno))
}
