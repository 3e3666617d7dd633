use pep440_rs::Version;
use serde::Serialize;

use crate::analysis::blame::{FirstBad, Known, NoBisection, Pin, Symptom, Unproven};
use crate::question::lockfile::LeftOut;

/// Which packages are guilty of a failure or of another result: `blame --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct BlameReport {
    /// The version of this format: [`SCHEMA`](super::SCHEMA).
    pub schema: u32,
    /// The name of the test.
    pub test: String,
    /// The end with which the test passes: a cell, or a lock file.
    pub good: String,
    /// The other end.
    pub bad: String,
    /// What the bad end has.
    pub symptom: Symptom,
    /// What failed there; `None` if the symptom is another result.
    pub evidence: Option<BlameEvidence>,
    /// All packages that differ, from the good end to the bad one.
    pub differing: Vec<Pin>,
    /// What differs or may differ and is not blamed.
    pub left_out: Vec<LeftOut>,
    /// The guilty packages. The symptom needs all of them together.
    pub guilty: Vec<Guilty>,
    /// The outcome with all *other* packages as in the bad end.
    pub rest: Known,
    /// Whether two answers contradict each other: one package repairs what another breaks, or the test is flaky.
    pub contradictory: bool,
    /// Whether fresh runs of what the answer rests on ended as before.
    pub confirmed: bool,
    /// How many environments were built.
    pub builds: u32,
    /// How often the test was run in them.
    pub runs: u32,
    /// What to do next.
    pub next: Vec<String>,
}

/// How the bad end fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct BlameEvidence {
    /// The exception, or the last line that was printed; see [`Cause`](crate::analysis::causes::Cause).
    pub signature: String,
    /// Where it surfaced.
    pub at: Option<String>,
}

/// A guilty package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Guilty {
    /// The package, with its versions in the good and in the bad end.
    pub pin: Pin,
    /// `None` if it is needed: without it the outcome is good. Otherwise why this is not known.
    pub unproven: Option<Unproven>,
    /// Where its releases become bad.
    pub first_bad: Option<FirstBad>,
    /// Why this is not known.
    pub not_bisected: Option<NoBisection>,
}

impl BlameReport {
    /// The answer, one sentence on each line, and below it what it rests on.
    pub fn lines(&self) -> Vec<String> {
        let runs = format!("{} in {}", count(self.runs, "run"), count(self.builds, "build"));
        let mut lines = match self.guilty.as_slice() {
            [one] => vec![format!("{}; {runs}", self.sentence(one))],
            many => {
                let alone = if many.iter().all(|one| one.unproven.is_none()) {
                    ", and without any one of them it does not"
                } else {
                    ""
                };
                let head = format!(
                    "{} {} with {} together{alone}; {runs}",
                    self.subject(),
                    self.bad_word(),
                    count(u32::try_from(many.len()).unwrap_or(u32::MAX), "package"),
                );
                let each = many.iter().map(|one| format!("  {}", self.sentence(one)));
                std::iter::once(head).chain(each).collect()
            }
        };
        if let Some(BlameEvidence { signature, at }) = &self.evidence {
            let at = at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
            lines.push(format!("fails with: {signature}{at}"));
        }
        lines.extend(self.proven().map(|text| format!("proven: {text}")));
        lines.extend(self.open().into_iter().map(|text| format!("not proven: {text}")));
        if !self.left_out.is_empty() {
            let all: Vec<String> = self.left_out.iter().map(ToString::to_string).collect();
            lines.push(format!("not compared: {}", all.join(", ")));
        }
        lines.extend(self.next.iter().map(|text| format!("next: {text}")));
        lines
    }

    fn subject(&self) -> String {
        match self.symptom {
            Symptom::CannotBeBuilt => "the environment".to_owned(),
            Symptom::Fails | Symptom::OtherResult => format!("`{}`", self.test),
        }
    }

    fn bad_word(&self) -> &'static str {
        match self.symptom {
            Symptom::Fails => "fails",
            Symptom::CannotBeBuilt => "cannot be built",
            Symptom::OtherResult => "gives another result",
        }
    }

    fn good_word(&self) -> &'static str {
        match self.symptom {
            Symptom::Fails => "passes",
            Symptom::CannotBeBuilt => "can be built",
            Symptom::OtherResult => "does not",
        }
    }

    /// What one package does.
    fn sentence(&self, guilty: &Guilty) -> String {
        let Guilty { pin, first_bad, unproven, .. } = guilty;
        let (subject, bad, good) = (self.subject(), self.bad_word(), self.good_word());
        let name = &pin.name;
        match (first_bad, &pin.from, &pin.to) {
            (Some(found), Some(from), Some(to)) if found.is_adjacent() => {
                let which = if from < to { "first" } else { "newest" };
                let FirstBad { first_bad, last_good, .. } = found;
                format!(
                    "{name} {first_bad} is the {which} release with which {subject} {bad} ({last_good} {good})"
                )
            }
            (Some(FirstBad { first_bad, last_good, .. }), Some(_), Some(_)) => {
                format!("{subject} {bad} with {name} {first_bad}, and with {last_good} it {good}")
            }
            (_, None, Some(to)) => {
                format!("{subject} {bad} with {name} {to}, which {} does not have", self.good)
            }
            (_, Some(from), None) => {
                format!("{subject} {bad} without {name}, which {} has as {from}", self.good)
            }
            _ if unproven.is_some() => format!("perhaps {pin}"),
            _ => format!("{subject} {bad} with {pin}"),
        }
    }

    /// What the answer rests on.
    fn proven(&self) -> Option<String> {
        let needed: Vec<&str> = self
            .guilty
            .iter()
            .filter(|one| one.unproven.is_none())
            .map(|one| one.pin.name.normalized())
            .collect();
        if needed.is_empty() || !self.confirmed {
            return None;
        }
        let all = self.differing.len();
        let mut text = format!("of {all} packages that differ, ");
        if all == 1 {
            text = "the only package that differs, ".to_owned();
        }
        text += &needed.join(" and ");
        text += if needed.len() == 1 { " is needed" } else { " are needed" };
        text += ", and fresh runs agree";
        if self.rest == Known::Good && all > self.guilty.len() {
            text += &format!("; with all others as in {} it {}", self.bad, self.good_word());
        }
        Some(text)
    }

    /// What is left open, and why.
    fn open(&self) -> Vec<String> {
        let mut open = Vec::new();
        if !self.confirmed {
            open.push("fresh runs ended in another way, so the test is flaky; more `--repeats` would tell".to_owned());
        }
        for Guilty { pin, unproven, first_bad, not_bisected } in &self.guilty {
            let name = &pin.name;
            match unproven {
                Some(Unproven::Unresolvable) => open.push(format!(
                    "whether {name} is needed: without it the others cannot be installed, or fail in another way"
                )),
                Some(Unproven::Flaky) => {
                    open.push(format!("whether {name} is needed: without it the test is flaky"));
                }
                Some(Unproven::Untried) => {
                    open.push(format!("whether {name} is needed: `--runs` was used up"));
                }
                None => {}
            }
            if let Some(NoBisection::UnknownReleases) = not_bisected {
                open.push(format!(
                    "at which release of {name} it begins: {}",
                    NoBisection::UnknownReleases
                ));
            }
            if let Some(found) = first_bad.as_ref().filter(|found| !found.is_adjacent()) {
                let between: Vec<&Version> =
                    found.between.iter().map(|(version, _)| version).collect();
                let shown: Vec<String> = between.iter().take(5).map(ToString::to_string).collect();
                let more = if between.len() > shown.len() { ", …" } else { "" };
                open.push(format!(
                    "at which of {name} {}{more} it begins: {}",
                    shown.join(", "),
                    found.between.first().map(|(_, why)| why.to_string()).unwrap_or_default()
                ));
            }
        }
        match self.rest {
            Known::Bad => open.push(format!(
                "that going back with the found packages is enough: with all others as in {} it {} too",
                self.bad,
                self.bad_word()
            )),
            Known::Unproven(why) => {
                open.push(format!("that going back with the found packages is enough: that combination {}", told(why)));
            }
            Known::Good => {}
        }
        if self.contradictory {
            open.push(
                "that there is one cause: some combination with more of the packages is good again"
                    .to_owned(),
            );
        }
        open
    }
}

fn told(why: Unproven) -> &'static str {
    match why {
        Unproven::Unresolvable => "cannot be installed, or fails in another way",
        Unproven::Flaky => "is flaky",
        Unproven::Untried => "was not tried, because `--runs` was used up",
    }
}

/// `1 run`, `2 runs`.
fn count(count: u32, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(name: &str, from: Option<&str>, to: Option<&str>) -> Pin {
        let version = |text: &str| text.parse().unwrap();
        Pin { name: name.parse().unwrap(), from: from.map(version), to: to.map(version) }
    }

    fn guilty(pin: Pin, last_good: &str, first_bad: &str, between: &[&str]) -> Guilty {
        let version = |text: &str| -> Version { text.parse().unwrap() };
        let between = between.iter().map(|one| (version(one), Unproven::Unresolvable)).collect();
        let first_bad = FirstBad {
            last_good: version(last_good),
            first_bad: version(first_bad),
            between,
            runs: 1,
        };
        Guilty { pin, unproven: None, first_bad: Some(first_bad), not_bisected: None }
    }

    fn report(guilty: Vec<Guilty>) -> BlameReport {
        let differing: Vec<Pin> = guilty.iter().map(|one| one.pin.clone()).collect();
        BlameReport {
            schema: super::super::SCHEMA,
            test: "render.py".to_owned(),
            good: "old.lock".to_owned(),
            bad: "new.lock".to_owned(),
            symptom: Symptom::Fails,
            evidence: Some(BlameEvidence {
                signature: "ImportError: cannot import name 'soft_unicode'".to_owned(),
                at: Some("jinja2/filters.py in <module>".to_owned()),
            }),
            differing: [differing, vec![pin("other", Some("1"), Some("2"))]].concat(),
            left_out: Vec::new(),
            guilty,
            rest: Known::Good,
            contradictory: false,
            confirmed: true,
            builds: 9,
            runs: 27,
            next: vec!["`markupsafe<2.1.0` keeps it working".to_owned()],
        }
    }

    fn told(report: &BlameReport) -> String {
        report.lines().join("\n")
    }

    #[test]
    fn one_guilty_package_is_one_sentence() {
        let markupsafe = pin("markupsafe", Some("2.0.1"), Some("3.0.3"));
        let mut one = report(vec![guilty(markupsafe.clone(), "2.0.1", "2.1.0", &[])]);
        insta::assert_snapshot!(told(&one), @"
        markupsafe 2.1.0 is the first release with which `render.py` fails (2.0.1 passes); 27 runs in 9 builds
        fails with: ImportError: cannot import name 'soft_unicode' (jinja2/filters.py in <module>)
        proven: of 2 packages that differ, markupsafe is needed, and fresh runs agree; with all others as in new.lock it passes
        next: `markupsafe<2.1.0` keeps it working
        ");
        // The bad side is older.
        let older = pin("markupsafe", Some("3.0.3"), Some("1.0"));
        one.guilty = vec![guilty(older, "2.0.0", "1.1.1", &[])];
        one.symptom = Symptom::OtherResult;
        one.evidence = None;
        one.rest = Known::Bad;
        insta::assert_snapshot!(told(&one), @"
        markupsafe 1.1.1 is the newest release with which `render.py` gives another result (2.0.0 does not); 27 runs in 9 builds
        proven: of 2 packages that differ, markupsafe is needed, and fresh runs agree
        not proven: that going back with the found packages is enough: with all others as in new.lock it gives another result too
        next: `markupsafe<2.1.0` keeps it working
        ");
        one.guilty = vec![guilty(markupsafe, "2.0.1", "2.1.2", &["2.1.0", "2.1.1"])];
        one.symptom = Symptom::CannotBeBuilt;
        one.rest = Known::Unproven(Unproven::Unresolvable);
        insta::assert_snapshot!(told(&one), @"
        the environment cannot be built with markupsafe 2.1.2, and with 2.0.1 it can be built; 27 runs in 9 builds
        proven: of 2 packages that differ, markupsafe is needed, and fresh runs agree
        not proven: at which of markupsafe 2.1.0, 2.1.1 it begins: cannot be installed or judged
        not proven: that going back with the found packages is enough: that combination cannot be installed, or fails in another way
        next: `markupsafe<2.1.0` keeps it working
        ");
    }

    #[test]
    fn several_are_guilty_together_and_doubts_are_told() {
        let added = Guilty {
            pin: pin("plugin", None, Some("1.0")),
            unproven: None,
            first_bad: None,
            not_bisected: Some(NoBisection::NotInBoth),
        };
        let removed = Guilty { pin: pin("shim", Some("1.0"), None), ..added.clone() };
        let unproven = Guilty {
            pin: pin("pandas", Some("1.5.3"), Some("2.0.3")),
            unproven: Some(Unproven::Unresolvable),
            first_bad: None,
            not_bisected: Some(NoBisection::NotNeeded),
        };
        let both = report(vec![added.clone(), removed.clone()]);
        insta::assert_snapshot!(told(&both), @"
        `render.py` fails with 2 packages together, and without any one of them it does not; 27 runs in 9 builds
          `render.py` fails with plugin 1.0, which old.lock does not have
          `render.py` fails without shim, which old.lock has as 1.0
        fails with: ImportError: cannot import name 'soft_unicode' (jinja2/filters.py in <module>)
        proven: of 3 packages that differ, plugin and shim are needed, and fresh runs agree; with all others as in new.lock it passes
        next: `markupsafe<2.1.0` keeps it working
        ");
        let mut doubtful = report(vec![added, unproven]);
        doubtful.contradictory = true;
        doubtful.confirmed = false;
        doubtful.left_out = vec![LeftOut {
            what: "weather".to_owned(),
            why: crate::question::lockfile::LeftOutReason::Folder,
        }];
        insta::assert_snapshot!(told(&doubtful), @"
        `render.py` fails with 2 packages together; 27 runs in 9 builds
          `render.py` fails with plugin 1.0, which old.lock does not have
          perhaps pandas 1.5.3 -> 2.0.3
        fails with: ImportError: cannot import name 'soft_unicode' (jinja2/filters.py in <module>)
        not proven: fresh runs ended in another way, so the test is flaky; more `--repeats` would tell
        not proven: whether pandas is needed: without it the others cannot be installed, or fail in another way
        not proven: that there is one cause: some combination with more of the packages is good again
        not compared: weather (a folder)
        next: `markupsafe<2.1.0` keeps it working
        ");
    }
}
