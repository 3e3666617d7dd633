//! The configurations that the documentation shows are valid.

use caliper_core::question::config::Config;

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
            let read = |_: &str| Ok(b"FROM {{ base }}".to_vec());
            if let Err(error) = Config::from_yaml(name, text, &read) {
                panic!("{error}");
            }
        }
    }
}
