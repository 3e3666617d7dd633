//! Gathers what is found while two results are gone through, whatever their format.

use std::collections::BTreeSet;

use super::comparison::{Apart, Comparison, Divergence, Numbers, Place, ReadAs, Rung, Unlike};
use super::number::{Distance, Number, Precision};
use super::rules::Line;
use super::show::{self, hex};
use super::tokens::{self, Found};
use crate::question::criteria::Rule;
use crate::question::criteria::{Nan, Policy, Tolerance};

/// What makes a place. Asked only where the place is told.
pub(super) type At<'f> = &'f dyn Fn() -> Place;

/// What is known so far of two results that are not the same bytes.
pub(super) struct Collector<'a> {
    policy: &'a Policy,
    rung: Rung,
    numbers: Numbers,
    /// The first difference on the present rung; on [`Rung::WithinTolerance`] the largest.
    divergence: Option<Divergence>,
    /// The pairs of lines that rules changed, to find out later which of them were needed.
    changed: Vec<(String, String, Tolerance)>,
    /// Whether line breaks at the end were looked past.
    pub(super) ends: bool,
    /// What a test for noise is to know.
    unlike: Unlike,
    /// How many lines and values came before: what stands in the same place has the same number,
    /// whatever the places before it hold.
    place: u64,
    /// How many numbers of this line or value came before.
    within: u64,
}

/// Of two results at most so many numbers are handed out that are not alike.
const MOST_APART: usize = 200_000;

/// Two numbers that stand in the same place.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) expected: Number<'a>,
    pub(super) actual: Number<'a>,
    /// Whether they are written in the same way.
    pub(super) identical: bool,
    pub(super) precision: Precision,
}

impl Pair<'_> {
    /// The tolerance as it holds for these two: of whole numbers the absolute one alone.
    fn tolerance(&self, tolerance: &Tolerance) -> Tolerance {
        let whole = |number| matches!(number, Number::Whole(_) | Number::Long(_));
        if whole(self.expected) && whole(self.actual) {
            tolerance.absolute_only()
        } else {
            *tolerance
        }
    }
}

/// How much two numbers tell of how results differ.
#[derive(Clone, Copy)]
struct Weighed {
    rung: Rung,
    distance: Distance,
}

impl Weighed {
    /// Whether this is the one to tell: the first that is beyond its tolerance, or else the one that
    /// is farthest off.
    fn outweighs(&self, other: &Self) -> bool {
        // Relatively, that is; next to 0 everything is far.
        let size = |of: &Distance| {
            of.relative.unwrap_or(if of.absolute > Some(0.0) { f64::INFINITY } else { 0.0 })
        };
        let farther = size(&self.distance) > size(&other.distance);
        self.rung > other.rung
            || (self.rung == other.rung && self.rung == Rung::WithinTolerance && farther)
    }
}

impl<'a> Collector<'a> {
    pub(super) fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            rung: Rung::SameNormalised,
            numbers: Numbers::default(),
            divergence: None,
            changed: Vec::new(),
            ends: false,
            unlike: Unlike::default(),
            place: 0,
            within: 0,
        }
    }

    pub(super) fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// Whether nothing that is still to come can change the answer.
    pub(super) fn decided(&self) -> bool {
        self.rung == Rung::OtherText
    }

    /// Two lines, or two values that are text.
    pub(super) fn line(
        &mut self,
        expected: &str,
        actual: &str,
        tolerance: &Tolerance,
        at: &dyn Fn(usize) -> Place,
    ) {
        self.next(1);
        if expected == actual && tolerance.nan() == Nan::Equal {
            self.numbers.compared += tokens::count(expected);
            return;
        }
        let left = Line::under(&self.policy.rules, expected);
        let right = Line::under(&self.policy.rules, actual);
        if left.changed_by().next().is_some() || right.changed_by().next().is_some() {
            self.changed.push((expected.to_owned(), actual.to_owned(), *tolerance));
        }
        // A place takes as long to find as the line is long, so it is found once for a line.
        let mut worst: Option<(usize, Weighed, String, String)> = None;
        tokens::tokens(&left.text, &right.text, &mut |found| match found {
            Found::Numbers(start, one, other) => {
                let pair = Pair {
                    expected: Number::of(one),
                    actual: Number::of(other),
                    identical: one == other,
                    precision: Precision::Double,
                };
                let before = worst.as_ref().map(|(_, weighed, ..)| *weighed);
                if let Some(weighed) = self.weigh(pair, tolerance, before) {
                    worst = Some((start, weighed, one.to_owned(), other.to_owned()));
                }
                true
            }
            Found::Text(start, one, other) => {
                self.other(&|| at(left.origin(start)), one, other);
                false
            }
        });
        if let Some((start, weighed, one, other)) = worst {
            self.take(weighed, &|| at(left.origin(start)), &one, &other);
        }
        // All tokens match, so only white space differs: report `WithinTolerance`.
        if self.rung == Rung::SameNormalised && left.text != right.text {
            self.spelling(&|| at(0), &left.text, &right.text);
        }
    }

    /// Two texts that stand for one value each.
    pub(super) fn text(&mut self, expected: &str, actual: &str, tolerance: &Tolerance, at: At<'_>) {
        let (mut left, mut right) = (expected.split('\n'), actual.split('\n'));
        loop {
            match (left.next(), right.next()) {
                (None, None) => return,
                (Some(one), Some(other)) => self.line(one, other, tolerance, &|_| at()),
                (None, Some(_)) | (Some(_), None) => self.other(at, expected, actual),
            }
            if self.decided() {
                return;
            }
        }
    }

    /// Two numbers.
    pub(super) fn pair(
        &mut self,
        pair: Pair<'_>,
        tolerance: &Tolerance,
        at: At<'_>,
        spelled: &dyn Fn() -> (String, String),
    ) {
        self.next(1);
        if let Some(weighed) = self.weigh(pair, tolerance, None) {
            let (expected, actual) = spelled();
            self.take(weighed, at, &expected, &actual);
        }
    }

    /// What follows belongs to another part of the result.
    pub(super) fn begin(&mut self, part: u64) {
        (self.place, self.within) = (part << 40, 0);
    }

    fn next(&mut self, places: u64) {
        self.place += places;
        self.within = 0;
    }

    /// Counts two numbers. Tells how they weigh if that is more than what is known already, and more
    /// than `before`.
    fn weigh(
        &mut self,
        pair: Pair<'_>,
        tolerance: &Tolerance,
        before: Option<Weighed>,
    ) -> Option<Weighed> {
        self.numbers.compared += 1;
        self.within += 1;
        if pair.identical && tolerance.nan() == Nan::Equal {
            return None;
        }
        let distance = pair.expected.distance(pair.actual, tolerance, pair.precision);
        if pair.identical && distance.within {
            return None;
        }
        let (expected, actual) = (pair.expected.parts(), pair.actual.parts());
        // As floats they may be alike, and are not.
        let seen = |part: &usize| {
            let (expected, actual) = (expected[*part], actual[*part]);
            expected.is_finite() && actual.is_finite() && (expected - actual).abs() > 0.0
        };
        if !distance.within && !(0..2).any(|part| seen(&part)) {
            self.unlike.unseen(self.place, &format!("{:?}", pair.actual));
        } else if self.unlike.apart.len() < MOST_APART {
            let tolerance = pair.tolerance(tolerance);
            // A complex number counts as two.
            self.unlike.apart.extend((0..2).filter(seen).map(|part| Apart {
                place: (self.place, 2 * self.within + part as u64),
                expected: expected[part],
                actual: actual[part],
                tolerance,
            }));
        }
        let larger = |most: Option<f64>, here: Option<f64>| match (most, here) {
            (Some(most), Some(here)) => Some(most.max(here)),
            (most, here) => most.or(here),
        };
        let numbers = &mut self.numbers;
        numbers.beyond += u64::from(!distance.within);
        numbers.largest_absolute = larger(numbers.largest_absolute, distance.absolute);
        numbers.largest_relative = larger(numbers.largest_relative, distance.relative);
        numbers.largest_ulps = numbers.largest_ulps.max(distance.ulps);
        let weighed = Weighed {
            rung: if distance.within { Rung::WithinTolerance } else { Rung::OtherNumbers },
            distance,
        };
        let known = self.divergence.as_ref().map(|known| {
            let Divergence { absolute, relative, ulps, .. } = *known;
            let distance = Distance { within: true, absolute, relative, ulps };
            Weighed { rung: self.rung, distance }
        });
        let outweighs =
            |other: Option<Weighed>| other.is_none_or(|other| weighed.outweighs(&other));
        (outweighs(known) && outweighs(before)).then_some(weighed)
    }

    /// Takes two numbers for what the results differ in most.
    fn take(&mut self, weighed: Weighed, at: At<'_>, expected: &str, actual: &str) {
        // The text behind the number may have told more.
        if self.decided() {
            return;
        }
        let Distance { absolute, relative, ulps, .. } = weighed.distance;
        let (expected, actual) = (show::excerpt(expected), show::excerpt(actual));
        self.rung = weighed.rung;
        self.divergence =
            Some(Divergence { place: at(), expected, actual, absolute, relative, ulps });
    }

    /// The same, written in another way.
    pub(super) fn spelling(&mut self, at: At<'_>, expected: &str, actual: &str) {
        self.found(Rung::WithinTolerance, at, expected, actual);
    }

    /// Other numbers that have no distance.
    pub(super) fn beyond(&mut self, at: At<'_>, expected: &str, actual: &str) {
        self.next(1);
        self.unlike.unseen(self.place, actual);
        self.numbers.compared += 1;
        self.numbers.beyond += 1;
        self.found(Rung::OtherNumbers, at, expected, actual);
    }

    /// Numbers that are compared elsewhere.
    pub(super) fn count(&mut self, more: u64) {
        self.next(more);
        self.numbers.compared += more;
    }

    /// Another text or structure.
    pub(super) fn other(&mut self, at: At<'_>, expected: &str, actual: &str) {
        self.found(Rung::OtherText, at, expected, actual);
    }

    fn found(&mut self, rung: Rung, at: At<'_>, expected: &str, actual: &str) {
        if rung > self.rung {
            self.rung = rung;
            let (expected, actual) = (show::excerpt(expected), show::excerpt(actual));
            let (absolute, relative, ulps) = (None, None, None);
            self.divergence =
                Some(Divergence { place: at(), expected, actual, absolute, relative, ulps });
        }
    }

    /// Bytes that nothing is known of.
    pub(super) fn bytes(&mut self, array: Option<&str>, expected: &[u8], actual: &[u8]) {
        if expected == actual {
            return;
        }
        let same = expected.iter().zip(actual).take_while(|(one, other)| one == other).count();
        let place = || Place::Byte {
            offset: u64::try_from(same).unwrap_or(u64::MAX),
            array: array.map(show::excerpt),
        };
        let bytes = |bytes: &[u8]| match bytes.get(same..bytes.len().min(same + 8)) {
            Some([]) | None => "nothing".to_owned(),
            Some(bytes) => hex(bytes),
        };
        self.other(&place, &bytes(expected), &bytes(actual));
    }

    /// What came of it, and what is not alike.
    pub(super) fn done(self, read_as: ReadAs, unread: Vec<String>) -> (Comparison, Unlike) {
        let decided = matches!(self.rung, Rung::WithinTolerance | Rung::OtherNumbers);
        let comparison = Comparison {
            rung: self.rung,
            read_as,
            unread,
            rules: if self.decided() { Vec::new() } else { self.needed() },
            numbers: decided.then_some(self.numbers),
            divergence: self.divergence,
        };
        (comparison, self.unlike)
    }

    /// The rules without which some line would fall below the rung that all of them reach together.
    fn needed(&self) -> Vec<Rule> {
        let mut needed: BTreeSet<Rule> =
            self.ends.then_some(Rule::LineEndings).into_iter().collect();
        for (expected, actual, tolerance) in &self.changed {
            let all = &self.policy.rules;
            let sides = [Line::under(all, expected), Line::under(all, actual)];
            let mut kept: BTreeSet<Rule> = sides.iter().flat_map(Line::changed_by).collect();
            let tried: Vec<Rule> =
                kept.iter().rev().filter(|rule| !needed.contains(rule)).copied().collect();
            for rule in tried {
                kept.remove(&rule);
                if self.falls(&kept, expected, actual, tolerance) {
                    kept.insert(rule);
                }
            }
            needed.extend(kept);
        }
        // Within a line, a rule that another line needs may have been kept without need; it is
        // needed all the same.
        needed.into_iter().collect()
    }

    /// Whether two lines are less alike than the results are, under fewer rules.
    fn falls(
        &self,
        rules: &BTreeSet<Rule>,
        expected: &str,
        actual: &str,
        tolerance: &Tolerance,
    ) -> bool {
        let policy = Policy { rules: rules.clone(), ..Policy::default() };
        let mut collector = Collector::new(&policy);
        collector.line(expected, actual, tolerance, &|_| Place::Line { line: 1, column: 1 });
        collector.rung > self.rung
    }
}
