//! What this machine is.

use std::fs;
use std::sync::OnceLock;
use std::thread;

use caliper_core::facts::record::Machine;

/// This machine, as this process may use it. It is looked at once.
pub(crate) fn here() -> &'static Machine {
    static HERE: OnceLock<Machine> = OnceLock::new();
    HERE.get_or_init(look)
}

fn look() -> Machine {
    let mut machine = Machine::default();
    machine.cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| processor(&text));
    machine.cores = thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok());
    machine.memory = memory();
    let system = rustix::system::uname();
    machine.kernel = system.release().to_str().ok().map(str::to_owned);
    let release = fs::read_to_string("/etc/os-release").ok();
    machine.os = release
        .and_then(|text| pretty_name(&text))
        .or_else(|| system.sysname().to_str().ok().map(str::to_owned));
    machine
}

/// The model of the processor, from the text of `/proc/cpuinfo`.
fn processor(text: &str) -> Option<String> {
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found.trim() == key).then(|| value.trim().to_owned())
        })
    };
    // The second is what some ARM kernels have.
    value("model name").or_else(|| value("Hardware")).filter(|model| !model.is_empty())
}

/// The memory of this machine in bytes, or the limit of this process's control group if that is lower.
fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits =
        limits.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    Some(limits.fold(kibibytes * 1024, u64::min))
}

/// `PRETTY_NAME` of an os-release(5) file.
fn pretty_name(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = value.trim().trim_matches(['"', '\'']).to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_system_are_read() {
        assert_eq!(
            processor("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n").as_deref(),
            Some("A CPU @ 2 GHz")
        );
        assert_eq!(processor("Hardware : B\n").as_deref(), Some("B"));
        assert_eq!(processor(""), None);
        assert_eq!(pretty_name("ID=x\nPRETTY_NAME=\"Debian 12\"\n").as_deref(), Some("Debian 12"));
        assert_eq!(pretty_name("PRETTY_NAME=\n"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_tells_what_it_is() {
        let here = here();
        assert!(here.cores.is_some_and(|cores| cores > 0));
        assert!(here.memory.is_some_and(|bytes| bytes > 64 << 20));
        assert!(here.kernel.is_some() && here.os.is_some());
    }
}
