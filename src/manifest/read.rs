//! Documents to resources.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::{Map, Value as Json};

use super::document::{self, MAX_DOCUMENTS, Piece};
use super::{json, yaml};
use crate::diagnostic::suggest::nearest;
use crate::diagnostic::{Code, FieldPath, Problem, Problems, Source, Span};
use crate::resource::kinds::{self, Found};
use crate::resource::{KINDS, Origin, Resource, metadata};

/// Longest text, in bytes. Tens of thousands of resources fit; a tree takes several times its text.
const MAX_BYTES: usize = 64 << 20;

/// What a text declares, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The resources in the order of the text, also those with findings; not those whose kind is unknown.
    pub resources: Vec<Resource>,
    /// Where each of the resources stands, in the same order.
    pub places: Vec<Place>,
    /// Everything found, in the order of the text.
    pub findings: Vec<Finding>,
}

impl Parsed {
    /// Whether anything found refuses the change.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.problem.is_error())
    }
}

/// Where a resource stands in its text.
#[derive(Debug, Clone)]
pub struct Place {
    /// The bytes of its document.
    pub document: Range<usize>,
    /// Its path there: the root, or an item of a list.
    pub at: FieldPath,
}

impl Place {
    /// A problem of the resource that was found after reading, as a finding in the text.
    pub fn finding(&self, problem: Problem) -> Finding {
        let at = joined(&self.at, &problem.at);
        Finding { problem: Problem { at, ..problem }, document: self.document.clone(), span: None, subject: None }
    }
}

/// A problem of a document.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The problem; its path begins at the document's root.
    pub problem: Problem,
    /// The bytes of the document in its text.
    pub document: Range<usize>,
    /// The place, where it is known without search (faults of syntax).
    pub span: Option<Span>,
    /// The resource it is about, where the text tells.
    pub subject: Option<Subject>,
}

/// What a document calls itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// `apiVersion` as written; empty where there is none.
    pub api_version: String,
    /// `kind` as written.
    pub kind: String,
    /// `metadata.namespace` as written.
    pub namespace: Option<String>,
    /// `metadata.name` as written.
    pub name: String,
}

/// Reads every document of a text, YAML or JSON, and checks every resource by its kind's rules.
///
/// A document without `apiVersion` is taken for the only kind of its name, with a warning; a `List` is opened up;
/// empty documents are passed over. What the resources refer to is not looked at.
pub fn parse(source: &Source) -> Parsed {
    let mut reader = Reader { source, parsed: Parsed::default(), seen: HashMap::new() };
    if source.text.len() > MAX_BYTES {
        let message = format!("the text has {} bytes, more than the {MAX_BYTES} that are read", source.text.len());
        reader.found(Problem::error(Code::Syntax, FieldPath::root(), message), 0..0, Some(0..0), None);
    } else {
        reader.text();
    }
    reader.parsed
}

struct Reader<'s> {
    source: &'s Source,
    parsed: Parsed,
    /// Where each resource was declared first: kind, namespace, name to line.
    seen: HashMap<(&'static str, Option<String>, String), usize>,
}

/// A document being read.
struct Document {
    range: Range<usize>,
    line: usize,
}

impl Reader<'_> {
    fn found(&mut self, problem: Problem, document: Range<usize>, span: Option<Span>, subject: Option<Subject>) {
        self.parsed.findings.push(Finding { problem, document, span, subject });
    }

    fn text(&mut self) {
        let text = self.source.text.clone();
        if !json::is_json(&text) {
            return self.yaml(&text, document::split(&text));
        }
        match json::read(&text) {
            Ok(values) => {
                for (range, tree) in values {
                    let line = self.source.line_column(range.start).0;
                    self.document(&Document { range, line }, tree);
                }
            }
            // `{a: 1}` is YAML; if it isn't even that, the fault in the JSON says more.
            Err(fault) => {
                let pieces = document::split(&text);
                if pieces.iter().all(|piece| yaml::read(&text[piece.range.clone()]).is_ok()) && !is_duplicate(&fault) {
                    self.yaml(&text, pieces);
                } else {
                    self.found(fault.problem, 0..text.len(), Some(fault.span), None);
                }
            }
        }
    }

    fn yaml(&mut self, text: &str, pieces: Vec<Piece>) {
        if pieces.len() > MAX_DOCUMENTS {
            let message =
                format!("the text has {} documents, more than the {MAX_DOCUMENTS} that are read", pieces.len());
            return self.found(Problem::error(Code::Syntax, FieldPath::root(), message), 0..0, Some(0..0), None);
        }
        for Piece { range, line } in pieces {
            let skipped = text[range.clone()].len() - text[range.clone()].trim_start_matches('\u{feff}').len();
            let range = range.start + skipped..range.end;
            match yaml::read(&text[range.clone()]) {
                Ok(Json::Null) => {}
                Ok(tree) => self.document(&Document { range, line }, tree),
                Err(fault) => {
                    let span = range.start + fault.span.start..range.start + fault.span.end;
                    self.found(fault.problem, range, Some(span), None);
                }
            }
        }
    }

    fn document(&mut self, document: &Document, tree: Json) {
        self.object(document, &FieldPath::root(), tree);
    }

    /// Reads the object at a path of a document: the document itself, or an item of its list.
    fn object(&mut self, document: &Document, at: &FieldPath, tree: Json) {
        let mut object = match tree {
            Json::Object(object) => object,
            _ => {
                let message = "a document must be a map with apiVersion, kind and metadata";
                return self.found(
                    Problem::error(Code::Invalid, at.clone(), message),
                    document.range.clone(),
                    None,
                    None,
                );
            }
        };
        let is_list = object.get("kind").and_then(Json::as_str).is_some_and(|kind| kind.ends_with("List"));
        if let Some(Json::Array(items)) = object.get_mut("items").filter(|_| is_list) {
            for (index, item) in std::mem::take(items).into_iter().enumerate() {
                self.object(document, &at.field("items").index(index), item);
            }
            return;
        }
        if object.get("kind").and_then(Json::as_str) == Some("List") {
            return self.list_without_items(document, at, &object);
        }
        let subject = Subject::of(&object);
        let mut problems = Problems::new();
        let resource = resource(object, &mut problems);
        if let Some(resource) = &resource {
            self.first(resource, document.line, &mut problems);
        }
        for problem in problems {
            let problem = Problem { at: joined(at, &problem.at), ..problem };
            self.found(problem, document.range.clone(), None, Some(subject.clone()));
        }
        if let Some(mut resource) = resource {
            resource.origin = Some(Origin { file: self.source.name.clone(), line: document.line });
            self.parsed.resources.push(resource);
            self.parsed.places.push(Place { document: document.range.clone(), at: at.clone() });
        }
    }

    /// A `List` whose items are no list; none at all are an empty one.
    fn list_without_items(&mut self, document: &Document, at: &FieldPath, list: &Map<String, Json>) {
        if list.get("items").is_some_and(|items| !items.is_null()) {
            let problem =
                Problem::error(Code::WrongType, at.field("items"), "wrong type: expected a list of resources");
            self.found(problem, document.range.clone(), None, None);
        }
    }

    /// Notes a resource that was declared before.
    fn first(&mut self, resource: &Resource, line: usize, problems: &mut Problems) {
        let name = resource.meta.name.clone();
        if name.is_empty() {
            return;
        }
        let message = format!("{} \"{name}\" is declared twice", resource.kind.qualified_singular());
        let key = (resource.kind.plural, resource.meta.namespace.clone(), name);
        if let Some(first) = self.seen.get(&key) {
            let problem = Problem::error(Code::Duplicate, FieldPath::of("metadata.name"), message);
            problems.push(problem.help(format!("the first declaration is on line {first}")));
        } else {
            self.seen.insert(key, line);
        }
    }
}

fn is_duplicate(fault: &yaml::Fault) -> bool {
    fault.problem.message.contains("stands twice")
}

fn joined(base: &FieldPath, path: &FieldPath) -> FieldPath {
    path.steps().iter().fold(base.clone(), |joined, step| match step {
        crate::diagnostic::Step::Field(name) => joined.field(name),
        crate::diagnostic::Step::Index(index) => joined.index(*index),
    })
}

impl From<&Resource> for Subject {
    fn from(resource: &Resource) -> Self {
        Self {
            api_version: resource.kind.api_version(&resource.version),
            kind: resource.kind.name.to_owned(),
            namespace: resource.meta.namespace.clone(),
            name: resource.meta.name.clone(),
        }
    }
}

impl Subject {
    fn of(object: &Map<String, Json>) -> Self {
        let text = |value: Option<&Json>| value.and_then(Json::as_str).map(ToOwned::to_owned);
        let meta = |key: &str| text(object.get("metadata").and_then(|meta| meta.get(key)));
        Self {
            api_version: text(object.get("apiVersion")).unwrap_or_default(),
            kind: text(object.get("kind")).unwrap_or_default(),
            namespace: meta("namespace"),
            name: meta("name").unwrap_or_default(),
        }
    }
}

/// Makes a resource of an object and notes all its faults; nothing where its kind is not known.
fn resource(mut object: Map<String, Json>, problems: &mut Problems) -> Option<Resource> {
    let Found { kind, version, upgrade } = found_kind(&mut object, problems)?;
    let meta = metadata::read(&object.remove("metadata").unwrap_or(Json::Null), kind, problems);
    if let Some(upgrade) = upgrade {
        upgrade(&mut object);
    }
    let resource = Resource { kind, version: version.to_owned(), meta, body: object, origin: None };
    (kind.check)(&resource, problems);
    Some(resource)
}

fn found_kind(object: &mut Map<String, Json>, problems: &mut Problems) -> Option<Found> {
    let api_version = object.remove("apiVersion").filter(|value| !value.is_null());
    let name = match object.remove("kind") {
        Some(Json::String(kind)) if !kind.is_empty() => kind,
        None | Some(Json::Null | Json::String(_)) => {
            let problem = Problem::error(Code::Required, FieldPath::of("kind"), "kind not set");
            problems.push(problem.help("write kind: Gateway, or whichever kind the document declares"));
            return None;
        }
        Some(_) => {
            problems.error(Code::WrongType, FieldPath::of("kind"), "wrong type: expected a string");
            return None;
        }
    };
    let api_version = match api_version {
        None => None,
        Some(Json::String(text)) => Some(text),
        Some(_) => {
            problems.error(Code::WrongType, FieldPath::of("apiVersion"), "wrong type: expected a string");
            return None;
        }
    };
    match kinds::by_manifest(api_version.as_deref(), &name) {
        Some(found) => {
            if api_version.is_none() {
                problems.push(assumed(&found));
            }
            Some(found)
        }
        None => {
            problems.push(unknown_kind(api_version.as_deref(), &name));
            None
        }
    }
}

fn assumed(found: &Found) -> Problem {
    let taken = found.kind.api_version(found.version);
    Problem::warning(Code::Deprecated, FieldPath::root(), format!("apiVersion not set, taken for {taken}"))
        .help(format!("add apiVersion: {taken}"))
}

/// kubectl's sentence, and what may have been meant: another version of the same kind, or a kind of a similar name.
fn unknown_kind(api_version: Option<&str>, name: &str) -> Problem {
    let version = api_version.map(|version| format!(" in version \"{version}\"")).unwrap_or_default();
    let message = format!("no matches for kind \"{name}\"{version}");
    if let Some(kind) = KINDS.iter().find(|kind| kind.name == name) {
        let served = kind.versions.iter().map(|version| kind.api_version(version));
        return Problem::error(Code::UnknownKind, FieldPath::of("apiVersion"), message).expected(served);
    }
    let problem = Problem::error(Code::UnknownKind, FieldPath::of("kind"), message);
    match nearest(name, KINDS.iter().map(|kind| kind.name)) {
        Some(near) => problem.help(format!("did you mean \"{near}\"?")),
        None => problem.expected(KINDS.iter().map(|kind| kind.name)),
    }
}
