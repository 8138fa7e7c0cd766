//! Which addresses the programs of a sandbox send datagrams to, which lead nowhere.
//!
//! A program that hangs because it tries QUIC, or asks a name server of its own, should be told of in the log. So the kernel
//! notes in a set of `nf_tables`, which has an end, where datagrams were for; they go on to be refused (ICMP), so that
//! programs try another way at once. No datagram is copied, and no process wakes for one.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::proxy::NAME_SERVER;

use super::netlink::{Attributes, CREATE, Conversation, Message, attributes};
use super::network::{CHAIN, NEW_RULE, NF_TABLES, TABLE, commit, expression, family, place, spared};

/// Most addresses that are noted, of either family.
const MOST: u32 = 64;

/// The name of the set, and its number in the batch that makes it.
const SET: &str = "datagrams";
const NUMBER: u32 = 1;

/// Types of messages.
const NEW_SET: u16 = NF_TABLES + 9;
const GET_ELEMENTS: u16 = NF_TABLES + 13;

/// A set that rules may add to (`NFT_SET_EVAL`).
const GROWS: u32 = 0x20;

/// Registers of 4 bytes each, one behind the other, from `NFT_REG32_00` on.
const KEY: u32 = 8;

/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`, and where UDP has the port that it is for.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const PORT: u32 = 2;

/// UDP's number.
const UDP: u8 = 17;

/// What is noted of a sandbox's datagrams.
#[derive(Debug)]
pub(super) struct Datagrams {
    netfilter: Conversation,
    families: Vec<u8>,
    known: HashSet<SocketAddr>,
}

impl Datagrams {
    /// Lets the kernel note them for programs that call from these addresses. A kernel that cannot notes nothing.
    pub(super) fn note(netfilter: Conversation, own: &[IpAddr]) -> Self {
        let noted = own.iter().filter(|own| commit(&netfilter, &messages(**own)).is_ok());
        let families = noted.map(|own| family(*own)).collect();
        Self { netfilter, families, known: HashSet::from([NAME_SERVER]) }
    }

    /// Those that were not known at the last question.
    pub(super) fn news(&mut self) -> Vec<SocketAddr> {
        let list = Attributes::default().text(1, TABLE).text(2, SET);
        let found = self
            .families
            .iter()
            .filter_map(|family| self.netfilter.list(&Message::new(GET_ELEMENTS, 0, &[*family, 0, 0, 0], &list)).ok());
        let found: Vec<_> = found.flatten().flat_map(|message| elements(&message)).collect();
        found.into_iter().filter(|address| self.known.insert(*address)).collect()
    }
}

/// The set of a family, and the rule that adds to it.
fn messages(own: IpAddr) -> [Message; 2] {
    let head = [family(own), 0, 0, 0];
    let (at, length) = place(own);
    let size = Attributes::default().number(1, MOST);
    let set = Attributes::default().text(1, TABLE).text(2, SET).number(3, GROWS);
    let set = set.number(5, length + 4).holding(9, &size).number(10, NUMBER);
    let load = |register, base, at, length| {
        let attributes = Attributes::default().number(1, register).number(2, base).number(3, at);
        expression("payload", &attributes.number(4, length))
    };
    let add = Attributes::default().text(1, SET).number(2, NUMBER).number(3, 0).number(4, KEY);
    let noted =
        [load(KEY, NETWORK, at, length), load(KEY + length / 4, TRANSPORT, PORT, 2), expression("dynset", &add)];
    let expressions = spared(own, UDP).into_iter().chain(noted);
    let expressions = expressions.fold(Attributes::default(), |all, one| all.holding(1, &one));
    let rule = Attributes::default().text(1, TABLE).text(2, CHAIN).holding(4, &expressions);
    [Message::new(NEW_SET, CREATE, &head, &set), Message::new(NEW_RULE, CREATE, &head, &rule)]
}

/// The addresses in a message that lists elements of a set.
fn elements(message: &[u8]) -> Vec<SocketAddr> {
    // Behind the family, the list (`NFTA_SET_ELEM_LIST_ELEMENTS`) of elements, each with its key and that with its value.
    let within =
        |bytes, wanted| attributes(bytes).into_iter().filter(move |(kind, _)| *kind == wanted).map(|(_, value)| value);
    let lists = within(message.get(4..).unwrap_or_default(), 3);
    let elements = lists.flat_map(|list| within(list, 1));
    elements.flat_map(|element| within(element, 1)).flat_map(|key| within(key, 1)).filter_map(address).collect()
}

/// Address and port, which are padded to four bytes.
fn address(key: &[u8]) -> Option<SocketAddr> {
    let (address, port) = key.split_at_checked(key.len().checked_sub(4)?)?;
    let address = match address.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)),
    };
    Some(SocketAddr::new(address, u16::from_be_bytes([port[0], port[1]])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_an_address_and_a_port() {
        let key = |bytes: &[u8]| Attributes::default().with(1, bytes);
        let element = |bytes: &[u8]| Attributes::default().holding(1, &key(bytes));
        let v6 = [&Ipv6Addr::LOCALHOST.octets()[..], &[0, 53, 0, 0]].concat();
        let list = Attributes::default().holding(1, &element(&[192, 0, 2, 1, 1, 187, 0, 0])).holding(1, &element(&v6));
        let message = Attributes::default().text(1, TABLE).holding(3, &list);
        let found = elements(&[&[2, 0, 0, 0], message.bytes()].concat());
        assert_eq!(found, ["192.0.2.1:443".parse().expect("valid"), "[::1]:53".parse().expect("valid")]);
        assert_eq!(elements(&[]), []);
        assert_eq!(address(&[1, 2, 3]), None);
        assert_eq!(address(&[1, 2, 3, 4, 5, 6, 0, 0, 0]), None);
    }
}
