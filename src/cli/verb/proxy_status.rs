//! `proxy-status`: whether each proxy works with what is declared.

use std::io::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::Value as Json;

use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::age::in_words;
use crate::cli::output::table::{Headings, Table};
use crate::node::api::{GATEWAY, Section, Status};
use crate::registry::{Revision, View as _};

use super::proxy::rules_in_words;

const EXAMPLES: &str = "Examples:
  # Every proxy of this state directory: in step with the registry, or why not
  egressctl proxy-status

  # What each part of the configuration comes to
  egressctl proxy-status -v

  # One proxy, for a script
  egressctl proxy-status egressgateway -o json";

/// Show whether running proxies are in step with what is declared.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, visible_alias = "ps")]
pub(crate) struct Arguments {
    /// Name of a node, or WORKLOAD[.NAMESPACE] whose sidecar it plays
    proxy: Option<String>,
    /// A column for each part of the configuration
    #[arg(short, long)]
    verbose: bool,
    /// json or yaml
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml"])]
    output: Option<String>,
}

/// How a proxy stands to what is declared.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    name: String,
    /// Revision in force; none of a proxy that is gone.
    revision: Option<u64>,
    /// The registry's newest.
    newest: u64,
    /// `SYNCED`, `STALE`, `REJECTED`, `DRAINING`, `GONE`.
    status: &'static str,
    /// What else there is to say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// `sleep.default` and the like.
    proxies: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// How many there are of each part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<(&'static str, usize)>,
    #[serde(skip)]
    policy: Option<String>,
}

impl Arguments {
    /// Asks all, and prints.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let state = context.state_dir()?;
        let newest = context.registry()?.revision().map_err(Failure::from)?;
        let known = admin_client::known(&state)?;
        let mut standings: Vec<_> =
            known.into_iter().map(|(name, status)| Standing::of(name, status.as_ref(), newest)).collect();
        if let Some(proxy) = &self.proxy {
            let full = if proxy.contains('.') { proxy.clone() } else { format!("{proxy}.{}", context.namespace()) };
            standings.retain(|one| one.name == *proxy || one.proxies.contains(&full));
            if standings.is_empty() {
                return Err(Failure::client(format!("no proxy {proxy:?} on this state directory")).into());
            }
        }
        if self.verbose {
            for standing in standings.iter_mut().filter(|standing| standing.revision.is_some()) {
                for section in Section::ALL {
                    let rows = admin_client::rows::<Json>(&state, Some(&standing.name), section)?;
                    let count = rows.iter().map(|one| one.rows.len() + one.left_out).sum();
                    standing.parts.push((section.name(), count));
                }
            }
        }
        match self.output.as_deref() {
            Some("yaml") => {
                let text = serde_yaml::to_string(&standings).map_err(|error| Failure::client(error.to_string()))?;
                Ok(write!(context.out, "{text}")?)
            }
            Some(_) => {
                let text =
                    serde_json::to_string_pretty(&standings).map_err(|error| Failure::client(error.to_string()))?;
                Ok(writeln!(context.out, "{text}")?)
            }
            None => self.print(standings, context),
        }
    }

    fn print(&self, standings: Vec<Standing>, context: &mut Context) -> Outcome {
        if standings.is_empty() {
            return Ok(context.say("No proxy runs on this state directory.")?);
        }
        let policies: Vec<_> = standings
            .iter()
            .filter_map(|one| Some((one.name.clone(), one.policy.clone()?)))
            .map(|(name, policy)| format!("{name}: {policy}"))
            .collect();
        let mut headings = vec!["name", "revision", "status"];
        match self.verbose {
            true => headings.extend(Section::ALL.map(Section::name)),
            false => headings.extend(["proxies", "pid", "uptime"]),
        }
        headings.push("version");
        let mut table = Table::new(headings);
        for one in standings {
            table.push(one.cells(self.verbose));
        }
        table.write(&mut *context.out, Headings::new(true, context.color)).map_err(Failure::from)?;
        for policy in policies {
            context.say(&policy).map_err(Failure::from)?;
        }
        Ok(())
    }
}

impl Standing {
    fn of(name: String, status: Option<&Status>, newest: Revision) -> Self {
        let Some(status) = status else {
            return Self {
                name,
                revision: None,
                newest: newest.0,
                status: "GONE",
                reason: Some("it was killed and left its socket".to_owned()),
                proxies: Vec::new(),
                pid: None,
                uptime_seconds: None,
                version: None,
                parts: Vec::new(),
                policy: None,
            };
        };
        let state = match &status.rejected {
            _ if status.state == "draining" => "DRAINING",
            Some(_) => "REJECTED",
            None if status.revision < newest.0 => "STALE",
            None => "SYNCED",
        };
        let workloads = status.listeners.iter().map(|listener| listener.workload.clone());
        let mut proxies: Vec<_> = workloads.map(|name| name.unwrap_or_else(|| "unknown.default".to_owned())).collect();
        proxies.dedup();
        if status.roles.iter().any(|role| role == "gateway") {
            proxies.push(GATEWAY.to_owned());
        }
        Self {
            name,
            revision: Some(status.revision),
            newest: newest.0,
            status: state,
            reason: status.rejected.clone(),
            proxies,
            pid: Some(status.pid),
            uptime_seconds: Some(status.uptime_seconds),
            version: Some(status.version.clone()),
            parts: Vec::new(),
            policy: Some(rules_in_words(status.enforced_rules, &status.only_reporting)),
        }
    }

    fn cells(&self, verbose: bool) -> Vec<String> {
        const NOTHING: &str = "-";
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        let reason = self.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let mut cells = vec![
            self.name.clone(),
            or_nothing(self.revision.map(|revision| format!("{revision}/{}", self.newest))),
            format!("{}{reason}", self.status),
        ];
        if verbose {
            let count = |section: Section| self.parts.iter().find(|(name, _)| *name == section.name());
            cells.extend(
                Section::ALL
                    .map(|section| or_nothing(count(section).map(|(_, count)| format!("{} ({count})", self.status)))),
            );
        } else {
            let uptime = self.uptime_seconds.map(|seconds| in_words(i64::try_from(seconds).unwrap_or(i64::MAX)));
            cells.push(or_nothing(Some(self.proxies.join(", ")).filter(|names| !names.is_empty())));
            cells.push(or_nothing(self.pid.map(|pid| pid.to_string())));
            cells.push(or_nothing(uptime));
        }
        cells.push(or_nothing(self.version.clone()));
        cells
    }
}
