//! Bearer tokens: JSON Web Tokens (RFC 7519), signed with Ed25519 (RFC 8037) by a key of the state directory.
//!
//! We alone issue them and we alone read them, in one form. So a reader offers no choice: the header must be ours to the
//! letter, which names algorithm and key, and nothing that a token says is looked at before its signature is right.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::state::{Error, StateDir, signing_key};

/// Whom a token is for that names nobody else: the proxy.
pub const AUDIENCE: &str = "egressctl";

/// Who issues tokens.
const ISSUER: &str = "egressctl";

/// What Kubernetes calls a service account as a user: this, its namespace and its name.
const ACCOUNT: &str = "system:serviceaccount:";

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;

/// Bytes of the hash of a key by which it is known.
const KEY_ID: usize = 6;

/// Why nobody is proven to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unproven {
    /// Nothing was shown.
    Missing,
    /// What was shown is no token.
    Unreadable,
    /// It was not signed with our key, or changed afterwards.
    NotOurs,
    /// It is for somebody else.
    OtherAudience,
    /// Its time is over.
    Expired,
    /// It, or its service account, was deleted.
    Revoked,
}

impl Unproven {
    /// One sentence for the caller and the log.
    pub fn reason(self) -> &'static str {
        match self {
            Unproven::Missing => "the listener takes only callers that prove who they are, and no token was shown",
            Unproven::Unreadable => "the proxy credentials hold no token that can be read",
            Unproven::NotOurs => "the token was not signed by this proxy's authority, or was changed",
            Unproven::OtherAudience => "the token is for another audience",
            Unproven::Expired => "the token has expired",
            Unproven::Revoked => {
                "the token was revoked, its service account was deleted, or it is too new to be in force yet"
            }
        }
    }
}

/// What a token says, of which nothing is believed that its signature does not cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    /// `system:serviceaccount:NAMESPACE:NAME`.
    sub: String,
    aud: Vec<String>,
    /// Seconds since 1970 at which it ends.
    exp: i64,
    /// Seconds since 1970 at which it was issued.
    iat: i64,
    /// The uid of the Token that stands for it in the registry.
    jti: String,
}

impl Claims {
    /// Of a service account, from a second since 1970 to another; `id` is the uid of the Token.
    pub fn new(id: &str, (namespace, account): (&str, &str), audiences: &[String], (from, to): (i64, i64)) -> Self {
        let sub = subject(namespace, account);
        Self { iss: ISSUER.to_owned(), sub, aud: audiences.to_vec(), exp: to, iat: from, jti: id.to_owned() }
    }

    /// The uid of the Token.
    pub fn id(&self) -> &str {
        &self.jti
    }

    /// Whose it is, as Kubernetes names users.
    pub fn subject(&self) -> &str {
        &self.sub
    }

    /// Seconds since 1970 at which it ends.
    pub fn expires(&self) -> i64 {
        self.exp
    }
}

/// A service account's name as a user: `system:serviceaccount:NAMESPACE:NAME`.
pub fn subject(namespace: &str, account: &str) -> String {
    format!("{ACCOUNT}{namespace}:{account}")
}

/// The key that tokens are signed with.
#[derive(Debug)]
pub struct TokenKey {
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

/// What tells our tokens from others.
#[derive(Debug, Clone)]
pub struct Verifier {
    /// The first part of every token.
    header: String,
    public: UnparsedPublicKey<Vec<u8>>,
}

impl TokenKey {
    /// The key of a state directory, made if there is none. Of several processes that make one at the same time all get
    /// the same.
    ///
    /// # Errors
    /// The file cannot be read or made, or holds no key.
    pub fn open(state: &StateDir) -> Result<Self, Error> {
        let path = state.token_key();
        let known = signing_key(&path).map_err(|error| Error::unwritable(&path, error))?;
        let damaged = |detail: String| Error::Corrupt { path: path.clone(), detail };
        let pair = Ed25519KeyPair::from_pkcs8(&known).map_err(|why| damaged(format!("no Ed25519 key: {why}")))?;
        let verifier = Verifier::new(pair.public_key().as_ref());
        Ok(Self { pair, verifier })
    }

    /// The token that says this.
    pub fn sign(&self, claims: &Claims) -> String {
        let claims = serde_json::to_string(claims).expect("texts and numbers are always JSON");
        let signed = format!("{}.{}", self.verifier.header, BASE64.encode(claims));
        let signature = BASE64.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// What tells its tokens from others.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

impl Verifier {
    fn new(public: &[u8]) -> Self {
        let id = BASE64.encode(&digest(&SHA256, public).as_ref()[..KEY_ID]);
        let header = BASE64.encode(format!("{{\"alg\":\"EdDSA\",\"kid\":\"{id}\"}}"));
        Self { header, public: UnparsedPublicKey::new(&ED25519, public.to_vec()) }
    }

    /// What a token says, if it is one of ours for us. Whether its time is over, or it was revoked, is to be asked of every
    /// call.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify(&self, token: &str) -> Result<Claims, Unproven> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Unproven::Unreadable)?;
        let (header, claims) = signed.split_once('.').ok_or(Unproven::Unreadable)?;
        if token.len() > MAX_TOKEN {
            return Err(Unproven::Unreadable);
        }
        if header != self.header {
            return Err(Unproven::NotOurs);
        }
        let signature = BASE64.decode(signature).map_err(|_| Unproven::NotOurs)?;
        self.public.verify(signed.as_bytes(), &signature).map_err(|_| Unproven::NotOurs)?;
        let claims = BASE64.decode(claims).ok().and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
        let claims = claims.filter(|claims| claims.iss == ISSUER).ok_or(Unproven::NotOurs)?;
        match claims.aud.iter().any(|audience| audience == AUDIENCE) {
            true => Ok(claims),
            false => Err(Unproven::OtherAudience),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn state() -> (tempfile::TempDir, StateDir) {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::open(root.path().join("s")).unwrap();
        (root, state)
    }

    fn claims(audience: &str) -> Claims {
        Claims::new("u", ("default", "sleep"), &[audience.to_owned()], (1, 2))
    }

    #[test]
    fn what_was_signed_is_read_again_by_any_process_with_the_key() {
        let (_root, state) = state();
        let token = TokenKey::open(&state).unwrap().sign(&claims(AUDIENCE));
        let read = TokenKey::open(&state).unwrap().verifier().verify(&token).unwrap();
        assert_eq!(read, claims(AUDIENCE));
        assert_eq!((read.subject(), read.id(), read.expires()), ("system:serviceaccount:default:sleep", "u", 2));
        assert_eq!(fs::metadata(state.token_key()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(state.identity()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        let ((_a, ours), (_b, theirs)) = (state(), state());
        let (ours, theirs) = (TokenKey::open(&ours).unwrap(), TokenKey::open(&theirs).unwrap());
        let token = ours.sign(&claims(AUDIENCE));
        let parts: Vec<&str> = token.split('.').collect();
        let none = BASE64.encode(r#"{"alg":"none"}"#);
        let other = BASE64.encode(serde_json::to_string(&claims("other")).unwrap());
        for (shown, why) in [
            (String::new(), Unproven::Unreadable),
            ("a.b".into(), Unproven::Unreadable),
            (format!("{token}{}", "A".repeat(MAX_TOKEN)), Unproven::Unreadable),
            (theirs.sign(&claims(AUDIENCE)), Unproven::NotOurs),
            (format!("{none}.{}.", parts[1]), Unproven::NotOurs),
            (format!("{none}.{}.{}", parts[1], parts[2]), Unproven::NotOurs),
            (format!("{}.{other}.{}", parts[0], parts[2]), Unproven::NotOurs),
            (format!("{}.{}.", parts[0], parts[1]), Unproven::NotOurs),
            (format!("{}.{}.{}=", parts[0], parts[1], parts[2]), Unproven::NotOurs),
            (format!(".{token}"), Unproven::NotOurs),
            (ours.sign(&claims("other")), Unproven::OtherAudience),
        ] {
            assert_eq!(ours.verifier().verify(&shown), Err(why), "{shown}");
        }
    }

    #[test]
    fn makers_of_the_key_at_the_same_time_agree_on_one() {
        let (_root, state) = state();
        let tokens: Vec<String> = std::thread::scope(|scope| {
            let makers = (0..8).map(|_| scope.spawn(|| TokenKey::open(&state).unwrap().sign(&claims(AUDIENCE))));
            makers.collect::<Vec<_>>().into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(tokens.iter().all(|token| *token == tokens[0]));
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_by_name() {
        let (_root, state) = state();
        fs::write(state.token_key(), "no key").unwrap();
        let error = TokenKey::open(&state).unwrap_err().to_string();
        assert!(error.contains("tokens.key is damaged: no Ed25519 key"), "{error}");
    }
}
