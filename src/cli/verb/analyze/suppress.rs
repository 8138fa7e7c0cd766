//! `-S CODE=KIND NAME.NAMESPACE`: findings that are known and meant.

use crate::analysis::{CODES, Finding};
use crate::cli::context::Context;
use crate::cli::failure::Failure;

/// A code, and the resources for which it is left out.
#[derive(Debug)]
pub(super) struct Suppression {
    code: String,
    /// `KIND NAME.NAMESPACE`, in which `*` stands for anything.
    resource: String,
}

/// Reads suppressions; of codes that do not exist a warning is given.
///
/// # Errors
/// A text that is none.
pub(super) fn read(texts: &[String], context: &mut Context) -> Result<Vec<Suppression>, Failure> {
    let mut read = Vec::with_capacity(texts.len());
    for text in texts {
        let Some((code, resource)) = text.split_once('=').filter(|(_, resource)| !resource.contains('=')) else {
            let message = format!("{text} is not a valid suppression value. See egressctl analyze --help");
            return Err(Failure::client(message));
        };
        if !CODES.iter().any(|known| known.name == code) {
            context.say(&format!(
                "Warning: Supplied message code '{code}' is an unknown message code and will not have any effect."
            ))?;
        }
        read.push(Suppression { code: code.to_owned(), resource: resource.to_owned() });
    }
    Ok(read)
}

impl Suppression {
    /// Whether a finding is one of those.
    pub(super) fn covers(&self, finding: &Finding) -> bool {
        let key = &finding.key;
        let namespace = key.namespace.as_ref().map(|namespace| format!(".{namespace}")).unwrap_or_default();
        self.code == finding.code.name && fits(&self.resource, &format!("{} {}{namespace}", key.kind.name, key.name))
    }
}

/// Whether a text is one that a pattern stands for.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, fitting) in [
            ("Gateway a.default", true),
            ("Gateway *.default", true),
            ("Gateway *", true),
            ("*a.default", true),
            ("G*a*t", true),
            ("Gateway b.default", false),
            ("Gateway *.other", false),
            ("Gateway a.default.x", false),
        ] {
            assert_eq!(fits(pattern, "Gateway a.default"), fitting, "{pattern}");
        }
    }
}
