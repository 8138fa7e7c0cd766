//! The verbs on resources, in the words that kubectl's users know.

use crate::harness::Scene;

const RULE: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata:
  name: r
spec:
  match: request.path.startsWith(\"/politics\")
  actions:
  - handler: h.stdio
    instances: [l.logentry]
";

const HANDLER: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: stdio
metadata:
  name: h
spec:
  outputAsJson: true
";

#[test]
fn the_scenario_runs_as_it_is_written() {
    let scene = Scene::new();
    scene.run("create -f -").with_stdin(include_str!("../../fixtures/scenario/01-egress-gateway.yaml")).succeeds(
        "\
gateway.networking.istio.io/istio-egressgateway created
serviceentry.networking.istio.io/cnn created
virtualservice.networking.istio.io/direct-through-egress-gateway created
destinationrule.networking.istio.io/originate-tls-for-edition-cnn-com created
destinationrule.networking.istio.io/mutual-tls-for-egressgateway created
",
    );
    scene.run("create -f -").with_stdin(include_str!("../../fixtures/scenario/02-egress-monitoring.yaml")).succeeds(
        "\
logentry.config.istio.io/egress-access created
stdio.config.istio.io/egress-error-handler created
rule.config.istio.io/report-politics created
stdio.config.istio.io/egress-access-handler created
rule.config.istio.io/report-cnn-access created
",
    );
    scene
        .run("delete gateway istio-egressgateway")
        .succeeds("gateway.networking.istio.io \"istio-egressgateway\" deleted\n");
    scene.run("delete serviceentry cnn").succeeds("serviceentry.networking.istio.io \"cnn\" deleted\n");
    scene
        .run("delete stdio egress-error-handler -n istio-system")
        .succeeds("stdio.config.istio.io \"egress-error-handler\" deleted\n");
    scene.run("-n istio-system delete rule report-politics report-cnn-access").succeeds(
        "rule.config.istio.io \"report-politics\" deleted\nrule.config.istio.io \"report-cnn-access\" deleted\n",
    );
}

#[test]
fn the_telemetry_pod_is_found_by_its_label_and_has_the_log() {
    let scene = Scene::new();
    let pod = scene
        .run("-n istio-system get pods -l istio-mixer-type=telemetry -o jsonpath={.items[0].metadata.name}")
        .output();
    assert!(pod.starts_with("istio-telemetry-"), "{pod}");
    scene.run(&format!("-n istio-system logs {pod} mixer")).succeeds("");
    let defaulted = "Defaulted container \"mixer\" out of: mixer, istio-proxy\n";
    scene.run(&format!("-n istio-system logs {pod}")).says(0, "", defaulted);
    scene
        .run(&format!("-n istio-system logs {pod} nope"))
        .fails(&format!("error: container nope is not valid for pod {pod}\n"));
    scene
        .run("logs nope")
        .fails("error: error from server (NotFound): pods \"nope\" not found in namespace \"default\"\n");
    scene.run("logs --count").succeeds("0\n");
}

#[test]
fn the_pods_of_a_deployment_are_listed() {
    let scene = Scene::new();
    let sleep = include_str!("../../fixtures/scenario/sleep.yaml");
    scene
        .run("apply -f -")
        .with_stdin(sleep)
        .succeeds("serviceaccount/sleep created\nservice/sleep created\ndeployment.apps/sleep created\n");
    let pod = scene.run("get pod -l app=sleep -o jsonpath={.items..metadata.name}").output();
    assert!(pod.starts_with("sleep-"), "{pod}");
}

#[test]
fn what_is_created_twice_is_refused_and_nothing_of_the_file_is_stored() {
    let scene = Scene::new();
    scene.run("create -f -").with_stdin(HANDLER).succeeds("stdio.config.istio.io/h created\n");
    let file = scene.write("both.yaml", &format!("{RULE}---\n{HANDLER}"));
    let refusal = scene.run(&format!("create -f {file}")).error();
    let expected = format!(
        "Error from server (AlreadyExists): error when creating \"{file}\": stdios.config.istio.io \"h\" already exists\n"
    );
    assert_eq!(refusal, expected);
    scene.run("get rule").says(0, "", "No resources found in default namespace.\n");
}

#[test]
fn apply_says_what_became_of_each_resource() {
    let scene = Scene::new();
    scene.run("apply -f -").with_stdin(HANDLER).succeeds("stdio.config.istio.io/h created\n");
    scene.run("apply -f -").with_stdin(HANDLER).succeeds("stdio.config.istio.io/h unchanged\n");
    let changed = HANDLER.replace("true", "false");
    scene
        .run("apply --dry-run=server -f -")
        .with_stdin(&changed)
        .succeeds("stdio.config.istio.io/h configured (server dry run)\n");
    scene.run("apply -f -").with_stdin(&changed).succeeds("stdio.config.istio.io/h configured\n");
    scene.run("get stdio h -o jsonpath={.spec.outputAsJson}").succeeds("false");
}

#[test]
fn replace_needs_the_resource_unless_forced() {
    let scene = Scene::new();
    scene.run("replace -f -").with_stdin(HANDLER).fails(
        "Error from server (NotFound): error when replacing \"STDIN\": stdios.config.istio.io \"h\" not found\n",
    );
    scene.run("replace --force -f -").with_stdin(HANDLER).succeeds("stdio.config.istio.io/h replaced\n");
    scene
        .run("replace --force -f -")
        .with_stdin(HANDLER)
        .succeeds("stdio.config.istio.io \"h\" deleted\nstdio.config.istio.io/h replaced\n");
    let stored = scene.run("get stdio h -o yaml").output();
    scene.run("replace -f -").with_stdin(&stored).succeeds("stdio.config.istio.io/h replaced\n");
    let stale = stored.replace("resourceVersion: \"", "resourceVersion: \"9");
    scene.run("replace -f -").with_stdin(&stale).fails(
        "Error from server (Conflict): error when replacing \"STDIN\": Operation cannot be fulfilled on \
         stdios.config.istio.io \"h\": the object has been modified; please apply your changes to the latest version \
         and try again\n",
    );
}

#[test]
fn found_resources_are_shown_and_missing_ones_told() {
    let scene = Scene::new();
    scene.run("create -f -").with_stdin(HANDLER).succeeds("stdio.config.istio.io/h created\n");
    let missing = "Error from server (NotFound): stdios.config.istio.io \"nope\" not found\n";
    scene.run("get stdio nope h -o name").says(1, "stdio.config.istio.io/h\n", missing);
    scene.run("get stdio nope h -o name --ignore-not-found").succeeds("stdio.config.istio.io/h\n");
    scene.run("delete stdio nope h").says(1, "stdio.config.istio.io \"h\" deleted\n", missing);
    scene.run("get foo").fails("error: the server doesn't have a resource type \"foo\"\n");
}

#[test]
fn deletion_by_file_label_and_kind() {
    let scene = Scene::new();
    let labelled = HANDLER.replace("  name: h", "  name: l\n  labels: {team: news}");
    let both = format!("{HANDLER}---\n{labelled}");
    scene.run("create -f -").with_stdin(&both).output();
    scene.run("delete stdio").fails("error: resource(s) were provided, but no name was specified\n");
    scene.run("delete stdio -l team=news --dry-run").succeeds("stdio.config.istio.io \"l\" deleted (dry run)\n");
    scene.run("delete stdio -l team=news").succeeds("stdio.config.istio.io \"l\" deleted\n");
    scene.run("delete stdio -l team=news").succeeds("No resources found\n");
    scene.run("delete -f -").with_stdin(&both).says(
        1,
        "stdio.config.istio.io \"h\" deleted\n",
        "Error from server (NotFound): error when deleting \"STDIN\": stdios.config.istio.io \"l\" not found\n",
    );
}

#[test]
fn every_fault_of_a_file_is_shown_at_once_with_a_picture() {
    let scene = Scene::new();
    let faulty = "\
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  name: cnn
spec:
  hosts: [edition.cnn.com]
  portz: []
  resolution: FOO
---
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntri
metadata:
  name: x
";
    let refusal = scene.run("create -f -").with_stdin(faulty).error();
    for line in [
        "Error from server (BadRequest): error when creating \"STDIN\": ServiceEntry in version \"v1alpha3\" cannot be \
         handled as a ServiceEntry: strict decoding error: unknown field \"spec.portz\"",
        " --> STDIN:7:3",
        "  = help: did you mean \"ports\"?",
        "Error from server (Invalid): error when creating \"STDIN\": ServiceEntry.networking.istio.io \"cnn\" is invalid: \
         spec.resolution: Unsupported value: \"FOO\": supported values: \"NONE\", \"STATIC\", \"DNS\", \"DNS_ROUND_ROBIN\", \
         \"DYNAMIC_DNS\"",
        "resource mapping not found for name: \"x\" namespace: \"\" from \"STDIN\": no matches for kind \
         \"ServiceEntri\" in version \"networking.istio.io/v1alpha3\"",
        "ensure CRDs are installed first",
    ] {
        assert!(refusal.lines().any(|found| found == line), "no line {line:?} in\n{refusal}");
    }
    scene.run("get serviceentry").says(0, "", "No resources found in default namespace.\n");
}

#[test]
fn namespaces_must_agree_and_exist() {
    let scene = Scene::new();
    let elsewhere = HANDLER.replace("  name: h", "  name: h\n  namespace: elsewhere");
    scene.run("create -n default -f -").with_stdin(&elsewhere).fails(
        "error: the namespace from the provided object \"elsewhere\" does not match the namespace \"default\". You must \
         pass '--namespace=elsewhere' to perform this operation.\n",
    );
    scene
        .run("create -f -")
        .with_stdin(&elsewhere)
        .fails("Error from server (NotFound): error when creating \"STDIN\": namespaces \"elsewhere\" not found\n");
    scene.run("create namespace elsewhere").succeeds("namespace/elsewhere created\n");
    scene.run("create -f -").with_stdin(&elsewhere).succeeds("stdio.config.istio.io/h created\n");
    scene.run("get stdio -A --no-headers -o custom-columns=N:.metadata.namespace").succeeds("elsewhere\n");
}

#[test]
fn what_refers_to_nothing_is_stored_with_a_warning() {
    let scene = Scene::new();
    let created = scene.run("create -f -").with_stdin(RULE).finish();
    assert_eq!(created.stdout, "rule.config.istio.io/r created\n");
    assert!(created.stderr.starts_with("warning: no h.stdio.default\n --> STDIN:8:14\n"), "{}", created.stderr);
}

#[test]
fn usage_errors_end_with_one_and_are_kubectls() {
    let scene = Scene::new();
    scene.run("get rule --foo").fails("error: unknown flag: --foo\nSee 'egressctl get --help' for usage.\n");
    scene.run("gett").fails("error: unknown command \"gett\" for \"egressctl\"\n\nDid you mean this?\n\tget\n\n");
    scene.run("create -f nope.yaml").fails("error: the path \"nope.yaml\" does not exist\n");
    scene.run("create").fails("error: must specify -f\n");
    assert!(scene.run("get --help").output().contains("Examples:"));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let scene = Scene::new();
    let many: Vec<String> = (0..2000).map(|n| HANDLER.replace("name: h", &format!("name: h{n}"))).collect();
    scene.run("create -f -").with_stdin(&many.join("---\n")).output();
    scene.run("get stdio -o yaml").without_reader();
}

#[test]
fn describe_says_which_part_of_a_rule_does_nothing() {
    let scene = Scene::new();
    scene.run("create -f -").with_stdin(include_str!("../../fixtures/scenario/02-egress-monitoring.yaml")).output();
    assert!(!scene.run("describe rule report-politics -n istio-system").output().contains("Warnings:"));
    scene.run("delete logentry egress-access -n istio-system").output();
    let shown = scene.run("describe rule report-politics -n istio-system").output();
    assert!(
        shown.contains("Warnings:\n  spec.actions[0].instances[0]: no egress-access.logentry.istio-system"),
        "{shown}"
    );
}

const ENTRY: &str = "\
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata: {name: cnn}
spec: {hosts: [cnn.com]}
";

#[test]
fn what_is_wrong_with_a_document_is_headed_by_kubectls_line() {
    let scene = Scene::new();
    let of_cnn = "The ServiceEntry \"cnn\" is invalid: ";
    for (document, headline) in [
        (
            ENTRY.replace("[cnn.com]", "cnn.com"),
            format!(
                "{of_cnn}spec.hosts: Invalid value: \"string\": spec.hosts in body must be of type array: \"string\""
            ),
        ),
        (
            ENTRY.replace("]}", "], location: HERE}"),
            format!(
                "{of_cnn}spec.location: Unsupported value: \"HERE\": supported values: \"MESH_EXTERNAL\", \"MESH_INTERNAL\""
            ),
        ),
        (
            ENTRY.replace("[cnn.com]", "[]"),
            format!("{of_cnn}spec.hosts: Required value: service entry must have at least one host"),
        ),
        (
            ENTRY.replace("spec:", "kind: Gateway\nspec:"),
            "error: error parsing STDIN: error converting YAML to JSON: yaml: unmarshal errors:".into(),
        ),
        (
            format!("{ENTRY}---\na: [1\n"),
            "error: error parsing STDIN: error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'"
                .into(),
        ),
        ("a: 1\n".into(), "error: error validating \"STDIN\": error validating data: kind not set".into()),
        (
            format!("kind: List\napiVersion: v1\nitems:\n- {}\n", ENTRY.trim_end().replace('\n', "\n  ").replace("[cnn.com]", "[]")),
            format!("{of_cnn}spec.hosts: Required value: service entry must have at least one host"),
        ),
        (
            "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: d}\nspec: {foo: 1, template: {}}\n".into(),
            "Error from server (BadRequest): error when creating \"STDIN\": Deployment in version \"v1beta1\" cannot be \
             handled as a Deployment: strict decoding error: unknown field \"spec.foo\""
                .into(),
        ),
    ] {
        let refusal = scene.run("create -f -").with_stdin(&document).error();
        assert!(refusal.lines().any(|line| line == headline), "no line {headline}\nin {refusal}");
    }
}

#[test]
fn no_name_or_value_can_drive_the_terminal() {
    let scene = Scene::new();
    let wild = ENTRY.replace("name: cnn", "name: \"a\\e[2J\\nb\\u202E\"").replace("cnn.com", "\"\\u009b31m\"");
    let refusal = scene.run("create -f -").with_stdin(&wild).error();
    assert!(refusal.contains("The ServiceEntry \"a^[[2J^Jb\\u202e\" is invalid"), "{refusal}");
    for line in [
        "get \u{1b}[2J",
        "get rule \u{202e}x",
        "delete rule x -n \u{1b}[2J",
        "create namespace \u{1b}[2J",
        "\u{1b}[2J",
        "get --\u{1b}[2J",
    ] {
        let refusal = scene.run(line).error();
        assert!(!refusal.contains(['\u{1b}', '\u{202e}']), "{line:?}: {refusal:?}");
    }
}

#[test]
fn a_state_directory_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    scene.run("get ns").output();
    let state = scene.path().join("state");
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o775)).expect("it is ours");
    let shown = state.display();
    scene.run("get ns").fails(&format!(
        "error: {shown} is open to others than its owner (its mode is 0775)\nhint: make it private: chmod 700 \
         '{shown}'\n"
    ));
}

#[test]
fn a_registry_that_lacks_what_it_must_have_is_called_damaged() {
    let scene = Scene::new();
    scene.run("get ns").output();
    let registry = scene.path().join("state/registry.db");
    let database = rusqlite::Connection::open(&registry).expect("it is a database");
    database.execute_batch("DELETE FROM counter").expect("the table is there");
    drop(database);
    let refusal = scene.run("create namespace x").error();
    assert!(refusal.contains("registry.db is damaged"), "{refusal}");
    assert!(refusal.contains("hint: restore the file from a copy"), "{refusal}");
}

#[test]
fn an_empty_namespace_or_state_directory_is_none() {
    let scene = Scene::new();
    scene.run("create -f -").with_stdin(HANDLER).output();
    scene.run("get stdio -o name --namespace=").succeeds("stdio.config.istio.io/h\n");
    let home = scene.path().join("home");
    scene
        .run("get ns -o name")
        .with_variables(&[("EGRESSCTL_STATE_DIR", ""), ("HOME", home.to_str().expect("plain"))])
        .output();
    assert!(home.join(".local/state/egressctl/registry.db").exists());
}

#[test]
fn c_names_a_container_or_counts() {
    let scene = Scene::new();
    let pod = scene
        .run("-n istio-system get pods -l istio-mixer-type=telemetry -o jsonpath={.items[0].metadata.name}")
        .output();
    scene.run(&format!("-n istio-system logs {pod} -c mixer")).says(0, "", "");
    scene.run(&format!("-n istio-system logs -c istio-proxy {pod}")).says(
        0,
        "",
        "note: what this container writes is not recorded here\n",
    );
    scene
        .run(&format!("-n istio-system logs {pod} -c nope"))
        .fails(&format!("error: container nope is not valid for pod {pod}\n"));
    scene.run("logs -c").succeeds("0\n");
    scene.run("logs -c --level error+").succeeds("0\n");
    scene.run(&format!("-n istio-system logs -c {pod}")).succeeds("0\n");
    scene.run("logs -f -c").fails("error: the argument '--count' cannot be used with '--follow'\n");
}

#[test]
fn a_listener_of_a_mistyped_workload_is_refused_with_the_nearest() {
    let scene = Scene::new();
    scene.run("apply -f -").with_stdin(include_str!("../../fixtures/scenario/sleep.yaml")).output();
    let unknown = |name, namespace| {
        format!(
            "Error from server (NotFound): no workload \"{name}\" in namespace \"{namespace}\"\nhint: did you mean \
             sleep.default? If not, declare {name} first\n"
        )
    };
    scene.run("proxy start --listen 127.0.0.1:0=slep").fails(&unknown("slep", "default"));
    scene.run("proxy start --listen 127.0.0.1:0=sleep.istio-system").fails(&unknown("sleep", "istio-system"));
}

#[test]
fn a_pod_of_a_deployment_is_not_deleted() {
    let scene = Scene::new();
    let pod = scene.run("get pods -n istio-system -l istio-mixer-type=telemetry -o name").output();
    let name = pod.trim().trim_start_matches("pod/");
    scene.run(&format!("delete -n istio-system pod {name} --ignore-not-found")).fails(&format!(
        "Error from server (Forbidden): pods \"{name}\" is forbidden: its Deployment makes it and would make it again under \
         the same name; delete the Deployment, or declare fewer replicas\n"
    ));
    scene.run("delete pods --all -l a=b").fails("error: setting 'all' parameter but found a non empty selector.\n");
}

#[test]
fn everything_is_shown_as_kubectl_orders_and_versions_it() {
    let scene = Scene::new();
    let kinds = scene.run("get all -n istio-system -o name").output();
    let kinds: Vec<&str> = kinds.lines().filter_map(|line| line.split('/').next()).collect();
    assert_eq!(kinds, ["pod", "pod", "service", "deployment.apps", "deployment.apps"]);
    scene.run("create -f -").with_stdin(ENTRY).output();
    scene.run("get se -o jsonpath={.items[*].apiVersion}").succeeds("networking.istio.io/v1alpha3");
    let newer = ENTRY.replace("v1alpha3", "v1beta1").replace("name: cnn", "name: b");
    scene.run("create -f -").with_stdin(&newer).output();
    scene.run("get se -o jsonpath={.items[*].apiVersion}").succeeds("networking.istio.io/v1 networking.istio.io/v1");
    scene.run("get se b -o jsonpath={.apiVersion}").succeeds("networking.istio.io/v1beta1");
}

#[test]
fn a_dry_run_of_the_client_shows_only_what_would_be_sent() {
    let scene = Scene::new();
    scene
        .run("create namespace x --dry-run=client -o yaml")
        .succeeds("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n");
    assert!(scene.run("create namespace x --dry-run=server -o yaml").output().contains("uid: "));
}

#[test]
fn help_is_a_verb_too() {
    let scene = Scene::new();
    assert_eq!(scene.run("help proxy start").output(), scene.run("proxy start --help").output());
    let coloured = scene.run("get foo --color=always").error();
    assert!(coloured.starts_with("\u{1b}[1m\u{1b}[91merror:\u{1b}[0m the server"), "{coloured}");
}

#[test]
fn faults_of_fields_and_of_expressions_are_shown_together() {
    let scene = Scene::new();
    let faulty = RULE.replace("request.path", "request.paht").replace("spec:", "spec:\n  macth: x");
    let other = RULE.replace("name: r", "name: s").replace("request.path", "request.hots");
    let refusal = scene.run("create -f -").with_stdin(&format!("{faulty}---\n{other}")).error();
    for fault in ["unknown field \"macth\"", "unknown attribute request.paht", "unknown attribute request.hots"] {
        assert_eq!(refusal.matches(&format!("error: {fault}\n")).count(), 1, "{fault}: {refusal}");
    }
}

#[test]
fn a_secret_keeps_texts_as_data_and_shows_no_value() {
    let scene = Scene::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: certs}\ntype: kubernetes.io/tls\nstringData: {tls.crt: cert, \
                  tls.key: hush}\n";
    scene.run("apply -f -").with_stdin(secret).succeeds("secret/certs created\n");
    // kubectl says so too: what is declared has texts, what is stored has none.
    scene.run("apply -f -").with_stdin(secret).succeeds("secret/certs configured\n");
    scene
        .run("get secret certs -o jsonpath={.data}{.stringData}")
        .succeeds("{\"tls.crt\":\"Y2VydA==\",\"tls.key\":\"aHVzaA==\"}");
    let table = scene.run("get secrets").output();
    assert!(table.contains("kubernetes.io/tls   2 "), "{table}");
    let described = scene.run("describe secret certs").output();
    assert!(
        described.contains("tls.key:  4 bytes") && !described.contains("hush") && !described.contains("aHVzaA"),
        "{described}"
    );
}

#[test]
fn the_age_of_a_workload_entry_stands_before_its_address() {
    let scene = Scene::new();
    let entry =
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: vm}\nspec: {address: 10.0.0.1}\n";
    scene.run("create -f -").with_stdin(entry).succeeds("workloadentry.networking.istio.io/vm created\n");
    let table = scene.run("get we").output();
    assert!(
        table.starts_with("NAME   AGE") && table.contains("ADDRESS\nvm ") && table.ends_with("   10.0.0.1\n"),
        "{table}"
    );
}
