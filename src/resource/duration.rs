//! Spans of time as manifests write them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A span of time, written as Go does: `30ms`, `1.5s`, `1h30m`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    /// Nanoseconds; may be negative.
    pub nanos: i64,
}

impl Duration {
    /// The span as the standard library has it; zero if it is negative.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.nanos).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME, Text)
    }
}

/// The type's name for serde, by which [`decode`](super::decode) knows that a duration is wanted.
pub(super) const NAME: &str = "Duration";

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"1.5s\"")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        match crate::expr::duration::parse(text) {
            Some(nanos) => Ok(Duration { nanos }),
            None => Err(E::custom(format!(
                "invalid duration \"{text}\": write a number and a unit, such as 30ms, 1.5s or 2h"
            ))),
        }
    }
}
