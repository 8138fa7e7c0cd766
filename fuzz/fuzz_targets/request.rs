//! Any target and Host: normalizing neither panics nor leaves anything to normalize.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use egressctl::call::{Arrival, normalize};
use egressctl::expr::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (target, host) = input;
    let Ok(head) = http::Request::builder().uri(target).header("host", host).body(()) else { return };
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
    if let Ok(call) = normalize(head.into_parts().0, arrival) {
        let path = call.path();
        assert!(path == "*" || path.starts_with('/'), "{path}");
        assert!(!path.contains("//") && !path.contains("/../") && !path.contains('\\'), "{path}");
        assert_eq!(call.authority().host(), call.authority().host().to_ascii_lowercase());
    }
});
