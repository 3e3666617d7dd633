//! The modules of a crate, read from its source.

use std::path::{Path, PathBuf};

use syn::{Attribute, Item};

/// A module of a crate, with the items that are built without tests.
pub struct Module {
    /// The names from the root of the crate; empty for the root.
    pub path: Vec<String>,
    /// The file, relative to the workspace.
    pub file: PathBuf,
    pub items: Vec<Item>,
}

/// Reads the modules of a crate, which begins with `root`, by their `mod` items. Modules of tests are left out.
pub fn modules(root: &Path) -> Vec<Module> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    read_modules(root, &|file| std::fs::read_to_string(workspace.join(file)).ok())
}

/// The same, of files that `read` gives by their path.
pub fn read_modules(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Vec<Module> {
    let mut found = Vec::new();
    let text = read(root).unwrap_or_else(|| panic!("no {}", root.display()));
    add(Vec::new(), root, root.parent().unwrap(), parse(&text, root), read, &mut found);
    found
}

fn parse(text: &str, file: &Path) -> Vec<Item> {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items
}

/// Adds a module and those below it, whose files are in `folder`.
fn add(
    path: Vec<String>,
    file: &Path,
    folder: &Path,
    items: Vec<Item>,
    read: &dyn Fn(&Path) -> Option<String>,
    found: &mut Vec<Module>,
) {
    let items: Vec<Item> =
        items.into_iter().filter(|item| !attributes(item).iter().any(is_test)).collect();
    for item in &items {
        let Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        let below = [&path[..], std::slice::from_ref(&name)].concat();
        let folder = folder.join(&name);
        if let Some((_, items)) = &module.content {
            add(below, file, &folder, items.clone(), read, found);
        } else {
            let file = folder.with_extension("rs");
            let text = read(&file).unwrap_or_else(|| panic!("no {}", file.display()));
            add(below, &file, &folder, parse(&text, &file), read, found);
        }
    }
    found.push(Module { path, file: file.to_owned(), items });
}

/// Whether the item is built for tests or documentation only.
fn is_test(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("cfg") && ["test", "doc"].contains(&list.tokens.to_string().as_str())
}

/// The attributes of any item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
