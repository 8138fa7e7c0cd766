//! Calls for tests of routes.

use std::net::{IpAddr, Ipv4Addr};

use crate::call::{Arrival, Call, normalize};
use crate::expr::Timestamp;

/// A GET of a URL.
pub(super) fn call_to(url: &str) -> Call {
    call(url, 0)
}

/// A call with this chance.
pub(super) fn call_with_chance(chance: u64) -> Call {
    call("http://a.example/", chance)
}

/// A call with this head.
pub(super) fn call_of(head: http::request::Builder) -> Call {
    arrived(head, 0)
}

/// A tunnel to `HOST:PORT`.
pub(super) fn tunnel_to(target: &str) -> Call {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
    Call::tunnel_to(target, arrival).expect("a target")
}

fn call(url: &str, chance: u64) -> Call {
    arrived(http::Request::builder().uri(url).version(http::Version::HTTP_2), chance)
}

fn arrived(head: http::request::Builder, chance: u64) -> Call {
    let head = head.body(()).expect("a head").into_parts().0;
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    normalize(head, Arrival { time: Timestamp::ZERO, chance, caller: None, peer, tls: None }).expect("a call")
}
