//! What kubectl says of a faulty document, and below it the pictures that kubectl does not draw.

use crate::cli::failure::Failure;
use crate::diagnostic::{Code, FieldPath, Problem, Source, Step, visible};
use crate::manifest::{Finding, Locator, Subject};
use crate::resource::Kind;
use crate::resource::kinds::by_manifest;

/// A refusal for each document and each of kubectl's reasons, in the order of the text.
pub(super) fn refusals(source: &Source, errors: &[Finding], verb: &str, color: bool) -> Vec<Failure> {
    let mut locator = Locator::new(source);
    let same = |a: &Finding, b: &Finding| a.document == b.document && a.subject == b.subject;
    let mut refusals = Vec::new();
    for document in errors.chunk_by(same) {
        for reason in [Reason::Unreadable, Reason::UnknownField, Reason::Invalid] {
            let found: Vec<&Finding> = document.iter().filter(|finding| Reason::of(finding) == reason).collect();
            if let Some(first) = found.first() {
                let failure = reason.failure(source, first, &found, verb);
                let pictures = found.iter().map(|finding| format!("\n{}", locator.render(finding, color)));
                refusals.push(Failure::Pictured(Box::new(failure), pictures.collect()));
            }
        }
    }
    refusals
}

/// Why kubectl and its server refuse a document; each has a wording of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It is no manifest.
    Unreadable,
    /// It has fields that its kind does not have.
    UnknownField,
    /// Its values break rules.
    Invalid,
}

impl Reason {
    fn of(finding: &Finding) -> Self {
        let kind = finding.subject.as_ref().map(|subject| subject.kind.as_str()).unwrap_or_default();
        match finding.problem.code {
            Code::Syntax | Code::UnknownKind => Self::Unreadable,
            _ if kind.is_empty() => Self::Unreadable,
            Code::UnknownField => Self::UnknownField,
            _ => Self::Invalid,
        }
    }

    fn failure(self, source: &Source, first: &Finding, found: &[&Finding], verb: &str) -> Failure {
        let subject = first.subject.clone().unwrap_or_default();
        match self {
            Self::Unreadable => Failure::Client(unreadable(source, first, &subject)),
            Self::UnknownField => unknown_fields(source, &subject, found, verb),
            Self::Invalid => invalid(source, &subject, found, verb),
        }
    }
}

fn unreadable(source: &Source, finding: &Finding, subject: &Subject) -> String {
    let (file, problem) = (visible(&source.name), &finding.problem);
    let message = visible(problem.kubernetes.as_ref().unwrap_or(&problem.message));
    match problem.code {
        Code::Syntax => {
            let line = line_of_document(source, finding);
            format!("error parsing {file}: error converting YAML to JSON: yaml: line {line}: {message}")
        }
        Code::Duplicate => {
            let line = line_of_document(source, finding);
            format!(
                "error parsing {file}: error converting YAML to JSON: yaml: unmarshal errors:\n  line {line}: {message}"
            )
        }
        Code::UnknownKind => {
            let namespace = visible(subject.namespace.as_deref().unwrap_or_default());
            format!(
                "resource mapping not found for name: \"{}\" namespace: \"{namespace}\" from \"{file}\": {message}\n\
                 ensure CRDs are installed first",
                visible(&subject.name)
            )
        }
        Code::Required => format!("error validating \"{file}\": error validating data: {message}"),
        _ => format!("error validating \"{file}\": error validating data: invalid object to validate"),
    }
}

/// The line at fault, counted from the first behind the document's `---`; what is missing at the end is missing on the
/// last line.
fn line_of_document(source: &Source, finding: &Finding) -> usize {
    let Some(span) = &finding.span else { return 1 };
    let document = source.text.get(finding.document.clone()).unwrap_or_default();
    let behind_marker = finding.document.start > 0
        && document.lines().next().map(str::trim).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'));
    let last = finding.document.start + document.trim_end().len();
    let line = source.line_column(span.start.min(last)).0;
    let start = source.line_column(finding.document.start).0 + usize::from(behind_marker);
    line.saturating_sub(start) + 1
}

fn unknown_fields(source: &Source, subject: &Subject, found: &[&Finding], verb: &str) -> Failure {
    let kind = &subject.kind;
    let version = match subject.api_version.rsplit('/').next() {
        None | Some("") => by_manifest(None, kind).map_or("", |found| found.version),
        Some(version) => version,
    };
    let field = |finding: &&Finding| format!("unknown field \"{}\"", visible(&own_path(finding).to_string()));
    let fields: Vec<String> = found.iter().map(field).collect();
    let message = format!(
        "{}{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {}",
        doing(source, verb),
        fields.join(", ")
    );
    Failure::Server { reason: "BadRequest", message }
}

fn invalid(source: &Source, subject: &Subject, found: &[&Finding], verb: &str) -> Failure {
    let Subject { kind, name, .. } = subject;
    let api_version = Some(subject.api_version.as_str()).filter(|version| !version.is_empty());
    let qualified = by_manifest(api_version, kind).map_or_else(|| kind.clone(), |found| qualified(found.kind));
    let cause = |finding: &&Finding| Problem { at: own_path(finding), ..finding.problem.clone() }.headline();
    let causes: Vec<String> = found.iter().map(cause).collect();
    Failure::invalid(kind, &qualified, name, &causes, Some(&doing(source, verb)))
}

/// The kind as a server names it in a message: in the spelling of manifests, with its group.
fn qualified(kind: &Kind) -> String {
    if kind.group.is_empty() { kind.name.to_owned() } else { format!("{}.{}", kind.name, kind.group) }
}

/// `error when creating "F": `; nothing where there is no file.
fn doing(source: &Source, verb: &str) -> String {
    let doing = if verb.starts_with("replac") { "replacing" } else { "creating" };
    let file = visible(&source.name);
    if file.is_empty() { String::new() } else { format!("error when {doing} \"{file}\": ") }
}

/// The path of a finding from its resource on, which may be an item of a list.
fn own_path(finding: &Finding) -> FieldPath {
    let steps = finding.problem.at.steps();
    let of_list = |steps: &[Step]| matches!(steps, [Step::Field(name), Step::Index(_), ..] if &**name == "items");
    let mut own = steps;
    while of_list(own) {
        own = &own[2..];
    }
    own.iter().fold(FieldPath::root(), |path, step| match step {
        Step::Field(name) => path.field(name),
        Step::Index(index) => path.index(*index),
    })
}
