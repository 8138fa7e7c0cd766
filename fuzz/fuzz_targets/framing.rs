//! Any bytes on a connection: following them does not panic, always goes on, and does not depend on the pieces in which
//! they come.

#![no_main]

use egressctl::call::{Framing, Landmark};
use libfuzzer_sys::fuzz_target;

fn landmarks(bytes: &[u8], piece: usize) -> Vec<(usize, Landmark)> {
    let (mut framing, mut found, mut place) = (Framing::default(), Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        let mut rest = piece;
        while !rest.is_empty() {
            let (taken, landmark) = framing.follow(rest);
            assert!(taken > 0 || landmark != Landmark::None);
            (place, rest) = (place + taken, &rest[taken..]);
            let last = matches!(landmark, Landmark::Head(Some(_)) | Landmark::Broken(_));
            if landmark != Landmark::None {
                found.push((place, landmark));
            }
            if last {
                return found;
            }
        }
    }
    found
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    assert_eq!(landmarks(bytes, usize::from(*first) + 1), landmarks(bytes, usize::MAX));
});
