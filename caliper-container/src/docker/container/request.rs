//! What the engine is asked to create.

use caliper_core::question::limits::{Gpus, Network};
use serde_json::{Value, json};

use super::Order;
use crate::docker::kind::EngineKind;

impl Order {
    /// The body of the request that creates the container, for an engine of this kind.
    pub(super) fn body(&self, kind: EngineKind) -> Value {
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
}

/// A request for GPUs in the form that the engine understands.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
