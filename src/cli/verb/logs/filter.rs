//! Which entries are asked for: flags that `logs` and its commands share.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::{SignedDuration, Timestamp};

use crate::accesslog::{Field, Grouping, Level, LevelFilter, Logs, Pattern, Query, Stream, Syntax, Test, is_called};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Failures};
use crate::cli::time;
use crate::decision::access;
use crate::diagnostic::{nearest, visible};
use crate::policy::refusal;

/// Names that entries have for what a flag asks for, ours first.
const HOST: &[&str] = &["destination", "host", "authority", "destinationHost"];
const PATH: &[&str] = &["path", "url", "requestPath"];
const SOURCE: &[&str] = &["source", "sourceName", "sourceWorkload"];
const SOURCE_NAMESPACE: &[&str] = &["sourceNamespace", "sourceWorkloadNamespace"];
const PRINCIPAL: &[&str] = &["sourcePrincipal", "principal"];
const CODE: &[&str] = &["responseCode", "code", "status"];
const METHOD: &[&str] = &["method", "requestMethod"];
const ID: &[&str] = &["decision", "id", "requestId"];

/// Which entries are asked for: those that meet all that is given.
#[derive(Debug, Clone, Args)]
pub(super) struct Filter {
    /// Also the records that are kept of all calls, one of each, whether rules ask for lines of it or not; with --instance access these alone
    #[arg(long)]
    pub(super) all: bool,
    /// Only entries of this level: info, warn, error; with + also worse ones (warn+)
    #[arg(long, value_name = "LEVEL", ignore_case = true, hide_possible_values = true, value_parser = levels())]
    level: Option<LevelFilter>,
    /// Only lines that contain this regular expression; several must all be contained
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(super) grep: Vec<String>,
    /// Only lines that contain none of these
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    exclude: Vec<String>,
    /// Take the patterns as they stand, not as regular expressions
    #[arg(short = 'F', long)]
    fixed_strings: bool,
    /// Ignore case in patterns
    #[arg(short, long)]
    ignore_case: bool,
    /// Only lines that contain none of the patterns
    #[arg(short = 'v', long)]
    pub(super) invert_match: bool,
    /// Find patterns only as whole words
    #[arg(short = 'w', long)]
    word_regexp: bool,
    /// Only calls of these hosts; * stands for any characters
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    host: Vec<String>,
    /// Only calls of these paths
    #[arg(long, value_name = "GLOB")]
    path: Vec<String>,
    /// Only calls of these workloads
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    source: Vec<String>,
    /// Only calls of workloads of these namespaces
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    source_namespace: Vec<String>,
    /// Only calls with these principals
    #[arg(long, value_name = "GLOB")]
    principal: Vec<String>,
    /// Only answers with these codes: 403, 4xx, 400-404, 400+
    #[arg(long, value_name = "CODES", value_delimiter = ',', value_parser = codes)]
    code: Vec<Test>,
    /// Only calls with these methods, in whatever case
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    method: Vec<String>,
    /// Only what was decided so: allow, deny, would-deny; a call that was allowed may have failed all the same
    #[arg(long, value_name = "VERDICT", hide_possible_values = true, value_parser = [refusal::ALLOW, refusal::DENY, refusal::WOULD_DENY])]
    verdict: Option<String>,
    /// Only the decision of this id
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Only entries of which a field is so; with != is not so
    #[arg(long, value_name = "NAME=GLOB", value_parser = field)]
    field: Vec<Field>,
    /// Only entries of which this expression over their fields is true, in the language of rules
    #[arg(long = "where", value_name = "EXPRESSION")]
    filter: Option<String>,
    /// Only entries of this instance: NAME, NAME.KIND or NAME.KIND.NAMESPACE
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
    /// Only entries of this handler, named likewise
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Only entries of this rule, named likewise
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only entries newer than this: 90s, 10m, 1h30m, 2d
    #[arg(long, value_name = "DURATION", value_parser = time::length)]
    since: Option<SignedDuration>,
    /// Only entries after this time: 2018-06-18T13:22:58Z
    #[arg(long, value_name = "TIME", value_parser = time::point, conflicts_with = "since")]
    since_time: Option<Timestamp>,
    /// Only entries before this time, or older than this duration
    #[arg(long, value_name = "TIME|DURATION", value_parser = until)]
    pub(super) until: Option<Until>,
}

/// The end of the window.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    Ago(SignedDuration),
    Time(Timestamp),
}

impl Filter {
    /// Whether the records of calls alone are asked: where their instance is named, and for their verdict, which lines do not
    /// have one each of.
    fn asks_records(&self) -> bool {
        match &self.instance {
            Some(name) => is_called(access::INSTANCE, name),
            None => self.all && self.verdict.is_some(),
        }
    }

    /// Opens what is asked: the records of calls, lines, or with `--all` both.
    pub(super) fn log(&self, context: &Context) -> Result<Logs, Failure> {
        let streams: &[Stream] = match (self.asks_records(), self.all) {
            (true, _) => &[Stream::Accesses],
            (false, true) => &Stream::ALL,
            (false, false) => &[Stream::Lines],
        };
        Ok(Logs::open(&context.state_dir()?, streams)?)
    }

    /// The same for who sees no record of a call but with `--all`.
    pub(super) fn log_of_lines(&self, context: &Context) -> Result<Logs, Failure> {
        if self.all { self.log(context) } else { Ok(Logs::open(&context.state_dir()?, &[Stream::Lines])?) }
    }

    /// Only calls of these workloads of a namespace, by the names that they go by.
    pub(super) fn narrow_to(&mut self, workloads: impl Iterator<Item = String>, namespace: &str) {
        self.source.extend(workloads);
        self.source_namespace.push(namespace.to_owned());
    }

    /// The query, without a limit.
    pub(super) fn query(&self, context: &Context) -> Query {
        let since = self.since.map(|length| time::ago(context.now, length)).or(self.since_time);
        let until = self.until.map(|until| match until {
            Until::Ago(length) => time::ago(context.now, length),
            Until::Time(time) => time,
        });
        let patterns = self.patterns();
        let exclude = self.exclude.iter().map(|text| Pattern { inverted: true, ..self.pattern(text) });
        let mut query = Query {
            level: self.level,
            since: since.map(Timestamp::as_microsecond),
            until: until.map(Timestamp::as_microsecond),
            instance: self.instance.clone().or_else(|| self.asks_records().then(|| access::INSTANCE.to_owned())),
            handler: self.handler.clone(),
            rule: self.rule.clone(),
            patterns: patterns.into_iter().chain(exclude).collect(),
            fields: self.fields(),
            filter: self.filter.clone(),
            ..Query::default()
        };
        match self.verdict.as_deref() {
            // Lines of rules, which say no verdict, are of calls that nothing was against as far as they tell.
            Some(refusal::ALLOW) if !self.asks_records() => {
                query
                    .fields
                    .push(Field { inverted: true, ..globs(&["verdict"], [refusal::DENY, refusal::WOULD_DENY]) });
            }
            verdict => query.fields.extend(verdict.map(|verdict| globs(&["verdict"], [verdict]))),
        }
        query
    }

    /// What lines must contain, or must not.
    pub(super) fn patterns(&self) -> Vec<Pattern> {
        let inverted = self.invert_match;
        self.grep.iter().map(|text| Pattern { inverted, ..self.pattern(text) }).collect()
    }

    /// A pattern as the switches say.
    pub(super) fn pattern(&self, text: &str) -> Pattern {
        let (text, syntax) = match (self.fixed_strings, self.word_regexp) {
            (true, false) => (text.to_owned(), Syntax::Fixed),
            (false, false) => (text.to_owned(), Syntax::Regex),
            (fixed, true) => {
                let text = if fixed { regex::escape(text) } else { text.to_owned() };
                (format!(r"\b{{start-half}}(?:{text})\b{{end-half}}"), Syntax::Regex)
            }
        };
        Pattern { text, syntax, ignore_case: self.ignore_case, inverted: false }
    }

    /// Refuses names in `--field` that no entry has.
    pub(super) fn check(&self, log: &Logs) -> Result<(), Failure> {
        let names: Vec<String> = self.field.iter().flat_map(|field| field.names.iter().cloned()).collect();
        check_names(log, &names)
    }

    /// Tells, where nothing was found, that no entry at all is of the instance, handler or rule that was named.
    pub(super) fn tell_unknown(&self, log: &Logs, context: &mut Context) -> Result<(), Failures> {
        // Of refused and of recorded calls there may be none yet.
        let own = |name: &str| [access::INSTANCE, refusal::INSTANCE].iter().any(|own| is_called(own, name));
        let named = [("instance", &self.instance), ("handler", &self.handler), ("rule", &self.rule)];
        for (field, name) in named.into_iter().filter_map(|(field, name)| Some((field, name.as_deref()?))) {
            let grouping = Grouping { by: vec![field.to_owned()], ..Grouping::default() };
            let Some(groups) = log.tally(&Query::default(), &grouping).map_err(Failure::from)? else { continue };
            let full = groups.iter().filter_map(|group| group.key[0].as_deref()).flat_map(|names| names.split(','));
            let full: Vec<&str> = full.filter(|full| !full.is_empty()).collect();
            if groups.is_empty() || own(name) || full.iter().any(|full| is_called(full, name)) {
                continue;
            }
            let meant = nearest(name, full.iter().filter_map(|full| full.split('.').next()));
            let hint = meant.map(|meant| format!("; did you mean {}?", visible(meant))).unwrap_or_default();
            context.say(&format!("note: no entry is of the {field} \"{}\"{hint}", visible(name)))?;
        }
        Ok(())
    }

    fn fields(&self) -> Vec<Field> {
        // Methods are told apart by case (RFC 9110 §9.1), and those that have names are in upper case.
        let methods = self.method.iter().flat_map(|method| [method.clone(), method.to_ascii_uppercase()]).collect();
        let of = [
            (HOST, &self.host),
            (PATH, &self.path),
            (SOURCE, &self.source),
            (SOURCE_NAMESPACE, &self.source_namespace),
            (PRINCIPAL, &self.principal),
            (METHOD, &methods),
        ];
        let given = of.into_iter().filter(|(_, values)| !values.is_empty());
        let mut fields: Vec<Field> =
            given.map(|(names, values)| globs(names, values.iter().map(String::as_str))).collect();
        if !self.code.is_empty() {
            fields.push(Field { tests: self.code.clone(), ..globs(CODE, []) });
        }
        fields.extend(self.id.as_deref().map(|id| globs(ID, [id])));
        fields.extend(self.field.iter().cloned());
        fields
    }
}

/// Refuses names of fields that no entry has.
pub(super) fn check_names(log: &Logs, names: &[String]) -> Result<(), Failure> {
    let Some(name) = log.unknown(names)? else { return Ok(()) };
    let known: Vec<String> = log.names()?.into_iter().map(|(name, _)| name).collect();
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("entries have {}", known.join(", ")),
    };
    Err(Failure::client(format!("no entry has a field \"{}\"\nhint: {}", visible(name), visible(&hint))))
}

fn globs<'a>(names: &[&str], globs: impl IntoIterator<Item = &'a str>) -> Field {
    Field {
        names: names.iter().map(|&name| name.to_owned()).collect(),
        tests: globs.into_iter().map(|glob| Test::Glob(glob.to_owned())).collect(),
        inverted: false,
    }
}

fn field(text: &str) -> Result<Field, String> {
    let (name, glob) = text.split_once('=').ok_or("must be NAME=GLOB, such as user=admin*")?;
    let (name, inverted) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
    if name.is_empty() {
        return Err("must be NAME=GLOB, such as user=admin*".to_owned());
    }
    Ok(Field { inverted, ..globs(&[name], [glob]) })
}

fn codes(text: &str) -> Result<Test, String> {
    let number = |text: &str| text.parse::<i64>().ok();
    let between = if let Some(hundreds) = text.strip_suffix("xx") {
        number(hundreds)
            .filter(|hundreds| (1..=5).contains(hundreds))
            .map(|hundreds| (hundreds * 100, hundreds * 100 + 99))
    } else if let Some(least) = text.strip_suffix('+') {
        number(least).map(|least| (least, i64::MAX))
    } else if let Some((least, most)) = text.split_once('-') {
        number(least).zip(number(most))
    } else {
        number(text).map(|code| (code, code))
    };
    let (least, most) =
        between.filter(|(least, most)| least <= most).ok_or("must be a code or several: 403, 4xx, 400-404, 400+")?;
    Ok(Test::Between(least, most))
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
        PossibleValue::new("error+"),
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

    #[test]
    fn codes_come_one_by_one_or_by_the_hundred() {
        for (text, expected) in
            [("403", (403, 403)), ("4xx", (400, 499)), ("400-404", (400, 404)), ("500+", (500, i64::MAX))]
        {
            assert_eq!(codes(text), Ok(Test::Between(expected.0, expected.1)), "{text}");
        }
        for text in ["", "x", "4x", "44xx", "9xx", "404-400", "-", "+"] {
            assert!(codes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_field_is_so_or_is_not() {
        let is = |inverted| Ok(Field { inverted, ..globs(&["user"], ["a=b*"]) });
        assert_eq!(field("user=a=b*"), is(false));
        assert_eq!(field("user!=a=b*"), is(true));
        assert!(field("user").is_err() && field("=x").is_err());
    }
}
