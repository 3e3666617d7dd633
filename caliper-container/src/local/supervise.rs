//! Runs a program to its end: reads its output, enforces its limits, and kills all its descendants.
//!
//! One thread supervises one program with a single loop around `poll`. The loop wakes up when there is
//! output, when the program ends (through a pidfd), and at least every [`Interrupt::POLL`] to check
//! time, memory and activity. The program is waited for only after everything else was killed: until
//! then its process number, by which its group is addressed, cannot be given to another process.

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

/// How long a program may continue after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);

/// How long a program may take to end after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// How many memory samples are needed to report a peak. In a very short run the last growth, perhaps
/// half of the memory, is not seen.
const LOOKS: u32 = 5;

/// Bytes kept of each stream if only Caliper reads the output.
const KEPT: u64 = 4 << 20;

/// A program and how to run it. Its standard input is empty.
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
    /// By itself, or by a signal that Caliper did not send.
    Ended(ExitStatus),
    /// Killed at its limit on time.
    TimedOut,
    /// Killed because it was idle for too long.
    Idle,
    /// Killed because it and its children used too much memory together.
    OutOfMemory,
    /// Killed because the run was interrupted.
    Interrupted,
}

/// The outcome of a program.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) how: How,
    /// Wall-clock time, without the time to clean up after it.
    pub(super) elapsed: Duration,
    /// Processor time of the program, of the children that it waited for, and of what still ran when it
    /// ended, in steps of 10 ms; `None` where the system does not tell.
    pub(super) cpu_time: Option<Duration>,
    /// The largest observed memory of it and its children together, in bytes. It is sampled every
    /// [`Interrupt::POLL`], so the true peak can be higher. `None` if there were too few samples.
    pub(super) peak_memory: Option<u64>,
    /// Standard output; both streams if they were merged.
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

    /// Stops when the program and its children were idle for this long.
    pub(super) fn idle_for(mut self, idle: Option<Duration>) -> Self {
        self.idle = idle;
        self
    }

    /// Enforces the `limits` on memory and processors that `group` does not enforce.
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

    /// Merges standard error and standard output into one stream, in order of arrival.
    pub(super) fn merged(mut self) -> Self {
        self.merged = true;
        self
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    ///
    /// The system's error if the program cannot be started or supervised. Nothing is left running.
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
        // It holds the write ends of the pipes. While they are open, the streams never end.
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
        let elapsed = started.elapsed();
        // What has ended keeps its account until it is waited for.
        let cpu_time = cfg!(target_os = "linux").then(|| watch.family.processor_time());
        if let Some(group) = group {
            group.kill();
        }
        // The program was not waited for yet, so its number cannot belong to another process.
        watch.family.kill();
        let status = watch.child.wait();
        drop(running);
        let status = status?;
        let how = how?.unwrap_or(How::Ended(status));
        let peak_memory = watch.peak_memory.filter(|_| watch.looks >= LOOKS);
        let [output, error] =
            watch.streams.map(|stream| stream.map(Stream::rest).unwrap_or_default());
        Ok(Ended { how, elapsed, cpu_time, peak_memory, output, error })
    }
}

/// Starts a program, and retries for a moment on `ETXTBSY`: a file that was just written cannot be
/// executed while a process that another thread is forking still holds a copy of its write handle.
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
    /// The memory limit for all processes together, in bytes.
    memory: Option<u64>,
}

impl Watch {
    /// Moves the program into a control group, with all processes that it has started already.
    fn enter(&mut self, group: &Group) -> io::Result<()> {
        for process in self.family.all() {
            match group.admit(process) {
                // The process has ended meanwhile.
                Err(error)
                    if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
                admitted => admitted?,
            }
        }
        Ok(())
    }

    /// Waits until the program has ended, without reaping it. Returns the reason if Caliper stopped it.
    ///
    /// Stopping has two stages. At a limit or an interrupt the family gets SIGTERM, and `stopping` holds
    /// the reason and the end of the grace period. After that it gets SIGKILL, and `killed` holds the
    /// moment; a program that survives this (a process in uninterruptible sleep) is an error. The memory
    /// limit skips the first stage.
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
                    // No grace period: meanwhile it could take the memory of everything else.
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

    /// Whether the program was idle for too long.
    fn is_idle(&mut self, now: Instant) -> bool {
        let printed = self.streams.iter().flatten().map(|stream| stream.seen).sum();
        let family = &mut self.family;
        let Some(activity) = &mut self.activity else { return false };
        activity.is_over(now, printed, || family.processor_time())
    }

    /// Waits for output or for the end of the program, at most `longest`; then reads available output.
    fn wait(&mut self, end: Option<&OwnedFd>, longest: Duration) -> io::Result<()> {
        // Without a pidfd the end must be polled for.
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
            // Bounded, so that endless output does not delay the checks of the limits.
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

/// Whether a program has ended. It is not reaped, so its number stays reserved.
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
    /// How many bytes were read.
    seen: u64,
    ended: bool,
}

impl Stream {
    fn new(pipe: PipeReader, keep: u64) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(pipe.as_fd(), true)?;
        Ok(Self { pipe, capture: Capture::new(keep), seen: 0, ended: false })
    }

    /// Reads what is available, at most `times` buffers.
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

    /// Reads what is left in the pipe, without waiting: any process that could still write does not
    /// belong to the program.
    fn rest(mut self) -> Captured {
        // No pipe holds more than this; later bytes are from such a process.
        let _ = self.take(128);
        self.capture.finish()
    }
}
