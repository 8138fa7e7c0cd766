//! One resource in full, as `describe` shows it.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value as Json;

use super::cell::{visible, width};
use super::go;
use crate::analysis::Visible;
use crate::diagnostic::Problems;
use crate::policy::feed::shown_url;
use crate::registry::merge::LAST_APPLIED;
use crate::resource::kinds::secret::sizes;
use crate::resource::{Labels, Resource};

/// Blanks between a label and its value.
const GAP: usize = 2;
/// Words that are written in capitals.
const ACRONYMS: &[&str] = &["API", "URL", "UID", "OSB", "GUID"];
/// What stands for nothing.
const NONE: &str = "<none>";

/// Lines of a description: labels, most with a value.
#[derive(Debug, Default)]
pub(crate) struct Description(Vec<Line>);

#[derive(Debug)]
struct Line {
    label: String,
    value: Option<String>,
}

/// What a kind shows instead of all its fields; the head with name, namespace, labels stands before it.
struct Section {
    /// The kind, as manifests spell it, and its group.
    kind: (&'static str, &'static str),
    write: fn(&Resource, &mut Description),
}

/// The kinds that have a layout of their own; all others show every field.
const SECTIONS: &[Section] =
    &[Section { kind: ("Namespace", ""), write: namespace }, Section { kind: ("Secret", ""), write: secret }];

/// Describes a resource.
pub(crate) fn describe(resource: &Resource) -> Description {
    let mut description = Description::default();
    description.head(resource);
    let own = SECTIONS.iter().find(|section| section.kind == (resource.kind.name, resource.kind.group));
    match own {
        Some(section) => (section.write)(resource, &mut description),
        None => {
            description.fields(resource);
            description.pair(0, "Events", NONE);
        }
    }
    description
}

/// A URL without user, password and query; any other value as it is.
fn without_credentials(value: &str) -> Cow<'_, str> {
    let is_url = ["http://", "https://"].iter().any(|scheme| value.starts_with(scheme));
    match is_url && (value.contains('@') || value.contains('?')) && !value.contains(char::is_whitespace) {
        true => Cow::Owned(shown_url(value)),
        false => Cow::Borrowed(value),
    }
}

fn namespace(resource: &Resource, description: &mut Description) {
    let phase = resource.body.get("status").and_then(|status| status.get("phase"));
    description.pair(0, "Status", phase.and_then(Json::as_str).unwrap_or("Active"));
    for line in ["", "No resource quota.", "", "No LimitRange resource."] {
        description.plain(line);
    }
}

/// Keys and lengths; the values are nobody's business.
fn secret(resource: &Resource, description: &mut Description) {
    description.plain("");
    description.pair(0, "Type", resource.body.get("type").and_then(Json::as_str).unwrap_or_default());
    for line in ["", "Data", "===="] {
        description.plain(line);
    }
    for (key, bytes) in sizes(&resource.body) {
        description.pair(0, key, &format!("{bytes} bytes"));
    }
}

impl Description {
    /// Says, below all that kubectl shows, what of the resource has no effect as things stand.
    pub(crate) fn warnings(&mut self, problems: &Problems) {
        if problems.is_empty() {
            return;
        }
        self.plain("Warnings:");
        for problem in problems {
            let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            self.plain(&visible(&format!("  {problem}{help}")));
        }
    }

    /// Says what policies see of calls, a line a port and way.
    pub(crate) fn visible(&mut self, ports: &[Visible]) {
        if ports.is_empty() {
            return;
        }
        self.heading(0, "Visible to Policy");
        for Visible { host, port, callers, sees, way } in ports {
            let callers = if callers.is_empty() { String::new() } else { format!(" (from {})", callers.join(", ")) };
            self.pair(1, &format!("{host}:{port}"), &format!("{way}: {}{callers}", sees.words()));
        }
    }

    /// A label with a value, the credentials of a URL left out; further lines of the value stand below it as they are.
    pub(crate) fn pair(&mut self, depth: usize, label: &str, value: &str) {
        let shown = without_credentials(value);
        let mut lines = shown.split('\n');
        let first = lines.next().unwrap_or_default();
        self.line(depth, format!("{label}:"), Some(visible(first).into_owned()));
        lines.for_each(|line| self.plain(line));
    }

    /// A label above deeper lines.
    pub(crate) fn heading(&mut self, depth: usize, label: &str) {
        self.line(depth, format!("{label}:"), None);
    }

    /// A line as it is.
    pub(crate) fn plain(&mut self, text: &str) {
        self.line(0, visible(text).into_owned(), None);
    }

    fn line(&mut self, depth: usize, label: String, value: Option<String>) {
        self.0.push(Line { label: format!("{:indent$}{label}", "", indent = 2 * depth), value });
    }

    fn head(&mut self, resource: &Resource) {
        self.pair(0, "Name", &resource.meta.name);
        if resource.kind.namespaced {
            self.pair(0, "Namespace", resource.namespace());
        }
        self.labels("Labels", &resource.meta.labels, "=");
        // What apply keeps for itself is the resource once more.
        let mut annotations = resource.meta.annotations.clone();
        annotations.remove(LAST_APPLIED);
        self.labels("Annotations", &annotations, ": ");
    }

    /// Keys and values, one a line, the first beside the heading.
    fn labels(&mut self, heading: &str, labels: &Labels, sign: &str) {
        if labels.is_empty() {
            return self.pair(0, heading, NONE);
        }
        let mut label = format!("{heading}:");
        for (key, value) in labels {
            let value = format!("{key}{sign}{}", value.replace('\n', " "));
            self.line(0, std::mem::take(&mut label), Some(visible(&value).into_owned()));
        }
    }

    fn fields(&mut self, resource: &Resource) {
        let mut tree = resource.to_json();
        if let Some(Json::Object(meta)) = tree.get_mut("metadata") {
            for shown_above in ["name", "namespace", "labels", "annotations"] {
                meta.remove(shown_above);
            }
        }
        self.tree(0, &tree);
    }

    /// A map's keys in order; lists of maps without a mark between the items.
    fn tree(&mut self, depth: usize, tree: &Json) {
        for (key, value) in tree.as_object().into_iter().flatten() {
            match value {
                Json::Object(_) => {
                    self.heading(depth, &label(key));
                    self.tree(depth + 1, value);
                }
                Json::Array(items) => {
                    self.heading(depth, &label(key));
                    items.iter().for_each(|item| self.item(depth + 1, item));
                }
                scalar => self.pair(depth, &label(key), &go::plain(scalar)),
            }
        }
    }

    fn item(&mut self, depth: usize, item: &Json) {
        match item {
            Json::Object(_) => self.tree(depth, item),
            other => self.line(depth, visible(&go::plain(other)).into_owned(), None),
        }
    }

    /// Writes the lines; values stand below each other within a run of lines that have one.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for run in self.0.chunk_by(|a, b| a.value.is_some() == b.value.is_some()) {
            let column = run.iter().map(|line| width(&line.label) + GAP).max().unwrap_or_default();
            for Line { label, value } in run {
                match value {
                    None => writeln!(out, "{label}")?,
                    Some(value) => writeln!(out, "{label}{:blanks$}{value}", "", blanks = column - width(label))?,
                }
            }
        }
        Ok(())
    }
}

/// `creationTimestamp` as `Creation Timestamp`; a key with anything but letters and `-` stays as it is.
fn label(key: &str) -> String {
    if key.contains(|c: char| !c.is_alphabetic() && c != '-') {
        return visible(key).into_owned();
    }
    words(key).into_iter().map(capital).collect::<Vec<_>>().join(" ")
}

/// Parts of a camelCase name: `tlsSettingsURL` is `tls`, `Settings`, `URL`; of `HTTPServer` the second word is `Server`.
fn words(key: &str) -> Vec<String> {
    let chars: Vec<char> = key.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let starts = match before {
            None => true,
            Some(before) if (before == '-') != (c == '-') => true,
            Some(before) if c.is_uppercase() => {
                let ends_acronym = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
                !before.is_uppercase() || ends_acronym
            }
            Some(_) => false,
        };
        match words.last_mut() {
            Some(word) if !starts => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    words
}

fn capital(word: String) -> String {
    let upper = word.to_uppercase();
    if ACRONYMS.contains(&upper.as_str()) {
        return upper;
    }
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Meta;
    use crate::resource::kinds::{SECRET, STDIO};
    use serde_json::json;

    fn resource(spec: Json) -> Resource {
        let meta = Meta {
            name: "egress-error-handler".into(),
            namespace: Some("istio-system".into()),
            creation_timestamp: Some("2026-11-23T07:08:15Z".into()),
            generation: Some(1),
            resource_version: Some("1014".into()),
            uid: Some("8e0d9054-f541-40bb-963c-875fa63949d5".into()),
            ..Meta::default()
        };
        let body = [("spec".to_owned(), spec)].into_iter().collect();
        Resource { kind: &STDIO, version: "v1alpha2".into(), meta, body, origin: None }
    }

    fn text(resource: &Resource) -> String {
        let mut out = Vec::new();
        describe(resource).write(&mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("descriptions are text")
    }

    #[test]
    fn a_resource_is_described_as_kubectl_does() {
        let mut resource = resource(json!({"outputAsJson": true, "severity_levels": {"info": 2}}));
        resource.meta.annotations = [(LAST_APPLIED.into(), "{}".into())].into();
        let described = text(&resource);
        insta::assert_snapshot!(described, @r"
        Name:         egress-error-handler
        Namespace:    istio-system
        Labels:       <none>
        Annotations:  <none>
        API Version:  config.istio.io/v1alpha2
        Kind:         stdio
        Metadata:
          Creation Timestamp:  2026-11-23T07:08:15Z
          Generation:          1
          Resource Version:    1014
          UID:                 8e0d9054-f541-40bb-963c-875fa63949d5
        Spec:
          Output As Json:  true
          severity_levels:
            Info:  2
        Events:    <none>
        ");
    }

    #[test]
    fn lists_of_scalars_stand_one_a_line_and_labels_below_each_other() {
        let mut resource =
            resource(json!({"hosts": ["a", "b"], "ports": [{"number": 80}, {"name": "x", "number": 443}]}));
        resource.meta.labels = [("a".into(), "1".into()), ("b".into(), "2".into())].into();
        let described = text(&resource);
        assert!(described.contains("Labels:       a=1\n              b=2\n"), "{described}");
        assert!(
            described.contains("Spec:\n  Hosts:\n    a\n    b\n  Ports:\n    Number:  80\n    Name:    x\n"),
            "{described}"
        );
    }

    #[test]
    fn keys_do_not_drive_a_terminal_either() {
        let described =
            text(&resource(json!({"queryParams": {"q\u{1b}[31m\u{202e}": {"exact": "\u{1b}[0m"}, "\u{9b}": 1}})));
        for shown in ["q^[[31m\\u202e:\n", "^[[0m\n", "\\u009b:"] {
            assert!(described.contains(shown), "{described}");
        }
        assert!(!described.contains(|c: char| c.is_control() && c != '\n'), "{described}");
    }

    #[test]
    fn labels_split_camel_case_and_keep_acronyms() {
        let table = [
            ("creationTimestamp", "Creation Timestamp"),
            ("apiVersion", "API Version"),
            ("uid", "UID"),
            ("providerUrl", "Provider URL"),
            ("HTTPServer", "HTTP Server"),
            ("severity_levels", "severity_levels"),
            ("app.kubernetes.io/x", "app.kubernetes.io/x"),
            ("h2UpgradePolicy", "h2UpgradePolicy"),
        ];
        for (key, expected) in table {
            assert_eq!(label(key), expected);
        }
    }

    #[test]
    fn of_a_secret_only_keys_and_lengths_are_shown() {
        let meta = Meta { name: "certs".into(), namespace: Some("istio-system".into()), ..Meta::default() };
        let body = json!({"type": "kubernetes.io/tls", "data": {"tls.crt": "Y2VydA==", "tls.key": "a2V5"}});
        let body = body.as_object().expect("a map").clone();
        let secret = Resource { kind: &SECRET, version: "v1".into(), meta, body, origin: None };
        insta::assert_snapshot!(text(&secret), @r"
        Name:         certs
        Namespace:    istio-system
        Labels:       <none>
        Annotations:  <none>

        Type:  kubernetes.io/tls

        Data
        ====
        tls.crt:  4 bytes
        tls.key:  3 bytes
        ");
    }

    #[test]
    fn credentials_of_urls_are_left_out() {
        assert!(text(&resource(json!({"u": "http://user:pw@h.example/l?token=1"}))).contains("http://h.example/l\n"));
        assert!(text(&resource(json!({"u": "ask http://h.example/?x"}))).contains("ask http://h.example/?x"));
    }

    #[test]
    fn escapes_in_values_are_made_visible() {
        assert!(text(&resource(json!({"a": "\u{1b}[2J"}))).contains("  A:     ^[[2J"));
    }
}
