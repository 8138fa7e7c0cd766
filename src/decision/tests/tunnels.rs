//! Tunnels and TLS that is passed through: which service they mean, and where they go.

use super::*;
use crate::routing::Carries;

/// Where a tunnel goes, from a sidecar of sleep: cluster and what would be dialled, or the failure.
pub(super) fn tunnel(snapshot: &Snapshot, target: &str, name: Option<&str>) -> String {
    let caller = snapshot.callers().next().flatten().cloned();
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller, peer, tls: None };
    let mut call = Call::tunnel_to(target, arrival).expect("a target");
    let Some(reached) = snapshot.routes.reached(snapshot.scope(0), &call) else { return "not reached".into() };
    if let Some(host) = reached.host {
        call.means(host);
    }
    if reached.carries == Carries::Tls
        && let Err(failure) = call.confirm(name.map(Into::into))
    {
        return format!("{failure:?}");
    }
    match judge(snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {}).decision {
        Decision::Answer(answer) => format!("{answer:?}"),
        Decision::Refuse(failure) => format!("{failure:?}"),
        Decision::Forward(way) => match (way.cluster.original(&call), &way.cluster.target) {
            (Some(endpoint), _) => format!("{} at {}:{}", way.cluster.name, endpoint.address, endpoint.port),
            (None, Target::Endpoints(endpoints)) => {
                let endpoint = endpoints.first().map(|endpoint| format!("{}:{}", endpoint.address, endpoint.port));
                format!("{} at {}", way.cluster.name, endpoint.unwrap_or_default())
            }
            (None, Target::Gateway(port)) => format!("gateway {port}"),
        },
    }
}

fn tls_entry(name: &str, host: &str, more: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: \
         ['{host}']\n  ports: [{{number: 443, name: tls, protocol: TLS}}]\n  {more}\n---\n"
    )
}

fn tls_routes(hosts: &str, entries: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: tls}}\nspec:\n  hosts: \
         [{hosts}]\n  tls:\n{entries}"
    )
}

#[test]
fn tls_goes_straight_to_its_service_until_a_route_applies_and_then_only_by_its_names() {
    let entries =
        tls_entry("a", "a.example", "resolution: DNS") + &tls_entry("all", "'*.b.example'", "resolution: NONE");
    let entries = entries.replace("''", "'");
    let straight = snapshot(entries.trim_end_matches("---\n"));
    assert_eq!(tunnel(&straight, "a.example:443", Some("a.example")), "outbound|443||a.example at a.example:443");
    assert_eq!(
        tunnel(&straight, "x.b.example:443", Some("x.b.example")),
        "outbound|443||*.b.example at x.b.example:443"
    );
    assert_eq!(tunnel(&straight, "b.example:443", Some("b.example")), "not reached");
    let routed = entries
        + &tls_routes(
            "'*.b.example'",
            "  - match: [{sniHosts: ['*.b.example'], sourceLabels: {app: other}}]\n    route: [{destination: {host: \
             nowhere.example}}]\n  - match: [{port: 443, sniHosts: ['*.x.b.example']}]\n    route: [{destination: {host: \
             a.example}}]\n  - match: [{sniHosts: [y.x.b.example]}]\n    route: [{destination: {host: nowhere.example}}]\n",
        );
    let routed = snapshot(&routed);
    assert_eq!(tunnel(&routed, "z.x.b.example:443", Some("z.x.b.example")), "outbound|443||a.example at a.example:443");
    assert_eq!(tunnel(&routed, "y.x.b.example:443", Some("y.x.b.example")), "NoCluster", "the most specific name wins");
    assert_eq!(tunnel(&routed, "z.b.example:443", Some("z.b.example")), "NoTunnelRoute");
    assert_eq!(tunnel(&routed, "a.example:443", Some("a.example")), "outbound|443||a.example at a.example:443");
}

#[test]
fn routes_for_other_callers_are_as_if_they_were_not_there() {
    let other = "  - match: [{sniHosts: [a.example], sourceLabels: {app: other}}]\n    route: [{destination: {host: \
                 nowhere.example}}]\n";
    let snapshot = snapshot(&(tls_entry("a", "a.example", "resolution: DNS") + &tls_routes("a.example", other)));
    assert_eq!(tunnel(&snapshot, "a.example:443", Some("a.example")), "outbound|443||a.example at a.example:443");
}

#[test]
fn an_address_means_the_service_that_it_is_declared_for_and_no_other_is_dialled() {
    let declared = "resolution: NONE\n  addresses: [198.51.100.0/24]";
    let manifests = tls_entry("a", "a.example", declared) + &tls_entry("b", "b.example", "resolution: DNS");
    let snapshot = snapshot(manifests.trim_end_matches("---\n"));
    let to = |target, name| tunnel(&snapshot, target, name);
    assert_eq!(to("198.51.100.7:443", None), "outbound|443||a.example at 198.51.100.7:443");
    assert_eq!(to("198.51.100.7:443", Some("a.example")), "outbound|443||a.example at 198.51.100.7:443");
    assert_eq!(to("198.51.100.7:443", Some("b.example")), "Tunnel(OtherName)");
    assert_eq!(to("192.0.2.1:443", Some("a.example")), "outbound|443||a.example at a.example:443");
    assert_eq!(to("192.0.2.1:443", Some("b.example")), "outbound|443||b.example at b.example:443");
    assert_eq!(to("192.0.2.1:443", None), "Tunnel(NoName)");
    assert_eq!(to("192.0.2.1:80", None), "not reached");
}

#[test]
fn plain_tcp_goes_to_its_service_where_no_route_is_for_it_and_without_addresses_has_its_port_whole() {
    let entry = |name: &str, more: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: \
             [{name}.example]\n  ports: [{{number: 3306, name: tcp, protocol: TCP}}]\n  resolution: STATIC\n  endpoints: \
             [{{address: 192.0.2.1}}]\n  {more}\n---\n"
        )
    };
    let of_networks = |networks: &str| {
        format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: tcp}}\nspec:\n  hosts: \
             [a.example]\n  tcp: [{{match: [{{destinationSubnets: [{networks}]}}], route: [{{destination: {{host: \
             nowhere.example}}}}]}}]\n"
        )
    };
    let declared = entry("a", "addresses: [198.51.100.7]");
    let service = "outbound|3306||a.example at 192.0.2.1:3306";
    for (manifests, target, expected) in [
        (declared.clone() + &of_networks("198.51.100.0/24"), "198.51.100.7:3306", "NoCluster"),
        (declared.clone() + &of_networks("203.0.113.0/24"), "198.51.100.7:3306", service),
        (declared.clone() + &of_networks("203.0.113.0/24"), "a.example:3306", service),
        (declared.clone(), "198.51.100.8:3306", "not reached"),
        (entry("a", ""), "198.51.100.8:3306", service),
        (entry("a", ""), "198.51.100.8:3307", "not reached"),
        (entry("a", "") + &entry("b", ""), "198.51.100.8:3306", "not reached"),
        (declared + &entry("b", ""), "198.51.100.8:3306", "not reached"),
    ] {
        let snapshot = snapshot(manifests.trim_end_matches("---\n"));
        assert_eq!(tunnel(&snapshot, target, None), expected, "{target} {manifests}");
    }
}

#[test]
fn a_gateway_passes_through_only_where_a_server_says_so_and_a_route_leads_on() {
    let fixture = include_str!("../../../fixtures/passthrough/egress-gateway.yaml");
    let there = snapshot(fixture);
    assert_eq!(
        tunnel(&there, "money.cnn.com:443", Some("money.cnn.com")),
        "outbound|443||*.cnn.com at money.cnn.com:443"
    );
    let narrower =
        fixture.replace("    - edition.cnn.com\n    - \"*.cnn.com\"\n    tls:", "    - edition.cnn.com\n    tls:");
    assert_ne!(narrower, fixture);
    let narrower = snapshot(&narrower);
    assert!(tunnel(&narrower, "edition.cnn.com:443", Some("edition.cnn.com")).contains("edition.cnn.com:443"));
    assert_eq!(tunnel(&narrower, "money.cnn.com:443", Some("money.cnn.com")), "NoRoute");
    let ended = fixture.replace("mode: PASSTHROUGH", "mode: ISTIO_MUTUAL");
    assert_eq!(tunnel(&snapshot(&ended), "edition.cnn.com:443", Some("edition.cnn.com")), "NoRoute");
}
