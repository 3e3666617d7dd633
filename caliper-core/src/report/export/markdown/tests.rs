use proptest::prelude::*;

use super::*;
use crate::analysis::Analysis;
use crate::analysis::expect::{FailOn, against, violations};
use crate::facts::record::Record;
use crate::facts::record::TestOutcome::{Failed, Passed};
use crate::facts::record::tests::{record, test};
use crate::question::criteria::Criteria;

fn results(name: &str, cells: Vec<Record>) -> Results {
    let criteria = Criteria::default();
    let analysis = Analysis::new(&[], None, &criteria, &|_| None);
    let results = Results::new(name, "demo".parse().unwrap(), "local", cells).unwrap();
    results.read_through(&analysis, &[])
}

#[test]
fn results_are_a_page() {
    let cells = |newest| {
        let cell = |version: &str, python, outcome| {
            record(version, python).with_runs([test("render.py", outcome, "")])
        };
        vec![
            cell("1.0", "3.9", Passed),
            cell("1.0", "3.11", Passed),
            cell("1.1", "3.9", Passed),
            cell("1.1", "3.11", Failed),
            cell("2.0", "3.9", newest),
            cell("2.0", "3.11", Failed),
        ]
    };
    let (before, now) =
        (results("demo in kit", cells(Passed)), results("demo in kit", cells(Failed)));
    let held = against(violations(&now.cells, &now.verdicts, FailOn::Failed, None), &now, &before);
    insta::assert_snapshot!(markdown(&now, Some(&held)), @"
    ### demo in kit

    What do the releases of `demo` do? 6 cells on `local`: 3 same result, 3 fails.

    **Fails, and did not before (1)**

    ```text
    2.0/3.9: `render.py` failed
    ```

    2 failures are in the other results too.

    | | 3.9 | 3.11 |
    |---|---|---|
    | 1.0 | ✓ | ✓ |
    | 1.1 | ✓ | ✗ |
    | 2.0 | ✗ | ✗ |

    ✓ same result · ✗ fails: no test passes

    **Why it fails**

    ```text
    3x exit status 1, no output in 1.1, 2.0
    ```

    **What changes along the releases**

    ```text
    render.py on 3.9
      breaks between 1.1 and 2.0 (adjacent; a single run)
    render.py on 3.11
      breaks between 1.0 and 1.1 (adjacent; a single run)
    ```

    **Suggested:** `demo<1.1`; it allows what passes everywhere, and nothing that fails somewhere.
    ");
    let held = against(
        violations(&before.cells, &before.verdicts, FailOn::Failed, None),
        &before,
        &before,
    );
    assert!(
        markdown(&before, Some(&held))
            .contains("**Nothing fails that did not fail before.** 2 failures are")
    );
}

#[test]
fn what_tests_say_is_neither_markup_nor_a_mention() {
    let name = "``` | <img src=x> @someone [a](b) #1\n# head\u{202e}";
    let mut cell = record("1.0", "3.11").with_runs([test(name, Failed, "")]);
    cell.variant.insert("axis", "a|b <b> `c` @you www.example.org");
    let mut other = record("1.1", "3.11").with_runs([test(name, Passed, "")]);
    other.variant = cell.variant.clone();
    insta::assert_snapshot!(markdown(&results(name, vec![cell, other]), None), @r#"
    ### ```` ``` | <img src=x> @someone [a](b) #1�# head� ````

    What do the releases of `demo` do? 2 cells on `local`: 1 same result, 1 fails.

    | | <code>3.11 axis=&#34;a&#124;b &#60;b&#62; &#96;c&#96; &#64;you www.example.org&#34;</code> |
    |---|---|
    | 1.0 | ✗ |
    | 1.1 | ✓ |

    ✓ same result · ✗ fails: no test passes

    **Why it fails**

    ```text
    1x exit status 1, no output in 1.0
    ```

    **What changes along the releases**

    ````text
    ``` | <img src=x> @someone [a](b) #1�# head� on 3.11 axis="a|b <b> `c` @you www.example.org"
      is fixed between 1.0 and 1.1 (adjacent; a single run)
    ````

    **Suggested:** `demo>=1.1`; it allows what passes everywhere, and nothing that fails somewhere.
    "#);
}

#[test]
fn much_is_cut() {
    let cell = |number: usize| {
        let outcome = if (number * number / 7).is_multiple_of(3) { Passed } else { Failed };
        let tests = (0..4).map(|test_number| {
            test(&format!("test-{test_number}-{}", "x".repeat(300)), outcome, "")
        });
        let mut cell = record(&format!("1.{}", number / 30), "3.11").with_runs(tests);
        cell.variant.insert("seed", format!("{}-{}", number % 30, "y".repeat(200)));
        cell
    };
    let results = results("demo", (0..900).map(cell).collect());
    let text = markdown(&results, None);
    assert!(text.len() <= LONGEST && text.len() > LONGEST / 8, "{}", text.len());
    assert!(text.contains("more older lines") || text.contains("more columns"), "{text}");
    assert!(text.ends_with(".\n") && text.contains("**Suggested:**"));
}

proptest! {
    #[test]
    fn code_holds_any_text(text in "([`|<@\\\\ \n]|\\PC){0,40}") {
        let code = code(&text);
        let fence: String = code.chars().take_while(|one| *one == '`').collect();
        let inside = code.strip_prefix(&fence).unwrap().strip_suffix(&fence).unwrap();
        // The end of the code is the first run of as many backticks as at its beginning.
        prop_assert!(inside.split(|one| one != '`').all(|run| run.len() != fence.len()), "{}", code);
        prop_assert!(!code.contains('\n'));
        let cell = cell(&text);
        prop_assert!(!cell.contains(['|', '`', '\\', '@', '\n', '*', '_', '[']), "{}", cell);
    }
}
