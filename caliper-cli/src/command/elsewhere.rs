//! Runs on another machine, over SSH: started, followed, asked, fetched, stopped, removed.

mod jobs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use caliper_container::backend::RunId;
use caliper_container::interrupt::Interrupt;
use caliper_container::remote::{Facts, Fetched, Host, Job, Order, RemoteError, State};
use caliper_core::names::Sha256;

use super::print;
use super::recorded::recorded;
use crate::args::{BackendName, Elsewhere, FormatName, JobArgs, Reap, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::layout::read_project;
use crate::own;
use crate::setting::{OWN, Setting};
use crate::signals::Watch;
use crate::sources;
use crate::terminal::{Terminal, printable};

/// The folder of what comes from other machines, in Caliper's own.
const HOSTS: &str = "hosts";

/// The file with the random name of the project.
const KEY: &str = "project-id";

/// How often a job is asked how far it is.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// How often the results are fetched at most at the end, while the connection fails.
const LAST_TRIES: u32 = 6;

/// What a run on another machine is given from here: which index it asks, and how it gets out.
const VARIABLES: [&str; 8] = [
    "CALIPER_INDEX_URL",
    "PIP_INDEX_URL",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
];

/// Starts what `work` asks for on another machine.
pub(super) fn run(
    work: &Work,
    elsewhere: &Elsewhere,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let host = Host::parse(elsewhere.host.as_deref().unwrap_or_default())?;
    let setting = Setting::open(work.config())?;
    own::make(&setting.folder())?;
    own::remember();
    let mut projects = vec![read_project(&setting)?];
    for test in setting.config.tests.iter().filter(|test| test.files.is_some()) {
        projects.push(projects[0].for_test(test)?);
    }
    let overlaid = projects[0].with_overlays(&setting.config.overlays)?;
    // A rule may leave files of an overlay out of the project.
    if overlaid.digest() != projects[0].digest() {
        projects.push(overlaid);
    }
    let needs_engine = match work.backend {
        BackendName::Auto => sources::usual(&setting.config) != sources::LOCAL,
        BackendName::Local => false,
        BackendName::Docker | BackendName::Podman => true,
    };
    let facts = host.look(needs_engine)?;
    terminal.note(&printable(&told(&host, &facts)));
    let program = std::env::current_exe()
        .map_err(|error| Failure::infrastructure("could not find this program", error))?;
    let arguments = arguments(std::env::args().skip(1), &setting.path)?;
    let variables: Vec<(String, String)> = VARIABLES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .filter(|(_, value)| !value.contains('\n'))
        .collect();
    let key = key(&setting)?;
    let order = Order {
        projects: &projects,
        config: &setting.path,
        program: &program,
        key: &key,
        arguments: &arguments,
        variables: &variables,
        time_to_live: elsewhere.ttl,
    };
    let mut started = None;
    let job = Job::start(&host, &order, &interrupt, &mut |job| {
        started = Some(job.id.clone());
        jobs::keep(&setting.folder(), job)
    });
    if let (Err(error), Some(id)) = (&job, &started)
        && !error.may_pass()
    {
        jobs::forget(&setting.folder(), id);
    }
    let job = job?;
    let id = &job.id;
    if elsewhere.detach {
        terminal.data(&format!("{id}\n"));
        terminal.note(&format!(
            "it goes on there for {} at most; `caliper attach {id}` waits for it, `caliper fetch {id}` copies its results",
            spoken(elsewhere.ttl)
        ));
        return Ok(Exit::Done);
    }
    terminal
        .note(&format!("job {id}; Ctrl-C stops it there too, and `--detach` would leave it alone"));
    let following = Following { job: &job, every: elsewhere.every, terminal };
    let place = folder(&setting, &host);
    let exit = following.to_its_end(&place, &interrupt, &watch)?;
    shown(&place, format, terminal)?;
    Ok(exit)
}

/// Waits for the end of a job.
pub(super) fn attach(how: &JobArgs, every: Duration, terminal: Terminal) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let setting = Setting::open(&how.config)?;
    let job = jobs::find(&setting.folder(), &how.id)?;
    let place = folder(&setting, &job.host()?);
    let following = Following { job: &job, every, terminal };
    let exit = following.to_its_end(&place, &interrupt, &watch)?;
    shown(&place, FormatName::Text, terminal)?;
    Ok(exit)
}

/// Says how far jobs are.
pub(super) fn status(id: Option<&str>, config: &Path, terminal: Terminal) -> Outcome {
    let setting = Setting::open(config)?;
    let all = match id {
        Some(id) => vec![jobs::find(&setting.folder(), id)?],
        None => jobs::all(&setting.folder())?,
    };
    if all.is_empty() {
        terminal.note("no job was started from here");
    }
    let mut exit = Exit::Done;
    for job in all {
        let state = match job.state() {
            Ok(State::Gone) => {
                jobs::forget(&setting.folder(), &job.id);
                spoken_state(State::Gone)
            }
            Ok(state) => spoken_state(state),
            Err(error) => {
                exit = Exit::Infrastructure;
                error.to_string()
            }
        };
        terminal.data(&printable(&format!("{}  {}  {state}\n", job.id, job.address)));
    }
    Ok(exit)
}

/// Copies the results of a job as they are now.
pub(super) fn fetch(how: &JobArgs, terminal: Terminal) -> Outcome {
    let setting = Setting::open(&how.config)?;
    let job = jobs::find(&setting.folder(), &how.id)?;
    let place = folder(&setting, &job.host()?);
    let fetched = job.fetch(&place)?;
    say_fetched(&fetched, &place, terminal);
    Ok(Exit::Done)
}

/// Asks a job to stop, waits for that, and copies what it measured.
pub(super) fn stop(how: &JobArgs, terminal: Terminal) -> Outcome {
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let setting = Setting::open(&how.config)?;
    let job = jobs::find(&setting.folder(), &how.id)?;
    job.stop()?;
    let place = folder(&setting, &job.host()?);
    let following = Following { job: &job, every: Duration::from_secs(10), terminal };
    following.to_its_end(&place, &interrupt, &watch)?;
    Ok(watch.exit().unwrap_or(Exit::Done))
}

/// Removes what jobs left on other machines.
pub(super) fn reap(how: &Reap, terminal: Terminal) -> Outcome {
    let project = how.config.parent().filter(|folder| !folder.as_os_str().is_empty());
    let project = project.unwrap_or(Path::new(".")).to_owned();
    let own = jobs::all(&project)?;
    let hosts: BTreeSet<String> = if how.host.is_empty() {
        own.iter().map(|job| job.address.clone()).collect()
    } else {
        how.host.iter().cloned().collect()
    };
    if hosts.is_empty() {
        terminal.note("no job was started from here; `--host` names a machine");
    }
    for address in hosts {
        let host = Host::parse(&address)?;
        // Those of other projects only if the machine is named.
        let of_host = own.iter().filter(|job| how.host.is_empty() && job.address == address);
        let ids: Vec<&str> = of_host.map(|job| job.id.as_str()).collect();
        let found = host.reap(&ids, !how.dry_run)?;
        if found.is_empty() {
            terminal.note(&printable(&format!("{address}: there is no job")));
        }
        for job in found {
            let is_gone = !matches!(job.state, State::Running);
            let what = match (job.removed, is_gone) {
                _ if job.state == State::Gone => "nothing to remove",
                (true, _) => "removed",
                (false, true) => "would be removed",
                (false, false) => "left alone",
            };
            let late = if job.is_late { ", past its time" } else { "" };
            let state = spoken_state(job.state);
            let line = format!("{address}  {}  {state}{late}: {what}\n", job.id);
            terminal.data(&printable(&line));
            if job.removed || job.state == State::Gone {
                jobs::forget(&project, &job.id);
            }
        }
    }
    Ok(Exit::Done)
}

/// A job that is followed.
struct Following<'a> {
    job: &'a Job,
    every: Duration,
    terminal: Terminal,
}

impl Following<'_> {
    /// Shows what the job says and copies its results, until it ends. A connection that is lost does it no harm.
    fn to_its_end(&self, place: &Path, interrupt: &Interrupt, watch: &Watch) -> Outcome {
        let (mut read, mut is_lost, mut asked_to_stop) = (0, false, false);
        let (mut fetched, mut all) = (Instant::now(), Fetched::default());
        let state = loop {
            if interrupt.is_raised() && !asked_to_stop {
                self.terminal.note("stopping the job there …");
                // If it cannot be reached, it goes on there: this is tried again with the next question.
                asked_to_stop = self.job.stop().is_ok();
            }
            match self.job.ask(read) {
                Ok(asked) => {
                    if std::mem::take(&mut is_lost) {
                        self.terminal.note("the connection is there again");
                    }
                    read += asked.log.len() as u64;
                    self.say(&asked.log);
                    if asked.state != State::Running {
                        break asked.state;
                    }
                }
                Err(error) if error.may_pass() => {
                    if !std::mem::replace(&mut is_lost, true) {
                        let said =
                            format!("{error}; the job goes on there, and this is tried again");
                        self.terminal.warning(&printable(&said));
                    }
                    if interrupt.is_raised() {
                        self.terminal.note(&format!(
                            "the job may go on there; `caliper stop {}` stops it",
                            self.job.id
                        ));
                        return Ok(watch.exit().unwrap_or(Exit::Interrupted));
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if fetched.elapsed() >= self.every && !is_lost {
                match self.job.fetch(place) {
                    Ok(new) => all.files += new.files,
                    // There may be no result yet, or the connection was lost: the end will tell.
                    Err(RemoteError::Unreachable { .. } | RemoteError::Failed { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                fetched = Instant::now();
            }
            wait(ASKED_EVERY, interrupt, asked_to_stop);
        };
        all.files += self.last_fetch(place)?.files;
        say_fetched(&all, place, self.terminal);
        Ok(self.ended(state, watch))
    }

    /// Copies the results of a job that has ended; a lost connection is waited for.
    fn last_fetch(&self, place: &Path) -> Result<Fetched, Failure> {
        let mut all = Fetched::default();
        let mut pause = Duration::from_secs(1);
        for tried in 1.. {
            match self.job.fetch(place) {
                Ok(fetched) => {
                    all.files += fetched.files;
                    if fetched.changed_meanwhile == 0 {
                        return Ok(all);
                    }
                }
                Err(error) if error.may_pass() && tried < LAST_TRIES => {
                    self.terminal.warning(&printable(&format!("{error}; trying again")));
                }
                Err(error) => return Err(error.into()),
            }
            if tried >= 2 * LAST_TRIES {
                break;
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        Err(Failure::infrastructure(
            "could not copy the results",
            std::io::Error::other("they change although the job has ended"),
        ))
    }

    fn say(&self, log: &[u8]) {
        for line in String::from_utf8_lossy(log).lines() {
            self.terminal.note(&printable(line));
        }
    }

    fn ended(&self, state: State, watch: &Watch) -> Exit {
        match state {
            State::Ended(0) => Exit::Done,
            State::Ended(1) => Exit::Unexpected,
            State::Ended(2) => Exit::Question,
            State::Ended(130 | 143) => watch.exit().unwrap_or(Exit::Interrupted),
            State::Ended(status) => {
                let why =
                    match status {
                        3 => "some cells could not be measured there".to_owned(),
                        124 => "it was stopped at its time to live; the same command goes on"
                            .to_owned(),
                        137 => "it was killed; the same command goes on from what it measured"
                            .to_owned(),
                        other => format!("it ended with status {other}"),
                    };
                self.terminal.warning(&format!("the job {}: {why}", self.job.id));
                Exit::Infrastructure
            }
            State::Running | State::Lost | State::Gone => {
                self.terminal.warning(&format!(
                    "the job {} does not run any more and has left no status; the same command goes on from what it measured",
                    self.job.id
                ));
                Exit::Infrastructure
            }
        }
    }
}

/// Waits, and stops waiting when a signal comes, unless the job was asked to stop already.
fn wait(time: Duration, interrupt: &Interrupt, asked_to_stop: bool) {
    let end = Instant::now() + time;
    while Instant::now() < end && (asked_to_stop || !interrupt.is_raised()) {
        std::thread::sleep(Interrupt::POLL);
    }
}

/// Prints results that were copied, if a run has ended there.
fn shown(place: &Path, format: FormatName, terminal: Terminal) -> Result<(), Failure> {
    if !place.join("results.json").is_file() {
        return Ok(());
    }
    let (_, results) = recorded(place, terminal)?;
    match format {
        FormatName::Json => super::print_json(&results, terminal),
        FormatName::Text => {
            print::results(&results, place, terminal);
            Ok(())
        }
    }
}

fn say_fetched(fetched: &Fetched, place: &Path, terminal: Terminal) {
    let files = match fetched.files {
        0 => "nothing new was copied".to_owned(),
        1 => "1 file was copied".to_owned(),
        more => format!("{more} files were copied"),
    };
    let mut said = format!("{files}; the results are in {}", place.display());
    if fetched.changed_meanwhile > 0 {
        said +=
            &format!("; {} changed meanwhile and come the next time", fetched.changed_meanwhile);
    }
    terminal.note(&printable(&said));
}

/// Where the results of a machine are kept.
fn folder(setting: &Setting, host: &Host) -> PathBuf {
    setting.folder().join(OWN).join(HOSTS).join(host.name())
}

/// The name of what is measured on other machines: of this project by its own random name, so that another one that comes
/// to stand in its place is another one there, and of this configuration.
fn key(setting: &Setting) -> Result<String, Failure> {
    let path = setting.folder().join(OWN).join(KEY);
    let name = match std::fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => name.trim().to_owned(),
        _ => {
            let name = RunId::fresh().to_string();
            std::fs::write(&path, format!("{name}\n")).map_err(|error| {
                Failure::infrastructure(format!("could not write `{}`", path.display()), error)
            })?;
            name
        }
    };
    let config = setting.path.file_name().unwrap_or_default().to_string_lossy();
    let dependency = &setting.config.dependency;
    Ok(Sha256::of(format!("{name}\n{config}\n{dependency}").as_bytes()).hex()[..16].to_owned())
}

/// The arguments of `run` there: those of this process, without what concerns only this side, and with the
/// configuration as it is called in its folder.
fn arguments(given: impl Iterator<Item = String>, config: &Path) -> Result<Vec<String>, Failure> {
    // They name files of this machine.
    const REFUSED: [&str; 2] = ["--against", "--from"];
    let with_value = Elsewhere::WITH_VALUE.iter().chain(&["--progress", "--format", "--config"]);
    let with_value: Vec<&str> = with_value.copied().collect();
    let name = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut arguments = vec!["run".to_owned(), name, "--progress".to_owned(), "plain".to_owned()];
    let mut given = given.skip_while(|word| word != "run" && word != "analyze").skip(1);
    let mut config = Some(config.display().to_string());
    while let Some(word) = given.next() {
        let option = word.split('=').next().unwrap_or_default().to_owned();
        if REFUSED.contains(&option.as_str()) {
            return Err(Failure::question(format!(
                "`{option}` does not go with `--host`: hold the results that come back against them, with `caliper compare`"
            )));
        }
        if word == "--detach" || word == "-q" || word == "-v" || word == "--no-color" {
            continue;
        }
        if with_value.contains(&option.as_str()) {
            if !word.contains('=') {
                given.next();
            }
            continue;
        }
        if config.as_ref() == Some(&word) {
            config = None;
            continue;
        }
        arguments.push(word);
    }
    Ok(arguments)
}

fn told(host: &Host, facts: &Facts) -> String {
    let free = facts.free.map(|free| format!(", {} GiB free", free >> 20)).unwrap_or_default();
    let engine = match &facts.engine {
        Some(engine) if facts.has_gpus => format!(", {engine} with a runtime for GPUs"),
        Some(engine) => format!(", {engine}"),
        None => ", no container engine".to_owned(),
    };
    format!("{}: {}{free}{engine}", host.address(), facts.system)
}

fn spoken_state(state: State) -> String {
    match state {
        State::Running => "runs".to_owned(),
        State::Ended(status) => format!("ended with status {status}"),
        State::Lost => "lost: it does not run, and left no status".to_owned(),
        State::Gone => "was removed there".to_owned(),
    }
}

fn spoken(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    match minutes {
        0 => format!("{} s", time.as_secs()),
        1..120 => format!("{minutes} min"),
        _ => format!("{} h", minutes / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_this_side_is_not_passed_on() {
        let given = "--no-color run study/x.yaml --host ssh://a --detach --ttl=2h --every 5s --only 1.*/3.11 \
                     --progress json --backend local -j 2 --format=json";
        let words = given.split_whitespace().map(str::to_owned);
        let passed = arguments(words, Path::new("study/x.yaml")).unwrap_or_default();
        assert_eq!(
            passed.join(" "),
            "run x.yaml --progress plain --only 1.*/3.11 --backend local -j 2"
        );
        let words = ["run", "--against=x", "--host", "ssh://a"].map(str::to_owned).into_iter();
        assert!(arguments(words, Path::new("caliper.yaml")).is_err());
    }
}
