//! Removes irrelevant parts from text before it is compared.
//!
//! Every rule works within one line, so that line numbers stay the same. It takes time proportional to
//! the length of the line: no pattern looks ahead further than a bounded distance, or than the next
//! position at which it could match. Rules are idempotent: applying one twice changes nothing more.

mod durations;
mod paths;
mod sets;
mod subject;
mod terminal;
mod times;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::question::criteria::{Ignore, Policy, Rule};
pub(super) use subject::Subject;

impl Rule {
    /// Applies this rule to a text. [`Rule::Version`] changes nothing, because the text is of no release.
    pub fn apply(self, text: &str) -> String {
        let kept = if self == Self::LineEndings { without_last_break(text) } else { text };
        let lines = kept.split('\n').map(|line| replaced(line, &self.edits(line, None)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The edits of this rule on a line, in order and without overlaps.
    fn edits(self, line: &str, subject: Option<&Subject>) -> Vec<Edit> {
        match self {
            Self::LineEndings => terminal::line_ending(line),
            Self::ProgressBars => terminal::progress(line),
            Self::Ansi => terminal::escapes(line),
            Self::Version => subject.map(|subject| subject.versions(line)).unwrap_or_default(),
            Self::Timestamps => times::timestamps(line, subject.and_then(Subject::measured)),
            Self::WarningLines => paths::warning_lines(line),
            Self::Addresses => paths::addresses(line),
            Self::Paths => paths::paths(line),
            Self::TempNames => paths::temp_names(line),
            Self::Durations => durations::durations(line),
            Self::Rates => durations::rates(line),
            Self::Sets => sets::sorted(line),
            // Rules for images, and for numbers.
            Self::SvgIds | Self::ImageMetadata | Self::Spelling => Vec::new(),
        }
    }
}

/// A part of a line and its replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    range: Range<usize>,
    by: Cow<'static, str>,
}

impl Edit {
    fn new(range: Range<usize>, by: impl Into<Cow<'static, str>>) -> Self {
        Self { range, by: by.into() }
    }
}

fn replaced(line: &str, edits: &[Edit]) -> String {
    let mut text = String::with_capacity(line.len());
    let mut from = 0;
    for Edit { range, by } in edits {
        text.push_str(&line[from..range.start]);
        text.push_str(by);
        from = range.end;
    }
    text.push_str(&line[from..]);
    text
}

/// The text without trailing line breaks.
pub(super) fn without_last_break(text: &str) -> &str {
    text.trim_end_matches(['\n', '\r'])
}

/// Something that is looked past in a line. The order is the one in which they are applied: what a user
/// leaves out is matched against the line as it was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Past {
    /// One of [`Ignore::patterns`], by its index.
    Pattern(usize),
    /// A rule.
    Rule(Rule),
}

/// Why a whole line is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LeftOut {
    /// It fits one of [`Ignore::lines`], by its index.
    Pattern(usize),
    /// A rule leaves nothing of it.
    Rule(Rule),
}

/// How a result is read: by which criteria, and of which release it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lens<'a> {
    pub(super) policy: &'a Policy,
    pub(super) subject: Option<&'a Subject>,
    /// Nothing but these is looked past; `None` for all that the policy names.
    pub(super) only: Option<&'a BTreeSet<Past>>,
}

impl<'a> Lens<'a> {
    pub(super) fn new(policy: &'a Policy, subject: Option<&'a Subject>) -> Self {
        Self { policy, subject, only: None }
    }

    fn looks_past(&self, past: Past) -> bool {
        self.only.is_none_or(|only| only.contains(&past))
    }

    /// Why a line is left out as a whole: which of the user's patterns it fits, or which rule leaves nothing
    /// of it.
    pub(super) fn leaves_out(&self, line: &str) -> Option<LeftOut> {
        let Policy { rules, ignore: Ignore { lines, .. }, .. } = self.policy;
        let pattern = lines.iter().position(|pattern| pattern.regex().is_match(line));
        let of_rule = || rules.contains(&Rule::Durations) && durations::is_duration(line);
        pattern
            .map(LeftOut::Pattern)
            .or_else(|| of_rule().then_some(LeftOut::Rule(Rule::Durations)))
    }
}

/// A normalised line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) text: Cow<'a, str>,
    /// What changed it, with the edits.
    done: Vec<(Past, Vec<Edit>)>,
}

impl<'a> Line<'a> {
    pub(super) fn under(lens: &Lens<'_>, line: &'a str) -> Self {
        let mut text = Cow::Borrowed(line);
        let mut done = Vec::new();
        for (index, pattern) in lens.policy.ignore.patterns.iter().enumerate() {
            let past = Past::Pattern(index);
            if lens.looks_past(past) {
                let found = pattern.regex().find_iter(&text).filter(|found| !found.is_empty());
                let edits = found.map(|found| Edit::new(found.range(), "<ignored>")).collect();
                take(&mut text, &mut done, past, edits);
            }
        }
        let rules = &lens.policy.rules;
        let (mut all, mut version) = (rules.iter(), rules.get(&Rule::Version).into_iter());
        let rules: &mut dyn Iterator<Item = &Rule> =
            if is_plain(&text) { &mut version } else { &mut all };
        for rule in rules {
            let past = Past::Rule(*rule);
            if lens.looks_past(past) {
                let edits = rule.edits(&text, lens.subject);
                take(&mut text, &mut done, past, edits);
            }
        }
        Self { text, done }
    }

    /// What changed it.
    pub(super) fn changed_by(&self) -> impl Iterator<Item = Past> {
        self.done.iter().map(|(past, _)| *past)
    }

    /// Maps an offset in the normalised line back to the original line.
    ///
    /// The rules were applied one after the other, so their edits are undone in reverse order. Within one
    /// rule, `now` and `before` are the ends of the last edit before the offset, in the new and in the old
    /// text. An offset inside a replacement maps to the start of the replaced part.
    pub(super) fn origin(&self, place: usize) -> usize {
        self.done.iter().rev().fold(place, |place, (_, edits)| {
            // Ends of the last edit, in the new and in the old text.
            let (mut now, mut before) = (0, 0);
            for Edit { range, by } in edits {
                let start = now + (range.start - before);
                if place < start {
                    break;
                }
                if place < start + by.len() {
                    return range.start;
                }
                (now, before) = (start + by.len(), range.end);
            }
            before + (place - now)
        })
    }
}

/// Whether a line holds nothing but numbers and what separates them, in which no rule but that for versions
/// finds anything. Large results are made of such lines.
fn is_plain(line: &str) -> bool {
    let plain =
        |byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b' ' | b'\t' | b',');
    line.bytes().all(plain)
}

/// Makes the edits, and takes note of them.
fn take(text: &mut Cow<'_, str>, done: &mut Vec<(Past, Vec<Edit>)>, past: Past, edits: Vec<Edit>) {
    if !edits.is_empty() {
        *text = Cow::Owned(replaced(text, &edits));
        done.push((past, edits));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> String {
        Rule::ALL.iter().fold(text.to_owned(), |text, rule| rule.apply(&text))
    }

    #[test]
    fn results_stay() {
        for text in [
            "12.5",
            "accuracy: 0.9731 loss 0.3 s",
            "[1.0, 2.0, nan]",
            "0xdeadbeef 0x1f 0xcbf29ce484222325",
            "{'b': 1, 'a': 2}",
            "born in the 1990s, 3 days ago, 2 hours",
            "2024-01-31",
            "v1.5s3 12 min 3 max",
            "/usr/bin/env python src/module.py:12: error",
            "100% of 10/10 [ok]",
            "tmp_results tmpdirectory",
            "<timestamp> <duration> <path>/site-packages/x <temp>",
        ] {
            assert_eq!(all(text), text);
        }
    }

    #[test]
    fn a_place_is_found_again() {
        let raw = "\u{1b}[1mtook 1.5s\u{1b}[0m at 0x7f0000000000 then x";
        let policy = Policy::default();
        let line = Line::under(&Lens::new(&policy, None), raw);
        insta::assert_snapshot!(line.text, @"took <duration> at <address> then x");
        let place = line.text.find("then").unwrap();
        assert_eq!(line.origin(place), raw.find("then").unwrap());
        assert_eq!(line.origin(line.text.find("duration").unwrap()), raw.find("1.5s").unwrap());
        assert_eq!(line.origin(line.text.len()), raw.len());
        assert_eq!(
            line.changed_by().collect::<Vec<_>>(),
            [Rule::Ansi, Rule::Addresses, Rule::Durations].map(Past::Rule)
        );
    }

    /// Text that is made of what rules look for.
    fn suspicious() -> impl Strategy<Value = String> {
        let pieces = [
            "2024-01-31",
            "T",
            " ",
            "10:11:12",
            ",345",
            "Z",
            "+01:00",
            "Wed, ",
            "31 Jan 2024 ",
            "Wed Jan 31 ",
            "in ",
            "took ",
            "0.12",
            "s",
            "12",
            "ms",
            " seconds",
            "0m1.234s",
            "0x",
            "at ",
            "7f0011223344",
            "/tmp/",
            "tmp",
            "abc12345",
            "/",
            "site-packages",
            "/usr/lib/python3.11",
            "/.venv/bin/",
            "x.py",
            ":12: ",
            "UserWarning",
            "{",
            "}",
            "'a'",
            ", ",
            "1",
            "\"b\"",
            "\\",
            "'",
            "\r",
            "\n",
            "\u{1b}",
            "[31m",
            "[K",
            "]0;t",
            "\u{7}",
            "100%|",
            "###|",
            " 3/10 [00:01<00:02, ",
            "1.5it/s",
            "]",
            "3it [00:01, ",
            "\u{e9}",
            "<",
            ">",
            "-",
            "I0131 ",
            "[",
            "31/Jan/2024:",
            "<path>",
            "<duration>",
            "_",
            ".",
        ];
        let piece = proptest::sample::select(pieces.to_vec());
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_rule_is_done_once(text in prop_oneof![suspicious(), any::<String>()]) {
            for rule in Rule::ALL {
                let once = rule.apply(&text);
                prop_assert_eq!(rule.apply(&once), &once[..], "{:?} {:?}", rule, text);
            }
        }

        #[test]
        fn nothing_is_found_in_plain_lines(text in "[-0-9.+e \t,]{0,60}") {
            prop_assert!(is_plain(&text));
            for rule in Rule::ALL {
                prop_assert_eq!(rule.apply(&text), &text[..], "{:?}", rule);
            }
        }

        #[test]
        fn places_stay_within_the_line(text in suspicious()) {
            let text = text.replace('\n', "");
            let policy = Policy::default();
            let line = Line::under(&Lens::new(&policy, None), &text);
            for place in 0..=line.text.len() {
                prop_assert!(line.origin(place) <= text.len());
            }
        }
    }
}
