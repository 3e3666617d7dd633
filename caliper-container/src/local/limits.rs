//! How limits are enforced on this machine: through control groups if this process may divide its own,
//! otherwise by watching the processes of a test.

use caliper_core::question::limits::{Limits, Network};

use super::control::{Control, Controller};
use super::{NAME, processors};
use crate::backend::{BackendError, Granted};

/// The means of this machine to enforce limits.
pub(super) struct Keeper {
    control: Result<Control, String>,
}

impl Keeper {
    /// Detects them; `divide` says whether this process may divide its own control group.
    pub(super) fn find(divide: bool) -> Self {
        let control = if divide {
            Control::take()
        } else {
            Err("this program keeps no control groups".to_owned())
        };
        Self { control }
    }

    /// The control groups of this process. Tests without limits get one too, because killing a group is
    /// reliable: a list of processes is always incomplete if they fork faster than they are found.
    pub(super) fn control(&self) -> Option<&Control> {
        self.control.as_ref().ok()
    }

    /// How limits are enforced here, as text.
    pub(super) fn describe(&self) -> String {
        match &self.control {
            Ok(_) => "control groups v2 of its own".to_owned(),
            Err(why) => format!("no control groups: {why}"),
        }
    }

    /// Checks that all of `limits` can be enforced.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), BackendError> {
        let refuse = |what: &str, fix: &str| {
            Err(BackendError::Unsupported {
                backend: NAME,
                what: what.to_owned(),
                fix: fix.to_owned(),
            })
        };
        let linux = cfg!(target_os = "linux");
        let docker = "pass `--backend docker`, or remove it from the configuration";
        let asked = [
            (
                limits.memory.is_some() && !linux,
                "a limit on memory (`limits.memory`) on this system",
            ),
            (
                limits.idle.is_some() && !linux,
                "a limit on idle time (`limits.idle`) on this system",
            ),
            (
                limits.cpuset.is_some() && !linux,
                "chosen processors (`limits.cpuset`) on this system",
            ),
            (limits.disk.is_some(), "a limit on the disk (`limits.disk`)"),
            (limits.network == Network::None, "tests without a network (`limits.network`)"),
            (limits.gpus.is_some(), "chosen graphics processors (`limits.gpus`)"),
            (limits.runtime.is_some(), "a runtime for containers (`limits.runtime`)"),
            (
                !limits.capabilities.is_empty(),
                "other rights than the user's (`limits.capabilities`)",
            ),
        ];
        if let Some((_, what)) = asked.into_iter().find(|(asked, _)| *asked) {
            return refuse(what, docker);
        }
        let lacks = |controller: Controller| match &self.control {
            Ok(control) if control.has(controller) => None,
            Ok(_) => Some(format!("its control group has no `{}` controller", controller.name())),
            Err(why) => Some(why.clone()),
        };
        for (asked, controller, what) in [
            (limits.cpus.is_some(), Controller::Cpu, "a share of processors (`limits.cpus`)"),
            (limits.pids.is_some(), Controller::Pids, "a limit on processes (`limits.pids`)"),
        ] {
            let Some(why) = lacks(controller).filter(|_| asked) else { continue };
            let fix = format!(
                "{why}; start `caliper` with `systemd-run --user --scope -p Delegate=yes`, \
                 pass `--backend docker`, or remove it from the configuration"
            );
            return refuse(what, &fix);
        }
        match limits.cpuset.as_ref().and_then(processors::missing) {
            Some(number) => refuse(
                &format!("processor {number} (`limits.cpuset`)"),
                "this process may use only those that `nproc` counts: name one of them",
            ),
            None => Ok(()),
        }
    }

    /// What a test is granted that was promised `limits`.
    pub(super) fn granted(&self, limits: &Limits) -> Granted {
        let mut means = vec!["process group"];
        let control = self.control();
        means.extend(control.map(|_| "control group v2"));
        let keeps = |controller| control.is_some_and(|control| control.has(controller));
        if limits.memory.is_some() && !keeps(Controller::Memory) {
            means.push("memory looked at every 20 ms");
        }
        if limits.cpuset.is_some() && !keeps(Controller::Cpuset) {
            means.push("processor affinity");
        }
        Granted { limits: limits.clone(), by: format!("caliper: {}", means.join(", ")) }
    }
}
