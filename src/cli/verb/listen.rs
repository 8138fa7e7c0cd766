//! What the flags say that tell a proxy where to listen.

use std::net::SocketAddr;
use std::str::FromStr;

use crate::node::GatewayListenerConfig;

/// What `--listen` says.
#[derive(Debug, Clone)]
pub(super) struct Listen {
    pub(super) address: SocketAddr,
    pub(super) workload: Option<Workload>,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, workload) = match text.split_once('=') {
            None => (text, None),
            Some((address, workload)) => (address, Some(workload)),
        };
        let address = address
            .parse()
            .map_err(|_| String::from("expected ADDRESS:PORT[=WORKLOAD[.NAMESPACE]], as in 127.0.0.1:15001=sleep"))?;
        let workload = workload.map(str::parse).transpose()?;
        Ok(Self { address, workload })
    }
}

/// A workload that a flag names.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, namespace) = match text.split_once('.') {
            None => (text, None),
            Some((name, namespace)) => (name, Some(namespace)),
        };
        if name.is_empty() || namespace == Some("") {
            return Err("the workload's name is missing".into());
        }
        Ok(Self { name: name.to_owned(), namespace: namespace.map(str::to_owned) })
    }
}

/// What `--gateway-listen` says.
#[derive(Debug, Clone, Copy)]
pub(super) struct GatewayListen(pub(super) GatewayListenerConfig);

impl FromStr for GatewayListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once('=');
        let parsed = parts.and_then(|(address, port)| Some((address.parse().ok()?, port.parse().ok()?)));
        match parsed {
            Some((address, port)) if port > 0 => Ok(Self(GatewayListenerConfig { address, port })),
            _ => Err("expected ADDRESS:PORT=SERVER-PORT, as in 127.0.0.1:8443=443".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_takes_an_address_and_a_workload() {
        let full: Listen = "127.0.0.1:15001=sleep.default".parse().expect("valid");
        let named = |listen: Listen| listen.workload.map(|workload| (workload.name, workload.namespace));
        assert_eq!(named(full), Some(("sleep".into(), Some("default".into()))));
        assert_eq!(named("[::1]:0=sleep".parse().expect("valid")), Some(("sleep".into(), None)));
        for bad in ["", "15001", "localhost:15001", "127.0.0.1:15001=", "127.0.0.1:1=a.", "127.0.0.1:99999"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }

    #[test]
    fn gateway_listen_takes_an_address_and_the_port_of_servers() {
        let GatewayListen(listener) = "127.0.0.1:8443=443".parse().expect("valid");
        assert_eq!((listener.address.port(), listener.port), (8443, 443));
        for bad in ["", "443", "127.0.0.1:8443", "127.0.0.1:8443=", "127.0.0.1:8443=0", "127.0.0.1:8443=65536"] {
            assert!(bad.parse::<GatewayListen>().is_err(), "{bad}");
        }
    }
}
