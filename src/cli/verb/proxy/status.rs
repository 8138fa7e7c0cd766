//! `proxy status`: how the proxies of a state directory do.

use std::io::Write as _;

use clap::Args;

use crate::call::PathNormalization;
use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::age::in_words;
use crate::node::api::{FeedStatus, LimitStatus, Status};

/// The flags of `proxy status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// json or yaml for the whole status
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json", "yaml"])]
    output: Option<String>,
}

/// Most rules that are named in one line.
const NAMED: usize = 5;

/// `enforcing 2 of 3 rules; deny-all.istio-system only reports`: of those rules that could refuse calls.
pub(crate) fn rules_in_words(enforced: usize, reporting: &[String]) -> String {
    let all = enforced + reporting.len();
    if all == 0 {
        return "no rule could refuse calls".to_owned();
    }
    let mut text = format!("enforcing {enforced} of {all} {}", if all == 1 { "rule" } else { "rules" });
    if !reporting.is_empty() {
        let named = reporting.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        text.push_str(&format!("; {named}"));
        if reporting.len() > NAMED {
            text.push_str(&format!(" and {} more", reporting.len() - NAMED));
        }
        text.push_str(if reporting.len() == 1 { " only reports" } else { " only report" });
    }
    text
}

/// Shows them.
pub(super) fn show(arguments: &StatusArgs, context: &mut Context) -> Outcome {
    let found = admin_client::all(&context.state_dir()?)?;
    match arguments.output.as_deref() {
        Some("yaml") => {
            let yaml = serde_yaml::to_string(&found).map_err(|error| Failure::client(error.to_string()))?;
            return Ok(write!(context.out, "{yaml}")?);
        }
        Some(_) => {
            let json = serde_json::to_string_pretty(&found).map_err(|error| Failure::client(error.to_string()))?;
            return Ok(writeln!(context.out, "{json}")?);
        }
        None => {}
    }
    if found.is_empty() {
        return Ok(context.say("No proxy runs on this state directory.")?);
    }
    for (position, status) in found.iter().enumerate() {
        if position > 0 {
            writeln!(context.out).map_err(Failure::from)?;
        }
        context.out.write_all(describe(status).as_bytes())?;
    }
    Ok(())
}

fn describe(status: &Status) -> String {
    let mut rows = vec![
        ("Name:", status.node.clone()),
        ("State:", format!("{} (pid {})", status.state, status.pid)),
        ("Roles:", status.roles.join(", ")),
    ];
    let addresses = status.listeners.iter().map(|listener| &listener.address);
    let addresses = addresses.chain(status.gateway_listeners.iter().map(|listener| &listener.address));
    let addresses = addresses.chain(&status.mesh_listener);
    let width = addresses.map(|address| address.to_string().len()).max().unwrap_or_default();
    let mut listeners = Vec::new();
    for listener in &status.listeners {
        let workload = listener.workload.as_deref().unwrap_or("unknown callers");
        let missing = if listener.known || listener.workload.is_none() { "" } else { " (not in the registry)" };
        listeners.push(format!("{:<width$}   {workload}{missing}", listener.address.to_string()));
    }
    let mesh = status.mesh_listener.iter();
    listeners.extend(mesh.map(|address| format!("{:<width$}   sidecars of others", address.to_string())));
    for listener in &status.gateway_listeners {
        listeners.push(format!("{:<width$}   gateway port {}", listener.address.to_string(), listener.port));
    }
    let headings = std::iter::once("Listeners:").chain(std::iter::repeat(""));
    rows.extend(headings.zip(listeners));
    rows.push(("Workers:", status.workers.to_string()));
    rows.push(("Configuration:", format!("revision {}", status.revision)));
    rows.push(("Policy:", rules_in_words(status.enforced_rules, &status.only_reporting)));
    if status.path_normalization != PathNormalization::default().name() {
        rows.push(("Paths:", format!("normalized as Istio's {} does", status.path_normalization)));
    }
    rows.extend(status.rejected.iter().map(|why| ("Rejected:", format!("newer changes are not in force: {why}"))));
    rows.push(("Uptime:", in_words(i64::try_from(status.uptime_seconds).unwrap_or(i64::MAX))));
    rows.push(("Calls:", format!("{} answered, {} of them refused or failed here", status.requests, status.refused)));
    rows.push((
        "Log:",
        format!(
            "{} recorded, {} waiting",
            counted(status.recorded, "entry", "entries"),
            counted(status.queued, "report", "reports")
        ),
    ));
    let used = status.limits.iter().filter(|limit| limit.used.is_some_and(|used| used > 0) || limit.reached > 0);
    for (position, limit) in used.enumerate() {
        rows.push((if position == 0 { "Limits:" } else { "" }, limit_in_words(limit)));
    }
    if status.unrecorded > 0 {
        rows.push(("Unrecorded:", format!("{} served without a record", counted(status.unrecorded, "call", "calls"))));
    }
    for (position, list) in status.lists.iter().enumerate() {
        rows.push((if position == 0 { "Lists:" } else { "" }, format!("{}   {}", list.handler, in_force(list))));
    }
    rows.extend(status.log_error.iter().map(|why| ("Log error:", why.clone())));
    rows.extend(status.notes.iter().map(|note| ("Note:", note.clone())));
    rows.into_iter().map(|(heading, value)| format!("{heading:<16}{value}\n")).collect()
}

/// `12 of 32768 connections; 3 times there was no more`.
fn limit_in_words(limit: &LimitStatus) -> String {
    let mut text = match (limit.used, limit.limit) {
        (Some(used), Some(most)) => format!("{used} of {most} {}", limit.name),
        (Some(used), None) => format!("{used} {}", limit.name),
        (None, Some(most)) => format!("at most {most} {}", limit.name),
        (None, None) => limit.name.clone(),
    };
    if limit.reached > 0 {
        text.push_str(&format!("; {} there was no more", counted(limit.reached, "time", "times")));
    }
    text
}

fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// `3 entries from http://lists.example/paths, 12s old`, and what is wrong with it.
pub(crate) fn in_force(list: &FeedStatus) -> String {
    let mut text = match list.entries {
        Some(1) => "1 entry".to_owned(),
        Some(entries) => format!("{entries} entries"),
        None => "no list".to_owned(),
    };
    text.push_str(&format!(" from {}", list.url));
    if let Some(age) = list.age_seconds {
        text.push_str(&format!(", {} old", in_words(i64::try_from(age).unwrap_or(i64::MAX))));
    }
    if !list.serves {
        text.push_str(if list.entries.is_some() { "; older than its ttl, checks fail" } else { "; checks fail" });
    }
    if let Some(why) = &list.last_error {
        text.push_str(&format!("; last fetch failed: {why}"));
    }
    text
}
