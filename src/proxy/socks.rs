//! SOCKS 5 (RFC 1928): another way to ask for a tunnel. Where callers are told apart by what they show, a token is shown as
//! user name and password (RFC 1929). Of the commands there is CONNECT only.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::call::{Failure, TunnelFault};

use super::client::Client;
use super::connection::Inside;
use super::identify::Shown;
use super::stream::ClientStream;
use super::tunnel::{open, report_head, run};
use super::worker::Worker;

/// The first byte of every message.
pub(super) const VERSION: u8 = 5;

const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The version of the exchange of user name and password, and its good end (RFC 1929 §2). What was shown is judged with the
/// request, so that its entry tells what was asked for.
const PASSWORD_VERSION: u8 = 1;
const PASSWORD_TAKEN: u8 = 0;

/// Replies of RFC 1928 §6.
const SUCCEEDED: u8 = 0;
const GENERAL_FAILURE: u8 = 1;
const NOT_ALLOWED: u8 = 2;
const HOST_UNREACHABLE: u8 = 4;
const REFUSED: u8 = 5;
const COMMAND_NOT_SUPPORTED: u8 = 7;
const ADDRESS_TYPE_NOT_SUPPORTED: u8 = 8;

/// What a client asked for, or the reply to what cannot be done.
pub(super) enum Request {
    Connect(String, Option<Password>),
    Impossible(u8),
    /// It is not SOCKS 5, or needs what is not offered.
    Unusable,
}

/// User name and password.
type Password = (Vec<u8>, Vec<u8>);

/// Opens the tunnel that a client asks for, and uses it; gives back the inside of one in which HTTP is spoken.
pub(super) async fn serve(worker: &Rc<Worker>, client: &Client, mut stream: ClientStream) -> Option<Inside> {
    let shared = worker.held().snapshot.is_shared(client.hop);
    let asked = tokio::time::timeout(worker.limits.hello_timeout, negotiate(&mut stream, shared)).await;
    // Who breaks off or is too slow has asked for nothing.
    let (target, password) = match asked.ok()?.ok()? {
        Request::Connect(target, password) => (target, password),
        Request::Impossible(code) => {
            let _ = reply(&mut stream, code).await;
            report_head(worker, client, Failure::Tunnel(TunnelFault::Preface("SOCKS 5: only CONNECT is offered")))
                .await;
            return None;
        }
        Request::Unusable => {
            let reason = "SOCKS 5: the request cannot be read, or does not go without authentication";
            report_head(worker, client, Failure::Tunnel(TunnelFault::Preface(reason))).await;
            return None;
        }
    };
    let shown = password.as_ref().map_or(Shown::Nothing, |(user, password)| Shown::Password(user, password));
    match open(worker, client, &target, shown).await {
        Ok(opened) => {
            // A client that has gone is noticed when the tunnel is used.
            let _ = reply(&mut stream, SUCCEEDED).await;
            run(worker, client, opened, Vec::new(), stream).await
        }
        Err(refused) => {
            let _ = reply(&mut stream, code(refused.failure)).await;
            refused.report();
            None
        }
    }
}

/// Agrees on how the caller shows who it is, if it does and that is wanted, and reads the request. Nothing behind it is read.
pub(super) async fn negotiate(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), shared: bool) -> io::Result<Request> {
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    stream.read_exact(&mut methods).await?;
    let takes_password = shared && methods.contains(&PASSWORD);
    if greeting[0] != VERSION || !(takes_password || methods.contains(&NO_AUTHENTICATION)) {
        stream.write_all(&[VERSION, NO_ACCEPTABLE_METHOD]).await?;
        return Ok(Request::Unusable);
    }
    let mut password = None;
    if takes_password {
        stream.write_all(&[VERSION, PASSWORD]).await?;
        if stream.read_u8().await? != PASSWORD_VERSION {
            return Ok(Request::Unusable);
        }
        password = Some((read_short(stream).await?, read_short(stream).await?));
        stream.write_all(&[PASSWORD_VERSION, PASSWORD_TAKEN]).await?;
    } else {
        stream.write_all(&[VERSION, NO_AUTHENTICATION]).await?;
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [version, command, _, kind] = head;
    if version != VERSION {
        return Ok(Request::Unusable);
    }
    let host = match kind {
        IPV4 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        IPV6 => format!("[{}]", Ipv6Addr::from(stream.read_u128().await?)),
        NAME => match String::from_utf8(read_short(stream).await?) {
            // A colon would move the port.
            Ok(name) if !name.contains([':', '[', ']']) => name,
            _ => return Ok(Request::Impossible(GENERAL_FAILURE)),
        },
        _ => return Ok(Request::Impossible(ADDRESS_TYPE_NOT_SUPPORTED)),
    };
    let port = stream.read_u16().await?;
    Ok(if command == CONNECT {
        Request::Connect(format!("{host}:{port}"), password)
    } else {
        Request::Impossible(COMMAND_NOT_SUPPORTED)
    })
}

/// Bytes behind a byte that says how many there are.
async fn read_short(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Answers; the address that we are bound to is nobody's business.
async fn reply(stream: &mut (impl AsyncWrite + Unpin), code: u8) -> io::Result<()> {
    stream.write_all(&[VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0]).await
}

/// The reply that says most of a failure.
fn code(failure: Failure) -> u8 {
    match failure {
        Failure::UnknownHost
        | Failure::NoRoute
        | Failure::NoTunnelRoute
        | Failure::Denied(_)
        | Failure::Tunnel(_)
        | Failure::Unproven(_) => NOT_ALLOWED,
        Failure::NoEndpoint | Failure::NameNotResolved | Failure::ConnectTimeout => HOST_UNREACHABLE,
        Failure::ConnectFailed => REFUSED,
        _ => GENERAL_FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What is read of these bytes, and what is answered before the reply.
    async fn read(bytes: &[u8]) -> (String, Vec<u8>) {
        read_at(bytes, false).await
    }

    /// The same at a listener of several callers, if it is `shared`.
    async fn read_at(bytes: &[u8], shared: bool) -> (String, Vec<u8>) {
        let (mut client, mut ours) = duplex(1024);
        client.write_all(bytes).await.expect("room");
        client.shutdown().await.expect("open");
        let asked = match negotiate(&mut ours, shared).await {
            Ok(Request::Connect(target, None)) => target,
            Ok(Request::Connect(target, Some((user, password)))) => {
                format!("{target} by {}:{}", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password))
            }
            Ok(Request::Impossible(code)) => format!("reply {code}"),
            Ok(Request::Unusable) => "unusable".to_owned(),
            Err(_) => "broken off".to_owned(),
        };
        drop(ours);
        let mut answered = Vec::new();
        client.read_to_end(&mut answered).await.expect("open");
        (asked, answered)
    }

    #[tokio::test]
    async fn names_and_addresses_of_both_families_are_read() {
        let hello = [5, 2, 2, 0];
        let name = [&hello[..], &[5, 1, 0, 3, 9], b"a.example", &[1, 187]].concat();
        assert_eq!(read(&name).await, ("a.example:443".into(), vec![5, 0]));
        let v4 = [&hello[..], &[5, 1, 0, 1, 192, 0, 2, 1, 0, 80]].concat();
        assert_eq!(read(&v4).await.0, "192.0.2.1:80");
        let mut v6 = [&hello[..], &[5, 1, 0, 4]].concat();
        v6.extend([0; 15]);
        v6.extend([1, 0, 80]);
        assert_eq!(read(&v6).await.0, "[::1]:80");
    }

    #[tokio::test]
    async fn a_password_is_read_where_callers_are_told_apart_by_what_they_show() {
        let asked = [5, 1, 0, 1, 192, 0, 2, 1, 0, 80];
        let shown = [&[5, 2, 0, 2, 1, 1][..], b"u", &[2], b"pw", &asked].concat();
        assert_eq!(read_at(&shown, true).await, ("192.0.2.1:80 by u:pw".into(), vec![5, 2, 1, 0]));
        assert_eq!(read_at(&[&[5, 1, 0][..], &asked].concat(), true).await, ("192.0.2.1:80".into(), vec![5, 0]));
        assert_eq!(read_at(&[5, 1, 2, 9], true).await.0, "unusable");
        assert_eq!(read_at(&[&[5, 2, 0, 2][..], &asked].concat(), false).await.0, "192.0.2.1:80");
    }

    #[tokio::test]
    async fn what_is_not_offered_is_told_so() {
        assert_eq!(read(&[5, 1, 2]).await, ("unusable".into(), vec![5, 0xff]));
        assert_eq!(read(&[5, 1, 0, 5, 2, 0, 1, 192, 0, 2, 1, 0, 80]).await.0, "reply 7");
        assert_eq!(read(&[5, 1, 0, 5, 1, 0, 9, 1, 0, 80]).await.0, "reply 8");
        assert_eq!(read(&[5, 1, 0, 4, 1, 0, 1, 192, 0, 2, 1, 0, 80]).await.0, "unusable");
        assert_eq!(read(&[&[5, 1, 0, 5, 1, 0, 3, 5][..], b"a:1:2", &[0, 80]].concat()).await.0, "reply 1");
        assert_eq!(read(&[5, 1, 0, 5, 1]).await.0, "broken off");
    }
}
