//! What a client's first bytes say: the protocol, and the name that its TLS asks for.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::call::{ClientHello, Failure, MAX_CLIENT_HELLO, TunnelFault, client_hello};

use super::stream::ClientStream;

/// The first byte that a client has sent, which stays to be read; `None` where there is none in time. A socket can be looked
/// at without taking anything, so that it needs no room while it is waited for.
pub(super) async fn first_byte(early: &mut Vec<u8>, stream: &mut ClientStream, patience: Duration) -> Option<u8> {
    if let Some(first) = early.first() {
        return Some(*first);
    }
    let mut first = [0];
    let read = async {
        match stream {
            ClientStream::Socket(socket) => socket.peek(&mut first).await,
            stream => {
                let read = stream.read(&mut first).await;
                if let Ok(1) = read {
                    early.push(first[0]);
                }
                read
            }
        }
    };
    match tokio::time::timeout(patience, read).await {
        Ok(Ok(1)) => Some(first[0]),
        _ => None,
    }
}

/// Why there is no ClientHello.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoHello {
    /// The client left before it said anything.
    Left,
    /// What it sent is none.
    Refused(Failure),
}

/// Reads a client's ClientHello: the name that it asks for. Everything that was read stays in `early`.
pub(super) async fn server_name(
    early: &mut Vec<u8>,
    stream: &mut (impl AsyncRead + Unpin),
    patience: Duration,
) -> Result<Option<Box<str>>, NoHello> {
    let late = NoHello::Refused(Failure::Tunnel(TunnelFault::NoHello));
    tokio::time::timeout(patience, read_hello(early, stream)).await.unwrap_or(Err(late))
}

async fn read_hello(early: &mut Vec<u8>, stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Box<str>>, NoHello> {
    loop {
        match client_hello(early).map_err(|fault| NoHello::Refused(fault.into()))? {
            ClientHello::Whole(name) => return Ok(name),
            ClientHello::Partial(needed) => more(early, needed, stream).await?,
        }
    }
}

/// Reads until there are so many bytes, or what is no TLS is told by the first few.
async fn more(early: &mut Vec<u8>, needed: usize, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), NoHello> {
    while early.len() < needed {
        let begun = early.len();
        let room = (MAX_CLIENT_HELLO - begun) as u64;
        match (&mut *stream).take(room).read_buf(early).await {
            Ok(read) if read > 0 && begun == 0 => return Ok(()),
            Ok(read) if read > 0 => {}
            _ if begun == 0 => return Err(NoHello::Left),
            _ => return Err(NoHello::Refused(Failure::Tunnel(TunnelFault::NoHello))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);

    fn refused(fault: TunnelFault) -> Result<Option<Box<str>>, NoHello> {
        Err(NoHello::Refused(Failure::Tunnel(fault)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_or_too_little_is_not_waited_for() {
        let (mut client, mut ours) = duplex(64);
        client.write_all(&[22, 3]).await.expect("room");
        assert_eq!(server_name(&mut Vec::new(), &mut ours, PATIENCE).await, refused(TunnelFault::NoHello));
        drop(client);
        assert_eq!(server_name(&mut Vec::new(), &mut ours, PATIENCE).await, Err(NoHello::Left));
        assert_eq!(server_name(&mut vec![22, 3], &mut ours, PATIENCE).await, refused(TunnelFault::NoHello));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_tls_is_told_at_once() {
        let (mut client, mut ours) = duplex(64);
        client.write_all(b"G").await.expect("room");
        let begun = tokio::time::Instant::now();
        assert_eq!(server_name(&mut Vec::new(), &mut ours, PATIENCE).await, refused(TunnelFault::NotTls));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
