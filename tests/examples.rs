//! The examples under `docs/` are valid.

use std::path::Path;

use crate::support::World;

#[test]
fn every_example_is_a_valid_configuration() {
    let world = World::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let mut seen = 0;
    for folder in std::fs::read_dir(examples).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            // Those of other programs have another ending, or their own name.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("caliper") && name.ends_with(".yaml") {
                world.caliper(&["check", path.to_str().unwrap()]).expect(0);
                seen += 1;
            }
        }
    }
    assert!(seen >= 3);
}
