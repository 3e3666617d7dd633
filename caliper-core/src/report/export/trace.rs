use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::analysis::results::Results;
use crate::facts::record::{Record, Run};
use crate::names::Timestamp;

/// What took the time, as a file of the
/// [Trace Event Format](https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU) for
/// <https://ui.perfetto.dev>: each run of Caliper is a process, with its builds and runs of tests in as many lanes as were
/// busy at once.
///
/// Records of older versions of Caliper do not say when a run began. Such runs are laid one behind the other from the start of
/// their cell on, and are marked as `estimated`.
pub fn trace(results: &Results) -> String {
    let mut batches: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for record in results.cells.iter().chain(&results.stale) {
        for (batch, span) in spans(record) {
            batches.entry(batch).or_default().push(span);
        }
    }
    let origin = batches.values().flatten().map(|span| span.start).min().unwrap_or(0);
    let mut sorted: Vec<(&str, Vec<Span>)> = batches.into_iter().collect();
    sorted.sort_by_key(|(_, spans)| spans.iter().map(|span| span.start).min());
    let mut events = Vec::new();
    for (process, (batch, mut spans)) in (1..).zip(sorted) {
        let name = if batch.is_empty() { "runs of unknown origin" } else { batch };
        events.push(named(process, 0, "process_name", name));
        spans.sort_by(|a, b| (a.start, &a.name).cmp(&(b.start, &b.name)));
        lay_out(process, origin, &spans, &mut events);
    }
    let document = json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "analysis": results.analysis,
            "dependency": results.dependency,
            "caliper": results.caliper,
            "begin": Timestamp::from_unix_seconds(origin.div_euclid(1_000_000)).to_string(),
        },
        "traceEvents": events,
    });
    format!("{document}\n")
}

/// Something that took time.
struct Span {
    name: String,
    category: &'static str,
    /// In microseconds since 1970.
    start: i64,
    nanoseconds: u64,
    details: Value,
}

/// The builds and runs of a cell, each with the batch that it belongs to.
fn spans(record: &Record) -> Vec<(&str, Span)> {
    let id = record.id().to_string();
    let mut all = Vec::new();
    let mut next = record.started.unix_microseconds();
    let first = record.runs().find(|(_, run)| !run.reused).map(|(_, run)| run);
    if let Some(build) = record.build.as_ref().filter(|build| build.nanoseconds > 0) {
        let start = build.started.map(Timestamp::unix_microseconds);
        // Runs may have been added to a cell later, in an environment of their own.
        let of_build = record
            .runs()
            .map(|(_, run)| run)
            .find(|run| start.is_some() && run.started.map(Timestamp::unix_microseconds) >= start);
        let span = Span {
            name: format!("build {id}"),
            category: "build",
            start: start.unwrap_or(next),
            nanoseconds: build.nanoseconds,
            details: json!({
                "cell": id,
                "ok": build.ok,
                "reused": build.reused,
                "estimated": start.is_none(),
            }),
        };
        next = span.end();
        all.push((batch(of_build.or(first)), span));
    }
    for (test, run) in record.runs() {
        let start = run.started.map(Timestamp::unix_microseconds);
        let span = Span {
            name: format!("{} {id}", test.name),
            category: "test",
            start: start.unwrap_or(next),
            nanoseconds: run.nanoseconds,
            details: json!({
                "cell": id,
                "test": test.name,
                "attempt": run.attempt,
                "outcome": run.outcome,
                "cpu_seconds": run.cpu_nanoseconds.map(super::columns::seconds_number),
                "peak_memory_bytes": run.peak_memory,
                "estimated": start.is_none(),
            }),
        };
        next = span.end();
        all.push((batch(Some(run)), span));
    }
    all
}

fn batch(run: Option<&Run>) -> &str {
    run.and_then(|run| run.batch.as_deref()).unwrap_or_default()
}

impl Span {
    fn end(&self) -> i64 {
        self.start.saturating_add(i64::try_from(self.nanoseconds / 1_000).unwrap_or(i64::MAX))
    }
}

/// Moments are kept in milliseconds: what follows on another thing may seem to begin before its end.
const SLACK: i64 = 1_000;

/// Puts each span into the first lane that is free: which thread it was in is not recorded.
fn lay_out(process: u32, origin: i64, spans: &[Span], events: &mut Vec<Value>) {
    let mut lanes: Vec<i64> = Vec::new();
    for span in spans {
        let free = lanes.iter().position(|end| *end <= span.start.saturating_add(SLACK));
        let lane = free.unwrap_or_else(|| {
            lanes.push(i64::MIN);
            lanes.len() - 1
        });
        let start = span.start.max(lanes[lane]);
        lanes[lane] = start.max(span.end());
        events.push(json!({
            "ph": "X",
            "name": span.name,
            "cat": span.category,
            "ts": start.saturating_sub(origin),
            "dur": lanes[lane].saturating_sub(start),
            "pid": process,
            "tid": lane + 1,
            "args": span.details,
        }));
    }
    for lane in 1..=lanes.len() {
        events.push(named(process, lane, "thread_name", &format!("lane {lane}")));
    }
}

fn named(process: u32, thread: usize, what: &str, name: &str) -> Value {
    json!({"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}})
}

#[cfg(test)]
mod tests;
