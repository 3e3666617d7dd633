//! Which packages are guilty: two recorded cells, or two lock files.

mod cells;
mod locks;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use caliper_container::interrupt::Interrupt;
use caliper_container::runner::{Retry, RunOptions};
use caliper_container::study::{
    BlameAnswer, BlameQuestion, BlameWorld, Blaming, PinnedError, blame,
};
use caliper_core::analysis::Analysis;
use caliper_core::analysis::blame::{Blame as Search, Known, NoDifference, Pin, Symptom};
use caliper_core::analysis::causes::Cause;
use caliper_core::facts::record::Record;
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::names::{PackageName, Timestamp};
use caliper_core::question::criteria::Criteria;
use caliper_core::question::grid::Choice;
use caliper_core::question::interpreter::Interpreter;
use caliper_core::question::lockfile::LeftOut;
use caliper_core::question::plan::Pins;
use caliper_core::question::selection::{Among, Selection, Versions};
use caliper_core::report::model::{self, BlameEvidence, BlameReport, Guilty};
use caliper_pypi::index::IndexError;
use caliper_pypi::resolve::{ResolveError, resolve};
use pep440_rs::Version;

use super::witness;
use crate::args::{BlameArgs, FormatName};
use crate::exit::{Exit, Failure, Outcome};
use crate::layout;
use crate::signals::Watch;
use crate::sources::Index;
use crate::terminal::{Terminal, printable};

/// The folder of its records, beside those of runs.
const FOLDER: &str = "blame";

pub(super) fn run(how: &BlameArgs, format: FormatName, terminal: Terminal) -> Outcome {
    if let Some(folder) = &how.witness {
        // Before anything is measured for it.
        witness::refuse_what_is_there(folder)?;
    }
    let interrupt = Interrupt::default();
    let watch = Watch::start(&interrupt)?;
    let around = Around { how, format, terminal, interrupt: &interrupt };
    let done = match (&how.cell, &how.against, &how.from, &how.to) {
        (Some(cell), Some(against), ..) => cells::run(cell, against, &around),
        (_, _, Some(from), Some(to)) => locks::run(from, to, &around),
        // Clap asks for one of the two.
        _ => Err(Failure::question("give a cell and `--against`, or `--from` and `--to`")),
    };
    match (watch.exit(), done) {
        (Some(exit), Err(_)) => {
            terminal.note(
                "interrupted; what was measured is kept, and the same command goes on from there",
            );
            Ok(exit)
        }
        (_, done) => done,
    }
}

/// What both kinds of questions share.
struct Around<'a> {
    how: &'a BlameArgs,
    format: FormatName,
    terminal: Terminal,
    interrupt: &'a Interrupt,
}

/// Two environments to tell apart.
struct Sides<'a> {
    /// What each is called, and what is installed in it. The second is the bad one if the test passes in both.
    names: [String; 2],
    locks: [Pins; 2],
    requires: BTreeMap<PackageName, BTreeSet<PackageName>>,
    left_out: Vec<LeftOut>,
    test: &'a str,
}

impl Sides<'_> {
    /// The packages that differ, sorted by name.
    fn differing(&self) -> Vec<Pin> {
        Pin::differing(&self.locks[0], &self.locks[1])
    }

    /// Makes the packages of `--except` the same in both: as in the first.
    fn hold(&mut self, except: &[PackageName]) -> Result<(), Failure> {
        let differing = self.differing();
        for name in except {
            if !differing.iter().any(|pin| pin.name == *name) {
                let names: Vec<String> =
                    differing.iter().map(|pin| format!("`{}`", pin.name)).collect();
                return Err(Failure::question(format!(
                    "`--except {name}`: it does not differ; what differs is {}",
                    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
                )));
            }
            match self.locks[0].get(name).cloned() {
                Some(version) => self.locks[1].insert(name.clone(), version),
                None => self.locks[1].remove(name),
            };
        }
        Ok(())
    }

    /// The version of each package that only one of the two has.
    fn in_one(&self) -> Pins {
        let [first, second] = &self.locks;
        let of = |one: &Pins, other: &Pins| -> Pins {
            let alone = one.iter().filter(|(name, _)| !other.contains_key(*name));
            alone.map(|(name, version)| (name.clone(), version.clone())).collect()
        };
        let mut all = of(first, second);
        all.extend(of(second, first));
        all
    }
}

impl Around<'_> {
    fn options(&self) -> RunOptions {
        RunOptions {
            jobs: layout::jobs(self.how.jobs),
            retry: Retry { times: self.how.retries, ..Retry::default() },
            ..RunOptions::default()
        }
    }

    /// Whether what the test prints counts. Test runners print versions and times, so with locks it does only if this
    /// is asked for.
    fn compares_results(&self) -> bool {
        self.how.cell.is_some() || self.how.results
    }

    /// Where measurements are kept, within the folder of results.
    fn store(results: &Path) -> Result<DirStore, Failure> {
        Ok(DirStore::open(results.join(FOLDER))?)
    }

    /// Looks for the guilty packages, and prints the answer.
    #[expect(clippy::type_complexity, reason = "each is one function of the caller")]
    fn answer(
        &self,
        sides: &Sides<'_>,
        store: &DirStore,
        criteria: &Criteria,
        measure: &dyn Fn(&Pins, u32) -> Result<Record, PinnedError>,
        releases: &dyn Fn(&Pin) -> Result<Option<Vec<Version>>, Failure>,
    ) -> Outcome {
        let differing = sides.differing();
        let blobs = |blob| store.content(blob).ok();
        let analysis = Analysis::new(&[], None, criteria, &blobs);
        let measure = |pins: &Pins, repeats| {
            let moved: Vec<String> =
                Pin::differing(&sides.locks[0], pins).iter().map(ToString::to_string).collect();
            let moved = if moved.is_empty() { "nothing".to_owned() } else { moved.join(", ") };
            self.terminal.detail(&printable(&format!("next: {} with {moved}", sides.names[0])));
            measure(pins, repeats).map_err(Failure::from)
        };
        let world = BlameWorld { measure: &measure, releases, analysis: &analysis };
        let usual = u32::try_from(Search::most_runs(differing.len(), 4)).unwrap_or(u32::MAX);
        let question = BlameQuestion {
            first: &sides.locks[0],
            second: &sides.locks[1],
            requires: &sides.requires,
            test: sides.test,
            results: self.compares_results(),
            repeats: self.how.repeats,
            runs: Some(self.how.runs.unwrap_or(usual)),
        };
        let [first, second] = &sides.names;
        self.terminal.note(&match differing.len() {
            1 => format!("1 package differs between {first} and {second}"),
            many => format!("{many} packages differ between {first} and {second}"),
        });
        let blaming = blame(&question, &world)?;
        let cause = |record: &Record| {
            let records = [record.clone()];
            let is_of_test = |cause: &Cause| {
                let mut tests = cause.places.iter().flat_map(|place| &place.tests);
                // Those of a build name no test.
                cause.example.test.is_none() || tests.any(|test| test == sides.test)
            };
            analysis.with(&records).causes().into_iter().find(is_of_test)
        };
        let answer = match &blaming.answer {
            Ok(answer) => answer,
            Err(why) => return Err(self.nothing(*why, sides, &blaming, &cause)),
        };
        let evidence = match answer.symptom {
            Symptom::Fails | Symptom::CannotBeBuilt => cause(&blaming.ends[answer.bad]),
            Symptom::OtherResult => None,
        };
        let report = report(sides, &blaming, answer, evidence);
        match self.format {
            FormatName::Json => super::print_json(&report, self.terminal)?,
            FormatName::Text => {
                self.terminal.prose(&report.lines().join("\n"));
            }
        }
        self.witness(answer, sides.test)
    }

    /// Writes the bug report that `--witness` asks for.
    fn witness(&self, answer: &BlameAnswer, test: &str) -> Outcome {
        let Some(folder) = &self.how.witness else { return Ok(Exit::Done) };
        let pins: Vec<Pin> = answer.found.pins.iter().map(|blamed| blamed.pin.clone()).collect();
        if pins.is_empty() {
            self.terminal.warning("no witness was written: no package was found guilty");
            return Ok(Exit::Unexpected);
        }
        let cell = |text: &Option<String>| text.as_deref().unwrap_or_default().parse();
        let cells = [&self.how.cell, &self.how.against].map(cell);
        let [Ok(cell), Ok(against)] = &cells else {
            return Err(Failure::question("`--witness` needs two cells"));
        };
        let (config, test) = (&self.how.config, Some(test));
        let wanted = witness::Wanted { config, cell, against, test, folder };
        witness::run(&wanted, Some(&pins), self.terminal)
    }

    /// The error if the two ends do not differ.
    fn nothing(
        &self,
        why: NoDifference,
        sides: &Sides<'_>,
        blaming: &Blaming,
        cause: &dyn Fn(&Record) -> Option<Cause>,
    ) -> Failure {
        let mut text = format!("there is nothing to blame: {why}");
        let both_pass = matches!(why, NoDifference::SameResult | NoDifference::Undecided);
        if both_pass && !self.compares_results() {
            let both = "the test passes with both; `--results` compares what it prints, too";
            text = format!("there is nothing to blame: {both}");
        }
        if matches!(why, NoDifference::NeitherPasses | NoDifference::NotInstallable) {
            for (name, record) in sides.names.iter().zip(&blaming.ends) {
                let cause = cause(record)
                    .map_or_else(|| record.outcome.to_string(), |cause| cause.signature);
                text += &format!("\n  {name}: {cause}");
            }
        }
        let failure = Failure::question(text);
        match why {
            NoDifference::Undecided if !self.compares_results() => failure,
            NoDifference::SameResult
            | NoDifference::NeitherPasses
            | NoDifference::NotInstallable => failure,
            NoDifference::Undecided | NoDifference::Flaky | NoDifference::NotMeasured => {
                Failure { exit: Exit::Infrastructure, ..failure }
            }
        }
    }
}

/// The answer as a report.
fn report(
    sides: &Sides<'_>,
    blaming: &Blaming,
    answer: &BlameAnswer,
    evidence: Option<Cause>,
) -> BlameReport {
    let BlameAnswer { bad, symptom, found, first_bad, .. } = answer;
    let guilty: Vec<Guilty> = found
        .pins
        .iter()
        .zip(first_bad)
        .map(|(blamed, first_bad)| Guilty {
            pin: blamed.pin.clone(),
            unproven: blamed.unproven,
            first_bad: first_bad.as_ref().ok().cloned(),
            not_bisected: first_bad.as_ref().err().copied(),
        })
        .collect();
    let evidence = evidence.map(|cause| BlameEvidence {
        at: cause.places.into_iter().next().and_then(|place| place.at),
        signature: cause.signature,
    });
    BlameReport {
        schema: model::SCHEMA,
        test: sides.test.to_owned(),
        good: sides.names[1 - bad].clone(),
        bad: sides.names[*bad].clone(),
        symptom: *symptom,
        evidence,
        differing: answer.pins.clone(),
        left_out: sides.left_out.clone(),
        next: next(&guilty, found.rest, *bad),
        guilty,
        rest: found.rest,
        contradictory: found.contradictory,
        confirmed: answer.confirmed,
        builds: blaming.spent.mixtures,
        runs: blaming.spent.runs,
    }
}

/// What to do with the answer.
fn next(guilty: &[Guilty], rest: Known, bad: usize) -> Vec<String> {
    let back: Vec<String> = guilty.iter().filter_map(constraint).collect();
    let mut next = Vec::new();
    if !back.is_empty() {
        // Without one of them the outcome is good already.
        next.push(match rest {
            Known::Good => format!("try {} as a constraint", back.join(" or ")),
            Known::Bad => {
                format!("try {} as a constraint; there is another cause, too", back.join(" or "))
            }
            Known::Unproven(_) => {
                format!("try {} as a constraint; there may be another cause", back.join(" or "))
            }
        });
    }
    // Packages are held as in the first end.
    if rest == Known::Bad && bad == 1 {
        let names: Vec<String> =
            guilty.iter().map(|one| format!("--except {}", one.pin.name.normalized())).collect();
        next.push(format!(
            "the same command with `{}` looks for what else is guilty",
            names.join(" ")
        ));
    }
    next
}

/// The constraint that excludes the bad releases of a package.
fn constraint(guilty: &Guilty) -> Option<String> {
    let found = guilty.first_bad.as_ref()?;
    let (from, to) = (guilty.pin.from.as_ref()?, guilty.pin.to.as_ref()?);
    let name = guilty.pin.name.normalized();
    // What lies between was not judged.
    Some(match (found.is_adjacent(), from < to) {
        (true, true) => format!("`{name}<{}`", found.first_bad),
        (true, false) => format!("`{name}>{}`", found.first_bad),
        (false, true) => format!("`{name}<={}`", found.last_good),
        (false, false) => format!("`{name}>={}`", found.last_good),
    })
}

/// The releases between the two versions of a package that have a file for `interpreter`; `None` if the index does not
/// know the package. Pre-releases only if one of the two is one.
fn releases_between(
    pin: &Pin,
    interpreter: &Interpreter,
    as_of: Option<Timestamp>,
    index: &Index,
) -> Result<Option<Vec<Version>>, Failure> {
    let (Some(from), Some(to)) = (&pin.from, &pin.to) else { return Ok(None) };
    let (oldest, newest) = if from < to { (from, to) } else { (to, from) };
    // The public part: a local version cannot stand behind `>=`.
    let specifiers =
        format!(">={},<={}", oldest.clone().without_local(), newest.clone().without_local());
    let specifiers = specifiers.parse();
    let Ok(specifiers) = specifiers else { return Ok(None) };
    let selection = Selection {
        versions: Versions::Among(Among { specifiers, ..Among::default() }),
        pre: from.any_prerelease() || to.any_prerelease(),
        as_of,
        ..Selection::default()
    };
    let grid =
        match resolve(&pin.name, &selection, std::slice::from_ref(interpreter), &index.client) {
            Ok(grid) => grid,
            Err(ResolveError::Index { source, .. })
                if matches!(
                    *source,
                    IndexError::NotFound { .. } | IndexError::NotFoundAnywhere { .. }
                ) =>
            {
                return Ok(None);
            }
            Err(error @ ResolveError::Index { .. }) => return Err(error.into()),
            Err(_) => return Ok(None),
        };
    let has_file = |choice: &Choice| matches!(choice, Choice::File { .. });
    let cells = grid.cells.into_iter().filter(|cell| has_file(&cell.choice));
    Ok(Some(cells.map(|cell| cell.id.version).collect()))
}
