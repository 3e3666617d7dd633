use globset::{GlobBuilder, GlobMatcher};

/// A stage of an experiment, such as what it begins with or what it ends with, and the result files that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its files, as globs in which `*` stops at a `/` and `**` does not.
    pub files: Vec<String>,
}

impl Stage {
    /// The name of the stage that is what a test prints, behind all others.
    pub const OUTPUT: &'static str = "output";

    /// The place of the stage in `stages` that a file belongs to: the first with a pattern for it.
    pub fn finder(stages: &[Self]) -> impl Fn(&str) -> Option<usize> {
        let matcher = |pattern: &String| -> Option<GlobMatcher> {
            let built = GlobBuilder::new(pattern).literal_separator(true).build();
            Some(built.ok()?.compile_matcher())
        };
        let matchers: Vec<Vec<GlobMatcher>> =
            stages.iter().map(|stage| stage.files.iter().filter_map(matcher).collect()).collect();
        move |path| matchers.iter().position(|stage| stage.iter().any(|glob| glob.is_match(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_first_stage_that_names_it() {
        let stage = |name: &str, files: &[&str]| Stage {
            name: name.into(),
            files: files.iter().map(ToString::to_string).collect(),
        };
        let stages = [stage("init", &["out/init*", "seed.txt"]), stage("final", &["out/*"])];
        let find = Stage::finder(&stages);
        assert_eq!(find("out/init.npz"), Some(0));
        assert_eq!(find("seed.txt"), Some(0));
        assert_eq!(find("out/weights.npz"), Some(1));
        assert_eq!(find("out/deep/weights.npz"), None);
    }
}
