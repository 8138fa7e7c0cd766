//! Sidecar listeners: bound once for each worker, so that the kernel spreads connections and no socket is shared.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Connections that wait to be accepted; the kernel cuts it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Bytes that the kernel keeps of an answer beyond what it may send: a client who does not read takes no more of its memory, nor
/// of its origin's time.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 512 * 1024;

/// A bound listener, commonly one socket a worker.
#[derive(Debug)]
pub struct Listener {
    /// The address, the port filled in where 0 was asked for.
    pub address: SocketAddr,
    /// Its sockets, one at least.
    pub sockets: Vec<TcpListener>,
}

impl Listener {
    /// The sockets of each of so many workers. None is left out, because connections wait at each; where there are fewer
    /// than workers (another process had bound them), some share one.
    ///
    /// # Errors
    /// There is no descriptor left, or the system does not let them be set up.
    pub fn spread(self, workers: usize) -> io::Result<Vec<Vec<TcpListener>>> {
        let mut spread: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
        for (worker, turn) in (self.sockets.len()..workers).zip(0..) {
            spread[worker].push(self.sockets[turn % self.sockets.len()].try_clone()?);
        }
        for (turn, socket) in self.sockets.into_iter().enumerate() {
            prepare(&socket)?;
            spread[turn % workers].push(socket);
        }
        Ok(spread)
    }
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", explain(.error))]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    pub error: io::Error,
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use by another process; pick another port".into(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges; pick another port".into(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".into(),
        _ => error.to_string(),
    }
}

/// Binds an address for so many workers. Port 0 takes a free port, the same for all.
///
/// # Errors
/// What the system says, in the user's words.
pub fn bind(address: SocketAddr, workers: usize) -> Result<Listener, BindError> {
    let failed = |error| BindError { address, error };
    // Tried without SO_REUSEPORT first: with it, a second proxy of the same user would silently take a share of the
    // connections.
    let bound = probe(address).map_err(failed)?;
    let sockets = (0..workers.max(1)).map(|_| share(bound)).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    Ok(Listener { address: bound, sockets })
}

/// What connections inherit from the socket that they are accepted at, so that it costs none of them a system call.
fn prepare(socket: &TcpListener) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

fn probe(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = open(address)?;
    socket.bind(&address.into())?;
    socket.listen(1)?;
    TcpListener::from(socket).local_addr()
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn share(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_refused_in_plain_words() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("bound");
        let error = bind(address, 1).expect_err("in use").to_string();
        assert!(error.contains(&address.to_string()) && error.contains("in use"), "{error}");
    }

    #[test]
    fn no_socket_is_left_out_and_no_worker_goes_without() {
        for (sockets, workers) in [(1, 1), (1, 3), (2, 5), (4, 4), (5, 2)] {
            let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0)), sockets).expect("a free port");
            let spread = bound.spread(workers).expect("descriptors");
            let each: Vec<_> = spread.iter().map(Vec::len).collect();
            assert!(each.iter().all(|one| *one > 0), "{sockets} {workers}: {each:?}");
            assert_eq!(each.iter().sum::<usize>(), sockets.max(workers));
        }
    }

    #[test]
    fn a_connection_inherits_how_answers_are_sent() {
        let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0)), 1).expect("a free port");
        let address = bound.address;
        let spread = bound.spread(1).expect("descriptors");
        let _client = std::net::TcpStream::connect(address).expect("it listens");
        spread[0][0].set_nonblocking(false).expect("an open socket");
        let (accepted, _) = spread[0][0].accept().expect("a connection");
        let accepted = SockRef::from(&accepted);
        assert!(accepted.tcp_nodelay().expect("an open socket"));
        #[cfg(target_os = "linux")]
        assert_eq!(accepted.tcp_notsent_lowat().expect("an open socket"), UNSENT);
    }

    #[test]
    fn a_second_proxy_cannot_share_the_port() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), 2).expect("a free port");
        assert_eq!(first.sockets.len(), 2);
        assert!(bind(first.address, 2).is_err());
    }
}
