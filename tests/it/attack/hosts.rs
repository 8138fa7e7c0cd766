//! Spellings of hosts.

use super::{ArriveAs, BeDenied, BeRefused, Must, Site};

/// Id, what stands in Host, and what must come of a GET for `/`.
type Case = (&'static str, &'static [u8], Must);

const HERE: Must = ArriveAs("GET / HTTP/1.1\r\nhost: a.example\r\n");

const HOSTS: &[Case] = &[
    ("H1", b"A.EXAMPLE", HERE),
    ("H1", b"a.example.", HERE),
    ("H1", b"a.example:80", HERE),
    ("H1", b"A.Example.:80", HERE),
    ("H1", b"FORBIDDEN.example", BeDenied(403)),
    ("H1", b"forbidden.example.", BeDenied(403)),
    ("H1", b"forbidden.example:80", BeDenied(403)),
    ("H1", b"forbidden.example.:0080", BeDenied(403)),
    ("H1", b"forbidden.example:", BeDenied(403)),
    ("H1", b"forbidden.example..", BeRefused),
    ("H1", b".forbidden.example", BeRefused),
    ("H1", b"forbidden..example", BeRefused),
    ("H2", b"", BeRefused),
    ("H2", b"a.example, forbidden.example", BeRefused),
    ("H2", b"a.example,forbidden.example", BeRefused),
    ("H2", b"a.example forbidden.example", BeRefused),
    ("H2", b"a.example\tforbidden.example", BeRefused),
    ("H2", b"a.example;forbidden.example", BeRefused),
    ("H4", b"a.example@forbidden.example", BeRefused),
    ("H4", b"forbidden.example:80@a.example", BeRefused),
    ("H4", b"@forbidden.example", BeRefused),
    ("H5", b"forbidden%2eexample", BeRefused),
    ("H5", b"%66orbidden.example", BeRefused),
    ("H5", b"forbidden.example%00.a.example", BeRefused),
    ("H5", b"forbidden.example%20", BeRefused),
    ("H5", b"forb\xc4\xb1dden.example", BeRefused),
    ("H5", b"forbidden\xe3\x80\x82example", BeRefused),
    ("H5", b"forbidden\xef\xbc\x8eexample", BeRefused),
    ("H5", b"\xef\xbd\x86orbidden.example", BeRefused),
    ("H5", b"forbidden.example\xc2\xa0", BeRefused),
    ("H5", b"forbidden\xff.example", BeRefused),
    ("H6", b"a.example:0", BeRefused),
    ("H6", b"a.example:65616", BeRefused),
    ("H6", b"a.example:-80", BeRefused),
    ("H6", b"a.example:+80", BeRefused),
    ("H6", b"a.example:http", BeRefused),
    ("H6", b"a.example:80:80", BeRefused),
    ("H6", b"a.example: 80", BeRefused),
    ("H6", b"a.example:0x50", BeRefused),
    ("H6", b"a.example:8080", BeDenied(502)),
    ("H7", b"127.0.0.1", BeDenied(502)),
    ("H7", b"127.0.0.1.", BeDenied(502)),
    ("H7", b"127.1", BeRefused),
    ("H7", b"127.0.1", BeRefused),
    ("H7", b"2130706433", BeRefused),
    ("H7", b"0x7f000001", BeRefused),
    ("H7", b"0X7F.1", BeRefused),
    ("H7", b"0177.0.0.1", BeRefused),
    ("H7", b"127.0.0.01", BeRefused),
    ("H7", b"0127.0.0.1", BeRefused),
    ("H7", b"017700000001", BeRefused),
    ("H7", b"127.0.0.0x1", BeRefused),
    ("H7", b"127.0.0.256", BeRefused),
    ("H7", b"1.127.0.0.1", BeRefused),
    ("H7", b"169.254.169.254", BeDenied(502)),
    ("H7", b"0", BeRefused),
    ("H7", b"0.0.0.0", BeDenied(502)),
    ("H8", b"[::1]", BeDenied(502)),
    ("H8", b"[0:0:0:0:0:0:0:1]", BeDenied(502)),
    ("H8", b"[::ffff:127.0.0.1]", BeDenied(502)),
    ("H8", b"[::ffff:7f00:1]", BeDenied(502)),
    ("H8", b"[::127.0.0.1]", BeDenied(502)),
    ("H8", b"[64:ff9b::127.0.0.1]", BeDenied(502)),
    ("H8", b"[2002:7f00:1::]", BeDenied(502)),
    ("H8", b"[::ffff:0:127.0.0.1]", BeDenied(502)),
    ("H8", b"[::1%25lo]", BeRefused),
    ("H8", b"[::1%lo]", BeRefused),
    ("H8", b"[fe80::1%eth0]", BeRefused),
    ("H8", b"[::1", BeRefused),
    ("H8", b"::1", BeRefused),
    ("H8", b"[::1]x", BeRefused),
    ("H8", b"[::1].a.example", BeRefused),
    ("H8", b"[]", BeRefused),
    ("H8", b"[v1.a]", BeRefused),
    ("H8", b"[127.0.0.1]", BeRefused),
    ("H8", b"[a.example]", BeRefused),
    ("H10", b"a.example/admin", BeRefused),
    ("H10", b"a.example/..", BeRefused),
    ("H10", b"a.example?x", BeRefused),
    ("H10", b"a.example#x", BeRefused),
    ("H10", b"a.example\\x", BeRefused),
    ("H10", b"http://a.example", BeRefused),
    ("H10", b"//a.example", BeRefused),
    ("H10", b"*", BeRefused),
    ("H10", b"*.example", BeRefused),
    ("H10", b"a.example\0", BeRefused),
    ("H10", b"a'.example", BeRefused),
    ("H10", b"(a.example)", BeRefused),
    ("H11", b"unknown.example", BeDenied(502)),
    ("H11", b"a.example.unknown.example", BeDenied(502)),
    ("H11", b"xa.example", BeDenied(502)),
    ("H11", b"localhost", BeDenied(502)),
];

#[test]
fn a_host_is_one_in_all_its_spellings_or_refused() {
    let site = Site::new(&[]);
    let request = |host: &[u8]| [b"GET / HTTP/1.1\r\nhost: ", host, b"\r\n\r\n"].concat();
    site.all(HOSTS.iter().map(|(_, host, must)| (request(host), *must)));
    let refused = HOSTS.iter().filter(|(_, _, must)| !matches!(must, ArriveAs(_))).count();
    site.has_refusals(refused);
}

#[test]
fn a_host_in_absolute_form_is_no_other() {
    let site = Site::new(&[]);
    for (id, host, must) in HOSTS {
        let request = [b"GET http://", *host, b"/ HTTP/1.1\r\nhost: ", host, b"\r\n\r\n"].concat();
        match (id, must) {
            // There what stands behind the host is a path or a query.
            (&"H10", _) => {
                let before = site.received();
                let mut client = site.proxy.connect();
                client.send(&request);
                assert!(client.read().status >= 400, "{:?}", request.escape_ascii().to_string());
                assert_eq!(site.received(), before);
            }
            _ => assert_eq!(site.fault(&request, *must), None),
        }
    }
}

/// Whole heads: id, bytes, and what must come of them.
const HEADS: &[Case] = &[
    ("H2", b"GET / HTTP/1.1\r\n\r\n", BeRefused),
    ("H2", b"GET / HTTP/1.1\r\nhost: a.example\r\nhost: forbidden.example\r\n\r\n", BeRefused),
    ("H2", b"GET / HTTP/1.1\r\nhost: forbidden.example\r\nHOST: a.example\r\n\r\n", BeRefused),
    ("H2", b"GET / HTTP/1.1\r\nhost: a.example\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H2", b"GET / HTTP/1.1\r\nhost: a.example\r\n host: forbidden.example\r\n\r\n", BeRefused),
    ("H2", b"GET / HTTP/1.0\r\nhost: a.example\r\nhost: forbidden.example\r\n\r\n", BeRefused),
    ("H2", b"GET / HTTP/1.0\r\n\r\n", BeRefused),
    ("H3", b"GET http://forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H3", b"GET http://a.example/ HTTP/1.1\r\nhost: forbidden.example\r\n\r\n", BeRefused),
    ("H3", b"GET http://a.example/ HTTP/1.1\r\nhost: a.example:81\r\n\r\n", BeRefused),
    ("H3", b"GET http://a.example:81/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H3", b"GET http://a.example/ HTTP/1.1\r\n\r\n", BeRefused),
    ("H3", b"GET http://a.example/ HTTP/1.1\r\nhost:\r\n\r\n", BeRefused),
    ("H3", b"GET http://a.example/ HTTP/1.0\r\nhost: forbidden.example\r\n\r\n", BeRefused),
    ("H3", b"GET http://forbidden.example/ HTTP/1.0\r\n\r\n", BeDenied(403)),
    ("H3", b"GET http://A.example:80/ HTTP/1.1\r\nhost: a.example.\r\n\r\n", HERE),
    ("H4", b"GET http://a.example@forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H4", b"GET http://a.example:80@forbidden.example/ HTTP/1.1\r\nhost: forbidden.example\r\n\r\n", BeRefused),
    ("H4", b"GET http://user:password@a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET https://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET ftp://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET file:///etc/passwd HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET gopher://a.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET urn:a.example HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET javascript:x HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET http:/forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET http:forbidden.example HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET http:///forbidden.example HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET http://a.example\\@forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET http://a.example\\.forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET http://a.example#@forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    ("H9", b"GET http://http://forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n", BeRefused),
    (
        "H9",
        b"GET //forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n\r\n",
        ArriveAs("GET /forbidden.example/ HTTP/1.1\r\nhost: a.example\r\n"),
    ),
];

#[test]
fn target_and_host_are_for_one_and_the_same() {
    let site = Site::new(&[]);
    site.all(HEADS.iter().map(|(_, head, must)| (head.to_vec(), *must)));
    assert!(site.heads().iter().all(|head| head.contains("\r\nhost: a.example\r\n")));
}

/// The ids of all cases.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    HOSTS.iter().chain(HEADS).map(|(id, ..)| *id)
}
