//! Hosts that nobody registered: refused, or passed through.

use super::*;

const SERVICES: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web}
spec:
  hosts: [web.example]
  addresses: [198.51.100.7]
  resolution: DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: alt, protocol: HTTP}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: net}
spec:
  hosts: [net.example]
  addresses: [192.0.2.0/24]
  resolution: NONE
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 8443, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web.example]
  http: [{match: [{uri: {prefix: /a}}], route: [{destination: {host: web.example, port: {number: 80}}}]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: net}
spec:
  hosts: [net.example]
  tls: [{match: [{sniHosts: [net.example], port: 8443}], route: [{destination: {host: net.example}}]}]
";

#[test]
fn requests_to_unknown_hosts_are_refused_or_passed_through_to_where_they_want_to_go() {
    let (closed, open) = (snapshot(SERVICES), compiled(SERVICES, OutboundPolicy::AllowAny));
    for (request, refused, passed) in [
        ("GET http://web.example/a", "web.example:80", "web.example:80"),
        ("GET http://web.example/b", "NoRoute", "NoRoute"),
        ("GET http://web.example:81/a", "UnknownHost", "web.example:81"),
        ("GET http://other.example/a", "UnknownHost", "other.example:80"),
        ("GET http://other.example:8080/", "UnknownHost", "other.example:8080"),
        ("GET http://203.0.113.1:81/", "UnknownHost", "203.0.113.1:81"),
        // A service's address is a name of it, and its routes hold.
        ("GET http://198.51.100.7/a", "web.example:80", "web.example:80"),
        ("GET http://198.51.100.7/b", "NoRoute", "NoRoute"),
        ("GET http://192.0.2.9/", "UnknownHost", "UnknownHost"),
        ("GET http://10.0.0.1/", "UnknownHost", "PrivateAddress"),
        ("GET http://169.254.169.254/latest", "UnknownHost", "PrivateAddress"),
        ("GET http://[::1]:81/", "UnknownHost", "PrivateAddress"),
        ("GET http://localhost:81/", "UnknownHost", "localhost:81"),
    ] {
        assert_eq!(outcome(&closed, request), refused, "{request}, REGISTRY_ONLY");
        assert_eq!(outcome(&open, request), passed, "{request}, ALLOW_ANY");
    }
}

#[test]
fn names_that_nobody_registered_never_lead_to_private_addresses() {
    let open = compiled(SERVICES, OutboundPolicy::AllowAny);
    for request in ["GET http://localhost/", "GET http://db.internal/", "GET http://other.example/"] {
        let call = call(&open, request);
        let Decision::Forward(way) =
            judge(&open, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {}).decision
        else {
            panic!("{request} is passed through");
        };
        assert_eq!(way.cluster.name, "PassthroughCluster");
        let endpoint = way.cluster.original(&call).expect("where the caller wants to go");
        assert!(!endpoint.private.admits(IpAddr::V4(Ipv4Addr::LOCALHOST)), "{request}");
    }
}

#[test]
fn tunnels_to_unknown_hosts_are_refused_or_passed_through() {
    let (closed, open) = (snapshot(SERVICES), compiled(SERVICES, OutboundPolicy::AllowAny));
    let through = |to: &str| format!("PassthroughCluster at {to}");
    for (target, name, passed) in [
        ("other.example:22", None, through("other.example:22")),
        ("other.example:443", Some("other.example"), through("other.example:443")),
        ("other.example:443", Some("web.example"), "Tunnel(OtherName)".into()),
        ("other.example:443", None, "Tunnel(NoName)".into()),
        ("other.example:8443", Some("other.example"), through("other.example:8443")),
        ("203.0.113.1:22", None, through("203.0.113.1:22")),
        // The name is judged, and so the name is dialled.
        ("203.0.113.1:8443", Some("other.example"), through("other.example:8443")),
        ("203.0.113.1:8443", Some("net.example"), "outbound|8443||net.example at net.example:8443".into()),
        ("203.0.113.1:8443", None, through("203.0.113.1:8443")),
        ("10.0.0.1:22", None, "not reached".into()),
        // Declared for HTTP, which has no addresses.
        ("192.0.2.9:80", None, "not reached".into()),
    ] {
        assert_eq!(tunnel(&open, target, name), passed, "{target}, ALLOW_ANY");
        if passed.starts_with("Passthrough") && name.is_none() {
            let refused = tunnel(&closed, target, name);
            assert!(["not reached", "Tunnel(NoName)"].contains(&&*refused), "{target}, REGISTRY_ONLY: {refused}");
        }
    }
}

#[test]
fn what_is_passed_through_is_looked_into_where_others_on_its_port_are() {
    let open = compiled(SERVICES, OutboundPolicy::AllowAny);
    for (target, carries) in [
        ("other.example:80", Carries::Http),
        ("other.example:8080", Carries::Http),
        ("other.example:443", Carries::Tls),
        ("other.example:8443", Carries::Tls),
        ("other.example:22", Carries::Tcp),
    ] {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller: None, peer, tls: None };
        let call = Call::tunnel_to(target, arrival).expect("a target");
        assert_eq!(open.routes.reached(0, &call).map(|reached| reached.carries), Some(carries), "{target}");
    }
}
