//! The search on one Python.

use pep440_rs::Version;

use super::joint::{self, Lowest};
use super::row::{DEEPEST, Release, Row};
use super::search::{Search, judged, search_guilty};
use super::{Answer, Bounds, Seen, Wanted};
use crate::analysis::blame::Pin;
use crate::names::{PackageName, PythonVersion};
use crate::question::plan::Pins;

/// What was found on one Python.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnPython {
    /// The Python.
    pub python: PythonVersion,
    /// How the suite ends with what a resolver picks.
    pub today: Answer,
    /// If it fails with that: the dependencies that are to blame, with the versions that a resolver picks. With an older
    /// release of one of them it passes, or fails because of others that stand here too.
    pub to_blame: Pins,
    /// Why no bound can be measured.
    pub stuck: Option<Stuck>,
    /// The rows of the dependencies; empty if it is stuck.
    pub rows: Vec<Row>,
    /// The lower ends together; `None` if it is stuck.
    pub lowest: Option<Lowest>,
}

/// Why no bound can be measured on a Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stuck {
    /// What a resolver picks cannot be installed.
    CannotBeInstalled,
    /// What a resolver picks could not be measured.
    NotMeasured,
    /// The suite is flaky with what a resolver picks.
    Flaky,
    /// It fails with what a resolver picks and with older releases, so that no dependency can be blamed.
    Fails,
}

pub(super) fn conclude(bounds: &Bounds, python: PythonVersion) -> Result<OnPython, Wanted> {
    Search { bounds, python }.conclude()
}

impl Search<'_> {
    fn conclude(&self) -> Result<OnPython, Wanted> {
        let today = self.known(Pins::new(), &Pins::new())?;
        let mut found = OnPython {
            python: self.python,
            today: today.clone(),
            to_blame: Pins::new(),
            stuck: None,
            rows: Vec::new(),
            lowest: None,
        };
        let mut held = Pins::new();
        let mut settled: Vec<Row> = Vec::new();
        let mut base = today.clone();
        // Each round holds one dependency back, until the suite passes.
        while base.seen == Seen::Failed {
            let Some(repair) = self.repair(&held, &base)? else { break };
            found.to_blame.extend(repair.needed);
            if held.insert(repair.hold.0, repair.hold.1).is_some() {
                break;
            }
            base = match repair.row {
                // With this release at most, a resolver picks it: that was measured.
                Some((row, answer)) => {
                    settled.push(row);
                    answer
                }
                None => self.known(Pins::new(), &held)?.clone(),
            };
        }
        found.stuck = match base.seen {
            Seen::Passed => None,
            Seen::Failed => Some(Stuck::Fails),
            Seen::Flaky => Some(Stuck::Flaky),
            Seen::CannotBeInstalled => Some(Stuck::CannotBeInstalled),
            Seen::NotMeasured | Seen::Untried => Some(Stuck::NotMeasured),
        };
        if found.stuck.is_some() {
            return Ok(found);
        }
        let is_settled = |name: &PackageName| settled.iter().any(|row| row.name == *name);
        let others = self.names().filter(|name| !is_settled(name)).cloned().collect::<Vec<_>>();
        let mut rows = self.search(&others, &held, &base, 0)?;
        rows.extend(settled);
        let place = |row: &Row| self.names().position(|name| *name == row.name);
        rows.sort_by_key(place);
        found.lowest = Some(joint::lowest(self, &rows, &held, &base)?);
        found.rows = rows;
        Ok(found)
    }

    /// What makes a suite pass that fails with what a resolver picks; `None` if nothing is found.
    fn repair(&self, held: &Pins, base: &Answer) -> Result<Option<Repair>, Wanted> {
        let names: Vec<PackageName> =
            self.names().filter(|name| !held.contains_key(name)).cloned().collect();
        let mut tried = Vec::new();
        for depth in 0..=DEEPEST {
            let rows = self.search(&names, held, base, depth)?;
            let passing: Vec<&Row> = rows.iter().filter(|row| row.passes()).collect();
            let lost = |row: &&&Row| row.upper(false).map(|end| row.newer_than(&end.version));
            let best = passing.iter().min_by_key(lost);
            let Some((row, end)) = best.and_then(|row| Some((row, row.upper(false)?))) else {
                // Where all fail in the same way, at the oldest and in the middle, it is hardly a dependency.
                let is_same = |one: &Release| one.seen == Seen::Failed && one.why == base.why;
                let mut told = rows.iter().flat_map(|row| &row.releases);
                let is_hopeless = told.all(|one| one.seen == Seen::Untried || is_same(one));
                tried = rows;
                if depth > 0 && is_hopeless {
                    break;
                }
                continue;
            };
            let pin = Pins::from([(row.name.clone(), end.version.clone())]);
            let answer = self.known(pin, held)?.clone();
            let needed = passing.iter().filter_map(|row| pick(row, base)).collect();
            let hold = (row.name.clone(), end.version);
            return Ok(Some(Repair { needed, hold, row: Some(((*row).clone(), answer)) }));
        }
        self.blamed(&tried, held, base)
    }

    /// The same where no single dependency repairs it: by blaming, from the oldest releases of all dependencies on that
    /// can be installed.
    fn blamed(&self, rows: &[Row], held: &Pins, base: &Answer) -> Result<Option<Repair>, Wanted> {
        let oldest = |row: &Row| Some((row.name.clone(), row.failing().next()?.version.clone()));
        let oldest: Pins = rows.iter().filter_map(oldest).collect();
        let newest = |name: &PackageName| base.installed.get(name).cloned();
        let pin = |(name, from): (&PackageName, &Version)| Pin {
            name: name.clone(),
            from: Some(from.clone()),
            to: newest(name),
        };
        let mut pins: Vec<Pin> = oldest.iter().map(pin).collect();
        pins.retain(|pin| pin.to.is_some() && pin.from != pin.to);
        if pins.len() < 2 || self.known(oldest.clone(), held)?.seen != Seen::Passed {
            return Ok(None);
        }
        let judge = |answer: &Answer| judged(answer, base);
        // Taken from the bad side are those that are free.
        let mixture = |taken: &dyn Fn(&PackageName) -> bool| -> Pins {
            let pinned = oldest.iter().filter(|(name, _)| !taken(name));
            pinned.map(|(name, version)| (name.clone(), version.clone())).collect()
        };
        let found = search_guilty(&pins, &|free| self.known(mixture(free), held), &judge)?;
        let Some(found) = found else { return Ok(None) };
        let Some(guilty) = found.iter().min_by_key(|pin| self.between(pin)) else {
            return Ok(None);
        };
        let others_free =
            |name: &PackageName| found.iter().any(|pin| pin.name == *name) && *name != guilty.name;
        let around = mixture(&others_free);
        let at = |version: &Version| {
            let mut pins = around.clone();
            pins.insert(guilty.name.clone(), version.clone());
            self.known(pins, held)
        };
        let Some(last) = self.last_good(guilty, &at, &judge)? else { return Ok(None) };
        let needed = found.iter().filter_map(|pin| Some((pin.name.clone(), pin.to.clone()?)));
        Ok(Some(Repair { needed: needed.collect(), hold: (guilty.name.clone(), last), row: None }))
    }
}

/// A way to make the suite pass.
struct Repair {
    /// The dependencies that are needed for the failure.
    needed: Pins,
    /// The one to hold back, and at which release.
    hold: (PackageName, Version),
    /// Its row, and what was measured with that release.
    row: Option<(Row, Answer)>,
}

fn pick(row: &Row, base: &Answer) -> Option<(PackageName, Version)> {
    Some((row.name.clone(), base.installed.get(&row.name)?.clone()))
}
