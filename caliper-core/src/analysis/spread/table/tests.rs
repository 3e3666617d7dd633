use super::*;

fn told(text: &str, columns: Option<&[&str]>) -> String {
    let columns = columns.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
    match group("g", text.as_bytes(), columns.as_deref(), None) {
        Err(error) => format!("error: {error}"),
        Ok(group) => {
            let rounded = |one: &Metric| {
                if one.rounded > 0 { format!(" ({} rounded)", one.rounded) } else { String::new() }
            };
            let metrics = group
                .metrics
                .iter()
                .map(|one| format!("{} {:?}{}", one.name, one.values, rounded(one)));
            let problems = group.problems.iter().map(ToString::to_string);
            let all: Vec<String> = metrics.chain(problems).collect();
            format!("{} rows: {}", group.runs, all.join("; "))
        }
    }
}

#[test]
fn a_table_is_read_as_it_was_written() {
    let saved = "2.5e-01,9.0e-01\n1.25e-01,8.0e-01\n";
    let lines = [
        told(saved, Some(&["loss", "accuracy"])),
        told(saved, None),
        told(saved, Some(&["loss"])),
        // With a header, and as `numpy.savetxt(…, header="loss,accuracy")` writes it.
        told("loss, accuracy\r\n1,2\r\n3,4\r\n", None),
        told(&format!("# loss,accuracy\n{saved}"), None),
        told(&format!("# made on Monday\n# loss, accuracy\n{saved}"), None),
        told(&format!("# made on Monday, at noon, by hand\n{saved}"), None),
        told("loss,accuracy\n1,2\n", Some(&["loss", "accuracy"])),
        told("loss,accuracy\n1,2\n", Some(&["accuracy", "loss"])),
        told("loss,loss\n1,2\n", None),
        told("loss,\n1,2\n", None),
        // A file that was cut while it was written, and others that are not as they should be.
        told("loss,accuracy\n1,2\n3\n", None),
        told("loss\n1\nnan\n-inf\noops\n1e999\n2,3\n", None),
        // Other separators, also with commas in fractions and below a header; and what is no separator.
        told("1.0 2.0\n3.0 4.0\n", Some(&["loss", "accuracy"])),
        told("  1.0   2.0\n", None),
        told("loss;accuracy\n1,5;2\n", None),
        told("loss\taccuracy\n1\t2\n", Some(&["loss", "accuracy"])),
        told("loss\n1 2 apples\n", None),
        told("loss\n1\n1;2\n", None),
        // Whole numbers that are rounded.
        told("count,other\n9007199254740993,9007199254740992\n1,2\n-9007199254740995,oops\n", None),
        told("", Some(&["loss"])),
        told("", None),
        told("loss,accuracy\n", None),
        told("\u{feff}loss\n1\n\n# a remark\n2\n", None),
        told(&format!("{}1\n", "1,".repeat(MOST_COLUMNS)), None),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

proptest::proptest! {
    #[test]
    fn rubbish_is_no_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = group("g", &bytes, None, Some(3));
        let _ = group("g", &bytes, Some(&["a".to_owned()]), None);
    }

    #[test]
    fn every_row_is_read_or_told(text in "([-0-9.,e#\"\nna ]{0,30}|nan|,|\n){0,12}") {
        if let Ok(group) = group("g", text.as_bytes(), None, None) {
            for metric in &group.metrics {
                proptest::prop_assert_eq!(metric.values.len(), group.runs);
            }
            // Comments, blank lines and a header are no rows.
            let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
            proptest::prop_assert!(group.runs <= lines);
        }
    }

    #[test]
    fn numbers_come_back_as_they_were_written(numbers in proptest::collection::vec(-1e300..1e300, 1..20)) {
        let rows: Vec<String> = numbers.iter().map(|number| format!("{number:.18e},0")).collect();
        let text = rows.join("\n");
        let columns = ["a".to_owned(), "b".to_owned()];
        let group = group("g", text.as_bytes(), Some(&columns), None).unwrap();
        proptest::prop_assert_eq!(&group.metrics[0].values, &numbers);
    }
}
