//! Any bytes on a connection: reading requests off them does not panic, and does not depend on the pieces in which they come.

#![no_main]

use bytes::BytesMut;
use egressctl::call::{HeadLimits, Piece, RequestHead, Rest};
use libfuzzer_sys::fuzz_target;

/// As a proxy's are, but smaller.
const LIMITS: HeadLimits = HeadLimits { bytes: 4 * 1024, fields: 20 };

/// Where heads and requests end, and whether what follows can be read on.
fn ends(bytes: &[u8], piece: usize) -> (Vec<usize>, bool) {
    let (mut buffer, mut seen, mut found, mut place) = (BytesMut::new(), 0, Vec::new(), 0);
    let mut open: Option<Rest> = None;
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        place += piece.len();
        loop {
            let Some(rest) = &mut open else {
                match RequestHead::take(&mut buffer, &mut seen, LIMITS) {
                    Ok(Some(head)) => {
                        found.push(place - buffer.len());
                        open = Some(head.rest);
                        continue;
                    }
                    Ok(None) => break,
                    Err(_) => return (found, false),
                }
            };
            match rest.take(&mut buffer) {
                Ok(Piece::Data(data)) => assert!(!data.is_empty()),
                Ok(Piece::More) => break,
                Ok(Piece::End | Piece::Trailers(_)) => {
                    found.push(place - buffer.len());
                    open = None;
                }
                Err(_) => return (found, false),
            }
        }
    }
    (found, true)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    assert_eq!(ends(bytes, usize::from(*first) + 1), ends(bytes, usize::MAX));
});
