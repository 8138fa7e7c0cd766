//! Findings in istioctl's three forms, and the list of codes.

use std::io::{self, Write as _};

use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};

use super::DOCUMENTATION;
use crate::analysis::{CODES, Finding, Level};
use crate::cli::context::Context;
use crate::cli::style::{ERROR, PLAIN, WARNING};
use crate::diagnostic::visible;

/// A finding with where it is to be looked for.
pub(super) struct Shown {
    pub(super) finding: Finding,
    /// File and line.
    pub(super) reference: Option<(String, usize)>,
    /// Whether that is one of the files that were named.
    pub(super) in_files: bool,
}

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line each.
    Log,
    /// A list of objects.
    Json,
    /// The same.
    Yaml,
}

impl Format {
    /// Prints findings to standard output.
    pub(super) fn print(self, shown: &[Shown], context: &mut Context) -> io::Result<()> {
        let objects = || Json::Array(shown.iter().map(Shown::object).collect());
        match self {
            Format::Log => shown.iter().try_for_each(|one| writeln!(context.out, "{}", one.line(context.color))),
            Format::Json => writeln!(context.out, "{:#}", objects()),
            Format::Yaml => {
                let text = serde_yaml::to_string(&objects()).map_err(io::Error::other)?;
                context.out.write_all(text.as_bytes())
            }
        }
    }
}

impl Shown {
    /// `Error [IST0101] (VirtualService default/x f.yaml:7) Referenced gateway not found: "nope"`.
    fn line(&self, color: bool) -> String {
        let Finding { code, message, .. } = &self.finding;
        let place = self.reference().map(|place| format!(" {place}")).unwrap_or_default();
        let (start, end) = match code.level {
            Level::Error if color => (ERROR, PLAIN),
            Level::Warning if color => (WARNING, PLAIN),
            _ => ("", ""),
        };
        let head = format!("{start}{}{end} [{}]", code.level, code.name);
        format!("{head} ({}{place}) {}", visible(&self.origin()), visible(message))
    }

    fn reference(&self) -> Option<String> {
        self.reference.as_ref().map(|(file, line)| format!("{}:{line}", visible(file)))
    }

    /// `VirtualService default/x`.
    fn origin(&self) -> String {
        let key = &self.finding.key;
        match &key.namespace {
            Some(namespace) => format!("{} {namespace}/{}", key.kind.name, key.name),
            None => format!("{} {}", key.kind.name, key.name),
        }
    }

    fn object(&self) -> Json {
        let Finding { code, at, message, .. } = &self.finding;
        let mut object = Map::new();
        object.insert("code".into(), code.name.into());
        if code.is_istios() {
            let url = format!("{DOCUMENTATION}/{}/?ref=istioctl-analyze", code.name.to_ascii_lowercase());
            object.insert("documentationUrl".into(), url.into());
        }
        object.insert("field".into(), at.to_string().into());
        object.insert("level".into(), code.level.name().into());
        object.insert("message".into(), message.as_str().into());
        object.insert("origin".into(), self.origin().into());
        if let Some(reference) = self.reference() {
            object.insert("reference".into(), json!(reference));
        }
        Json::Object(object)
    }
}

/// Prints every code with its level and meaning.
pub(super) fn codes(context: &mut Context) -> io::Result<()> {
    writeln!(context.out, "{:<9}{:<9}MEANING", "CODE", "LEVEL")?;
    CODES.iter().try_for_each(|code| writeln!(context.out, "{:<9}{:<9}{}", code.name, code.level.name(), code.gist))
}
