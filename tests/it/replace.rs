//! One process goes on for another: upgrades under load, and what systemd hands over and is told.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::proxied::{Client, PATIENCE, Proxied, with_origin};
use crate::stage::{Stage, until};

/// Clients that call until they are told to stop: each counts its answers, and fails at the first call that gets none.
struct Load {
    answered: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn begin(address: SocketAddr) -> Self {
        let (answered, enough) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let client = |keeps: bool| {
            let (answered, enough) = (Arc::clone(&answered), Arc::clone(&enough));
            std::thread::spawn(move || call(address, keeps, &answered, &enough))
        };
        let clients = [true, true, true, false, false].map(client).into();
        Self { answered, enough, clients }
    }

    /// Until so many further calls were answered.
    fn goes_on(&self, calls: usize) {
        let before = self.answered.load(Ordering::Relaxed);
        until("calls are answered", || {
            assert!(!self.clients.iter().any(JoinHandle::is_finished), "a client has given up");
            self.answered.load(Ordering::Relaxed) >= before + calls
        });
    }

    /// How many calls were answered in all.
    fn end(self) -> usize {
        self.enough.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().expect("no call was lost"));
        self.answered.load(Ordering::Relaxed)
    }
}

/// Calls on one connection as long as the proxy keeps it, or on a new one each time.
fn call(address: SocketAddr, keeps: bool, answered: &AtomicUsize, enough: &AtomicBool) {
    let mut client = Client::to(address);
    while !enough.load(Ordering::Relaxed) {
        let answer = client.get("http://a.example/");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answered.fetch_add(1, Ordering::Relaxed);
        if !keeps || answer.head.contains("connection: close") {
            client = Client::to(address);
        }
    }
}

/// The process id of the proxy that answers, when it is another one than this.
fn other_than(scene: &Stage, pid: u32) -> u64 {
    let found = || scene.wait_for_status()["pid"].as_u64().expect("a number");
    until("another process answers", || found() != u64::from(pid));
    found()
}

#[test]
fn an_upgrade_under_load_loses_no_call_twice_in_a_row() {
    let (scene, _origin) = with_origin("");
    let mut first = Proxied::start(&scene, &[]);
    let load = Load::begin(first.address);
    load.goes_on(500);

    let mut second = Proxied::start(&scene, &["--replace"]);
    assert_eq!(second.address, first.address, "it listens on the same sockets");
    assert!(first.wait().success());
    load.goes_on(500);

    second.signal("-USR2");
    assert!(second.wait().success());
    other_than(&scene, second.pid());
    load.goes_on(500);

    let answered = load.end();
    scene.ok(&["proxy", "stop"]);
    let recorded = || scene.ok(&["logs", "--all", "--instance", "access", "--count"]).trim().to_owned();
    until("as many records as answers", || recorded() == answered.to_string());
}

#[test]
fn what_runs_is_finished_by_the_old_process_and_an_idle_connection_gets_its_next_answer() {
    let (scene, _origin) = with_origin("");
    let mut old = Proxied::start(&scene, &[]);
    let mut idle = old.connect();
    assert_eq!(idle.get("http://a.example/").status, 200);
    let mut slow = old.connect();
    slow.send(b"POST http://a.example/ HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n1");
    let new = Proxied::start(&scene, &["--replace"]);
    assert_eq!(new.get("http://a.example/").status, 200);
    slow.send(b"2");
    for answer in [slow.read(), idle.get("http://a.example/")] {
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("connection: close"), "{}", answer.head);
    }
    assert!(slow.closed() && idle.closed());
    assert!(old.wait().success());
}

#[test]
fn of_processes_in_a_row_only_those_that_have_ended_are_spoken_for() {
    let (scene, _origin) = with_origin("");
    let strict = ["--durability", "strict"];
    let line = |instance: &str, path: &str| {
        let found = scene.ok(&["logs", "--all", "--instance", instance, "--path", path]);
        assert!(found.lines().count() <= 1, "one for each call: {found}");
        (!found.is_empty()).then(|| serde_json::from_str::<Value>(&found).expect("a line of JSON"))
    };
    // A call that is not finished, and the process that has it.
    let begin = |proxy: &Proxied, path: &str| {
        let mut slow = proxy.connect();
        let head = format!("POST http://a.example{path} HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n1");
        slow.send(head.as_bytes());
        until("what it is going to do is stored", || line("intent", path).is_some());
        (slow, line("intent", path).expect("stored")["process"].clone())
    };
    let mut first = Proxied::start(&scene, &strict);
    let (mut slow, process) = begin(&first, "/first");
    let mut second = Proxied::start(&scene, &["--replace", "--durability", "strict"]);
    // The process before may take a connection that came while it was told to take none any more.
    let (mut early, mut lost) = (Vec::new(), String::new());
    until("the second process takes a call", || {
        lost = format!("/second/{}", early.len());
        let (client, by) = begin(&second, &lost);
        early.push(client);
        by != process
    });
    let mut third = Proxied::start(&scene, &["--replace", "--durability", "strict"]);
    second.signal("-KILL");
    second.wait();
    until("the killed one is spoken for", || line("access", &lost).is_some());
    third.signal("-TERM");
    assert!(third.wait().success());
    let _fourth = Proxied::start(&scene, &strict);
    slow.send(b"2");
    assert_eq!(slow.read().status, 200);
    drop(early);
    assert!(first.wait().success());
    for (path, is_lost) in [(lost.as_str(), true), ("/first", false)] {
        let found = line("access", path).expect("what became of it").to_string();
        assert_eq!(found.contains("the proxy ended before the call did"), is_lost, "{found}");
    }
}

#[test]
fn several_signals_at_once_start_the_program_once() {
    let (scene, _origin) = with_origin("");
    let mut old = Proxied::start(&scene, &[]);
    (0..3).for_each(|_| old.signal("-USR2"));
    assert!(old.wait().success());
    other_than(&scene, old.pid());
    assert_eq!(old.get("http://a.example/").status, 200);
    // Its own, and that of the process it has started.
    scene.ok(&["proxy", "stop"]);
    let said = old.wait_for("stopped");
    assert!(!said.contains("this process goes on"), "{said}");
}

#[test]
fn a_process_that_cannot_start_replaces_nothing() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &[]);
    let told = scene.fails(&[
        "proxy",
        "start",
        "--replace",
        "--listen",
        "127.0.0.1:0=sleep",
        "--metrics-listen",
        "192.0.2.1:1",
    ]);
    assert!(told.contains("cannot listen on 192.0.2.1:1"), "{told}");
    assert_eq!(proxy.get("http://a.example/").status, 200);
    assert_eq!(scene.wait_for_status()["state"], "running");
}

#[test]
fn with_nobody_to_replace_a_proxy_starts_as_ever() {
    let (scene, _origin) = with_origin("");
    let proxy = Proxied::start(&scene, &["--replace"]);
    assert_eq!(proxy.get("http://a.example/").status, 200);
}

#[test]
fn a_quota_goes_on_where_the_old_process_had_come_to() {
    let quota = "\
apiVersion: config.istio.io/v1alpha2
kind: memquota
metadata: {name: handler, namespace: istio-system}
spec: {quotas: [{name: requestcount.quota.istio-system, maxAmount: 5, validDuration: 1h}]}
---
apiVersion: config.istio.io/v1alpha2
kind: quota
metadata: {name: requestcount, namespace: istio-system}
spec: {dimensions: {source: source.workload.name | \"unknown\"}}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {name: count, namespace: istio-system}
spec: {rules: [{quotas: [{charge: 1, quota: requestcount}]}]}
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {name: count, namespace: istio-system}
spec: {quotaSpecs: [{name: count, namespace: istio-system}], services: [{service: '*'}]}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: quota, namespace: istio-system}
spec: {actions: [{handler: handler.memquota, instances: [requestcount.quota]}]}
";
    let (scene, _origin) = with_origin(quota);
    let mut proxy = Proxied::start(&scene, &[]);
    let mut granted = 0;
    for _ in 0..4 {
        granted += (0..2).filter(|_| proxy.get("http://a.example/").status == 200).count();
        let new = Proxied::start(&scene, &["--replace"]);
        assert!(proxy.wait().success());
        proxy = new;
    }
    assert_eq!(granted, 5);
}

/// Runs the proxy in the place of a shell, whose standard input becomes its descriptor 3.
fn activated(scene: &Stage, socket: &TcpListener, arguments: &str, notify: &std::path::Path) -> Command {
    let script =
        format!("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec '{}' proxy start {arguments}", scene.exe());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).env("EGRESSCTL_STATE_DIR", scene.state()).env("NOTIFY_SOCKET", notify);
    let socket = OwnedFd::from(socket.try_clone().expect("a descriptor"));
    command.stdin(socket).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn systemd_binds_the_socket_and_is_told_how_the_service_does() {
    let (scene, _origin) = with_origin("");
    let heard = UnixDatagram::bind(scene.state().with_file_name("notify")).expect("a socket");
    heard.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let hears = || {
        let mut buffer = [0; 64];
        let read = heard.recv(&mut buffer).expect("it is told");
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    };
    let notify = scene.state().with_file_name("notify");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let mut child =
        activated(&scene, &socket, &format!("--workers 2 --listen {address}=sleep"), &notify).spawn().expect("bash");
    let stdout = child.stdout.take().expect("piped");
    let mut proxy = Proxied::ready(child, stdout);
    assert_eq!(hears(), "READY=1");
    assert_eq!(proxy.address, address);
    assert_eq!(proxy.get("http://a.example/").status, 200);

    proxy.signal("-USR2");
    assert_eq!(hears(), "RELOADING=1");
    let main = hears();
    assert_eq!(hears(), "READY=1");
    assert_eq!(main, format!("MAINPID={}", other_than(&scene, proxy.pid())));
    assert!(proxy.wait().success());
    assert_eq!(proxy.get("http://a.example/").status, 200);
    scene.ok(&["proxy", "stop"]);
    assert_eq!(hears(), "STOPPING=1");
}

#[test]
fn a_socket_that_is_handed_over_for_nothing_is_a_mistake() {
    let (scene, _origin) = with_origin("");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let output = activated(&scene, &socket, "--listen 127.0.0.2:0=sleep", std::path::Path::new("/nowhere"));
    let output = { output }.output().expect("bash");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&format!("a socket on {address} was handed over")), "{told}");
}
