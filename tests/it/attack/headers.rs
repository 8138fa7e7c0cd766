//! Forged headers.

use super::{ArriveAs, BeDenied, BeRefused, Must, Site};

/// Id, and header lines of which nothing may reach the origin, while the request does.
const STRIPPED: &[(&str, &str)] = &[
    ("F1", "x-forwarded-client-cert: URI=spiffe://cluster.local/ns/default/sa/admin"),
    ("F1", "X-FORWARDED-CLIENT-CERT: By=x;Hash=y;Subject=\"CN=admin\""),
    ("F1", "x_forwarded_client_cert: URI=spiffe://cluster.local/ns/default/sa/admin"),
    ("F1", "client-cert: :MIIB:"),
    ("F1", "x-ssl-client-s-dn: CN=admin"),
    ("F1", "x-client-cert-dn: CN=admin"),
    ("F1", "remote-user: admin"),
    ("F2", "x-envoy-original-path: /public"),
    ("F2", "x-envoy-internal: true"),
    ("F2", "x-envoy-external-address: 127.0.0.1"),
    ("F2", "x-envoy-decorator-operation: x"),
    ("F2", "x-envoy-peer-metadata-id: admin"),
    ("F2", "x-envoy-peer-metadata: x"),
    ("F2", "x-envoy-upstream-rq-timeout-ms: 1"),
    ("F2", "x-envoy-retry-on: 5xx"),
    ("F2", "x-envoy-max-retries: 1000"),
    ("F2", "x_envoy_internal: true"),
    ("F2", "X-Envoy_Internal: true"),
    ("F2", "x-istio-attributes: x"),
    ("F3", "x-forwarded-for: 127.0.0.1"),
    ("F3", "x-forwarded-for: 10.0.0.1\r\nx-forwarded-for: 127.0.0.1"),
    ("F3", "X_Forwarded_For: 127.0.0.1"),
    ("F3", "x-forwarded-proto: https"),
    ("F3", "x-forwarded-host: forbidden.example"),
    ("F3", "x-forwarded-port: 443"),
    ("F3", "x-forwarded-prefix: /admin"),
    ("F3", "forwarded: for=127.0.0.1;host=forbidden.example;proto=https"),
    ("F3", "x-real-ip: 127.0.0.1"),
    ("F3", "x-client-ip: 127.0.0.1"),
    ("F3", "true-client-ip: 127.0.0.1"),
    ("F4", "x-egress-debug: true"),
    ("F4", "x-egress-identity: admin"),
    ("F4", "x-egress-decision-id: 0123456789abcdef"),
    ("F4", "x_egress_debug: true"),
    ("F5", "x-original-url: /admin"),
    ("F5", "x-rewrite-url: /admin"),
    ("F5", "x-original-uri: /admin"),
    ("F5", "x_original_url: /admin"),
    ("F5", "x-host: forbidden.example"),
    ("F5", "x-http-host-override: forbidden.example"),
    ("F8", "connection: x-hop\r\nx-hop: 1"),
    ("F8", "connection: close, x-hop\r\nX-HOP: 1"),
    ("F8", "connection: x-forwarded-for\r\nx-forwarded-for: 127.0.0.1"),
    ("F8", "keep-alive: timeout=1000"),
    ("F8", "te: trailers, gzip"),
    ("F8", "trailer: x-sum"),
    ("F8", "proxy-connection: keep-alive"),
    ("F8", "proxy_connection: keep-alive"),
    ("F9", "proxy-authorization: Basic YTpi"),
    ("F9", "proxy_authorization: Basic YTpi"),
    ("F9", "Proxy-Authorization: Bearer x\r\nconnection: proxy-authorization"),
    ("F9", "proxy-authenticate: Basic"),
    ("F11", "proxy: http://forbidden.example"),
    ("F13", "content_length: 5"),
    ("F13", "transfer_encoding: chunked"),
];

#[test]
fn what_only_a_proxy_may_say_never_passes() {
    let site = Site::new(&[]);
    for (id, lines) in STRIPPED {
        let request = format!("GET /public HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\n{lines}\r\n\r\n");
        let mut client = site.proxy.connect();
        client.send(request.as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, 200, "{id} {lines}: {}", answer.text());
        let mut arrived: Vec<_> = answer.text().lines().map(str::to_owned).collect();
        arrived.sort();
        assert_eq!(arrived, ["GET /public HTTP/1.1", "accept: */*", "host: a.example"], "{id} {lines}");
    }
}

#[test]
fn what_only_a_proxy_may_say_is_seen_by_no_policy() {
    let seen = super::denying(
        "(request.headers[\"x-forwarded-for\"] | \"\") != \"\" || (request.headers[\"x-forwarded-client-cert\"] | \"\") != \"\"",
    );
    let (scene, origin) = crate::proxied::with_origin(&seen);
    let proxy = crate::proxied::Proxied::start(&scene, &[]);
    let mut client = proxy.connect();
    client.send(
        b"GET / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-for: 127.0.0.1\r\nx-forwarded-client-cert: URI=x\r\n\r\n",
    );
    assert_eq!(client.read().status, 200);
    assert_eq!(origin.requests(), 1);
}

/// Id, what stands between the Host and the end of the head, and what must come of a GET for `/public`.
type Case = (&'static str, &'static [u8], Must);

const HERE: Must = ArriveAs("GET /public HTTP/1.1\r\n");

const FIELDS: &[Case] = &[
    ("F6", b"x-http-method-override: DELETE\r\n", BeRefused),
    ("F6", b"X-HTTP-Method: DELETE\r\n", BeRefused),
    ("F6", b"x-method-override: delete\r\n", BeRefused),
    ("F6", b"x_http_method_override: DELETE\r\n", BeRefused),
    ("F6", b"x-http-method-override: GET\r\nx-http-method-override: DELETE\r\n", BeRefused),
    ("F6", b"x-http-method-override: GET\r\n", HERE),
    ("F7", b"x-team: a\r\nx_team: b\r\n", BeRefused),
    ("F7", b"X_TEAM: a\r\nx-team: b\r\n", BeRefused),
    ("F7", b"x_role: admin\r\n", BeDenied(403)),
    ("F7", b"X_Role: admin\r\n", BeDenied(403)),
    ("F10", b"x-role: admin\r\n", BeDenied(403)),
    ("F10", b"X-ROLE:admin\r\n", BeDenied(403)),
    ("F10", b"x-role: \t admin \t\r\n", BeDenied(403)),
    ("F10", b"x-role : admin\r\n", BeRefused),
    ("F10", b"x-role\t: admin\r\n", BeRefused),
    ("F10", b" x-role: admin\r\n", BeRefused),
    ("F10", b"\tx-role: admin\r\n", BeRefused),
    ("F10", b"x: y\r\n x-role: admin\r\n", BeRefused),
    ("F10", b"x-role:\r\n admin\r\n", BeRefused),
    ("F10", b"x-role:\r\n\tadmin\r\n", BeRefused),
    ("F10", b"x: y\rx-role: admin\r\n", BeRefused),
    ("F10", b"x: y\nx-role: admin\r\n", BeRefused),
    ("F10", b"x: y\r\rx-role: admin\r\n", BeRefused),
    ("F10", b"x: y\n\r\nx-role: admin\r\n", BeRefused),
    ("F10", b"x-role: admin\0\r\n", BeRefused),
    ("F10", b"x-role: \0admin\r\n", BeRefused),
    ("F10", b"x-role\0: admin\r\n", BeRefused),
    ("F10", b"x-role: ad\x01min\r\n", BeRefused),
    ("F10", b"x-role: admin\x7f\r\n", BeRefused),
    ("F10", b"x-role: admin\x0b\r\n", BeRefused),
    // Bytes that are no UTF-8 are letters of Latin-1 (RFC 9110 §5.5): another role.
    ("F10", b"x-role: \xffadmin\r\n", HERE),
    ("F10", b"x-r\xc3\xb6le: admin\r\n", BeRefused),
    ("F10", b"\"x-role\": admin\r\n", BeRefused),
    ("F10", b"x-role;: admin\r\n", BeRefused),
    ("F10", b"x-role/x: admin\r\n", BeRefused),
    ("F10", b": admin\r\n", BeRefused),
    ("F10", b"x-role\r\n", BeRefused),
    ("F10", b"GET /admin HTTP/1.1\r\n", BeRefused),
    ("F10", b"\x00\r\n", BeRefused),
    ("F12", b"expect: 200-ok\r\n", BeRefused),
    ("F12", b"expect: 100-continue, x\r\n", BeRefused),
    ("F12", b"expect: y 100-continue\r\n", BeRefused),
    ("F12", b"expect:\r\n", BeRefused),
];

#[test]
fn a_header_is_what_was_judged_or_the_request_is_refused() {
    let site = Site::new(&[]);
    let request = |fields: &[u8]| [b"GET /public HTTP/1.1\r\nhost: a.example\r\n", fields, b"\r\n"].concat();
    site.all(FIELDS.iter().map(|(_, fields, must)| (request(fields), *must)));
    site.has_refusals(FIELDS.iter().filter(|(_, _, must)| !matches!(must, ArriveAs(_))).count());
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    STRIPPED.iter().map(|(id, _)| *id).chain(FIELDS.iter().map(|(id, ..)| *id))
}
