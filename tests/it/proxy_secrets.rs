//! The certificates of a running proxy, its rules and its standing: `proxy-config secrets` and `rules`, `proxy-status`.

use egressctl::cli::demo::origin::{Identity, Origin, Reply};
use serde_json::Value as Json;

use crate::proxied::{Proxied, Site};
use crate::stage::{SCENARIO, Stage, until};

fn rows(scene: &Stage, arguments: &[&str]) -> Vec<Json> {
    let mut all = vec!["proxy-config"];
    all.extend(arguments);
    all.extend(["-o", "json"]);
    serde_json::from_str(&scene.ok(&all)).expect("a list of JSON")
}

/// A certificate of a client with its key, in PEM.
fn client_certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(vec!["client.example".to_owned()]).expect("parameters");
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2120, 1, 1);
    parameters.serial_number = Some(rcgen::SerialNumber::from(0x1234_u64));
    let certificate = parameters.self_signed(&key).expect("signed");
    (certificate.pem(), key.serialize_pem())
}

/// A host that is called in plain text, and reached with TLS as a rule says.
fn originated(host: &str, port: u16, tls: &str) -> String {
    let name = host.replace('.', "-");
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: {name}}}\nspec:\n  hosts: [{host}]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]\n  endpoints: \
         [{{address: 127.0.0.1}}]\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: \
         {name}}}\nspec: {{host: {host}, trafficPolicy: {{tls: {tls}}}}}\n---\n"
    )
}

#[test]
fn certificates_are_shown_with_their_dates_and_what_is_wrong_with_them_and_keys_never() {
    let expired = Identity::new(&["expired.example"], 2001..2002).expect("a certificate");
    let origin = Origin::start(Some(&expired), |_| Reply::page("200 OK", b"page")).expect("an origin");
    let (port, scene) = (origin.address.port(), Stage::new());
    let ((certificate, key), (_, other_key)) = (client_certificate(), client_certificate());
    let ca = scene.write("ca.pem", &expired.ca_pem);
    let certificate = scene.write("client.pem", &certificate);
    let (key, other_key) = (scene.write("client.key", &key), scene.write("other.key", &other_key));
    let mutual = |key: &str| format!("{{mode: MUTUAL, clientCertificate: {certificate}, privateKey: {key}}}");
    scene.declare(&SCENARIO[..1]);
    let manifests = [
        originated("expired.example", port, "{mode: SIMPLE}"),
        originated("good.example", port, &mutual(&key)),
        originated("mismatched.example", port, &mutual(&other_key)),
        originated("missing.example", port, "{mode: SIMPLE, caCertificates: /nowhere/ca.pem}"),
    ];
    scene.ok_with(&["create", "-f", "-"], &manifests.concat());
    let proxy = Proxied::start(&scene, &["--ca-file", &ca]);
    for host in ["expired.example", "mismatched.example", "missing.example"] {
        assert_eq!(proxy.get(&format!("http://{host}/")).status, 503, "{host}");
    }
    let shown = rows(&scene, &["secrets", "sleep"]);
    let secret = |name: &str| {
        let found = shown.iter().find(|secret| secret["name"] == *name);
        found.unwrap_or_else(|| panic!("no {name} in {shown:?}")).clone()
    };
    let good = secret(&format!("file-cert:{certificate}~{key}"));
    assert_eq!((&good["status"], &good["valid"]), (&"ACTIVE".into(), &true.into()));
    assert_eq!((&good["serialNumber"], &good["notAfter"]), (&"1234".into(), &"2120-01-01T00:00:00Z".into()));
    assert_eq!(good["usedBy"][0], "outbound|80||good.example");
    assert_eq!(secret(&format!("file-cert:{certificate}~{other_key}"))["status"], "KEY MISMATCH");
    let missing = secret("file-root:/nowhere/ca.pem");
    assert_eq!(missing["status"], "UNREADABLE");
    assert!(missing["reason"].as_str().expect("a reason").starts_with("/nowhere/ca.pem: "), "{missing}");
    assert_eq!(secret(&format!("file-root:{ca}"))["status"], "ACTIVE");
    assert_eq!(secret("ROOTCA")["status"], "ACTIVE");
    let refused = secret("outbound|80||expired.example");
    assert_eq!((&refused["type"], &refused["status"]), (&"Origin".into(), &"REFUSED".into()));
    assert!(refused["reason"].as_str().expect("a reason").contains("expired"), "{refused}");
    let table = scene.ok(&["pc", "s", "sleep", "-o", "wide"]);
    assert!(table.starts_with("RESOURCE NAME "), "{table}");
    assert!(!format!("{table}{shown:?}").contains("PRIVATE KEY"));
}

#[test]
fn rules_are_shown_in_order_with_what_they_have_done() {
    let site = Site::new(&["policy/whitelist.yaml"]);
    let proxy = site.proxy(&[]);
    for (path, status) in [("sport", 200), ("politics", 403), ("politics", 403)] {
        assert_eq!(proxy.get(&format!("http://edition.cnn.com/{path}")).status, status);
    }
    until("the last call is reported", || {
        rows(&site.scene, &["rules", "--name", "report-cnn-access"])[0]["matched"] == 3
    });
    insta::assert_snapshot!(site.scene.ok(&["proxy-config", "rules"]), @r#"
    NAME                             MATCH                                                                      ACTIONS                                      MODE      MATCHED   REFUSED
    check-paths.istio-system         request.host.endsWith(".cnn.com")                                          check pathlist.path                          enforce   3         2
    report-cnn-access.istio-system   request.host.endsWith(".cnn.com")                                          report egress-access-handler.egress-access   -         3         0
    report-politics.istio-system     request.host.endsWith("cnn.com") && request.path.startsWith("/politics")   report egress-error-handler.egress-access    -         2         0
    "#);
    let [rule] = rows(&site.scene, &["rules", "sleep", "--name", "check-paths"]).try_into().expect("one");
    let rule: Json = rule;
    assert_eq!(rule["actions"][0]["handler"], "pathlist.listchecker.istio-system");
    assert!(rule["from"]["declaredAt"].as_str().expect("a place").contains("whitelist.yaml:"), "{rule}");
}

#[test]
fn a_proxy_is_in_step_with_the_registry_or_says_why_not_or_is_gone() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let standing = |name: &str| -> Json {
        let shown: Json = serde_json::from_str(&scene.ok(&["ps", name, "-o", "json"])).expect("JSON");
        shown[0].clone()
    };
    let mut one = Proxied::start(&scene, &["--node", "one"]);
    let mut two = Proxied::start(&scene, &["--node", "two"]);
    assert_eq!(
        (&standing("one")["status"], &standing("one")["version"]),
        (&"SYNCED".into(), &env!("CARGO_PKG_VERSION").into())
    );
    scene.declare(&["policy/denier.yaml"]);
    until("both follow", || ["one", "two"].iter().all(|name| standing(name)["status"] == "SYNCED"));
    assert_eq!(standing("one")["revision"], standing("one")["newest"]);
    two.signal("-KILL");
    two.wait();
    assert_eq!(standing("two")["status"], "GONE");
    let pid = one.pid().to_string();
    let shown = scene.ok(&["proxy-status"]).replace(&pid, "PID");
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "REVISION", "STATUS", "PROXIES", "PID", "UPTIME", "VERSION"]);
    assert_eq!((lines[1][0], lines[1][2], lines[1][5]), ("one", "SYNCED", "PID"), "{shown}");
    assert!(shown.contains("GONE: it was killed and left its socket"), "{shown}");
    let verbose = scene.ok(&["proxy-status", "one", "-v"]);
    let head: Vec<&str> = verbose.lines().next().expect("headings").split_whitespace().collect();
    assert_eq!(head[3..], ["LISTENERS", "ROUTES", "CLUSTERS", "ENDPOINTS", "SECRETS", "RULES", "VERSION"]);
    assert!(verbose.contains("SYNCED (2)"), "{verbose}");
    let told = scene.fails(&["proxy-status", "nobody"]);
    assert!(told.contains("no proxy \"nobody\" on this state directory"), "{told}");
    one.signal("-TERM");
    one.wait();
}
