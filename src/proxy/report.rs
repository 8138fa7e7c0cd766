//! The end of a call: its outcome, its entries, exactly once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::accesslog::{Permit, Report};
use crate::call::{Arrival, Call, CallBag, Closer, Failure, HandoverFault, Marks, Outcome, Reporter, Unread};
use crate::decision::access::{self, Durability, Ended};
use crate::decision::{Judgement, Passed};
use crate::identity::SpiffeId;
use crate::metrics::{self, Bound, Counter, Labels};
use crate::policy::verdict::Checked;
use crate::policy::{Spend, refusal};
use crate::registry::Revision;
use crate::routing::Busy;
use crate::snapshot::{Grant, Hop};
use crate::upstream::{Room, Upload};

use super::audit::Audit;
use super::client::Client;
use super::crowd;
use super::destination::Destination;
use super::drain::Phase;
use super::exchange::now;
use super::grpc;
use super::worker::{Held, Worker};

/// How a call was judged.
pub(super) struct Judged {
    hop: Hop,
    checked: Checked,
    /// What the caller of a refused call is told, and its entry and attributes say; empty for others.
    message: String,
    /// The grant by which it goes, or that it goes in an audit, and why it would have been refused without.
    passed: Option<(Option<Arc<Grant>>, Failure)>,
    /// Whether the gateway of another process goes on with the call, and reports it.
    handed_on: bool,
}

impl Judged {
    /// A hop's decision.
    pub(super) fn new(hop: Hop, checked: Checked) -> Self {
        Self { hop, message: checked.message(), checked, passed: None, handed_on: false }
    }

    /// What a judgement says, which is taken out of it.
    pub(super) fn of(judgement: &mut Judgement<'_>) -> Self {
        Self::new(judgement.hop, std::mem::take(&mut judgement.checked)).by(judgement.passed.take())
    }

    /// By a grant or in an audit, if it is so.
    pub(super) fn by(self, passed: Option<Passed<'_>>) -> Self {
        Self { passed: passed.map(|passed| (passed.grant.map(Arc::clone), passed.over)), ..self }
    }

    /// Whether the gateway of another process is to go on with the call.
    pub(super) fn handed_on(self, handed_on: bool) -> Self {
        Self { handed_on, ..self }
    }
}

/// What a call takes up at its destination: its place among those that it takes at a time, and an endpoint's time. Both are
/// given back when this is dropped.
pub(super) type Load = (Option<Room>, Option<Busy>);

/// What is still owed for a call: dropping it makes the report, so that a caller who leaves is reported too.
///
/// Boxed, because it goes from hand to hand until the answer's body has ended.
pub(super) struct Closing(Box<Owed>);

struct Owed {
    worker: Rc<Worker>,
    /// The one it was judged by, or of a call that has let go of it who reports it: then the configuration that is in force
    /// at the end makes the report.
    held: Result<Rc<Held>, Reporter>,
    /// Taken when the report is made.
    permit: Option<Permit>,
    call: Call,
    /// Where its caller came to.
    arrived: Hop,
    /// As its caller made it, where the last hop sees another.
    made: Option<Box<Call>>,
    /// Of the configuration that it was judged by.
    revision: Revision,
    judged: Judged,
    started: Instant,
    load: RefCell<Load>,
    upload: Rc<Upload>,
    /// Where it is told besides.
    audit: Option<Rc<Audit>>,
    /// What metrics call where it goes.
    destination: Option<Rc<Destination>>,
    /// Its place among the calls of its caller.
    place: Option<crowd::Held>,
    outcome: Outcome,
}

impl Closing {
    /// For a call that has been judged; until it is told more, the caller has left.
    pub(super) fn new(
        worker: &Rc<Worker>,
        held: &Rc<Held>,
        permit: Permit,
        call: Call,
        judged: Judged,
        upload: Rc<Upload>,
    ) -> Self {
        let outcome = Outcome {
            status: 0,
            failure: None,
            abandoned: true,
            request_bytes: 0,
            response_bytes: 0,
            response_time: call.time(),
            duration: 0,
            marks: Marks::default(),
            closed_by: None,
        };
        let (arrived, revision) = (judged.hop, held.snapshot.revision);
        let (worker, held) = (Rc::clone(worker), Ok(Rc::clone(held)));
        if judged.passed.as_ref().is_some_and(|(grant, _)| grant.is_some()) {
            // What is used up is written down at once.
            worker.news.notify_one();
        }
        Self(Box::new(Owed {
            worker,
            held,
            permit: Some(permit),
            call,
            arrived,
            made: None,
            revision,
            judged,
            started: Instant::now(),
            load: RefCell::default(),
            upload,
            audit: None,
            destination: None,
            place: None,
            outcome,
        }))
    }

    /// The call.
    pub(super) fn call(&self) -> &Call {
        &self.0.call
    }

    /// The call came to this hop, and its caller had made it so, if the last hop sees another.
    #[must_use]
    pub(super) fn came_to(mut self, arrived: Hop, made: Option<Box<Call>>) -> Self {
        (self.0.arrived, self.0.made) = (arrived, made);
        self
    }

    /// What metrics call where it goes.
    pub(super) fn goes_to(&mut self, destination: Rc<Destination>) -> &Self {
        self.0.destination = Some(destination);
        self
    }

    /// It takes a place among the calls of its caller.
    pub(super) fn takes(&mut self, place: Option<crowd::Held>) {
        self.0.place = place;
    }

    /// A tunnel has both its ends.
    pub(super) fn opened(&self) {
        self.0.worker.traffic.series(&self.labels("-")).opened();
    }

    /// By what the call is counted.
    fn labels<'l>(&'l self, flags: &'l str) -> Labels<'l> {
        let Owed { call, arrived, outcome, destination, .. } = &*self.0;
        let caller = call.caller();
        let is_tunnel = call.tunnel().is_some();
        Labels {
            source_workload: caller.map_or("", |caller| caller.name.as_str()),
            source_workload_namespace: caller.map_or("", |caller| caller.namespace.as_str()),
            source_principal: caller.map_or("", |caller| caller.principal.as_str()),
            destination_service: destination.as_ref().map_or_else(|| self.refused_host(), |one| one.name()),
            request_protocol: match is_tunnel {
                true => "tcp",
                false if grpc::is_spoken(call) => "grpc",
                false => "http",
            },
            response_code: if is_tunnel { 0 } else { outcome.status },
            response_flags: flags,
            is_mutual: matches!(arrived, Hop::Mesh(_)) || call.tls().is_some_and(|tls| tls.mutual),
        }
    }

    /// Where a call that was refused would have gone; nothing where nobody has declared that: callers make such names up.
    fn refused_host(&self) -> &str {
        let (Hop::Sidecar(listener), Some(held)) = (self.0.arrived, self.held()) else { return "" };
        let host = self.made().authority().host();
        if held.snapshot.knows(listener, host, self.0.call.time()) { host } else { "" }
    }

    /// Where the call came to.
    pub(super) fn arrived(&self) -> Hop {
        self.0.arrived
    }

    /// The call as its caller made it.
    pub(super) fn made(&self) -> &Call {
        self.0.made.as_deref().unwrap_or(&self.0.call)
    }

    /// Sees to it that what the call is going to do is stored before it leaves, where that is wanted.
    pub(super) async fn intend(&self) -> Result<(), Failure> {
        let Owed { worker, judged, permit, .. } = &*self.0;
        let recording = worker.recording;
        if recording.durability == Durability::Group || judged.handed_on {
            return Ok(());
        }
        let intent = access::intent(self.made(), &worker.node, &worker.process, recording.redact);
        let permit = permit.as_ref().ok_or(Failure::Overload)?;
        permit.intend(intent).await.map_err(|_| Failure::Overload)
    }

    /// Compares the name in a ClientHello with the host that the tunnel was opened for.
    pub(super) fn confirm(&mut self, name: Option<Box<str>>) -> Result<(), Failure> {
        self.0.call.confirm(name)
    }

    /// The configuration that it was judged by, unless that was let go of.
    pub(super) fn held(&self) -> Option<&Rc<Held>> {
        self.0.held.as_ref().ok()
    }

    /// Whether the gateway of another process goes on with the call.
    pub(super) fn is_handed_on(&self) -> bool {
        self.0.judged.handed_on
    }

    /// Whose certificate of the mesh is shown for it: the caller's by its sidecar, the gateway's own by the gateway.
    pub(super) fn shown_identity(&self) -> Option<SpiffeId> {
        match self.0.judged.hop {
            Hop::Sidecar(_) => self.0.call.caller()?.identity(),
            Hop::Gateway(_) | Hop::Mesh(_) => self.held()?.snapshot.gateway_identity.clone(),
        }
    }

    /// Its principal.
    pub(super) fn shown_principal(&self) -> Option<&str> {
        match self.0.judged.hop {
            Hop::Sidecar(_) => self.0.call.caller().map(|caller| caller.principal.as_str()),
            Hop::Gateway(_) | Hop::Mesh(_) => self.held()?.snapshot.gateway_identity.as_ref().map(SpiffeId::principal),
        }
    }

    /// When it has to have come to its end, if calls may only last so long.
    pub(super) fn end(&self) -> Option<Instant> {
        self.0.worker.limits.stream_duration.map(|longest| self.0.started + longest)
    }

    /// Lets go of the configuration, which a call that lasts must not keep.
    pub(super) fn release(&mut self) {
        if self.0.destination.is_none() {
            let host = Destination::new(self.refused_host());
            self.0.destination = Some(Rc::new(host));
        }
        if let Ok(held) = &self.0.held {
            self.0.held = Err(held.snapshot.reporter(self.0.judged.hop).clone());
        }
    }

    /// The grant by which it goes.
    pub(super) fn grant(&self) -> Option<&Arc<Grant>> {
        self.0.judged.passed.as_ref()?.0.as_ref()
    }

    /// It is told in an audit besides, if it is made in one.
    pub(super) fn tell_in(&mut self, audit: Option<Rc<Audit>>) {
        self.0.audit = audit;
    }

    /// Why it would have been refused, if it only goes in an audit.
    fn lifted(&self) -> Option<Failure> {
        self.0.judged.passed.as_ref().filter(|(grant, _)| grant.is_none()).map(|(_, over)| *over)
    }

    /// The call has been judged once more.
    pub(super) fn judged(&mut self, judged: Judged) {
        self.0.judged = judged;
    }

    /// The call goes as its caller made it, and not as the last hop saw it.
    pub(super) fn goes_as_made(&mut self) {
        if let Some(made) = self.0.made.take() {
            self.0.call = *made;
        }
    }

    /// What the policy said of it.
    pub(super) fn checked(&self) -> &Checked {
        &self.0.judged.checked
    }

    /// What the caller is told, if the policy refused the call; empty if not.
    pub(super) fn message(&self) -> &str {
        &self.0.judged.message
    }

    /// What the call takes up at its destination, until its end or until it takes up something else.
    pub(super) fn keep(&self, load: Load) {
        self.0.load.replace(load);
    }

    /// The origin has answered with this status.
    pub(super) fn answered(&mut self, status: u16) {
        self.0.outcome.status = status;
        self.0.outcome.response_time = now();
    }

    /// We answer.
    pub(super) fn failed(&mut self, failure: Failure) {
        // What did not come to the gateway's answer nobody else reports.
        self.0.judged.handed_on &= matches!(failure, Failure::Handover(HandoverFault::Refused(_)));
        self.answered(failure.status());
        self.0.outcome.failure = Some(failure);
    }

    /// So many bytes were taken from the caller.
    pub(super) fn received(&self, bytes: usize) {
        self.0.upload.passed(bytes as u64);
    }

    /// Envoy's flags of the call, as far as its answer's head tells.
    pub(super) fn flags(&self) -> Cow<'static, str> {
        Outcome { abandoned: false, ..self.0.outcome }.flags(&self.0.call)
    }

    /// Who ended the connection.
    pub(super) fn closed_by(&mut self, closer: Closer) {
        self.0.outcome.closed_by = Some(closer);
    }

    /// The call is held back on purpose.
    pub(super) fn delayed(&mut self) {
        self.0.outcome.marks.delayed = true;
    }

    /// The call was tried as often as its routes allow.
    pub(super) fn used_up(&mut self) {
        self.0.outcome.marks.retries_used_up = true;
    }

    /// So many bytes of the body were handed to the caller.
    pub(super) fn passed(&mut self, bytes: usize) {
        self.0.outcome.response_bytes += bytes as u64;
    }

    /// The origin's body did not come to its end.
    pub(super) fn cut_off(&mut self, failure: Failure) {
        self.0.outcome.failure = Some(failure);
        self.0.outcome.abandoned = false;
    }

    /// The whole answer was handed to the caller.
    pub(super) fn complete(mut self) {
        self.0.outcome.abandoned = false;
    }

    fn count(&self, entries: usize) {
        let (shard, outcome) = (&self.0.worker.shard, &self.0.outcome);
        match outcome.status {
            0 => {}
            1..400 => shard.count(Counter::Succeeded),
            400..500 => shard.count(Counter::ClientErrors),
            _ => shard.count(Counter::ServerErrors),
        }
        if outcome.failure.is_some() {
            shard.count(Counter::Refused);
        }
        if outcome.abandoned {
            shard.count(Counter::Abandoned);
        }
        shard.add(Counter::Entries, entries as u64);
        let ended = metrics::Ended {
            duration: u64::try_from(outcome.duration).unwrap_or_default(),
            request_bytes: outcome.request_bytes,
            response_bytes: outcome.response_bytes,
        };
        let (flags, traffic) = (outcome.flags(&self.0.call), &self.0.worker.traffic);
        let labels = self.labels(&flags);
        match &self.0.destination {
            Some(one) => one.ended(traffic, &labels, self.0.call.caller().map(|caller| &caller.workload), ended),
            None => traffic.series(&labels).ended(ended),
        }
        shard.add(Counter::RequestBytes, outcome.request_bytes);
        shard.add(Counter::ResponseBytes, outcome.response_bytes);
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let is_cut = self.0.outcome.abandoned && self.0.outcome.closed_by.is_none();
        if is_cut && self.0.worker.drain.has_reached(Phase::Stopping) {
            self.cut_off(Failure::LocalReset);
        }
        self.0.outcome.request_bytes = self.0.upload.bytes();
        self.0.outcome.duration = i64::try_from(self.0.started.elapsed().as_nanos()).unwrap_or(i64::MAX);
        if self.0.judged.handed_on {
            return self.count(0);
        }
        let worker = &self.0.worker;
        let mut report = worker.report.borrow_mut();
        let held = self.0.held.as_ref().map_or_else(|_| self.0.worker.held(), Rc::clone);
        let (snapshot, Judged { hop, checked, message, passed, .. }) = (&held.snapshot, &self.0.judged);
        let reporter = self.0.held.as_ref().map_or_else(|reporter| reporter, |_| snapshot.reporter(*hop));
        let granted = self.grant().map(|grant| &grant.granted);
        let bag = CallBag::new(&self.0.call, Some(&self.0.outcome), reporter);
        let mut bag = bag.granted(granted).redacting(worker.recording.redact);
        if !message.is_empty() {
            bag = bag.refused(message).detailed(checked.details());
        }
        let mut scratch = self.0.worker.scratch.borrow_mut();
        let errors = snapshot.policy.report(&bag, Spend::Take, &mut scratch, &mut report.lines);
        self.0.worker.shard.add(Counter::EvaluationErrors, errors + checked.faults);
        let exhausted = checked.refusals.iter().filter(|refusal| refusal.is_exhausted()).count();
        if exhausted > 0 {
            self.0.worker.shard.add(Counter::QuotaExhausted, exhausted as u64);
        }
        let redact = worker.recording.redact;
        let shown = checked.shown(redact);
        let told = match &shown {
            Cow::Borrowed(_) => Cow::Borrowed(message.as_str()),
            Cow::Owned(shown) => Cow::Owned(shown.message()),
        };
        if let Some(failure) = self.0.outcome.failure {
            // Beside the lines of rules, which need not show why.
            report.lines.push(&refusal::entry(&self.0.call, failure, &self.0.outcome, &shown, &told, redact));
        }
        let status = self.0.outcome.status;
        if let Some((Some(grant), over)) = passed {
            report.lines.push(&refusal::granted(&self.0.call, status, &shown, &grant.granted, *over, redact));
        } else if let Some(entry) = refusal::would_deny(&self.0.call, status, &shown, self.lifted(), redact) {
            self.0.worker.shard.count(Counter::WouldDeny);
            report.lines.push(&entry);
        }
        if let Some(audit) = &self.0.audit {
            audit.add((&self.0.call, redact), &self.0.outcome, &shown, self.lifted());
        }
        if let Some(entry) = refusal::audited(&self.0.call, status, &shown, redact) {
            report.lines.push(&entry);
        }
        self.count(report.lines.len());
        let ended = Ended {
            call: self.made(),
            outcome: &self.0.outcome,
            hop: self.0.arrived,
            checked: &shown,
            message: &told,
            grant: granted,
            lifted: passed.as_ref().map(|(_, over)| *over),
            revision: self.0.revision,
            headers: &snapshot.headers_read,
        };
        ended.record(worker.recording, &mut worker.callers.borrow_mut(), &mut report.accesses);
        if let Some(exporter) = &worker.exporter {
            for record in report.accesses.iter() {
                exporter.tell((record.time, record.level, record.line), Some(exporter.context(self.made())));
            }
        }
        if let Some(permit) = self.0.permit.take() {
            if !permit.has_room() {
                self.0.worker.shard.count(Counter::Unrecorded);
            }
            permit.record(&mut report);
        }
    }
}

/// What is known of something that comes over a connection before it is read.
pub(super) fn arrival(worker: &Worker, client: &Client) -> Arrival {
    let caller = worker.held().caller(client.hop, client);
    Arrival { time: now(), chance: worker.draw(), caller, peer: client.peer, tls: client.tls.clone() }
}

/// Reports a request that never became a call.
pub(super) fn refused_head(worker: &Worker, permit: Permit, hop: Hop, unread: &Unread) {
    let failure = unread.failure;
    if failure == Failure::HeadTooLarge {
        worker.shard.reached(Bound::Head);
    }
    worker.shard.count(Counter::Refused);
    worker.shard.count(Counter::ClientErrors);
    worker.shard.count(Counter::Entries);
    let redact = worker.recording.redact;
    let mut report = Report::from_iter([refusal::head_entry(unread, redact)]);
    if let Some(access) = access::refused_head(unread, hop, worker.recording) {
        if let Some(exporter) = &worker.exporter {
            exporter.tell((access.time, access.level, &access.line), None);
        }
        report.accesses.push(&access);
    }
    permit.record(&mut report);
}
