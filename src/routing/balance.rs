//! Which endpoint of a cluster a call goes to.

use std::hash::{DefaultHasher, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderName;
use http::header::COOKIE;
use smallvec::SmallVec;

use crate::call::{Call, Failure, Side};

use super::addresses::{Addresses, Known};
use super::locality::Level;
use super::matching::first_parameter;
use super::outlier::{Health, Outlier};
use super::trouble::{Told, Trouble};

/// Most turns of a schedule: weights are made smaller until they fit.
const MAX_TURNS: u64 = 10_000;

/// Points of a ring, if the DestinationRule does not ask for more (Envoy's default), and the most that are made.
const RING: std::ops::RangeInclusive<u64> = 1_024..=65_537;

/// How an endpoint is chosen.
#[derive(Debug)]
pub(super) enum Choice {
    /// In turn.
    RoundRobin,
    /// Any.
    Random,
    /// The less busy of two.
    LeastRequest,
    /// The same for calls that have something in common.
    Hash(HashBy, Ring),
}

/// What calls that go to one endpoint have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HashBy {
    /// A request header.
    Header(HeaderName),
    /// A cookie; made for callers without one, if it has a life.
    Cookie(HashCookie),
    /// The address that the call comes from.
    SourceIp,
    /// A query parameter.
    Query(String),
}

/// A cookie to stay by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HashCookie {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) life: Option<Duration>,
}

/// Points on a circle, each of an endpoint: when endpoints come or go, most calls stay where they were.
#[derive(Debug)]
pub(super) struct Ring(Box<[(u64, u16)]>);

/// Chooses among the endpoints of a cluster, and remembers how busy and how healthy each is.
#[derive(Debug)]
pub struct Balance {
    choice: Choice,
    /// Places of endpoints, each as often as its weight says, well mixed.
    schedule: SmallVec<[u16; 4]>,
    /// How far each endpoint is, where they are not alike: the farther ones are for when the nearer ones are out.
    levels: Option<Box<[Level]>>,
    outlier: Option<Outlier>,
    live: Arc<Live>,
}

/// What outlives a configuration.
#[derive(Debug)]
pub struct Live {
    turn: AtomicUsize,
    pub(super) endpoints: Box<[Health]>,
    /// Of those that are names.
    pub(super) names: Box<[Known]>,
    trouble: Trouble,
    /// Calls that are being tried again.
    retries: AtomicUsize,
}

/// How an endpoint does, for whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doing {
    /// Calls under way to it, where they are counted: where there is another one.
    pub(super) active: Option<u32>,
    /// When it comes back, if it is left out, in microseconds since 1970.
    pub(super) out_until: Option<i64>,
    /// How often it has been left out.
    pub(super) ejections: u32,
}

/// What of an endpoint was called.
#[derive(Debug)]
pub enum Called<'e> {
    /// The endpoint, which is one address.
    Itself,
    /// Of a name this address, or none.
    AddressOf(&'e Addresses, Option<IpAddr>),
}

/// A call under way to an endpoint; dropping it ends it.
#[derive(Debug)]
pub struct Busy {
    live: Arc<Live>,
    place: usize,
}

/// A call that is tried again; dropping it ends that.
#[derive(Debug)]
pub struct Retrying(Arc<Live>);

impl Live {
    pub(super) fn new(endpoints: usize) -> Self {
        let names = (0..endpoints).map(|_| Known::default()).collect();
        let endpoints = (0..endpoints).map(|_| Health::default()).collect();
        Self { turn: AtomicUsize::new(0), endpoints, names, trouble: Trouble::default(), retries: AtomicUsize::new(0) }
    }
}

impl Balance {
    /// For endpoints with these weights.
    pub(super) fn new(choice: Choice, weights: &[u32], outlier: Option<Outlier>, live: Arc<Live>) -> Self {
        Self { choice, schedule: schedule(weights), levels: None, outlier, live }
    }

    /// With endpoints that are so far.
    pub(super) fn by_levels(self, levels: Option<Box<[Level]>>) -> Self {
        Self { levels, ..self }
    }

    /// The endpoint for a call, if any can take it; one that has not been tried, where there is one. `now` is in
    /// microseconds since 1970, `draw` a random number for this attempt.
    pub fn pick(&self, call: &Call, draw: u64, now: i64, tried: &[usize]) -> Option<usize> {
        if let ([only], None) = (&*self.schedule, &self.outlier) {
            return Some(usize::from(*only));
        }
        let length = self.schedule.len();
        let random = |bits: u64| usize::try_from(bits % length as u64).ok();
        let start = match &self.choice {
            _ if length == 0 => return None,
            Choice::RoundRobin => self.live.turn.fetch_add(1, Ordering::Relaxed) % length,
            Choice::Random => random(draw)?,
            Choice::LeastRequest => {
                let (one, other) = (random(draw)?, random(draw >> 32)?);
                let busy = |slot: usize| self.live.endpoints[usize::from(self.schedule[slot])].busy();
                if busy(other) < busy(one) { other } else { one }
            }
            Choice::Hash(by, ring) => match by.of(call) {
                Some(hash) => return self.along(ring.from(hash), now, tried),
                None => random(draw)?,
            },
        };
        let turns = self.schedule[start..].iter().chain(&self.schedule[..start]);
        self.along(turns.map(|place| usize::from(*place)), now, tried)
    }

    /// How far the nearest endpoint is that is in.
    fn nearest(&self, now: i64) -> Level {
        let Some(levels) = &self.levels else { return 0 };
        let inside = levels.iter().zip(&self.live.endpoints).filter(|(_, health)| !health.is_out(now));
        inside.map(|(level, _)| *level).min().unwrap_or(0)
    }

    fn level(&self, place: usize) -> Level {
        self.levels.as_ref().and_then(|levels| levels.get(place).copied()).unwrap_or(0)
    }

    /// The first endpoint of the nearest that is in and untried, else the first of them that is in.
    fn along(&self, places: impl Iterator<Item = usize> + Clone, now: i64, tried: &[usize]) -> Option<usize> {
        let nearest = self.nearest(now);
        let is_inside = |place: &usize| self.level(*place) == nearest && !self.live.endpoints[*place].is_out(now);
        let mut inside = places.filter(is_inside);
        let mut first = None;
        let untried = inside.find(|place| {
            first.get_or_insert(*place);
            !tried.contains(place)
        });
        untried.or(first)
    }

    /// Counts a call as under way to an endpoint, until what comes back is dropped; nothing is counted where there is
    /// nothing to choose.
    pub fn enter(&self, place: usize) -> Option<Busy> {
        let health = self.live.endpoints.get(place).filter(|_| self.schedule.len() > 1)?;
        health.enter();
        Some(Busy { live: Arc::clone(&self.live), place })
    }

    /// Notes what an endpoint answered, or why it did not; one that fails again and again is left out for a while. What was
    /// not the destination's fault is nothing to note. `now` gives microseconds since 1970.
    pub fn ended(&self, place: usize, called: &Called<'_>, outcome: Result<u16, Failure>, now: impl Fn() -> i64) {
        match outcome {
            Ok(_) => self.live.trouble.is_over(),
            Err(failure) if failure.side() == Side::Upstream => self.live.trouble.begins(failure, now()),
            // That its name leads where it must not is to be told as well, though nothing was asked of the endpoint.
            Err(Failure::PrivateAddress) => return self.live.trouble.begins(Failure::PrivateAddress, now()),
            Err(_) => return,
        }
        match (&self.outlier, called) {
            (None, _) => {}
            // Where no address was reached, that has been noted of each that was tried.
            (Some(_), Called::AddressOf(addresses, reached)) => {
                if let Some(address) = reached {
                    addresses.note(*address, outcome.ok(), now());
                }
            }
            (Some(outlier), Called::Itself) => outlier.note(&self.live.endpoints, place, outcome.ok(), now()),
        }
    }

    /// The addresses of an endpoint that is a name, where those that fail are left out.
    pub(super) fn addresses(&self, place: usize) -> Option<Arc<Addresses>> {
        let outlier = self.outlier.clone()?;
        Some(Arc::new(Addresses { outlier, live: Arc::clone(&self.live), place }))
    }

    /// Counts a call as tried again, until what comes back is dropped; `None` where so many are already.
    pub fn retry(&self, most: usize) -> Option<Retrying> {
        let counted = &self.live.retries;
        let one_more = |now: usize| (now < most).then_some(now + 1);
        counted.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Retrying(Arc::clone(&self.live)))
    }

    /// Whether endpoints that fail are left out.
    pub(super) fn watches(&self) -> bool {
        self.outlier.is_some()
    }

    /// How an endpoint is chosen, in a DestinationRule's words.
    pub(super) fn in_words(&self) -> &'static str {
        match &self.choice {
            Choice::RoundRobin => "ROUND_ROBIN",
            Choice::Random => "RANDOM",
            Choice::LeastRequest => "LEAST_REQUEST",
            Choice::Hash(..) => "CONSISTENT_HASH",
        }
    }

    /// How each endpoint does.
    pub(super) fn doing(&self, now: i64) -> impl Iterator<Item = Doing> {
        let counted = self.schedule.len() > 1;
        self.live.endpoints.iter().zip(&self.live.names).map(move |(health, name)| Doing {
            active: counted.then(|| health.busy()),
            out_until: health.out_until(now),
            ejections: health.ejections() + name.ejections(),
        })
    }

    /// Why calls to the destination failed the last time, if any has.
    pub(super) fn trouble(&self) -> Option<Told> {
        self.live.trouble.told()
    }

    /// The cookie that a caller without one is to keep, as a `Set-Cookie` value.
    pub fn cookie(&self, call: &Call) -> Option<String> {
        let Choice::Hash(HashBy::Cookie(cookie), _) = &self.choice else { return None };
        let life = cookie.life.filter(|_| cookie.of(call).is_none())?;
        let mut text = format!("{}=\"{:016x}\"; Max-Age={}", cookie.name, hash(&call.chance()), life.as_secs());
        if !cookie.path.is_empty() {
            text.push_str("; Path=");
            text.push_str(&cookie.path);
        }
        text.push_str("; HttpOnly");
        Some(text)
    }
}

impl Drop for Retrying {
    fn drop(&mut self) {
        self.0.retries.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.live.endpoints[self.place].leave();
    }
}

impl HashBy {
    fn of(&self, call: &Call) -> Option<u64> {
        match self {
            HashBy::Header(name) => call.headers().get(name).map(|value| hash(&value.as_bytes())),
            // Who gets a cookie from us stays where its first call went.
            HashBy::Cookie(cookie) => cookie
                .of(call)
                .map(|value| hash(&value))
                .or_else(|| cookie.life.map(|_| hash(&format!("{:016x}", hash(&call.chance())).as_str()))),
            HashBy::SourceIp => Some(hash(&call.peer())),
            HashBy::Query(name) => first_parameter(call, name).map(|value| hash(&value)),
        }
    }
}

impl HashCookie {
    fn of<'c>(&self, call: &'c Call) -> Option<&'c str> {
        let headers = call.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = headers.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(name, value)| (name == self.name).then(|| value.trim_matches('"')))
    }
}

impl Ring {
    /// Points for endpoints by their names and weights.
    pub(super) fn new<'n>(endpoints: impl Iterator<Item = (&'n str, u32)> + Clone, size: u64) -> Self {
        let total: u64 = endpoints.clone().map(|(_, weight)| u64::from(weight.max(1))).sum();
        let size = size.clamp(*RING.start(), *RING.end());
        let mut points = Vec::new();
        for (place, (name, weight)) in endpoints.enumerate() {
            let Ok(place) = u16::try_from(place) else { break };
            let share = (size * u64::from(weight.max(1))).div_ceil(total.max(1));
            points.extend((0..share).map(|number| (hash(&(name, number)), place)));
        }
        points.sort_unstable();
        Self(points.into())
    }

    /// The endpoints from a point on, nearest first; the same one may come again.
    fn from(&self, point: u64) -> impl Iterator<Item = usize> + Clone {
        let start = self.0.partition_point(|(at, _)| *at < point);
        self.0[start..].iter().chain(&self.0[..start]).map(|(_, place)| usize::from(*place))
    }
}

/// The same in every process: proxies agree about the endpoint.
fn hash(value: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Places as often as their weights say, spread evenly: each turn takes whose credit is greatest.
fn schedule(weights: &[u32]) -> SmallVec<[u16; 4]> {
    let weights: Vec<u64> = weights.iter().map(|weight| u64::from((*weight).max(1))).collect();
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let total: u64 = weights.iter().sum::<u64>() / divisor;
    let scale = total.div_ceil(MAX_TURNS).max(1);
    let mut credits: Vec<(i64, i64)> = weights
        .iter()
        .map(|weight| (0, i64::try_from((weight / divisor / scale).max(1)).unwrap_or(i64::MAX)))
        .collect();
    let turns: i64 = credits.iter().map(|(_, weight)| weight).sum();
    let mut schedule = SmallVec::new();
    for _ in 0..turns {
        credits.iter_mut().for_each(|(credit, weight)| *credit += *weight);
        let richest = credits.iter().enumerate().max_by_key(|(place, (credit, _))| (*credit, usize::MAX - place));
        let Some(place) = richest.map(|(place, _)| place) else { break };
        credits[place].0 -= turns;
        schedule.extend(u16::try_from(place));
    }
    schedule
}

fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::call::{Arrival, normalize};
    use crate::expr::Timestamp;

    fn call(chance: u64, headers: &[(&str, &str)]) -> Call {
        let mut head = http::Request::builder().uri("http://a.example/?user=7").header("host", "a.example");
        for (name, value) in headers {
            head = head.header(*name, *value);
        }
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let arrival = Arrival { time: Timestamp::ZERO, chance, caller: None, peer, tls: None };
        normalize(head.body(()).expect("a head").into_parts().0, arrival).expect("a call")
    }

    fn balance(choice: Choice, weights: &[u32]) -> Balance {
        Balance::new(choice, weights, None, Arc::new(Live::new(weights.len())))
    }

    #[test]
    fn turns_are_taken_by_weight_and_spread() {
        let balance = balance(Choice::RoundRobin, &[4, 2, 1]);
        let call = call(0, &[]);
        let turns: Vec<_> = (0..7).filter_map(|_| balance.pick(&call, 0, 0, &[])).collect();
        assert_eq!(turns, [0, 1, 0, 2, 0, 1, 0]);
        assert!(schedule(&[1_000_000, 1]).len() <= 10_001);
        assert_eq!(schedule(&[50, 50]).as_slice(), [0, 1]);
    }

    #[test]
    fn of_two_the_less_busy_takes_the_call() {
        let balance = balance(Choice::LeastRequest, &[1, 1]);
        let call = call(0, &[]);
        let busy = balance.enter(0).expect("there are two");
        for (one, other) in [(0u64, 1u64), (1, 0)] {
            assert_eq!(balance.pick(&call, other << 32 | one, 0, &[]), Some(1));
        }
        drop(busy);
        assert_eq!(balance.pick(&call, 1 << 32, 0, &[]), Some(0));
    }

    #[test]
    fn far_endpoints_are_for_when_the_near_ones_are_out() {
        let levels: Box<[Level]> = [1, 0, 0].into();
        let balance = balance(Choice::RoundRobin, &[1, 1, 1]).by_levels(Some(levels));
        let call = call(0, &[]);
        let picked = |tried: &[usize]| (0..6).filter_map(|_| balance.pick(&call, 0, 0, tried)).collect::<Vec<_>>();
        assert!(picked(&[]).iter().all(|place| [1, 2].contains(place)), "{:?}", picked(&[]));
        assert_eq!(picked(&[1]), [2; 6]);
        balance.live.endpoints[1].leave_out_until(1);
        assert_eq!(picked(&[]), [2; 6]);
        balance.live.endpoints[2].leave_out_until(1);
        assert_eq!(picked(&[]), [0; 6]);
    }

    #[test]
    fn another_endpoint_is_tried_where_there_is_one() {
        let balance = balance(Choice::Random, &[1, 1]);
        let call = call(0, &[]);
        for draw in 0..2 {
            assert_eq!(balance.pick(&call, draw, 0, &[0]), Some(1));
            assert!(balance.pick(&call, draw, 0, &[0, 1]).is_some());
        }
        assert_eq!(self::balance(Choice::Random, &[]).pick(&call, 0, 0, &[]), None);
    }

    #[test]
    fn calls_that_have_something_in_common_stay_together() {
        let names = ["a", "b", "c"];
        let ring =
            |names: &[&'static str]| Ring::new(names.iter().map(|name| (*name, 1)).collect::<Vec<_>>().into_iter(), 0);
        let by = |by: HashBy| balance(Choice::Hash(by, ring(&names)), &[1, 1, 1]);
        let header = by(HashBy::Header(HeaderName::from_static("x-user")));
        let mut seen = std::collections::BTreeSet::new();
        for user in 0..50 {
            let user = user.to_string();
            let place = header.pick(&call(1, &[("x-user", &user)]), 0, 0, &[]);
            assert_eq!(header.pick(&call(2, &[("x-user", &user)]), 1, 0, &[]), place);
            seen.insert(place);
        }
        assert_eq!(seen.len(), 3, "all are used");
        assert_eq!(
            by(HashBy::SourceIp).pick(&call(1, &[]), 0, 0, &[]),
            by(HashBy::SourceIp).pick(&call(2, &[]), 1, 0, &[])
        );
        let query = by(HashBy::Query("user".into()));
        assert_eq!(query.pick(&call(1, &[]), 0, 0, &[]), query.pick(&call(2, &[]), 1, 0, &[]));
    }

    #[test]
    fn most_calls_stay_where_they_were_when_an_endpoint_goes() {
        let ring = |names: &[&'static str]| Ring::new(names.iter().copied().map(|name| (name, 1)), 0);
        let (all, fewer) = (ring(&["a", "b", "c"]), ring(&["a", "b"]));
        let first = |ring: &Ring, user: u64| ring.from(hash(&user)).next();
        let moved =
            (0..1_000).filter(|user| first(&all, *user) != Some(2) && first(&all, *user) != first(&fewer, *user));
        assert!(moved.count() < 200);
    }

    #[test]
    fn a_cookie_is_made_for_callers_without_one_and_keeps_them() {
        let cookie = HashCookie { name: "session".into(), path: "/".into(), life: Some(Duration::from_secs(60)) };
        let ring = Ring::new([("a", 1), ("b", 1), ("c", 1)].into_iter(), 0);
        let balance = balance(Choice::Hash(HashBy::Cookie(cookie), ring), &[1, 1, 1]);
        for chance in 0..20 {
            let first = call(chance, &[]);
            let made = balance.cookie(&first).expect("it had none");
            let (pair, rest) = made.split_once(';').expect("attributes");
            assert_eq!(rest, " Max-Age=60; Path=/; HttpOnly");
            let second = call(99, &[("cookie", &format!("x=1; {pair}"))]);
            assert_eq!(balance.pick(&first, 0, 0, &[]), balance.pick(&second, 1, 0, &[]));
            assert_eq!(balance.cookie(&second), None);
        }
    }
}
