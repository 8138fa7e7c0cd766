//! Points in time, and the two texts they have: RFC 3339 with a zone to read, UTC with six decimals to write.

use std::fmt::Write;

const SECONDS_PER_DAY: i64 = 86_400;

/// Days from 0000-03-01, where the count of leap days starts, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// Days of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;

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

    /// Reads `2018-06-18T13:22:58.317448+02:00` as RFC 3339 section 5.6 has it, letters in upper case and a zone
    /// required; `None` for anything else. Decimals past the ninth are dropped; leap seconds are refused.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let (date_time, rest) = text.split_at_checked("2006-01-02T15:04:05".len())?;
        let [year, month, day] = fields(&date_time[..10], [4, 2, 2], b'-')?;
        let [hour, minute, second] = fields(&date_time[11..], [2, 2, 2], b':')?;
        let in_range = (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
        if date_time[10] != b'T' || !in_range || !(1..=days_in_month(year, month)).contains(&day) {
            return None;
        }
        let (nanos, zone) = fraction(rest)?;
        let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second;
        Some(Self { seconds: seconds - zone_seconds(zone)?, nanos })
    }

    /// Appends `2018-06-18T13:22:58.317448Z`: always UTC, always six decimals, as Istio's log lines have it.
    pub fn write_rfc3339_micros(&self, out: &mut String) {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(SECONDS_PER_DAY));
        let second = self.seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let micros = i64::from(self.nanos / 1_000);
        if !(0..10_000).contains(&year) {
            write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
                .expect("writing to a String does not fail");
            return;
        }
        // Every line of the log has a time: writing the digits takes a twentieth of what formatting does.
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let pairs = [
            year / 100,
            year % 100,
            month,
            day,
            hour,
            minute,
            second,
            micros / 10_000,
            micros / 100 % 100,
            micros % 100,
        ];
        for (place, pair) in [0, 2, 5, 8, 11, 14, 17, 20, 22, 24].into_iter().zip(pairs) {
            // All of them are below a hundred.
            let pair = pair as u8;
            text[place..place + 2].copy_from_slice(&[b'0' + pair / 10, b'0' + pair % 10]);
        }
        out.push_str(std::str::from_utf8(&text).expect("digits are ASCII"));
    }

    /// Appends the time in UTC with as many decimals as it takes, none for a whole second: `2018-06-18T13:22:58.5Z`.
    pub fn write_rfc3339(&self, out: &mut String) {
        let whole = Self { seconds: self.seconds, nanos: 0 };
        whole.write_rfc3339_micros(out);
        out.truncate(out.len() - ".000000Z".len());
        if self.nanos > 0 {
            let decimals = format!(".{:09}", self.nanos);
            out.push_str(decimals.trim_end_matches('0'));
        }
        out.push('Z');
    }
}

/// Three numbers of fixed widths with a separator between them.
fn fields(text: &[u8], widths: [usize; 3], separator: u8) -> Option<[i64; 3]> {
    let mut parts = text.split(|&byte| byte == separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        *number = digits(parts.next().filter(|part| part.len() == width)?)?;
    }
    parts.next().is_none().then_some(numbers)
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0_i64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Nanoseconds of `.317448`, if there is one, and what follows it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some(after_point) = text.strip_prefix(b".") else { return Some((0, text)) };
    let length = after_point.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (decimals, rest) = after_point.split_at(length);
    let digit_at = |place: usize| decimals.get(place).map_or(0, |byte| u32::from(byte - b'0'));
    let nanos = (0..9).fold(0, |nanos, place| nanos * 10 + digit_at(place));
    (length > 0).then_some((nanos, rest))
}

/// Seconds that a zone (`Z`, `+02:00`) is ahead of UTC.
fn zone_seconds(zone: &[u8]) -> Option<i64> {
    let (sign, offset) = match zone {
        b"Z" => return Some(0),
        [b'+', offset @ ..] => (1, offset),
        [b'-', offset @ ..] => (-1, offset),
        _ => return None,
    };
    let [h1, h2, b':', m1, m2] = offset else { return None };
    let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970 of a date of the Gregorian calendar. Years are counted from March, so that the leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970
}

/// Year, month and day of a number of days since 1970; undoes [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    // The day of the era less the leap days before it, in years: one leap day each 1,460 days but not each 36,524,
    // and again on the era's last.
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(timestamp: Timestamp) -> String {
        let mut out = String::new();
        timestamp.write_rfc3339_micros(&mut out);
        out
    }

    #[test]
    fn times_are_written_in_utc_with_six_decimals() {
        let time = |seconds, nanos| written(Timestamp { seconds, nanos });
        assert_eq!(time(1_529_328_178, 317_448_000), "2018-06-18T13:22:58.317448Z");
        assert_eq!(time(1_529_328_178, 317_448_999), "2018-06-18T13:22:58.317448Z");
        assert_eq!(time(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(-1, 500_000_000), "1969-12-31T23:59:59.500000Z");
        assert_eq!(time(951_782_400, 0), "2000-02-29T00:00:00.000000Z");
        assert_eq!(written(Timestamp::ZERO), "0001-01-01T00:00:00.000000Z");
    }

    #[test]
    fn the_short_form_has_no_more_decimals_than_it_takes() {
        for text in ["2018-06-18T13:22:58Z", "2018-06-18T13:22:58.5Z", "2018-06-18T13:22:58.000000001Z"] {
            let mut out = String::new();
            Timestamp::parse_rfc3339(text).unwrap().write_rfc3339(&mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn a_time_reads_as_the_same_instant_in_every_zone() {
        let utc = Timestamp::parse_rfc3339("2018-06-18T13:22:58.317448Z").unwrap();
        assert_eq!(utc, Timestamp { seconds: 1_529_328_178, nanos: 317_448_000 });
        assert_eq!(Timestamp::parse_rfc3339("2018-06-18T15:22:58.317448+02:00"), Some(utc));
        assert_eq!(Timestamp::parse_rfc3339("2018-06-18T07:52:58.317448000999-05:30"), Some(utc));
        assert!(Timestamp::parse_rfc3339("9999-12-31T23:59:59Z").is_some());
        assert!(Timestamp::parse_rfc3339("2000-02-29T00:00:00Z").is_some());
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2018-06-18",
            "2018-06-18T13:22:58",
            "2018-06-18 13:22:58Z",
            "2018-06-18t13:22:58z",
            "2018-6-18T13:22:58Z",
            "2018-13-18T13:22:58Z",
            "2018-02-29T13:22:58Z",
            "1900-02-29T00:00:00Z",
            "2018-06-00T13:22:58Z",
            "2018-06-18T24:00:00Z",
            "2018-06-18T13:60:58Z",
            "2018-06-18T13:22:60Z",
            "2018-06-18T13:22:58.Z",
            "2018-06-18T13:22:58+2",
            "2018-06-18T13:22:58+24:00",
            "2018-06-18T13:22:58Zx",
            "+018-06-18T13:22:58Z",
            "2018-06-18T13:22:5\u{ff18}Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(Timestamp::parse_rfc3339(&written(time)), Some(time));
            prop_assert_eq!(time.micros(), micros);
        }

        #[test]
        fn times_agree_with_a_calendar_library(seconds in -62_135_596_800_i64..253_402_200_000) {
            let theirs = jiff::Timestamp::from_second(seconds).unwrap();
            let ours = written(Timestamp { seconds, nanos: 0 });
            prop_assert_eq!(ours.replace(".000000", ""), theirs.to_string());
        }

        #[test]
        fn any_point_is_written_and_any_text_is_read_or_refused(seconds: i64, text in ".{0,40}") {
            written(Timestamp { seconds, nanos: 0 });
            let _ = Timestamp::parse_rfc3339(&text);
        }
    }
}
