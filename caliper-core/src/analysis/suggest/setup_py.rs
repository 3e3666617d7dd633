//! What a `setup.py` tells without being run.

use std::collections::BTreeSet;

use super::literal::{Literal, values_of};
use super::project::{ProjectError, Requirements, Section};

const INSTALL: &str = "install_requires";
const EXTRAS: &str = "extras_require";

/// What it requires, as far as that is written out.
pub(super) fn requirements(source: &str) -> Requirements {
    let mut all = Requirements::default();
    let elsewhere = |place: &str| ProjectError::Elsewhere {
        place: place.to_owned(),
        text: "computed in `setup.py`".to_owned(),
    };
    for value in values_of(source, INSTALL) {
        if let Some(value) = value.filter(|value| !matches!(value, Literal::Table(_))) {
            add(&mut all, &value, &Section::SetupPy);
            if matches!(value, Literal::List { is_whole: false, .. }) {
                all.elsewhere.get_or_insert(elsewhere(INSTALL));
            }
        } else {
            all.elsewhere.get_or_insert(elsewhere(INSTALL));
        }
    }
    for value in values_of(source, EXTRAS) {
        if let Some(Literal::Table(extras)) = value {
            for (extra, value) in extras {
                add(&mut all, &value, &Section::SetupPyExtra(extra));
            }
        } else {
            all.elsewhere.get_or_insert(elsewhere(EXTRAS));
        }
    }
    // A variable with the name of the argument is read in both places.
    let mut seen = BTreeSet::new();
    all.found.retain(|one| seen.insert((one.section.clone(), one.text.clone())));
    all
}

fn add(all: &mut Requirements, value: &Literal, section: &Section) {
    // A text may have several lines, each a requirement.
    let lines = value.texts().into_iter().flat_map(str::lines).map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        all.add(line, section);
    }
}

/// The text that is given under a key.
pub(super) fn text_of(source: &str, key: &str) -> Option<String> {
    values_of(source, key).into_iter().flatten().find_map(|value| match value {
        Literal::Text(text) => Some(text),
        Literal::List { .. } | Literal::Table(_) => None,
    })
}
