//! Images: which there are, what they hold, and how they go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use hyper::Method;
use serde::Deserialize;

use super::engine::{Engine, Fault, query, segment};
use super::kind::EngineKind;
use super::labels::{self, Owner};

/// How long a pull may take, and how long it may say nothing: a registry that cannot be reached
/// must not hold up a run that has other cells to measure.
const PULL: Duration = Duration::from_secs(20 * 60);
const PULL_SILENCE: Duration = Duration::from_secs(60);

/// What an image is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image {
    pub(super) id: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(super) config: Option<ImageConfig>,
    /// The layer below; empty if it was not built here.
    #[serde(default)]
    parent: String,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(default)]
    last_tag_time: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ImageConfig {
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    user: Option<String>,
}

impl Image {
    /// The user of its programs; empty for the usual one.
    pub(super) fn user(&self) -> &str {
        let user = self.config.as_ref().and_then(|config| config.user.as_deref());
        user.unwrap_or_default()
    }

    /// Whether it says which language its programs speak.
    pub(super) fn sets_locale(&self) -> bool {
        self.variables().iter().any(|variable| {
            ["LANG=", "LC_ALL=", "LC_CTYPE="].iter().any(|name| variable.starts_with(name))
        })
    }

    /// The variables that it sets, such as `LANG=C`.
    pub(super) fn variables(&self) -> &[String] {
        let environment = self.config.as_ref().and_then(|config| config.env.as_deref());
        environment.unwrap_or_default()
    }

    /// When it last got a name, which it does whenever it is used; in seconds since 1970.
    pub(super) fn last_named(&self) -> i64 {
        let named = self.metadata.as_ref().and_then(|metadata| metadata.last_tag_time.as_deref());
        let named = named.and_then(|named| named.parse::<jiff::Timestamp>().ok());
        // An engine that does not say has images that are all as old.
        named.map_or(0, jiff::Timestamp::as_second)
    }

    fn is_ours(&self) -> bool {
        let labels = self.config.as_ref().and_then(|config| config.labels.as_ref());
        labels.is_some_and(|labels| labels.contains_key(labels::OURS))
    }
}

/// One line of the list of images.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedImage {
    pub(super) id: String,
    /// Empty without one.
    #[serde(default, deserialize_with = "digest")]
    pub(super) parent_id: String,
    #[serde(default)]
    pub(super) repo_tags: Option<Vec<String>>,
    /// Seconds since 1970.
    #[serde(default)]
    pub(super) created: i64,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Reads a digest, which Podman writes without its kind where it names a parent.
fn digest<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(if text.is_empty() || text.contains(':') { text } else { format!("sha256:{text}") })
}

impl ListedImage {
    /// Whether Caliper made it.
    pub(super) fn is_ours(&self) -> bool {
        self.labels.as_ref().is_some_and(|labels| labels.contains_key(labels::OURS))
    }

    /// Its names; an engine may say `<none>:<none>` for having none.
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        let tags = self.repo_tags.iter().flatten();
        tags.map(String::as_str).filter(|tag| !tag.starts_with("<none>"))
    }
}

/// What was found out about base images, so that it is asked once per run and not once per cell.
#[derive(Debug, Default)]
pub(super) struct Bases {
    digests: Mutex<BTreeMap<String, String>>,
    failed: Mutex<BTreeMap<String, String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bases {
    /// The digest of the image `name`, if it is there.
    pub(super) async fn digest(
        &self,
        engine: &Engine,
        name: &str,
    ) -> Result<Option<String>, Fault> {
        if let Some(digest) = lock(&self.digests).get(name) {
            return Ok(Some(digest.clone()));
        }
        let Some(image) = inspect(engine, name).await? else {
            return Ok(None);
        };
        lock(&self.digests).insert(name.to_owned(), image.id.clone());
        Ok(Some(image.id))
    }

    /// The digest of the image `name`, which is pulled if it is not there. The inner error says why
    /// it could not be; the next call then does not try again.
    pub(super) async fn obtain(
        &self,
        engine: &Engine,
        name: &str,
    ) -> Result<Result<String, String>, Fault> {
        if let Some(digest) = self.digest(engine, name).await? {
            return Ok(Ok(digest));
        }
        if let Some(failed) = lock(&self.failed).get(name) {
            return Ok(Err(failed.clone()));
        }
        let message = match pull(engine, name).await? {
            Ok(()) => match self.digest(engine, name).await? {
                Some(digest) => return Ok(Ok(digest)),
                None => "it was pulled, and is still not there".to_owned(),
            },
            Err(message) => message,
        };
        lock(&self.failed).insert(name.to_owned(), message.clone());
        Ok(Err(message))
    }

    /// Why an image could not be had, if that was tried.
    pub(super) fn failure(&self, name: &str) -> Option<String> {
        lock(&self.failed).get(name).cloned()
    }
}

/// Asks for one image.
pub(super) async fn inspect(engine: &Engine, name: &str) -> Result<Option<Image>, Fault> {
    match engine.ask(&format!("/images/{}/json", segment(name))).await {
        Ok(image) => Ok(Some(image)),
        Err(fault) if fault.is_missing() => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The layers of an image that are Caliper's, the lowest first.
pub(super) async fn layers(engine: &Engine, image: &Image) -> Result<Vec<String>, Fault> {
    let mut layers = vec![image.id.clone()];
    let mut parent = image.parent.clone();
    while !parent.is_empty()
        && let Some(next) = inspect(engine, &parent).await?
        && next.is_ours()
    {
        layers.push(next.id);
        parent = next.parent;
    }
    layers.reverse();
    Ok(layers)
}

/// Gives an image another name. `None` if there is no image of that name.
pub(super) async fn tag(engine: &Engine, name: &str, tag: &str) -> Result<Option<()>, Fault> {
    let (repository, tag) = tag.rsplit_once(':').unwrap_or((tag, "latest"));
    let path =
        query(&format!("/images/{}/tag", segment(name)), [("repo", repository), ("tag", tag)]);
    match engine.bytes(Method::POST, &path, None).await {
        Ok(_) => Ok(Some(())),
        Err(fault) if fault.is_missing() => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The names of all images.
pub(super) async fn names(engine: &Engine) -> Result<BTreeSet<String>, Fault> {
    let images = list(engine, "/images/json").await?;
    Ok(images.iter().flat_map(ListedImage::tags).map(plain_name).collect())
}

/// Every layer that Caliper made, also those in the middle.
pub(super) async fn ours(engine: &Engine) -> Result<Vec<ListedImage>, Fault> {
    let filter = serde_json::json!({ "label": [labels::OURS] }).to_string();
    list(engine, &query("/images/json", [("all", "1"), ("filters", filter.as_str())])).await
}

/// Asks for a list of images. With containerd's store the answer is 404 if one of them is removed at that
/// moment; then it is asked again.
async fn list(engine: &Engine, path: &str) -> Result<Vec<ListedImage>, Fault> {
    const ATTEMPTS: usize = 20;
    for _ in 1..ATTEMPTS {
        match engine.ask(path).await {
            Err(fault) if fault.is_missing() => {}
            listed => return listed,
        }
    }
    engine.ask(path).await
}

/// Every name by which Caliper holds on to an image that is not its own.
pub(super) async fn guards(engine: &Engine) -> Result<Vec<String>, Fault> {
    if engine.answers != EngineKind::Podman {
        return Ok(Vec::new());
    }
    let images = list(engine, "/images/json").await?;
    let foreign = images.iter().filter(|image| !image.is_ours());
    let tags = foreign.flat_map(ListedImage::tags).map(plain_name);
    Ok(tags.filter(|tag| tag.starts_with(labels::HELD)).collect())
}

/// A name as people write it: Podman puts the registry before it, and the tag may be left out.
pub(super) fn plain_name(name: &str) -> String {
    let short = ["docker.io/library/", "docker.io/", "localhost/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    with_tag(short)
}

/// A name with its tag, which may be left out.
fn with_tag(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

/// Fetches an image from its registry.
async fn pull(engine: &Engine, name: &str) -> Result<Result<(), String>, Fault> {
    // Without a tag the engine would fetch every one that there is.
    let name = with_tag(name);
    let request = query("/images/create", [("fromImage", name.as_str())]);
    let whole = async {
        // The engine answers as soon as the registry does.
        let silent = || Ok(Err(format!("no answer for {} seconds", PULL_SILENCE.as_secs())));
        let sent = engine.send(Method::POST, &request, None);
        let response = match tokio::time::timeout(PULL_SILENCE, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(Fault::Status { message, .. })) => return Ok(Err(message)),
            Ok(Err(fault)) => return Err(fault),
            Err(_) => return silent(),
        };
        let mut lines = Messages::new(response.into_body());
        loop {
            match tokio::time::timeout(PULL_SILENCE, lines.next()).await {
                Ok(Ok(None)) => return Ok(Ok(())),
                Ok(Ok(Some(message))) => {
                    if let Some(error) = message.error() {
                        return Ok(Err(error));
                    }
                }
                Ok(Err(fault)) => return Err(fault),
                Err(_) => return silent(),
            }
        }
    };
    tokio::time::timeout(PULL, whole)
        .await
        .unwrap_or_else(|_| Ok(Err(format!("it took more than {} minutes", PULL.as_secs() / 60))))
}

/// Takes a name off an image, and the image away if that was its last name and nothing stands on it.
pub(super) async fn untag(engine: &Engine, tag: &str) -> Result<(), Fault> {
    match delete(engine, tag).await {
        // Another image stands on it, or a build that was given up and goes on in Podman until its
        // step is done. Without a name it goes with the one, or is what the next run removes.
        Err(fault) if fault.is_conflict() && engine.answers == EngineKind::Podman => {
            unname(engine, tag).await
        }
        Err(fault) if !fault.is_missing() => Err(fault),
        _ => Ok(()),
    }
}

/// Removes one layer, if it is Caliper's and not needed.
pub(super) async fn remove_layer(engine: &Engine, id: &str) -> Result<(), Fault> {
    let Some(image) = inspect(engine, id).await? else {
        return Ok(());
    };
    // By number the engine would also remove an image to which the user gave a name.
    if !image.is_ours() || image.repo_tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        return Ok(());
    }
    // Docker itself refuses, but for containerd's store. What was built from the layer has inherited its
    // label.
    if engine.containerd_store && is_parent(&image.id, &ours(engine).await?) {
        return Ok(());
    }
    match delete(engine, &image.id).await {
        // It was removed already, or another image is built on it.
        Err(fault) if !fault.is_missing() && !fault.is_conflict() => Err(fault),
        _ => Ok(()),
    }
}

/// Whether one of `images` was built from the image `id`. Without it no build would find either of them.
fn is_parent(id: &str, images: &[ListedImage]) -> bool {
    images.iter().any(|image| image.parent_id == id)
}

/// How often a removal is tried again because another image went meanwhile.
const AGAIN: u32 = 3;

/// Removes what `reference` names, and nothing that it stands on but what is Caliper's.
async fn delete(engine: &Engine, reference: &str) -> Result<(), Fault> {
    let guard = match engine.answers {
        EngineKind::Podman => guard(engine, reference).await?,
        EngineKind::Docker => None,
    };
    // Without `noprune` the engine would also take whatever nameless image the cell started from.
    let path = query(&format!("/images/{}", segment(reference)), [("noprune", "1")]);
    let mut deleted = engine.bytes(Method::DELETE, &path, None).await;
    for _ in 0..AGAIN {
        if !deleted.as_ref().is_err_and(Fault::is_of_vanished_image) {
            break;
        }
        deleted = engine.bytes(Method::DELETE, &path, None).await;
    }
    if let Some(guard) = guard {
        unname(engine, &guard).await?;
    }
    deleted.map(drop)
}

/// Protects other images before Podman removes one, because Podman does not protect them itself.
///
/// If another image was built from it, the answer is a conflict, as from Docker: Podman would remove the
/// layer, and no later build could reuse it. Otherwise, an unnamed parent that is not Caliper's gets a
/// temporary name: Podman 4 ignores `noprune` and removes unnamed parents up to the first named one.
async fn guard(engine: &Engine, reference: &str) -> Result<Option<String>, Fault> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let Some(image) = inspect(engine, reference).await? else { return Ok(None) };
    let images = list(engine, &query("/images/json", [("all", "1")])).await?;
    if is_parent(&image.id, &images) {
        let message = "another image stands on it".to_owned();
        return Err(Fault::Status { code: 409, message });
    }
    let by_id: BTreeMap<&str, &ListedImage> =
        images.iter().map(|image| (image.id.as_str(), image)).collect();
    let foreign = std::iter::successors(by_id.get(image.id.as_str()), |image| {
        by_id.get(image.parent_id.as_str())
    })
    .find(|image| !image.is_ours());
    let Some(foreign) = foreign.filter(|image| image.tags().next().is_none()) else {
        return Ok(None);
    };
    let owner = Owner::this().map_or_else(|| "0-0-0".to_owned(), ToString::to_string);
    let tag = format!("{owner}_guard-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
    let path = format!("/images/{}/tag", foreign.id);
    let path = query(&path, [("repo", labels::HELD), ("tag", tag.as_str())]);
    engine.bytes(Method::POST, &path, None).await?;
    Ok(Some(format!("{}:{tag}", labels::HELD)))
}

/// Takes a name off an image, which stays even if it has no other: what only Podman can.
pub(super) async fn unname(engine: &Engine, tag: &str) -> Result<(), Fault> {
    let Some(image) = inspect(engine, tag).await? else { return Ok(()) };
    // Its own requests want names with the registry.
    let whole = image.repo_tags.iter().flatten().find(|name| plain_name(name) == tag);
    let Some((repository, version)) = whole.and_then(|name| name.rsplit_once(':')) else {
        return Ok(());
    };
    let path = format!("/v4.0.0/libpod/images/{}/untag", segment(&image.id));
    let path = query(&path, [("repo", repository), ("tag", version)]);
    match engine.bytes(Method::POST, &path, None).await {
        Err(fault) if !fault.is_missing() => Err(fault),
        _ => Ok(()),
    }
}

/// The messages of a build or a pull: JSON, one after the other. Unlike shiplift's reader, this one
/// bears a message that arrives in two pieces.
pub(super) struct Messages {
    body: hyper::Body,
    buffer: Vec<u8>,
}

/// One message of a build or a pull.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) stream: Option<String>,
    pub(super) status: Option<String>,
    pub(super) aux: Option<Aux>,
    #[serde(rename = "errorDetail")]
    pub(super) detail: Option<Detail>,
    pub(super) error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Aux {
    #[serde(rename = "ID")]
    pub(super) id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Detail {
    /// The exit status of the command that failed, where one did.
    #[serde(default)]
    pub(super) code: i64,
    #[serde(default)]
    message: String,
}

impl Message {
    /// What went wrong, if this says that something did.
    pub(super) fn error(&self) -> Option<String> {
        let detail = self.detail.as_ref().map(|detail| detail.message.clone());
        detail.filter(|message| !message.is_empty()).or_else(|| self.error.clone())
    }
}

impl Messages {
    pub(super) fn new(body: hyper::Body) -> Self {
        Self { body, buffer: Vec::new() }
    }

    /// The next message; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Fault> {
        loop {
            let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter();
            match values.next() {
                Some(Ok(message)) => {
                    let read = values.byte_offset();
                    self.buffer.drain(..read);
                    return Ok(Some(message));
                }
                Some(Err(error)) if !error.is_eof() => return Err(Fault::transport(error)),
                _ => {}
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(Fault::transport(error)),
                None if self.buffer.iter().all(u8::is_ascii_whitespace) => return Ok(None),
                None => {
                    let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                    return Err(Fault::transport(error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_people_write_them() {
        for (name, plain) in [
            ("python:3.11", "python:3.11"),
            ("docker.io/library/python:3.11", "python:3.11"),
            ("localhost/python:3.11", "python:3.11"),
            ("python", "python:latest"),
            ("localhost:5000/python", "localhost:5000/python:latest"),
            ("python@sha256:00", "python@sha256:00"),
        ] {
            assert_eq!(plain_name(name), plain, "{name}");
        }
    }

    #[test]
    fn a_list_is_asked_for_again_when_an_image_goes_meanwhile() {
        use std::io::{BufRead as _, BufReader, Write as _};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        // As Docker 28.5 answers.
        let gone = r#"{"message":"NotFound: content digest sha256:00: not found"}"#;
        let images = r#"[{"Id":"sha256:11","RepoTags":["python:3.11"]}]"#;
        let serving = std::thread::spawn(move || {
            for (status, body) in [("404 Not Found", gone), ("200 OK", images)] {
                let (mut client, _) = listener.accept().unwrap();
                let mut head = BufReader::new(&client).lines();
                while head.next().is_some_and(|line| !line.unwrap().is_empty()) {}
                let length = body.len();
                write!(client, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}")
                    .unwrap();
            }
        });
        let host = super::super::host::Host::Unix(path.to_str().unwrap().to_owned());
        let engine = Engine::new(host, EngineKind::Docker).unwrap();
        let names = engine.block_on(names(&engine)).unwrap();
        assert_eq!(names, BTreeSet::from(["python:3.11".to_owned()]));
        serving.join().unwrap();
    }

    #[test]
    fn a_message_may_arrive_in_pieces() {
        let pieces =
            ["{\"stream\":\"a", "b\\n\"}\r\n{\"status\":\"x\"}\r\n{\"err", "or\":\"no\"}\r\n"];
        let pieces = pieces.map(Ok::<_, std::io::Error>);
        let body = hyper::Body::wrap_stream(futures_util::stream::iter(pieces));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let messages = runtime.block_on(async {
            let mut reader = Messages::new(body);
            let mut messages = Vec::new();
            while let Some(message) = reader.next().await.unwrap() {
                messages.push(message);
            }
            messages
        });
        assert_eq!(messages[0].stream.as_deref(), Some("ab\n"));
        assert_eq!(messages[1].status.as_deref(), Some("x"));
        assert_eq!(messages[2].error().as_deref(), Some("no"));
    }
}
