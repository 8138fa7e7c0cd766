//! The server name in the first bytes of a TLS connection, read without ending TLS.
//!
//! Only what is needed to find the name is looked at (RFC 8446 §4.1.2, §5.1; RFC 6066 §3), and what is looked at must be
//! right: an origin that reads a sloppy message in another way would be asked for another name than was judged.

use super::normalize::server_name;

/// Most bytes from the first to the end of the ClientHello. Those of browsers, with keys that withstand quantum computers,
/// have some 2 KiB; OpenSSL takes 16 KiB.
pub const MAX_CLIENT_HELLO: usize = 16 * 1024;

/// The first byte of every TLS connection: a record of the handshake.
pub const TLS_HANDSHAKE: u8 = 22;

/// Bytes before a record's content: type, version, length.
const RECORD_HEAD: usize = 5;

/// Most bytes of a record's content (RFC 8446 §5.1).
const MAX_RECORD: usize = 1 << 14;

/// Bytes before a handshake message's content: type, length.
const MESSAGE_HEAD: usize = 4;

/// The handshake message ClientHello.
const CLIENT_HELLO: u8 = 1;

/// The extension with the server's name.
const SERVER_NAME: u16 = 0;

/// The only type of name that there is.
const HOST_NAME: u8 = 0;

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientHello {
    /// A whole ClientHello, with the name that it asks for, if any: lower case, without a trailing dot.
    Whole(Option<Box<str>>),
    /// The beginning of one; before there are so many bytes, reading again can tell no more.
    Partial(usize),
}

/// Why bytes are no ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HelloFault {
    /// It is not TLS.
    NotTls,
    /// It is TLS, but breaks its rules.
    Malformed,
    /// Longer than [`MAX_CLIENT_HELLO`].
    TooLarge,
    /// The name is an address, or no name that a host can have.
    BadName,
}

/// Reads the first bytes that a client sent, as far as they are there.
///
/// # Errors
/// Why they can never become a ClientHello.
pub fn client_hello(bytes: &[u8]) -> Result<ClientHello, HelloFault> {
    // One message may come in several records.
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        let Some(length) = record_length(rest)? else {
            return partial(bytes.len() + RECORD_HEAD - rest.len(), &message);
        };
        let content = &rest[RECORD_HEAD..];
        let there = content.len().min(length);
        message.extend_from_slice(&content[..there]);
        let missing = missing(&message)?;
        if missing == 0 {
            let whole = there == length && message.len() == MESSAGE_HEAD + content_length(&message);
            // What else stood in the same record would be another message, which none may before an answer.
            return if whole { name_of(&message[MESSAGE_HEAD..]) } else { Err(HelloFault::Malformed) };
        }
        if there < length {
            return partial(bytes.len(), &message);
        }
        rest = &content[there..];
    }
}

/// Says from which length on there may be news: every byte that the message lacks has to come.
fn partial(have: usize, message: &[u8]) -> Result<ClientHello, HelloFault> {
    let needed = have + missing(message)?;
    if needed > MAX_CLIENT_HELLO { Err(HelloFault::TooLarge) } else { Ok(ClientHello::Partial(needed)) }
}

/// The length of the record that begins here; `None` where its head is not whole yet.
fn record_length(bytes: &[u8]) -> Result<Option<usize>, HelloFault> {
    let fits = |at: usize, right: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| right(*byte));
    // Any version 3.x may stand here, and must be ignored (RFC 8446 §5.1).
    if !fits(0, |byte| byte == TLS_HANDSHAKE) || !fits(1, |byte| byte == 3) {
        return Err(HelloFault::NotTls);
    }
    let Some(&[high, low]) = bytes.get(3..RECORD_HEAD) else { return Ok(None) };
    match usize::from(u16::from_be_bytes([high, low])) {
        // Records without content are not allowed in a handshake.
        0 => Err(HelloFault::Malformed),
        length if length > MAX_RECORD => Err(HelloFault::Malformed),
        length => Ok(Some(length)),
    }
}

/// How many bytes a message lacks, as far as is known.
fn missing(message: &[u8]) -> Result<usize, HelloFault> {
    match message.first() {
        Some(&kind) if kind != CLIENT_HELLO => Err(HelloFault::Malformed),
        _ if message.len() < MESSAGE_HEAD => Ok(MESSAGE_HEAD - message.len()),
        _ => match MESSAGE_HEAD + content_length(message) {
            whole if whole > MAX_CLIENT_HELLO => Err(HelloFault::TooLarge),
            whole => Ok(whole.saturating_sub(message.len())),
        },
    }
}

/// The length that the head of a message says.
fn content_length(message: &[u8]) -> usize {
    message[1..MESSAGE_HEAD].iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// What is left to read of a message.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], HelloFault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(HelloFault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<usize, HelloFault> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// A list that is preceded by its length, which takes so many bytes.
    fn list(&mut self, bytes: usize) -> Result<Reader<'b>, HelloFault> {
        let length = self.number(bytes)?;
        self.take(length).map(Reader)
    }
}

/// The name in the content of a ClientHello (RFC 8446 §4.1.2).
fn name_of(content: &[u8]) -> Result<ClientHello, HelloFault> {
    let mut hello = Reader(content);
    // Version and random; session, cipher suites, compression methods.
    hello.take(2 + 32)?;
    hello.list(1)?;
    hello.list(2)?;
    hello.list(1)?;
    if hello.0.is_empty() {
        return Ok(ClientHello::Whole(None));
    }
    let mut extensions = hello.list(2)?;
    let mut name = None;
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let extension = extensions.list(2)?;
        if kind == usize::from(SERVER_NAME) && name.replace(host_name(extension)?).is_some() {
            return Err(HelloFault::Malformed);
        }
    }
    if hello.0.is_empty() { Ok(ClientHello::Whole(name)) } else { Err(HelloFault::Malformed) }
}

/// The one name of the extension (RFC 6066 §3).
fn host_name(mut extension: Reader<'_>) -> Result<Box<str>, HelloFault> {
    let mut names = extension.list(2)?;
    if !extension.0.is_empty() || names.number(1)? != usize::from(HOST_NAME) {
        return Err(HelloFault::Malformed);
    }
    let name = names.list(2)?;
    if !names.0.is_empty() {
        return Err(HelloFault::Malformed);
    }
    let text = std::str::from_utf8(name.0).map_err(|_| HelloFault::BadName)?;
    server_name(text).ok_or(HelloFault::BadName)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// What a real client sends first.
    fn sent_by_rustls(name: &'static str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let name = ServerName::try_from(name).expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("memory takes it");
        bytes
    }

    /// A ClientHello in one record, with these extensions.
    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut content = vec![3, 3];
        content.extend([7; 32]);
        content.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        content.extend(u16::try_from(extensions.len()).expect("short").to_be_bytes());
        content.extend(extensions);
        let mut message = vec![CLIENT_HELLO];
        message.extend(&u32::try_from(content.len()).expect("short").to_be_bytes()[1..]);
        message.extend(content);
        in_records(&message, message.len())
    }

    /// A message in records of so many bytes at most.
    fn in_records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |content: &[u8]| {
            let length = u16::try_from(content.len()).expect("short").to_be_bytes();
            [&[TLS_HANDSHAKE, 3, 1, length[0], length[1]], content].concat()
        };
        message.chunks(size).flat_map(record).collect()
    }

    fn with_name(name: &[u8]) -> Vec<u8> {
        let length = u8::try_from(name.len()).expect("short");
        let mut extension = vec![0, 0, 0, length + 5, 0, length + 3, 0, 0, length];
        extension.extend(name);
        extension
    }

    fn named(name: &str) -> Result<ClientHello, HelloFault> {
        Ok(ClientHello::Whole(Some(name.into())))
    }

    #[test]
    fn the_name_that_a_real_client_asks_for_is_found_however_it_is_cut() {
        let bytes = sent_by_rustls("edition.cnn.com");
        assert_eq!(client_hello(&bytes), named("edition.cnn.com"));
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(client_hello(&in_records(&bytes[RECORD_HEAD..], size)), named("edition.cnn.com"), "{size}");
        }
        assert_eq!(client_hello(&sent_by_rustls("192.0.2.1")), Ok(ClientHello::Whole(None)));
    }

    #[test]
    fn a_name_has_one_form_and_an_address_is_none() {
        assert_eq!(client_hello(&hello(&with_name(b"Edition.CNN.com."))), named("edition.cnn.com"));
        for bad in
            [&b"192.0.2.1"[..], b"", b".", b"a..b", b"a b", b"a\0b", b"[::1]", b"a.example:443", "ü.example".as_bytes()]
        {
            assert_eq!(client_hello(&hello(&with_name(bad))), Err(HelloFault::BadName), "{bad:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_malformed() {
        let twice = [with_name(b"a.example"), with_name(b"b.example")].concat();
        let two_names = [&[0, 0, 0, 12, 0, 10][..], &[0, 0, 2, b'a', b'b'], &[0, 0, 2, b'c', b'd']].concat();
        let longer = [&[0, 0, 0, 9, 0, 7, 0, 0, 4][..], b"a.be"].concat();
        let shorter = [&[0, 0, 0, 10, 0, 7, 0, 0, 4][..], b"a.bex"].concat();
        assert_eq!(client_hello(&hello(&longer)), named("a.be"));
        for extensions in [twice, two_names, shorter, vec![0], vec![0, 0, 0, 9]] {
            assert_eq!(client_hello(&hello(&extensions)), Err(HelloFault::Malformed), "{extensions:?}");
        }
        let mut two_messages = hello(&with_name(b"a.example"));
        two_messages.push(1);
        two_messages[4] += 1;
        assert_eq!(client_hello(&two_messages), Err(HelloFault::Malformed));
        let behind = [hello(&with_name(b"a.example")), vec![23, 3, 3, 0, 1, 0]].concat();
        assert_eq!(client_hello(&behind), named("a.example"), "early data may follow");
    }

    #[test]
    fn what_is_no_tls_is_told_by_its_first_bytes() {
        for bytes in [&b"G"[..], b"\x16\x02", b"SSH-2.0-x", b"\x00"] {
            assert_eq!(client_hello(bytes), Err(HelloFault::NotTls), "{bytes:?}");
        }
        assert_eq!(client_hello(&[22, 3, 1, 0, 0]), Err(HelloFault::Malformed));
        assert_eq!(client_hello(&[22, 3, 1, 0, 5, 2]), Err(HelloFault::Malformed));
        assert_eq!(client_hello(b""), Ok(ClientHello::Partial(9)));
    }

    #[test]
    fn a_hello_without_end_is_given_up() {
        assert_eq!(client_hello(&[22, 3, 1, 0x40, 0, 1, 0, 0x40, 0]), Err(HelloFault::TooLarge));
        let endless = [&[1, 0, 0x3f, 0xf0][..], &[0; 4000]].concat();
        assert_eq!(client_hello(&in_records(&endless, 1)), Err(HelloFault::TooLarge));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_what_is_asked_for_is_more_than_there_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let tls = [&[22, 3, 1][..], &bytes].concat();
            for bytes in [bytes, tls] {
                if let Ok(ClientHello::Partial(needed)) = client_hello(&bytes) {
                    prop_assert!(needed > bytes.len() && needed <= MAX_CLIENT_HELLO);
                }
            }
        }

        #[test]
        fn a_beginning_is_partial_and_tells_no_more_than_is_needed(size in 1_usize..64, cut in 0_usize..400) {
            let message = &hello(&with_name(b"edition.cnn.com"))[RECORD_HEAD..];
            let bytes = in_records(message, size);
            let cut = cut.min(bytes.len() - 1);
            let Ok(ClientHello::Partial(needed)) = client_hello(&bytes[..cut]) else {
                return Err(TestCaseError::fail("a beginning is partial"));
            };
            prop_assert!(needed > cut && needed <= bytes.len());
        }
    }
}
