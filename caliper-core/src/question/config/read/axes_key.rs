//! What stands under `axes`, `exclude` and `include`.

use super::groups_key::GROUP_AXIS;
use super::limits_key::LIMITS;
use super::{At, Entries, Node, Reader, list, shorten};
use crate::names::PackageName;
use crate::question::axes::{
    AsOf, Axes, Axis, AxisValue, AxisValues, Condition, LimitChanges, Overlay, Rule,
};
use crate::question::limits::Limits;
use crate::question::selection::Versions;
use crate::question::template::{Args, Template, nearest};

/// The keys of a bundle: a value of an axis that changes several things.
pub(in crate::question::config) const BUNDLE: &[&str] =
    &["requirements", "constraints", "env", "limits", "base", "args", "as_of"];

/// Names that cannot be those of an axis: `version` and `python` are parts of every cell, and
/// `backend` is the axis of `--backend`.
const RESERVED: &[&str] = &[Rule::VERSION, Rule::PYTHON, "backend"];

const FORMS: &str = "an axis is a list (of dates for `as_of`, or of values of a limit such as `cpus`), \
                     `{env: NAME, values: […]}`, `{releases: SPECIFIERS}`, or bundles such as \
                     `{plain: {}, mkl: {requirements: [mkl]}}`";

impl Reader<'_> {
    /// The axes; `args` are the template variables of the whole analysis.
    pub(super) fn axes(&mut self, at: &At<'_>, args: &Args) -> Vec<Axis> {
        let mut axes: Vec<Axis> = Vec::new();
        let Node::Mapping(pairs) = at.node else {
            self.problem_with_help(at, "`axes` must be names with values", FORMS);
            return axes;
        };
        for (index, (name, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            let plain = |next: char| next.is_ascii_alphanumeric() || "_-.".contains(next);
            if name.is_empty() || !name.chars().all(plain) {
                let message = format!("`{}` cannot be the name of an axis", shorten(name));
                self.push(
                    &child,
                    true,
                    message,
                    Some("use letters, digits, `_`, `-` and `.`".into()),
                );
            } else if RESERVED.contains(&name.as_str()) {
                let message = format!("`{name}` is a name that cells have already");
                self.push(&child, true, message, Some("choose another name".into()));
            } else if axes.iter().any(|known| known.name == *name) {
                self.second_time(&child, name);
            } else if let Some(values) = self.axis(name, &child, args) {
                axes.push(Axis { name: name.clone(), values });
            }
        }
        axes
    }

    fn axis(&mut self, name: &str, at: &At<'_>, args: &Args) -> Option<AxisValues> {
        let has = |key: &str| match at.node {
            Node::Mapping(pairs) => pairs.iter().any(|(name, _)| name == key),
            _ => false,
        };
        let values = match at.node {
            Node::Sequence(_) if name == "as_of" => self.dates(at),
            Node::Scalar { .. } if name == "as_of" => self.date(at),
            Node::Sequence(_) if LIMITS.contains(&name) => self.values_of_limit(name, at),
            Node::Mapping(_) if has("releases") => return self.releases(name, at),
            Node::Mapping(_) if has("values") => self.values_of_variable(at)?,
            Node::Mapping(pairs) if !pairs.is_empty() => self.bundles(at, args),
            _ => {
                self.problem_with_help(
                    at,
                    format!("`{name}` is not an axis that Caliper knows"),
                    FORMS,
                );
                return None;
            }
        };
        if values.is_empty() {
            self.problem(at, format!("`{name}` has no values"));
        }
        Some(AxisValues::Listed(values))
    }

    /// One value for each element of a list; says which label stands there twice.
    fn values<'n>(
        &mut self,
        at: &At<'n>,
        what: &str,
        value: &mut dyn FnMut(&mut Self, &At<'n>, String) -> Option<AxisValue>,
    ) -> Vec<AxisValue> {
        let mut values: Vec<AxisValue> = Vec::new();
        for node in self.list(at, what) {
            let Some(label) = self.label(&node) else { continue };
            let Some(value) = value(self, &node, label) else { continue };
            if values.iter().any(|known| known.label == value.label) {
                self.problem(&node, format!("`{}` is in the list twice", shorten(&value.label)));
            }
            values.push(value);
        }
        values
    }

    /// How an element of a list is called: as it was written.
    fn label(&mut self, at: &At<'_>) -> Option<String> {
        if let Node::Sequence(_) = at.node {
            let words = self.list(at, "a value");
            let words: Option<Vec<String>> =
                words.iter().map(|node| self.text(node, "a value")).collect();
            return words.map(|words| words.join("+"));
        }
        self.text(at, "a value")
    }

    /// `as_of: [release, today, 2021-03-01]`.
    fn dates(&mut self, at: &At<'_>) -> Vec<AxisValue> {
        self.values(at, "`as_of`", &mut |reader, node, label| {
            let as_of = reader.as_of(node)?;
            Some(AxisValue::as_of(label, as_of))
        })
    }

    /// `as_of: release`.
    fn date(&mut self, at: &At<'_>) -> Vec<AxisValue> {
        let value = self.text(at, "`as_of`").zip(self.as_of(at));
        value.map(|(label, as_of)| AxisValue::as_of(label, as_of)).into_iter().collect()
    }

    fn as_of(&mut self, at: &At<'_>) -> Option<AsOf> {
        let text = self.text(at, "`as_of`")?;
        let parsed = text.parse();
        if parsed.is_err() {
            let message = format!("`{}` is not a date of the index", shorten(&text));
            self.problem_with_help(
                at,
                message,
                "write `release`, `today`, or a date such as `2021-03-01`",
            );
        }
        parsed.ok()
    }

    /// `cpus: [1, 2]`.
    fn values_of_limit(&mut self, name: &str, at: &At<'_>) -> Vec<AxisValue> {
        self.values(at, &format!("`{name}`"), &mut |reader, node, label| {
            let mut limits = Limits::default();
            reader.limit(&mut limits, name, node);
            let limits = LimitChanges::of(&limits, [name]);
            Some(AxisValue { label, overlay: Overlay { limits, ..Overlay::default() } })
        })
    }

    /// `{env: SEED, values: [0, 1]}`.
    fn values_of_variable(&mut self, at: &At<'_>) -> Option<Vec<AxisValue>> {
        let mut entries = self.mapping(at, "an axis", &["env", "values"])?;
        let values = entries.remove("values")?;
        let Some(env) = entries.remove("env") else {
            self.problem_with_help(
                at,
                "it is not said which variable has these values",
                "name an environment variable: `{env: SEED, values: [0, 1]}`",
            );
            return None;
        };
        let variable = self.variable(&env, "`env`")?;
        Some(self.values(&values, "`values`", &mut |_, _, label| {
            let env = [(variable.clone(), label.clone())].into();
            Some(AxisValue { label, overlay: Overlay { env, ..Overlay::default() } })
        }))
    }

    /// `{releases: ">=1.21"}`; the name of the axis is the package, unless `package` says another.
    fn releases(&mut self, name: &str, at: &At<'_>) -> Option<AxisValues> {
        let mut entries = self.mapping(at, "an axis", &["releases", "package"])?;
        let versions: Versions = self.versions(&entries.remove("releases")?)?;
        let package: Option<PackageName> = if let Some(node) = entries.remove("package") {
            self.parsed(&node, "`package`")
        } else {
            let parsed = name.parse();
            if parsed.is_err() {
                let message = format!("`{}` is not the name of a package", shorten(name));
                let help = "name it: `{package: numpy, releases: \">=1.21\"}`".to_owned();
                self.push(at, true, message, Some(help));
            }
            parsed.ok()
        };
        Some(AxisValues::Releases { package: package?, versions })
    }

    /// `{plain: {}, mkl: {requirements: [mkl]}}`.
    fn bundles(&mut self, at: &At<'_>, args: &Args) -> Vec<AxisValue> {
        let Node::Mapping(pairs) = at.node else { return Vec::new() };
        let mut values: Vec<AxisValue> = Vec::new();
        for (index, (label, node)) in pairs.iter().enumerate() {
            let child = at.child(index, node);
            if values.iter().any(|known| known.label == *label) {
                self.second_time(&child, label);
            } else if !matches!(node, Node::Mapping(_)) {
                let message = format!("`{}` must say what it changes", shorten(label));
                let help = format!("write `{}: {{}}` for nothing; {FORMS}", shorten(label));
                self.problem_with_help(&child, message, help);
            } else if let Some(overlay) = self.bundle(&child, args) {
                values.push(AxisValue { label: label.clone(), overlay });
            }
        }
        values
    }

    fn bundle(&mut self, at: &At<'_>, all_args: &Args) -> Option<Overlay> {
        let mut entries = self.mapping(at, "a bundle", BUNDLE)?;
        Some(self.overlay(&mut entries, all_args))
    }

    /// What the keys of a bundle say; they are taken out of `entries`.
    pub(super) fn overlay(&mut self, entries: &mut Entries<'_>, all_args: &Args) -> Overlay {
        let mut overlay = Overlay::default();
        if let Some(node) = entries.remove("requirements") {
            overlay.requirements = self.requirements(&node, "`requirements`");
        }
        if let Some(node) = entries.remove("constraints") {
            let help = "name the file under `constraints` of the analysis, or leave the hashes out";
            overlay.constraints =
                self.constraints_without_hashes(&node, "`constraints` of a value", help);
        }
        if let Some(node) = entries.remove("env") {
            overlay.env = self.environment(&node);
        }
        if let Some(node) = entries.remove("limits") {
            overlay.limits = self.changed_limits(&node);
        }
        if let Some(node) = entries.remove("args") {
            overlay.args = self.args(&node);
            for name in
                overlay.args.names().filter(|name| !all_args.names().any(|all| all == *name))
            {
                // Otherwise the template would lack it in the cells of other values.
                self.problem_with_help(
                    &node,
                    format!("`{name}` does not stand under the `args` of the analysis"),
                    "give it the value there that it has in all other cells",
                );
            }
        }
        if let Some(node) = entries.remove("base")
            && let Some(text) = self.text(&node, "`base`")
        {
            let base = Template::new("base", text);
            if let Err(error) = base.check(all_args) {
                self.problem(&node, error);
            }
            overlay.base = Some(base);
        }
        overlay.as_of = entries.remove("as_of").and_then(|node| self.as_of(&node));
        overlay
    }

    fn changed_limits(&mut self, at: &At<'_>) -> LimitChanges {
        let mut limits = Limits::default();
        let Some(entries) = self.mapping(at, "`limits`", LIMITS) else {
            return LimitChanges::default();
        };
        for (name, node) in &entries {
            self.limit(&mut limits, name, node);
        }
        LimitChanges::of(&limits, entries.keys().copied())
    }

    /// `exclude` or `include`: a list of combinations.
    pub(super) fn rules(&mut self, at: &At<'_>, what: &str, axes: &[Axis]) -> Vec<Rule> {
        let nodes = self.list(at, what);
        nodes.iter().filter_map(|node| self.rule(node, axes)).collect()
    }

    /// A combination: conditions on the release, the Python and the axes.
    pub(super) fn rule(&mut self, at: &At<'_>, axes: &[Axis]) -> Option<Rule> {
        let mut known = vec![Rule::VERSION, Rule::PYTHON];
        known.extend(axes.iter().map(|axis| axis.name.as_str()));
        let entries = self.mapping(at, "a combination", &known)?;
        if entries.is_empty() && self.problems.is_empty() {
            self.problem_with_help(
                    at,
                    "a combination without conditions is every cell",
                    "name a release, a Python or a value of an axis: `{version: \"<2\", python: \"3.13\"}`",
                );
        }
        let mut conditions = Vec::new();
        for (part, value) in entries {
            let axis = axes.iter().find(|axis| axis.name == part);
            if let Some(condition) = self.condition(&value, axis) {
                conditions.push((part.to_owned(), condition));
            }
        }
        Some(Rule(conditions))
    }

    /// Specifiers, a label, or a list of labels.
    fn condition(&mut self, at: &At<'_>, axis: Option<&Axis>) -> Option<Condition> {
        let nodes = match at.node {
            Node::Sequence(_) => self.list(at, "a condition"),
            _ => vec![at.clone()],
        };
        let mut labels = Vec::new();
        for node in nodes {
            let label = self.text(&node, "a condition")?;
            if label.starts_with(['<', '>', '=', '!', '~']) {
                return self.parsed(&node, "a condition").map(Condition::Specifiers);
            }
            if let Some(Axis { name, values: AxisValues::Listed(values) }) = axis
                && !values.iter().any(|value| value.label == label)
            {
                let all: Vec<&str> = values.iter().map(|value| value.label.as_str()).collect();
                let help = match nearest(&label, all.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("its values are {}", list(&all)),
                };
                let message = format!("`{}` is not a value of `{name}`", shorten(&label));
                self.problem_with_help(&node, message, help);
            }
            labels.push(label);
        }
        Some(Condition::Labels(labels))
    }

    /// All keys of axes.
    pub(super) fn grid_axes(
        &mut self,
        [as_of, axes, groups, exclude, include]: [Option<At<'_>>; 5],
        args: &Args,
    ) -> Axes {
        let mut axes = axes.map(|node| self.axes(&node, args)).unwrap_or_default();
        if let Some(node) = as_of {
            if axes.iter().any(|axis| axis.name == "as_of") {
                let message = "`as_of` is among the `axes` too".to_owned();
                self.push(&node, true, message, Some("keep one of the two".into()));
            } else if let Some(values) = self.axis("as_of", &node, args) {
                axes.insert(0, Axis { name: "as_of".to_owned(), values });
            }
        }
        if let Some(node) = groups {
            if axes.iter().any(|axis| axis.name == GROUP_AXIS) {
                let message = format!("`{GROUP_AXIS}` is among the `axes` too");
                self.push(&node, true, message, Some("give the axis another name".into()));
            } else {
                let values = AxisValues::Listed(self.groups_of_runs(&node, args));
                axes.push(Axis { name: GROUP_AXIS.to_owned(), values });
            }
        }
        let exclude = exclude.map(|node| self.rules(&node, "`exclude`", &axes)).unwrap_or_default();
        let include = include.map(|node| self.rules(&node, "`include`", &axes)).unwrap_or_default();
        Axes { axes, exclude, include }
    }
}
