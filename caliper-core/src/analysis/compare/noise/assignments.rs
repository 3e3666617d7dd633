//! The ways to assign runs to two cells, batch by batch.

/// Assignments of runs to the first of two cells; the observed one first.
pub(super) struct Assignments {
    /// How many runs the first cell has.
    pub(super) first: usize,
    /// How many runs there are.
    pub(super) runs: usize,
    /// For each assignment the runs of the first cell, one assignment behind the other.
    chosen: Vec<u32>,
    /// Whether only one of each two is there that swap the cells: both have the same statistic.
    is_half: bool,
}

impl Assignments {
    /// All assignments if there are at most `most`, or else `most` drawn at random and the observed one.
    ///
    /// `batches` holds the batch of each run; the first `first` runs are those of the first cell. Each
    /// assignment leaves as many runs of each batch in the first cell as it has.
    pub(super) fn of(batches: &[usize], first: usize, most: u64) -> Self {
        // For each batch its runs, and how many of them are in the first cell.
        let mut members: Vec<(usize, Vec<u32>, usize)> = Vec::new();
        for (run, batch) in (0..).zip(batches) {
            let place = members.iter().position(|(known, ..)| known == batch);
            let place = place.unwrap_or_else(|| {
                members.push((*batch, Vec::new(), 0));
                members.len() - 1
            });
            members[place].1.push(run);
            members[place].2 += usize::from((run as usize) < first);
        }
        let sizes: Vec<(usize, usize)> =
            members.iter().map(|(_, runs, here)| (*here, runs.len() - here)).collect();
        let mut found = Self { first, runs: batches.len(), chosen: Vec::new(), is_half: false };
        if ways(&sizes).is_some_and(|ways| ways <= most) {
            found.is_half = first > 0 && sizes.iter().all(|(one, other)| one == other);
            found.enumerate(&members, &mut Vec::new());
        } else {
            found.draw(&mut members, most);
        }
        found
    }

    /// How many assignments there are, also those that are not listed because they only swap the cells.
    pub(super) fn count(&self) -> u64 {
        self.iter().len() as u64 * if self.is_half { 2 } else { 1 }
    }

    /// The assignments, each as the runs of the first cell.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.chosen.chunks_exact(self.first.max(1))
    }

    /// Adds every combination of what is left of `batches` to what is chosen of those before. The runs of
    /// the first cell stand first in each batch, so the observed assignment comes first.
    fn enumerate(&mut self, batches: &[(usize, Vec<u32>, usize)], chosen: &mut Vec<u32>) {
        let Some(((_, runs, count), rest)) = batches.split_first() else {
            self.chosen.extend_from_slice(chosen);
            return;
        };
        let before = chosen.len();
        // Of each two that swap the cells, one has the first run of all in the first cell.
        let keeps_first = self.is_half && before == 0;
        each_combination(runs.len(), *count, |places| {
            if keeps_first && places.first() != Some(&0) {
                return;
            }
            chosen.truncate(before);
            chosen.extend(places.iter().map(|place| runs[*place]));
            self.enumerate(rest, chosen);
        });
        chosen.truncate(before);
    }

    /// Adds the observed assignment and `most` drawn ones: within each batch a partial shuffle of Fisher
    /// and Yates.
    fn draw(&mut self, batches: &mut [(usize, Vec<u32>, usize)], most: u64) {
        let mut random = fastrand::Rng::with_seed(1);
        for (_, runs, count) in batches.iter() {
            self.chosen.extend_from_slice(&runs[..*count]);
        }
        for _ in 0..most {
            for (_, runs, count) in batches.iter_mut() {
                for place in 0..*count {
                    let other = random.usize(place..runs.len());
                    runs.swap(place, other);
                }
                self.chosen.extend_from_slice(&runs[..*count]);
            }
        }
    }
}

/// How many assignments there are, for so many runs of the two cells in each batch; `None` on overflow.
pub(super) fn ways(batches: &[(usize, usize)]) -> Option<u64> {
    let mut ways: u64 = 1;
    for (one, other) in batches {
        ways = ways.checked_mul(combinations(one + other, *one)?)?;
    }
    Some(ways)
}

/// The binomial coefficient `all` over `chosen`; `None` on overflow.
pub(super) fn combinations(all: usize, chosen: usize) -> Option<u64> {
    let mut ways: u64 = 1;
    for step in 0..chosen.min(all - chosen) as u64 {
        ways = ways.checked_mul(all as u64 - step)? / (step + 1);
    }
    Some(ways)
}

/// Calls `take` with every combination of `chosen` out of `all`, in lexicographic order.
fn each_combination(all: usize, chosen: usize, mut take: impl FnMut(&[usize])) {
    let mut choice: Vec<usize> = (0..chosen).collect();
    loop {
        take(&choice);
        let Some(place) = (0..chosen).rev().find(|place| choice[*place] < all - chosen + place)
        else {
            return;
        };
        choice[place] += 1;
        for later in place + 1..chosen {
            choice[later] = choice[later - 1] + 1;
        }
    }
}
