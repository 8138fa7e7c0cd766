//! A state directory with a proxy in mind: what tests of the data plane ask of the command line.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::harness::Scene;
use crate::proxied::PATIENCE;

/// Pause between two looks at something that another process will do; what is waited for is a condition, not a time.
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Stage(Scene);

/// A ServiceEntry for a host on port 80 whose one endpoint is an origin on loopback; ends with a newline.
pub(crate) fn service_entry(host: &str, origin: SocketAddr) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: {}\nspec:\n  hosts: [{host}]\n  \
         resolution: STATIC\n  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {}}}]\n  \
         endpoints: [{{address: {}}}]\n",
        host.replace('.', "-"),
        origin.port(),
        origin.ip(),
    )
}

/// What the scenario declares, in its order.
pub(crate) const SCENARIO: [&str; 3] =
    ["scenario/sleep.yaml", "scenario/01-egress-gateway.yaml", "scenario/02-egress-monitoring.yaml"];

impl Stage {
    pub(crate) fn new() -> Self {
        Self(Scene::new())
    }

    pub(crate) fn exe(&self) -> &'static str {
        env!("CARGO_BIN_EXE_egressctl")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// Writes a file; its whole path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        self.0.write(name, text)
    }

    /// The whole path of a fixture.
    pub(crate) fn fixture(&self, name: &str) -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).display().to_string()
    }

    /// Declares fixtures, one after the other.
    #[track_caller]
    pub(crate) fn declare(&self, fixtures: &[&str]) {
        for fixture in fixtures {
            self.ok(&["create", "-f", &self.fixture(fixture)]);
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.exe());
        command.args(arguments).env("EGRESSCTL_STATE_DIR", self.state()).env("NO_COLOR", "1");
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary was built")
    }

    /// What it prints, which must end well.
    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// [`Stage::ok`] with a text on standard input.
    #[track_caller]
    pub(crate) fn ok_with(&self, arguments: &[&str], input: &str) -> String {
        self.0.run(&arguments.join(" ")).with_stdin(input).output()
    }

    /// What it says on standard error, with a text on standard input, whether it succeeds or fails.
    pub(crate) fn told_with(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("built");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        String::from_utf8(child.wait_with_output().expect("a child").stderr).expect("text")
    }

    /// What it says when it fails, which it must.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let told = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        told
    }

    /// The newest recorded line that has this in it, as soon as there is one.
    #[track_caller]
    pub(crate) fn wait_for_entry(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.ok(&["logs", "-F", "--grep", part]);
            if let Some(line) = lines.lines().last() {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "no entry with {part}; the log has:\n{}", self.ok(&["logs"]));
            std::thread::sleep(PAUSE);
        }
    }

    /// The status of the proxy that runs on the state directory, as soon as one does.
    pub(crate) fn wait_for_status(&self) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found: serde_json::Value =
                serde_json::from_str(&self.ok(&["proxy", "status", "-o", "json"])).expect("JSON");
            if !found[0].is_null() {
                return found[0].clone();
            }
            assert!(Instant::now() < deadline, "no proxy runs");
            std::thread::sleep(PAUSE);
        }
    }

    pub(crate) fn metrics(&self) -> String {
        self.ok(&["proxy", "metrics"])
    }
}

/// Until a condition holds that another process brings about.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Real curl. Without it the tests that need it pass by, unless EGRESSCTL_TEST_REQUIRES_CURL is set, as CI does.
pub(crate) fn curl() -> Option<&'static str> {
    let found = Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success());
    let required = std::env::var_os("EGRESSCTL_TEST_REQUIRES_CURL").is_some();
    assert!(found || !required, "there is no curl on this machine");
    if !found {
        eprintln!("passed by: there is no curl on this machine");
    }
    found.then_some("curl")
}
