//! What a verdict rests on, and what is recorded of a cell, as text.

use crate::analysis::compare::{Comparison, Evidence, Extent, PartComparison, Rung};
use crate::facts::record::{OverlaidFile, Record, RecordedOverlay, TestRecord};
use crate::question::grid::FileKind;
use crate::report::measures::three_digits;

/// What a verdict rests on: a line each, indented by two spaces where it says more about the line above.
pub fn lines(evidence: &Evidence) -> Vec<String> {
    let Evidence { baseline, of_baseline, part, comparison, others, others_left_out, noise } =
        evidence;
    let mut lines = vec![if *of_baseline {
        format!("equal to the first run of {baseline}, whose runs differ")
    } else {
        format!("compared with {baseline}, which comes first")
    }];
    lines.extend(compared(part, comparison));
    for PartComparison { part, comparison } in others {
        lines.extend(compared(part, comparison));
    }
    if *others_left_out > 0 {
        lines.push(format!("  … and {others_left_out} more that differ"));
    }
    lines.extend(noise.as_ref().map(ToString::to_string));
    lines
}

/// How a part compares, and what was looked past where it is not the same.
fn compared(part: &str, comparison: &Comparison) -> Vec<String> {
    if part == "exit status" {
        return vec!["  only the exit status is compared (`compare: exit-status`)".to_owned()];
    }
    let mut lines = vec![format!("  {}: {comparison}", single_line(part))];
    lines.extend(comparison.unread.iter().map(|sentence| format!("    {sentence}")));
    if matches!(comparison.extent, Some(Extent::Bytes { .. })) && comparison.unread.is_empty() {
        lines.push(
            "    nothing is known of these bytes; text, JSON, CSV, .npy, .npz, safetensors, HDF5, PNG and JPEG are compared by what they hold"
                .to_owned(),
        );
    }
    lines.extend(arrays(comparison).into_iter().map(|line| format!("    {line}")));
    if comparison.rung > Rung::WithinTolerance && !comparison.looked_past.is_empty() {
        lines.push(format!("    looking past {}", comparison.past()));
    }
    lines
}

/// The arrays that differ, a line each. Of many the first are told; JSON has more.
pub fn arrays(comparison: &Comparison) -> Vec<String> {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> =
        comparison.arrays.iter().take(SHOWN).map(ToString::to_string).collect();
    let listed = u64::try_from(comparison.arrays.len()).unwrap_or(u64::MAX);
    let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let more = listed.saturating_add(comparison.arrays_left_out).saturating_sub(shown);
    if more > 0 {
        lines.push(format!("… and {more} more arrays that differ"));
    }
    lines
}

/// A name that holds no line of its own.
pub fn single_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// What is recorded of a cell beside its tests: what each value is, and the value. Values that are not known are left
/// out.
pub fn facts(record: &Record, is_stale: bool) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = Vec::new();
    let mut fact = |name: &'static str, value: Option<String>| {
        facts.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    };
    let stale = "it answered another question; `caliper plan` says what changed";
    fact("stale", is_stale.then(|| stale.to_owned()));
    fact("reason", record.reason.clone());
    let note = "the import fails, and all tests pass: it decides nothing";
    fact("note", record.failed_import().map(|_| note.to_owned()));
    let interrupted = "runs are missing; `caliper run` makes them";
    fact("interrupted", record.interrupted.then(|| interrupted.to_owned()));
    if let Some(missing) = &record.missing {
        fact("missing", Some(missing.reason.to_string()));
        fact("nearest", missing.nearest.clone());
    }
    let environment = &record.environment;
    fact("index", environment.index.clone());
    fact("as of", environment.as_of.map(|date| date.to_string()));
    if let Some(file) = &environment.file {
        let built = match file.kind {
            FileKind::Wheel => "",
            FileKind::Sdist => " (built from source)",
        };
        fact("file", Some(format!("{}{built}", file.filename)));
        fact("from", Some(file.url.clone()));
        fact("digest", file.sha256.map(|digest| digest.to_string()));
    }
    fact("base", environment.base.as_ref().map(|base| format!("{} ({})", base.name, base.digest)));
    let interpreter = environment.interpreter.as_ref();
    fact("python", interpreter.map(|known| format!("{} ({})", known.version, known.abi)));
    fact("backend", Some(environment.backend.clone()));
    let tools = environment.tools.iter().map(|(name, version)| format!("{name} {version}"));
    fact("built by", Some(tools.collect::<Vec<_>>().join(", ")));
    fact("machine", record.machine.as_ref().map(ToString::to_string));
    fact("measured", Some(record.started.to_string()));
    fact("key", Some(record.key.to_string()));
    let installed = environment.installed.iter();
    let installed: Vec<String> =
        installed.map(|each| format!("{} {}", each.name, each.version)).collect();
    fact("installed", Some(installed.join(", ")));
    for overlay in &environment.overlays {
        fact("overlay", Some(overlaid(overlay)));
    }
    if let Some(build) = &record.build {
        let how = match build.reason {
            Some(reason) => format!("failed: {reason} in {} s", three_digits(build.seconds())),
            None if build.reused => "built by an earlier run or for another cell".to_owned(),
            None => format!("built in {} s", three_digits(build.seconds())),
        };
        fact("environment", Some(how));
    }
    // The import has no limits of its own: the last run shows what the tests were granted.
    if let Some(limits) = record.runs().filter_map(|(_, run)| run.limits.as_ref()).last() {
        fact("asked", Some(limits.asked.to_string()));
        fact("granted", Some(format!("{} (by {})", limits.granted, limits.by)));
    }
    facts
}

/// What was laid over a package: `keras 2.2.4: keras/engine/training.py (+3 −1)`.
fn overlaid(overlay: &RecordedOverlay) -> String {
    let file = |OverlaidFile { path, before, after, added, removed }: &OverlaidFile| {
        let how = match (before, added.zip(*removed)) {
            (Some(before), _) if before == after => "as it was".to_owned(),
            (Some(_), Some((added, removed))) => format!("+{added} −{removed}"),
            (Some(_), None) => "not text".to_owned(),
            (None, Some((added, _))) => format!("new, +{added}"),
            (None, None) => "new, not text".to_owned(),
        };
        format!("{} ({how})", single_line(path))
    };
    let files: Vec<String> = overlay.files.iter().map(file).collect();
    format!("{} {}: {}", overlay.package, overlay.version, files.join(", "))
}

/// A word for a shell. What is not surely harmless stands in single quotes.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The command of a test. A runner of Caliper's own is a long program, of which this has the first line; JSON has all of
/// it.
pub fn command_line(test: &TestRecord) -> String {
    let word = |word: &String| match word.split_once('\n') {
        Some((first, _)) if !test.kind.is_command() => format!("'{first} …'"),
        _ => word.clone(),
    };
    test.command.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_that_differ_are_told() {
        let compared = |rung: &str, rules: &[&str]| serde_json::json!({"rung": rung, "read_as": "text", "rules": rules});
        let mut worst = compared("other_numbers", &[]);
        let mut normalised = compared("same_normalised", &["durations"]);
        normalised["looked_past"] = serde_json::json!({"durations": 2});
        worst["numbers"] = serde_json::json!({"compared": 9, "beyond": 2});
        let evidence = serde_json::json!({
            "baseline": "1.1", "part": "out/loss.csv", "comparison": worst,
            "noise": {"runs": [1, 1], "p": null, "adjusted": null, "permutations": 0,
                      "comparisons": 1, "alpha": 0.05, "needed": 4},
            "others": [{"part": "stdout", "comparison": normalised}],
            "others_left_out": 3,
        });
        insta::assert_snapshot!(lines(&serde_json::from_value(evidence).unwrap()).join("\n"), @"
        compared with 1.1, which comes first
          out/loss.csv: 2 of 9 numbers differ
          stdout: same, looking past durations (2)
          … and 3 more that differ
        1 run here, 1 at the baseline; 4 runs of each would decide
        ");
    }
}
