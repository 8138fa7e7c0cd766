//! One field of an authorization rule: an attribute of a call, and the values that it may or may not have.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::call::{Call, CallBag};
use crate::expr::{self, Bag as _, ValueRef, slot};
use crate::identity::Workload;
use crate::resource::kinds::authorization_policy::Attribute;
use crate::resource::kinds::listchecker::parse_range;

use super::super::list::{Made, Ranges};
use super::pattern::{Paths, Patterns, glob};

/// A call at a port of the workload.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'b> {
    /// What is known of it.
    pub bag: &'b CallBag<'b>,
    /// The port that it came to.
    pub port: u16,
}

impl Arrived<'_> {
    /// Tells the texts by which [`Test::literals`] of an attribute are found, if the call has it.
    pub(super) fn look_up(self, attribute: &Attribute, find: &mut dyn FnMut(&str)) {
        let call = self.bag.call();
        match attribute {
            Attribute::Host => {
                let authority = call.authority();
                find(authority.as_str());
                find(Made::written(format_args!("{}:{}", authority.host(), authority.port())).text());
            }
            Attribute::ServiceAccount => {
                if let Some(caller) = proven(call) {
                    find(Made::written(format_args!("{}/{}", caller.namespace, caller.service_account)).text());
                }
            }
            attribute => text(attribute, self).into_iter().for_each(find),
        }
    }
}

/// One field of a rule.
#[derive(Debug)]
pub(super) struct Test {
    /// Where it stands in its rule: `to[0].operation.notPaths`.
    pub(super) field: Box<str>,
    /// What it looks at.
    pub(super) attribute: Attribute,
    /// Whether one of the values must match, or none may.
    expected: bool,
    values: Values,
    /// As they were written.
    written: Box<[String]>,
}

/// Values of which any may match.
#[derive(Debug)]
enum Values {
    Texts(Patterns),
    Paths(Paths),
    Networks(Ranges),
    Ports(Box<[u16]>),
    /// Namespace and name.
    Accounts(Box<[(Box<str>, Box<str>)]>),
    Namespaces(Box<[Box<str>]>),
    /// Of an attribute that no call has.
    Nothing,
}

/// What a policy's values are read against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home<'h> {
    /// The policy's namespace.
    pub(super) namespace: &'h str,
    /// The trust domain of the workload itself.
    pub(super) trust_domain: &'h str,
}

/// The trust domain by which policies name the local one, whatever it is called.
const ANY_LOCAL: &str = "cluster.local";

impl Test {
    /// The test of a field, `expected` unless it is a `not` field.
    pub(super) fn new(field: String, attribute: Attribute, expected: bool, written: &[String], home: Home<'_>) -> Self {
        let values = match &attribute {
            Attribute::Token(_) | Attribute::DestinationIp | Attribute::Filter(_) => Values::Nothing,
            Attribute::SourceIp | Attribute::RemoteIp => {
                let ranges: Vec<_> = written.iter().filter_map(|value| parse_range(value).ok()).collect();
                Values::Networks(Ranges::of(&ranges))
            }
            Attribute::Port => Values::Ports(written.iter().filter_map(|value| value.parse().ok()).collect()),
            Attribute::Path => Values::Paths(Paths::of(written)),
            Attribute::Host => Values::Texts(Patterns::of(written.iter().map(|value| value.to_ascii_lowercase()))),
            Attribute::Namespace => Values::Namespaces(written.iter().map(|value| value.as_str().into()).collect()),
            Attribute::ServiceAccount => {
                let account = |value: &String| {
                    let (namespace, name) = value.split_once('/').unwrap_or((home.namespace, value));
                    (namespace.into(), name.into())
                };
                Values::Accounts(written.iter().map(account).collect())
            }
            Attribute::Principal | Attribute::TrustDomain => {
                let local = |value: &str| {
                    let rest = value.strip_prefix(ANY_LOCAL)?;
                    let whole = rest.is_empty() || rest.starts_with(['/', '*']);
                    (whole && home.trust_domain != ANY_LOCAL).then(|| format!("{}{rest}", home.trust_domain))
                };
                let also = written.iter().filter_map(|value| local(value));
                Values::Texts(Patterns::of(written.iter().cloned().chain(also)))
            }
            Attribute::Header(_) | Attribute::Sni | Attribute::Method | Attribute::Service => {
                Values::Texts(Patterns::of(written))
            }
        };
        Self { field: field.into(), attribute, expected, values, written: written.into() }
    }

    /// A test that no call passes, in place of one that cannot be decided here.
    pub(super) fn never(field: String, attribute: Attribute, written: &[String]) -> Self {
        Self { field: field.into(), attribute, expected: true, values: Values::Nothing, written: written.into() }
    }

    /// Whether the call passes.
    pub(super) fn holds(&self, arrived: Arrived<'_>) -> bool {
        self.matches(arrived) == self.expected
    }

    fn matches(&self, arrived: Arrived<'_>) -> bool {
        let call = arrived.bag.call();
        match &self.values {
            Values::Nothing => false,
            Values::Networks(networks) => networks.have(call.peer()),
            Values::Ports(ports) => ports.contains(&arrived.port),
            Values::Paths(paths) => paths.have(call.path()),
            Values::Namespaces(patterns) => {
                proven(call).is_some_and(|caller| patterns.iter().any(|pattern| glob(pattern, &caller.namespace)))
            }
            Values::Accounts(accounts) => proven(call).is_some_and(|caller| {
                accounts
                    .iter()
                    .any(|(namespace, name)| **namespace == *caller.namespace && **name == *caller.service_account)
            }),
            Values::Texts(patterns) if self.attribute == Attribute::Host => {
                let authority = call.authority();
                let (host, port) = (authority.host(), authority.port());
                patterns.have(authority.as_str()) || patterns.have(Made::written(format_args!("{host}:{port}")).text())
            }
            Values::Texts(patterns) => text(&self.attribute, arrived).is_some_and(|text| patterns.have(text)),
        }
    }

    /// What the attribute's text must be like for the test to hold, each by itself enough; none where that cannot be said.
    pub(super) fn literals(&self) -> Option<Vec<expr::Test>> {
        let written = |texts: &mut dyn Iterator<Item = String>| {
            Some(texts.map(|text| expr::Test::Equals(text.into())).collect::<Vec<_>>())
        };
        match &self.values {
            _ if !self.expected => None,
            Values::Texts(patterns) => patterns.literals(),
            Values::Paths(paths) => paths.literals(),
            Values::Namespaces(patterns) if patterns.iter().all(|pattern| !pattern.contains('*')) => {
                written(&mut patterns.iter().map(|pattern| pattern.to_string()))
            }
            Values::Accounts(accounts) => {
                written(&mut accounts.iter().map(|(namespace, name)| format!("{namespace}/{name}")))
            }
            Values::Namespaces(_) | Values::Networks(_) | Values::Ports(_) | Values::Nothing => None,
        }
    }

    /// What the call has where the test looks; none where it has nothing.
    pub(super) fn found<'a>(&self, arrived: Arrived<'a>) -> Option<Cow<'a, str>> {
        let call = arrived.bag.call();
        Some(match &self.attribute {
            Attribute::SourceIp | Attribute::RemoteIp => address(call.peer()).into(),
            Attribute::Port => arrived.port.to_string().into(),
            Attribute::Host => call.authority().as_str().into(),
            attribute => text(attribute, arrived)?.into(),
        })
    }

    /// What the test asks for: `one of ["/a"]`.
    pub(super) fn asks(&self) -> String {
        const SHOWN: usize = 8;
        let quoted: Vec<_> = self.written.iter().take(SHOWN).map(|value| format!("{value:?}")).collect();
        let more = if self.written.len() > SHOWN { ", …" } else { "" };
        let which = if self.expected { "one of" } else { "none of" };
        format!("{which} [{}{more}]", quoted.join(", "))
    }
}

/// The text of an attribute that is one.
fn text<'a>(attribute: &Attribute, Arrived { bag, .. }: Arrived<'a>) -> Option<&'a str> {
    let call = bag.call();
    match attribute {
        Attribute::Header(name) => match bag.get(slot::REQUEST_HEADERS)? {
            ValueRef::StringMap(headers) => headers.get(name),
            _ => None,
        },
        Attribute::Principal => Some(call.caller()?.principal.as_str()).filter(|principal| !principal.is_empty()),
        Attribute::TrustDomain => call.caller()?.principal.split('/').next(),
        Attribute::Namespace => Some(proven(call)?.namespace.as_str()),
        Attribute::ServiceAccount => Some(proven(call)?.service_account.as_str()),
        Attribute::Sni => call.requested_server_name(),
        Attribute::Method => Some(call.method().as_str()),
        Attribute::Path => Some(call.path()),
        Attribute::Host => Some(call.authority().as_str()),
        Attribute::Service => Some(call.authority().host()),
        _ => None,
    }
}

/// The caller, where its identity tells a namespace and an account.
fn proven(call: &Call) -> Option<&Workload> {
    call.caller().map(|caller| &**caller).filter(|caller| !caller.namespace.is_empty())
}

fn address(address: IpAddr) -> String {
    address.to_canonical().to_string()
}
