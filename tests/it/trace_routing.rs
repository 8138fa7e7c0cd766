//! A call described from any point: to a sidecar or to the gateway, requests, TLS that is passed through, plain TCP.

use std::fmt::Write as _;

use egressctl::cli::demo::origin::{Origin, Received, Reply};
use serde_json::{Value as Json, json};

use crate::proxied::Proxied;
use crate::stage::{SCENARIO, Stage, service_entry};
use crate::trace::Dice;

/// A site over HTTP and TLS, a database, and a gateway with a server for each.
const MANIFEST: &str = r#"
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web}
spec:
  hosts: [web.example]
  resolution: DNS
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 443, name: tls, protocol: TLS}
  - {number: 8080, name: alt, protocol: HTTP}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: db}
spec:
  hosts: [db.example]
  addresses: [192.0.2.10]
  ports: [{number: 3306, name: tcp, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 198.51.100.1}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: empty}
spec: {hosts: [empty.example], ports: [{number: 5432, name: tcp, protocol: TCP}], resolution: STATIC}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web.example, subsets: [{name: all}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: out, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [web.example]}
  - {port: {number: 8443, name: https, protocol: HTTPS}, hosts: [web.example], tls: {mode: ISTIO_MUTUAL}}
  - {port: {number: 443, name: tls, protocol: TLS}, hosts: ["*.example"], tls: {mode: PASSTHROUGH}}
  - {port: {number: 3306, name: tcp, protocol: TCP}, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web.example]
  gateways: [istio-system/out]
  http:
  - match: [{uri: {prefix: /red}, sourceLabels: {team: red}}]
    directResponse: {status: 299, body: {string: red}}
  - match: [{scheme: {exact: https}}]
    redirect: {uri: /x, authority: other.example}
  - match: [{uri: {regex: "/sport|/health"}}]
    headers: {request: {set: {x-by: gateway}}}
    route: [{destination: {host: web.example, port: {number: 80}, subset: all}}]
  - match: [{uri: {exact: /teapot}}]
    fault: {abort: {httpStatus: 418, percentage: {value: 100}}}
    route: [{destination: {host: web.example}}]
  - match: [{uri: {exact: /nowhere}}]
    route: [{destination: {host: nowhere.example}}]
  tls:
  - match: [{sniHosts: [web.example], port: 443}]
    route: [{destination: {host: web.example, port: {number: 443}}}]
  tcp:
  - match: [{port: 3306}]
    route: [{destination: {host: db.example, port: {number: 3306}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: team}
spec: {hosts: [team.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: team}
spec:
  hosts: [team.example]
  http: [{match: [{sourceLabels: {team: red}}, {sourceNamespace: apart}], directResponse: {status: 299}}]
---
apiVersion: config.istio.io/v1alpha2
kind: logentry
metadata: {name: any, namespace: istio-system}
spec:
  variables:
    flags: response.flags | "?"
    sni: connection.requested_server_name | "?"
    from: source.ip | ip("0.0.0.0")
    who: source.principal | "?"
    user: source.user | "?"
---
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata: {name: out, namespace: istio-system}
spec: {outputAsJson: true}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: all, namespace: istio-system}
spec: {actions: [{handler: out.stdio, instances: [any.logentry]}]}
"#;

/// What `trace --batch` says of requests, in their order.
fn traced(scene: &Stage, manifest: &str, requests: &[Json]) -> Vec<Json> {
    let mut lines = String::new();
    for request in requests {
        let _ = writeln!(lines, "{}", json!({"id": 1, "manifest": manifest, "from": "sleep", "request": request}));
    }
    let answers = scene.ok_with(&["trace", "--batch"], &lines);
    let answers: Vec<Json> = answers.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), requests.len());
    answers
}

/// Asks every row's request, and compares the fields that its expectation has.
#[track_caller]
fn table(rows: &[(Json, Json)]) {
    let requests: Vec<Json> = rows.iter().map(|(request, _)| request.clone()).collect();
    for (answer, (request, expected)) in traced(&Stage::new(), MANIFEST, &requests).iter().zip(rows) {
        for (field, value) in expected.as_object().expect("an object") {
            assert_eq!(&answer[field], value, "{field} of {request}: {answer}");
        }
    }
}

#[test]
fn requests_are_described_by_url_or_by_their_parts() {
    let straight =
        json!({"status": 200, "allowed": true, "closed": false, "flags": "-", "destination": "web.example:80"});
    table(&[
        (json!({"url": "http://web.example/x"}), straight.clone()),
        (json!({"authority": "web.example", "path": "/x"}), straight.clone()),
        (json!({"path": "/x", "headers": {"Host": "web.example"}}), straight.clone()),
        (json!({"url": "http://other.example/y?q", "authority": "WEB.example", "path": "/x?p"}), straight),
        (
            json!({"url": "http://web.example/x", "port": 8080}),
            json!({"destination": "web.example:8080", "authority": "web.example:8080"}),
        ),
        // Sent there by the network: Host says what it likes.
        (
            json!({"authority": "web.example:9", "path": "/x", "port": 8080}),
            json!({"destination": "web.example:8080", "authority": "web.example:9", "status": 200}),
        ),
        (json!({"url": "http://web.example:81/"}), json!({"status": 502, "flags": "-", "verdict": "deny"})),
        (
            json!({"url": "http://web.example:81/", "outboundTrafficPolicy": "ALLOW_ANY"}),
            json!({"status": 200, "destination": "web.example:81", "route": null}),
        ),
        (json!({"authority": "web.example", "path": "/x#y"}), json!({"status": 400, "allowed": false})),
        (json!({"url": "http://web.example/x#y"}), json!({"status": 200, "path": "/x"})),
        (json!({"url": "http://web.example/%00"}), json!({"status": 400, "allowed": false, "closed": false})),
    ]);
}

#[test]
fn a_request_may_come_to_the_gateway_itself() {
    let at =
        |path: &str, port: u16| json!({"hop": "gateway", "port": port, "url": format!("http://web.example{path}")});
    let route = |index: usize| json!({"virtualService": "default/web", "index": index});
    table(&[
        (
            at("/sport", 80),
            json!({"status": 200, "route": route(2), "subset": "all", "headers": {"x-by": "gateway"},
                "destination": "web.example:80"}),
        ),
        (
            at("/politics", 80),
            json!({"status": 404, "flags": "NR", "route": null, "allowed": false,
                "body": "egressctl: no route of the host matches this request\n"}),
        ),
        (at("/teapot", 80), json!({"status": 418, "flags": "FI", "body": "fault filter abort"})),
        (at("/nowhere", 80), json!({"status": 503, "flags": "NC"})),
        (at("/sport", 81), json!({"status": 404, "flags": "NR"})),
        (
            json!({"hop": "gateway", "url": "http://other.example/sport"}),
            json!({"status": 404, "flags": "NR", "reason": "no server of the Gateway's port is for this",
                   "remedy": "a server for other.example on the port, in a Gateway that selects the egress gateway"}),
        ),
        // A server that ends TLS gets what comes by TLS.
        (
            at("/sport", 8443),
            json!({"status": 301, "location": "https://other.example/x", "route": route(1), "body": ""}),
        ),
        (
            json!({"hop": "gateway", "port": 8443, "scheme": "https", "authority": "web.example", "path": "/"}),
            json!({"status": 301}),
        ),
        (
            json!({"hop": "gateway", "url": "http://web.example/red",
                "from": {"namespace": "apart", "labels": {"team": "red"}}}),
            json!({"error": "from: the request and the line name two callers"}),
        ),
    ]);
}

#[test]
fn callers_and_gateways_need_not_be_declared() {
    let scene = Stage::new();
    let ask = |from: Json, request: Json| {
        let line = json!({"manifest": MANIFEST, "from": from, "request": request});
        serde_json::from_str::<Json>(&scene.ok_with(&["trace", "--batch"], &format!("{line}\n"))).expect("JSON")
    };
    for (from, status) in [
        (json!({"namespace": "other", "labels": {"team": "red"}}), 299),
        (json!({"labels": {"team": "red", "app": "sleep"}}), 299),
        (json!({"namespace": "apart"}), 299),
        (json!({"labels": {"team": "blue"}}), 200),
        (json!("sleep"), 200),
        (json!(null), 200),
    ] {
        let answer = ask(from.clone(), json!({"url": "http://team.example/"}));
        assert_eq!(answer["status"], status, "{from}: {answer}");
    }
    for (gateway, status) in [
        (json!(null), 200),
        (json!({"istio": "egressgateway"}), 200),
        (json!({"namespace": "apart", "labels": {"istio": "egressgateway"}}), 200),
        (json!("istio-egressgateway"), 200),
        (json!({"istio": "ingressgateway"}), 404),
    ] {
        let request = json!({"hop": "gateway", "url": "http://web.example/sport", "gateway_workload": gateway});
        let answer = ask(json!(null), request);
        assert_eq!(answer["status"], status, "{gateway}: {answer}");
    }
    let source = json!({"principal": "spiffe://cluster.local/ns/apart/sa/red", "ip": "192.0.2.77"});
    let answer = ask(json!(null), json!({"url": "http://web.example/", "source": source}));
    let entry = &answer["logEntries"][0];
    assert_eq!(
        (&entry["who"], &entry["user"], &entry["from"]),
        (&json!("cluster.local/ns/apart/sa/red"), &json!("cluster.local/ns/apart/sa/red"), &json!("192.0.2.77")),
        "{answer}"
    );
}

#[test]
fn tls_is_judged_by_the_name_that_it_asks_for() {
    let route = json!({"virtualService": "default/web", "index": 0});
    let passed = json!({"allowed": true, "closed": false, "status": null, "flags": "-", "destination": "web.example:443",
        "headers": null, "path": null});
    let closed = |flags: &str| json!({"allowed": false, "closed": true, "status": null, "flags": flags, "route": null});
    table(&[
        (json!({"protocol": "tls", "sni": "web.example", "port": 443}), passed.clone()),
        (json!({"url": "https://web.example/hidden"}), passed.clone()),
        (json!({"url": "tls://WEB.example:443"}), passed.clone()),
        (json!({"protocol": "tls", "authority": "192.0.2.200:443", "sni": "web.example"}), passed.clone()),
        (json!({"protocol": "tls", "sni": "other.example", "port": 443}), closed("UH")),
        (json!({"protocol": "tls", "authority": "web.example:443", "sni": "other.example"}), closed("NR")),
        (json!({"protocol": "tls", "authority": "web.example:443", "sni": null}), closed("NR")),
        (json!({"protocol": "tls", "sni": null, "port": 443}), closed("UH")),
        (json!({"protocol": "tls", "sni": "192.0.2.1", "port": 443}), closed("NR")),
        (json!({"protocol": "tls", "sni": "web.example", "port": 80}), closed("DPE")),
        (
            json!({"hop": "gateway", "protocol": "tls", "sni": "web.example", "port": 443}),
            json!({"allowed": true, "destination": "web.example:443", "route": route}),
        ),
        (
            json!({"hop": "gateway", "url": "https://web.example", "port": 443}),
            json!({"allowed": true, "status": null}),
        ),
        (json!({"hop": "gateway", "protocol": "tls", "sni": "other.example", "port": 443}), closed("NR")),
        (json!({"hop": "gateway", "protocol": "tls", "port": 443}), closed("NR")),
    ]);
    let answers = traced(&Stage::new(), MANIFEST, &[json!({"protocol": "tls", "sni": "other.example", "port": 443})]);
    let entry = &answers[0]["logEntries"][0];
    assert_eq!((&entry["flags"], &entry["sni"]), (&json!("UH"), &json!("?")), "{entry}");
}

#[test]
fn bytes_are_judged_by_address_and_port() {
    let passed = json!({"allowed": true, "closed": false, "status": null, "destination": "db.example:3306"});
    let closed = |flags: &str| json!({"allowed": false, "closed": true, "status": null, "flags": flags});
    table(&[
        (json!({"protocol": "tcp", "authority": "192.0.2.10:3306"}), passed.clone()),
        (json!({"url": "tcp://db.example:3306"}), passed.clone()),
        (json!({"protocol": "tcp", "authority": "db.example", "port": 3306}), passed.clone()),
        (json!({"protocol": "tcp", "port": 3306}), passed.clone()),
        (json!({"protocol": "tcp", "authority": "192.0.2.11:3306"}), closed("UH")),
        (json!({"protocol": "tcp", "authority": "db.example:3307"}), closed("UH")),
        (json!({"protocol": "tcp", "authority": "empty.example:5432"}), closed("UH")),
        (json!({"protocol": "tcp", "authority": "web.example:443"}), closed("DPE")),
        (json!({"protocol": "tcp", "authority": "web.example:80"}), closed("DPE")),
        (json!({"hop": "gateway", "protocol": "tcp", "port": 3306}), passed),
        (json!({"hop": "gateway", "protocol": "tcp", "port": 3307}), closed("NR")),
    ]);
}

#[test]
fn the_older_of_two_resources_wins_by_the_age_that_the_manifest_tells() {
    let service = |name: &str, status: u16, born: &str| {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: {name}, creationTimestamp: \
             '{born}'}}\nspec: {{hosts: [twice.example], http: [{{directResponse: {{status: {status}}}}}]}}\n"
        )
    };
    let request = [json!({"url": "http://twice.example/"})];
    for (born, status) in [("2020-01-01T00:00:00Z", 201), ("2022-01-01T00:00:00Z", 202)] {
        let manifest = service("z", 201, born) + &service("a", 202, "2021-01-01T00:00:00Z");
        assert_eq!(traced(&Stage::new(), &manifest, &request)[0]["status"], status, "{born}");
    }
}

#[test]
fn a_line_that_is_no_question_says_what_one_is() {
    for line in ["[]", "5", "\"x\"", "{\"id\": 1}", "{"] {
        let answer = Stage::new().ok_with(&["trace", "--batch"], &format!("{line}\n"));
        let answer: Json = serde_json::from_str(&answer).expect("JSON");
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.starts_with("not a question: ") && !error.contains("struct"), "{line}: {error}");
    }
}

#[test]
fn people_are_told_near_hosts_and_what_was_spoken() {
    let scene = Stage::new();
    let file = scene.write("all.yaml", MANIFEST);
    let told = |url: &str| scene.ok(&["trace", "-f", &file, "--from", "sleep", url]);
    let slip = told("http://wbe.example/");
    assert!(slip.ends_with("did you mean web.example?\n"), "{slip}");
    let tls = told("https://web.example:80");
    assert!(tls.starts_with("tls://web.example:80 "), "{tls}");
}

#[test]
fn a_question_that_is_wrong_or_contradicts_itself_says_so() {
    for (request, expected) in [
        (json!({"url": "http://web.example/", "bogus": 1}), "unknown field `bogus`"),
        (json!({"url": "http://web.example/", "hop": "ingress"}), "unknown variant `ingress`"),
        (json!({"url": "http://web.example/", "source": {"address": "::1"}}), "unknown field `address`"),
        (json!({"url": "http://web.example/", "from": {"name": "sleep"}}), "from: unknown field \"name\""),
        (json!({"url": "http://web.example/", "outboundTrafficPolicy": "NONE"}), "outboundTrafficPolicy: expected"),
        (json!({"url": "http://web.example/", "sni": "web.example", "protocol": "http"}), "sni is what TLS asks for"),
        (json!({"url": "tcp://web.example:1", "sni": "web.example"}), "sni is what TLS asks for"),
        (json!({"url": "ftp://web.example/"}), "ftp://"),
        (json!({"url": "web.example"}), "http:// in front"),
        (json!({"protocol": "tcp", "authority": "web.example"}), "needs a port"),
        (json!({"method": "GET"}), "url, authority or sni is missing"),
        (json!([]), "an object that says where the call goes"),
        (json!({"url": "http://web.example/", "source": 5}), "an object with principal and ip"),
        (json!({"url": "http://web.example/", "headers": {"a": 1}}), "a text, or a list of texts"),
        (json!({"url": "http://web.example/", "port": 99999}), "port: expected a number from 1 to 65535"),
        (json!({"url": "http://web.example/", "outboundTrafficPolicy": 1}), "expected REGISTRY_ONLY or ALLOW_ANY"),
        (json!({"hop": "gateway", "port": 8443, "protocol": "tls", "sni": "web.example"}), "ends TLS"),
    ] {
        let answer = &traced(&Stage::new(), MANIFEST, std::slice::from_ref(&request))[0];
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{request}: {answer}");
    }
}

#[test]
fn people_ask_by_flags_and_read_why() {
    let scene = Stage::new();
    let file = scene.write("routing.yaml", MANIFEST);
    for (arguments, expected) in [
        (
            &["--hop", "gateway", "--port", "80", "http://web.example/politics"][..],
            &[
                "http[2] (",
                "path \"/politics\" does not match the regex \"/sport|/health\"",
                "deny: 404 no route",
                "would go: with a route for /politics",
            ][..],
        ),
        (
            &["--hop", "gateway", "tls://other.example:443"],
            &["\"other.example\" does not fit \"web.example\"", "closed"],
        ),
        (&["tcp://db.example:3306"], &["tcp://db.example:3306  from sleep.default", "allow: sent to db.example:3306"]),
        (&["https://web.example"], &["tls://web.example:443  from", "allow: sent to web.example:443"]),
        (&["--outbound-traffic-policy", "ALLOW_ANY", "http://new.example/"], &["allow: sent to new.example:80"]),
        (&["--source-ip", "192.0.2.9", "http://web.example/"], &["\"from\":\"192.0.2.9\""]),
        (&["http://new.example/"], &["logged by egressctl itself: {", "would go: with a ServiceEntry"]),
    ] {
        let mut all = vec!["trace", "-f", &file, "--from", "sleep"];
        all.extend(arguments);
        let told = scene.ok(&all);
        for part in expected {
            assert!(told.contains(part), "{part} of {arguments:?} in\n{told}");
        }
    }
}

#[test]
fn only_a_client_that_debugs_on_this_machine_is_told_the_flags() {
    let forged = |received: &Received| {
        let asks = received.head.to_ascii_lowercase().contains("x-egress-debug");
        Reply::page(&format!("200 OK\r\nx-egress-response-flags: forged\r\nx-was-asked: {asks}"), b"page")
    };
    let origin = Origin::start(None, forged).expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let teapot = "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: \
                  [a.example]\n  http:\n  - match: [{uri: {exact: /teapot}}]\n    fault: {abort: {httpStatus: 418, \
                  percentage: {value: 100}}}\n    route: [{destination: {host: a.example}}]\n  - match: [{uri: {exact: \
                  /}}]\n    route: [{destination: {host: a.example}}]\n";
    scene.ok_with(&["create", "-f", "-"], &format!("{}{teapot}", service_entry("a.example", origin.address)));
    let asked = |proxy: &Proxied, before: &str, path: &str, debug: &str| {
        let mut client = proxy.connect();
        client.send(format!("{before}GET {path} HTTP/1.1\r\nhost: a.example\r\n{debug}\r\n").as_bytes());
        let answer = client.read();
        assert!(!answer.head.contains("forged") && !answer.head.contains("x-was-asked: true"), "{}", answer.head);
        let told = answer.head.lines().find_map(|line| line.strip_prefix("x-egress-response-flags: "));
        told.map(str::to_owned)
    };
    let proxy = Proxied::start(&scene, &[]);
    for (path, debug, told) in [
        ("/", "x-egress-debug: true\r\n", Some("-")),
        ("/teapot", "x-egress-debug: true\r\n", Some("FI")),
        ("/nowhere", "X-Egress-Debug: TRUE\r\n", Some("NR")),
        ("/", "", None),
        ("/nowhere", "x-egress-debug: 1\r\n", None),
    ] {
        assert_eq!(asked(&proxy, "", path, debug).as_deref(), told, "{path} {debug}");
    }
    // A balancer's word for where a connection comes from is no proof.
    let behind = Proxied::start(&scene, &["--proxy-protocol", "--node", "behind"]);
    let preface = "PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n";
    assert_eq!(asked(&behind, preface, "/nowhere", "x-egress-debug: true\r\n"), None);
}

/// Routes for a.example, some of them for the sidecar, some for the gateway, and of TCP and TLS for two more hosts.
fn random_routes(dice: &mut Dice) -> String {
    let mut text = String::from(
        "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: out, namespace: istio-system}\nspec:\n  \
         selector: {istio: egressgateway}\n  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: \
         [a.example]}]\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: a}\nspec:\n  hosts: \
         [a.example]\n  gateways: [mesh, istio-system/out]\n  http:\n",
    );
    for _ in 0..6 {
        let condition = dice.one(&[
            "uri: {prefix: /a}",
            "uri: {exact: /b}",
            "uri: {regex: '/[ab]/?'}",
            "method: {exact: POST}",
            "headers: {x-team: {exact: red}}",
            "sourceLabels: {app: sleep}",
            "sourceLabels: {app: other}",
        ]);
        let place = dice.one(&["", ", gateways: [mesh]", ", gateways: [istio-system/out]"]);
        let action = dice.one(&[
            "route: [{destination: {host: a.example}}]",
            "route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 80}}}]",
            "route: [{destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: 80}}}], \
             rewrite: {uri: /b}",
            "route: [{destination: {host: none.example}}]",
            "directResponse: {status: 299}",
            "redirect: {uri: /moved}",
        ]);
        let _ = writeln!(text, "  - {{match: [{{{condition}{place}}}], {action}}}");
    }
    let labels =
        |dice: &mut Dice| dice.one(&["", ", sourceLabels: {app: sleep}", ", sourceLabels: {app: other}"]).to_owned();
    let (tcp, tls) = (labels(dice), labels(dice));
    let (name, to) = (dice.one(&["c.example", "d.c.example"]), dice.one(&["b.example", "none.example"]));
    let _ = write!(
        text,
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: b}}\nspec:\n  hosts: \
         [b.example]\n  tcp: [{{match: [{{port: 9000{tcp}}}], route: [{{destination: {{host: {to}}}}}]}}]\n---\napiVersion: \
         networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: c}}\nspec:\n  hosts: [c.example, \
         '*.c.example']\n  tls: [{{match: [{{sniHosts: [{name}]{tls}}}], route: [{{destination: {{host: c.example}}}}]}}]\n"
    );
    text
}

#[test]
fn what_trace_says_of_random_routes_is_what_the_proxy_does() {
    let mut dice = Dice(20_261_128);
    let origin = Origin::start(None, |_: &Received| Reply::page("200 OK", b"page")).expect("an origin");
    let entry = |host: &str, port: u16, protocol: &str| {
        let http = service_entry(host, origin.address);
        format!("---\n{}", http.replace("number: 80", &format!("number: {port}")).replace("HTTP", protocol))
    };
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..5 {
        let scene = Stage::new();
        let sleep = std::fs::read_to_string(scene.fixture("scenario/sleep.yaml")).expect("a fixture");
        let entries = [entry("a.example", 80, "HTTP"), entry("b.example", 9000, "TCP"), entry("c.example", 443, "TLS")];
        let manifest = format!("{sleep}{}{}", entries.concat(), random_routes(&mut dice));
        scene.ok_with(&["create", "-f", "-"], &manifest);
        let proxy = Proxied::start(&scene, &[]);
        let (mut requests, mut found) = (Vec::new(), Vec::new());
        let mut client = proxy.connect();
        for _ in 0..20 {
            let path = dice.one(&["/", "/a", "/a/x", "/b", "/c", "/a?x"]);
            let (method, team) = (dice.one(&["GET", "POST"]), dice.one(&["red", "blue"]));
            client.send(
                format!("{method} {path} HTTP/1.1\r\nhost: a.example\r\nx-team: {team}\r\ncontent-length: 0\r\n\r\n")
                    .as_bytes(),
            );
            let answer = client.read();
            let location = answer.head.lines().find_map(|line| line.strip_prefix("location: ")).map(str::to_owned);
            found.push(json!({"status": answer.status, "location": location, "closed": false}));
            let headers = json!({"x-team": team, "content-length": "0"});
            requests.push(json!({"method": method, "authority": "a.example", "path": path, "headers": headers}));
        }
        for (target, protocol) in [
            ("b.example:9000", "tcp"),
            ("c.example:443", "tls"),
            ("d.c.example:443", "tls"),
            ("x.example:443", "tls"),
            ("192.0.2.1:9000", "tcp"),
        ] {
            let mut client = proxy.connect();
            client.send(format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n").as_bytes());
            let head = client.read_head();
            found.push(json!({"status": null, "location": null, "closed": !head.starts_with("HTTP/1.1 200")}));
            requests.push(json!({"protocol": protocol, "authority": target}));
        }
        for ((answer, found), request) in traced(&scene, &manifest, &requests).iter().zip(&found).zip(&requests) {
            for field in ["status", "location", "closed"] {
                assert_eq!(answer[field], found[field], "{field} of {request}: {answer}\n{manifest}");
            }
            *seen.entry(format!("{} {}", found["status"], found["closed"])).or_insert(0) += 1;
        }
    }
    assert!(seen.len() >= 6, "many things happen: {seen:?}");
}
