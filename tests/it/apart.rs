//! Programs in sandboxes and grants where the egress gateway is another process than the sidecar.

use std::process::Stdio;

use egressctl::cli::demo::origin::{Origin, Reply};

use crate::authorization::authorizer;
use crate::proxied::{Proxied, Site};
use crate::sandbox::possible;
use crate::stage::{curl, until};

/// Refuses `/secret` to sleep, as its certificate says who it is.
const DENY: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-secrets, namespace: istio-system}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/secret]}}], from: [{source: {principals: ['*/sa/sleep']}}]}]}
";

/// A gateway, and a sidecar of sleep.
fn apart(site: &Site) -> (Proxied, Proxied) {
    let gateway = site.gateway_alone(&[]);
    (site.proxy(&["--role", "sidecar"]), gateway)
}

/// What bash prints as sleep, in a sandbox.
fn bash(site: &Site, line: &str) -> String {
    let mut exec = site.scene.command(&["exec", "deployment/sleep", "-c", "sleep", "--", "bash", "-c", line]);
    let output = exec.stdin(Stdio::null()).output().expect("it was built");
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_sandboxed_program_reaches_what_the_gateway_of_another_process_lets_go() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let site = Site::new(&[]);
    site.scene.ok_with(&["create", "-f", "-"], DENY);
    let (_sidecar, _gateway) = apart(&site);
    let said = bash(
        &site,
        "get() { curl -s -w ' %{http_code}\\n' \"$@\"; }
         get http://edition.cnn.com/sport; unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY
         get http://edition.cnn.com/politics; get http://edition.cnn.com/secret; get http://nobody.example/; true",
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines, ["page 200", "page 200", "RBAC: access denied 403", " 000"], "{said}");
    let entry = site.scene.wait_for_entry("RBAC: access denied");
    assert!(entry.contains("\"source\":\"sleep\"") && entry.contains("no-secrets"), "{entry}");
    site.scene.wait_for_entry("nobody.example");
}

#[test]
fn tls_of_a_sandboxed_program_goes_by_the_gateway_of_another_process_unread() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let site = Site::new(&[]);
    site.scene.ok(&["delete", "-f", &site.scene.fixture("scenario/01-egress-gateway.yaml")]);
    site.scene.declare(&["passthrough/egress-gateway.yaml", "passthrough/monitoring.yaml"]);
    let (_sidecar, _gateway) = apart(&site);
    let call = format!("curl -s --cacert '{}' https://edition.cnn.com/sport", site.ca);
    assert_eq!(bash(&site, &format!("{call}; unset https_proxy HTTPS_PROXY; {call}")), "pagepage");
    until("each has its line", || site.scene.ok(&["logs", "--count", "--instance", "egress-tls"]).trim() == "2");
}

#[test]
fn an_authorizer_is_asked_by_the_gateway_and_a_grant_lets_go_what_it_refuses() {
    let site = Site::with(&[], |request| Reply::page("200 OK", request.head.to_ascii_lowercase().as_bytes()));
    let (_authorizer, manifest) = authorizer("");
    site.scene.ok_with(&["create", "-f", "-"], &manifest);
    let (sidecar, _gateway) = apart(&site);
    assert_eq!(sidecar.get("http://edition.cnn.com/sport").status, 200);
    let refused = sidecar.get("http://edition.cnn.com/politics");
    assert_eq!((refused.status, refused.text().as_str()), (401, "log in"), "{}", refused.head);
    let allow =
        ["allow", "edition.cnn.com:80/politics", "--from", "sleep", "--for", "10m", "--reason", "incident 4711"];
    site.scene.ok(&allow);
    until("the grant is in force", || sidecar.get("http://edition.cnn.com/politics").status == 200);
    let entry = site.scene.wait_for_entry("allowed by grant");
    assert!(entry.contains("\"grantReason\":\"incident 4711\"") && entry.contains("sample"), "{entry}");
    assert_eq!(sidecar.get("http://edition.cnn.com/health").status, 401);
}

#[test]
fn a_grant_for_a_host_that_nobody_registered_is_the_sidecars_to_carry_out() {
    let site = Site::new(&[]);
    let origin = Origin::start(None, |_| Reply::page("200 OK", b"new")).expect("an origin");
    let _gateway = site.gateway_alone(&[]);
    let leads = format!("new.example:80:{}", origin.address);
    let sidecar = site.proxy(&["--role", "sidecar", "--resolve", &leads]);
    assert_eq!(sidecar.get("http://new.example/x").status, 502);
    site.scene.ok(&["allow", "new.example", "--from", "sleep", "--for", "10m", "--reason", "incident 4711"]);
    until("the grant is in force", || sidecar.get("http://new.example/x").status == 200);
    let entry = site.scene.wait_for_entry("allowed by grant");
    assert!(entry.contains("new.example") && entry.contains("\"source\":\"sleep\""), "{entry}");
}
