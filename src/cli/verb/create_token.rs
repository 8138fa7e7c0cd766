//! `create token`: a bearer token for a service account.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::time::length;
use crate::identity::{AUDIENCE, Claims, TokenKey};
use crate::registry::{self, Applied, ListQuery, Operation, Registry, Transaction, View as _};
use crate::resource::kinds::token::Token;
use crate::resource::kinds::{SERVICE_ACCOUNT, TOKEN};
use crate::resource::{Key, Meta, Resource};

/// How long a token is good where nobody says.
const DURATION: SignedDuration = SignedDuration::from_hours(1);

/// Longest that a token may be good: nobody remembers for longer whom they gave one.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);

const EXAMPLES: &str = "Examples:
  # A token for the service account sleep, good for an hour
  egressctl create token sleep

  # Call with it through a proxy that tells nobody apart by its listener
  egressctl proxy start --listen 127.0.0.1:15001 --require-identity
  http_proxy=http://x:$(egressctl create token sleep)@127.0.0.1:15001 curl http://edition.cnn.com/sport

  # SOCKS 5 has room for 255 bytes in user name and password each: there the token is cut in two
  TOKEN=$(egressctl create token sleep)
  curl --proxy socks5h://${TOKEN:0:250}:${TOKEN:250}@127.0.0.1:15001 https://edition.cnn.com/sport

  # For ten minutes
  egressctl create token sleep --duration 10m

  # See which tokens are good, and revoke one of them; deleting the service account revokes all of its tokens
  egressctl get tokens
  egressctl delete token sleep-x7k2p";

/// Print a token by which programs prove that they are a service account's.
///
/// The token is printed and never stored; a Token of the registry says that it is good. Deleting that Token revokes it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Name of the service account
    #[arg(value_name = "SERVICEACCOUNT")]
    name: String,
    /// How long it is good, from 1s to 8760h; 0 stands for 1h
    #[arg(long, value_name = "DURATION", default_value = "1h", allow_hyphen_values = true)]
    duration: String,
    /// Whom it is for; the proxy takes only those for egressctl; repeatable
    #[arg(long, value_name = "AUDIENCE", default_value = AUDIENCE)]
    audience: Vec<String>,
}

impl Arguments {
    /// Prints the token, once it can be revoked.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let now = context.now;
        let end = now.checked_add(lasting(&self.duration)?).unwrap_or(Timestamp::MAX);
        let (registry, namespace) = (context.registry()?, context.namespace().to_owned());
        let account = Key::new(&SERVICE_ACCOUNT, &namespace, &self.name);
        let Some(account) = registry.get(&account).map_err(Failure::from)? else {
            let missing = registry::Error::NotFound(account);
            return Err(Failure::client(format!("failed to create token: {missing}")).into());
        };
        // Before anything is stored: a Token without its token would be of no use.
        let key = TokenKey::open(&context.state_dir()?).map_err(Failure::from)?;
        clear_away(&registry, now);
        let operations = vec![Operation::Create(token(&account, &self.audience, end))];
        let committed = registry.commit(Transaction { operations }).map_err(Failure::from)?;
        let stored = committed.applied.first().map(Applied::resource).and_then(|stored| stored.meta.uid.as_deref());
        let times = (now.as_second(), end.as_second());
        let claims = Claims::new(stored.unwrap_or_default(), (&namespace, &self.name), &self.audience, times);
        Ok(writeln!(context.out, "{}", key.sign(&claims)).map_err(Failure::from)?)
    }
}

fn lasting(text: &str) -> Result<SignedDuration, Failure> {
    let refused = |why: &str| Failure::client(format!("invalid argument \"{text}\" for \"--duration\" flag: {why}"));
    if text == "0" {
        return Ok(DURATION);
    }
    let lasting = length(text).map_err(|why| refused(&why))?;
    match lasting {
        SignedDuration::ZERO => Ok(DURATION),
        lasting if lasting < SignedDuration::from_secs(1) => Err(refused("must be 1s or more")),
        lasting if lasting > LONGEST => Err(refused("must be 8760h or less")),
        lasting => Ok(lasting),
    }
}

/// What stands for a token in the registry.
fn token(account: &Resource, audiences: &[String], end: Timestamp) -> Resource {
    let meta = Meta {
        generate_name: Some(format!("{}-", account.meta.name)),
        namespace: account.meta.namespace.clone(),
        ..Meta::default()
    };
    let spec = json!({
        "serviceAccountName": account.meta.name,
        "serviceAccountUID": account.meta.uid,
        "audiences": audiences,
        "expirationTimestamp": Timestamp::from_second(end.as_second()).unwrap_or(end).to_string(),
    });
    let body = [("spec".to_owned(), spec)].into_iter().collect();
    let version = TOKEN.versions.first().copied().unwrap_or_default().to_owned();
    Resource { kind: &TOKEN, version, meta, body, origin: None }
}

/// Deletes Tokens that are over. Whoever fails at it, because somebody else is faster, need not care.
fn clear_away(registry: &dyn Registry, now: Timestamp) {
    let Ok(tokens) = registry.list(&ListQuery::all(&TOKEN)) else { return };
    let is_over = |token: &&Resource| {
        let spec = token.typed::<Token>().ok();
        spec.and_then(|spec| spec.expiration_timestamp.parse::<Timestamp>().ok()).is_some_and(|end| end <= now)
    };
    let operations: Vec<_> = tokens.iter().filter(is_over).map(|token| Operation::Delete(token.key())).collect();
    if !operations.is_empty() {
        let _ = registry.commit(Transaction { operations });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_a_second_to_a_year_and_an_hour_where_nobody_says() {
        for (text, seconds) in [("1h", 3600), ("0", 3600), ("0s", 3600), ("1s", 1), ("365d", 365 * 86_400)] {
            assert_eq!(lasting(text).expect(text).as_secs(), seconds, "{text}");
        }
        for (text, why) in [
            ("1ms", "must be 1s or more"),
            ("366d", "must be 8760h or less"),
            ("-1h", "must not be negative"),
            ("soon", "must be a duration such as 90s, 10m, 1h30m or 2d"),
        ] {
            let message = lasting(text).expect_err(text).message();
            assert_eq!(message, format!("error: invalid argument \"{text}\" for \"--duration\" flag: {why}"));
        }
    }
}
