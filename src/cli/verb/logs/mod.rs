//! `logs`: the access log, asked like a pod's log and searched like a file.

mod context_lines;
mod csv;
mod export;
mod files;
mod filter;
mod keep;
mod mark;
mod pod;
mod print;
mod stats;

use std::time::Instant;

use clap::Args;
use regex::Regex;

use crate::accesslog::{Logs, Query};
use crate::cli::bar::{Bar, Unit};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Failures, Outcome};

use filter::Filter;
use print::{Form, Look};

const EXAMPLES: &str = "Examples:
  # The whole log
  egressctl logs

  # The forbidden calls of the last ten minutes
  egressctl logs --level error --since 10m

  # Calls of a workload to a host, as they happen
  egressctl logs -f -g '\"source\":\"sleep\"' -g edition.cnn.com

  # Answers that were errors, of one host and those below it
  egressctl logs --code 4xx,5xx --host '*cnn.com'
  egressctl logs --where 'destination.endsWith(\"cnn.com\") && responseCode >= 400'

  # What the workloads with a label called
  egressctl logs -l app=sleep --tail=-1

  # The same questions to lines of Istio's or Envoy's, without taking them into the log
  kubectl logs deployment/istio-egressgateway -n istio-system | egressctl logs - --code 5xx
  egressctl logs access.log.1 access.log --host '*cnn.com'

  # Every call, also those that no rule asks a line for: entries are lines that rules ask for, of a call none or several
  egressctl logs --all --instance access -o table

  # How many calls were made yesterday, and how many entries rules asked for
  egressctl logs --all --instance access --count --since 2d --until 1d
  egressctl logs --count --since 2d --until 1d

  # Was anything in it changed?
  egressctl logs verify

  # As Istio's users ask for it
  egressctl -n istio-system logs mixer -l istio-mixer-type=telemetry

  # The same by the pod's name
  POD=$(egressctl -n istio-system get pods -l istio-mixer-type=telemetry -o jsonpath='{.items[0].metadata.name}')
  egressctl -n istio-system logs $POD mixer

Lines of files are shown as the entries that they become. Those that are none are told by their numbers and passed over; it is \
an error if all of them are none.

Exit status: 0, also if nothing was found, and 1 on an error; with --exit-status it is as rg's.";

/// Entries that a selector shows when nobody says how many; kubectl's number.
const TAIL_OF_SELECTOR: usize = 10;

/// Show the access log: all of it, or the entries of a level, a time, or a pattern.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "egressctl logs [POD [CONTAINER]] [OPTIONS]\n       egressctl logs FILE... [OPTIONS]\n       egressctl logs COMMAND")]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(help_template = super::HELP_WITH_SUBCOMMANDS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    keep: Option<keep::Keep>,
    /// Pod, or deployment/NAME, and container, or files; without them the whole log
    #[arg(value_name = "POD [CONTAINER]", num_args = 0.., hide = true)]
    words: Vec<String>,
    /// Container of the pod; also -c NAME
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The log of the pods with these labels, or what the workloads with these labels called
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    #[command(flatten)]
    filter: Box<Filter>,
    /// Only the last entries, in the order in which they were recorded or imported; -1 for all
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    tail: Option<i64>,
    /// Only the first entries, in that order
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["tail", "follow"])]
    head: Option<usize>,
    /// Stay, and show new entries as they come
    #[arg(short, long, conflicts_with = "until")]
    follow: bool,
    /// Print only how many entries there are: lines, not calls, but with --all --instance access
    #[arg(long, conflicts_with = "follow")]
    count: bool,
    /// With a name the container, as --container has it; without one --count
    #[arg(short = 'c', value_name = "NAME", num_args = 0..=1, id = "short")]
    short: Option<Option<String>>,
    /// Also so many entries after each, whatever they are, in the order in which they were recorded
    #[arg(short = 'A', long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    after_context: u32,
    /// Also so many entries before each
    #[arg(short = 'B', long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    before_context: u32,
    /// Also so many entries before and after each
    #[arg(short = 'C', long, value_name = "NUMBER", conflicts_with_all = ["after_context", "before_context"])]
    context: Option<u32>,
    /// Exit with 1 if there is no entry, and with 2 on an error
    #[arg(long)]
    exit_status: bool,
    /// Say on standard error what it took
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    look: Look,
}

impl Arguments {
    /// Asks the log and prints.
    pub(crate) fn run(mut self, context: &mut Context) -> Outcome {
        if let Some(keep) = self.keep {
            return keep.run(context);
        }
        let exit_status = self.exit_status;
        self.settle_short()?;
        match self.answer(context) {
            Ok(0) if exit_status => Err(Failure::Status(1, String::new()).into()),
            Ok(_) => Ok(()),
            Err(failures) if exit_status && !failures.is_broken_pipe() => {
                Err(Failure::Status(2, failures.to_string().trim_end().to_owned()).into())
            }
            Err(failures) => Err(failures),
        }
    }

    /// The same; how many entries there were.
    fn answer(&mut self, context: &mut Context) -> Result<u64, Failures> {
        self.look.check(self.count)?;
        if self.follow && self.look.output == Form::Parquet {
            let told = "the argument '--follow' cannot be used with '-o parquet', which is written at the end";
            return Err(Failure::client(told).into());
        }
        let are_files = files::are_files(&self.words);
        if are_files && self.follow {
            return Err(Failure::client(
                "the argument '--follow' cannot be used with files: they are read to their end",
            )
            .into());
        }
        let words = if are_files { std::mem::take(&mut self.words) } else { Vec::new() };
        let mut origin = pod::origin(&self.pod_request()?, self.look.prefix, context)?;
        let _files = files::take(&words, context)?;
        if !origin.callers.is_empty() {
            let namespace = context.namespace().to_owned();
            self.filter.narrow_to(std::mem::take(&mut origin.callers).into_iter(), &namespace);
            origin.records = true;
        }
        let query = self.query(context);
        let records = origin.records;
        if self.tail.is_none() && query.tail.is_some() && records {
            context.say(&format!("Showing the last {TAIL_OF_SELECTOR} entries; --tail=-1 shows all."))?;
        }
        if !records {
            context.say("note: what this container writes is not recorded here")?;
            let printed = self.look.open(context, origin, Vec::new())?;
            return printed.finish(if self.count { Some(0) } else { None });
        }
        let start = Instant::now();
        let mut log = self.filter.log_of_lines(context)?;
        filter::check_names(&log, &self.look.columns)?;
        self.filter.check(&log)?;
        if self.look.output == Form::Csv && self.look.columns.is_empty() {
            self.look.columns = log.names().map_err(Failure::from)?.into_iter().map(|(name, _)| name).collect();
        }
        let printed = self.look.open(context, origin, self.marks()?)?;
        let entries = self.print(&query, &mut log, printed)?;
        if self.stats {
            context.out.flush()?;
            context.say(&took(entries, &log, start))?;
        }
        keep::damage(log.take_damage())?;
        if entries == 0 {
            self.filter.tell_unknown(&log, context)?;
        }
        Ok(entries)
    }

    fn print(&self, query: &Query, log: &mut Logs, mut printed: print::Printed<'_>) -> Result<u64, Failures> {
        let bar = Bar::start("asking", Unit::Segments, log.progress(), !self.count);
        if self.count {
            let count = log.count(query).map_err(Failure::from)?;
            drop(bar);
            return printed.finish(Some(count));
        }
        let around = self.context.map_or((self.before_context, self.after_context), |around| (around, around));
        match (around, log.single()) {
            ((0, 0), _) => log.query(query, self.follow, &mut printed).map_err(Failure::from)?,
            (_, None) => {
                let message =
                    "the arguments -A, -B and -C cannot be used with --all: entries around one are those of its log";
                return Err(Failure::client(message).into());
            }
            (around, Some(log)) => {
                let answer = context_lines::print(log, query, around, &mut printed)?;
                if self.follow && !answer.stopped {
                    log.follow(query, answer.upto, &mut printed).map_err(Failure::from)?;
                }
            }
        }
        drop(bar);
        printed.finish(None)
    }

    /// What stands out: what was searched for, and what `--highlight` names.
    fn marks(&self) -> Result<Vec<Regex>, Failure> {
        let found = if self.filter.invert_match { Vec::new() } else { self.filter.patterns() };
        let named = self.look.highlight.iter().map(|text| self.filter.pattern(text));
        let marks = found.into_iter().chain(named).map(|pattern| pattern.expression());
        Ok(marks.collect::<Result<_, _>>()?)
    }

    /// Settles what `-c` is: kubectl's `-c CONTAINER`, or ours for `--count`. A word behind it is a container where a pod
    /// is named, too; by itself it is the pod.
    fn settle_short(&mut self) -> Result<(), Failure> {
        let names_pod = (!self.words.is_empty() || self.selector.is_some()) && !files::are_files(&self.words);
        match self.short.take() {
            None => return Ok(()),
            Some(Some(name)) if names_pod => self.container = Some(name),
            Some(word) => {
                self.words.extend(word);
                self.count = true;
            }
        }
        if self.count && self.follow {
            return Err(Failure::client("the argument '--count' cannot be used with '--follow'"));
        }
        Ok(())
    }

    fn pod_request(&self) -> Result<pod::Request, Failure> {
        let mut words = self.words.iter().cloned();
        let pod = if self.selector.is_some() { None } else { words.next() };
        let container = match (words.next(), &self.container) {
            (Some(_), Some(_)) => {
                return Err(Failure::client("only one of -c or an inline [CONTAINER] arg is allowed"));
            }
            (word, flag) => word.or_else(|| flag.clone()),
        };
        if words.next().is_some() {
            return Err(Failure::client("only a container can be named together with a selector"));
        }
        Ok(pod::Request { pod, container, selector: self.selector.clone() })
    }

    fn query(&self, context: &Context) -> Query {
        Query { tail: self.tail(), head: self.head, ..self.filter.query(context) }
    }

    fn tail(&self) -> Option<usize> {
        match self.tail {
            None => self.selector.as_ref().filter(|_| !self.count).map(|_| TAIL_OF_SELECTOR),
            Some(tail) => usize::try_from(tail).ok(),
        }
    }
}

/// What a question took, in words.
fn took(entries: u64, log: &Logs, start: Instant) -> String {
    let cost = log.cost();
    let found = keep::count(i64::try_from(entries).unwrap_or(i64::MAX), "entry", "entries");
    let read = keep::count(cost.read as i64, "segment", "segments");
    let took = start.elapsed().as_secs_f64() * 1e3;
    // The most memory that the process had, where the system tells it (proc(5), VmHWM).
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let most = most.map_or_else(String::new, |kib| format!(", at most {} MiB", kib.div_ceil(1024)));
    format!("{found}; {read} read, {} passed over; {took:.1} ms{most}", cost.passed)
}
