//! The attributes of a call: what expressions read of it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use http::header::HeaderValue;

use crate::accesslog::{REDACTED, Redact, is_credential};
use crate::expr::{Bag, Slot, StringMap, ValueRef, slot};
use crate::identity::Proof;

use super::{Call, Code, Failure, Granted, Outcome};

/// Who reports a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reporter {
    /// `kubernetes://POD.NAMESPACE`; empty where there is no workload to name.
    pub uid: String,
    /// What it is told of who comes to it.
    pub peers: Peers,
}

/// How callers, or their sidecars, come to who reports their calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Peers {
    /// To their own sidecar, in plain text.
    #[default]
    Workload,
    /// From their sidecars to the gateway, over the mesh's mutual TLS; or from outside, as its server wants it.
    Sidecars {
        /// Whether the server itself asks for certificates. Only then Istio's gateway tells `source.user`: it is the name in
        /// the certificate that a server asked for.
        asks_certificates: bool,
    },
}

/// Call, outcome and reporter, as values by slot. What is not known or not proven has no value.
#[derive(Debug)]
pub struct CallBag<'a> {
    call: &'a Call,
    outcome: Option<&'a Outcome>,
    reporter: &'a Reporter,
    /// What the caller of a refused call was told.
    refusal: Option<&'a str>,
    /// Envoy's details of the refusal by a policy.
    details: Option<&'a str>,
    /// The grant by which it went.
    granted: Option<&'a Granted>,
    headers: RequestHeaders<'a>,
    query: QueryParameters<'a>,
    /// What is left out of lines that do not say so themselves.
    redact: Redact,
    /// Made only where there are several.
    flags: OnceCell<Box<str>>,
}

impl<'a> CallBag<'a> {
    /// The bag of a call; before its end without outcome, so that no `response.*` has a value.
    pub fn new(call: &'a Call, outcome: Option<&'a Outcome>, reporter: &'a Reporter) -> Self {
        Self {
            call,
            outcome,
            reporter,
            refusal: None,
            details: None,
            granted: None,
            headers: RequestHeaders::new(call, None),
            query: QueryParameters::new(call, None),
            redact: Redact::default(),
            flags: OnceCell::new(),
        }
    }

    /// With what the caller of a refused call was told.
    #[must_use]
    pub fn refused(self, message: &'a str) -> Self {
        Self { refusal: Some(message), ..self }
    }

    /// With Envoy's details of a refusal, if there are some.
    #[must_use]
    pub fn detailed(self, details: &'a str) -> Self {
        Self { details: Some(details).filter(|details| !details.is_empty()), ..self }
    }

    /// With the grant by which it went, if one had to let it go.
    #[must_use]
    pub fn granted(self, granted: Option<&'a Granted>) -> Self {
        Self { granted, ..self }
    }

    /// With what is left out of lines that do not say so themselves.
    #[must_use]
    pub fn redacting(self, redact: Redact) -> Self {
        Self { redact, ..self }
    }

    /// The bag that a line is made of: without what is left out of this one, or of all.
    #[must_use]
    pub fn shown(&self, redact: Option<Redact>) -> Self {
        let redact = redact.unwrap_or(self.redact);
        Self {
            headers: RequestHeaders::new(self.call, Some(redact)),
            query: QueryParameters::new(self.call, Some(redact)),
            flags: OnceCell::new(),
            redact,
            ..*self
        }
    }

    /// The call.
    pub fn call(&self) -> &'a Call {
        self.call
    }

    /// The caller's namespace, which decides which rules see the call.
    pub fn source_namespace(&self) -> Option<&'a str> {
        self.call.caller().map(|caller| caller.namespace.as_str())
    }

    /// Mixer's attributes of TCP: nothing of a request, as none can be read.
    fn tunnel(&self, slot: Slot) -> Option<ValueRef<'_>> {
        let bytes = |count: u64| ValueRef::Int64(i64::try_from(count).unwrap_or(i64::MAX));
        Some(match (slot, self.outcome) {
            (slot::CONTEXT_PROTOCOL, _) => ValueRef::String("tcp"),
            (slot::CONTEXT_TIME | slot::CONTEXT_TIMESTAMP, _) => ValueRef::Timestamp(self.call.time()),
            // There is one report of a tunnel, at its end.
            (slot::CONNECTION_EVENT, Some(_)) => ValueRef::String("close"),
            (slot::CONNECTION_RECEIVED_BYTES | slot::CONNECTION_RECEIVED_BYTES_TOTAL, Some(outcome)) => {
                bytes(outcome.request_bytes)
            }
            (slot::CONNECTION_SENT_BYTES | slot::CONNECTION_SENT_BYTES_TOTAL, Some(outcome)) => {
                bytes(outcome.response_bytes)
            }
            (slot::CONNECTION_CLOSED_BY, Some(outcome)) => ValueRef::String(outcome.closed_by?.name()),
            (slot::CONNECTION_DURATION, Some(outcome)) => ValueRef::Duration(outcome.duration),
            _ => return None,
        })
    }

    fn request(&self, slot: Slot) -> Option<ValueRef<'_>> {
        let call = self.call;
        Some(match slot {
            // Without the port, unlike Mixer: a rule for a host must not miss the calls to its other ports, which
            // `destination.port` tells apart.
            slot::REQUEST_HOST => ValueRef::String(call.authority().host()),
            slot::REQUEST_PATH => ValueRef::String(self.headers.path()),
            slot::REQUEST_URL_PATH => ValueRef::String(self.headers.url_path()),
            slot::REQUEST_QUERY_PARAMS => ValueRef::StringMap(&self.query),
            slot::REQUEST_METHOD => ValueRef::String(call.method().as_str()),
            slot::REQUEST_SCHEME => ValueRef::String(call.scheme()),
            slot::CONTEXT_PROTOCOL | slot::API_PROTOCOL => ValueRef::String("http"),
            slot::REQUEST_HEADERS => ValueRef::StringMap(&self.headers),
            slot::REQUEST_USERAGENT => ValueRef::String(self.headers.get("user-agent")?),
            slot::REQUEST_REFERER => ValueRef::String(self.headers.get("referer")?),
            slot::REQUEST_ID => ValueRef::String(self.headers.get("x-request-id")?),
            slot::REQUEST_TIME | slot::CONTEXT_TIME | slot::CONTEXT_TIMESTAMP => ValueRef::Timestamp(call.time()),
            _ => return None,
        })
    }

    fn source(&self, slot: Slot) -> Option<ValueRef<'_>> {
        if matches!(slot, slot::SOURCE_IP | slot::ORIGIN_IP) {
            return Some(ValueRef::IpAddress(self.call.peer()));
        }
        let caller = self.call.caller()?;
        let text = match slot {
            slot::SOURCE_LABELS => return Some(ValueRef::StringMap(&caller.labels)),
            slot::SOURCE_UID | slot::ORIGIN_UID => &caller.uid,
            slot::SOURCE_NAME => &caller.pod,
            slot::SOURCE_NAMESPACE | slot::SOURCE_WORKLOAD_NAMESPACE => &caller.namespace,
            slot::SOURCE_SERVICE_ACCOUNT => &caller.service_account,
            slot::SOURCE_SERVICE => caller.services.first()?,
            slot::SOURCE_PRINCIPAL => &caller.principal,
            slot::SOURCE_USER if self.certified(caller.proof) => &caller.principal,
            slot::SOURCE_OWNER => &caller.owner,
            slot::SOURCE_WORKLOAD_UID => &caller.workload_uid,
            slot::SOURCE_WORKLOAD_NAME => &caller.name,
            _ => return None,
        };
        // Of who is known by a principal alone the rest is not known.
        (!text.is_empty()).then_some(ValueRef::String(text))
    }

    /// Whether the peer showed a certificate to a server that asked for it.
    fn certified(&self, proof: Proof) -> bool {
        match self.reporter.peers {
            Peers::Workload => proof == Proof::Certificate,
            Peers::Sidecars { asks_certificates } => asks_certificates || self.call.tls().is_some_and(|tls| tls.mutual),
        }
    }

    /// Whether the connection that the call came by proved both its ends. Of who comes to the gateway without TLS of its
    /// own only sidecars' callers are known.
    fn is_mutual(&self) -> bool {
        match self.call.tls() {
            Some(tls) => tls.mutual,
            None => self.call.caller().is_some() && matches!(self.reporter.peers, Peers::Sidecars { .. }),
        }
    }

    fn destination(&self, slot: Slot) -> Option<ValueRef<'_>> {
        let authority = self.call.authority();
        Some(match slot {
            slot::DESTINATION_SERVICE | slot::DESTINATION_SERVICE_HOST | slot::DESTINATION_SERVICE_NAME => {
                ValueRef::String(authority.host())
            }
            slot::DESTINATION_PORT => ValueRef::Int64(i64::from(authority.port())),
            slot::CONTEXT_REPORTER_KIND => ValueRef::String("outbound"),
            slot::CONTEXT_REPORTER_UID => ValueRef::String(&self.reporter.uid),
            slot::CONNECTION_MTLS => ValueRef::Bool(self.is_mutual()),
            slot::CONNECTION_REQUESTED_SERVER_NAME => ValueRef::String(self.call.requested_server_name()?),
            _ => return None,
        })
    }

    fn response(&self, slot: Slot) -> Option<ValueRef<'_>> {
        let outcome = self.outcome?;
        let answers = self.call.tunnel().is_none();
        let bytes = |count: u64| ValueRef::Int64(i64::try_from(count).unwrap_or(i64::MAX));
        Some(match slot {
            slot::RESPONSE_CODE if answers => ValueRef::Int64(i64::from(outcome.status)),
            slot::RESPONSE_SIZE if answers => bytes(outcome.response_bytes),
            slot::RESPONSE_DURATION if answers => ValueRef::Duration(outcome.duration),
            slot::RESPONSE_TIME if answers => ValueRef::Timestamp(outcome.response_time),
            slot::REQUEST_SIZE if answers => bytes(outcome.request_bytes),
            slot::CHECK_ERROR_CODE => match outcome.failure? {
                Failure::Denied(code) => ValueRef::Int64(i64::from(code.0)),
                Failure::AccessDenied | Failure::Unauthorized(_) => {
                    ValueRef::Int64(i64::from(Code::PERMISSION_DENIED.0))
                }
                _ => return None,
            },
            // It may hold text of the caller.
            slot::CHECK_ERROR_MESSAGE if self.headers.shown == Some(Redact::All) => {
                self.refusal.map(|_| ValueRef::String(REDACTED))?
            }
            slot::CHECK_ERROR_MESSAGE => ValueRef::String(self.refusal?),
            slot::RESPONSE_CODE_DETAILS => ValueRef::String(self.details?),
            slot::GRANT_NAME => ValueRef::String(&self.granted?.name),
            slot::GRANT_REASON => ValueRef::String(&self.granted?.reason),
            slot::RESPONSE_FLAGS | slot::CONTEXT_PROXY_ERROR_CODE => ValueRef::String(match outcome.flags(self.call) {
                Cow::Borrowed(flag) => flag,
                Cow::Owned(flags) => self.flags.get_or_init(|| flags.into()),
            }),
            _ => return None,
        })
    }
}

impl Bag for CallBag<'_> {
    fn get(&self, slot: Slot) -> Option<ValueRef<'_>> {
        let asked = if self.call.tunnel().is_some() { self.tunnel(slot) } else { self.request(slot) };
        asked.or_else(|| self.source(slot)).or_else(|| self.response(slot)).or_else(|| self.destination(slot))
    }
}

/// Whether an attribute has a value for every request, from the start: rules are found by these without being evaluated.
/// Tunnels lack some of them.
pub fn always_present(slot: Slot) -> bool {
    matches!(
        slot,
        slot::REQUEST_HOST
            | slot::REQUEST_PATH
            | slot::REQUEST_URL_PATH
            | slot::REQUEST_QUERY_PARAMS
            | slot::REQUEST_METHOD
            | slot::REQUEST_SCHEME
            | slot::REQUEST_HEADERS
            | slot::REQUEST_TIME
            | slot::CONTEXT_PROTOCOL
            | slot::CONTEXT_TIME
            | slot::CONTEXT_TIMESTAMP
            | slot::CONTEXT_REPORTER_KIND
            | slot::SOURCE_IP
            | slot::DESTINATION_PORT
            | slot::DESTINATION_SERVICE
            | slot::DESTINATION_SERVICE_HOST
    )
}

/// Whether an attribute gets its value only with the answer. A check rule that reads one does not apply: before the
/// call leaves nobody can say what the answer will be.
pub fn known_only_afterwards(attribute: &str) -> bool {
    const AFTERWARDS: [&str; 11] = [
        "request.size",
        "request.total_size",
        "context.proxy_error_code",
        "connection.closed_by",
        "connection.duration",
        "connection.event",
        "quota.cache_hit",
        "connection.received.bytes",
        "connection.received.bytes_total",
        "connection.sent.bytes",
        "connection.sent.bytes_total",
    ];
    ["response.", "check.", "grant."].iter().any(|prefix| attribute.starts_with(prefix))
        || AFTERWARDS.contains(&attribute)
}

/// A header's value as text: UTF-8, or else Latin-1, in which every byte is a letter (RFC 9110 §5.5).
pub fn header_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// Headers under lower-case names, with HTTP/2's names for what stands in the request line. A repeated header is one, its
/// values joined by `,` (RFC 9110 §5.3), as routes see it too: a second value must not hide behind the first.
#[derive(Debug)]
struct RequestHeaders<'a> {
    call: &'a Call,
    /// Made only for calls that repeat a header, or have one that is no UTF-8, and only when one of theirs is asked for.
    joined: OnceCell<BTreeMap<String, String>>,
    /// What is left out, where a line is made of them.
    shown: Option<Redact>,
    /// What is then shown of the path, if not all.
    path: OnceCell<Option<String>>,
    /// The same without its query.
    url_path: OnceCell<Option<String>>,
}

impl<'a> RequestHeaders<'a> {
    fn new(call: &'a Call, shown: Option<Redact>) -> Self {
        Self { call, joined: OnceCell::new(), shown, path: OnceCell::new(), url_path: OnceCell::new() }
    }

    /// The path with its query, as far as it is shown.
    fn path(&self) -> &str {
        let whole = self.call.path_and_query().as_str();
        match self.shown {
            Some(redact) => self.path.get_or_init(|| redact.path(whole)).as_deref().unwrap_or(whole),
            None => whole,
        }
    }

    /// The path, as far as it is shown.
    fn url_path(&self) -> &str {
        let whole = self.call.path();
        match self.shown {
            Some(redact) => self.url_path.get_or_init(|| redact.path(whole)).as_deref().unwrap_or(whole),
            None => whole,
        }
    }

    fn join(&self) -> BTreeMap<String, String> {
        let headers = self.call.headers();
        let joined = |name| headers.get_all(name).iter().map(header_text).collect::<Vec<_>>().join(",");
        headers.keys().map(|name| (name.as_str().replace('_', "-"), joined(name))).collect()
    }
}

impl StringMap for RequestHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            ":authority" | "host" => return Some(self.call.authority().as_str()),
            ":path" => return Some(self.path()),
            ":method" => return Some(self.call.method().as_str()),
            _ => {}
        }
        let mut values = self.call.header(key).iter();
        let first = values.next()?;
        if self.shown.is_some_and(|redact| redact == Redact::All || is_credential(key)) {
            return Some(REDACTED);
        }
        match (values.next(), std::str::from_utf8(first.as_bytes())) {
            (None, Ok(text)) => Some(text),
            _ => self.joined.get_or_init(|| self.join()).get(&*key.replace('_', "-")).map(String::as_str),
        }
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &str)) {
        let pseudo = [":authority", ":method", ":path"].into_iter();
        for name in pseudo.chain(self.call.headers().keys().map(|name| name.as_str())) {
            if let Some(value) = self.get(name) {
                visit(name, value);
            }
        }
    }
}

/// Query parameters, undecoded; of a repeated one the first value.
#[derive(Debug)]
struct QueryParameters<'a> {
    text: &'a str,
    /// Whether a line is made of them that leaves their values out.
    is_hidden: bool,
}

impl<'a> QueryParameters<'a> {
    fn new(call: &'a Call, shown: Option<Redact>) -> Self {
        let is_hidden = shown.is_some_and(|redact| redact != Redact::None);
        Self { text: call.path_and_query().query().unwrap_or_default(), is_hidden }
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs =
            self.text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.map(|(name, value)| (name, if self.is_hidden { REDACTED } else { value }))
    }
}

impl StringMap for QueryParameters<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.pairs().find_map(|(name, value)| (name == key).then_some(value))
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.pairs().for_each(|(name, value)| visit(name, value));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use super::*;
    use crate::call::{Arrival, Code, Marks, TlsSession, normalize};
    use crate::expr::{Timestamp, Vocabulary};
    use crate::identity::Caller;

    fn call(head: http::request::Builder) -> Call {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
        normalize(head.version(http::Version::HTTP_2).body(()).expect("a head").into_parts().0, arrival)
            .expect("a call")
    }

    fn text_of(call: &Call, slot: Slot) -> Option<String> {
        let reporter = Reporter::default();
        let bag = CallBag::new(call, None, &reporter);
        match bag.get(slot)? {
            ValueRef::String(text) => Some(text.to_owned()),
            other => panic!("{other:?} is no text"),
        }
    }

    #[test]
    fn the_host_has_no_port_so_that_no_port_escapes_a_rule_for_it() {
        let call = call(http::Request::builder().uri("http://edition.cnn.com:443/politics"));
        assert_eq!(text_of(&call, slot::REQUEST_HOST).as_deref(), Some("edition.cnn.com"));
    }

    #[test]
    fn what_is_said_to_be_always_present_or_known_only_afterwards_is() {
        let call = call(http::Request::builder().uri("http://a.example/"));
        let outcome = Outcome {
            status: 403,
            failure: Some(Failure::Denied(Code::PERMISSION_DENIED)),
            abandoned: false,
            request_bytes: 0,
            response_bytes: 0,
            response_time: Timestamp::ZERO,
            duration: 0,
            marks: Marks::default(),
            closed_by: None,
        };
        let reporter = Reporter::default();
        let before = CallBag::new(&call, None, &reporter);
        let after = CallBag::new(&call, Some(&outcome), &reporter).refused("no");
        let vocabulary = Vocabulary::standard();
        for (name, slot) in vocabulary.names().filter_map(|name| Some((name, vocabulary.get(name)?.0))) {
            assert!(!always_present(slot) || before.get(slot).is_some(), "{name} is not there");
            let comes_later = before.get(slot).is_none() && after.get(slot).is_some();
            assert!(!comes_later || known_only_afterwards(name), "{name} comes later");
            assert!(!known_only_afterwards(name) || before.get(slot).is_none(), "{name} is there before");
        }
    }

    #[test]
    fn a_tunnel_has_the_attributes_of_tcp_and_none_of_a_request() {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
        let mut call = Call::tunnel_to("a.example:443", arrival).expect("a target");
        call.expect_tls();
        let outcome = Outcome {
            status: 200,
            failure: Some(Failure::ConnectFailed),
            abandoned: false,
            request_bytes: 7,
            response_bytes: 11,
            response_time: Timestamp::ZERO,
            duration: 13,
            marks: Marks::default(),
            closed_by: None,
        };
        let reporter = Reporter::default();
        let before = CallBag::new(&call, None, &reporter);
        let after = CallBag::new(&call, Some(&outcome), &reporter);
        assert_eq!(text_of(&call, slot::CONTEXT_PROTOCOL).as_deref(), Some("tcp"));
        assert_eq!(text_of(&call, slot::CONNECTION_REQUESTED_SERVER_NAME).as_deref(), Some("a.example"));
        assert_eq!(text_of(&call, slot::DESTINATION_SERVICE_HOST).as_deref(), Some("a.example"));
        assert!(matches!(after.get(slot::CONNECTION_RECEIVED_BYTES), Some(ValueRef::Int64(7))));
        assert!(matches!(after.get(slot::CONNECTION_SENT_BYTES), Some(ValueRef::Int64(11))));
        assert!(matches!(after.get(slot::CONTEXT_PROXY_ERROR_CODE), Some(ValueRef::String("UF,URX"))));
        let vocabulary = Vocabulary::standard();
        for (name, slot) in vocabulary.names().filter_map(|name| Some((name, vocabulary.get(name)?.0))) {
            let of_answers = name.starts_with("response.") && slot != slot::RESPONSE_FLAGS;
            let of_http = name.starts_with("request.") || of_answers;
            assert!(!of_http || after.get(slot).is_none(), "{name} has a value");
            let comes_later = before.get(slot).is_none() && after.get(slot).is_some();
            assert!(!comes_later || known_only_afterwards(name), "{name} comes later");
        }
    }

    #[test]
    fn who_calls_is_told_as_far_as_it_is_proven_and_its_certificate_only_where_a_server_asks_for_it() {
        let id = "spiffe://cluster.local/ns/default/sa/sleep".parse().expect("an identity");
        let workload = Caller::by_certificate(&id, None).workload;
        let caller = |proof| Caller { workload: Arc::clone(&workload), proof, in_audit: false };
        let known = Some("cluster.local/ns/default/sa/sleep");
        let gateway = |asks_certificates| Peers::Sidecars { asks_certificates };
        let tls = |mutual| Some(Arc::new(TlsSession { server_name: None, mutual }));
        for (proof, tls, peers, principal, user, mutual) in [
            (None, None, Peers::Workload, None, None, false),
            (Some(Proof::Listener), None, Peers::Workload, known, None, false),
            (Some(Proof::SocketOwner), None, Peers::Workload, known, None, false),
            (Some(Proof::Listener), None, gateway(false), known, None, true),
            (Some(Proof::Certificate), None, gateway(false), known, None, true),
            (Some(Proof::Listener), None, gateway(true), known, known, true),
            (Some(Proof::Certificate), None, gateway(true), known, known, true),
            (None, None, gateway(true), None, None, false),
            (None, tls(false), gateway(false), None, None, false),
            (Some(Proof::Certificate), tls(true), gateway(true), known, known, true),
        ] {
            let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: proof.map(caller), peer, tls };
            let call = Call::tunnel_to("a.example:443", arrival).expect("a target");
            let reporter = Reporter { uid: String::new(), peers };
            let bag = CallBag::new(&call, None, &reporter);
            let text = |slot| match bag.get(slot) {
                Some(ValueRef::String(text)) => Some(text),
                _ => None,
            };
            let found = (text(slot::SOURCE_PRINCIPAL), text(slot::SOURCE_USER));
            assert_eq!(found, (principal, user), "{proof:?} {peers:?}");
            assert!(
                matches!(bag.get(slot::CONNECTION_MTLS), Some(ValueRef::Bool(told)) if told == mutual),
                "{proof:?}"
            );
            assert_eq!(text(slot::SOURCE_NAMESPACE), proof.map(|_| "default"));
            assert_eq!(text(slot::SOURCE_WORKLOAD_NAME), None, "nothing is known of the workload");
        }
    }

    #[test]
    fn a_repeated_header_is_one_value() {
        let head = http::Request::builder().uri("http://a.example/").header("x-h", "ok").header("x-h", "bad");
        let call = call(head);
        let reporter = Reporter::default();
        let bag = CallBag::new(&call, None, &reporter);
        let Some(ValueRef::StringMap(headers)) = bag.get(slot::REQUEST_HEADERS) else { panic!("no headers") };
        assert_eq!(headers.get("x-h"), Some("ok,bad"));
        assert_eq!(headers.get("x-none"), None);
    }

    #[test]
    fn what_is_no_utf_8_is_latin_1() {
        let latin = HeaderValue::from_bytes(b"caf\xe9").expect("a value");
        let utf = HeaderValue::from_bytes("caf\u{e9}".as_bytes()).expect("a value");
        let head = http::Request::builder().uri("http://a.example/").header("x-l", &latin).header("x-u", &utf);
        let call = call(head.header("x-both", &utf).header("x-both", &latin));
        let reporter = Reporter::default();
        let bag = CallBag::new(&call, None, &reporter);
        let Some(ValueRef::StringMap(headers)) = bag.get(slot::REQUEST_HEADERS) else { panic!("no headers") };
        assert_eq!((headers.get("x-l"), headers.get("x-u")), (Some("caf\u{e9}"), Some("caf\u{e9}")));
        assert_eq!(headers.get("x-both"), Some("caf\u{e9},caf\u{e9}"));
    }
}
