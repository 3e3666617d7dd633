//! What an engine says of itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::engine::{Engine, Fault};

/// What an engine is, and what it can do: for people, and for deciding beforehand whether a limit
/// can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct EngineFacts {
    /// Its address.
    pub endpoint: String,
    /// Its version.
    pub version: String,
    /// The newest version of the protocol that it speaks.
    pub api: String,
    /// The processor, in the words of `uname -m`.
    pub arch: String,
    /// Version 1 or 2 of the kernel's control groups.
    pub cgroup_version: Option<String>,
    /// How it stores images.
    pub storage_driver: String,
    /// Processors of its machine.
    pub cpus: u64,
    /// Memory of its machine, in bytes.
    pub memory: u64,
    /// Whether it has an init program, which tells signals from exit statuses and ends orphans.
    pub init: bool,
    /// It can limit memory.
    pub limits_memory: bool,
    /// It can keep a test from swapping instead of staying within its memory.
    pub limits_swap: bool,
    /// It can limit processors.
    pub limits_cpus: bool,
    /// It can choose processors.
    pub limits_cpuset: bool,
    /// It can limit the number of processes.
    pub limits_pids: bool,
    /// It can limit what a container writes to the disk.
    pub limits_disk: bool,
    /// The runtimes that it can start containers with.
    pub runtimes: BTreeSet<String>,
    /// Whether it can give graphics processors to a container, as far as it says.
    pub gpus: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(rename = "Version")]
    engine: String,
    #[serde(rename = "ApiVersion")]
    api: String,
    arch: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
}

#[expect(clippy::struct_excessive_bools, reason = "the engine's own form")]
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    // Podman leaves some of these out.
    driver: String,
    cgroup_version: Option<String>,
    #[serde(rename = "NCPU")]
    cpus: u64,
    mem_total: u64,
    memory_limit: bool,
    swap_limit: bool,
    #[serde(rename = "CpuCfsQuota")]
    cpu_quota: bool,
    pids_limit: bool,
    #[serde(rename = "CPUSet")]
    cpuset: bool,
    driver_status: Option<Vec<Vec<String>>>,
    runtimes: Option<BTreeMap<String, serde_json::Value>>,
    discovered_devices: Option<Vec<serde::de::IgnoredAny>>,
}

impl Info {
    /// Whether a container's disk can be limited: a property of the file system under the images
    /// (<https://docs.docker.com/reference/cli/docker/container/run/#storage-opt>).
    fn limits_disk(&self) -> bool {
        match self.driver.as_str() {
            "btrfs" | "zfs" => true,
            // With project quotas only. Whether those are on the engine says of no container in
            // advance, and refuses one by one if they are not.
            "overlay2" | "overlay" => self
                .driver_status
                .iter()
                .flatten()
                .any(|pair| pair.get(1).is_some_and(|value| value == "xfs")),
            _ => false,
        }
    }
}

impl EngineFacts {
    pub(super) async fn ask(engine: &Engine, endpoint: String) -> Result<Self, Fault> {
        let (version, info) =
            tokio::try_join!(engine.ask::<Version>("/version"), engine.ask::<Info>("/info"))?;
        let runtimes: BTreeSet<String> =
            info.runtimes.iter().flatten().map(|(name, _)| name.clone()).collect();
        Ok(Self {
            limits_disk: info.limits_disk(),
            limits_cpuset: info.cpuset,
            // What NVIDIA's toolkit sets up, or devices that the engine found itself (Docker 28).
            gpus: runtimes.contains("nvidia")
                || info.discovered_devices.as_ref().is_some_and(|devices| !devices.is_empty()),
            runtimes,
            endpoint,
            version: version.engine,
            api: version.api,
            arch: processor(&version.arch).to_owned(),
            cgroup_version: info.cgroup_version,
            storage_driver: info.driver,
            cpus: info.cpus,
            memory: info.mem_total,
            // The engine lists the program only if it could run it.
            init: version.components.iter().any(|component| component.name.contains("init")),
            limits_memory: info.memory_limit,
            limits_swap: info.swap_limit,
            limits_cpus: info.cpu_quota,
            limits_pids: info.pids_limit,
        })
    }
}

/// Go's name of a processor in the words of `uname -m`, which are those of wheels.
fn processor(go: &str) -> &str {
    match go {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i686",
        "arm" => "armv7l",
        other => other,
    }
}
