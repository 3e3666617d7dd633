//! What is recorded of groups of runs, and how many runs of each were planned.

use std::path::Path;

use caliper_core::analysis::results::Results;
use caliper_core::facts::store::DirStore;
use caliper_core::question::axes::AxisValues;
use caliper_core::question::config::Config;
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::Variant;

use super::recorded::{configuration, recorded};
use crate::exit::Failure;
use crate::setting::Setting;
use crate::terminal::Terminal;

/// Recorded results, and the configuration that they belong to, if there is one.
pub(super) struct Recorded {
    pub(super) store: DirStore,
    pub(super) results: Results,
    config: Option<Config>,
}

impl Recorded {
    /// Those of a configuration or in a folder of results. Warns of stale cells, which do not count.
    pub(super) fn open(path: &Path, terminal: Terminal) -> Result<Self, Failure> {
        let (store, results) = recorded(path, terminal)?;
        if !results.stale.is_empty() {
            terminal.warning(&format!(
                "{} cells are stale and do not count; `caliper run` measures them again",
                results.stale.len()
            ));
        }
        let config = configuration(path, store.folder()).map(|path| Setting::open(&path));
        let config = config.transpose()?.map(|setting| setting.config);
        Ok(Self { store, results, config })
    }

    /// What is a result, and what of it is ignored.
    pub(super) fn criteria(&self) -> Criteria {
        self.config.as_ref().map(|config| config.compare.clone()).unwrap_or_default()
    }

    /// How many runs of a test were planned in a cell of this variant. A group has its own number of runs. A label that is
    /// gone from the configuration was planned elsewhere.
    pub(super) fn planned(&self, test: &str, variant: &Variant) -> Option<usize> {
        let config = self.config.as_ref()?;
        let setup = config.axes.setup_of(&config.setup(), variant).ok()?;
        let test = setup.tests.iter().find(|one| one.name == test)?;
        usize::try_from(test.repeat).ok()
    }

    /// The labels of an axis, in the order of the configuration.
    pub(super) fn labels(&self, axis: &str) -> Vec<String> {
        let axes = self.config.iter().flat_map(|config| &config.axes.axes);
        match axes.filter(|one| one.name == axis).map(|one| &one.values).next() {
            Some(AxisValues::Listed(values)) => {
                values.iter().map(|value| value.label.clone()).collect()
            }
            Some(AxisValues::Releases { .. }) | None => Vec::new(),
        }
    }
}
