use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use caliper_container::backend::ContainerBackend;
use caliper_container::docker::{DockerBackend, DockerOptions, EngineKind};
use caliper_core::names::PythonVersion;
use caliper_core::report::model::{self, ScenarioResult, SelftestReport};

use crate::args::{FormatName, IndexArgs, SelftestBackend};
use crate::exit::{Exit, Failure, Outcome};
use crate::selftest::{Bench, Scenario, all};
use crate::sources::{self, Index};
use crate::terminal::{Terminal, printable};
use crate::{layout, setting};

pub(super) fn run(
    backends: &[SelftestBackend],
    only: &[String],
    jobs: usize,
    index: &IndexArgs,
    format: FormatName,
    terminal: Terminal,
) -> Outcome {
    let patterns = layout::patterns("--only", only)?;
    let chosen: Vec<Scenario> = all()
        .into_iter()
        .filter(|one| patterns.as_ref().is_none_or(|patterns| patterns.is_match(&one.name)))
        .collect();
    if chosen.is_empty() {
        return Err(Failure::question("`--only` matches no scenario"));
    }
    let cache = setting::cache(Path::new("caliper.yaml"));
    let index = Index::open(index, &cache, terminal)?;
    let mut report = SelftestReport {
        schema: model::SCHEMA,
        left_out: Vec::new(),
        left_behind: Vec::new(),
        results: Vec::new(),
    };
    let mut available = Vec::new();
    for backend in SelftestBackend::ALL {
        let asked = backends.contains(&backend);
        if !asked && !backends.is_empty() {
            continue;
        }
        match python(backend, &index, &cache) {
            Ok(python) => available.push((backend, python)),
            Err(failure) if asked => return Err(failure),
            Err(failure) => report.left_out.push(format!("{}: {}", backend.name(), failure.error)),
        }
    }
    let uv = available.iter().any(|(backend, _)| *backend == SelftestBackend::Local);
    let uv = if uv { sources::uv_if_needed(&index, &cache)? } else { None };
    let bench = Bench::new(uv).map_err(|error| {
        Failure::infrastructure("could not make a folder for the scenarios", error)
    })?;
    let mut work = Vec::new();
    for (backend, python) in &available {
        for scenario in &chosen {
            if let Some(expected) = scenario.expected(backend.name()) {
                work.push((scenario, *backend, *python, expected));
            }
        }
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut lines = Vec::new();
        while let Some((scenario, backend, python, expected)) =
            work.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let line = measure(&bench, scenario, *backend, *python, expected)?;
            let verdict = if line.passed { "ok" } else { "DIFFERS" };
            terminal.note(&format!(
                "{verdict:>8}  {:<8} {} ({:.1} s)",
                line.backend, line.scenario, line.seconds
            ));
            lines.push(line);
        }
        Ok::<_, Failure>(lines)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let lines = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            report.results.extend(lines?);
        }
        Ok::<(), Failure>(())
    })?;
    let place = |line: &ScenarioResult| {
        work.iter().position(|(scenario, backend, ..)| {
            scenario.name == line.scenario && backend.name() == line.backend
        })
    };
    report.results.sort_by_key(place);
    report.left_behind = bench.left_behind();
    match format {
        FormatName::Json => super::print_json(&report, terminal)?,
        FormatName::Text => terminal.data(&printable(&text(&report, &available))),
    }
    let fine = !report.results.is_empty()
        && report.results.iter().all(|line| line.passed)
        && report.left_behind.is_empty();
    Ok(if fine { Exit::Done } else { Exit::Unexpected })
}

fn measure(
    bench: &Bench,
    scenario: &Scenario,
    backend: SelftestBackend,
    python: PythonVersion,
    expected: &str,
) -> Result<ScenarioResult, Failure> {
    let began = std::time::Instant::now();
    let observed = bench.observe(scenario, backend.name(), python).map_err(|error| {
        Failure::infrastructure(
            format!("could not measure the scenario `{}`", scenario.name),
            error,
        )
    })?;
    let passed = observed.text == expected && observed.faults.is_empty();
    let mut faults = observed.faults;
    if !passed {
        faults.extend(observed.said.lines().map(str::to_owned));
    }
    Ok(ScenarioResult {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        backend: backend.name().to_owned(),
        passed,
        expected: expected.to_owned(),
        observed: observed.text,
        faults,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The newest Python of a backend, if it can be used.
fn python(backend: SelftestBackend, index: &Index, cache: &Path) -> Result<PythonVersion, Failure> {
    let setup = sources::plain_setup();
    let engine = |kind| {
        let options = DockerOptions { kind, ..sources::engine_options(index, cache) };
        DockerBackend::connect(options)?.interpreters(&BTreeSet::new(), &setup)
    };
    let found = match backend {
        SelftestBackend::Local => {
            sources::local(index, cache, None).interpreters(&BTreeSet::new(), &setup)?
        }
        SelftestBackend::Docker => engine(EngineKind::Docker)?,
        SelftestBackend::Podman => engine(EngineKind::Podman)?,
    };
    let newest = found.iter().map(|python| python.python).max();
    newest.ok_or_else(|| {
        let what = if backend == SelftestBackend::Local { "Python" } else { "image `python:X.Y`" };
        Failure::question(format!("the `{}` backend has no {what}", backend.name()))
    })
}

fn text(report: &SelftestReport, available: &[(SelftestBackend, PythonVersion)]) -> String {
    let mut text = String::new();
    for left_out in &report.left_out {
        let _ = writeln!(text, "left out {left_out}");
    }
    for line in report.results.iter().filter(|line| !line.passed) {
        let _ = writeln!(text, "\n{} on {}: {}", line.scenario, line.backend, line.about);
        let _ = writeln!(text, "expected:\n{}got:\n{}", line.expected, line.observed);
        for fault in &line.faults {
            let _ = writeln!(text, "  {fault}");
        }
    }
    for folder in &report.left_behind {
        let _ = writeln!(text, "left behind: {}", folder.display());
    }
    for (backend, python) in available {
        let lines = || report.results.iter().filter(|line| line.backend == backend.name());
        let passed = lines().filter(|line| line.passed).count();
        let _ = writeln!(
            text,
            "{} with Python {python}: {passed} of {} scenarios as expected",
            backend.name(),
            lines().count()
        );
    }
    text
}
