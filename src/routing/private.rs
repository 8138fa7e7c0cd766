//! Which names may lead to private addresses.
//!
//! Whoever controls a name decides what it resolves to. Without a bound, a call that is allowed to a host outside could be
//! led to a service inside, or to the machine's own metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::subnet::Subnet;

/// The private addresses that a name may lead to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Private {
    /// Only these: the `addresses` of its ServiceEntry, commonly none.
    Only(Vec<Subnet>),
    /// Those of private networks, because it is inside the mesh; of those that are no service's (link-local ones, where
    /// machines find their metadata, multicast) only these.
    Mesh(Vec<Subnet>),
    /// Any: it is an address itself, as declared, or `localhost`.
    Any,
    /// None, whatever the name looks like: nobody registered it.
    None,
}

impl Private {
    /// Whether a name may lead to an address.
    pub fn admits(&self, address: IpAddr) -> bool {
        match self {
            Private::Any => true,
            Private::None => !is_private(address),
            Private::Only(registered) => !is_private(address) || is_in(registered, address),
            Private::Mesh(registered) => !is_no_service(address) || is_in(registered, address),
        }
    }
}

fn is_in(networks: &[Subnet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.has(address))
}

/// Whether an endpoint's address says itself where it leads: it is one, or the machine's own (RFC 6761 §6.3).
pub(super) fn is_literal(address: &str) -> bool {
    let name = address.trim_end_matches('.');
    address.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

/// Whether no service of a network has this address: it belongs to the link, the machine or a group.
fn is_no_service(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_no_service_v4(address),
        IpAddr::V6(address) => {
            embedded(address).is_some_and(is_no_service_v4)
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unicast_link_local()
                // The metadata of AWS and of Google.
                || address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
                || address.segments() == [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        }
    }
}

fn is_no_service_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        // The metadata of Azure, of Alibaba and of Oracle.
        || [[168, 63, 129, 16], [100, 100, 100, 200], [192, 0, 0, 192]].contains(&address.octets())
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
    embedded(address).is_some_and(is_private_v4)
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        // Translation that is local (RFC 8215), and site-local addresses of old.
        || segments[..3] == [0x64, 0xff9b, 1]
        || segments[0] & 0xffc0 == 0xfec0
}

/// The address of IPv4 that one of IPv6 stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        // Mapped and compatible (RFC 4291), translated (RFC 6052, RFC 2765), 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        // Teredo, which writes it inverted (RFC 4380).
        [0x2001, 0, .., high, low] => Some(Ipv4Addr::from(!(u32::from(high) << 16 | u32::from(low)))),
        _ => None,
    }
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
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
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
    fn only_addresses_and_localhost_say_themselves_where_they_lead() {
        for address in ["10.0.0.1", "::1", "[::1]", "localhost", "a.localhost."] {
            assert!(is_literal(address), "{address}");
        }
        for name in ["db", "a.local", "a.example", "notlocalhost", "127.0.0.1.example", "edition.cnn.com"] {
            assert!(!is_literal(name), "{name}");
        }
    }

    #[test]
    fn a_name_leads_inside_only_where_that_is_registered() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let network = |text: &str| vec![text.parse::<Subnet>().expect("a network")];
        let (inside, metadata) = (address("10.0.0.1"), address("169.254.169.254"));
        for (private, to_inside, to_metadata) in [
            (Private::Only(Vec::new()), false, false),
            (Private::Only(network("10.0.0.1")), true, false),
            (Private::Only(network("10.0.0.0/8")), true, false),
            (Private::Only(network("169.254.169.254")), false, true),
            (Private::Mesh(Vec::new()), true, false),
            (Private::Mesh(network("169.254.169.254")), true, true),
            (Private::Any, true, true),
            (Private::None, false, false),
        ] {
            assert_eq!((private.admits(inside), private.admits(metadata)), (to_inside, to_metadata), "{private:?}");
            assert!(private.admits(address("8.8.8.8")), "{private:?}");
        }
        let mesh = Private::Mesh(Vec::new());
        for nobody in
            ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "fe80::1", "fd00:ec2::254", "::ffff:169.254.0.1", "168.63.129.16"]
        {
            assert!(!mesh.admits(address(nobody)), "{nobody}");
        }
        assert!(Private::Only(network("10.0.0.1")).admits(address("::ffff:10.0.0.1")));
    }
}
