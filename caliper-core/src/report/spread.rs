//! How much the runs of groups vary, as lines for a terminal.

use unicode_width::UnicodeWidthStr as _;

use super::grid::Span;
use super::model::{SpreadAt, SpreadReport, Tone};
use super::table::pad;
use crate::analysis::spread::{
    ALPHA, BootstrapInterval, Contrast, Description, MetricSpread, PMethod, POWER, Place,
    Repeating, RunsNeeded, Spread, SpreadTest, Undefined, Verdict,
};

/// The report, a place behind the other: first what is not as planned, then each metric with a table of its groups, and
/// how they compare. A table is at most `width` characters wide, if a group fits that.
pub fn lines(report: &SpreadReport, width: usize) -> Vec<Vec<Span>> {
    let mut lines = Vec::new();
    for SpreadAt { place, spread } in &report.places {
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        if let Some(place) = place {
            lines.push(vec![(Tone::Plain, heading(place))]);
        }
        lines.extend(guard(spread));
        for metric in &spread.metrics {
            if !lines.is_empty() {
                lines.push(Vec::new());
            }
            lines.extend(table(metric, width));
            for contrast in &metric.contrasts {
                lines.push(Vec::new());
                lines.extend(compared(contrast));
            }
        }
        if spread.metrics.is_empty() {
            let text =
                "no number has a name and occurs once in each run, so there is nothing to compare";
            lines.push(vec![(Tone::Notable, text.to_owned())]);
        }
    }
    lines
}

fn heading(place: &Place) -> String {
    let Place { version, python, variant, test } = place;
    if variant.is_empty() {
        format!("{test} in {version}/{python}")
    } else {
        format!("{test} in {version}/{python}[{variant}]")
    }
}

/// What is not as planned, and what follows from it.
fn guard(spread: &Spread) -> Vec<Vec<Span>> {
    let mut lines = Vec::new();
    if !spread.problems.is_empty() {
        lines.push(vec![(Tone::Bad, "not as planned:".to_owned())]);
        let told = spread.problems.iter().map(|problem| (Tone::Plain, format!("  {problem}")));
        lines.extend(told.map(|line| vec![line]));
        let what = if spread.withheld {
            "so the groups are not compared; `--incomplete` compares what there is"
        } else {
            "the groups are compared by what there is, as `--incomplete` allows; that may mislead"
        };
        lines.push(vec![(Tone::Notable, what.to_owned())]);
    }
    lines.extend(spread.notes.iter().map(|note| vec![(Tone::Dim, note.clone())]));
    lines
}

/// Shows one statistic.
type Cell = fn(&Description) -> String;

/// The statistics of the groups, each in a column; those that do not fit stand below.
fn table(metric: &MetricSpread, width: usize) -> Vec<Vec<Span>> {
    const BETWEEN: &str = "  ";
    let rows: [(&str, Cell); 10] = [
        ("runs", |one| one.n.to_string()),
        ("mean", |one| position(one.mean)),
        ("sd (ddof 0)", |one| number(one.sd_ddof_0)),
        ("sd (ddof 1)", |one| number(one.sd_ddof_1)),
        ("median", |one| position(one.median)),
        ("MAD (raw)", |one| number(one.mad_raw)),
        ("1st quartile", |one| position(one.q1)),
        ("3rd quartile", |one| position(one.q3)),
        ("min", |one| position(one.min)),
        ("max", |one| position(one.max)),
    ];
    let labels = rows.iter().map(|(label, _)| label.width());
    let label_width = labels.chain([metric.name.width()]).max().unwrap_or(0);
    let columns: Vec<(Vec<String>, usize)> = metric
        .groups
        .iter()
        .map(|described| {
            let cells = rows.iter().map(|(_, cell)| cell(&described.description));
            let cells: Vec<String> = [described.group.clone()].into_iter().chain(cells).collect();
            let width = cells.iter().map(|cell| cell.width()).max().unwrap_or(0);
            (cells, width)
        })
        .collect();
    let mut lines: Vec<Vec<Span>> = Vec::new();
    let mut rest = columns.as_slice();
    while !rest.is_empty() {
        let mut taken = label_width;
        let fits = rest.iter().take_while(|(_, column)| {
            taken += BETWEEN.len() + column;
            taken <= width
        });
        // A group that is too wide by itself stands alone.
        let count = fits.count().max(1);
        let (part, below) = rest.split_at(count);
        rest = below;
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        let labels = [metric.name.as_str()].into_iter().chain(rows.iter().map(|(label, _)| *label));
        for (row, label) in labels.enumerate() {
            let tone = if row == 0 { Tone::Dim } else { Tone::Plain };
            let mut line = pad(label, label_width);
            for (cells, width) in part {
                line += &format!("{BETWEEN}{}", pad(&cells[row], *width));
            }
            lines.push(vec![(tone, line.trim_end().to_owned())]);
        }
    }
    lines
}

/// A group against another.
fn compared(contrast: &Contrast) -> Vec<Vec<Span>> {
    let Contrast { group, reference, .. } = contrast;
    let mut lines: Vec<Span> = Vec::new();
    if let Some(ratio) = contrast.ratio {
        let mut intervals = Vec::new();
        if let Some([low, high]) = contrast.interval_f {
            intervals.push(format!("{} to {} by F", digits(low), digits(high)));
        }
        if let Some(interval) = &contrast.interval_bootstrap {
            intervals.push(resampled(interval));
        }
        let text = format!("sd of `{group}` / sd of `{reference}`: {}", digits(ratio));
        lines.push((Tone::Plain, format!("{text} (95 % interval: {})", intervals.join(", "))));
    }
    let mut tests = Vec::new();
    if let Some(p) = contrast.p_f {
        tests.push(format!("{} by F", probability(p)));
    }
    if let Some(p) = contrast.p_levene {
        tests.push(format!("{} by Levene (from the medians)", probability(p)));
    }
    if !tests.is_empty() {
        lines.push((Tone::Plain, format!("p if both vary alike: {}", tests.join(", "))));
    }
    if let Some(repeating) = contrast.repeating {
        let Repeating { other, runs, p } = repeating;
        let p = probability(p);
        let varied = if contrast.undefined.iter().any(|reason| is_constant(reason, group)) {
            reference
        } else {
            group
        };
        let text = format!("p if both repeat a number alike: {p} by Fisher's exact test");
        let counts =
            format!("{other} of {runs} runs of `{varied}` do not have its most frequent number");
        lines.push((Tone::Plain, format!("{text} ({counts})")));
    }
    if let Some(test) = contrast.mann_whitney {
        let method = match test.method {
            PMethod::Exact => "exact",
            PMethod::Normal => "normal approximation",
        };
        let p = probability(test.p);
        let text = format!("p if neither tends to larger numbers: {p} by Mann-Whitney ({method})");
        lines.push((Tone::Plain, text));
    }
    lines.extend(contrast.undefined.iter().map(|reason| (Tone::Notable, missing(reason))));
    if let Some(needed) = contrast.runs_needed {
        let each = match needed {
            RunsNeeded::Runs { each } => each.to_string(),
            RunsNeeded::MoreThan { each } => format!("more than {each}"),
        };
        let chance = format!("with power {POWER} at alpha {ALPHA}, if that ratio is the true one");
        lines.push((
            Tone::Plain,
            format!("runs in each group that would decide: {each} ({chance})"),
        ));
    }
    lines.push(verdict(contrast));
    lines.into_iter().map(|line| vec![line]).collect()
}

fn resampled(interval: &BootstrapInterval) -> String {
    let BootstrapInterval { low, high, resamples, dropped, .. } = interval;
    let ends = match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", digits(*low), digits(*high)),
        (Some(low), None) => format!("{} or more", digits(*low)),
        (None, _) => "unknown".to_owned(),
    };
    let left_out = if *dropped > 0 {
        format!(", {dropped} of them left out because they do not vary")
    } else {
        String::new()
    };
    format!("{ends} by {resamples} resamples{left_out}")
}

/// Why a statistic is missing.
fn missing(reason: &Undefined) -> String {
    match reason {
        Undefined::NoRun { group } => format!("no ratio: `{group}` has no finite number"),
        Undefined::OneRun { group } => {
            format!("no ratio: `{group}` has a single number, which has no spread")
        }
        Undefined::Constant { group } => {
            format!("no ratio: every run of `{group}` has the same number (sd 0)")
        }
        Undefined::AllEqual => {
            "no test of position: all runs of both groups have the same number".to_owned()
        }
        Undefined::EquallyFar => {
            "no Levene's test: in each group all numbers are equally far from the median".to_owned()
        }
        Undefined::OutOfRange => {
            "a statistic is too large or too small for a floating point number".to_owned()
        }
    }
}

fn is_constant(reason: &Undefined, name: &str) -> bool {
    matches!(reason, Undefined::Constant { group } if group == name)
}

/// What decided, where that is not the F test together with Levene's test.
fn deciding(tests: &[SpreadTest]) -> &'static str {
    match tests {
        [SpreadTest::F] => ", by the F test alone, which needs normally distributed numbers",
        [SpreadTest::Levene] => ", by Levene's test alone",
        [SpreadTest::FisherExact] => ", by Fisher's exact test alone",
        [SpreadTest::Levene, SpreadTest::FisherExact] => {
            ", by Levene's test and Fisher's exact test"
        }
        _ => "",
    }
}

fn verdict(contrast: &Contrast) -> Span {
    let Contrast { group, reference, undefined, .. } = contrast;
    let by = deciding(&contrast.decided_by);
    let constant =
        undefined.iter().filter(|reason| matches!(reason, Undefined::Constant { .. })).count();
    match &contrast.verdict {
        Verdict::Larger { group: larger } => {
            let other = if larger == group { reference } else { group };
            (Tone::Good, format!("`{larger}` varies more than `{other}`{by}"))
        }
        Verdict::NotSeparated => {
            let text =
                format!("the data cannot separate how much `{group}` and `{reference}` vary");
            (Tone::Notable, format!("{text}{by}"))
        }
        Verdict::Disagree => {
            let text = "the tests do not agree, so the data do not decide whether";
            let why = "a few far numbers can cause this";
            (Tone::Notable, format!("{text} `{group}` or `{reference}` varies more; {why}"))
        }
        Verdict::Unknown if constant == 2 => {
            (Tone::Notable, format!("neither `{group}` nor `{reference}` varies"))
        }
        Verdict::Unknown => {
            let text = format!("it cannot be said whether `{group}` or `{reference}` varies more");
            (Tone::Notable, text)
        }
    }
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), digits)
}

/// Numbers that lie close together are often far from 0, so that their positions need more digits than their spread.
fn position(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| significant(number, 7))
}

fn digits(number: f64) -> String {
    significant(number, 5)
}

/// A number with this many significant digits.
fn significant(number: f64, digits: usize) -> String {
    let size = number.abs();
    if size <= 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{number:.*e}", digits - 1);
    if !(1e-4..1e6).contains(&size) {
        return scientific;
    }
    // The exponent after rounding, so that 9.99999 has no digit too many.
    let exponent: i32 =
        scientific.rsplit_once('e').and_then(|(_, text)| text.parse().ok()).unwrap_or_default();
    let whole = i32::try_from(digits).unwrap_or(i32::MAX) - 1;
    let decimals = usize::try_from(whole.saturating_sub(exponent)).unwrap_or(0);
    format!("{number:.decimals$}")
}

fn probability(p: f64) -> String {
    match p {
        small if small < 1e-4 => "below 0.0001".to_owned(),
        small if small < 0.01 => format!("{small:.4}"),
        // Never rounded to the side of 0.05 on which it is not.
        close if (0.0495..0.0505).contains(&close) => format!("{close:.6}"),
        close if (0.045..0.055).contains(&close) => format!("{close:.4}"),
        usual => format!("{usual:.2}"),
    }
}

#[cfg(test)]
mod tests;
