//! `--audit`: everything that can be called goes, and it is told what the policy would have refused.

use std::process::Stdio;

use egressctl::cli::demo::origin::{Identity, Origin, Reply};
use serde_json::Value as Json;

use crate::proxied::{Proxied, with_origin};
use crate::sandbox::possible;
use crate::stage::{Stage, curl};

/// Refuses all calls to paths below /secret.
const DENY: &str = "\
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: deny, namespace: istio-system}
spec: {status: {code: 7, message: secret}}
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
  match: request.path.startsWith(\"/secret\")
  actions: [{handler: deny.denier, instances: [deny.checknothing]}]
";

/// `exec --audit=FILE` of a line for bash: its status, and what is told.
fn audited(scene: &Stage, line: &str) -> (Option<i32>, Json) {
    let file = scene.write("audit.json", "");
    let flag = format!("--audit={file}");
    let mut command = scene.command(&["exec", &flag, "deployment/sleep", "-c", "sleep", "--", "bash", "-c", line]);
    let output = command.stdin(Stdio::null()).output().expect("it was built");
    assert!(String::from_utf8_lossy(&output.stderr).contains("audit: "), "it is told in short: {output:?}");
    let told = std::fs::read_to_string(&file).expect("a file");
    let told = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told:?} of {output:?}"));
    (output.status.code(), told)
}

/// `VERDICT COUNT CALL: REASON` of each.
fn lines(told: &Json) -> Vec<String> {
    let text = |one: &Json, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let line = |one: &Json| {
        let call = ["method", "protocol", "destination", "path"].map(|name| text(one, name)).join(" ");
        format!("{} {} {}: {}", text(one, "verdict"), one["calls"], call.trim(), text(one, "reason"))
    };
    told["calls"].as_array().expect("calls").iter().map(line).collect()
}

#[test]
fn in_an_audit_everything_goes_and_it_is_told_what_would_have_been_refused() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let (scene, origin) = with_origin(DENY);
    let _proxy = Proxied::start(&scene, &[]);
    let (status, told) = audited(
        &scene,
        "get() { curl -s -o /dev/null -w '%{http_code} ' \"$@\"; }
         get http://a.example/x http://a.example/x; get http://a.example/secret/1?key=hidden; exit 7",
    );
    assert_eq!(status, Some(7), "the status is the command's: {told}");
    let deny = "PERMISSION_DENIED:deny.denier.istio-system:secret";
    assert_eq!(
        lines(&told),
        [format!("would-deny 1 GET http a.example /secret/1: {deny}"), "allow 2 GET http a.example /x: ".into()]
    );
    assert_eq!(origin.requests(), 3, "what would be refused went");
    assert!(!told.to_string().contains("hidden"), "no query is told: {told}");
    let entry = scene.wait_for_entry("would deny: PERMISSION_DENIED");
    assert!(entry.contains("\"level\":\"warn\"") && entry.contains("/secret/1"), "{entry}");
    scene.wait_for_entry("as --audit says");
    // Another command is judged as ever.
    let output = scene
        .command(&["exec", "deployment/sleep", "--", "curl", "-s", "-w", "%{http_code}", "http://a.example/secret/1"])
        .output()
        .expect("it was built");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("403"), "{output:?}");
}

#[test]
fn in_an_audit_hosts_that_nobody_declared_are_reached_by_whatever_they_are_called_and_private_addresses_are_not() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let identity = Identity::new(&["tls.example"], 2020..2120).expect("a certificate");
    let secure = Origin::start(Some(&identity), |_| Reply::page("200 OK", b"secret")).expect("an origin");
    let (scene, origin) = with_origin("");
    let ca = scene.write("ca.pem", &identity.ca_pem);
    let (plain, secure) = (origin.address, secure.address);
    let leads =
        [format!("nobody.example:80:{plain}"), format!("raw.example:81:{plain}"), format!("tls.example:443:{secure}")];
    let arguments: Vec<&str> = leads.iter().flat_map(|lead| ["--resolve", lead]).collect();
    let _proxy = Proxied::start(&scene, &arguments);
    let (status, told) = audited(
        &scene,
        &format!(
            "curl -s http://nobody.example/proxied
             unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY
             curl -s http://nobody.example/captured; curl -s http://raw.example:81/
             curl -s --cacert '{ca}' https://tls.example/; curl -s http://10.0.0.1/; curl -s http://missing.invalid/"
        ),
    );
    assert_eq!(status, Some(0), "{told}");
    let (unknown, private) = (
        "no ServiceEntry or VirtualService knows this host and port",
        "the origin's name leads to a private address that is not registered for it",
    );
    assert_eq!(
        lines(&told),
        [
            format!("deny 1 GET http 10.0.0.1 /: {private}"),
            format!("would-deny 1 GET http missing.invalid /: {unknown}"),
            format!("would-deny 1 GET http nobody.example /captured: {unknown}"),
            format!("would-deny 1 GET http nobody.example /proxied: {unknown}"),
            format!("would-deny 1 tcp raw.example:81: {unknown}"),
            format!("would-deny 1 tls tls.example:443: {unknown}"),
        ]
    );
    assert_eq!(told["calls"][1]["failure"], "the origin's name could not be resolved");
    let remedy = told["calls"][5]["remedy"].as_str().expect("text");
    assert_eq!(remedy, "a ServiceEntry with the host tls.example and the port 443");
    let decision = told["calls"][5]["decision"].as_str().expect("text");
    assert!(scene.ok(&["why", decision]).contains("would deny: no ServiceEntry"));
}

#[test]
fn run_tells_of_an_audit_on_standard_error_and_there_is_none_where_another_process_decides() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let (scene, _origin) = with_origin(DENY);
    let run = ["run", "--audit", "--from", "sleep", "--", "curl", "-s", "http://a.example/secret/1"];
    let output = scene.command(&run).stdin(Stdio::null()).output().expect("it was built");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"page"[..]), "{told}");
    for part in [
        "1 would be refused by the present policy, 0 could not",
        "would deny   1",
        "GET http://a.example/secret/1",
        "egressctl allow",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let _gateway = Proxied::gateway_alone(&scene, &["--node", "gateway"]);
    let _sidecar = Proxied::start(&scene, &["--role", "sidecar", "--node", "sidecar"]);
    let told = scene.fails(&["exec", "--node", "sidecar", "--audit", "deployment/sleep", "--", "true"]);
    assert!(told.contains("an audit needs the egress gateway in the same process"), "{told}");
    let told = scene.command(&["run", "--best-effort", "--audit", "--from", "sleep", "--", "true"]).output();
    assert!(!told.expect("it was built").status.success(), "there is nothing to be told");
}

#[test]
fn what_a_file_has_stays_where_nothing_ran_to_be_told_of() {
    let (scene, _origin) = with_origin("");
    let file = scene.write("audit.json", "of the run before");
    let flag = format!("--audit={file}");
    let has = || std::fs::read_to_string(&file).expect("a file");
    let told = scene.fails(&["exec", &flag, "deployment/sleep", "-c", "sleep", "--", "true"]);
    assert!(told.contains("no proxy runs") && has() == "of the run before", "{told}: {}", has());
    if !possible() {
        return;
    }
    let status = |program: &str| {
        let mut command = scene.command(&["run", &flag, "--from", "sleep", "--", program]);
        command.stdin(Stdio::null()).output().expect("it was built").status.code()
    };
    assert_eq!((status("/no/such/program"), has().as_str()), (Some(127), "of the run before"));
    assert_eq!(status("true"), Some(0));
    let told: Json = serde_json::from_str(&has()).expect("nothing is left of what it had");
    assert_eq!(told["workload"], "sleep");
}

#[test]
fn an_audit_leaves_out_what_its_proxy_does() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let (scene, _origin) = with_origin(DENY);
    let _proxy = Proxied::start(&scene, &["--redact", "all"]);
    let (_, told) = audited(&scene, "curl -s http://a.example/secret/hidden; curl -s http://a.example/other/hidden");
    let verdicts: Vec<String> = lines(&told).iter().filter_map(|line| line.split(' ').next().map(Into::into)).collect();
    assert_eq!(verdicts, ["would-deny", "allow"], "{told}");
    assert!(!told.to_string().contains("hidden"), "{told}");
}
