use std::fmt;

use serde::{Deserialize, Serialize};

/// The machine on which tests ran. It names neither the host nor a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Machine {
    /// The model of its processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// How many logical processors Caliper, or the container engine, may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Its memory, or what of it may be used, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The release of its kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Its operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEBIBYTE: u64 = 1 << 20;
        let parts = [
            self.cpu.clone(),
            self.cores.map(|cores| format!("{cores} processors")),
            self.memory.map(|bytes| format!("{} MiB", bytes / MEBIBYTE)),
            self.os.clone(),
            self.kernel.as_ref().map(|kernel| format!("kernel {kernel}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        formatter.write_str(&parts.join(", "))
    }
}
