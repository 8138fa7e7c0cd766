//! What kubectl says of a faulty document, and below it the pictures that kubectl does not draw.

use crate::cli::failure::Failure;
use crate::diagnostic::{Code, Source};
use crate::manifest::{Finding, Locator, Subject};
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
                let line = reason.line(source, first, &found, verb);
                let pictures = found.iter().map(|finding| format!("\n{}", locator.render(finding, color)));
                refusals.push(Failure::Text(line + &pictures.collect::<String>()));
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

    fn line(self, source: &Source, first: &Finding, found: &[&Finding], verb: &str) -> String {
        let subject = first.subject.clone().unwrap_or_default();
        match self {
            Self::Unreadable => unreadable(source, first, &subject),
            Self::UnknownField => unknown_fields(source, &subject, found, verb),
            Self::Invalid => invalid(&subject, found),
        }
    }
}

fn unreadable(source: &Source, finding: &Finding, subject: &Subject) -> String {
    let (file, message) = (&source.name, &finding.problem.message);
    match finding.problem.code {
        Code::Syntax => {
            let line = finding.span.as_ref().map_or(1, |span| {
                let start = source.line_column(finding.document.start).0;
                source.line_column(span.start).0.saturating_sub(start) + 1
            });
            format!("error: error parsing {file}: error converting YAML to JSON: yaml: line {line}: {message}")
        }
        Code::UnknownKind => {
            let Subject { name, namespace, .. } = subject;
            let namespace = namespace.as_deref().unwrap_or_default();
            format!(
                "error: resource mapping not found for name: \"{name}\" namespace: \"{namespace}\" from \"{file}\": \
                 {message}\nensure CRDs are installed first"
            )
        }
        Code::Required => format!(
            "error: error validating \"{file}\": error validating data: {message}; if you choose to ignore these errors, \
             turn validation off with --validate=false"
        ),
        _ => format!("error: error validating \"{file}\": error validating data: invalid object to validate"),
    }
}

fn unknown_fields(source: &Source, subject: &Subject, found: &[&Finding], verb: &str) -> String {
    let (file, kind) = (&source.name, &subject.kind);
    let doing = if verb.starts_with("replac") { "replacing" } else { "creating" };
    let api_version = Some(subject.api_version.as_str()).filter(|version| !version.is_empty());
    let version = by_manifest(api_version, kind).map_or("", |found| found.version);
    let fields: Vec<String> = found.iter().map(|finding| format!("unknown field \"{}\"", finding.problem.at)).collect();
    format!(
        "Error from server (BadRequest): error when {doing} \"{file}\": {kind} in version \"{version}\" cannot be handled \
         as a {kind}: strict decoding error: {}",
        fields.join(", ")
    )
}

fn invalid(subject: &Subject, found: &[&Finding]) -> String {
    let Subject { kind, name, .. } = subject;
    match found {
        [one] => format!("The {kind} \"{name}\" is invalid: {}", one.problem),
        several => {
            let causes: String = several.iter().map(|finding| format!("\n* {}", finding.problem)).collect();
            format!("The {kind} \"{name}\" is invalid: {causes}")
        }
    }
}
