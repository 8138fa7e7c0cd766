//! `logs seal`, `logs prune` and `logs verify`: keeping the log.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::export::Export;
use super::stats::{Facets, Stats};
use crate::accesslog::{self, Exported, Limits, Sealer, Verified, Verifier};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Failures, Outcome};
use crate::cli::retention::Retention;
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
    /// Count entries by time and by their fields
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
            Self::Stats(stats) => stats.run(context),
            Self::Facets(facets) => facets.run(context),
            Self::Export(export) => export.run(context),
        }
    }
}

fn seal(context: &mut Context) -> Outcome {
    let mut sealer = Sealer::open(&context.state_dir()?, Limits::default()).map_err(Failure::from)?;
    let sealed = sealer.seal_all(context.now.as_microsecond()).map_err(Failure::from)?;
    if sealed.busy {
        return Err(Failure::client("another process is sealing the log\nhint: try again in a moment").into());
    }
    let (entries, segments) = (count(sealed.entries, "entry", "entries"), sealed.segments as i64);
    Ok(writeln!(context.out, "sealed {entries} in {}, {} bytes", count(segments, "segment", "segments"), sealed.bytes)?)
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

Entries go by the segment: when its newest entry is old enough. The chain of hashes stays whole. `proxy start` takes the same
flags, and then looks once a minute.";

impl Prune {
    fn run(self, context: &mut Context) -> Outcome {
        let retention = accesslog::Retention::from(self.retention);
        if retention.is_forever() {
            let message = "nothing says what should go\nhint: --keep 30d keeps the last thirty days";
            return Err(Failure::client(message).into());
        }
        let now = context.now.as_microsecond();
        let mut sealer = Sealer::open(&context.state_dir()?, Limits::default()).map_err(Failure::from)?;
        let pruned =
            if self.dry_run { sealer.prunable(&retention, now).map(Some) } else { sealer.prune(&retention, now) };
        let busy = || Failure::client("another process is sealing or pruning the log\nhint: try again in a moment");
        let pruned = pruned.map_err(Failure::from)?.ok_or_else(busy)?;
        for one in &pruned {
            let stay = if one.stay > 0 { format!(", {} stay", one.stay) } else { String::new() };
            let entries = count(one.entries, "entry", "entries");
            writeln!(context.out, "log/segments/{}: {entries} of {} bytes{stay}", one.segment, one.bytes)?;
        }
        let entries = count(pruned.iter().map(|one| one.entries).sum(), "entry", "entries");
        let (done, dry) = if self.dry_run { ("would be pruned", " (dry run)") } else { ("pruned", "") };
        Ok(writeln!(context.out, "{entries} {done}{dry}")?)
    }
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
        let verifier = Verifier::open(&context.state_dir()?).map_err(Failure::from)?;
        let verified = verifier.verify(head.as_ref()).map_err(Failure::from)?;
        let whole = verified.findings.is_empty();
        if let Some(path) = self.export_head.as_ref().filter(|_| whole) {
            let head = verifier.head(context.now.as_microsecond()).map_err(Failure::from)?;
            write_head(&head, path, context)?;
        }
        if self.output.is_some() {
            let json = serde_json::json!({ "whole": whole, "log": verified });
            writeln!(context.out, "{json:#}")?;
        } else if self.export_head.is_none_or(|path| path.as_os_str() != "-") {
            print(&verified, context)?;
        }
        context.out.flush()?;
        if whole { Ok(()) } else { Err(Failure::Status(1, broken(&verified)).into()) }
    }
}

fn read_head(path: &PathBuf) -> Result<Exported, Failure> {
    let text =
        if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    let text = text.map_err(|error| Failure::client(format!("cannot read {}: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("{} holds no head of a log: {error}", path.display());
        Failure::client(message + "\nhint: `egressctl logs verify --export-head FILE` writes one")
    })
}

fn write_head(head: &Exported, path: &PathBuf, context: &mut Context) -> Result<(), Failure> {
    let json = serde_json::to_string(head).map_err(|error| Failure::client(error.to_string()))? + "\n";
    if path.as_os_str() == "-" {
        return Ok(context.out.write_all(json.as_bytes())?);
    }
    std::fs::write(path, json).map_err(|error| Failure::client(format!("cannot write {}: {error}", path.display())))
}

fn print(verified: &Verified, context: &mut Context) -> Result<(), Failure> {
    for finding in &verified.findings {
        writeln!(context.out, "{}: {}", visible(&finding.place), visible(&finding.problem))?;
    }
    for note in &verified.notes {
        writeln!(context.out, "note: {}", visible(note))?;
    }
    if verified.findings.is_empty() {
        let sealed = count(verified.sealed, "entry", "entries");
        let segments = count(verified.segments as i64, "segment", "segments");
        writeln!(context.out, "the log is whole: {sealed} in {segments}, {} not sealed yet", verified.rows)?;
    }
    Ok(())
}

fn broken(verified: &Verified) -> String {
    let findings = verified.findings.len() as i64;
    format!("error: the log is not whole: {}", count(findings, "finding", "findings"))
}

/// What of the log could not be read, after the rest was shown.
pub(super) fn damage(damage: Vec<crate::accesslog::Error>) -> Outcome {
    let mut failures = Failures::default();
    failures.extend(damage.into_iter().map(Failure::from));
    failures.into_outcome()
}
