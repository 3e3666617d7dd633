//! Finds and removes what earlier runs left on the engine.
//!
//! Containers and tags name their owner, a process; they are removed if that process is known to have
//! ended. Layers in the middle of a build have neither name nor owner. They are kept while any living
//! run may be building on them, and removed otherwise. Nothing without Caliper's label is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::build::Reached;
use super::container;
use super::engine::{Engine, Fault, query};
use super::images::{self, ListedImage};
use super::labels::{self, Owner};
use crate::interrupt::Interrupt;

/// The age in seconds from which a nameless layer belongs to no build: longer than any build may take.
const OLD: i64 = 45 * 60;

/// Caliper's objects on an engine, found or removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cleaned {
    /// Containers, by name.
    pub containers: Vec<String>,
    /// Images, by name, or by digest if they have none.
    pub images: Vec<String>,
    /// How large the images are, in bytes. Layers that images share are counted once for each.
    pub bytes: u64,
    /// How many containers and images were kept because a living run uses them.
    pub in_use: usize,
    /// How many images were left because another project keeps them for its runs.
    pub of_others: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedContainer {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    created: i64,
}

/// Which of Caliper's objects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those of processes that are known to have ended.
    Dead,
    /// All but those of processes that may be running.
    All,
}

/// Objects of Caliper's that are no longer needed.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    containers: Vec<(String, String)>,
    /// Tags to remove from images.
    tags: Vec<String>,
    /// Tags of Caliper on the user's images; the images stay.
    guards: Vec<String>,
    /// Layers, children before their parents.
    layers: Vec<String>,
    /// The names of images that were kept for this project, and the images.
    pub(super) kept: Vec<(String, String)>,
    bytes: u64,
    in_use: usize,
    of_others: usize,
}

/// Looks for leftovers. `is_own` says whether an image is kept for this project; images of other projects are not
/// leftovers.
pub(super) async fn find(
    engine: &Engine,
    which: Which,
    is_own: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Leftovers, Fault> {
    let mut found = Leftovers::default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let old = |created: i64| i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(created) > OLD;
    // Whether an object of this owner can be removed.
    let unneeded = |owner: Option<&str>, created: i64| match owner.and_then(Owner::parse) {
        Some(owner) if owner.is_here() => owner.is_gone(),
        // The owner is on another machine, in another container, or from before a reboot, so whether
        // it has ended is unknown.
        Some(_) => which == Which::All && old(created),
        None => old(created),
    };

    for container in containers(engine).await? {
        let owner = container.labels.get(labels::OWNER).map(String::as_str);
        if unneeded(owner, container.created) {
            let name = container.names.first().map(|name| name.trim_start_matches('/').to_owned());
            found.containers.push((container.id.clone(), name.unwrap_or(container.id)));
        } else {
            found.in_use += 1;
        }
    }

    let images = images::ours(engine).await?;
    // Every run that builds holds an image by a tag. If there is no such tag of a living run, then no
    // build is in progress, and every nameless layer without children is a leftover.
    let may_build = images
        .iter()
        .flat_map(ListedImage::tags)
        .map(images::plain_name)
        .any(|tag| holder(&tag).is_some_and(|owner| !unneeded(Some(owner), i64::MAX)));
    let parents: BTreeSet<&str> = images.iter().map(|image| image.parent_id.as_str()).collect();
    // The newest layer of a build in progress has neither a name nor a child.
    let may_be_building = |image: &ListedImage| {
        may_build
            && image.tags().next().is_none()
            && !parents.contains(image.id.as_str())
            && !old(image.created)
    };
    // Needed are images with a remaining tag, and layers of builds in progress; and then, below, all
    // their ancestors.
    let mut needed = BTreeSet::new();
    for image in &images {
        let mut kept = false;
        for tag in image.tags().map(images::plain_name) {
            let holder = holder(&tag);
            let goes = match holder {
                Some(owner) => unneeded(Some(owner), image.created),
                // An image that the user tagged belongs to the user.
                None if which == Which::All && tag.starts_with(labels::KEPT) => {
                    let own = is_own(&image.id);
                    found.of_others += usize::from(!own);
                    found.kept.extend(own.then(|| (tag.clone(), image.id.clone())));
                    own
                }
                None => false,
            };
            if goes {
                found.tags.push(tag);
            } else {
                found.in_use += usize::from(holder.is_some());
                kept = true;
            }
        }
        if kept || may_be_building(image) {
            needed.insert(image.id.as_str());
        }
    }
    let by_id: BTreeMap<&str, &ListedImage> =
        images.iter().map(|image| (image.id.as_str(), image)).collect();
    for id in needed.clone() {
        let mut next = by_id.get(id);
        while let Some(image) = next {
            needed.insert(image.id.as_str());
            next = by_id.get(image.parent_id.as_str());
        }
    }
    found.tags.sort();
    // Guards exist only for a moment, so their age does not matter: 0 counts as old.
    found.guards = images::guards(engine).await?;
    found.guards.retain(|tag| unneeded(holder(tag), 0));
    let depth = |image: &ListedImage| {
        std::iter::successors(Some(image), |image| by_id.get(image.parent_id.as_str()).copied())
            .count()
    };
    let mut layers: Vec<&ListedImage> =
        images.iter().filter(|image| !needed.contains(image.id.as_str())).collect();
    layers.sort_by_key(|image| std::cmp::Reverse(depth(image)));
    found.layers = layers.iter().map(|image| image.id.clone()).collect();
    let named = layers.iter().filter(|image| image.tags().next().is_some());
    found.bytes = named.map(|image| image.size).sum();
    Ok(found)
}

/// The owner in a tag with which a run holds an image.
fn holder(tag: &str) -> Option<&str> {
    let held = tag.strip_prefix(labels::HELD)?.strip_prefix(':')?;
    Some(held.split_once('_').map_or(held, |(owner, _)| owner))
}

async fn containers(engine: &Engine) -> Result<Vec<ListedContainer>, Fault> {
    let filter = serde_json::json!({ "label": [labels::OURS] }).to_string();
    engine.ask(&query("/containers/json", [("all", "1"), ("filters", filter.as_str())])).await
}

/// Removes the layer that the engine still completes after a build was cancelled, without any report. The
/// build began at `began`.
pub(super) async fn after_giving_up(
    engine: &Engine,
    reached: &Reached,
    began: SystemTime,
) -> Result<(), Fault> {
    /// How often to look. A large copy can take longer; the next run finds its layer.
    const LOOKS: usize = 50;
    let Some(last) = reached.layers.last() else { return Ok(()) };
    let began = began.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let is_stray = |image: &ListedImage| {
        u64::try_from(image.created).is_ok_and(|created| created >= began)
            && image.parent_id.trim_start_matches("sha256:").starts_with(last.as_str())
            && image.tags().next().is_none()
    };
    // A `RUN` step has a container with Caliper's label but without an owner, so its end can be seen.
    // A `COPY` step shows nothing until its layer appears.
    let copies = ["COPY", "ADD"].iter().any(|keyword| reached.step.starts_with(keyword));
    for _ in 0..LOOKS {
        let busy = containers(engine).await?;
        let busy = busy.iter().any(|container| !container.labels.contains_key(labels::OWNER));
        let images = images::ours(engine).await?;
        let strays: Vec<&ListedImage> = images.iter().filter(|image| is_stray(image)).collect();
        for stray in &strays {
            images::remove_layer(engine, &stray.id).await?;
        }
        if !busy && (!copies || !strays.is_empty()) {
            break;
        }
        tokio::time::sleep(Interrupt::POLL * 5).await;
    }
    Ok(())
}

impl Leftovers {
    /// The report for users.
    pub(super) fn describe(&self) -> Cleaned {
        let nameless = if self.tags.is_empty() { self.layers.as_slice() } else { &[] };
        Cleaned {
            containers: self.containers.iter().map(|(_, name)| name.clone()).collect(),
            images: self.tags.iter().chain(nameless).cloned().collect(),
            bytes: self.bytes,
            in_use: self.in_use,
            of_others: self.of_others,
        }
    }

    /// Removes everything that was found.
    pub(super) async fn remove(&self, engine: &Engine) -> Result<(), Fault> {
        for (id, _) in &self.containers {
            container::remove(engine, id).await?;
        }
        for tag in &self.tags {
            match images::untag(engine, tag).await {
                // A user's container uses the image.
                Err(fault) if fault.is_conflict() => {}
                untagged => untagged?,
            }
        }
        for layer in &self.layers {
            images::remove_layer(engine, layer).await?;
        }
        for guard in &self.guards {
            images::unname(engine, guard).await?;
        }
        Ok(())
    }
}
