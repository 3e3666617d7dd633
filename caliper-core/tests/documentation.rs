//! The configurations that the documentation shows are valid.

use caliper_core::question::config::Config;

/// What the pages take the project to declare.
const PROJECT: &str = "[project]
name = 'weatherkit'
optional-dependencies = {test = []}

[dependency-groups]
dev = []
";

#[test]
fn documented_configurations_are_valid() {
    for (name, page) in [
        ("README.md", include_str!("../../README.md")),
        ("docs/configuration.md", include_str!("../../docs/configuration.md")),
    ] {
        let blocks: Vec<&str> = page.split("```yaml\n").skip(1).collect();
        assert!(!blocks.is_empty(), "{name} shows a configuration");
        for block in blocks {
            let text = block.split("```").next().unwrap();
            let read = |file: &str| {
                let text = if file == "pyproject.toml" { PROJECT } else { "FROM {{ base }}" };
                Ok(text.as_bytes().to_vec())
            };
            let list = |_: &str| Ok(vec!["demo/__init__.py".to_owned()]);
            if let Err(error) = Config::from_project(name, text, &read, &list) {
                panic!("{error}");
            }
        }
    }
}
