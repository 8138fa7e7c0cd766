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

    /// What is shown of a path with its query; nothing if that is all of it.
    pub fn path(self, target: &str) -> Option<String> {
        match (self, target.split_once('?')) {
            (Redact::All, _) => Some(REDACTED.to_owned()),
            (Redact::Query, Some((path, _))) => Some(format!("{path}?{REDACTED}")),
            (Redact::None, _) | (Redact::Query, None) => None,
        }
    }
}

/// Whether the value of a header, or of a field, of this name lets whoever reads it act as its sender.
pub fn is_credential(name: &str) -> bool {
    const PARTS: [&str; 10] =
        ["token", "secret", "api-key", "apikey", "password", "auth", "session", "credential", "referer", "cookie"];
    let name = name.to_ascii_lowercase().replace('_', "-");
    PARTS.iter().any(|part| name.contains(part))
}
