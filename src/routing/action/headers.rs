//! Changes of headers: what is removed, then what is replaced, then what is added.

use std::fmt::Write as _;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::call::Call;
use crate::resource::kinds::virtual_service::{
    FormatPart, HeaderOperations, Variable, format_parts, frames_message, is_authority,
};

/// Changes, in the order in which they are made.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct HeaderEdits(Vec<Edit>);

#[derive(Debug, Clone)]
struct Edit {
    name: HeaderName,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    Remove,
    Set(Value),
    Append(Value),
}

/// A value, ready or to be made for each call.
#[derive(Debug, Clone)]
enum Value {
    Fixed(HeaderValue),
    Made(Vec<FormatPart>),
}

impl HeaderEdits {
    /// What one set of operations asks for; several are joined as Envoy does for a route and its only destination: all
    /// removals first, then the changes of each in turn.
    pub(in super::super) fn compile<'o>(operations: impl IntoIterator<Item = &'o HeaderOperations> + Clone) -> Self {
        let removed = operations.clone().into_iter().flat_map(|operations| &operations.remove);
        let mut edits: Vec<_> = removed.filter_map(|name| edit(name, Some(Change::Remove))).collect();
        for HeaderOperations { set, add, .. } in operations {
            edits.extend(set.iter().filter_map(|(name, text)| edit(name, value(text).map(Change::Set))));
            edits.extend(add.iter().filter_map(|(name, text)| edit(name, value(text).map(Change::Append))));
        }
        Self(edits)
    }

    /// These, then others.
    pub(in super::super) fn then(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// These, of calls to a cluster.
    pub(in super::super) fn for_cluster(mut self, name: &str) -> Self {
        for Edit { change, .. } in &mut self.0 {
            if let Change::Set(Value::Made(parts)) | Change::Append(Value::Made(parts)) = change {
                let named = parts.iter_mut().filter(|part| **part == FormatPart::Value(Variable::UpstreamCluster));
                named.for_each(|part| *part = FormatPart::Text(name.to_owned()));
            }
        }
        self
    }

    /// Whether there are none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes the changes.
    pub(in super::super) fn apply(&self, call: &Call, headers: &mut HeaderMap) {
        for Edit { name, change } in &self.0 {
            match change {
                Change::Remove => {
                    headers.remove(name);
                }
                Change::Set(value) => {
                    if let Some(value) = value.of(call) {
                        headers.insert(name, value);
                    }
                }
                Change::Append(value) => {
                    if let Some(value) = value.of(call) {
                        headers.append(name, value);
                    }
                }
            }
        }
    }
}

/// A change, unless it is one of the authority, which is no header here, or of the message's framing.
fn edit(name: &str, change: Option<Change>) -> Option<Edit> {
    if is_authority(name) || frames_message(name) {
        return None;
    }
    Some(Edit { name: name.parse().ok()?, change: change? })
}

fn value(text: &str) -> Option<Value> {
    let parts = format_parts(text);
    match parts.as_slice() {
        // Envoy leaves out headers without value.
        [] => None,
        [FormatPart::Text(text)] => HeaderValue::from_str(text).ok().map(Value::Fixed),
        _ => Some(Value::Made(parts)),
    }
}

impl Value {
    fn of(&self, call: &Call) -> Option<HeaderValue> {
        let parts = match self {
            Value::Fixed(value) => return Some(value.clone()),
            Value::Made(parts) => parts,
        };
        let mut text = String::new();
        for part in parts {
            match part {
                FormatPart::Text(fixed) => text.push_str(fixed),
                FormatPart::Value(variable) => write(&mut text, variable, call),
                FormatPart::Unknown(_) => {}
            }
        }
        HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
    }
}

fn write(text: &mut String, variable: &Variable, call: &Call) {
    match variable {
        Variable::StartTime => {
            call.time().write_rfc3339_micros(text);
            // Envoy writes milliseconds.
            text.truncate(text.len() - "000Z".len());
            text.push('Z');
        }
        Variable::Protocol => text.push_str("HTTP/1.1"),
        // Of what is sent nowhere there is none.
        Variable::UpstreamCluster => {}
        Variable::RemoteAddress => {
            let _ = write!(text, "{}", call.peer());
        }
        Variable::RequestHeader { name, otherwise, limit } => {
            let found = request_header(call, name)
                .or_else(|| otherwise.as_deref().and_then(|otherwise| request_header(call, otherwise)));
            let found = found.unwrap_or_default();
            let bytes = limit.unwrap_or(found.len());
            text.push_str(found.get(..bytes).unwrap_or(found));
        }
    }
}

fn request_header<'c>(call: &'c Call, name: &str) -> Option<&'c str> {
    match name {
        ":authority" | "host" => Some(call.authority().as_str()),
        ":path" => Some(call.path_and_query().as_str()),
        ":method" => Some(call.method().as_str()),
        name => call.headers().get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::routing::testing::call_to;

    fn operations(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> HeaderOperations {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<_, _> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        HeaderOperations { set: map(set), add: map(add), remove: remove.iter().map(|name| (*name).into()).collect() }
    }

    fn applied(edits: &HeaderEdits) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-b", "2"), ("content-length", "3")] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        edits.apply(&call_to("http://a.com:81/p?q"), &mut headers);
        let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
        let mut all: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        all.sort();
        all
    }

    #[test]
    fn what_is_removed_is_gone_before_anything_is_set_and_added() {
        let edits =
            HeaderEdits::compile([&operations(&[("x-a", "s")], &[("x-a", "t"), ("x-c", "c")], &["x-b", "x-c"])]);
        let expected = [("content-length", "3"), ("x-a", "s"), ("x-a", "t"), ("x-c", "c")];
        assert_eq!(applied(&edits), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn values_are_format_strings_and_framing_is_left_alone() {
        let edits = HeaderEdits::compile([&operations(
            &[("x-a", "100%% of %REQ(X-B)% at %REQ(:path):3%"), ("content-length", "9"), ("host", "b.com")],
            &[("x-n", "%UPSTREAM_HOST%"), ("x-e", ""), ("x-u", "%UPSTREAM_CLUSTER%")],
            &["content-length"],
        )]);
        let expected = vec![("content-length", "3"), ("x-a", "100% of  at /p?"), ("x-b", "2")];
        let owned = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(applied(&edits), owned(&expected));
        let name = "outbound|80||a.example";
        assert_eq!(applied(&edits.for_cluster(name)), owned(&[&expected[..], &[("x-u", name)]].concat()));
    }
}
