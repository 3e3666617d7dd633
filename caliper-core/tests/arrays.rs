//! Comparisons of arrays say what NumPy says of them: `arrays/reference.py` made the files and the reference.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test, which reads its files"
)]

#[path = "arrays/hostile.rs"]
mod hostile;

use std::path::Path;

use caliper_core::analysis::compare::{ArrayComparison, Comparison, Format, ReadAs, Rung, compare};
use caliper_core::question::criteria::{Policy, Tolerance};
use serde_json::{Value, json};

/// The two files of a variant, compared without a tolerance.
fn compared(variant: &str, ending: &str) -> Comparison {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/arrays/files");
    let read =
        |side: &str| std::fs::read(folder.join(format!("{variant}.{side}.{ending}"))).unwrap();
    let (expected, actual) = (read("expected"), read("actual"));
    let format = Format::of(&format!("a.{ending}"), &expected);
    let policy = Policy { tolerance: Tolerance::new(0.0, 0.0).unwrap(), ..Policy::default() };
    compare(format, &expected, &actual, &policy)
}

/// An array as the reference tells it.
fn told(array: &ArrayComparison) -> Value {
    let ArrayComparison { elements, differing, other_bits, .. } = array;
    let mut told = json!({
        "name": array.name,
        "elements": elements,
        "differing": differing,
        "other_bits": other_bits,
        "expected": array.expected,
        "actual": array.actual,
    });
    let mut tell = |name: &str, value: Value| told[name] = value;
    if let Some(first) = &array.first {
        tell("first", json!(first));
    }
    if *differing > 0 {
        tell("absolute", json!(array.largest_absolute));
        tell("relative", json!(array.largest_relative));
        if let Some(ulps) = array.largest_ulps {
            tell("ulps", json!(ulps));
        }
    }
    told
}

#[test]
fn arrays_differ_as_numpy_says() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("arrays/reference.json")).unwrap();
    assert!(cases.len() > 30, "the reference has its cases");
    for case in cases {
        let (variant, ending) =
            (case["variant"].as_str().unwrap(), case["format"].as_str().unwrap());
        if ending == "h5" && !cfg!(feature = "hdf5") {
            continue;
        }
        let comparison = compared(variant, ending);
        let read_as = match ending {
            "npy" => ReadAs::Npy,
            "npz" => ReadAs::Npz,
            "safetensors" => ReadAs::Safetensors,
            _ => ReadAs::Hdf5,
        };
        assert_eq!(comparison.read_as, read_as, "{variant}.{ending}: {:?}", comparison.unread);
        assert!(comparison.unread.is_empty(), "{variant}.{ending}: {:?}", comparison.unread);
        let mut found: Vec<Value> = comparison.arrays.iter().map(told).collect();
        let mut known = case["arrays"].as_array().unwrap().clone();
        // The order of Keras has a test of its own.
        let name = |array: &Value| array["name"].as_str().unwrap_or_default().to_owned();
        found.sort_by_key(name);
        known.sort_by_key(name);
        assert_eq!(json!(found), json!(known), "{variant}.{ending}");
        let some = |has: &dyn Fn(&Value) -> bool| known.iter().any(has);
        let structure = some(&|array| array["expected"].is_null() || array["actual"].is_null())
            || some(&|array| array["expected"]["shape"] != array["actual"]["shape"]);
        let rung = if structure {
            Rung::OtherText
        } else if some(&|array| array["differing"] != 0) {
            Rung::OtherNumbers
        } else if known.is_empty() {
            Rung::SameNormalised
        } else {
            Rung::WithinTolerance
        };
        assert_eq!(comparison.rung, rung, "{variant}.{ending}");
    }
}

#[test]
#[cfg(feature = "hdf5")]
fn layers_of_keras_are_told_in_their_order() {
    let lines = ["keras_root", "keras_model"].map(|variant| {
        let comparison = compared(variant, "h5");
        let arrays: Vec<String> = comparison.arrays.iter().map(ToString::to_string).collect();
        arrays.join("\n")
    });
    insta::assert_snapshot!(lines.join("\n"), @"
    second/second/kernel:0 (layer 1, array 0), <f4 (2, 3): 1 of 6 elements differs, by up to 5.000e-1 absolute, 8.333e-2 relative, 1048576 ULP, first at [1, 2]
    first/first/kernel:0 (layer 2, array 0), <f4 (3, 1): 1 of 3 elements differs, by up to 5.000e-1 absolute, 1.250e-1 relative, 1048576 ULP, first at [2, 0]
    model_weights/second/second/kernel:0 (layer 1, array 0), <f4 (2, 3): 1 of 6 elements differs, by up to 5.000e-1 absolute, 8.333e-2 relative, 1048576 ULP, first at [1, 2]
    model_weights/first/first/kernel:0 (layer 2, array 0), <f4 (3, 1): 1 of 3 elements differs, by up to 5.000e-1 absolute, 1.250e-1 relative, 1048576 ULP, first at [2, 0]
    ");
}
