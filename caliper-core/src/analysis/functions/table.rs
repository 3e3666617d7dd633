//! How every function fared in every cell.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use crate::analysis::causes::Logs;
use crate::analysis::compare::cells::Cells;
use crate::facts::functions::Outcomes;
use crate::facts::record::{BlobRef, CellOutcome, FunctionOutcome, Record, Run};

/// How a function fared in a cell, over all runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// The test was not run: there is no environment for it.
    NotRun,
    /// The test was run, and nothing is known of its functions; or the cell was not measured.
    Unknown,
    /// It is not among the functions that were found.
    Absent,
    Skipped,
    Passed,
    /// It was expected to fail, and did.
    Xfailed,
    /// It failed, from the cause with this number.
    Failed(u32),
    /// It passes and fails.
    Flaky(u32),
}

impl Fate {
    pub(super) fn fails(self) -> bool {
        matches!(self, Self::Failed(_) | Self::Flaky(_))
    }

    /// What two runs say together.
    fn joined(self, other: Self) -> Self {
        use Fate::{Absent, Failed, Flaky, NotRun, Passed, Skipped, Unknown, Xfailed};
        match (self, other) {
            (Flaky(cause), _)
            | (_, Flaky(cause))
            | (Failed(cause), Passed | Xfailed)
            | (Passed | Xfailed, Failed(cause)) => Flaky(cause),
            (Failed(cause), _) | (_, Failed(cause)) => Failed(cause),
            (Passed, _) | (_, Passed) => Passed,
            (Xfailed, _) | (_, Xfailed) => Xfailed,
            (Skipped, _) | (_, Skipped) => Skipped,
            (Absent, _) | (_, Absent) => Absent,
            (Unknown, _) | (_, Unknown) => Unknown,
            (NotRun, NotRun) => NotRun,
        }
    }
}

/// A line for each function, with a fate for each cell.
pub(super) struct Table<'a> {
    records: Vec<&'a Record>,
    /// By their ids.
    lines: BTreeMap<Rc<str>, Vec<Fate>>,
    causes: Vec<String>,
    /// For each cell of which nothing is known, why.
    unknown: Vec<(usize, String)>,
}

/// How the functions of a run ended, by their ids, which all cells share.
type Ended = Rc<[(Rc<str>, FunctionOutcome)]>;

/// What blobs say, each read once: a suite that passes says the same in a thousand cells.
struct Reader<'a, 'b> {
    cells: &'a Cells<'b>,
    ids: HashMap<String, Rc<str>>,
    outcomes: HashMap<BlobRef, Option<Ended>>,
    causes: HashMap<String, u32>,
}

impl Reader<'_, '_> {
    fn outcomes(&mut self, blob: BlobRef) -> Option<Ended> {
        if let Some(known) = self.outcomes.get(&blob) {
            return known.clone();
        }
        let content = self.cells.comparer.blob(blob);
        let read: Option<Outcomes> =
            content.and_then(|content| serde_json::from_slice(&content).ok());
        let read = read.map(|outcomes| {
            let shared = outcomes.into_iter().map(|(id, outcome)| {
                let shared = self.ids.entry(id).or_insert_with_key(|id| Rc::from(id.as_str()));
                (Rc::clone(shared), outcome)
            });
            shared.collect::<Rc<[_]>>()
        });
        self.outcomes.insert(blob, read.clone());
        read
    }

    fn cause(&mut self, signature: &str) -> u32 {
        let next = u32::try_from(self.causes.len()).unwrap_or(u32::MAX);
        *self.causes.entry(signature.to_owned()).or_insert(next)
    }

    /// How each function fared in a run; why nothing is known otherwise.
    fn fates(&mut self, run: &Run, logs: &Logs<'_>) -> Result<Vec<(Rc<str>, Fate)>, String> {
        let why = || run.reason.clone().unwrap_or_else(|| run.outcome.to_string());
        let functions = run.functions.as_ref().ok_or_else(why)?;
        let Some(blob) = functions.outcomes else {
            return Err(functions.problem.clone().unwrap_or_else(why));
        };
        let outcomes = self.outcomes(blob).ok_or("what is recorded of its functions is lost")?;
        let failing = logs.failing(run);
        let mut causes: HashMap<&str, u32> = HashMap::new();
        for one in failing.iter().flat_map(|failing| failing.iter()) {
            let cause = self.cause(&one.signature.cause);
            causes.entry(&one.id).or_insert(cause);
        }
        let unsaid = |reader: &mut Self| reader.cause("it gives no reason");
        let fate = |(id, outcome): &(Rc<str>, FunctionOutcome)| {
            let fate = match outcome {
                FunctionOutcome::Passed => Fate::Passed,
                FunctionOutcome::Xfailed => Fate::Xfailed,
                FunctionOutcome::Skipped => Fate::Skipped,
                FunctionOutcome::Failed | FunctionOutcome::Error => {
                    let known = causes.get(&**id).copied();
                    Fate::Failed(known.unwrap_or_else(|| unsaid(self)))
                }
            };
            (Rc::clone(id), fate)
        };
        Ok(outcomes.iter().map(fate).collect())
    }
}

impl<'a> Table<'a> {
    pub(super) fn of(test: &str, cells: &Cells<'a>, logs: &Logs<'_>) -> Self {
        let mut records: Vec<&Record> = cells.records.iter().collect();
        records.sort_by_key(|record| record.id());
        let mut reader =
            Reader { cells, ids: HashMap::new(), outcomes: HashMap::new(), causes: HashMap::new() };
        let mut lines: BTreeMap<Rc<str>, Vec<Fate>> = BTreeMap::new();
        // What holds for functions of which a cell says nothing.
        let mut usual: Vec<Fate> = Vec::with_capacity(records.len());
        let mut unknown = Vec::new();
        for (place, record) in records.iter().enumerate() {
            let runs = record.test(test).map_or(&[][..], |test| &test.runs);
            let mut here: Vec<(Rc<str>, Fate)> = Vec::new();
            let (mut is_known, mut why) = (false, None);
            for run in runs {
                match reader.fates(run, logs) {
                    Ok(fates) => {
                        is_known = true;
                        here.extend(fates);
                    }
                    Err(reason) => why = Some(reason),
                }
            }
            usual.push(match record.outcome {
                _ if is_known => Fate::Absent,
                CellOutcome::Unavailable | CellOutcome::BuildFailed => Fate::NotRun,
                CellOutcome::NotMeasured | CellOutcome::Tested => Fate::Unknown,
            });
            if let Some(why) = why.filter(|_| !is_known) {
                unknown.push((place, why));
            }
            for (id, fate) in here {
                let line = lines.entry(id).or_insert_with(|| vec![Fate::NotRun; records.len()]);
                line[place] = line[place].joined(fate);
            }
        }
        for line in lines.values_mut() {
            for (fate, usual) in line.iter_mut().zip(&usual) {
                *fate = fate.joined(*usual);
            }
        }
        let mut causes = vec![String::new(); reader.causes.len()];
        for (cause, number) in reader.causes {
            causes[number as usize] = cause;
        }
        let mut table = Self { records, lines, causes, unknown };
        table.spread_modules();
        table
    }

    /// Where a module cannot be imported, or is skipped, the report has one entry for it, and none for its functions.
    /// These are then not absent: they share its fate.
    fn spread_modules(&mut self) {
        let is_one = |fates: &[Fate]| {
            let may_be = |fate: &Fate| {
                matches!(
                    fate,
                    Fate::NotRun | Fate::Unknown | Fate::Absent | Fate::Skipped | Fate::Failed(_)
                )
            };
            fates.iter().all(may_be)
        };
        let candidates: Vec<Rc<str>> = self
            .lines
            .iter()
            .filter(|(_, fates)| is_one(fates))
            .map(|(id, _)| id.clone())
            .collect();
        let mut modules: BTreeSet<Rc<str>> = BTreeSet::new();
        for module in candidates {
            let within: Vec<Rc<str>> = ["::", "."]
                .iter()
                .flat_map(|between| {
                    let start: Rc<str> = format!("{module}{between}").into();
                    let behind = self.lines.range(Rc::clone(&start)..).map(|(id, _)| id);
                    behind
                        .take_while(move |id| id.starts_with(&*start))
                        .cloned()
                        .collect::<Vec<_>>()
                })
                .collect();
            if within.is_empty() {
                continue;
            }
            let of_module = self.lines[&module].clone();
            // If a module fails in a cell that has an outcome for each of its functions, no function failed because of it:
            // the module keeps a line of its own.
            let lacks_one =
                |place: usize| within.iter().any(|id| self.lines[id][place] == Fate::Absent);
            let fails_itself = |(place, fate): (usize, &Fate)| fate.fails() && !lacks_one(place);
            if of_module.iter().enumerate().any(fails_itself) {
                continue;
            }
            for id in within {
                let Some(line) = self.lines.get_mut(&id) else { continue };
                for (fate, of_module) in line.iter_mut().zip(&of_module) {
                    if *fate == Fate::Absent && !matches!(of_module, Fate::Absent) {
                        *fate = *of_module;
                    }
                }
            }
            modules.insert(module);
        }
        self.lines.retain(|id, _| !modules.contains(id));
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = (&str, &[Fate])> {
        self.lines.iter().map(|(id, fates)| (&**id, fates.as_slice()))
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &'a Record> {
        self.records.iter().copied()
    }

    pub(super) fn record(&self, place: usize) -> &'a Record {
        self.records[place]
    }

    pub(super) fn cause(&self, fate: Fate) -> Option<&str> {
        match fate {
            Fate::Failed(cause) | Fate::Flaky(cause) => {
                self.causes.get(cause as usize).map(String::as_str)
            }
            _ => None,
        }
    }

    /// The cells in which nothing is known of the functions, with the reasons.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (String, String)> {
        let named =
            |(place, why): &(usize, String)| (self.records[*place].id().to_string(), why.clone());
        self.unknown.iter().map(named)
    }
}
