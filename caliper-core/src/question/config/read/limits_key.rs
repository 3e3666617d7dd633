//! Reads the key `limits`.

use std::collections::BTreeSet;

use super::{At, Node, Reader, shorten};
use crate::question::limits::{Gpus, Limits, Network};

/// The keys under `limits`.
pub(in crate::question::config) const LIMITS: &[&str] = &[
    "timeout",
    "idle",
    "memory",
    "cpus",
    "cpuset",
    "pids",
    "output",
    "results",
    "result_files",
    "disk",
    "network",
    "gpus",
    "runtime",
    "capabilities",
];

impl Reader<'_> {
    pub(super) fn limits(&mut self, at: &At<'_>) -> Limits {
        let mut limits = Limits::default();
        let Some(mut entries) = self.mapping(at, "`limits`", LIMITS) else { return limits };
        for key in LIMITS {
            if let Some(node) = entries.remove(key) {
                self.limit(&mut limits, key, &node);
            }
        }
        limits
    }

    /// Reads one of [`LIMITS`].
    pub(super) fn limit(&mut self, limits: &mut Limits, key: &str, node: &At<'_>) {
        match key {
            "timeout" => limits.timeout = self.duration(node).unwrap_or(limits.timeout),
            "idle" => limits.idle = self.duration(node),
            "memory" => limits.memory = self.bytes(node),
            "disk" => limits.disk = self.bytes(node),
            "output" => limits.output = self.bytes(node).unwrap_or(limits.output),
            "results" => limits.results = self.bytes(node).unwrap_or(limits.results),
            "result_files" => {
                limits.result_files =
                    self.parsed(node, "`result_files`").unwrap_or(limits.result_files);
            }
            "cpus" => {
                limits.cpus = self.parsed(node, "`cpus`");
                if limits.cpus.is_some_and(|cpus| !(0.01..=1e4).contains(&cpus)) {
                    self.problem(node, "`cpus` must be a number of processors, such as 1 or 0.5");
                }
            }
            "cpuset" => {
                if let Some(text) = self.text(node, "`cpuset`") {
                    limits.cpuset =
                        text.parse().map_err(|message| self.problem(node, message)).ok();
                }
            }
            "pids" => {
                limits.pids = self.parsed(node, "`pids`");
                if limits.pids == Some(0) {
                    self.problem(node, "`pids` must leave room for one process");
                }
            }
            "network" => {
                let choices = [("full", Network::Full), ("none", Network::None)];
                limits.network = self.choice(node, "`network`", &choices).unwrap_or_default();
            }
            "gpus" => limits.gpus = self.gpus(node),
            "runtime" => limits.runtime = self.runtime(node),
            "capabilities" => limits.capabilities = self.capabilities(node),
            other => unreachable!("`{other}` is not one of the limits"),
        }
    }

    /// `all`, a number, or a list of numbers and UUIDs.
    fn gpus(&mut self, at: &At<'_>) -> Option<Gpus> {
        if let Node::Sequence(_) = at.node {
            let nodes = self.list(at, "`gpus`");
            let devices: Option<Vec<String>> =
                nodes.iter().map(|node| self.text(node, "a device")).collect();
            let named = |name: &String| {
                let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-:._/".contains(&byte);
                !name.is_empty() && name.bytes().all(byte)
            };
            let devices = devices.filter(|all| !all.is_empty() && all.iter().all(named));
            if devices.is_none() {
                self.gpus_problem(at);
            }
            return devices.map(Gpus::Devices);
        }
        let text = self.text(at, "`gpus`")?;
        let gpus = match text.as_str() {
            "all" => Some(Gpus::ALL),
            // More than any machine has.
            number => number.parse().ok().filter(|n| (1..=1024).contains(n)).map(Gpus::Count),
        };
        if gpus.is_none() {
            self.gpus_problem(at);
        }
        gpus
    }

    fn gpus_problem(&mut self, at: &At<'_>) {
        self.problem(at, "`gpus` is `all`, a number, or a list of devices such as [0, 1]");
    }

    fn runtime(&mut self, at: &At<'_>) -> Option<String> {
        let name = self.text(at, "`runtime`")?;
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !name.is_empty() && name.bytes().all(byte) {
            return Some(name);
        }
        self.problem(at, format!("`{}` is not the name of a runtime", shorten(&name)));
        None
    }

    fn capabilities(&mut self, at: &At<'_>) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for node in self.list(at, "`capabilities`") {
            let Some(text) = self.text(&node, "a capability") else { continue };
            let name = text.to_ascii_uppercase();
            let name = name.strip_prefix("CAP_").unwrap_or(&name);
            if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
                names.insert(name.to_owned());
            } else {
                let message = format!("`{}` is not the name of a capability", shorten(&text));
                self.problem_with_help(
                    &node,
                    message,
                    "write one such as `NET_RAW` or `SYS_PTRACE`",
                );
            }
        }
        names
    }
}
