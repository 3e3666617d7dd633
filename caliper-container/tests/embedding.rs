//! The program of `docs/embedding.md`, compiled and run.

use std::{collections::BTreeSet, error::Error, fs, path::Path};

use caliper_container::backend::ContainerBackend as _;
use caliper_container::fake::{FakeBackend, FakeRun};
use caliper_container::interrupt::Interrupt;
use caliper_container::project::Project;
use caliper_container::runner::{RunContext, RunOptions, run};
use caliper_core::analysis::Analysis;
use caliper_core::facts::{event, store, store::ResultStore as _};
use caliper_core::question::{config::Config, files, plan::Plan};
use caliper_core::report::{grid, model::GridView};
use caliper_pypi::{index, resolve::resolve};

fn measure() -> Result<String, Box<dyn Error>> {
    let root = Path::new("../docs/examples/quickstart");
    let text = fs::read_to_string(root.join("caliper.yaml"))?;
    let config = Config::from_yaml("caliper.yaml", &text, &|name| fs::read(root.join(name)))?;
    let wheels = ["Jinja2-2.11.3-py2.py3-none-any.whl", "Jinja2-3.1.2-py3-none-any.whl"];
    let offered = index::Project::from_filenames(config.dependency.clone(), wheels);
    let backend = FakeBackend::new(["3.11".parse()?])
        .running(|cell, _| Ok(FakeRun::exits(i32::from(cell.version.release()[0] < 3))));
    let pythons = backend.interpreters(&BTreeSet::new(), &config.setup())?;
    let index = index::IndexInMemory::default().with(offered);
    let grid = resolve(&config.dependency, &config.selection, &pythons, &index)?;
    let plan = Plan::new(&config.name, config.setup(), pythons, grid);
    let project = Project::read(root, Some(&root.join("caliper.yaml")))?;
    let (files, store) = (files::FilesInMemory::default(), store::MemoryStore::default());
    let (reporter, interrupt) = (&event::Collected::default(), &Interrupt::default());
    let (backend, project, files, store) = (&backend, &project, &files, &store);
    let context = RunContext { backend, project, files, store, reporter, interrupt };
    let records = run(&plan, context, &RunOptions { jobs: 2, ..RunOptions::default() })?.records;
    let blobs = |blob| store.content(blob).ok();
    let analysis = Analysis::new(&records, config.baseline.as_ref(), &config.compare, &blobs);
    let view = GridView::new(&records, analysis.verdicts(), &BTreeSet::new());
    Ok(grid::plain(&view))
}

#[test]
fn the_program_measures_a_grid() {
    insta::assert_snapshot!(measure().unwrap(), @"
            3.11
    2.11.3  ✗
    3.1.2   ✓

    ✓ same result   ✗ fails: no test passes
    2 cells · 1 same result · 1 fails
    ");
}

#[test]
fn the_documentation_shows_this_program() {
    let this = include_str!("embedding.rs");
    let page = include_str!("../../docs/embedding.md");
    let program = this.split("\n#[test]").next().unwrap();
    let program = program.split_once("\n\n").unwrap().1.trim();
    assert!(page.contains(program), "copy the program into docs/embedding.md");
}
