//! Ranges of addresses.

use std::net::{IpAddr, Ipv6Addr};

/// Ranges of both families, sorted and joined where they overlap, so that a look-up is one binary search over numbers.
#[derive(Debug)]
pub(in crate::policy) struct Ranges {
    v4: Spans<u32>,
    v6: Spans<u128>,
}

/// Spans of numbers that neither overlap nor touch: the first of each in order, and beside it the last.
#[derive(Debug)]
struct Spans<N> {
    first: Vec<N>,
    last: Vec<N>,
}

impl<N: Ord + Copy> Spans<N> {
    /// `next` is the number after another, if there is one.
    fn of(mut spans: Vec<(N, N)>, next: impl Fn(N) -> Option<N>) -> Self {
        spans.sort_unstable();
        let mut joined = Self { first: Vec::new(), last: Vec::new() };
        for (first, last) in spans {
            match joined.last.last_mut() {
                Some(end) if next(*end).is_none_or(|next| first <= next) => *end = last.max(*end),
                _ => {
                    joined.first.push(first);
                    joined.last.push(last);
                }
            }
        }
        joined.first.shrink_to_fit();
        joined.last.shrink_to_fit();
        joined
    }

    fn have(&self, number: N) -> bool {
        let begun = self.first.partition_point(|first| *first <= number);
        begun.checked_sub(1).is_some_and(|span| number <= self.last[span])
    }
}

impl Ranges {
    /// Ranges given by an address and the length of its prefix; bits after the prefix do not count. A range within the
    /// IPv4-mapped addresses is one of IPv4.
    pub(in crate::policy) fn of(ranges: &[(IpAddr, u8)]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (address, length) in ranges {
            match address {
                IpAddr::V4(address) => v4.push(span_v4(address.to_bits(), *length)),
                IpAddr::V6(address) => match mapped(*address, *length) {
                    Some((address, length)) => v4.push(span_v4(address, length)),
                    None => v6.push(span_v6(address.to_bits(), *length)),
                },
            }
        }
        Self { v4: Spans::of(v4, |n| n.checked_add(1)), v6: Spans::of(v6, |n| n.checked_add(1)) }
    }

    /// Whether an address is in one of the ranges; an IPv4-mapped one is an address of IPv4.
    pub(in crate::policy) fn have(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.have(address.to_bits()),
            IpAddr::V6(address) => self.v6.have(address.to_bits()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.v4.first.len() + self.v6.first.len()
    }
}

/// The IPv4 range that an IPv6 one is, if it is: `::ffff:a.b.c.d/96` to `/128`.
fn mapped(address: Ipv6Addr, length: u8) -> Option<(u32, u8)> {
    Some((address.to_ipv4_mapped()?.to_bits(), length.checked_sub(96)?))
}

fn span_v4(address: u32, length: u8) -> (u32, u32) {
    let rest = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    (address & !rest, address | rest)
}

fn span_v6(address: u128, length: u8) -> (u128, u128) {
    let rest = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
    (address & !rest, address | rest)
}
