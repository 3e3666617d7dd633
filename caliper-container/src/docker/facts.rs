//! What an engine says of itself.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::facts::record::Machine;
use serde::Deserialize;

use super::engine::{Engine, Fault};
use super::kind::EngineKind;
use crate::machine;

/// What an engine is, and what it can do: for people, and for deciding beforehand whether a limit
/// can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct EngineFacts {
    /// What it is, whatever it was taken for.
    pub kind: EngineKind,
    /// Its address.
    pub endpoint: String,
    /// Its version.
    pub version: String,
    /// The newest version of the protocol that it speaks.
    pub api: String,
    /// The processor, as `uname -m` prints it.
    pub arch: String,
    /// Version 1 or 2 of the kernel's control groups.
    pub cgroup_version: Option<String>,
    /// How it stores images.
    pub storage_driver: String,
    /// Processors of its machine.
    pub cpus: u64,
    /// Memory of its machine, in bytes.
    pub memory: u64,
    /// The release of the kernel of its machine.
    pub kernel: Option<String>,
    /// The operating system of its machine.
    pub os: Option<String>,
    /// Whether it runs without being root itself.
    pub rootless: bool,
    /// Whether it has an init program, which tells signals from exit statuses and ends orphans.
    pub init: bool,
    /// It can limit memory.
    pub limits_memory: bool,
    /// It says when a test exceeded its memory, also when only a child was killed for it.
    pub tells_out_of_memory: bool,
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
    /// It sees how much a test computes, so that one that does nothing can be ended.
    pub sees_idle: bool,
    /// The runtimes that it can be asked to start a container with.
    pub runtimes: BTreeSet<String>,
    /// How it is asked for graphics processors.
    pub gpus: GpuRequests,
    /// It is a Docker that keeps its images in containerd's store.
    pub(super) containerd_store: bool,
}

/// How an engine is asked to give graphics processors to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GpuRequests {
    /// Not at all: it would not give them, or not say that it did not.
    None,
    /// As `docker run --gpus` does. NVIDIA's toolkit is set up there.
    Toolkit,
    /// By the names that the [Container Device Interface](https://github.com/cncf-tags/container-device-interface)
    /// has for them, `nvidia.com/gpu=0`. It refuses to start a container with one that it does not know.
    Cdi,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    #[serde(rename = "Version")]
    engine: String,
    #[serde(rename = "ApiVersion")]
    api: String,
    #[serde(rename = "MinAPIVersion")]
    least_api: Option<String>,
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
    kernel_version: Option<String>,
    operating_system: Option<String>,
    memory_limit: bool,
    swap_limit: bool,
    #[serde(rename = "CpuCfsQuota")]
    cpu_quota: bool,
    #[serde(rename = "CPUSet")]
    cpu_set: bool,
    pids_limit: bool,
    driver_status: Option<Vec<Vec<String>>>,
    runtimes: Option<BTreeMap<String, serde_json::Value>>,
    discovered_devices: Option<Vec<serde::de::IgnoredAny>>,
    security_options: Option<Vec<String>>,
    /// Podman's own word for one of the options.
    rootless: bool,
}

impl Info {
    /// Whether a container's disk can be limited: a property of the file system under the images
    /// (<https://docs.docker.com/reference/cli/docker/container/run/#storage-opt>).
    fn limits_disk(&self) -> bool {
        match self.driver.as_str() {
            // Takes any limit, says that it was granted, and lets a container write more.
            _ if self.has_containerd_store() => false,
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

    /// Whether Docker keeps its images in containerd's store instead of its own
    /// (<https://docs.docker.com/engine/storage/containerd/>).
    fn has_containerd_store(&self) -> bool {
        let pairs = self.driver_status.iter().flatten();
        pairs.flatten().any(|text| text.starts_with("io.containerd.snapshotter"))
    }
}

/// What only Podman's own form of the question answers.
#[derive(Deserialize)]
struct PodmanInfo {
    host: PodmanHost,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodmanHost {
    /// The controllers that this very Podman may use.
    #[serde(default)]
    cgroup_controllers: Option<Vec<String>>,
}

impl EngineFacts {
    pub(super) async fn ask(engine: &Engine, endpoint: String) -> Result<Self, Fault> {
        let version = engine.ask::<Version>("/version").await?;
        engine.negotiate(version.least_api.as_deref(), &version.api);
        let info = engine.ask::<Info>("/info").await?;
        let has = |name: &str| version.components.iter().any(|part| part.name.contains(name));
        let kind = if has("Podman") { EngineKind::Podman } else { EngineKind::Docker };
        let mut runtimes: BTreeSet<String> =
            info.runtimes.iter().flatten().map(|(name, _)| name.clone()).collect();
        if kind == EngineKind::Podman {
            // It lists them, and starts every container with its own all the same.
            runtimes.clear();
        }
        let rootless = info.rootless
            || info.security_options.iter().flatten().any(|one| one.contains("rootless"));
        // The first version of control groups cannot be handed to a user at all.
        let has_groups = !rootless || info.cgroup_version.as_deref() != Some("1");
        // https://github.com/containers/podman/pull/21523
        let is_old_podman = kind == EngineKind::Podman && release(&version.engine) < (5, 0);
        // What NVIDIA's toolkit sets up, or devices that the engine found itself (Docker 28).
        let toolkit = runtimes.contains("nvidia")
            || info.discovered_devices.as_ref().is_some_and(|devices| !devices.is_empty());
        let gpus = match kind {
            // Older ones take any request for a device, and give none without a word
            // (https://github.com/containers/podman/issues/22645). 5.4 is the oldest that was tried.
            EngineKind::Podman if release(&version.engine) >= (5, 4) => GpuRequests::Cdi,
            EngineKind::Docker if toolkit => GpuRequests::Toolkit,
            _ => GpuRequests::None,
        };
        let mut facts = Self {
            kind,
            endpoint,
            version: version.engine,
            api: version.api,
            arch: processor(&version.arch).to_owned(),
            limits_disk: info.limits_disk(),
            gpus,
            containerd_store: info.has_containerd_store(),
            runtimes,
            cgroup_version: info.cgroup_version,
            storage_driver: info.driver,
            cpus: info.cpus,
            memory: info.mem_total,
            kernel: info.kernel_version.filter(|text| !text.is_empty()),
            os: info.operating_system.filter(|text| !text.is_empty()),
            rootless,
            // Docker lists the program only if it could run it. Podman does not list it: without one
            // it refuses to make the container, and says so.
            init: kind == EngineKind::Podman || has("init"),
            limits_memory: info.memory_limit,
            tells_out_of_memory: !is_old_podman,
            limits_swap: info.swap_limit,
            limits_cpus: info.cpu_quota,
            limits_cpuset: info.cpu_set,
            limits_pids: info.pids_limit,
            sees_idle: has_groups,
        };
        if kind == EngineKind::Podman && rootless {
            let own = format!("/v{}/libpod/info", facts.version);
            facts.keep_to(&engine.ask::<PodmanInfo>(&own).await?.host);
        }
        Ok(facts)
    }

    /// The machine that tests run on.
    pub(super) fn machine(&self) -> Machine {
        let here = machine::here();
        let mut machine = Machine::default();
        // The engine does not tell the model of the processor. With the same kernel it is this machine.
        let same = self.kernel.is_some() && self.kernel == here.kernel;
        machine.cpu = here.cpu.clone().filter(|_| same);
        machine.cores = u32::try_from(self.cpus).ok().filter(|cores| *cores > 0);
        machine.memory = Some(self.memory).filter(|bytes| *bytes > 0);
        (machine.kernel, machine.os) = (self.kernel.clone(), self.os.clone());
        machine
    }

    /// A Podman without root answers what the kernel can, and leaves out without a word what it may
    /// not do itself.
    fn keep_to(&mut self, host: &PodmanHost) {
        let groups = self.sees_idle;
        let may =
            |name: &str| groups && host.cgroup_controllers.iter().flatten().any(|one| one == name);
        self.limits_memory &= may("memory");
        self.limits_swap &= may("memory");
        self.limits_cpus &= may("cpu");
        self.limits_cpuset &= may("cpuset");
        self.limits_pids &= may("pids");
    }
}

/// The first two numbers of a version; 0 for what is not a number.
fn release(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Converts Go's name of a processor to that of `uname -m`, which wheel tags use.
fn processor(go: &str) -> &str {
    match go {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i686",
        "arm" => "armv7l",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_of_images_decides_what_can_be_limited() {
        // Each as engines answered, and with the file systems that none of the tests has.
        for (text, containerd, disk) in [
            (
                r#"{"Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "extfs"]]}"#,
                false,
                false,
            ),
            (
                r#"{"Driver": "overlay2", "DriverStatus": [["Backing Filesystem", "xfs"]]}"#,
                false,
                true,
            ),
            (r#"{"Driver": "fuse-overlayfs", "DriverStatus": null}"#, false, false),
            (r#"{"Driver": "btrfs", "DriverStatus": [["Btrfs", ""]]}"#, false, true),
            (
                r#"{"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}"#,
                true,
                false,
            ),
            (
                r#"{"Driver": "btrfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}"#,
                true,
                false,
            ),
        ] {
            let info: Info = serde_json::from_str(text).unwrap();
            assert_eq!(
                (info.has_containerd_store(), info.limits_disk()),
                (containerd, disk),
                "{text}"
            );
        }
    }
}
