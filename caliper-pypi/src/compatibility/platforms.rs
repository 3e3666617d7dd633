//! The platform tags that a machine accepts, the best first.

use caliper_core::question::interpreter::{Libc, Platform};

use crate::tag::LegacyManyLinux;

/// The last minor version to assume of a major version of glibc that is not the newest; as
/// `packaging` assumes, until there is a glibc 3.
const LAST_GLIBC_MINOR: u16 = 50;
/// How many older major versions to list: there is no glibc 3 yet, and a machine that claims to have
/// glibc 60000 shall not get a list of millions.
const MOST_GLIBC_MAJORS: usize = 8;
/// Likewise of macOS, whose releases are numbered by their years now: 26 came after 15.
const MOST_MAC_MAJORS: usize = 100;

pub(super) fn of(platform: &Platform) -> Vec<String> {
    match platform {
        Platform::Linux { arch, libc } => linux(arch, *libc),
        Platform::MacOs { major, minor, arch } => mac_os((*major, *minor), arch),
        Platform::Windows { arch } if arch == "32" => vec!["win32".to_owned()],
        Platform::Windows { arch } => vec![format!("win_{arch}")],
        // A platform that this crate does not know yet installs what is for `any`.
        _ => Vec::new(),
    }
}

fn linux(arch: &str, libc: Libc) -> Vec<String> {
    // A 64-bit ARM processor under a 32-bit system also runs what is for the older processor.
    let archs: &[&str] = if arch == "armv8l" { &["armv8l", "armv7l"] } else { &[arch] };
    let mut tags: Vec<String> = archs.iter().map(|arch| format!("linux_{arch}")).collect();
    for arch in archs {
        match libc {
            Libc::Glibc { major, minor } => many_linux(arch, (major, minor), &mut tags),
            Libc::Musl { major, minor } => {
                let minors = (0..=minor).rev();
                tags.extend(minors.map(|minor| format!("musllinux_{major}_{minor}_{arch}")));
            }
        }
    }
    tags
}

/// [PEP 600](https://peps.python.org/pep-0600/): every glibc up to the one that is there.
fn many_linux(arch: &str, glibc: (u16, u16), tags: &mut Vec<String>) {
    const KNOWN: &[&str] = &[
        "x86_64",
        "i686",
        "aarch64",
        "armv7l",
        "armv8l",
        "ppc64",
        "ppc64le",
        "s390x",
        "loongarch64",
        "riscv64",
    ];
    if !KNOWN.contains(&arch) {
        return;
    }
    // The oldest glibc that any tag names: that of manylinux1, which only x86 had.
    let oldest = if matches!(arch, "x86_64" | "i686") { 5 } else { 17 };
    let older_majors = (2..glibc.0).rev().take(MOST_GLIBC_MAJORS);
    let older_majors = older_majors.map(|major| (major, LAST_GLIBC_MINOR));
    for (major, newest) in std::iter::once(glibc).chain(older_majors) {
        let oldest = if major == 2 { oldest } else { 0 };
        for minor in (oldest..=newest).rev() {
            tags.push(format!("manylinux_{major}_{minor}_{arch}"));
            let legacy =
                LegacyManyLinux::ALL.iter().find(|legacy| legacy.glibc() == (major, minor));
            tags.extend(legacy.map(|legacy| format!("{}_{arch}", legacy.name())));
        }
    }
}

/// Every macOS up to the one that is there, each with its processor and the sets that hold it.
fn mac_os(version: (u16, u16), arch: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut push = |major: u16, minor: u16, formats: &[&str]| {
        tags.extend(formats.iter().map(|format| format!("macosx_{major}_{minor}_{format}")));
    };
    if version.0 == 10 {
        for minor in (0..=version.1).rev() {
            push(10, minor, &binary_formats((10, minor), arch));
        }
    }
    // Since macOS 11 a release bumps the major version; minor ones promise nothing new.
    for major in (11..=version.0).rev().take(MOST_MAC_MAJORS) {
        push(major, 0, &binary_formats((major, 0), arch));
    }
    if version.0 >= 11 {
        for minor in (4..=16).rev() {
            if arch == "x86_64" {
                push(10, minor, &binary_formats((10, minor), arch));
            } else {
                // There was no macOS 10 for ARM, but a universal binary is named by its other half.
                push(10, minor, &["universal2"]);
            }
        }
    }
    tags
}

fn binary_formats(version: (u16, u16), arch: &str) -> Vec<&str> {
    let sets: &[&str] = match arch {
        "x86_64" | "i386" if version < (10, 4) => return Vec::new(),
        "x86_64" => &["intel", "fat64", "fat3", "universal2", "universal"],
        "i386" => &["intel", "fat3", "fat", "universal"],
        "ppc64" if !((10, 4)..=(10, 5)).contains(&version) => return Vec::new(),
        "ppc64" => &["fat64", "universal"],
        "ppc" if version > (10, 6) => return Vec::new(),
        "ppc" => &["fat3", "fat", "universal"],
        "arm64" => &["universal2"],
        "intel" => &["universal"],
        _ => &[],
    };
    std::iter::once(arch).chain(sets.iter().copied()).collect()
}
