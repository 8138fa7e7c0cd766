//! The one form of a request's path.
//!
//! What servers read in different ways (escaped slashes, `..;`, what is escaped twice) has no form that all of them take
//! for the same; it is refused, unless one of Istio's modes is asked for, which forward it.

use std::borrow::Cow;
use std::str::FromStr;

use memchr::memmem;

/// How paths are brought into one form: ours, or as Istio's `pathNormalization` has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathNormalization {
    /// All of `MergeSlashes` and more; what two servers may read in different ways is refused.
    #[default]
    Strict,
    /// Paths are left as they came.
    None,
    /// RFC 3986 §6.2.2: dot segments, `\` for `/`, escapes of unreserved characters.
    Base,
    /// `Base`, and slashes beside each other are one.
    MergeSlashes,
    /// `MergeSlashes` of a path whose escaped slashes are slashes.
    DecodeAndMergeSlashes,
}

impl PathNormalization {
    /// All modes, as they are written.
    pub const NAMES: [&str; 5] = ["STRICT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::MODES.iter().position(|mode| *mode == self).map_or("", |place| Self::NAMES[place])
    }

    const MODES: [Self; 5] = [Self::Strict, Self::None, Self::Base, Self::MergeSlashes, Self::DecodeAndMergeSlashes];

    /// The form of a path in which it is judged and sent.
    ///
    /// # Errors
    /// Why it has none.
    pub(super) fn apply(self, path: &str) -> Result<Cow<'_, str>, &'static str> {
        match self {
            Self::None => Ok(Cow::Borrowed(path)),
            Self::Strict => strict(path),
            Self::Base | Self::MergeSlashes | Self::DecodeAndMergeSlashes => self.as_istio_does(path),
        }
    }

    fn as_istio_does(self, path: &str) -> Result<Cow<'_, str>, &'static str> {
        if is_plain(path) {
            return Ok(Cow::Borrowed(path));
        }
        let written = rewritten_escapes(path, |byte| match byte {
            b'/' | b'\\' if self == Self::DecodeAndMergeSlashes => Escape::As('/'),
            byte if is_unreserved(byte) => Escape::As(char::from(byte)),
            _ => Escape::AsItCame,
        });
        let written = written.ok_or(NUL)?;
        let form = without_dot_segments(&written, self != Self::Base);
        Ok(if form == path { Cow::Borrowed(path) } else { Cow::Owned(form) })
    }
}

impl FromStr for PathNormalization {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut modes = Self::NAMES.into_iter().zip(Self::MODES);
        let found = modes.find(|(name, _)| *name == text).map(|(_, mode)| mode);
        found.ok_or_else(|| format!("expected {}, got {text:?}", Self::NAMES.join(", ")))
    }
}

const NUL: &str = "the path has an escaped NUL";
const SLASH: &str = "the path has an escaped slash, which servers read in different ways \
                     (proxy start --path-normalization MERGE_SLASHES forwards it, DECODE_AND_MERGE_SLASHES decodes it)";
const TWICE: &str = "the path is escaped twice, which servers read in different ways";
const OVERLONG: &str = "the path has a character in more bytes of UTF-8 than it needs";
const CONTROL: &str = "the path has an escaped control character";
const WIDE: &str = "the path has a full-width slash, which some servers take for a slash";
const DOTS: &str = "the path has a segment that some servers take for `.`, `..` or nothing";

fn strict(path: &str) -> Result<Cow<'_, str>, &'static str> {
    if is_plain(path) {
        return Ok(Cow::Borrowed(path));
    }
    let written = one_spelling(&in_characters_of_uris(path)).ok_or(NUL)?;
    match fault(&written) {
        Some(fault) => Err(fault),
        None => {
            let form = without_dot_segments(&written, true);
            Ok(if form == path { Cow::Borrowed(path) } else { Cow::Owned(form) })
        }
    }
}

/// The form of a path without a look at what servers make of it; `None` for an escaped NUL.
pub(super) fn canonical(path: &str) -> Option<Cow<'_, str>> {
    if is_plain(path) {
        return Some(Cow::Borrowed(path));
    }
    let form = without_dot_segments(&one_spelling(path)?, true);
    Some(if form == path { Cow::Borrowed(path) } else { Cow::Owned(form) })
}

/// Whether a path is in every mode's form as it stands.
fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    !bytes.iter().any(|b| matches!(b, b'%' | b'\\') || !b.is_ascii() || is_no_uris(*b))
        && !bytes.windows(2).any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.' | b';'))
}

/// Whether it is a character that a path can have only escaped (RFC 3986 §3.3), though clients send it as it is. `\` is
/// another matter.
fn is_no_uris(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// The path with such characters escaped, so that they have one spelling too.
fn in_characters_of_uris(path: &str) -> Cow<'_, str> {
    if !path.bytes().any(is_no_uris) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len() + 16);
    for letter in path.chars() {
        match u8::try_from(letter) {
            Ok(byte) if is_no_uris(byte) => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// What is written for an escape.
enum Escape {
    As(char),
    AsItCame,
    InCapitals,
}

/// The path with each character written in one way: escapes of characters that mean the same without are decoded, others
/// in capitals; `None` for an escaped NUL.
fn one_spelling(path: &str) -> Option<String> {
    rewritten_escapes(path, |byte| if means_itself(byte) { Escape::As(char::from(byte)) } else { Escape::InCapitals })
}

/// The path with its escapes written as is said, `\` as `/`, and all else that is no ASCII escaped; `None` for an escaped NUL.
fn rewritten_escapes(path: &str, written: impl Fn(u8) -> Escape) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(position) = rest.find(|letter: char| matches!(letter, '%' | '\\') || !letter.is_ascii()) {
        out.push_str(&rest[..position]);
        rest = &rest[position..];
        let taken = match escaped(rest) {
            Some(0) => return None,
            Some(byte) => {
                match written(byte) {
                    Escape::As(letter) => out.push(letter),
                    Escape::AsItCame => out.push_str(&rest[..3]),
                    Escape::InCapitals => out.push_str(&rest[..3].to_ascii_uppercase()),
                }
                3
            }
            None if rest.starts_with('\\') => {
                out.push('/');
                1
            }
            None if !rest.starts_with('%') => {
                let letter = rest.chars().next()?;
                letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
                letter.len_utf8()
            }
            // A lone `%` is written as what it means: with what is decoded behind it, it must not become an escape.
            None => {
                out.push_str("%25");
                1
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    Some(out)
}

/// The byte that an escape at the beginning stands for.
fn escaped(text: &str) -> Option<u8> {
    let hex = text.strip_prefix('%')?.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u8::from_str_radix(hex, 16).ok()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Characters that stand for themselves in a segment, escaped or not: the unreserved ones, and of those that RFC 3986 §3.3
/// allows there besides all but `;`, `=`, `&` and `+`, which some origins tell apart.
fn means_itself(byte: u8) -> bool {
    is_unreserved(byte) || b"!$'()*,:@".contains(&byte)
}

/// RFC 3986 §5.2.4. Slashes are merged afterwards, so that `/a//../b` is `/a/b` as it is there.
fn without_dot_segments(path: &str, merge: bool) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut last_is_directory = false;
    for segment in path.split('/').skip(1) {
        last_is_directory = matches!(segment, "." | "..") || (merge && segment.is_empty());
        match segment {
            "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut form = String::with_capacity(path.len());
    for segment in segments.iter().filter(|segment| !(merge && segment.is_empty())) {
        form.push('/');
        form.push_str(segment);
    }
    if last_is_directory || form.is_empty() {
        form.push('/');
    }
    form
}

/// Why servers may read a path in different ways, each character of which is written in one.
fn fault(path: &str) -> Option<&'static str> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = path;
    while let Some(first) = rest.bytes().next() {
        let byte = escaped(rest);
        match byte {
            Some(b'/' | b'\\') => return Some(SLASH),
            Some(0..0x20 | 0x7f) => return Some(CONTROL),
            Some(b'%') if is_escaped_twice(&rest[3..]) => return Some(TWICE),
            _ => {}
        }
        decoded.push(byte.unwrap_or(first));
        rest = &rest[if byte.is_some() { 3 } else { 1 }..];
    }
    if is_overlong(&decoded) {
        return Some(OVERLONG);
    }
    if [WIDE_SLASH, WIDE_BACKSLASH].iter().any(|wide| memmem::find(&decoded, wide).is_some()) {
        return Some(WIDE);
    }
    let mut segments = decoded.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if reads_as_dots(segment, segments.peek().is_none()) {
            return Some(DOTS);
        }
    }
    None
}

/// Whether what stands behind an escaped `%` makes another escape of it, of a character that nobody needs to escape or that
/// leads elsewhere. A space or a letter of another alphabet that was escaped twice by mistake is no danger.
fn is_escaped_twice(behind: &str) -> bool {
    let mut behind = behind;
    while let Some(more) = behind.strip_prefix("25") {
        behind = more;
    }
    if let Some(digits) = behind.strip_prefix(['u', 'U']) {
        // `%u002e`, as some servers of Windows read it.
        return digits.len() >= 4 && digits.as_bytes()[..4].iter().all(u8::is_ascii_hexdigit);
    }
    let Some(hex) = behind.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) else {
        return false;
    };
    let byte = u8::from_str_radix(hex, 16).unwrap_or_default();
    is_unreserved(byte) || matches!(byte, b'/' | b'\\' | b'%' | b';' | 0..0x20 | 0x7f)
}

/// Whether there is a sequence that decoders without care take for a character of fewer bytes (RFC 3629 §10).
fn is_overlong(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| {
        matches!(
            pair,
            [0xc0 | 0xc1, 0x80..=0xbf]
                | [0xe0, 0x80..=0x9f]
                | [0xf0, 0x80..=0x8f]
                | [0xf8, 0x80..=0x87]
                | [0xfc, 0x80..=0x83]
        )
    })
}

const WIDE_SLASH: &[u8] = "\u{ff0f}".as_bytes();
const WIDE_BACKSLASH: &[u8] = "\u{ff3c}".as_bytes();

/// Whether some servers take a segment for a dot segment, or for none: they cut parameters off (`..;`, CVE-2020-5902),
/// or spaces, or read dots of other alphabets.
fn reads_as_dots(segment: &[u8], is_last: bool) -> bool {
    let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
    let has_parameter = name.len() < segment.len();
    let mut text = String::from_utf8_lossy(name).replace(['\u{ff0e}', '\u{2024}'], ".");
    text.retain(|letter| letter != ' ');
    match &*text {
        "." | ".." => has_parameter || name != text.as_bytes(),
        "" => has_parameter && !is_last,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    use PathNormalization::{Base, DecodeAndMergeSlashes, MergeSlashes, None as Untouched, Strict};

    #[test]
    fn each_mode_makes_of_a_path_what_istio_says() {
        const BAD: &str = "400";
        const KEPT: &str = "";
        // Sent, and what NONE, BASE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES and ours make of it.
        for (sent, expected) in [
            ("/a/../b", [KEPT, "/b", "/b", "/b", "/b"]),
            ("/a/%2e%2e/b", [KEPT, "/b", "/b", "/b", "/b"]),
            ("/a\\..\\b", [KEPT, "/b", "/b", "/b", "/b"]),
            ("/%61", [KEPT, "/a", "/a", "/a", "/a"]),
            ("/a%2D", [KEPT, "/a-", "/a-", "/a-", "/a-"]),
            ("//a", [KEPT, KEPT, "/a", "/a", "/a"]),
            ("//a//", [KEPT, KEPT, "/a/", "/a/", "/a/"]),
            ("/a%2Fb", [KEPT, KEPT, KEPT, "/a/b", BAD]),
            ("/a%5Cb", [KEPT, KEPT, KEPT, "/a/b", BAD]),
            ("/x%2f..%2fadmin", [KEPT, KEPT, KEPT, "/admin", BAD]),
            ("/a%00b", [KEPT, BAD, BAD, BAD, BAD]),
            ("/a/", [KEPT; 5]),
            ("/a;x=1", [KEPT; 5]),
            ("/A", [KEPT; 5]),
            ("/a%20b", [KEPT; 5]),
            ("/a|b", [KEPT, KEPT, KEPT, KEPT, "/a%7Cb"]),
            ("/a/%2e%2e;/b", [KEPT, "/a/..;/b", "/a/..;/b", "/a/..;/b", BAD]),
            ("/..", [KEPT, "/", "/", "/", "/"]),
            ("/a/.", [KEPT, "/a/", "/a/", "/a/", "/a/"]),
            ("/", [KEPT; 5]),
        ] {
            for (mode, expected) in
                [Untouched, Base, MergeSlashes, DecodeAndMergeSlashes, Strict].into_iter().zip(expected)
            {
                let found = mode.apply(sent);
                let expected = match expected {
                    BAD => Err(()),
                    KEPT => Ok(sent),
                    other => Ok(other),
                };
                assert_eq!(found.as_deref().map_err(|_| ()), expected, "{mode:?} {sent}");
            }
        }
    }

    #[test]
    fn paths_are_brought_into_one_form() {
        for (sent, form) in [
            ("/politics", "/politics"),
            ("/%70olitics", "/politics"),
            ("/sport/../politics", "/politics"),
            ("/./politics", "/politics"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/caf%e9", "/caf%E9"),
            ("/%c0_propos", "/%C0_propos"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/a|b^c", "/a%7Cb%5Ec"),
            ("/{id}/[0]/\"x\"", "/%7Bid%7D/%5B0%5D/%22x%22"),
            ("/%7bid%7d/%5b0%5d", "/%7Bid%7D/%5B0%5D"),
            ("/%40scope", "/@scope"),
            ("/a%21b%3b%3D", "/a!b%3B%3D"),
            ("/100%", "/100%25"),
            ("/100%25", "/100%25"),
            ("/a%zz", "/a%25zz"),
            ("/a%2520b", "/a%2520b"),
            ("/caf%25C3%25A9", "/caf%25C3%25A9"),
            ("/%25%37", "/%257"),
            ("/%+Aa", "/%25+Aa"),
            ("/.hidden", "/.hidden"),
            ("/wiki/Apple_Inc.", "/wiki/Apple_Inc."),
            ("/golang.org/x/...", "/golang.org/x/..."),
            ("/;jsessionid=1", "/;jsessionid=1"),
            ("/a;v=1/b", "/a;v=1/b"),
            ("/C%23", "/C%23"),
            ("/what%3f", "/what%3F"),
        ] {
            assert_eq!(Strict.apply(sent).as_deref(), Ok(form), "{sent}");
        }
    }

    #[test]
    fn what_servers_read_in_different_ways_is_refused() {
        for (fault, paths) in [
            (SLASH, &["/a%2fb", "/%2Fadmin", "/a%5c..%5cadmin", "/%2e%2e%2fadmin", "/@scope%2fname"][..]),
            (NUL, &["/admin%00", "/%00/admin"]),
            (CONTROL, &["/admin%0a", "/admin%0d%0aHost:x", "/admin%09", "/admin%7f", "/%1f"]),
            (
                TWICE,
                &[
                    "/%252e%252e/admin",
                    "/%2561dmin",
                    "/%252fadmin",
                    "/%255cadmin",
                    "/%2500",
                    "/%25252e",
                    "/%%370olitics",
                    "/x/%%32e%%32e/admin",
                    "/%u0061dmin",
                    "/%U002e",
                    "/%25u002e",
                    "/%25%36%31dmin",
                    "/..%253b/admin",
                ],
            ),
            (
                OVERLONG,
                &[
                    "/%c0%ae%c0%ae/admin",
                    "/%c0%afadmin",
                    "/%c1%a1dmin",
                    "/%e0%80%ae",
                    "/%f0%80%80%ae",
                    "/%f8%80%80%80%ae",
                    "/%fc%80%80%80%80%ae",
                ],
            ),
            (WIDE, &["/%ef%bc%8fadmin", "/\u{ff0f}admin", "/..\u{ff3c}admin"]),
            (
                DOTS,
                &[
                    "/..;/admin",
                    "/x/..;a=b/admin",
                    "/x/%2e%2e;/admin",
                    "/x/..%3b/admin",
                    "/.;/admin",
                    "/;/admin",
                    "/;x/admin",
                    "/x/..;",
                    "/..%20/admin",
                    "/.%20./admin",
                    "/%20../admin",
                    "/\u{ff0e}\u{ff0e}/admin",
                ],
            ),
        ] {
            for path in paths {
                assert_eq!(Strict.apply(path), Err(fault), "{path}");
            }
        }
    }

    #[test]
    fn a_mode_is_known_by_its_name() {
        for (name, mode) in PathNormalization::NAMES.into_iter().zip(PathNormalization::MODES) {
            assert_eq!(name.parse(), Ok(mode));
        }
        assert_eq!(PathNormalization::default(), Strict);
        assert!("base".parse::<PathNormalization>().is_err());
    }

    fn mode() -> impl Strategy<Value = PathNormalization> {
        prop::sample::select(vec![Base, MergeSlashes, Strict])
    }

    proptest! {
        #[test]
        fn a_path_in_its_form_stays_as_it_is(mode in mode(), path in "/[a-c./%02357eE5cCuf;+\\\\ ]{0,24}") {
            if let Ok(once) = mode.apply(&path) {
                prop_assert!(once.starts_with('/'), "{once}");
                prop_assert!(!once.contains("/../") && !once.contains("/./") && !once.contains('\\'), "{once}");
                prop_assert!(mode == Base || !once.contains("//"), "{once}");
                let again = mode.apply(&once).map(|form| form.into_owned());
                prop_assert_eq!(again.as_deref(), Ok(&*once));
            }
        }

        /// However often a server decodes a path that was let through, it comes to no other segments.
        #[test]
        fn decoding_once_more_leads_nowhere_else(path in "/[ad./%02356eE5cCu;]{0,20}") {
            if let Ok(once) = Strict.apply(&path) {
                let mut decoded = once.clone().into_owned();
                for _ in 0..3 {
                    decoded = rewritten_escapes(&decoded, |byte| if byte.is_ascii() { Escape::As(char::from(byte)) } else { Escape::AsItCame })
                        .expect("no NUL");
                    // A lone `%` is written as an escape again, which decodes to itself.
                    prop_assert_eq!(decoded.matches('/').count(), once.matches('/').count(), "{} {}", once, decoded);
                    prop_assert!(!decoded.split('/').any(|segment| matches!(segment, "." | "..")), "{} {}", once, decoded);
                }
            }
        }
    }
}
