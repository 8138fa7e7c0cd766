//! Dialling one of several addresses: Happy Eyeballs (RFC 8305 §5).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::call::Failure;

/// How long an attempt has the field to itself (RFC 8305 §8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// A connection to the first of some addresses that has one for us; small requests on it do not wait for the
/// acknowledgement of the one before.
///
/// `failed` is told of those that have none.
///
/// # Errors
/// [`Failure::ConnectFailed`] when there is none.
pub(super) async fn dial(addresses: &[SocketAddr], failed: impl Fn(SocketAddr)) -> Result<TcpStream, Failure> {
    let stream = first(addresses, failed).await?;
    stream.set_nodelay(true).map_err(|_| Failure::ConnectFailed)?;
    Ok(stream)
}

/// A connection to the first address that accepts one. The next address is tried when the one before has failed, or has
/// not answered for a while; what is still under way then goes on.
async fn first(addresses: &[SocketAddr], failed: impl Fn(SocketAddr)) -> Result<TcpStream, Failure> {
    if let [only] = addresses {
        return TcpStream::connect(only).await.map_err(|_| {
            failed(*only);
            Failure::ConnectFailed
        });
    }
    let mut left = addresses.iter().copied();
    let mut attempts = JoinSet::new();
    loop {
        let started = left.next();
        if let Some(address) = started {
            attempts.spawn(async move { TcpStream::connect(address).await.map_err(|_| address) });
        }
        let patience = async {
            match left.len() {
                0 => std::future::pending().await,
                _ => tokio::time::sleep(ATTEMPT_DELAY).await,
            }
        };
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(address))) => failed(address),
                Some(Err(_)) => {}
                None => return Err(Failure::ConnectFailed),
            },
            () = patience => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn closed() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound")
    }

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let open = listener.local_addr().expect("bound");
        let refused = std::cell::RefCell::new(Vec::new());
        let closed_one = closed();
        let stream =
            dial(&[closed_one, open], |address| refused.borrow_mut().push(address)).await.expect("one accepts");
        assert_eq!(stream.peer_addr().expect("connected"), open);
        assert_eq!(*refused.borrow(), [closed_one]);
        assert!(matches!(dial(&[closed(), closed()], |_| {}).await, Err(Failure::ConnectFailed)));
        assert!(matches!(dial(&[], |_| {}).await, Err(Failure::ConnectFailed)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_says_nothing_does_not_hold_up_the_others() {
        // A full backlog: connections to it are neither accepted nor refused.
        let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        silent.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        silent.listen(0).expect("bound");
        let address = silent.local_addr().expect("bound").as_socket().expect("an address");
        let fill: Vec<_> = (0..4)
            .map(|_| {
                let socket =
                    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
                socket.set_nonblocking(true).expect("a socket");
                let _ = socket.connect(&address.into());
                socket
            })
            .collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let open = listener.local_addr().expect("bound");
        let stream = dial(&[address, open], |_| {}).await.expect("one accepts");
        assert_eq!(stream.peer_addr().expect("connected"), open);
        drop(fill);
    }
}
