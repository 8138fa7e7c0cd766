//! What resources, labels and namespaces may be called (Kubernetes' object names, RFC 1123 and RFC 1035).

use std::borrow::Cow;

use crate::diagnostic::{Code, FieldPath, Problem, Problems};

use super::Labels;

/// Longest DNS label and label value, in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;
/// Longest name, in bytes (RFC 1123 subdomain as Kubernetes bounds it).
const MAX_SUBDOMAIN: usize = 253;
/// Most bytes of all annotations of a resource together (Kubernetes' bound).
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// What a word fails to be; each is the sentence that kubectl shows.
type Verdict = Result<(), Cow<'static, str>>;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
     and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1123: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
     start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
     alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
     validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_KEY: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
     an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
     '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
     and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
     validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Whether a word is a DNS label in lower case, such as a namespace (RFC 1123).
///
/// # Errors
/// What kubectl says about it.
pub fn dns_label(word: &str) -> Verdict {
    within(word, MAX_LABEL)?;
    if is_label(word) { Ok(()) } else { Err(LABEL_1123.into()) }
}

/// Whether a word is a DNS label that begins with a letter, such as the name of a Service (RFC 1035).
///
/// # Errors
/// What kubectl says about it.
pub fn dns_1035_label(word: &str) -> Verdict {
    within(word, MAX_LABEL)?;
    let good = is_label(word) && word.starts_with(|c: char| c.is_ascii_lowercase());
    if good { Ok(()) } else { Err(LABEL_1035.into()) }
}

/// Whether a word is a DNS name in lower case, as most resources' names are (RFC 1123).
///
/// # Errors
/// What kubectl says about it.
pub fn dns_subdomain(word: &str) -> Verdict {
    within(word, MAX_SUBDOMAIN)?;
    if word.split('.').all(is_label) { Ok(()) } else { Err(SUBDOMAIN.into()) }
}

/// Whether a word may be the key of a label or annotation: `NAME` or `DOMAIN/NAME`.
///
/// # Errors
/// What kubectl says about it.
pub fn label_key(word: &str) -> Verdict {
    let (prefix, name) = match word.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, word),
    };
    if let Some(prefix) = prefix {
        dns_subdomain(prefix).map_err(|why| format!("prefix part {why}"))?;
    }
    if name.is_empty() {
        return Err("name part must be non-empty".into());
    }
    if name.len() > MAX_LABEL {
        return Err(format!("name part must be no more than {MAX_LABEL} characters").into());
    }
    if is_word(name) { Ok(()) } else { Err(LABEL_KEY.into()) }
}

/// Whether a text may be the value of a label.
///
/// # Errors
/// What kubectl says about it.
pub fn label_value(text: &str) -> Verdict {
    within(text, MAX_LABEL)?;
    if text.is_empty() || is_word(text) { Ok(()) } else { Err(LABEL_VALUE.into()) }
}

/// Checks every key and value of a map of labels that stands at `at`.
pub(crate) fn check_labels(labels: &Labels, at: &FieldPath, problems: &mut Problems) {
    for (key, value) in labels {
        if let Err(why) = label_key(key) {
            problems.push(invalid(at.field(key), key, &why).on_key());
        }
        if let Err(why) = label_value(value) {
            problems.push(invalid(at.field(key), value, &why));
        }
    }
}

/// Checks the keys of annotations, and their size.
pub(crate) fn check_annotations(annotations: &Labels, at: &FieldPath, problems: &mut Problems) {
    for key in annotations.keys() {
        if let Err(why) = label_key(&key.to_lowercase()) {
            problems.push(invalid(at.field(key), key, &why).on_key());
        }
    }
    if annotations.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_ANNOTATIONS {
        let message = format!("Too long: may not be more than {MAX_ANNOTATIONS} bytes");
        problems.error(Code::Invalid, at.clone(), message);
    }
}

/// `Invalid value: "X": why`, as Kubernetes words a field that breaks a rule.
pub(crate) fn invalid(at: FieldPath, value: &str, why: &str) -> Problem {
    Problem::error(Code::Invalid, at, format!("Invalid value: \"{value}\": {why}"))
}

fn within(word: &str, max: usize) -> Verdict {
    if word.len() > max { Err(format!("must be no more than {max} characters").into()) } else { Ok(()) }
}

fn is_label(word: &str) -> bool {
    let bytes = word.as_bytes();
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    bytes.len() <= MAX_LABEL
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
}

fn is_word(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for good in ["cnn", "a.b-c.d", "1", &"a".repeat(63)] {
            assert_eq!(dns_subdomain(good), Ok(()), "{good}");
        }
        for bad in ["", "Cnn_3", "a..b", "-a", "a-", "a.", &"a".repeat(64), &"a.".repeat(200)] {
            assert!(dns_subdomain(bad).is_err(), "{bad}");
        }
        assert!(dns_1035_label("1a").is_err() && dns_label("1a").is_ok() && dns_label("a.b").is_err());
    }

    #[test]
    fn labels_follow_kubernetes() {
        for good in ["app", "app.kubernetes.io/name", "A_b.c-1"] {
            assert_eq!(label_key(good), Ok(()), "{good}");
        }
        for bad in ["", "/a", "a/", "a b", "A.io/x", "_a"] {
            assert!(label_key(bad).is_err(), "{bad}");
        }
        assert!(label_value("").is_ok() && label_value("a_1").is_ok() && label_value("a b").is_err());
    }
}
