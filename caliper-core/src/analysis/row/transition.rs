use std::fmt;

use pep440_rs::Version;
use serde::{Deserialize, Serialize};

use super::State;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alike {
    /// They do, or what sets them apart is noise.
    Same,
    /// They do not.
    Different,
    /// Their results are not the same, and that may be noise.
    Undecided,
}

/// How well a transition is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evidence<R = Version> {
    /// Its two releases are neighbours: nothing between them can be installed and was not measured.
    Proven,
    /// It is somewhere between its two releases, and so may be more of them.
    Bracketed {
        /// What was not measured between the two, oldest first; never empty.
        unmeasured: Vec<R>,
    },
}

/// A place in a row where something changes.
///
/// `R` is how releases are named: by their index in the row, or by their [`Version`]. In JSON a
/// version is a text, so the schema is that of `Transition<String>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Transition<R = Version> {
    /// What changes.
    pub kind: TransitionKind,
    /// The last measured release before the change.
    pub from: R,
    /// The first measured release behind it.
    pub to: R,
    /// Of a test that is good again: the last release before at which it was seen to pass, if its
    /// result was another.
    #[serde(default = "none::<R>", skip_serializing_if = "Option::is_none")]
    pub differs_from: Option<R>,
    /// The releases between the two at which the test passes and fails. They were measured, so they
    /// take nothing from the evidence; where among them the change happened has no answer.
    #[serde(default = "Vec::<R>::new", skip_serializing_if = "Vec::is_empty")]
    pub flaky: Vec<R>,
    /// How well it is known.
    pub evidence: Evidence<R>,
}

/// `Default` would ask it of `R` too.
fn none<R>() -> Option<R> {
    None
}

impl<R> Transition<R> {
    /// The same transition, with its releases named in another way.
    pub fn map<S>(self, name: impl Fn(R) -> S) -> Transition<S> {
        Transition {
            kind: self.kind,
            from: name(self.from),
            to: name(self.to),
            differs_from: self.differs_from.map(&name),
            flaky: self.flaky.into_iter().map(&name).collect(),
            evidence: match self.evidence {
                Evidence::Proven => Evidence::Proven,
                Evidence::Bracketed { unmeasured } => {
                    Evidence::Bracketed { unmeasured: unmeasured.into_iter().map(&name).collect() }
                }
            },
        }
    }

    /// Whether nothing could make it known better.
    pub fn is_proven(&self) -> bool {
        match self.evidence {
            Evidence::Proven => true,
            Evidence::Bracketed { .. } => false,
        }
    }
}

impl<R: fmt::Display> fmt::Display for Transition<R> {
    /// One line: `breaks between 2.10 and 2.10.1 (proven)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            TransitionKind::FirstBad => "breaks",
            TransitionKind::GoodAgain => "is good again",
            TransitionKind::ResultChanged => "result changes",
            TransitionKind::ResultDiffers => "result is not the same",
        })?;
        let Self { from, to, .. } = self;
        let known = match &self.evidence {
            Evidence::Proven => {
                write!(formatter, " between {from} and {to}")?;
                "proven".to_owned()
            }
            Evidence::Bracketed { unmeasured } => {
                write!(formatter, " somewhere from {from} to {to}")?;
                format!("{} not measured", releases(unmeasured.len()))
            }
        };
        if let Some(release) = &self.differs_from {
            write!(formatter, ", with another result than {release}")?;
        }
        // Nothing is proven then, neighbours or not.
        let known = match (self.kind, &self.evidence) {
            (TransitionKind::ResultDiffers, Evidence::Proven) => "may be noise".to_owned(),
            (TransitionKind::ResultDiffers, Evidence::Bracketed { .. }) => {
                format!("{known}; may be noise")
            }
            (
                TransitionKind::FirstBad
                | TransitionKind::GoodAgain
                | TransitionKind::ResultChanged,
                _,
            ) => known,
        };
        match self.flaky.as_slice() {
            [] => write!(formatter, " ({known})"),
            [release] => write!(formatter, " ({known}; flaky at {release})"),
            flaky => write!(formatter, " ({known}; flaky at {} between)", releases(flaky.len())),
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
                    let evidence = if unmeasured.is_empty() {
                        Evidence::Proven
                    } else {
                        Evidence::Bracketed { unmeasured }
                    };
                    let again = kind == TransitionKind::GoodAgain;
                    let differs_from = last_passed.filter(|passed| again && !same(*passed, index));
                    let to = index;
                    found.push(Transition { kind, from, to, differs_from, flaky, evidence });
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
