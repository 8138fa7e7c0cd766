//! `allow`: an exception that ends.

use std::net::IpAddr;
use std::str::FromStr;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

use super::listen::Workload as Named;
use crate::cli::change::{Step, Writing};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::time::length;
use crate::identity::Workload;
use crate::registry::{Operation, View, generate_name};
use crate::resource::kinds::GRANT;
use crate::resource::{Meta, Resource};
use crate::routing::is_private;

/// Longest that a grant may last: what is to last longer is no exception.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

const EXAMPLES: &str = "Examples:
  # For ten minutes, sleep may call a host that nobody registered
  egressctl allow api.example.com --from sleep --for 10m --reason 'incident 4711'

  # Only its port 443, and only five calls or connections
  egressctl allow api.example.com:443 --from sleep.default --for 1h --uses 5 --reason 'fetch the keys'

  # Only paths that begin with /politics, whatever rules and routes say
  egressctl allow edition.cnn.com:80/politics --from sleep --for 30m --reason 'review of the policy'

  # What is granted, how much is left, and taking it back
  egressctl get grants
  egressctl delete grant sleep-x7k2p

What a grant overrides, for calls of that workload to that host alone: that nobody registered the host (REGISTRY_ONLY, a \
Sidecar), that none of its routes matches, what checks of rules refuse, what AuthorizationPolicies deny. Such a call goes \
straight to the host, without the gateway, where no route leads. What it never overrides: quotas, who the caller is \
proven to be, requests that can be read in two ways, TLS that asks for another name, private addresses that no \
ServiceEntry lists. A grant with a path is no grant for what is passed through unread, as nobody sees its path.

When it ends, by its time or because it is deleted, new calls are refused, and connections that were opened by it closed.";

/// Let calls of a workload to a host go for a while, whatever policies and routes say.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The host that may be called, its port and what the path begins with, if only these
    #[arg(value_name = "HOST[:PORT][/PATH]")]
    target: Target,
    /// The workload (Deployment or Pod) whose calls go
    #[arg(long, value_name = "WORKLOAD[.NAMESPACE]")]
    from: Named,
    /// How long, at most 7d
    #[arg(long = "for", value_name = "DURATION")]
    lasting: String,
    /// How many calls, tunnels or WebSockets may go that would have been refused [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    uses: Option<u64>,
    /// Why; it stands in the log
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    writing: Writing,
}

/// What may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    host: String,
    port: Option<u16>,
    path: String,
}

impl FromStr for Target {
    type Err = String;

    /// Also a URL: its scheme says the port.
    fn from_str(text: &str) -> Result<Self, String> {
        let (default, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (Some(80), rest),
            (_, Some(rest)) => (Some(443), rest),
            _ => (None, text),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port.map(str::parse::<u16>) {
            None => default,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return Err("the port is no number from 1 to 65535".into()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
        if host.contains('*') {
            return Err("a grant is for one host, not for several by a wildcard".into());
        }
        if host.is_empty() {
            return Err("expected HOST[:PORT][/PATH], as in api.example.com:443/v1".into());
        }
        // Every path begins so.
        let path = if path == "/" { "" } else { path };
        Ok(Self { host, port, path: path.to_owned() })
    }
}

impl Arguments {
    /// Grants.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let lasting = lasting(&self.lasting)?;
        let end = context.now.checked_add(lasting).unwrap_or(Timestamp::MAX);
        if self.target.host.parse::<IpAddr>().is_ok_and(is_private) {
            let host = &self.target.host;
            let text = format!(
                "{host} is a private address, which no grant overrides: declare a ServiceEntry that lists it among its addresses"
            );
            return Err(Failure::client(text).into());
        }
        let registry = context.registry()?;
        let namespace = self.from.namespace.clone().unwrap_or_else(|| context.namespace().to_owned());
        let workload = declared(&registry, &self.from.name, &namespace)?;
        let resource = self.grant(&workload, end);
        let operation = Some(Operation::Create(resource.clone()));
        let step = Step { operation, resource, done: "created", doing: "creating", text: None };
        self.writing.carry_out(vec![step], &registry, context)
    }

    fn grant(&self, workload: &Workload, end: Timestamp) -> Resource {
        let Target { host, port, path } = &self.target;
        let mut spec = Map::new();
        spec.insert("workload".into(), json!(workload.name));
        spec.insert("host".into(), json!(host));
        spec.extend(port.map(|port| ("port".to_owned(), json!(port))));
        spec.extend((!path.is_empty()).then(|| ("path".to_owned(), json!(path))));
        // A whole second, rounded up: a grant of a second lives for one.
        let whole = if end.subsec_nanosecond() > 0 { end.as_second() + 1 } else { end.as_second() };
        spec.insert("expirationTimestamp".into(), json!(Timestamp::from_second(whole).unwrap_or(end).to_string()));
        spec.extend(self.uses.map(|uses| ("uses".to_owned(), json!(uses))));
        spec.insert("reason".into(), json!(self.reason.trim()));
        let meta = Meta {
            name: generate_name(&format!("{}-", workload.name)),
            namespace: Some(workload.namespace.clone()),
            ..Meta::default()
        };
        let version = GRANT.versions.first().copied().unwrap_or_default().to_owned();
        Resource { kind: &GRANT, version, meta, body: Map::from_iter([("spec".to_owned(), spec.into())]), origin: None }
    }
}

fn lasting(text: &str) -> Result<SignedDuration, Failure> {
    let refused = |why: &str| Failure::client(format!("invalid argument \"{text}\" for \"--for\" flag: {why}"));
    match length(text).map_err(|why| refused(&why))? {
        lasting if lasting < SignedDuration::from_secs(1) => Err(refused("must be 1s or more")),
        lasting if lasting > LONGEST => Err(refused("must be 7d or less; what lasts longer is better declared")),
        lasting => Ok(lasting),
    }
}

/// The workload of a name; nobody calls as one that is not declared.
fn declared(view: &dyn View, name: &str, namespace: &str) -> Result<Workload, Failure> {
    if let Some(workload) = Workload::find(view, name, namespace)? {
        return Ok(workload);
    }
    let near = Workload::nearest(view, name, namespace)?;
    let hint = near.map(|(near, of)| format!("\nhint: did you mean {near}.{of}?")).unwrap_or_default();
    let message = format!("no workload \"{name}\" in namespace \"{namespace}\"{hint}");
    Err(Failure::Server { reason: "NotFound", message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_hosts_with_port_and_path_or_urls() {
        let of = |text: &str| text.parse::<Target>().map(|target| (target.host, target.port, target.path));
        for (text, host, port, path) in [
            ("a.example", "a.example", None, ""),
            ("A.example.:443", "a.example", Some(443), ""),
            ("a.example/v1/x", "a.example", None, "/v1/x"),
            ("a.example:80/", "a.example", Some(80), ""),
            ("https://a.example/v1", "a.example", Some(443), "/v1"),
            ("http://a.example:8080", "a.example", Some(8080), ""),
            ("[2001:db8::1]:443", "2001:db8::1", Some(443), ""),
            ("2001:db8::1", "2001:db8::1", None, ""),
        ] {
            assert_eq!(of(text), Ok((host.to_owned(), port, path.to_owned())), "{text}");
        }
        for bad in ["", "/v1", ":443", "a.example:0", "a.example:x"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_grant_lasts_a_second_to_a_week() {
        assert!(lasting("1s").is_ok() && lasting("7d").is_ok());
        assert!(lasting("1ms").is_err() && lasting("8d").is_err() && lasting("soon").is_err());
    }
}
