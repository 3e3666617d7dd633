//! One program in one container: created, attached to, started, awaited and always removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use caliper_core::facts::record::TestEnd;
use caliper_core::question::limits::{Gpus, Limits, Network};
use futures_util::StreamExt as _;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use shiplift::tty::{Multiplexer, TtyChunk};

use super::context;
use super::engine::{Engine, Fault, patiently, query, raised};
use super::kind::EngineKind;
use crate::activity::Activity;
use crate::backend::BackendError;
use crate::capture::{Capture, Captured};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::results::{Collector, ResultFile};

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
    /// The limits that the engine says it kept.
    pub(super) granted: Limits,
    pub(super) output: Captured,
    pub(super) error: Captured,
    pub(super) files: Vec<ResultFile>,
}

impl Order {
    /// What the engine, which is of that kind, is asked to make.
    fn body(&self, kind: EngineKind) -> Value {
        let limits = &self.limits;
        let mut host = json!({
            // What a test prints is read from the attachment. Kept on the engine's disk as well, it
            // would be written twice, and an endless output would fill it.
            "LogConfig": { "Type": "none" },
            "SecurityOpt": ["no-new-privileges"],
            "CapDrop": ["ALL"],
            "CapAdd": limits.capabilities,
            // As PID 1 a program gets no signal that it has no handler for: SIGTERM would not stop
            // it, and `abort` not end it. With an init program, a program that died of signal n is
            // seen as exit status 128 + n. Orphans are collected too.
            "Init": self.init,
        });
        if let Some(memory) = limits.memory {
            host["Memory"] = json!(memory);
            if self.swap_limit {
                // Memory and swap together: no swap.
                host["MemorySwap"] = json!(memory);
            }
        }
        if let Some(cpus) = limits.cpus {
            #[expect(clippy::cast_possible_truncation, reason = "checked against the machine's")]
            let nanoseconds = (cpus * 1e9).round() as i64;
            host["NanoCpus"] = json!(nanoseconds);
        }
        if let Some(cpuset) = &limits.cpuset {
            host["CpusetCpus"] = json!(cpuset);
        }
        if let Some(pids) = limits.pids {
            host["PidsLimit"] = json!(pids);
        }
        if let Some(disk) = limits.disk {
            host["StorageOpt"] = json!({ "size": disk.to_string() });
        }
        if let Some(gpus) = &limits.gpus {
            host["DeviceRequests"] = json!([device_request(gpus, kind)]);
        }
        if let Some(runtime) = &limits.runtime {
            host["Runtime"] = json!(runtime);
        }
        if limits.network == Network::None {
            host["NetworkMode"] = json!("none");
        }
        let mut body = json!({
            "Image": self.image,
            "Cmd": self.command,
            "Env": self.environment,
            "Labels": self.labels,
            "Tty": false,
            "OpenStdin": false,
            "AttachStdout": true,
            "AttachStderr": true,
            "HostConfig": host,
        });
        if let Some(folder) = self.folder {
            body["WorkingDir"] = json!(folder);
        }
        body
    }

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
    ) -> Result<Finished, BackendError> {
        let mut container = Container { engine, name: &self.name, removed: false };
        let outcome = engine.block_on(async {
            // Not given up half-way: the engine may still do what it was asked.
            self.create(engine).await?;
            let watching = async {
                self.put_project(engine).await?;
                self.watch(engine).await
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
        let path = query(&format!("/containers/{}/archive", self.name), [("path", "/")]);
        let body = Some((context::of_project(project.clone()), "application/x-tar"));
        let sent = async {
            let response = engine.send(Method::PUT, &path, body).await?;
            hyper::body::to_bytes(response.into_body()).await.map_err(Fault::transport)
        };
        sent.await.map(drop).map_err(|fault| engine.error(self.action.clone(), fault))
    }

    /// From the start of the program to its end.
    async fn watch(&self, engine: &Engine) -> Result<Finished, BackendError> {
        let failed = |fault| engine.error(self.action.clone(), fault);
        let container = engine.docker.containers().get(&self.name);
        // Before the start: what a short program prints would otherwise be lost.
        let attached = patiently(self.attach(engine, &container)).await.map_err(failed)?;
        let granted =
            self.state(engine).await.map_err(failed)?.granted(&self.limits, engine.answers);
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
                    granted,
                    output: none.clone(),
                    error: none,
                    files: Vec::new(),
                });
            }
        }
        let mut streams = Streams::new(self.limits.output);
        let seen = Arc::clone(&streams.seen);
        let (status, stopped) = {
            let mut reading = std::pin::pin!(streams.read(attached));
            let mut waiting = std::pin::pin!(container.wait());
            let limit = async {
                tokio::select! {
                    () = tokio::time::sleep(self.limits.timeout) => TestEnd::TimedOut,
                    () = self.idle(engine, &seen) => TestEnd::Idle,
                }
            };
            let mut limit = std::pin::pin!(limit);
            let mut open = true;
            let (status, stopped) = loop {
                tokio::select! {
                    exit = &mut waiting => break (exit, None),
                    end = &mut limit => {
                        // The engine's own way: SIGTERM, and after a while SIGKILL.
                        let mut stopping = std::pin::pin!(stop(&container));
                        loop {
                            tokio::select! {
                                stopped = &mut stopping => break stopped.map_err(failed)?,
                                () = &mut reading, if open => open = false,
                            }
                        }
                        break (waiting.await, Some(end));
                    }
                    () = &mut reading, if open => open = false,
                }
            };
            if open {
                // The last of the output may be on its way still.
                let _ = tokio::time::timeout(DRAIN, reading).await;
            }
            (status.map_err(Fault::from).map_err(failed)?.status_code, stopped)
        };
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
        let files = match Collector::new(&self.results) {
            Some(collector) => self.take_results(engine, collector, &details).await?,
            None => Vec::new(),
        };
        Ok(Finished { end, seconds, granted, output, error, files })
    }

    /// Takes files out of the container, which has ended.
    async fn take_results(
        &self,
        engine: &Engine,
        mut collector: Collector,
        details: &Details,
    ) -> Result<Vec<ResultFile>, BackendError> {
        let folder = self.folder.unwrap_or(&details.config.working_dir);
        let path = query(
            &format!("/containers/{}/archive", self.name),
            [("path", if folder.is_empty() { "/" } else { folder })],
        );
        let failed = |fault| engine.error(format!("take the results of: {}", self.action), fault);
        let answer = match engine.send(Method::GET, &path, None).await {
            Ok(answer) => answer,
            // The program removed the folder that it stood in.
            Err(fault) if fault.is_missing() => return Ok(Vec::new()),
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
        let files = reading.await.map_err(std::io::Error::other).and_then(|files| files);
        files.map_err(BackendError::machine(format!("take the results of: {}", self.action)))
    }

    /// Ends when the program has neither printed nor computed for too long; never without a limit.
    async fn idle(&self, engine: &Engine, seen: &AtomicU64) {
        #[derive(Deserialize)]
        struct Stats {
            cpu_stats: Processors,
        }
        #[derive(Deserialize)]
        struct Processors {
            cpu_usage: Usage,
        }
        #[derive(Deserialize)]
        struct Usage {
            total_usage: u64,
        }
        let Some(limit) = self.limits.idle else { return std::future::pending().await };
        let mut activity = Activity::new(limit);
        let path = format!("/containers/{}/stats", self.name);
        let path = query(&path, [("stream", "false"), ("one-shot", "true")]);
        loop {
            tokio::time::sleep(activity.every()).await;
            // An engine that does not say is no evidence against the program.
            let Ok(stats) = engine.ask::<Stats>(&path).await else { continue };
            let computed = Duration::from_nanos(stats.cpu_stats.cpu_usage.total_usage);
            if activity.is_over(Instant::now(), seen.load(Ordering::Relaxed), || computed) {
                return;
            }
        }
    }

    async fn state(&self, engine: &Engine) -> Result<Details, Fault> {
        engine.ask(&format!("/containers/{}/json", self.name)).await
    }
}

/// The engine's form of a wish for graphics processors.
fn device_request(gpus: &Gpus, kind: EngineKind) -> Value {
    if kind == EngineKind::Podman {
        // The first ones for a number of them, as Docker chooses.
        let devices: Vec<String> = match gpus {
            Gpus::Devices(devices) => devices.clone(),
            Gpus::Count(count) if *count < 0 => vec!["all".to_owned()],
            Gpus::Count(count) => (0..*count).map(|number| number.to_string()).collect(),
        };
        let names: Vec<String> =
            devices.iter().map(|device| format!("nvidia.com/gpu={device}")).collect();
        return json!({ "Driver": "cdi", "DeviceIDs": names });
    }
    let mut request = json!({ "Capabilities": [["gpu"]] });
    match gpus {
        Gpus::Count(count) => request["Count"] = json!(count),
        Gpus::Devices(devices) => request["DeviceIDs"] = json!(devices),
    }
    request
}

/// What the engine says of a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    state: State,
    #[serde(default)]
    host_config: HostConfig,
    #[serde(default)]
    config: ContainerConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ContainerConfig {
    working_dir: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    #[serde(rename = "OOMKilled", default)]
    oom_killed: bool,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

/// The limits of a container: those that the engine cannot keep it sets to nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    memory: u64,
    nano_cpus: u64,
    cpu_quota: i64,
    cpu_period: i64,
    cpuset_cpus: String,
    pids_limit: Option<i64>,
    storage_opt: Option<BTreeMap<String, String>>,
    network_mode: String,
    cap_add: Option<BTreeSet<String>>,
    device_requests: Option<Vec<Value>>,
    runtime: Option<String>,
}

impl Details {
    /// What was really granted, where `asked` was asked for, by an engine of that kind.
    fn granted(&self, asked: &Limits, kind: EngineKind) -> Limits {
        let host = &self.host_config;
        // Podman never repeats these two. It does not start a container that it cannot give them.
        let silent = kind == EngineKind::Podman;
        #[expect(clippy::cast_precision_loss, reason = "no machine has so many processors")]
        let cpus = match (host.nano_cpus, host.cpu_quota) {
            (0, quota) if quota > 0 && host.cpu_period > 0 => {
                Some(quota as f64 / host.cpu_period as f64)
            }
            (0, _) => None,
            (nanoseconds, _) => Some(nanoseconds as f64 / 1e9),
        };
        let disk = host.storage_opt.as_ref().and_then(|options| options.get("size"));
        let capabilities = host.cap_add.iter().flatten();
        let capability = |name: &String| name.strip_prefix("CAP_").unwrap_or(name).to_owned();
        Limits {
            // Caliper keeps these itself.
            timeout: asked.timeout,
            idle: asked.idle,
            output: asked.output,
            memory: (host.memory > 0).then_some(host.memory),
            cpus,
            cpuset: host.cpuset_cpus.parse().ok(),
            pids: host
                .pids_limit
                .and_then(|most| u32::try_from(most).ok())
                .filter(|most| *most > 0),
            disk: if silent { asked.disk } else { disk.and_then(|size| size.parse().ok()) },
            network: if host.network_mode == "none" { Network::None } else { Network::Full },
            gpus: asked.gpus.clone().filter(|_| silent || host.device_requests.is_some()),
            runtime: asked.runtime.clone().filter(|asked| host.runtime.as_ref() == Some(asked)),
            capabilities: capabilities.map(capability).collect(),
        }
    }
}

impl State {
    /// How long the program ran, in the engine's words: without the time that the engine took to
    /// start and to bury it.
    fn seconds(&self) -> Option<f64> {
        let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let ran = moment(&self.finished_at)?.duration_since(moment(&self.started_at)?);
        // The clock of the machine may have been set meanwhile.
        (!ran.is_negative()).then(|| ran.as_secs_f64())
    }
}

async fn stop(container: &shiplift::Container<'_>) -> Result<(), Fault> {
    match patiently(async { Ok(container.stop(Some(GRACE)).await?) }).await {
        // It ended at the very moment.
        Err(Fault::Status { code: 304, .. }) => Ok(()),
        stopped => stopped,
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

/// What the status of a program that ended by itself means.
fn end(status: i32, command: &[String], output: &[u8], error: &[u8]) -> TestEnd {
    match status {
        // Podman's init program ends with 1, of which only its words tell that nothing was started.
        1 if output.is_empty() => refusal_of_catatonit(command, error)
            .map_or(TestEnd::Exited(status), |reason| TestEnd::NotRun { reason }),
        126 | 127 if output.is_empty() => refusal_of_tini(error)
            .or_else(|| refusal_of_catatonit(command, error))
            .map_or(TestEnd::Exited(status), |reason| TestEnd::NotRun { reason }),
        _ => TestEnd::of_status(status),
    }
}

/// Why Docker's init program could not start the test's program, if it says so:
/// `[FATAL tini (7)] exec x failed: No such file or directory`.
///
/// It then ends with 126 or 127, as shells do for what they cannot find
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_08_02>). But a
/// shell that a test runs is a program that was started, and ended with that status by itself.
fn refusal_of_tini(error: &[u8]) -> Option<String> {
    // Only if nothing else was printed: a program that was started may quote this text.
    let text = std::str::from_utf8(error).ok()?.trim();
    let (_, reason) = text.strip_prefix("[FATAL tini (")?.split_once(")]")?;
    (!reason.contains('\n')).then(|| reason.trim().to_owned())
}

/// The same of Podman's, of which nothing but this is heard then, and which does not say what it is
/// about: `ERROR (catatonit:2): failed to exec pid1: No such file or directory`.
fn refusal_of_catatonit(command: &[String], error: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(error).ok()?.trim();
    let (_, reason) = text.strip_prefix("ERROR (catatonit:")?.split_once("): ")?;
    let reason = reason.strip_prefix("failed to exec pid1: ").filter(|one| !one.contains('\n'))?;
    let program = command.first().map_or("", String::as_str);
    Some(format!("exec {program} failed: {reason}"))
}

/// Why a program could not be started, if the program or the image is at fault and not the engine.
fn cannot_start(message: &str) -> Option<String> {
    const TELLTALES: &[&str] = &[
        "not found in $path",
        "no such file or directory",
        "permission denied",
        "exec format error",
        "is a directory",
        "not a directory",
    ];
    let lower = message.to_ascii_lowercase();
    // The program in question stands behind `exec:`; the same words about a mount, a device or a
    // control group are the engine's trouble.
    let at = ["exec: ", "executable file", "exec "].iter().find_map(|start| lower.find(start))?;
    TELLTALES
        .iter()
        .any(|telltale| lower[at..].contains(telltale))
        .then(|| message.get(at..).unwrap_or(message).trim_end_matches(": unknown").to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_with_its_conventions() {
        let not_run = |reason: &str| TestEnd::NotRun { reason: reason.to_owned() };
        let tini = "[FATAL tini (7)] exec nope failed: No such file or directory\n";
        let catatonit = "ERROR (catatonit:2): failed to exec pid1: Permission denied\n";
        for (status, output, error, expected) in [
            (0, "", "", TestEnd::Exited(0)),
            (1, "", "Traceback\n", TestEnd::Exited(1)),
            (1, "", catatonit, not_run("exec nope failed: Permission denied")),
            (127, "", catatonit, not_run("exec nope failed: Permission denied")),
            (1, "begun\n", catatonit, TestEnd::Exited(1)), // it was started, and quotes
            (125, "", "", TestEnd::Exited(125)), // only the command `docker` means anything by it
            (126, "", "", TestEnd::Exited(126)),
            (127, "", "sh: 1: nope: not found\n", TestEnd::Exited(127)), // the shell itself was there
            (127, "", tini, not_run("exec nope failed: No such file or directory")),
            (127, "begun\n", tini, TestEnd::Exited(127)), // it was started, and quotes
            (134, "", "", TestEnd::Signalled(6)),
            (137, "", "", TestEnd::Signalled(9)),
            (139, "", "", TestEnd::Signalled(11)),
            (255, "", "", TestEnd::Exited(255)),
        ] {
            let got = end(status, &["nope".to_owned()], output.as_bytes(), error.as_bytes());
            assert_eq!(got, expected, "{status} {error}");
        }
    }

    #[test]
    fn graphics_processors_are_asked_for_in_the_engines_way() {
        let ask = |gpus: &Gpus, kind| device_request(gpus, kind).to_string();
        let some = Gpus::Devices(vec!["0".to_owned(), "GPU-3a23".to_owned()]);
        for (gpus, docker, podman) in [
            (
                &Gpus::ALL,
                r#"{"Capabilities":[["gpu"]],"Count":-1}"#,
                r#"{"DeviceIDs":["nvidia.com/gpu=all"],"Driver":"cdi"}"#,
            ),
            (
                &Gpus::Count(2),
                r#"{"Capabilities":[["gpu"]],"Count":2}"#,
                r#"{"DeviceIDs":["nvidia.com/gpu=0","nvidia.com/gpu=1"],"Driver":"cdi"}"#,
            ),
            (
                &some,
                r#"{"Capabilities":[["gpu"]],"DeviceIDs":["0","GPU-3a23"]}"#,
                r#"{"DeviceIDs":["nvidia.com/gpu=0","nvidia.com/gpu=GPU-3a23"],"Driver":"cdi"}"#,
            ),
        ] {
            assert_eq!(ask(gpus, EngineKind::Docker), docker);
            assert_eq!(ask(gpus, EngineKind::Podman), podman);
        }
    }

    #[test]
    fn only_the_programs_own_trouble_is_its_own() {
        let runc = "OCI runtime create failed: container_linux.go:380: starting container process caused: ";
        let missing = "exec: \"nope\": executable file not found in $PATH";
        assert_eq!(cannot_start(&format!("{runc}{missing}: unknown")), Some(missing.to_owned()));
        let denied = "exec: \"/etc/passwd\": permission denied";
        assert_eq!(cannot_start(&format!("{runc}{denied}: unknown")), Some(denied.to_owned()));
        for world in [
            "error mounting \"/x\": no such file or directory",
            "failed to write to memory.limit_in_bytes: permission denied",
            "error running hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: initialization \
             error: load library failed: libnvidia-ml.so.1: no such file or directory",
            "cannot allocate memory",
        ] {
            assert_eq!(cannot_start(&format!("{runc}{world}")), None, "{world}");
        }
    }
}
