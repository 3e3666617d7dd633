//! The rules for durations and for rates.
//!
//! A number with a unit of time may be a result, so most forms need something beside it that says that a
//! program tells of itself: a word before it, brackets around it, or the layout of a tool that is known.

use std::sync::LazyLock;

use regex::Regex;

use super::Edit;
use super::times::{compiled, found, without_overlaps};

/// A number without a sign.
const NUMBER: &str = r"[0-9]{1,15}(?:\.[0-9]{1,15})?(?:e[+-]?[0-9]{1,2})?";
/// Units below a minute that are no words of their own, and words.
const UNIT: &str = "(?:seconds?|secs?|milliseconds?|msecs?|ms|microseconds?|usecs?|us|µs|μs|nanoseconds?|nsecs?|ns)";
/// Hours, minutes and seconds with colons between them, as `timedelta` and many programs print them.
const CLOCK: &str = r"(?:[0-9]{1,6} days?,? )?[0-9]{1,6}:[0-5][0-9]:[0-5][0-9]";

pub(super) fn durations(line: &str) -> Vec<Edit> {
    static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        // `1min 2s`, `1h 30min`, `2.5min`, `0.3 s`.
        let long = format!(
            r"(?:[0-9]{{1,6}} ?(?:d|h|hours?|m|min|minutes?),? ){{0,3}}{NUMBER} ?(?:s|min|minutes?|h|hours?|{UNIT})"
        );
        [
            format!(r"APART({NUMBER} ?{UNIT})\b"),
            r"APART([0-9]{1,12}\.[0-9]{1,15}(?:e[+-]?[0-9]{1,2})?s)\b".to_owned(),
            format!(r"APART(?:[Ii]n|[Aa]fter)[:=]? ?({NUMBER} ?s)\b"),
            // Words that say what the number is, in any layout: joblib, scikit-learn, and people's own.
            format!(r"(?i:\b(?:elapsed|remaining|took|takes|duration|runtime|eta|time)(?:[ _](?:time|is|of))?)(?: ?[:=])? {{0,20}}({long})\b"),
            // The same without a unit, where the words leave no doubt.
            format!(r"(?i:\b(?:elapsed|execution|running|wall|wall-clock|cpu)[ _-]time|\btime[ _-](?:elapsed|taken)|\belapsed)(?: ?[:=]) {{0,20}}({CLOCK}(?:\.[0-9]{{1,9}})?|{NUMBER})(?:$|[^\w.:/%])"),
            // In brackets: `(1.23 s)`, `[12s]`, and joblib's `(0.16s.)`.
            format!(r"[(\[]({NUMBER} ?s)\.?[)\]]"),
            // With a fraction nothing else looks like it; without one it needs brackets or a word.
            format!(r"APART({CLOCK}\.[0-9]{{1,9}})\b"),
            format!(r"(?:[(\[]|(?i:\b(?:elapsed|remaining|took|duration|eta|in|after)[:=]? ))({CLOCK})(?:[)\]]|$|[ ,;])"),
            // The shell's `time`, and GNU time.
            r"APART([0-9]{1,6}m[0-9]{1,2}\.[0-9]{1,6}s)\b".to_owned(),
            r"APART([0-9]{1,9}(?::[0-9]{2}){0,2}\.[0-9]{2})(?:user|system|elapsed)\b".to_owned(),
            r"elapsed ([0-9]{1,6}%)CPU\b".to_owned(),
        ]
        .iter()
        .map(|pattern| compiled(pattern))
        .collect()
    });
    if !line.contains(['s', 'm', 'h', ':', 'e']) || !line.bytes().any(|byte| byte.is_ascii_digit())
    {
        return Vec::new();
    }
    let mut edits = found(&PATTERNS, line, "<duration>");
    edits.extend(of_tools(line));
    without_overlaps(edits)
}

/// What only the whole line of a tool makes a duration.
fn of_tools(line: &str) -> Vec<Edit> {
    /// A step of Keras, before its times: `10/10 [====] - 4s 31ms/step`, `10/10 ━━━━ 4s 31ms/step`.
    static KERAS: LazyLock<Regex> =
        LazyLock::new(|| compiled(r"^ {0,9}[0-9]{1,9}/(?:[0-9]{1,9}|Unknown) "));
    static WHOLE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        vec![
            compiled(r"APART([0-9]{1,9}(?:s|ms|us|min|m|h))(?:$|[ /])"),
            compiled(r"\bETA: ([0-9]{1,4}(?::[0-9]{2}){1,2})\b"),
        ]
    });
    /// `%time` and `%timeit` of `IPython`, and `timeit`.
    static SPACED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let long = format!(r"(?:[0-9]{{1,6}} ?(?:d|h|min),? ){{0,3}}{NUMBER} ?(?:s|min|h|{UNIT})");
        vec![compiled(&format!(r"APART({long})\b")), compiled(r"APART([0-9][0-9,]{0,20}) loops?\b")]
    });
    /// The last line of pytest, whose signs fill the width that the time leaves.
    static PYTEST: LazyLock<Regex> = LazyLock::new(|| {
        compiled(r"^(=+) [^=].* in [0-9.]{1,15}s(?: \([0-9:, day]{1,40}\))? (=+)$")
    });
    if KERAS.is_match(line) {
        return found(&WHOLE, line, "<duration>");
    }
    if line.contains("CPU times: ") || line.contains("Wall time: ") || line.contains(" per loop") {
        return found(&SPACED, line, "<duration>");
    }
    if line.starts_with("==")
        && let Some(parts) = PYTEST.captures(line)
    {
        let signs = [parts.get(1), parts.get(2)].into_iter().flatten();
        let signs = signs.filter(|signs| signs.as_str() != "===");
        return signs.map(|signs| Edit::new(signs.range(), "===")).collect();
    }
    Vec::new()
}

/// Whether a line says nothing but how long something took, and may come at any place or not at all: the
/// slowest tests of pytest.
pub(super) fn is_duration(line: &str) -> bool {
    static SLOWEST: LazyLock<Regex> = LazyLock::new(|| {
        compiled(
            r"^[0-9]{1,9}\.[0-9]{2}s (?:call|setup|teardown) +\S|^\([0-9]{1,9} durations < [0-9.]{1,12}s hidden\.",
        )
    });
    line.contains("s ") && SLOWEST.is_match(line)
}

pub(super) fn rates(line: &str) -> Vec<Edit> {
    static PATTERNS: LazyLock<[Regex; 2]> = LazyLock::new(|| {
        // What programs count; not what is measured in physics, such as `m/s`.
        const COUNTED: &str = "(?:it|iters?|iterations?|items?|steps?|samples?|examples?|rows?|records?|images?|img|tokens?|tok|words?|effective words|raw words|requests?|req|ops|operations?|calls?|batch(?:es)?|files?|lines?|tests?|docs?|documents?|epochs?|games?|episodes?|frames?|pts|points|[kKMGT]?i?B|bytes|[kMG]bit)";
        let number = r"[0-9][0-9,]{0,20}(?:\.[0-9]{1,15})?(?:e[+-]?[0-9]{1,2})?[kMG]?";
        [
            compiled(&format!(
                r"APART({number} ?{COUNTED} ?(?:/ ?(?:s|sec|second|min|minute)|per (?:second|minute)))\b"
            )),
            compiled(&format!(
                r"APART({number} ?(?:h|min|m|s|secs?|seconds?|ms|us|µs|μs|ns) ?/ ?(?:it|iter|iteration|step|epoch|batch|sample|example|image|img|token|row|call|request|file|test|game|episode|frame|loop))\b"
            )),
        ]
    });
    if !line.contains('/') && !line.contains(" per ") {
        return Vec::new();
    }
    found(&*PATTERNS, line, "<rate>")
}

#[cfg(test)]
mod tests {
    use super::is_duration;
    use crate::question::criteria::Rule;

    /// Both rules, as they are applied.
    fn left(text: &str) -> String {
        Rule::Rates.apply(&Rule::Durations.apply(text))
    }

    #[test]
    fn what_tools_print_of_their_own_time_goes() {
        let cases = [
            // unittest, pytest
            ("Ran 3 tests in 0.12s", "Ran 3 tests in <duration>"),
            (
                "===== 3 passed, 1 warning in 0.12s =====",
                "=== 3 passed, 1 warning in <duration> ===",
            ),
            (
                "====== 1378 passed in 459.52s (0:07:39) ======",
                "=== 1378 passed in <duration> (<duration>) ===",
            ),
            ("3 passed in 0.03s", "3 passed in <duration>"),
            ("132.21s call     tests/a.py::test_b[c]", "<duration> call     tests/a.py::test_b[c]"),
            ("tests/a.py::test_b PASSED (1.23s)", "tests/a.py::test_b PASSED (<duration>)"),
            // IPython
            (
                "CPU times: user 3.17 s, sys: 33.9 ms, total: 3.21 s",
                "CPU times: user <duration>, sys: <duration>, total: <duration>",
            ),
            (
                "CPU times: user 1min 3s, sys: 2 s, total: 1min 5s",
                "CPU times: user <duration>, sys: <duration>, total: <duration>",
            ),
            ("Wall time: 1.2 s", "Wall time: <duration>"),
            (
                "32.4 s ± 3.26 s per loop (mean ± std. dev. of 7 runs, 1 loop each)",
                "<duration> ± <duration> per loop (mean ± std. dev. of 7 runs, <duration> loop each)",
            ),
            (
                "4.47 ns ± 0.386 ns per loop (mean ± std. dev. of 7 runs, 100,000,000 loops each)",
                "<duration> ± <duration> per loop (mean ± std. dev. of 7 runs, <duration> loops each)",
            ),
            (
                "5000 loops, best of 5: 54.1 usec per loop",
                "<duration> loops, best of 5: <duration> per loop",
            ),
            // joblib, scikit-learn
            (
                "[Parallel(n_jobs=4)]: Done   3 out of 100 | elapsed:    0.3s remaining:    9.7s",
                "[Parallel(n_jobs=4)]: Done   3 out of 100 | elapsed:    <duration> remaining:    <duration>",
            ),
            (
                "[Parallel(n_jobs=18)]: Done  36 tasks      | elapsed:  3.2min",
                "[Parallel(n_jobs=18)]: Done  36 tasks      | elapsed:  <duration>",
            ),
            (
                "[CV 1/3] END ....................C=1;, score=0.933 total time=   0.1s",
                "[CV 1/3] END ....................C=1;, score=0.933 total time=   <duration>",
            ),
            ("[CV] C=1, total time= 1.2min", "[CV] C=1, total time= <duration>"),
            // Keras
            (
                "10/10 [==============================] - 4s 31ms/step - loss: 0.3456",
                "10/10 [==============================] - <duration> <duration>/step - loss: 0.3456",
            ),
            (
                "1213/1213 [=====] - 0s - loss: 0.1760",
                "1213/1213 [=====] - <duration> - loss: 0.1760",
            ),
            (
                "313/313 ━━━━━━━━━━━━━━━━━━━━ 2s 5ms/step - accuracy: 0.9",
                "313/313 ━━━━━━━━━━━━━━━━━━━━ <duration> <duration>/step - accuracy: 0.9",
            ),
            (
                "1875/1875 - 4s - loss: 0.25 - 4s/epoch - 2ms/step",
                "1875/1875 - <duration> - loss: 0.25 - <duration>/epoch - <duration>/step",
            ),
            // tqdm outside of its bars, gensim, Dask, PyMC, cProfile
            ("speed 12.3it/s, 1.50s/it", "speed <rate>, <duration>/it"),
            ("took 0.4s, 20480 effective words/s", "took <duration>, <rate>"),
            ("1,234.5 samples/s and 3.2 MB/s", "<rate> and <rate>"),
            ("[####] | 100% Completed | 102.35 ms", "[####] | 100% Completed | <duration>"),
            ("draws total) took 12 seconds.", "draws total) took <duration>."),
            ("197 function calls in 0.002 seconds", "197 function calls in <duration>"),
            // timedelta, time(1), and people's own
            ("0:00:29.262530", "<duration>"),
            ("elapsed 0:00:12", "elapsed <duration>"),
            ("training took 1 day, 2:03:04.5", "training took <duration>"),
            ("real\t0m1.234s", "real\t<duration>"),
            (
                "0.12user 0.01system 0:00.15elapsed 95%CPU",
                "<duration>user <duration>system <duration>elapsed <duration>CPU",
            ),
            ("Elapsed time: 12.3", "Elapsed time: <duration>"),
            ("--- 1.23 seconds ---", "--- <duration> ---"),
            ("took 3.2 s", "took <duration>"),
            ("took 2 minutes", "took <duration>"),
            ("done (12 s)", "done (<duration>)"),
            ("12 ms, 12ms; 1e-05 s", "<duration>, <duration>; 1e-05 s"),
            ("elapsed=12s", "elapsed=<duration>"),
            ("1 passed in 5 s", "1 passed in <duration>"),
        ];
        for (text, expected) in cases {
            assert_eq!(left(text), expected, "{text}");
        }
    }

    #[test]
    fn what_may_be_a_result_stays() {
        for text in [
            "loss 0.3 s",
            "the 1990s",
            "12 min 3 max",
            "12.5",
            "3 msx 4 using",
            "v1.5s",
            "in 5 steps",
            "speed 12.5 m/s",
            "10 rad/s and 3 kg/s",
            "half-life 3 h",
            "period: 12 s",
            "ratio 3:4:5",
            "offset 10:11:12",
            "wait 2 minutes, then 3 hours",
            "time 12",
            "times: 3",
            "step 3/4 of 5",
            "1/2 cups",
            "a loop of 7 loops",
            "Time: 3.5",
            "mean time to failure 3.2",
            "====== heading ======",
        ] {
            assert_eq!(left(text), text);
        }
    }

    #[test]
    fn lines_of_the_slowest_tests_are_known() {
        assert!(is_duration("0.20s call     tests/a.py::test_b"));
        assert!(is_duration("(4 durations < 0.005s hidden.  Use -vv to show these durations.)"));
        assert!(!is_duration("0.20s is too long"));
        assert!(!is_duration("loss 0.20s call x"));
    }
}
