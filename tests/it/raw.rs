//! Peers that speak byte by byte: servers that do what a closure says, and messages read as RFC 9112 has them.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::proxied::PATIENCE;

/// A message of HTTP/1.1.
#[derive(Debug, Default, Clone)]
pub(crate) struct Message {
    /// The first line and the header fields, with their line ends.
    pub(crate) head: String,
    /// The content, without chunks.
    pub(crate) body: Vec<u8>,
    /// The trailer fields.
    pub(crate) trailers: String,
}

/// A server on a free port of 127.0.0.1 that has a thread for each connection.
pub(crate) fn serving(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(PATIENCE));
                serve(stream);
            });
        }
    });
    address
}

/// A server that answers every request with what it has read of it, and keeps that.
pub(crate) fn echoing() -> (SocketAddr, Arc<Mutex<Vec<Message>>>) {
    let seen = Arc::<Mutex<Vec<Message>>>::default();
    let keep = Arc::clone(&seen);
    let address = serving(move |stream| {
        let mut reader = BufReader::new(stream);
        while let Some(message) = read_message(&mut reader) {
            let body = [message.head.as_bytes(), &message.body, message.trailers.as_bytes()].concat();
            keep.lock().expect("no panic").push(message);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            if reader.get_mut().write_all(&[head.as_bytes(), &body].concat()).is_err() {
                return;
            }
        }
    });
    (address, seen)
}

/// The next message; `None` where there is no whole one.
pub(crate) fn read_message(reader: &mut impl BufRead) -> Option<Message> {
    let mut message = Message { head: read_fields(reader)?, ..Message::default() };
    let value = |name: &str| {
        message
            .head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    if value("transfer-encoding:").is_some() {
        let size = |line: String| usize::from_str_radix(line.split(';').next()?.trim(), 16).ok();
        while let size @ 1.. = size(line(reader)?)? {
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            message.body.extend(&chunk[..size]);
        }
        message.trailers = read_fields(reader)?;
    } else if let Some(length) = value("content-length:") {
        message.body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut message.body).ok()?;
    }
    Some(message)
}

/// A line in UTF-8, or else Latin-1.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    let latin = |line: &[u8]| line.iter().map(|byte| char::from(*byte)).collect();
    line.ends_with(b"\r\n").then(|| String::from_utf8(line).unwrap_or_else(|error| latin(error.as_bytes())))
}

/// All up to an empty line, without it.
fn read_fields(reader: &mut impl BufRead) -> Option<String> {
    let mut fields = String::new();
    loop {
        let line = line(reader)?;
        if line == "\r\n" {
            return Some(fields);
        }
        fields.push_str(&line);
    }
}
