//! Points in time as they are typed: a length of time ago, or RFC 3339.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::expr::duration;

/// Nanoseconds of a day, which Go's durations do not know.
const DAY: i64 = 86_400_000_000_000;

/// Reads a length of time as Go does, and days: `90s`, `1h30m`, `2d`, `1d12h`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn length(text: &str) -> Result<SignedDuration, String> {
    let days = text.split_once('d').filter(|(days, _)| !days.is_empty() && days.bytes().all(|b| b.is_ascii_digit()));
    let nanoseconds = match days {
        None => duration::parse(text),
        Some((days, rest)) => days.parse::<i64>().ok().and_then(|days| {
            let rest = if rest.is_empty() { 0 } else { duration::parse(rest)? };
            days.checked_mul(DAY)?.checked_add(rest)
        }),
    };
    match nanoseconds {
        Some(nanoseconds) if nanoseconds >= 0 => Ok(SignedDuration::from_nanos(nanoseconds)),
        Some(_) => Err("must not be negative".into()),
        None => Err("must be a duration such as 90s, 10m, 1h30m or 2d".into()),
    }
}

/// Reads an RFC 3339 time.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn point(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "must be an RFC 3339 time, such as 2018-06-18T13:22:58Z".to_owned())
}

/// A length of time before a moment.
pub(crate) fn ago(now: Timestamp, length: SignedDuration) -> Timestamp {
    now.checked_sub(length).unwrap_or(Timestamp::MIN)
}

/// A length of time as Istio writes it: `1m30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let nanos = crate::expr::duration::parse(text).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| String::from("expected a duration such as 30s or 1m30s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_unit_besides_gos() {
        let hours = |hours| Ok(SignedDuration::from_hours(hours));
        assert_eq!(length("2d"), hours(48));
        assert_eq!(length("1d12h"), hours(36));
        assert_eq!(length("90m"), Ok(SignedDuration::from_mins(90)));
        assert_eq!(length("-1s"), Err("must not be negative".into()));
        for text in ["", "d", "10", "1d2d", "x", "99999999999999999999d", "999999d999999h"] {
            assert!(length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn longer_ago_than_time_goes_back_is_the_beginning() {
        let length = SignedDuration::from_hours(24 * 100_000);
        assert!(ago(Timestamp::UNIX_EPOCH, length) < Timestamp::UNIX_EPOCH);
        assert_eq!(ago(Timestamp::MIN, length), Timestamp::MIN);
    }
}
