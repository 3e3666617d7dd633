//! What a file holds, by its path.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, RawAttribute};

use crate::analysis::compare::format::named::Named;
use crate::analysis::compare::show;

/// How deep groups may lie in each other.
const DEEPEST: usize = 256;
/// How long a path may be, in bytes.
const LONGEST: usize = 4096;
/// How many arrays, attributes and empty groups a file may hold. Each takes some 4 KB of memory.
const MOST: usize = 100_000;

/// What a file holds, in the order in which it is told.
pub(super) struct Tree {
    things: BTreeMap<String, What>,
    /// The keys in order, with the positions of those that have one.
    order: Vec<(String, Option<String>)>,
}

/// Something with a path.
#[derive(Clone)]
pub(super) enum What {
    Dataset(Box<Dataset>),
    Attribute(Arc<RawAttribute>),
    /// A group without content, or a path to what has another.
    Other(String),
}

impl Tree {
    pub(super) fn of(root: &Group) -> Result<Self, String> {
        let mut tree = Self { things: BTreeMap::new(), order: Vec::new() };
        // The first path of each object. Links can form circles, and each object is gone through once.
        let mut paths: HashMap<u64, String> = HashMap::new();
        let mut groups: Vec<(Group, String, usize)> = vec![(root.clone(), String::new(), 0)];
        while let Some((group, path, depth)) = groups.pop() {
            if tree.is_known(&mut paths, group.address(), &path)? {
                continue;
            }
            let explain = |error: hdf5_reader::error::Error| {
                let path = show::excerpt(&path);
                format!("the group `/{path}` cannot be read: {}", show::excerpt(&error.to_string()))
            };
            let attributes = group.raw_attributes().map_err(explain)?;
            let (mut within, datasets) = group.members().map_err(explain)?;
            if attributes.is_empty() && within.is_empty() && datasets.is_empty() {
                tree.add(path.clone(), What::Other("an empty group".to_owned()))?;
            }
            tree.add_attributes(&path, attributes)?;
            for dataset in datasets {
                let path = join(&path, dataset.name())?;
                if tree.is_known(&mut paths, dataset.address(), &path)? {
                    continue;
                }
                let attributes = dataset.raw_attributes().map_err(explain)?;
                tree.add_attributes(&path, attributes)?;
                tree.add(path, What::Dataset(Box::new(dataset)))?;
            }
            if depth == DEEPEST && !within.is_empty() {
                return Err(format!("its groups lie in each other more than {DEEPEST} times"));
            }
            // The last is gone through first.
            within.sort_by(|one, other| other.name().cmp(one.name()));
            for group in within {
                let path = join(&path, group.name())?;
                groups.push((group, path, depth + 1));
                if groups.len() > MOST {
                    return Err(too_many());
                }
            }
        }
        tree.order = tree.things.keys().map(|key| (key.clone(), None)).collect();
        Ok(tree)
    }

    /// Whether an object has a path already, which is told in its place.
    fn is_known(
        &mut self,
        paths: &mut HashMap<u64, String>,
        address: u64,
        path: &str,
    ) -> Result<bool, String> {
        let Some(known) = paths.get(&address) else {
            paths.insert(address, path.to_owned());
            return Ok(false);
        };
        let known = format!("a link to `/{}`", show::excerpt(known));
        self.add(path.to_owned(), What::Other(known))?;
        Ok(true)
    }

    fn add_attributes(&mut self, path: &str, attributes: Vec<RawAttribute>) -> Result<(), String> {
        for attribute in attributes {
            let key = format!("{path}@{}", attribute.name());
            self.add(key, What::Attribute(Arc::new(attribute)))?;
        }
        Ok(())
    }

    fn add(&mut self, key: String, what: What) -> Result<(), String> {
        if let Some((key, _)) = self.things.get_key_value(&key) {
            return Err(format!("it has two objects at `/{}`", show::excerpt(key)));
        }
        self.things.insert(key, what);
        if self.things.len() > MOST { Err(too_many()) } else { Ok(()) }
    }

    pub(super) fn find(&self, key: &str) -> Option<&What> {
        self.things.get(key)
    }

    /// Puts what has a position first, in the order of the positions: a layer and an array in it.
    pub(super) fn order(&mut self, positions: &HashMap<String, (usize, usize)>) {
        let last = (usize::MAX, usize::MAX);
        let of = |key: &str| positions.get(key).copied().unwrap_or(last);
        self.order.sort_by_key(|(key, _)| of(key));
        for (key, position) in &mut self.order {
            *position =
                positions.get(key).map(|(layer, array)| format!("layer {layer}, array {array}"));
        }
    }

    pub(super) fn names(&self) -> Vec<Named> {
        let named = |(key, position): &(String, Option<String>)| Named {
            key: key.clone(),
            name: if key.is_empty() { "/".to_owned() } else { key.clone() },
            position: position.clone(),
            index: None,
        };
        self.order.iter().map(named).collect()
    }
}

fn too_many() -> String {
    format!("it holds more than {MOST} arrays and attributes")
}

fn join(path: &str, name: &str) -> Result<String, String> {
    let joined = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
    if joined.len() > LONGEST {
        return Err(format!("it has a path that is longer than {LONGEST} bytes"));
    }
    Ok(joined)
}
