//! Requests that are unusual and sound: clients make them, and a proxy that refuses them is of no use.

use super::Site;

/// Id, a whole request, and how what reaches the origin begins.
type Case = (&'static str, &'static [u8], &'static str);

const GOOD: &[Case] = &[
    // Paths.
    ("G1", b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1"),
    ("G1", b"GET /a%20b HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /a%20b HTTP/1.1"),
    ("G1", b"GET /caf%C3%A9 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /caf%C3%A9 HTTP/1.1"),
    ("G1", b"GET /caf%c3%a9 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /caf%C3%A9 HTTP/1.1"),
    ("G1", b"GET /caf\xc3\xa9 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /caf%C3%A9 HTTP/1.1"),
    ("G1", b"GET /caf%E9 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /caf%E9 HTTP/1.1"),
    ("G1", b"GET /%E6%97%A5%E6%9C%AC HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /%E6%97%A5%E6%9C%AC HTTP/1.1"),
    ("G1", b"GET /%F0%9F%98%80 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /%F0%9F%98%80 HTTP/1.1"),
    ("G1", b"GET /wiki/Talk:Main_Page HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /wiki/Talk:Main_Page HTTP/1.1"),
    ("G1", b"GET /@user/~home HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /@user/~home HTTP/1.1"),
    ("G1", b"GET /a;v=1/b;w=2 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /a;v=1/b;w=2 HTTP/1.1"),
    ("G1", b"GET /;jsessionid=1A2B HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /;jsessionid=1A2B HTTP/1.1"),
    ("G1", b"GET /a,b&c=d+e!$'()* HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /a,b&c=d+e!$'()* HTTP/1.1"),
    ("G1", b"GET /a|b^c HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /a%7Cb%5Ec HTTP/1.1"),
    ("G1", b"GET /{id}/[0]/\"x\" HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /%7Bid%7D/%5B0%5D/%22x%22 HTTP/1.1"),
    ("G1", b"GET /C%23/what%3F HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /C%23/what%3F HTTP/1.1"),
    ("G1", b"GET /100%25 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /100%25 HTTP/1.1"),
    ("G1", b"GET /50%25-off HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /50%25-off HTTP/1.1"),
    ("G1", b"GET /a%2520b HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /a%2520b HTTP/1.1"),
    ("G1", b"GET /wiki/Apple_Inc. HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /wiki/Apple_Inc. HTTP/1.1"),
    ("G1", b"GET /.well-known/acme-challenge/x HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /.well-known/acme-challenge/x HTTP/1.1"),
    ("G1", b"GET /a..b/..c/d.. HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /a..b/..c/d.. HTTP/1.1"),
    ("G1", b"GET /x/... HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /x/... HTTP/1.1"),
    ("G1", b"GET /administrator HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /administrator HTTP/1.1"),
    ("G1", b"GET /a/../b HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /b HTTP/1.1"),
    ("G1", b"GET /v1/projects:batchGet HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /v1/projects:batchGet HTTP/1.1"),
    ("G1", b"GET /a=b==/ HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /a=b==/ HTTP/1.1"),
    // Queries.
    ("G2", b"GET /? HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /? HTTP/1.1"),
    ("G2", b"GET /?a=b&a=c&&=&d HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?a=b&a=c&&=&d HTTP/1.1"),
    ("G2", b"GET /?url=https://b.example/admin/../x HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?url=https://b.example/admin/../x HTTP/1.1"),
    ("G2", b"GET /?u=https%3A%2F%2Fb.example%2Fadmin HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?u=https%3A%2F%2Fb.example%2Fadmin HTTP/1.1"),
    ("G2", b"GET /?q=a%20b+c%0Ad%00 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?q=a%20b+c%0Ad%00 HTTP/1.1"),
    ("G2", b"GET /?a?b=/?/ HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?a?b=/?/ HTTP/1.1"),
    ("G2", b"GET /?q=100% HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?q=100% HTTP/1.1"),
    // RFC 3986 §3.4 has no quotes in a query, and clients send them.
    ("G2", b"GET /?q=\"a\"&b=<c> HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?q=%22a%22&b=%3Cc%3E HTTP/1.1"),
    ("G2", b"GET /?ids[]=1&filter={%22a%22:1} HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?ids[]=1&filter={%22a%22:1} HTTP/1.1"),
    ("G2", b"GET /?q=\xc3\xa9 HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?q=\u{e9} HTTP/1.1"),
    // Hosts and forms of the target.
    ("G3", b"GET / HTTP/1.1\r\nhost: a.example:80\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nhost: a.example.\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nhost: A.Example\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nHost:a.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nhost: \t a.example \t\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET http://a.example HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET http://a.example/x?y HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /x?y HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET http://a.example:80/ HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET http://a.example/ HTTP/1.1\r\nhost: a.example:80\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET HTTP://A.EXAMPLE/ HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET http://a.example?x HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET /?x HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET http://a.example/ HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET / HTTP/1.0\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nhost: xn--bcher-kva.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: xn--bcher-kva.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nhost: XN--BCHER-KVA.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: xn--bcher-kva.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nhost: 3com.9.example\r\n\r\n", "GET / HTTP/1.1\r\nhost: 3com.9.example\r\n"),
    ("G3", b"GET / HTTP/1.1\r\nhost: a.example:8080\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example:8080\r\n"),
    ("G3", b"GET http://a.example:8080/ HTTP/1.1\r\nhost: a.example:8080\r\n\r\n", "GET / HTTP/1.1\r\nhost: a.example:8080\r\n"),
    // Methods.
    ("G4", b"OPTIONS * HTTP/1.1\r\nhost: a.example\r\n\r\n", "OPTIONS * HTTP/1.1"),
    ("G4", b"OPTIONS /x HTTP/1.1\r\nhost: a.example\r\n\r\n", "OPTIONS /x HTTP/1.1"),
    ("G4", b"PROPFIND /x HTTP/1.1\r\nhost: a.example\r\ndepth: 1\r\n\r\n", "PROPFIND /x HTTP/1.1"),
    ("G4", b"PATCH /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n{}", "PATCH /x HTTP/1.1"),
    ("G4", b"QUERY /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n{}", "QUERY /x HTTP/1.1"),
    ("G4", b"VERSION-CONTROL /x HTTP/1.1\r\nhost: a.example\r\n\r\n", "VERSION-CONTROL /x HTTP/1.1"),
    ("G4", b"purge /x HTTP/1.1\r\nhost: a.example\r\n\r\n", "purge /x HTTP/1.1"),
    ("G4", b"PUT /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\n\r\n", "PUT /x HTTP/1.1"),
    ("G4", b"POST /x HTTP/1.1\r\nhost: a.example\r\n\r\n", "POST /x HTTP/1.1"),
    // Headers.
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\napi_key: x\r\n\r\n", "GET / HTTP/1.1\r\napi_key: x"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nx-empty:\r\n\r\n", "GET / HTTP/1.1\r\nx-empty: "),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nx-l: caf\xc3\xa9\r\n\r\n", "GET / HTTP/1.1\r\nx-l: caf\u{e9}"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nx: a\tb\r\n\r\n", "GET / HTTP/1.1\r\nx: a\tb"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nx!#$%&'*+-.^_`|~9: y\r\n\r\n", "GET / HTTP/1.1\r\nx!#$%&'*+-.^_`|~9: y"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\ncookie: a=1; b=\"2\"\r\ncookie: c=3\r\n\r\n", "GET / HTTP/1.1\r\ncookie: a=1; b=\"2\"\r\ncookie: c=3"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nauthorization: Bearer x.y.z==\r\n\r\n", "GET / HTTP/1.1\r\nauthorization: Bearer x.y.z=="),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n", "GET / HTTP/1.1\r\ntraceparent: 00-"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nx-request-id: 7\r\nx-b3-traceid: 1\r\n\r\n", "GET / HTTP/1.1"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nvia: 1.1 other\r\n\r\n", "GET / HTTP/1.1\r\nvia: 1.1 other"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nrange: bytes=0-\r\nif-none-match: W/\"x\"\r\n\r\n", "GET / HTTP/1.1"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nproxy-connection: keep-alive\r\n\r\n", "GET / HTTP/1.1\r\nhost"),
    ("G5", b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: Keep-Alive, TE\r\nte: trailers\r\n\r\n", "GET / HTTP/1.1\r\nhost"),
    // Bodies.
    ("G6", b"GET / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\n\r\n", "GET / HTTP/1.1"),
    ("G6", b"GET / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n{}", "GET / HTTP/1.1\r\ncontent-length: 2"),
    ("G6", b"POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 002\r\n\r\n{}", "POST / HTTP/1.1\r\ncontent-length: 2"),
    ("G6", b"POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "POST / HTTP/1.1"),
    ("G6", b"POST / HTTP/1.1\r\nhost: a.example\r\nTransfer-Encoding: Chunked\r\n\r\n002;x=\"y;z\"\r\n{}\r\n000\r\n\r\n", "POST / HTTP/1.1"),
    ("G6", b"POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-sum: 1\r\n\r\n", "POST / HTTP/1.1"),
    ("G6", b"POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "POST / HTTP/1.1"),
    ("G6", b"GET / HTTP/1.1\r\nhost: a.example\r\nexpect: 100-continue\r\n\r\n", "GET / HTTP/1.1"),
    ("G6", b"\r\nGET / HTTP/1.1\r\nhost: a.example\r\n\r\n", "GET / HTTP/1.1"),
    ("G6", b"GET / HTTP/1.1\r\nhost: a.example\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABk\r\n\r\n", "GET / HTTP/1.1\r\nhost"),
];

const MORE: &str = "\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: more}
spec:
  hosts: [xn--bcher-kva.example, 3com.9.example, a.example]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: PORT}, {number: 8080, name: http-other, protocol: HTTP, targetPort: PORT}]
  endpoints: [{address: 127.0.0.1}]
";

#[test]
fn unusual_requests_that_are_sound_arrive() {
    let site = Site::new(&[]);
    let origin = site.scene.ok(&["get", "serviceentry", "a-example", "-o", "jsonpath={.spec.ports[0].targetPort}"]);
    site.scene.ok_with(&["create", "-f", "-"], &MORE.replace("PORT", &origin));
    crate::stage::until("all hosts are known", || site.proxy.get("http://a.example:8080/").status == 200);
    let mut wrong = Vec::new();
    for (id, request, begins) in GOOD {
        let mut client = site.proxy.connect();
        client.send(request);
        let answer = client.read();
        if answer.status != 200 || !answer.text().starts_with(begins) {
            wrong.push(format!("{id} {}: {} {}", request.escape_ascii(), answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// G7: heads as large as browsers' and libraries' can become, and lengths of everything.
#[test]
fn large_heads_arrive() {
    let site = Site::new(&[]);
    let long = "y".repeat(8_000);
    for request in [
        format!("GET /{long} HTTP/1.1\r\nhost: a.example\r\n\r\n"),
        format!("GET /?{long} HTTP/1.1\r\nhost: a.example\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a.example\r\ncookie: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: a.example\r\n{}\r\n", "x: y\r\n".repeat(90)),
        format!("{} / HTTP/1.1\r\nhost: a.example\r\n\r\n", "M".repeat(60)),
    ] {
        let mut client = site.proxy.connect();
        client.send(request.as_bytes());
        assert_eq!(client.read().status, 200, "{}", &request[..60]);
    }
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    GOOD.iter().map(|(id, ..)| *id).chain(["G7"])
}
