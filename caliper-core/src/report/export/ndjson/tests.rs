use super::*;
use crate::report::export::tests::hostile;

#[test]
fn each_line_is_an_object_of_the_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let text = ndjson(&hostile());
    for line in text.lines() {
        let value: Json = serde_json::from_str(line).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
    }
    insta::assert_snapshot!(text.lines().next().unwrap(), @"");
}
