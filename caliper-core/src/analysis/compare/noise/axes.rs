//! In what runs differ, and how far two groups of them are apart in it.

use std::collections::BTreeSet;

use super::Sample;
use super::assignments::Assignments;

/// What is furthest apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis::compare) enum Found {
    /// What is no number.
    Shape,
    /// The mean of the number with this index.
    Number(usize),
    /// How much the number with this index varies.
    Spread(usize),
}

/// Everything in which runs differ.
pub(super) struct Axes {
    runs: usize,
    /// Runs that agree in a shape have the same number; each pattern once.
    shapes: Vec<Shape>,
    /// Which numbers differ.
    numbers: Vec<usize>,
    /// For each run the values of these numbers: run by run, so that the loops below go through memory in
    /// order and the compiler can vectorise them. Each is relative to the mean, in units of the average
    /// distance over all pairs of runs.
    values: Vec<Vec<f64>>,
}

/// A shape, as a number for each of its kinds and run.
struct Shape {
    columns: Vec<Vec<f64>>,
    untestable: bool,
}

impl Axes {
    /// In what `all` differ, of which the first `first` are those of one cell.
    pub(super) fn of(
        all: &[&Sample],
        first: usize,
        close: impl Fn(usize, f64, f64) -> bool,
    ) -> Self {
        let parts = all.iter().map(|sample| sample.shapes.len()).max().unwrap_or(0);
        // Only which runs agree in a part matters. Many parts have the same pattern, so the set removes
        // duplicates.
        let kinds: BTreeSet<Vec<usize>> = (0..parts).map(|part| kinds(all, part)).collect();
        let shapes = kinds.iter().filter_map(|kinds| Shape::of(kinds, first)).collect();
        let mut axes = Self {
            runs: all.len(),
            shapes,
            numbers: Vec::new(),
            values: vec![Vec::new(); all.len()],
        };
        let count = all.iter().map(|sample| sample.numbers.len()).min().unwrap_or(0);
        let mut values = Vec::with_capacity(all.len());
        for number in 0..count {
            values.clear();
            values.extend(all.iter().map(|sample| sample.numbers[number]));
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if least >= most || (close(number, least, most) && close(number, most, least)) {
                continue;
            }
            axes.add(number, &mut values, least);
        }
        axes
    }

    fn add(&mut self, number: usize, values: &mut [f64], least: f64) {
        // Relative to the least value, so that a drift in the last digits is not lost in the sums. Halved
        // first, because the difference of two large numbers may overflow.
        for value in values.iter_mut() {
            *value = *value / 2.0 - least / 2.0;
        }
        let apart = average_over_pairs(values, |one, other| (one - other).abs());
        let mean = values.iter().map(|value| value / apart).sum::<f64>() / self.count();
        for value in values.iter_mut() {
            *value = *value / apart - mean;
        }
        if values.iter().all(|value| value.is_finite()) {
            self.numbers.push(number);
            for (of_run, value) in self.values.iter_mut().zip(values) {
                of_run.push(*value);
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a few runs")]
    fn count(&self) -> f64 {
        self.runs as f64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shapes.is_empty() && self.numbers.is_empty()
    }

    pub(super) fn has_untestable(&self) -> bool {
        self.shapes.iter().any(|shape| shape.untestable)
    }

    /// How many additions one statistic takes, about.
    pub(super) fn effort(&self) -> u64 {
        let columns = self.shapes.iter().map(|shape| shape.columns.len()).sum::<usize>();
        (columns + self.numbers.len()) as u64 * self.runs as u64
    }

    /// For each assignment how far apart the two groups are in what sets them apart most; and what that is
    /// in the first assignment.
    pub(super) fn statistics(&self, assignments: &Assignments) -> (Vec<f64>, Found) {
        #[expect(clippy::cast_precision_loss, reason = "a few runs")]
        let sizes = [assignments.first as f64, (assignments.runs - assignments.first) as f64];
        let mut statistics: Vec<f64> = Vec::with_capacity(assignments.iter().len());
        for chosen in assignments.iter() {
            let of_shape = |shape: &Shape| shape.apart(chosen, sizes);
            statistics.push(self.shapes.iter().map(of_shape).fold(f64::NEG_INFINITY, f64::max));
        }
        let mut found = Found::Shape;
        // Blocks of numbers stay in the processor's cache over all assignments.
        for from in (0..self.numbers.len()).step_by(BLOCK) {
            let to = self.numbers.len().min(from + BLOCK);
            let mut block = Block::of(&self.values, from, to);
            for (index, chosen) in assignments.iter().enumerate() {
                block.sum(&self.values, chosen);
                let (statistic, number, is_spread) = block.furthest(sizes);
                if statistic > statistics[index] {
                    statistics[index] = statistic;
                    if index == 0 {
                        let number = self.numbers[from + number];
                        found =
                            if is_spread { Found::Spread(number) } else { Found::Number(number) };
                    }
                }
            }
        }
        (statistics, found)
    }
}

/// So many numbers are looked at together.
const BLOCK: usize = 512;

/// Sums over the runs of the first cell and over all runs, for some of the numbers.
struct Block {
    from: usize,
    to: usize,
    all: Vec<f64>,
    all_squares: Vec<f64>,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Block {
    fn of(values: &[Vec<f64>], from: usize, to: usize) -> Self {
        let mut block = Self {
            from,
            to,
            all: Vec::new(),
            all_squares: Vec::new(),
            sums: vec![0.0; to - from],
            squares: vec![0.0; to - from],
        };
        let everything: Vec<u32> = (0..).take(values.len()).collect();
        block.sum(values, &everything);
        (block.all, block.all_squares) = (block.sums.clone(), block.squares.clone());
        block
    }

    fn sum(&mut self, values: &[Vec<f64>], chosen: &[u32]) {
        self.sums.fill(0.0);
        self.squares.fill(0.0);
        for run in chosen {
            let values = &values[*run as usize][self.from..self.to];
            let sums = self.sums.iter_mut().zip(&mut self.squares);
            for ((sum, square), value) in sums.zip(values) {
                *sum += value;
                *square += value * value;
            }
        }
    }

    /// The largest distance between the means or the standard deviations of the two groups, the place of
    /// the number, and whether it is the distance of the deviations.
    fn furthest(&self, [first, second]: [f64; 2]) -> (f64, usize, bool) {
        let mut furthest = (f64::NEG_INFINITY, 0, false);
        for place in 0..self.sums.len() {
            let (here, here_squares) = (self.sums[place], self.squares[place]);
            let there = self.all[place] - here;
            let there_squares = self.all_squares[place] - here_squares;
            let (here, there) = (here / first, there / second);
            let deviation = |squares: f64, count: f64, mean: f64| {
                (squares / count - mean * mean).max(0.0).sqrt()
            };
            let means = (here - there).abs();
            let spread = (deviation(here_squares, first, here)
                - deviation(there_squares, second, there))
            .abs();
            let apart = means.max(spread);
            if apart > furthest.0 {
                furthest = (apart, place, spread > means);
            }
        }
        furthest
    }
}

/// For each run the first one that has the same shape in a part.
fn kinds(all: &[&Sample], part: usize) -> Vec<usize> {
    let shape = |run: usize| all[run].shapes.get(part);
    let first = |run: usize| (0..run).find(|other| shape(*other) == shape(run)).unwrap_or(run);
    (0..all.len()).map(first).collect()
}

impl Shape {
    /// `None` if all runs agree.
    fn of(kinds: &[usize], first: usize) -> Option<Self> {
        let different: BTreeSet<usize> = kinds.iter().copied().collect();
        if different.len() < 2 {
            return None;
        }
        // The share of all pairs of runs that do not agree.
        let apart = average_over_pairs(kinds, |one, other| f64::from(u8::from(one != other)));
        // The sum over all kinds of |share here - share there|, halved: the total variation distance.
        let column = |kind: usize| {
            let is = |of_run: &usize| f64::from(u8::from(*of_run == kind)) / (2.0 * apart);
            kinds.iter().map(is).collect()
        };
        // A kind that is the most frequent one on both sides shows that they agree. A shape that never is
        // twice the same shows nothing.
        let (here, there) = kinds.split_at(first);
        let holds_half = |side: &[usize], kind: usize| {
            2 * side.iter().filter(|one| **one == kind).count() >= side.len()
        };
        let agree =
            different.iter().any(|kind| holds_half(here, *kind) && holds_half(there, *kind));
        let seldom = different.len() * 2 > kinds.len();
        Some(Self {
            columns: different.into_iter().map(column).collect(),
            untestable: seldom && !agree,
        })
    }

    fn apart(&self, chosen: &[u32], [first, second]: [f64; 2]) -> f64 {
        let of_column = |column: &Vec<f64>| {
            let here: f64 = chosen.iter().map(|run| column[*run as usize]).sum();
            let all: f64 = column.iter().sum();
            (here / first - (all - here) / second).abs()
        };
        self.columns.iter().map(of_column).sum()
    }
}

fn average_over_pairs<T: Copy>(values: &[T], apart: impl Fn(T, T) -> f64) -> f64 {
    let mut sum = 0.0;
    let mut pairs = 0_u32;
    for (index, one) in values.iter().enumerate() {
        for other in &values[..index] {
            sum += apart(*one, *other);
            pairs += 1;
        }
    }
    sum / f64::from(pairs.max(1))
}
