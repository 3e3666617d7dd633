//! Against the real index. Not part of the usual tests: `cargo test -- --ignored live`.

use std::path::Path;
use std::process::Command;

use crate::support::{World, python};

/// The quickstart, as the README has it, without a `uv` on the machine.
#[test]
#[ignore = "asks the real package index"]
fn the_quickstart_on_a_machine_without_uv() {
    let world = World::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/quickstart");
    for file in ["caliper.yaml", "render.py"] {
        std::fs::copy(example.join(file), world.project().join(file)).unwrap();
    }
    let python = python();
    let mut command = world.command(&["run", "--python", &python]);
    command.env_remove("CALIPER_INDEX_URL").env("PATH", "/usr/local/bin:/usr/bin:/bin");
    for name in ["SSL_CERT_FILE", "HTTPS_PROXY", "PIP_INDEX_URL"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let said = world.said(command.output().unwrap()).expect(0);
    let results = world.results();
    let cells = results["cells"].as_array().unwrap();
    assert!(cells.len() >= 28, "{}", said.out);
    let schema = Command::new(env!("CARGO_BIN_EXE_caliper")).args(["schema", "results"]).output();
    let schema = serde_json::from_slice(&schema.unwrap().stdout).unwrap();
    jsonschema::validate(&schema, &results).unwrap();
    // Whatever happens to MarkupSafe next, today's releases of Jinja2 work and 2.8 does not.
    let passed = |version: &str| {
        let cell = cells.iter().find(|cell| cell["version"] == version).unwrap();
        let mut tests = cell["tests"].as_array().unwrap().iter();
        tests.all(|test| test["runs"][0]["outcome"] == "passed")
    };
    assert!(passed("3.1.6") && !passed("2.11.3"), "{}", said.out);
}

/// A pickle is read where it was written, and its arrays are the result.
#[test]
#[ignore = "asks the real package index"]
fn what_a_pickle_holds_is_the_result() {
    let world = World::new();
    world.write(
        "caliper.yaml",
        "analysis:\n  dependency: numpy\n  versions: [2.2.6]\n  import: false\n  requirements: [pyarrow]\n  \
         results: {model: [out/*.pkl], table: [out/*.parquet]}\n  export: [out/*.pkl, out/*.parquet]\n  \
         tests: [{name: t, run: python t.py, repeat: 2}]\n",
    );
    world.write(
        "t.py",
        "import os, pickle\nimport numpy as np\nclass Model: pass\nmodel = Model()\n\
         model.weights = [np.arange(3.0), np.float32(0.5)]\nmodel.run = os.getpid()\nos.mkdir('out')\n\
         pickle.dump(model, open('out/model.pkl', 'wb'))\n\
         import pyarrow, pyarrow.parquet\n\
         table = pyarrow.table({'x': [1.5, None], 'run': [os.getpid()] * 2, 'name': ['a', None]})\n\
         pyarrow.parquet.write_table(table, 'out/table.parquet')\n",
    );
    let python = python();
    let mut command = world.command(&["run", "--python", &python, "--format", "json"]);
    command.env_remove("CALIPER_INDEX_URL");
    for name in ["SSL_CERT_FILE", "HTTPS_PROXY", "PIP_INDEX_URL"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let said = world.said(command.output().unwrap()).expect(0);
    let results: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let run = &results["cells"][0]["tests"][0]["runs"][0];
    assert_eq!(run["files"][0]["path"], "out/model.pkl.export.npz", "{run:#}");
    // The arrays are equal, and of all that each file holds only the number of the process is not.
    for (number, name) in ["model", "table"].into_iter().enumerate() {
        let stage = &results["stages"][0]["stages"][number];
        assert_eq!(
            (&stage["stage"], &stage["agreement"]),
            (&name.into(), &"differs".into()),
            "{stage:#}"
        );
        let arrays = stage["parts"][0]["comparison"]["arrays"].as_array().unwrap();
        assert_eq!(arrays.len(), 1, "{arrays:#?}");
        assert_eq!(arrays[0]["name"], "run", "{arrays:#?}");
    }
}
