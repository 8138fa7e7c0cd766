//! Host names, mail addresses and URIs: what is one, and when two are the same.
//!
//! Host names are compared by IDNA (UTS #46): letter case in every script, composed and decomposed letters, a Unicode name
//! and its punycode form, and one trailing dot make no difference.

use std::borrow::Cow;
use std::fmt;

use idna::uts46::{AsciiDenyList, ErrorPolicy, Hyphens, ProcessingSuccess, Uts46};
use smallvec::SmallVec;

/// Longest host name, in bytes without a trailing dot (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 253;

/// Longest label of a host name, in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// Whether a text is a host name: labels of letters, digits, `-` and `_`, none empty, none with `-` at either end.
pub(super) fn is_dns_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    name.len() <= MAX_HOST && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let fits = !label.is_empty() && label.len() <= MAX_LABEL;
    let ends_well = !label.starts_with('-') && !label.ends_with('-');
    fits && ends_well && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}

/// What begins the label of a host name that spells Unicode in ASCII (RFC 3490 section 5).
const PUNYCODE: &str = "xn--";

fn is_punycode(label: &str) -> bool {
    label.get(..PUNYCODE.len()).is_some_and(|start| start.eq_ignore_ascii_case(PUNYCODE))
}

/// A host name with its punycode in Unicode and everything else as it is spelled; `None` for what is no host name.
pub(super) fn dns_name(text: &str) -> Option<Cow<'_, str>> {
    if !is_dns_name(text) {
        return None;
    }
    if !text.split('.').any(is_punycode) {
        return Some(Cow::Borrowed(text));
    }
    let labels: Option<Vec<Cow<'_, str>>> = text.split('.').map(unicode_label).collect();
    Some(Cow::Owned(labels?.join(".")))
}

fn unicode_label(label: &str) -> Option<Cow<'_, str>> {
    if !is_punycode(label) {
        return Some(Cow::Borrowed(label));
    }
    let (unicode, outcome) = Uts46::new().to_unicode(label.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow);
    outcome.is_ok().then_some(unicode)
}

/// Whether two texts name one host.
pub(super) fn same_dns_name(a: &str, b: &str) -> bool {
    let (a, b) = (a.strip_suffix('.').unwrap_or(a), b.strip_suffix('.').unwrap_or(b));
    if a.eq_ignore_ascii_case(b) {
        return true;
    }
    // Two names in plain ASCII have no other spelling.
    let is_plain = |name: &str| name.is_ascii() && !name.split('.').any(is_punycode);
    if is_plain(a) && is_plain(b) {
        return false;
    }
    let (mut a_mapped, mut b_mapped) = (Mapped::default(), Mapped::default());
    a_mapped.map(a) && b_mapped.map(b) && a_mapped.0 == b_mapped.0
}

/// A host name in IDNA's one spelling, on the stack as long as names are.
#[derive(Default)]
struct Mapped(SmallVec<[u8; 512]>);

impl Mapped {
    /// Takes a name; false for what IDNA refuses.
    fn map(&mut self, name: &str) -> bool {
        let (deny, hyphens, faults) = (AsciiDenyList::EMPTY, Hyphens::Allow, ErrorPolicy::FailFast);
        match Uts46::new().process(name.as_bytes(), deny, hyphens, faults, |_, _, _| true, self, None) {
            Ok(ProcessingSuccess::Passthrough) => self.0.extend_from_slice(name.as_bytes()),
            Ok(ProcessingSuccess::WroteToSink) => {}
            Err(_) => return false,
        }
        true
    }
}

impl fmt::Write for Mapped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Whether a text is an addr-spec of RFC 5322 section 3.4.1 whose domain is a host name; no display name, no comments.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let well_formed = match quoted_content(local) {
        Some(content) => is_quoted_content(content),
        None => local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character)),
    };
    well_formed && is_dns_name(domain)
}

/// Whether two addr-specs are one: local parts to the letter once quotes are removed, domains as host names.
pub(super) fn same_email(a: &str, b: &str) -> bool {
    let (Some((a_local, a_domain)), Some((b_local, b_domain))) = (a.rsplit_once('@'), b.rsplit_once('@')) else {
        return a == b;
    };
    unquoted(a_local).eq(unquoted(b_local)) && same_dns_name(a_domain, b_domain)
}

fn quoted_content(local: &str) -> Option<&str> {
    local.strip_prefix('"')?.strip_suffix('"')
}

/// Whether each `"` and `\` inside the quotes is escaped, and nothing is a control character.
fn is_quoted_content(content: &str) -> bool {
    let mut characters = content.chars();
    while let Some(c) = characters.next() {
        let printable = match c {
            '\\' => characters.next().is_some_and(|escaped| !escaped.is_control()),
            '"' => false,
            other => !other.is_control(),
        };
        if !printable {
            return false;
        }
    }
    true
}

/// `atext` of RFC 5322 section 3.2.3, with the characters beyond ASCII of RFC 6532.
fn is_atom_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control())
}

/// The characters a local part stands for.
fn unquoted(local: &str) -> impl Iterator<Item = char> {
    let (text, quoted) = quoted_content(local).map_or((local, false), |content| (content, true));
    let mut characters = text.chars();
    std::iter::from_fn(move || match characters.next()? {
        '\\' if quoted => characters.next(),
        other => Some(other),
    })
}

/// A URI cut into the parts that are compared in different ways.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Uri<'a> {
    scheme: &'a str,
    /// User, host and port after `//`; nothing where there is no `//`.
    authority: Option<&'a str>,
    /// Path, query and fragment.
    rest: &'a str,
}

impl<'a> Uri<'a> {
    fn split(text: &'a str) -> Self {
        let (scheme, after_scheme) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => ("", text),
        };
        let Some(hierarchy) = after_scheme.strip_prefix("//") else {
            return Self { scheme, authority: None, rest: after_scheme };
        };
        let (authority, rest) = hierarchy.split_at(hierarchy.find(['/', '?', '#']).unwrap_or(hierarchy.len()));
        Self { scheme, authority: Some(authority), rest }
    }

    fn is_web(self) -> bool {
        self.scheme.eq_ignore_ascii_case("http") || self.scheme.eq_ignore_ascii_case("https")
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// User information, host and port of an authority, each with its separator.
fn split_authority(authority: &str) -> (&str, &str, &str) {
    let (user, host_port) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    let host_end = host_port.rfind(']').map_or(0, |bracket| bracket + 1);
    let port = host_port[host_end..].find(':').map_or(host_port.len(), |colon| host_end + colon);
    (user, &host_port[..port], &host_port[port..])
}

/// Whether a text is a URI or a relative reference (RFC 3986), as leniently as Go's `url.Parse` reads one.
pub(super) fn is_uri(text: &str) -> bool {
    let uri = Uri::split(text);
    let no_control = !text.is_empty() && !text.bytes().any(|b| b < b' ' || b == 0x7f);
    let path = uri.rest.split(['?', '#']).next().unwrap_or_default();
    let first_segment = path.split('/').next().unwrap_or_default();
    let no_false_scheme = !uri.scheme.is_empty() || uri.authority.is_some() || !first_segment.contains(':');
    no_control && no_false_scheme && has_whole_escapes(path) && uri.authority.is_none_or(is_authority)
}

fn is_authority(authority: &str) -> bool {
    let (user, host, port) = split_authority(authority);
    let port_is_number = port.is_empty() || port[1..].bytes().all(|b| b.is_ascii_digit());
    let host_is_clean = match host.strip_prefix('[') {
        Some(literal) => literal.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.contains([' ', '[', ']', '<', '>', '"', '\\', '^', '`', '{', '|', '}']),
    };
    port_is_number && host_is_clean && has_whole_escapes(host) && has_whole_escapes(user) && !user.contains(' ')
}

/// Whether two hexadecimal digits follow every `%`.
fn has_whole_escapes(text: &str) -> bool {
    let hexadecimal = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(i, &byte)| byte != b'%' || (hexadecimal(bytes.get(i + 1)) && hexadecimal(bytes.get(i + 2))))
}

/// Whether two URIs are one: schemes without case, for http and https the hosts as host names, the rest to the letter.
pub(super) fn same_uri(a: &str, b: &str) -> bool {
    let (a, b) = (Uri::split(a), Uri::split(b));
    let same_authority = match (a.authority, b.authority) {
        (Some(x), Some(y)) if a.is_web() => {
            let ((x_user, x_host, x_port), (y_user, y_host, y_port)) = (split_authority(x), split_authority(y));
            x_user == y_user && same_dns_name(x_host, y_host) && x_port == y_port
        }
        (x, y) => x == y,
    };
    a.scheme.eq_ignore_ascii_case(b.scheme) && same_authority && a.rest == b.rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn host_names_are_labels_between_dots() {
        for name in
            ["a", "edition.cnn.com", "cnn.com.", "xn--bcher-kva.example", "b\u{fc}cher.example", "_srv.x", "1.2"]
        {
            assert!(is_dns_name(name), "{name}");
        }
        for name in ["", ".", "a..b", ".a", "a..", "-a.com", "a-.com", "a b", "a:80", "*.cnn.com", &"a".repeat(64)] {
            assert!(!is_dns_name(name), "{name}");
        }
    }

    #[test]
    fn host_names_are_compared_without_case_and_trailing_dot() {
        assert!(same_dns_name("Edition.CNN.com.", "edition.cnn.com"));
        assert!(same_dns_name("B\u{dc}CHER.example", "b\u{fc}cher.example"));
        assert!(!same_dns_name("cnn.com", "cnn.co"));
    }

    #[test]
    fn host_names_have_one_spelling_in_idna() {
        for (a, b) in [
            ("xn--bcher-kva.example", "b\u{fc}cher.example"),
            ("XN--BCHER-KVA.example.", "B\u{dc}CHER.EXAMPLE"),
            ("bu\u{308}cher.example", "b\u{fc}cher.example"),
            ("\u{ff41}.example", "a.example"),
        ] {
            assert!(same_dns_name(a, b), "{a} {b}");
        }
        assert!(!same_dns_name("xn--bcher-kva.example", "bucher.example"));
        assert!(!same_dns_name("xn--a.example", "xn--b.example"));
    }

    #[test]
    fn punycode_becomes_unicode_and_all_else_keeps_its_spelling() {
        assert_eq!(dns_name("WWW.xn--bcher-kva.Example.").as_deref(), Some("WWW.b\u{fc}cher.Example."));
        assert_eq!(dns_name("WWW.B\u{dc}CHER").as_deref(), Some("WWW.B\u{dc}CHER"));
        assert_eq!(dns_name("xn--a.example"), None);
        assert_eq!(dns_name("a..b"), None);
    }

    #[test]
    fn mail_addresses_are_addr_specs() {
        for address in ["a@b.c", "first.last+tag@x.org", "\"a b@c\"@x.org", "\"a\\\"b\"@x.org", "\u{fc}@x.org"] {
            assert!(is_email(address), "{address}");
        }
        for address in
            ["", "a", "@x.org", "a@", "a..b@x.org", "A <a@x.org>", "a b@x.org", "\"a\"b\"@x.org", "a@-x", "\"@x"]
        {
            assert!(!is_email(address), "{address}");
        }
    }

    #[test]
    fn mail_addresses_differ_by_case_only_in_the_domain() {
        assert!(same_email("a@X.org", "a@x.ORG."));
        assert!(same_email("\"a\"@x.org", "a@x.org"));
        assert!(same_email("\"a\\b\"@x.org", "ab@x.org"));
        assert!(!same_email("A@x.org", "a@x.org"));
    }

    #[test]
    fn uris_are_read_as_leniently_as_go_reads_them() {
        for uri in [
            "http://h",
            "/a?b#c",
            "a/b:c",
            "mailto:x@y",
            "//h/p",
            "http://u:p@[::1]:80/",
            "http://h:/",
            "http://h/%20",
            "a b",
        ] {
            assert!(is_uri(uri), "{uri}");
        }
        for uri in ["", ":", "1a:b", "http://h:port/", "http://a b/", "/%zz", "/%2", "http://[::1/", "a\nb", "a\u{7f}"]
        {
            assert!(!is_uri(uri), "{uri}");
        }
    }

    #[test]
    fn uris_differ_by_case_everywhere_but_in_scheme_and_web_host() {
        assert!(same_uri("HTTP://Ab.c:80/P", "http://aB.C.:80/P"));
        assert!(!same_uri("http://h", "http://h/"));
        assert!(!same_uri("http://h:80/", "http://h/"));
        assert!(!same_uri("http://h/A", "http://h/a"));
        assert!(!same_uri("ftp://H/a", "ftp://h/a"));
        assert!(!same_uri("http://u@h/", "http://U@h/"));
    }

    proptest! {
        #[test]
        fn any_texts_are_judged_without_panic_and_equal_themselves(text in ".{0,30}", other in "[a-z:/@%\\[\\]\"\\\\.]{0,20}") {
            for word in [&text, &other] {
                let _ = (is_dns_name(word), is_email(word), is_uri(word));
                prop_assert!(same_dns_name(word, word) && same_email(word, word) && same_uri(word, word));
            }
            prop_assert_eq!(same_uri(&text, &other), same_uri(&other, &text));
            prop_assert_eq!(same_email(&text, &other), same_email(&other, &text));
        }
    }
}
