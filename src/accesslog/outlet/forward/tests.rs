use std::net::TcpListener;

use super::*;
use crate::accesslog::testing::{START, entry, numbered, shape};
use crate::accesslog::{Format, Level, Outlet};

fn to(address: String) -> Fluentd {
    let push_interval = Duration::from_millis(1);
    Fluentd { address, buffer: 4, max_batch: 1 << 20, push_interval, push_timeout: Duration::from_secs(30) }
}

fn encoded(entries: &[Entry]) -> Vec<u8> {
    entries.iter().fold(Vec::new(), |mut bytes, entry| {
        encode(entry, &mut bytes);
        bytes
    })
}

/// Reads as many bytes as some entries have.
fn expect(listener: &TcpListener, entries: &[Entry]) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    let expected = encoded(entries);
    let mut read = vec![0; expected.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(read, expected);
    stream
}

#[test]
fn entries_arrive_and_the_last_ones_before_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut fluentd = to(listener.local_addr().unwrap().to_string());
    fluentd.push_interval = Duration::from_secs(3600);
    let mut forwarder = Forwarder::new(&fluentd);
    let entries = numbered(0..3);
    entries.iter().for_each(|entry| forwarder.offer(entry));
    forwarder.close();
    let mut stream = expect(&listener, &entries);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "it closes");
    forwarder.wait(Instant::now() + LAST_WORDS);
    assert!(forwarder.outcome().is_ok());
}

#[test]
fn a_connection_that_the_other_side_closed_is_made_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut forwarder = Forwarder::new(&to(listener.local_addr().unwrap().to_string()));
    for n in 0..3 {
        let entries = numbered(n..n + 1);
        forwarder.offer(&entries[0]);
        drop(expect(&listener, &entries));
    }
}

#[test]
fn a_full_queue_refuses_entries_and_nothing_waits_for_them() {
    // Bound and not listening: nobody answers, and nobody else gets the port.
    let nobody = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    nobody.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = nobody.local_addr().unwrap().as_socket().unwrap();
    let mut forwarder = Forwarder::new(&to(address.to_string()));
    let failure = loop {
        numbered(0..10).iter().for_each(|entry| forwarder.offer(entry));
        match forwarder.outcome() {
            Err(failure) if failure.error.to_string().contains("refused") => break failure,
            _ => thread::yield_now(),
        }
    };
    assert!(failure.lost.is_some());
    drop(nobody);
    let listener = TcpListener::bind(address).unwrap();
    let _stream = listener.accept().unwrap();
    while forwarder.outcome().is_err() {
        thread::yield_now();
    }
}

#[test]
fn an_entry_larger_than_a_batch_is_told_and_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut fluentd = to(listener.local_addr().unwrap().to_string());
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let (small, large) = (numbered(0..1), entry(&shape, START, Level::Info, &"x".repeat(500)));
    fluentd.max_batch = 400;
    let mut forwarder = Forwarder::new(&fluentd);
    forwarder.offer(&large);
    forwarder.offer(&small[0]);
    let _stream = expect(&listener, &small);
    let failure = forwarder.outcome().unwrap_err();
    assert_eq!(failure.lost, Some(1));
    assert!(failure.error.to_string().contains("larger than a batch"), "{}", failure.error);
}

#[test]
fn a_tag_takes_the_place_of_the_instances_name() {
    let shape = shape("a", Format::Json, Outlet::Stdout);
    let with = |variables: &str| Entry {
        time: START,
        level: Level::Info,
        shape: Arc::clone(&shape),
        line: format!(
            "{{\"level\":\"info\",\"time\":\"1970-01-01T00:00:01.5Z\",\"instance\":\"a.logentry.istio-system\"{variables}}}"
        ),
    };
    let mut expected = vec![0x93, 0xa1, b't', 0xd7, 0x00, 0, 0, 0, 1];
    expected.extend(500_000_000_u32.to_be_bytes());
    expected.extend([0x82, 0xa1, b'x', 0xd0, 0x9c, 0xa4]);
    expected.extend(b"name\xb7a.logentry.istio-system");
    assert_eq!(encoded(&[with(",\"name\":\"mine\",\"tag\":\"t\",\"x\":-100")]), expected);
}
