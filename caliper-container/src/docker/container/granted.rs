//! What the engine made of a request.

use std::collections::{BTreeMap, BTreeSet};

use caliper_core::question::limits::{Limits, Network};
use serde::Deserialize;
use serde_json::Value;

use crate::docker::kind::EngineKind;

/// What the engine reports about a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Details {
    pub(super) state: State,
    #[serde(default)]
    host_config: HostConfig,
    #[serde(default)]
    pub(super) config: ContainerConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ContainerConfig {
    pub(super) working_dir: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct State {
    #[serde(rename = "OOMKilled", default)]
    pub(super) oom_killed: bool,
    #[serde(default)]
    started_at: String,
    #[serde(default)]
    finished_at: String,
}

/// The limits of a container. The engine clears those that it cannot keep.
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
    /// The limits that an engine of this kind granted, where `asked` was requested.
    pub(super) fn granted(&self, asked: &Limits, kind: EngineKind) -> Limits {
        let host = &self.host_config;
        // Podman does not report these two. It refuses to start a container without them.
        let silent = kind == EngineKind::Podman;
        #[expect(clippy::cast_precision_loss, reason = "no machine has so many processors")]
        let cpus = match (host.nano_cpus, host.cpu_quota) {
            (0, quota) if quota > 0 && host.cpu_period > 0 => {
                Some(quota as f64 / host.cpu_period as f64)
            }
            (0, _) => None,
            (nanoseconds, _) => Some(nanoseconds as f64 / 1e9),
        };
        // An engine that ignores the request may report an empty list.
        let has_devices = host.device_requests.as_ref().is_some_and(|list| !list.is_empty());
        let disk = host.storage_opt.as_ref().and_then(|options| options.get("size"));
        let capabilities = host.cap_add.iter().flatten();
        let capability = |name: &String| name.strip_prefix("CAP_").unwrap_or(name).to_owned();
        Limits {
            // Caliper keeps these itself.
            timeout: asked.timeout,
            idle: asked.idle,
            output: asked.output,
            results: asked.results,
            result_files: asked.result_files,
            memory: (host.memory > 0).then_some(host.memory),
            cpus,
            cpuset: host.cpuset_cpus.parse().ok(),
            pids: host
                .pids_limit
                .and_then(|most| u32::try_from(most).ok())
                .filter(|most| *most > 0),
            disk: if silent { asked.disk } else { disk.and_then(|size| size.parse().ok()) },
            network: if host.network_mode == "none" { Network::None } else { Network::Full },
            gpus: asked.gpus.clone().filter(|_| silent || has_devices),
            runtime: asked.runtime.clone().filter(|asked| host.runtime.as_ref() == Some(asked)),
            capabilities: capabilities.map(capability).collect(),
        }
    }
}

impl State {
    /// How long the program ran, as the engine measured it: without the time to start and to remove the
    /// container.
    pub(super) fn seconds(&self) -> Option<f64> {
        let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let ran = moment(&self.finished_at)?.duration_since(moment(&self.started_at)?);
        // The clock of the machine may have been set meanwhile.
        (!ran.is_negative()).then(|| ran.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use caliper_core::question::limits::Gpus;

    use super::*;

    #[test]
    fn an_empty_list_of_devices_grants_no_gpu() {
        let asked = Limits { gpus: Some(Gpus::ALL), ..Limits::default() };
        for (devices, kind, expected) in [
            (r"null", EngineKind::Docker, None),
            (r"[]", EngineKind::Docker, None),
            (r#"[{"Count": -1}]"#, EngineKind::Docker, Some(Gpus::ALL)),
            (r"[]", EngineKind::Podman, Some(Gpus::ALL)), // it never reports them
        ] {
            let text =
                format!(r#"{{"State": {{}}, "HostConfig": {{"DeviceRequests": {devices}}}}}"#);
            let details: Details = serde_json::from_str(&text).unwrap();
            assert_eq!(details.granted(&asked, kind).gpus, expected, "{devices} {kind}");
        }
    }
}
