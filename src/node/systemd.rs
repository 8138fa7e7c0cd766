//! What systemd, or who does as it does, and a service say to each other: `sd_notify(3)`, `sd_listen_fds(3)`.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use listenfd::ListenFd;

/// Where it listens.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Tells it a state, such as `READY=1`, if it listens.
pub(super) fn notify(state: &str) {
    if let Some(socket) = std::env::var_os(NOTIFY_SOCKET) {
        // A service works without being listened to.
        let _ = send(&socket, state);
    }
}

fn send(socket: &OsString, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// The sockets that it has bound for this process.
///
/// # Errors
/// One of them is none of TCP that listens.
pub(super) fn listeners() -> io::Result<Vec<TcpListener>> {
    let mut handed = ListenFd::from_env();
    let all = (0..handed.len()).map(|place| handed.take_tcp_listener(place));
    Ok(all.collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reaches_sockets_with_a_path_and_without() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("egressctl-test-{}", std::process::id());
        let heard = [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
                OsString::from(format!("@{name}")),
            ),
        ];
        for (socket, told) in heard {
            send(&told, "READY=1").unwrap();
            let mut buffer = [0; 32];
            let read = socket.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..read], b"READY=1");
        }
    }
}
