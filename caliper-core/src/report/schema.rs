//! The formats of Caliper as [JSON Schema](https://json-schema.org/draft/2020-12).

use super::model;

/// A format that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `caliper.yaml`.
    Config,
    /// `results.json`.
    Results,
    /// `records/<cell>.json`.
    Record,
    /// A line of `--progress json`.
    Event,
    /// `resolve --format json`.
    Grid,
    /// `plan --format json`.
    Forecast,
    /// `suggest --format json`.
    Advice,
    /// `compare --format json`.
    Comparison,
    /// `blame --format json`.
    Blame,
    /// `bounds --format json`.
    Bounds,
    /// `doctor --format json`.
    Diagnosis,
    /// `selftest --format json`.
    Selftest,
    /// `replay --format json`.
    Replay,
    /// A line of `export --to ndjson`.
    Row,
    /// `history --format json`.
    History,
    /// `spread --format json`.
    Spread,
    /// `probe --format json`.
    Probe,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 17] = [
        Self::Config,
        Self::Results,
        Self::Record,
        Self::Event,
        Self::Grid,
        Self::Forecast,
        Self::Advice,
        Self::Comparison,
        Self::Blame,
        Self::Bounds,
        Self::Diagnosis,
        Self::Selftest,
        Self::Replay,
        Self::Row,
        Self::History,
        Self::Spread,
        Self::Probe,
    ];
}

/// The schema of a format, as JSON with a line break at the end.
pub fn schema(format: Format) -> String {
    let schema = match format {
        Format::Config => return include_str!("schema/config.json").to_owned(),
        Format::Results => schemars::schema_for!(crate::analysis::results::Results),
        Format::Record => schemars::schema_for!(crate::facts::record::Record),
        Format::Event => schemars::schema_for!(crate::facts::event::Event),
        Format::Grid => schemars::schema_for!(crate::question::grid::Grid),
        Format::Forecast => schemars::schema_for!(model::Forecast),
        Format::Advice => schemars::schema_for!(model::Advice),
        Format::Comparison => schemars::schema_for!(model::Comparison),
        Format::Blame => schemars::schema_for!(model::BlameReport),
        Format::Bounds => schemars::schema_for!(model::BoundsReport),
        Format::Diagnosis => schemars::schema_for!(model::Diagnosis),
        Format::Selftest => schemars::schema_for!(model::SelftestReport),
        Format::Replay => schemars::schema_for!(model::Replays),
        Format::Row => return format!("{:#}\n", super::export::schema_of_rows()),
        Format::History => schemars::schema_for!(crate::analysis::history::History),
        Format::Spread => schemars::schema_for!(model::SpreadReport),
        Format::Probe => schemars::schema_for!(model::ProbeReport),
    };
    // A schema is plain JSON; printing it cannot fail.
    format!("{:#}\n", schema.as_value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::config::tests_support::keys;

    fn parsed(format: Format) -> serde_json::Value {
        serde_json::from_str(&schema(format)).unwrap()
    }

    #[test]
    fn every_schema_is_one() {
        for format in Format::ALL {
            jsonschema::meta::validate(&parsed(format)).unwrap();
        }
    }

    #[test]
    fn a_record_is_valid() {
        let record = crate::facts::record::tests::record("1.0", "3.11");
        let validator = jsonschema::validator_for(&parsed(Format::Record)).unwrap();
        let mut value = serde_json::to_value(&record).unwrap();
        assert!(validator.is_valid(&value));
        value["key"] = "md5:1".into();
        assert!(!validator.is_valid(&value));
    }

    #[test]
    fn the_schema_of_the_configuration_has_the_keys_that_are_read() {
        let schema = parsed(Format::Config);
        let names = |value: &serde_json::Value| -> Vec<String> {
            let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let analysis = &schema["properties"]["analysis"]["properties"];
        let [
            of_analysis,
            of_limits,
            of_test,
            of_versions,
            of_compare,
            of_bundle,
            of_project,
            of_group,
            of_expect,
            of_expected_value,
            of_overlay,
        ] = keys();
        assert_eq!(names(analysis), of_analysis);
        assert_eq!(names(&analysis["limits"]["properties"]), of_limits);
        assert_eq!(names(&analysis["project"]["anyOf"][1]["properties"]), of_project);
        assert_eq!(names(&analysis["tests"]["items"]["anyOf"][1]["properties"]), of_test);
        assert_eq!(names(&schema["$defs"]["compare"]["properties"]), of_compare);
        let bundle = &analysis["axes"]["additionalProperties"]["anyOf"][3]["additionalProperties"];
        assert_eq!(names(&bundle["properties"]), of_bundle);
        let group = &analysis["groups"]["anyOf"][1]["additionalProperties"];
        assert_eq!(names(&group["properties"]), of_group);
        let expect = &analysis["expect"]["anyOf"][1]["properties"];
        assert_eq!(names(expect), of_expect);
        assert_eq!(names(&expect["values"]["items"]["properties"]), of_expected_value);
        assert_eq!(names(&analysis["overlay"]["items"]["properties"]), of_overlay);
        assert_eq!(names(&analysis["versions"]["anyOf"][1]["properties"]), of_versions);
    }
}
