//! The lower ends of all dependencies together.

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::row::Row;
use super::search::{Search, judged, search_guilty};
use super::{Answer, Seen, Wanted};
use crate::analysis::blame::{Outcome, Pin};
use crate::names::PackageName;
use crate::question::plan::Pins;

/// How the suite ends with the lower ends of all dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lowest {
    /// The first outcome of the suite with lowest releases that can be installed together.
    pub seen: Seen,
    /// Why it did not pass, in one line.
    pub why: Option<String>,
    /// If it failed: the dependencies whose lower ends are needed for this.
    pub to_blame: Pins,
    /// What was raised, in order.
    pub raised: Vec<Raised>,
    /// The releases in the end.
    pub pins: Pins,
    /// How the suite ends with these.
    pub in_the_end: Seen,
}

/// A lower end that was raised because it does not go with the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Raised {
    /// The dependency.
    pub name: PackageName,
    /// Its lower end.
    #[schemars(with = "String")]
    pub from: Version,
    /// The oldest release that goes with the others.
    #[schemars(with = "String")]
    pub to: Version,
    /// Why.
    pub why: WhyRaised,
}

/// Why lower ends do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhyRaised {
    /// The suite fails with them.
    Fails,
    /// They cannot be installed together. A resolver that is asked for the lowest releases picks a higher one.
    CannotBeInstalled,
}

/// Measures the lower ends together. Where they do not go together, it looks for the few that are to blame, raises one
/// of these to the oldest release that goes with the others, and tries again.
pub(super) fn lowest(
    search: &Search<'_>,
    rows: &[Row],
    held: &Pins,
    base: &Answer,
) -> Result<Lowest, Wanted> {
    let lower = |row: &Row| Some((row.name.clone(), row.lower(false)?.version));
    let mut pins: Pins = rows.iter().filter_map(lower).collect();
    let mut found = Lowest {
        seen: Seen::Untried,
        why: None,
        to_blame: Pins::new(),
        raised: Vec::new(),
        pins: pins.clone(),
        in_the_end: Seen::Untried,
    };
    // Each round raises one, and no dependency is raised more often than there are others.
    for _ in 0..=rows.len() * rows.len() {
        let answer = search.known(pins.clone(), held)?;
        found.in_the_end = answer.seen;
        found.pins.clone_from(&pins);
        let fails = answer.seen == Seen::Failed;
        if answer.seen != Seen::CannotBeInstalled && found.seen == Seen::Untried {
            found.seen = answer.seen;
            found.why.clone_from(&answer.why);
        }
        if !fails && answer.seen != Seen::CannotBeInstalled {
            break;
        }
        let Some((guilty, raise)) = raise(search, &pins, held, base, answer)? else { break };
        if fails && found.to_blame.is_empty() {
            found.to_blame = guilty;
        }
        pins.insert(raise.name.clone(), raise.to.clone());
        found.raised.push(raise);
    }
    if found.seen == Seen::Untried {
        found.seen = found.in_the_end;
    }
    Ok(found)
}

fn raise(
    search: &Search<'_>,
    pins: &Pins,
    held: &Pins,
    base: &Answer,
    bad: &Answer,
) -> Result<Option<(Pins, Raised)>, Wanted> {
    // Good is what a resolver picks, and bad are the lower ends.
    let pin = |(name, version): (&PackageName, &Version)| Pin {
        name: name.clone(),
        from: base.installed.get(name).cloned(),
        to: Some(version.clone()),
    };
    let mut differing: Vec<Pin> = pins.iter().map(pin).collect();
    differing.retain(|pin| pin.from != pin.to);
    // Those that others require are raised first: see below.
    let taken = |taken: &dyn Fn(&PackageName) -> bool| -> Pins {
        let chosen = pins.iter().filter(|(name, _)| taken(name));
        chosen.map(|(name, version)| (name.clone(), version.clone())).collect()
    };
    let judge = |answer: &Answer| judged(answer, bad);
    let known = |chosen: &dyn Fn(&PackageName) -> bool| search.known(taken(chosen), held);
    let Some(guilty) = search_guilty(&differing, &known, &judge)? else { return Ok(None) };
    let is_guilty = |name: &PackageName| guilty.iter().any(|pin| pin.name == *name);
    // Installers say `a==1 depends on b>=2`: then b is raised, as a resolver would do. Else the one with the fewest
    // releases to choose from.
    let set = search.known(taken(&is_guilty), held)?;
    let is_required = |pin: &Pin| {
        let text = format!("depends on {}", pin.name.normalized());
        let said = set.why.as_deref().unwrap_or_default();
        said.match_indices(&text).any(|(at, text)| {
            let behind = said[at + text.len()..].chars().next();
            behind.is_none_or(|next| !(next.is_alphanumeric() || "-_".contains(next)))
        })
    };
    let mut order: Vec<&Pin> = guilty.iter().collect();
    order.sort_by_key(|pin| (!is_required(pin), search.between(pin)));
    for pin in order {
        let others = taken(&|name| is_guilty(name) && *name != pin.name);
        // Where a resolver goes if this one is free.
        let free = search.known(others.clone(), held)?;
        let Some(from) = free.installed.get(&pin.name) else { continue };
        // A resolver may go below the lower end too, to what an older release of this one requires. That is no raise.
        if judge(free) != Outcome::Good || pin.to.as_ref().is_some_and(|to| from <= to) {
            continue;
        }
        let at = |version: &Version| {
            let mut pins = others.clone();
            pins.insert(pin.name.clone(), version.clone());
            search.known(pins, held)
        };
        let (Some(to), from) = (pin.to.clone(), Some(from.clone())) else { continue };
        let span = Pin { name: pin.name.clone(), from, to: Some(to.clone()) };
        let Some(good) = search.last_good(&span, &at, &judge)? else { continue };
        let blamed = guilty.iter().filter_map(|pin| Some((pin.name.clone(), pin.to.clone()?)));
        let why = match bad.seen {
            Seen::CannotBeInstalled => WhyRaised::CannotBeInstalled,
            _ => WhyRaised::Fails,
        };
        let raised = Raised { name: pin.name.clone(), from: to, to: good, why };
        return Ok(Some((blamed.collect(), raised)));
    }
    Ok(None)
}
