//! The time as heads of HTTP show it (RFC 9110 §5.6.7), rendered once a second.

use std::cell::Cell;

use crate::expr::Timestamp;

use super::super::exchange::now;

/// Bytes of a date: `Sun, 06 Nov 1994 08:49:37 GMT`.
const LENGTH: usize = 29;

/// The last date that was shown.
#[derive(Debug, Default)]
pub(crate) struct Date(Cell<(i64, [u8; LENGTH])>);

impl Date {
    /// Now.
    pub(super) fn now(&self) -> [u8; LENGTH] {
        self.at(now())
    }

    fn at(&self, time: Timestamp) -> [u8; LENGTH] {
        let (second, text) = self.0.get();
        if second == time.seconds && second != 0 {
            return text;
        }
        let text = rendered(time.seconds);
        self.0.set((time.seconds, text));
        text
    }
}

fn rendered(seconds: i64) -> [u8; LENGTH] {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let text = time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let mut bytes = [b' '; LENGTH];
    let length = text.len().min(LENGTH);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_one_form_that_is_sent() {
        let (date, time) = (Date::default(), |seconds| Timestamp { seconds, nanos: 0 });
        for _ in 0..2 {
            assert_eq!(&date.at(time(784_111_777)), b"Sun, 06 Nov 1994 08:49:37 GMT");
        }
        assert_eq!(&date.at(time(784_111_778)), b"Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
