//! A value that owns what it holds: what a person or a program types for an attribute, and the constants of programs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Timestamp, ValueRef, ValueType, duration, names};

/// A value of any type.
#[derive(Debug, Clone, PartialEq)]
pub enum OwnedValue {
    /// [`ValueType::String`].
    String(String),
    /// [`ValueType::Int64`].
    Int64(i64),
    /// [`ValueType::Double`].
    Double(f64),
    /// [`ValueType::Bool`].
    Bool(bool),
    /// [`ValueType::Timestamp`].
    Timestamp(Timestamp),
    /// [`ValueType::Duration`] in nanoseconds.
    Duration(i64),
    /// [`ValueType::IpAddress`].
    IpAddress(IpAddr),
    /// [`ValueType::DnsName`].
    DnsName(String),
    /// [`ValueType::EmailAddress`].
    EmailAddress(String),
    /// [`ValueType::Uri`].
    Uri(String),
    /// [`ValueType::StringMap`].
    StringMap(BTreeMap<String, String>),
}

impl OwnedValue {
    /// Reads the text of a value: `true`, `5`, `1.5`, a time of RFC 3339, a span of Go, an address. `None` for what is
    /// no value of the type, and for a STRING_MAP, which has no text.
    pub fn parse(of: ValueType, text: &str) -> Option<Self> {
        let checked = |valid: bool| valid.then(|| text.to_owned());
        match of {
            ValueType::String => Some(Self::String(text.to_owned())),
            ValueType::Int64 => text.parse().ok().map(Self::Int64),
            ValueType::Double => text.parse().ok().map(Self::Double),
            ValueType::Bool => text.parse().ok().map(Self::Bool),
            ValueType::Timestamp => Timestamp::parse_rfc3339(text).map(Self::Timestamp),
            ValueType::Duration => duration::parse(text).map(Self::Duration),
            ValueType::IpAddress => text.parse().ok().map(Self::IpAddress),
            ValueType::DnsName => names::dns_name(text).map(|name| Self::DnsName(name.into_owned())),
            ValueType::EmailAddress => checked(names::is_email(text)).map(Self::EmailAddress),
            ValueType::Uri => checked(names::is_uri(text)).map(Self::Uri),
            ValueType::StringMap => None,
        }
    }

    /// The value, borrowed.
    pub fn value(&self) -> ValueRef<'_> {
        match self {
            Self::String(text) => ValueRef::String(text),
            Self::Int64(number) => ValueRef::Int64(*number),
            Self::Double(number) => ValueRef::Double(*number),
            Self::Bool(truth) => ValueRef::Bool(*truth),
            Self::Timestamp(time) => ValueRef::Timestamp(*time),
            Self::Duration(nanos) => ValueRef::Duration(*nanos),
            Self::IpAddress(address) => ValueRef::IpAddress(*address),
            Self::DnsName(text) => ValueRef::DnsName(text),
            Self::EmailAddress(text) => ValueRef::EmailAddress(text),
            Self::Uri(text) => ValueRef::Uri(text),
            Self::StringMap(map) => ValueRef::StringMap(map),
        }
    }
}

impl From<ValueRef<'_>> for OwnedValue {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::String(text) => Self::String(text.into()),
            ValueRef::Int64(number) => Self::Int64(number),
            ValueRef::Double(number) => Self::Double(number),
            ValueRef::Bool(truth) => Self::Bool(truth),
            ValueRef::Timestamp(time) => Self::Timestamp(time),
            ValueRef::Duration(nanos) => Self::Duration(nanos),
            ValueRef::IpAddress(address) => Self::IpAddress(address),
            ValueRef::DnsName(text) => Self::DnsName(text.into()),
            ValueRef::EmailAddress(text) => Self::EmailAddress(text.into()),
            ValueRef::Uri(text) => Self::Uri(text.into()),
            ValueRef::StringMap(map) => {
                let mut owned = BTreeMap::new();
                map.visit(&mut |key, value| drop(owned.insert(key.to_owned(), value.to_owned())));
                Self::StringMap(owned)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_by_its_type() {
        for (of, good, bad) in [
            (ValueType::Int64, "-5", "5.0"),
            (ValueType::Double, "1.5", "x"),
            (ValueType::Bool, "true", "yes"),
            (ValueType::Timestamp, "2018-06-18T13:22:58Z", "2018-06-18"),
            (ValueType::Duration, "10ms", "10"),
            (ValueType::IpAddress, "::1", "10.1.12"),
            (ValueType::DnsName, "cnn.com.", "a..b"),
            (ValueType::EmailAddress, "a@x.org", "a"),
            (ValueType::Uri, "/a", ""),
        ] {
            assert_eq!(OwnedValue::parse(of, good).map(|value| value.value().value_type()), Some(of), "{good}");
            assert_eq!(OwnedValue::parse(of, bad), None, "{bad}");
        }
        assert_eq!(OwnedValue::parse(ValueType::String, ""), Some(OwnedValue::String(String::new())));
        assert_eq!(OwnedValue::parse(ValueType::StringMap, "{}"), None);
    }
}
