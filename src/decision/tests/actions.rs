//! What routes make of the calls that they take, over all hops.

use super::*;

fn routed(http: &str) -> Snapshot {
    let routes = format!(
        "---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: site}}\nspec:\n  hosts: \
         [site.example]\n  http:\n  {}\n",
        http.replace('\n', "\n  ")
    );
    snapshot(&format!("{SITE}{routes}"))
}

/// Target, Host and the values of `x-a` and `x-b` as an origin gets them; or the failure.
fn sent(snapshot: &Snapshot, request: &str) -> String {
    let call = call(snapshot, request);
    let judged = judge(snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {});
    match judged.decision {
        Decision::Forward(_) => {}
        other => return format!("{other:?}"),
    }
    match judged.way.outgoing(judged.edited.as_deref().unwrap_or(&call), &[]) {
        Err(failure) => format!("{failure:?}"),
        Ok(head) => {
            let values = |name: &str| {
                let all = head.headers.get_all(name).iter().map(|value| value.to_str().expect("text"));
                all.collect::<Vec<_>>().join("+")
            };
            format!("{} {} {} {}", head.target, head.authority, values("x-a"), values("x-b")).trim_end().to_owned()
        }
    }
}

const TO: &str = "destination: {host: site.example, port: {number: 80}}";

#[test]
fn paths_are_rewritten_by_what_was_matched_and_the_query_stays() {
    for (entry, rewrite, path, expected) in [
        ("uri: {prefix: /api}", "uri: /v2", "/api/x?q=1", "/v2/x?q=1"),
        ("uri: {prefix: /api}", "uri: /v2", "/apiary", "/v2ary"),
        // As Envoy does: textually.
        ("uri: {prefix: /api}", "uri: /", "/api/x", "//x"),
        ("uri: {prefix: /api/}", "uri: /", "/api/x", "/x"),
        ("uri: {exact: /api}", "uri: /v2", "/api?q", "/v2?q"),
        ("uri: {regex: '/a.*'}", "uri: /v2", "/api/x", "/v2"),
        ("method: {exact: GET}", "uri: /base", "/x", "/basex"),
        ("uri: {prefix: /}", "uriRegexRewrite: {match: '/v([0-9])', rewrite: '/n\\1'}", "/v1/v2?/v3", "/n1/n2?/v3"),
        ("uri: {prefix: /}", "uriRegexRewrite: {match: a, rewrite: b}", "/aa", "/bb"),
        // What would lead elsewhere than it says is not sent.
        ("uri: {prefix: /api}", "uri: /x/..", "/api/y", "Rewrite"),
        ("uri: {prefix: /api}", "uri: x", "/api", "Rewrite"),
    ] {
        let snapshot = routed(&format!("- match: [{{{entry}}}]\n  rewrite: {{{rewrite}}}\n  route: [{{{TO}}}]"));
        let found = sent(&snapshot, &format!("GET http://site.example{path}"));
        assert_eq!(found.split(' ').next(), Some(expected), "{entry} {rewrite} {path}");
    }
}

#[test]
fn headers_are_removed_then_set_then_added_and_who_wins_depends_on_how_many_destinations_there_are() {
    let route = "set: {x-a: route}, add: {x-a: more, x-b: more}, remove: [x-b]";
    let own = "set: {x-a: own}, add: {x-b: own}";
    for (destinations, expected) in [
        (format!("[{{{TO}}}]"), "/ site.example route+more more"),
        (format!("[{{{TO}, headers: {{request: {{{own}}}}}}}]"), "/ site.example own more+own"),
        // Of several each destination's come first, so that the route's set wins.
        (
            format!("[{{{TO}, weight: 1, headers: {{request: {{{own}}}}}}}, {{{TO}, weight: 0}}]"),
            "/ site.example route+more more",
        ),
    ] {
        let snapshot = routed(&format!("- headers: {{request: {{{route}}}}}\n  route: {destinations}"));
        assert_eq!(sent(&snapshot, "GET http://site.example/ x-a=1 x-b=2"), expected, "{destinations}");
    }
}

#[test]
fn an_authority_is_the_rewrites_or_a_headers_and_never_the_destination() {
    for (parts, expected) in [
        ("rewrite: {authority: other.example}\n  route: [{TO}]", "/ other.example"),
        ("headers: {request: {set: {Host: 'other.example:81'}}}\n  route: [{TO}]", "/ other.example:81"),
        ("headers: {request: {set: {':authority': other.example}}}\n  route: [{TO}]", "/ other.example"),
        (
            "rewrite: {authority: one.example}\n  route: [{TO, headers: {request: {set: {Host: two.example}}}}]",
            "/ one.example",
        ),
        ("route: [{TO, headers: {request: {set: {Host: two.example}}}}]", "/ two.example"),
    ] {
        let snapshot = routed(&format!("- {}", parts.replace("TO", TO)));
        assert_eq!(sent(&snapshot, "GET http://site.example/"), expected, "{parts}");
        assert_eq!(outcome(&snapshot, "GET http://site.example/"), "site.example:80", "{parts}");
    }
}

#[test]
fn faults_without_percentage_never_happen_and_those_of_all_always() {
    for (fault, expected) in [
        ("abort: {httpStatus: 418}", "site.example:80"),
        ("abort: {httpStatus: 418, percentage: {value: 0}}", "site.example:80"),
        ("abort: {httpStatus: 418, percentage: {value: 100}}", "Fault(Status(418))"),
        ("abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}", "Fault(Grpc(Code(14)))"),
        ("delay: {fixedDelay: 1s}", "site.example:80"),
    ] {
        let snapshot = routed(&format!("- fault: {{{fault}}}\n  route: [{{{TO}}}]"));
        assert_eq!(outcome(&snapshot, "GET http://site.example/"), expected, "{fault}");
    }
}

#[test]
fn weights_are_relative_and_a_single_destination_ignores_its_own() {
    let to =
        |port: u16, weight: &str| format!("{{destination: {{host: site.example, port: {{number: {port}}}}}{weight}}}");
    for (destinations, expected) in [
        (to(80, ", weight: 0"), "site.example:80"),
        (format!("{}, {}", to(80, ", weight: 0"), to(8080, ", weight: 5")), "site.example:8080"),
        (format!("{}, {}", to(80, ", weight: 300"), to(8080, "")), "site.example:80"),
    ] {
        let snapshot = routed(&format!("- route: [{destinations}]"));
        assert_eq!(outcome(&snapshot, "GET http://site.example/"), expected, "{destinations}");
    }
}

#[test]
fn what_a_pool_says_of_connections_and_retries_reaches_the_cluster() {
    let rule = |policy: &str| {
        format!(
            "{SITE}---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: site}}\nspec: {{host: \
             site.example, trafficPolicy: {{{policy}}}}}\n"
        )
    };
    for (policy, expected) in [
        ("loadBalancer: {simple: RANDOM}", "None 20 3 None"),
        (
            "connectionPool: {tcp: {idleTimeout: 5s, maxConnectionDuration: 1m}, http: {idleTimeout: 2s, maxRetries: 7}}",
            "Some((Some(2s), Some(5s), Some(60s))) 20 3 Some(7)",
        ),
        ("retryBudget: {percent: 50, minRetryConcurrency: 10}", "None 50 10 None"),
    ] {
        let snapshot = snapshot(&rule(policy));
        let call = call(&snapshot, "GET http://site.example/");
        let judged = judge(&snapshot, Hop::Sidecar(0), &call, Spend::Take, &mut Scratch::new(), &mut |_| {});
        let Decision::Forward(way) = judged.decision else { panic!("{:?}", judged.decision) };
        let Target::Endpoints(endpoints) = &way.cluster.target else { panic!("the gateway") };
        let lasting = endpoints[0].lasting.as_ref().map(|one| (one.without_call, one.without_byte, one.whole));
        let retries = way.cluster.retries;
        let found = format!("{lasting:?} {} {} {:?}", retries.percent, retries.least, retries.most);
        assert_eq!(found, expected, "{policy}");
    }
}
