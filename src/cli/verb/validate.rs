//! `validate`: what is wrong with files, without a registry and without a proxy.

use std::collections::HashMap;
use std::io::Write as _;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::cli::context::Context;
use crate::cli::declare::{read, settle_namespace};
use crate::cli::failure::{Failure, Failures, Outcome};
use crate::cli::input::Files;
use crate::cli::offline::declarations;
use crate::diagnostic::{Code, FieldPath, Problem, STDIN, Severity, Source, visible};
use crate::manifest::{Finding, Locator, Place};
use crate::registry::{self, MemoryRegistry, Registry as _, Transaction};
use crate::resource::Resource;
use crate::snapshot::Compiler;
use crate::snapshot::admission::Reviewer;

const EXAMPLES: &str = "Examples:
  # All that a directory declares, as one whole
  egressctl validate -f fixtures/scenario

  # Single files; - is standard input
  egressctl validate -f sleep.yaml -f -

  # For a script: {\"valid\":false,\"problems\":[{\"severity\",\"code\",\"file\",\"line\",\"column\",\"field\",\"message\"}]}
  egressctl validate -f rules.yaml -o json";

/// Check files without registry and proxy: exit status 0 if all is valid, though there may be warnings, 1 if not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    /// json for scripts
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
}

/// What a file declares, and what was found in it.
struct File {
    source: Source,
    declared: Vec<(Resource, Place)>,
    findings: Vec<Finding>,
}

impl Arguments {
    /// Reads all, reviews all together, shows what was found.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        if self.files.names.is_empty() {
            return Err(Failure::client("must specify -f").into());
        }
        let mut files = Vec::new();
        for source in self.files.read()? {
            let parsed = read(&source);
            let mut failures = Failures::default();
            let mut declared: Vec<_> = parsed.resources.into_iter().zip(parsed.places).collect();
            failures.extend(declared.iter_mut().filter_map(|(resource, _)| settle_namespace(resource, context).err()));
            failures.into_outcome()?;
            files.push(File { source, declared, findings: parsed.findings });
        }
        if files.is_empty() {
            let hint = if self.files.recursive { "" } else { " (-R also reads the directories below)" };
            let text = format!("no objects passed to validate: no YAML or JSON file is there{hint}");
            return Err(Failure::client(text).into());
        }
        review(&mut files).map_err(Failure::client)?;
        match self.output {
            Some(_) => told_to_scripts(&files, context)?,
            None => told_to_people(&files, context)?,
        }
        let invalid = files.iter().filter(|file| file.count(Severity::Error) > 0).count();
        if invalid == 0 {
            return Ok(());
        }
        Err(Failure::client(format!("{invalid} of {} files are invalid", files.len())).into())
    }
}

impl File {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.problem.severity == severity).count()
    }

    /// What istioctl says of a file, and how much there is to see.
    fn verdict(&self) -> String {
        let several = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let name = format!("\"{}\"", visible(&self.source.name));
        let (errors, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        match (errors, warnings) {
            (0, 0) if *self.source.name == *STDIN => "validation succeed".to_owned(),
            (0, 0) => format!("{name} is valid"),
            (0, warnings) => format!("{name} is valid, with {}", several(warnings, "warning")),
            (errors, 0) => format!("{name} is invalid: {}", several(errors, "error")),
            (errors, warnings) => {
                format!("{name} is invalid: {}, {}", several(errors, "error"), several(warnings, "warning"))
            }
        }
    }

    fn is_faulty(&self, place: &Place) -> bool {
        self.findings.iter().any(|finding| finding.problem.is_error() && finding.document == place.document)
    }
}

/// Adds what is wrong with the resources of all files together.
fn review(files: &mut [File]) -> Result<(), String> {
    let registry = MemoryRegistry::new();
    let all: Vec<Resource> = files.iter().flat_map(|file| &file.declared).map(|(one, _)| one.clone()).collect();
    let mut operations = declarations(&registry, &all)?.into_iter();
    let mut first = HashMap::new();
    for file in files.iter_mut() {
        for ((resource, place), operation) in file.declared.iter().zip(operations.by_ref()) {
            let Err(error) = registry.commit(Transaction { operations: vec![operation] }) else {
                let name = place.finding(twice(resource, ""));
                let (line, column) = file.source.line_column(Locator::new(&file.source).span(&name).start);
                first.insert(resource.key().to_string(), format!("{}:{line}:{column}", visible(&file.source.name)));
                continue;
            };
            // Two of one name in one file were found when it was read.
            if !file.is_faulty(place) {
                let problem = refused(resource, &error, first.get(&resource.key().to_string()));
                file.findings.push(place.finding(problem));
            }
        }
    }
    let reviewer = Reviewer::new(&registry);
    for file in files.iter_mut() {
        let mut found = Vec::new();
        for (resource, place) in file.declared.iter().filter(|(_, place)| !file.is_faulty(place)) {
            let problems = reviewer.review(resource).map_err(|error| error.to_string())?;
            // What is missing may be in another file; `analyze` looks at the whole.
            let own = problems.into_iter().filter(|problem| problem.code != Code::NotFound);
            found.extend(own.map(|problem| place.finding(problem)));
        }
        file.findings.append(&mut found);
        file.findings.sort_by_key(|finding| finding.document.start);
    }
    if files.iter().all(|file| file.count(Severity::Error) == 0) {
        // Whatever no resource is at fault for alone.
        Compiler::default().compile(&registry).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A resource is declared where another one of its name was.
fn twice(resource: &Resource, first: &str) -> Problem {
    let message = format!("{} \"{}\" is declared twice", resource.kind.qualified_singular(), resource.meta.name);
    Problem::error(Code::Duplicate, FieldPath::of("metadata.name"), message)
        .help(format!("the first declaration is at {first}"))
}

/// Why the registry does not take a resource: commonly there is another one of its name, in the file that is given.
fn refused(resource: &Resource, error: &registry::Error, first: Option<&String>) -> Problem {
    match (error, first) {
        (registry::Error::AlreadyExists(_), Some(first)) => twice(resource, first),
        _ => Problem::error(Code::Invalid, FieldPath::of("metadata"), error.to_string()),
    }
}

fn told_to_people(files: &[File], context: &mut Context) -> Result<(), Failure> {
    for file in files {
        let mut locator = Locator::new(&file.source);
        for finding in &file.findings {
            if finding.problem.is_error() {
                let picture = locator.render(finding, context.color_err);
                context.say(&picture)?;
            } else {
                context.warn(|color| locator.render(finding, color))?;
            }
        }
    }
    for file in files {
        writeln!(context.out, "{}", file.verdict())?;
    }
    Ok(())
}

fn told_to_scripts(files: &[File], context: &mut Context) -> Result<(), Failure> {
    let problems: Vec<Json> = files.iter().flat_map(problems).collect();
    let valid = files.iter().all(|file| file.count(Severity::Error) == 0);
    let answer = json!({"valid": valid, "problems": problems});
    let text = serde_json::to_string_pretty(&answer).map_err(|error| Failure::client(error.to_string()))?;
    Ok(writeln!(context.out, "{text}")?)
}

fn problems(file: &File) -> Vec<Json> {
    let mut locator = Locator::new(&file.source);
    let one = |finding: &Finding| {
        let span = locator.span(finding);
        let (line, column) = file.source.line_column(span.start);
        let Problem { code, severity, at, message, .. } = &finding.problem;
        json!({
            "severity": match severity { Severity::Error => "error", Severity::Warning => "warning" },
            "code": code.name(),
            "file": &*file.source.name,
            "line": line,
            "column": column,
            "field": at.to_string(),
            "message": message,
        })
    };
    file.findings.iter().map(one).collect()
}
