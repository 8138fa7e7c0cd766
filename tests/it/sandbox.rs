//! `exec`: what a program in a sandbox can call, and that it behaves as one that was started by hand.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use egressctl::cli::demo::origin::{Identity, Origin, Reply};

use crate::proxied::{Proxied, with_origin};
use crate::stage::{SCENARIO, Stage, curl, until};

/// Whether this machine can make sandboxes. Where it cannot, tests that need one pass by, unless
/// EGRESSCTL_TEST_REQUIRES_SANDBOX is set, as CI does.
pub(crate) fn possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    *POSSIBLE.get_or_init(|| {
        let inside = Inside::new("");
        let output = inside.exec(&["true"]).output().expect("it was built");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let required = std::env::var_os("EGRESSCTL_TEST_REQUIRES_SANDBOX").is_some();
        assert!(output.status.success() || !required, "there are no sandboxes on this machine: {told}");
        // Anything else that goes wrong is for the tests to find.
        let lacking = ["the kernel makes no namespaces", "the sandbox cannot be made"];
        let possible = !lacking.iter().any(|sentence| told.contains(sentence));
        if !possible {
            eprintln!("passed by: there are no sandboxes on this machine: {told}");
        }
        possible
    })
}

/// A workload `sleep` that may call `a.example`, and its proxy.
pub(crate) struct Inside {
    pub(crate) scene: Stage,
    pub(crate) _origin: Origin,
    pub(crate) proxy: Proxied,
}

impl Inside {
    pub(crate) fn new(manifests: &str) -> Self {
        let (scene, origin) = with_origin(manifests);
        let proxy = Proxied::start(&scene, &[]);
        Self { scene, _origin: origin, proxy }
    }

    /// `egressctl exec deployment/sleep -- COMMAND`.
    pub(crate) fn exec(&self, command: &[&str]) -> Command {
        let mut exec = self.scene.command(&["exec", "-i", "deployment/sleep", "-c", "sleep", "--"]);
        exec.args(command).stdin(Stdio::null());
        exec
    }

    /// The same with a line for bash; what it prints, and how it ends.
    pub(crate) fn bash(&self, line: &str) -> (String, Option<i32>) {
        said(&self.exec(&["bash", "-c", line]).output().expect("it was built"))
    }
}

/// What a command printed, standard error behind standard output.
fn said(output: &Output) -> (String, Option<i32>) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.code())
}

#[test]
fn plain_http_is_taken_by_the_sidecar_with_and_without_the_proxy_variables() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let inside = Inside::new("");
    let call = "curl -s -w ' %{http_code} %{remote_ip}' http://a.example/x";
    let (said, code) = inside.bash(&format!("{call}; unset http_proxy; echo; {call}"));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], code), ("page 200 198.18.0.2", Some(0)), "{said}");
    assert!(lines[1].starts_with("page 200 240.240."), "{said}");
}

#[test]
fn https_is_passed_on_by_its_server_name() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let identity = Identity::new(&["s.example"], 2020..2120).expect("a certificate");
    let origin = Origin::start(Some(&identity), |_| Reply::page("200 OK", b"secret")).expect("an origin");
    let inside = Inside::new(&format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: s}}\nspec:\n  hosts: [s.example]\n  \
         resolution: STATIC\n  ports: [{{number: 443, name: tls, protocol: TLS, targetPort: {}}}]\n  \
         endpoints: [{{address: 127.0.0.1}}]\n",
        origin.address.port()
    ));
    let ca = inside.scene.write("ca.pem", &identity.ca_pem);
    let (said, code) =
        inside.bash(&format!("unset https_proxy HTTPS_PROXY; curl -sS --cacert '{ca}' https://s.example/"));
    assert_eq!((said.as_str(), code), ("secret", Some(0)));
    let elsewhere =
        format!("curl -sS --cacert '{ca}' --connect-to s.example:443:192.0.2.1:443 --noproxy '*' https://s.example/");
    assert_eq!(inside.bash(&elsewhere).0, "secret", "the name counts, wherever the program believes it to be");
}

#[test]
fn names_that_nobody_declared_do_not_exist_and_are_told_of() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let inside = Inside::new("");
    let (said, code) = inside.bash("curl -sS --noproxy '*' http://nobody.example/");
    assert_eq!(code, Some(6), "{said}");
    let entry = inside.scene.wait_for_entry("nobody.example");
    assert!(entry.contains("\"source\":\"sleep\"") && entry.contains("no ServiceEntry"), "{entry}");
    let (said, _) = inside.bash("curl -sS --noproxy '*' http://192.0.2.7/there");
    assert!(said.contains("no ServiceEntry or VirtualService knows this host"), "{said}");
    let entry = inside.scene.wait_for_entry("192.0.2.7");
    assert!(entry.contains("\"path\":\"/there\""), "{entry}");
}

#[test]
fn the_exit_status_is_the_commands_own() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let (said, code) = inside.bash("exit 7");
    assert_eq!((said.as_str(), code), ("command terminated with exit code 7\n", Some(7)));
    assert_eq!(inside.bash("kill -9 $$").1, Some(137));
    let missing = said_of(&inside, &["no-such-program"]);
    assert!(missing.0.contains("no-such-program") && missing.1 == Some(127), "{missing:?}");
}

fn said_of(inside: &Inside, command: &[&str]) -> (String, Option<i32>) {
    said(&inside.exec(command).output().expect("it was built"))
}

#[test]
fn standard_input_the_working_directory_and_the_environment_are_the_callers() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let here = std::fs::canonicalize(std::env::temp_dir()).expect("a directory");
    let mut command = inside.exec(&["bash", "-c", "cat; pwd -P; echo $MARK"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir(&here).env("MARK", "kept");
    let mut child = command.spawn().expect("it was built");
    child.stdin.take().expect("piped").write_all(b"typed\n").expect("it reads");
    let output = child.wait_with_output().expect("a child");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("typed\n{}\nkept\n", here.display()));
    // Without -i there is none, as with kubectl.
    let output = inside.scene.command(&["exec", "deployment/sleep", "--", "cat"]).output().expect("it was built");
    assert!(output.status.success() && output.stdout.is_empty());
}

#[test]
fn a_signal_is_the_commands() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let mut command =
        inside.exec(&["bash", "-c", "trap 'echo caught; exit 5' TERM; echo ready; while :; do read -t 1; done"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it was built");
    let mut output = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut output, &mut line).expect("it prints");
    assert_eq!(line, "ready\n");
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    line.clear();
    std::io::BufRead::read_line(&mut output, &mut line).expect("it prints");
    assert_eq!((line.as_str(), child.wait().expect("a child").code()), ("caught\n", Some(5)));
}

#[test]
fn without_a_proxy_or_a_pod_or_a_container_nothing_runs_and_it_is_said_why() {
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    let told = scene.fails(&["exec", "deployment/sleep", "--", "true"]);
    assert!(told.contains("no proxy runs") && told.contains("egressctl proxy start"), "{told}");
    let told = scene.fails(&["exec", "nobody", "--", "true"]);
    assert_eq!(told, "Error from server (NotFound): pods \"nobody\" not found\n");
    let told = scene.fails(&["exec", "deployment/sleep", "-c", "other", "--", "true"]);
    assert!(told.contains("container other is not valid for pod sleep-"), "{told}");
    let told = scene.fails(&["exec", "deployment/sleep"]);
    assert_eq!(told, "error: you must specify at least one command for the container\n");
}

#[test]
fn run_brings_a_proxy_of_its_own_and_ends_as_its_command_does() {
    if !possible() || curl().is_none() {
        return;
    }
    let (scene, origin) = with_origin("");
    let line = "curl -s http://a.example/x; curl -s -o /dev/null -w ' %{http_code}' http://b.example/; exit 7";
    let mut run = scene.command(&["run", "--from", "sleep", "--", "sh", "-c", line]);
    let (printed, status) = said(&run.stdin(Stdio::null()).output().expect("it was built"));
    assert_eq!(status, Some(7), "{printed}");
    assert!(printed.contains("page 502"), "{printed}");
    assert_eq!(origin.requests(), 1);
    scene.wait_for_entry("b.example");
}

#[test]
fn a_host_that_only_a_grant_is_for_has_a_name_and_is_reached_by_whatever_protocol() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let (scene, origin) = with_origin("");
    let leads = ["new.example:80", "new.example:81"].map(|target| format!("{target}:{}", origin.address));
    let _proxy = Proxied::start(&scene, &["--resolve", &leads[0], "--resolve", &leads[1]]);
    let call = |url: &str| {
        let line = ["exec", "deployment/sleep", "--", "curl", "-s", "--noproxy", "*", url];
        said(&scene.command(&line).output().expect("it was built")).0
    };
    assert!(call("http://new.example/").contains("exit code 6"), "it has no address");
    scene.ok(&["allow", "new.example", "--from", "sleep", "--for", "10m", "--reason", "incident 4711"]);
    until("the grant is in force", || call("http://new.example/") == "page");
    assert_eq!(call("http://new.example:81/"), "page", "as bytes that nobody looks at");
}

#[test]
fn datagrams_are_refused_at_once_and_it_is_recorded_where_they_were_for() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let (said, code) = inside.bash(
        "for to in 192.0.2.1/443 192.0.2.1/443 2001:db8::1/53 a.example/443; do
           (exec 3<>/dev/udp/$to && echo a >&3 && ! timeout 10 head -c 1 <&3) || echo failed $to; done 2>/dev/null",
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("failed"), "who waits for an answer is refused, and not kept waiting: {said}");
    for (target, remedy) in [
        ("192.0.2.1", "instead of QUIC (HTTP/3)"),
        ("[2001:db8::1]:53", "the name server in /etc/resolv.conf"),
        ("a.example", "instead of QUIC"),
    ] {
        let entry = inside.scene.wait_for_entry(&format!("\"destination\":\"{target}\""));
        assert!(entry.contains("datagrams (UDP) lead nowhere") && entry.contains(remedy), "{entry}");
        assert!(entry.contains("\"source\":\"sleep\""), "{entry}");
    }
    let lines = inside.scene.ok(&["logs", "-F", "--grep", "\"192.0.2.1\""]);
    assert_eq!(lines.lines().count(), 1, "an address is told once: {lines}");
}

#[test]
fn with_best_effort_the_command_is_only_told_of_the_proxy_and_that_is_recorded() {
    let Some(_) = curl() else { return };
    let (scene, origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    let line = "echo $http_proxy $no_proxy $ALL_PROXY; curl -s http://a.example/x; exit 7";
    let mut run = scene.command(&["run", "--best-effort", "--from", "sleep", "--", "bash", "-c", line]);
    let output = run.env("ALL_PROXY", "http://elsewhere.example").stdin(Stdio::null()).output().expect("it was built");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = format!("http://{} localhost,127.0.0.1,::1\npage", proxy.address);
    assert_eq!((String::from_utf8_lossy(&output.stdout), output.status.code()), (expected.into(), Some(7)), "{told}");
    assert!(told.contains("warning: nothing is isolated"), "{told}");
    assert_eq!(origin.requests(), 1);
    let entry = scene.wait_for_entry("as --best-effort says");
    assert!(entry.contains("\"source\":\"sleep\"") && entry.contains("\"level\":\"warn\""), "{entry}");
    drop(proxy);
    let told = scene.fails(&["run", "--best-effort", "--from", "sleep", "--", "true"]);
    assert!(told.contains("no proxy that runs on this state directory has a listener for sleep.default"), "{told}");
}

#[test]
fn sockets_that_come_and_go_while_a_sandbox_is_made_are_in_nobodys_way() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let (done, directory) = (std::sync::atomic::AtomicBool::new(false), inside.scene.state().with_file_name("sockets"));
    std::fs::create_dir(&directory).expect("room");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let paths: Vec<_> = (0..20).map(|number| directory.join(number.to_string())).collect();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let bind = |path| std::os::unix::net::UnixListener::bind(path).expect("room");
                let _bound: Vec<_> = paths.iter().map(bind).collect();
                paths.iter().for_each(|path| std::fs::remove_file(path).expect("it is there"));
            }
        });
        let ended: Vec<_> = (0..20).map(|_| inside.bash("echo fine")).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(ended.iter().all(|ended| *ended == ("fine\n".to_owned(), Some(0))), "{ended:?}");
    });
}
