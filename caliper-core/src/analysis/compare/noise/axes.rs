//! In what runs differ, and how far two groups of them are apart in it.

use std::collections::BTreeSet;
use std::ops::Range;

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
        let shares = sizes.map(f64::recip);
        // Blocks of numbers stay in the processor's cache over all assignments.
        for from in (0..self.numbers.len()).step_by(BLOCK) {
            let to = self.numbers.len().min(from + BLOCK);
            let mut block = Block::of(&self.values, from..to, assignments.first);
            for (index, chosen) in assignments.iter().enumerate() {
                block.choose(&self.values, chosen);
                if index > 0 {
                    statistics[index] = block.at_least(statistics[index], shares);
                    continue;
                }
                let (statistic, number, is_spread) = block.furthest(shares);
                if statistic > statistics[index] {
                    statistics[index] = statistic;
                    let number = self.numbers[from + number];
                    found = if is_spread { Found::Spread(number) } else { Found::Number(number) };
                }
            }
        }
        (statistics, found)
    }
}

/// So many numbers are looked at together.
const BLOCK: usize = 512;
/// So many of them at once, as far as the processor can.
const LANES: usize = 8;

/// Some of the numbers, and their sums over the runs of the first cell and over all runs.
struct Block {
    numbers: Range<usize>,
    all: Sums,
    /// The runs of the first cell.
    chosen: Vec<u32>,
    /// The sums over the first of these runs, over the first two and so on; before them those over none. Most
    /// assignments begin with the same runs as the one before, so little is to be added.
    sums: Vec<Sums>,
}

/// For each number the sum of its values and of their squares.
#[derive(Clone)]
struct Sums {
    values: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn none(numbers: usize) -> Self {
        Self { values: vec![0.0; numbers], squares: vec![0.0; numbers] }
    }

    /// Makes these the sums `before` and `values`.
    fn set(&mut self, before: &Self, values: &[f64]) {
        let sums = self.values.iter_mut().zip(&before.values);
        let squares = self.squares.iter_mut().zip(&before.squares);
        for (((sum, before), (square, squares)), value) in sums.zip(squares).zip(values) {
            *sum = before + value;
            *square = squares + value * value;
        }
    }
}

impl Block {
    fn of(values: &[Vec<f64>], numbers: Range<usize>, first: usize) -> Self {
        // Zeros fill the lanes: they are not apart.
        let none = Sums::none(numbers.len().next_multiple_of(LANES));
        let mut all = none.clone();
        for of_run in values {
            let before = all.clone();
            all.set(&before, &of_run[numbers.clone()]);
        }
        Self { numbers, all, chosen: Vec::new(), sums: vec![none; first + 1] }
    }

    /// Takes these runs for those of the first cell.
    fn choose(&mut self, values: &[Vec<f64>], chosen: &[u32]) {
        let same = self.chosen.iter().zip(chosen).take_while(|(before, now)| before == now).count();
        for (place, run) in chosen.iter().enumerate().skip(same) {
            let (before, now) = self.sums.split_at_mut(place + 1);
            now[0].set(&before[place], &values[*run as usize][self.numbers.clone()]);
        }
        self.chosen.clear();
        self.chosen.extend_from_slice(chosen);
    }

    /// What the chosen runs sum up to, and all runs: for each number its values and their squares.
    fn sums(&self) -> [&[f64]; 4] {
        let here = &self.sums[self.chosen.len()];
        [&here.values, &here.squares, &self.all.values, &self.all.squares]
    }

    /// The largest distance between the means or the standard deviations of the two groups, if it is more than
    /// `least`, else that.
    ///
    /// Two standard deviations are at most as far apart as the square root of how far apart the variances are.
    /// So most roots need not be taken.
    fn at_least(&self, least: f64, shares: [f64; 2]) -> f64 {
        let [here, here_squares, all, all_squares] = self.sums();
        let mut furthest = [least; LANES];
        let mut variances = [0.0; LANES];
        let of_here = lanes(here).iter().zip(lanes(here_squares));
        let of_all = lanes(all).iter().zip(lanes(all_squares));
        for ((here, here_squares), (all, all_squares)) in of_here.zip(of_all) {
            for lane in 0..LANES {
                let sums = [here[lane], here_squares[lane]];
                let groups = Groups::of(sums, [all[lane], all_squares[lane]], shares);
                let means = groups.means_apart();
                let apart = (groups.variances[0] - groups.variances[1]).abs();
                furthest[lane] = if means > furthest[lane] { means } else { furthest[lane] };
                variances[lane] = if apart > variances[lane] { apart } else { variances[lane] };
            }
        }
        let furthest = furthest.into_iter().fold(least, f64::max);
        let variance = variances.into_iter().fold(0.0, f64::max);
        // With a margin for rounding.
        if variance.sqrt() * (1.0 + 1e-9) <= furthest {
            return furthest;
        }
        let spreads =
            (0..self.numbers.len()).map(|place| self.groups(place, shares).spreads_apart());
        spreads.fold(furthest, f64::max)
    }

    /// The largest distance between the means or the standard deviations of the two groups, the place of
    /// the number, and whether it is the distance of the deviations.
    fn furthest(&self, shares: [f64; 2]) -> (f64, usize, bool) {
        let mut furthest = (f64::NEG_INFINITY, 0, false);
        for place in 0..self.numbers.len() {
            let groups = self.groups(place, shares);
            let (means, spreads) = (groups.means_apart(), groups.spreads_apart());
            let apart = means.max(spreads);
            if apart > furthest.0 {
                furthest = (apart, place, spreads > means);
            }
        }
        furthest
    }

    fn groups(&self, place: usize, shares: [f64; 2]) -> Groups {
        let [here, here_squares, all, all_squares] = self.sums();
        Groups::of([here[place], here_squares[place]], [all[place], all_squares[place]], shares)
    }
}

/// A number in the two groups of runs.
struct Groups {
    means: [f64; 2],
    variances: [f64; 2],
}

impl Groups {
    /// From the sums of its values and of their squares, in the first group and in both, and the share that a run
    /// has of each group.
    #[inline]
    fn of(here: [f64; 2], all: [f64; 2], [first, second]: [f64; 2]) -> Self {
        let there = [all[0] - here[0], all[1] - here[1]];
        let means = [here[0] * first, there[0] * second];
        let variances =
            [here[1] * first - means[0] * means[0], there[1] * second - means[1] * means[1]];
        Self { means, variances }
    }

    #[inline]
    fn means_apart(&self) -> f64 {
        (self.means[0] - self.means[1]).abs()
    }

    #[inline]
    fn spreads_apart(&self) -> f64 {
        let deviation = |variance: f64| variance.max(0.0).sqrt();
        (deviation(self.variances[0]) - deviation(self.variances[1])).abs()
    }
}

/// Numbers so many at a time.
fn lanes(sums: &[f64]) -> &[[f64; LANES]] {
    sums.as_chunks().0
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
