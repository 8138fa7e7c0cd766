//! Carrying out a forward: head, endpoint, tries, in time.

use std::borrow::Cow;
use std::cell::Cell;
use std::net::IpAddr;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Method, Response, Version, header};
use http_body::Body as _;
use smallvec::SmallVec;

use crate::call::{Failure, Handed};
use crate::decision::{Forward, Outgoing, Way};
use crate::metrics::Counter;
use crate::routing::{Cluster, Endpoint, Target};
use crate::upstream::{CallerBody, Kept, Outward, RequestBody, ResponseBody, Upload};

use super::called::called;
use super::exchange::now;
use super::handover;
use super::mirror::mirror;
use super::report::Closing;
use super::retry::{Again, Patience};
use super::worker::Worker;

/// What came of a forward.
pub(super) struct Forwarded {
    pub(super) answer: Result<Response<ResponseBody>, Failure>,
    /// Whether it was tried as often as its routes allow.
    pub(super) used_up: bool,
    /// When the answer has to be there whole, if anything says.
    pub(super) deadline: Option<Deadline>,
}

/// A time, and what has failed when it comes.
pub(super) type Deadline = (Instant, Failure);

/// Sends a call to its cluster, again if need be, and waits for the head of the answer.
pub(super) async fn forward(
    worker: &Rc<Worker>,
    forward: Forward<'_>,
    way: Way<'_>,
    closing: &Closing,
    (body, version): (CallerBody, Version),
    upload: Rc<Upload>,
) -> Forwarded {
    let _active = worker.budget.call();
    let (call, edits) = (closing.call(), closing.checked().request_edits.as_slice());
    let mut patience = Patience::of(&way);
    let routes = [way.before, way.last].into_iter().flatten();
    let mirrors: SmallVec<[_; 1]> = routes.flat_map(|route| route.mirrors(call)).collect();
    let repeated = (patience.repeats_answers() && is_idempotent(call.method()))
        || (patience.repeats_refused() && may_refuse(forward.cluster));
    let body = Bodies::new(worker, body, &upload, repeated || !mirrors.is_empty());
    if !mirrors.is_empty() {
        match way.outgoing(call, edits) {
            Ok(head) => mirrors.iter().for_each(|cluster| mirror(worker, cluster, closing, &head, body.kept())),
            Err(failure) => return Forwarded { answer: Err(failure), used_up: false, deadline: None },
        }
    }
    let multiplexed = version == Version::HTTP_2 && call.upgrade().is_none();
    let (cluster, reached) = (forward.cluster, Cell::default());
    let sending = Sending { worker, cluster, way, closing, multiplexed, upload: &upload, reached };
    let longest = worker.limits.response_timeout;
    let mut answer = {
        // In place: what it would be moved into would have room for it again.
        let sent = pin!(sending.tries(body, &mut patience));
        within(worker, (forward.timeout, longest, closing.end()), &upload, sent).await
    };
    if closing.is_handed_on() {
        answer = answer.map_err(Failure::of_handover);
    }
    if let (Ok(answer), Some(cookie)) = (&mut answer, forward.cluster.balance.cookie(call))
        && let Ok(cookie) = HeaderValue::try_from(cookie)
    {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    let whole = forward.timeout.map(|timeout| upload.ended_at().unwrap_or_else(Instant::now) + timeout);
    let ends = [whole.map(|end| (end, Failure::Timeout)), closing.end().map(|end| (end, Failure::MaxDuration))];
    let deadline = ends.into_iter().flatten().min_by_key(|(end, _)| *end);
    Forwarded { answer, used_up: patience.used_up, deadline }
}

/// Waits for so long from the end of the request; without a timeout as long as any origin may take, from now; never beyond
/// the end of all.
async fn within(
    worker: &Worker,
    (timeout, longest, end): (Option<Duration>, Duration, Option<Instant>),
    upload: &Upload,
    mut sent: Pin<&mut impl Future<Output = Result<Response<ResponseBody>, Failure>>>,
) -> Result<Response<ResponseBody>, Failure> {
    let left = || end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
    let idle = || match upload.ended_at() {
        _ if left().is_zero() => Failure::MaxDuration,
        Some(_) => Failure::UpstreamIdle,
        None => Failure::ClientIdle,
    };
    let Some(timeout) = timeout else {
        return worker.alarms.within(longest.min(left()), sent).await.unwrap_or_else(|| Err(idle()));
    };
    let too_long = async {
        // A caller that never ends its request is not waited for either.
        if tokio::time::timeout(longest.min(left()), upload.ended()).await.is_err() {
            return idle();
        }
        tokio::time::sleep(timeout.min(left())).await;
        if left().is_zero() { Failure::MaxDuration } else { Failure::Timeout }
    };
    tokio::select! {
        biased;
        answer = sent.as_mut() => answer,
        failure = too_long => Err(failure),
    }
}

/// Whether an origin can say that it has not begun with a call: in HTTP/2 it can.
fn may_refuse(cluster: &Cluster) -> bool {
    matches!(&cluster.target, Target::Endpoints(endpoints) if endpoints.iter().any(|endpoint| {
        endpoint.multiplexed || endpoint.for_multiplexed.is_some()
    }))
}

/// The bodies of the tries of one call.
enum Bodies {
    /// There is none.
    Empty,
    /// It can be sent once.
    Once(Option<RequestBody>),
    /// It can be sent again while nothing of it is lost.
    Kept(Rc<Kept>),
}

impl Bodies {
    fn new(worker: &Worker, body: CallerBody, upload: &Rc<Upload>, keep: bool) -> Self {
        if body.is_end_stream() {
            // Tells that the request has ended.
            drop(RequestBody::new(body, Rc::clone(upload)));
            Bodies::Empty
        } else if keep {
            Bodies::Kept(Kept::new(body, Rc::clone(upload), worker.limits.kept_body))
        } else {
            Bodies::Once(Some(RequestBody::new(body, Rc::clone(upload))))
        }
    }

    /// The body of the next try; `None` where it is gone.
    fn next(&mut self) -> Option<RequestBody> {
        match self {
            Bodies::Empty => Some(RequestBody::empty()),
            Bodies::Once(body) => body.take(),
            Bodies::Kept(kept) => Some(RequestBody::again(kept)),
        }
    }

    fn is_repeatable(&self) -> bool {
        match self {
            Bodies::Empty => true,
            Bodies::Once(_) => false,
            Bodies::Kept(kept) => kept.is_repeatable(),
        }
    }

    /// For a mirror: `None` where there is no body.
    fn kept(&self) -> Option<Result<Rc<Kept>, ()>> {
        match self {
            Bodies::Empty => None,
            Bodies::Once(_) => Some(Err(())),
            Bodies::Kept(kept) => Some(Ok(Rc::clone(kept))),
        }
    }
}

impl Drop for Bodies {
    fn drop(&mut self) {
        if let Bodies::Kept(kept) = self {
            kept.no_more();
        }
    }
}

/// What came of one try, and the body, if not a byte was sent.
struct Tried {
    answer: Result<Response<ResponseBody>, Failure>,
    unsent: Option<RequestBody>,
}

/// A call and where it is sent.
struct Sending<'a> {
    worker: &'a Rc<Worker>,
    cluster: &'a Cluster,
    way: Way<'a>,
    closing: &'a Closing,
    /// Whether the caller speaks HTTP/2, which then its sidecar speaks to the gateway too.
    multiplexed: bool,
    upload: &'a Upload,
    /// The address that the last try went to.
    reached: Cell<Option<IpAddr>>,
}

impl Sending<'_> {
    async fn tries(&self, mut bodies: Bodies, patience: &mut Patience<'_>) -> Result<Response<ResponseBody>, Failure> {
        let call = self.closing.call();
        let mut tried: SmallVec<[usize; 4]> = SmallVec::new();
        let mut body = bodies.next();
        let mut retrying = None;
        loop {
            let known = if self.way.retries().same_endpoint { &[][..] } else { tried.as_slice() };
            // Each try draws anew.
            let draw = call.chance().rotate_left(11 * u32::try_from(tried.len()).unwrap_or_default());
            let (endpoint, place) = endpoint(self.cluster, self.closing, draw, known, self.multiplexed)?;
            tried.push(place);
            self.take_up(place).await?;
            let Tried { answer, unsent } = match patience.per_try() {
                None => pin!(self.once(&endpoint, body.take(), bodies.is_repeatable())).await,
                timeout => self.once_within(timeout, &endpoint, body.take(), bodies.is_repeatable()).await,
            };
            self.note(place, &endpoint, &answer);
            // What may have been acted on is only done again where that changes nothing.
            let harmless = is_idempotent(call.method()) || matches!(answer, Err(Failure::UpstreamRefused));
            let repeatable = unsent.is_some() || (harmless && bodies.is_repeatable());
            let again = if repeatable { patience.again(&answer, call.chance()) } else { None };
            let Some(Again { pause }) = again else { return answer };
            // The retry before this one is over.
            drop(retrying.take());
            retrying = self.worker.budget.retry(self.cluster);
            if retrying.is_none() {
                self.worker.shard.count(Counter::RetriesOverBudget);
                return answer;
            }
            drop(answer);
            self.worker.shard.count(Counter::Retries);
            tokio::time::sleep(pause).await;
            body = unsent.or_else(|| bodies.next());
        }
    }

    /// Takes up what the destination gives to one call; what the try before had is given back first.
    async fn take_up(&self, place: usize) -> Result<(), Failure> {
        self.closing.keep((None, None));
        let room = match &self.cluster.limits {
            Some(limits) => Some(Box::pin(self.worker.upstream.room(&self.cluster.name, limits)).await?),
            None => None,
        };
        self.closing.keep((room, self.cluster.balance.enter(place)));
        Ok(())
    }

    /// Tells the balance how an endpoint did.
    fn note(&self, place: usize, endpoint: &Endpoint, answer: &Result<Response<ResponseBody>, Failure>) {
        let outcome = answer.as_ref().map(|answer| answer.status().as_u16()).map_err(|failure| *failure);
        let called = endpoint.called(self.reached.get());
        self.cluster.balance.ended(place, &called, outcome, || now().micros());
    }

    /// The head as it is sent.
    fn outgoing(&self) -> Result<Outgoing<'_>, Failure> {
        let call = self.closing.call();
        let mut head = self.way.outgoing(call, &self.closing.checked().request_edits)?;
        if self.closing.is_handed_on() {
            Handed::of(call).write(head.headers.to_mut());
        } else if let Some(exporter) = &self.worker.exporter {
            exporter.context(self.closing.made()).write(head.headers.to_mut());
        }
        Ok(head)
    }

    /// [`Sending::once`], so long at most. Boxed, so that calls without such a limit do not carry its room around.
    fn once_within<'s>(
        &'s self,
        timeout: Option<Duration>,
        endpoint: &'s Endpoint,
        body: Option<RequestBody>,
        repeatable: bool,
    ) -> Pin<Box<dyn Future<Output = Tried> + 's>> {
        Box::pin(async move {
            let mut unsent = None;
            let answer = {
                let once = pin!(async {
                    let tried = self.once(endpoint, body, repeatable).await;
                    unsent = tried.unsent;
                    tried.answer
                });
                within(self.worker, (timeout, self.worker.limits.response_timeout, None), self.upload, once).await
            };
            Tried { answer, unsent }
        })
    }

    async fn once(&self, endpoint: &Endpoint, body: Option<RequestBody>, repeatable: bool) -> Tried {
        let call = self.closing.call();
        let head = match self.outgoing() {
            Ok(head) => head,
            Err(failure) => return Tried { answer: Err(failure), unsent: None },
        };
        let Some(body) = body else { return Tried { answer: Err(Failure::UpstreamClosed), unsent: None } };
        let without_body = body.is_end_stream();
        let (method, timeout) = (call.method(), self.cluster.connect_timeout);
        let request = Outward { method, head: &head, body };
        let sent = pin!(self.worker.upstream.send(endpoint, timeout, request, &self.reached));
        let failed = match sent.await {
            Ok(answer) => return Tried { answer: Ok(answer), unsent: None },
            Err(failed) => failed,
        };
        let closed = failed.reused && failed.unsent.is_none() && failed.failure == Failure::UpstreamClosed;
        if !(closed && without_body && repeatable && is_idempotent(method)) {
            return Tried { answer: Err(failed.failure), unsent: failed.unsent.map(|body| *body) };
        }
        // The origin closed a kept connection just then: a request without effects is asked once more.
        let again = Outward { method, head: &head, body: RequestBody::empty() };
        match Box::pin(self.worker.upstream.send_anew(endpoint, timeout, again, &self.reached)).await {
            Ok(answer) => Tried { answer: Ok(answer), unsent: None },
            Err(failed) => Tried { answer: Err(failed.failure), unsent: failed.unsent.map(|body| *body) },
        }
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE)
}

/// The endpoint of a call and its place: where the call wants to go, or one of several that has not been tried, as long as
/// there is one.
///
/// # Errors
/// [`Failure::NoEndpoint`], or that the caller has nothing to prove itself with there.
pub(super) fn endpoint<'c>(
    cluster: &'c Cluster,
    closing: &Closing,
    draw: u64,
    tried: &[usize],
    multiplexed: bool,
) -> Result<(Chosen<'c>, usize), Failure> {
    let call = closing.call();
    if let Some(port) = cluster.target.gateway() {
        return Ok((Chosen::Shared(handover::gateway(closing, port, &cluster.host, multiplexed)?), 0));
    }
    let (endpoint, place) = match (cluster.original(call), &cluster.target) {
        (Some(original), _) => (Cow::Owned(original), 0),
        (None, Target::Endpoints(endpoints)) => {
            let place = cluster.balance.pick(call, draw, call.time().micros(), tried);
            let place = place.filter(|place| *place < endpoints.len()).ok_or(Failure::NoEndpoint)?;
            (Cow::Borrowed(&endpoints[place]), place)
        }
        (None, Target::Gateway(_)) => return Err(Failure::NoEndpoint),
    };
    let endpoint = match endpoint {
        Cow::Borrowed(Endpoint { for_multiplexed: Some(other), .. }) if multiplexed => Cow::Borrowed(&**other),
        Cow::Owned(Endpoint { for_multiplexed: Some(other), .. }) if multiplexed => Cow::Owned(Endpoint::clone(&other)),
        endpoint => endpoint,
    };
    let chosen = match endpoint {
        endpoint if endpoint.wants_identity() => Chosen::Shared(called(closing, endpoint)?),
        Cow::Borrowed(endpoint) => Chosen::Listed(endpoint),
        Cow::Owned(endpoint) => Chosen::Shared(Arc::new(endpoint)),
    };
    let told = chosen.called_for(call.peer()).map(|endpoint| Chosen::Shared(Arc::new(endpoint)));
    Ok((told.unwrap_or(chosen), place))
}

/// An endpoint: one of a cluster's, or one that is known to the call alone.
pub(super) enum Chosen<'c> {
    Listed(&'c Endpoint),
    Shared(Arc<Endpoint>),
}

impl Deref for Chosen<'_> {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        match self {
            Chosen::Listed(endpoint) => endpoint,
            Chosen::Shared(endpoint) => endpoint,
        }
    }
}
