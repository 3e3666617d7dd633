use std::collections::BTreeMap;

use pep440_rs::Version;
use serde::Serialize;

use crate::analysis::bounds::{
    Beyond, Bound, Check, Evidence, NotInstallable, OnPython, Raised, Seen, Verdict, WhyRaised,
};
use crate::names::{PackageName, PythonVersion, excerpt};
use crate::question::plan::Pins;

/// Which releases of its dependencies a project works with: `bounds --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct BoundsReport {
    /// The version of this format: [`SCHEMA`](super::SCHEMA).
    pub schema: u32,
    /// The name of the project.
    pub project: String,
    /// The Pythons, and how the suite ends on each with what a resolver picks.
    pub pythons: Vec<PythonToday>,
    /// The direct dependencies, in the order of the project.
    pub dependencies: Vec<DependencyBounds>,
    /// All of them together.
    pub together: Together,
    /// What is not measured, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// How many environments were installed, or tried to.
    pub installs: usize,
    /// How long installing and testing took, in seconds of work.
    pub seconds: f64,
}

/// How a suite ends with what a resolver picks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct PythonToday {
    /// The Python.
    pub python: PythonVersion,
    /// How it ends.
    pub today: Seen,
    /// Why it does not pass, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether bounds could be measured on it.
    pub measured: bool,
}

/// What was found of one dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DependencyBounds {
    /// Its name.
    pub name: PackageName,
    /// What the project declares.
    pub declared: String,
    /// Whether that holds.
    pub check: Check,
    /// The oldest release with which the suite passes on all Pythons on which it can be installed.
    pub lower: Option<Bound>,
    /// The newest one.
    pub upper: Option<Bound>,
    /// The same for each Python, where they differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, [Bound; 2]>")]
    pub pythons: BTreeMap<PythonVersion, [Bound; 2]>,
    /// The releases that the declared range allows and with which the suite fails.
    #[schemars(with = "Vec<String>")]
    pub failing: Vec<Version>,
    /// How it fails with the newest of them, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The releases with which it passes and fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub flaky: Vec<Version>,
    /// The releases that could not be installed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_installable: Vec<NotInstallable>,
    /// How many releases of the declared range were not measured.
    pub unmeasured: usize,
    /// How many releases it has.
    pub releases: usize,
    /// The dependencies that were held at older releases while this one was measured, at most at these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<PinnedRelease>,
    /// What to declare instead; `null` if nothing needs to be changed, or nothing is known.
    pub suggested: Option<String>,
}

/// All dependencies together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Together {
    /// With the lower bounds.
    pub lower: TogetherEnd,
    /// With the newest releases that are allowed: what a resolver picks.
    pub upper: TogetherEnd,
    /// The releases that are to blame where one of them fails. Each is needed for the failure, as far as it was measured.
    pub blame: Vec<PinnedRelease>,
    /// The lower bounds that go together, where they are higher than those that hold one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<RaisedOn>,
    /// How the suite ends with the raised lower bounds; absent if none was raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_ends: Option<TogetherEnd>,
    /// How it fails with the lower bounds, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How the suite ends with all dependencies at one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TogetherEnd {
    /// It passes on each Python.
    Passes,
    /// It fails on one at least.
    Fails,
    /// It is not known on one at least.
    NotMeasured,
}

/// A release of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct PinnedRelease {
    /// The package.
    pub name: PackageName,
    /// The release.
    #[schemars(with = "String")]
    pub version: Version,
    /// Which end it is: `lower` or `upper`.
    pub end: &'static str,
}

/// A lower bound that was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct RaisedOn {
    /// On which Python.
    pub python: PythonVersion,
    /// What was raised.
    #[serde(flatten)]
    pub raised: Raised,
}

fn pinned(pins: &Pins, end: &'static str) -> impl Iterator<Item = PinnedRelease> {
    let one = move |(name, version): (&PackageName, &Version)| PinnedRelease {
        name: name.clone(),
        version: version.clone(),
        end,
    };
    pins.iter().map(one)
}

impl Together {
    /// What was found on all Pythons.
    fn of(found: &[OnPython]) -> Self {
        let lowest = || found.iter().map(|one| one.lowest.as_ref());
        let ends = |seen: Option<Seen>| match seen {
            Some(Seen::Passed) => TogetherEnd::Passes,
            Some(Seen::Failed) => TogetherEnd::Fails,
            _ => TogetherEnd::NotMeasured,
        };
        let all = |each: &mut dyn Iterator<Item = TogetherEnd>| {
            let each: Vec<TogetherEnd> = each.collect();
            let order = [TogetherEnd::Fails, TogetherEnd::NotMeasured, TogetherEnd::Passes];
            let worst = order.into_iter().find(|one| each.contains(one));
            worst.unwrap_or(TogetherEnd::NotMeasured)
        };
        let lower = all(&mut lowest().map(|one| ends(one.map(|one| one.seen))));
        let upper = all(&mut found.iter().map(|one| ends(Some(one.today.seen))));
        let of_lower = lowest().flatten().flat_map(|one| pinned(&one.to_blame, "lower"));
        let of_upper = found.iter().flat_map(|one| pinned(&one.to_blame, "upper"));
        let mut blame: Vec<PinnedRelease> = of_lower.chain(of_upper).collect();
        blame.sort();
        blame.dedup();
        let raised = found.iter().flat_map(|one| {
            let raised = one.lowest.iter().flat_map(|lowest| &lowest.raised);
            raised.map(|raised| RaisedOn { python: one.python, raised: raised.clone() })
        });
        let raised: Vec<RaisedOn> = raised.collect();
        let in_the_end = all(&mut lowest().map(|one| ends(one.map(|one| one.in_the_end))));
        let why = lowest().flatten().find_map(|one| one.why.clone());
        let raised_ends = (!raised.is_empty()).then_some(in_the_end);
        Self { lower, upper, blame, raised, raised_ends, why }
    }
}

impl BoundsReport {
    /// What was found of a project; `declared` is what it declares of each dependency, as text.
    pub fn of(
        project: &str,
        verdicts: Vec<(String, Verdict)>,
        found: &[OnPython],
        left_out: Vec<String>,
        (installs, seconds): (usize, f64),
    ) -> Self {
        let today = |one: &OnPython| PythonToday {
            python: one.python,
            today: one.today.seen,
            why: one.today.why.clone(),
            measured: one.stuck.is_none(),
        };
        let dependency = |(declared, one): (String, Verdict)| DependencyBounds {
            name: one.name,
            declared,
            check: one.check,
            pythons: by_python(&one.pythons),
            lower: one.lower,
            upper: one.upper,
            why: one.failing.values().next_back().cloned().flatten(),
            failing: one.failing.into_keys().collect(),
            flaky: one.flaky,
            not_installable: one.not_installable,
            unmeasured: one.unmeasured,
            releases: one.releases,
            held: pinned(&one.held, "upper").collect(),
            suggested: one.suggested,
        };
        Self {
            schema: super::SCHEMA,
            project: project.to_owned(),
            pythons: found.iter().map(today).collect(),
            dependencies: verdicts.into_iter().map(dependency).collect(),
            together: Together::of(found),
            left_out,
            installs,
            seconds: (seconds * 10.0).round() / 10.0,
        }
    }

    /// Whether what is declared is refuted: one by one, or together.
    pub fn is_refuted(&self) -> bool {
        self.dependencies.iter().any(|one| one.check == Check::Refuted)
            || [self.together.lower, self.together.upper].contains(&TogetherEnd::Fails)
    }

    /// Whether it is known of each declared range whether it holds, and of all together.
    pub fn is_decided(&self) -> bool {
        self.dependencies.iter().all(|one| one.check != Check::Undecided)
            && [self.together.lower, self.together.upper]
                .iter()
                .all(|end| *end != TogetherEnd::NotMeasured)
    }

    /// What to declare instead, dependency by dependency.
    pub fn suggestions(&self) -> Vec<(PackageName, String)> {
        let suggested = |one: &DependencyBounds| {
            Some((one.name.clone(), one.suggested.clone().filter(|text| *text != one.declared)?))
        };
        self.dependencies.iter().filter_map(suggested).collect()
    }

    /// The answer, for a person.
    pub fn lines(&self) -> Vec<String> {
        let pythons: Vec<String> = self.pythons.iter().map(|one| one.python.to_string()).collect();
        let mut lines = vec![format!("{} on Python {}", self.project, pythons.join(", "))];
        lines.extend(self.today());
        for one in &self.dependencies {
            lines.push(String::new());
            lines.extend(one.lines());
        }
        lines.push(String::new());
        lines.extend(self.together.lines());
        lines.extend(self.left_out.iter().map(|text| format!("not measured: {text}")));
        let installs = if self.installs == 1 { "install" } else { "installs" };
        lines.push(format!("{} {installs} and their tests, {:.1} s", self.installs, self.seconds));
        lines
    }

    /// What has to be said first: where it does not pass today.
    fn today(&self) -> Vec<String> {
        let mut groups: BTreeMap<(Seen, bool, Option<&str>), Vec<String>> = BTreeMap::new();
        for one in self.pythons.iter().filter(|one| one.today != Seen::Passed) {
            let key = (one.today, one.measured, one.why.as_deref());
            groups.entry(key).or_default().push(one.python.to_string());
        }
        let mut lines = Vec::new();
        for ((seen, measured, why), pythons) in groups {
            let on = if pythons.len() == self.pythons.len() {
                String::new()
            } else {
                format!(" on {}", pythons.join(", "))
            };
            lines.push(format!(
                "  with what a resolver picks today {}{on}",
                match seen {
                    Seen::Failed => "the suite fails",
                    Seen::Flaky => "the suite passes and fails",
                    Seen::CannotBeInstalled => "nothing can be installed",
                    _ => "nothing could be measured",
                }
            ));
            lines.extend(why.map(|why| format!("    {}", excerpt(why, SHOWN))));
            if !measured {
                let text = match seen {
                    Seen::Failed => {
                        "and with older releases of its dependencies too: no bound can be measured"
                    }
                    _ => "so no bound can be measured there",
                };
                lines.push(format!("    {text}"));
            }
        }
        lines
    }
}

/// The bounds of each Python, if they are not the same on all.
fn by_python(all: &BTreeMap<PythonVersion, [Bound; 2]>) -> BTreeMap<PythonVersion, [Bound; 2]> {
    let mut each = all.values();
    let first = each.next();
    if each.all(|one| Some(one) == first) {
        return BTreeMap::new();
    }
    all.clone()
}

impl DependencyBounds {
    fn lines(&self) -> Vec<String> {
        let declared = if self.declared.is_empty() { "any release" } else { &self.declared };
        let check = match self.check {
            Check::Holds => "holds",
            Check::Refuted => "refuted",
            Check::Undecided => "undecided",
        };
        let mut lines = vec![format!("{} {declared}: {check}", self.name)];
        let mut say = |text: String| lines.push(format!("  {text}"));
        for (name, bound) in [("oldest", &self.lower), ("newest", &self.upper)] {
            if let Some(bound) = bound {
                say(format!("{name} that passes: {}", told(bound)));
            }
        }
        for (python, [lower, upper]) in &self.pythons {
            say(format!("  on {python}: {} to {}", lower.version, upper.version));
        }
        if !self.failing.is_empty() {
            say(format!("fails with {}", list(&self.failing)));
            if let Some(why) = &self.why {
                say(format!("  {}", excerpt(why, SHOWN)));
            }
        }
        if !self.flaky.is_empty() {
            say(format!("passes and fails with {}", list(&self.flaky)));
        }
        for one in self.not_installable.iter().take(LISTED) {
            let pythons: Vec<String> = one.pythons.iter().map(ToString::to_string).collect();
            say(format!("{} cannot be installed on {}", one.version, pythons.join(", ")));
            if !one.why.is_empty() {
                say(format!("  {}", excerpt(&one.why, SHOWN)));
            }
        }
        if self.not_installable.len() > LISTED {
            say(format!("and {} more cannot be installed", self.not_installable.len() - LISTED));
        }
        if self.unmeasured > 0 {
            say(format!("not tried: {} of {} releases", self.unmeasured, self.releases));
        }
        if !self.held.is_empty() {
            let held: Vec<String> =
                self.held.iter().map(|one| format!("{}<={}", one.name, one.version)).collect();
            say(format!("measured with {}", held.join(", ")));
        }
        match &self.suggested {
            Some(suggested) if *suggested != self.declared => {
                say(format!("declare {}{suggested}", self.name));
            }
            _ => {}
        }
        lines
    }
}

/// How many of a long list are shown.
const LISTED: usize = 5;

/// How many characters of a reason are shown: a line has 80.
const SHOWN: usize = 72;

fn list(versions: &[Version]) -> String {
    let mut shown: Vec<String> = versions.iter().take(LISTED).map(ToString::to_string).collect();
    if versions.len() > LISTED {
        shown.push(format!("and {} more", versions.len() - LISTED));
    }
    shown.join(", ")
}

/// `1.3.5 (proven: 1.3.4 fails)`
fn told(bound: &Bound) -> String {
    let beyond = match &bound.beyond {
        Beyond::Fails(version) => format!("{version} fails"),
        Beyond::CannotBeInstalled(version) => format!("{version} cannot be installed"),
        Beyond::NotTried => "the end of the declared range".to_owned(),
        Beyond::Nothing => "there is no other".to_owned(),
        Beyond::Unknown => "the next ones are not known".to_owned(),
    };
    let evidence = match bound.evidence {
        Evidence::Proven => "proven",
        Evidence::Bracketed => "bracketed",
    };
    let between = if bound.between.is_empty() {
        String::new()
    } else {
        format!("; not known: {}", list(&bound.between))
    };
    format!("{} ({evidence}: {beyond}{between})", bound.version)
}

impl Together {
    fn lines(&self) -> Vec<String> {
        let word = |end: TogetherEnd| match end {
            TogetherEnd::Passes => "pass",
            TogetherEnd::Fails => "fail",
            TogetherEnd::NotMeasured => "not measured",
        };
        let mut lines = vec!["all together".to_owned()];
        for (name, end, key) in [("oldest", self.lower, "lower"), ("newest", self.upper, "upper")] {
            let blamed: Vec<String> = self
                .blame
                .iter()
                .filter(|one| one.end == key)
                .map(|one| format!("{} {}", one.name, one.version))
                .collect();
            let blamed = if blamed.is_empty() {
                String::new()
            } else {
                format!("; to blame: {}", blamed.join(", "))
            };
            lines.push(format!("  {name}: {}{blamed}", word(end)));
            if key == "lower" {
                lines.extend(self.why.as_ref().map(|why| format!("    {}", excerpt(why, SHOWN))));
                lines.extend(self.raised.iter().map(raised));
            }
        }
        if let Some(end) = self.raised_ends.filter(|end| *end != TogetherEnd::Passes) {
            lines.push(format!("  with these all together: {}", word(end)));
        }
        lines
    }
}

fn raised(one: &RaisedOn) -> String {
    let RaisedOn { python, raised: Raised { name, from, to, why } } = one;
    match why {
        WhyRaised::Fails => {
            format!("    with {name} {to} in place of {from} they pass together on {python}")
        }
        WhyRaised::CannotBeInstalled => format!(
            "    on {python} {name} {to} in place of {from}, which cannot be installed with the others"
        ),
    }
}
