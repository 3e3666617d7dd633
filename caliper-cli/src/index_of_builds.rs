//! The mirror that builds on a container engine are given, started when the first build needs it.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use caliper_container::docker::{BuildIndex, FromIndex};
use caliper_container::local::date_of_build_tools;
use caliper_core::names::{PackageName, PythonVersion, Sha256, Timestamp};
use caliper_core::question::grid::DistFile;
use caliper_core::question::lock::Lock;
use caliper_pypi::download::{DownloadOptions, Downloader};
use caliper_pypi::index::{IndexClient, PackageIndex as _, Project};
use caliper_pypi::mirror::{BUILD_TOOLS, Mirror, MirrorError, MirrorOptions, UnknownUploadTime};
use caliper_pypi::origin::{BuiltWheel, file_of};

/// A mirror of the indexes of a run.
#[derive(Debug)]
pub(crate) struct IndexOfBuilds {
    client: IndexClient,
    cache: PathBuf,
    downloads: DownloadOptions,
    /// The port that it has if that is free.
    port: u16,
    unknown_upload_time: UnknownUploadTime,
    started: OnceLock<Result<Mirror, String>>,
}

impl IndexOfBuilds {
    /// For the builds of this configuration.
    pub(crate) fn new(
        client: IndexClient,
        cache: &Path,
        downloads: DownloadOptions,
        config: &Path,
        unknown_upload_time: UnknownUploadTime,
    ) -> Self {
        Self {
            client,
            cache: cache.to_owned(),
            downloads,
            port: port(config),
            unknown_upload_time,
            started: OnceLock::new(),
        }
    }

    fn mirror(&self) -> Result<&Mirror, Box<dyn Error + Send + Sync>> {
        let started = self.started.get_or_init(|| {
            // If the port is in use, any other will do. The engine then builds layers again that it has already.
            let mirror = self.start(self.port).or_else(|_| self.start(0));
            mirror.map_err(|error| format!("{error}: {}", error.source))
        });
        started.as_ref().map_err(|error| error.clone().into())
    }

    fn start(&self, port: u16) -> Result<Mirror, MirrorError> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let files = Downloader::new(&self.client, &self.cache, self.downloads.clone());
        Mirror::start(
            self.client.clone(),
            files,
            MirrorOptions { listen, unknown_upload_time: self.unknown_upload_time },
        )
    }
}

/// The preferred port of a configuration: the address of the index is part of what an engine finds the layers of
/// commands by, so that it should be the same in every run. Below those that Linux gives to clients.
fn port(config: &Path) -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    let path = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
    let digest = Sha256::of(path.as_os_str().as_encoded_bytes()).hex();
    let number = u16::from_str_radix(&digest[..4], 16).unwrap_or_default();
    FIRST + number % COUNT
}

impl BuildIndex for IndexOfBuilds {
    fn address(
        &self,
        as_of: Option<Timestamp>,
        python: PythonVersion,
    ) -> Result<String, Box<dyn Error + Send + Sync>> {
        let mirror = self.mirror()?;
        let address = match as_of {
            Some(as_of) => mirror.address_for_builds(as_of, date_of_build_tools(as_of, python)),
            None => mirror.address(None),
        };
        Ok(address.to_string())
    }

    fn file_address(&self, file: &DistFile) -> Result<String, Box<dyn Error + Send + Sync>> {
        Ok(self.mirror()?.file_address(file))
    }

    fn lock_address(
        &self,
        lock: &Lock,
        python: PythonVersion,
    ) -> Result<String, Box<dyn Error + Send + Sync>> {
        let tools = lock.tools_as_of().map(|as_of| date_of_build_tools(as_of, python));
        Ok(self.mirror()?.lock_address(lock, tools).to_string())
    }

    fn file_of(
        &self,
        installed: &FromIndex<'_>,
    ) -> Result<Option<DistFile>, Box<dyn Error + Send + Sync>> {
        let FromIndex { name, version, tags, build, interpreter, as_of, lock, .. } = *installed;
        let wheel = BuiltWheel { version, tags, build, interpreter };
        if let Some(lock) = lock {
            let offered = lock.package(name).map(|locked| locked.file.offered());
            let project = Project::from_files(name.clone(), offered);
            return Ok(file_of(&project, &wheel, None).cloned());
        }
        let of_tools = |as_of| date_of_build_tools(as_of, interpreter.python);
        let is_tool = BUILD_TOOLS.contains(&name.normalized());
        let as_of = if is_tool { as_of.map(of_tools) } else { as_of };
        Ok(file_of(&self.client.project(name)?, &wheel, as_of).cloned())
    }

    fn identity(&self) -> String {
        let mut addresses: Vec<String> = self.client.addresses().map(ToString::to_string).collect();
        if !self.unknown_upload_time.excludes() {
            addresses.push("files without upload time too".to_owned());
        }
        Sha256::of(addresses.join("\n").as_bytes()).hex()[..12].to_owned()
    }

    fn failures(&self) -> (u64, Option<String>) {
        match self.started.get() {
            Some(Ok(mirror)) => (mirror.failures(), mirror.last_failure()),
            _ => (0, None),
        }
    }

    fn without_upload_time(&self, of: Option<&BTreeSet<PackageName>>) -> Vec<String> {
        let Some(Ok(mirror)) = self.started.get() else { return Vec::new() };
        match of {
            // Also of those whose pages this run did not need, because the engine had the layers.
            Some(of) => of.iter().flat_map(|one| mirror.without_upload_time_of(one)).collect(),
            None => mirror.without_upload_time().into_values().flatten().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_configuration_stays() {
        let one = port(Path::new("/a/caliper.yaml"));
        assert_eq!(one, port(Path::new("/a/caliper.yaml")));
        assert_ne!(one, port(Path::new("/b/caliper.yaml")));
        assert!((10_000..30_000).contains(&one));
    }
}
