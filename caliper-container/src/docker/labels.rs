//! How Caliper's things on an engine are told from everybody else's, and whose of Caliper's they are.

use std::fs;
use std::sync::LazyLock;

/// Stands on every container and on every layer of every image that Caliper makes.
pub(super) const OURS: &str = "dev.caliper";
/// On containers: the run.
pub(super) const RUN: &str = "dev.caliper.run";
/// On containers: the cell.
pub(super) const CELL: &str = "dev.caliper.cell";
/// On containers: the process, as [`Owner`] prints it.
pub(super) const OWNER: &str = "dev.caliper.owner";

/// The repository whose tags hold on to the images of a run. Each environment has a tag of its own,
/// so that an image that several environments share goes with the last of them: the engine counts.
pub(super) const HELD: &str = "caliper/run";
/// Under here are the images that the user wants kept.
pub(super) const KEPT: &str = "caliper/kept";

/// A process of Caliper: the boot of the machine, the process's namespace, its number, and when it
/// started. No two ever have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    machine: String,
    process: String,
    started: String,
}

impl Owner {
    /// This process. `None` where there is no `/proc` to tell processes apart for good.
    pub(super) fn this() -> Option<&'static Self> {
        static THIS: LazyLock<Option<Owner>> = LazyLock::new(|| {
            Some(Owner {
                machine: machine()?,
                process: std::process::id().to_string(),
                started: started(&std::process::id().to_string())?,
            })
        });
        THIS.as_ref()
    }

    /// Reads what [`Owner`] prints.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '-').map(str::to_owned);
        let (started, process, machine) = (parts.next()?, parts.next()?, parts.next()?);
        let numbers = process.bytes().chain(started.bytes()).all(|byte| byte.is_ascii_digit());
        numbers.then_some(Self { machine, process, started })
    }

    /// Whether it can be told from here if this process runs: not of another machine, another boot or
    /// another container.
    pub(super) fn is_here(&self) -> bool {
        machine().is_some_and(|here| here == self.machine)
    }

    /// Whether this process is known to have ended.
    pub(super) fn is_gone(&self) -> bool {
        self.is_here() && started(&self.process).as_ref() != Some(&self.started)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}-{}-{}", self.machine, self.process, self.started)
    }
}

/// This boot of this machine, and the namespace in which numbers of processes mean something.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>();
    let namespace = namespace.to_string_lossy();
    let namespace: String = namespace.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{}.{namespace}", digits(&boot)))
}

/// When a process started, in ticks since the boot: field 22 of `/proc/PID/stat`, proc(5). `None` if
/// there is none.
fn started(process: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the name in brackets, and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    // A process that ended and was not yet collected does nothing any more.
    let state = fields.next()?;
    (state != "Z").then(|| fields.nth(18).map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_gone_when_its_process_is() {
        let this = Owner::this().unwrap();
        assert!(!this.is_gone());
        let read = Owner::parse(&this.to_string()).unwrap();
        assert_eq!(&read, this);
        // The number belongs to another process now.
        assert!(Owner { started: "1".into(), ..this.clone() }.is_gone());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = child.id().to_string();
        child.wait().unwrap();
        assert!(Owner { process, ..this.clone() }.is_gone());
        // Of another boot: cannot be known.
        assert!(!Owner { machine: "x".into(), started: "1".into(), ..this.clone() }.is_gone());
        for bad in ["", "a-b-c", "a-1"] {
            assert_eq!(Owner::parse(bad), None, "{bad}");
        }
    }
}
