//! A run of Caliper on another machine: started, asked, stopped, removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use caliper_core::names::Sha256;
use serde::{Deserialize, Serialize};

use super::{Host, RemoteError, go_on};
use crate::backend::RunId;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// What is to be run.
pub struct Order<'a> {
    /// The files of the project: parts that are put together, because a test may name files that no other has.
    pub projects: &'a [Project],
    /// The configuration, which is no file of the project.
    pub config: &'a Path,
    /// The program, which is copied if it is not there yet.
    pub program: &'a Path,
    /// What distinguishes this project from others on the other machine.
    pub key: &'a str,
    /// The arguments of the program.
    pub arguments: &'a [String],
    /// Environment variables of the program.
    pub variables: &'a [(String, String)],
    /// How long it may take.
    pub time_to_live: Duration,
}

/// A run on another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub id: String,
    /// The address of the machine.
    pub address: String,
    /// The name of the project there.
    pub key: String,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Running,
    /// It has ended with this status.
    Ended(i32),
    /// It does not go on and has left no status: the machine was restarted, or something killed all of it.
    Lost,
    /// It is not there any more: it was removed.
    Gone,
}

/// What a job said since it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// How far it is.
    pub state: State,
    /// What it said on standard error, from the place on that was asked for.
    pub log: Vec<u8>,
}

/// A job that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaped {
    /// Its name.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// Whether it is past its time to live.
    pub is_late: bool,
    /// Whether it was removed.
    pub removed: bool,
}

/// Takes a program from standard input, if it is not there.
const HAS: &str = r#"[ -x "$base/programs/$1/caliper" ] && echo yes || true"#;
const PROGRAM: &str = r#"
mkdir -p "$base/programs/$1"
cd "$base/programs/$1"
cat > "caliper.$$"
echo "$1  caliper.$$" | sha256sum -c --quiet -
chmod 755 "caliper.$$"
mv "caliper.$$" caliper
"#;

/// Sets `$state` to how far the job in the current folder is. It runs as long as any process of its group does: what watches
/// over its time may have been killed alone.
const STATE: &str = r#"
look() {
    state=lost
    if [ -f status ]; then state="ended $(cat status)"
    elif [ -f process ]; then
        read -r process boot < process
        if [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] && kill -0 "-$process" 2>/dev/null; then
            state=running
        elif [ -f status ]; then state="ended $(cat status)"
        fi
    fi
}
"#;

/// Takes the project from standard input, as an archive.
const PROJECT: &str = r#"
place="$base/projects/$1"
for job in "$base/jobs"/*/; do
    [ -f "$job/project" ] && [ "$(cat "$job/project")" = "$1" ] || continue
    cd "$job"
    look
    if [ "$state" = running ]; then
        echo "the job $(basename "$job") of this project goes on there: attach to it, or stop it" >&2
        exit 9
    fi
done
mkdir -p "$place/results"
rm -rf "$place/project.new"
mkdir "$place/project.new"
tar -x -f - -C "$place/project.new"
ln -s ../results "$place/project.new/.caliper"
rm -rf "$place/project"
mv "$place/project.new" "$place/project"
"#;

/// `$1` id, `$2` project, `$3` program, `$4` seconds to live, then the arguments. The variables come from standard input.
const START: &str = r#"
job="$base/jobs/$1"; project="$2"; program="$base/programs/$3/caliper"; seconds="$4"
mkdir -p "$job"
shift 4
echo "$project" > "$job/project"
echo "$(($(date +%s) + seconds))" > "$job/deadline"
while IFS= read -r line; do export "$line"; done
cd "$base/projects/$project/project"
export job program seconds
command -v setsid >/dev/null || { echo "there is no setsid (util-linux)" >&2; exit 9; }
command -v timeout >/dev/null || { echo "there is no timeout (coreutils)" >&2; exit 9; }
# Its own session: the end of this connection is not its end. What ends it at its time asks it to stop first.
setsid sh -c '
    timeout -s TERM -k 120 "$seconds" "$program" "$@" > /dev/null 2> "$job/log" < /dev/null &
    echo "$! $(cat /proc/sys/kernel/random/boot_id)" > "$job/process.new"
    mv "$job/process.new" "$job/process"
    status=0
    wait $! || status=$?
    # If only what watches over the time was killed, the rest goes on: it is one group of processes.
    kill -TERM "-$!" 2>/dev/null
    for second in $(seq 30); do
        kill -0 "-$!" 2>/dev/null || break
        sleep 1
    done
    kill -KILL "-$!" 2>/dev/null
    echo "$status" > "$job/status.new"
    mv "$job/status.new" "$job/status"
' sh "$@" > /dev/null 2>&1 < /dev/null &
# It can be asked for as soon as this returns.
for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -f "$job/process" ] && exit 0
    sleep 0.1
done
echo "it did not start: $(cat "$job/log" 2>/dev/null)" >&2
exit 9
"#;

/// `$1` id, `$2` from which byte of the log on.
const ASK: &str = r#"
[ -d "$base/jobs/$1" ] || { echo gone; exit 0; }
cd "$base/jobs/$1"
look
echo "$state"
[ -f log ] && tail -c "+$2" log | head -c 4000000 || true
"#;

const STOP: &str = r#"
cd "$base/jobs/$1" || { echo "there is no job $1" >&2; exit 9; }
look
if [ "$state" = running ]; then kill -TERM "-$process"; fi
"#;

/// Lists the jobs that are named behind `$1`, or all if none is. With `$1` as `remove`, those go that do not run.
const REAP: &str = r#"
now=$(date +%s)
what="$1"; shift
if [ $# -eq 0 ]; then set -- $(ls "$base/jobs" 2>/dev/null); fi
for id in "$@"; do
    job="$base/jobs/$id"
    if [ ! -d "$job" ]; then echo "$id no no gone"; continue; fi
    cd "$job"
    look
    late=no
    if [ -f deadline ] && [ "$(cat deadline)" -lt "$now" ]; then late=late; fi
    [ -f deadline ] || late=late
    removed=no
    if [ "$what" = remove ] && [ "$state" != running ]; then
        cd "$base"
        rm -rf "$job" && removed=removed
    fi
    echo "$(basename "$job") $late $removed $state"
done
if [ "$what" = remove ] && [ -z "$(ls -A "$base/jobs" 2>/dev/null)" ]; then
    # Environments and containers of runs that ended are swept by the program itself.
    rm -rf "$base/programs" "$base/jobs"
    for project in "$base/projects"/*/; do
        rm -rf "$project/project" "$project/project.new" "$project/results/cache"
    done
fi
true
"#;

impl Job {
    /// Copies program and project to `host`, and starts a job there. Its results are those of the project: what an
    /// earlier job measured is not measured again. `known` is given the job before it starts, so that it can be found
    /// whatever becomes of this process.
    ///
    /// # Errors
    ///
    /// [`RemoteError`], also if another job of the project goes on there. Nothing is running then, unless
    /// [`may_pass`](RemoteError::may_pass) says that the connection was lost; and what `known` says.
    pub fn start(
        host: &Host,
        order: &Order<'_>,
        interrupt: &Interrupt,
        known: &mut dyn FnMut(&Self) -> io::Result<()>,
    ) -> Result<Self, RemoteError> {
        let program = fs::read(order.program).map_err(RemoteError::here("read this program"))?;
        let digest = Sha256::of(&program).hex();
        if host.script("look for the program", HAS, &[&digest])?.trim() != "yes" {
            go_on(interrupt)?;
            host.exchange(
                "take the program",
                PROGRAM,
                &[&digest],
                &mut |pipe| pipe.write_all(&program),
                &mut |_| Ok(()),
            )?;
        }
        go_on(interrupt)?;
        send_project(host, order)?;
        go_on(interrupt)?;
        let job = Self {
            id: RunId::fresh().to_string(),
            address: host.address(),
            key: order.key.to_owned(),
        };
        known(&job).map_err(RemoteError::here("remember the job"))?;
        let seconds = order.time_to_live.as_secs().to_string();
        let mut words: Vec<&str> = vec![&job.id, order.key, &digest, &seconds];
        words.extend(order.arguments.iter().map(String::as_str));
        let variables: Vec<String> =
            order.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        host.exchange(
            "start the job",
            START,
            &words,
            &mut |pipe| pipe.write_all(variables.concat().as_bytes()),
            &mut |_| Ok(()),
        )?;
        Ok(job)
    }

    /// The machine.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Address`] if what was kept of the job was changed.
    pub fn host(&self) -> Result<Host, RemoteError> {
        Host::parse(&self.address)
    }

    /// How far it is, and what it printed from byte `from` on, counted from 0.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn ask(&self, from: u64) -> Result<JobState, RemoteError> {
        let from = (from + 1).to_string();
        let script = format!("{STATE}{ASK}");
        let mut said = Vec::new();
        self.host()?.exchange(
            "say how far the job is",
            &script,
            &[&self.id, &from],
            &mut |_| Ok(()),
            &mut |pipe| pipe.read_to_end(&mut said).map(drop),
        )?;
        let end = said.iter().position(|byte| *byte == b'\n').unwrap_or(said.len());
        let state = state(&String::from_utf8_lossy(&said[..end]));
        let log = said.get(end + 1..).unwrap_or_default().to_vec();
        Ok(JobState { state, log })
    }

    /// How far it is.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn state(&self) -> Result<State, RemoteError> {
        // Behind the end of any log.
        const END: u64 = 1 << 60;
        Ok(self.ask(END)?.state)
    }

    /// Asks it to stop, as Ctrl-C does: what was measured is kept.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn stop(&self) -> Result<(), RemoteError> {
        let script = format!("{STATE}{STOP}");
        self.host()?.script("stop the job", &script, &[&self.id]).map(drop)
    }
}

impl Host {
    /// These jobs, or all that are there if none is named. With `remove`, those that do not run are removed, and with the last also the copies of
    /// programs and projects; results stay.
    ///
    /// # Errors
    ///
    /// [`RemoteError`].
    pub fn reap(&self, jobs: &[&str], remove: bool) -> Result<Vec<Reaped>, RemoteError> {
        let mut words = vec![if remove { "remove" } else { "list" }];
        words.extend(jobs);
        let script = format!("{STATE}{REAP}");
        let said = self.script("list its jobs", &script, &words)?;
        let job = |line: &str| {
            let mut words = line.splitn(4, ' ');
            let (id, late, removed) = (words.next()?, words.next()?, words.next()?);
            Some(Reaped {
                id: id.to_owned(),
                is_late: late == "late",
                removed: removed == "removed",
                state: state(words.next()?),
            })
        };
        Ok(said.lines().filter_map(job).collect())
    }
}

fn state(text: &str) -> State {
    match text.split_once(' ') {
        Some(("ended", status)) => status.trim().parse().map_or(State::Lost, State::Ended),
        _ if text == "running" => State::Running,
        _ if text == "gone" => State::Gone,
        _ => State::Lost,
    }
}

fn send_project(host: &Host, order: &Order<'_>) -> Result<(), RemoteError> {
    let copy = tempfile::tempdir().map_err(RemoteError::here("make a temporary folder"))?;
    let folder = copy.path().join("project");
    let copied = || -> io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for (number, part) in order.projects.iter().enumerate() {
            let folder = folder.join(number.to_string());
            // The first is the whole, whose history tells versions.
            if number == 0 {
                part.copy_with_history(&folder)?;
            } else {
                part.copy_to(&folder)?;
            }
            folders.push(folder);
        }
        let name = order.config.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(folder.join("config"))?;
        fs::copy(order.config, folder.join("config").join(name))?;
        folders.push(folder.join("config"));
        Ok(folders)
    };
    let folders = copied().map_err(RemoteError::here("copy the project"))?;
    host.exchange(
        "take the project",
        &format!("{STATE}{PROJECT}"),
        &[order.key],
        &mut |pipe| {
            let mut archive = tar::Builder::new(pipe);
            archive.follow_symlinks(false);
            folders.iter().try_for_each(|folder| archive.append_dir_all(".", folder))?;
            archive.finish()
        },
        &mut |_| Ok(()),
    )
}
