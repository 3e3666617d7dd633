//! Control groups where this process may make its own: version 2, delegated, see cgroups(7) and
//! <https://systemd.io/CGROUP_DELEGATION/>.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use caliper_core::question::limits::Limits;
use rustix::process::Pid;

/// The control group of this process, in which it makes groups for tests; restored on drop.
#[derive(Debug)]
pub(super) struct Control {
    folder: PathBuf,
    /// Which limits can be enforced here. Not all controllers are delegated: systemd keeps `cpuset`.
    controllers: Vec<Controller>,
    /// The controllers that were enabled for this, and that are disabled again on drop.
    switched_on: Vec<Controller>,
    /// The group that this process moves to, beside the groups of tests.
    home: Option<PathBuf>,
    next: AtomicU64,
}

/// A controller, by its name in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Cpu,
    Cpuset,
    Memory,
    Pids,
}

impl Controller {
    const ALL: [Self; 4] = [Self::Cpu, Self::Cpuset, Self::Memory, Self::Pids];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuset => "cpuset",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    /// Whether `limits` need it.
    fn is_needed(self, limits: &Limits) -> bool {
        match self {
            Self::Cpu => limits.cpus.is_some(),
            Self::Cpuset => limits.cpuset.is_some(),
            Self::Memory => limits.memory.is_some(),
            Self::Pids => limits.pids.is_some(),
        }
    }

    /// Those that a file of the kernel lists.
    fn read(file: &Path) -> Result<Vec<Self>, String> {
        let names = read(file)?;
        let names: Vec<&str> = names.split_whitespace().collect();
        Ok(Self::ALL.into_iter().filter(|one| names.contains(&one.name())).collect())
    }
}

impl Control {
    /// Prepares the control group of this process for groups below it. The error says why this is not
    /// possible.
    pub(super) fn take() -> Result<Self, String> {
        let mounts = read(Path::new("/proc/self/mountinfo"))?;
        let own = read(Path::new("/proc/self/cgroup"))?;
        let mounted = mounted(&mounts).ok_or("control groups of version 2 are not mounted")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
        let folder = mounted.join(own.trim_start_matches('/'));
        let controllers = Controller::read(&folder.join("cgroup.controllers"))?;
        if controllers.is_empty() {
            return Err("its control group has no controllers".to_owned());
        }
        clear(&folder);
        // The kernel's rule "no internal processes": only the root group may have both processes and
        // children with limits. So this process moves to a group of its own first.
        let is_root = !folder.join("cgroup.type").exists();
        let mut control = Self {
            switched_on: Vec::new(),
            home: (!is_root).then(|| folder.join("caliper")),
            controllers,
            folder,
            next: AtomicU64::new(0),
        };
        control.divide()?;
        Ok(control)
    }

    fn divide(&mut self) -> Result<(), String> {
        let folder = &self.folder;
        if let Some(home) = &self.home {
            let this = std::process::id().to_string();
            let processes = read(&folder.join("cgroup.procs"))?;
            if processes.split_whitespace().any(|process| process != this) {
                return Err("its control group is not its own".to_owned());
            }
            let moved = match fs::create_dir(home) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => fs::write(home.join("cgroup.procs"), &this),
            };
            moved.map_err(|error| format!("its control group is not its own: {error}"))?;
        }
        let on = Controller::read(&folder.join("cgroup.subtree_control"))?;
        let off = |one: &Controller| !on.contains(one);
        self.switched_on = self.controllers.iter().copied().filter(off).collect();
        self.switch('+').map_err(|error| format!("its control group cannot be divided: {error}"))
    }

    fn switch(&self, sign: char) -> io::Result<()> {
        let all: Vec<String> =
            self.switched_on.iter().map(|one| format!("{sign}{}", one.name())).collect();
        fs::write(self.folder.join("cgroup.subtree_control"), all.join(" "))
    }

    /// Whether there is that controller.
    pub(super) fn has(&self, controller: Controller) -> bool {
        self.controllers.contains(&controller)
    }

    /// Those of `limits` that are enforced here.
    fn kept(&self, limits: &Limits) -> Vec<Controller> {
        let needed = |one: &Controller| one.is_needed(limits);
        self.controllers.iter().copied().filter(needed).collect()
    }

    /// Makes a control group for those of `limits` that can be enforced here.
    pub(super) fn group(&self, limits: &Limits) -> io::Result<Group> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("caliper-{}-{number}", std::process::id()));
        fs::create_dir(&folder)?;
        let group = Group { folder, kept: self.kept(limits) };
        let keeps = |controller| group.keeps(controller);
        if let Some(memory) = limits.memory.filter(|_| keeps(Controller::Memory)) {
            group.set("memory.max", &memory.to_string())?;
            // The file is missing if the kernel has no swap.
            match group.set("memory.swap.max", "0") {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                set => set?,
            }
        }
        if let Some(pids) = limits.pids.filter(|_| keeps(Controller::Pids)) {
            group.set("pids.max", &pids.to_string())?;
        }
        if let Some(cpus) = limits.cpus.filter(|_| keeps(Controller::Cpu)) {
            // Microseconds of each tenth of a second.
            group.set("cpu.max", &format!("{:.0} 100000", cpus * 1e5))?;
        }
        if let Some(cpuset) = limits.cpuset.as_ref().filter(|_| keeps(Controller::Cpuset)) {
            group.set("cpuset.cpus", &cpuset.to_string())?;
        }
        Ok(group)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // Restore the group for the next process in it. The controllers must be disabled before this
        // process moves back, because a group that has enabled them accepts no processes.
        let _ = self.switch('-');
        if let Some(home) = &self.home {
            let _ = fs::write(self.folder.join("cgroup.procs"), std::process::id().to_string());
            let _ = fs::remove_dir(home);
        }
    }
}

/// The control group of one run of one test. Dropping it kills all its processes and removes it.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    kept: Vec<Controller>,
}

impl Group {
    fn set(&self, name: &str, value: &str) -> io::Result<()> {
        fs::write(self.folder.join(name), value)
    }

    /// Whether it enforces this kind of limit.
    pub(super) fn keeps(&self, controller: Controller) -> bool {
        self.kept.contains(&controller)
    }

    /// See [`kill`].
    pub(super) fn kill(&self) {
        kill(&self.folder);
    }

    /// Adds a process, and with it every process that it starts from now on.
    pub(super) fn admit(&self, process: Pid) -> io::Result<()> {
        self.set("cgroup.procs", &process.as_raw_nonzero().to_string())
    }

    /// Whether a process was killed by the memory limit.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|kills| kills.trim() != "0")
    }

    /// The peak memory in bytes; `None` before Linux 5.19.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join("memory.peak")).ok()?.trim().parse().ok()
    }

    /// The processor time of all processes of the group, those that have ended too.
    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.folder.join("cpu.stat")).ok()?;
        let microseconds = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        microseconds.trim().parse().ok().map(Duration::from_micros)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Kills all processes of a group at once, from Linux 5.14 on. Older kernels need one signal for each.
fn kill(folder: &Path) {
    let _ = fs::write(folder.join("cgroup.kill"), "1");
}

/// Kills all processes of a group and removes it.
fn remove(folder: &Path) {
    kill(folder);
    for _ in 0..200 {
        if !matches!(fs::remove_dir(folder), Err(error) if error.kind() == io::ErrorKind::ResourceBusy)
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Removes the groups of earlier Caliper processes that were killed by SIGKILL and so could not remove
/// them.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix("caliper-")?.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            remove(&entry.path());
        }
    }
}

/// The mount point of control groups version 2, from `/proc/self/mountinfo`, proc(5).
fn mounted(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let is_cgroup2 = file_system.split(' ').next() == Some("cgroup2");
        is_cgroup2.then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_version_2_is_found() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n\
                      31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n";
        assert_eq!(mounted(mounts), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(mounted("30 23 0:26 / / rw - ext4 /dev/x rw\n"), None);
    }
}
