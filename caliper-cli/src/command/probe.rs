//! Which changes of its surroundings change what the tests of a cell do.

use caliper_container::backend::ContainerBackend;
use caliper_container::interrupt::Interrupt;
use caliper_container::runner::RunContext;
use caliper_container::study::{PinnedError, ProbeQuestion, ProbedTogether, Probing, probe};
use caliper_core::analysis::Analysis;
use caliper_core::facts::record::{CellOutcome, Record};
use caliper_core::facts::store::{DirStore, ResultStore as _};
use caliper_core::question::factor::{Factor, FactorChange, surrounded};
use caliper_core::question::plan::{Plan, Setup};
use caliper_core::report::model::{
    ChangesTogether, NeededChange, NotTried, ProbeReport, ProbedTest,
};
use caliper_core::report::probe::lines;

use crate::args::{FormatName, Probe};
use crate::exit::{Exit, Failure, Outcome};
use crate::layout::{Layout, lay_out};
use crate::progress;
use crate::sources::Purpose;
use crate::terminal::{Terminal, printable};

/// The folder of its records, beside those of runs.
const FOLDER: &str = "probe";

pub(super) fn run(how: &Probe, terminal: Terminal) -> Outcome {
    super::resumable(terminal, |interrupt| measure(how, interrupt, terminal))
}

fn measure(how: &Probe, interrupt: &Interrupt, terminal: Terminal) -> Outcome {
    let reporter = progress::reporter(how.progress, terminal);
    let layout = lay_out(&how.work, Purpose::Run, interrupt, &*reporter, terminal)?;
    let plan = of_one_cell(&layout)?;
    let cell = plan.cells[0].id.to_string();
    if layout.plan.cells.len() > 1 {
        terminal.note(&printable(&format!("{cell} is probed; `--only CELL` chooses another one")));
    }
    let (changes, not_tried) = possible(&how.factor, &plan.setup, &*layout.backend);
    let store = DirStore::open(layout.setting.results().join(FOLDER))?;
    let downloader = layout.index.downloader(&layout.cache);
    let context = RunContext {
        backend: &*layout.backend,
        project: &layout.project,
        files: &downloader,
        store: &store,
        reporter: &*reporter,
        interrupt,
    };
    let blobs = |blob| store.content(blob).ok();
    let analysis = Analysis::new(&[], None, &layout.setting.config.compare, &blobs);
    let (repeats, together) = (how.repeats, !how.alone);
    let question = ProbeQuestion { plan: &plan, changes: &changes, repeats, together };
    let probing = match probe(&question, context, &layout.options, &analysis) {
        Err(PinnedError::Interrupted) => {
            return Err(Failure { exit: Exit::Interrupted, error: "interrupted".into() });
        }
        probing => probing?,
    };
    refuse_what_has_no_tests(&probing.usual, &cell)?;
    let backend = layout.backend.name();
    let mut report = ProbeReport::new(&plan.dependency.to_string(), &cell, backend, how.repeats);
    report.not_tried = not_tried;
    fill(&mut report, probing, &changes);
    match how.format.format {
        FormatName::Json => super::print_json(&report, terminal)?,
        FormatName::Text => super::print::say(lines(&report), terminal),
    }
    Ok(exit(how, &report, terminal))
}

/// The newest cell of the plan on the newest Python that has a file, alone.
fn of_one_cell(layout: &Layout) -> Result<Plan, Failure> {
    let plan = &layout.plan;
    let cells = plan.cells.iter().filter(|cell| cell.file().is_some());
    // Of several that are equal in both, the first.
    let newest = cells.reduce(|best, cell| {
        let is_newer = (&cell.id.version, cell.id.python) > (&best.id.version, best.id.python);
        if is_newer { cell } else { best }
    });
    let cell = newest.ok_or_else(|| {
        Failure::question(
            "no cell has a file that could be installed, so there is nothing to probe",
        )
    })?;
    let setup = plan.setup_of(cell).clone();
    if setup.tests.is_empty() {
        return Err(Failure::question(format!(
            "`{}` has no tests, so there is nothing to probe",
            layout.setting.path.display()
        )));
    }
    let chosen = cell.id.clone();
    Ok(Plan { setup, ..plan.part(|id| *id == chosen) })
}

/// The changes that the backend can make, and why it cannot make the others.
fn possible(
    wanted: &[Factor],
    setup: &Setup,
    backend: &dyn ContainerBackend,
) -> (Vec<FactorChange>, Vec<NotTried>) {
    let (mut changes, mut not_tried) = (Vec::new(), Vec::new());
    for factor in Factor::ALL {
        if !wanted.is_empty() && !wanted.contains(&factor) {
            continue;
        }
        let of_factor = factor.changes();
        let mut not_for = |why: String| not_tried.push(NotTried { factor, why });
        if of_factor.is_empty() {
            not_for("there is no way to change it on this architecture".to_owned());
        }
        let usual = surrounded(setup, &[], 1);
        for change in of_factor {
            let changed = surrounded(setup, &[change], 1);
            if changed == usual {
                not_for(format!("the configuration says so already ({})", change.value));
            } else if let Err(error) = backend.check(&changed) {
                // Nothing was wrong with the setup itself, so it is the change that cannot be made here.
                not_for(error.to_string());
            } else {
                changes.push(change);
            }
        }
    }
    (changes, not_tried)
}

/// The error for a cell in which nothing was run.
fn refuse_what_has_no_tests(usual: &Record, cell: &str) -> Result<(), Failure> {
    if usual.outcome == CellOutcome::Tested {
        return Ok(());
    }
    let reason = usual.build.as_ref().and_then(|build| build.reason);
    let why = reason.map_or_else(|| usual.outcome.to_string(), |reason| reason.to_string());
    Err(Failure::question(format!(
        "{cell} cannot be probed: {why}; `--only CELL` chooses another one, and `caliper run` shows the log of this one"
    )))
}

fn fill(report: &mut ProbeReport, probing: Probing, changes: &[FactorChange]) {
    let Probing { tests, together, not_measured, .. } = probing;
    report.tests = tests
        .iter()
        .filter_map(|test| {
            let found = together.iter().find(|(name, _)| *name == test.test);
            ProbedTest::of(test, changes, found.map(|(_, found)| told(found)))
        })
        .collect();
    report.not_measured =
        not_measured.into_iter().map(|(cell, reason)| (cell.to_string(), reason)).collect();
}

fn told(together: &ProbedTogether) -> ChangesTogether {
    match together {
        ProbedTogether::Nothing => ChangesTogether::Nothing,
        ProbedTogether::Unknown => ChangesTogether::Unknown,
        ProbedTogether::Set(set) => ChangesTogether::Set {
            changes: set
                .iter()
                .map(|(change, unproven)| NeededChange { change: *change, unproven: *unproven })
                .collect(),
        },
    }
}

fn exit(how: &Probe, report: &ProbeReport, terminal: Terminal) -> Exit {
    if how.check && report.tests.iter().any(|test| !test.is_disturbed() && test.is_acted_on()) {
        return Exit::Unexpected;
    }
    if !report.not_measured.is_empty() {
        terminal.warning("some changes could not be measured; the same command tries them again");
        return Exit::Infrastructure;
    }
    if how.check && !report.tests.iter().all(ProbedTest::is_decided) {
        terminal
            .verdict("not decided: of some changes it is not known whether they have an effect");
        return Exit::Infrastructure;
    }
    Exit::Done
}
