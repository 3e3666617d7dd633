//! The first screen: what was asked, the answer, the grid and the reasons, as text.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Against;
use super::data::{changed, state};
use crate::analysis::causes::Cause;
use crate::analysis::clocks::Course;
use crate::analysis::results::Results;
use crate::names::printable;
use crate::report::advice::besides;
use crate::report::details::shell_word;
use crate::report::grid::Span;
use crate::report::model::{Advice, CellMark, GridView, LookedPast, Mark, OpenQuestions, Tone};
use crate::report::{functions, rows, suspects};

/// How many causes, lines of a block and changes the first screen has at most; the rest is counted.
const MOST: usize = 200;

#[derive(Serialize)]
pub(super) struct First {
    title: String,
    question: String,
    made: String,
    answer: Vec<Line>,
    matrix: Matrix,
    legend: Vec<LegendLine>,
    totals: Vec<Total>,
    causes: Vec<CauseLines>,
    blocks: Vec<Block>,
    suggestion: Suggestion,
    against: Option<Comparison>,
    commands: Vec<String>,
}

/// How many characters a text of the first screen has at most.
const LONGEST: usize = 2_000;

/// A text that a person reads as it is: what is invisible or turns the direction of text is escaped.
fn clean(text: &str) -> String {
    printable(text, LONGEST)
}

/// A line, and how good what it says is.
#[derive(Serialize)]
struct Line {
    tone: Tone,
    text: String,
}

#[derive(Serialize)]
struct Matrix {
    columns: Vec<String>,
    rows: Vec<MatrixRow>,
}

#[derive(Serialize)]
struct MatrixRow {
    label: String,
    cells: Vec<Sign>,
}

#[derive(Serialize)]
struct Sign {
    #[serde(rename = "sign")]
    text: String,
    word: &'static str,
    tone: Tone,
    stale: bool,
}

#[derive(Serialize)]
struct LegendLine {
    sign: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Total {
    count: usize,
    what: &'static str,
    tone: Tone,
}

#[derive(Serialize)]
struct CauseLines {
    text: String,
    places: Vec<String>,
}

#[derive(Serialize)]
struct Block {
    title: &'static str,
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct Suggestion {
    specifier: Option<String>,
    why: String,
    /// Other bounds that may be the better repair, and what is not known.
    besides: Vec<String>,
}

#[derive(Serialize)]
struct Comparison {
    title: String,
    counts: Vec<KindCount>,
    changes: Vec<ChangeLine>,
}

#[derive(Serialize)]
struct KindCount {
    kind: &'static str,
    count: usize,
}

#[derive(Serialize)]
struct ChangeLine {
    kind: &'static str,
    cell: String,
    test: String,
    was: String,
    now: String,
}

impl First {
    pub(super) fn of(
        results: &Results,
        config: Option<&str>,
        against: Option<Against<'_>>,
    ) -> Self {
        let view = GridView::of(results);
        let advice = Advice::of(results, &|_| true);
        let (specifier, why) = advice.answer();
        let besides = besides(&advice).iter().map(|line| clean(line)).collect();
        let suggestion = Suggestion { specifier, why, besides };
        let comparison = against.map(Comparison::of);
        let sign = |mark: &CellMark| Sign {
            text: mark.mark.to_string(),
            word: mark.mark.word(),
            tone: mark.tone(),
            stale: mark.is_stale,
        };
        let matrix = Matrix {
            columns: view.columns.iter().map(|column| clean(&column.to_string())).collect(),
            rows: view
                .rows
                .iter()
                .map(|row| MatrixRow {
                    label: row.to_string(),
                    cells: row.marks.iter().map(sign).collect(),
                })
                .collect(),
        };
        Self {
            title: clean(&results.analysis),
            question: format!(
                "What do the releases of {} do? {} cells on {}",
                results.dependency, view.totals.cells, results.backend
            ),
            made: format!("measured until {}, Caliper {}", results.finished, results.caliper),
            answer: answer(results, &view, comparison.as_ref()),
            totals: view
                .totals
                .counts
                .iter()
                .map(|total| Total { count: total.count, what: total.what, tone: total.tone })
                .collect(),
            legend: view
                .legend
                .iter()
                .map(|one| LegendLine { sign: one.sign, text: format!("{}{}", one.word, one.more) })
                .collect(),
            matrix,
            causes: causes(results),
            blocks: blocks(results),
            suggestion,
            against: comparison,
            commands: commands(results, config),
        }
    }
}

/// The answer in a few sentences: what is new against other results, what moved since the releases came out, how the
/// newest release ends, and where things begin to fail.
fn answer(results: &Results, view: &GridView, against: Option<&Comparison>) -> Vec<Line> {
    let mut answer = Vec::new();
    if let Some(Comparison { title, counts, .. }) = against {
        let regressed = counts.iter().find(|one| one.kind == "regressed");
        let counts: Vec<String> =
            counts.iter().map(|one| format!("{} {}", one.count, one.kind)).collect();
        let counts = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
        let tone = if regressed.is_some() { Tone::Bad } else { Tone::Plain };
        answer.push(Line { tone, text: format!("{title}: {counts}.") });
    }
    if let Some(newest) = view.rows.last() {
        let mut words: BTreeMap<(Tone, &str), Vec<String>> = BTreeMap::new();
        for (column, mark) in view.columns.iter().zip(&newest.marks) {
            let word = if mark.is_stale { "stale, not measured again" } else { mark.mark.word() };
            words.entry((mark.tone(), word)).or_default().push(column.to_string());
        }
        let release = newest.releases.last().map(ToString::to_string).unwrap_or_default();
        let tone = words.keys().map(|(tone, _)| *tone).max().unwrap_or(Tone::Plain);
        let all = words.len() == 1;
        let said = words.into_iter().map(|((_, word), columns)| {
            if all && *word != *Mark::NoRecord.word() {
                format!("{word} everywhere")
            } else if all {
                word.to_owned()
            } else {
                format!("{word} on {}", clean(&few(&columns)))
            }
        });
        let said: Vec<String> = said.collect();
        answer.push(Line {
            tone,
            text: format!("The newest release, {release}: {}.", said.join("; ")),
        });
    }
    answer.extend(moved(results));
    answer
}

/// How many releases fared how between their own date and a later one, where that is known.
fn moved(results: &Results) -> Option<Line> {
    let releases = |course: Course| -> usize {
        let of_it = results.clocks.iter().filter(|one| one.course == course);
        of_it.flat_map(|one| &one.releases).collect::<BTreeSet<_>>().len()
    };
    let told = [
        (
            Course::Drifted,
            "worked at its date and fails later",
            "worked at their dates and fail later",
        ),
        (Course::BrokenFromBirth, "failed from the beginning", "failed from the beginning"),
        (
            Course::Healed,
            "failed at its date and works later",
            "failed at their dates and work later",
        ),
        (Course::ResultDrifted, "gives another result later", "give another result later"),
    ];
    let said = told.into_iter().filter_map(|(course, one, many)| match releases(course) {
        0 => None,
        1 => Some(format!("1 release {one}")),
        count => Some(format!("{count} releases {many}")),
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| Line {
        tone: Tone::Notable,
        text: format!("On some Python at least: {}.", said.join("; ")),
    })
}

/// The first of many, and how many more there are.
fn few(names: &[String]) -> String {
    const NAMED: usize = 4;
    let more = names.len().saturating_sub(NAMED);
    let named = names[..names.len() - more].join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

fn causes(results: &Results) -> Vec<CauseLines> {
    let cut = results.causes.iter().take(MOST).map(|cause| {
        let mut lines = cause.lines().into_iter();
        let text = clean(&lines.next().unwrap_or_default());
        CauseLines { text, places: lines.map(|line| clean(line.trim_start())).collect() }
    });
    let mut causes: Vec<CauseLines> = cut.collect();
    let more = results.causes.len().saturating_sub(MOST);
    if more > 0 {
        causes.push(CauseLines {
            text: format!("… and {}", Cause::others(more)),
            places: Vec::new(),
        });
    }
    causes
}

fn blocks(results: &Results) -> Vec<Block> {
    let open = OpenQuestions::of(&results.verdicts).map(|open| open.to_string());
    let plain = |lines: Vec<String>| -> Vec<Vec<Span>> {
        lines.into_iter().map(|line| vec![(Tone::Dim, line)]).collect()
    };
    let past = LookedPast::of(&results.verdicts);
    let notes =
        results.notes.iter().map(|note| format!("the import fails where all tests pass: {note}"));
    let notes: Vec<String> = notes.chain(past.iter().map(ToString::to_string)).collect();
    let blind = results.blind.as_ref().map(ToString::to_string);
    let open: Vec<String> = open.into_iter().chain(blind).collect();
    let open = open.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    let blocks = [
        ("What changes along the releases", rows::lines(&results.rows)),
        ("By the date of the index", rows::by_date(&results.clocks)),
        ("By function", functions::lines(&results.functions)),
        (
            "What failing goes with, over all cells; only runs prove it",
            suspects::lines(&results.suspects),
        ),
        ("Open", plain(open)),
        ("Notes", plain(notes)),
    ];
    let block = |(title, lines): (&'static str, Vec<Vec<Span>>)| {
        let more = lines.len().saturating_sub(MOST);
        let mut lines: Vec<Line> = lines.into_iter().take(MOST).map(line).collect();
        if more > 0 {
            lines.push(Line { tone: Tone::Dim, text: format!("… and {more} more lines") });
        }
        (!lines.is_empty()).then_some(Block { title, lines })
    };
    blocks.into_iter().filter_map(block).collect()
}

/// A line of several pieces, which has the tone of what it says: the last piece that has one.
fn line(spans: Vec<Span>) -> Line {
    let tone = spans.iter().rev().map(|(tone, _)| *tone).find(|tone| *tone != Tone::Plain);
    let text: String = spans.into_iter().map(|(_, text)| text).collect();
    Line { tone: tone.unwrap_or(Tone::Plain), text: clean(&text) }
}

/// How to look further: at the first failing cell, and at what the results support.
fn commands(results: &Results, config: Option<&str>) -> Vec<String> {
    let named = config.map(|config| format!(" {}", shell_word(config))).unwrap_or_default();
    let example = results.causes.first().map(|cause| shell_word(&cause.example.cell));
    let show = example.map(|cell| clean(&format!("caliper show{named} {cell}")));
    show.into_iter().chain([clean(&format!("caliper suggest{named}"))]).collect()
}

impl Comparison {
    fn of(against: Against<'_>) -> Self {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        let mut changes = Vec::new();
        for (kind, one) in changed(against.differences) {
            *counts.entry(kind).or_default() += 1;
            if changes.len() < MOST {
                changes.push(ChangeLine {
                    kind,
                    cell: clean(&one.cell.to_string()),
                    test: clean(one.test.as_deref().unwrap_or_default()),
                    was: state(one.first),
                    now: state(one.second),
                });
            }
        }
        let mut counts: Vec<KindCount> =
            counts.into_iter().map(|(kind, count)| KindCount { kind, count }).collect();
        // What is worse stands first.
        counts.sort_by_key(|one| ORDER.iter().position(|kind| *kind == one.kind));
        Self { title: format!("Not as in {}", clean(against.name)), counts, changes }
    }
}

const ORDER: [&str; 9] = [
    "regressed",
    "changed",
    "flaky",
    "undecided",
    "fixed",
    "new",
    "gone",
    "not measured now",
    "not measured before",
];
