//! Shares of calls, decided by the call's own chance.

use crate::call::Call;

/// Envoy counts shares in millionths.
const WHOLE: u32 = 1_000_000;

/// A share of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share(u32);

impl Share {
    /// Every call.
    pub(super) const ALL: Share = Share(WHOLE);

    /// A share in per cent, 0 to 100.
    pub(super) fn percent(value: f64) -> Self {
        let millionths = (value.clamp(0.0, 100.0) * 10_000.0).round();
        // Between 0 and a million, so nothing is lost.
        Self(millionths as u32)
    }

    /// Whether a call is in it. The seed keeps decisions about one call apart.
    pub(super) fn takes(self, call: &Call, seed: u64) -> bool {
        self.0 == WHOLE || mix(call.chance() ^ seed) % u64::from(WHOLE) < u64::from(self.0)
    }
}

/// A seed from what is decided (FNV-1a).
pub(in super::super) fn seed(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finalizer of splitmix64: every bit of the chance moves every bit of the result.
pub(super) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::testing::call_with_chance;

    #[test]
    fn a_share_takes_about_that_many_calls_and_none_or_all_exactly() {
        let taken = |percent: f64| {
            let share = Share::percent(percent);
            (0..10_000_u64).filter(|chance| share.takes(&call_with_chance(*chance), seed("delay"))).count()
        };
        assert_eq!(taken(0.0), 0);
        assert_eq!(taken(100.0), 10_000);
        assert!((2_300..2_700).contains(&taken(25.0)), "{}", taken(25.0));
    }

    #[test]
    fn two_shares_of_one_call_are_decided_apart() {
        let share = Share::percent(50.0);
        let both = (0..1_000_u64)
            .map(call_with_chance)
            .filter(|call| share.takes(call, seed("delay")) && share.takes(call, seed("abort")));
        assert!((200..300).contains(&both.count()));
    }
}
