use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::names::{ParseTimestampError, Timestamp};
use crate::question::group::Group;
use crate::question::limits::Limits;
use crate::question::plan::Setup;
use crate::question::template::{Args, Template};

/// What a value of an axis changes in the setup.
///
/// Requirements, constraints, base, template arguments and the date act on the environment; variables,
/// limits and groups act on the run only, so that cells that differ in nothing else share an environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overlay {
    /// Installed in addition.
    pub requirements: Vec<String>,
    /// Constraints in addition.
    pub constraints: Vec<String>,
    /// Environment variables of every test, in place of those of the same name.
    pub env: BTreeMap<String, String>,
    /// Limits in place of those of the setup.
    pub limits: LimitChanges,
    /// Another template of the base image's name.
    pub base: Option<Template>,
    /// Template variables in place of those of the same name.
    pub args: Args,
    /// The date of the index.
    pub as_of: Option<AsOf>,
    /// The runs of all tests.
    pub group: Option<Group>,
}

impl Overlay {
    /// This one with `upper` on top of it.
    #[must_use]
    pub fn with(mut self, upper: &Self) -> Self {
        self.requirements.extend(upper.requirements.iter().cloned());
        self.constraints.extend(upper.constraints.iter().cloned());
        self.env.extend(upper.env.clone());
        self.limits.0.extend(upper.limits.0.clone());
        self.base = upper.base.clone().or(self.base);
        self.args.extend(&upper.args);
        self.as_of = upper.as_of.or(self.as_of);
        self.group = upper.group.clone().or(self.group);
        self
    }

    /// The setup with these changes; the date is left to the caller, who knows what it stands for.
    #[must_use]
    pub fn apply(&self, setup: &Setup) -> Setup {
        let mut changed = setup.clone();
        changed.requirements.extend(self.requirements.iter().cloned());
        changed.constraints.extend(self.constraints.iter().cloned());
        changed.limits = self.limits.apply(&setup.limits);
        if let Some(base) = &self.base {
            changed.base.clone_from(base);
        }
        changed.args.extend(&self.args);
        changed.set_variables(&self.env);
        if let Some(group) = &self.group {
            changed.set_group(group);
        }
        changed
    }
}

/// Which date of the index a cell is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// The moment at which the cell's own file was uploaded.
    Release,
    /// The moment that the planner says.
    Today,
    /// This moment.
    Date(Timestamp),
}

impl AsOf {
    /// The moment, unless each release has its own.
    pub fn fixed(self, today: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Release => None,
            Self::Today => Some(today),
            Self::Date(date) => Some(date),
        }
    }
}

impl FromStr for AsOf {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "release" => Self::Release,
            "today" => Self::Today,
            date => Self::Date(date.parse()?),
        })
    }
}

/// Some of the limits, by the names that they have in the configuration and in records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LimitChanges(Map<String, Value>);

impl LimitChanges {
    /// Those of `limits` that have these names.
    pub fn of<'a>(limits: &Limits, names: impl IntoIterator<Item = &'a str>) -> Self {
        let all = as_map(limits);
        let value = |name: &str| all.get(name).cloned().unwrap_or(Value::Null);
        Self(names.into_iter().map(|name| (name.to_owned(), value(name))).collect())
    }

    /// The same limits but for these.
    pub fn apply(&self, limits: &Limits) -> Limits {
        let mut all = as_map(limits);
        for (name, value) in &self.0 {
            if value.is_null() {
                all.remove(name);
            } else {
                all.insert(name.clone(), value.clone());
            }
        }
        // Every value came out of `Limits`, so it goes in again.
        serde_json::from_value(Value::Object(all)).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

fn as_map(limits: &Limits) -> Map<String, Value> {
    match serde_json::to_value(limits) {
        Ok(Value::Object(map)) => map,
        other => unreachable!("limits are written as an object, not as {other:?}"),
    }
}
