//! What is left to do after the results are printed: removing files, and keeping the cache within its budget.

use caliper_container::cache::KEPT;
use caliper_container::interrupt::Interrupt;
use caliper_container::local::{Needed, keep_within};
use caliper_container::runner::during;
use caliper_container::study::Study;
use caliper_core::facts::event::{Phase, Reporter};
use caliper_core::facts::record::Record;
use caliper_core::names::Bytes;

use crate::args::Work;
use crate::exit::Failure;
use crate::layout::Layout;
use crate::progress::Removal;
use crate::sources;
use crate::terminal::Terminal;

pub(super) fn up(
    layout: &Layout,
    work: &Work,
    study: &Study,
    reporter: &dyn Reporter,
    interrupt: &Interrupt,
    terminal: Terminal,
) -> Result<(), Failure> {
    for remark in layout.backend.remarks() {
        terminal.note(&format!("note: {remark}"));
    }
    during(reporter, Phase::Removing, || {
        let removal = Removal::new(reporter);
        layout.backend.finish(interrupt, &|left| removal.say(left));
    });
    // Without a build the cache did not grow. After Ctrl-C nothing more is begun.
    let begun = layout.begun.into();
    let is_new = |record: &Record| record.build.as_ref().is_some_and(|build| !build.reused);
    let built = study.records.iter().any(|record| record.started >= begun && is_new(record));
    let may_be_too_much = (built || work.disk.is_some()) && !interrupt.is_raised();
    let Some(lock) = layout.cache_in_use.as_ref().filter(|_| may_be_too_much) else {
        return Ok(());
    };
    // With an engine `--disk` is about its images.
    let is_local = layout.backend.name() == sources::LOCAL;
    let budget = work.disk.filter(|_| is_local).unwrap_or(KEPT);
    let downloads = layout.cache.join(caliper_pypi::cache::FILES);
    let needed = needed(layout, study);
    let trimmed =
        lock.alone(|| keep_within(&layout.cache, &downloads, budget, &needed, layout.begun));
    if let Some(trimmed) = trimmed.transpose()?
        && trimmed.removed.files > 0
    {
        terminal.note(&format!(
            "note: the cache took {}, and {} are kept: removed {} that this configuration does not need",
            Bytes(trimmed.before),
            Bytes(budget),
            Bytes(trimmed.removed.bytes)
        ));
    }
    Ok(())
}

/// What the cells of the configuration need of the cache, also those that were not measured now.
fn needed(layout: &Layout, study: &Study) -> Needed {
    let mut needed = Needed::default();
    let cells = layout.plan.cells.iter().chain(&layout.rest.cells);
    for file in cells.filter_map(|cell| cell.file()) {
        if let Some(digest) = file.sha256 {
            needed.file(digest);
        }
    }
    for package in layout.plan.setups().into_iter().filter_map(|setup| setup.project.as_deref()) {
        let wheels = package.wheels.iter().filter_map(|wheel| wheel.file.sha256);
        wheels.for_each(|digest| needed.file(digest));
    }
    let installed = study.all().flat_map(|record: &Record| &record.environment.installed);
    installed.for_each(|installed| needed.installed(installed));
    needed
}
