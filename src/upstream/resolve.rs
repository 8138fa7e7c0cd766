//! Addresses that stand in for names, as curl's `--resolve`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// `HOST:PORT:ADDR[:PORT]`: connections to HOST and PORT go to ADDR (and, if given, another port), as curl's `--resolve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    host: String,
    port: u16,
    address: IpAddr,
    to_port: u16,
}

/// All overrides of a proxy.
#[derive(Debug, Clone, Default)]
pub struct Overrides(HashMap<(String, u16), Vec<SocketAddr>>);

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("expected HOST:PORT:ADDR[:PORT], as in edition.cnn.com:443:127.0.0.1:8443, got {text:?}");
        let (host, rest) = text.split_once(':').ok_or_else(expected)?;
        let (port, rest) = rest.split_once(':').ok_or_else(expected)?;
        let port: u16 = port.parse().map_err(|_| expected())?;
        let (address, to_port) = match rest.parse::<SocketAddr>() {
            Ok(socket) => (socket.ip(), socket.port()),
            Err(_) => (rest.trim_matches(['[', ']']).parse().map_err(|_| expected())?, port),
        };
        if host.is_empty() {
            return Err(expected());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, address, to_port })
    }
}

impl FromIterator<Override> for Overrides {
    fn from_iter<T: IntoIterator<Item = Override>>(overrides: T) -> Self {
        let mut table: HashMap<_, Vec<_>> = HashMap::new();
        for entry in overrides {
            table.entry((entry.host, entry.port)).or_default().push(SocketAddr::new(entry.address, entry.to_port));
        }
        Self(table)
    }
}

impl Overrides {
    /// The addresses that stand in for a host and port, if any.
    pub(super) fn of(&self, host: &str, port: u16) -> Option<&[SocketAddr]> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(host.to_owned(), port)).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_read_like_curls_with_an_optional_port() {
        let with_port: Override = "Edition.cnn.com:443:127.0.0.1:8443".parse().expect("valid");
        assert_eq!((with_port.host.as_str(), with_port.port, with_port.to_port), ("edition.cnn.com", 443, 8443));
        let without: Override = "a.example:80:[::1]".parse().expect("valid");
        assert_eq!((without.address, without.to_port), ("::1".parse().expect("address"), 80));
        for bad in ["", "a.example", "a.example:80", "a.example:x:127.0.0.1", ":80:127.0.0.1", "a.example:80:b.example"]
        {
            assert!(bad.parse::<Override>().is_err(), "{bad}");
        }
    }
}
