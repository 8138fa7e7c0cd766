//! `analyze`: what all that is declared would do together, and what of it can hardly be meant.

mod laid;
mod print;
mod suppress;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args};

use crate::analysis::{Finding, Level};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;

use laid::Laid;
use print::{Format, Shown};

const EXAMPLES: &str = "Examples:
  # Everything that is declared in the namespace default
  egressctl analyze

  # What it would be with these files on top
  egressctl analyze gateway.yaml rules/

  # Files alone, in all namespaces, without registry; exit status 79 for warnings too
  egressctl analyze --use-kube=false -A --failure-threshold Warning fixtures/scenario

  # Without a finding that is known and meant
  egressctl analyze -S \"IST0129=DestinationRule originate-tls-for-edition-cnn-com.default\"

  # All codes, and what they mean
  egressctl analyze --list-codes";

/// Where Istio explains its codes.
const DOCUMENTATION: &str = "https://istio.io/latest/docs/reference/config/analysis";
/// istioctl's exit status where findings reach the failure threshold.
const FOUND: u8 = 79;
/// The same for files that cannot be read as manifests (EX_DATAERR of sysexits.h).
const UNPARSEABLE: u8 = 65;

/// Find what is wrong with everything that is declared together: what is missing, in conflict, shadowed, hidden by
/// encryption, or without effect. Exit status 79 if anything is as bad as --failure-threshold.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Files and directories to lay on top of what is declared; - is standard input
    #[arg(value_name = "FILE")]
    words: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Whether what is declared in the registry counts; false for files alone
    #[arg(short = 'k', long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = true, default_missing_value = "true")]
    use_kube: bool,
    /// Show findings of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Leave out a code for a resource, as in "IST0129=DestinationRule cnn.default"; * stands for anything; repeatable
    #[arg(short = 'S', long = "suppress", value_name = "CODE=KIND NAME.NAMESPACE")]
    suppressions: Vec<String>,
    /// Exit with status 79 for findings as bad as this: Info, Warning or Error
    #[arg(long, value_name = "LEVEL", default_value = "Error", ignore_case = true, hide_possible_values = true,
          value_parser = levels())]
    failure_threshold: Level,
    /// Show findings as bad as this: Info, Warning or Error
    #[arg(long, value_name = "LEVEL", default_value = "Info", ignore_case = true, hide_possible_values = true,
          value_parser = levels())]
    output_threshold: Level,
    /// log, json or yaml; the last two never fail because of findings
    #[arg(short, long, value_name = "FORMAT", default_value = "log", ignore_case = true, hide_possible_values = true)]
    output: Format,
    /// Pass over documents of unknown kinds
    #[arg(long)]
    ignore_unknown: bool,
    /// List the codes with their levels and meanings, and do nothing else
    #[arg(short = 'L', long, alias = "list-analyzers")]
    list_codes: bool,
}

/// Levels by their names, in any letter case.
fn levels() -> impl TypedValueParser<Value = Level> {
    let by_name = |name: String| Level::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(&name));
    // Only names of levels come this far.
    PossibleValuesParser::new(["Info", "Warning", "Error"]).map(move |name| by_name(name).unwrap_or(Level::Error))
}

impl Arguments {
    /// Analyzes and shows.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        if self.list_codes {
            return Ok(print::codes(context).map_err(Failure::from)?);
        }
        let suppressions = suppress::read(&self.suppressions, context)?;
        let names = self.words.iter().chain(&self.files.names).cloned().collect();
        let files = Files { names, recursive: self.files.recursive };
        let laid = Laid::read(&files, self.use_kube, self.ignore_unknown, context)?;
        let mut shown = laid.analyze()?;
        shown.retain(|one| {
            self.concerns(one, context) && !suppressions.iter().any(|one_of| one_of.covers(&one.finding))
        });
        let bad = shown.iter().any(|one| one.finding.code.level <= self.failure_threshold);
        shown.retain(|one| one.finding.code.level <= self.output_threshold);
        self.output.print(&shown, context).map_err(Failure::from)?;
        let target = match self.all_namespaces {
            true => "all namespaces".to_owned(),
            false => format!("namespace: {}", context.namespace()),
        };
        if shown.is_empty() {
            context.say(&nothing_found(&laid, &target)).map_err(Failure::from)?;
        }
        if self.output != Format::Log {
            return Ok(());
        }
        if bad {
            let message = format!(
                "Error: Analyzers found issues when analyzing {target}.\n\
                 See {DOCUMENTATION} for more information about causes and resolutions."
            );
            return Err(Failure::Status(FOUND, message).into());
        }
        match laid.unparseable {
            0 => Ok(()),
            _ => Err(Failure::Status(UNPARSEABLE, "Error: Some files couldn't be parsed.".to_owned()).into()),
        }
    }

    /// Whether a finding is of a namespace that was asked for; files that were named are always meant, unless another
    /// namespace was named too.
    fn concerns(&self, one: &Shown, context: &Context) -> bool {
        let Finding { key, .. } = &one.finding;
        let own = key.namespace.as_deref().is_none_or(|namespace| namespace == context.namespace());
        self.all_namespaces || own || (one.in_files && context.typed_namespace().is_none())
    }
}

/// istioctl's line where there is nothing to show.
fn nothing_found(laid: &Laid, target: &str) -> String {
    match (laid.unparseable, laid.files.as_slice()) {
        (0, []) => format!("\u{2714} No validation issues found when analyzing {target}."),
        (0, files) => format!("\u{2714} No validation issues found when analyzing {}.", files.join("\n")),
        (1, _) => format!("No validation issues found when analyzing {target} (but 1 file could not be parsed)."),
        (more, _) => {
            format!("No validation issues found when analyzing {target} (but {more} files could not be parsed).")
        }
    }
}
