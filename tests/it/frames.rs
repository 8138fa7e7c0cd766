//! A client of HTTP/2 that sends whatever frames it is told to (RFC 9113 section 4, RFC 7541).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::proxied::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const PRIORITIZED: u8 = 32;

/// How a connection begins.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame that was read.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// What comes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer with this status.
    Status(u16),
    /// Its stream is reset with this code.
    Reset(u32),
    /// The connection ends with this code.
    Goaway(u32),
    /// The connection ends without one.
    Closed,
}

/// A frame as it is sent.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A list of header fields, each a literal that no table keeps.
pub(crate) fn block<T: AsRef<[u8]>>(fields: &[(T, T)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).expect("short"));
        return;
    }
    block.push(127);
    let mut left = length - 127;
    while left >= 128 {
        block.push(u8::try_from(left % 128).expect("short") | 128);
        left /= 128;
    }
    block.push(u8::try_from(left).expect("short"));
}

/// A request without body for a.example.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", path)];
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields))
}

/// The status in the header block of an answer, which stands first: indexed, or in literal digits, coded or not.
fn status(mut block: &[u8]) -> u16 {
    while block[0] & 0xe0 == 0x20 {
        // The size of the table changes.
        let more = block.iter().skip(1).position(|byte| byte & 0x80 == 0).filter(|_| block[0] & 0x1f == 0x1f);
        block = &block[more.map_or(1, |last| last + 2)..];
    }
    match block[0] {
        0x88 => 200,
        0x89 => 204,
        0x8a => 206,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        _ => {
            let (coded, length) = (block[1] & 0x80 != 0, usize::from(block[1] & 0x7f));
            let text = &block[2..2 + length];
            if !coded {
                return std::str::from_utf8(text).expect("digits").parse().expect("digits");
            }
            let bits: Vec<u8> = text.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
            let number = |from: usize, count: usize| {
                bits[from..from + count].iter().fold(0_u16, |sum, bit| sum * 2 + u16::from(*bit))
            };
            let (mut at, mut status) = (0, 0);
            for _ in 0..3 {
                // RFC 7541 Appendix B: 0 to 2 have five bits, 3 to 9 six from 0x19 on.
                let digit = match number(at, 5) {
                    digit @ 0..3 => (digit, 5),
                    _ => (number(at, 6) - 0x19 + 3, 6),
                };
                (at, status) = (at + digit.1, status * 10 + digit.0);
            }
            status
        }
    }
}

/// What bytes are read from and written to.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A connection, and a second hold on it.
fn connected(address: SocketAddr) -> (TcpStream, TcpStream) {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let socket = stream.try_clone().expect("a socket");
    (stream, socket)
}

/// A connection by prior knowledge, or over TLS.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    socket: TcpStream,
}

impl Wire {
    fn new(stream: impl Stream + 'static, socket: TcpStream) -> Self {
        Self { stream: Box::new(stream), socket }
    }

    /// Connected, and nothing sent.
    pub(crate) fn raw(address: SocketAddr) -> Self {
        let (stream, socket) = connected(address);
        Self::new(stream, socket)
    }

    /// Connected over TLS, and nothing sent inside it: HTTP/2 was agreed on.
    pub(crate) fn over_tls(address: SocketAddr, host: &'static str, config: Arc<ClientConfig>) -> Self {
        let (stream, socket) = connected(address);
        let name = host.try_into().expect("a name");
        let mut tls = StreamOwned::new(ClientConnection::new(config, name).expect("a configuration"), stream);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).expect("a handshake");
        }
        assert_eq!(tls.conn.alpn_protocol(), Some(&b"h2"[..]));
        Self::new(tls, socket)
    }

    /// With the preface and empty settings.
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::raw(address).opened()
    }

    /// The same, when the preface and empty settings have been sent.
    pub(crate) fn opened(mut self) -> Self {
        self.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
        self
    }

    /// The server's side of a connection: the preface is read, and empty settings are sent.
    pub(crate) fn accepted(mut stream: TcpStream) -> Option<Self> {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).ok()?;
        let socket = stream.try_clone().ok()?;
        let mut wire = Self::new(stream, socket);
        wire.send(&frame(SETTINGS, 0, 0, &[]));
        Some(wire)
    }

    /// Sends bytes; whether the other side still takes them does not matter.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Ends the connection.
    pub(crate) fn close(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }

    /// The next frame; `None` where the connection has ended.
    pub(crate) fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let mut payload = vec![0; number(&head[..3]) as usize];
        self.stream.read_exact(&mut payload).ok()?;
        let frame = Frame { kind: head[3], flags: head[4], stream: number(&head[5..]) & 0x7fff_ffff, payload };
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            self.send(&self::frame(SETTINGS, ACK, 0, &[]));
        }
        Some(frame)
    }

    /// The next frame of this kind.
    pub(crate) fn read_kind(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// What comes of the request on a stream.
    pub(crate) fn outcome(&mut self, stream: u32) -> Outcome {
        let code = |payload: &[u8]| u32::from_be_bytes(payload.try_into().expect("four bytes"));
        while let Some(frame) = self.read() {
            match frame.kind {
                GOAWAY => return Outcome::Goaway(code(&frame.payload[4..8])),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(code(&frame.payload)),
                HEADERS if frame.stream == stream => return Outcome::Status(status(&frame.payload)),
                _ => {}
            }
        }
        Outcome::Closed
    }

    /// Whether the other side still answers: a PING comes back with what was sent in it.
    pub(crate) fn lives(&mut self) -> bool {
        self.send(&frame(PING, 0, 0, b"still on"));
        self.read_kind(PING).is_some_and(|frame| frame.flags & ACK != 0 && frame.payload == b"still on")
    }
}
