//! What a changed configuration would do with the calls that were recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::accesslog::{LogStore, Query, Row, Stream};
use crate::cli::change::{Step, overlaid};
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::decision::access;
use crate::decision::replay::{Access, Rejudged, Seen};
use crate::diagnostic::{visible, visible_lines};
use crate::registry::{SqliteRegistry, View};
use crate::routing::OutboundPolicy;
use crate::snapshot::{Compiler, ListenerSpec, Snapshot};

/// Callers that are named where none of the wanted one is found.
const OTHERS: usize = 10;

/// Examples of each group.
const EXAMPLES: usize = 3;

/// Which recorded calls are meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Those made from then on, in microseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Those of this workload: name and namespace.
    pub(crate) from: Option<(String, String)>,
}

/// A call as often as it was made, with all that its decision depends on the same, and what was decided.
pub(crate) struct Made {
    /// The last of them.
    pub(crate) access: Access,
    /// How many there are.
    pub(crate) times: u64,
}

/// The recorded calls, those that are the same and ended the same together.
///
/// # Errors
/// Those of the log, and that there is no call of the workload that is named.
pub(crate) fn recorded(wanted: &Wanted, context: &Context) -> Result<Vec<Made>, Failure> {
    let store = LogStore::open(Stream::Accesses.hot_db(&context.state_dir()?))?;
    let query = Query { since: wanted.since, instance: Some(access::INSTANCE.to_owned()), ..Query::default() };
    let (mut places, mut made) = (HashMap::<String, usize>::new(), Vec::<Made>::new());
    let mut others = BTreeSet::new();
    store.query(&query, &mut |row: &Row<'_>| {
        let Ok(access) = Access::read(row.line) else { return true };
        if wanted.from.is_some() && wanted.from != access.caller() {
            if others.len() < OTHERS {
                others.insert(access.caller_name());
            }
            return true;
        }
        let refused_by = (!access.was_allowed()).then(|| (access.went(), refused_by(&access)));
        let place = *places.entry(format!("{:?} {refused_by:?}", access.question())).or_insert_with(|| {
            made.push(Made { access: Access::default(), times: 0 });
            made.len() - 1
        });
        let one = &mut made[place];
        one.times += 1;
        one.access = access;
        true
    })?;
    match &wanted.from {
        Some((name, namespace)) if made.is_empty() => {
            let others = others.into_iter().collect::<Vec<_>>().join(", ");
            let hint = if others.is_empty() {
                "no call of any other is either".to_owned()
            } else {
                format!("there are calls of {others}")
            };
            let message = format!("no call of the workload {name}.{namespace} is recorded\nhint: {hint}");
            Err(Failure::client(visible_lines(&message).into_owned()))
        }
        _ => Ok(made),
    }
}

/// The rules that refused a call, or why there was no way for it.
fn refused_by(access: &Access) -> &str {
    if access.rule.is_empty() { &access.reason } else { &access.rule }
}

/// A configuration with a sidecar for each caller of some calls.
pub(crate) struct Judge {
    snapshot: Snapshot,
    places: HashMap<Option<(String, String)>, usize>,
}

impl Judge {
    /// Compiles what is declared.
    ///
    /// # Errors
    /// What does not compile.
    pub(crate) fn new(
        view: &dyn View,
        calls: &[Made],
        outbound: OutboundPolicy,
        context: &Context,
    ) -> Result<Self, Failure> {
        let (mut places, mut listeners) = (HashMap::new(), Vec::new());
        for made in calls {
            let caller = made.access.caller();
            places.entry(caller.clone()).or_insert_with(|| {
                listeners.push(ListenerSpec { workload: caller });
                listeners.len() - 1
            });
        }
        let trust_domain = context.trust_domain()?;
        let compiler =
            Compiler { listeners: listeners.into_iter().collect(), trust_domain, outbound, ..Compiler::default() };
        let snapshot = compiler.compile(view).map_err(|error| Failure::client(error.to_string()))?;
        Ok(Self { snapshot, places })
    }

    /// Judges a call anew; and how policies see it.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub(crate) fn judge(&self, access: &Access) -> Result<(Rejudged, Seen), String> {
        access.judge(&self.snapshot, self.places.get(&access.caller()).copied())
    }
}

/// What would come of the calls.
#[derive(Default)]
pub(crate) struct Replayed {
    calls: u64,
    went: u64,
    /// Calls that the policy refused, though some of them went: by a grant or in an audit.
    refused: u64,
    /// Calls that went and would be refused, by workload and by what refuses them.
    refuses: BTreeMap<(String, String), Group>,
    /// Calls that were refused and would go, by workload and by what refused them.
    lets_through: BTreeMap<(String, String), Group>,
    /// Calls that went and that what is in force refuses as well.
    refused_anyway: u64,
    /// Calls that were refused for what nothing declared decides, and why.
    undecided: BTreeMap<String, u64>,
    /// Calls that could not be judged, and why, once each.
    unjudged: BTreeMap<String, u64>,
    /// Calls of which something was left out that decisions may depend on.
    redacted: u64,
}

#[derive(Default)]
struct Group {
    count: u64,
    /// Of how many of them there is an example.
    shown: u64,
    examples: Vec<(Access, String)>,
}

impl Replayed {
    /// Judges all calls anew. What a change does to them is where it differs from what is in force; without a change the
    /// question is where that differs from what was decided then.
    ///
    /// # Errors
    /// Why what is declared, with the change or without, cannot be judged by.
    pub(crate) fn of(
        calls: &[Made],
        (steps, registry): (&[Step], &SqliteRegistry),
        outbound: OutboundPolicy,
        context: &Context,
    ) -> Result<Self, Failure> {
        let judge = Judge::new(&overlaid(steps, registry)?, calls, outbound, context)?;
        let present = match steps.is_empty() {
            true => None,
            false => Some(Judge::new(registry, calls, outbound, context)?),
        };
        let mut replayed = Self::default();
        for made in calls {
            replayed.add(made, &judge, present.as_ref());
        }
        Ok(replayed)
    }

    fn add(&mut self, Made { access, times }: &Made, judge: &Judge, present: Option<&Judge>) {
        self.calls += times;
        if access.went() {
            self.went += times;
        }
        if let Some(why) = access.refused_whatever_is_declared() {
            *self.undecided.entry(why.to_owned()).or_default() += times;
            return;
        }
        if !access.was_allowed() {
            self.refused += times;
        }
        if access.is_redacted() {
            self.redacted += times;
        }
        let now = match judge.judge(access) {
            Ok((now, _)) => now,
            Err(why) => {
                *self.unjudged.entry(why).or_default() += times;
                return;
            }
        };
        // What cannot be judged by what is in force is what it was then.
        let goes_at_present = present.and_then(|present| present.judge(access).ok()).map(|(now, _)| now.goes());
        let went = goes_at_present.unwrap_or(access.was_allowed());
        match now.goes() {
            false if access.went() && went => {
                let by = if now.rule.is_empty() { &now.reason } else { &now.rule };
                add(&mut self.refuses, (access, by), *times, &now.reason);
            }
            false if access.went() => self.refused_anyway += times,
            // What went nevertheless only where it is the change that lets it go.
            true if !access.went() || (!access.was_allowed() && goes_at_present == Some(false)) => {
                add(&mut self.lets_through, (access, refused_by(access)), *times, &access.reason);
            }
            _ => {}
        }
    }

    /// How many calls that went would be refused.
    pub(crate) fn would_refuse(&self) -> u64 {
        self.refuses.values().map(|group| group.count).sum()
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let lets: u64 = self.lets_through.values().map(|group| group.count).sum();
        // Writing to a String does not fail.
        let _ = writeln!(text, "would refuse {} of {} that went", thousands(self.would_refuse()), calls(self.went, ""));
        tell(&mut text, &self.refuses);
        let _ = writeln!(text, "would let through {} of {}", thousands(lets), calls(self.refused, "refused "));
        tell(&mut text, &self.lets_through);
        for (why, count) in &self.unjudged {
            let _ = writeln!(text, "could not judge {}: {}", calls(*count, ""), visible(why));
        }
        for (why, count) in &self.undecided {
            let _ = writeln!(text, "left out {}, whatever is declared: {}", calls(*count, "refused "), visible(why));
        }
        if self.refused_anyway > 0 {
            let of = calls(self.refused_anyway, "");
            let _ = writeln!(text, "note: {of} that went would be refused by what is in force, too");
        }
        if self.redacted > 0 {
            let of = calls(self.redacted, "");
            let _ = writeln!(
                text,
                "note: the records of {of} lack what --redact left out, so that their decision may differ"
            );
        }
        text
    }

    /// For programs.
    pub(crate) fn json(&self) -> Json {
        let groups = |groups: &BTreeMap<(String, String), Group>| -> Json {
            let group = |((workload, by), group): (&(String, String), &Group)| {
                let example = |(access, reason): &(Access, String)| json!({"decision": access.decision, "time": access.time, "call": shown(access), "reason": reason});
                let examples: Vec<Json> = group.examples.iter().map(example).collect();
                json!({"workload": workload, "by": by, "count": group.count, "examples": examples})
            };
            groups.iter().map(group).collect()
        };
        json!({
            "calls": self.calls,
            "went": self.went,
            "wouldRefuse": {"count": self.would_refuse(), "groups": groups(&self.refuses)},
            "wouldLetThrough": {
                "count": self.lets_through.values().map(|group| group.count).sum::<u64>(),
                "groups": groups(&self.lets_through),
            },
            "refusedAnyway": self.refused_anyway,
            "undecided": self.undecided,
            "unjudged": self.unjudged,
            "redacted": self.redacted,
        })
    }
}

fn add(groups: &mut BTreeMap<(String, String), Group>, (access, by): (&Access, &str), count: u64, reason: &str) {
    let group = groups.entry((access.caller_name(), by.to_owned())).or_default();
    group.count += count;
    if group.examples.len() < EXAMPLES {
        group.shown += count;
        group.examples.push((access.clone(), reason.to_owned()));
    }
}

fn tell(text: &mut String, groups: &BTreeMap<(String, String), Group>) {
    let mut groups: Vec<_> = groups.iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.count));
    for ((workload, by), group) in groups {
        let _ = writeln!(text, "{:>8}  {}  {}", thousands(group.count), visible(workload), visible(by));
        for (access, reason) in &group.examples {
            let reason = if reason == by { String::new() } else { format!(": {}", visible(reason)) };
            let _ = writeln!(text, "          {} {}{reason}", access.decision, visible(&shown(access)));
        }
        if group.count > group.shown {
            let _ = writeln!(text, "          and {} more", thousands(group.count - group.shown));
        }
    }
}

/// A call in a line.
pub(crate) fn shown(access: &Access) -> String {
    let Access { method, scheme, destination, path, .. } = access;
    match access.protocol.as_str() {
        "http" => format!("{method} {scheme}://{destination}{path}"),
        protocol => format!("{protocol}://{destination}"),
    }
}

fn calls(count: u64, which: &str) -> String {
    let noun = if count == 1 { "call" } else { "calls" };
    format!("{} {which}{noun}", thousands(count))
}

/// `3,400`.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        for (count, text) in [(0, "0"), (999, "999"), (3400, "3,400"), (1_000_000, "1,000,000")] {
            assert_eq!(thousands(count), text);
        }
    }
}
