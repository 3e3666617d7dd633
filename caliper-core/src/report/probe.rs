//! What changes of its surroundings do to tests, as lines for a terminal.

use std::collections::BTreeSet;

use unicode_width::UnicodeWidthStr as _;

use super::details::{arrays, single_line};
use super::grid::Span;
use super::model::{ChangesTogether, NotTried, ProbeReport, ProbedChange, ProbedTest, Tone};
use super::table::pad;
use crate::analysis::compare::Rung;
use crate::analysis::probe::{Effect, EffectKind};
use crate::facts::record::State;
use crate::question::factor::Factor;

/// The report: for each test the changes that act on it, with what differs, then those of which that is not known, and
/// the factors without an effect.
pub fn lines(report: &ProbeReport) -> Vec<Vec<Span>> {
    let ProbeReport { dependency, cell, backend, repeats, tests, not_tried, not_measured, .. } =
        report;
    let runs = count(*repeats, "run", "runs");
    let mut lines = vec![vec![(
        Tone::Plain,
        format!("{dependency} {cell} on `{backend}`, {runs} of each test with each change"),
    )]];
    for test in tests {
        lines.push(Vec::new());
        lines.extend(of_test(test));
    }
    for NotTried { factor, why } in not_tried {
        lines.push(vec![(Tone::Notable, format!("not tried: {factor}: {why}"))]);
    }
    for (cell, why) in not_measured {
        lines.push(vec![(Tone::Notable, format!("not measured: {cell}: {why}"))]);
    }
    if tests.iter().any(|test| !test.is_acted_on()) {
        let note = format!(
            "no effect seen in {runs} is no proof: what acts less often, or with another value, is not seen"
        );
        lines.extend([Vec::new(), vec![(Tone::Dim, note)]]);
    }
    lines
}

fn of_test(test: &ProbedTest) -> Vec<Vec<Span>> {
    let runs = count(test.runs, "run", "runs");
    let usually = match (test.usual, test.is_constant) {
        (State::Passed, true) => format!("{runs} as usual, with the same result"),
        (State::Passed, false) => {
            format!("{runs} as usual, of which {} not have the result of most", does(test.odd))
        }
        (State::Flaky, _) => format!("{runs} as usual, of which {} pass", test.passed),
        (state, _) => format!("{runs} as usual: {state}"),
    };
    let mut lines = vec![vec![(Tone::Plain, format!("{}: {usually}", single_line(&test.test)))]];
    let instrument = &test.instrument;
    if instrument.kind.is_effect() {
        let told = "  it is not the same where Caliper does not change its surroundings: nothing below can be trusted";
        lines.push(vec![(Tone::Bad, told.to_owned())]);
        lines.extend(evidence(instrument));
    }
    let acting: Vec<&ProbedChange> = of_kind(test, EffectKind::is_effect);
    // Where the runs differ anyway, what differs says little; how many do says more.
    let varying: Vec<&ProbedChange> =
        of_kind(test, |kind| kind == EffectKind::Undecided && varies(test));
    let open: Vec<&ProbedChange> = of_kind(test, |kind| match kind {
        EffectKind::Undecided => !varies(test),
        kind => kind == EffectKind::NotMeasured,
    });
    let past: Vec<&ProbedChange> = of_kind(test, |kind| kind == EffectKind::LookedPast);
    let told: Vec<&ProbedChange> = acting.iter().chain(&open).chain(&past).copied().collect();
    let named: BTreeSet<Factor> =
        told.iter().chain(&varying).map(|one| one.change.factor).collect();
    let kinds = told.iter().map(|one| one.effect.kind.to_string().width());
    let width = kinds.max().unwrap_or(0);
    for one in told {
        let tone = match one.effect.kind {
            EffectKind::LookedPast => Tone::Dim,
            kind if kind.is_effect() => Tone::Bad,
            _ => Tone::Notable,
        };
        let kind = pad(&one.effect.kind.to_string(), width);
        let ending = ending(test.usual, &one.effect);
        lines.push(vec![
            (tone, format!("  {kind}")),
            (Tone::Plain, format!("  {}{ending}", one.change)),
        ]);
        lines.extend(evidence(&one.effect));
    }
    lines.extend(undecided(&varying));
    let mut quiet: Vec<&str> = Vec::new();
    for one in &test.changes {
        let name = one.change.factor.name();
        if !named.contains(&one.change.factor) && !quiet.contains(&name) {
            quiet.push(name);
        }
    }
    if !quiet.is_empty() {
        lines.push(vec![(Tone::Dim, format!("  no effect seen: {}", quiet.join(", ")))]);
    }
    lines.extend(test.together.as_ref().map(|together| vec![together_line(together)]));
    lines
}

/// Whether its runs differ also in the usual surroundings.
fn varies(test: &ProbedTest) -> bool {
    test.usual == State::Passed && !test.is_constant
}

fn does(count: u32) -> String {
    format!("{count} {}", if count == 1 { "does" } else { "do" })
}

/// The changes of which nothing is known, because the runs differ anyway: with each, how many do.
fn undecided(changes: &[&ProbedChange]) -> Vec<Vec<Span>> {
    if changes.is_empty() {
        return Vec::new();
    }
    let needed =
        changes.iter().filter_map(|one| one.effect.evidence.as_ref()?.noise.as_ref()?.needed);
    let more = match needed.max() {
        Some(needed) => format!("`--repeats {needed}` would decide"),
        None => "nothing in these runs tells a change from that".to_owned(),
    };
    let each: Vec<String> = changes
        .iter()
        .map(|one| format!("{} ({} of {})", one.change, one.effect.odd, one.effect.runs))
        .collect();
    vec![
        vec![
            (Tone::Notable, "  undecided".to_owned()),
            (Tone::Plain, format!(", because the runs differ anyway; {more}")),
        ],
        vec![(Tone::Dim, format!("      without the result of most: {}", each.join(", ")))],
    ]
}

fn of_kind(test: &ProbedTest, is_it: impl Fn(EffectKind) -> bool) -> Vec<&ProbedChange> {
    test.changes.iter().filter(|one| is_it(one.effect.kind)).collect()
}

/// How a test ends with a change, where that is not as usual.
fn ending(usual: State, effect: &Effect) -> String {
    match effect.state {
        Some(State::Flaky) => format!(": passes in {} of {}", effect.passed, effect.runs),
        Some(state) if state != usual => {
            format!(": {state} in {}", count(effect.runs, "run", "runs"))
        }
        Some(State::Failed) => ": fails for another reason".to_owned(),
        _ => String::new(),
    }
}

/// What differs, and how sure it is.
fn evidence(effect: &Effect) -> Vec<Vec<Span>> {
    if let Some(p) = effect.p {
        return vec![vec![(Tone::Dim, format!("      {}", spoken(p)))]];
    }
    let Some(evidence) = &effect.evidence else { return Vec::new() };
    let mut lines = Vec::new();
    if evidence.comparison.rung > Rung::SameBytes {
        let part = single_line(&evidence.part);
        lines.push(format!("      {part}: {}", evidence.comparison));
        lines
            .extend(arrays(&evidence.comparison).into_iter().map(|line| format!("        {line}")));
        let more =
            evidence.others.iter().filter(|other| other.comparison.rung > Rung::WithinTolerance);
        let more = more.count() + evidence.others_left_out;
        if more > 0 {
            lines.push(format!("      … and {more} more that differ"));
        }
    }
    if let Some(noise) = &evidence.noise {
        let [here, there] = noise.runs;
        let mut sure = format!("      {} with it, {} as usual", count(here, "run", "runs"), there);
        if let Some(adjusted) = noise.adjusted {
            let p = spoken(adjusted);
            sure += &format!(": {p}, at a rate of {}", noise.alpha);
        }
        if noise.untestable {
            sure +=
                "; a part of the result never is twice the same, so that nothing can be told of it";
        } else if let Some(needed) = noise.needed {
            sure += &format!("; `--repeats {needed}` would decide");
        }
        lines.push(sure);
    }
    lines.into_iter().map(|line| vec![(Tone::Dim, line)]).collect()
}

fn spoken(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

fn together_line(together: &ChangesTogether) -> Span {
    match together {
        ChangesTogether::Nothing => (Tone::Dim, "  nor do all of them together".to_owned()),
        ChangesTogether::Unknown => {
            (Tone::Notable, "  undecided what all of them do together".to_owned())
        }
        ChangesTogether::Set { changes } => {
            let names: Vec<String> = changes
                .iter()
                .map(|one| match one.unproven {
                    None => one.change.to_string(),
                    Some(why) => format!("{} (whether it is needed: {why})", one.change),
                })
                .collect();
            let text = format!("  no change alone, but together: {}", names.join(" and "));
            (Tone::Bad, text)
        }
    }
}

fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
