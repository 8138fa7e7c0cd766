//! Networks of addresses, as ServiceEntries and matches of `tls` and `tcp` routes name them.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::str::FromStr;

/// An address with the length of its prefix: `10.0.0.0/8`; without one it is the address alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// Whether an address is in it; an IPv4-mapped one is an address of IPv4.
    pub fn has(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                (own.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether all of another network is in it.
    pub(super) fn covers(&self, other: &Subnet) -> bool {
        other.prefix >= self.prefix && self.has(other.address)
    }

    /// A single address as it stands in the place of a host.
    pub(super) fn as_host(&self) -> Option<String> {
        match self.address {
            IpAddr::V4(address) => (self.prefix == 32).then(|| address.to_string()),
            IpAddr::V6(address) => (self.prefix == 128).then(|| format!("[{address}]")),
        }
    }

    /// The network of an address with a prefix of this length, if the address has so many bits.
    fn of(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(address) => {
                let left = u32::from(32_u8.checked_sub(prefix)?);
                IpAddr::V4((address.to_bits() & u32::MAX.checked_shl(left).unwrap_or(0)).into())
            }
            IpAddr::V6(address) => {
                let left = u32::from(128_u8.checked_sub(prefix)?);
                IpAddr::V6((address.to_bits() & u128::MAX.checked_shl(left).unwrap_or(0)).into())
            }
        };
        Some(Self { address, prefix })
    }
}

/// Hosts by the networks that are declared for them: a look-up costs one hash for each length of prefix that there is.
#[derive(Debug, Default)]
pub(super) struct Networks {
    hosts: HashMap<Subnet, Box<str>>,
    prefixes: BTreeSet<u8>,
}

impl Networks {
    /// Adds a host; of two with one network the first by name stays.
    pub(super) fn add(&mut self, subnet: Subnet, host: &str) {
        let Some(network) = Subnet::of(subnet.address, subnet.prefix) else { return };
        self.prefixes.insert(network.prefix);
        let known = self.hosts.entry(network).or_insert_with(|| host.into());
        if host < &**known {
            *known = host.into();
        }
    }

    /// The host of the narrowest network that has an address.
    pub(super) fn find(&self, address: IpAddr) -> Option<&str> {
        let mut networks = self.prefixes.iter().rev().filter_map(|prefix| Subnet::of(address.to_canonical(), *prefix));
        networks.find_map(|network| self.hosts.get(&network)).map(|host| &**host)
    }
}

impl FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| ())?)),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        if prefix > longest { Err(()) } else { Ok(Self { address, prefix }) }
    }
}

/// Those of some texts that are networks. All are: others were refused when they were declared.
pub(super) fn subnets(texts: &[String]) -> Vec<Subnet> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses_of_both_families() {
        let has = |subnet: &str, address: &str| {
            subnet.parse::<Subnet>().expect("a network").has(address.parse().expect("an address"))
        };
        assert!(has("10.1.0.0/16", "10.1.255.255") && !has("10.1.0.0/16", "10.2.0.0"));
        assert!(has("10.1.2.3", "10.1.2.3") && !has("10.1.2.3", "10.1.2.4"));
        assert!(has("0.0.0.0/0", "255.1.2.3") && !has("0.0.0.0/0", "::1"));
        assert!(has("2001:db8::/32", "2001:db8:1::1") && !has("2001:db8::/32", "2001:db9::1"));
        assert!(has("10.0.0.0/8", "::ffff:10.1.1.1"));
        for bad in ["", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/-1"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_narrowest_network_tells_the_host_and_of_equals_the_first_name() {
        let mut networks = Networks::default();
        for (subnet, host) in [
            ("0.0.0.0/0", "all"),
            ("10.1.2.3/8", "b"),
            ("10.9.9.9/8", "a"),
            ("10.1.0.0/16", "narrow"),
            ("10.1.2.3", "one"),
            ("2001:db8::/32", "six"),
        ] {
            networks.add(subnet.parse().expect("a network"), host);
        }
        for (address, host) in [
            ("10.1.2.3", Some("one")),
            ("::ffff:10.1.2.3", Some("one")),
            ("10.1.2.4", Some("narrow")),
            ("10.2.0.0", Some("a")),
            ("11.0.0.0", Some("all")),
            ("2001:db8::7", Some("six")),
            ("2001:db9::7", None),
        ] {
            assert_eq!(networks.find(address.parse().expect("an address")), host, "{address}");
        }
    }

    #[test]
    fn a_network_covers_narrower_ones() {
        let covers = |wide: &str, narrow: &str| {
            let wide = wide.parse::<Subnet>().expect("a network");
            wide.covers(&narrow.parse().expect("a network"))
        };
        assert!(covers("10.0.0.0/8", "10.1.0.0/16") && covers("10.0.0.0/8", "10.0.0.0/8"));
        assert!(!covers("10.1.0.0/16", "10.0.0.0/8"));
    }
}
