//! Names to addresses: asked of the system's name servers or others, kept as long as the answers say.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use tokio::runtime::Handle;

use crate::call::Failure;

/// How long a name server may take to answer, and how often it is asked.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// How long nobody asks again for a name that was not resolved: a caller who repeats a call must not make the name
/// server's trouble worse.
const FAILURE_MEMORY: Duration = Duration::from_secs(1);

/// Most names whose failure is remembered: callers can make names up.
const MAX_FAILURES: usize = 1_024;

/// Answers that are kept.
const CACHE: u64 = 8_192;

/// Most addresses of one name that are tried; more would only lengthen the wait of a caller whose origin is down.
const MAX_ADDRESSES: usize = 8;

/// Resolves names for all workers; /etc/hosts comes first.
pub struct Names {
    resolver: TokioResolver,
    /// Where the resolver's own work is done, so that no worker waits for another one.
    home: Handle,
    /// How many lists of addresses have been given: each begins with another address.
    given: AtomicUsize,
    failed: Mutex<HashMap<Box<str>, Instant>>,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// Asks these name servers, or those of the system where there are none. Must be called within a runtime that lives as
    /// long as this does.
    ///
    /// # Errors
    /// Why /etc/hosts or the system's configuration cannot be used.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, String> {
        let mut builder = match servers {
            // Without /etc/resolv.conf there are the names in /etc/hosts.
            [] => TokioResolver::builder_tokio().unwrap_or_else(|_| with_servers(&[])),
            servers => with_servers(servers),
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = TIMEOUT;
        options.attempts = ATTEMPTS;
        options.cache_size = CACHE;
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { resolver, home: Handle::current(), given: AtomicUsize::new(0), failed: Mutex::default() })
    }

    /// The addresses of a name, at least one, in the order in which they are to be tried; all of them are tried first in
    /// their turn, so that connections are spread over them.
    ///
    /// # Errors
    /// [`Failure::NameNotResolved`].
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let now = Instant::now();
        if self.failed().get(name).is_some_and(|until| *until > now) {
            return Err(Failure::NameNotResolved);
        }
        let (resolver, asked) = (self.resolver.clone(), name.to_owned());
        let found = self.home.spawn(async move { resolver.lookup_ip(asked).await });
        let addresses = match found.await {
            Ok(Ok(found)) => in_turns(found.iter(), self.given.fetch_add(1, Ordering::Relaxed)),
            _ => Vec::new(),
        };
        if addresses.is_empty() {
            self.remember(name, now);
            return Err(Failure::NameNotResolved);
        }
        Ok(addresses)
    }

    fn failed(&self) -> MutexGuard<'_, HashMap<Box<str>, Instant>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, name: &str, now: Instant) {
        let mut failed = self.failed();
        if failed.len() >= MAX_FAILURES {
            failed.retain(|_, until| *until > now);
        }
        if failed.len() < MAX_FAILURES {
            failed.insert(name.into(), now + FAILURE_MEMORY);
        }
    }
}

fn with_servers(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.iter().copied().map(name_server).collect());
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        let ConnectionConfig { port, .. } = connection;
        *port = address.port();
    }
    server
}

/// Both families in turns, IPv6 first (RFC 8305 §4): where one of them leads nowhere, the other is tried next. Of each family
/// so many addresses are put behind the others.
fn in_turns(addresses: impl Iterator<Item = IpAddr>, behind: usize) -> Vec<IpAddr> {
    let (mut sixes, mut fours): (Vec<_>, Vec<_>) = addresses.partition(IpAddr::is_ipv6);
    for family in [&mut sixes, &mut fours].into_iter().filter(|family| !family.is_empty()) {
        let behind = behind % family.len();
        family.rotate_left(behind);
    }
    let (mut sixes, mut fours) = (sixes.into_iter(), fours.into_iter());
    let mut turns = Vec::new();
    while turns.len() < MAX_ADDRESSES {
        let pair = [sixes.next(), fours.next()];
        if pair == [None, None] {
            break;
        }
        turns.extend(pair.into_iter().flatten());
    }
    turns.truncate(MAX_ADDRESSES);
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_are_tried_in_turns() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        let given = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"].map(parse);
        let expected = ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"].map(parse);
        assert_eq!(in_turns(given.into_iter(), 0), expected);
        let next = ["2001:db8::1", "192.0.2.2", "192.0.2.3", "192.0.2.1"].map(parse);
        assert_eq!(in_turns(given.into_iter(), 4), next);
        assert_eq!(in_turns((0..40).map(|last| IpAddr::from([192, 0, 2, last])), 1).len(), MAX_ADDRESSES);
    }
}
