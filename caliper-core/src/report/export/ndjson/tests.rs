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
    // Signs that turn the line around would do so here too.
    let first = text.lines().next().unwrap().replace(['\u{202e}', '\u{fffe}'], "");
    insta::assert_snapshot!(first, @r#"{"cell":"1.0/3.11[axis=label]","release":"1.0","python":"3.11","variant":"axis=label","test":null,"state":"cannot be built","verdict":null,"runs":null,"outcome":null,"seconds":null,"cpu_seconds":null,"peak_memory_bytes":null,"stale":false,"attempt":null,"batch":null,"started":null,"reason":"=1+1]]>\u0000\u001b[2J\r\n<script>alert(1)</script>&amp;'\"`|@you\\{{}}';--","exit_status":null,"signal":null,"reused":null,"measures":null,"build_seconds":18446744073.709553,"backend":"fake","as_of":null,"finished":"2020-09-13T12:26:40Z","seed":null}"#);
    let lines = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let seeds: Vec<Json> =
        lines.map(|line| line["seed"].clone()).filter(|seed| !seed.is_null()).collect();
    assert_eq!(seeds[..2], [json!(7), json!(u64::MAX)]);
}
