//! Hosts that nobody registered, under the policy ALLOW_ANY.

use crate::proxied::{Proxied, with_origin};

#[test]
fn unknown_hosts_are_passed_through_and_recorded_but_never_to_private_addresses() {
    let (scene, origin) = with_origin("");
    let resolve = format!("other.test:81:{}", origin.address);
    let arguments = ["--resolve", &resolve, "--outbound-traffic-policy", "ALLOW_ANY"];
    let proxy = Proxied::start(&scene, &arguments);
    let answer = proxy.get("http://other.test:81/x");
    assert_eq!((answer.status, answer.text().as_str()), (200, "page"));
    let mut client = proxy.connect();
    client.send(b"CONNECT other.test:81 HTTP/1.1\r\nhost: other.test:81\r\n\r\n");
    assert!(client.read_head().starts_with("HTTP/1.1 200"));
    client.send(b"GET /inside HTTP/1.1\r\nhost: whatever.test\r\n\r\n");
    assert_eq!(client.read().text(), "page", "nobody says what is spoken there");
    // The origin is there, but on an address of this machine.
    for url in [format!("http://{}/", origin.address), format!("http://localhost:{}/", origin.address.port())] {
        let answer = proxy.get(&url);
        assert_eq!(answer.status, 403, "{url}: {}", answer.text());
        let entry = scene.wait_for_entry(answer.decision());
        assert!(entry.contains("private address"), "{entry}");
    }
    assert_eq!(origin.connections(), 2);
    // Policies see what is passed through.
    let parts = "apiVersion: config.istio.io/v1alpha2\nkind: denier\nmetadata: {name: stop, namespace: istio-system}\n\
                 spec: {status: {code: 7}}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: checknothing\nmetadata: {name: any, namespace: istio-system}\n\
                 spec: {}\n---\n\
                 apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: {name: r, namespace: istio-system}\n\
                 spec:\n  match: request.host == \"other.test\"\n  actions: [{handler: stop.denier, instances: [any.checknothing]}]\n";
    scene.ok_with(&["create", "-f", "-"], parts);
    crate::stage::until("the rule is in force", || proxy.get("http://other.test:81/x").status == 403);
}

#[test]
fn without_it_they_are_refused() {
    let (scene, origin) = with_origin("");
    let resolve = format!("other.test:81:{}", origin.address);
    let proxy = Proxied::start(&scene, &["--resolve", &resolve]);
    assert_eq!(proxy.get("http://other.test:81/x").status, 502);
    let refused = scene.fails(&["proxy", "start", "--outbound-traffic-policy", "ANY"]);
    assert!(refused.contains("REGISTRY_ONLY, ALLOW_ANY"), "{refused}");
}
