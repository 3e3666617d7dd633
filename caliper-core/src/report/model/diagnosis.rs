use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::SCHEMA;
use crate::question::interpreter::Interpreter;

/// What a machine can do: `doctor --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Diagnosis {
    /// The version of this format: [`SCHEMA`].
    pub schema: u32,
    /// The version of Caliper.
    pub caliper: String,
    /// How many CPUs the process may use.
    pub cpus: usize,
    /// The Pythons of the `local` backend.
    pub pythons: Vec<Interpreter>,
    /// What a person should know about them.
    pub notes: Vec<String>,
    /// The limits of the `local` backend.
    pub local: LimitSupport,
    /// Every place where a container engine may be.
    pub engines: Vec<EnginePlace>,
    /// The addresses of the indexes that answer, or why one does not.
    pub index: Result<String, String>,
}

/// A place where a container engine may be, and what is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EnginePlace {
    /// The name of the backend that uses such an engine.
    pub backend: String,
    /// The address.
    pub endpoint: String,
    /// The engine, or why it cannot be used.
    pub engine: Result<EngineFacts, String>,
}

/// What a container engine says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EngineFacts {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of its API.
    pub api: String,
    /// Whether it runs without the rights of the superuser.
    pub rootless: bool,
    /// How it stores images.
    pub storage_driver: String,
    /// The version of the control groups of its machine.
    pub cgroup_version: Option<String>,
    /// How many CPUs its machine has.
    pub cpus: u64,
    /// The memory of its machine, in bytes.
    pub memory: u64,
    /// Whether it can start containers with an init program.
    pub init: bool,
    /// How it gives graphics processors to containers.
    pub gpus: Gpus,
    /// The limits that it can keep.
    pub limits: LimitSupport,
}

/// How an engine gives graphics processors to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gpus {
    /// Not at all.
    None,
    /// With NVIDIA's toolkit.
    Toolkit,
    /// By the names of the Container Device Interface.
    Cdi,
}

/// Which limits a backend can keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LimitSupport {
    /// Those that it can keep, by their names in the configuration.
    pub kept: Vec<String>,
    /// Why it refuses each of the others.
    pub refused: BTreeMap<String, String>,
}
