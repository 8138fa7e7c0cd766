//! What each condition of an HTTP route looks at.

use super::*;

fn holds(entry: &str, request: &str) -> bool {
    let routes = format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: site}}\nspec:\n  hosts: \
         [site.example]\n  http:\n  - match: [{entry}]\n    directResponse: {{status: 201}}\n"
    );
    match outcome(&snapshot(&format!("{SITE}{routes}")), request).as_str() {
        "answer 201" => true,
        "NoRoute" => false,
        other => panic!("{other} for {request} by {entry}"),
    }
}

#[test]
fn conditions_look_at_what_envoys_look_at() {
    for (entry, takes, leaves) in [
        ("{uri: {exact: /a}}", &["GET /a", "GET /a?x=1", "GET /%61"][..], &["GET /a/", "GET /A", "GET /ab"][..]),
        ("{uri: {prefix: /api}}", &["GET /api", "GET /apiary", "GET /api/x?y"], &["GET /ap", "GET /API"]),
        ("{uri: {prefix: ''}}", &["GET /"], &[]),
        ("{uri: {regex: '/v[0-9]+'}}", &["GET /v1", "GET /v22?x"], &["GET /v1/x", "GET /av1", "GET /V1"]),
        ("{headers: {x-a: {regex: '\\d+'}}}", &["GET / x-a=12"], &["GET / x-a=\u{661}\u{662}", "GET / x-a=a"]),
        ("{headers: {x-a: {regex: '[\\w]+'}}}", &["GET / x-a=a_1"], &["GET / x-a=\u{fc}"]),
        ("{uri: {regex: '/[a[&&b]+'}}", &["GET /a&b"], &["GET /c"]),
        ("{uri: {exact: /A}, ignoreUriCase: true}", &["GET /a", "GET /A"], &["GET /ab"]),
        ("{uri: {prefix: /A}, ignoreUriCase: true}", &["GET /abc"], &["GET /b"]),
        ("{uri: {regex: '/A'}, ignoreUriCase: true}", &["GET /A"], &["GET /a"]),
        ("{scheme: {exact: http}}", &["GET /"], &[]),
        ("{scheme: {exact: https}}", &[], &["GET /"]),
        ("{method: {exact: GET}}", &["GET /"], &["POST /"]),
        ("{method: {prefix: P}}", &["POST /", "PUT /"], &["GET /"]),
        ("{method: {regex: 'GET|PUT'}}", &["GET /", "PUT /"], &["POST /"]),
        ("{authority: {exact: site.example}}", &["GET /"], &["GET :8080/"]),
        ("{authority: {exact: 'site.example:8080'}}", &["GET :8080/"], &["GET /"]),
        ("{authority: {prefix: site}}", &["GET /", "GET :8080/"], &[]),
        (
            "{headers: {x-a: {exact: b}}}",
            &["GET / x-a=b", "GET / X-A=b"],
            &["GET /", "GET / x-a=B", "GET / x-a=b x-a=c"],
        ),
        ("{headers: {x-a: {exact: 'b,c'}}}", &["GET / x-a=b x-a=c"], &["GET / x-a=b"]),
        ("{headers: {x-a: {regex: 'b+'}}}", &["GET / x-a=bb"], &["GET / x-a=bbc"]),
        ("{headers: {x-a: {}}}", &["GET / x-a=", "GET / x-a=1"], &["GET /"]),
        ("{withoutHeaders: {x-a: {exact: b}}}", &["GET /", "GET / x-a=c"], &["GET / x-a=b"]),
        ("{withoutHeaders: {x-a: {}}}", &["GET /"], &["GET / x-a="]),
        ("{withoutHeaders: {x-a: {regex: '*'}}}", &["GET /"], &["GET / x-a=1"]),
        ("{headers: {':path': {exact: '/a?q=1'}}}", &["GET /a?q=1"], &["GET /a", "GET /a?q=2"]),
        ("{headers: {':method': {prefix: PO}}}", &["POST /"], &["GET /"]),
        ("{headers: {':authority': {exact: 'site.example:8080'}}}", &["GET :8080/"], &["GET /"]),
        ("{headers: {':scheme': {exact: http}}}", &["GET /"], &[]),
        ("{withoutHeaders: {':path': {prefix: /a}}}", &["GET /b"], &["GET /a", "GET /ab?x"]),
        ("{headers: {host: {prefix: site}}}", &["GET /"], &[]),
        (
            "{queryParams: {q: {exact: '1'}}}",
            &["GET /?q=1", "GET /?a=2&q=1&q=2"],
            &["GET /", "GET /?q=2&q=1", "GET /?Q=1"],
        ),
        ("{queryParams: {q: {exact: 'a%20b'}}}", &["GET /?q=a%20b"], &["GET /?q=a+b"]),
        ("{queryParams: {q: {}}}", &["GET /?q", "GET /?q=", "GET /?q=1"], &["GET /", "GET /?qq"]),
        ("{queryParams: {q: {regex: '[0-9]+'}}}", &["GET /?q=12"], &["GET /?q=12a"]),
        ("{method: {exact: GET}, headers: {x-a: {exact: b}}}", &["GET / x-a=b"], &["GET /", "POST / x-a=b"]),
        ("{method: {exact: GET}}, {headers: {x-a: {exact: b}}}", &["GET /", "POST / x-a=b"], &["POST /"]),
    ] {
        let full =
            |short: &str| short.replacen(" /", " http://site.example/", 1).replacen(" :", " http://site.example:", 1);
        for request in takes {
            assert!(holds(entry, &full(request)), "{entry} takes {request}");
        }
        for request in leaves {
            assert!(!holds(entry, &full(request)), "{entry} leaves {request}");
        }
    }
}
