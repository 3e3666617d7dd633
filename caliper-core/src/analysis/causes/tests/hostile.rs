use proptest::prelude::*;

use super::*;

/// Pieces that hostile logs are made of.
fn pieces() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "Traceback (most recent call last):",
        "  + Exception Group Traceback (most recent call last):",
        "  File \"/project/x.py\", line 3, in f",
        "  File \"",
        "    | ",
        "+-+---------------- 1 ----------------",
        "ValueError: 1",
        "ImportError:",
        "SyntaxError: x",
        "Fatal Python error: x\nCurrent thread 0x1 (most recent call first):",
        "× ",
        "╰─▶ Because ",
        "ERROR: ",
        "x.c:1:2: error: ",
        "#8 1.2 ",
        "\u{1b}[31m",
        "\u{1b}[",
        "'/tmp/",
        "0x",
        "-1e-",
        "\u{202e}",
        "\n",
        "\n\n",
        "\r",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "\\PC{0,8}", any::<char>().prop_map(String::from)]
}

proptest! {
    /// Whatever is printed, the signature is one short printable line.
    #[test]
    fn a_signature_is_always_readable(
        pieces in prop::collection::vec(pieces(), 0..40),
        signal in prop::option::of(0..40_i32),
    ) {
        let text = pieces.concat();
        let mut failing = Run { signal, ..failing(&text) };
        failing.reason = Some(text.clone());
        let mut record = record("1.0", "3.11");
        let mut all = vec![of_run(&failing).unwrap().to_string()];
        failing.outcome = TestOutcome::NotRun;
        all.push(of_run(&failing).unwrap().to_string());
        for reason in [BuildReason::Unknown, BuildReason::DependencyConflict] {
            record.build.as_mut().unwrap().reason = Some(reason);
            all.push(build::signature(&record, Some(&text)).to_string());
        }
        for signature in all {
            prop_assert!(!signature.trim().is_empty());
            prop_assert!(signature.chars().count() < 5_000, "{}", signature.len());
            let unfit = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!signature.contains(unfit), "{:?}", signature);
        }
    }

    /// Numbers are what differs, so changing them changes nothing.
    #[test]
    fn numbers_do_not_matter(a in 0..9_999_u32, b in 0..9_999_u32) {
        let text = |n: u32| format!("took {n} s, {n}.5 at 0x{n:x} of (1, {n}) in v{n}.{n}");
        prop_assert_eq!(mask::masked(&text(a)), mask::masked(&text(b)));
    }
}

/// Long logs are read in time that is linear in them: a quadratic reader would take minutes.
#[test]
fn hostile_logs_take_linear_time() {
    let length = 1 << 18;
    for piece in [
        "a",
        "\n",
        " ",
        "/",
        "'/",
        "1",
        "1,",
        "\x1b[",
        "\r",
        "File \"",
        "  File \"x\", line 1, in f\n",
        "| ",
        "Traceback (most recent call last):\n",
        "Traceback (most recent call last):\nImportError:\n",
        "\u{202e}",
        "+-1\n| a\n",
        "× a\n",
        "x.c: error: \n",
    ] {
        let text = piece.repeat(length / piece.len());
        assert!(of_run(&failing(&text)).is_some());
        build::signature(&record("1.0", "3.11"), Some(&text));
    }
}

#[test]
#[ignore = "measures time; run with --release --nocapture"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn speed_of_twenty_thousand_records() {
    let records: Vec<Record> = (0..20_000_u32)
        .map(|index| {
            let mut record = record(&format!("1.{}", index % 100), "3.11");
            let numbered = SOFT_UNICODE.replace("line 13", &format!("line {index}"));
            let kind = index % 91;
            let error = numbered.replace("soft_unicode", &format!("name_{kind}"));
            let long = format!("    {}\n    from", "x".repeat(2_000));
            record
                .add_run(&TestRecord::new("t", ["t"]), failing(&error.replace("    from", &long)));
            record.variant.insert("seed", index.to_string());
            record
        })
        .collect();
    let started = std::time::Instant::now();
    let causes = cluster(&records);
    println!("{} records, {} causes: {:?}", records.len(), causes.len(), started.elapsed());
    assert_eq!(causes.len(), 91);
}
