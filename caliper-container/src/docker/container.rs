//! One program in one container: created, attached to, started, awaited and always removed.

mod ending;
mod granted;
mod meter;
mod request;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use caliper_core::facts::functions::ReportError;
use caliper_core::facts::record::TestEnd;
use caliper_core::question::limits::Limits;
use futures_util::StreamExt as _;
use hyper::Method;
use serde_json::Value;
use shiplift::tty::{Multiplexer, TtyChunk};

use super::context;
use super::engine::{Engine, Fault, patiently, query, raised};
use crate::backend::BackendError;
use crate::capture::{Capture, Captured};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::results::{self, Collector, Left, ResultFile, Seen, TakeUp};
use ending::{cannot_start, end};
use granted::Details;
use meter::Meter;

/// How long a program may take to end by itself once its time is up.
const GRACE: Duration = Duration::from_secs(1);
/// How long an engine that did not do something may take to say why.
const REASON: Duration = Duration::from_secs(5);
/// How long output may still come after the program has ended.
const DRAIN: Duration = Duration::from_secs(10);

/// What to run, and with which limits.
#[derive(Debug)]
pub(super) struct Order {
    /// What it is for, to be told in errors: "run the test `x`".
    pub(super) action: String,
    /// The name of the container, by which it is found again if the engine's answer is lost.
    pub(super) name: String,
    pub(super) image: String,
    pub(super) command: Vec<String>,
    /// Where it is run; `None` for where the image says.
    pub(super) folder: Option<&'static str>,
    /// What it finds in that folder, and may change: the copy is its own.
    pub(super) project: Option<Project>,
    /// Which files of that folder are taken out of it in the end.
    pub(super) results: Vec<String>,
    /// Whether it leaves a report of its functions in the folder [`REPORTS`].
    pub(super) reports: bool,
    pub(super) environment: Vec<String>,
    pub(super) labels: Value,
    pub(super) limits: Limits,
    pub(super) swap_limit: bool,
    pub(super) init: bool,
}

/// How it went.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) end: TestEnd,
    pub(super) seconds: f64,
    /// The largest memory in bytes that the engine told of while the program ran.
    pub(super) peak_memory: Option<u64>,
    /// The limits that the engine says it kept.
    pub(super) granted: Limits,
    pub(super) output: Captured,
    pub(super) error: Captured,
    pub(super) files: Vec<ResultFile>,
    pub(super) report: Result<Vec<u8>, ReportError>,
}

/// The folder in a container for the report of a test, apart from all folders that a test or Caliper uses.
pub(super) const REPORTS: &str = "/caliper-report";

impl Order {
    /// Attaches to both of its outputs.
    async fn attach<'a>(
        &self,
        engine: &'a Engine,
        container: &shiplift::Container<'a>,
    ) -> Result<Multiplexer<'a>, Fault> {
        match container.attach().await {
            // shiplift keeps the engine's reason to itself, so it is asked again.
            Err(error @ shiplift::Error::ConnectionNotUpgraded) => {
                let path = query(
                    &format!("/containers/{}/attach", self.name),
                    [("stream", "1"), ("stdout", "1")],
                );
                let again = engine.send(Method::POST, &path, None);
                match tokio::time::timeout(REASON, again).await {
                    Ok(Err(fault)) => Err(fault),
                    _ => Err(error.into()),
                }
            }
            attached => Ok(attached?),
        }
    }

    /// Runs it. The container is gone afterwards, whatever happened.
    pub(super) fn run(
        &self,
        engine: &Engine,
        interrupt: Option<&Interrupt>,
        meanwhile: Option<TakeUp<'_>>,
    ) -> Result<Finished, BackendError> {
        let mut container = Container { engine, name: &self.name, removed: false };
        let outcome = engine.block_on(async {
            // Not given up half-way: the engine may still do what it was asked.
            self.create(engine).await?;
            let watching = async {
                self.put_project(engine).await?;
                self.put_reports(engine).await?;
                self.watch(engine, meanwhile).await
            };
            let Some(interrupt) = interrupt else { return watching.await };
            tokio::select! {
                outcome = watching => outcome,
                () = raised(interrupt) => Err(BackendError::Interrupted),
            }
        });
        let removed = container.remove();
        // What went wrong first says more than that the container could not be removed either.
        let finished = outcome?;
        removed.map_err(|fault| {
            engine.error(format!("remove the container `{}`", self.name), fault)
        })?;
        Ok(finished)
    }

    async fn create(&self, engine: &Engine) -> Result<(), BackendError> {
        let path = query("/containers/create", [("name", self.name.as_str())]);
        let answer: Result<Value, Fault> =
            engine.json(Method::POST, &path, Some(&self.body(engine.answers))).await;
        match answer {
            Ok(_) => Ok(()),
            Err(Fault::Status { code: 404, message }) => {
                Err(BackendError::NoImage { image: self.image.clone(), message })
            }
            Err(fault) => Err(engine.error(self.action.clone(), fault)),
        }
    }

    /// Unpacks the project in the container, which was not started yet.
    async fn put_project(&self, engine: &Engine) -> Result<(), BackendError> {
        // The folder itself the engine makes.
        let Some(project) = self.project.as_ref().filter(|project| !project.is_empty()) else {
            return Ok(());
        };
        self.put(engine, context::of_project(project.clone())).await
    }

    /// Makes the folder for the report, in which any user may write.
    async fn put_reports(&self, engine: &Engine) -> Result<(), BackendError> {
        if !self.reports {
            return Ok(());
        }
        self.put(engine, context::open_folder(REPORTS)).await
    }

    /// Unpacks an archive at the root of the container.
    async fn put(&self, engine: &Engine, archive: hyper::Body) -> Result<(), BackendError> {
        let path = query(&format!("/containers/{}/archive", self.name), [("path", "/")]);
        let sent = async {
            let body = Some((archive, "application/x-tar"));
            let response = engine.send(Method::PUT, &path, body).await?;
            hyper::body::to_bytes(response.into_body()).await.map_err(Fault::transport)
        };
        sent.await.map(drop).map_err(|fault| engine.error(self.action.clone(), fault))
    }

    /// From the start of the program to its end.
    async fn watch(
        &self,
        engine: &Engine,
        meanwhile: Option<TakeUp<'_>>,
    ) -> Result<Finished, BackendError> {
        let failed = |fault| engine.error(self.action.clone(), fault);
        let container = engine.docker.containers().get(&self.name);
        // Before the start: what a short program prints would otherwise be lost.
        let attached = patiently(self.attach(engine, &container)).await.map_err(failed)?;
        let created = self.state(engine).await.map_err(failed)?;
        let granted = created.granted(&self.limits, engine.answers);
        let folder = self.folder.unwrap_or(&created.config.working_dir);
        if let Some(what) = self.limits.missing_from(&granted) {
            return Err(BackendError::Unsupported {
                backend: engine.answers.name(),
                what: format!("{what}: its engine left that out without a word"),
                fix: "use another backend, or leave it out of `limits`".to_owned(),
            });
        }
        let began = Instant::now();
        match patiently(async { Ok(container.start().await?) }).await {
            Ok(()) => {}
            Err(fault) => {
                let reason = match &fault {
                    Fault::Status { message, .. } => cannot_start(message),
                    Fault::Transport(_) => None,
                };
                let reason = reason.ok_or_else(|| failed(fault))?;
                let none = Captured::default();
                let end = TestEnd::NotRun { reason };
                let seconds = began.elapsed().as_secs_f64();
                return Ok(Finished {
                    end,
                    seconds,
                    peak_memory: None,
                    granted,
                    output: none.clone(),
                    error: none,
                    files: Vec::new(),
                    report: Err(ReportError::Missing),
                });
            }
        }
        let mut streams = Streams::new(self.limits.output);
        let meter = Meter::default();
        let ended = async {
            tokio::select! {
                ended = self.await_end(engine, &container, &mut streams, attached, &meter) => ended,
                never = self.take_meanwhile(engine, folder, meanwhile) => match never {},
            }
        };
        let ended = ended.await;
        let (status, stopped) = ended.map_err(failed)?;
        let seconds = began.elapsed().as_secs_f64();
        let details = self.state(engine).await.map_err(failed)?;
        let state = &details.state;
        let output = streams.output.finish();
        let error = streams.error.finish();
        let status = i32::try_from(status).unwrap_or(i32::MAX);
        let end = match (state, stopped) {
            (_, Some(stopped)) => stopped,
            // The flag is the evidence. When only a child was killed, the status may well be 0.
            (state, None) if state.oom_killed => {
                TestEnd::OutOfMemory { status: (status != 137).then_some(status) }
            }
            (_, None) => end(status, &self.command, &output.bytes, &error.bytes),
        };
        let seconds = state.seconds().unwrap_or(seconds);
        let left = match Collector::new(&self.results, &self.limits) {
            Some(collector) => self.take(engine, collector, folder).await?,
            None => Left::default(),
        };
        let report = match results::report_collector(&self.limits) {
            Some(collector) if self.reports => {
                results::report(self.take(engine, collector, REPORTS).await?)
            }
            _ => Err(ReportError::Missing),
        };
        let end = left.end(end);
        let (peak_memory, files) = (meter.peak(), left.files);
        Ok(Finished { end, seconds, peak_memory, granted, output, error, files, report })
    }

    /// Reads the output until the program has ended, and stops the program if it exceeds its time. Returns
    /// its exit status, and why it was stopped.
    async fn await_end(
        &self,
        engine: &Engine,
        container: &shiplift::Container<'_>,
        streams: &mut Streams,
        attached: Multiplexer<'_>,
        meter: &Meter,
    ) -> Result<(u64, Option<TestEnd>), Fault> {
        let seen = Arc::clone(&streams.seen);
        let mut output = Output { reading: std::pin::pin!(streams.read(attached)), is_open: true };
        let mut waiting = std::pin::pin!(container.wait());
        let over_limit = async {
            tokio::select! {
                () = tokio::time::sleep(self.limits.timeout) => TestEnd::TimedOut,
                () = meter.watch(engine, &self.name, self.limits.idle, &seen) => TestEnd::Idle,
            }
        };
        let first = output.read_while(async {
            tokio::select! {
                exit = &mut waiting => Ok(exit),
                end = over_limit => Err(end),
            }
        });
        let (exit, stopped) = match first.await {
            Ok(exit) => (exit, None),
            Err(end) => {
                // SIGTERM, and SIGKILL after a grace period. Output is still read meanwhile: a program
                // that blocks on a full pipe could not end by itself.
                output.read_while(stop(container)).await?;
                (waiting.await, Some(end))
            }
        };
        if output.is_open {
            // The last of the output may still be on its way.
            let _ = tokio::time::timeout(DRAIN, output.reading).await;
        }
        Ok((exit?.status_code, stopped))
    }

    /// Takes up the result files that are complete, as long as the program runs.
    async fn take_meanwhile(
        &self,
        engine: &Engine,
        folder: &str,
        meanwhile: Option<TakeUp<'_>>,
    ) -> Infallible {
        let mut pause = results::pause_after(Duration::ZERO);
        let mut seen = Seen::default();
        while let Some(take) = meanwhile {
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            let Some(collector) = Collector::new(&self.results, &self.limits) else { break };
            // What cannot be read now is read at the end.
            let collector = collector.meanwhile(seen.clone());
            if let Ok(left) = self.take(engine, collector, folder).await {
                tokio::task::block_in_place(|| left.files.iter().for_each(take));
                seen = left.seen;
            }
            pause = results::pause_after(began.elapsed());
        }
        std::future::pending().await
    }

    /// Takes files out of a folder of the container, which has ended or goes on.
    async fn take(
        &self,
        engine: &Engine,
        mut collector: Collector,
        folder: &str,
    ) -> Result<Left, BackendError> {
        let path = query(
            &format!("/containers/{}/archive", self.name),
            [("path", if folder.is_empty() { "/" } else { folder })],
        );
        let failed = |fault| engine.error(format!("take the results of: {}", self.action), fault);
        let answer = match engine.send(Method::GET, &path, None).await {
            Ok(answer) => answer,
            // The program removed the folder.
            Err(fault) if fault.is_missing() => return Ok(Left::default()),
            Err(fault) => return Err(failed(fault)),
        };
        let (sender, pieces) = tokio::sync::mpsc::channel(4);
        let reading = tokio::task::spawn_blocking(move || {
            collector.archive(context::Incoming::new(pieces)).map(|()| collector.finish())
        });
        let mut body = answer.into_body();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(std::io::Error::other);
            // The reader has stopped, or has met an error.
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
        let left = reading.await.map_err(std::io::Error::other).and_then(|left| left);
        left.map_err(BackendError::machine(format!("take the results of: {}", self.action)))
    }

    async fn state(&self, engine: &Engine) -> Result<Details, Fault> {
        engine.ask(&format!("/containers/{}/json", self.name)).await
    }
}

async fn stop(container: &shiplift::Container<'_>) -> Result<(), Fault> {
    match patiently(async { Ok(container.stop(Some(GRACE)).await?) }).await {
        // It ended at the very moment.
        Err(Fault::Status { code: 304, .. }) => Ok(()),
        stopped => stopped,
    }
}

/// The reading of a program's output, which may end before the program does.
struct Output<F> {
    reading: F,
    is_open: bool,
}

impl<F: Future<Output = ()> + Unpin> Output<F> {
    /// Goes on reading until `other` is done.
    async fn read_while<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = std::pin::pin!(other);
        loop {
            tokio::select! {
                done = &mut other => return done,
                () = &mut self.reading, if self.is_open => self.is_open = false,
            }
        }
    }
}

/// The two outputs of a program.
struct Streams {
    output: Capture,
    error: Capture,
    /// How many bytes came of both.
    seen: Arc<AtomicU64>,
}

impl Streams {
    fn new(limit: u64) -> Self {
        Self { output: Capture::new(limit), error: Capture::new(limit), seen: Arc::default() }
    }

    async fn read(&mut self, mut attached: Multiplexer<'_>) {
        // After an error nothing more can come; that the program is lost shows in the wait for it.
        while let Some(Ok(chunk)) = attached.next().await {
            let (TtyChunk::StdOut(bytes) | TtyChunk::StdErr(bytes) | TtyChunk::StdIn(bytes)) =
                &chunk;
            self.seen.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            match chunk {
                TtyChunk::StdOut(bytes) => self.output.push(&bytes),
                TtyChunk::StdErr(bytes) => self.error.push(&bytes),
                TtyChunk::StdIn(_) => {}
            }
        }
    }
}

/// Removes the container even when what goes on with it panics.
struct Container<'a> {
    engine: &'a Engine,
    name: &'a str,
    removed: bool,
}

impl Container<'_> {
    fn remove(&mut self) -> Result<(), Fault> {
        self.removed = true;
        self.engine.block_on(remove(self.engine, self.name))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        if !self.removed {
            // Already on the way out because of something worse.
            let _ = self.remove();
        }
    }
}

/// Removes a container with its volumes, running or not.
pub(super) async fn remove(engine: &Engine, name: &str) -> Result<(), Fault> {
    let path = query(&format!("/containers/{name}"), [("force", "1"), ("v", "1")]);
    for attempt in 0.. {
        match engine.bytes(Method::DELETE, &path, None).await {
            Ok(_) => return Ok(()),
            Err(fault) if fault.is_missing() => return Ok(()),
            // It is being removed already, or the engine has not released it yet.
            Err(fault) if attempt < 50 && fault.is_conflict() => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
