//! Host names in Istio's resources: what is valid, which cover which.

/// Longest domain name, in bytes.
const MAX_DOMAIN: usize = 255;
/// Longest label, in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// Whether a text is a domain name, perhaps with a wildcard in its first label: `*`, `*.cnn.com`, `*cnn.com`. Letter
/// case does not matter; one trailing dot is allowed; ports, schemes and underscores are not.
///
/// # Errors
/// The fault, in Istio's words.
pub fn wildcard_domain(name: &str) -> Result<(), String> {
    let first = name.split('.').next().unwrap_or_default();
    let plain = first.strip_prefix("*-").or_else(|| first.strip_prefix('*')).unwrap_or(first);
    let wild = first == "*" || (plain.len() < first.len() && first.len() <= MAX_LABEL && is_label(plain));
    // A short name may be a number, a top level domain not.
    let short = first.len() == name.len() && is_label(first);
    labels(name, usize::from(wild || short))
}

/// Whether a text is a domain name without wildcard.
///
/// # Errors
/// The fault, in Istio's words.
pub fn domain(name: &str) -> Result<(), String> {
    labels(name, 0)
}

/// Whether a name has a wildcard.
pub fn is_wildcard(name: &str) -> bool {
    name.starts_with('*')
}

/// Whether a name has a wildcard that does not stand for whole labels: `*cnn.com`.
pub fn is_partial_wildcard(name: &str) -> bool {
    is_wildcard(name) && name != "*" && !name.starts_with("*.")
}

/// Whether every name that `narrow` covers is covered by `wide`. `*.cnn.com` covers any number of labels, but not
/// `cnn.com`.
pub fn is_subset(narrow: &str, wide: &str) -> bool {
    match (narrow.strip_prefix('*'), wide.strip_prefix('*')) {
        (Some(narrow), Some(wide)) => narrow.ends_with(wide),
        (None, Some(wide)) => narrow.ends_with(wide),
        (Some(_), None) => false,
        (None, None) => narrow == wide,
    }
}

/// Checks all labels of a domain name but the first `skip`.
fn labels(name: &str, skip: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err("empty domain name not allowed".into());
    }
    if name.len() > MAX_DOMAIN {
        return Err(format!("domain name \"{name}\" too long (max {MAX_DOMAIN})"));
    }
    let labels: Vec<&str> = name.split('.').collect();
    let last = labels.last().copied().unwrap_or_default();
    if labels.len() > skip && !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("domain name \"{name}\" invalid (top level domain \"{last}\" cannot be all-numeric)"));
    }
    let rooted = usize::from(labels.len() > 1 && last.is_empty());
    match labels[..labels.len() - rooted].iter().skip(skip).find(|label| !is_label(label)) {
        Some(label) => Err(format!("domain name \"{name}\" invalid (label \"{label}\" invalid)")),
        None => Ok(()),
    }
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    bytes.len() <= MAX_LABEL
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn istio_s_forms_of_host_names_are_valid() {
        for good in
            ["*", "*.cnn.com", "*cnn.com", "*-cnn.com", "edition.cnn.com", "cnn.com.", "short", "A-1.b2c", "123"]
        {
            assert_eq!(wildcard_domain(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for bad in ["", ".", "a.*.com", "a*", "**", "http://a.com", "a.com:80", "a_b.com", "-a.com", "a..b", "1.2.3.4"]
        {
            assert!(wildcard_domain(bad).is_err(), "{bad}");
        }
        assert_eq!(wildcard_domain("a_b.com").unwrap_err(), "domain name \"a_b.com\" invalid (label \"a_b\" invalid)");
        assert!(domain("*.a.com").is_err() && domain("123").is_err());
        assert!(wildcard_domain(&"a".repeat(64)).is_err() && wildcard_domain(&format!("*{}", "a".repeat(63))).is_err());
    }

    #[test]
    fn a_wildcard_covers_names_under_it_but_not_the_domain() {
        assert!(is_subset("a.b.cnn.com", "*.cnn.com"));
        assert!(!is_subset("cnn.com", "*.cnn.com"));
        assert!(is_subset("*.b.cnn.com", "*.cnn.com") && !is_subset("*.cnn.com", "*.b.cnn.com"));
        assert!(!is_subset("*.cnn.com", "a.cnn.com") && is_subset("a", "*"));
    }
}
