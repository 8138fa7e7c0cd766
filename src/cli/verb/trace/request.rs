//! A call as a line of `trace --batch` describes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::roles::{Roles, Who};
use crate::decision::{Asked, Place, Protocol, Scheme, Source};

/// The request. A field that is not known is a mistake: it would be left out of what is judged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object that says where the call goes")]
pub(super) struct Request {
    method: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Values>,
    hop: Option<Place>,
    #[serde(default)]
    from: Json,
    #[serde(default, deserialize_with = "port")]
    port: Option<u16>,
    scheme: Option<Scheme>,
    authority: Option<String>,
    path: Option<String>,
    #[serde(rename = "outboundTrafficPolicy", alias = "outbound_traffic_policy")]
    outbound: Option<Outbound>,
    #[serde(default, alias = "gatewayWorkload")]
    gateway_workload: Json,
    protocol: Option<Protocol>,
    #[serde(default, deserialize_with = "given")]
    sni: Option<Option<String>>,
    source: Option<Source>,
}

/// The mode, or as MeshConfig has it.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected REGISTRY_ONLY or ALLOW_ANY")]
enum Outbound {
    Mode(String),
    Policy { mode: String },
}

/// The value of a header, or of one that is repeated all.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a list of texts, as the value of a header")]
enum Values {
    One(String),
    Several(Vec<String>),
}

/// `null` is a value too: TLS that asks for no name.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A number, or a text of digits.
fn port<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let port = match Json::deserialize(deserializer)? {
        Json::Null => return Ok(None),
        Json::String(digits) => digits.parse().ok(),
        number => number.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    port.map(Some).ok_or_else(|| serde::de::Error::custom("port: expected a number from 1 to 65535"))
}

impl Request {
    /// Who plays what; the caller may be told beside the request too.
    pub(super) fn roles(&self, beside: &Json, namespace: &str) -> Result<Roles, String> {
        let (own, beside) = (Who::caller(&self.from, namespace)?, Who::caller(beside, namespace)?);
        let from = match (own, beside) {
            (Some(own), Some(beside)) if own != beside => {
                return Err("from: the request and the line name two callers".into());
            }
            (own, beside) => own.or(beside),
        };
        let gateway = Who::gateway(&self.gateway_workload)?;
        let outbound = self.outbound.as_ref().map(|(Outbound::Mode(mode) | Outbound::Policy { mode })| mode.parse());
        let outbound = outbound.transpose();
        let outbound = outbound.map_err(|why| format!("outboundTrafficPolicy: {why}"))?.unwrap_or_default();
        Ok(Roles { from, gateway, outbound })
    }

    /// The call of a caller at a time.
    pub(super) fn asked(self, from: Option<(String, String)>, at: i64) -> Result<Asked, String> {
        if self.url.is_none()
            && self.authority.is_none()
            && self.path.is_none()
            && self.protocol.is_none()
            && self.sni.is_none()
        {
            return Err("request: url, authority or sni is missing".into());
        }
        let mut headers = Vec::new();
        for (name, values) in self.headers {
            match values {
                Values::One(value) => headers.push((name, value)),
                Values::Several(values) => headers.extend(values.into_iter().map(|value| (name.clone(), value))),
            }
        }
        Ok(Asked {
            from,
            hop: self.hop.unwrap_or_default(),
            protocol: self.protocol,
            method: self.method.unwrap_or_else(|| "GET".to_owned()),
            url: self.url,
            scheme: self.scheme,
            authority: self.authority,
            port: self.port,
            path: self.path,
            headers,
            sni: self.sni.map(Option::unwrap_or_default),
            source: self.source.unwrap_or_default(),
            at,
        })
    }
}
