//! `logs`: the access log, asked like a pod's log and searched like a file.

mod keep;
mod pod;
mod print;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::{SignedDuration, Timestamp};

use crate::accesslog::{Both, Level, LevelFilter, LogStore, Pattern, Query, Syntax};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::time;

use print::Look;

const EXAMPLES: &str = "Examples:
  # The whole log
  egressctl logs

  # The forbidden calls of the last ten minutes
  egressctl logs --level error --since 10m

  # Calls of a workload to a host, as they happen
  egressctl logs -f -g '\"source\":\"sleep\"' -g edition.cnn.com

  # Every call, also those that no rule asks a line for
  egressctl logs --all --instance access -o table

  # How many calls were made yesterday
  egressctl logs --count --since 2d --until 1d

  # Was anything in it changed?
  egressctl logs verify

  # As Istio's users ask for it
  egressctl -n istio-system logs mixer -l istio-mixer-type=telemetry

  # The same by the pod's name
  POD=$(egressctl -n istio-system get pods -l istio-mixer-type=telemetry -o jsonpath='{.items[0].metadata.name}')
  egressctl -n istio-system logs $POD mixer";

/// Entries that a selector shows when nobody says how many; kubectl's number.
const TAIL_OF_SELECTOR: usize = 10;

/// Show the access log: all of it, or the entries of a level, a time, or a pattern.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "egressctl logs [POD [CONTAINER]] [OPTIONS]\n       egressctl logs COMMAND")]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(help_template = super::HELP_WITH_SUBCOMMANDS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    keep: Option<keep::Keep>,
    /// Pod, or deployment/NAME, and container; without them the whole log
    #[arg(value_name = "POD [CONTAINER]", num_args = 0..=2, hide = true)]
    words: Vec<String>,
    /// Container of the pod; also -c NAME
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// The log of the pods with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only entries of this level: info, warn, error; with + also worse ones (warn+)
    #[arg(long, value_name = "LEVEL", ignore_case = true, hide_possible_values = true, value_parser = levels())]
    level: Option<LevelFilter>,
    /// Only lines that contain this regular expression; several must all be contained
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    grep: Vec<String>,
    /// Take the patterns as they stand, not as regular expressions
    #[arg(short = 'F', long)]
    fixed_strings: bool,
    /// Ignore case in patterns
    #[arg(short, long)]
    ignore_case: bool,
    /// Only lines that contain none of the patterns
    #[arg(short = 'v', long)]
    invert_match: bool,
    /// Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// Only entries newer than this: 90s, 10m, 1h30m, 2d
    #[arg(long, value_name = "DURATION", value_parser = time::length)]
    since: Option<SignedDuration>,
    /// Only entries after this time: 2018-06-18T13:22:58Z
    #[arg(long, value_name = "TIME", value_parser = time::point, conflicts_with = "since")]
    since_time: Option<Timestamp>,
    /// Only entries before this time, or older than this duration
    #[arg(long, value_name = "TIME|DURATION", value_parser = until, conflicts_with = "follow")]
    until: Option<Until>,
    /// Only the last entries; -1 for all
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    tail: Option<i64>,
    /// Stay, and show new entries as they come
    #[arg(short, long)]
    follow: bool,
    /// Print only how many entries there are
    #[arg(long, conflicts_with = "follow")]
    count: bool,
    /// With a name the container, as --container has it; without one --count
    #[arg(short = 'c', value_name = "NAME", num_args = 0..=1, id = "short")]
    short: Option<Option<String>>,
    /// Also the records that are kept of all calls, whether a rule asks for a line or not
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    look: Look,
}

/// The end of the window.
#[derive(Debug, Clone, Copy)]
enum Until {
    Ago(SignedDuration),
    Time(Timestamp),
}

impl Arguments {
    /// Asks the log and prints.
    pub(crate) fn run(mut self, context: &mut Context) -> Outcome {
        if let Some(keep) = self.keep {
            return keep.run(context);
        }
        self.settle_short()?;
        let origin = pod::origin(&self.pod_request()?, self.look.prefix, context)?;
        let query = self.query(context);
        let records = origin.records;
        if self.tail.is_none() && query.tail.is_some() && records {
            context.say(&format!("Showing the last {TAIL_OF_SELECTOR} entries; --tail=-1 shows all."))?;
        }
        let mut printed = self.look.open(context, origin, self.follow);
        if !records {
            return printed.finish(if self.count { Some(0) } else { None });
        }
        if self.all {
            return self.run_on_both(&query, printed);
        }
        let store = LogStore::open(printed.context.state_dir()?.hot_db()).map_err(Failure::from)?;
        if self.count {
            let count = store.count(&query).map_err(Failure::from)?;
            printed.finish(Some(count))?;
            return keep::damage(store.take_damage());
        }
        let answer = store.query(&query, &mut printed).map_err(Failure::from)?;
        if self.follow && !answer.stopped {
            store.follow(&query, answer.upto, &mut printed).map_err(Failure::from)?;
        }
        printed.finish(None)?;
        keep::damage(store.take_damage())
    }

    /// Asks lines and records of calls as one.
    fn run_on_both(&self, query: &Query, mut printed: print::Printed<'_>) -> Outcome {
        let mut both = Both::open(&printed.context.state_dir()?).map_err(Failure::from)?;
        if self.count {
            let count = both.count(query).map_err(Failure::from)?;
            printed.finish(Some(count))?;
        } else {
            both.query(query, self.follow, &mut printed).map_err(Failure::from)?;
            printed.finish(None)?;
        }
        keep::damage(both.take_damage())
    }

    /// Settles what `-c` is: kubectl's `-c CONTAINER`, or ours for `--count`. A word behind it is a container where a pod
    /// is named, too; by itself it is the pod.
    fn settle_short(&mut self) -> Result<(), Failure> {
        let names_pod = !self.words.is_empty() || self.selector.is_some();
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
        let patterns = self.grep.iter().map(|text| Pattern {
            text: text.clone(),
            syntax: if self.fixed_strings { Syntax::Fixed } else { Syntax::Regex },
            ignore_case: self.ignore_case,
            inverted: self.invert_match,
        });
        let since = self.since.map(|length| time::ago(context.now, length)).or(self.since_time);
        let until = self.until.map(|until| match until {
            Until::Ago(length) => time::ago(context.now, length),
            Until::Time(time) => time,
        });
        Query {
            level: self.level,
            since: since.map(Timestamp::as_microsecond),
            until: until.map(Timestamp::as_microsecond),
            tail: self.tail(),
            instance: self.instance.clone(),
            patterns: patterns.collect(),
            ..Query::default()
        }
    }

    fn tail(&self) -> Option<usize> {
        match self.tail {
            None => self.selector.as_ref().filter(|_| !self.count).map(|_| TAIL_OF_SELECTOR),
            Some(tail) => usize::try_from(tail).ok(),
        }
    }
}

/// Reads a level, and names them all for completion.
fn levels() -> impl TypedValueParser<Value = LevelFilter> {
    PossibleValuesParser::new([
        PossibleValue::new("info"),
        PossibleValue::new("info+").hide(true),
        PossibleValue::new("warn"),
        PossibleValue::new("warn+"),
        PossibleValue::new("warning").hide(true),
        PossibleValue::new("warning+").hide(true),
        PossibleValue::new("error"),
        PossibleValue::new("error+").hide(true),
    ])
    .try_map(|text| level(&text))
}

fn level(text: &str) -> Result<LevelFilter, String> {
    let (name, worse) = text.strip_suffix('+').map_or((text, false), |name| (name, true));
    let level = match name.to_ascii_lowercase().as_str() {
        "info" => Level::Info,
        "warn" | "warning" => Level::Warning,
        "error" => Level::Error,
        _ => return Err("must be one of info, warn, error, or one of them with +".into()),
    };
    Ok(if worse { LevelFilter::AtLeast(level) } else { LevelFilter::Exactly(level) })
}

fn until(text: &str) -> Result<Until, String> {
    match time::length(text) {
        Ok(length) => Ok(Until::Ago(length)),
        Err(_) => time::point(text)
            .map(Until::Time)
            .map_err(|_| "must be a duration such as 10m, or an RFC 3339 time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_stands_alone_or_with_what_is_worse() {
        assert_eq!(level("error"), Ok(LevelFilter::Exactly(Level::Error)));
        assert_eq!(level("warning+"), Ok(LevelFilter::AtLeast(Level::Warning)));
        assert!(level("fatal").is_err());
    }
}
