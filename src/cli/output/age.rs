//! How long ago, in the words of a table's AGE column.

use jiff::Timestamp;

use crate::resource::Column;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The age of something made at `created` (RFC 3339), as Kubernetes servers print it: truncated, at most two units.
pub(crate) fn age(created: Option<&str>, now: Timestamp) -> String {
    let Some(created) = created.and_then(|text| text.parse::<Timestamp>().ok()) else { return "<unknown>".into() };
    match now.duration_since(created).as_secs() {
        // A clock that lags by a second is no reason to alarm anybody.
        ..-1 => "<invalid>".into(),
        seconds => in_words(seconds.max(0)),
    }
}

/// How long it is till a time (RFC 3339), in the same words; `Expired` where it is over.
pub(crate) fn left(end: &str, now: Timestamp) -> String {
    if end == Column::OVER {
        return end.to_owned();
    }
    let Ok(end) = end.parse::<Timestamp>() else { return "<unknown>".into() };
    match end.duration_since(now).as_secs() {
        _ if end <= now => Column::OVER.to_owned(),
        seconds => in_words(seconds),
    }
}

/// A length of time in seconds, with a second unit only while it matters.
pub(crate) fn in_words(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(seconds, (MINUTE, "m"), (1, "s")),
        600..10_800 => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(seconds, (HOUR, "h"), (MINUTE, "m")),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(seconds, (DAY, "d"), (HOUR, "h")),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ if seconds < 8 * YEAR => two(seconds, (YEAR, "y"), (DAY, "d")),
        _ => format!("{}y", seconds / YEAR),
    }
}

fn two(seconds: i64, (large, large_name): (i64, &str), (small, small_name): (i64, &str)) -> String {
    match (seconds / large, seconds % large / small) {
        (whole, 0) => format!("{whole}{large_name}"),
        (whole, rest) => format!("{whole}{large_name}{rest}{small_name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_truncated_to_the_units_that_matter() {
        let table = [
            (0, "0s"),
            (119, "119s"),
            (2 * MINUTE, "2m"),
            (5 * MINUTE + 10, "5m10s"),
            (5 * MINUTE, "5m"),
            (10 * MINUTE - 1, "9m59s"),
            (10 * MINUTE + 59, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (7 * HOUR + 5 * MINUTE + 59, "7h5m"),
            (8 * HOUR, "8h"),
            (48 * HOUR - 1, "47h"),
            (2 * DAY, "2d"),
            (7 * DAY + 3 * HOUR + 59 * MINUTE, "7d3h"),
            (8 * DAY + HOUR, "8d"),
            (729 * DAY + DAY - 1, "729d"),
            (2 * YEAR, "2y"),
            (2 * YEAR + 40 * DAY, "2y40d"),
            (8 * YEAR - 1, "7y364d"),
            (8 * YEAR, "8y"),
            (20 * YEAR + 364 * DAY, "20y"),
        ];
        for (seconds, expected) in table {
            assert_eq!(in_words(seconds), expected, "{seconds} seconds");
        }
    }

    #[test]
    fn a_clock_that_lags_a_second_is_no_fault_but_two_are() {
        let now: Timestamp = "2026-11-23T07:08:15Z".parse().expect("a valid time");
        assert_eq!(age(Some("2026-11-23T07:08:16Z"), now), "0s");
        assert_eq!(age(Some("2026-11-23T07:08:17Z"), now), "<invalid>");
        assert_eq!(age(Some("2026-11-23T07:03:05Z"), now), "5m10s");
    }

    #[test]
    fn what_is_left_is_told_until_it_is_over() {
        let now: Timestamp = "2026-11-23T07:08:15Z".parse().expect("a valid time");
        assert_eq!(left("2026-11-23T07:18:15Z", now), "10m");
        assert_eq!(left("2026-11-23T07:08:15Z", now), "Expired");
        assert_eq!(left("2026-11-23T07:00:00Z", now), "Expired");
        assert_eq!(left("Expired", now), "Expired");
        assert_eq!(left("soon", now), "<unknown>");
    }

    #[test]
    fn no_or_a_broken_timestamp_is_an_unknown_age() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(age(None, now), "<unknown>");
        assert_eq!(age(Some("yesterday"), now), "<unknown>");
    }
}
