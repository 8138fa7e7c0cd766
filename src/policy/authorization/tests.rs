//! Tables of policies and calls: which go.

mod agreement;

use std::net::IpAddr;

use super::*;
use crate::call::{Arrival, Call, CallBag, Peers, Reporter, TlsSession, normalize};
use crate::diagnostic::Source;
use crate::expr::Timestamp;
use crate::identity::{Caller, SpiffeId};
use crate::manifest::parse;
use crate::registry::{MemoryRegistry, Operation, Registry, Transaction};

/// A call as rows of tables describe it, word by word: a method and URL, or `tunnel HOST:PORT`; `from PRINCIPAL`, `at PORT`,
/// `by ADDRESS`, `sni NAME`, `NAME=VALUE` for a header.
pub(super) fn call(words: &str) -> (Call, u16) {
    let words: Vec<&str> = words.split(' ').collect();
    let option = |name: &str| words.iter().position(|word| *word == name).map(|place| words[place + 1]);
    let identity = |principal: &str| format!("spiffe://{principal}").parse::<SpiffeId>().expect("an identity");
    let caller = option("from").map(|principal| Caller::by_certificate(&identity(principal), None));
    let peer: IpAddr = option("by").unwrap_or("127.0.0.1").parse().expect("an address");
    let tls = option("sni").map(|name| Arc::new(TlsSession { server_name: Some(name.into()), mutual: false }));
    let port = option("at").unwrap_or("443").parse().expect("a port");
    let arrival = Arrival { time: Timestamp::ZERO, chance: 0, caller, peer, tls };
    if words[0] == "tunnel" {
        return (Call::tunnel_to(words[1], arrival).expect("a target"), port);
    }
    let mut head = http::Request::builder().method(words[0]).uri(words[1]).version(http::Version::HTTP_2);
    for (name, value) in words.iter().filter(|word| !word.contains("://")).filter_map(|word| word.split_once('=')) {
        head = head.header(name, value);
    }
    (normalize(head.body(()).expect("a head").into_parts().0, arrival).expect("a call"), port)
}

pub(super) fn enforcer() -> Enforcer {
    Enforcer {
        namespace: "istio-system".into(),
        labels: [("istio".to_owned(), "egressgateway".to_owned())].into(),
        trust_domain: "cluster.local".into(),
    }
}

pub(super) fn compiled(manifests: &str, enforcer: &Enforcer) -> Authorization {
    let registry = MemoryRegistry::new();
    let parsed = parse(&Source::new("test", manifests));
    let errors: Vec<_> = parsed.findings.iter().filter(|finding| finding.problem.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let operations = parsed.resources.into_iter().map(Operation::Create).collect();
    registry.commit(Transaction { operations }).expect("a valid change");
    Authorization::compile(&registry, enforcer, &mut Vec::new()).expect("it compiles")
}

fn policy(name: &str, spec: &str) -> String {
    let spec = spec.replace('\n', "\n  ");
    format!(
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: \
         istio-system}}\nspec:\n  {spec}\n---\n"
    )
}

/// What is said of a call: `allowed`, the details of its refusal, or those of one that does not count.
fn said(authorization: &Authorization, words: &str) -> String {
    let (call, port) = call(words);
    let reporter = Reporter { uid: String::new(), peers: Peers::default() };
    let bag = CallBag::new(&call, None, &reporter);
    let mut checked = Checked::default();
    authorization.check(Arrived { bag: &bag, port }, &mut Answers::default(), false, &mut checked);
    let audited = checked.audited.iter().map(|rule| format!("audited {rule}"));
    let refusals = checked.refusals.iter().map(|refusal| {
        let details = refusal.details.trim_start_matches("rbac_access_denied_matched_policy");
        if refusal.enforced { details.to_owned() } else { format!("would be {details}") }
    });
    let all: Vec<_> = audited.chain(refusals).collect();
    if all.is_empty() { "allowed".to_owned() } else { all.join(", ") }
}

/// Whether a rule matches calls, in a policy that allows and in one that denies.
#[track_caller]
fn matches(rule: &str, rows: &[(&str, bool)]) {
    let allow = compiled(&policy("p", &format!("rules: [{rule}]")), &enforcer());
    let deny = compiled(&policy("p", &format!("action: DENY\nrules: [{rule}]")), &enforcer());
    for (words, expected) in rows {
        assert_eq!(said(&allow, words) == "allowed", *expected, "ALLOW {rule}: {words}");
        assert_eq!(said(&deny, words) != "allowed", *expected, "DENY {rule}: {words}");
    }
}

const GET: &str = "GET http://a.example/";
const SLEEP: &str = "cluster.local/ns/default/sa/sleep";

#[test]
fn sources_are_told_by_what_they_have_proved() {
    let sleep = format!("{GET} from {SLEEP}");
    let web = format!("{GET} from other.domain/ns/web/sa/front");
    let rows = |values: [bool; 3]| [(sleep.as_str(), values[0]), (web.as_str(), values[1]), (GET, values[2])];
    for (source, expected) in [
        ("principals: [cluster.local/ns/default/sa/sleep]", [true, false, false]),
        ("principals: ['cluster.local/ns/default/*']", [true, false, false]),
        ("principals: ['*/sa/front', '*/sa/x']", [false, true, false]),
        ("principals: ['*']", [true, true, false]),
        ("principals: [CLUSTER.local/ns/default/sa/sleep]", [false, false, false]),
        ("notPrincipals: ['*']", [false, false, true]),
        ("notPrincipals: [cluster.local/ns/default/sa/sleep]", [false, true, true]),
        ("namespaces: [default]", [true, false, false]),
        ("namespaces: ['w*b']", [false, true, false]),
        ("namespaces: ['*']", [true, true, false]),
        ("notNamespaces: [default]", [false, true, true]),
        ("serviceAccounts: [default/sleep]", [true, false, false]),
        ("serviceAccounts: [sleep]", [false, false, false]),
        ("notServiceAccounts: [default/sleep]", [false, true, true]),
        ("trustDomains: [other.domain]", [false, true, false]),
        ("notTrustDomains: ['cluster*']", [false, true, true]),
        ("requestPrincipals: ['*']", [false, false, false]),
        ("notRequestPrincipals: ['*']", [true, true, true]),
        ("namespaces: [default, web], notPrincipals: ['*/front']", [true, false, false]),
    ] {
        matches(&format!("{{from: [{{source: {{{source}}}}}]}}"), &rows(expected));
    }
    for (key, values, expected) in [
        ("source.principal", "'*/sleep'", [true, false, false]),
        ("source.namespace", "web", [false, true, false]),
        ("source.serviceAccount", "web/front", [false, true, false]),
        ("source.trustDomain", "other.domain", [false, true, false]),
        ("request.auth.principal", "'*'", [false, false, false]),
        ("request.auth.claims[iss]", "x", [false, false, false]),
    ] {
        matches(&format!("{{when: [{{key: '{key}', values: [{values}]}}]}}"), &rows(expected));
    }
}

#[test]
fn addresses_are_in_networks_of_both_families() {
    let rows = [
        ("GET http://a.example/ by 10.1.2.3", true),
        ("GET http://a.example/ by ::ffff:10.1.2.3", true),
        ("GET http://a.example/ by 11.1.2.3", false),
        ("GET http://a.example/ by fd00::1", true),
        ("GET http://a.example/ by fe00::1", false),
    ];
    let inverted = rows.map(|(words, expected)| (words, !expected));
    matches("{from: [{source: {ipBlocks: [10.0.0.0/8, 'fd00::/16']}}]}", &rows);
    matches("{from: [{source: {remoteIpBlocks: [10.1.2.3, 'fd00::1']}}]}", &rows);
    matches("{from: [{source: {notIpBlocks: [10.0.0.0/8, 'fd00::/16']}}]}", &inverted);
    matches("{from: [{source: {notRemoteIpBlocks: [10.0.0.0/8, 'fd00::/16']}}]}", &inverted);
    matches("{when: [{key: source.ip, values: [10.0.0.0/8, 'fd00::1']}]}", &rows);
    matches("{when: [{key: remote.ip, notValues: [10.0.0.0/8, 'fd00::1']}]}", &inverted);
}

#[test]
fn operations_are_told_by_what_is_sent() {
    for (operation, rows) in [
        ("hosts: [a.example]", &[(GET, true), ("GET http://A.EXAMPLE/", true), ("GET http://b.a.example/", false)][..]),
        ("hosts: [A.Example]", &[(GET, true)]),
        ("hosts: ['*.example']", &[(GET, true), ("GET http://example/", false), ("GET http://a.example:81/", false)]),
        // The port may be written or not, where it is the default one.
        ("hosts: ['a.example:80']", &[(GET, true), ("GET http://a.example:81/", false)]),
        (
            "hosts: ['a.example:*']",
            &[(GET, true), ("GET http://a.example:81/", true), ("GET http://b.example/", false)],
        ),
        ("hosts: [a.example]", &[("GET http://a.example:80/", true), ("GET http://a.example:81/", false)]),
        ("notHosts: [a.example]", &[(GET, false), ("GET http://b.example/", true)]),
        ("methods: [GET, 'P*']", &[(GET, true), ("POST http://a.example/", true), ("HEAD http://a.example/", false)]),
        ("methods: [get]", &[(GET, false)]),
        ("notMethods: [GET]", &[(GET, false), ("POST http://a.example/", true)]),
        (
            "ports: ['443', '80']",
            &[(GET, true), ("GET http://a.example/ at 80", true), ("GET http://a.example/ at 81", false)],
        ),
        ("notPorts: ['443']", &[(GET, false), ("GET http://a.example/ at 80", true)]),
        (
            "paths: [/a, '/b/*', '*/c']",
            &[
                ("GET http://h.example/a", true),
                ("GET http://h.example/a?q", true),
                ("GET http://h.example/%61", true),
                ("GET http://h.example/x/../a", true),
                ("GET http://h.example/A", false),
                ("GET http://h.example/b/x", true),
                ("GET http://h.example/b", false),
                ("GET http://h.example/x/c", true),
            ],
        ),
        ("paths: ['/a/{*}/c']", &[("GET http://h.example/a/b/c", true), ("GET http://h.example/a/b/b/c", false)]),
        ("paths: ['/a/{**}']", &[("GET http://h.example/a/b/c", true), ("GET http://h.example/b", false)]),
        ("notPaths: ['/a/{**}']", &[("GET http://h.example/a/b/c", false), ("GET http://h.example/b", true)]),
        ("paths: ['*']", &[(GET, true)]),
        ("paths: [/a], methods: [POST]", &[("GET http://h.example/a", false), ("POST http://h.example/a", true)]),
    ] {
        matches(&format!("{{to: [{{operation: {{{operation}}}}}]}}"), rows);
    }
}

#[test]
fn conditions_hold_together_each_with_values_and_without_others() {
    for (when, rows) in [
        (
            "{key: 'request.headers[X-Team]', values: [web, 'ops-*']}",
            &[("GET http://a.example/ x-team=web", true), ("GET http://a.example/ x-team=ops-1", true), (GET, false)][..],
        ),
        (
            "{key: 'request.headers[x-team]', values: ['*']}",
            &[("GET http://a.example/ x-team=web", true), (GET, false)],
        ),
        (
            "{key: 'request.headers[x-team]', notValues: ['*']}",
            &[("GET http://a.example/ x-team=web", false), (GET, true)],
        ),
        (
            "{key: 'request.headers[x-team]', values: ['*'], notValues: [web]}",
            &[("GET http://a.example/ x-team=web", false), ("GET http://a.example/ x-team=a", true), (GET, false)],
        ),
        // A second value does not hide behind the first.
        ("{key: 'request.headers[x]', values: [a]}", &[("GET http://a.example/ x=a x=b", false)]),
        ("{key: 'request.headers[:authority]', values: [a.example]}", &[(GET, true)]),
        ("{key: destination.port, values: ['80']}", &[(GET, false), ("GET http://a.example/ at 80", true)]),
        (
            "{key: connection.sni, values: ['*.example']}",
            &[(GET, false), ("GET https://a.example/ sni a.example", true)],
        ),
        ("{key: connection.sni, notValues: ['*.example']}", &[(GET, true)]),
        (
            "{key: source.ip, values: [10.0.0.0/8]}, {key: destination.port, values: ['80']}",
            &[("GET http://a.example/ by 10.0.0.1", false), ("GET http://a.example/ by 10.0.0.1 at 80", true)],
        ),
    ] {
        matches(&format!("{{when: [{when}]}}"), rows);
    }
}

#[test]
fn lists_of_sources_and_operations_are_alternatives_and_a_rule_is_all_of_it() {
    let rule = "{from: [{source: {namespaces: [default]}}, {source: {ipBlocks: [10.0.0.0/8]}}], to: [{operation: {methods: \
                [GET]}}, {operation: {paths: [/a]}}], when: [{key: 'request.headers[x]', values: [a]}]}";
    matches(
        rule,
        &[
            ("GET http://h.example/ from cluster.local/ns/default/sa/x x=a", true),
            ("GET http://h.example/ by 10.0.0.1 x=a", true),
            ("POST http://h.example/a by 10.0.0.1 x=a", true),
            ("POST http://h.example/ by 10.0.0.1 x=a", false),
            ("GET http://h.example/ x=a", false),
            ("GET http://h.example/ by 10.0.0.1", false),
        ],
    );
}

#[test]
fn what_cannot_be_known_here_never_allows_and_never_lets_go() {
    for key in ["destination.ip", "experimental.envoy.filters.network.mysql_proxy[db.table]"] {
        for field in ["values", "notValues"] {
            let rule = format!("{{when: [{{key: '{key}', {field}: ['1.1.1.1']}}]}}");
            let allow = compiled(&policy("p", &format!("rules: [{rule}]")), &enforcer());
            assert_eq!(said(&allow, GET), "[none]", "{rule}");
            let deny = compiled(&policy("p", &format!("action: DENY\nrules: [{rule}]")), &enforcer());
            assert_eq!(said(&deny, GET), "[ns[istio-system]-policy[p]-rule[0]]", "{rule}");
        }
    }
}

#[test]
fn a_tunnel_is_never_allowed_by_what_only_http_has_and_denied_without_it() {
    let tunnel = "tunnel a.example:443 from cluster.local/ns/default/sa/sleep";
    for (rule, allows, denies) in [
        ("{to: [{operation: {methods: [GET]}}]}", false, true),
        ("{to: [{operation: {notPaths: [/a]}}]}", false, true),
        ("{to: [{operation: {hosts: [b.example]}}]}", false, true),
        ("{to: [{operation: {ports: ['443'], paths: [/a]}}]}", false, true),
        ("{to: [{operation: {ports: ['80'], paths: [/a]}}]}", false, false),
        ("{to: [{operation: {ports: ['443']}}, {operation: {methods: [GET]}}]}", false, true),
        ("{to: [{operation: {ports: ['443']}}]}", true, true),
        ("{from: [{source: {namespaces: [default]}}]}", true, true),
        ("{from: [{source: {namespaces: [web]}}]}", false, false),
        ("{from: [{source: {notRequestPrincipals: ['*']}}]}", false, true),
        ("{when: [{key: 'request.headers[x]', values: [a]}]}", false, true),
        ("{}", true, true),
    ] {
        let allow = compiled(&policy("p", &format!("rules: [{rule}]")), &enforcer());
        assert_eq!(said(&allow, tunnel) == "allowed", allows, "ALLOW {rule}");
        let deny = compiled(&policy("p", &format!("action: DENY\nrules: [{rule}]")), &enforcer());
        assert_eq!(said(&deny, tunnel) != "allowed", denies, "DENY {rule}");
    }
}

#[test]
fn what_denies_comes_first_and_one_that_allows_turns_the_default() {
    let deny = policy("deny", "action: DENY\nrules: [{to: [{operation: {paths: [/a]}}]}]");
    let allow = policy("allow", "rules: [{}, {to: [{operation: {paths: [/a, /b]}}]}]");
    let nothing = policy("nothing", "{}");
    let audit = policy("audit", "action: AUDIT\nrules: [{to: [{operation: {paths: [/a]}}]}]");
    let (a, b) = ("GET http://h.example/a", "GET http://h.example/b");
    let denied = "[ns[istio-system]-policy[deny]-rule[0]]";
    for (policies, of_a, of_b) in [
        (vec![], "allowed", "allowed"),
        (vec![&deny], denied, "allowed"),
        (vec![&allow], "allowed", "allowed"),
        (vec![&allow, &deny], denied, "allowed"),
        (vec![&nothing], "[none]", "[none]"),
        (vec![&nothing, &allow], "allowed", "allowed"),
        (vec![&nothing, &deny], denied, "[none]"),
        (vec![&audit], "audited ns[istio-system]-policy[audit]-rule[0]", "allowed"),
    ] {
        let text: String = policies.iter().map(|one| one.as_str()).collect();
        let authorization = compiled(&text, &enforcer());
        assert_eq!(said(&authorization, a), of_a, "{text}");
        assert_eq!(said(&authorization, b), of_b, "{text}");
    }
}

#[test]
fn what_is_only_tried_is_told_and_decides_nothing() {
    let tried = |name: &str, spec: &str| {
        policy(name, spec)
            .replace("namespace: istio-system}", "namespace: istio-system, annotations: {istio.io/dry-run: 'true'}}")
    };
    let deny = tried("deny", "action: DENY\nrules: [{to: [{operation: {paths: [/a]}}]}]");
    let allow = tried("allow", "rules: [{to: [{operation: {paths: [/b]}}]}]");
    let enforced = policy("really", "rules: [{to: [{operation: {paths: [/c]}}]}]");
    let (a, b, c) = ("GET http://h.example/a", "GET http://h.example/b", "GET http://h.example/c");
    let both = compiled(&format!("{deny}{allow}"), &enforcer());
    assert_eq!(said(&both, a), "would be [ns[istio-system]-policy[deny]-rule[0]], would be [none]");
    assert_eq!(said(&both, b), "allowed");
    assert_eq!(said(&both, c), "would be [none]");
    let mixed = compiled(&format!("{allow}{enforced}"), &enforcer());
    assert_eq!([a, b, c].map(|words| said(&mixed, words)), ["[none]", "[none]", "allowed"]);
}

#[test]
fn a_policy_is_for_the_workloads_that_it_selects() {
    let deny = |namespace: &str, more: &str| {
        policy("deny", &format!("action: DENY\nrules: [{{}}]\n{more}")).replace("istio-system", namespace)
    };
    let elsewhere = "apiVersion: v1\nkind: Namespace\nmetadata: {name: egress}\n---\n";
    let of_egress = Enforcer { namespace: "egress".into(), ..enforcer() };
    for (enforcer, namespace, more, applies) in [
        (enforcer(), "istio-system", "", true),
        (enforcer(), "istio-system", "selector: {matchLabels: {istio: egressgateway}}", true),
        (enforcer(), "istio-system", "selector: {matchLabels: {istio: egressgateway, app: x}}", false),
        (enforcer(), "default", "", false),
        (enforcer(), "istio-system", "targetRefs: [{kind: ServiceEntry, group: networking.istio.io, name: x}]", false),
        (of_egress.clone(), "egress", "", true),
        (of_egress.clone(), "istio-system", "", true),
        (of_egress, "default", "", false),
    ] {
        let authorization = compiled(&format!("{elsewhere}{}", deny(namespace, more)), &enforcer);
        assert_eq!(said(&authorization, GET) != "allowed", applies, "{namespace} {more}");
    }
}

#[test]
fn the_local_trust_domain_goes_by_cluster_local_too() {
    let own = Enforcer { trust_domain: "corp.example".into(), ..enforcer() };
    let manifest = policy("p", "rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/sleep]}}]}]");
    let authorization = compiled(&manifest, &own);
    assert_eq!(said(&authorization, &format!("{GET} from corp.example/ns/default/sa/sleep")), "allowed");
    assert_eq!(said(&authorization, &format!("{GET} from other.example/ns/default/sa/sleep")), "[none]");
}

#[test]
fn roles_allow_what_they_are_bound_to_and_nothing_else() {
    let config = |mode: &str| {
        format!(
            "apiVersion: rbac.istio.io/v1alpha1\nkind: ClusterRbacConfig\nmetadata: {{name: default}}\nspec: {mode}\n---\n"
        )
    };
    let roles = "\
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: reader, namespace: istio-system}
spec:
  rules:
  - {services: ['*.example'], methods: [GET], paths: ['/a*', '/b']}
  - services: [b.example]
    constraints: [{key: 'request.headers[x]', values: [v1, v2]}, {key: 'destination.labels[istio]', values: [egressgateway]}]
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {name: readers, namespace: istio-system}
spec:
  subjects: [{user: cluster.local/ns/default/sa/sleep}, {properties: {source.namespace: web}}]
  roleRef: {kind: ServiceRole, name: reader}
---
";
    let rows = [
        ("GET http://a.example/a from cluster.local/ns/default/sa/sleep", true),
        ("GET http://a.example:8080/ab from cluster.local/ns/web/sa/x", true),
        ("GET http://a.example/a", false),
        ("POST http://a.example/a from cluster.local/ns/default/sa/sleep", false),
        ("GET http://a.example/c from cluster.local/ns/default/sa/sleep", false),
        ("POST http://b.example/c x=v2 from cluster.local/ns/default/sa/sleep", true),
        ("POST http://b.example/c x=v3 from cluster.local/ns/default/sa/sleep", false),
    ];
    for (mode, enforced) in [
        ("{mode: 'ON'}", true),
        ("{mode: 'OFF'}", false),
        ("{mode: ON_WITH_INCLUSION, inclusion: {namespaces: [istio-system]}}", true),
        ("{mode: ON_WITH_INCLUSION, inclusion: {namespaces: [default]}}", false),
        ("{mode: ON_WITH_INCLUSION, inclusion: {services: ['*.example']}}", true),
        ("{mode: ON_WITH_EXCLUSION, exclusion: {services: ['*.example']}}", false),
        ("{mode: ON_WITH_EXCLUSION, exclusion: {services: [c.example]}}", true),
        ("{mode: ON_WITH_EXCLUSION, exclusion: {namespaces: [istio-system]}}", false),
    ] {
        let authorization = compiled(&format!("{}{roles}", config(mode)), &enforcer());
        for (words, expected) in rows {
            assert_eq!(said(&authorization, words) == "allowed", expected || !enforced, "{mode}: {words}");
        }
    }
    let alone = compiled(&config("{mode: 'ON'}"), &enforcer());
    assert_eq!(said(&alone, GET), "[none]");
    let anybody = roles.replace("user: cluster.local/ns/default/sa/sleep", "user: '*'");
    let anybody = compiled(&format!("{}{anybody}", config("{mode: 'ON'}")), &enforcer());
    assert_eq!(said(&anybody, "GET http://a.example/a"), "allowed");
    let tried = compiled(&format!("{}{roles}", config("{mode: 'ON', enforcementMode: PERMISSIVE}")), &enforcer());
    assert_eq!(said(&tried, GET), "would be [none]");
}

#[test]
fn a_refusal_tells_what_was_compared_and_what_almost_matches() {
    let manifest = policy(
        "p",
        "rules: [{from: [{source: {namespaces: [web]}}], to: [{operation: {paths: [/b]}}]}, {to: [{operation: {paths: [/b]}}], \
         when: [{key: 'request.headers[authorization]', values: [x]}]}, {from: [{source: {namespaces: [default]}}], to: \
         [{operation: {paths: [/b], methods: [GET]}}]}]",
    );
    let authorization = compiled(&manifest, &enforcer());
    let (call, port) = call("GET http://h.example/a?secret authorization=basic from cluster.local/ns/default/sa/sleep");
    let reporter = Reporter { uid: String::new(), peers: Peers::default() };
    let bag = CallBag::new(&call, None, &reporter);
    let arrived = Arrived { bag: &bag, port };
    let mut checked = Checked::default();
    authorization.check(arrived, &mut Answers::default(), false, &mut checked);
    let refusal = &checked.refusals[0];
    assert_eq!(
        refusal.remedy,
        "a rule that matches it, as rules[2] of p.AuthorizationPolicy.istio-system but for to[0].operation.paths has \"/a\", \
         and asks for one of [\"/b\"]"
    );
    assert_eq!(
        refusal.values,
        "{\"request.method\":\"GET\",\"request.url_path\":\"/a\",\"source.namespace\":\"default\"}"
    );
    let steps = authorization.explain(arrived);
    let told: Vec<_> = steps[0].rules.iter().flat_map(|(_, places)| places).map(ToString::to_string).collect();
    assert_eq!(steps[0].standing(), Standing::NoneMatches);
    assert!(told.iter().any(|place| place.starts_with("when[0].values has \"(masked)\"")), "{told:?}");
}

const PROVIDERS: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
    - name: one
      envoyExtAuthzHttp: {service: default/one, port: 8000}
    - name: two
      envoyExtAuthzHttp: {service: two.example, port: 8000, failOpen: true}
---
";

/// The name of an authorizer, and what it says.
type Heard = (&'static str, fn() -> Said);

#[test]
fn what_is_handed_to_an_authorizer_waits_for_its_answer_and_then_for_the_others() {
    let custom = |name: &str, provider: &str| {
        policy(
            name,
            &format!(
                "action: CUSTOM\nprovider: {{name: {provider}}}\nrules: [{{to: [{{operation: {{paths: [/a]}}}}]}}]"
            ),
        )
    };
    let deny = policy("deny", "action: DENY\nrules: [{to: [{operation: {methods: [POST]}}]}]");
    let authorization =
        compiled(&format!("{PROVIDERS}{}{}{deny}", custom("c1", "one"), custom("c2", "two")), &enforcer());
    assert_eq!(
        authorization.authorizers().iter().map(|one| one.host.as_str()).collect::<Vec<_>>(),
        ["one.default.svc.cluster.local", "two.example"]
    );
    let reporter = Reporter { uid: String::new(), peers: Peers::default() };
    let judged = |words: &str, said: &[Heard]| {
        let mut answers = Answers::default();
        for (name, said) in said {
            answers.add(Answered { authorizer: (*name).into(), said: said() });
        }
        let (call, port) = call(words);
        let bag = CallBag::new(&call, None, &reporter);
        let arrived = Arrived { bag: &bag, port };
        if let Some(asked) = authorization.asks(arrived, &mut answers) {
            return format!("ask {}", asked.name);
        }
        let mut checked = Checked::default();
        match authorization.check(arrived, &mut answers, false, &mut checked) {
            Some(failure) => format!("{failure:?} {}", checked.message()),
            None => "allowed".to_owned(),
        }
    };
    let yes: fn() -> Said = || Said::Allowed { request: Vec::new(), response: Vec::new() };
    let a = "GET http://h.example/a";
    assert_eq!(judged("GET http://h.example/b", &[]), "allowed");
    assert_eq!(judged(a, &[]), "ask one");
    assert_eq!(judged(a, &[("one", yes)]), "ask two");
    assert_eq!(judged(a, &[("one", yes), ("two", yes)]), "allowed");
    assert_eq!(judged(a, &[("one", yes), ("two", || Said::Nothing)]), "allowed");
    let refused: [Heard; 2] = [("one", || Said::Denied(401)), ("two", yes)];
    assert_eq!(judged(a, &refused), "Unauthorized(401) the authorizer one does not let it go");
    let silent: [Heard; 2] = [("one", || Said::Nothing), ("two", yes)];
    assert_eq!(judged(a, &silent), "Unauthorized(403) the authorizer one could not be asked, or not in time");
    let post = "POST http://h.example/a";
    assert_eq!(judged(post, &[("one", yes), ("two", yes)]), "AccessDenied RBAC: access denied");
    assert_eq!(
        judged("tunnel h.example:443", &[]),
        "Unauthorized(403) the authorizer one cannot be asked about a connection of TCP"
    );
    let nobody = compiled(&custom("c", "nobody"), &enforcer());
    assert_eq!(said(&nobody, a), "ext_authz_denied[ns[istio-system]-policy[c]-rule[0]]");
}
