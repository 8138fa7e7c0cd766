//! The name server of a sandbox: questions and answers as RFC 1035 has them, and which name has which address.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr};

/// Addresses that stand for names: Istio's for services without any, of a range that nobody has (RFC 1112 §4).
const FIRST: u32 = u32::from_be_bytes([240, 240, 0, 1]);
const COUNT: u32 = 0xfffe;

/// Most names of a sandbox. Who asks for more gets no address for them.
const MOST: usize = 16_384;

/// Seconds that an answer may be kept: a name that is not declared any more must not be called for long.
const TIME_TO_LIVE: u32 = 5;

/// Which name has which address. A name nearly always has the same.
#[derive(Debug, Default)]
pub(super) struct Names {
    addresses: HashMap<Box<str>, u32>,
    names: HashMap<u32, Box<str>>,
}

impl Names {
    /// The address of a name; `None` where there are too many.
    pub(super) fn address(&mut self, name: &str) -> Option<Ipv4Addr> {
        if let Some(known) = self.addresses.get(name) {
            return Some(Ipv4Addr::from_bits(*known));
        }
        if self.addresses.len() >= MOST {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let start = u32::try_from(hasher.finish() % u64::from(COUNT)).unwrap_or_default();
        let free =
            (0..COUNT).map(|step| FIRST + (start + step) % COUNT).find(|place| !self.names.contains_key(place))?;
        self.addresses.insert(name.into(), free);
        self.names.insert(free, name.into());
        Some(Ipv4Addr::from_bits(free))
    }

    /// The name that an address stands for.
    pub(super) fn name(&self, address: IpAddr) -> Option<&str> {
        match address {
            IpAddr::V4(address) => self.names.get(&address.to_bits()).map(|name| &**name),
            IpAddr::V6(_) => None,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An address of IPv4 (A).
    Address,
    /// An address of IPv6 (AAAA).
    AddressV6,
    /// Anything else.
    Other,
}

/// A question for one name.
#[derive(Debug)]
pub(super) struct Question<'q> {
    id: [u8; 2],
    /// Whether it asks for recursion, which is answered alike.
    recursion: u8,
    /// Name, type and class as they came; they are sent back.
    asked: &'q [u8],
    name: String,
    kind: Kind,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// An address.
    Address(Ipv4Addr),
    /// There is such a name, but not this of it (NODATA).
    Nothing,
    /// There is no such name (NXDOMAIN).
    NoName,
    /// There could be one, but not for you (REFUSED).
    Refused,
}

/// Bytes of the head of a message.
const HEAD: usize = 12;
/// The class of the Internet.
const INTERNET: u16 = 1;

impl<'q> Question<'q> {
    /// Reads a message; `None` where it is no query for one name of the Internet.
    pub(super) fn read(message: &'q [u8]) -> Option<Self> {
        let (head, rest) = message.split_at_checked(HEAD)?;
        // A query (QR is 0) of the standard kind (OPCODE is 0), with one question.
        if head[2] & 0xf8 != 0 || head[4..6] != [0, 1] {
            return None;
        }
        let (name, length) = name(rest)?;
        let asked = rest.get(..length + 4)?;
        let number = |at: usize| u16::from_be_bytes([asked[at], asked[at + 1]]);
        let kind = match number(length) {
            1 => Kind::Address,
            28 => Kind::AddressV6,
            _ => Kind::Other,
        };
        (number(length + 2) == INTERNET).then(|| Self {
            id: [head[0], head[1]],
            recursion: head[2] & 1,
            asked,
            name,
            kind,
        })
    }

    /// The name, without a dot at its end.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is asked for.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The message that answers it.
    pub(super) fn answered(&self, answer: Answer) -> Vec<u8> {
        let (code, count) = match answer {
            Answer::Address(_) => (0, 1),
            Answer::Nothing => (0, 0),
            Answer::NoName => (3, 0),
            Answer::Refused => (5, 0),
        };
        let mut message = self.id.to_vec();
        // A response (QR) of who knows (AA), who could recurse (RA).
        message.extend([0x84 | self.recursion, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
        message.extend(self.asked);
        if let Answer::Address(address) = answer {
            // The name is that of the question.
            message.extend([0xc0, u8::try_from(HEAD).unwrap_or_default(), 0, 1, 0, 1]);
            message.extend(TIME_TO_LIVE.to_be_bytes());
            message.extend([0, 4]);
            message.extend(address.octets());
        }
        message
    }
}

/// A name, and how many bytes it takes. A question has no pointers in it.
fn name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        let label = bytes.get(at..at + length).filter(|_| length < 64)?;
        if !name.is_empty() {
            name.push('.');
        }
        // What is no text is no name of a host, but has to be told of.
        name.push_str(&label.escape_ascii().to_string());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut message = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.').filter(|label| !label.is_empty()) {
            message.push(u8::try_from(label.len()).expect("short"));
            message.extend(label.as_bytes());
        }
        message.push(0);
        message.extend([kind.to_be_bytes(), [0, 1]].concat());
        message
    }

    #[test]
    fn a_question_is_sent_back_with_its_answer() {
        let message = query("Edition.cnn.com", 1);
        let question = Question::read(&message).expect("a question");
        assert_eq!((question.name(), question.kind()), ("Edition.cnn.com", Kind::Address));
        let answer = question.answered(Answer::Address(Ipv4Addr::new(240, 240, 1, 2)));
        assert_eq!(answer[..12], [7, 9, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[12..message.len()], message[12..]);
        assert!(answer.ends_with(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 240, 240, 1, 2]));
        for (answer, code) in [(Answer::Nothing, 0x80), (Answer::NoName, 0x83), (Answer::Refused, 0x85)] {
            let answer = question.answered(answer);
            assert_eq!((answer[3], answer.len()), (code, message.len()));
        }
    }

    #[test]
    fn what_is_no_question_is_not_answered() {
        let good = query("a.example", 28);
        assert_eq!(Question::read(&good).expect("a question").kind(), Kind::AddressV6);
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        // A response, another kind of query, two questions, a pointer, another class.
        for (at, byte) in [(2, 0x81), (2, 0x29), (5, 2), (12, 0xc0), (good.len() - 1, 3)] {
            assert!(Question::read(&changed(at, byte)).is_none(), "{at}");
        }
        assert!(Question::read(&good[..good.len() - 1]).is_none());
    }

    #[test]
    fn a_name_keeps_its_address_and_is_found_by_it() {
        let mut names = Names::default();
        let address = names.address("a.example").expect("room");
        assert_eq!(address.octets()[..2], [240, 240]);
        assert_eq!(names.address("a.example"), Some(address));
        assert_ne!(names.address("b.example"), Some(address));
        assert_eq!(Names::default().address("a.example"), Some(address), "in another sandbox too");
        assert_eq!(names.name(address.into()), Some("a.example"));
        assert_eq!(names.name(IpAddr::from([240, 240, 0, 0])), None);
        for number in 2..MOST {
            names.address(&format!("{number}.example")).expect("room");
        }
        assert_eq!(names.address("more.example"), None);
        assert_eq!(names.address("a.example"), Some(address));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_answers_are_as_long_as_they_must_be(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut message = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            message.extend(bytes);
            if let Some(question) = Question::read(&message) {
                prop_assert!(question.answered(Answer::NoName).len() <= message.len());
            }
        }
    }
}
