//! The eleven types of the attribute language, and values of them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::net::IpAddr;

use super::{Timestamp, duration, names};

/// A type of the language, as attribute manifests spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// UTF-8 text.
    String,
    /// Signed 64-bit integer.
    Int64,
    /// IEEE 754 double.
    Double,
    /// Truth value.
    Bool,
    /// Point in time.
    Timestamp,
    /// Span of time.
    Duration,
    /// IPv4 or IPv6 address; an IPv4 address equals its IPv4-mapped form.
    IpAddress,
    /// Host name, compared as IDNA does.
    DnsName,
    /// RFC 5322 addr-spec.
    EmailAddress,
    /// RFC 3986 reference.
    Uri,
    /// Text to text.
    StringMap,
}

impl ValueType {
    /// All of them.
    pub const ALL: [ValueType; 11] = [
        ValueType::String,
        ValueType::Int64,
        ValueType::Double,
        ValueType::Bool,
        ValueType::Timestamp,
        ValueType::Duration,
        ValueType::IpAddress,
        ValueType::DnsName,
        ValueType::EmailAddress,
        ValueType::Uri,
        ValueType::StringMap,
    ];

    /// The type of a [name](ValueType::name), spelled exactly so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }

    /// `STRING`, `INT64`, … as attribute manifests and messages spell it.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::String => "STRING",
            ValueType::Int64 => "INT64",
            ValueType::Double => "DOUBLE",
            ValueType::Bool => "BOOL",
            ValueType::Timestamp => "TIMESTAMP",
            ValueType::Duration => "DURATION",
            ValueType::IpAddress => "IP_ADDRESS",
            ValueType::DnsName => "DNS_NAME",
            ValueType::EmailAddress => "EMAIL_ADDRESS",
            ValueType::Uri => "URI",
            ValueType::StringMap => "STRING_MAP",
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A map of texts, looked into without copying it.
pub trait StringMap: fmt::Debug {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<&str>;
    /// Hands each key and value to `visit`, in any order.
    fn visit(&self, visit: &mut dyn FnMut(&str, &str));
}

impl StringMap for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<&str> {
        BTreeMap::get(self, key).map(String::as_str)
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &str)) {
        for (key, value) in self {
            visit(key, value);
        }
    }
}

/// A value, borrowed from the call, the program or the evaluation's scratch space.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// [`ValueType::String`].
    String(&'a str),
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
    /// [`ValueType::DnsName`], in the spelling it came in.
    DnsName(&'a str),
    /// [`ValueType::EmailAddress`].
    EmailAddress(&'a str),
    /// [`ValueType::Uri`].
    Uri(&'a str),
    /// [`ValueType::StringMap`].
    StringMap(&'a dyn StringMap),
}

impl ValueRef<'_> {
    /// Its type.
    pub fn value_type(&self) -> ValueType {
        match self {
            ValueRef::String(_) => ValueType::String,
            ValueRef::Int64(_) => ValueType::Int64,
            ValueRef::Double(_) => ValueType::Double,
            ValueRef::Bool(_) => ValueType::Bool,
            ValueRef::Timestamp(_) => ValueType::Timestamp,
            ValueRef::Duration(_) => ValueType::Duration,
            ValueRef::IpAddress(_) => ValueType::IpAddress,
            ValueRef::DnsName(_) => ValueType::DnsName,
            ValueRef::EmailAddress(_) => ValueType::EmailAddress,
            ValueRef::Uri(_) => ValueType::Uri,
            ValueRef::StringMap(_) => ValueType::StringMap,
        }
    }

    /// Whether two values are equal as `==` has it: IPv4 addresses equal their IPv4-mapped forms, times are compared by
    /// instant, host names, mail addresses and URIs by their own rules. `None` for two types, for DURATION and for
    /// STRING_MAP, which the language cannot compare.
    pub fn equals(&self, other: &ValueRef<'_>) -> Option<bool> {
        Some(match (self, other) {
            (ValueRef::String(a), ValueRef::String(b)) => a == b,
            (ValueRef::Int64(a), ValueRef::Int64(b)) => a == b,
            (ValueRef::Double(a), ValueRef::Double(b)) => a == b,
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a == b,
            (ValueRef::Timestamp(a), ValueRef::Timestamp(b)) => a == b,
            (ValueRef::IpAddress(a), ValueRef::IpAddress(b)) => a.to_canonical() == b.to_canonical(),
            (ValueRef::DnsName(a), ValueRef::DnsName(b)) => names::same_dns_name(a, b),
            (ValueRef::EmailAddress(a), ValueRef::EmailAddress(b)) => names::same_email(a, b),
            (ValueRef::Uri(a), ValueRef::Uri(b)) => names::same_uri(a, b),
            _ => return None,
        })
    }

    /// The order of two values as `<` has it: texts by bytes. `None` for two types, for types without order, and where
    /// a DOUBLE is not a number.
    pub fn compare(&self, other: &ValueRef<'_>) -> Option<Ordering> {
        match (self, other) {
            (ValueRef::Int64(a), ValueRef::Int64(b)) => Some(a.cmp(b)),
            (ValueRef::Double(a), ValueRef::Double(b)) => a.partial_cmp(b),
            (ValueRef::Timestamp(a), ValueRef::Timestamp(b)) => Some(a.cmp(b)),
            (ValueRef::String(a), ValueRef::String(b))
            | (ValueRef::DnsName(a), ValueRef::DnsName(b))
            | (ValueRef::EmailAddress(a), ValueRef::EmailAddress(b))
            | (ValueRef::Uri(a), ValueRef::Uri(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Appends the value as plain text: doubles as short as they can be (`2`), spans as Go prints them (`1.5s`), times
    /// as [`Timestamp::write_rfc3339_micros`], maps as `a=1&b=2` in order of their keys.
    pub fn write_text(&self, out: &mut String) {
        let written = match self {
            ValueRef::String(text) | ValueRef::DnsName(text) | ValueRef::EmailAddress(text) | ValueRef::Uri(text) => {
                out.push_str(text);
                Ok(())
            }
            ValueRef::Int64(number) => {
                out.push_str(itoa::Buffer::new().format(*number));
                Ok(())
            }
            ValueRef::Double(number) if number.is_infinite() => {
                out.push_str(if *number > 0.0 { "+Inf" } else { "-Inf" });
                Ok(())
            }
            ValueRef::Double(number) => write!(out, "{number}"),
            ValueRef::Bool(truth) => write!(out, "{truth}"),
            ValueRef::IpAddress(address) => write!(out, "{}", address.to_canonical()),
            ValueRef::Timestamp(time) => {
                time.write_rfc3339_micros(out);
                Ok(())
            }
            ValueRef::Duration(nanos) => {
                duration::write(*nanos, out);
                Ok(())
            }
            ValueRef::StringMap(map) => {
                write_pairs(*map, out);
                Ok(())
            }
        };
        written.expect("writing to a String does not fail");
    }
}

fn write_pairs(map: &dyn StringMap, out: &mut String) {
    for (position, (key, value)) in sorted(map).iter().enumerate() {
        if position > 0 {
            out.push('&');
        }
        out.push_str(key);
        out.push('=');
        out.push_str(value);
    }
}

/// The pairs of a map by the order of their keys.
pub(super) fn sorted(map: &dyn StringMap) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    map.visit(&mut |key, value| {
        pairs.insert(key.to_owned(), value.to_owned());
    });
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: ValueRef<'_>) -> String {
        let mut out = String::new();
        value.write_text(&mut out);
        out
    }

    #[test]
    fn an_ipv4_address_equals_its_mapped_form() {
        let ip = |text: &str| ValueRef::IpAddress(text.parse().unwrap());
        assert_eq!(ip("10.0.0.1").equals(&ip("::ffff:10.0.0.1")), Some(true));
        assert_eq!(ip("10.0.0.1").equals(&ip("::10.0.0.1")), Some(false));
        assert_eq!(text(ip("::ffff:10.0.0.1")), "10.0.0.1");
    }

    #[test]
    fn values_of_two_types_are_neither_equal_nor_ordered() {
        let (one, double) = (ValueRef::Int64(1), ValueRef::Double(1.0));
        assert_eq!(one.equals(&double), None);
        assert_eq!(one.compare(&double), None);
        assert_eq!(ValueRef::Duration(1).equals(&ValueRef::Duration(1)), None);
    }

    #[test]
    fn texts_are_ordered_by_bytes() {
        assert_eq!(ValueRef::String("B").compare(&ValueRef::String("a")), Some(Ordering::Less));
        assert_eq!(ValueRef::Uri("a").compare(&ValueRef::Uri("A")), Some(Ordering::Greater));
    }

    #[test]
    fn every_type_has_a_plain_text() {
        assert_eq!(text(ValueRef::Double(2.0)), "2");
        assert_eq!(text(ValueRef::Double(f64::NEG_INFINITY)), "-Inf");
        assert_eq!(text(ValueRef::Double(f64::NAN)), "NaN");
        assert_eq!(text(ValueRef::Duration(7_556_000)), "7.556ms");
        assert_eq!(text(ValueRef::Timestamp(Timestamp::ZERO)), "0001-01-01T00:00:00.000000Z");
        let map = BTreeMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]);
        assert_eq!(text(ValueRef::StringMap(&map)), "a=1&b=2");
    }
}
