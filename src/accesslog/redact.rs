//! What is left out of what is recorded.

/// Stands where something was left out.
pub const REDACTED: &str = "[redacted]";

/// What of a call is left out of what is recorded of it. Credentials always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Redact {
    /// Nothing else.
    None,
    /// The query.
    #[default]
    Query,
    /// The query, the path and the values of headers.
    All,
}

impl Redact {
    /// As flags and annotations spell them.
    pub const NAMES: [&'static str; 3] = ["none", "query", "all"];

    /// The one that is called so.
    pub fn by_name(name: &str) -> Option<Self> {
        let all = [Redact::None, Redact::Query, Redact::All];
        Self::NAMES.iter().position(|known| *known == name).map(|place| all[place])
    }

    /// What is shown of a path with its query; nothing if that is all of it. Of path parameters, as `;jsessionid=`, the
    /// values of those that are credentials by name are the query's equals.
    pub fn path(self, target: &str) -> Option<String> {
        // Most paths have nothing to leave out.
        if self == Redact::None || (self == Redact::Query && !target.contains(['?', ';', '%'])) {
            return None;
        }
        if self == Redact::All {
            return Some(REDACTED.to_owned());
        }
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let mut shown = path.to_owned();
        for value in path_credentials(path) {
            shown = shown.replace(value, REDACTED);
        }
        if query.is_some() {
            shown.push('?');
            shown.push_str(REDACTED);
        }
        Some(shown).filter(|shown| shown != target)
    }
}

/// The values of a path's parameters (RFC 3986 §3.3) that are credentials by their names.
pub fn path_credentials(path: &str) -> impl Iterator<Item = &str> {
    // Some origins read them with their `;` escaped as well.
    let parameters = path.split('/').flat_map(|segment| {
        let parts = segment.split(';').flat_map(|part| part.split("%3B"));
        parts.flat_map(|part| part.split("%3b")).skip(1)
    });
    let pairs = parameters.filter_map(|parameter| parameter.split_once('='));
    pairs.filter(|(name, value)| !value.is_empty() && is_credential(name)).map(|(_, value)| value)
}

/// Parts of the names, in lower case and with `-`, of what is a credential.
pub(super) const CREDENTIALS: [&str; 14] = [
    "token",
    "secret",
    "api-key",
    "apikey",
    "-key",
    "passw",
    "auth",
    "session",
    "credential",
    "referer",
    "cookie",
    "signature",
    "jwt",
    "raw-claims",
];

/// Whether the value of a header, a parameter, an attribute or a field of this name lets whoever reads it act as its
/// sender.
pub fn is_credential(name: &str) -> bool {
    let name = name.as_bytes();
    (0..name.len()).any(|at| CREDENTIALS.iter().any(|part| begins(&name[at..], part) && !is_no_proof(name, at)))
}

/// Whether a name goes on with a part, in whatever case, `_` being `-`.
fn begins(name: &[u8], part: &str) -> bool {
    let folded = name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() });
    name.len() >= part.len() && folded.zip(part.bytes()).all(|(found, wanted)| found == wanted)
}

/// Whether what stands at a place of a name is the authority, which is the host, or the beginning of what is known of a
/// proven caller, of which but the raw claims nothing is proof.
fn is_no_proof(name: &[u8], at: usize) -> bool {
    const KNOWN: &str = "request.auth.";
    begins(&name[at..], "authority")
        || at.checked_sub("request.".len()).is_some_and(|from| begins(&name[from..], KNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_names_however_those_are_spelled() {
        for name in [
            "Authorization",
            "X_API_KEY",
            "x-functions-key",
            "sessionId",
            "request.auth.raw_claims",
            "Passwd",
            "authority-token",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["", ":authority", "request.auth.principal", "x-team", "keyboard", "path"] {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn of_paths_the_query_and_the_credentials_among_their_parameters_are_left_out() {
        let query = |target| Redact::Query.path(target);
        assert_eq!(query("/a;jsessionid=S3/b?c=d").as_deref(), Some("/a;jsessionid=[redacted]/b?[redacted]"));
        assert_eq!(query("/a%3Bjsessionid=S3/b").as_deref(), Some("/a%3Bjsessionid=[redacted]/b"));
        assert_eq!(query("/a%3bjsessionid=S3;v=1").as_deref(), Some("/a%3bjsessionid=[redacted];v=1"));
        assert_eq!(query("/a;v=1%20"), None);
        assert_eq!(Redact::None.path("/a?b"), None);
        assert_eq!(Redact::All.path("/a").as_deref(), Some(REDACTED));
    }
}
