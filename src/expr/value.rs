//! The eleven types of the attribute language, and values of them.

use std::fmt;
use std::net::IpAddr;

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

/// A point in time: seconds since 1970 and nanoseconds within the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub seconds: i64,
    /// 0 to 999,999,999, counted forward from `seconds`.
    pub nanos: u32,
}

impl Timestamp {
    /// Year 1, January 1st: what Mixer prints where a logentry has no `timestamp`.
    pub const ZERO: Timestamp = Timestamp { seconds: -62_135_596_800, nanos: 0 };

    /// Microseconds since 1970, rounded down.
    pub fn micros(self) -> i64 {
        self.seconds.saturating_mul(1_000_000).saturating_add(i64::from(self.nanos / 1_000))
    }

    /// The point so many microseconds after (or, negative, before) 1970.
    pub fn from_micros(micros: i64) -> Self {
        let nanos = u32::try_from(micros.rem_euclid(1_000_000)).expect("a remainder below a million fits") * 1_000;
        Self { seconds: micros.div_euclid(1_000_000), nanos }
    }
}

/// A map of texts, looked into without copying it.
pub trait StringMap: fmt::Debug {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<&str>;
    /// Hands each key and value to `visit`, in any order.
    fn visit(&self, visit: &mut dyn FnMut(&str, &str));
}

impl StringMap for std::collections::BTreeMap<String, String> {
    fn get(&self, key: &str) -> Option<&str> {
        std::collections::BTreeMap::get(self, key).map(String::as_str)
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
}
