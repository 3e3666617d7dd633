mod properties;

use std::io::Write as _;

use super::*;
use crate::analysis::compare::comparison::Rung;
use crate::analysis::compare::format::npy::tests::array;
use crate::question::criteria::{Nan, Rule, Tolerance};

fn of(format: Format, expected: &str, actual: &str) -> Comparison {
    compare(format, expected.as_bytes(), actual.as_bytes(), &Policy::default())
}

/// What is told of a comparison, on a line.
fn told(comparison: &Comparison) -> String {
    let rules: Vec<String> = comparison.rules.iter().map(|rule| format!("{rule:?}")).collect();
    let place = comparison.divergence.as_ref().map(ToString::to_string);
    let told = [comparison.rung.to_string(), rules.join("+"), place.unwrap_or_default()];
    let told: Vec<String> = told.into_iter().filter(|part| !part.is_empty()).collect();
    told.join("; ")
}

#[test]
fn texts_reach_their_rung() {
    let cases = [
        // What rules take out; only those that are needed are named.
        ("done at 2024-01-31T10:11:12", "done at 2025-12-01T09:00:00"),
        ("2024-01-31T10:11:12 in 0.12s", "2024-01-31T10:11:12 in 0.13s"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\n", "a"),
        (" 10%\r100%\n", " 50%\r100%\n"),
        ("<F at 0x7f0000000000> {'b', 'a'}", "<F at 0x7f1111111111> {'a', 'b'}"),
        // Numbers.
        ("loss 0.5\nacc 0.25", "loss 0.50000001\nacc 0.25"),
        ("loss 0.5\nacc 0.25", "loss 0.50000001\nacc 0.2500000001"),
        ("x 1", "x 1.0"),
        ("[ 9.5 10. ]", "[10.5  9. ]"),
        ("1 nan inf", "1 nan -inf"),
        ("a 1 b", "a 2 c"),
        ("step 3: 1.5\nstep 4: 2.5", "step 3: 1.5\nstep 4: 2.75"),
        ("took 1.5s: 3.25", "took 1.7s: 3.5"),
        // Texts.
        ("model v2", "model v3"),
        ("é 1.0 then this", "é 1.0 then that"),
        ("a\nb\nc", "a\nb"),
        ("one ", "one"),
        ("1 2", "1 2 3"),
        ("1.5", "n/a"),
        ("", "x"),
    ];
    let told = cases.map(|(expected, actual)| told(&of(Format::Text, expected, actual)));
    insta::assert_snapshot!(told.join("\n"), @r"
    same, normalised; Timestamps
    same, normalised; Durations
    same, normalised; LineEndings
    same, normalised; LineEndings
    same, normalised; ProgressBars
    same, normalised; Addresses+Sets
    within tolerance; line 1, column 6: `0.50000001` instead of `0.5`, 1.000e-8 off, relatively 2.000e-8
    within tolerance; line 1, column 6: `0.50000001` instead of `0.5`, 1.000e-8 off, relatively 2.000e-8
    within tolerance; Spelling; line 1, column 3: `1.0` instead of `1`
    other numbers; line 1, column 3: `10.5` instead of `9.5`, 1.000e0 off, relatively 1.053e-1
    other numbers; line 1, column 7: `-inf` instead of `inf`
    other text; line 1, column 5: `c` instead of `b`
    other numbers; line 2, column 9: `2.75` instead of `2.5`, 2.500e-1 off, relatively 1.000e-1
    other numbers; line 1, column 12: `3.5` instead of `3.25`, 2.500e-1 off, relatively 7.692e-2
    other text; line 1, column 8: `3` instead of `2`
    other text; line 1, column 14: `at` instead of `is`
    other text; line 3, column 1: `the end` instead of `c\n`
    other text; line 1, column 4: `` instead of ` `
    other text; line 1, column 4: `3` instead of ``
    other text; line 1, column 1: `n/a` instead of `1.5`
    other text; line 1, column 1: `x` instead of ``
    ");
}

#[test]
fn bytes_that_are_not_utf_8_stay_different() {
    let policy = Policy::default();
    let comparison = compare(Format::Text, b"a \xff 1.0", b"a \xfe 1.0", &policy);
    insta::assert_snapshot!(told(&comparison), @r"other text; line 1, column 3: `\xfe 1.0` instead of `\xff 1.0`");
    let comparison = compare(Format::Text, b"a \xff 1.0", b"a \xff 1.5", &policy);
    assert_eq!(comparison.rung, Rung::OtherNumbers);
}

#[test]
fn json_is_compared_by_what_it_says() {
    let cases = [
        (r#"{"a": 1, "b": [1, 2.5]}"#, r#"{ "b": [1,2.5], "a":1 }"#),
        (r#"{"a": [{"b": 0.1}, NaN]}"#, r#"{"a": [{"b": 0.30000000000000004}, NaN]}"#),
        (r#"{"a b": {"c": 1.0}}"#, r#"{"a b": {"c": 1.00000001}}"#),
        ("[12345678901234567890123]", "[12345678901234567890124]"),
        (r#"{"a": 1, "b": 2}"#, r#"{"a": 1}"#),
        (r#"{"a": 1}"#, r#"{"a": 1, "b": null}"#),
        (r#"{"a": 1, "a": 2}"#, r#"{"a": 1, "a": 3}"#), // nothing is dropped
        (r#"{"a": 1}"#, r#"{"a": "1"}"#),
        ("[1, 2]", "[1, 2, 3]"),
        ("[true]", "[false]"),
        (r#"["at 0x7f0000000000"]"#, r#"["at 0x7f1111111111"]"#),
        (r#"["a\r\nb"]"#, r#"["a\nb"]"#),
        (r#"["\u00e9"]"#, r#"["é"]"#),
        (r#"["2 steps"]"#, r#"["3 steps"]"#),
    ];
    let told = cases.map(|(expected, actual)| {
        let comparison = of(Format::Json, expected, actual);
        assert_eq!(comparison.read_as, ReadAs::Json);
        told(&comparison)
    });
    insta::assert_snapshot!(told.join("\n"), @r#"
    same, normalised
    other numbers; $.a[0].b: `0.30000000000000004` instead of `0.1`, 2.000e-1 off, relatively 2.000e0
    within tolerance; $["a b"].c: `1.00000001` instead of `1.0`, 1.000e-8 off, relatively 1.000e-8
    other numbers; $[0]: `12345678901234567890124` instead of `12345678901234567890123`, 1.000e0 off, relatively 8.100e-23
    other text; $.b: `nothing` instead of `2`
    other text; $.b: `null` instead of `nothing`
    other numbers; $.a: `3` instead of `2`, 1.000e0 off, relatively 5.000e-1
    other text; $.a: `"1"` instead of `1`
    other text; $: `3 elements` instead of `2 elements`
    other text; $[0]: `false` instead of `true`
    same, normalised; Addresses
    same, normalised; LineEndings
    same, normalised
    other numbers; $[0]: `3` instead of `2`, 1.000e0 off, relatively 5.000e-1
    "#);
}

#[test]
fn what_cannot_be_read_is_told() {
    let comparison = of(Format::Json, "{'a': 1.0}", "{'a': 2.0}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&comparison).unwrap(), @r#"
    {
      "rung": "other_numbers",
      "read_as": "text",
      "unread": [
        "the expected result is not JSON, so they were compared as text: line 1 has no key where one should be",
        "the actual result is not JSON, so they were compared as text: line 1 has no key where one should be"
      ],
      "divergence": {
        "place": {
          "line": {
            "line": 1,
            "column": 7
          }
        },
        "label": "'a'",
        "expected": "1.0",
        "actual": "2.0",
        "absolute": 1.0,
        "relative": 1.0,
        "ulps": 4503599627370496
      },
      "numbers": {
        "compared": 1,
        "beyond": 1,
        "largest_absolute": 1.0,
        "largest_relative": 1.0,
        "largest_ulps": 4503599627370496
      },
      "farthest": {
        "place": {
          "line": {
            "line": 1,
            "column": 7
          }
        },
        "label": "'a'",
        "expected": "1.0",
        "actual": "2.0",
        "absolute": 1.0,
        "relative": 1.0,
        "ulps": 4503599627370496
      }
    }
    "#);
    let comparison = of(Format::Npy, "one", "one more");
    insta::assert_snapshot!(serde_json::to_string_pretty(&comparison).unwrap(), @r#"
    {
      "rung": "other_text",
      "read_as": "bytes",
      "unread": [
        "the expected result is not an array, so they were compared as bytes: it does not begin as one",
        "the actual result is not an array, so they were compared as bytes: it does not begin as one"
      ],
      "divergence": {
        "place": {
          "byte": {
            "offset": 3,
            "array": null
          }
        },
        "expected": "nothing",
        "actual": "206d6f7265"
      },
      "extent": {
        "bytes": {
          "expected": 3,
          "actual": 8
        }
      }
    }
    "#);
}

#[test]
fn tables_are_compared_by_name() {
    let cases = [
        ("a,b\n1,2\n", "b,a\n2,1\n"),
        ("a,loss\n1,0.5\n", "a,loss\n1,0.75\n"),
        ("a,b\n\"x\",\"1,5\"\n", "a,b\nx,\"1,5\"\n"),
        ("a,b\n1,2\n", "a,c\n1,2\n"),
        ("1,2\n3,4\n", "1,2\n3,5\n"),
        ("a,b\n1,2,3\n", "a,b\n1,2\n"),
        ("a,b\n1,2\n", "a,b\n1,2\n3,4\n"),
        ("a,b\n1,\n", "a,b\n1,0\n"),
        (",a\n0,nan\n", ",a\n0,NaN\n"),
        ("when,a\n2024-01-31 10:11:12,1\n", "when,a\n2025-01-31 10:11:12,1\n"),
        ("a,b\n1\n", "b,a\n1\n"), // a row that is too short for its column
    ];
    let told = cases.map(|(expected, actual)| told(&of(Format::Csv, expected, actual)));
    insta::assert_snapshot!(told.join("\n"), @"
    same, normalised
    other numbers; row 2, loss: `0.75` instead of `0.5`, 2.500e-1 off, relatively 5.000e-1
    same, normalised
    other text; row 1, column 2: `c` instead of `b`
    other numbers; row 2, column 2: `5` instead of `4`, 1.000e0 off, relatively 2.500e-1
    other text; row 2, column 3: `2 values` instead of `3 values`
    other text; row 3, a: `3,4` instead of `the end`
    other text; row 2, b: `0` instead of ``
    within tolerance; Spelling; row 2, a: `NaN` instead of `nan`
    same, normalised; Timestamps
    same, normalised
    ");
}

#[test]
fn a_field_has_its_own_tolerance() {
    let with = |fields: &[(&str, f64)]| Policy {
        fields: fields
            .iter()
            .map(|(name, absolute)| ((*name).to_owned(), Tolerance::new(*absolute, 0.0).unwrap()))
            .collect(),
        ..Policy::default()
    };
    let rung = |format, expected: &str, actual: &str, policy: &Policy| {
        compare(format, expected.as_bytes(), actual.as_bytes(), policy).rung
    };
    let cases = [
        (Format::Csv, "a,b\n1,2\n", "a,b\n1,3\n", "b", Rung::WithinTolerance),
        (Format::Csv, "a,b\n1,2\n", "b,a\n3,1\n", "b", Rung::WithinTolerance), // wherever it is
        (Format::Csv, "a,b\n1,2\n", "a,b\n1,3\n", "a", Rung::OtherNumbers),
        (Format::Json, r#"{"a": [{"b": 2}]}"#, r#"{"a": [{"b": 3}]}"#, "b", Rung::WithinTolerance),
        (
            Format::Json,
            r#"{"a": [{"b": 2}]}"#,
            r#"{"a": [{"b": 3}]}"#,
            "a[0].b",
            Rung::WithinTolerance,
        ),
        (Format::Json, r#"{"a": [{"b": 2}]}"#, r#"{"a": [{"b": 3}]}"#, "a*", Rung::WithinTolerance),
        (Format::Json, r#"{"a": [2, 2]}"#, r#"{"a": [2, 3]}"#, "a", Rung::WithinTolerance),
        (Format::Json, r#"{"a": [{"b": 2}]}"#, r#"{"a": [{"b": 3}]}"#, "a", Rung::OtherNumbers),
    ];
    for (format, expected, actual, field, is) in cases {
        assert_eq!(rung(format, expected, actual, &with(&[(field, 1.0)])), is, "{actual} {field}");
    }
}

fn doubles(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn arrays_are_compared_by_value() {
    let six = doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let c = array("'<f8'", "False", "(2, 3)", &six);
    let singles: Vec<u8> = (1..=6_u8).flat_map(|number| f32::from(number).to_be_bytes()).collect();
    let more: Vec<u8> =
        (1..=6_u8).flat_map(|number| (f32::from(number) + 0.25).to_le_bytes()).collect();
    let two = |a: f64, b: u8, pad: u8| [&a.to_le_bytes()[..], &[b, pad]].concat();
    let fields = "[('a', '<f8'), ('b', '|u1'), ('', '|V1')]";
    let time = |unit: &str, count: i64| {
        array(&format!("'<M8[{unit}]'"), "False", "()", &count.to_le_bytes())
    };
    let cases = [
        // The same values.
        (c.clone(), array("'<f8'", "True", "(2, 3)", &doubles(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]))),
        (c.clone(), array("'>f4'", "False", "(2, 3)", &singles)),
        (
            array("'<U1'", "False", "()", b"a\0\0\0"),
            array("'>U2'", "False", "()", b"\0\0\0a\0\0\0\0"),
        ),
        (
            array(fields, "False", "()", &two(1.0, 2, 3)),
            array(fields, "False", "()", &two(1.0, 2, 9)),
        ),
        (time("s", 3), time("ms", 3000)),
        (array("'|b1'", "False", "(0,)", b""), array("'|b1'", "True", "(0,)", b"")),
        // Others.
        (c.clone(), array("'<f4'", "False", "(2, 3)", &more)),
        (c.clone(), array("'<f8'", "False", "(2, 3)", &doubles(&[1.0, 2.0, 3.0, 4.5, 5.0, 7.0]))),
        (c.clone(), array("'<f8'", "False", "(3, 2)", &six)),
        (
            array(fields, "False", "()", &two(1.0, 2, 3)),
            array(fields, "False", "()", &two(1.0, 3, 3)),
        ),
        (time("s", 3), time("ms", 3001)),
        (time("s", 3), time("M", 3)),
        (array("'|S1'", "False", "()", b"a"), array("'<U1'", "False", "()", b"a\0\0\0")),
        (array("'<f16'", "False", "()", &[0; 16]), array("'<f16'", "False", "()", &[1; 16])),
        (array("'<c8'", "False", "()", &[0; 8]), array("'<c8'", "False", "()", &[0x3f; 8])),
        (array("'|V2'", "False", "()", b"ab"), array("'|V2'", "False", "()", b"ac")),
        (array("'|O'", "False", "()", b"\x80\x04N."), array("'|O'", "False", "()", b"\x80\x04K.")),
    ];
    let told = cases.map(|(expected, actual)| {
        told(&compare(Format::Npy, &expected, &actual, &Policy::default()))
    });
    insta::assert_snapshot!(told.join("\n"), @"
    same, normalised
    within tolerance; Spelling; dtype: `>f4` instead of `<f8`
    same, normalised
    same, normalised
    within tolerance; Spelling; dtype: `<M8[ms]` instead of `<M8[s]`
    same, normalised
    other numbers; Spelling; array[0, 0]: `1.25 (<f4)` instead of `1.0 (<f8)`, 2.500e-1 off, relatively 2.500e-1
    other numbers; array[1, 0]: `4.5` instead of `4.0`, 5.000e-1 off, relatively 1.250e-1
    other text; shape: `(3, 2)` instead of `(2, 3)`
    other numbers; array[].b: `3` instead of `2`, 1.000e0 off, relatively 5.000e-1
    other numbers; Spelling; array[]: `3001 (<M8[ms])` instead of `3 (<M8[s])`
    other text; dtype: `<M8[M]` instead of `<M8[s]`
    other text; dtype: `<U1` instead of `|S1`
    other numbers; array[]: `01010101010101010101010101010101` instead of `00000000000000000000000000000000`
    other numbers; array[]: `0.7470588+0.7470588j` instead of `0.0+0.0j`, 1.057e0 off
    other text; array[]: `6163` instead of `6162`
    other text; byte 67: `4b2e` instead of `4e2e`
    ");
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn archives_are_compared_by_name() {
    let one = array("'<f8'", "False", "(1,)", &doubles(&[1.0]));
    let two = array("'<f8'", "False", "(1,)", &doubles(&[2.0]));
    let objects = [array("'|O'", "False", "()", b"\x80."), array("'|O'", "False", "()", b"\x81.")];
    let nan = array("'<f8'", "False", "(1,)", &doubles(&[f64::NAN]));
    let cases = [
        (
            archive(&[("a.npy", &one), ("b.npy", &two)]),
            archive(&[("b.npy", &two), ("a.npy", &one)]),
        ),
        (
            archive(&[("a.npy", &one), ("b.npy", &nan)]),
            archive(&[("b.npy", &nan), ("a.npy", &two)]),
        ),
        (archive(&[("a.npy", &one)]), archive(&[("a.npy", &one), ("b.npy", &one)])),
        (archive(&[("a.npy", &objects[0])]), archive(&[("a.npy", &objects[1])])),
        (archive(&[]), b"PK".to_vec()),
    ];
    let told = cases.map(|(expected, actual)| {
        let comparison = compare(Format::Npz, &expected, &actual, &Policy::default());
        format!("{} {:?}", told(&comparison), comparison.unread)
    });
    insta::assert_snapshot!(told.join("\n"), @r#"
    same, normalised []
    other numbers; a[0]: `2.0` instead of `1.0`, 1.000e0 off, relatively 1.000e0 []
    other text; array b: `an array` instead of `nothing` []
    other text; byte 65 of a: `812e` instead of `802e` ["`a` was compared as bytes: it holds pickled objects, which are never unpickled"]
    other text; byte 2: `nothing` instead of `0506000000000000` ["the actual result is not an archive of arrays, so they were compared as bytes: invalid Zip archive: Could not find EOCD"]
    "#);
}

#[test]
fn a_value_that_is_not_a_number_can_be_different() {
    let policy =
        Policy { tolerance: Tolerance::default().with_nan(Nan::Different), ..Policy::default() };
    let numbers = |comparison: Comparison| comparison.numbers.map(|numbers| numbers.beyond);
    assert_eq!(numbers(compare(Format::Text, b"nan\n1.0", b"nan\n1.00", &policy)), Some(1));
    assert_eq!(numbers(compare(Format::Json, b"[NaN, 1]", b"[NaN,1]", &policy)), Some(1));
    assert_eq!(compare(Format::Text, b"nan", b"nan", &policy).rung, Rung::SameBytes);
}

#[test]
fn a_comparison_is_written_down_and_read_again() {
    let comparison = of(Format::Text, "in 1s: 0.5 2", "in 2s: 0.75 2");
    let text = serde_json::to_string_pretty(&comparison).unwrap();
    insta::assert_snapshot!(text, @r#"
    {
      "rung": "other_numbers",
      "read_as": "text",
      "divergence": {
        "place": {
          "line": {
            "line": 1,
            "column": 8
          }
        },
        "label": "in <duration>",
        "expected": "0.5",
        "actual": "0.75",
        "absolute": 0.25,
        "relative": 0.5,
        "ulps": 2251799813685248
      },
      "numbers": {
        "compared": 2,
        "beyond": 1,
        "largest_absolute": 0.25,
        "largest_relative": 0.5,
        "largest_ulps": 2251799813685248
      },
      "farthest": {
        "place": {
          "line": {
            "line": 1,
            "column": 8
          }
        },
        "label": "in <duration>",
        "expected": "0.5",
        "actual": "0.75",
        "absolute": 0.25,
        "relative": 0.5,
        "ulps": 2251799813685248
      }
    }
    "#);
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
    assert!(Rung::SameBytes < Rung::SameNormalised && Rung::OtherNumbers < Rung::OtherText);
}

#[test]
fn a_rule_that_is_off_takes_nothing_out() {
    for rule in Rule::ALL {
        let mut policy = Policy::default();
        policy.rules.remove(&rule);
        let (expected, actual) = ("at 0x1f {'b', 'a'} in 1.5s\r", "at 0x2f {'a', 'b'} in 2.5s");
        let under =
            |policy: &Policy| compare(Format::Text, expected.as_bytes(), actual.as_bytes(), policy);
        let all = under(&Policy::default());
        assert_eq!(all.rung, Rung::SameNormalised);
        assert_eq!(all.rules.contains(&rule), under(&policy).rung > all.rung, "{rule:?}");
    }
}

#[test]
fn names_of_files_promise_formats() {
    let cases = [
        ("x.npz", Format::Npz),
        ("a/b.NPY", Format::Npy),
        ("x.json", Format::Json),
        ("x.csv", Format::Csv),
        ("x.json.txt", Format::Text),
        ("json", Format::Text),
    ];
    for (name, format) in cases {
        assert_eq!(Format::of_name(name), format, "{name}");
    }
}
