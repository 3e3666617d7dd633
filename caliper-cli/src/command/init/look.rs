//! Which files are in a folder, and what those say that describe a project.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use caliper_core::analysis::survey::Folder;

use crate::exit::Failure;

/// How many files and folders are looked at.
const MOST_ENTRIES: usize = 5_000;

/// How deep folders are looked into: `src/package/tests/test_it.py`.
const DEEPEST: usize = 4;

/// How much of a file is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// How many files with tests are read: they show what runs them.
const MOST_TESTS: usize = 40;

/// Folders of other programs, and of what was built.
const OTHERS: [&str; 7] =
    ["node_modules", "venv", "env", "build", "dist", "site-packages", "__pycache__"];

/// What is in a folder; nothing if it does not exist.
pub(super) fn folder(path: &Path) -> Result<Folder, Failure> {
    let mut found = Folder::default();
    let (mut entries, mut tests) = (0, 0);
    let mut next = vec![(String::new(), 0)];
    while let Some((within, depth)) = next.pop() {
        let listed = match fs::read_dir(path.join(&within)) {
            Ok(listed) => listed,
            Err(error) if within.is_empty() && error.kind() == io::ErrorKind::NotFound => break,
            Err(error) if within.is_empty() => {
                let what = format!("could not look into `{}`", path.display());
                return Err(Failure::infrastructure(what, error));
            }
            // What cannot be looked into is not the description of a project.
            Err(_) => continue,
        };
        let mut names: Vec<(String, bool)> = listed
            .filter_map(Result::ok)
            // A link may lead in a circle.
            .filter_map(|entry| {
                Some((entry.file_name().into_string().ok()?, entry.file_type().ok()?))
            })
            .filter(|(name, _)| !name.starts_with('.'))
            .map(|(name, kind)| (name, kind.is_dir()))
            .collect();
        names.sort();
        for (name, is_folder) in names {
            entries += 1;
            if entries > MOST_ENTRIES {
                return Ok(found);
            }
            let full = if within.is_empty() { name.clone() } else { format!("{within}/{name}") };
            if is_folder {
                if depth < DEEPEST && !OTHERS.contains(&name.as_str()) {
                    next.push((full, depth + 1));
                }
                continue;
            }
            let is_test = Path::new(&name).extension().is_some_and(|end| end == "py") && depth > 0;
            let reads = Folder::reads(&full) && (!is_test || tests < MOST_TESTS);
            tests += usize::from(is_test && reads);
            let content = reads.then(|| content(&path.join(&full))).transpose()?;
            found.add(full, content);
        }
    }
    Ok(found)
}

fn content(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = || -> io::Result<Vec<u8>> {
        let file = fs::File::open(path)?;
        // A pipe would never end.
        if !file.metadata()?.is_file() {
            return Ok(Vec::new());
        }
        let mut content = Vec::new();
        file.take(LONGEST).read_to_end(&mut content)?;
        Ok(content)
    };
    read().map_err(|error| {
        Failure::infrastructure(format!("could not read `{}`", path.display()), error)
    })
}
