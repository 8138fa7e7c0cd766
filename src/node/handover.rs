//! One process goes on for another: it asks for the listening sockets by the admin endpoint, gets ready, and then takes over.
//!
//! Both hold the same sockets, so no connection that waits to be accepted is lost: until the new process says that it takes
//! over, the old one accepts; then the new one does. If either fails before, everything stays as it was.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::api::HANDOVER;
use crate::sandbox::channel::{MOST, receive, received, send};

/// What is spoken after HTTP.
pub(super) const PROTOCOL: &str = "egressctl-handover";

/// How long the old process may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the new process may take until it is ready to take over, fetching all its lists. The old one holds descriptors for it
/// as long as it is waited for.
const READY_LIMIT: Duration = Duration::from_secs(300);

/// What one that is not waited for any more is told.
const TOO_LATE: &str = "it was not ready in time, and the other process goes on";

/// Longest head of an answer, in bytes.
const LONGEST_HEAD: usize = 4096;

/// From the old process: some of its sockets.
#[derive(Debug, Serialize, Deserialize)]
struct Handed {
    /// Its process id.
    pid: u32,
    /// Whether more of them follow.
    more: bool,
}

/// From the new process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    /// The next sockets.
    More,
    /// That it may go on instead.
    TakeOver {
        /// Its process id.
        pid: u32,
    },
}

/// To whoever takes over: nothing, or why it may not.
type Released = Option<String>;

/// The process that is to be replaced, as the new one sees it.
#[derive(Debug)]
pub(super) struct Predecessor {
    stream: UnixStream,
    pid: u32,
}

impl Predecessor {
    /// Asks the process that answers on an admin socket for its listening sockets; none where nobody answers.
    ///
    /// # Errors
    /// It does not hand them over.
    pub(super) fn ask(socket: &Path) -> io::Result<Option<(Self, Vec<TcpListener>)>> {
        let Ok(mut stream) = UnixStream::connect(socket) else { return Ok(None) };
        stream.set_read_timeout(Some(PATIENCE))?;
        let request =
            format!("POST {HANDOVER} HTTP/1.1\r\nhost: proxy\r\nconnection: upgrade\r\nupgrade: {PROTOCOL}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let head = read_head(&mut stream)?;
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(io::Error::other("it is of a version that hands nothing over; stop it instead"));
        }
        let mut sockets = Vec::new();
        loop {
            let (Handed { pid, more }, handed) = receive::<Handed>(&stream)?;
            sockets.extend(handed.into_iter().map(TcpListener::from));
            if !more {
                return Ok(Some((Self { stream, pid }, sockets)));
            }
            send(&stream, &Asked::More, &[])?;
        }
    }

    /// Takes over: afterwards the other process accepts nothing and keeps no files of its node. One that has ended
    /// meanwhile does neither.
    ///
    /// # Errors
    /// It goes on itself, because another one has taken over.
    pub(super) fn take_over(&self) -> io::Result<()> {
        // Who listens no more may have said why before.
        let _ = send(&self.stream, &Asked::TakeOver { pid: std::process::id() }, &[]);
        match receive::<Released>(&self.stream) {
            Ok((None, _)) => Ok(()),
            Ok((Some(why), _)) => Err(io::Error::other(why)),
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Until it has ended.
    pub(super) async fn ended(self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(self.stream)?;
        // It says nothing more.
        received::<Released>(&stream).await.map_or(Ok(()), |_| Err(io::ErrorKind::InvalidData.into()))
    }
}

/// Byte by byte, because what follows comes with descriptors, which an ordinary read would lose.
fn read_head(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(head)
}

/// The process that is to go on, as the old one sees it.
#[derive(Debug)]
pub(super) struct Successor(tokio::net::UnixStream);

impl Successor {
    /// Hands sockets to the process at the other end of a connection, and waits until it takes over.
    ///
    /// # Errors
    /// It has left, or was not ready in time; then nothing has changed.
    pub(super) async fn equip(stream: tokio::net::UnixStream, sockets: &[TcpListener]) -> io::Result<(Self, u32)> {
        let mut rest = sockets;
        loop {
            let (now, later) = rest.split_at(rest.len().min(MOST));
            let handed: Vec<_> = now.iter().map(AsFd::as_fd).collect();
            send(&stream, &Handed { pid: std::process::id(), more: !later.is_empty() }, &handed)?;
            let Ok(asked) = tokio::time::timeout(READY_LIMIT, received::<Asked>(&stream)).await else {
                send(&stream, &Some(TOO_LATE), &[])?;
                return Err(io::ErrorKind::TimedOut.into());
            };
            match asked? {
                (Asked::More, _) if !later.is_empty() => rest = later,
                (Asked::TakeOver { pid }, _) if later.is_empty() => return Ok((Self(stream), pid)),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Whether it still waits for the answer.
    pub(super) fn waits(&self) -> bool {
        let nothing = self.0.try_read(&mut [0]);
        nothing.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Says whether it may go on, and why not.
    pub(super) fn answer(&self, why_not: Option<&str>) -> io::Result<()> {
        send(&self.0, &why_not, &[])
    }
}

/// Sockets that others have bound: the process before this one, or systemd.
#[derive(Debug, Default)]
pub(super) struct Inherited(Vec<(SocketAddr, TcpListener)>);

impl Inherited {
    /// Of sockets that listen.
    ///
    /// # Errors
    /// One of them does not.
    pub(super) fn new(sockets: Vec<TcpListener>) -> io::Result<Self> {
        let addressed = sockets.into_iter().map(|socket| {
            socket.set_nonblocking(true)?;
            Ok((socket.local_addr()?, socket))
        });
        Ok(Self(addressed.collect::<io::Result<_>>()?))
    }

    /// Takes the sockets of an address; with port 0 those of the first that has the same host.
    pub(super) fn take(&mut self, wanted: SocketAddr) -> Option<(SocketAddr, Vec<TcpListener>)> {
        let is_wanted = |bound: SocketAddr| bound == wanted || (wanted.port() == 0 && bound.ip() == wanted.ip());
        let address = self.0.iter().map(|(bound, _)| *bound).find(|bound| is_wanted(*bound))?;
        let taken = self.0.extract_if(.., |(bound, _)| *bound == address);
        Some((address, taken.map(|(_, socket)| socket).collect()))
    }

    /// The addresses that nobody wanted.
    pub(super) fn unwanted(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(address, _)| *address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_not_ready_in_time_is_told_so_when_it_is() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("a socket");
        let old = tokio::net::UnixStream::from_std(ours).expect("a socket");
        let equipped = tokio::task::spawn_blocking(move || {
            let (Handed { pid, .. }, _) = receive::<Handed>(&theirs).expect("it is equipped");
            Predecessor { stream: theirs, pid }
        });
        let (given_up, new) = tokio::join!(Successor::equip(old, &[]), equipped);
        assert_eq!(given_up.expect_err("it says nothing").kind(), io::ErrorKind::TimedOut);
        let new = new.expect("no panic");
        assert_eq!(new.take_over().expect_err("too late").to_string(), TOO_LATE);
    }
}
