//! `identity`: the built-in certificate authority, and what it issues.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::table::{Headings, Table};
use crate::expr::Timestamp;
use crate::identity::authority::{Brought, Bundle, Described, MAX_TTL, Store, to_pem};
use crate::identity::{SpiffeId, TrustDomain, Workload};
use crate::registry::View as _;
use crate::resource::Key;
use crate::resource::kinds::SERVICE_ACCOUNT;

use crate::cli::time::duration;

const EXAMPLES: &str = "\
Examples:
  # Who vouches for workloads, and until when
  egressctl identity show

  # A certificate for a service account, for a program that speaks TLS itself: cert-chain.pem, key.pem, root-cert.pem
  egressctl identity issue default/sleep --out certs --ttl 1h

  # The egress gateway on another machine, without the authority's key
  egressctl identity issue istio-system/istio-egressgateway-service-account --out certs --ttl 720h
  egressctl proxy start --role gateway --identity certs --mesh-listen 0.0.0.0:15443

  # What others need to believe our workloads
  egressctl identity export > roots.pem

  # Let a new root take over, while what the old one has issued stays valid
  egressctl identity rotate

  # Let an intermediate of your own root sign instead
  egressctl identity rotate --cert ca-cert.pem --key ca-key.pem --root root-cert.pem";

/// Show, rotate and use the certificate authority that vouches for workloads.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the authorities that sign or are trusted
    Show(Show),
    /// Issue a certificate with a new key
    Issue(Issue),
    /// Let a new root, or an authority of your own, take over
    Rotate(Rotate),
    /// Print the roots that are trusted, in PEM
    Export(Domain),
}

#[derive(Debug, Args)]
struct Domain {
    /// Trust domain of all identities; chosen when the authority is made [default: cluster.local]
    #[arg(long, value_name = "NAME")]
    trust_domain: Option<TrustDomain>,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    domain: Domain,
    /// json or yaml
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml", "table"])]
    output: Option<String>,
}

#[derive(Debug, Args)]
struct Issue {
    /// Service account that it is for; without NAMESPACE/ in that of the command
    #[arg(value_name = "[NAMESPACE/]ACCOUNT")]
    account: String,
    /// Directory for cert-chain.pem, key.pem and root-cert.pem, made if it is missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How long it is valid, at most 90 days
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = certificate_ttl)]
    ttl: Duration,
    #[command(flatten)]
    domain: Domain,
}

#[derive(Debug, Args)]
struct Rotate {
    /// Certificate of your own authority, a root or an intermediate, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The root that it leads to, if it is none itself
    #[arg(long, value_name = "FILE", requires = "cert")]
    root: Option<PathBuf>,
    /// Certificates between the two
    #[arg(long, value_name = "FILE", requires = "root")]
    chain: Option<PathBuf>,
    /// How long the new authority is only trusted, before it signs, so that every proxy knows it by then
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = duration)]
    after: Duration,
    /// How long the old one stays trusted after that: as long as its longest certificate is valid
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    overlap: Option<Duration>,
    #[command(flatten)]
    domain: Domain,
}

/// What `show` tells.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    trust_domain: String,
    authorities: Vec<ShownAuthority>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownAuthority {
    subject: String,
    state: &'static str,
    serial_number: String,
    not_before: String,
    not_after: String,
    signs_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted_until: Option<String>,
    intermediates: usize,
}

impl From<Described> for ShownAuthority {
    fn from(of: Described) -> Self {
        Self {
            subject: of.subject,
            state: of.state,
            serial_number: of.serial_number,
            not_before: date(of.not_before),
            not_after: date(of.not_after),
            signs_from: date(of.signs_from),
            trusted_until: of.trusted_until.map(date),
            intermediates: of.intermediates,
        }
    }
}

impl Arguments {
    /// Shows, issues, rotates or exports.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let store = Store::of(&context.state_dir()?);
        let now = context.now.as_second();
        match self.action {
            Action::Show(show) => show.run(&store, now, context),
            Action::Issue(issue) => issue.run(&store, now, context),
            Action::Rotate(rotate) => rotate.run(&store, now, context),
            Action::Export(domain) => {
                let authority = store.open(domain.trust_domain.as_ref(), now).map_err(Failure::from)?;
                let roots: String = authority.roots(now).map(to_pem).collect();
                Ok(context.out.write_all(roots.as_bytes())?)
            }
        }
    }
}

impl Show {
    fn run(&self, store: &Store, now: i64, context: &mut Context) -> Outcome {
        let authority = store.open(self.domain.trust_domain.as_ref(), now).map_err(Failure::from)?;
        let authorities = authority.describe(now).into_iter().map(ShownAuthority::from).collect();
        let shown = Shown { trust_domain: authority.trust_domain().to_string(), authorities };
        match self.output.as_deref() {
            Some("yaml") => {
                let text = serde_yaml::to_string(&shown).map_err(|error| Failure::client(error.to_string()))?;
                Ok(write!(context.out, "{text}")?)
            }
            Some("json") => {
                let text = serde_json::to_string_pretty(&shown).map_err(|error| Failure::client(error.to_string()))?;
                Ok(writeln!(context.out, "{text}")?)
            }
            _ => {
                let headings = ["trust domain", "subject", "state", "not after", "trusted until", "serial number"];
                let mut table = Table::new(headings);
                for one in shown.authorities {
                    let until = one.trusted_until.unwrap_or_else(|| "-".to_owned());
                    let domain = shown.trust_domain.clone();
                    table.push([domain, one.subject, one.state.to_owned(), one.not_after, until, one.serial_number]);
                }
                Ok(table.write(&mut *context.out, Headings::new(true, context.color))?)
            }
        }
    }
}

impl Issue {
    fn run(&self, store: &Store, now: i64, context: &mut Context) -> Outcome {
        let authority = store.open(self.domain.trust_domain.as_ref(), now).map_err(Failure::from)?;
        let (namespace, account) = self.account.split_once('/').unwrap_or((context.namespace(), &self.account));
        let identity = SpiffeId::new(authority.trust_domain(), namespace, account)
            .map_err(|error| Failure::client(error.to_string()))?;
        let (authority, issued) = store.issue(&identity, self.ttl, now).map_err(Failure::from)?;
        let roots: String = authority.roots(now).map(to_pem).collect();
        fs::create_dir_all(&self.out).map_err(|error| unwritable(&self.out, &error))?;
        for (name, text, mode) in [
            (Bundle::KEY, issued.key.serialize_pem(), 0o600),
            (Bundle::CHAIN, issued.chain_pem(), 0o644),
            (Bundle::ROOTS, roots, 0o644),
        ] {
            replace(&self.out.join(name), &text, mode)?;
        }
        if !is_known(&identity, context)? {
            context.say(&format!(
                "warning: no service account {namespace}/{} is declared, and no workload runs as it",
                identity.account()
            ))?;
        }
        let (until, place) = (date(issued.not_after), self.out.display());
        Ok(writeln!(context.out, "certificate for {identity} written to {place}, valid until {until}")?)
    }
}

/// Whether the service account of an identity is declared, or a workload's.
fn is_known(identity: &SpiffeId, context: &Context) -> Result<bool, Failure> {
    let Some(registry) = context.existing_registry()? else { return Ok(false) };
    let (namespace, account) = (identity.namespace(), identity.account());
    let is_own = |workload: &Workload| workload.namespace == namespace && workload.service_account == account;
    Ok(registry.get(&Key::new(&SERVICE_ACCOUNT, namespace, account))?.is_some()
        || Workload::all(&registry)?.iter().any(is_own))
}

impl Rotate {
    fn run(self, store: &Store, now: i64, context: &mut Context) -> Outcome {
        let brought = match (self.cert, self.key) {
            (Some(certificate), Some(key)) => Some(Brought { certificate, key, root: self.root, chain: self.chain }),
            _ => None,
        };
        let times = (self.after, self.overlap);
        let rotated = store.rotate(brought.as_ref(), self.domain.trust_domain.as_ref(), times, now);
        let told = rotated.map_err(Failure::from)?.describe(now);
        if self.overlap.is_some() {
            for early in told.iter().filter_map(ends_early) {
                context.say(&early)?;
            }
        }
        let mut lines = Vec::new();
        for one in &told {
            let (subject, serial) = (&one.subject, &one.serial_number);
            lines.push(match (one.state, one.trusted_until) {
                ("Next", _) => format!("{subject} ({serial}) is trusted, and signs from {}", date(one.signs_from)),
                (_, Some(until)) => format!("{subject} ({serial}) stays trusted until {}", date(until)),
                _ => format!("{subject} ({serial}) signs"),
            });
        }
        Ok(writeln!(context.out, "{}", lines.join("\n"))?)
    }
}

/// Says of an authority whose trust ends before its last certificate does what that means.
fn ends_early(of: &Described) -> Option<String> {
    let until = of.trusted_until.filter(|until| *until < of.issued_until)?;
    let (subject, serial, until, last) = (&of.subject, &of.serial_number, date(until), date(of.issued_until));
    Some(format!(
        "warning: {subject} ({serial}) has issued certificates that may be valid until {last}; with this --overlap they are \
         refused from {until}. Issue them anew before, or leave the flag out"
    ))
}

/// A file with these permissions in place of what was there: nobody reads half of it, or a key before it is closed to
/// others.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    let beside = path.with_extension("pem.new");
    let write = || {
        // Left by a command that was killed.
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::client(format!("cannot write {}: {error}", path.display()))
}

/// At least a second: certificates know no less.
pub(crate) fn certificate_ttl(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        ttl if ttl < Duration::from_secs(1) => Err("a certificate is valid for a second at least".into()),
        ttl if ttl > MAX_TTL => Err("a certificate is valid for 90 days (2160h) at most".into()),
        ttl => Ok(ttl),
    }
}

/// RFC 3339, of seconds since 1970.
fn date(seconds: i64) -> String {
    let mut text = String::new();
    Timestamp { seconds, nanos: 0 }.write_rfc3339(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::authority::{DEFAULT_TTL, TAKEOVER};

    #[test]
    fn the_defaults_of_flags_are_those_of_the_authority() {
        assert_eq!(duration("24h"), Ok(DEFAULT_TTL));
        assert_eq!(duration("1m"), Ok(TAKEOVER));
    }
}
