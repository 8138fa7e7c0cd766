//! The record of a call: who made it, what was asked, how it was judged and what came of it.
//!
//! It is a line of JSON like any entry, with its names in byte order, so that whatever asks the log can ask it. What policies
//! read of a call is there, so that another configuration can judge it again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use foldhash::fast::RandomState;

use crate::accesslog::{Batch, Entry, Format, Level, Outlet, REDACTED, Redact, Shape, line};
use crate::call::{Call, Failure, Granted, Outcome, Tunnel, Unread};
use crate::identity::{Caller, Proof, Workload};
use crate::policy::refusal;
use crate::policy::verdict::{Checked, Refusal};
use crate::registry::Revision;
use crate::snapshot::{Hop, ReadHeader};

/// Full name of the instance of such entries.
pub const INSTANCE: &str = "access.egressctl.istio-system";

/// Full name of the instance of what calls are going to do.
pub const INTENT: &str = "intent.egressctl.istio-system";

/// What is said of a call without outcome.
pub const UNFINISHED: &str = "the proxy ended before the call did: what came of it is not known";

/// How many callers a [`Callers`] remembers.
const MOST_CALLERS: usize = 1024;

static SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(INSTANCE));
static INTENT_SHAPE: LazyLock<Arc<Shape>> = LazyLock::new(|| shape(INTENT));

fn shape(instance: &str) -> Arc<Shape> {
    let (handler, rule) = (instance.to_owned(), String::new());
    Arc::new(Shape { instance: instance.into(), handler, rule, format: Format::Json, outlet: Outlet::Stdout })
}

/// Which calls are recorded besides the lines that rules ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Recorded {
    /// None.
    Off,
    /// Those that were refused or failed, or would have been refused.
    Refused,
    /// All.
    #[default]
    All,
}

/// When what is recorded of a call has to be stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// In groups, a moment after the call.
    #[default]
    Group,
    /// What it is going to do before it leaves, and its outcome in groups.
    Strict,
}

/// What is recorded of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recording {
    /// Of which calls.
    pub calls: Recorded,
    /// What is left out.
    pub redact: Redact,
    /// When it is stored.
    pub durability: Durability,
}

/// How a call was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It went, or was answered as its route says.
    Allow,
    /// It did not.
    Deny,
    /// It went because what refused it only reports, or by a grant.
    WouldDeny,
}

impl Verdict {
    /// As records and people spell it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Allow => refusal::ALLOW,
            Verdict::Deny => refusal::DENY,
            Verdict::WouldDeny => refusal::WOULD_DENY,
        }
    }

    /// That of a call.
    pub fn of(failure: Option<Failure>, checked: &Checked) -> Self {
        match failure {
            Some(failure) if failure.is_refusal() => Verdict::Deny,
            _ if checked.refusals.iter().any(|refusal| !refusal.enforced) => Verdict::WouldDeny,
            _ => Verdict::Allow,
        }
    }
}

/// A call that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// As its caller made it.
    pub call: &'a Call,
    /// What came of it.
    pub outcome: &'a Outcome,
    /// Where its caller came to.
    pub hop: Hop,
    /// What the policy said.
    pub checked: &'a Checked,
    /// What its caller was told, if the policy refused it; empty if not.
    pub message: &'a str,
    /// The grant by which it went.
    pub grant: Option<&'a Granted>,
    /// Why it would have been refused, if a grant or an audit let it go.
    pub lifted: Option<Failure>,
    /// Of the configuration that it was judged by.
    pub revision: Revision,
    /// Headers that decisions depend on.
    pub headers: &'a [ReadHeader],
}

impl Ended<'_> {
    /// Adds its record, if it is to have one.
    pub fn record(&self, recording: Recording, callers: &mut Callers, accesses: &mut Batch) {
        let verdict = match (Verdict::of(self.outcome.failure, self.checked), self.lifted) {
            (Verdict::Allow, Some(_)) => Verdict::WouldDeny,
            (verdict, _) => verdict,
        };
        let level = match (self.outcome.failure, verdict) {
            (None, Verdict::Allow) => Level::Info,
            (None, Verdict::WouldDeny) => Level::Warning,
            _ => Level::Error,
        };
        match recording.calls {
            Recorded::Off => return,
            Recorded::Refused if level == Level::Info => return,
            Recorded::Refused | Recorded::All => {}
        }
        let time = self.call.time().micros();
        let Ok(()) = accesses.write((time, level, &SHAPE), |text| {
            line::begin(text, level, time, INSTANCE);
            self.write_question(text, recording.redact);
            self.write_outcome(text, verdict);
            text.push_str(callers.of(self.call));
            plain(text, ",\"verdict\":", verdict.name());
            line::end(text);
            Ok::<_, Infallible>(())
        });
    }

    /// From `decision` to `protocol`.
    fn write_question(&self, text: &mut String, redact: Redact) {
        let (call, outcome) = (self.call, self.outcome);
        plain(text, ",\"decision\":", std::str::from_utf8(&hex(call.chance())).unwrap_or_default());
        string(text, ",\"destination\":", call.destination());
        number(text, ",\"destinationPort\":", call.authority().port());
        number(text, ",\"durationMicros\":", outcome.duration / 1000);
        if outcome.status != 0 {
            let first = outcome.response_time.micros().saturating_sub(call.time().micros());
            // Of clocks that were read one after the other the later may have been set back.
            number(text, ",\"firstByteMicros\":", first.clamp(0, (outcome.duration / 1000).max(0)));
        }
        plain(text, ",\"flag\":", &outcome.flags(call));
        if let Hop::Gateway(port) | Hop::Mesh(port) = self.hop {
            number(text, ",\"gatewayPort\":", port);
        }
        if let Some(grant) = self.grant {
            string(text, ",\"grant\":", &grant.name);
        }
        joined(text, ",\"handler\":", self.checked, |refusal| &refusal.handler);
        if call.tunnel().is_none() {
            headers(text, call, self.headers, redact);
        }
        plain(text, ",\"hop\":", hop_name(self.hop));
        joined(text, ",\"instances\":", self.checked, |refusal| &refusal.instance);
        if call.tunnel().is_none() {
            // A token of RFC 9110, which has none of the characters that are escaped.
            plain(text, ",\"method\":", call.method().as_str());
            path(text, call, redact);
        }
        let protocol = match call.tunnel().map(Tunnel::server_name) {
            None => "http",
            Some(Some(_)) => "tls",
            Some(None) => "tcp",
        };
        plain(text, ",\"protocol\":", protocol);
    }

    /// From `reason` to `serverName`.
    fn write_outcome(&self, text: &mut String, verdict: Verdict) {
        let (call, outcome) = (self.call, self.outcome);
        match (outcome.failure, self.message) {
            (Some(_), message) if !message.is_empty() => string(text, ",\"reason\":", message),
            (Some(failure), _) => string(text, ",\"reason\":", failure.reason()),
            (None, _) if verdict == Verdict::WouldDeny => {
                let refusal = self.checked.refusals.iter().find(|refusal| !refusal.enforced).map(Refusal::told);
                let lifted = || self.lifted.map(Failure::reason).unwrap_or_default().to_owned();
                string(text, ",\"reason\":", &refusal.unwrap_or_else(lifted));
            }
            (None, _) => {}
        }
        number(text, ",\"requestSize\":", outcome.request_bytes);
        number(text, ",\"responseCode\":", outcome.status);
        number(text, ",\"responseSize\":", outcome.response_bytes);
        number(text, ",\"revision\":", self.revision.0);
        joined(text, ",\"rule\":", self.checked, |refusal| &refusal.rule);
        if call.tunnel().is_none() {
            string(text, ",\"scheme\":", call.scheme());
        }
        if let Some(name) = call.requested_server_name() {
            string(text, ",\"serverName\":", name);
        }
    }
}

/// What records say of callers, of whom a proxy has few beside their calls: each is put into words once.
#[derive(Debug, Default)]
pub struct Callers(HashMap<(usize, Option<Proof>, IpAddr), InWords, RandomState>);

#[derive(Debug)]
struct InWords {
    /// Kept, so that its address cannot come to mean another one.
    _workload: Option<Arc<Workload>>,
    text: String,
}

impl Callers {
    /// The fields of a call's caller, from `source` to `sourceProof`.
    fn of(&mut self, call: &Call) -> &str {
        let workload = call.caller().map(|caller| &caller.workload);
        let address = workload.map_or(0, |workload| Arc::as_ptr(workload).addr());
        let key = (address, call.caller().map(|caller| caller.proof), call.peer());
        if self.0.len() >= MOST_CALLERS && !self.0.contains_key(&key) {
            self.0.clear();
        }
        let in_words = || InWords { _workload: workload.cloned(), text: in_words(call.caller(), call.peer()) };
        &self.0.entry(key).or_insert_with(in_words).text
    }
}

fn in_words(caller: Option<&Caller>, peer: IpAddr) -> String {
    let mut text = String::new();
    if let Some(caller) = caller.filter(|caller| !caller.name.is_empty()) {
        string(&mut text, ",\"source\":", &caller.name);
    }
    // Writing to a String does not fail.
    let _ = write!(text, ",\"sourceIp\":\"{peer}\"");
    if let Some(caller) = caller {
        if !caller.labels.is_empty() {
            text.push_str(",\"sourceLabels\":");
            object(&mut text, caller.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        string(&mut text, ",\"sourceNamespace\":", &caller.namespace);
        string(&mut text, ",\"sourcePrincipal\":", &caller.principal);
        string(&mut text, ",\"sourceProof\":", caller.proof.name());
    }
    text
}

/// What a call is going to do, stored before it leaves. Its record follows by the same name of the decision, unless the
/// process ends before.
pub fn intent(call: &Call, node: &str, process: &str, redact: Redact) -> Entry {
    let (time, level) = (call.time().micros(), Level::Info);
    let mut text = String::new();
    line::begin(&mut text, level, time, INTENT);
    string(&mut text, ",\"decision\":", &call.decision_id());
    string(&mut text, ",\"destination\":", call.destination());
    if call.tunnel().is_none() {
        string(&mut text, ",\"method\":", call.method().as_str());
    }
    string(&mut text, ",\"node\":", node);
    if call.tunnel().is_none() {
        path(&mut text, call, redact);
    }
    string(&mut text, ",\"process\":", process);
    if let Some(caller) = call.caller() {
        string(&mut text, ",\"source\":", &caller.name);
        string(&mut text, ",\"sourceNamespace\":", &caller.namespace);
    }
    line::end(&mut text);
    Entry { time, level, shape: Arc::clone(&INTENT_SHAPE), line: text }
}

/// The record of a call of which only the intent is known: its proxy ended before it did.
pub fn unfinished(time: i64, intent: &str) -> Option<Entry> {
    let fields = line::fields(intent).ok()?;
    let mut text = String::new();
    line::begin(&mut text, Level::Error, time, INSTANCE);
    let mut add = |name: &str, value: &str| {
        line::name(&mut text, name);
        line::string(&mut text, value);
    };
    let known = fields.iter().filter(|(name, _)| !["level", "time", "instance", "process"].contains(&name.as_str()));
    let known: Vec<(&str, &str)> = known.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    let own = [("reason", UNFINISHED), ("verdict", Verdict::Allow.name())];
    let (before, after): (Vec<_>, Vec<_>) = known.into_iter().partition(|(name, _)| *name < own[0].0);
    before.into_iter().chain([own[0]]).chain(after).chain([own[1]]).for_each(|(name, value)| add(name, value));
    line::end(&mut text);
    Some(Entry { time, level: Level::Error, shape: Arc::clone(&SHAPE), line: text })
}

/// The record of a request that never became a call.
///
/// It has no `protocol`: by that it is told from those of calls.
pub fn refused_head(unread: &Unread, hop: Hop, recording: Recording) -> Option<Entry> {
    if recording.calls == Recorded::Off {
        return None;
    }
    let (time, level, failure) = (unread.time().micros(), Level::Error, unread.failure);
    let mut text = String::new();
    line::begin(&mut text, level, time, INSTANCE);
    plain(&mut text, ",\"decision\":", &unread.decision_id());
    if let Some(authority) = unread.authority() {
        string(&mut text, ",\"destination\":", authority.as_str());
        number(&mut text, ",\"destinationPort\":", authority.port());
    }
    string(&mut text, ",\"flag\":", failure.flag());
    if let Hop::Gateway(port) | Hop::Mesh(port) = hop {
        number(&mut text, ",\"gatewayPort\":", port);
    }
    plain(&mut text, ",\"hop\":", hop_name(hop));
    if let Some(method) = unread.method() {
        plain(&mut text, ",\"method\":", method.as_str());
    }
    if let Some(path) = unread.path() {
        string(&mut text, ",\"path\":", recording.redact.path(path).as_deref().unwrap_or(path));
    }
    string(&mut text, ",\"reason\":", failure.reason());
    number(&mut text, ",\"responseCode\":", failure.status());
    text.push_str(&in_words(unread.caller(), unread.peer()));
    string(&mut text, ",\"verdict\":", Verdict::Deny.name());
    line::end(&mut text);
    Some(Entry { time, level, shape: Arc::clone(&SHAPE), line: text })
}

fn hop_name(hop: Hop) -> &'static str {
    match hop {
        Hop::Sidecar(_) => "sidecar",
        Hop::Gateway(_) => "gateway",
        Hop::Mesh(_) => "mesh",
    }
}

/// Sixteen hexadecimal digits.
fn hex(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    for (place, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (60 - 4 * place) & 15) as usize];
    }
    digits
}

/// A text that has nothing to escape. `name` comes with comma, quotes and colon, here and below.
fn plain(text: &mut String, name: &'static str, value: &str) {
    text.push_str(name);
    text.push('"');
    text.push_str(value);
    text.push('"');
}

fn string(text: &mut String, name: &'static str, value: &str) {
    text.push_str(name);
    line::string(text, value);
}

fn number(text: &mut String, name: &'static str, value: impl itoa::Integer) {
    text.push_str(name);
    text.push_str(itoa::Buffer::new().format(value));
}

/// A part of all refusals, with commas between; nothing where none has it.
fn joined(text: &mut String, name: &'static str, checked: &Checked, part: fn(&Refusal) -> &str) {
    let parts: Vec<&str> = checked.refusals.iter().map(part).filter(|part| !part.is_empty()).collect();
    if !parts.is_empty() {
        string(text, name, &parts.join(","));
    }
}

fn object<'a>(text: &mut String, fields: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut separator = '{';
    for (name, value) in fields {
        text.push(separator);
        line::string(text, name);
        text.push(':');
        line::string(text, value);
        separator = ',';
    }
    text.push('}');
}

/// The headers of a call that decisions depend on; one that is repeated is one, as decisions see it.
fn headers(text: &mut String, call: &Call, read: &[ReadHeader], redact: Redact) {
    let mut separator = ",\"headers\":{";
    for ReadHeader { name, is_credential } in read {
        let mut values = call.header(name.as_str()).iter().peekable();
        if values.peek().is_none() {
            continue;
        }
        text.push_str(separator);
        separator = ",";
        line::string(text, name.as_str());
        text.push(':');
        if redact == Redact::All || *is_credential {
            line::string(text, REDACTED);
            continue;
        }
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        line::string(text, &values.join(","));
    }
    if separator == "," {
        text.push('}');
    }
}

fn path(text: &mut String, call: &Call, redact: Redact) {
    let target = call.path_and_query().as_str();
    string(text, ",\"path\":", redact.path(target).as_deref().unwrap_or(target));
}

#[cfg(test)]
mod tests;
