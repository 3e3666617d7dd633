//! What each library shows to other crates, as a list to be reviewed when it changes.
//!
//! The list has the public items of the public modules, by the path under which they are defined or shown, with the
//! public fields, variants and methods. Types are left out: the compiler checks those of each use.

use std::collections::BTreeSet;
use std::path::Path;

use quote::ToTokens as _;
use syn::{Fields, ImplItem, Item, TraitItem, Visibility};

use crate::source::{Module, modules, read_modules};

/// The public items of the modules of a crate, one on a line, sorted.
fn public(modules: &[Module]) -> String {
    let is_public = |path: &[String]| {
        (1..=path.len()).all(|length| {
            let (name, parent) = path[..length].split_last().unwrap();
            let parent = modules.iter().find(|module| module.path == parent).unwrap();
            parent.items.iter().any(
                |item| matches!(item, Item::Mod(one) if one.ident == name && is_shown(&one.vis)),
            )
        })
    };
    let mut lines = BTreeSet::new();
    // The types that are named somewhere public: methods of others are nothing to see.
    let mut types = BTreeSet::new();
    for module in modules.iter().filter(|module| is_public(&module.path)) {
        let at = |name: &str| [&module.path[..], &[name.to_owned()]].concat().join("::");
        for item in &module.items {
            add(item, &at, &mut lines, &mut types);
        }
    }
    for module in modules {
        for item in &module.items {
            let Item::Impl(block) = item else { continue };
            let name = block.self_ty.to_token_stream().to_string();
            let name = name.split([' ', '<']).next().unwrap_or_default();
            if block.trait_.is_some() || !types.contains(name) {
                continue;
            }
            for item in &block.items {
                let (kind, name_of) = match item {
                    ImplItem::Fn(one) if is_shown(&one.vis) => ("fn", &one.sig.ident),
                    ImplItem::Const(one) if is_shown(&one.vis) => ("const", &one.ident),
                    _ => continue,
                };
                lines.insert(format!("impl {name} {kind} {name_of}"));
            }
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn add(
    item: &Item,
    at: &dyn Fn(&str) -> String,
    lines: &mut BTreeSet<String>,
    types: &mut BTreeSet<String>,
) {
    let mut line = |kind: &str, name: &str| {
        lines.insert(format!("{} {kind}", at(name)));
    };
    match item {
        Item::Const(one) if is_shown(&one.vis) => line("const", &one.ident.to_string()),
        Item::Static(one) if is_shown(&one.vis) => line("static", &one.ident.to_string()),
        Item::Type(one) if is_shown(&one.vis) => line("type", &one.ident.to_string()),
        Item::Fn(one) if is_shown(&one.vis) => line("fn", &one.sig.ident.to_string()),
        Item::Mod(one) if is_shown(&one.vis) => line("mod", &one.ident.to_string()),
        Item::Struct(one) if is_shown(&one.vis) => {
            types.insert(one.ident.to_string());
            line("struct", &one.ident.to_string());
            if let Fields::Named(fields) = &one.fields {
                for field in fields.named.iter().filter(|field| is_shown(&field.vis)) {
                    let name = field.ident.as_ref().unwrap();
                    line("field", &format!("{}.{name}", one.ident));
                }
            }
        }
        Item::Enum(one) if is_shown(&one.vis) => {
            types.insert(one.ident.to_string());
            line("enum", &one.ident.to_string());
            for variant in &one.variants {
                line("variant", &format!("{}::{}", one.ident, variant.ident));
            }
        }
        Item::Trait(one) if is_shown(&one.vis) => {
            line("trait", &one.ident.to_string());
            for method in &one.items {
                let TraitItem::Fn(method) = method else { continue };
                let kind = if method.default.is_some() { "provided fn" } else { "required fn" };
                line(kind, &format!("{}::{}", one.ident, method.sig.ident));
            }
        }
        Item::Use(one) if is_shown(&one.vis) => shown_names(&one.tree, &mut |name| {
            types.insert(name.to_owned());
            line("use", name);
        }),
        _ => {}
    }
}

fn is_shown(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The names that a `use` gives.
fn shown_names(tree: &syn::UseTree, name: &mut dyn FnMut(&str)) {
    match tree {
        syn::UseTree::Path(inner) => shown_names(&inner.tree, name),
        syn::UseTree::Name(one) => name(&one.ident.to_string()),
        syn::UseTree::Rename(one) => name(&one.rename.to_string()),
        syn::UseTree::Glob(_) => name("*"),
        syn::UseTree::Group(group) => {
            group.items.iter().for_each(|tree| shown_names(tree, name));
        }
    }
}

#[test]
fn the_public_items_are_the_reviewed_ones() {
    for library in ["caliper-core", "caliper-pypi", "caliper-container"] {
        let root = format!("{library}/src/lib.rs");
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(library, public(&modules(Path::new(&root))));
        });
    }
}

#[test]
fn only_what_can_be_reached_is_public() {
    let read = |file: &Path| {
        let text = match file.to_str()? {
            "src/lib.rs" => "pub mod a; mod b; pub use b::{Shown, Trait as Other};",
            "src/a.rs" => {
                "pub struct S { pub x: u8, y: u8 } struct T; impl S { pub fn f() {} fn g() {} } \
                 impl T { pub fn h() {} } pub enum E { V } mod inner;"
            }
            "src/a/inner.rs" => "pub fn hidden() {}",
            "src/b.rs" => {
                "pub struct Shown; impl Shown { pub const C: u8 = 1; } pub struct Hidden;"
            }
            _ => return None,
        };
        Some(text.to_owned())
    };
    insta::assert_snapshot!(public(&read_modules(Path::new("src/lib.rs"), &read)), @"
    Other use
    Shown use
    a mod
    a::E enum
    a::E::V variant
    a::S struct
    a::S.x field
    impl S fn f
    impl Shown const C
    ");
}
