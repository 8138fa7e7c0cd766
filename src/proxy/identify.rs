//! Who calls by a listener that is nobody's own: whose token the caller shows, as proxy credential, or else as which user of
//! this machine it runs, if users are told apart.
//!
//! A token is shown with every call. One that is not good refuses the call: who shows it means to be somebody, and must not
//! go on as somebody else.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{HeaderValue, PROXY_AUTHORIZATION};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use crate::expr::Timestamp;
use crate::identity::{Caller, Claims, Unproven, Verifier};
use crate::snapshot::Hop;

use super::client::Client;
use super::worker::{Held, Worker};

/// Most tokens whose signature a worker remembers to be right.
const MAX_KNOWN: usize = 1024;

/// What a caller shows of itself.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    Nothing,
    /// What stands in the head of a request.
    Head(&'a HeaderMap),
    /// User name and password.
    Password(&'a [u8], &'a [u8]),
}

/// Who calls, as far as it is proven.
pub(super) struct Identified {
    /// Where the calls are judged.
    pub(super) hop: Hop,
    pub(super) caller: Option<Caller>,
    /// The token that was shown.
    pub(super) bearer: Option<Rc<Claims>>,
}

/// Finds out who calls.
///
/// # Errors
/// What was shown does not prove anybody, or nothing was shown where something must be.
pub(super) fn identify(
    worker: &Worker,
    held: &Held,
    client: &Client,
    shown: Shown<'_>,
    now: Timestamp,
) -> Result<Identified, Unproven> {
    let (mut hop, mut bearer) = (client.hop, None);
    if held.snapshot.is_shared(hop) {
        bearer = match &client.bearer {
            Some(bearer) => Some(Rc::clone(bearer)),
            None => token(shown)?.map(|token| worker.tokens.verify(&token, now)).transpose()?,
        };
    }
    match (&bearer, client.owner) {
        (Some(bearer), _) => hop = held.snapshot.bearer(bearer, now)?,
        (None, Some(user)) => hop = held.snapshot.user(user).unwrap_or(hop),
        (None, None) => {}
    }
    let caller = held.caller(hop, client);
    let must = worker.require_identity && matches!(hop, Hop::Sidecar(_));
    if must && caller.is_none() { Err(Unproven::Missing) } else { Ok(Identified { hop, caller, bearer }) }
}

/// The token that is shown, if there are credentials at all.
fn token(shown: Shown<'_>) -> Result<Option<Cow<'_, str>>, Unproven> {
    let headers = match shown {
        Shown::Nothing => return Ok(None),
        Shown::Password(user, password) => return of_password(user, password).map(Some),
        Shown::Head(headers) => headers,
    };
    let mut values = headers.get_all(PROXY_AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => of_header(value).map(Some),
        // Whose was meant nobody can say.
        (Some(_), Some(_)) => Err(Unproven::Unreadable),
    }
}

/// RFC 6750 §2.1, and RFC 7617 with the token as password.
fn of_header(value: &HeaderValue) -> Result<Cow<'_, str>, Unproven> {
    let (scheme, rest) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Unproven::Unreadable)?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Cow::Borrowed(rest));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Unproven::Unreadable);
    }
    let decoded = STANDARD.decode(rest).map_err(|_| Unproven::Unreadable)?;
    let colon = decoded.iter().position(|byte| *byte == b':').ok_or(Unproven::Unreadable)?;
    of_password(&decoded[..colon], &decoded[colon + 1..]).map(|token| Cow::Owned(token.into_owned()))
}

/// The password is the token; or the user name holds its first bytes and the password the others, for a password of SOCKS
/// has room for 255 only.
fn of_password<'a>(user: &'a [u8], password: &'a [u8]) -> Result<Cow<'a, str>, Unproven> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Unproven::Unreadable);
    let (user, password) = (text(user)?, text(password)?);
    let is_whole = password.matches('.').count() >= 2;
    Ok(if is_whole { Cow::Borrowed(password) } else { Cow::Owned(format!("{user}{password}")) })
}

/// Tells tokens that were signed with our key from others, and remembers those that were, by their hash.
pub(super) struct Tokens {
    verifier: Verifier,
    known: RefCell<HashMap<[u8; SHA256_OUTPUT_LEN], Rc<Claims>>>,
}

impl Tokens {
    pub(super) fn new(verifier: Verifier) -> Self {
        Self { verifier, known: RefCell::default() }
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<Rc<Claims>, Unproven> {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let mut known = self.known.borrow_mut();
        if let Some(claims) = known.get(&hash) {
            return Ok(Rc::clone(claims));
        }
        let claims = Rc::new(self.verifier.verify(token)?);
        if known.len() >= MAX_KNOWN {
            known.retain(|_, claims| claims.expires() > now.seconds);
        }
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(hash, Rc::clone(&claims));
        Ok(claims)
    }
}

/// What is asked of a caller that proves nobody (RFC 9110 §11.7.1, RFC 6750 §3).
pub(super) fn challenges(why: Unproven) -> [HeaderValue; 2] {
    let bearer = match why {
        Unproven::Missing => "Bearer realm=\"egressctl\"".to_owned(),
        why => {
            format!("Bearer realm=\"egressctl\", error=\"invalid_token\", error_description=\"{}\"", why.reason())
        }
    };
    let bearer = HeaderValue::try_from(bearer).unwrap_or(HeaderValue::from_static("Bearer"));
    [bearer, HeaderValue::from_static("Basic realm=\"egressctl\"")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(values: &[&str]) -> Result<Option<String>, Unproven> {
        let headers: HeaderMap =
            values.iter().map(|value| (PROXY_AUTHORIZATION, HeaderValue::from_str(value).expect("a value"))).collect();
        token(Shown::Head(&headers)).map(|token| token.map(Cow::into_owned))
    }

    #[test]
    fn tokens_are_found_in_either_scheme() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (values, found) in [
            (vec![], Ok(None)),
            (vec!["Bearer a.b.c".to_owned()], Ok(Some("a.b.c"))),
            (vec!["bearer  a.b.c".to_owned()], Ok(Some("a.b.c"))),
            (vec![basic("x:a.b.c")], Ok(Some("a.b.c"))),
            (vec![basic(":a.b.c")], Ok(Some("a.b.c"))),
            (vec![basic("a.b.:c")], Ok(Some("a.b.c"))),
            (vec![basic("a.:b.c")], Ok(Some("a.b.c"))),
            (vec![basic("user:secret")], Ok(Some("usersecret"))),
            (vec![basic("no colon")], Err(Unproven::Unreadable)),
            (vec!["Basic ???".to_owned()], Err(Unproven::Unreadable)),
            (vec!["Negotiate x".to_owned()], Err(Unproven::Unreadable)),
            (vec!["Bearer".to_owned()], Err(Unproven::Unreadable)),
            (vec!["Bearer a.b.c".to_owned(), "Bearer d.e.f".to_owned()], Err(Unproven::Unreadable)),
        ] {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            assert_eq!(shown(&values), found.map(|token: Option<&str>| token.map(str::to_owned)), "{values:?}");
        }
    }
}
