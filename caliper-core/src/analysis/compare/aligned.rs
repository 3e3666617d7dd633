//! What corresponds in the runs of a test, where they differ in more than numbers.
//!
//! A line more in one run must not hide a number that changed in another line. Fields are matched by their
//! names. Lines are matched by their place if all runs have equally many. If not, the lines that look the
//! same in all runs, apart from their numbers, are anchors. Between two anchors, lines are matched by their
//! place again if all runs have equally many there. What still does not correspond is compared as a whole.

use std::collections::BTreeMap;

use super::comparison::hashed;
use super::items::Item;
use crate::question::criteria::Tolerance;

/// Runs side by side.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Aligned {
    /// What is no number: for each thing a digest for each run.
    pub(super) shapes: Vec<Vec<u64>>,
    /// For each number its tolerance and its value in each run.
    pub(super) numbers: Vec<(Tolerance, Vec<f64>)>,
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
        aligned
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
        for (place, number) in first.numbers.iter().enumerate() {
            let values: Vec<f64> = items.iter().map(|item| item.numbers[place].value).collect();
            if values.iter().any(|value| value.to_bits() != number.value.to_bits()) {
                let tolerances = items.iter().map(|item| number.tolerance(item.numbers[place]));
                // The widest one that any two runs have.
                let tolerance =
                    tolerances.max_by(|one, other| one.relative().total_cmp(&other.relative()));
                self.numbers.push((tolerance.unwrap_or_default(), values));
            }
        }
    }
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
        aligned.numbers.iter().map(|(_, values)| values.clone()).collect()
    }

    #[test]
    fn a_line_more_hides_no_number() {
        let found = runs(&["start\nretry\nscore 0.9\n", "start\nretry\nretry\nscore 0.5\n"]);
        assert_eq!(numbers(&found), [[0.9, 0.5]]);
        assert_eq!(found.shapes.len(), 1);
    }

    #[test]
    fn a_word_on_the_line_hides_no_number() {
        let found = runs(&["score 0.9 ok", "score 0.5 fine"]);
        assert_eq!(numbers(&found), [[0.9, 0.5]]);
        assert_eq!(found.shapes.len(), 1);
    }

    #[test]
    fn what_does_not_correspond_is_compared_as_a_whole() {
        let found = runs(&["a 1\nb 2\n", "b 2\na 1\nc\n", "a 1\nb 3\n"]);
        assert_eq!((found.numbers.len(), found.shapes.len()), (0, 1));
        let found = runs(&["step 1\nstep 2\nend\n", "step 1\nend\n"]);
        assert_eq!((found.numbers.len(), found.shapes.len()), (0, 1));
        assert_eq!(runs(&["same 1\n", "same 1\n"]), Aligned::default());
    }
}
