//! Spellings of paths.

use super::{ArriveAs, BeDenied, BeRefused, Must, Site, get};

/// Id, target, and what must come of it: 403 where it is `/admin` in another spelling.
type Case = (&'static str, &'static [u8], Must);

pub(super) const PATHS: &[Case] = &[
    ("P1", b"/public/../admin", BeDenied(403)),
    ("P1", b"/public/%2e%2e/admin", BeDenied(403)),
    ("P1", b"/public/.%2E/admin", BeDenied(403)),
    ("P1", b"/./admin", BeDenied(403)),
    ("P1", b"/%2e/admin", BeDenied(403)),
    ("P1", b"/../admin", BeDenied(403)),
    ("P1", b"/../../../admin", BeDenied(403)),
    ("P1", b"/admin/.", BeDenied(403)),
    ("P1", b"/admin/public/..", BeDenied(403)),
    ("P1", b"/a/b/c/../../../admin/./x", BeDenied(403)),
    ("P1", b"/admin/../public", ArriveAs("GET /public HTTP/1.1\r\n")),
    ("P1", b"/public/..", ArriveAs("GET / HTTP/1.1\r\n")),
    ("P2", b"/%61dmin", BeDenied(403)),
    ("P2", b"/%61%64%6D%69%6e", BeDenied(403)),
    ("P2", b"/admin%2fx", BeRefused),
    ("P2", b"/%7Euser", ArriveAs("GET /~user HTTP/1.1\r\n")),
    ("P3", b"\\admin", BeRefused),
    ("P3", b"/\\admin", BeDenied(403)),
    ("P3", b"/public\\..\\admin", BeDenied(403)),
    ("P3", b"/public/..\\admin", BeDenied(403)),
    ("P3", b"/admin\\x", BeDenied(403)),
    ("P4", b"//admin", BeDenied(403)),
    ("P4", b"///admin//", BeDenied(403)),
    ("P4", b"/public//../admin", ArriveAs("GET /public/admin HTTP/1.1\r\n")),
    ("P4", b"//a.example/admin", ArriveAs("GET /a.example/admin HTTP/1.1\r\n")),
    ("P4", b"//public", ArriveAs("GET /public HTTP/1.1\r\n")),
    ("P5", b"/%2fadmin", BeRefused),
    ("P5", b"/public%2f..%2fadmin", BeRefused),
    ("P5", b"/public/..%2Fadmin", BeRefused),
    ("P5", b"/public/%2e%2e%2fadmin", BeRefused),
    ("P5", b"/public%5c..%5Cadmin", BeRefused),
    ("P5", b"/%5cadmin", BeRefused),
    ("P6", b"/public/%252e%252e/admin", BeRefused),
    ("P6", b"/%252fadmin", BeRefused),
    ("P6", b"/%2561dmin", BeRefused),
    ("P6", b"/%%36%31dmin", BeRefused),
    ("P6", b"/public/.%%32%65/admin", BeRefused),
    ("P6", b"/%25252e%25252e/admin", BeRefused),
    ("P7", b"/public/%c0%ae%c0%ae/admin", BeRefused),
    ("P7", b"/public%c0%af..%c0%afadmin", BeRefused),
    ("P7", b"/%c1%a1dmin", BeRefused),
    ("P7", b"/public/%e0%80%ae%e0%80%ae/admin", BeRefused),
    ("P7", b"/%f0%80%81%a1dmin", BeRefused),
    ("P7", b"/public/\xc0\xae\xc0\xae/admin", BeRefused),
    ("P8", b"/%u0061dmin", BeRefused),
    ("P8", b"/public/%u002e%u002e/admin", BeRefused),
    ("P8", b"/public%u2215..%u2215admin", BeRefused),
    ("P9", b"/public/%ef%bc%8e%ef%bc%8e/admin", BeRefused),
    ("P9", b"/public%ef%bc%8f..%ef%bc%8fadmin", BeRefused),
    ("P9", b"/\xef\xbc\x8fadmin", BeRefused),
    ("P10", b"/public/..;/admin", BeRefused),
    ("P10", b"/public/..;a=b/admin", BeRefused),
    ("P10", b"/public/%2e%2e;/admin", BeRefused),
    ("P10", b"/public/..%3b/admin", BeRefused),
    ("P10", b"/;/admin", BeRefused),
    ("P10", b"/;x=/admin", BeRefused),
    ("P10", b"/.;/admin", BeRefused),
    ("P11", b"/admin%00", BeRefused),
    ("P11", b"/%00/admin", BeRefused),
    ("P11", b"/admin%00.css", BeRefused),
    ("P11", b"/admin%0a", BeRefused),
    ("P11", b"/admin%0d%0aX-Role:%20admin", BeRefused),
    ("P11", b"/admin%09", BeRefused),
    ("P11", b"/admin%7f", BeRefused),
    ("P12", b"/admin#", BeRefused),
    ("P12", b"/public#/../admin", BeRefused),
    ("P12", b"/admin#?x", BeRefused),
    ("P12", b"/public?x#/../admin", BeRefused),
    ("P13", b"/admin ", BeRefused),
    ("P13", b" /admin", BeRefused),
    ("P13", b"/admin /x", BeRefused),
    ("P13", b"/admin\t", BeRefused),
    ("P13", b"\t/admin", BeRefused),
    ("P13", b"/admin\x0b", BeRefused),
    ("P13", b"/admin\x0c", BeRefused),
    ("P13", b"/admin\0", BeRefused),
    ("P13", b"/admin\x7f", BeRefused),
    ("P13", b"/admin\xa0", BeRefused),
    ("P13", b"/admin\x85", BeRefused),
    ("P13", b"/admin\xff", BeRefused),
    ("P13", b"/admin\r", BeRefused),
    ("P14", b"/public/..%20/admin", BeRefused),
    ("P14", b"/public/.%20./admin", BeRefused),
    ("P14", b"/public/%20../admin", BeRefused),
    ("P15", b"admin", BeRefused),
    ("P15", b"../admin", BeRefused),
    ("P15", b"?/admin", BeRefused),
    ("P15", b"*", BeRefused),
    ("P15", b"*/admin", BeRefused),
    ("P15", b"/*/../admin", BeDenied(403)),
    ("P15", b"a.example/admin", BeRefused),
    ("P15", b"a.example:80", BeRefused),
    ("P16", b"/public?/../admin", ArriveAs("GET /public?/../admin HTTP/1.1\r\n")),
    ("P16", b"/admin?", BeDenied(403)),
    ("P16", b"/admin?/../public", BeDenied(403)),
    ("P16", b"/admin%3f", ArriveAs("GET /admin%3F HTTP/1.1\r\n")),
    ("P16", b"/public?a=%2f..%2fadmin&b=%00", ArriveAs("GET /public?a=%2f..%2fadmin&b=%00 HTTP/1.1\r\n")),
];

#[test]
fn a_path_is_decided_on_in_the_form_in_which_it_is_sent_or_refused() {
    let site = Site::new(&[]);
    site.all(PATHS.iter().map(|(_, target, must)| (get(target), *must)));
    let refused = PATHS.iter().filter(|(_, _, must)| !matches!(must, ArriveAs(_))).count();
    site.has_refusals(refused);
}

#[test]
fn a_path_in_absolute_form_is_no_other() {
    let site = Site::new(&[]);
    let absolute = PATHS.iter().filter(|(_, target, _)| target.starts_with(b"/"));
    site.all(absolute.map(|(_, target, must)| (get(&[b"http://a.example", *target].concat()), *must)));
}

/// What servers with little care make of a path: they decode it up to three times, overlong UTF-8 included, take `\` for `/`,
/// cut parameters off, merge slashes, and go up for `..`.
fn readings(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut bytes = path.as_bytes().to_vec();
    for _ in 0..4 {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let text = text.replace("\u{c0}\u{ae}", ".").replace("\u{c0}\u{af}", "/").replace("\u{c1}\u{a1}", "a");
        for parameters in [false, true] {
            let mut segments = Vec::new();
            for segment in text.split(['/', '\\']) {
                let segment = if parameters { segment.split(';').next().unwrap_or_default() } else { segment };
                match segment.trim() {
                    "" | "." => {}
                    ".." => drop(segments.pop()),
                    other => segments.push(other.split('\0').next().unwrap_or_default().to_owned()),
                }
            }
            all.push(format!("/{}", segments.join("/")));
        }
        bytes = decoded(&bytes);
    }
    all
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), bytes);
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = &behind[2..];
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// However `/admin` is put together from the tricks that are known, no server behind the proxy can read it out of what comes
/// through, and nothing comes through that does not read as it was judged.
#[test]
fn no_way_to_put_a_forbidden_path_together_comes_through() {
    let site = Site::new(&[]);
    let climbs =
        ["", "/x/..", "/x/%2e%2e", "/x/.%2e", "/x/..;", "/x/%252e%252e", "/x/%c0%ae%c0%ae", "/x/%%32%65%%32%65", "/."];
    let separators = ["/", "//", "\\", "/\\", "%2f", "%5C", "%252f", "%c0%af", "/;/", "/%2e/"];
    let names = ["admin", "%61dmin", "%2561dmin", "%c1%a1dmin", "a%64m%69n"];
    let ends = ["", "/", "/x", "//x", "/%2e", "/x/..", "%00", ";x", "%2f", "?x", "/..;/admin"];
    let mut client = site.proxy.connect();
    for climb in climbs {
        for separator in separators {
            for name in names {
                for end in ends {
                    let target = format!("{climb}{separator}{name}{end}");
                    let Some(status) = client.try_exchange(&get(target.as_bytes())) else {
                        // It was closed behind the refusal before.
                        client = site.proxy.connect();
                        assert!(client.try_exchange(&get(target.as_bytes())).is_some(), "{target}");
                        continue;
                    };
                    assert!(matches!(status, 200 | 400 | 403), "{target}: {status}");
                }
            }
        }
    }
    // A parameter of the forbidden segment itself is a part of its name.
    let reads = |path: &String| path == "/admin" || path.starts_with("/admin/");
    let through = site.heads();
    assert!(through.iter().all(|head| !head.contains("/x/..")), "climbs do not come through");
    for head in through {
        let target = head.split(' ').nth(1).expect("a target").split('?').next().expect("a path").to_owned();
        if target == "/admin;x" {
            continue;
        }
        assert!(!readings(&target).iter().any(reads), "{target} reads as {:?}", readings(&target));
    }
}

#[test]
fn istios_modes_are_to_be_had() {
    for (mode, cases) in [
        ("NONE", &[("/x/../y", "/x/../y"), ("//y", "//y"), ("/%2fy", "/%2fy"), ("/y%00", "/y%00")][..]),
        ("BASE", &[("/x/../y", "/y"), ("//y", "//y"), ("/x%2fy", "/x%2fy")]),
        ("MERGE_SLASHES", &[("//y", "/y"), ("/x%2fy", "/x%2fy"), ("/x/..;/y", "/x/..;/y")]),
        ("DECODE_AND_MERGE_SLASHES", &[("/x%2f..%2fy", "/y"), ("/x%5Cy", "/x/y")]),
    ] {
        let site = Site::new(&["--path-normalization", mode]);
        for (sent, arrives) in cases {
            let answer = site.proxy.get(&format!("http://a.example{sent}"));
            assert_eq!(answer.status, 200, "{mode} {sent}: {}", answer.text());
            assert!(
                answer.text().starts_with(&format!("GET {arrives} HTTP/1.1\r\n")),
                "{mode} {sent}: {}",
                answer.text()
            );
        }
        // As the configuration of the mesh says, unless the flag says otherwise.
        let mesh = Site::new(&[]);
        let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata:\n  mesh: |\n    \
                      pathNormalization: {normalization: MODE}\n";
        mesh.scene.ok_with(&["apply", "-f", "-"], &config.replace("MODE", mode));
        let (sent, arrives) = cases[0];
        let same = format!("GET {arrives} HTTP/1.1\r\n");
        crate::stage::until(mode, || mesh.proxy.get(&format!("http://a.example{sent}")).text().starts_with(&same));
        site.scene.ok_with(&["apply", "-f", "-"], &config.replace("MODE", "BASE"));
        let told = site.scene.wait_for_status();
        assert_eq!(told["pathNormalization"], mode, "{told}");
        if mode == "DECODE_AND_MERGE_SLASHES" {
            assert_eq!(site.proxy.get("http://a.example/x%2f..%2fadmin").status, 403, "it is judged as it is sent");
        }
    }
}
