//! Building the image of a cell.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use caliper_core::facts::record::BuildReason;
use hyper::Method;

use super::context::Context;
use super::dockerfile::{DOCKERFILE, Dockerfile};
use super::engine::{Engine, Fault, query};
use super::images::{self, Image, Message, Messages};
use super::index::GivenIndex;
use crate::backend::BackendError;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// How long a build may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// What to build.
pub(super) struct Order<'a> {
    /// What it is for, to be told in errors.
    pub(super) action: String,
    pub(super) dockerfile: &'a Dockerfile,
    /// The files to install that the Dockerfile copies.
    pub(super) files: Vec<PathBuf>,
    /// What it copies of the project.
    pub(super) project: Project,
    /// The name that the image gets.
    pub(super) tag: &'a str,
    /// The value of Caliper's label on its layers.
    pub(super) mark: &'a str,
    /// The package index that it is given.
    pub(super) index: &'a GivenIndex,
}

/// How a build ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) image: Result<Image, BuildReason>,
    pub(super) log: Vec<u8>,
}

/// How often a build is tried when the engine itself fails at it.
const ATTEMPTS: usize = 3;

/// How far a build came, whatever its end.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// The layers that it went through, in order: new ones and ones that were there.
    pub(super) layers: Vec<String>,
    /// The step that it was at: `FROM python:3.11`.
    pub(super) step: String,
}

/// Builds an image.
pub(super) fn build(
    engine: &Engine,
    order: &Order<'_>,
    interrupt: &Interrupt,
    reached: &mut Reached,
) -> Result<Finished, BackendError> {
    for _ in 1..ATTEMPTS {
        match attempt(engine, order, interrupt, reached) {
            // Mostly: another cell, or another Caliper, took away a layer that both started from, in
            // the moment between the engine's finding it and building on it.
            Err(BackendError::Refused { .. }) => {}
            ended => return ended,
        }
    }
    attempt(engine, order, interrupt, reached)
}

fn attempt(
    engine: &Engine,
    order: &Order<'_>,
    interrupt: &Interrupt,
    reached: &mut Reached,
) -> Result<Finished, BackendError> {
    let mut progress = Progress::default();
    let outcome = engine.block_on_until(interrupt, async {
        tokio::time::timeout(LIMIT, follow(engine, order, &mut progress))
            .await
            .unwrap_or(Ok(Some(Failure::Subject(BuildReason::TimedOut))))
    });
    reached.layers.append(&mut progress.reached.layers);
    reached.step.clone_from(&progress.reached.step);
    let image = match outcome? {
        Some(Failure::Subject(reason)) => Err(reason),
        Some(Failure::World(error)) => return Err(error),
        None => {
            let inspected = engine.block_on(images::inspect(engine, order.tag));
            let inspected = inspected.map_err(|fault| engine.error(order.action.clone(), fault))?;
            Ok(inspected.ok_or_else(|| BackendError::Refused {
                action: order.action.clone(),
                message: "the build succeeded, but there is no image".to_owned(),
            })?)
        }
    };
    Ok(Finished { image, log: progress.log })
}

/// What can be said of a build that is going on.
#[derive(Debug, Default)]
struct Progress {
    log: Vec<u8>,
    reached: Reached,
}

/// Why there is no image.
#[derive(Debug)]
enum Failure {
    Subject(BuildReason),
    World(BackendError),
}

async fn follow(
    engine: &Engine,
    order: &Order<'_>,
    progress: &mut Progress,
) -> Result<Option<Failure>, BackendError> {
    let failed = |fault| engine.error(order.action.clone(), fault);
    let context = Context {
        dockerfile: order.dockerfile.sent(order.mark, order.index),
        files: order.files.clone(),
        project: order.project.clone(),
    };
    let body = Some((context.stream(), "application/x-tar"));
    let response = match engine.send(Method::POST, &order.path(), body).await {
        Ok(response) => response,
        // The engine read the Dockerfile and could make nothing of it.
        Err(Fault::Status { code, message }) if code == 400 || is_template_trouble(&message) => {
            progress.say(&message);
            return Ok(Some(Failure::Subject(BuildReason::Unknown)));
        }
        Err(fault) => return Err(failed(fault)),
    };
    let mut messages = Messages::new(response.into_body());
    while let Some(message) = messages.next().await.map_err(failed)? {
        progress.take(&message);
        if let Some(error) = message.error() {
            progress.say(&error);
            let code = message.detail.as_ref().map_or(0, |detail| detail.code);
            let code = if code == 0 { status_in(&error).unwrap_or(0) } else { code };
            return Ok(Some(progress.judge(order, code, error)));
        }
    }
    Ok(None)
}

impl Order<'_> {
    fn path(&self) -> String {
        let variables = &self.index.variables;
        let arguments: BTreeMap<&str, &str> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let arguments = serde_json::json!(arguments).to_string();
        let mut pairs = vec![
            ("dockerfile", DOCKERFILE),
            ("t", self.tag),
            // The classic builder, whose layers are images: everything a build leaves can be told
            // to be Caliper's and be removed, where BuildKit has one cache for all.
            ("version", "1"),
            ("rm", "1"),
            ("forcerm", "1"),
        ];
        if !variables.is_empty() {
            pairs.push(("buildargs", arguments.as_str()));
        }
        if self.index.on_loopback {
            pairs.push(("networkmode", "host"));
        }
        query("/build", pairs)
    }
}

/// The instruction that a line of the log announces: `Step 1/2 : RUN x` from Docker,
/// `STEP 1/2: RUN x` or, of the second of three stages, `[2/3] STEP 1/2: RUN x` from Podman.
fn step(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("Step ") {
        return Some(rest.split_once(" : ")?.1.trim());
    }
    let rest = match line.strip_prefix('[') {
        Some(stage) => stage.split_once("] ")?.1,
        None => line,
    };
    Some(rest.strip_prefix("STEP ")?.split_once(": ")?.1.trim())
}

/// The exit status of the command that failed, where the engine has it in its words only, as Podman:
/// `building at STEP "RUN exit 3": while running runtime: exit status 3`.
fn status_in(error: &str) -> Option<i64> {
    error.trim_end().rsplit_once(": while running runtime: exit status ")?.1.parse().ok()
}

/// Whether the engine complains of the Dockerfile itself, or of what it copies.
fn is_template_trouble(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "parse error",
        "failed to parse",
        "unknown instruction",
        "copy failed",
        "add failed",
        // Podman's words for a copy of what is not there.
        "checking on sources under",
        "no items matching glob",
    ]
    .iter()
    .any(|telltale| message.contains(telltale))
}

impl Progress {
    fn say(&mut self, line: &str) {
        self.log.extend_from_slice(line.trim_end().as_bytes());
        self.log.push(b'\n');
    }

    fn take(&mut self, message: &Message) {
        if let Some(id) = message.aux.as_ref().and_then(|aux| aux.id.clone()) {
            self.reached.layers.push(id);
        }
        if let Some(status) = &message.status {
            self.say(status);
        }
        let Some(text) = &message.stream else { return };
        // The engine paints what came from standard error, for a terminal.
        let text = text.strip_prefix("\u{1b}[91m").unwrap_or(text);
        let text = text.strip_suffix("\u{1b}[0m").unwrap_or(text);
        self.log.extend_from_slice(text.as_bytes());
        if let Some(step) = step(text) {
            step.clone_into(&mut self.reached.step);
        }
        // ` ---> 4f5e5a0c8c3e` from Docker, `--> 4f5e5a0c8c3e` from Podman.
        if let Some((arrow, id)) = text.trim().split_once(' ')
            && matches!(arrow, "--->" | "-->")
            && id.len() >= 10
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            self.reached.layers.push(id.to_owned());
        }
    }

    /// Who is to blame for `error`, which ended the build; `code` is the exit status of the command
    /// that failed, if one did.
    fn judge(&self, order: &Order<'_>, code: i64, error: String) -> Failure {
        let refused = |message| {
            Failure::World(BackendError::Refused { action: order.action.clone(), message })
        };
        match code {
            0 => {}
            // SIGKILL, and nothing here limits the memory of a build: the machine had no more.
            137 => return refused(format!("{error} (something killed it)")),
            _ => return Failure::Subject(BuildReason::read(&String::from_utf8_lossy(&self.log))),
        }
        if let Some(image) = self.reached.step.strip_prefix("FROM ") {
            let image = image.split_whitespace().find(|word| !word.starts_with("--"));
            return Failure::World(BackendError::NoImage {
                image: image.unwrap_or_default().to_owned(),
                message: error,
            });
        }
        let reason = BuildReason::read(&error);
        if reason.is_spurious() || is_template_trouble(&error) {
            return Failure::Subject(reason);
        }
        refused(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podman_is_understood_too() {
        for (line, expected) in [
            ("Step 2/3 : RUN a : b\n", Some("RUN a : b")),
            ("STEP 2/3: RUN a: b\n", Some("RUN a: b")),
            ("[2/3] STEP 1/2: FROM x\n", Some("FROM x")),
            ("[notice] a new release of pip\n", None),
            ("STEP by step\n", None),
        ] {
            assert_eq!(step(line), expected, "{line}");
        }
        let failed = |status: &str| {
            format!(
                "building at STEP \"RUN exit 3\": while running runtime: exit status {status}\n"
            )
        };
        assert_eq!(status_in(&failed("3")), Some(3));
        // It is the program that says so.
        assert_eq!(status_in(&failed("3 said pip")), None);
        assert_eq!(status_in("The command '/bin/sh -c exit 3' returned a non-zero code: 3"), None);
    }

    #[test]
    fn the_log_and_the_layers_are_read_from_the_stream() {
        let mut progress = Progress::default();
        for text in [
            "Step 1/2 : FROM python:3.11",
            "\n",
            " ---> ba3f6e3bc271\n",
            "Step 2/2 : RUN x",
            "\n",
            " ---> Using cache\n",
            " ---> Running in 0123456789ab\n",
            "\u{1b}[91mwarning\n\u{1b}[0m",
            " ---> de32e60e6be8\n",
        ] {
            progress.take(&Message { stream: Some(text.to_owned()), ..Message::default() });
        }
        assert_eq!(progress.reached.layers, ["ba3f6e3bc271", "de32e60e6be8"]);
        assert_eq!(progress.reached.step, "RUN x");
        assert!(String::from_utf8(progress.log).unwrap().contains("\nwarning\n ---> de"));
    }
}
