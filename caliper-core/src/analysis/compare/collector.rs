//! Gathers what is found while two results are gone through, whatever their format.

use std::collections::{BTreeMap, BTreeSet};

use super::arrays::{ArrayComparison, MOST_ARRAYS};
use super::comparison::{
    Apart, Comparison, Divergence, Extent, Numbers, Place, ReadAs, Rung, Unlike,
};
use super::divergence::{divergence, label, name};
use super::number::{Distance, Number, Precision, larger};
use super::rules::{LeftOut, Lens, Line, Past};
use super::show::{excerpt, hex};
use super::tokens::{self, Found};
use crate::question::criteria::{Nan, Policy, Rule, Tolerance};

/// What makes a place. Asked only where the place is told.
pub(super) type At<'f> = &'f dyn Fn() -> Place;

/// What is known so far of two results that are not the same bytes.
pub(super) struct Collector<'a> {
    /// How the two results are read; by the same policy.
    lenses: [Lens<'a>; 2],
    rung: Rung,
    numbers: Numbers,
    /// The first difference on the present rung; on [`Rung::WithinTolerance`] the largest.
    divergence: Option<Divergence>,
    /// The pairs of lines that rules changed, to find out later which of them were needed.
    changed: Vec<(String, String, Tolerance)>,
    /// What was looked past outside of lines, and how often.
    past: BTreeMap<Rule, u64>,
    /// The same of what a user leaves out.
    ignored: BTreeMap<String, u64>,
    /// Of the numbers beyond their tolerance the one farthest off.
    farthest: Option<(f64, Divergence)>,
    /// How many lines differ in more than numbers.
    pub(super) others: u64,
    pub(super) extent: Option<Extent>,
    /// The arrays that differ, and how many are not listed.
    arrays: Vec<ArrayComparison>,
    arrays_left_out: u64,
    /// What a test for noise is to know.
    unlike: Unlike,
    /// How many lines and values came before: what stands in the same place has the same number,
    /// whatever the places before it hold.
    place: u64,
    /// How many numbers of this line or value came before.
    within: u32,
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
    /// Whether one of them looks like an identifier, which is not the same in another spelling.
    pub(super) identifier: bool,
    pub(super) precision: Precision,
}

impl<'a> Pair<'a> {
    /// Two numbers as they are written in text.
    pub(super) fn written(expected: &'a str, actual: &'a str) -> Self {
        Self {
            expected: Number::of(expected),
            actual: Number::of(actual),
            identical: expected == actual,
            identifier: tokens::is_identifier(expected) || tokens::is_identifier(actual),
            precision: Precision::Double,
        }
    }
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
    pub(super) fn new(lenses: [Lens<'a>; 2]) -> Self {
        Self {
            lenses,
            rung: Rung::SameNormalised,
            numbers: Numbers::default(),
            divergence: None,
            changed: Vec::new(),
            past: BTreeMap::new(),
            ignored: BTreeMap::new(),
            farthest: None,
            others: 0,
            extent: None,
            arrays: Vec::new(),
            arrays_left_out: 0,
            unlike: Unlike::default(),
            place: 0,
            within: 0,
        }
    }

    pub(super) fn policy(&self) -> &'a Policy {
        self.lenses[0].policy
    }

    pub(super) fn lenses(&self) -> [Lens<'a>; 2] {
        self.lenses
    }

    /// Takes note of something that a rule looks past outside of a line. `false` if it is not to be looked
    /// past.
    pub(super) fn looks_past(&mut self, rule: Rule) -> bool {
        let does = self.policy().rules.contains(&rule);
        if does {
            *self.past.entry(rule).or_default() += 1;
        }
        does
    }

    /// Takes note of whole lines that are left out, so many times.
    pub(super) fn left_out(&mut self, why: LeftOut, times: u64) {
        match why {
            LeftOut::Rule(rule) => *self.past.entry(rule).or_default() += times,
            LeftOut::Pattern(index) => {
                let pattern = self.policy().ignore.lines.get(index).map(ToString::to_string);
                let what = format!("line: {}", pattern.unwrap_or_default());
                *self.ignored.entry(what).or_default() += times;
            }
        }
    }

    /// Whether a field that is known by all these names is left out.
    pub(super) fn ignores_field(&mut self, names: &[&str]) -> bool {
        let Some(field) = self.policy().ignored(names) else { return false };
        *self.ignored.entry(format!("field: {field}")).or_default() += 1;
        true
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
        let left = Line::under(&self.lenses[0], expected);
        let right = Line::under(&self.lenses[1], actual);
        if left.changed_by().next().is_some() || right.changed_by().next().is_some() {
            self.changed.push((expected.to_owned(), actual.to_owned(), *tolerance));
        }
        // A place takes as long to find as the line is long, so it is found once for a line.
        let mut worst: Option<(usize, Weighed, String, String)> = None;
        let mut far: Option<(usize, f64, Divergence)> = None;
        let mut differs = false;
        tokens::tokens(&left.text, &right.text, &mut |found| match found {
            Found::Numbers(start, one, other) => {
                differs |= one != other;
                let pair = Pair::written(one, other);
                let Some(distance) = self.distance(pair, tolerance) else { return true };
                let before = worst.as_ref().map(|(_, weighed, ..)| *weighed);
                let (weighed, size) = self.weigh(pair, distance, tolerance, before);
                if let Some(weighed) = weighed {
                    worst = Some((start, weighed, one.to_owned(), other.to_owned()));
                }
                if let Some((size, distance)) = size
                    && far.as_ref().is_none_or(|(_, before, _)| size > *before)
                {
                    let place = Place::Line { line: 0, column: 0 };
                    far = Some((start, size, divergence(place, one, other, Some(distance))));
                }
                true
            }
            Found::Text(start, one, other) => {
                differs = true;
                self.others += 1;
                self.other(&|| at(left.origin(start)), one, other);
                false
            }
        });
        if let Some((start, weighed, one, other)) = worst {
            self.take(weighed, &|| at(left.origin(start)), &one, &other);
            if let Some(known) = self.divergence.as_mut().filter(|_| self.rung == weighed.rung) {
                known.label = label(&left.text[..start]).or(known.label.take());
            }
        }
        if let Some((start, size, mut found)) = far {
            found.place = at(left.origin(start));
            found.label = label(&left.text[..start]).or_else(|| name(&found.place));
            self.farthest = Some((size, found));
        }
        // All tokens match, so only white space differs.
        if !differs && left.text != right.text {
            if self.looks_past(Rule::Spelling) {
                self.spelling(&|| at(0), &left.text, &right.text);
            } else {
                self.others += 1;
                self.other(&|| at(0), &left.text, &right.text);
            }
        }
    }

    /// Two texts that stand for one value each.
    pub(super) fn text(&mut self, expected: &str, actual: &str, tolerance: &Tolerance, at: At<'_>) {
        let (mut left, mut right) = (expected.split('\n'), actual.split('\n'));
        loop {
            match (left.next(), right.next()) {
                (None, None) => return,
                (Some(one), Some(other)) => self.line(one, other, tolerance, &|_| at()),
                (None, Some(_)) | (Some(_), None) => {
                    self.others += 1;
                    self.other(at, expected, actual);
                    return;
                }
            }
        }
    }

    /// Takes note of an array that differs.
    pub(super) fn array(&mut self, found: ArrayComparison) {
        if self.arrays.len() < MOST_ARRAYS {
            self.arrays.push(found);
        } else {
            self.arrays_left_out += 1;
        }
    }

    /// How many numbers and texts were found that are not the same. That it has grown says that something in
    /// between differs.
    pub(super) fn differences(&self) -> u64 {
        self.others + self.numbers.beyond
    }

    /// Two numbers. Returns how far they lie apart; `None` if they are identical and may be.
    pub(super) fn pair(
        &mut self,
        pair: Pair<'_>,
        tolerance: &Tolerance,
        at: At<'_>,
        spelled: &dyn Fn() -> (String, String),
    ) -> Option<Distance> {
        self.next(1);
        let distance = self.distance(pair, tolerance)?;
        let (weighed, size) = self.weigh(pair, distance, tolerance, None);
        if let Some((size, distance)) = size {
            let (expected, actual) = spelled();
            self.farthest = Some((size, divergence(at(), &expected, &actual, Some(distance))));
        }
        if let Some(weighed) = weighed {
            let (expected, actual) = spelled();
            self.take(weighed, at, &expected, &actual);
        }
        Some(distance)
    }

    /// What follows belongs to another part of the result.
    pub(super) fn begin(&mut self, part: u64) {
        (self.place, self.within) = (part << 40, 0);
    }

    fn next(&mut self, places: u64) {
        self.place += places;
        self.within = 0;
    }

    /// Counts two numbers. Returns how far they lie apart; `None` if they are identical and may be.
    fn distance(&mut self, pair: Pair<'_>, tolerance: &Tolerance) -> Option<Distance> {
        self.numbers.compared += 1;
        self.within += 1;
        if pair.identical && tolerance.nan() == Nan::Equal {
            return None;
        }
        let distance = pair.expected.distance(pair.actual, tolerance, pair.precision);
        (!pair.identical || !distance.within).then_some(distance)
    }

    /// Tells how two numbers at this distance weigh if that is more than what is known already, and more than
    /// `before`; and their relative distance if they are beyond their tolerance and it is the largest so far.
    fn weigh(
        &mut self,
        pair: Pair<'_>,
        mut distance: Distance,
        tolerance: &Tolerance,
        before: Option<Weighed>,
    ) -> (Option<Weighed>, Option<(f64, Distance)>) {
        let equal = distance.within && distance.absolute.is_none_or(|far| far == 0.0);
        if equal && (pair.identifier || !self.looks_past(Rule::Spelling)) {
            distance = Distance::unknown(false);
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
            for part in (0..2).filter(seen) {
                let place = (self.place, 2 * self.within + u32::from(part > 0));
                let [expected, actual] = [expected[part], actual[part]];
                self.unlike.apart(Apart { place, tolerance: 0, expected, actual }, tolerance);
            }
        }
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
        let told = (outweighs(known) && outweighs(before)).then_some(weighed);
        // Next to 0 everything is far.
        let size = distance.relative.or(distance.absolute.map(|_| f64::INFINITY));
        let size = size.filter(|size| {
            !distance.within && self.farthest.as_ref().is_none_or(|(before, _)| size > before)
        });
        (told, size.map(|size| (size, distance)))
    }

    /// Takes two numbers for what the results differ in most.
    fn take(&mut self, weighed: Weighed, at: At<'_>, expected: &str, actual: &str) {
        // The text behind the number may have told more.
        if self.decided() {
            return;
        }
        self.rung = weighed.rung;
        self.divergence = Some(divergence(at(), expected, actual, Some(weighed.distance)));
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

    pub(super) fn found(&mut self, rung: Rung, at: At<'_>, expected: &str, actual: &str) {
        if rung > self.rung {
            self.rung = rung;
            self.divergence = Some(divergence(at(), expected, actual, None));
        }
    }

    /// Bytes that nothing is known of, and that are not the same: where they part, the bytes that follow there, and how
    /// many there are in all.
    pub(super) fn bytes(
        &mut self,
        array: Option<&str>,
        offset: u64,
        [expected, actual]: [&[u8]; 2],
        lengths: [u64; 2],
    ) {
        let place = || Place::Byte { offset, array: array.map(excerpt) };
        let shown = |bytes: &[u8]| match bytes.get(..bytes.len().min(8)) {
            Some([]) | None => "nothing".to_owned(),
            Some(bytes) => hex(bytes),
        };
        self.other(&place, &shown(expected), &shown(actual));
        let [expected, actual] = lengths;
        self.extent.get_or_insert(Extent::Bytes { expected, actual });
    }

    /// Two images of the same size: how many pixels they have, how many of them are beyond the tolerance,
    /// how far the two lie apart that differ most and how far two could, and a digest of the actual ones.
    pub(super) fn pixels(&mut self, all: u64, beyond: u64, [largest, most]: [u16; 2], digest: u64) {
        let largest = f64::from(largest);
        self.numbers = Numbers {
            compared: all,
            beyond,
            largest_absolute: Some(largest),
            largest_relative: Some(largest / f64::from(most)),
            largest_ulps: None,
        };
        self.unlike.rest = Some(digest);
    }

    /// What came of it, and what is not alike.
    pub(super) fn done(self, read_as: ReadAs, unread: Vec<String>) -> (Comparison, Unlike) {
        let decided = matches!(self.rung, Rung::WithinTolerance | Rung::OtherNumbers);
        let mut times = if self.decided() { BTreeMap::new() } else { self.needed() };
        if !self.decided() {
            for (rule, more) in &self.past {
                *times.entry(Past::Rule(*rule)).or_default() += more;
            }
        }
        let rule = |past: &Past| if let Past::Rule(rule) = past { Some(*rule) } else { None };
        let rules = times.keys().filter_map(rule).collect();
        let mut looked_past: BTreeMap<String, u64> =
            times.into_iter().map(|(past, times)| (self.name(past), times)).collect();
        looked_past.extend(self.ignored);
        let comparison = Comparison {
            rung: self.rung,
            read_as,
            unread,
            rules,
            looked_past,
            numbers: decided.then_some(self.numbers),
            divergence: self.divergence,
            farthest: self.farthest.map(|(_, farthest)| farthest).filter(|_| decided),
            extent: self.extent.filter(|_| self.rung == Rung::OtherText),
            arrays: self.arrays,
            arrays_left_out: self.arrays_left_out,
        };
        (comparison, self.unlike)
    }

    /// Something that is looked past, as the configuration writes it.
    fn name(&self, past: Past) -> String {
        match past {
            Past::Rule(rule) => rule.to_string(),
            Past::Pattern(index) => {
                let pattern = self.policy().ignore.patterns.get(index);
                format!("pattern: {}", pattern.map(ToString::to_string).unwrap_or_default())
            }
        }
    }

    /// That without which some line would fall below the rung that all of them reach together, and in how
    /// many lines that is so.
    fn needed(&self) -> BTreeMap<Past, u64> {
        let mut needed: BTreeMap<Past, u64> = BTreeMap::new();
        for (expected, actual, tolerance) in &self.changed {
            let [left, right] = &self.lenses;
            let sides = [Line::under(left, expected), Line::under(right, actual)];
            let mut kept: BTreeSet<Past> = sides.iter().flat_map(Line::changed_by).collect();
            let tried: Vec<Past> = kept.iter().rev().copied().collect();
            for past in tried {
                kept.remove(&past);
                if self.falls(&kept, expected, actual, tolerance) {
                    kept.insert(past);
                }
            }
            for past in kept {
                *needed.entry(past).or_default() += 1;
            }
        }
        needed
    }

    /// Whether two lines are less alike than the results are, if only that is looked past.
    fn falls(
        &self,
        only: &BTreeSet<Past>,
        expected: &str,
        actual: &str,
        tolerance: &Tolerance,
    ) -> bool {
        let lenses = self.lenses.map(|lens| Lens { only: Some(only), ..lens });
        let mut collector = Collector::new(lenses);
        collector.line(expected, actual, tolerance, &|_| Place::Line { line: 1, column: 1 });
        collector.rung > self.rung
    }
}
