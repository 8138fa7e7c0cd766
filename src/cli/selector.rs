//! Label selectors as they are typed: `app=sleep,tier!=db,env in (a, b),!old`.

use super::failure::Failure;
use crate::registry::{Requirement, Selector};

/// Reads a selector.
///
/// # Errors
/// The requirement that cannot be read.
pub(crate) fn parse(text: &str) -> Result<Selector, Failure> {
    let parts = split(text);
    if parts.len() == 1 && parts[0].is_empty() {
        return Ok(Selector::default());
    }
    parts.into_iter().map(requirement).collect::<Result<_, _>>().map(Selector)
}

/// Splits at commas that stand outside brackets.
fn split(text: &str) -> Vec<&str> {
    let mut inside = false;
    let parts = text.split(|c| {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    });
    parts.map(str::trim).collect()
}

fn requirement(text: &str) -> Result<Requirement, Failure> {
    let (name, rest) = match text.strip_prefix('!') {
        Some(absent) => return Ok(Requirement::Absent(key(absent, text)?)),
        None => text.split_at(text.find(|c: char| c.is_whitespace() || "=!(".contains(c)).unwrap_or(text.len())),
    };
    let key = key(name, text)?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Ok(Requirement::Exists(key));
    }
    if let Some(values) = rest.strip_prefix("notin") {
        return Ok(Requirement::NotIn(key, set(values, text)?));
    }
    if let Some(values) = rest.strip_prefix("in") {
        return Ok(Requirement::In(key, set(values, text)?));
    }
    match (rest.strip_prefix("!="), rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))) {
        (Some(other), _) => Ok(Requirement::NotIn(key, vec![value(other, text)?])),
        (None, Some(same)) => Ok(Requirement::In(key, vec![value(same, text)?])),
        (None, None) => Err(unreadable(text, "expected one of =, ==, !=, in, notin")),
    }
}

fn set(text: &str, whole: &str) -> Result<Vec<String>, Failure> {
    let inner = text.trim().strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let inner = inner.ok_or_else(|| unreadable(whole, "expected values in brackets"))?;
    inner.split(',').map(|one| value(one, whole)).collect()
}

fn key(text: &str, whole: &str) -> Result<String, Failure> {
    let text = text.trim();
    let valid = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if valid { Ok(text.to_owned()) } else { Err(unreadable(whole, "expected a label's key")) }
}

fn value(text: &str, whole: &str) -> Result<String, Failure> {
    let text = text.trim();
    let valid = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if valid { Ok(text.to_owned()) } else { Err(unreadable(whole, "expected a label's value")) }
}

fn unreadable(requirement: &str, why: &str) -> Failure {
    Failure::client(format!("unable to parse requirement: found '{requirement}', {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_of_requirement_is_read() {
        let one = |value: &str| vec![value.to_owned()];
        let table = [
            ("", vec![]),
            ("app=sleep", vec![Requirement::In("app".into(), one("sleep"))]),
            ("app == sleep", vec![Requirement::In("app".into(), one("sleep"))]),
            ("app!=sleep", vec![Requirement::NotIn("app".into(), one("sleep"))]),
            ("app", vec![Requirement::Exists("app".into())]),
            ("!app", vec![Requirement::Absent("app".into())]),
            (
                "env in (a, b),tier notin (db),istio-mixer-type=telemetry",
                vec![
                    Requirement::In("env".into(), vec!["a".into(), "b".into()]),
                    Requirement::NotIn("tier".into(), one("db")),
                    Requirement::In("istio-mixer-type".into(), one("telemetry")),
                ],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).expect(text), Selector(expected), "{text}");
        }
    }

    #[test]
    fn unreadable_requirements_are_refused() {
        for text in ["=x", "a=b=c", "a in b", "a (b)", "a,,b", "a~b", "a in (b", "!"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_selector_panics(text in "[a-c=!(), in]{0,20}|\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
