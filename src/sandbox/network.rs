//! The network of a sandbox: nothing but a loopback, on which every address is at home.
//!
//! There is no other device, so nothing that is sent can leave. Connections of TCP to any address but the program's own
//! are handed to one listener by the kernel (TPROXY), which keeps the address that they were for. No program is needed
//! for it, only `nf_tables`. Datagrams are noted and refused ([`datagrams`](super::datagrams)).

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use rustix::net::{AddressFamily, netlink};
use socket2::{Domain, Socket, Type};

use crate::proxy::{NAME_SERVER, PROGRAM, SIDECAR};

use super::datagrams::Datagrams;
use super::netlink::{Attributes, CREATE, Conversation, Message};

/// The address from which a program calls by IPv6: one of those of tests in a closed network, so that it is nobody's.
const OWN_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1);

/// Where the kernel hands connections of IPv6 over; those of IPv4 at [`SIDECAR`].
const SIDECAR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 2);

/// Connections that wait to be accepted; the kernel cuts it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Types of messages of `NETLINK_ROUTE`.
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
/// The index of the loopback in every network namespace.
const LOOPBACK: u32 = 1;
/// `IFF_UP`.
const UP: u32 = 1;
/// `IFA_ADDRESS`, `IFA_LOCAL`; an address that need not be tried first (`IFA_F_NODAD`).
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const NO_DUPLICATES: u8 = 2;
/// `RTA_OIF`, `RTA_PREFSRC`.
const DEVICE: u16 = 4;
const SOURCE: u16 = 7;
/// The table of routes to this machine, who made the route (`RTPROT_STATIC`), how far it reaches (`RT_SCOPE_HOST`), and
/// that it ends here (`RTN_LOCAL`).
const LOCAL_TABLE: u8 = 255;
const STATIC: u8 = 4;
const HOST_SCOPE: u8 = 254;
const ENDS_HERE: u8 = 2;

/// What the proxy serves for a sandbox. Its sockets belong to the sandbox's network, whoever holds them.
#[derive(Debug)]
pub struct Sockets {
    /// Connections to any address.
    pub captured: Vec<TcpListener>,
    /// Questions for names.
    pub names: UdpSocket,
}

/// What of the network could not be set up.
pub(super) type Fault = (&'static str, io::Error);

/// Makes the network of the calling process, which must be in a network namespace of its own.
pub(super) fn set_up() -> Result<(Sockets, Datagrams), Fault> {
    let route = Conversation::with(None).map_err(|error| ("NETLINK_ROUTE", error))?;
    route.ask(&link_up()).map_err(|error| ("the loopback", error))?;
    everything_is_here(&route, PROGRAM).map_err(|error| ("routes of IPv4", error))?;
    // A kernel may have been started without IPv6; then there is none to be captured.
    let v6 = everything_is_here(&route, OWN_V6.into()).is_ok();
    let netfilter = Conversation::with(Some(netlink::NETFILTER)).map_err(|error| ("NETLINK_NETFILTER", error))?;
    let mut captured = Vec::new();
    let families: &[(IpAddr, SocketAddr)] =
        &[(PROGRAM, SIDECAR), (OWN_V6.into(), SocketAddr::new(SIDECAR_V6.into(), SIDECAR.port()))];
    let families = &families[..if v6 { 2 } else { 1 }];
    for (own, to) in families {
        capture(&netfilter, *own, *to).map_err(|error| ("nf_tables with tproxy", error))?;
        captured.push(listen(*to).map_err(|error| ("a transparent socket", error))?);
    }
    let names = UdpSocket::bind(NAME_SERVER).map_err(|error| ("the name server's socket", error))?;
    let own: Vec<_> = families.iter().map(|(own, _)| *own).collect();
    Ok((Sockets { captured, names }, Datagrams::note(netfilter, &own)))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // Of IPv6 too: the kernel keeps one flag for both.
    socket.set_ip_transparent_v4(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn link_up() -> Message {
    let mut fixed = vec![0; 4];
    for number in [LOOPBACK, UP, UP] {
        fixed.extend(number.to_ne_bytes());
    }
    Message::new(NEW_LINK, 0, &fixed, &Attributes::default())
}

/// Gives the loopback an address, and makes it the end of every route, from that address.
fn everything_is_here(route: &Conversation, own: IpAddr) -> io::Result<()> {
    let (octets, flags, scope) = match own {
        IpAddr::V4(own) => (own.octets().to_vec(), 0, HOST_SCOPE),
        IpAddr::V6(own) => (own.octets().to_vec(), NO_DUPLICATES, 0),
    };
    let whole = u8::try_from(octets.len() * 8).unwrap_or(u8::MAX);
    let fixed = [&[family(own), whole, flags, 0][..], &LOOPBACK.to_ne_bytes()].concat();
    let address = Attributes::default().with(LOCAL, &octets).with(ADDRESS, &octets);
    route.ask(&Message::new(NEW_ADDRESS, CREATE, &fixed, &address))?;
    let fixed = [family(own), 0, 0, 0, LOCAL_TABLE, STATIC, scope, ENDS_HERE, 0, 0, 0, 0];
    let attributes = Attributes::default().with(DEVICE, &LOOPBACK.to_ne_bytes()).with(SOURCE, &octets);
    route.ask(&Message::new(NEW_ROUTE, CREATE, &fixed, &attributes))
}

pub(super) fn family(address: IpAddr) -> u8 {
    let family = match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    // Both are single digits.
    u8::try_from(family.as_raw()).unwrap_or_default()
}

/// Types of messages of `nf_tables`, and those around a batch.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
pub(super) const NF_TABLES: u16 = 10 << 8;
const NEW_TABLE: u16 = NF_TABLES;
const NEW_CHAIN: u16 = NF_TABLES + 3;
pub(super) const NEW_RULE: u16 = NF_TABLES + 6;

/// The hook that arriving packets come to before they are routed (`NF_INET_PRE_ROUTING`), and where packets are changed
/// there (`NF_IP_PRI_MANGLE`).
const PREROUTING: u32 = 0;
const MANGLE: i32 = -150;

/// The name of the table and its chain.
pub(super) const TABLE: &str = "egressctl";
pub(super) const CHAIN: &str = "prerouting";

/// Hands connections of TCP to any address but the caller's own, and none within the loopback's network, to a listener.
fn capture(netfilter: &Conversation, own: IpAddr, to: SocketAddr) -> io::Result<()> {
    let head = [family(own), 0, 0, 0];
    let table = Attributes::default().text(1, TABLE);
    let hook = Attributes::default().number(1, PREROUTING).with(2, &MANGLE.to_be_bytes());
    let chain = Attributes::default().text(1, TABLE).text(3, CHAIN).holding(4, &hook).text(7, "filter");
    let rule = Attributes::default().text(1, TABLE).text(2, CHAIN).holding(4, &expressions(own, to));
    let messages = [
        Message::new(NEW_TABLE, CREATE, &head, &table),
        Message::new(NEW_CHAIN, CREATE, &head, &chain),
        Message::new(NEW_RULE, CREATE, &head, &rule),
    ];
    commit(netfilter, &messages)
}

/// Asks `nf_tables` for things that are done all or not at all.
pub(super) fn commit(netfilter: &Conversation, messages: &[Message]) -> io::Result<()> {
    // The batch is for the part of netfilter that has the number of its messages.
    let of_nf_tables = [0, 0, 0, 10];
    let around = |kind| Message::new(kind, 0, &of_nf_tables, &Attributes::default());
    netfilter.ask_all(&around(BATCH_BEGIN), messages, &around(BATCH_END))
}

/// The registers that the rule uses; each has 16 bytes.
const FIRST: u32 = 1;
const SECOND: u32 = 2;
/// `NFT_CMP_EQ`, `NFT_CMP_NEQ`.
const EQUAL: u32 = 0;
const OTHER: u32 = 1;
/// `NFT_META_L4PROTO`, and TCP's number.
const PROTOCOL: u32 = 16;
const TCP: u8 = 6;

/// `ip daddr != 127.0.0.0/8 ip daddr != OWN meta l4proto tcp tproxy to TO`, as the kernel has it.
fn expressions(own: IpAddr, to: SocketAddr) -> Attributes {
    let tproxy = Attributes::default().number(1, u32::from(family(own))).number(2, FIRST).number(3, SECOND);
    let handed_over =
        [loaded(FIRST, &octets(to.ip())), loaded(SECOND, &to.port().to_be_bytes()), expression("tproxy", &tproxy)];
    spared(own, TCP).into_iter().chain(handed_over).fold(Attributes::default(), |all, one| all.holding(1, &one))
}

/// `ip daddr != 127.0.0.0/8 ip daddr != OWN meta l4proto PROTOCOL`: what a program sends to itself is spared.
pub(super) fn spared(own: IpAddr, protocol: u8) -> [Attributes; 6] {
    let loopback = match own {
        IpAddr::V4(_) => vec![127],
        IpAddr::V6(_) => octets(Ipv6Addr::LOCALHOST.into()),
    };
    let (at, length) = place(own);
    [
        destination(at, u32::try_from(loopback.len()).unwrap_or(length)),
        compared(OTHER, &loopback),
        destination(at, length),
        compared(OTHER, &octets(own)),
        expression("meta", &Attributes::default().number(1, FIRST).number(2, PROTOCOL)),
        compared(EQUAL, &[protocol]),
    ]
}

/// Where the address that a packet is for stands in its header, and how many bytes it has.
pub(super) fn place(own: IpAddr) -> (u32, u32) {
    match own {
        IpAddr::V4(_) => (16, 4),
        IpAddr::V6(_) => (24, 16),
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

pub(super) fn expression(name: &str, data: &Attributes) -> Attributes {
    Attributes::default().text(1, name).holding(2, data)
}

/// Loads bytes of the network header (`NFT_PAYLOAD_NETWORK_HEADER`).
fn destination(at: u32, length: u32) -> Attributes {
    expression("payload", &Attributes::default().number(1, FIRST).number(2, 1).number(3, at).number(4, length))
}

fn compared(how: u32, with: &[u8]) -> Attributes {
    let value = Attributes::default().with(1, with);
    expression("cmp", &Attributes::default().number(1, FIRST).number(2, how).holding(3, &value))
}

fn loaded(register: u32, value: &[u8]) -> Attributes {
    let value = Attributes::default().with(1, value);
    expression("immediate", &Attributes::default().number(1, register).holding(2, &value))
}
