//! A proxy of the real binary in front of a scripted origin.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use egressctl::cli::demo::origin::{Identity, Origin, Received, Reply};

use crate::stage::{SCENARIO, Stage, service_entry};

/// How long anything may take that a test waits for; only reached when it will never happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running proxy; killed when dropped.
pub(crate) struct Proxied {
    child: Child,
    /// Its first listener.
    pub(crate) address: SocketAddr,
    stderr: Receiver<String>,
    stdout: Receiver<String>,
    said: String,
}

impl Proxied {
    /// Starts `egressctl proxy start` with a listener for sleep on a free port, and further arguments; waits until it is
    /// ready.
    pub(crate) fn start(scene: &Stage, arguments: &[&str]) -> Self {
        let mut all = vec!["proxy", "start", "--listen", "127.0.0.1:0=sleep"];
        all.extend(arguments);
        Self::launch(scene.command(&all))
    }

    /// [`Proxied::start`] with a listener that is no workload's.
    pub(crate) fn shared(scene: &Stage, arguments: &[&str]) -> Self {
        let mut all = vec!["proxy", "start", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        Self::launch(scene.command(&all))
    }

    /// [`Proxied::start`] with a standard output that nobody reads.
    pub(crate) fn unread(scene: &Stage) -> (Self, std::process::ChildStdout) {
        let mut command = scene.command(&["proxy", "start", "--listen", "127.0.0.1:0=sleep"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let unread = child.stdout.take().expect("piped");
        (Self::ready(child, std::io::empty()), unread)
    }

    /// Starts the egress gateway in a process of its own; its address is that at which it takes sidecars' calls.
    pub(crate) fn gateway_alone(scene: &Stage, arguments: &[&str]) -> Self {
        let mut all = vec!["proxy", "start", "--role", "gateway", "--mesh-listen", "127.0.0.1:0"];
        all.extend(arguments);
        Self::launch(scene.command(&all))
    }

    /// [`Proxied::start`], by a command that is made of its own.
    pub(crate) fn by(scene: &Stage, arguments: &[&str], made: impl FnOnce(Command) -> Command) -> Self {
        let mut all = vec!["proxy", "start", "--listen", "127.0.0.1:0=sleep"];
        all.extend(arguments);
        Self::launch(made(scene.command(&all)))
    }

    fn launch(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdout = child.stdout.take().expect("piped");
        Self::ready(child, stdout)
    }

    /// Of a process with piped standard error, when it is ready.
    pub(crate) fn ready(mut child: Child, stdout: impl Read + Send + 'static) -> Self {
        let stderr = lines(child.stderr.take().expect("piped"));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut proxied = Self { child, address, stderr, stdout: lines(stdout), said: String::new() };
        proxied.wait_for("ready");
        let line = proxied
            .said
            .lines()
            .find(|line| line.contains("sidecar of") || line.contains("sidecars of"))
            .expect("it names its listener");
        proxied.address = line.rsplit(' ').next().expect("an address").parse().expect("an address");
        proxied
    }

    /// Waits until standard error has said something; gives all that it has said.
    pub(crate) fn wait_for(&mut self, text: &str) -> &str {
        let deadline = Instant::now() + PATIENCE;
        while !self.said.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(line) => self.said.push_str(&line),
                Err(_) => panic!("the proxy never said {text:?}, only:\n{}", self.said),
            }
        }
        &self.said
    }

    /// The next line of its standard output.
    pub(crate) fn next_line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line on standard output")
    }

    /// Its listener for the gateway's servers on a port.
    pub(crate) fn gateway(&self, port: u16) -> SocketAddr {
        let start = format!("its servers on port {port} on ");
        let found = self.said.lines().find_map(|line| line.trim().strip_prefix(&start));
        found.expect("it names its listeners").parse().expect("an address")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the proxy does not end");
            std::thread::yield_now();
        }
    }

    /// A connection of a client.
    pub(crate) fn connect(&self) -> Client {
        Client::to(self.address)
    }

    /// The answer to a GET on a connection of its own.
    pub(crate) fn get(&self, url: &str) -> Answer {
        self.connect().get(url)
    }
}

impl Drop for Proxied {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The scenario's site on loopback: what is declared, the TLS origin, and what a proxy has to trust.
pub(crate) struct Site {
    pub(crate) scene: Stage,
    pub(crate) origin: Origin,
    pub(crate) ca: String,
}

impl Site {
    /// With the scenario's resources, and more fixtures.
    pub(crate) fn new(fixtures: &[&str]) -> Self {
        Self::with(fixtures, |_| Reply::page("200 OK", b"page"))
    }

    /// The same, whose origin answers so.
    pub(crate) fn with(fixtures: &[&str], answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let identity = Identity::new(&["edition.cnn.com"], 2020..2120).expect("a certificate");
        let origin = Origin::start(Some(&identity), answer).expect("an origin");
        let scene = Stage::new();
        let ca = scene.write("ca.pem", &identity.ca_pem);
        scene.declare(&SCENARIO);
        scene.declare(fixtures);
        Self { scene, origin, ca }
    }

    /// A proxy that finds the origin.
    pub(crate) fn proxy(&self, arguments: &[&str]) -> Proxied {
        let resolve = format!("edition.cnn.com:443:{}", self.origin.address);
        let mut all = vec!["--resolve", &resolve, "--ca-file", &self.ca];
        all.extend(arguments);
        Proxied::start(&self.scene, &all)
    }

    /// An egress gateway in a process of its own that finds the origin.
    pub(crate) fn gateway_alone(&self, arguments: &[&str]) -> Proxied {
        let resolve = format!("edition.cnn.com:443:{}", self.origin.address);
        let mut all = vec!["--resolve", &resolve, "--ca-file", &self.ca];
        all.extend(arguments);
        Proxied::gateway_alone(&self.scene, &all)
    }
}

/// An origin for a.example, that sleep may call, and what is declared besides.
pub(crate) fn with_origin(manifests: &str) -> (Stage, Origin) {
    let origin = Origin::start(None, |_: &Received| Reply::page("200 OK", b"page")).expect("an origin");
    let scene = Stage::new();
    scene.declare(&SCENARIO[..1]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin.address));
    if !manifests.is_empty() {
        scene.ok_with(&["create", "-f", "-"], manifests);
    }
    (scene, origin)
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            if sender.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// One kept connection to the proxy.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer, read whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The decision that a refusal names.
    pub(crate) fn decision(&self) -> &str {
        let found = self.head.lines().find_map(|line| line.strip_prefix("x-egress-decision-id: "));
        found.expect("a refusal names its decision")
    }
}

impl Client {
    pub(crate) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).expect("the proxy reads");
    }

    pub(crate) fn get(&mut self, url: &str) -> Answer {
        let host = url.trim_start_matches("http://").split('/').next().expect("a host");
        self.send(format!("GET {url} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes());
        self.read()
    }

    /// Reads the head of an answer.
    pub(crate) fn read_head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.stream.read_line(&mut head).expect("a head");
            assert!(read > 0, "the proxy closed after {head:?}");
        }
        head
    }

    pub(crate) fn read(&mut self) -> Answer {
        let head = self.read_head();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let value = |name: &str| {
            let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
            Some(line[name.len()..].trim().to_owned())
        };
        let body = match (value("content-length:"), value("transfer-encoding:")) {
            (Some(length), _) => self.read_exactly(length.parse().expect("a length")),
            (None, Some(_)) => self.read_chunks(),
            (None, None) => Vec::new(),
        };
        Answer { status, head, body }
    }

    pub(crate) fn read_exactly(&mut self, length: usize) -> Vec<u8> {
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the whole body");
        body
    }

    fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size).expect("a chunk");
            let size = usize::from_str_radix(size.trim(), 16).expect("a size");
            body.extend(self.read_exactly(size));
            self.read_exactly(2);
            if size == 0 {
                return body;
            }
        }
    }

    /// Sends a request and reads its answer; the status, or `None` where the connection breaks. An answer that is the last on its
    /// connection is followed by a new one.
    pub(crate) fn try_exchange(&mut self, request: &[u8]) -> Option<u16> {
        self.stream.get_mut().write_all(request).ok()?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            self.stream.read_line(&mut head).ok().filter(|read| *read > 0)?;
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut body = vec![0; length?];
        self.stream.read_exact(&mut body).ok()?;
        if head.contains("connection: close\r\n") {
            *self = Self::to(self.stream.get_ref().peer_addr().ok()?);
        }
        head.split(' ').nth(1)?.parse().ok()
    }

    /// The answer, if one begins to arrive in this time.
    pub(crate) fn arrived(&mut self, patience: Duration) -> Option<Answer> {
        self.stream.get_ref().set_read_timeout(Some(patience)).expect("a socket");
        let there = self.stream.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
        self.stream.get_ref().set_read_timeout(Some(PATIENCE)).expect("a socket");
        there.then(|| self.read())
    }

    /// All that comes until the proxy closes, and whether it closes in good order.
    pub(crate) fn rest(&mut self) -> (String, bool) {
        let mut rest = Vec::new();
        let ended = self.stream.read_to_end(&mut rest).is_ok();
        (String::from_utf8_lossy(&rest).into_owned(), ended)
    }

    /// Whether the proxy closes without another byte.
    pub(crate) fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
