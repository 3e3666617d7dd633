//! Which module may import which, as docs/architecture.md says.
//!
//! Only code that is built without tests counts, and neither do links in documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::Item;

use crate::source::{Module, modules, read_modules};

/// From which file and line a module imports another.
struct Import {
    from: Vec<String>,
    to: Vec<String>,
    place: String,
}

/// What a crate imports: of its own modules, and by full names of other crates.
struct Imports {
    own: Vec<Import>,
    /// Each first word of a path that names another crate of the workspace.
    crates: Vec<(String, String)>,
}

/// A path as it is written, and its line.
type Written = (Vec<String>, usize);

impl Imports {
    fn of(modules: &[Module]) -> Self {
        let mut known = BTreeMap::new();
        for module in modules {
            known.insert(&module.path, names(module));
        }
        let mut imports = Self { own: Vec::new(), crates: Vec::new() };
        for module in modules {
            for item in &module.items {
                if matches!(item, Item::Mod(_)) {
                    continue;
                }
                let mut written = Vec::new();
                paths(item.to_token_stream(), &[], &mut written);
                for (path, line) in written {
                    let place = format!("{}:{line}", module.file.display());
                    if path[0].starts_with("caliper_") {
                        imports.crates.push((path[0].clone(), place));
                    } else if let Some(to) = resolve(&module.path, &path, &known, 0) {
                        imports.own.push(Import { from: module.path.clone(), to, place });
                    }
                }
            }
        }
        imports
    }

    /// The imports between `from` and `to`, or what is in them.
    fn between(&self, from: &[&str], to: &[&str]) -> Vec<String> {
        let within = |path: &[String], module: &[&str]| {
            path.len() >= module.len() && path.iter().zip(module).all(|(one, other)| one == other)
        };
        let imports = self.own.iter().filter(|one| within(&one.from, from) && within(&one.to, to));
        imports.map(|import| format!("{} imports {}", import.place, import.to.join("::"))).collect()
    }

    /// The circles among the modules of each module, where each stands for everything below it.
    ///
    /// A module and what is below it may import each other: a parent holds what its children share, and
    /// shows what they make.
    fn circles(&self) -> Vec<String> {
        // By the common parent: which of its children imports which other one, and where.
        type Edges = BTreeMap<String, BTreeMap<String, String>>;
        let mut levels: BTreeMap<Vec<String>, Edges> = BTreeMap::new();
        for Import { from, to, place } in &self.own {
            let common = from.iter().zip(to).take_while(|(one, other)| one == other).count();
            if let (Some(one), Some(other)) = (from.get(common), to.get(common)) {
                let edges = levels.entry(from[..common].to_vec()).or_default();
                edges.entry(one.clone()).or_default().entry(other.clone()).or_insert(place.clone());
            }
        }
        let mut found = Vec::new();
        for (parent, edges) in &levels {
            let reach = |start: &str| {
                let (mut seen, mut next) = (BTreeSet::new(), vec![start.to_owned()]);
                while let Some(one) = next.pop() {
                    for other in edges.get(&one).into_iter().flat_map(BTreeMap::keys) {
                        if seen.insert(other.clone()) {
                            next.push(other.clone());
                        }
                    }
                }
                seen
            };
            for (one, others) in edges {
                for (other, place) in others {
                    if reach(other).contains(one) {
                        let parent = parent.join("::");
                        found.push(format!("in `{parent}`: {one} -> {other} ({place})"));
                    }
                }
            }
        }
        found
    }
}

/// What the names of a module stand for that it takes from elsewhere.
fn names(module: &Module) -> BTreeMap<String, Vec<String>> {
    fn add(tree: &syn::UseTree, path: &[String], names: &mut BTreeMap<String, Vec<String>>) {
        let with = |name: &syn::Ident| [path, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(inner) => add(&inner.tree, &with(&inner.ident), names),
            syn::UseTree::Name(name) => {
                names.insert(name.ident.to_string(), with(&name.ident));
            }
            syn::UseTree::Rename(name) => {
                names.insert(name.rename.to_string(), with(&name.ident));
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| add(tree, path, names));
            }
            syn::UseTree::Glob(_) => {}
        }
    }
    let mut found = BTreeMap::new();
    for item in &module.items {
        if let Item::Use(item) = item {
            add(&item.tree, &[], &mut found);
        }
    }
    found
}

/// The module that a path leads to which stands in `from`; `None` outside of this crate.
fn resolve(
    from: &[String],
    path: &[String],
    known: &BTreeMap<&Vec<String>, BTreeMap<String, Vec<String>>>,
    depth: usize,
) -> Option<Vec<String>> {
    let (mut module, mut rest) = match path[0].as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "super" | "self" => (from.to_vec(), path),
        name => {
            let below = [from, &[name.to_owned()]].concat();
            (known.contains_key(&below).then_some(below)?, &path[1..])
        }
    };
    while let Some(name) = rest.first() {
        match name.as_str() {
            "self" => {}
            "super" => {
                module.pop()?;
            }
            name => {
                let below = [&module[..], &[name.to_owned()]].concat();
                if known.contains_key(&below) {
                    module = below;
                } else {
                    // A name that the module itself takes from elsewhere leads there.
                    let taken = known.get(&module).and_then(|names| names.get(name));
                    let taken = taken.filter(|taken| depth < 8 && *taken != path);
                    return taken
                        .and_then(|taken| resolve(&module, taken, known, depth + 1))
                        .or(Some(module));
                }
            }
        }
        rest = &rest[1..];
    }
    Some(module)
}

/// Adds the paths in `tokens` that begin with `crate`, `super`, `self` or a crate of the workspace, also in
/// macros; `before` is what stands in front of a group of a `use`.
fn paths(tokens: TokenStream, before: &[String], found: &mut Vec<Written>) {
    let is_start =
        |name: &str| ["crate", "super", "self"].contains(&name) || name.starts_with("caliper_");
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colons = |at: usize| {
        let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(one)) if one.as_char() == ':');
        colon(at) && colon(at + 1)
    };
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(first)
                if !before.is_empty() || is_start(&first.to_string()) && is_colons(at + 1) =>
            {
                let line = first.span().start().line;
                let mut path = before.to_vec();
                path.push(first.to_string());
                at += 1;
                let mut is_group = false;
                while is_colons(at) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(name)) => {
                            path.push(name.to_string());
                            at += 3;
                        }
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            paths(group.stream(), &path, found);
                            is_group = true;
                            at += 3;
                        }
                        _ => break,
                    }
                }
                if !is_group {
                    found.push((path, line));
                }
                // `as name` in a group of a `use`.
                if !before.is_empty()
                    && matches!(tokens.get(at), Some(TokenTree::Ident(name)) if name == "as")
                {
                    at += 2;
                }
            }
            TokenTree::Group(group) => {
                paths(group.stream(), &[], found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

const CRATES: [(&str, &str); 4] = [
    ("caliper_core", "caliper-core/src/lib.rs"),
    ("caliper_pypi", "caliper-pypi/src/lib.rs"),
    ("caliper_container", "caliper-container/src/lib.rs"),
    ("caliper_cli", "caliper-cli/src/main.rs"),
];

fn imports_of(name: &str) -> Imports {
    let (_, root) = CRATES.iter().find(|(known, _)| *known == name).unwrap();
    Imports::of(&modules(Path::new(root)))
}

#[test]
fn wings_of_the_core_import_only_what_is_before_them() {
    let imports = imports_of("caliper_core");
    let wings = ["names", "question", "facts", "analysis", "report"];
    let modules = modules(Path::new("caliper-core/src/lib.rs"));
    let top: BTreeSet<&str> =
        modules.iter().filter_map(|module| module.path.first()).map(String::as_str).collect();
    assert_eq!(
        top,
        BTreeSet::from(wings),
        "each top module of the core has its place in the order"
    );
    let mut wrong = Vec::new();
    for (at, wing) in wings.iter().enumerate() {
        for later in &wings[at + 1..] {
            wrong.extend(imports.between(&[wing], &[later]));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn backends_know_neither_each_other_nor_the_runner() {
    let imports = imports_of("caliper_container");
    let mut wrong = Vec::new();
    for (from, to) in [
        ("docker", "local"),
        ("local", "docker"),
        ("runner", "docker"),
        ("runner", "local"),
        ("runner", "fake"),
        ("docker", "runner"),
        ("local", "runner"),
    ] {
        wrong.extend(imports.between(&[from], &[to]));
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn crates_import_only_what_is_below_them() {
    for (name, allowed) in [
        ("caliper_core", &[][..]),
        ("caliper_pypi", &["caliper_core"]),
        ("caliper_container", &["caliper_core"]),
        ("caliper_cli", &["caliper_core", "caliper_pypi", "caliper_container"]),
    ] {
        let known = |name: &str| CRATES.iter().any(|(known, _)| *known == name);
        let wrong = imports_of(name).crates.into_iter();
        let wrong: Vec<_> =
            wrong.filter(|(one, _)| known(one) && !allowed.contains(&one.as_str())).collect();
        assert_eq!(wrong, []);
    }
}

#[test]
fn modules_import_each_other_in_no_circle() {
    let mut circles = Vec::new();
    for (name, _) in CRATES {
        let imports = imports_of(name);
        assert!(imports.own.len() > 50, "the source of {name} was not read");
        circles.extend(imports.circles());
    }
    assert_eq!(circles, [""; 0]);
}

/// The checks find what they are for, in every way in which it can be written.
#[test]
fn imports_are_found_however_they_are_written() {
    let read = |file: &Path| {
        let text = match file.to_str()? {
            "src/lib.rs" => "mod a; mod b; mod c; #[cfg(test)] mod tests { use crate::nothing; }",
            "src/a.rs" => "mod inner; pub use inner::Shown; use caliper_core::names;",
            "src/a/inner.rs" => "pub struct Shown; fn f() {\n vec![super::super::b::g()] }",
            "src/b.rs" => {
                "use crate::{c as other, a::{self, Shown}}; #[cfg(test)] use crate::c::X;"
            }
            "src/c.rs" => "/// See [`b`](crate::b).\npub struct C;",
            _ => return None,
        };
        Some(text.to_owned())
    };
    let imports = Imports::of(&read_modules(Path::new("src/lib.rs"), &read));
    assert_eq!(imports.between(&["a"], &["b"]), ["src/a/inner.rs:2 imports b"]);
    assert_eq!(imports.between(&["b"], &["c"]), ["src/b.rs:1 imports c"]);
    assert_eq!(imports.between(&["b"], &["a", "inner"]), ["src/b.rs:1 imports a::inner"]);
    assert_eq!(imports.between(&["c"], &[]), [""; 0]);
    assert_eq!(imports.crates, [("caliper_core".to_owned(), "src/a.rs:1".to_owned())]);
    let circle = ["in ``: a -> b (src/a/inner.rs:2)", "in ``: b -> a (src/b.rs:1)"];
    assert_eq!(imports.circles(), circle);
}
