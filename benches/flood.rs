//! What hostile and careless callers do to the well-behaved ones: the latency of calls at a fixed rate, alone and while a
//! flood goes on, in turns.
//!
//! `cargo bench --bench flood` prints a table; `ROUNDS=9 SECONDS=4 cargo bench --bench flood -- slowloris` asks longer, for
//! floods whose name has that in it. A call's time begins when it was due (an open loop), so a stall is charged to every call
//! that it delayed. What a flood may do: p99 no more than doubled, as the median of the rounds; else it ends with 1.
//! All run on this machine: each flood is held to a rate, and gives way to callers and proxy.

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/harness.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/proxied.rs"]
mod proxied;
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/it/stage.rs"]
mod stage;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use egressctl::cli::demo::origin::{Origin, Reply};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use proxied::{Client, Proxied};
use stage::{Stage, service_entry};

/// Callers, each with a connection of its own, and their calls a second.
const CALLERS: u32 = 16;
const RATE: u32 = 50;

/// Most that p99 may grow.
const MOST: f64 = 2.0;

/// What two processes need for 20,000 connections each.
const DESCRIPTORS: u64 = 50_000;

struct Flood {
    name: &'static str,
    /// Goes on until it is told to stop; counts what it does.
    run: fn(SocketAddr, &AtomicBool, &AtomicU64),
    threads: usize,
}

const FLOODS: [Flood; 8] = [
    Flood { name: "slowloris: 2,000 heads, a byte at a time", run: slowloris, threads: 1 },
    Flood { name: "idle connections, up to 20,000", run: idle, threads: 1 },
    Flood { name: "rapid reset of HTTP/2 streams", run: rapid_reset, threads: 1 },
    Flood { name: "200 bodies that never end", run: endless_body, threads: 1 },
    Flood { name: "heads that never end", run: endless_head, threads: 1 },
    Flood { name: "TLS handshakes cut off, 1,000 at a time", run: cut_handshakes, threads: 1 },
    Flood { name: "answers that nobody reads", run: unread_answers, threads: 1 },
    Flood { name: "connections that ask for an unknown host", run: refused, threads: 1 },
];

fn main() -> ExitCode {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let rounds = number("ROUNDS", 5);
    let time = Duration::from_secs(number("SECONDS", 2));
    raise_descriptors();
    let large = vec![b'x'; 4 << 20];
    let origin = Origin::start(None, move |received| match received.path() {
        "/large" => {
            give_way();
            Reply::page("200 OK", &large)
        }
        _ => Reply::page("200 OK", &[b'x'; 1024]),
    });
    let origin = origin.expect("an origin");
    let scene = Stage::new();
    scene.declare(&["scenario/sleep.yaml"]);
    scene.ok_with(&["create", "-f", "-"], &service_entry("a.example", origin.address));
    let proxy = Proxied::start(&scene, &["--workers", "1", "--max-connections", "30000"]);
    println!("| flood | alone: p50, p99 ms | with it: p50, p99 ms | p99, times | done in it | failed calls |");
    println!("|---|---|---|---|---|---|");
    let mut calm = true;
    for flood in FLOODS.iter().filter(|flood| flood.name.contains(&wanted)) {
        calm &= measure(flood, proxy.address, rounds, time);
    }
    let survived = proxy.get("http://a.example/").status == 200;
    println!("\nAfterwards the proxy {}.", if survived { "answers" } else { "does not answer" });
    if calm && survived { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whoever floods has a machine of its own, and so has the origin that is asked for much: here they get the CPU that callers and
/// proxy leave, and leave it as soon as these want it, which the lowest priority does not (sched(7)).
#[allow(unsafe_code, reason = "no crate in use has the call")]
fn give_way() {
    let lowest = libc::sched_param { sched_priority: 0 };
    // SAFETY: the pointer is to a whole parameter that outlives the call; 0 is the calling thread.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const lowest) };
    assert_eq!(done, 0, "a thread may always give way");
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// As many descriptors as are needed, or as there may be.
fn raise_descriptors() {
    let most = getrlimit(Resource::Nofile).maximum;
    let wanted = Rlimit { current: Some(DESCRIPTORS), maximum: most.map(|most| most.max(DESCRIPTORS)) };
    if setrlimit(Resource::Nofile, wanted).is_err() {
        setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).expect("as many as there may be");
    }
}

/// Prints the row of a flood; whether the callers did not suffer.
fn measure(flood: &Flood, proxy: SocketAddr, rounds: u64, time: Duration) -> bool {
    let (mut alone, mut flooded, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (done, mut failed) = (Arc::<AtomicU64>::default(), 0);
    for _ in 0..rounds {
        let calm = call(proxy, time);
        let stop = Arc::<AtomicBool>::default();
        let floods: Vec<JoinHandle<()>> = (0..flood.threads)
            .map(|_| {
                let (run, stop, done) = (flood.run, Arc::clone(&stop), Arc::clone(&done));
                std::thread::spawn(move || {
                    give_way();
                    run(proxy, &stop, &done);
                })
            })
            .collect();
        // It is under way when it has done something.
        let before = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) == before {
            std::thread::yield_now();
        }
        let rough = call(proxy, time);
        stop.store(true, Ordering::Relaxed);
        floods.into_iter().for_each(|flood| flood.join().expect("no panic"));
        ratios.push(rough.p99 / calm.p99);
        failed += rough.failed + calm.failed;
        alone.push(calm);
        flooded.push(rough);
    }
    let ratio = median(ratios);
    let part = |all: &[Times], part: fn(&Times) -> f64| median(all.iter().map(part).collect());
    println!(
        "| {} | {:.2}, {:.2} | {:.2}, {:.2} | {ratio:.2} | {} | {failed} |",
        flood.name,
        part(&alone, |times| times.p50),
        part(&alone, |times| times.p99),
        part(&flooded, |times| times.p50),
        part(&flooded, |times| times.p99),
        done.load(Ordering::Relaxed),
    );
    ratio <= MOST && failed == 0
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Milliseconds from when calls were due to their answers.
struct Times {
    p50: f64,
    p99: f64,
    failed: usize,
}

/// Well-behaved callers for a while.
fn call(proxy: SocketAddr, time: Duration) -> Times {
    let callers: Vec<_> =
        (0..CALLERS).map(|caller| std::thread::spawn(move || call_one(proxy, caller, time))).collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for caller in callers {
        let (some, broken) = caller.join().expect("no panic");
        times.extend(some);
        failed += broken;
    }
    times.sort_by(f64::total_cmp);
    let place = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Times { p50: place(0.5), p99: place(0.99), failed }
}

fn call_one(proxy: SocketAddr, caller: u32, time: Duration) -> (Vec<f64>, usize) {
    let mut client = Client::to(proxy);
    let pause = Duration::from_secs(1) / RATE;
    let start = Instant::now() + pause * caller / CALLERS;
    let (mut times, mut failed) = (Vec::new(), 0);
    for turn in 0..u32::try_from(time.as_millis() / pause.as_millis()).expect("few") {
        let due = start + pause * turn;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        match client.try_exchange(b"GET /well HTTP/1.1\r\nhost: a.example\r\n\r\n") {
            Some(200) => times.push(due.elapsed().as_secs_f64() * 1000.0),
            _ => {
                failed += 1;
                client = Client::to(proxy);
            }
        }
    }
    (times, failed)
}

/// Does something so many times a second until it is told to stop.
fn paced(stop: &AtomicBool, done: &AtomicU64, rate: u32, mut act: impl FnMut()) {
    let (start, mut turn) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        act();
        done.fetch_add(1, Ordering::Relaxed);
        turn += 1;
        std::thread::sleep((start + Duration::from_secs(1) / rate * turn).saturating_duration_since(Instant::now()));
    }
}

fn open(proxy: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(proxy).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

fn slowloris(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    let mut streams: Vec<TcpStream> = (0..2000).filter_map(|_| open(proxy)).collect();
    let head = b"GET / HTTP/1.1\r\nhost: a.example\r\nx-slow: ";
    let mut turn = 0;
    paced(stop, done, 2000, || {
        let place = turn % streams.len();
        let byte = head.get(turn / streams.len()).unwrap_or(&b'x');
        if streams[place].write(&[*byte]).is_err()
            && let Some(stream) = open(proxy)
        {
            streams[place] = stream;
        }
        turn += 1;
    });
}

fn idle(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    // Leaves descriptors to others where there may be few.
    let room =
        getrlimit(Resource::Nofile).current.map_or(20_000, |most| usize::try_from(most).unwrap_or(20_000) - 1_000);
    let streams: Vec<TcpStream> = (0..room.min(20_000)).filter_map(|_| open(proxy)).collect();
    done.fetch_add(streams.len() as u64 - 1, Ordering::Relaxed);
    paced(stop, done, 10, || {});
}

fn rapid_reset(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    // GET, http and / of the static table, and an authority.
    const FIELDS: &[u8] = b"\x82\x86\x84\x41\x09a.example";
    let begin = || {
        let mut stream = open(proxy)?;
        stream.write_all(BEGIN).ok()?;
        Some((stream, 1_u32))
    };
    let mut connection = begin();
    paced(stop, done, 2000, || {
        let sent = connection.as_mut().is_some_and(|(stream, id)| {
            let mut frames = vec![0, 0, u8::try_from(FIELDS.len()).expect("short"), 1, 0x05];
            frames.extend(id.to_be_bytes());
            frames.extend(FIELDS);
            frames.extend([0, 0, 4, 3, 0]);
            frames.extend(id.to_be_bytes());
            frames.extend([0, 0, 0, 8]);
            *id += 2;
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(&frames).is_ok()
        });
        if !sent {
            connection = begin();
        }
    });
}

fn endless_body(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    let begin = || {
        let mut stream = open(proxy)?;
        stream.write_all(b"POST / HTTP/1.1\r\nhost: a.example\r\ncontent-length: 1000000000\r\n\r\n").ok()?;
        Some(stream)
    };
    let mut streams: Vec<TcpStream> = (0..200).filter_map(|_| begin()).collect();
    let mut turn = 0;
    paced(stop, done, 2000, || {
        let place = turn % streams.len();
        if streams[place].write_all(b"hello").is_err()
            && let Some(stream) = begin()
        {
            streams[place] = stream;
        }
        turn += 1;
    });
}

fn endless_head(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    let begin = || {
        let mut stream = open(proxy)?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\n").ok()?;
        Some(stream)
    };
    let line = [b"x-long: ".as_slice(), &[b'y'; 2000], b"\r\n"].concat();
    let mut stream = begin();
    paced(stop, done, 2000, || {
        if stream.as_mut().is_none_or(|stream| stream.write_all(&line).is_err()) {
            stream = begin();
        }
    });
}

/// A ClientHello's beginning, and what says how long it will be.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

fn cut_handshakes(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    let mut open_ones = std::collections::VecDeque::new();
    paced(stop, done, 1000, || {
        if let Some(mut stream) = open(proxy) {
            let _ = stream.write_all(HELLO);
            open_ones.push_back(stream);
        }
        if open_ones.len() > 1000 {
            open_ones.pop_front();
        }
    });
}

fn unread_answers(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    let mut open_ones = std::collections::VecDeque::new();
    paced(stop, done, 20, || {
        if let Some(mut stream) = open(proxy) {
            let _ = stream.write_all(b"GET /large HTTP/1.1\r\nhost: a.example\r\n\r\n");
            open_ones.push_back(stream);
        }
        if open_ones.len() > 50 {
            open_ones.pop_front();
        }
    });
}

fn refused(proxy: SocketAddr, stop: &AtomicBool, done: &AtomicU64) {
    paced(stop, done, 500, || {
        if let Some(mut stream) = open(proxy) {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: unknown.example\r\nconnection: close\r\n\r\n");
        }
    });
}
