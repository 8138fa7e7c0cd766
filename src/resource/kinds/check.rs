//! What the checks of all kinds share: decoding first, then rules, each at its place.

use serde_json::{Map, Value as Json};

use crate::diagnostic::{Code, FieldPath, Problem, Problems};
use crate::expr::Timestamp;
use crate::resource::decode::{Spelling, decode_all};
use crate::resource::{Duration, Labels, Resource, Typed, name};

/// A place in a resource at which rules are checked.
pub(super) struct At<'p> {
    pub(super) path: FieldPath,
    pub(super) problems: &'p mut Problems,
}

impl At<'_> {
    /// One key deeper.
    pub(super) fn field(&mut self, name: &str) -> At<'_> {
        At { path: self.path.field(name), problems: self.problems }
    }

    /// One list position deeper.
    pub(super) fn index(&mut self, index: usize) -> At<'_> {
        At { path: self.path.index(index), problems: self.problems }
    }

    /// Checks each item of the list under a key.
    pub(super) fn each<T>(&mut self, name: &str, items: &[T], mut check: impl FnMut(&mut At<'_>, &T)) {
        let mut list = self.field(name);
        for (index, item) in items.iter().enumerate() {
            check(&mut list.index(index), item);
        }
    }

    /// Checks what stands under a key, if anything does.
    pub(super) fn part<T>(&mut self, name: &str, part: Option<&T>, check: impl FnOnce(&mut At<'_>, &T)) {
        if let Some(part) = part {
            check(&mut self.field(name), part);
        }
    }

    /// Notes a broken rule.
    pub(super) fn invalid(&mut self, message: impl Into<String>) {
        self.problems.error(Code::Invalid, self.path.clone(), message);
    }

    /// Notes a key that breaks a rule.
    pub(super) fn invalid_key(&mut self, message: impl Into<String>) {
        self.problems.push(Problem::error(Code::Invalid, self.path.clone(), message).on_key());
    }

    /// Notes a broken rule, with advice.
    pub(super) fn advise(&mut self, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::error(Code::Invalid, self.path.clone(), message).help(help));
    }

    /// Notes that the field is missing.
    pub(super) fn required(&mut self) {
        self.problems.error(Code::Required, self.path.clone(), "Required value");
    }

    /// Notes that the field is missing, in other words than Kubernetes'.
    pub(super) fn missing(&mut self, message: impl Into<String>) {
        let problem = Problem::error(Code::Required, self.path.clone(), message);
        let words = format!("Required value: {}", problem.message);
        self.problems.push(problem.kubernetes(words));
    }

    /// Notes a value that stands twice.
    pub(super) fn duplicate(&mut self, message: impl Into<String>) {
        self.problems.error(Code::Duplicate, self.path.clone(), message);
    }

    /// Notes something accepted that its author may not want.
    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.problems.warning(Code::Invalid, self.path.clone(), message);
    }

    /// Notes something accepted that has no effect in Istio either.
    pub(super) fn ignored(&mut self, message: impl Into<String>) {
        self.problems.warning(Code::NoEffect, self.path.clone(), message);
    }

    /// Notes an old form.
    pub(super) fn deprecated(&mut self, message: impl Into<String>) {
        self.problems.warning(Code::Deprecated, self.path.clone(), message);
    }

    /// Notes the error of a verdict.
    pub(super) fn verdict<E: Into<String>>(&mut self, verdict: Result<(), E>) {
        if let Err(why) = verdict {
            self.invalid(why);
        }
    }
}

/// Decodes a kind's spec, then applies its rules; rules see harmless values where decoding found faults, and what they
/// say about those places is dropped.
pub(super) fn spec<T: Typed>(resource: &Resource, problems: &mut Problems, rules: impl FnOnce(&mut At<'_>, &T)) {
    let root = T::ROOT.unwrap_or_default();
    let unknown = unknown_keys(&resource.body, &["spec", "status"], problems);
    if unknown > 0 && !resource.body.contains_key(root) {
        // A misspelled `spec`: that everything in it is missing says nothing new.
        return;
    }
    let tree = resource.body.get(root).unwrap_or(&Json::Null);
    decoded(decode_all(tree, &FieldPath::of(root), Spelling::Protobuf), problems, FieldPath::of(root), rules);
}

/// A point in time.
pub(super) fn time(at: &mut At<'_>, text: &str) {
    if text.is_empty() {
        at.required();
    } else if Timestamp::parse_rfc3339(text).is_none() {
        at.invalid("must be an RFC 3339 time, such as 2018-06-18T13:22:58Z");
    }
}

/// The check of a kind with a [`Part`](crate::resource::Part): that of the params which its `spec` is.
pub(super) fn part(resource: &Resource, problems: &mut Problems) {
    let unknown = unknown_keys(&resource.body, &["spec", "status"], problems);
    if unknown > 0 && !resource.body.contains_key("spec") {
        return;
    }
    if let Some(part) = &resource.kind.part {
        (part.check)(resource.spec(), FieldPath::of("spec"), problems);
    }
}

/// Decodes params that stand at `path`, then applies their rules, as [`spec`] does.
pub(super) fn params<T: serde::de::DeserializeOwned>(
    tree: &Json,
    path: FieldPath,
    problems: &mut Problems,
    rules: impl FnOnce(&mut At<'_>, &T),
) {
    decoded(decode_all(tree, &path, Spelling::Protobuf), problems, path, rules);
}

/// The same for Kubernetes' own kinds, whose whole body is one struct and whose keys have one spelling.
pub(super) fn body<T: Typed>(resource: &Resource, problems: &mut Problems, rules: impl FnOnce(&mut At<'_>, &T)) {
    let tree = Json::Object(resource.body.clone());
    decoded(decode_all(&tree, &FieldPath::root(), Spelling::Exact), problems, FieldPath::root(), rules);
}

fn decoded<T>(
    (value, faults): (Option<T>, Problems),
    problems: &mut Problems,
    path: FieldPath,
    rules: impl FnOnce(&mut At<'_>, &T),
) {
    let mut broken = Problems::new();
    if let Some(value) = value {
        rules(&mut At { path, problems: &mut broken }, &value);
    }
    let fresh = broken.into_iter().filter(|broken| !faults.iter().any(|fault| explains(fault, broken)));
    let fresh: Vec<Problem> = fresh.collect();
    problems.extend(faults);
    problems.extend(fresh);
}

/// Whether a fault of decoding may be the only reason why a rule is broken: a value that could not be read is no value,
/// and a misspelled key leaves its neighbours missing.
fn explains(fault: &Problem, broken: &Problem) -> bool {
    let (fault_at, broken_at) = (fault.at.steps(), broken.at.steps());
    if fault.code == Code::UnknownField {
        return broken.code == Code::Required
            && (broken.at.parent() == fault.at.parent() || broken.at == fault.at.parent());
    }
    fault_at.starts_with(broken_at) || broken_at.starts_with(fault_at)
}

/// Notes the keys of a body that no kind of ours has, and counts them.
fn unknown_keys(body: &Map<String, Json>, known: &'static [&'static str], problems: &mut Problems) -> usize {
    let unknown = body.keys().filter(|key| !known.contains(&key.as_str())).map(|key| {
        let message = format!("unknown field \"{key}\"");
        Problem::error(Code::UnknownField, FieldPath::root().field(key), message)
            .on_key()
            .expected(["apiVersion", "kind", "metadata"].into_iter().chain(known.iter().copied()))
            .help("the fields of the resource itself stand under spec, indented")
    });
    let unknown: Vec<Problem> = unknown.collect();
    let count = unknown.len();
    problems.extend(unknown);
    count
}

/// A duration of at least a millisecond, in whole milliseconds.
pub(super) fn duration(at: &mut At<'_>, duration: &Duration) {
    const MILLISECOND: i64 = 1_000_000;
    if duration.nanos < MILLISECOND {
        at.invalid("duration must be greater than 1ms");
    } else if duration.nanos % MILLISECOND != 0 {
        at.invalid("only durations to ms precision are supported");
    }
}

/// A port from 1 to 65535.
pub(super) fn port(at: &mut At<'_>, port: u32) {
    if !(1..=65535).contains(&port) {
        at.invalid(format!("port number {port} must be in the range 1..65535"));
    }
}

/// Keys and values of labels, as selectors and subsets have them.
pub(super) fn labels(at: &mut At<'_>, labels: &Labels) {
    name::check_labels(labels, &at.path, at.problems);
}

/// A word that is a DNS label in any letter case, as Istio has it for names of ports and subsets.
pub(super) fn is_label(word: &str) -> bool {
    name::dns_label(&word.to_ascii_lowercase()).is_ok()
}

/// Checks labels that workloads are chosen by; ones that no workload can have are useless, not wrong.
pub(super) fn selector(at: &mut At<'_>, labels: &Labels) {
    for (key, value) in labels {
        let mut at = at.field(key);
        if key.is_empty() {
            at.invalid_key(format!("empty key is not supported in selector: \"{key}={value}\""));
        } else if key.contains('*') || value.contains('*') {
            at.invalid(format!("wildcard is not supported in selector: \"{key}={value}\""));
        } else if name::label_key(key).is_err() || name::label_value(value).is_err() {
            at.ignored(format!("no workload can have the label \"{key}={value}\""));
        }
    }
}

/// `exportTo` of a resource of a namespace: `.`, `*` or namespaces.
pub(super) fn export_to(at: &mut At<'_>, scopes: &[String], namespace: &str, allow_none: bool) {
    for (index, scope) in scopes.iter().enumerate() {
        let mut at = at.index(index);
        let is_own = |scope: &str| scope == "." || (scope == namespace && !namespace.is_empty());
        let earlier = scopes[..index].iter().find(|earlier| *earlier == scope || (is_own(earlier) && is_own(scope)));
        match (scope.as_str(), earlier) {
            (scope, Some(earlier)) if scope == earlier => {
                at.duplicate(format!("duplicate entries in exportTo for entry {scope}"));
            }
            (_, Some(_)) => {
                at.duplicate(format!("duplicate entries in exportTo: . and current namespace {namespace}"));
            }
            ("*", None) if scopes.len() > 1 => {
                at.invalid("cannot have both public (*) and non-public exportTo values for a resource");
            }
            ("~", None) if !allow_none => {
                at.invalid("exportTo ~ (none) is not allowed for Istio configuration objects");
            }
            ("~", None) if scopes.len() > 1 => at.invalid("cannot export service entry to no one (~) and someone"),
            ("*" | "." | "~", None) => {}
            (name, None) if !is_label(name) => {
                at.advise(
                    "only .,*, or a valid DNS 1123 label is allowed as exportTo entry",
                    "write ., * or a namespace",
                );
            }
            _ => {}
        }
    }
}

/// Checks an IP address or a network in CIDR form.
pub(super) fn subnet(at: &mut At<'_>, text: &str) {
    if !is_ip_or_cidr(text) {
        let what = if text.contains('/') { "CIDR block" } else { "IP" };
        at.advise(format!("{text} is not a valid {what}"), "write an IP address, or a network such as 10.0.0.0/8");
    }
}

/// Checks an IP address.
pub(super) fn ip(at: &mut At<'_>, text: &str) {
    if !is_ip(text) {
        at.invalid(format!("{text} is not a valid IP"));
    }
}

/// An IP address or a network in CIDR form.
pub(super) fn is_ip_or_cidr(text: &str) -> bool {
    match text.split_once('/') {
        None => is_ip(text),
        Some((ip, bits)) => {
            let max = if ip.contains(':') { 128 } else { 32 };
            let plain = bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
            is_ip(ip) && plain && bits.parse::<u32>().is_ok_and(|bits| bits <= max)
        }
    }
}

/// An IPv4 or IPv6 address.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}
