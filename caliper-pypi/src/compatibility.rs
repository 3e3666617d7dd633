//! What an interpreter accepts: an ordered list of tags, the best first.
//!
//! The list is the one that PyPA's `packaging.tags` yields (26.3), which pip chooses by.
//! Specification: [platform compatibility tags](https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/#use).

mod platforms;

use std::collections::HashMap;

use caliper_core::names::PythonVersion;
use caliper_core::question::grid::Mismatch;
use caliper_core::question::interpreter::{Implementation, Interpreter};

use crate::tag::Tag;
use crate::wheel::WheelName;

/// The tags that one interpreter accepts, each with its rank: 0 is the best.
#[derive(Debug, Clone)]
pub struct SupportedTags {
    python: PythonVersion,
    /// In order. A block stands for one tag on every platform, or for one tag on `any`.
    blocks: Vec<Block>,
    platforms: Vec<String>,
    /// Python tag → ABI tag → where its blocks start.
    starts: HashMap<Box<str>, HashMap<Box<str>, Starts>>,
    platform_ranks: HashMap<Box<str>, u32>,
}

#[derive(Debug, Clone)]
struct Block {
    python: String,
    abi: String,
    any: bool,
}

/// The ranks at which the blocks of one Python tag and ABI tag start.
#[derive(Debug, Clone, Copy, Default)]
struct Starts {
    on_platforms: Option<u32>,
    on_any: Option<u32>,
}

impl SupportedTags {
    /// What `interpreter` accepts.
    pub fn of(interpreter: &Interpreter) -> Self {
        let platforms = platforms::of(&interpreter.platform);
        let blocks = blocks(interpreter);
        let mut starts: HashMap<Box<str>, HashMap<Box<str>, Starts>> = HashMap::new();
        let mut rank = 0;
        for block in &blocks {
            let of_python = starts.entry(block.python.as_str().into()).or_default();
            let starts = of_python.entry(block.abi.as_str().into()).or_default();
            let (start, length) = if block.any {
                (&mut starts.on_any, 1)
            } else {
                (&mut starts.on_platforms, platforms.len())
            };
            // The first of two equal tags counts.
            start.get_or_insert(rank);
            rank += u32::try_from(length).unwrap_or(u32::MAX);
        }
        let platform_ranks = (0..).zip(&platforms).map(|(rank, name)| (name.as_str().into(), rank));
        Self {
            python: interpreter.python,
            platform_ranks: platform_ranks.collect(),
            blocks,
            platforms,
            starts,
        }
    }

    /// The tags, the best first.
    pub fn tags(&self) -> impl Iterator<Item = Tag> + '_ {
        self.blocks.iter().flat_map(|block| {
            let any = block.any.then_some("any").into_iter();
            let platforms = self.platforms.iter().filter(|_| !block.any).map(String::as_str);
            any.chain(platforms)
                .map(|platform| Tag::from_parts(&block.python, &block.abi, platform))
        })
    }

    /// The rank of the best tag of `wheel` that is accepted, or `None` if the wheel does not fit.
    ///
    /// A lower rank is better.
    pub(crate) fn rank(&self, wheel: &WheelName) -> Option<u32> {
        let mut best: Option<u32> = None;
        for starts in self.starts_of(wheel) {
            for platform in wheel.platforms() {
                let rank = if platform == "any" {
                    starts.on_any
                } else {
                    let offset = self.platform_ranks.get(platform);
                    starts.on_platforms.zip(offset).map(|(start, offset)| start + offset)
                };
                best = best.into_iter().chain(rank).min();
            }
        }
        best
    }

    /// Which part of `wheel`'s tags keeps it out, or `None` if it fits.
    pub fn mismatch(&self, wheel: &WheelName) -> Option<Mismatch> {
        if self.rank(wheel).is_some() {
            None
        } else if self.starts_of(wheel).next().is_some() {
            Some(Mismatch::Platform)
        } else if wheel.pythons().any(|python| self.starts.contains_key(python)) {
            Some(Mismatch::Abi)
        } else {
            Some(Mismatch::Python)
        }
    }

    /// How near `wheel`, which does not fit, comes to fitting: greater is nearer.
    pub(crate) fn nearness(&self, wheel: &WheelName) -> Nearness {
        let platform = wheel
            .platforms()
            .any(|platform| platform == "any" || self.platform_ranks.contains_key(platform));
        let distance = wheel
            .pythons()
            .filter_map(|python| {
                let digits = python.trim_start_matches(|first: char| !first.is_ascii_digit());
                let (major, minor) = digits.split_at_checked(1)?;
                let same_major = major.parse() == Ok(self.python.major());
                let minor = minor.parse::<u8>().unwrap_or_default();
                same_major.then(|| minor.abs_diff(self.python.minor()))
            })
            .min();
        Nearness {
            mismatch: self.mismatch(wheel),
            platform,
            distance: std::cmp::Reverse(distance.unwrap_or(u8::MAX)),
        }
    }

    fn starts_of<'a>(&'a self, wheel: &'a WheelName) -> impl Iterator<Item = Starts> + 'a {
        wheel
            .pythons()
            .filter_map(|python| self.starts.get(python))
            .flat_map(|of_python| wheel.abis().filter_map(|abi| of_python.get(abi).copied()))
    }
}

/// How near a wheel comes to fitting, the nearest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nearness {
    pub(crate) mismatch: Option<Mismatch>,
    platform: bool,
    distance: std::cmp::Reverse<u8>,
}

/// The blocks of `packaging.tags.sys_tags`, in its order.
fn blocks(interpreter: &Interpreter) -> Vec<Block> {
    let python = interpreter.python;
    let (major, minor) = (python.major(), python.minor());
    let mut blocks = Vec::new();
    let mut push = |python: &str, abi: &str, any: bool| {
        blocks.push(Block { python: python.to_owned(), abi: abi.to_owned(), any });
    };
    let abi = interpreter.abi.as_str();
    let own = match interpreter.implementation {
        Implementation::PyPy => format!("pp{major}{minor}"),
        Implementation::GraalPy => format!("graalpy{major}{minor}"),
        _ => python.tag(),
    };
    // 1. The interpreter's own tags.
    push(&own, abi, false);
    let of_any = match interpreter.implementation {
        Implementation::PyPy => {
            push(&own, "none", false);
            Some("pp3")
        }
        Implementation::GraalPy => {
            push(&own, "none", false);
            None
        }
        _ => {
            let flags =
                abi.trim_start_matches("cp").trim_start_matches(|c: char| c.is_ascii_digit());
            let free_threaded = flags.contains('t');
            // Since 3.8 a debug build also loads what was built for a release build.
            if (major, minor) >= (3, 8) && flags.contains('d') {
                let threads = if free_threaded { "t" } else { "" };
                push(&own, &format!("{own}{threads}"), false);
            }
            // PEP 384 (abi3); a free-threaded build does not load it, and has PEP 803 (abi3t).
            let stable =
                ((major, minor) >= (3, 2)).then_some(if free_threaded { "abi3t" } else { "abi3" });
            if let Some(stable) = stable {
                push(&own, stable, false);
            }
            push(&own, "none", false);
            if let Some(stable) = stable {
                for older in (2..minor).rev() {
                    push(&format!("cp{major}{older}"), stable, false);
                }
            }
            Some(own.as_str())
        }
    };
    // 2. What is for the language rather than the interpreter.
    let generic: Vec<String> = [format!("py{major}{minor}"), format!("py{major}")]
        .into_iter()
        .chain((0..minor).rev().map(|older| format!("py{major}{older}")))
        .collect();
    for python in &generic {
        push(python, "none", false);
    }
    if let Some(of_any) = of_any {
        push(of_any, "none", true);
    }
    for python in &generic {
        push(python, "none", true);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use caliper_core::question::interpreter::{Libc, Platform};

    use super::*;

    fn supported(python: &str) -> SupportedTags {
        let platform = Platform::Linux {
            arch: "x86_64".to_owned(),
            libc: Libc::Glibc { major: 2, minor: 36 },
        };
        SupportedTags::of(&Interpreter::assumed(python.parse().unwrap(), platform))
    }

    #[test]
    fn the_mismatch_names_the_part_that_misses() {
        use Mismatch::{Abi, Platform, Python};
        let cases: &[(&str, &str, Option<Mismatch>)] = &[
            ("3.11", "cp311-cp311-manylinux2014_x86_64", None),
            ("3.11", "cp37-abi3-manylinux1_x86_64", None), // a stable ABI serves later Pythons
            ("3.13t", "cp37-abi3-manylinux1_x86_64", Some(Abi)), // but not free-threaded ones
            ("3.13t", "cp313-cp313-manylinux1_x86_64", Some(Abi)),
            ("3.13", "cp313-cp313t-manylinux1_x86_64", Some(Abi)),
            ("2.7", "cp27-cp27m-manylinux1_x86_64", Some(Abi)), // narrow Unicode
            ("3.11", "cp310-cp310-manylinux1_x86_64", Some(Abi)), // cp310 fits as abi3
            ("3.11", "cp312-cp312-manylinux1_x86_64", Some(Python)),
            ("3.11", "cp311-cp311-manylinux_2_39_x86_64", Some(Platform)),
            ("3.11", "cp311-cp311-musllinux_1_2_x86_64", Some(Platform)),
            ("3.11", "pp39-pypy39_pp73-manylinux1_x86_64", Some(Python)),
            ("3.11", "py2.py3-none-any", None),
            ("2.7", "py3-none-any", Some(Python)),
        ];
        for (python, tag, expected) in cases {
            let wheel = format!("demo-1-{tag}.whl").parse().unwrap();
            let mismatch = supported(python).mismatch(&wheel);
            assert_eq!(mismatch, *expected, "{python} {tag}");
        }
    }

    #[test]
    fn ranks_count_the_tags_in_order() {
        for python in ["2.7", "3.3", "3.13", "3.14t"] {
            let supported = supported(python);
            for (rank, tag) in (0..).zip(supported.tags()) {
                let wheel = format!("demo-1-{tag}.whl").parse().unwrap();
                assert_eq!(supported.rank(&wheel), Some(rank), "{python} {tag}");
            }
        }
    }
}
