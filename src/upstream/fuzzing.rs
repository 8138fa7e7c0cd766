//! A door for fuzz targets: answers read as origins' are.

use bytes::BytesMut;

use super::decode;
use crate::call::{Piece, Rest};

/// An answer that was read whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, without its framing.
    pub body: Vec<u8>,
    /// Bytes of head and body.
    pub length: usize,
    /// Whether another answer may follow on the connection.
    pub keeps: bool,
}

/// Reads an answer off the front of the bytes, which come in pieces of `step`. `None` where it is refused, or not there whole;
/// one that goes on until its connection closes is whole.
pub fn answer(bytes: &[u8], step: usize, to_head: bool) -> Option<Answer> {
    let (mut buffer, mut seen, mut fed) = (BytesMut::new(), decode::Seen::default(), 0);
    let mut feed = |buffer: &mut BytesMut| {
        let more = step.max(1).min(bytes.len() - fed);
        buffer.extend_from_slice(&bytes[fed..fed + more]);
        fed += more;
        more > 0
    };
    let head = loop {
        match decode::head(&mut buffer, &mut seen, to_head).ok()? {
            Some(head) => break head,
            None if feed(&mut buffer) => {}
            None => return None,
        }
    };
    let (mut rest, mut body) = (head.rest, Vec::new());
    loop {
        match rest.take(&mut buffer).ok()? {
            Piece::Data(data) => body.extend_from_slice(&data),
            Piece::Trailers(_) | Piece::End => break,
            Piece::More if feed(&mut buffer) => {}
            Piece::More if rest == Rest::UntilClosed => break,
            Piece::More => return None,
        }
    }
    let length = fed - buffer.len();
    Some(Answer { status: head.parts.status.as_u16(), body, length, keeps: head.keeps })
}
