//! Which user owns the other end of a connection that comes from this very machine, as the kernel says (sock_diag(7)).
//!
//! Asked once, when a connection is accepted, and believed only while both its ends are established: a port that somebody
//! else takes over afterwards belongs to another connection. Root owns what nobody owns any more, and so is nobody.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};
use tokio::net::TcpStream;

/// Kinds of messages (linux/netlink.h, linux/sock_diag.h), and their header's length.
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const HEADER: usize = 16;

/// Length of a question about one socket, header included (`inet_diag_req_v2`).
const QUESTION: usize = HEADER + 56;

/// Where an answer (`inet_diag_msg`) has the socket's state, its user and its inode.
const STATE: usize = HEADER + 1;
const USER: usize = HEADER + 64;
const INODE: usize = HEADER + 68;
const ANSWER: usize = HEADER + 72;

const INET: u8 = 2;
const INET6: u8 = 10;
const TCP: u8 = 6;
const ESTABLISHED: u8 = 1;

/// Asks the kernel; a worker's own.
pub(super) struct Owners {
    socket: Option<OwnedFd>,
}

impl Owners {
    /// `wanted` where anybody will ask.
    pub(super) fn new(wanted: bool) -> Self {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let open = || socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(netlink::SOCK_DIAG)).ok();
        Self { socket: wanted.then(open).flatten() }
    }

    /// The user who owns the other end; `None` where it is not on this machine, or nobody's who is told apart.
    pub(super) fn of(&self, stream: &TcpStream) -> Option<u32> {
        let socket = self.socket.as_ref()?;
        let (ours, peer) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        let (ours, peer) = (canonical(ours), canonical(peer));
        if !peer.ip().is_loopback() && peer.ip() != ours.ip() {
            return None;
        }
        let user = ask(socket, peer, ours)?;
        // Of a connection that was reset meanwhile, another may have its addresses.
        stream.peer_addr().ok().map(|_| user)
    }
}

/// Who owns the socket with this address, connected to that one.
fn ask(socket: &OwnedFd, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
    let mut answer = [0; 512];
    // What an earlier question was answered too late.
    while recv(socket, &mut answer[..], RecvFlags::DONTWAIT).is_ok() {}
    sendto(socket, &question(local, remote), SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).ok()?;
    // The kernel has answered by now.
    let (read, _) = recv(socket, &mut answer[..], RecvFlags::DONTWAIT).ok()?;
    owner(answer.get(..read)?)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `inet_diag_req_v2` behind its header; ports and addresses in network order.
fn question(local: SocketAddr, remote: SocketAddr) -> [u8; QUESTION] {
    let mut bytes = [0; QUESTION];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, &(QUESTION as u32).to_ne_bytes());
    put(4, &BY_FAMILY.to_ne_bytes());
    put(6, &REQUEST.to_ne_bytes());
    put(HEADER, &[if local.is_ipv4() { INET } else { INET6 }, TCP]);
    put(HEADER + 4, &u32::MAX.to_ne_bytes());
    put(HEADER + 8, &local.port().to_be_bytes());
    put(HEADER + 10, &remote.port().to_be_bytes());
    for (at, address) in [(HEADER + 12, local.ip()), (HEADER + 28, remote.ip())] {
        match address {
            IpAddr::V4(address) => put(at, &address.octets()),
            IpAddr::V6(address) => put(at, &address.octets()),
        }
    }
    // Any interface, and no cookie of an earlier answer.
    put(HEADER + 48, &[0xff; 8]);
    bytes
}

/// The user in an answer, if it is about a socket that is connected and somebody's.
fn owner(answer: &[u8]) -> Option<u32> {
    let number = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let whole = answer.len() >= ANSWER && kind == BY_FAMILY && answer[STATE] == ESTABLISHED;
    let owned = whole && number(INODE)? != 0;
    number(USER).filter(|user| owned && *user != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_a_connected_socket_of_somebody_tells_an_owner() {
        let answer = |kind: u16, state: u8, user: u32, inode: u32| {
            let mut bytes = [0; ANSWER];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes[STATE] = state;
            bytes[USER..USER + 4].copy_from_slice(&user.to_ne_bytes());
            bytes[INODE..INODE + 4].copy_from_slice(&inode.to_ne_bytes());
            owner(&bytes)
        };
        assert_eq!(answer(BY_FAMILY, ESTABLISHED, 1001, 7), Some(1001));
        assert_eq!(answer(2, ESTABLISHED, 1001, 7), None, "an error");
        assert_eq!(answer(BY_FAMILY, 2, 1001, 7), None, "not connected yet");
        assert_eq!(answer(BY_FAMILY, ESTABLISHED, 1001, 0), None, "nobody's any more");
        assert_eq!(answer(BY_FAMILY, ESTABLISHED, 0, 7), None, "root");
        assert_eq!(owner(&[0; 8]), None);
    }

    #[tokio::test]
    async fn the_kernel_tells_who_has_connected() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let (accepted, _) = listener.accept().await.expect("a connection");
        let user = rustix::process::geteuid().as_raw();
        let owners = Owners::new(true);
        assert_eq!(owners.of(&accepted), (user != 0).then_some(user));
        assert_eq!(Owners::new(false).of(&accepted), None);
        drop(client);
        accepted.readable().await.expect("it ends");
        assert_eq!(owners.of(&accepted), None, "it is nobody's any more");
    }
}
