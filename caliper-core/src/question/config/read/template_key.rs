//! Reads the keys `base`, `dockerfile` and `args`.

use super::{At, Config, Node, Reader, ScalarKind, shorten};
use crate::question::template::{Args, Template};

impl Reader<'_> {
    pub(super) fn base(&mut self, at: Option<At<'_>>, args: &Args) -> Template {
        let text = at.as_ref().and_then(|node| self.text(node, "`base`"));
        let template = Template::new("base", text.unwrap_or_else(|| Config::BASE.to_owned()));
        if let (Some(at), Err(error)) = (at, template.check(args)) {
            self.problem(&at, error);
        }
        template
    }

    pub(super) fn dockerfile(&mut self, at: &At<'_>, args: &Args) -> Option<Template> {
        let path = self.text(at, "`dockerfile`")?;
        let content = self.file(at, &path)?;
        let Ok(source) = String::from_utf8(content) else {
            self.problem(at, format!("`{}` is not UTF-8 text", shorten(&path)));
            return None;
        };
        let template = Template::new(path, source);
        if let Err(error) = template.check(args) {
            self.problem(at, error);
        }
        Some(template)
    }

    pub(super) fn args(&mut self, at: &At<'_>) -> Args {
        let mut args = Args::default();
        let Node::Mapping(pairs) = at.node else {
            self.problem(at, "`args` must be names with values");
            return args;
        };
        for (index, (name, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            let identifier = name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_')
                && !name.starts_with(|first: char| first.is_ascii_digit());
            if !identifier || name.is_empty() {
                let message =
                    format!("`{}` cannot be the name of a template variable", shorten(name));
                self.push(&child, true, message, Some("use letters, digits and `_`".into()));
            } else if args.names().any(|known| known == name) {
                self.second_time(&child, name);
            } else if let Some(value) = self.value(&child)
                && args.insert(name, value).is_err()
            {
                let message = format!("`{name}` is a template variable of Caliper's own");
                self.push(&child, true, message, Some("choose another name".into()));
            }
        }
        args
    }

    /// Any node as JSON, for a template.
    pub(super) fn value(&mut self, at: &At<'_>) -> Option<serde_json::Value> {
        use serde_json::Value;
        Some(match at.node {
            Node::Null => Value::Null,
            Node::Scalar { text, kind: ScalarKind::Boolean } => {
                Value::Bool(text.eq_ignore_ascii_case("true"))
            }
            // The words as they were written: `3.10` must not render as `3.1`.
            Node::Scalar { text, .. } => Value::String(text.clone()),
            Node::Sequence(nodes) => {
                let values: Option<Vec<Value>> = nodes
                    .iter()
                    .enumerate()
                    .map(|(index, node)| self.value(&at.child(index, node)))
                    .collect();
                Value::Array(values?)
            }
            Node::Mapping(pairs) => {
                let mut map = serde_json::Map::new();
                for (index, (name, node)) in pairs.iter().enumerate() {
                    map.insert(name.clone(), self.value(&at.child(index, node))?);
                }
                Value::Object(map)
            }
            Node::Tagged => {
                self.problem(at, "YAML tags have no meaning here; leave the `!…` out");
                return None;
            }
        })
    }
}
