//! What corresponds in the runs of a test, where they differ in more than numbers.
//!
//! A line more in one run must not hide a number that changed in another line. Fields are matched by their
//! names. Lines are matched by their place if all runs have equally many. If not, the lines that look the
//! same in all runs, apart from their numbers, are anchors. Between two anchors, lines are matched by their
//! place again if all runs have equally many there. What still does not correspond is compared as a whole.
//!
//! Lines, or the rows of a table, may come in another order in each run. So it is also counted how often each
//! kind of line or field occurs, and the means of its numbers are taken: neither depends on the order.

use std::collections::{BTreeMap, BTreeSet};

use super::comparison::hashed;
use super::items::Item;
use crate::question::criteria::Tolerance;

/// What items have in common whatever their numbers are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    key: Option<u64>,
    shape: u64,
    /// How many numbers they have.
    numbers: usize,
}

/// The items of one kind in a run.
#[derive(Clone, Default)]
struct Seen<'a> {
    count: u32,
    /// The sums of their numbers.
    sums: Vec<f64>,
    first: Option<&'a Item>,
}

impl Kind {
    fn of(item: &Item) -> Self {
        Self { key: item.key, shape: item.shape, numbers: item.numbers.len() }
    }
}

impl<'a> Seen<'a> {
    fn add(&mut self, item: &'a Item) {
        self.count += 1;
        self.sums.resize(item.numbers.len(), 0.0);
        for (sum, number) in self.sums.iter_mut().zip(&item.numbers) {
            *sum += number.value;
        }
        self.first.get_or_insert(item);
    }
}

/// Runs side by side.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Aligned {
    /// What is no number: for each thing a digest for each run.
    pub(super) shapes: Vec<Vec<u64>>,
    pub(super) numbers: Numbers,
}

/// The numbers that have the same place in all runs.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Numbers {
    pub(super) tolerances: Vec<Tolerance>,
    /// For each run the numbers in it; empty without any number.
    pub(super) of_runs: Vec<Vec<f64>>,
}

impl Numbers {
    /// Adds a number, which has these values in the runs.
    fn push(&mut self, tolerance: Tolerance, values: &[f64]) {
        self.tolerances.push(tolerance);
        self.of_runs.resize_with(values.len(), Vec::new);
        for (of_run, value) in self.of_runs.iter_mut().zip(values) {
            of_run.push(*value);
        }
    }

    /// Adds the numbers of another part of the same runs.
    pub(super) fn extend(&mut self, more: Self) {
        self.tolerances.extend(more.tolerances);
        self.of_runs.resize_with(self.of_runs.len().max(more.of_runs.len()), Vec::new);
        for (of_run, more) in self.of_runs.iter_mut().zip(more.of_runs) {
            of_run.extend(more);
        }
    }
}

impl Aligned {
    /// Puts the results of runs side by side.
    pub(super) fn of(runs: &[Vec<Item>]) -> Self {
        let mut aligned = Self::default();
        let is_keyed = runs.iter().flatten().any(|item| item.key.is_some());
        let first = runs.first().map_or(0, Vec::len);
        if is_keyed {
            aligned.by_key(runs);
        } else if runs.iter().all(|items| items.len() == first) {
            let runs: Vec<&[Item]> = runs.iter().map(Vec::as_slice).collect();
            aligned.by_place(&runs);
        } else {
            aligned.by_anchors(runs);
        }
        aligned.without_order(runs);
        aligned
    }

    /// Adds how often each kind of item occurs, and the means of its numbers, if the runs do not have the same
    /// kinds in the same order.
    fn without_order(&mut self, runs: &[Vec<Item>]) {
        let kinds = |run: usize| runs[run].iter().map(Kind::of);
        if (1..runs.len()).all(|run| kinds(run).eq(kinds(0))) {
            return;
        }
        let mut all: BTreeMap<Kind, Vec<Seen<'_>>> = BTreeMap::new();
        for (run, items) in runs.iter().enumerate() {
            for item in items {
                let of_kind = all.entry(Kind::of(item));
                of_kind.or_insert_with(|| vec![Seen::default(); runs.len()])[run].add(item);
            }
        }
        for (kind, seen) in all {
            self.count(&seen.iter().map(|seen| seen.count).collect::<Vec<_>>());
            let items: Option<Vec<&Item>> = seen.iter().map(|seen| seen.first).collect();
            let Some(items) = items else { continue };
            for place in 0..kind.numbers {
                let means = seen.iter().map(|seen| seen.sums[place] / f64::from(seen.count));
                self.number(tolerance(&items, place), &means.collect::<Vec<_>>());
            }
        }
    }

    /// Adds how often something occurs. What is in a single run says nothing, and counts that are hardly ever
    /// twice the same are numbers like others. The rest is a shape: a rare word would seem to vary a lot.
    fn count(&mut self, counts: &[u32]) {
        let different: BTreeSet<u32> = counts.iter().copied().collect();
        let is_rare = counts.iter().filter(|count| **count > 0).count() < 2;
        if different.len() < 2 || is_rare {
            return;
        }
        if different.len() * 2 > counts.len() {
            let counts: Vec<f64> = counts.iter().copied().map(f64::from).collect();
            self.number(Tolerance::default(), &counts);
        } else {
            self.shapes.push(counts.iter().map(hashed).collect());
        }
    }

    /// Adds a number, if runs differ in it and all values are finite.
    fn number(&mut self, tolerance: Tolerance, values: &[f64]) {
        let differ = values.iter().any(|value| value.to_bits() != values[0].to_bits());
        if differ && values.iter().all(|value| value.is_finite()) {
            self.numbers.push(tolerance, values);
        }
    }

    fn by_key(&mut self, runs: &[Vec<Item>]) {
        // A key may stand there several times.
        let mut fields: BTreeMap<(Option<u64>, usize), Vec<Option<&Item>>> = BTreeMap::new();
        for (run, items) in runs.iter().enumerate() {
            let mut seen: BTreeMap<Option<u64>, usize> = BTreeMap::new();
            for item in items {
                let occurrence = seen.entry(item.key).or_default();
                let field = fields.entry((item.key, *occurrence));
                field.or_insert_with(|| vec![None; runs.len()])[run] = Some(item);
                *occurrence += 1;
            }
        }
        for field in fields.into_values() {
            match field.iter().copied().collect::<Option<Vec<&Item>>>() {
                Some(items) => self.add(&items),
                None => self
                    .shapes
                    .push(field.into_iter().map(|one| hashed(&one.map(Item::digest))).collect()),
            }
        }
    }

    /// Matches items by their place; all runs have equally many.
    fn by_place(&mut self, runs: &[&[Item]]) {
        for place in 0..runs.first().map_or(0, |items| items.len()) {
            let items: Vec<&Item> = runs.iter().map(|items| &items[place]).collect();
            self.add(&items);
        }
    }

    fn by_anchors(&mut self, runs: &[Vec<Item>]) {
        let count = |items: &Vec<Item>| {
            let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
            for item in items {
                *counts.entry(item.shape).or_default() += 1;
            }
            counts
        };
        let counts: Vec<BTreeMap<u64, usize>> = runs.iter().map(count).collect();
        let is_anchor = |item: &Item| {
            counts.iter().all(|of_run| of_run.get(&item.shape) == counts[0].get(&item.shape))
        };
        // For each run the places of the anchors, with one behind the end.
        let places = |items: &Vec<Item>| -> Vec<usize> {
            let anchors = (0..items.len()).filter(|place| is_anchor(&items[*place]));
            anchors.chain([items.len()]).collect()
        };
        let anchors: Vec<Vec<usize>> = runs.iter().map(places).collect();
        let shape =
            |run: usize, index: usize| runs[run].get(anchors[run][index]).map(|item| item.shape);
        // Equally many anchors, because each shape is there equally often. They may stand in another order.
        let in_order = (0..anchors[0].len())
            .all(|index| (1..runs.len()).all(|run| shape(run, index) == shape(0, index)));
        if !in_order {
            let whole =
                |items: &Vec<Item>| hashed(&items.iter().map(Item::digest).collect::<Vec<_>>());
            self.shapes.push(runs.iter().map(whole).collect());
            return;
        }
        let mut from = vec![0; runs.len()];
        for index in 0..anchors[0].len() {
            let between: Vec<&[Item]> = runs
                .iter()
                .zip(&from)
                .zip(&anchors)
                .map(|((items, from), places)| &items[*from..places[index]])
                .collect();
            if between.iter().all(|items| items.len() == between[0].len()) {
                self.by_place(&between);
            } else {
                let whole =
                    |items: &&[Item]| hashed(&items.iter().map(Item::digest).collect::<Vec<_>>());
                self.shapes.push(between.iter().map(whole).collect());
            }
            let here: Option<Vec<&Item>> =
                runs.iter().zip(&anchors).map(|(items, places)| items.get(places[index])).collect();
            if let Some(items) = here {
                self.add(&items);
            }
            for (from, places) in from.iter_mut().zip(&anchors) {
                *from = places[index] + 1;
            }
        }
    }

    /// Adds what corresponds in all runs.
    fn add(&mut self, items: &[&Item]) {
        let Some(first) = items.first() else { return };
        if items.iter().any(|item| item.numbers.len() != first.numbers.len()) {
            self.shapes.push(items.iter().map(|item| item.digest()).collect());
            return;
        }
        if items.iter().any(|item| item.shape != first.shape) {
            self.shapes.push(items.iter().map(|item| item.shape).collect());
        }
        for place in 0..first.numbers.len() {
            let values: Vec<f64> = items.iter().map(|item| item.numbers[place].value).collect();
            self.number(tolerance(items, place), &values);
        }
    }
}

/// The tolerance of the number at a place of items that correspond: the widest one that any two runs have.
fn tolerance(items: &[&Item], place: usize) -> Tolerance {
    let Some(number) = items.first().map(|item| item.numbers[place]) else {
        return Tolerance::default();
    };
    let tolerances = items.iter().map(|item| number.tolerance(item.numbers[place]));
    let widest = tolerances.max_by(|one, other| one.relative().total_cmp(&other.relative()));
    widest.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::compare::rules::Lens;
    use crate::question::criteria::Policy;

    fn runs(texts: &[&str]) -> Aligned {
        let policy = Policy::default();
        let items = |text: &&str| -> Vec<Item> {
            text.lines().map(|line| Item::line(line, &Lens::new(&policy, None))).collect()
        };
        Aligned::of(&texts.iter().map(items).collect::<Vec<_>>())
    }

    fn numbers(aligned: &Aligned) -> Vec<Vec<f64>> {
        let Numbers { tolerances, of_runs } = &aligned.numbers;
        let values = |number| of_runs.iter().map(|of_run| of_run[number]).collect();
        (0..tolerances.len()).map(values).collect()
    }

    #[test]
    fn a_line_more_hides_no_number() {
        let found = runs(&["start\nretry\nscore 0.9\n", "start\nretry\nretry\nscore 0.5\n"]);
        assert_eq!(numbers(&found)[0], [0.9, 0.5]);
        assert_eq!(found.shapes.len(), 1);
    }

    #[test]
    fn a_word_on_the_line_hides_no_number() {
        let found = runs(&["score 0.9 ok", "score 0.5 fine"]);
        assert_eq!(numbers(&found), [[0.9, 0.5]]);
        assert_eq!(found.shapes.len(), 1);
    }

    #[test]
    fn order_hides_neither_a_word_nor_a_number() {
        // One of two lines fails, wherever it stands.
        let fine = "a ok\na ok\n";
        let found = runs(&[fine, fine, "a FAILED\na ok\n", "a ok\na FAILED\n"]);
        let is_told = |shape: &Vec<u64>| shape[0] != shape[3] && shape[2] == shape[3];
        assert!(found.shapes.iter().any(is_told), "{found:?}");
        // Scores in any order: their mean moves.
        let found = runs(&["s 1\ns 3\nx\n", "x\ns 3\ns 1\n", "s 5\nx\ns 7\n"]);
        assert!(numbers(&found).contains(&vec![2.0, 2.0, 6.0]), "{found:?}");
    }

    #[test]
    fn what_does_not_correspond_is_compared_as_a_whole() {
        let found = runs(&["a 1\nb 2\n", "b 2\na 1\nc\n", "a 1\nb 3\n"]);
        assert_eq!((numbers(&found), found.shapes.len()), (vec![vec![2.0, 2.0, 3.0]], 1));
        let found = runs(&["step 1\nstep 2\nend\n", "step 1\nend\n"]);
        assert_eq!(
            (numbers(&found), found.shapes.len()),
            (vec![vec![2.0, 1.0], vec![1.5, 1.0]], 1)
        );
        assert_eq!(runs(&["same 1\n", "same 1\n"]), Aligned::default());
    }
}
