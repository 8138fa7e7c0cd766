mod fields;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Code, Source};
use crate::resource::Resource;

const GATEWAY: &str = include_str!("../../fixtures/scenario/01-egress-gateway.yaml");
const MONITORING: &str = include_str!("../../fixtures/scenario/02-egress-monitoring.yaml");
const SLEEP: &str = include_str!("../../fixtures/scenario/sleep.yaml");

fn parsed(text: &str) -> Parsed {
    parse(&Source::new("f.yaml", text))
}

fn messages(text: &str) -> Vec<String> {
    parsed(text).findings.iter().map(|finding| finding.problem.to_string()).collect()
}

fn pictures(text: &str) -> String {
    let source = Source::new("f.yaml", text);
    let mut locator = Locator::new(&source);
    let pictures = parse(&source).findings.iter().map(|finding| locator.render(finding, false)).collect::<Vec<_>>();
    pictures.join("\n\n")
}

fn names(resources: &[Resource]) -> Vec<String> {
    resources.iter().map(|resource| format!("{}/{}", resource.kind.qualified_singular(), resource.meta.name)).collect()
}

#[test]
fn the_scenario_s_gateway_manifest_parses() {
    let parsed = parsed(GATEWAY);
    assert_eq!(
        names(&parsed.resources),
        [
            "gateway.networking.istio.io/istio-egressgateway",
            "serviceentry.networking.istio.io/cnn",
            "virtualservice.networking.istio.io/direct-through-egress-gateway",
            "destinationrule.networking.istio.io/originate-tls-for-edition-cnn-com",
            "destinationrule.networking.istio.io/mutual-tls-for-egressgateway",
        ]
    );
    let found: Vec<_> = parsed.findings.iter().map(|f| (f.problem.code, f.problem.is_error())).collect();
    assert_eq!(found, [(Code::Deprecated, false)]);
    assert_eq!(parsed.findings[0].problem.message, "apiVersion not set, taken for networking.istio.io/v1");
    let lines: Vec<_> = parsed.resources.iter().filter_map(|r| r.origin.as_ref()).map(|origin| origin.line).collect();
    assert_eq!(lines, [1, 15, 31, 63, 78]);
}

#[test]
fn the_scenario_s_monitoring_manifest_parses() {
    let parsed = parsed(MONITORING);
    assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
    assert_eq!(
        names(&parsed.resources),
        [
            "logentry.config.istio.io/egress-access",
            "stdio.config.istio.io/egress-error-handler",
            "rule.config.istio.io/report-politics",
            "stdio.config.istio.io/egress-access-handler",
            "rule.config.istio.io/report-cnn-access",
        ]
    );
    let stdio = crate::resource::decode::decode::<crate::resource::kinds::stdio::Stdio>(
        parsed.resources[1].spec(),
        &crate::diagnostic::FieldPath::of("spec"),
    )
    .expect("it decodes");
    assert_eq!(stdio.severity_levels["info"], crate::resource::kinds::stdio::LogLevel::Error);
}

#[test]
fn the_sleep_sample_parses_and_becomes_apps_v1() {
    let parsed = parsed(SLEEP);
    assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
    assert_eq!(names(&parsed.resources), ["serviceaccount/sleep", "service/sleep", "deployment.apps/sleep"]);
    let tree = parsed.resources[2].to_json();
    assert_eq!(tree["apiVersion"], "apps/v1");
    assert_eq!(tree["spec"]["selector"]["matchLabels"]["app"], "sleep");
}

#[test]
fn a_text_indented_as_a_whole_parses_alike() {
    let indented: String = MONITORING.lines().map(|line| format!("        {line}\r\n")).collect();
    let (here, there) = (parsed(MONITORING), parsed(&format!("\u{feff}{indented}")));
    assert!(there.findings.is_empty(), "{:?}", there.findings);
    let trees = |parsed: &Parsed| parsed.resources.iter().map(Resource::to_json).collect::<Vec<_>>();
    assert_eq!(trees(&here), trees(&there));
}

#[test]
fn what_is_printed_parses_back_as_the_same() {
    for text in [GATEWAY, MONITORING, SLEEP] {
        let resources = parsed(text).resources;
        let trees: Vec<_> = resources.iter().map(Resource::to_json).collect();
        for printed in [encode::yaml(&encode::list(trees.clone())), encode::json(&encode::list(trees.clone()))] {
            let again = parsed(&printed);
            assert!(again.findings.is_empty(), "{:?}", again.findings);
            assert_eq!(again.resources.iter().map(Resource::to_json).collect::<Vec<_>>(), trees);
        }
        let stream: String = trees.iter().map(|tree| format!("---\n{}", encode::yaml(tree))).collect();
        assert_eq!(parsed(&stream).resources.len(), trees.len());
        let stream: String = trees.iter().map(encode::json).collect();
        assert_eq!(parsed(&stream).resources.len(), trees.len());
    }
}

#[test]
fn an_unknown_kind_or_version_is_named_as_kubectl_does() {
    assert_eq!(
        messages("apiVersion: networking.istio.io/v1alpha3\nkind: ServiceEntri\nmetadata: {name: cnn}\n"),
        ["kind: no matches for kind \"ServiceEntri\" in version \"networking.istio.io/v1alpha3\""]
    );
    let found = parsed("apiVersion: networking.istio.io/v2\nkind: Gateway\nmetadata: {name: cnn}\n");
    assert_eq!(found.findings[0].problem.expected[0], "networking.istio.io/v1");
    let subject = found.findings[0].subject.clone().expect("it names itself");
    assert_eq!((subject.kind.as_str(), subject.name.as_str()), ("Gateway", "cnn"));
}

#[test]
fn documents_that_are_no_resources_are_refused() {
    assert_eq!(messages("- a\n"), ["a document must be a map with apiVersion, kind and metadata"]);
    assert_eq!(messages("[1]"), ["a document must be a map with apiVersion, kind and metadata"]);
    assert_eq!(messages("metadata: {name: x}\n"), ["kind: kind not set"]);
    assert_eq!(messages("---\n# nothing\n---\n~\n"), Vec::<String>::new());
}

#[test]
fn a_resource_may_be_declared_once() {
    let one = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: x}\n";
    assert_eq!(messages(&format!("{one}---\n{one}")), ["metadata.name: serviceaccount \"x\" is declared twice"]);
    let other = one.replace("name: x", "name: x, namespace: other");
    assert!(messages(&format!("{one}---\n{other}")).is_empty());
}

#[test]
fn a_fault_in_one_document_does_not_hide_those_of_others() {
    let found = messages("a: [\n---\nkind: Gatewai\n---\nb: c: d\n");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn items_of_a_list_have_their_places() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: A\n";
    assert!(pictures(text).contains("f.yaml:7:11"), "{}", pictures(text));
}

#[test]
fn a_text_that_is_too_long_is_one_clear_error() {
    let found = messages(&"#".repeat((64 << 20) + 1));
    assert_eq!(found, ["the text has 67108865 bytes, more than the 67108864 that are read"]);
}

#[test]
fn json_faults_are_found_in_json() {
    let text = "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"Namespace\",\n  \"metadata\": {\"name\": \"X\"}\n}\n";
    assert!(pictures(text).contains("f.yaml:4:24"), "{}", pictures(text));
    assert!(messages("{\"kind\": \n").first().is_some_and(|message| message.starts_with("not valid JSON")));
}

fn service_entry(spec: &str) -> String {
    format!("apiVersion: networking.istio.io/v1alpha3\nkind: ServiceEntry\nmetadata:\n  name: cnn\nspec:\n{spec}")
}

#[test]
fn an_unknown_field_is_drawn_with_the_nearest_name() {
    insta::assert_snapshot!(pictures(&service_entry("  hosts:\n  - edition.cnn.com\n  portz: []\n")), @r###"
    error: unknown field "portz"
     --> f.yaml:8:3
      |
    6 |   hosts:
    7 |   - edition.cnn.com
    8 |   portz: []
      |   ^^^^^ expected one of hosts, addresses, ports, location, resolution, endpoints, workloadSelector, exportTo, subjectAltNames
      |
      = help: did you mean "ports"?
    "###);
}

#[test]
fn a_wrong_type_is_drawn() {
    insta::assert_snapshot!(pictures(&service_entry("  hosts: edition.cnn.com\n")), @r###"
    error: wrong type: expected a list, found the string "edition.cnn.com"
     --> f.yaml:6:10
      |
    4 |   name: cnn
    5 | spec:
    6 |   hosts: edition.cnn.com
      |          ^^^^^^^^^^^^^^^ expected a list
      |
      = help: write it as a list: ["edition.cnn.com"]
    "###);
}

#[test]
fn a_missing_field_is_drawn_where_it_would_be() {
    insta::assert_snapshot!(pictures(&service_entry("  resolution: DNS\n")), @r###"
    error: spec.hosts: service entry must have at least one host
     --> f.yaml:5:1
      |
    3 | metadata:
    4 |   name: cnn
    5 | spec:
      | ^^^^
    "###);
}

#[test]
fn a_value_outside_its_enumeration_is_drawn() {
    insta::assert_snapshot!(pictures(&service_entry("  hosts: [a.com]\n  resolution: DSN # by name\n")), @r###"
    error: unsupported value "DSN"
     --> f.yaml:7:15
      |
    5 | spec:
    6 |   hosts: [a.com]
    7 |   resolution: DSN # by name
      |               ^^^ expected NONE, STATIC, DNS, DNS_ROUND_ROBIN or DYNAMIC_DNS
      |
      = help: did you mean "DNS"?
    "###);
}

#[test]
fn a_bad_reference_is_drawn() {
    insta::assert_snapshot!(
        pictures("apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata:\n  name: r\nspec:\n  actions:\n  - handler: a.stdio.ns.more\n"),
        @r###"
        error: invalid reference "a.stdio.ns.more"
         --> f.yaml:7:24
          |
        5 | spec:
        6 |   actions:
        7 |   - handler: a.stdio.ns.more
          |                        ^^^^^
          |
          = help: a reference is NAME, NAME.KIND or NAME.KIND.NAMESPACE, each of lower case letters, digits and '-'
        "###
    );
}

#[test]
fn bad_syntax_is_drawn() {
    insta::assert_snapshot!(pictures(&service_entry("  hosts: [a.com\n  resolution: DNS\n")), @r###"
    error: not valid YAML: illegal placement of ':' indicator
     --> f.yaml:7:13
      |
    5 | spec:
    6 |   hosts: [a.com
    7 |   resolution: DNS
      |             ^
      |
      = help: is a [ or { further up not closed?
    "###);
    insta::assert_snapshot!(pictures(&service_entry("  hosts: [a.com]\n\tresolution: DNS\n")), @r###"
    error: not valid YAML: tabs disallowed within this context (block indentation)
     --> f.yaml:7:2
      |
    5 | spec:
    6 |   hosts: [a.com]
    7 |     resolution: DNS
      |     ^
      |
      = help: YAML allows no tabs in the indentation: use spaces
    "###);
    insta::assert_snapshot!(pictures(&service_entry("  hosts: [a.com]\n  ports: []\n  hosts: []\n")), @r###"
    error: the key "hosts" stands twice in this map
     --> f.yaml:8:3
      |
    6 |   hosts: [a.com]
    7 |   ports: []
    8 |   hosts: []
      |   ^^^^^
      |
      = help: the first one is 2 lines above; remove one of them
    "###);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(apiVersion: v1\n|kind: Pod\n|metadata:\n|  name: x\n|---\n|spec:\n|[\\[{:,\\- \n\t'\"&*|>#}\\]a-z]|\\PC){0,40}") {
        pictures(&text);
    }

    #[test]
    fn no_spec_makes_it_panic(kind in 0..crate::resource::KINDS.len(), key in "servers|hosts|http|tls|tcp|host|trafficPolicy|ports|actions|variables|severity_levels|template|containers", value in "[\\[\\]{}:, a-z0-9'-]{0,30}") {
        let kind = crate::resource::KINDS[kind];
        let api_version = kind.api_version(kind.versions[0]);
        pictures(&format!("apiVersion: {api_version}\nkind: {}\nmetadata: {{name: x}}\nspec:\n  {key}: {value}\n", kind.name));
    }
}

#[test]
fn a_misspelled_spec_is_the_only_thing_said() {
    let text = service_entry("  hosts: [a.com]\n").replace("spec:", "specs:");
    assert_eq!(messages(&text), ["specs: unknown field \"specs\""]);
}
