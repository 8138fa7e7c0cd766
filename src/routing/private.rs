//! Which names may lead to private addresses.
//!
//! Whoever controls a public name decides what it resolves to. Without a bound, a call that is allowed to a host outside
//! could be led to a service inside, or to the machine's own metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The private addresses that a name may lead to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Private {
    /// Only these: the `addresses` of its ServiceEntry, commonly none.
    Only(Vec<IpAddr>),
    /// Any.
    Any,
    /// None, whatever the name looks like: nobody registered it.
    None,
}

/// Last labels of names that are never public (RFC 6761, RFC 6762, RFC 7686, RFC 8375, ICANN's `internal`).
const RESERVED: [&str; 9] =
    ["localhost", "local", "internal", "test", "example", "invalid", "onion", "home.arpa", "localdomain"];

impl Private {
    /// Whether a name may lead to an address.
    pub fn admits(&self, address: IpAddr) -> bool {
        match self {
            Private::Any => true,
            Private::None => !is_private(address),
            Private::Only(registered) => !is_private(address) || registered.contains(&address),
        }
    }
}

/// Whether a name may be anybody's: it has a dot, and its end is not reserved for names that mean something only here.
pub(super) fn is_public(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let is_below = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    name.contains('.') && name.parse::<IpAddr>().is_err() && !RESERVED.iter().any(|end| is_below(end))
}

/// Whether an address is not one of the internet's: the machine's own, a private network's, a multicast group.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        // Carrier-grade NAT (RFC 6598).
        || (first == 100 && (64..128).contains(&second))
        // IETF protocol assignments, and benchmarks (RFC 6890).
        || address.octets().starts_with(&[192, 0, 0])
        || (first == 198 && (18..20).contains(&second))
        // Azure's own services for a machine, its metadata among them.
        || address.octets() == [168, 63, 129, 16]
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = match segments {
        // Mapped and compatible (RFC 4291), translated (RFC 6052, RFC 2765), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        // Teredo, which writes it inverted (RFC 4380).
        [0x2001, 0, .., high, low] => Some(Ipv4Addr::from(!(u32::from(high) << 16 | u32::from(low)))),
        _ => None,
    };
    embedded.is_some_and(is_private_v4)
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        // Translation that is local (RFC 8215), and site-local addresses of old.
        || segments[..3] == [0x64, 0xff9b, 1]
        || segments[0] & 0xffc0 == 0xfec0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_told_from_those_of_the_internet() {
        let inside = [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "168.63.129.16",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "2001::f5ff:fffe",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "64:ff9b:1::1",
            "fec0::1",
        ];
        let outside = [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::",
        ];
        for text in inside {
            assert!(is_private(text.parse().expect("an address")), "{text}");
        }
        for text in outside {
            assert!(!is_private(text.parse().expect("an address")), "{text}");
        }
    }

    #[test]
    fn names_that_mean_something_only_here_are_not_public() {
        for name in [
            "localhost",
            "db",
            "a.local",
            "x.svc.cluster.local",
            "a.example",
            "api.internal.",
            "10.0.0.1",
            "x.home.arpa",
        ] {
            assert!(!is_public(name), "{name}");
        }
        for name in ["edition.cnn.com", "example.com", "a.notlocal", "a.mylocal"] {
            assert!(is_public(name), "{name}");
        }
    }

    #[test]
    fn a_public_name_leads_inside_only_where_that_is_registered() {
        let address: IpAddr = "10.0.0.1".parse().expect("an address");
        assert!(!Private::Only(Vec::new()).admits(address));
        assert!(Private::Only(vec![address]).admits(address));
        assert!(Private::Any.admits(address));
        assert!(!Private::None.admits(address));
    }
}
