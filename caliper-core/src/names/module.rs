use std::fmt;
use std::str::FromStr;

use super::{excerpt, serde_as_string};

/// The dotted name of a Python module: `google.cloud.storage`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleName(String);

impl ModuleName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not the name of a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the name of a module: write what stands behind `import`, such as `google.cloud.storage`"
)]
pub struct ParseModuleNameError(String);

impl FromStr for ModuleName {
    type Err = ParseModuleNameError;

    /// Follows the grammar of [dotted names](https://docs.python.org/3/reference/simple_stmts.html#import).
    /// Letters are not compared with Unicode's list of those that may begin an identifier: nothing but
    /// letters, digits and `_` stands here, so that the name is harmless in a program.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let identifier = |part: &str| {
            part.starts_with(|first: char| first.is_alphabetic() || first == '_')
                && part.chars().all(|character| character.is_alphanumeric() || character == '_')
        };
        if text.len() > 200 || !text.split('.').all(identifier) {
            return Err(ParseModuleNameError(excerpt(text, 80)));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

serde_as_string!(ModuleName, "the dotted name of a Python module", r"^[^\W\d]\w*(\.[^\W\d]\w*)*$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dotted_name_is_one() {
        for fine in ["jinja2", "google.cloud.storage", "_yaml", "été"] {
            assert_eq!(fine.parse::<ModuleName>().unwrap().as_str(), fine);
        }
        for bad in ["", "a.", ".a", "a..b", "2to3", "a-b", "a b", "a'", "a;b", "a\n"] {
            assert!(bad.parse::<ModuleName>().is_err(), "{bad:?}");
        }
        insta::assert_snapshot!("scikit-learn".parse::<ModuleName>().unwrap_err(), @"`scikit-learn` is not the name of a module: write what stands behind `import`, such as `google.cloud.storage`");
    }
}
