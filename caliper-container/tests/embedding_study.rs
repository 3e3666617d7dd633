//! The function of `docs/embedding.md` that measures a configuration, compiled and run.

use caliper_container::runner::{RunContext, RunError, RunOptions};
use caliper_container::study::{Method, Question, measure};
use caliper_core::{analysis::results::Results, question::config::Config, question::plan::Plan};

/// Measures a configuration, and says what follows from it.
fn results(
    config: &Config,
    plan: &Plan,
    context: RunContext<'_>,
) -> Result<Option<Results>, RunError> {
    let (criteria, baseline) = (&config.compare, config.baseline.as_ref());
    let question = Question { plan, rest: None, is_whole: true, baseline, criteria };
    let options = RunOptions { jobs: 2, ..RunOptions::default() };
    let method = Method { confirm: true, ..Method::default() };
    let study = measure(&question, context, &options, &method)?;
    Ok(study.results(&question, &[], &|blob| context.store.content(blob).ok()))
}

#[test]
fn the_function_measures_a_configuration() {
    use caliper_container::backend::ContainerBackend as _;
    use caliper_container::fake::{FakeBackend, FakeRun};
    use caliper_container::interrupt::Interrupt;
    use caliper_container::project::Project;
    use caliper_core::facts::event::Collected;
    use caliper_core::facts::store::MemoryStore;
    use caliper_core::question::files::FilesInMemory;
    use caliper_pypi::{index, resolve::resolve};

    let text = "analysis: {dependency: demo, tests: [{name: t, run: python -m demo}]}";
    let config = Config::from_yaml("caliper.yaml", text, &|_| unreachable!("no files")).unwrap();
    let files = ["demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"];
    let offered = index::Project::from_filenames(config.dependency.clone(), files);
    let index = index::IndexInMemory::default().with(offered);
    let backend = FakeBackend::new(["3.11".parse().unwrap()]).running(|cell, test| {
        let fails = test == "t" && cell.version.release()[0] < 2;
        Ok(FakeRun::exits(i32::from(fails)))
    });
    let pythons = backend.interpreters(&[].into(), &config.setup()).unwrap();
    let grid = resolve(&config.dependency, &config.selection, &pythons, &index).unwrap();
    let plan = Plan::new(&config.name, config.setup(), pythons, grid);
    let folder = tempfile::tempdir().unwrap();
    let context = RunContext {
        backend: &backend,
        project: &Project::read(folder.path(), None).unwrap(),
        files: &FilesInMemory::default(),
        store: &MemoryStore::default(),
        reporter: &Collected::default(),
        interrupt: &Interrupt::default(),
    };
    let results = results(&config, &plan, context).unwrap().unwrap();
    // 1.0 fails where 2.0 passes: both were run until that is sure.
    let runs: Vec<u32> = results.cells.iter().map(|record| record.attempts("t")).collect();
    assert_eq!(runs, [3, 3]);
    let row = results.rows.iter().find(|row| row.test == "t").unwrap();
    insta::assert_snapshot!(row.transitions[0], @"is fixed between 1.0 and 2.0 (adjacent; 3 runs on each side agree)");
}

#[test]
fn the_documentation_shows_this_function() {
    let this = include_str!("embedding_study.rs");
    let page = include_str!("../../docs/embedding.md");
    let function = this.split("\n#[test]").next().unwrap();
    let function = function.split_once("\n\n").unwrap().1.trim();
    assert!(page.contains(function), "copy the function into docs/embedding.md");
}
