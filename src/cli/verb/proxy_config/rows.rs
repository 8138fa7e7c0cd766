//! The rows of each section as tables: istioctl's columns, and with `-o wide` more.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::output::age::age;
use crate::node::api::Listener;
use crate::policy::describe::{Action, Rule};
use crate::resource::Provenance;
use crate::routing::describe::{Cluster, Endpoint, Route};
use crate::upstream::secrets::Secret;

use super::filter::Filter;

/// A row that can be printed.
pub(super) trait Shown: Serialize + DeserializeOwned {
    /// Headings.
    const SHORT: &'static [&'static str];
    /// Headings with `-o wide`.
    const WIDE: &'static [&'static str];
    /// The filters that say something of it.
    const FILTERS: &'static [Filter];
    /// Its cells.
    fn cells(&self, wide: bool, now: Timestamp) -> Vec<String>;
    /// Whether a filter's value is this row's.
    fn has(&self, filter: Filter, value: &str) -> bool;
}

/// What stands in a cell that has nothing to say.
const NOTHING: &str = "-";

fn or_nothing(text: &str) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text.to_owned() }
}

fn from(provenance: Option<&Provenance>) -> String {
    provenance.map_or_else(|| NOTHING.to_owned(), ToString::to_string)
}

impl Shown for Listener {
    const SHORT: &'static [&'static str] = &["addresses", "port", "match", "destination"];
    const WIDE: &'static [&'static str] = Self::SHORT;
    const FILTERS: &'static [Filter] = &[Filter::Address, Filter::Port];

    fn cells(&self, _wide: bool, _now: Timestamp) -> Vec<String> {
        vec![self.address.clone(), self.port.to_string(), self.matches.clone(), self.destination.clone()]
    }

    fn has(&self, filter: Filter, value: &str) -> bool {
        match filter {
            Filter::Address => self.address == value,
            Filter::Port => {
                self.port.to_string() == value || self.called_port.is_some_and(|port| port.to_string() == value)
            }
            _ => false,
        }
    }
}

impl Shown for Route {
    const SHORT: &'static [&'static str] = &["name", "vhost name", "domains", "match", "virtual service"];
    const WIDE: &'static [&'static str] =
        &["name", "vhost name", "domains", "match", "virtual service", "destination", "from"];
    const FILTERS: &'static [Filter] = &[Filter::Name, Filter::Port, Filter::Fqdn];

    fn cells(&self, wide: bool, _now: Timestamp) -> Vec<String> {
        let domains = match self.domains.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, more @ ..] => format!("{first}, +{} more...", more.len()),
        };
        let answers_404 = self.answer.as_ref().filter(|_| self.virtual_service.is_none());
        let virtual_service = self.virtual_service.as_ref().map(Provenance::short).or_else(|| answers_404.cloned());
        let virtual_service = or_nothing(virtual_service.as_deref().unwrap_or_default());
        let mut cells =
            vec![self.name.clone(), self.virtual_host.clone(), domains, self.matches.clone(), virtual_service];
        if wide {
            cells.push(self.destination());
            let place = self.place.iter().chain(&self.delegate).map(|place| format!(" {place}"));
            cells.push(format!("{}{}", from(self.virtual_service.as_ref()), place.collect::<String>()));
        }
        cells
    }

    fn has(&self, filter: Filter, value: &str) -> bool {
        match filter {
            Filter::Name => self.name == value || self.virtual_host == value,
            Filter::Port => self.virtual_host.rsplit(':').next() == Some(value),
            Filter::Fqdn => self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(value)),
            _ => false,
        }
    }
}

impl Route {
    /// `outbound|443||a.example`, or with several `outbound|443||a.example 90, …`; or what it answers itself.
    fn destination(&self) -> String {
        if let Some(answer) = &self.answer {
            return answer.clone();
        }
        let alone = self.destinations.len() == 1;
        let shown = self.destinations.iter().map(|to| {
            let cluster = to.cluster.as_deref().or(to.problem.as_deref()).unwrap_or(NOTHING);
            if alone { cluster.to_owned() } else { format!("{cluster} {}", to.weight) }
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

impl Shown for Cluster {
    const SHORT: &'static [&'static str] =
        &["service fqdn", "port", "subset", "direction", "type", "destination rule", "last failure"];
    const WIDE: &'static [&'static str] = &[
        "service fqdn",
        "port",
        "subset",
        "direction",
        "type",
        "destination rule",
        "last failure",
        "failures",
        "load balancing",
        "tls",
        "from",
        "rule from",
    ];
    const FILTERS: &'static [Filter] = &[Filter::Fqdn, Filter::Port, Filter::Subset, Filter::Name];

    fn cells(&self, wide: bool, now: Timestamp) -> Vec<String> {
        let last_failure = self.last_failure.as_ref().map(|last| {
            let well = if last.lasts { "" } else { ", well since" };
            format!("{} ago{well}: {}", age(Some(&last.time), now), last.reason)
        });
        let mut cells = vec![
            self.fqdn.clone(),
            self.port.map_or_else(|| NOTHING.to_owned(), |port| port.to_string()),
            or_nothing(&self.subset),
            self.direction.clone(),
            self.r#type.clone(),
            or_nothing(&self.destination_rules.iter().map(Provenance::short).collect::<Vec<_>>().join(", ")),
            last_failure.unwrap_or_else(|| NOTHING.to_owned()),
        ];
        if wide {
            let insecure = |insecure: bool| if insecure { " unverified" } else { "" };
            let tls = self.tls.as_ref().map(|tls| format!("{} {}{}", tls.mode, tls.sni, insecure(tls.insecure)));
            cells.extend([
                self.failures.to_string(),
                self.load_balancing.clone(),
                tls.unwrap_or_else(|| NOTHING.to_owned()),
                from(self.registered_by.as_ref()),
                or_nothing(&self.destination_rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            ]);
        }
        cells
    }

    fn has(&self, filter: Filter, value: &str) -> bool {
        match filter {
            Filter::Fqdn => self.fqdn.eq_ignore_ascii_case(value),
            Filter::Port => self.port.is_some_and(|port| port.to_string() == value),
            Filter::Subset => self.subset == value,
            Filter::Name => self.name == value,
            _ => false,
        }
    }
}

impl Shown for Endpoint {
    const SHORT: &'static [&'static str] = &["endpoint", "status", "outlier check", "cluster"];
    const WIDE: &'static [&'static str] =
        &["endpoint", "status", "outlier check", "cluster", "active", "ejections", "ejected until"];
    const FILTERS: &'static [Filter] = &[Filter::Address, Filter::Port, Filter::Cluster, Filter::Status];

    fn cells(&self, wide: bool, _now: Timestamp) -> Vec<String> {
        let mut cells =
            vec![self.endpoint.clone(), self.status.clone(), self.outlier_check.clone(), self.cluster.clone()];
        if wide {
            cells.extend([
                self.active.map_or_else(|| NOTHING.to_owned(), |active| active.to_string()),
                self.ejections.to_string(),
                or_nothing(self.ejected_until.as_deref().unwrap_or_default()),
            ]);
        }
        cells
    }

    fn has(&self, filter: Filter, value: &str) -> bool {
        let (address, port) = self.endpoint.rsplit_once(':').unwrap_or((&self.endpoint, ""));
        match filter {
            Filter::Address => address.trim_matches(['[', ']']) == value || self.endpoint == value,
            Filter::Port => port == value,
            Filter::Cluster => self.cluster == value,
            Filter::Status => self.status.eq_ignore_ascii_case(value),
            _ => false,
        }
    }
}

impl Shown for Secret {
    const SHORT: &'static [&'static str] =
        &["resource name", "type", "status", "valid cert", "serial number", "not after", "not before"];
    const WIDE: &'static [&'static str] = &[
        "resource name",
        "type",
        "status",
        "valid cert",
        "serial number",
        "not after",
        "not before",
        "certificates",
        "subject",
        "used by",
    ];
    const FILTERS: &'static [Filter] = &[Filter::Name];

    fn cells(&self, wide: bool, _now: Timestamp) -> Vec<String> {
        let given = |text: &Option<String>| or_nothing(text.as_deref().unwrap_or_default());
        let reason = self.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let mut cells = vec![
            self.name.clone(),
            self.r#type.clone(),
            format!("{}{reason}", self.status),
            self.valid.to_string(),
            given(&self.serial_number),
            given(&self.not_after),
            given(&self.not_before),
        ];
        if wide {
            cells.extend([self.certificates.to_string(), given(&self.subject), self.used_by.join(", ")]);
        }
        cells
    }

    fn has(&self, filter: Filter, value: &str) -> bool {
        filter == Filter::Name && self.name == value
    }
}

impl Shown for Rule {
    const SHORT: &'static [&'static str] = &["name", "match", "actions", "mode", "matched", "refused"];
    const WIDE: &'static [&'static str] =
        &["name", "match", "actions", "mode", "matched", "refused", "undecided", "from"];
    const FILTERS: &'static [Filter] = &[Filter::Name];

    fn cells(&self, wide: bool, _now: Timestamp) -> Vec<String> {
        let actions = self.actions.iter().map(in_short).collect::<Vec<_>>().join(", ");
        let mut cells = vec![
            self.name.clone(),
            if self.condition.is_empty() { "*".to_owned() } else { self.condition.clone() },
            or_nothing(&actions),
            or_nothing(self.mode.as_deref().unwrap_or_default()),
            self.matched.to_string(),
            self.refused.to_string(),
        ];
        if wide {
            cells.extend([self.undecided.to_string(), self.from.to_string()]);
        }
        cells
    }

    fn has(&self, filter: Filter, value: &str) -> bool {
        filter == Filter::Name && (self.name == value || self.from.name == value)
    }
}

/// `check pathlist.path`: handler and instance without kinds and namespaces; with `!` where it cannot be carried out.
fn in_short(action: &Action) -> String {
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let broken = if action.problem.is_some() { "!" } else { "" };
    format!("{} {}.{}{broken}", action.variety, first(&action.handler), first(&action.instance))
}
