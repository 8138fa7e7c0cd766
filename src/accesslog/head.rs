//! The head of the log: how far it goes and what the chain is there, signed by the node.

use std::path::Path;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::state::signing_key;

use super::Error;
use super::chain::{Hash, from_hex, hex};

/// The key with which the heads of this state directory's log are signed. Ed25519, as PKCS #8, in a file of its owner.
pub(super) struct SigningKey {
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Reads the key, or makes one where there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let document = signing_key(path).map_err(|source| Error::file(path, source))?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).map_err(|_| Error::Key(path.to_owned()))?;
        Ok(Self { pair })
    }

    /// Its public half, as heads name it.
    pub(super) fn public(&self) -> String {
        hex(self.pair.public_key().as_ref())
    }

    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }

    /// Signs a head, for whoever keeps it.
    pub(super) fn export(&self, head: &Head) -> Exported {
        Exported {
            segments: head.segments,
            hash: hex(&head.hash),
            sequence: head.sequence,
            link: hex(&head.link),
            time: head.time,
            key: self.public(),
            signature: hex(&self.sign(&head.text())),
        }
    }
}

/// Whether a signature is that of a key over a text.
pub(super) fn is_signed(text: &str, key: &str, signature: &[u8]) -> bool {
    let Some(key) = from_hex::<32>(key) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), signature).is_ok()
}

/// How far the log goes, and the chain there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// How many segments were sealed.
    pub(super) segments: i64,
    /// The value of the chain of segments.
    pub(super) hash: Hash,
    /// The number of the newest entry.
    pub(super) sequence: i64,
    /// The value of the chain of entries.
    pub(super) link: Hash,
    /// When it was taken, in microseconds since 1970.
    pub(super) time: i64,
}

impl Head {
    /// What is signed.
    pub(super) fn text(&self) -> String {
        let Self { segments, hash, sequence, link, time } = self;
        let (hash, link) = (hex(hash), hex(link));
        format!(
            "egressctl log head 1\nsegments {segments}\nhash {hash}\nsequence {sequence}\nlink {link}\ntime {time}\n"
        )
    }
}

/// A signed head, as `logs verify --export-head` writes it: one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    segments: i64,
    hash: String,
    sequence: i64,
    link: String,
    time: i64,
    key: String,
    signature: String,
}

impl Exported {
    /// The head, and the key that signed it; nothing if the signature is wrong.
    pub(super) fn verified(&self) -> Option<(Head, &str)> {
        let head = Head {
            segments: self.segments,
            hash: from_hex(&self.hash)?,
            sequence: self.sequence,
            link: from_hex(&self.link)?,
            time: self.time,
        };
        is_signed(&head.text(), &self.key, &from_hex::<64>(&self.signature)?).then_some((head, self.key.as_str()))
    }

    /// When it was taken, in microseconds since 1970.
    pub fn time(&self) -> i64 {
        self.time
    }

    /// How many entries had been recorded.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }
}
