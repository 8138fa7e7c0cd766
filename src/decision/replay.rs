//! Recorded calls, judged again by another configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::call::{Call, Failure, TunnelFault};
use crate::expr::Timestamp;
use crate::snapshot::Snapshot;

use super::access::Verdict;
use super::explain::explain_broken;
use super::request::{Arriving, arriving};
use super::{Asked, Place, Protocol, Scheme, Source};
use crate::accesslog::REDACTED;

/// Refusals whose status others have too, and that nothing declared decides, or nothing that can be looked up again.
const UNDECLARED: [Failure; 6] = [
    Failure::PrivateAddress,
    Failure::Upgrade,
    Failure::Tunnel(TunnelFault::Datagrams),
    Failure::Tunnel(TunnelFault::OtherName),
    Failure::Tunnel(TunnelFault::NoName),
    Failure::Tunnel(TunnelFault::BadName),
];

/// A record of a call as it is read again: what [`access`](super::access) writes. What is not there is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Access {
    /// When it was made, as the line has it.
    pub time: String,
    /// The name of the decision.
    pub decision: String,
    /// Host, with the port where it is not the scheme's default.
    pub destination: String,
    /// The port, or the one that was dialled.
    pub destination_port: u16,
    /// The port of the gateway's server, where it came there.
    pub gateway_port: Option<u16>,
    /// Headers that decisions depended on.
    pub headers: BTreeMap<String, String>,
    /// `sidecar`, `gateway` or `mesh`.
    pub hop: String,
    /// The method; empty for a tunnel.
    pub method: String,
    /// Path with query, as far as that was kept.
    pub path: String,
    /// `http`, `tls` or `tcp`.
    pub protocol: String,
    /// Why it was refused.
    pub reason: String,
    /// The status that the caller got; zero where it got none.
    pub response_code: u16,
    /// Envoy's flags.
    pub flag: String,
    /// Full names of the rules that refused it, with commas between.
    pub rule: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The name that TLS asked for.
    pub server_name: String,
    /// The workload that called.
    pub source: String,
    /// Its address.
    pub source_ip: String,
    /// Its namespace.
    pub source_namespace: String,
    /// Who it is in certificates.
    pub source_principal: String,
    /// What proved that.
    pub source_proof: String,
    /// How it was judged.
    pub verdict: String,
}

/// How a recorded call is judged by another configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejudged {
    /// The verdict.
    pub verdict: Verdict,
    /// Full names of the rules that refuse it, with commas between; empty where it has no way.
    pub rule: String,
    /// Why it is refused.
    pub reason: String,
    /// The same, as the caller would be told it, or why the call could not go on for other reasons.
    pub failure: Option<Failure>,
}

/// A call as policies see it: at the gateway after what the sidecar's route has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The host.
    pub host: String,
    /// The host, with the port where it is not the scheme's default.
    pub authority: String,
    /// The port.
    pub port: u16,
    /// The method; empty for a tunnel.
    pub method: String,
    /// The path without query; empty for a tunnel.
    pub path: String,
}

impl Access {
    /// Reads a record.
    ///
    /// # Errors
    /// In words, if it is none.
    pub fn read(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| error.to_string())
    }

    /// Whether the call went.
    pub fn went(&self) -> bool {
        self.verdict != Verdict::Deny.name()
    }

    /// Whether the policy of then let it go, and not only a grant, an audit, or that its rule only reports.
    pub fn was_allowed(&self) -> bool {
        self.verdict == Verdict::Allow.name()
    }

    /// Why it was refused, if nothing that is declared decides that: what was sent is no call, nobody was proven to call where
    /// the proxy's own flags ask for it, or it depends on what no record keeps, as the addresses of a name do.
    pub fn refused_whatever_is_declared(&self) -> Option<&str> {
        let by_itself = match self.response_code {
            400 | 405 | 407 | 408 | 421 | 431 => true,
            503 => self.flag == "-",
            _ => UNDECLARED.iter().any(|failure| self.reason == failure.reason()),
        };
        (!self.went() && self.rule.is_empty() && by_itself).then_some(&self.reason)
    }

    /// Name and namespace of the workload that called, if it was known.
    pub fn caller(&self) -> Option<(String, String)> {
        (!self.source.is_empty()).then(|| (self.source.clone(), self.source_namespace.clone()))
    }

    /// `WORKLOAD.NAMESPACE`, as people read it.
    pub fn caller_name(&self) -> String {
        match (self.source.as_str(), self.source_principal.as_str()) {
            ("", "") => "unknown".to_owned(),
            ("", principal) => principal.to_owned(),
            (name, _) => format!("{name}.{}", self.source_namespace),
        }
    }

    /// The path without what was left out.
    pub fn known_path(&self) -> &str {
        self.path.strip_suffix(REDACTED).map_or(&self.path, |path| path.trim_end_matches('?'))
    }

    /// Whether something was left out that a decision may depend on.
    pub fn is_redacted(&self) -> bool {
        self.path.ends_with(REDACTED) || self.headers.values().any(|value| value == REDACTED)
    }

    /// All that a decision depends on but the time: of calls for which it is the same, one is enough.
    pub fn question(&self) -> Access {
        let (time, decision, reason, rule, flag, verdict) = Default::default();
        Access { time, decision, reason, rule, flag, verdict, response_code: 0, ..self.clone() }
    }

    /// The call as it is asked about.
    ///
    /// # Errors
    /// In words, that it ended before it was known where it goes, or never became a call: then nobody could judge it.
    pub fn asked(&self) -> Result<Asked, String> {
        let at_gateway = self.hop != "sidecar";
        let port = if at_gateway { self.gateway_port } else { None }.unwrap_or(self.destination_port);
        if port == 0 {
            return Err("refused before the destination was known".to_owned());
        }
        if self.protocol.is_empty() && self.response_code >= 400 {
            return Err(format!("what was sent never became a call: {}", self.reason));
        }
        let protocol = match self.protocol.as_str() {
            "tls" => Protocol::Tls,
            "tcp" => Protocol::Tcp,
            _ => Protocol::Http,
        };
        let headers = self.headers.iter().filter(|(_, value)| *value != REDACTED);
        let is_http = protocol == Protocol::Http;
        let by_certificate = self.source_proof == "certificate" || (self.source.is_empty() && at_gateway);
        let principal = Some(self.source_principal.clone()).filter(|principal| by_certificate && !principal.is_empty());
        let has_name = !self.server_name.is_empty() && (protocol == Protocol::Tls || (is_http && at_gateway));
        Ok(Asked {
            from: self.caller(),
            hop: if at_gateway { Place::Gateway } else { Place::Sidecar },
            protocol: Some(protocol),
            method: if is_http { self.method.clone() } else { String::new() },
            scheme: is_http.then_some(if self.scheme == "https" { Scheme::Https } else { Scheme::Http }),
            authority: Some(self.destination.clone()),
            port: Some(port),
            path: is_http.then(|| self.known_path().to_owned()),
            headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
            sni: has_name.then(|| self.server_name.clone()),
            source: Source { principal, ip: self.source_ip.parse().ok() },
            at: Timestamp::parse_rfc3339(&self.time).map(Timestamp::micros).unwrap_or_default(),
            ..Asked::default()
        })
    }

    /// Judges it by a configuration that has the caller's sidecar at a place.
    ///
    /// # Errors
    /// What is no call at all there, in words.
    pub fn judge(&self, snapshot: &Snapshot, listener: Option<usize>) -> Result<(Rejudged, Seen), String> {
        Ok(match arriving(snapshot, listener, &self.asked()?)? {
            Arriving::Refused { failure, .. } => (Rejudged::refused(failure, String::new(), ""), Seen::of_access(self)),
            Arriving::Call { hop, call, broken, .. } => {
                let explained = explain_broken(snapshot, hop, &call, broken.as_ref());
                let checked = &explained.judgement.checked;
                let rules: Vec<&str> = checked.refusals.iter().map(|refusal| &*refusal.rule).collect();
                let rule = rules.join(",");
                let rejudged = match (Verdict::of(explained.failure, checked), explained.failure) {
                    (Verdict::Deny, Some(failure)) => Rejudged::refused(failure, rule, &checked.message()),
                    (verdict, failure) => Rejudged { verdict, rule, reason: String::new(), failure },
                };
                (rejudged, Seen::of(explained.judgement.edited.as_deref().unwrap_or(&call)))
            }
        })
    }
}

impl Seen {
    fn of(call: &Call) -> Self {
        let (authority, is_request) = (call.authority(), call.tunnel().is_none());
        let of_request = |text: &str| if is_request { text.to_owned() } else { String::new() };
        Self {
            host: authority.host().to_owned(),
            authority: authority.as_str().to_owned(),
            port: authority.port(),
            method: of_request(call.method().as_str()),
            path: of_request(call.path()),
        }
    }

    /// A call as its caller made it.
    pub fn of_access(access: &Access) -> Self {
        let Access { destination, destination_port: port, method, .. } = access;
        let host = match destination.rsplit_once(':') {
            Some((host, told)) if told.parse::<u16>().is_ok() => host,
            _ => destination,
        };
        let path = access.known_path().split('?').next().unwrap_or_default().to_owned();
        Self { host: host.to_owned(), authority: destination.clone(), port: *port, method: method.clone(), path }
    }
}

impl Rejudged {
    fn refused(failure: Failure, rule: String, message: &str) -> Self {
        let reason = if message.is_empty() { failure.reason() } else { message };
        Self { verdict: Verdict::Deny, rule, reason: reason.to_owned(), failure: Some(failure) }
    }

    /// Whether the call goes.
    pub fn goes(&self) -> bool {
        self.verdict != Verdict::Deny
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_that_nothing_declared_decides_are_told_from_others() {
        for (record, whatever) in [
            (r#"{"verdict":"deny","responseCode":407,"reason":"the token has expired"}"#, true),
            (r#"{"verdict":"deny","responseCode":400,"flag":"DPE","reason":"no Host header"}"#, true),
            (r#"{"verdict":"deny","responseCode":400,"flag":"UAEX","rule":"r.rule.default","reason":"no"}"#, false),
            (r#"{"verdict":"deny","responseCode":403,"flag":"-","reason":"RBAC: access denied"}"#, false),
            (r#"{"verdict":"deny","responseCode":502,"flag":"-","reason":"no ServiceEntry"}"#, false),
            (r#"{"verdict":"deny","responseCode":503,"flag":"UF","reason":"no server"}"#, false),
            (r#"{"verdict":"allow","responseCode":400,"flag":"-"}"#, false),
        ] {
            let access = Access::read(record).expect("a record");
            assert_eq!(access.refused_whatever_is_declared().is_some(), whatever, "{record}");
        }
        for failure in UNDECLARED {
            let (verdict, reason) = (Verdict::Deny.name().to_owned(), failure.reason().to_owned());
            let access = Access { verdict, reason, response_code: failure.status(), ..Access::default() };
            assert!(access.refused_whatever_is_declared().is_some(), "{failure:?}");
        }
    }

    #[test]
    fn a_call_that_ended_before_its_destination_was_known_cannot_be_asked_about() {
        for (record, is_known) in [
            (r#"{"hop":"mesh","destinationPort":443,"gatewayPort":0}"#, false),
            (r#"{"hop":"mesh","destinationPort":443,"gatewayPort":15443}"#, true),
            (r#"{"hop":"sidecar","destinationPort":443}"#, true),
            (r#"{"hop":"sidecar","destinationPort":0}"#, false),
        ] {
            let asked = Access::read(record).expect("a record").asked();
            let why = asked.as_ref().err().map(String::as_str);
            assert_eq!(why, (!is_known).then_some("refused before the destination was known"), "{record}");
        }
    }
}
