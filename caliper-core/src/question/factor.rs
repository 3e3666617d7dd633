//! What can be changed around a test although it should not decide its result.
//!
//! A [`Factor`] is a property of the surroundings of a program: the seed of Python's hashes, the number of threads, the
//! clock. [`surrounded`] gives a [`Setup`] whose tests run with some of them changed. All of them, and the tests that
//! they are compared with, are started by the same small Python program, so that nothing differs but the factor.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::limits::CpuSet;
use super::modules::ImportChoice;
use super::plan::Setup;
use super::started::started_by;

/// Starts a test in changed surroundings. For Python 2.7 and later.
const PROGRAM: &str = include_str!("factor/surroundings.py");

/// Tells the programs that it is loaded into another date; see `clock.c` beside it.
const CLOCK: &[u8] = include_bytes!("factor/clock-x86_64.so");

/// The variables by which libraries are told how many threads to compute with.
const THREADS: [&str; 12] = [
    "BLIS_NUM_THREADS",
    "GOTO_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "VECLIB_MAXIMUM_THREADS",
];

/// A property of the surroundings of a test that can be changed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Factor {
    /// The seed of Python's hashes of text, and with it the order of sets.
    HashSeed,
    /// How many threads numeric libraries compute with.
    Threads,
    /// On how many processors the test may run.
    Processors,
    /// The locale: language, and the encoding of text.
    Locale,
    /// The time zone.
    TimeZone,
    /// The date and the time of day, as the C library tells them.
    Clock,
    /// The name of the machine, as Python tells it.
    HostName,
    /// Name, number and home folder of the user, as the environment and Python tell them.
    User,
    /// The folder that the test is started in.
    Folder,
    /// The order of the files in a folder, as Python lists them.
    FileOrder,
    /// How many bytes the environment variables take, and with that where the stack of a program begins.
    EnvironmentSize,
    /// The instructions of the processor that linear algebra uses (`OpenBLAS`, MKL).
    CpuFeatures,
}

impl Factor {
    /// Every factor.
    pub const ALL: [Self; 12] = [
        Self::HashSeed,
        Self::Threads,
        Self::Processors,
        Self::Locale,
        Self::TimeZone,
        Self::Clock,
        Self::HostName,
        Self::User,
        Self::Folder,
        Self::FileOrder,
        Self::EnvironmentSize,
        Self::CpuFeatures,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::HashSeed => "hash-seed",
            Self::Threads => "threads",
            Self::Processors => "processors",
            Self::Locale => "locale",
            Self::TimeZone => "time-zone",
            Self::Clock => "clock",
            Self::HostName => "host-name",
            Self::User => "user",
            Self::Folder => "folder",
            Self::FileOrder => "file-order",
            Self::EnvironmentSize => "environment-size",
            Self::CpuFeatures => "cpu-features",
        }
    }

    /// The values that it is given in place of the usual one. Different values act in different ways: half of all small
    /// sets, for example, have the same order with another hash seed.
    pub fn changes(self) -> Vec<FactorChange> {
        let all: &[&'static str] = match self {
            Self::HashSeed => &["1", "2", "3", "4"],
            Self::Threads => &["1", "3"],
            Self::Processors => &["1"],
            Self::Locale => &["C"],
            // So far apart that one of the two has another day than the usual one.
            Self::TimeZone => &["UTC-11", "UTC+13"],
            Self::Clock if cfg!(target_arch = "x86_64") => &["400 days ahead"],
            // The library is there for one architecture only.
            Self::Clock => &[],
            Self::HostName => &["another-host"],
            Self::User => &["12345"],
            Self::Folder => &["deeper"],
            Self::FileOrder => &["reversed"],
            Self::EnvironmentSize => &["4096 bytes more"],
            Self::CpuFeatures if cfg!(target_arch = "aarch64") => &["ARMV8"],
            Self::CpuFeatures => &["Nehalem", "Prescott"],
        };
        all.iter().map(|value| FactorChange { factor: self, value }).collect()
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that no [`Factor`] has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no factor; there are {}", Factor::ALL.map(Factor::name).join(", "))]
pub struct ParseFactorError {
    name: String,
}

impl FromStr for Factor {
    type Err = ParseFactorError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|factor| factor.name() == name);
        found.ok_or_else(|| ParseFactorError { name: name.to_owned() })
    }
}

/// A factor with another value than the usual one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, schemars::JsonSchema,
)]
pub struct FactorChange {
    /// The factor.
    pub factor: Factor,
    /// The value, in a few words.
    pub value: &'static str,
}

impl fmt::Display for FactorChange {
    /// `threads: 1`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.factor, self.value)
    }
}

impl FactorChange {
    /// The environment variables that it sets.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let value = self.value;
        let all = |names: &[&str], value: &str| -> BTreeMap<String, String> {
            names.iter().map(|name| ((*name).to_owned(), value.to_owned())).collect()
        };
        match self.factor {
            Factor::HashSeed => all(&["PYTHONHASHSEED"], value),
            Factor::Threads => all(&THREADS, value),
            // Without the second and the third, Python takes UTF-8 all the same (PEP 538, PEP 540).
            Factor::Locale => {
                let mut variables = all(&["LANG", "LC_ALL"], value);
                variables.extend(all(&["PYTHONCOERCECLOCALE", "PYTHONUTF8"], "0"));
                variables
            }
            // In the form of POSIX, in which the sign is the other way round, and which needs no data.
            Factor::TimeZone if value == "UTC-11" => all(&["TZ"], "<-11>11"),
            Factor::TimeZone => all(&["TZ"], "<+13>-13"),
            Factor::User => all(&["LNAME", "LOGNAME", "USER", "USERNAME"], "another-user"),
            Factor::HostName => all(&["HOSTNAME"], value),
            Factor::EnvironmentSize => all(&["CALIPER_PADDING"], &"x".repeat(4096)),
            Factor::CpuFeatures => {
                let mut variables = all(&["OPENBLAS_CORETYPE"], value);
                variables.extend(all(&["MKL_CBWR"], "COMPATIBLE"));
                variables
            }
            Factor::Processors | Factor::Clock | Factor::Folder | Factor::FileOrder => {
                BTreeMap::new()
            }
        }
    }

    /// What the program that starts the test is told of it.
    fn told(&self) -> Map<String, Value> {
        const DAY: i64 = 24 * 3600;
        let pairs: Vec<(&str, Value)> = match self.factor {
            // Not a whole number of days: another time of day, too.
            Factor::Clock => {
                let seconds = 400 * DAY + 5 * 3600 + 17 * 60;
                let library: Vec<String> = CLOCK.iter().map(|byte| format!("{byte:02x}")).collect();
                vec![("clock", json!({ "seconds": seconds, "library": library.concat() }))]
            }
            Factor::HostName => vec![("python.host", self.value.into())],
            Factor::User => vec![("python.user", 12345.into()), ("home", "another-home".into())],
            Factor::Folder => vec![("folder", "another/folder/than/before".into())],
            Factor::FileOrder => vec![("python.listing", "reversed".into())],
            Factor::HashSeed
            | Factor::Threads
            | Factor::Processors
            | Factor::Locale
            | Factor::TimeZone
            | Factor::EnvironmentSize
            | Factor::CpuFeatures => Vec::new(),
        };
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A setup whose tests run `repeat` times with these changes, and nothing else changed. Nothing is imported.
///
/// Without a change it is what the others are compared with.
#[must_use]
pub fn surrounded(setup: &Setup, changes: &[FactorChange], repeat: u32) -> Setup {
    let mut changed = repeated(setup, repeat);
    let (mut told, mut python): (Map<String, Value>, Map<String, Value>) = Default::default();
    for (name, value) in changes.iter().flat_map(FactorChange::told) {
        // What Python programs are told by themselves.
        match name.strip_prefix("python.") {
            Some(name) => python.insert(name.to_owned(), value),
            None => told.insert(name, value),
        };
    }
    told.insert("python".to_owned(), python.into());
    let told = Value::Object(told).to_string();
    for test in &mut changed.tests {
        test.command = started_by(PROGRAM, &told, std::mem::take(&mut test.command));
    }
    for change in changes {
        changed.set_variables(&change.variables());
        if change.factor == Factor::Processors {
            changed.limits.cpuset = "0".parse::<CpuSet>().ok();
        }
    }
    changed
}

/// A setup whose tests run `repeat` times as they are. Nothing is imported.
#[must_use]
pub fn repeated(setup: &Setup, repeat: u32) -> Setup {
    let mut changed = Setup { import: ImportChoice::Off, ..setup.clone() };
    for test in &mut changed.tests {
        test.repeat = repeat;
    }
    changed
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::question::config::Config;

    #[test]
    fn factors_have_names_that_are_read_again() {
        for factor in Factor::ALL {
            assert_eq!(factor.name().parse(), Ok(factor));
            assert_eq!(serde_json::to_value(factor).unwrap(), factor.name());
        }
        let unknown = "moon".parse::<Factor>().unwrap_err().to_string();
        assert!(unknown.starts_with("`moon` is no factor; there are hash-seed, "), "{unknown}");
    }

    #[test]
    fn every_change_changes_something_and_nothing_else() {
        let config =
            "analysis:\n  dependency: numpy\n  tests: [{name: t, run: python t.py --seed 3}]\n";
        let read = |_: &str| -> std::io::Result<Vec<u8>> { unreachable!() };
        let setup = Config::from_yaml("caliper.yaml", config, &read).unwrap().setup();
        let control = surrounded(&setup, &[], 3);
        assert_eq!(control.tests[0].repeat, 3);
        assert_eq!(control.tests[0].name, setup.tests[0].name);
        assert!(control.tests[0].command.ends_with(&setup.tests[0].command));
        assert_eq!(control.import, ImportChoice::Off);
        let mut seen = BTreeSet::new();
        for change in Factor::ALL.into_iter().flat_map(Factor::changes) {
            let changed = surrounded(&setup, &[change], 3);
            assert_ne!(changed, control, "{change}");
            assert!(seen.insert(format!("{changed:?}")), "{change} does what another one does");
        }
        let all: Vec<FactorChange> = Factor::ALL
            .into_iter()
            .filter_map(|factor| factor.changes().first().copied())
            .collect();
        let together = surrounded(&setup, &all, 3);
        let told = &together.tests[0].command[4];
        for name in ["clock", "host", "user", "home", "folder", "listing"] {
            assert!(told.contains(&format!("\"{name}\"")), "{told}");
        }
        assert_eq!(together.limits.cpuset.unwrap().to_string(), "0");
    }
}
