//! Lists as providers write them.

use serde::Deserialize;

use super::List;
use crate::resource::kinds::listchecker::EntryType;

/// What a provider of addresses answers with, as YAML; the key is the same for a blacklist.
#[derive(Deserialize)]
struct Addresses {
    whitelist: Vec<String>,
}

/// Reads the body of a provider's answer: YAML for addresses, one entry a line for all else, with LF or CRLF at the end.
///
/// # Errors
/// Why it is no list.
pub fn read(entry_type: EntryType, body: &[u8]) -> Result<List, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not text in UTF-8")?;
    if text.contains('\0') {
        return Err("it is not text: it has a NUL".into());
    }
    // Some editors write a mark at the beginning, which belongs to no entry.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if entry_type == EntryType::IpAddresses {
        let addresses: Addresses = serde_yaml::from_str(text)
            .map_err(|error| format!("it is not YAML of the form `whitelist: [10.0.0.0/8, …]`: {error}"))?;
        return List::of(entry_type, addresses.whitelist.iter().map(String::as_str));
    }
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    List::of(entry_type, lines)
}
