use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use caliper_container::backend::BuildEstimate;
use caliper_container::interrupt::Interrupt;
use caliper_container::runner::{CellAction, RunContext, during, estimate, preview};
use caliper_core::facts::event::Phase;
use caliper_core::facts::identity::Stale;
use caliper_core::facts::store::DirStore;
use caliper_core::report::model::{Forecast, WhyMeasured};

use crate::args::{FormatName, Work};
use crate::exit::{Exit, Outcome};
use crate::layout::lay_out;
use crate::left_out;
use crate::progress;
use crate::sources::{self, Purpose};
use crate::terminal::{Terminal, printable};

pub(super) fn run(work: &Work, format: FormatName, terminal: Terminal) -> Outcome {
    let interrupt = Interrupt::default();
    let reporter = progress::of_look(terminal);
    let layout = lay_out(work, Purpose::Look, &interrupt, &*reporter, terminal)?;
    let store = DirStore::read_only(layout.setting.results());
    let downloader = layout.index.downloader(&layout.cache);
    let context = RunContext {
        backend: &*layout.backend,
        project: &layout.project,
        files: &downloader,
        store: &store,
        reporter: &*reporter,
        interrupt: &interrupt,
    };
    let actions =
        during(&*reporter, Phase::Recorded, || preview(&layout.plan, context, &layout.options))?;
    let mut forecast = Forecast::new(layout.backend.name(), layout.plan.clone());
    forecast.left_out = layout.project.left_out_with_sizes();
    let mut fetched = BTreeSet::new();
    for (cell, action) in layout.plan.cells.iter().zip(actions) {
        match (action, cell.file()) {
            (_, None) => forecast.nothing_to_install += 1,
            (CellAction::Recorded(_) | CellAction::Unavailable, _) => forecast.recorded += 1,
            (CellAction::NotMeasurable(why), _) => {
                forecast.not_measurable.push((cell.id.to_string(), why));
            }
            (CellAction::ToMeasure(why), Some(file)) => {
                forecast.measures(cell.id.to_string(), why);
                if cell.is_built_from_source() {
                    forecast.from_source.push(cell.id.to_string());
                }
                let estimate = estimate(&layout.plan, cell, context)?;
                let Some(BuildEstimate { ready, fetches, base, pulls }) = estimate else {
                    continue;
                };
                forecast.environments_kept += usize::from(ready);
                forecast.images_to_pull.extend(base.clone().filter(|_| pulls));
                forecast.images.extend(base);
                // Also where the build fetches the file by itself.
                let is_there = ready || (fetches && downloader.has_copy(file));
                if !is_there && fetched.insert(&file.url) {
                    forecast.downloads += 1;
                    forecast.download_bytes += file.size.unwrap_or(0);
                    forecast.downloads_of_unknown_size += usize::from(file.size.is_none());
                }
            }
        }
    }
    let (records, _) = store.records()?;
    let seconds: Vec<f64> = records
        .iter()
        .filter(|record| record.environment.backend == forecast.backend)
        .filter_map(|record| {
            let build = record.build.as_ref()?.seconds();
            Some(build + record.runs().map(|(_, run)| run.seconds()).sum::<f64>())
        })
        .collect();
    if !seconds.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "counts of cells and of threads are small")]
        let (count, cells, jobs) =
            (seconds.len() as f64, forecast.to_measure.len() as f64, layout.options.jobs as f64);
        let expected = seconds.iter().sum::<f64>() / count * cells / jobs;
        forecast.expected_seconds = Some((expected * 10.0).round() / 10.0);
    }
    match format {
        FormatName::Json => super::print_json(&forecast, terminal)?,
        FormatName::Text => {
            let left_out = left_out::lines(&forecast.left_out, &layout.setting.path);
            terminal.data(&(text(&forecast, layout.options.jobs) + &left_out));
        }
    }
    Ok(Exit::Done)
}

/// Why cells would be measured, the most frequent first. Nothing where all are new.
fn why(forecast: &Forecast) -> Vec<String> {
    const LINES: usize = 6;
    const REASONS: usize = 3;
    if forecast.why.iter().all(|why| why.reasons == [Stale::New]) {
        return Vec::new();
    }
    let mut all: Vec<&WhyMeasured> = forecast.why.iter().collect();
    all.sort_by_key(|why| std::cmp::Reverse(why.cells.len()));
    let mut lines: Vec<String> = all
        .iter()
        .take(LINES)
        .map(|why| {
            let reasons: Vec<String> =
                why.reasons.iter().take(REASONS).map(ToString::to_string).collect();
            let more = why.reasons.len().saturating_sub(REASONS);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            printable(&format!("{}: {}{more}", why.cells.len(), reasons.join(", ")))
        })
        .collect();
    if all.len() > LINES {
        lines.push(format!("… and {} more reasons (`--format json`)", all.len() - LINES));
    }
    lines
}

fn text(forecast: &Forecast, jobs: usize) -> String {
    let mut text = String::new();
    let to_measure = forecast.to_measure.len();
    let _ = writeln!(text, "{} cells on the `{}` backend", forecast.cells, forecast.backend);
    let _ = writeln!(text, "  {:>5}  nothing to install", forecast.nothing_to_install);
    let _ = writeln!(text, "  {:>5}  recorded already", forecast.recorded);
    let _ = writeln!(text, "  {to_measure:>5}  to measure, {jobs} at once");
    for line in why(forecast) {
        let _ = writeln!(text, "         {line}");
    }
    if let [first, others @ ..] = forecast.from_source.as_slice() {
        let last = others.last().map(|last| format!(" … {last}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {:>5}  of these built from source, which may take long: {first}{last}",
            forecast.from_source.len()
        );
        let _ = writeln!(text, "         (`sdist: never` leaves them out)");
    }
    if !forecast.not_measurable.is_empty() {
        let _ = writeln!(text, "  {:>5}  cannot be measured now", forecast.not_measurable.len());
    }
    for (cell, why) in forecast.not_measurable.iter().take(5) {
        let _ = writeln!(text, "         {cell}: {why}");
    }
    if !forecast.images.is_empty() {
        let images: Vec<&str> = forecast.images.iter().map(String::as_str).collect();
        let _ = writeln!(text, "base images: {}", images.join(", "));
    }
    if !forecast.images_to_pull.is_empty() {
        let images: Vec<&str> = forecast.images_to_pull.iter().map(String::as_str).collect();
        let _ = writeln!(text, "not on the engine, to be pulled: {}", images.join(", "));
    }
    if forecast.backend != sources::LOCAL && to_measure > 0 {
        let kept = forecast.environments_kept;
        let _ = writeln!(text, "{} images to build, {kept} kept from before", to_measure - kept);
    }
    if forecast.downloads > 0 {
        #[expect(clippy::cast_precision_loss, reason = "shown to a tenth")]
        let mebibytes = forecast.download_bytes as f64 / f64::from(1 << 20);
        let size = match forecast.downloads_of_unknown_size {
            0 => format!("{mebibytes:.1} MiB"),
            count if count == forecast.downloads => "the index does not say how large".to_owned(),
            count => format!("{mebibytes:.1} MiB, and {count} whose size the index does not say"),
        };
        let files = forecast.downloads;
        let _ = writeln!(text, "{files} files to download, without what they depend on: {size}");
    }
    if let Some(seconds) = forecast.expected_seconds.filter(|_| to_measure > 0) {
        let time = Duration::from_secs_f64(seconds.max(1.0).round());
        let _ = writeln!(text, "about {time:?}, from what recorded cells took");
    }
    text
}
