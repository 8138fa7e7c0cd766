//! What only an egress gateway with policies can know: rules and their parts, and what they see.

use super::*;

/// Those of a code in the scenario's and other fixtures, and in a manifest beside them.
fn beside(code: &str, fixtures: &[&str], text: &str) -> Vec<String> {
    let read = |name: &&str| {
        let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    };
    let all: Vec<_> = fixtures.iter().map(read).chain([text.to_owned()]).collect();
    of(code, &all.join("\n---\n"))
}

/// A manifest of one of Mixer's kinds, with its spec in flow style.
fn mixer(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: config.istio.io/v1alpha2\nkind: {kind}\nmetadata: {{name: {name}, namespace: istio-system}}\nspec: \
         {spec}\n---\n"
    )
}

/// A rule that logs, with what it needs.
fn logging(condition: &str) -> String {
    mixer("stdio", "out", "{}")
        + &mixer("logentry", "entry", "{severity: '\"info\"', monitored_resource_type: '\"x\"'}")
        + &mixer(
            "rule",
            "log",
            &format!("{{match: '{condition}', actions: [{{handler: out.stdio, instances: [entry.logentry]}}]}}"),
        )
}

/// A rule that refuses, with what it needs.
fn denying(condition: &str) -> String {
    mixer("denier", "never", "{status: {code: 7}}")
        + &mixer("checknothing", "any", "{}")
        + &mixer(
            "rule",
            "deny",
            &format!("{{match: '{condition}', actions: [{{handler: never.denier, instances: [any.checknothing]}}]}}"),
        )
}

#[test]
fn rules_that_encryption_blinds_are_named_with_the_ways_out() {
    let passed = ["scenario/sleep.yaml", "passthrough/egress-gateway.yaml"];
    let found = beside(
        "EGR0001",
        &passed,
        &logging("request.host.endsWith(\"cnn.com\") && request.path.startsWith(\"/politics\")"),
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    let start = "EGR0001 rule istio-system/log spec.match: rule log reads request.path, but calls to *.cnn.com:443 from sleep \
                 are passed through encrypted: it never applies to them. Ways out: ";
    assert!(found[0].starts_with(start), "{found:#?}");
    assert!(found[1].contains("calls to edition.cnn.com:443 from sleep"), "{found:#?}");
    let checks = beside("EGR0001", &passed, &denying("request.path.startsWith(\"/x\")"));
    assert!(checks[0].contains("its checks cannot be carried out, and the calls are refused"), "{checks:#?}");
    let entries = mixer("listchecker", "pages", "{overrides: [/a]}")
        + &mixer("listentry", "page", "{value: request.path}")
        + &mixer("rule", "check", "{actions: [{handler: pages.listchecker, instances: [page.listentry]}]}");
    let by_instance = beside("EGR0001", &passed, &entries);
    let start = "EGR0001 rule istio-system/check spec.actions: rule check reads request.path (by instance \
                 page.listentry.istio-system), but calls to *.cnn.com:443 from sleep are passed through encrypted: its checks \
                 cannot be carried out, and the calls are refused.";
    assert!(by_instance[0].starts_with(start), "{by_instance:#?}");
    assert_eq!(beside("EGR0001", &passed, &entries.replace("request.path", "request.path | \"\"")), [""; 0]);
    for seen in [
        "context.protocol == \"http\" && request.path.startsWith(\"/x\")",
        "request.path.startsWith(\"/x\") && request.host == \"other.com\"",
        "(request.host | connection.requested_server_name) == \"edition.cnn.com\"",
        "source.namespace == \"default\"",
    ] {
        assert_eq!(beside("EGR0001", &passed, &logging(seen)), [""; 0], "{seen}");
    }
    let hosts = |number: u32| format!("h{number}.example");
    let many = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: many}}\nspec: {{hosts: [{}], \
         resolution: NONE, ports: [{{number: 443, name: tls, protocol: TLS}}]}}\n---\n",
        (0..9).map(hosts).collect::<Vec<_>>().join(", ")
    );
    let found = beside("EGR0001", &passed[..1], &(many + &logging("request.path.startsWith(\"/politics\")")));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("calls to h0.example:443, h1.example:443, h2.example:443 and 6 more from sleep are"),
        "{found:#?}"
    );
    let scenario = ["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml"];
    assert_eq!(beside("EGR0001", &scenario, &logging("request.path.startsWith(\"/politics\")")), [""; 0]);
}

#[test]
fn what_is_seen_of_calls_is_computed_from_the_compiled_routes() {
    let lines = |fixtures: &[&str], name: &str| {
        let read = |name: &&str| std::fs::read_to_string(format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR")));
        let text: Vec<_> = fixtures.iter().map(|name| read(name).expect("a fixture")).collect();
        let registry = registry_of(&text.join("\n---\n"));
        let key = Key::new(&crate::resource::kinds::SERVICE_ENTRY, "default", name);
        let entry = registry.get(&key).expect("memory").expect("the entry");
        let seen = visible(&registry, &entry).expect("it compiles").into_iter();
        seen.map(|one| format!("{}:{} {}: {}", one.host, one.port, one.way, one.sees.words())).collect::<Vec<_>>()
    };
    assert_eq!(
        lines(&["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml"], "cnn"),
        [
            "edition.cnn.com:80 HTTP to the sidecar, TLS originated at the gateway: path, method, headers visible",
            "edition.cnn.com:443 HTTP to the sidecar, TLS originated at the sidecar: path, method, headers visible",
        ]
    );
    let passed = ["scenario/sleep.yaml", "passthrough/egress-gateway.yaml"];
    assert_eq!(
        lines(&passed, "cnn"),
        ["edition.cnn.com:443 HTTPS passed through sidecar and gateway: only SNI, addresses, bytes"]
    );
    assert_eq!(lines(&passed, "all-cnn").len(), 1);
}

#[test]
fn conditions_that_no_call_can_meet_are_named() {
    let never = |condition: &str| {
        let found = beside("EGR0002", &["scenario/sleep.yaml"], &logging(condition));
        let start = "EGR0002 rule istio-system/log spec.match: Rule log can never match: ";
        found.iter().map(|line| line.strip_prefix(start).unwrap_or(line).to_owned()).collect::<Vec<_>>()
    };
    let table = [
        (
            "request.path.startsWith(\"politics\")",
            "request.path is to begin with \"politics\", but a path begins with /.",
        ),
        ("request.method == \"get\"", "request.method is to be \"get\", but methods are in capitals."),
        (
            "request.host == \"a.com:443\"",
            "request.host is to be \"a.com:443\", but a host has no port here (destination.port has it).",
        ),
        ("request.host == \"A.com\"", "request.host is to be \"A.com\", but hosts are in lower case."),
        (
            "context.protocol == \"https\" && request.path == \"/\"",
            "context.protocol is to be \"https\", but it is \"http\" or \"tcp\".",
        ),
        (
            "request.host == \"a.com\" && request.host.endsWith(\"b.com\")",
            "request.host cannot be \"a.com\" and end with \"b.com\" at once.",
        ),
        (
            "request.path.startsWith(\"/a\") && request.path.startsWith(\"/b\")",
            "request.path cannot begin with \"/a\" and begin with \"/b\" at once.",
        ),
        ("1 == 2", "its match is false, whatever the call."),
    ];
    for (condition, why) in table {
        assert_eq!(never(condition), [why], "{condition}");
    }
    for possible in [
        "request.path.startsWith(\"/a\") && request.path.endsWith(\"b\")",
        "request.host == \"a.com\" || request.host == \"b.com\"",
        "request.path.startsWith(\"/a\") && request.path.startsWith(\"/ab\")",
        "request.headers[\"x\"] == \"1\" && request.headers[\"y\"] == \"2\"",
    ] {
        assert_eq!(never(possible), [""; 0], "{possible}");
    }
    let elsewhere = logging("true").replace("istio-system", "nowhere");
    let found = of("EGR0002", &elsewhere);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("it sees only calls of workloads of namespace nowhere, where there is none"),
        "{found:?}"
    );
}

#[test]
fn rules_for_hosts_that_nothing_registers_are_named() {
    let for_host = |condition: &str| of("EGR0003", &(site() + &logging(condition)));
    assert_eq!(
        for_host("request.host.endsWith(\"cnn.com\")"),
        [
            "EGR0003 rule istio-system/log spec.match: Rule log is for hosts that end with \"cnn.com\", and no ServiceEntry \
          registers one: calls there are refused before it is asked."
        ]
    );
    for registered in ["request.host == \"a.com\"", "request.host.endsWith(\".com\")", "request.path == \"/\""] {
        assert_eq!(for_host(registered), [""; 0], "{registered}");
    }
}

#[test]
fn attributes_that_never_have_a_value_are_named() {
    assert_eq!(
        of("EGR0004", &logging("destination.uid == \"a\"")),
        [
            "EGR0004 rule istio-system/log spec.match: Rule log needs destination.uid, which no call has a value for here: its match \
          cannot be decided. Give it a default, as in destination.uid | \"unknown\"."
        ]
    );
    assert_eq!(of("EGR0004", &logging("(destination.uid | \"b\") == \"a\"")), [""; 0]);
}

#[test]
fn parts_are_used_and_rules_do_not_say_the_same_twice() {
    let rule = |name: &str, action: &str| mixer("rule", name, &format!("{{match: 'true', actions: [{action}]}}"));
    let unused = mixer("stdio", "idle", "{}")
        + &mixer("logentry", "spare", "{severity: '\"info\"', monitored_resource_type: '\"x\"'}");
    assert_eq!(
        of("EGR000", &(unused + &logging("true"))),
        [
            "EGR0007 stdio istio-system/idle metadata.name: No rule uses the handler idle.stdio.istio-system: it does nothing.",
            "EGR0008 logentry istio-system/spare metadata.name: No rule uses the instance spare.logentry.istio-system: it does \
             nothing.",
        ]
    );
    let again = rule("more", "{handler: out.stdio.istio-system, instances: [entry.logentry]}");
    assert_eq!(
        of("EGR0005", &(logging("true") + &again)),
        [
            "EGR0005 rule istio-system/more spec.actions[0].instances[0]: Rule more does what rule log does, for the same calls: \
          instance entry.logentry.istio-system, handler out.stdio.istio-system."
        ]
    );
    assert_eq!(
        of("IST0101", &rule("x", "{handler: h.stdio, instances: [i.logentry]}")),
        [
            "IST0101 rule istio-system/x spec.actions[0].handler: Referenced handler not found: \"h.stdio\"",
            "IST0101 rule istio-system/x spec.actions[0].instances[0]: Referenced instance not found: \"i.logentry\"",
        ]
    );
}

#[test]
fn checks_that_decide_nothing_are_named() {
    let reporting = denying("true").replace(
        "{name: deny, namespace: istio-system}",
        "{name: deny, namespace: istio-system, annotations: {egressctl.io/mode: report}}",
    );
    assert_eq!(
        of("EGR0009", &reporting),
        ["EGR0009 rule istio-system/deny metadata.annotations: What rule deny refuses is only reported (annotation \
          egressctl.io/mode: report): the calls go."]
    );
    let agreeing = mixer("noop", "agree", "{}") + &denying("true").replace("never.denier", "agree.noop");
    assert_eq!(
        of("EGR0010", &agreeing),
        [
            "EGR0010 rule istio-system/deny spec.actions[0].instances[0]: The check of rule deny is handed to a noop, which agrees \
          with everything: it refuses nothing."
        ]
    );
    let list = |annotations: &str| {
        mixer("listchecker", "pages", "{overrides: [/a]}")
            + &mixer("listentry", "page", "{value: request.path}")
            + &mixer("rule", "check", "{actions: [{handler: pages.listchecker, instances: [page.listentry]}]}").replace(
                "{name: check, namespace: istio-system}",
                &format!("{{name: check, namespace: istio-system{annotations}}}"),
            )
    };
    assert_eq!(
        of("EGR0011", &list(", annotations: {egressctl.io/mode: report}")),
        [
            "EGR0011 listchecker istio-system/pages metadata.name: The list pages says what is allowed, but refuses nothing: every \
          rule that uses it only reports."
        ]
    );
    assert_eq!(of("EGR0011", &list("")), [""; 0]);
}

#[test]
fn a_quota_that_every_call_gets_elsewhere_is_never_asked() {
    let quota =
        mixer("memquota", "count", "{quotas: [{name: calls.quota.istio-system, maxAmount: 5, validDuration: 1s}]}")
            + &mixer("quota", "calls", "{dimensions: {}}");
    let rule = |name: &str, condition: &str| {
        mixer("rule", name, &format!("{{{condition}actions: [{{handler: count.memquota, instances: [calls.quota]}}]}}"))
    };
    assert_eq!(
        of("EGR0006", &(quota.clone() + &rule("a", "") + &rule("b", "match: 'request.host == \"a.com\"', "))),
        [
            "EGR0006 rule istio-system/b spec.actions[0].instances[0]: Rule b never gives the quota calls: rule a, which is asked \
          first, gives it to every call."
        ]
    );
    assert_eq!(of("EGR0006", &(quota + &rule("b", "") + &rule("a", "match: 'request.host == \"a.com\"', "))), [""; 0]);
}

#[test]
fn callers_are_proven_to_istio_s_gateway_by_mutual_tls_alone() {
    let fixtures = ["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml"];
    let rule = logging("source.principal == \"cluster.local/ns/default/sa/sleep\"");
    assert_eq!(beside("EGR0012", &fixtures, &rule), [""; 0]);
    let text =
        std::fs::read_to_string(format!("{}/fixtures/scenario/01-egress-gateway.yaml", env!("CARGO_MANIFEST_DIR")));
    let plain = text.expect("a fixture").replace("ISTIO_MUTUAL", "DISABLE");
    let found = beside("EGR0012", &fixtures[..1], &(plain + "\n---\n" + &rule));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains(
            "no DestinationRule for istio-egressgateway.istio-system.svc.cluster.local has tls mode ISTIO_MUTUAL"
        ),
        "{found:?}"
    );
}

#[test]
fn quotas_are_charged() {
    let quota =
        mixer("memquota", "count", "{quotas: [{name: calls.quota.istio-system, maxAmount: 5, validDuration: 1s}]}")
            + &mixer("quota", "calls", "{dimensions: {}}")
            + &mixer("rule", "give", "{actions: [{handler: count.memquota, instances: [calls.quota]}]}");
    assert_eq!(
        of("EGR", &quota),
        [
            "EGR0031 rule istio-system/give spec.actions[0].instances[0]: Rule give gives the quota calls, but no QuotaSpec that a \
          QuotaSpecBinding binds to a service charges it: no call is ever counted."
        ]
    );
    let spec = mixer("QuotaSpec", "spec", "{rules: [{quotas: [{quota: calls, charge: 1}]}]}");
    let binding = mixer("QuotaSpecBinding", "binding", "{quotaSpecs: [{name: spec}], services: [{service: '*'}]}");
    assert_eq!(of("EGR", &(quota + &spec + &binding)), [""; 0]);
}

#[test]
fn policies_of_the_fixtures_have_no_faults() {
    for name in ["whitelist.yaml", "opa.yaml", "quota.yaml", "prometheus.yaml"] {
        let fixtures = ["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml", &format!("policy/{name}")];
        let lines: Vec<_> =
            beside("", &fixtures, "").into_iter().filter(|line| line.contains("istio-system/")).collect();
        assert_eq!(lines, [""; 0], "{name}");
    }
}
