//! `logs seal`, `logs prune` and `logs verify`: keeping the log.

use std::fs::File;
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::export::Export;
use super::stats::{Facets, Stats};
use crate::accesslog::{
    self, Exported, Imported, Importer, Input, Limits, Progress, Redact, Sealer, Stream, Verified, Verifier,
};
use crate::cli::bar::{Bar, Unit};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Failures, Outcome};
use crate::cli::recording::redact;
use crate::cli::retention::Retention;
use crate::decision::access;
use crate::diagnostic::visible;

/// What can be done with the log besides asking it.
#[derive(Debug, Subcommand)]
pub(super) enum Keep {
    /// Seal the newest entries into a Parquet file now, instead of when enough have gathered
    Seal,
    /// Remove old entries from the sealed log
    Prune(Prune),
    /// Check that nothing in the log was cut off, changed, taken out or put in another order
    Verify(Verify),
    /// Take the entries of files into the log
    Import(Import),
    /// Count entries by time and by their fields: lines, or with --all --instance access calls
    Stats(Box<Stats>),
    /// Show the most frequent values of each field
    Facets(Box<Facets>),
    /// Write entries into files for other tools
    Export(Box<Export>),
}

impl Keep {
    /// Does it.
    pub(super) fn run(self, context: &mut Context) -> Outcome {
        match self {
            Self::Seal => seal(context),
            Self::Prune(prune) => prune.run(context),
            Self::Verify(verify) => verify.run(context),
            Self::Import(import) => import.run(context),
            Self::Stats(stats) => stats.run(context),
            Self::Facets(facets) => facets.run(context),
            Self::Export(export) => export.run(context),
        }
    }
}

fn seal(context: &mut Context) -> Outcome {
    for stream in Stream::ALL {
        let sealer = Sealer::open(&context.state_dir()?, stream, Limits::default()).map_err(Failure::from)?;
        let bar = Bar::start("sealing", Unit::Entries, vec![Arc::clone(sealer.progress())], false);
        let sealed = sealer.seal_all(context.now.as_microsecond());
        drop(bar);
        let sealed = sealed.map_err(Failure::from)?;
        if sealed.busy {
            return Err(Failure::client("another process is sealing the log\nhint: try again in a moment").into());
        }
        if sealed.entries > 0 || stream == Stream::Lines {
            let (entries, segments) =
                (stream.counted(sealed.entries), count(sealed.segments as i64, "segment", "segments"));
            writeln!(context.out, "sealed {entries} in {segments}, {} bytes", sealed.bytes)?;
        }
    }
    Ok(())
}

pub(super) fn count(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What is removed.
#[derive(Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
pub(super) struct Prune {
    #[command(flatten)]
    retention: Retention,
    /// Only show what would go
    #[arg(long)]
    dry_run: bool,
}

const PRUNE_EXAMPLES: &str = "Examples:
  # What is older than 30 days, but errors of the last 90
  egressctl logs prune --keep 30d --keep error=90d

  # The oldest, until 10 GiB are left
  egressctl logs prune --keep-size 10GiB

  # What would go?
  egressctl logs prune --keep 30d --dry-run

Entries go by the segment: when its newest entry is old enough. The chain of hashes stays whole. `proxy start` takes the same \
flags, and then looks once a minute.";

impl Prune {
    fn run(self, context: &mut Context) -> Outcome {
        let retention = accesslog::Retention::from(self.retention);
        if retention.is_forever() {
            let message = "nothing says what should go\nhint: --keep 30d keeps the last thirty days";
            return Err(Failure::client(message).into());
        }
        Stream::ALL.into_iter().try_for_each(|stream| prune(stream, &retention, self.dry_run, context))
    }
}

fn prune(stream: Stream, retention: &accesslog::Retention, dry_run: bool, context: &mut Context) -> Outcome {
    let now = context.now.as_microsecond();
    let mut sealer = Sealer::open(&context.state_dir()?, stream, Limits::default()).map_err(Failure::from)?;
    let pruned = if dry_run { sealer.prunable(retention, now).map(Some) } else { sealer.prune(retention, now) };
    let busy = || Failure::client("another process is sealing or pruning the log\nhint: try again in a moment");
    let pruned = pruned.map_err(Failure::from)?.ok_or_else(busy)?;
    for one in &pruned {
        let stay = if one.stay > 0 { format!(", {} stay", one.stay) } else { String::new() };
        writeln!(context.out, "{}: {} of {} bytes{stay}", one.segment, stream.counted(one.entries), one.bytes)?;
    }
    if pruned.is_empty() && stream != Stream::Lines {
        return Ok(());
    }
    let entries = stream.counted(pruned.iter().map(|one| one.entries).sum());
    let (done, dry) = if dry_run { ("would be pruned", " (dry run)") } else { ("pruned", "") };
    Ok(writeln!(context.out, "{entries} {done}{dry}")?)
}

/// How to check.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Verify {
    /// The log must still have all that it had when this head was exported; - for standard input
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// If the log is whole, write its signed head here, to be kept where whoever might change the log cannot write; - for
    /// standard output
    #[arg(long, value_name = "FILE")]
    export_head: Option<PathBuf>,
    /// json for programs
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
}

const EXAMPLES: &str = "Examples:
  # Is all of it as it was recorded?
  egressctl logs verify

  # Keep the head somewhere else, say once a day
  egressctl logs verify --export-head /mnt/elsewhere/head.json

  # Does the log still have all that it had then?
  egressctl logs verify --head /mnt/elsewhere/head.json

Exit status: 0 if the log is whole, 1 if not, or if it cannot be read.";

impl Verify {
    fn run(self, context: &mut Context) -> Outcome {
        let head = self.head.as_ref().map(read_head).transpose()?;
        let state = context.state_dir()?;
        let open = |stream| Verifier::open(&state, stream).map_err(Failure::from);
        let (lines, accesses) = (open(Stream::Lines)?, open(Stream::Accesses)?);
        let of_accesses = head.as_ref().and_then(|head| head.accesses.as_ref());
        let verified = lines.verify(head.as_ref().map(|head| &head.lines)).map_err(Failure::from)?;
        let calls = accesses.verify(of_accesses).map_err(Failure::from)?;
        let findings = (verified.findings.len() + calls.findings.len()) as i64;
        if let Some(path) = self.export_head.as_ref().filter(|_| findings == 0) {
            let now = context.now.as_microsecond();
            let lines = lines.head(now).map_err(Failure::from)?;
            let head = Heads { lines, accesses: Some(accesses.head(now).map_err(Failure::from)?) };
            write_head(&head, path, context)?;
        }
        if self.output.is_some() {
            let json = serde_json::json!({ "whole": findings == 0, "log": verified, "accesses": calls });
            writeln!(context.out, "{json:#}")?;
        } else if self.export_head.is_none_or(|path| path.as_os_str() != "-") {
            print(Stream::Lines, &verified, context)?;
            if calls.newest > 0 || !calls.findings.is_empty() {
                print(Stream::Accesses, &calls, context)?;
            }
        }
        context.out.flush()?;
        let broken = || format!("error: the log is not whole: {}", count(findings, "finding", "findings"));
        if findings == 0 { Ok(()) } else { Err(Failure::Status(1, broken()).into()) }
    }
}

/// Heads of both logs, as one file has them. One that was exported before there were accesses has none of those.
#[derive(Debug, Serialize, Deserialize)]
struct Heads {
    #[serde(flatten)]
    lines: Exported,
    #[serde(skip_serializing_if = "Option::is_none")]
    accesses: Option<Exported>,
}

fn read_head(path: &PathBuf) -> Result<Heads, Failure> {
    let text =
        if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = text.map_err(|error| Failure::client(format!("cannot read {}: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("{} holds no head of a log: {error}", path.display());
        Failure::client(message + "\nhint: `egressctl logs verify --export-head FILE` writes one")
    })
}

fn write_head(head: &Heads, path: &PathBuf, context: &mut Context) -> Result<(), Failure> {
    let json = serde_json::to_string(head).map_err(|error| Failure::client(error.to_string()))? + "\n";
    if path.as_os_str() == "-" {
        return Ok(context.out.write_all(json.as_bytes())?);
    }
    std::fs::write(path, json).map_err(|error| Failure::client(format!("cannot write {}: {error}", path.display())))
}

fn print(stream: Stream, verified: &Verified, context: &mut Context) -> Result<(), Failure> {
    for finding in &verified.findings {
        writeln!(context.out, "{}: {}", visible(&finding.place), visible(&finding.problem))?;
    }
    for note in &verified.notes {
        writeln!(context.out, "note: {}", visible(note))?;
    }
    if verified.findings.is_empty() {
        let (sealed, segments) =
            (stream.counted(verified.sealed), count(verified.segments as i64, "segment", "segments"));
        writeln!(context.out, "the log is whole: {sealed} in {segments}, {} not sealed yet", verified.rows)?;
    }
    Ok(())
}

/// What is imported.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct Import {
    /// Files of entries; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What is left out of entries that have it: nothing, queries, or paths and headers too; credentials always are
    #[arg(long, value_name = "none|query|all", default_value = "query", value_parser = redact())]
    redact: Redact,
}

/// What lines of files may be.
pub(super) const FORMS: &str =
    "a line is our JSON, Mixer's stdio JSON or text, or Envoy's or Istio's default text or JSON access log";

const IMPORT_EXAMPLES: &str = "Examples:
  # The lines that another egressctl printed, with its records of calls
  egressctl logs --all -o json | ssh elsewhere egressctl logs import -

  # What Istio's proxies wrote
  kubectl logs deployment/istio-egressgateway -n istio-system | egressctl logs import -

A line is our JSON, Mixer's stdio JSON or text, or Envoy's or Istio's default text or JSON access log. What their proxies say of \
themselves beside it is passed over. What is none of them is told by its number, and the rest goes in.

Exit status: 0, or 1 if there was such a line.";

/// Lines that are no entries and are told one by one; after so many it is a file of something else.
const FAULTS_TOLD: u64 = 10;

/// Takes the entries of files into the log of the state directory; what went in, and how many lines were no entries.
pub(super) fn import(files: &[PathBuf], redact: Redact, context: &mut Context) -> Result<(Imported, u64), Failures> {
    let mut importer = Importer::open(&context.state_dir()?, access::INSTANCE, redact).map_err(Failure::from)?;
    let (mut imported, mut faults) = (Imported::default(), 0_u64);
    for path in files {
        let name = if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
        let input: Box<dyn Read> = match path.as_os_str() == "-" {
            true => Box::new(std::io::stdin()),
            false => Box::new(open(path).map_err(|error| cannot_read(&name, &error))?),
        };
        let progress = Arc::new(Progress::default());
        let metadata = std::fs::metadata(path).ok().filter(|_| path.as_os_str() != "-");
        progress.expect(metadata.as_ref().map_or(0, std::fs::Metadata::len));
        let mut input = Watched { input, progress: Arc::clone(&progress) };
        let bar = Bar::start("importing", Unit::Bytes, vec![progress], false);
        let mut told = Vec::new();
        let mut fault = |number: u64, why: &str| {
            faults += 1;
            if faults <= FAULTS_TOLD {
                told.push(format!("{name}:{number}: {}", visible(why)));
            }
        };
        let now = context.now.as_microsecond();
        let is_there = metadata.is_some_and(|file| file.is_file());
        let done = importer.import(Input { name: &name, lines: &mut input, is_there }, now, &mut fault);
        drop(bar);
        told.iter().try_for_each(|told| context.say(told))?;
        imported = done.map_err(Failure::from)?;
    }
    if imported.notices > 0 {
        let lines = count(imported.notices as i64, "line", "lines");
        context.say(&format!("note: {lines} of what a proxy says of itself passed over"))?;
    }
    Ok((imported, faults))
}

/// Opens a file; a folder can be opened, too, and not be read.
fn open(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

impl Import {
    fn run(self, context: &mut Context) -> Outcome {
        let (imported, faults) = import(&self.files, self.redact, context)?;
        let accesses = match imported.accesses {
            0 => String::new(),
            accesses => format!(", {}", Stream::Accesses.counted(accesses as i64)),
        };
        writeln!(context.out, "imported {}{accesses}", Stream::Lines.counted(imported.entries as i64))?;
        context.out.flush()?;
        let message = || match faults {
            1 => "error: 1 line is no entry".to_owned(),
            _ => format!("error: {faults} lines are no entries"),
        };
        if faults == 0 { Ok(()) } else { Err(Failure::Status(1, message()).into()) }
    }
}

/// Input that tells how much of it was read.
struct Watched {
    input: Box<dyn Read>,
    progress: Arc<Progress>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}

fn cannot_read(name: &str, error: &std::io::Error) -> Failure {
    Failure::client(format!("cannot read {name}: {error}"))
}

/// What of the log could not be read, after the rest was shown.
pub(super) fn damage(damage: Vec<crate::accesslog::Error>) -> Outcome {
    let mut failures = Failures::default();
    failures.extend(damage.into_iter().map(Failure::from));
    failures.into_outcome()
}
