//! Tunnels: opened for a host and port, judged, and their bytes passed on unread.
//!
//! What the ServiceEntry declares at the port decides what may go through. TLS must ask for the very host that the tunnel
//! was opened for; a tunnel to an address is judged by the name that its TLS asks for. HTTP is served inside the tunnel,
//! request by request, so that nothing of it escapes a policy. Only ports of TCP carry anything.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderMap;
use http::{Request, Response, Version};
use hyper::upgrade::OnUpgrade;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::accesslog::Permit;
use crate::call::{Arrival, Authority, Call, Closer, Failure, TunnelFault, Unread, connect_target};
use crate::decision::{Decision, Forward, Judgement, judge_beside};
use crate::identity::Claims;
use crate::metrics::One;
use crate::policy::Spend;
use crate::policy::verdict::Checked;
use crate::routing::{Carries, Lasting};
use crate::snapshot::Hop;
use crate::upstream::{CallerBody, ResponseBody, Stream, Switched as Origin, peer_of};

use super::audit::Audit;
use super::body::AnswerBody;
use super::client::{Client, Next};
use super::connection::{Inside, serve_inside};
use super::copy::{Ended, Pair, Way};
use super::exchange::now;
use super::forward::endpoint;
use super::handover;
use super::identify::{Identified, Shown, identify};
use super::lease::Lease;
use super::report::{Closing, Judged, arrival, refused_head};
use super::respond::{answer, answer_unread};
use super::sniff::{NoHello, server_name};
use super::standing::Standing;
use super::stream::ClientStream;
use super::websocket::Handshake;
use super::worker::{Held, Worker};

/// A tunnel that may be used.
pub(super) enum Opened {
    /// HTTP is spoken in it, with requests for this authority, by who showed this token.
    Http(Authority, Option<Rc<Claims>>),
    /// To a named host, or to an address that is declared for plain TCP.
    Ready(Box<Ready>),
    /// To an address: the server name will tell who is meant.
    Unnamed(Box<Asked>),
}

/// A tunnel whose origin is connected.
pub(super) struct Ready {
    closing: Closing,
    origin: Stream,
    /// How long it may last, where the rule of its destination says.
    lasting: Option<Arc<Lasting>>,
    bearer: Option<Rc<Claims>>,
    /// By what the gateway took the connection.
    standing: Option<Rc<Standing>>,
    tls: bool,
    slot: One,
}

/// A tunnel that has not been judged.
pub(super) struct Asked {
    held: Rc<Held>,
    permit: Permit,
    call: Call,
    /// Where it is judged first.
    hop: Hop,
    bearer: Option<Rc<Claims>>,
    audit: Option<Rc<Audit>>,
    slot: One,
}

/// A tunnel that is not opened. Dropping it makes the report.
pub(super) struct Refused {
    pub(super) failure: Failure,
    /// Of a call that could be read.
    closing: Option<Closing>,
    /// By which it is found again that it could not be read.
    unread: Option<String>,
}

impl Refused {
    fn of(mut closing: Closing, failure: Failure) -> Self {
        closing.failed(failure);
        Self { failure, closing: Some(closing), unread: None }
    }

    /// Reports it, where nobody can be answered.
    pub(super) fn report(self) {
        if let Some(closing) = self.closing {
            closing.complete();
        }
    }
}

/// Answers CONNECT: a tunnel is judged, and its origin connected, before it is opened.
pub(super) async fn connect(
    worker: &Rc<Worker>,
    client: &Rc<Client>,
    mut request: Request<CallerBody>,
) -> Response<AnswerBody> {
    let upgrade = hyper::upgrade::on(&mut request);
    // Of HTTP/2 it is one stream beside others, and not the connection.
    let beside = request.version() == Version::HTTP_2;
    let (head, _) = request.into_parts();
    let target = match connect_target(&head) {
        Ok(target) => target,
        Err(failure) => {
            let unread = Unread::of_head(failure, &head, arrival(worker, client));
            return answer_unread(failure, report_unread(worker, client.hop, &unread).await);
        }
    };
    let opened = match client.hop {
        Hop::Mesh(_) => take_over(worker, client, target, &head.headers).await,
        Hop::Sidecar(_) | Hop::Gateway(_) => open(worker, client, target, Shown::Head(&head.headers)).await,
    };
    match opened {
        Ok(opened) => {
            match beside {
                true => drop(spawn_local(run_beside(Rc::clone(worker), Rc::clone(client), opened, upgrade))),
                false => client.go_on(Next::Tunnel(opened)),
            }
            Response::new(AnswerBody::none())
        }
        Err(Refused { failure, closing: Some(closing), .. }) => answer(failure, closing),
        Err(Refused { failure, closing: None, unread }) => answer_unread(failure, unread),
    }
}

/// Uses a tunnel that is one stream of HTTP/2 (RFC 9113 §8.5).
async fn run_beside(worker: Rc<Worker>, client: Rc<Client>, opened: Opened, upgrade: OnUpgrade) {
    // Where the client has left, dropping what was opened makes the report.
    let Ok(upgraded) = upgrade.await else { return };
    if let Some(inside) = run(&worker, &client, opened, Vec::new(), upgraded.into()).await {
        serve_inside(&worker, inside, worker.drain.clone()).await;
    }
}

/// Opens a tunnel to `HOST:PORT`, as far as can be told before its first bytes.
pub(super) async fn open(
    worker: &Rc<Worker>,
    client: &Client,
    target: &str,
    shown: Shown<'_>,
) -> Result<Opened, Refused> {
    let mut asked = ask(worker, client, target, shown).await?;
    let held = Rc::clone(&asked.held);
    let reached = match asked.hop {
        Hop::Sidecar(place) => held.snapshot.routes.reached(held.snapshot.scope(place), &asked.call),
        // No route of a gateway matches CONNECT.
        Hop::Gateway(_) | Hop::Mesh(_) => return Err(asked.refused(worker, Failure::NoRoute)),
    };
    if let Some(host) = reached.and_then(|reached| reached.host) {
        asked.call.means(host);
    }
    let carries = reached.map(|reached| reached.carries);
    match carries.or_else(|| held.snapshot.granted(asked.hop, &asked.call)) {
        None => Err(asked.refused(worker, Failure::UnknownHost)),
        Some(Carries::Http) => Ok(Opened::Http(asked.call.authority().clone(), asked.bearer)),
        Some(Carries::Tcp) => asked.decide(worker, false).await.map(Opened::Ready),
        Some(Carries::Tls) if asked.call.is_to_address() => Ok(Opened::Unnamed(Box::new(asked))),
        Some(Carries::Tls) => {
            asked.call.expect_tls();
            asked.decide(worker, true).await.map(Opened::Ready)
        }
    }
}

/// Whether a tunnel can be opened to `HOST:PORT` before anything is said: it is declared, or may go there without, with bytes
/// that nobody looks at.
pub(super) fn is_known(worker: &Worker, client: &Client, target: &str) -> bool {
    let held = worker.held();
    let caller = held.caller(client.hop, client);
    let arrival = Arrival { time: now(), chance: 0, caller, peer: client.peer, tls: None };
    match (client.hop, Call::tunnel_to(target, arrival)) {
        (Hop::Sidecar(listener), Ok(call)) => {
            let reached = held.snapshot.routes.reached(held.snapshot.scope(listener), &call);
            reached.is_some() || held.snapshot.granted(client.hop, &call) == Some(Carries::Tcp)
        }
        _ => false,
    }
}

/// Reports bytes of which nothing was read, because they cannot go to their target.
pub(super) async fn refuse_unread(worker: &Rc<Worker>, client: &Client, target: &str, failure: Failure) {
    match ask(worker, client, target, Shown::Nothing).await {
        Err(refused) => refused.report(),
        Ok(asked) => asked.refused(worker, failure).report(),
    }
}

/// Opens a tunnel to `HOST:PORT` that a sidecar hands on.
async fn take_over(worker: &Rc<Worker>, client: &Client, target: &str, headers: &HeaderMap) -> Result<Opened, Refused> {
    let mut asked = ask(worker, client, target, Shown::Nothing).await?;
    match client.handed(headers) {
        Ok(handed) => {
            let tls = handed.complete_tunnel(&mut asked.call);
            asked.decide(worker, tls).await.map(Opened::Ready)
        }
        Err(failure) => Err(asked.refused(worker, failure)),
    }
}

/// Takes up a tunnel to `HOST:PORT`.
async fn ask(worker: &Rc<Worker>, client: &Client, target: &str, shown: Shown<'_>) -> Result<Asked, Refused> {
    let failed = |failure, unread| Refused { failure, closing: None, unread };
    let (Ok(permit), Some(slot)) = (worker.recorder.permit().await, worker.tunnels.take()) else {
        worker.count_overload();
        return Err(failed(Failure::Overload, None));
    };
    let held = worker.held();
    let time = now();
    let (hop, caller, bearer, unproven) = match identify(worker, &held, client, shown, time) {
        Ok(Identified { hop, caller, bearer }) => (hop, caller, bearer, None),
        Err(why) => (client.hop, None, None, Some(Failure::Unproven(why))),
    };
    let (peer, tls, audit) = (client.peer, client.tls.clone(), client.audit.clone());
    let arrival = Arrival { time, chance: worker.draw(), caller, peer, tls };
    match Call::tunnel_to(target, arrival) {
        Ok(call) => {
            let asked = Asked { held, permit, call, hop, bearer, audit, slot };
            match unproven {
                None => Ok(asked),
                Some(failure) => Err(asked.refused(worker, failure)),
            }
        }
        Err(unread) => {
            refused_head(worker, permit, hop, &unread);
            Err(failed(unread.failure, Some(unread.decision_id())))
        }
    }
}

/// Carries a connection that came to the gateway itself to where its servers' routes lead; `name` is that which TLS asks for
/// that is passed through.
pub(super) async fn carry(
    worker: &Rc<Worker>,
    client: &Client,
    target: &str,
    name: Option<Box<str>>,
    early: Vec<u8>,
    stream: ClientStream,
) {
    let decided = match ask(worker, client, target, Shown::Nothing).await {
        Err(refused) => Err(refused),
        Ok(mut asked) => {
            // The target was made of it.
            let _ = name.map(|name| asked.call.confirm(Some(name)));
            asked.decide(worker, false).await
        }
    };
    match decided {
        Ok(mut ready) => {
            ready.standing.clone_from(&client.standing);
            ready.carry(worker, early, stream).await;
        }
        Err(refused) => refused.report(),
    }
}

/// Reports a connection that is not carried to its target.
pub(super) async fn refuse(worker: &Rc<Worker>, client: &Client, target: &str, failure: Failure) {
    match ask(worker, client, target, Shown::Nothing).await {
        Err(refused) => refused.report(),
        Ok(mut asked) => {
            asked.call.expect_tls();
            asked.refused(worker, failure).report();
        }
    }
}

impl Asked {
    fn closing(self, worker: &Rc<Worker>, judged: Judged) -> (Closing, One) {
        let closing = Closing::new(worker, &self.held, self.permit, self.call, judged, Rc::default());
        let mut closing = closing.came_to(self.hop, None);
        closing.tell_in(self.audit);
        (closing, self.slot)
    }

    fn refused(self, worker: &Rc<Worker>, failure: Failure) -> Refused {
        let judged = Judged::new(self.hop, Checked::default());
        Refused::of(self.closing(worker, judged).0, failure)
    }

    /// Judges the tunnel and connects its origin.
    async fn decide(mut self, worker: &Rc<Worker>, tls: bool) -> Result<Box<Ready>, Refused> {
        let (held, bearer) = (Rc::clone(&self.held), self.bearer.take());
        let judged = judge_beside(
            worker.gateway,
            &held.snapshot,
            self.hop,
            &self.call,
            Spend::Take,
            &mut worker.scratch.borrow_mut(),
            &mut |_| {},
        );
        let handed_on = judged.is_handed_on();
        let Judgement { hop, decision, checked, passed, .. } = judged;
        let (mut closing, slot) = self.closing(worker, Judged::new(hop, checked).by(passed).handed_on(handed_on));
        // Whoever goes on with it sees what its TLS asks for, and reports that.
        let tls = tls && !handed_on;
        let connected = match decision {
            Decision::Forward(way) => match closing.goes_to(held.destination(way.cluster)).intend().await {
                Ok(()) => dial(worker, way, &closing).await,
                Err(failure) => Err(failure),
            },
            // No route of HTTP answers it, and nobody is asked about it by HTTP.
            Decision::Answer(_) | Decision::Ask(_) => Err(Failure::NoRoute),
            Decision::Refuse(failure) => Err(failure),
        };
        // A tunnel may last for days, in which many configurations come and go.
        closing.release();
        match connected {
            Ok((origin, lasting)) => {
                closing.answered(200);
                closing.opened();
                Ok(Box::new(Ready { closing, origin, lasting, bearer, standing: None, tls, slot }))
            }
            Err(failure) => Err(Refused::of(closing, failure)),
        }
    }
}

async fn dial(worker: &Worker, way: Forward<'_>, closing: &Closing) -> Result<(Stream, Option<Arc<Lasting>>), Failure> {
    let (call, cluster) = (closing.call(), way.cluster);
    if let Some(limits) = &cluster.limits {
        closing.keep((Some(worker.upstream.room(&cluster.name, limits).await?), None));
    }
    let (endpoint, place) = endpoint(cluster, closing, call.chance(), &[], false)?;
    let opened = worker.upstream.open(&endpoint, cluster.connect_timeout).await;
    if endpoint.is_gateway {
        let stream = opened.map_err(Failure::of_handover)?;
        return Ok((handover::open(stream, call, worker.limits.response_timeout).await?, None));
    }
    let outcome = opened.as_ref().map(|_| 200).map_err(|failure| *failure);
    let called = endpoint.called(opened.as_ref().ok().and_then(peer_of));
    cluster.balance.ended(place, &called, outcome, || call.time().micros());
    opened.map(|stream| (stream, endpoint.lasting.clone()))
}

/// Uses a tunnel that was opened; gives back the inside of one in which HTTP is spoken.
pub(super) async fn run(
    worker: &Rc<Worker>,
    client: &Client,
    opened: Opened,
    mut early: Vec<u8>,
    mut stream: ClientStream,
) -> Option<Inside> {
    let (asked, ready) = match opened {
        Opened::Http(authority, bearer) => return Some((client.within(authority, bearer), early, stream)),
        Opened::Ready(ready) if !ready.tls => {
            ready.carry(worker, early, stream).await;
            return None;
        }
        Opened::Ready(ready) => (None, Some(ready)),
        Opened::Unnamed(asked) => (Some(asked), None),
    };
    let name = server_name(&mut early, &mut stream, worker.limits.hello_timeout).await;
    let ready = match (asked, ready) {
        (_, Some(ready)) => ready.confirmed(name),
        (Some(asked), None) => asked.named(worker, name).await,
        (None, None) => return None,
    };
    if let Some(ready) = ready {
        ready.carry(worker, early, stream).await;
    }
    None
}

type Name = Result<Option<Box<str>>, NoHello>;

impl Asked {
    /// Judges a tunnel to an address by the name that its TLS asks for.
    async fn named(mut self, worker: &Rc<Worker>, name: Name) -> Option<Box<Ready>> {
        let confirmed = match name {
            Ok(name) => self.call.confirm(name),
            Err(NoHello::Refused(failure)) => Err(failure),
            // Nothing was asked.
            Err(NoHello::Left) => return None,
        };
        let decided = match confirmed {
            Ok(()) => self.decide(worker, true).await,
            Err(failure) => Err(self.refused(worker, failure)),
        };
        decided.map_err(Refused::report).ok()
    }
}

impl Ready {
    /// The tunnel, if its TLS asks for the host that it was opened for.
    fn confirmed(mut self: Box<Self>, name: Name) -> Option<Box<Self>> {
        let confirmed = match name {
            Ok(name) => self.closing.confirm(name),
            Err(NoHello::Refused(failure)) => Err(failure),
            // Dropped, it is reported as one whose client has left.
            Err(NoHello::Left) => return None,
        };
        match confirmed {
            Ok(()) => Some(self),
            Err(failure) => {
                Refused::of(self.closing, failure).report();
                None
            }
        }
    }

    async fn carry(self, worker: &Worker, early: Vec<u8>, stream: ClientStream) {
        let Self { closing, origin, lasting, bearer, standing, slot, .. } = self;
        let pair = Pair { client: stream, origin, early, late: Vec::new() };
        pass(worker, closing, slot, Hangs { lasting, bearer, standing }, pair).await;
    }
}

/// What a tunnel hangs on besides its grant.
pub(super) struct Hangs {
    /// How long its destination lets it last.
    pub(super) lasting: Option<Arc<Lasting>>,
    /// The token that it was opened with.
    pub(super) bearer: Option<Rc<Claims>>,
    /// By what the gateway took its connection.
    pub(super) standing: Option<Rc<Standing>>,
}

/// Passes bytes to the end of a call, or of what it hangs on, its grant among that; at most as long as any call may last.
async fn pass(
    worker: &Worker,
    mut closing: Closing,
    _slot: One,
    Hangs { lasting, bearer, standing }: Hangs,
    pair: Pair<impl AsyncRead + AsyncWrite + Unpin, impl AsyncRead + AsyncWrite + Unpin>,
) {
    closing.closed_by(Closer::Proxy);
    let lasting = lasting.as_deref();
    let idle = lasting.and_then(|lasting| lasting.without_byte).unwrap_or(worker.limits.tunnel_idle_timeout);
    let whole = lasting.and_then(|lasting| lasting.whole).map(|whole| Instant::now() + whole);
    let end = [whole, closing.end().map(Instant::from_std)].into_iter().flatten().min();
    let lease = Lease { grant: closing.grant().cloned(), bearer, standing };
    let passed = pair.pass(idle, &worker.copied, |way, bytes| match way {
        Way::Up => closing.received(bytes),
        Way::Down => closing.passed(bytes),
    });
    let passed = async {
        match end {
            None => passed.await,
            Some(end) => tokio::time::timeout_at(end, passed).await.unwrap_or((Ended::Idle, Closer::Proxy)),
        }
    };
    let (ended, closer) = if lease.is_none() {
        passed.await
    } else {
        tokio::select! {
            ended = passed => ended,
            // Boxed, so that other connections, which are most, do not carry its room around.
            () = Box::pin(lease.ended(worker)) => (Ended::Idle, Closer::Proxy),
        }
    };
    closing.closed_by(closer);
    // One whose client broke is reported as abandoned, by being dropped.
    if ended != Ended::ClientBroke {
        closing.complete();
    }
}

/// Reports TLS inside a tunnel to a port of HTTP, and ends it.
pub(super) async fn refuse_tls(worker: &Rc<Worker>, inside: &Client, stream: ClientStream) {
    if let Some(target) = inside.target() {
        refuse(worker, inside, &target, Failure::Tunnel(TunnelFault::TlsToHttp)).await;
    }
    end_tls(stream).await;
}

/// The alert `access_denied` (RFC 8446 §6.2), which every version of TLS reads before anything is agreed on.
const ACCESS_DENIED: [u8; 7] = [21, 3, 1, 0, 2, 2, 49];

/// How long what a client of TLS still sends is read after the alert, so that it gets to read that; and most bytes of it.
const LINGER: (Duration, u64) = (Duration::from_secs(1), 64 * 1024);

/// Tells a client that has begun with TLS that it goes no further, which is said in TLS and not by breaking off.
pub(super) async fn end_tls(mut stream: ClientStream) {
    let told = async {
        stream.write_all(&ACCESS_DENIED).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER.1), &mut tokio::io::sink()).await
    };
    // Who has gone need not be told.
    let _ = tokio::time::timeout(LINGER.0, told).await;
}

/// Reports what cannot be understood, so that nobody knows what it asks for; the name by which that is found again.
pub(super) async fn report_head(worker: &Worker, client: &Client, failure: Failure) -> Option<String> {
    report_unread(worker, client.hop, &Unread::new(failure, arrival(worker, client))).await
}

async fn report_unread(worker: &Worker, hop: Hop, unread: &Unread) -> Option<String> {
    match worker.recorder.permit().await {
        Ok(permit) => {
            refused_head(worker, permit, hop, unread);
            Some(unread.decision_id())
        }
        Err(_) => {
            worker.count_overload();
            None
        }
    }
}

/// A call that goes on in another protocol (RFC 9110 §7.8), and the origin's connection as soon as HTTP has let go of it.
pub(super) struct Switched {
    closing: Closing,
    origin: Origin,
    hangs: Hangs,
    slot: One,
}

/// Passes on the answer of an origin that goes on in the protocol that was asked for.
pub(super) fn switch(
    worker: &Rc<Worker>,
    client: &Client,
    mut response: Response<ResponseBody>,
    (mut closing, upgrade, hangs): (Closing, OnUpgrade, Hangs),
    handshake: Option<&Handshake>,
) -> Result<Response<AnswerBody>, Box<(Failure, Closing)>> {
    let Some(slot) = worker.tunnels.take() else { return Err(Box::new((Failure::Overload, closing))) };
    if handshake.is_some() {
        Handshake::opened(&mut response);
    }
    closing.answered(response.status().as_u16());
    closing.release();
    let mut answer = Response::new(AnswerBody::none());
    (*answer.status_mut(), *answer.headers_mut()) = (response.status(), std::mem::take(response.headers_mut()));
    let origin = Origin::of(response);
    let switched = Switched { closing, origin, hangs, slot };
    if handshake.is_some() {
        let worker = Rc::clone(worker);
        spawn_local(async move {
            if let Ok(client) = upgrade.await {
                switched.run(&worker, Vec::new(), client.into()).await;
            }
        });
    } else {
        client.go_on(Next::Switched(Box::new(switched)));
    }
    Ok(answer)
}

impl Switched {
    /// Passes the bytes of both on, to the end.
    pub(super) async fn run(self, worker: &Worker, early: Vec<u8>, client: ClientStream) {
        let Self { closing, origin, hangs, slot } = self;
        if let Some((late, origin)) = origin.open().await {
            let pair = Pair { client, origin, early, late };
            pass(worker, closing, slot, hangs, pair).await;
        }
    }
}
