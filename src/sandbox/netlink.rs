//! Netlink messages (RFC 3549): how the kernel is told about links, addresses, routes and rules.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

/// Flags of every message: it asks for something (`NLM_F_REQUEST`), and wants to hear of it (`NLM_F_ACK`).
const REQUEST: u16 = 1;
const ACK: u16 = 4;
/// What is asked for is to be made (`NLM_F_CREATE`).
pub(super) const CREATE: u16 = 0x400;

/// The type of a message that tells how another one went (`NLMSG_ERROR`); 0 is success.
const ANSWER: u16 = 2;

/// That a list is wanted (`NLM_F_DUMP`), and the type of the message that ends one (`NLMSG_DONE`).
const LIST: u16 = 0x300;
const DONE: u16 = 3;

/// Bytes of a message's head.
const HEAD: usize = 16;

/// Bit of an attribute that holds attributes (`NLA_F_NESTED`).
const NESTED: u16 = 1 << 15;

/// Bytes of attributes.
#[derive(Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    /// Adds one; values begin at multiples of four bytes.
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        // No value here is longer than some hundred bytes.
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds one that holds others.
    pub(super) fn holding(self, kind: u16, inner: &Attributes) -> Self {
        self.with(kind | NESTED, &inner.0)
    }

    /// Adds a text, which ends with a zero byte.
    pub(super) fn text(self, kind: u16, text: &str) -> Self {
        self.with(kind, &[text.as_bytes(), &[0]].concat())
    }

    /// All of them.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds a number in the order of bytes that the network has.
    pub(super) fn number(self, kind: u16, number: u32) -> Self {
        self.with(kind, &number.to_be_bytes())
    }
}

/// The attributes in what the kernel has sent: their kinds and values.
pub(super) fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    // Besides nested ones, those with values in the order of bytes that the network has are marked.
    const KIND: u16 = 0x3fff;
    let mut found = Vec::new();
    let half = |bytes: &[u8], at: usize| Some(u16::from_ne_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    while let (Some(length), Some(kind)) = (half(bytes, 0), half(bytes, 2)) {
        let Some(value) = bytes.get(4..usize::from(length)) else { break };
        found.push((kind & KIND, value));
        bytes = bytes.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// A message: its type and flags, and what stands in it.
pub(super) struct Message {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Message {
    /// Of a fixed part and attributes.
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u8], attributes: &Attributes) -> Self {
        Self { kind, flags, body: [fixed, &attributes.0].concat() }
    }

    fn write(&self, number: u32, flags: u16, bytes: &mut Vec<u8>) {
        let length = u32::try_from(HEAD + self.body.len()).unwrap_or(u32::MAX);
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend((REQUEST | self.flags | flags).to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(&self.body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
}

/// A conversation with a part of the kernel.
#[derive(Debug)]
pub(super) struct Conversation(OwnedFd);

impl Conversation {
    /// With the part that a protocol names; without one it is that for links, addresses and routes.
    pub(super) fn with(protocol: Option<Protocol>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        Ok(Self(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?))
    }

    /// Asks for one thing.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn ask(&self, message: &Message) -> io::Result<()> {
        let mut bytes = Vec::new();
        message.write(1, ACK, &mut bytes);
        self.exchange(&bytes, 1)
    }

    /// Asks for things that are done all or not at all, between the messages that begin and end such a batch.
    ///
    /// # Errors
    /// The first thing that the kernel refuses.
    pub(super) fn ask_all(&self, begin: &Message, messages: &[Message], end: &Message) -> io::Result<()> {
        let mut bytes = Vec::new();
        begin.write(0, 0, &mut bytes);
        for (number, message) in (1..).zip(messages) {
            message.write(number, ACK, &mut bytes);
        }
        end.write(0, 0, &mut bytes);
        self.exchange(&bytes, messages.len())
    }

    /// Asks for a list: the messages that are its parts, without their heads.
    ///
    /// # Errors
    /// What the kernel answers.
    pub(super) fn list(&self, message: &Message) -> io::Result<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        message.write(1, LIST, &mut bytes);
        sendto(&self.0, &bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let (mut listed, mut buffer) = (Vec::new(), [0; 32 * 1024]);
        loop {
            let (length, _) = recv(&self.0, &mut buffer[..], RecvFlags::empty())?;
            for (kind, body) in messages(&buffer[..length]) {
                match kind {
                    DONE => return Ok(listed),
                    ANSWER => {
                        return Err(code(body)
                            .map_or(io::ErrorKind::InvalidData.into(), |code| io::Error::from_raw_os_error(-code)));
                    }
                    _ => listed.push(body.to_vec()),
                }
            }
        }
    }

    fn exchange(&self, bytes: &[u8], expected: usize) -> io::Result<()> {
        sendto(&self.0, bytes, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut left = expected;
        let mut buffer = [0; 8192];
        while left > 0 {
            let (length, _) = recv(&self.0, &mut buffer[..], RecvFlags::empty())?;
            for code in answers(&buffer[..length]) {
                if code != 0 {
                    return Err(io::Error::from_raw_os_error(-code));
                }
                left = left.saturating_sub(1);
            }
        }
        Ok(())
    }
}

/// The codes of the answers in what was received.
fn answers(bytes: &[u8]) -> Vec<i32> {
    let answers = messages(bytes).into_iter().filter(|(kind, _)| *kind == ANSWER);
    answers.filter_map(|(_, body)| code(body)).collect()
}

/// The code that an answer begins with.
fn code(body: &[u8]) -> Option<i32> {
    Some(i32::from_ne_bytes(body.get(..4)?.try_into().ok()?))
}

/// The messages in what was received: their types, and what stands behind their heads.
fn messages(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let Some(head) = bytes.get(..HEAD) {
        let length = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let body = bytes.get(HEAD..length.min(bytes.len())).unwrap_or_default();
        found.push((u16::from_ne_bytes([head[4], head[5]]), body));
        bytes = bytes.get(length.max(HEAD).saturating_add(3) & !3..).unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_stand_at_multiples_of_four_and_hold_each_other() {
        let inner = Attributes::default().text(3, "ab");
        let outer = Attributes::default().holding(1, &inner).number(2, 6);
        let expected: &[&[u8]] = &[
            &12u16.to_ne_bytes(),
            &(1 | NESTED).to_ne_bytes(),
            &7u16.to_ne_bytes(),
            &3u16.to_ne_bytes(),
            b"ab\0\0",
            &8u16.to_ne_bytes(),
            &2u16.to_ne_bytes(),
            &[0, 0, 0, 6],
        ];
        assert_eq!(outer.0, expected.concat());
    }

    #[test]
    fn answers_are_found_among_other_messages_and_broken_ones_end_the_search() {
        let mut bytes = Vec::new();
        for (kind, code) in [(ANSWER, 0i32), (16, 7), (ANSWER, -1)] {
            let message = Message { kind, flags: 0, body: code.to_ne_bytes().to_vec() };
            message.write(1, 0, &mut bytes);
        }
        assert_eq!(answers(&bytes), [0, -1]);
        assert_eq!(answers(&bytes[..21]), [0]);
        assert_eq!(answers(&[0; 16]), Vec::<i32>::new());
    }
}
