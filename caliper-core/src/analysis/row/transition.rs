use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::{AlsoDiffers, State};

/// What changes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// The test passed and fails.
    FirstBad,
    /// The test failed and passes.
    GoodAgain,
    /// The test passes at both, with another result.
    ResultChanged,
    /// The test passes at both, with results that are not the same; whether by noise alone cannot be
    /// told from so few runs.
    ResultDiffers,
}

/// Whether two releases give the same result.
#[derive(Debug, Clone, PartialEq)]
pub enum Alike {
    /// They do, or what sets them apart is noise.
    Same,
    /// They do not, as surely as this says.
    Different(Sure),
    /// Their results are not the same, and that may be noise.
    Undecided {
        /// How many runs on each side would decide; `None` if no number of runs is known to.
        needed: Option<u32>,
    },
}

/// Where a transition is: between which releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// Between its two releases: nothing between them can be installed and was not measured, and nothing was
    /// withdrawn.
    Adjacent,
    /// Somewhere between its two releases, and there may be more changes among those that were not
    /// measured.
    Bracketed,
}

/// How sure it is that something changes at all, wherever that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sure {
    /// At least one side was run, or built, only once. Chance alone may have done it.
    SingleRun,
    /// Each side was run several times, and always ended in the same way: without any exception.
    Repeats {
        /// How often the side was run that was run less.
        runs: u32,
    },
    /// Results vary from run to run, and a permutation test tells the two sides apart.
    Test {
        /// How likely results so far apart are if the release makes no difference.
        p: f64,
        /// The same, corrected for all comparisons that are told together (Benjamini and Hochberg).
        adjusted: f64,
        /// The error rate that these comparisons keep together.
        rate: f64,
    },
    /// Results are not the same, and whether that is noise is not known.
    Undecided {
        /// How many runs on each side would decide; `None` if no number of runs is known to.
        needed: Option<u32>,
    },
}

impl fmt::Display for Sure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SingleRun => formatter.write_str("a single run"),
            Self::Repeats { runs } => write!(formatter, "{runs} runs on each side agree"),
            Self::Test { adjusted, rate, .. } => {
                write!(formatter, "p = {} at a rate of {rate}", rounded(*adjusted))
            }
            Self::Undecided { .. } => formatter.write_str("may be noise"),
        }
    }
}

/// Two significant digits.
fn rounded(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.1e}") }
}

/// A place in a row where something changes.
///
/// `R` is how releases are named: by their index in the row, or by their [`Version`]. In JSON a
/// version is a text, so the schema is that of `Transition<String>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[non_exhaustive]
pub struct Transition<R = Version> {
    /// What changes.
    pub kind: TransitionKind,
    /// The last measured release before the change.
    pub from: R,
    /// The first measured release behind it.
    pub to: R,
    /// Of a test that is fixed: the last release before at which it was seen to pass, if its
    /// result was another.
    #[serde(default = "none::<R>", skip_serializing_if = "Option::is_none")]
    pub differs_from: Option<R>,
    /// The releases between the two at which the test passes and fails. They were measured, so the two
    /// are adjacent all the same; where among them the change happened has no answer.
    #[serde(default = "Vec::<R>::new", skip_serializing_if = "Vec::is_empty")]
    pub flaky: Vec<R>,
    /// Where it is.
    pub r#where: Where,
    /// What was not measured between the two, oldest first; empty if they are adjacent.
    #[serde(default = "Vec::<R>::new", skip_serializing_if = "Vec::is_empty")]
    pub unmeasured: Vec<R>,
    /// How sure it is.
    pub sure: Sure,
    /// What else is not the same on the two sides: not all of it need be the doing of the release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_differs: Vec<AlsoDiffers>,
}

/// `Default` would ask it of `R` too.
fn none<R>() -> Option<R> {
    None
}

impl Transition<usize> {
    /// Adds releases between the two that were not measured.
    pub(crate) fn add_unmeasured(&mut self, releases: impl Iterator<Item = usize>) {
        self.unmeasured.extend(releases);
        self.unmeasured.sort_unstable();
        if !self.unmeasured.is_empty() {
            self.r#where = Where::Bracketed;
        }
    }
}

impl<R> Transition<R> {
    /// A change between two releases with these unmeasured ones in between, which rests on a single run
    /// and of which nothing else is known.
    pub fn new(kind: TransitionKind, from: R, to: R, unmeasured: Vec<R>) -> Self {
        Self {
            kind,
            from,
            to,
            differs_from: None,
            flaky: Vec::new(),
            r#where: if unmeasured.is_empty() { Where::Adjacent } else { Where::Bracketed },
            unmeasured,
            sure: Sure::SingleRun,
            also_differs: Vec::new(),
        }
    }

    /// The same transition, with its releases named in another way.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Transition<S> {
        Transition {
            kind: self.kind,
            from: name(self.from),
            to: name(self.to),
            differs_from: self.differs_from.map(&name),
            flaky: self.flaky.into_iter().map(&name).collect(),
            r#where: self.r#where,
            unmeasured: self.unmeasured.into_iter().map(&name).collect(),
            sure: self.sure,
            also_differs: self.also_differs,
        }
    }

    /// Whether its two releases are adjacent.
    pub fn is_adjacent(&self) -> bool {
        self.r#where == Where::Adjacent
    }

    /// Whether nothing is open: the releases are adjacent, the repeats on each side agree without
    /// exception, and the two sides differ in nothing but the release.
    pub fn is_proven(&self) -> bool {
        self.is_adjacent()
            && matches!(self.sure, Sure::Repeats { .. })
            && self.also_differs.is_empty()
    }
}

impl<R: fmt::Display> fmt::Display for Transition<R> {
    /// One line: `breaks between 2.10 and 2.10.1 (adjacent; a single run)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            TransitionKind::FirstBad => "breaks",
            TransitionKind::GoodAgain => "is fixed",
            TransitionKind::ResultChanged => "result changes",
            TransitionKind::ResultDiffers => "result is not the same",
        })?;
        let Self { from, to, sure, .. } = self;
        let place = match self.r#where {
            Where::Adjacent => {
                write!(formatter, " between {from} and {to}")?;
                "adjacent".to_owned()
            }
            Where::Bracketed => {
                write!(formatter, " somewhere from {from} to {to}")?;
                format!("bracketed, {} not measured", releases(self.unmeasured.len()))
            }
        };
        if let Some(release) = &self.differs_from {
            write!(formatter, ", with another result than {release}")?;
        }
        write!(formatter, " ({place}; {sure}")?;
        match self.flaky.as_slice() {
            [] => formatter.write_str(")")?,
            [release] => write!(formatter, "; flaky at {release})")?,
            flaky => write!(formatter, "; flaky at {} between)", releases(flaky.len()))?,
        }
        match AlsoDiffers::list(&self.also_differs) {
            Some(list) => write!(formatter, "; not only the release differs: {list}"),
            None => Ok(()),
        }
    }
}

/// `3 releases`.
pub(crate) fn releases(count: usize) -> String {
    if count == 1 { "1 release".to_owned() } else { format!("{count} releases") }
}

/// A stretch over which a result changed without a step that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Drift<R = Version> {
    /// Its first release.
    pub from: R,
    /// Its last release, whose result is not the same.
    pub to: R,
}

impl<R> Drift<R> {
    /// The same drift, with its releases named in another way.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Drift<S> {
        Drift { from: name(self.from), to: name(self.to) }
    }
}

impl<R: fmt::Display> fmt::Display for Drift<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(
            formatter,
            "result drifts from {from} to {to}, which no single step shows and which may be noise"
        )
    }
}

/// Where a row changes, by indices; see [`super::Row::transitions`].
///
/// Each release that passes or fails is held against the one before it. A result is compared within
/// a stretch that passes; behind a failing stretch, [`Transition::differs_from`] tells.
pub fn transitions(
    states: &[State],
    same: &dyn Fn(usize, usize) -> bool,
) -> Vec<Transition<usize>> {
    let mut found = Vec::new();
    let mut before: Option<usize> = None;
    let mut last_passed: Option<usize> = None;
    let (mut unmeasured, mut flaky) = (Vec::new(), Vec::new());
    for (index, state) in states.iter().copied().enumerate() {
        match state {
            State::Unavailable => {}
            State::Unmeasured => unmeasured.push(index),
            State::Flaky => flaky.push(index),
            State::Passed | State::Failed => {
                let (unmeasured, flaky) =
                    (std::mem::take(&mut unmeasured), std::mem::take(&mut flaky));
                if let Some(from) = before
                    && let Some(kind) = change(states, from, index, same)
                {
                    let again = kind == TransitionKind::GoodAgain;
                    let differs_from = last_passed.filter(|passed| again && !same(*passed, index));
                    let transition = Transition::new(kind, from, index, unmeasured);
                    found.push(Transition { differs_from, flaky, ..transition });
                }
                before = Some(index);
                if state == State::Passed {
                    last_passed = before;
                }
            }
        }
    }
    found
}

/// What changes between two releases that pass or fail.
pub(crate) fn change(
    states: &[State],
    from: usize,
    to: usize,
    same: &dyn Fn(usize, usize) -> bool,
) -> Option<TransitionKind> {
    match (states[from], states[to]) {
        (State::Passed, State::Failed) => Some(TransitionKind::FirstBad),
        (State::Failed, State::Passed) => Some(TransitionKind::GoodAgain),
        (State::Passed, State::Passed) if !same(from, to) => Some(TransitionKind::ResultChanged),
        (
            State::Unavailable | State::Unmeasured | State::Failed | State::Flaky | State::Passed,
            _,
        ) => None,
    }
}

/// The drifts of a row, by indices; see [`super::Row::drifts`].
pub fn drifts(states: &[State], same: &dyn Fn(usize, usize) -> bool) -> Vec<Drift<usize>> {
    let mut found = Vec::new();
    // The first and the last release of a stretch in which every step gives the same.
    let mut stretch: Option<(usize, usize)> = None;
    let mut close = |stretch: Option<(usize, usize)>| {
        if let Some((from, to)) = stretch
            && from != to
            && !same(from, to)
        {
            found.push(Drift { from, to });
        }
    };
    for (index, state) in states.iter().copied().enumerate() {
        match state {
            State::Unavailable | State::Unmeasured | State::Flaky => {}
            State::Failed => close(stretch.take()),
            State::Passed => match stretch {
                Some((from, last)) if same(last, index) => stretch = Some((from, index)),
                Some(_) | None => close(stretch.replace((index, index))),
            },
        }
    }
    close(stretch);
    found
}
