//! One rule and one call: does it match, and what do its actions say.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use http::header::{HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::accesslog::{Batch, Shape};
use crate::call::{CallBag, Code, known_only_afterwards};
use crate::expr::{EvalError, Program, Scratch, ValueRef, Vocabulary};
use crate::metrics::Tally;
use crate::resource::Origin;
use crate::resource::kinds::rule::Operation;

use super::adapter::Handler;
use super::hints::{Hints, object};
use super::instance::{Fault, Instance, Values};
use super::verdict::{Checked, EXHAUSTED, HeaderEdit, Refusal, Refuser, Verdict};
use super::{Charge, Enforcement, Seen, Spend};

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    /// Full name: `report-politics.rule.istio-system`.
    pub name: Arc<str>,
    /// Where it was declared, if known.
    pub origin: Option<Origin>,
    /// `None` matches every call.
    pub condition: Option<Program>,
    /// Whether its refusals are only recorded.
    pub report_only: bool,
    /// What it has done.
    pub(super) counts: Arc<Counts>,
    /// What it asks before a call leaves.
    pub(super) checks: SmallVec<[Action; 1]>,
    /// The quotas that it gives.
    pub(super) quotas: Vec<Action>,
    /// What it tells afterwards.
    pub(super) reports: Vec<Action>,
    pub(super) request_headers: Vec<HeaderOperation>,
    pub(super) response_headers: Vec<HeaderOperation>,
    pub(super) hints: OnceLock<Box<Hints>>,
}

/// What a rule has done since the proxy started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Calls that it matched.
    pub(super) matched: Tally,
    /// Checks and quotas of it that refused, or would have.
    pub(super) refused: Tally,
    /// Calls for which its match could not be decided.
    pub(super) undecided: Tally,
}

/// One instance handed to one handler.
#[derive(Debug)]
pub(super) struct Action {
    /// The handler's name, as messages have it.
    pub(super) handler: Arc<str>,
    /// The instance's full name.
    pub(super) instance: Arc<str>,
    /// What does it; or why nothing can.
    pub(super) ready: Result<Ready, String>,
}

/// An action that can be carried out.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) instance: Arc<Instance>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) shape: Option<Arc<Shape>>,
}

/// A change of a header, to be computed.
#[derive(Debug)]
pub(super) struct HeaderOperation {
    pub(super) name: HeaderName,
    pub(super) operation: Operation,
    pub(super) values: Vec<Program>,
}

impl Rule {
    /// Whether the rule has anything to say before a call leaves.
    pub(super) fn checks(&self) -> bool {
        !self.checks.is_empty() || !self.request_headers.is_empty() || !self.response_headers.is_empty()
    }

    /// Whether the rule can refuse calls.
    pub fn is_checked(&self) -> bool {
        !self.checks.is_empty() || !self.quotas.is_empty()
    }

    /// Full names of the quotas that the rule gives to calls that are charged them.
    pub fn quotas(&self) -> impl Iterator<Item = &str> {
        self.quotas.iter().map(|action| &*action.instance)
    }

    /// Whether the rule has anything to tell after a call.
    pub(super) fn reports(&self) -> bool {
        self.reports.iter().any(|action| action.ready.is_ok())
    }

    /// Whether the rule matches a call.
    ///
    /// # Errors
    /// When that cannot be decided.
    pub fn holds<'v>(&'v self, bag: &'v CallBag<'v>, scratch: &'v Scratch) -> Result<bool, EvalError<'v>> {
        self.condition.as_ref().map_or(Ok(true), |condition| condition.holds(bag, scratch))
    }

    /// Asks the rule's checks about a call.
    pub(super) fn check(
        &self,
        bag: &CallBag<'_>,
        spend: Spend,
        scratch: &mut Scratch,
        enforcement: &Enforcement,
        checked: &mut Checked,
        see: &mut impl FnMut(Seen<'_>),
    ) {
        scratch.reset();
        let matched = self.holds(bag, scratch);
        see(Seen::Rule { rule: self, matched });
        match matched {
            Ok(true) => self.count(spend, |counts| &counts.matched),
            Ok(false) => return,
            Err(EvalError::Absent(attribute)) if known_only_afterwards(attribute) => return,
            // The report that follows counts it.
            Err(_) if self.checks.is_empty() => return,
            Err(error) => {
                self.count(spend, |counts| &counts.undecided);
                checked.faults += 1;
                let remedy = match error {
                    EvalError::Absent(attribute) => {
                        format!(
                            "a default for {attribute} in the match of {}, as in `{attribute} | \"unknown\"`",
                            self.name
                        )
                    }
                    _ => String::new(),
                };
                let message = self.undecidable(&error, bag);
                let refusal = self.fault(None, message, enforcement, bag);
                return checked.refusals.push(Refusal { remedy, ..refusal });
            }
        }
        for action in &self.checks {
            scratch.reset();
            let checked_now = action.check(bag, scratch).map_err(|why| action.masked(why, bag));
            let verdict = checked_now.map(|verdict| match verdict {
                Verdict::Ok => Verdict::Ok,
                Verdict::Refused { code, message } => Verdict::Refused { code, message: action.masked(message, bag) },
            });
            see(Seen::Check { rule: self, handler: &action.handler, instance: &action.instance, verdict: &verdict });
            if !matches!(verdict, Ok(Verdict::Ok)) {
                self.count(spend, |counts| &counts.refused);
            }
            match verdict {
                Ok(Verdict::Ok) => {}
                Ok(Verdict::Refused { code, message }) => {
                    let enforced = !(self.report_only || enforcement.report_only);
                    let refusal = self.fault(Some(action), message, enforcement, bag);
                    let remedy = action.remedy(bag, scratch).unwrap_or(refusal.remedy);
                    checked.refusals.push(Refusal { code, enforced, remedy, ..refusal });
                }
                Err(why) => {
                    checked.faults += 1;
                    let refusal = self.fault(Some(action), why, enforcement, bag);
                    checked.refusals.push(Refusal { remedy: action.missing(), ..refusal });
                }
            }
        }
        edits(&self.request_headers, bag, scratch, &mut checked.request_edits);
        edits(&self.response_headers, bag, scratch, &mut checked.response_edits);
    }

    /// Charges a call one of the rule's quotas. `false` where the rule does not match, and so has no say.
    #[expect(clippy::too_many_arguments, reason = "what is known of a call, and where the answer goes")]
    pub(super) fn charge(
        &self,
        action: usize,
        charge: &Charge<'_>,
        bag: &CallBag<'_>,
        scratch: &mut Scratch,
        enforcement: &Enforcement,
        checked: &mut Checked,
        see: &mut impl FnMut(Seen<'_>),
    ) -> bool {
        scratch.reset();
        let action = &self.quotas[action];
        let matched = match self.holds(bag, scratch) {
            Ok(false) => return false,
            Err(EvalError::Absent(attribute)) if known_only_afterwards(attribute) => return false,
            Ok(true) => Ok(()),
            Err(error) => Err(self.undecidable(&error, bag)),
        };
        if !self.checks() {
            self.count(charge.spend, |counts| &counts.matched);
        }
        scratch.reset();
        let asked = || action.charge(charge, bag, scratch).map_err(|why| action.masked(why, bag));
        let granted = matched.and_then(|()| asked());
        let verdict = granted.map(|granted| match granted {
            true => Verdict::Ok,
            false => {
                let message = format!("{EXHAUSTED}{}", charge.quota);
                Verdict::Refused { code: Code::RESOURCE_EXHAUSTED, message }
            }
        });
        see(Seen::Check { rule: self, handler: &action.handler, instance: &action.instance, verdict: &verdict });
        if !matches!(verdict, Ok(Verdict::Ok)) {
            self.count(charge.spend, |counts| &counts.refused);
        }
        let refusal = match verdict {
            Ok(Verdict::Ok) => return true,
            Ok(Verdict::Refused { code, message }) => {
                let enforced = !(self.report_only || enforcement.report_only);
                let refusal = self.fault(Some(action), message, enforcement, bag);
                let remedy = action.remedy(bag, scratch).unwrap_or(refusal.remedy);
                Refusal { code, enforced, remedy, ..refusal }
            }
            Err(why) => {
                checked.faults += 1;
                self.fault(Some(action), why, enforcement, bag)
            }
        };
        checked.refusals.push(Refusal { by: Refuser::Quota, ..refusal });
        true
    }

    /// What the match reads; none for a rule that matches every call.
    fn hints(&self) -> Option<&Hints> {
        let condition = self.condition.as_ref()?;
        Some(self.hints.get_or_init(|| Box::new(Hints::new(std::iter::once(condition), Vocabulary::standard()))))
    }

    /// A check that could not be carried out.
    fn fault(&self, action: Option<&Action>, message: String, enforcement: &Enforcement, bag: &CallBag<'_>) -> Refusal {
        let hints = self.hints();
        let mut values = BTreeMap::new();
        let of_instance = action.and_then(|action| Some(action.ready.as_ref().ok()?.instance.hints()));
        hints.into_iter().chain(of_instance).for_each(|hints| hints.add_values(bag, &mut values));
        let always = || format!("a match of {} that leaves this call out", self.name);
        let nothing = || Arc::<str>::from("");
        Refusal {
            rule: Arc::clone(&self.name),
            handler: action.map_or_else(|| Arc::clone(&self.name), |action| Arc::clone(&action.handler)),
            instance: action.map_or_else(nothing, |action| Arc::clone(&action.instance)),
            by: Refuser::Check,
            code: Code::INTERNAL,
            message,
            details: String::new(),
            values: object(&values),
            remedy: hints.map_or_else(always, |hints| hints.remedy(&self.name)),
            enforced: enforcement.refuses_faults && !(self.report_only || enforcement.report_only),
        }
    }

    /// Why the match cannot be decided, without credentials.
    fn undecidable(&self, error: &EvalError<'_>, bag: &CallBag<'_>) -> String {
        let why = match (error, self.hints()) {
            // It names an attribute, and no value.
            (EvalError::Absent(_), _) | (_, None) => error.to_string(),
            (_, Some(hints)) => hints.masked(error.to_string(), bag),
        };
        format!("the match of {} cannot be decided: {why}", self.name)
    }

    /// Counts something of a call that is really made.
    fn count(&self, spend: Spend, what: impl Fn(&Counts) -> &Tally) {
        if spend == Spend::Take {
            what(&self.counts).count();
        }
    }

    /// Hands the rule's reports to their handlers; where nothing is to be changed, to those that make lines only. Returns how many matches and instances could not be evaluated: such a
    /// match counts as not matching, such an instance is left out (Mixer's rule).
    pub(super) fn report(&self, bag: &CallBag<'_>, spend: Spend, scratch: &mut Scratch, lines: &mut Batch) -> u64 {
        scratch.reset();
        match self.holds(bag, scratch) {
            // Before the call left it was counted already, if there was anything to ask.
            Ok(true) if self.checks() || !self.quotas.is_empty() => {}
            Ok(true) => self.count(spend, |counts| &counts.matched),
            Ok(false) => return 0,
            Err(_) => {
                self.count(spend, |counts| &counts.undecided);
                return 1;
            }
        }
        let mut errors = 0;
        for ready in self.reports.iter().filter_map(|action| action.ready.as_ref().ok()) {
            if spend == Spend::Peek && ready.shape.is_none() {
                continue;
            }
            scratch.reset();
            // What is only counted is as it is.
            let shown = ready.shape.as_ref().map(|_| bag.shown(ready.instance.redact));
            let bag = shown.as_ref().unwrap_or(bag);
            if ready.handler.report(&ready.values(bag, scratch), lines).is_err() {
                errors += 1;
            }
        }
        errors
    }
}

impl Action {
    /// Whether the charge is granted, or why nobody can say.
    fn charge(&self, charge: &Charge<'_>, bag: &CallBag<'_>, scratch: &Scratch) -> Result<bool, String> {
        let ready = self.ready.as_ref().map_err(String::clone)?;
        let granted = ready.handler.quota(&ready.values(bag, scratch), charge.amount, charge.spend);
        granted.map_err(|fault| self.in_words(fault))
    }

    fn in_words(&self, fault: Fault<'_>) -> String {
        match fault {
            Fault::Field(error) => format!("evaluation failed at [{}]: {error}", self.instance),
            Fault::Handler(why) => why.into_owned(),
        }
    }

    /// The verdict, or why there is none.
    fn check(&self, bag: &CallBag<'_>, scratch: &Scratch) -> Result<Verdict, String> {
        let ready = self.ready.as_ref().map_err(String::clone)?;
        ready.handler.check(&ready.values(bag, scratch)).map_err(|fault| self.in_words(fault))
    }

    /// What the handler says would have let the call go.
    fn remedy(&self, bag: &CallBag<'_>, scratch: &Scratch) -> Option<String> {
        let ready = self.ready.as_ref().ok()?;
        // It would name the value.
        let hints = ready.instance.hints();
        if hints.have_secrets() {
            return None;
        }
        ready.handler.remedy(&ready.values(bag, scratch)).map(|remedy| hints.masked(remedy, bag))
    }

    /// A refusal's message without the credentials that the instance read.
    fn masked(&self, message: String, bag: &CallBag<'_>) -> String {
        match &self.ready {
            Ok(ready) => ready.instance.hints().masked(message, bag),
            Err(_) => message,
        }
    }

    /// What a check needs that could not be carried out.
    fn missing(&self) -> String {
        match &self.ready {
            Ok(_) => format!(
                "a default for what has no value in {}, or a {} that works: see `proxy status`",
                self.instance, self.handler
            ),
            Err(_) => format!("both {} and {} declared", self.handler, self.instance),
        }
    }
}

impl Ready {
    fn values<'v>(&'v self, bag: &'v CallBag<'v>, scratch: &'v Scratch) -> Values<'v> {
        Values { instance: &self.instance, shape: self.shape.as_ref(), bag, scratch }
    }
}

/// Computes changes of headers. A value that is empty, has no value or is no header value leaves its operation out, as
/// in Mixer.
fn edits(operations: &[HeaderOperation], bag: &CallBag<'_>, scratch: &mut Scratch, edits: &mut Vec<HeaderEdit>) {
    for HeaderOperation { name, operation, values } in operations {
        scratch.reset();
        let value = |program: &Program| match program.eval(bag, scratch) {
            Ok(ValueRef::String(text)) if !text.is_empty() => HeaderValue::from_str(text).ok(),
            _ => None,
        };
        let computed: SmallVec<[HeaderValue; 1]> = match operation {
            Operation::Remove => SmallVec::new(),
            Operation::Replace | Operation::Append => values.iter().filter_map(value).collect(),
        };
        if *operation == Operation::Remove || !computed.is_empty() {
            edits.push(HeaderEdit { name: name.clone(), operation: *operation, values: computed });
        }
    }
}
