//! Images that stay when their cell is done, for the next run that would make the same.
//!
//! A name on the engine holds such an image, and says what it was made from. What it is, and what its
//! build printed, is in the cache. An image is taken up where both are there; otherwise it is built,
//! which the engine does in no time out of the layers that it finds.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use caliper_core::names::{Sha256, Sha256Stream};
use caliper_core::question::plan::Recipe;

use super::dockerfile::Dockerfile;
use super::engine::Fault;
use super::images::{self, Image, ListedImage};
use super::pythons::write_whole;
use super::{DockerBackend, labels};
use crate::backend::{BackendError, EnvironmentRequest};

/// Everything that is put into the making of an image, as a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    /// The name by which the image is kept.
    fn name(&self) -> String {
        format!("{}:{}", labels::KEPT, self.0)
    }
}

/// An image that was kept.
pub(super) struct Kept {
    pub(super) image: Image,
    /// Its layers that are Caliper's, the lowest first.
    pub(super) layers: Vec<String>,
    /// What its build printed.
    pub(super) log: Vec<u8>,
}

impl DockerBackend {
    /// The key of an image; `None` if what it is made from is not known before the build. It is made over
    /// `key`, which decides what the environment holds, and what only this backend knows.
    ///
    /// What a build fetches by itself is not in it: a kept image holds the answers of its day.
    pub(super) fn key(
        &self,
        request: &EnvironmentRequest<'_>,
        recipe: &Recipe,
        dockerfile: &Dockerfile,
        key: &Sha256,
    ) -> Result<Option<Key>, BackendError> {
        let (Some(_), Some(bases)) = (&recipe.base, &dockerfile.bases) else { return Ok(None) };
        if dockerfile.uses_file && request.cell.file().is_none_or(|file| file.sha256.is_none()) {
            return Ok(None);
        }
        let mut digest = Sha256Stream::default();
        digest.field(b"image 2");
        digest.field(key.hex().as_bytes());
        for name in bases {
            let found = self
                .engine
                .block_on(self.bases.digest(&self.engine, name))
                .map_err(|fault| self.engine.error(format!("look at the image `{name}`"), fault))?;
            let Some(found) = found else { return Ok(None) };
            digest.field(found.as_bytes());
        }
        match self.options.build_index.as_ref().filter(|_| self.needs_mirror(request.setup)) {
            // Its address may change from run to run; the date is in `key`.
            Some(mirror) => digest.field(mirror.identity().as_bytes()),
            None => digest.field(self.options.index_url.as_deref().unwrap_or_default().as_bytes()),
        }
        Ok(Some(Key(digest.finish().hex()[..32].to_owned())))
    }

    /// Whether an image is kept under this key.
    pub(super) fn has_kept(&self, key: &Key) -> Result<bool, BackendError> {
        let engine = &self.engine;
        let image = engine
            .block_on(images::inspect(engine, &key.name()))
            .map_err(|fault| engine.error("look for an image that was kept", fault))?;
        Ok(image.is_some_and(|image| self.log_of(&image.id).exists()))
    }

    /// Takes up the image that is kept under this key, holding on to it by the name `tag`.
    pub(super) fn take_up(&self, key: &Key, tag: &str) -> Result<Option<Kept>, BackendError> {
        let engine = &self.engine;
        let taking = async {
            // By name, so that it is not removed in between.
            if images::tag(engine, &key.name(), tag).await?.is_none() {
                return Ok(None);
            }
            let Some(image) = images::inspect(engine, tag).await? else { return Ok(None) };
            match fs::read(self.log_of(&image.id)) {
                Ok(log) => {
                    let layers = images::layers(engine, &image).await?;
                    Ok(Some(Kept { image, layers, log }))
                }
                // Another cache than the one that it was built with.
                Err(_) => images::untag(engine, tag).await.map(|()| None),
            }
        };
        engine
            .block_on(taking)
            .map_err(|fault| engine.error("take up an image that was kept", fault))
    }

    /// Keeps an image under this key, in place of the one that was, and makes room for it.
    pub(super) fn keep(&self, image: &str, key: &Key) -> Result<(), BackendError> {
        let engine = &self.engine;
        let keeping = async {
            let older = images::inspect(engine, &key.name()).await?;
            images::tag(engine, image, &key.name()).await?;
            if let Some(older) = older.filter(|older| older.id != image) {
                for layer in images::layers(engine, &older).await?.iter().rev() {
                    images::remove_layer(engine, layer).await?;
                }
                let _ = fs::remove_file(self.log_of(&older.id));
            }
            self.make_room().await
        };
        engine.block_on(keeping).map_err(|fault| engine.error("keep an image", fault))
    }

    /// Writes down what the build of an image printed. Where that fails, it will be built again.
    pub(super) fn keep_log(&self, image: &str, log: &[u8]) {
        let _ = write_whole(&self.log_of(image), log);
    }

    /// Removes the images that were not used for the longest time, until what is kept is no more than
    /// it may be. One that a run uses loses its name only, and goes with that run.
    async fn make_room(&self) -> Result<(), Fault> {
        let engine = &self.engine;
        let _alone = self.making_room.lock().await;
        let layers = images::ours(engine).await?;
        let by_id: BTreeMap<&str, &ListedImage> =
            layers.iter().map(|layer| (layer.id.as_str(), layer)).collect();
        let chain = |image| {
            let below = |layer: &&ListedImage| by_id.get(layer.parent_id.as_str()).copied();
            std::iter::successors(Some(image), below)
        };
        let mut kept = Vec::new();
        for image in &layers {
            let names = image.tags().map(images::plain_name);
            let names: Vec<String> = names.filter(|name| name.starts_with(labels::KEPT)).collect();
            // Without a log here it was kept with another cache, which has a budget of its own.
            if names.is_empty() || !self.log_of(&image.id).exists() {
                continue;
            }
            // The first layer only has the label, and so the size of the base image.
            let base = chain(image).skip(1).last().map_or(0, |first| first.size);
            kept.push((image, names, image.size.saturating_sub(base)));
        }
        let mut total: u64 = kept.iter().map(|(_, _, size)| size).sum();
        if total <= self.options.keep {
            return Ok(());
        }
        let mut by_use = Vec::new();
        for (image, names, size) in kept {
            let used =
                images::inspect(engine, &image.id).await?.map_or(0, |image| image.last_named());
            by_use.push((used, image, names, size));
        }
        by_use.sort_by_key(|(used, ..)| *used);
        for (_, image, names, size) in by_use {
            if total <= self.options.keep {
                break;
            }
            for name in names {
                images::untag(engine, &name).await?;
            }
            for layer in chain(image) {
                images::remove_layer(engine, &layer.id).await?;
            }
            let _ = fs::remove_file(self.log_of(&image.id));
            total -= size;
        }
        Ok(())
    }

    /// Where it is written down what the build of an image printed. Only the project that keeps the image has
    /// this file.
    pub(super) fn log_of(&self, image: &str) -> PathBuf {
        let digest = image.strip_prefix("sha256:").unwrap_or(image);
        self.options.cache.join(crate::cache::IMAGES).join(format!("{digest}.log"))
    }
}
