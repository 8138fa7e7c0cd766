//! `--sort-by`.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::jsonpath::Query;
use crate::cli::failure::Failure;
use crate::resource::Resource;

/// Sorts resources by the value at a path; those without one come first, equal ones keep their order.
///
/// # Errors
/// The path cannot be read, or no resource has it.
pub(crate) fn sort_by(path: &str, resources: Vec<Resource>) -> Result<Vec<Resource>, Failure> {
    let query = Query::parse(path).map_err(|error| Failure::client(error.to_string()))?;
    let mut keyed = Vec::with_capacity(resources.len());
    for resource in resources {
        let tree = resource.to_json();
        let found = query.find(&tree).map_err(|error| Failure::client(error.to_string()))?;
        let key = found.first().map(|value| (*value).clone());
        keyed.push((key, resource));
    }
    if !keyed.is_empty() && keyed.iter().all(|(key, _)| key.is_none()) {
        return Err(Failure::client(format!("couldn't find any field with path \"{path}\" in the list of objects")));
    }
    keyed.sort_by(|(a, _), (b, _)| order(a.as_ref(), b.as_ref()));
    Ok(keyed.into_iter().map(|(_, resource)| resource).collect())
}

/// Numbers by value, texts naturally, other values as their JSON; mixed types by type, so that the order is total.
fn order(a: Option<&Json>, b: Option<&Json>) -> Ordering {
    let rank = |value: Option<&Json>| match value {
        None | Some(Json::Null) => 0,
        Some(Json::Number(_)) => 1,
        Some(Json::String(_)) => 2,
        Some(_) => 3,
    };
    match (a, b) {
        (Some(Json::Number(a)), Some(Json::Number(b))) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or_default().total_cmp(&b.as_f64().unwrap_or_default()),
        },
        (Some(Json::String(a)), Some(Json::String(b))) => natural(a, b),
        (Some(a), Some(b)) if rank(Some(a)) == 3 && rank(Some(b)) == 3 => a.to_string().cmp(&b.to_string()),
        (a, b) => rank(a).cmp(&rank(b)),
    }
}

/// Texts with the runs of digits in them compared by value: `node9` before `node10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (pieces(a), pieces(b));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => piece_order(a, b),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Runs of digits, and runs of anything else.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (piece, others) = rest.split_at(end);
        rest = others;
        (!piece.is_empty()).then_some(piece)
    })
}

fn piece_order(a: &str, b: &str) -> Ordering {
    let number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    if number(a) && number(b) {
        let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
        return a.len().cmp(&b.len()).then_with(|| a.cmp(b));
    }
    a.cmp(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn digits_in_names_count_by_value() {
        assert_eq!(natural("node9", "node10"), Ordering::Less);
        assert_eq!(natural("a-2-b", "a-2-a"), Ordering::Greater);
        assert_eq!(natural("a", "a1"), Ordering::Less);
    }

    #[test]
    fn missing_values_come_first_and_numbers_are_no_text() {
        assert_eq!(order(None, Some(&json!(1))), Ordering::Less);
        assert_eq!(order(Some(&json!(9)), Some(&json!(10))), Ordering::Less);
    }

    proptest! {
        #[test]
        fn the_natural_order_is_total(a in "[a0-2]{0,6}", b in "[a0-2]{0,6}", c in "[a0-2]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }
}
