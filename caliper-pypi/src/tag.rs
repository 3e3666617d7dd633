//! Compatibility tags: what a wheel is for.
//!
//! Specification: [platform compatibility tags](https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/)
//! ([PEP 425](https://peps.python.org/pep-0425/)).

use std::fmt;
use std::str::FromStr;

use caliper_core::question::interpreter::{Libc, Platform};

/// A Python tag, an ABI tag and a platform tag, such as `cp311-cp311-manylinux_2_17_x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag {
    python: Box<str>,
    abi: Box<str>,
    platform: Box<str>,
}

impl Tag {
    pub(crate) fn from_parts(python: &str, abi: &str, platform: &str) -> Self {
        Self { python: python.into(), abi: abi.into(), platform: platform.into() }
    }

    /// Which Pythons it is for: `cp311`, `py3`.
    pub fn python(&self) -> &str {
        &self.python
    }

    /// Which binary interface it needs: `cp311`, `abi3`, `none`.
    pub fn abi(&self) -> &str {
        &self.abi
    }

    /// Which machines it is for: `manylinux_2_17_x86_64`, `any`.
    pub fn platform(&self) -> &str {
        &self.platform
    }
}

/// Why a text is not a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a compatibility tag: expected `python-abi-platform`, such as `py3-none-any`")]
pub struct ParseTagError(String);

impl FromStr for Tag {
    type Err = ParseTagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let lower = text.to_ascii_lowercase();
            let mut parts = lower.split('-');
            let tag = Self::from_parts(parts.next()?, parts.next()?, parts.next()?);
            let valid = is_python(&tag.python) && is_part(&tag.abi) && is_part(&tag.platform);
            (parts.next().is_none() && valid).then_some(tag)
        };
        parse().ok_or_else(|| ParseTagError(crate::excerpt::excerpt(text)))
    }
}

/// Whether a text can be the ABI or platform tag of a wheel's name; `packaging` takes anything there.
pub(crate) fn is_part(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"-./\\".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// Whether a text can be the Python tag of a wheel's name: an identifier, as `packaging` asks.
pub(crate) fn is_python(text: &str) -> bool {
    text.bytes().all(is_word) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

/// A platform tag, taken apart.
///
/// Prints as it was written, but for upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PlatformTag {
    /// `any`: pure Python.
    Any,
    /// `linux_x86_64`: any Linux, without a promise about its C library.
    Linux {
        /// The processor.
        arch: Box<str>,
    },
    /// `manylinux_2_17_x86_64`: glibc of at least this version
    /// ([PEP 600](https://peps.python.org/pep-0600/)).
    ManyLinux {
        /// The 2 of glibc 2.17.
        major: u16,
        /// The 17 of glibc 2.17.
        minor: u16,
        /// The processor.
        arch: Box<str>,
        /// The older name of this glibc, if the tag was written with it.
        legacy: Option<LegacyManyLinux>,
    },
    /// `musllinux_1_2_x86_64`: musl of at least this version
    /// ([PEP 656](https://peps.python.org/pep-0656/)).
    MuslLinux {
        /// The 1 of musl 1.2.
        major: u16,
        /// The 2 of musl 1.2.
        minor: u16,
        /// The processor.
        arch: Box<str>,
    },
    /// `macosx_11_0_arm64`: macOS of at least this version.
    MacOs {
        /// The 11 of macOS 11.0.
        major: u16,
        /// The 0 of macOS 11.0.
        minor: u16,
        /// A processor, or a set of them such as `universal2` or `intel`.
        arch: Box<str>,
    },
    /// `win_amd64`, `win32`.
    Windows {
        /// What follows `win` or `win_`: `amd64`, `arm64`, `32`.
        arch: Box<str>,
    },
    /// Any other, such as `ios_13_0_arm64_iphoneos` or `android_21_x86_64`.
    Other(Box<str>),
}

/// The names of glibc versions from before PEP 600.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LegacyManyLinux {
    /// `manylinux1`: glibc 2.5 ([PEP 513](https://peps.python.org/pep-0513/)).
    One,
    /// `manylinux2010`: glibc 2.12 ([PEP 571](https://peps.python.org/pep-0571/)).
    TwentyTen,
    /// `manylinux2014`: glibc 2.17 ([PEP 599](https://peps.python.org/pep-0599/)).
    TwentyFourteen,
}

impl LegacyManyLinux {
    /// All three, the oldest first.
    pub(crate) const ALL: [Self; 3] = [Self::One, Self::TwentyTen, Self::TwentyFourteen];

    /// The word in front of the processor.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "manylinux1",
            Self::TwentyTen => "manylinux2010",
            Self::TwentyFourteen => "manylinux2014",
        }
    }

    /// The version of glibc that it stands for.
    pub(crate) const fn glibc(self) -> (u16, u16) {
        match self {
            Self::One => (2, 5),
            Self::TwentyTen => (2, 12),
            Self::TwentyFourteen => (2, 17),
        }
    }
}

impl PlatformTag {
    /// Reads a tag; what it does not know is [`PlatformTag::Other`].
    pub fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        Self::known(&text).unwrap_or_else(|| Self::Other(text.into()))
    }

    /// Whether wheels with this tag can be for a Linux, of whatever processor and C library.
    pub(crate) fn is_for_linux(&self) -> bool {
        matches!(
            self,
            Self::Any | Self::Linux { .. } | Self::ManyLinux { .. } | Self::MuslLinux { .. }
        )
    }

    /// A platform that takes wheels with this tag and is just new enough to. `None` where the tag
    /// does not name one.
    pub fn platform(&self) -> Option<Platform> {
        Some(match self {
            Self::Linux { arch } => {
                // The tag says nothing of the C library; this is the glibc of Debian 12.
                let libc = Libc::Glibc { major: 2, minor: 36 };
                Platform::Linux { arch: arch.to_string(), libc }
            }
            Self::ManyLinux { major, minor, arch, .. } => {
                let libc = Libc::Glibc { major: *major, minor: *minor };
                Platform::Linux { arch: arch.to_string(), libc }
            }
            Self::MuslLinux { major, minor, arch } => {
                let libc = Libc::Musl { major: *major, minor: *minor };
                Platform::Linux { arch: arch.to_string(), libc }
            }
            Self::MacOs { major, minor, arch } => {
                // `universal2` and its like are for several processors; the newer one stands for them.
                let arch = if arch.starts_with("universal") { "arm64" } else { arch };
                Platform::MacOs { major: *major, minor: *minor, arch: arch.to_owned() }
            }
            Self::Windows { arch } => Platform::Windows { arch: arch.to_string() },
            Self::Any | Self::Other(_) => return None,
        })
    }

    fn known(text: &str) -> Option<Self> {
        if text == "any" {
            return Some(Self::Any);
        }
        if text == "win32" {
            return Some(Self::Windows { arch: "32".into() });
        }
        let (family, rest) = text.split_once('_')?;
        // A processor is a word: a dot would part two tags, and nothing would be no processor.
        if rest.is_empty() || !rest.bytes().all(is_word) {
            return None;
        }
        let legacy = LegacyManyLinux::ALL.into_iter().find(|legacy| legacy.name() == family);
        if let Some(legacy) = legacy {
            let (major, minor) = legacy.glibc();
            return Some(Self::ManyLinux { major, minor, arch: rest.into(), legacy: Some(legacy) });
        }
        let versioned = || {
            // A leading zero would not print as it was written.
            let number = |text: &str| {
                let plain = text.bytes().all(|byte| byte.is_ascii_digit());
                (plain && (text == "0" || !text.starts_with('0'))).then(|| text.parse().ok())?
            };
            let mut parts = rest.splitn(3, '_');
            let (major, minor) = (number(parts.next()?)?, number(parts.next()?)?);
            Some((major, minor, parts.next().filter(|arch| !arch.is_empty())?.into()))
        };
        Some(match family {
            "linux" => Self::Linux { arch: rest.into() },
            // `win_32` is no name of `win32`.
            "win" if rest != "32" => Self::Windows { arch: rest.into() },
            "manylinux" => {
                let (major, minor, arch) = versioned()?;
                Self::ManyLinux { major, minor, arch, legacy: None }
            }
            "musllinux" => {
                let (major, minor, arch) = versioned()?;
                Self::MuslLinux { major, minor, arch }
            }
            "macosx" => {
                let (major, minor, arch) = versioned()?;
                Self::MacOs { major, minor, arch }
            }
            _ => return None,
        })
    }
}

impl fmt::Display for PlatformTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any"),
            Self::Linux { arch } => write!(formatter, "linux_{arch}"),
            Self::ManyLinux { legacy: Some(legacy), arch, .. } => {
                write!(formatter, "{}_{arch}", legacy.name())
            }
            Self::ManyLinux { major, minor, arch, legacy: None } => {
                write!(formatter, "manylinux_{major}_{minor}_{arch}")
            }
            Self::MuslLinux { major, minor, arch } => {
                write!(formatter, "musllinux_{major}_{minor}_{arch}")
            }
            Self::MacOs { major, minor, arch } => {
                write!(formatter, "macosx_{major}_{minor}_{arch}")
            }
            Self::Windows { arch } if &**arch == "32" => formatter.write_str("win32"),
            Self::Windows { arch } => write!(formatter, "win_{arch}"),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn platforms_are_taken_apart() {
        let arch = || "x86_64".into();
        let cases = [
            ("any", PlatformTag::Any),
            ("linux_x86_64", PlatformTag::Linux { arch: arch() }),
            (
                "manylinux_2_28_x86_64",
                PlatformTag::ManyLinux { major: 2, minor: 28, arch: arch(), legacy: None },
            ),
            (
                "manylinux2014_x86_64",
                PlatformTag::ManyLinux {
                    major: 2,
                    minor: 17,
                    arch: arch(),
                    legacy: Some(LegacyManyLinux::TwentyFourteen),
                },
            ),
            ("musllinux_1_2_x86_64", PlatformTag::MuslLinux { major: 1, minor: 2, arch: arch() }),
            (
                "macosx_10_9_universal2",
                PlatformTag::MacOs { major: 10, minor: 9, arch: "universal2".into() },
            ),
            ("win32", PlatformTag::Windows { arch: "32".into() }),
            ("win_amd64", PlatformTag::Windows { arch: "amd64".into() }),
            ("win_32", PlatformTag::Other("win_32".into())),
            ("linux_", PlatformTag::Other("linux_".into())),
            ("macosx_11_0_", PlatformTag::Other("macosx_11_0_".into())),
            ("win_amd64.win32", PlatformTag::Other("win_amd64.win32".into())), // two tags
            ("manylinux_x86_64", PlatformTag::Other("manylinux_x86_64".into())),
            ("ios_13_0_arm64_iphoneos", PlatformTag::Other("ios_13_0_arm64_iphoneos".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(PlatformTag::of(text), expected);
            assert_eq!(expected.to_string(), text);
        }
    }

    #[test]
    fn a_tag_has_three_parts() {
        assert_eq!("Py3-none-any".parse::<Tag>().unwrap().to_string(), "py3-none-any");
        for bad in ["", "py3", "py3-none", "py3-none-any-x", "py3--any", "py3-none-é", "3-none-any"]
        {
            assert!(bad.parse::<Tag>().is_err(), "{bad}");
        }
        insta::assert_snapshot!("py3".parse::<Tag>().unwrap_err(), @"`py3` is not a compatibility tag: expected `python-abi-platform`, such as `py3-none-any`");
    }

    proptest! {
        #[test]
        fn printing_gives_back_what_was_read(
            text in "(any|win32|win_[a-z0-9]{1,5}|linux_[a-z0-9_]{1,8}|many(linux1|linux2014)_[a-z]{1,4}|(manylinux|musllinux|macosx)_[0-9]{1,3}_[0-9]{1,3}_[a-z0-9_]{1,8}|[a-z0-9_]{0,12})"
        ) {
            prop_assert_eq!(PlatformTag::of(&text).to_string(), text);
        }

        #[test]
        fn a_tag_prints_as_it_was_read(
            text in "[A-Za-z_][A-Za-z0-9_]{0,6}-[A-Za-z0-9_]{1,8}-[A-Za-z0-9_]{1,12}"
        ) {
            let tag: Tag = text.parse().unwrap();
            prop_assert_eq!(tag.to_string(), text.to_ascii_lowercase());
            prop_assert_eq!(tag.to_string().parse(), Ok(tag));
        }
    }
}
