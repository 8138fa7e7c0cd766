//! HTTP/2: the same requests in frames, and what only frames can say.

use super::paths::PATHS;
use super::{ArriveAs, BeDenied, BeRefused, Must, Site};
use crate::frames::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Outcome, RST_STREAM, Wire, block, frame, get};

const PROTOCOL: u32 = 1;
const CALM: u32 = 11;

/// What is wrong with what comes of a request, or nothing.
fn fault(site: &Site, fields: &[(&str, &str)], must: Must) -> Option<String> {
    let before = site.received();
    let mut wire = Wire::open(site.proxy.address);
    wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(fields)));
    let outcome = wire.outcome(1);
    let arrived = site.received() - before;
    let right = match must {
        BeRefused => {
            // Some take the whole connection with them (RFC 9113 section 5.4.1).
            arrived == 0
                && matches!(outcome, Outcome::Reset(PROTOCOL) | Outcome::Goaway(PROTOCOL) | Outcome::Status(400))
        }
        BeDenied(status) => arrived == 0 && outcome == Outcome::Status(status),
        ArriveAs(lines) => {
            arrived == 1
                && outcome == Outcome::Status(200)
                && site.heads().last().is_some_and(|head| head.starts_with(lines))
        }
    };
    (!right).then(|| format!("{fields:?}: {outcome:?}, {arrived} arrived"))
}

const GET: (&str, &str) = (":method", "GET");
const HTTP: (&str, &str) = (":scheme", "http");
const HOST: (&str, &str) = (":authority", "a.example");
const PUBLIC: (&str, &str) = (":path", "/public");

#[test]
fn a_path_is_no_other_in_http_2() {
    let site = Site::new(&["--workers", "1"]);
    let wrong: Vec<_> = PATHS
        .iter()
        // A fragment is cut off before anybody sees the path, and a query alone is put behind `/`; what is left is judged and
        // sent.
        .filter(|(id, path, _)| *id != "P12" && !path.starts_with(b"?"))
        .filter_map(|(_, path, must)| {
            fault(&site, &[GET, HTTP, HOST, (":path", std::str::from_utf8(path).ok()?)], *must)
        })
        .collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    for (path, status) in [("/admin#", 403), ("/public#/../admin", 200), ("/admin#/../public", 403)] {
        let mut wire = Wire::open(site.proxy.address);
        wire.send(&get(1, path));
        assert_eq!(wire.outcome(1), Outcome::Status(status), "{path}");
    }
    for head in site.heads() {
        assert!(!head.contains('#') && !head.starts_with("GET /admin "), "{head}");
    }
}

/// Id, fields, and what must come of them.
type Case = (&'static str, &'static [(&'static str, &'static str)], Must);

const HERE: Must = ArriveAs("GET /public HTTP/1.1\r\n");

const REQUESTS: &[Case] = &[
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("connection", "x-role")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("transfer-encoding", "chunked")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("upgrade", "h2c")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("keep-alive", "x")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("proxy-connection", "close")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("te", "chunked")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("content-length", "45")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("content-length", "+0")], BeRefused),
    ("M2", &[GET, HTTP, HOST, PUBLIC, ("content-length", "0"), ("content-length", "45")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x", "y\r\nx-role: admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x", "y\nx-role: admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x", "y\0")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x: y\r\nx-role", "admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x-role ", "admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x-role:", "admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("X-Role", "admin")], BeRefused),
    // RFC 9113 §8.2.1: HTTP/1.1 would be read without the blanks.
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x-role", " admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, PUBLIC, ("x-role", "admin\t")], BeRefused),
    ("M3", &[GET, HTTP, HOST, (":path", "/public HTTP/1.1\r\nx: y\r\n\r\nGET /admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, (":path", "/public\r\nx-role: admin")], BeRefused),
    ("M3", &[GET, HTTP, HOST, (":path", "/public HTTP/1.1")], BeRefused),
    ("M3", &[(":method", "GET /admin HTTP/1.1\r\nx:"), HTTP, HOST, PUBLIC], BeRefused),
    ("M3", &[(":method", "GET /admin"), HTTP, HOST, PUBLIC], BeRefused),
    ("M3", &[GET, HTTP, (":authority", "a.example\r\nx-role: admin"), PUBLIC], BeRefused),
    ("M3", &[GET, (":scheme", "http://forbidden.example/?"), HOST, PUBLIC], BeRefused),
    ("M3", &[GET, (":scheme", "http\r\n"), HOST, PUBLIC], BeRefused),
    ("M4", &[GET, (":scheme", "ftp"), HOST, PUBLIC], BeRefused),
    ("M4", &[GET, (":scheme", "https"), HOST, PUBLIC], BeRefused),
    ("M4", &[GET, HOST, PUBLIC], BeRefused),
    ("M4", &[GET, HTTP, HOST, PUBLIC, (":path", "/admin")], BeRefused),
    ("M4", &[GET, HTTP, HOST, PUBLIC, ("x", "y"), (":path", "/admin")], BeRefused),
    ("M4", &[GET, HTTP, HOST, (":authority", "forbidden.example"), PUBLIC], BeRefused),
    ("M4", &[GET, HTTP, HOST, PUBLIC, ("host", "forbidden.example")], BeRefused),
    ("M4", &[GET, HTTP, (":authority", "forbidden.example"), PUBLIC, ("host", "a.example")], BeRefused),
    ("M4", &[GET, HTTP, PUBLIC, ("host", "forbidden.example")], BeDenied(403)),
    ("M4", &[GET, HTTP, (":authority", "user@forbidden.example"), PUBLIC], BeRefused),
    ("M4", &[GET, HTTP, (":authority", "FORBIDDEN.example.:80"), PUBLIC], BeDenied(403)),
    ("M4", &[GET, HTTP, (":authority", "127.1"), PUBLIC], BeRefused),
    ("M4", &[GET, HTTP, (":authority", "127.0.0.1"), PUBLIC], BeDenied(502)),
    ("M4", &[GET, HTTP, HOST, PUBLIC, (":x-role", "admin")], BeRefused),
    ("M5", &[GET, HTTP, HOST, PUBLIC, ("x-role", "admin")], BeDenied(403)),
    ("M5", &[GET, HTTP, HOST, PUBLIC, ("x-forwarded-client-cert", "x"), ("x-envoy-internal", "true")], HERE),
    ("M5", &[GET, HTTP, HOST, PUBLIC, ("x-http-method-override", "DELETE")], BeRefused),
    ("M9", &[GET, HTTP, HOST, PUBLIC, (":protocol", "websocket")], BeRefused),
    ("M9", &[(":method", "CONNECT"), (":protocol", "connect-udp"), HTTP, HOST, PUBLIC], BeDenied(403)),
    ("M9", &[(":method", "CONNECT"), (":protocol", "h2c"), HTTP, HOST, PUBLIC], BeDenied(403)),
    ("M9", &[(":method", "CONNECT"), (":protocol", ""), HTTP, HOST, PUBLIC], BeDenied(403)),
    ("M9", &[(":method", "CONNECT"), (":protocol", "websocket"), HTTP, HOST, (":path", "/admin")], BeDenied(403)),
    (
        "M9",
        &[(":method", "CONNECT"), (":protocol", "websocket"), HTTP, HOST, (":path", "/x/%2e%2e/admin")],
        BeDenied(403),
    ),
    ("M9", &[(":method", "CONNECT"), (":protocol", "websocket"), HTTP, HOST], BeRefused),
    ("M9", &[(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "forbidden.example:80")], BeRefused),
    ("M9", &[(":method", "CONNECT"), (":protocol", "websocket"), (":protocol", "x"), HTTP, HOST, PUBLIC], BeRefused),
];

#[test]
fn a_request_in_frames_is_what_was_judged_or_refused() {
    let site = Site::new(&["--workers", "1"]);
    let wrong: Vec<_> = REQUESTS
        .iter()
        .filter_map(|(id, fields, must)| Some(format!("{id} {}", fault(&site, fields, *must)?)))
        .collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// Streams that are opened and reset (CVE-2023-44487), in several ways: the one who does it is sent away, and those beside him
/// are served while it lasts.
#[test]
fn who_opens_streams_only_to_reset_them_is_sent_away_and_others_go_on() {
    let site = Site::new(&["--workers", "1"]);
    let reset = |stream: u32, code: u32| frame(RST_STREAM, 0, stream, &code.to_be_bytes());
    let window = |stream: u32| frame(crate::frames::WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes());
    type Flood<'f> = (&'f str, Box<dyn Fn(u32) -> Vec<u8> + 'f>);
    let floods: [Flood<'_>; 4] = [
        ("cancelled", Box::new(|stream| [get(stream, "/public"), reset(stream, 8)].concat())),
        ("reset for no reason", Box::new(|stream| [get(stream, "/public"), reset(stream, 0)].concat())),
        // The server is made to reset them itself (CVE-2025-8671).
        ("made to be reset", Box::new(|stream| [get(stream, "/public"), window(stream)].concat())),
        (
            "begun and cancelled",
            Box::new(|stream| {
                let fields = [(":method", "POST"), HTTP, HOST, PUBLIC];
                let head = frame(HEADERS, END_HEADERS, stream, &block(&fields));
                [head, frame(DATA, 0, stream, b"x"), reset(stream, 8)].concat()
            }),
        ),
    ];
    for (what, of) in floods {
        let mut neighbour = Wire::open(site.proxy.address);
        let mut attacker = Wire::open(site.proxy.address);
        for number in 0..3_000_u32 {
            attacker.send(&of(2 * number + 1));
            if number % 1_000 == 999 {
                let stream = 2 * (number / 1_000) + 1;
                neighbour.send(&get(stream, "/public"));
                assert_eq!(neighbour.outcome(stream), Outcome::Status(200), "{what}");
            }
        }
        let ended = attacker.read_kind(GOAWAY).map(|goaway| goaway.payload[4..8].to_vec());
        assert!(ended.is_none_or(|code| code == CALM.to_be_bytes() || code == PROTOCOL.to_be_bytes()), "{what}");
        assert!(neighbour.lives(), "{what}");
    }
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    REQUESTS.iter().map(|(id, ..)| *id).chain(["M1", "M6", "M7", "M8"])
}
