//! What grants let go, and what never.

use crate::identity::Caller;

use super::*;

/// A host that rules refuse, one with a quota that is used up at once, and one behind the gateway that its policies deny.
const REFUSED: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web}
spec:
  hosts: [web.example]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}]
---
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: deny, namespace: istio-system}
spec: {status: {code: 7, message: refused}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: deny, namespace: istio-system}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny, namespace: istio-system}
spec:
  match: request.path.startsWith(\"/no\")
  actions: [{handler: deny.denier, instances: [deny.checknothing]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny, namespace: istio-system}
spec:
  action: DENY
  rules: [{to: [{operation: {paths: [/denied]}}]}]
---
";

fn grant(spec: &str) -> String {
    format!(
        "---\napiVersion: egressctl.io/v1alpha1\nkind: Grant\nmetadata: {{name: g}}\nspec: {{expirationTimestamp: \
         '2100-01-01T00:00:00Z', reason: r, {spec}}}\n"
    )
}

/// What becomes of a request at a time: the failure, or where it goes, and by which grant.
fn judged(snapshot: &Snapshot, url: &str, time: &str) -> String {
    judged_as(snapshot, url, time, false)
}

/// The same, of a caller who calls in an audit.
fn audited(snapshot: &Snapshot, url: &str) -> String {
    judged_as(snapshot, url, NOW, true)
}

fn judged_as(snapshot: &Snapshot, url: &str, time: &str, in_audit: bool) -> String {
    let head = http::Request::builder().uri(url).version(http::Version::HTTP_2).body(()).expect("a head");
    let caller = snapshot.callers().next().flatten().map(|caller| Caller { in_audit, ..caller.clone() });
    let time = Timestamp::parse_rfc3339(time).expect("a time");
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival { time, chance: 0, caller, peer, tls: None };
    let call = normalize(head.into_parts().0, arrival).expect("a call");
    let judgement = judge(snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {});
    let by = judgement.passed.as_ref().map(|passed| match passed.grant {
        Some(grant) => format!(" by {}", grant.granted.name),
        None => " in an audit".to_owned(),
    });
    let by = by.unwrap_or_default();
    match judgement.decision {
        Decision::Refuse(failure) => format!("{failure:?}{by}"),
        Decision::Answer(answer) => format!("answer {}{by}", answer.status),
        Decision::Forward(way) => format!("{}{by}", way.cluster.name),
        Decision::Ask(_) => "asks".to_owned(),
    }
}

const NOW: &str = "2099-01-01T00:00:00Z";

#[test]
fn a_grant_is_for_its_workload_host_port_and_path_while_it_lives() {
    let web = "outbound|80||web.example by g.default";
    let refused = "Denied(Code(7))";
    for (spec, url, time, expected) in [
        ("workload: sleep, host: web.example", "http://web.example/no", NOW, web),
        ("workload: sleep, host: web.example, port: 80, path: /no", "http://web.example/no/more", NOW, web),
        ("workload: sleep, host: web.example, path: /no/", "http://web.example/no/more", NOW, web),
        ("workload: other, host: web.example", "http://web.example/no", NOW, refused),
        ("workload: sleep, host: other.example", "http://web.example/no", NOW, refused),
        ("workload: sleep, host: web.example, port: 81", "http://web.example/no", NOW, refused),
        ("workload: sleep, host: web.example, path: /n", "http://web.example/no", NOW, refused),
        ("workload: sleep, host: web.example", "http://web.example/yes", NOW, "outbound|80||web.example"),
        ("workload: sleep, host: web.example", "http://web.example/no", "2100-01-01T00:00:00Z", refused),
        // By a clock that was set to before it was given.
        ("workload: sleep, host: web.example", "http://web.example/no", "2001-01-01T00:00:00Z", refused),
        ("workload: sleep, host: new.example", "http://new.example:8080/", NOW, "PassthroughCluster by g.default"),
        ("workload: sleep, host: 10.0.0.7", "http://10.0.0.7/", NOW, "PrivateAddress"),
    ] {
        let snapshot = snapshot(&format!("{REFUSED}{}", grant(spec)));
        assert_eq!(judged(&snapshot, url, time), expected, "{spec}: {url} at {time}");
    }
}

#[test]
fn uses_are_taken_only_where_a_call_would_be_refused() {
    let snapshot = snapshot(&format!("{REFUSED}{}", grant("workload: sleep, host: web.example, uses: 2")));
    let urls = ["/yes", "/no", "/yes", "/no", "/no"].map(|path| format!("http://web.example{path}"));
    let judged = urls.map(|url| judged(&snapshot, &url, NOW).contains("Denied"));
    assert_eq!(judged, [false, false, false, false, true]);
}

#[test]
fn policies_of_the_gateway_are_lifted_and_quotas_are_not() {
    let gateway = format!("{SCENARIO}---\n{REFUSED}");
    let denied = "http://edition.cnn.com/denied";
    assert_eq!(judged(&snapshot(&gateway), denied, NOW), "AccessDenied");
    let granted = format!("{gateway}{}", grant("workload: sleep, host: edition.cnn.com"));
    assert_eq!(judged(&snapshot(&granted), denied, NOW), "outbound|443||edition.cnn.com by g.default");
    let quota = include_str!("../../../fixtures/policy/quota.yaml").replace("a.example", "edition.cnn.com");
    let limited = snapshot(&format!("{granted}---\n{quota}"));
    let refused = (0..1000).any(|_| judged(&limited, denied, NOW).starts_with("Denied(Code(8))"));
    assert!(refused, "the quota still counts");
}

#[test]
fn in_an_audit_all_goes_that_a_grant_could_let_go_and_what_quotas_refuse_and_grants_are_used_before() {
    let gateway = format!("{SCENARIO}---\n{REFUSED}");
    let quota = include_str!("../../../fixtures/policy/quota.yaml").replace("a.example", "edition.cnn.com");
    let limited = snapshot(&format!("{gateway}---\n{quota}"));
    let cnn = "outbound|443||edition.cnn.com in an audit";
    let all: Vec<_> = (0..1000).map(|_| audited(&limited, "http://edition.cnn.com/denied")).collect();
    assert!(all.iter().all(|judged| judged == cnn), "{:?}", all.last());
    let granted = format!("{REFUSED}{}", grant("workload: sleep, host: web.example, uses: 1"));
    let granted = snapshot(&granted);
    for (url, expected) in [
        ("http://web.example/no", "outbound|80||web.example by g.default"),
        ("http://web.example/no", "outbound|80||web.example in an audit"),
        ("http://web.example/yes", "outbound|80||web.example"),
        ("http://new.example:8080/", "PassthroughCluster in an audit"),
        ("http://10.0.0.7/", "PrivateAddress"),
    ] {
        assert_eq!(audited(&granted, url), expected, "{url}");
    }
}
