use caliper_core::facts::record::BlobRef;
use caliper_core::facts::store::{DirStore, ResultStore as _};

use crate::exit::Failure;

/// How many lines of a text are shown at its beginning, and as many at its end.
const SHOWN: usize = 100;

/// Outputs and logs, as `show` prints them.
pub(super) struct Texts<'a> {
    pub(super) store: &'a DirStore,
    /// Whether all lines are shown, however many there are.
    pub(super) whole: bool,
}

impl Texts<'_> {
    /// An output that is kept by itself.
    pub(super) fn blob(&self, name: BlobRef) -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&self.store.blob(name)?).into_owned())
    }

    /// The lines of a text, indented, without those in the middle of a long one.
    pub(super) fn indented(&self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let left_out = lines.len().saturating_sub(2 * SHOWN);
        let indented = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| format!("    {line}")).collect()
        };
        if self.whole || left_out == 0 {
            return indented(&lines).join("\n");
        }
        let mut shown = indented(&lines[..SHOWN]);
        shown.push(format!("    … {left_out} lines are left out here; `-v` shows all"));
        shown.extend(indented(&lines[lines.len() - SHOWN..]));
        shown.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_is_cut_in_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let store = DirStore::open(folder.path()).unwrap();
        let lines: Vec<String> = (0..1000).map(|line| line.to_string()).collect();
        let text = lines.join("\n");
        let shown = Texts { store: &store, whole: false }.indented(&text);
        assert_eq!(shown.lines().count(), 201);
        assert!(
            shown.contains("    99\n    … 800 lines are left out here; `-v` shows all\n    900\n")
        );
        let whole = Texts { store: &store, whole: true };
        assert_eq!(whole.indented(&text).lines().count(), 1000);
        assert_eq!(whole.indented("a\nb\n"), "    a\n    b");
    }
}
