//! The PROXY protocol (HAProxy's, versions 1 and 2): a balancer in front of us tells whose connection it passes on.
//!
//! Where it is switched on every connection must begin with it: a client that could leave it out could be anybody.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// How version 1 begins.
const TEXT: &[u8] = b"PROXY ";

/// Longest line of version 1, with its end.
const MAX_LINE: usize = 107;

/// Most bytes behind the head of version 2: addresses take 36, and what balancers tell besides some hundred.
const MAX_TOLD: usize = 4096;

/// Why a connection has no such beginning.
#[derive(Debug)]
pub(super) enum Fault {
    /// It broke off.
    Broken,
    /// It begins with something else.
    Missing,
    /// It begins so, but goes on in a way that means nothing.
    Malformed,
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Fault::Broken
    }
}

/// Reads the header, and nothing behind it: whose connection it is; `None` where it is the balancer's own.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, Fault> {
    // Neither version has a shorter header.
    let mut start = [0; SIGNATURE.len()];
    stream.read_exact(&mut start).await?;
    if start == SIGNATURE {
        let [command, family, high, low] = stream.read_u32().await?.to_be_bytes();
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_TOLD {
            return Err(Fault::Malformed);
        }
        let mut told = vec![0; length];
        stream.read_exact(&mut told).await?;
        return binary(command, family, &told);
    }
    if !start.starts_with(TEXT) {
        return Err(Fault::Missing);
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == MAX_LINE {
            return Err(Fault::Malformed);
        }
        line.push(stream.read_u8().await?);
    }
    text(&line[TEXT.len()..line.len() - 2])
}

/// What stands behind the signature of version 2.
fn binary(command: u8, family: u8, told: &[u8]) -> Result<Option<IpAddr>, Fault> {
    match (command, family) {
        // LOCAL: the balancer asks for itself; what it tells must be ignored.
        (0x20, _) => Ok(None),
        (0x21, 0x11) if told.len() >= 12 => {
            let source = <[u8; 4]>::try_from(&told[..4]).map_err(|_| Fault::Malformed)?;
            Ok(Some(Ipv4Addr::from(source).into()))
        }
        (0x21, 0x21) if told.len() >= 36 => {
            let source = <[u8; 16]>::try_from(&told[..16]).map_err(|_| Fault::Malformed)?;
            Ok(Some(Ipv6Addr::from(source).into()))
        }
        _ => Err(Fault::Malformed),
    }
}

/// What stands in the line of version 1: `TCP4 SOURCE DESTINATION PORT PORT`.
fn text(line: &[u8]) -> Result<Option<IpAddr>, Fault> {
    let line = std::str::from_utf8(line).map_err(|_| Fault::Malformed)?;
    let mut words = line.split(' ');
    let family = words.next().unwrap_or_default();
    // Whatever follows must be ignored.
    if family == "UNKNOWN" {
        return Ok(None);
    }
    let (source, destination) = match family {
        "TCP4" => (address::<Ipv4Addr>(words.next())?, address::<Ipv4Addr>(words.next())?),
        "TCP6" => (address::<Ipv6Addr>(words.next())?, address::<Ipv6Addr>(words.next())?),
        _ => return Err(Fault::Malformed),
    };
    let port = |word: Option<&str>| word.is_some_and(|word| word.parse::<u16>().is_ok());
    if destination.is_ipv4() == source.is_ipv4() && port(words.next()) && port(words.next()) && words.next().is_none() {
        Ok(Some(source))
    } else {
        Err(Fault::Malformed)
    }
}

fn address<A: FromStr + Into<IpAddr>>(word: Option<&str>) -> Result<IpAddr, Fault> {
    word.and_then(|word| word.parse::<A>().ok()).map(Into::into).ok_or(Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is told, in words, and what is left to read.
    async fn told(bytes: &[u8]) -> (String, &[u8]) {
        let mut rest = bytes;
        let told = match read(&mut rest).await {
            Ok(Some(address)) => address.to_string(),
            Ok(None) => "own".to_owned(),
            Err(fault) => format!("{fault:?}"),
        };
        (told, rest)
    }

    fn binary(command: u8, family: u8, told: &[u8]) -> Vec<u8> {
        let length = u16::try_from(told.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, told, b"rest"].concat()
    }

    #[tokio::test]
    async fn lines_of_version_1_tell_the_source_and_nothing_behind_them_is_read() {
        for (line, expected) in [
            ("TCP4 192.0.2.1 198.51.100.1 56324 443", "192.0.2.1"),
            ("TCP6 2001:db8::1 2001:db8::2 1 2", "2001:db8::1"),
            ("UNKNOWN", "own"),
            ("UNKNOWN ffff:f...f:ffff 65535", "own"),
            ("TCP4 2001:db8::1 198.51.100.1 1 2", "Malformed"),
            ("TCP4 192.0.2.1 198.51.100.1 1", "Malformed"),
            ("TCP4 192.0.2.1 198.51.100.1 1 65536", "Malformed"),
            ("TCP4  192.0.2.1 198.51.100.1 1 2", "Malformed"),
            ("UDP4 192.0.2.1 198.51.100.1 1 2", "Malformed"),
        ] {
            let bytes = format!("PROXY {line}\r\nrest");
            let (told, rest) = told(bytes.as_bytes()).await;
            assert_eq!(told, expected, "{line}");
            assert_eq!(rest, b"rest", "{line}");
        }
    }

    #[tokio::test]
    async fn version_2_tells_the_source_and_what_it_tells_besides_is_skipped() {
        let v4 = [192, 0, 2, 1, 198, 51, 100, 1, 1, 1, 2, 2, 4, 0, 1, 7];
        assert_eq!(told(&binary(0x21, 0x11, &v4)).await, ("192.0.2.1".into(), &b"rest"[..]));
        let mut v6 = [0; 36];
        v6[15] = 1;
        assert_eq!(told(&binary(0x21, 0x21, &v6)).await.0, "::1");
        assert_eq!(told(&binary(0x20, 0x00, &v4)).await, ("own".into(), &b"rest"[..]));
        for (command, family, length) in [(0x21, 0x11, 11), (0x21, 0x21, 35), (0x21, 0x12, 12), (0x31, 0x11, 12)] {
            assert_eq!(told(&binary(command, family, &vec![0; length])).await.0, "Malformed");
        }
        assert_eq!(told(&[&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat()).await.0, "Malformed");
    }

    #[tokio::test]
    async fn a_connection_that_begins_otherwise_is_told_so() {
        assert_eq!(told(b"GET / HTTP/1.1\r\n\r\n").await.0, "Missing");
        assert_eq!(told(b"PROXY TCP4").await.0, "Broken");
        assert_eq!(told(&[b"PROXY ", &[b'x'; 200][..]].concat()).await.0, "Malformed");
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..150), signed in any::<bool>()) {
            let start: &[u8] = if signed { &SIGNATURE } else { TEXT };
            let bytes = [start, &bytes].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async { drop(read(&mut &bytes[..]).await) });
        }
    }
}
