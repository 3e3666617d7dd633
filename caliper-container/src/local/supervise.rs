//! Running a program to its end, whatever it does: its output is taken as it comes, its time is
//! limited, and nothing that it started outlives it.

use std::io::{self, PipeReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use caliper_core::question::limits::{CpuSet, Limits};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::control::{Controller, Group};
use super::family::Family;
use super::processors;
use crate::activity::Activity;
use crate::capture::{Capture, Captured};
use crate::interrupt::Interrupt;

/// How long a program may go on after it was asked to end.
const GRACE: Duration = Duration::from_millis(500);

/// How long the kernel may take to end a program that was killed.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// How often its memory must have been looked at before it is told. The last growth of a program that
/// runs for a moment goes unseen, and that can be half of its memory.
const LOOKS: u32 = 5;

/// Bytes kept of each stream of a program whose output is only read by Caliper.
const KEPT: u64 = 4 << 20;

/// A program, and how it is to be run. It gets no input.
pub(super) struct Program<'a> {
    command: Command,
    timeout: Duration,
    interrupt: Option<&'a Interrupt>,
    idle: Option<Duration>,
    memory: Option<u64>,
    processors: Option<&'a CpuSet>,
    group: Option<&'a Group>,
    keep: u64,
    merged: bool,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// By itself, or by a signal that did not come from here.
    Ended(ExitStatus),
    /// Killed at its limit on time.
    TimedOut,
    /// Killed because it neither printed nor computed for too long.
    Idle,
    /// Killed because it and its children used too much memory.
    OutOfMemory,
    /// Killed because the run is to stop.
    Interrupted,
}

/// What came of a program.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) how: How,
    /// Wall-clock time in seconds, without the time to clean up after it.
    pub(super) seconds: f64,
    /// The most memory that it and its children were seen to use at once, in bytes. Looked at every
    /// [`Interrupt::POLL`], so it can be less than the truth; `None` for a program that ended before
    /// there were enough looks to say.
    pub(super) peak_memory: Option<u64>,
    /// Standard output; everything if the streams were merged.
    pub(super) output: Captured,
    /// Standard error.
    pub(super) error: Captured,
}

impl<'a> Program<'a> {
    /// Runs `command` no longer than `timeout`.
    pub(super) fn new(command: Command, timeout: Duration) -> Self {
        Self {
            command,
            timeout,
            interrupt: None,
            idle: None,
            memory: None,
            processors: None,
            group: None,
            keep: KEPT,
            merged: false,
        }
    }

    /// Stops when `interrupt` is raised.
    pub(super) fn until(mut self, interrupt: &'a Interrupt) -> Self {
        self.interrupt = Some(interrupt);
        self
    }

    /// Stops when the program and its children have neither printed nor computed for so long.
    pub(super) fn idle_for(mut self, idle: Option<Duration>) -> Self {
        self.idle = idle;
        self
    }

    /// Keeps the program and its children within `limits` on memory and processors, as far as `group`
    /// does not.
    pub(super) fn within(mut self, limits: &'a Limits, group: Option<&'a Group>) -> Self {
        let keeps = |controller| group.is_some_and(|group| group.keeps(controller));
        self.memory = limits.memory.filter(|_| !keeps(Controller::Memory));
        self.processors = limits.cpuset.as_ref().filter(|_| !keeps(Controller::Cpuset));
        self.group = group;
        self
    }

    /// Keeps `bytes` of each stream.
    pub(super) fn keeping(mut self, bytes: u64) -> Self {
        self.keep = bytes;
        self
    }

    /// Takes standard error and standard output as one stream, in the order in which they came.
    pub(super) fn merged(mut self) -> Self {
        self.merged = true;
        self
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    ///
    /// Whatever the system says if it cannot be started, or not be watched. Nothing is left running.
    pub(super) fn run(self) -> io::Result<Ended> {
        let Self { mut command, timeout, interrupt, idle, memory, processors, group, keep, merged } =
            self;
        let (output, output_end) = io::pipe()?;
        let (error, error_end) = if merged {
            (None, output_end.try_clone()?)
        } else {
            io::pipe().map(|(a, b)| (Some(a), b))?
        };
        let mark = super::family::mark(&mut command);
        command.stdin(Stdio::null()).stdout(output_end).stderr(error_end).process_group(0);
        let started = Instant::now();
        let (child, running) =
            super::orphans::start(|| processors::on(processors, || spawn(&mut command)))?;
        // It holds the ends that the program writes to: with them open no stream would ever end.
        drop(command);
        let mut watch = Watch {
            family: Family::new(Pid::from_child(&child), mark),
            child,
            streams: [
                Some(Stream::new(output, keep)?),
                error.map(|error| Stream::new(error, keep)).transpose()?,
            ],
            peak_memory: None,
            looks: 0,
            activity: idle.map(Activity::new),
            memory,
        };
        let how = match group {
            Some(group) => watch.enter(group),
            None => Ok(()),
        };
        let how = how.and_then(|()| watch.wait_for_end(started + timeout, interrupt));
        let seconds = started.elapsed().as_secs_f64();
        if let Some(group) = group {
            group.kill();
        }
        // The program is not waited for yet, so nobody else can have its number.
        watch.family.kill();
        let status = watch.child.wait();
        drop(running);
        let status = status?;
        let how = how?.unwrap_or(How::Ended(status));
        let peak_memory = watch.peak_memory.filter(|_| watch.looks >= LOOKS);
        let [output, error] =
            watch.streams.map(|stream| stream.map(Stream::rest).unwrap_or_default());
        Ok(Ended { how, seconds, peak_memory, output, error })
    }
}

/// A file that was just written cannot be run as long as a process that another thread is starting
/// holds a copy of the handle it was written through: for a moment.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut patience = 100;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && patience > 0 => {
                patience -= 1;
                thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

struct Watch {
    family: Family,
    child: Child,
    streams: [Option<Stream>; 2],
    peak_memory: Option<u64>,
    looks: u32,
    activity: Option<Activity>,
    /// The most memory that all may use together, in bytes.
    memory: Option<u64>,
}

impl Watch {
    /// Puts the program into a control group, and whatever it started in the moment since it runs.
    fn enter(&mut self, group: &Group) -> io::Result<()> {
        for process in self.family.all() {
            match group.admit(process) {
                // It has ended meanwhile.
                Err(error)
                    if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
                admitted => admitted?,
            }
        }
        Ok(())
    }

    /// Waits until the program has ended, but leaves it to be waited for. Says why it had to end, if
    /// it had to.
    fn wait_for_end(
        &mut self,
        deadline: Instant,
        interrupt: Option<&Interrupt>,
    ) -> io::Result<Option<How>> {
        let end = end_of(&self.child);
        let mut stopping: Option<(How, Instant)> = None;
        let mut killed: Option<Instant> = None;
        let mut looked = Instant::now();
        loop {
            if has_ended(&self.child)? {
                return Ok(stopping.map(|(how, _)| how));
            }
            let now = Instant::now();
            let idle = stopping.is_none() && self.is_idle(now);
            match (stopping, killed) {
                (None, _) if idle => {
                    self.family.signal(Signal::TERM);
                    stopping = Some((How::Idle, now + GRACE));
                }
                (None, _) if interrupt.is_some_and(Interrupt::is_raised) || now >= deadline => {
                    let how = if now >= deadline { How::TimedOut } else { How::Interrupted };
                    self.family.signal(Signal::TERM);
                    stopping = Some((how, now + GRACE));
                }
                (Some((_, until)), None) if now >= until => {
                    self.family.signal(Signal::KILL);
                    killed = Some(now);
                }
                (_, Some(killed)) if now >= killed + AFTER_KILL => {
                    let id = self.child.id();
                    return Err(io::Error::other(format!("process {id} does not end when killed")));
                }
                _ => {}
            }
            if now >= looked + Interrupt::POLL {
                looked = now;
                self.looks += 1;
                self.peak_memory = self.peak_memory.max(self.family.memory());
                let most = self.memory.filter(|_| stopping.is_none());
                if most.is_some_and(|most| self.family.uses_more_than(most)) {
                    // At once: asked to end, it could go on to take the memory of everything else.
                    self.family.signal(Signal::KILL);
                    stopping = Some((How::OutOfMemory, now));
                    killed = Some(now);
                }
            }
            let next = stopping.map_or(deadline, |(_, until)| until);
            let rest = next.saturating_duration_since(now).max(Duration::from_millis(1));
            self.wait(end.as_ref(), rest.min(Interrupt::POLL))?;
        }
    }

    /// Whether the program has done nothing for too long.
    fn is_idle(&mut self, now: Instant) -> bool {
        let printed = self.streams.iter().flatten().map(|stream| stream.seen).sum();
        let family = &mut self.family;
        let Some(activity) = &mut self.activity else { return false };
        activity.is_over(now, printed, || family.processor_time())
    }

    /// Waits for output, for the end of the program, or for so long; then takes what output there is.
    fn wait(&mut self, end: Option<&OwnedFd>, longest: Duration) -> io::Result<()> {
        // Where the kernel cannot announce the end, look often.
        let longest = if end.is_some() { longest } else { longest.min(Duration::from_millis(2)) };
        let mut handles = Vec::with_capacity(3);
        handles.extend(end.map(|end| PollFd::new(end, PollFlags::IN)));
        for stream in self.streams.iter().flatten().filter(|stream| !stream.ended) {
            handles.push(PollFd::new(&stream.pipe, PollFlags::IN));
        }
        let longest = Timespec::try_from(longest).map_err(io::Error::other)?;
        match rustix::event::poll(&mut handles, Some(&longest)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for stream in self.streams.iter_mut().flatten() {
            // A program that prints for ever must not keep us from looking at the clock.
            stream.take(64)?;
        }
        Ok(())
    }
}

/// Becomes readable when the program ends.
#[cfg(target_os = "linux")]
fn end_of(child: &Child) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn end_of(_: &Child) -> Option<OwnedFd> {
    None
}

/// Whether a program has ended; its number stays its own.
fn has_ended(child: &Child) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match rustix::process::waitid(WaitId::Pid(Pid::from_child(child)), options) {
        Ok(status) => Ok(status.is_some()),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

struct Stream {
    pipe: PipeReader,
    capture: Capture,
    /// How many bytes came.
    seen: u64,
    ended: bool,
}

impl Stream {
    fn new(pipe: PipeReader, keep: u64) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(pipe.as_fd(), true)?;
        Ok(Self { pipe, capture: Capture::new(keep), seen: 0, ended: false })
    }

    /// Takes what there is, at most `times` a buffer full.
    fn take(&mut self, times: usize) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        for _ in 0..times {
            if self.ended {
                break;
            }
            match self.pipe.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    self.seen += read as u64;
                    self.capture.push(&buffer[..read]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what is left in the pipe. Waits for nobody: who could still write is no part of the
    /// program.
    fn rest(mut self) -> Captured {
        // No pipe holds more than this, so whatever comes behind it is new.
        let _ = self.take(128);
        self.capture.finish()
    }
}
