//! Resource limits of a test.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Resource limits of a test, as requested or as granted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wall-clock time of one run of one test; serialised in seconds.
    #[serde(with = "seconds")]
    #[schemars(with = "f64")]
    pub timeout: Duration,
    /// Time without output and with less than 2 % of one processor used; serialised in seconds.
    #[serde(with = "seconds::or_none", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>")]
    pub idle: Option<Duration>,
    /// Memory of a test and all its children, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Processors; may be a fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Which processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset: Option<CpuSet>,
    /// Processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
    /// Bytes kept of each of standard output and standard error.
    pub output: u64,
    /// Bytes that the result files of one run may hold together.
    pub results: u64,
    /// How many result files one run may leave.
    pub result_files: u32,
    /// Bytes that a test may write to the disk of its container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<u64>,
    /// What of the network a test can reach.
    pub network: Network,
    /// The GPUs that a test may use. `None` means no GPU in a container, and all GPUs with the `local`
    /// backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<Gpus>,
    /// The container runtime, such as `nvidia`; `None` for the engine's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The capabilities(7) that a test keeps in a container, such as `NET_RAW`, without `CAP_`. All
    /// others are dropped.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub capabilities: BTreeSet<String>,
}

impl Default for Limits {
    /// Ten minutes, 5 MiB of output, and 1,000 result files of 256 MiB; no other limit.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(600),
            idle: None,
            memory: None,
            cpus: None,
            cpuset: None,
            pids: None,
            output: 5 << 20,
            results: 256 << 20,
            result_files: 1000,
            disk: None,
            network: Network::Full,
            gpus: None,
            runtime: None,
            capabilities: BTreeSet::new(),
        }
    }
}

impl Limits {
    /// Each limit by its name in the configuration, with limits that ask for it and for nothing else
    /// beyond the defaults. A caller can ask a backend about every limit by itself.
    ///
    /// The values are small, and such as any machine that can keep the limit at all accepts. `runtime`
    /// has no such value: which runtimes there are depends on the engine.
    pub fn each(runtime: &str) -> Vec<(&'static str, Self)> {
        let one = |name, set: fn(&mut Self)| {
            let mut limits = Self::default();
            set(&mut limits);
            (name, limits)
        };
        // Without `..`: a limit that is added cannot be forgotten here.
        let Self {
            timeout: _,
            idle: _,
            memory: _,
            cpus: _,
            cpuset: _,
            pids: _,
            output: _,
            results: _,
            result_files: _,
            disk: _,
            network: _,
            gpus: _,
            runtime: _,
            capabilities: _,
        } = Self::default();
        vec![
            one("timeout", |limits| limits.timeout = Duration::from_secs(60)),
            one("idle", |limits| limits.idle = Some(Duration::from_secs(60))),
            one("memory", |limits| limits.memory = Some(64 << 20)),
            one("cpus", |limits| limits.cpus = Some(0.5)),
            one("cpuset", |limits| limits.cpuset = Some(CpuSet([0].into()))),
            one("pids", |limits| limits.pids = Some(100)),
            one("output", |limits| limits.output = 1 << 20),
            one("results", |limits| limits.results = 1 << 20),
            one("result_files", |limits| limits.result_files = 10),
            one("disk", |limits| limits.disk = Some(1 << 30)),
            one("network", |limits| limits.network = Network::None),
            one("gpus", |limits| limits.gpus = Some(Gpus::ALL)),
            ("runtime", Self { runtime: Some(runtime.to_owned()), ..Self::default() }),
            one("capabilities", |limits| limits.capabilities = ["NET_RAW".to_owned()].into()),
        ]
    }

    /// The optional limits that are set, with their values as text.
    fn optional(&self) -> [(&'static str, Option<String>); 7] {
        [
            ("memory", self.memory.map(|bytes| format!("{bytes} bytes"))),
            ("cpus", self.cpus.map(|cpus| cpus.to_string())),
            ("cpuset", self.cpuset.as_ref().map(ToString::to_string)),
            ("pids", self.pids.map(|pids| pids.to_string())),
            ("disk", self.disk.map(|bytes| format!("{bytes} bytes"))),
            ("gpus", self.gpus.as_ref().map(ToString::to_string)),
            ("runtime", self.runtime.clone()),
        ]
    }

    /// A requested limit that was not `granted` as requested, as text: `gpus all`. A fraction of
    /// processors may be rounded. Capabilities are not checked, because engines do not list the default
    /// ones of a container.
    pub fn missing_from(&self, granted: &Self) -> Option<String> {
        if self.network == Network::None && granted.network != Network::None {
            return Some("network none".to_owned());
        }
        let pairs = self.optional().into_iter().zip(granted.optional());
        let mut missing = pairs.filter(|((name, asked), (_, granted))| {
            asked.is_some() && if *name == "cpus" { granted.is_none() } else { asked != granted }
        });
        missing.find_map(|((name, asked), _)| asked.map(|value| format!("{name} {value}")))
    }
}

impl fmt::Display for Limits {
    /// The limits that are set, as text.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "timeout {} s", self.timeout.as_secs_f64())?;
        if let Some(idle) = self.idle {
            write!(formatter, ", idle {} s", idle.as_secs_f64())?;
        }
        for (name, value) in self.optional() {
            if let Some(value) = value {
                write!(formatter, ", {name} {value}")?;
            }
        }
        let Self { output, results, result_files, network, .. } = self;
        write!(formatter, ", output {output} bytes, results {results} bytes")?;
        write!(formatter, ", result_files {result_files}, network {network}")?;
        for capability in &self.capabilities {
            write!(formatter, ", {capability}")?;
        }
        Ok(())
    }
}

/// What of the network a test can reach.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Everything that the machine can reach.
    #[default]
    Full,
    /// Nothing.
    None,
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Full => "full",
            Self::None => "none",
        })
    }
}

/// GPUs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Gpus {
    /// This many of any kind; `-1` means all.
    Count(i32),
    /// These, by number or by UUID.
    Devices(Vec<String>),
}

impl Gpus {
    /// All GPUs.
    pub const ALL: Self = Self::Count(-1);
}

impl fmt::Display for Gpus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) if *count < 0 => formatter.write_str("all"),
            Self::Count(count) => count.fmt(formatter),
            Self::Devices(devices) => write!(formatter, "[{}]", devices.join(" ")),
        }
    }
}

/// Processors by number, in the list format of cpuset(7): `0-3,7`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct CpuSet(BTreeSet<u16>);

impl CpuSet {
    /// The numbers; never empty.
    pub fn numbers(&self) -> impl Iterator<Item = u16> {
        self.0.iter().copied()
    }
}

impl FromStr for CpuSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        /// The most processors that Linux supports.
        const MOST: u16 = 8192;
        let explain = || format!("`{text}` does not name processors: write `0`, `0-3` or `0,2-3`");
        let mut numbers = BTreeSet::new();
        for range in text.split(',') {
            let (first, last) = range.trim().split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.trim().parse::<u16>().map_err(|_| explain());
            let (first, last) = (number(first)?, number(last)?);
            if first > last || last >= MOST {
                return Err(explain());
            }
            numbers.extend(first..=last);
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while numbers.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            write!(formatter, "{comma}{first}")?;
            if last > first {
                write!(formatter, "-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

impl TryFrom<String> for CpuSet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CpuSet> for String {
    fn from(set: CpuSet) -> Self {
        set.to_string()
    }
}

/// Times as numbers of seconds.
pub(in crate::question) mod seconds {
    use super::{Deserialize, Duration};
    use serde::{Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }

    pub(in crate::question) mod or_none {
        use super::{Deserialize, Deserializer, Duration, Serializer};
        use serde::de::Error as _;

        #[expect(clippy::ref_option, reason = "the form that serde calls")]
        pub(in crate::question) fn serialize<S: Serializer>(
            time: &Option<Duration>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => to.serialize_some(&time.as_secs_f64()),
                None => to.serialize_none(),
            }
        }

        pub(in crate::question) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Duration>, D::Error> {
            let seconds = Option::<f64>::deserialize(from)?;
            seconds.map(Duration::try_from_secs_f64).transpose().map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_listed_as_cpuset_lists_them() {
        for (text, printed) in
            [("0", "0"), ("0-3,7", "0-3,7"), ("3,2,1", "1-3"), ("0, 2 - 3", "0,2-3"), ("5-5", "5")]
        {
            assert_eq!(text.parse::<CpuSet>().unwrap().to_string(), printed);
        }
        for wrong in ["", "a", "3-1", "0-99999", "0,,1", "-1", "0-8192"] {
            assert!(wrong.parse::<CpuSet>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_not_granted_is_found() {
        let asked = Limits { pids: Some(9), gpus: Some(Gpus::ALL), ..Limits::default() };
        assert_eq!(asked.missing_from(&asked), None);
        assert_eq!(Limits::default().missing_from(&asked), None);
        let granted = Limits { gpus: None, ..asked.clone() };
        assert_eq!(asked.missing_from(&granted).as_deref(), Some("gpus all"));
        let more = Limits { pids: Some(10), ..asked.clone() };
        assert_eq!(asked.missing_from(&more).as_deref(), Some("pids 9"));
        let third = Limits { cpus: Some(1.0 / 3.0), ..Limits::default() };
        let rounded = Limits { cpus: Some(0.333), ..Limits::default() };
        assert_eq!(third.missing_from(&rounded), None);
        let alone = Limits { network: Network::None, ..Limits::default() };
        assert_eq!(alone.missing_from(&Limits::default()).as_deref(), Some("network none"));
    }

    #[test]
    fn every_limit_is_asked_for_by_itself() {
        let keys = |limits: &Limits| -> BTreeSet<String> {
            let value = serde_json::to_value(limits).unwrap();
            value.as_object().unwrap().keys().cloned().collect()
        };
        let plain = serde_json::to_value(Limits::default()).unwrap();
        let each = Limits::each("crun");
        let mut names = BTreeSet::new();
        for (name, limits) in &each {
            let value = serde_json::to_value(limits).unwrap();
            let changed = |key: &&String| value.get(*key) != plain.get(*key);
            let keys = keys(limits);
            let changed: Vec<&String> = keys.iter().filter(changed).collect();
            assert_eq!(changed, [name]);
            names.insert((*name).to_owned());
        }
        let schema = schemars::schema_for!(Limits);
        let known = schema.as_value()["properties"].as_object().unwrap();
        assert_eq!(names, known.keys().cloned().collect());
    }

    #[test]
    fn limits_are_written_down_and_read_again() {
        let limits = Limits {
            idle: Some(Duration::from_millis(1500)),
            memory: Some(1 << 30),
            cpuset: Some("0-1".parse().unwrap()),
            gpus: Some(Gpus::ALL),
            capabilities: ["NET_RAW".to_owned()].into(),
            ..Limits::default()
        };
        let text = serde_json::to_string(&limits).unwrap();
        assert_eq!(
            text,
            r#"{"timeout":600.0,"idle":1.5,"memory":1073741824,"cpuset":"0-1","output":5242880,"results":268435456,"result_files":1000,"network":"full","gpus":-1,"capabilities":["NET_RAW"]}"#
        );
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
    }
}
