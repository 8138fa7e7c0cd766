//! The place of a call in a trace: W3C Trace Context, level 1.

use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderValue};

/// Flag by which a caller says that its trace is recorded.
const SAMPLED: u8 = 1;

/// A trace, and the span in it that is a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    pub(super) trace: u128,
    /// The caller's span, where it names one.
    pub(super) parent: Option<u64>,
    pub(super) span: u64,
    pub(super) sampled: bool,
}

impl Context {
    /// That of a call with these headers `traceparent`. Its span is called as its decision; a trace of its own is called
    /// by chance too. Two headers are as good as none.
    pub(super) fn of<'v>(mut values: impl Iterator<Item = &'v HeaderValue>, chance: u64, secret: &RandomState) -> Self {
        // Zero is no id.
        let span = chance.max(1);
        let one = values.next().filter(|_| values.next().is_none());
        match one.and_then(|value| parse(value.as_bytes())) {
            Some((trace, parent, flags)) => Self { trace, parent: Some(parent), span, sampled: flags & SAMPLED != 0 },
            None => {
                let trace = u128::from(secret.hash_one(chance)) << 64 | u128::from(span);
                Self { trace, parent: None, span, sampled: true }
            }
        }
    }

    /// Names the call's span as parent of what the origin does for it. The state of a trace that could not be read does
    /// not belong to the new one.
    pub fn write(&self, headers: &mut HeaderMap) {
        let Self { trace, parent, span, sampled } = self;
        let text = format!("00-{trace:032x}-{span:016x}-{:02x}", u8::from(*sampled));
        headers.insert("traceparent", HeaderValue::try_from(text).expect("digits and hyphens are a value"));
        if parent.is_none() {
            headers.remove("tracestate");
        }
    }
}

/// Trace, parent and flags of a `traceparent`. Later versions may say more behind.
fn parse(value: &[u8]) -> Option<(u128, u64, u8)> {
    const LENGTH: usize = 55;
    let (known, more) = value.split_at_checked(LENGTH)?;
    let mut parts = known.split(|byte| *byte == b'-');
    let mut next = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let plain = part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(std::str::from_utf8(part).ok().filter(|_| plain)?, 16).ok()
    };
    let (version, trace, parent, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    let fits = match version {
        0 => more.is_empty(),
        0xff => false,
        _ => more.first().is_none_or(|byte| *byte == b'-'),
    };
    let named = fits && trace != 0 && parent != 0;
    named.then_some((trace, u64::try_from(parent).ok()?, u8::try_from(flags).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(values: &[&str]) -> Context {
        let values: Vec<_> = values.iter().map(|value| HeaderValue::from_str(value).unwrap()).collect();
        Context::of(values.iter(), 0xabc, &RandomState::new())
    }

    #[test]
    fn a_valid_traceparent_is_gone_on_with() {
        let later = format!("cc{}-more", &GIVEN[2..]);
        for value in [GIVEN, later.as_str()] {
            let context = of(&[value]);
            assert_eq!(context.trace, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, "{value}");
            assert_eq!((context.parent, context.span, context.sampled), (Some(0xb7ad_6b71_6920_3331), 0xabc, true));
        }
        assert!(!of(&[&GIVEN.replace("-01", "-00")]).sampled);
    }

    #[test]
    fn any_other_begins_a_trace_of_its_own() {
        let invalid = [
            GIVEN.to_uppercase(),
            GIVEN.replace("-01", "-1"),
            format!("{GIVEN}-"),
            format!("ff{}", &GIVEN[2..]),
            GIVEN.replace("b7ad6b7169203331", "0000000000000000"),
            GIVEN.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GIVEN.replace("0af", "+af"),
            String::new(),
        ];
        for value in &invalid {
            let context = of(&[value]);
            assert_eq!((context.parent, context.sampled), (None, true), "{value}");
            assert_ne!(context.trace, 0);
        }
        assert_eq!(of(&[GIVEN, GIVEN]).parent, None);
        assert_ne!(of(&[]).trace, of(&[]).trace, "of two processes");
    }

    #[test]
    fn the_origin_is_told_the_span_of_the_call() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static(GIVEN));
        headers.insert("tracestate", HeaderValue::from_static("a=b"));
        of(&[GIVEN]).write(&mut headers);
        assert_eq!(headers["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-0000000000000abc-01");
        assert_eq!(headers["tracestate"], "a=b");
        of(&[]).write(&mut headers);
        assert!(!headers.contains_key("tracestate"));
        assert_eq!(headers.get_all("traceparent").iter().count(), 1);
    }
}
