//! `--audit`: what a command called, and what the present policy would have refused.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::output::table::{Headings, Table};
use crate::diagnostic::visible;
use crate::proxy::{Audited, Counted, Summary, Verdict};
use crate::sandbox::{Asked, Lease, Tenant};

/// The flag, for the verbs that have it.
#[derive(Debug, Args)]
pub(crate) struct Flag {
    /// Let go what the present policy would refuse, and tell at the end what was called (on standard error, or as JSON in
    /// FILE); that it was so is recorded
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    audit: Option<Option<PathBuf>>,
}

impl Flag {
    /// What the proxy is asked for.
    pub(crate) fn asked(&self, tenant: &Tenant) -> Asked {
        match self.audit {
            None => Asked::Sandbox(tenant.clone()),
            Some(_) => Asked::Audit(tenant.clone()),
        }
    }

    /// Where it will be told, if anywhere. The file is made before anything runs, and keeps what it has until there is more to
    /// tell.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn open(self, tenant: &Tenant) -> Result<Option<Audit>, Failure> {
        let Some(file) = self.audit else { return Ok(None) };
        let create = |path: PathBuf| {
            let opened = File::options().write(true).create(true).truncate(false).open(&path);
            opened.map_err(|error| Failure::client(format!("cannot write {}: {error}", path.display())))
        };
        Ok(Some(Audit { tenant: tenant.clone(), file: file.map(create).transpose()? }))
    }
}

/// An audit that is under way.
#[derive(Debug)]
pub(crate) struct Audit {
    tenant: Tenant,
    /// Instead of standard error.
    file: Option<File>,
}

impl Audit {
    /// Waits for what the calls of a sandbox came to that has ended, and tells it.
    ///
    /// # Errors
    /// The proxy has left, or it cannot be written.
    pub(crate) fn tell(self, lease: &Lease) -> Result<(), Failure> {
        let left = |error: io::Error| Failure::client(format!("the proxy does not tell what was called: {error}"));
        let summary = lease.audited().map_err(left)?;
        let told = match self.file {
            Some(file) => {
                let written = emptied(&file).and_then(|()| write_json(&file, &self.tenant, &summary));
                written.and_then(|()| writeln!(io::stderr(), "{}", in_short(&self.tenant, &summary)))
            }
            None => write_text(&mut io::stderr().lock(), &self.tenant, &summary),
        };
        told.map_err(Failure::from)
    }
}

/// Empties a file; a pipe or a terminal has nothing to be emptied of.
fn emptied(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() { file.set_len(0) } else { Ok(()) }
}

fn write_json(mut file: &File, tenant: &Tenant, summary: &Summary) -> io::Result<()> {
    let Tenant { workload, namespace } = tenant;
    let Summary { calls, others } = summary;
    let told = json!({"workload": workload, "namespace": namespace, "calls": calls, "others": others});
    serde_json::to_writer_pretty(file, &told)?;
    file.write_all(b"\n")
}

/// How many calls of which sort there were. One that would be refused may have failed as well.
fn in_short(Tenant { workload, namespace }: &Tenant, Summary { calls, others }: &Summary) -> String {
    let count = |is: fn(&Audited) -> bool| calls.iter().filter(|one| is(&one.call)).map(|one| one.calls).sum::<u64>();
    let all = count(|_| true) + others;
    let noun = if all == 1 { "call" } else { "calls" };
    let would = count(|call| call.verdict == Verdict::WouldDeny);
    let failed = count(|call| call.verdict == Verdict::Deny || !call.failure.is_empty());
    format!(
        "audit: {all} {noun} of {workload}.{namespace}: {would} would be refused by the present policy, {failed} could not be made"
    )
}

fn write_text(out: &mut dyn io::Write, tenant: &Tenant, summary: &Summary) -> io::Result<()> {
    let (Tenant { workload, .. }, Summary { calls, others }) = (tenant, summary);
    writeln!(out, "{}", in_short(tenant, summary))?;
    let mut table = Table::new(["verdict", "calls", "call", "why"]);
    for Counted { call, calls, .. } in calls {
        table.push([verdict(call.verdict).to_owned(), calls.to_string(), target(call), why(call)]);
    }
    if !table.is_empty() {
        table.write(out, Headings::Plain)?;
    }
    if *others > 0 {
        writeln!(out, "and {others} {} elsewhere", if *others == 1 { "call" } else { "calls" })?;
    }
    let mut remedies: Vec<_> = calls.iter().map(|one| one.call.remedy.as_str()).filter(|one| !one.is_empty()).collect();
    remedies.sort_unstable();
    remedies.dedup();
    if !remedies.is_empty() {
        writeln!(out, "what would let them go:")?;
        remedies.iter().try_for_each(|remedy| writeln!(out, "  {}", visible(remedy)))?;
    }
    if calls.iter().any(|one| one.call.verdict == Verdict::WouldDeny) {
        writeln!(
            out,
            "hint: for a while, `egressctl allow HOST[:PORT][/PATH] --from {workload} --for 1h --reason TEXT` does"
        )?;
    }
    Ok(())
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Deny => "deny",
        Verdict::WouldDeny => "would deny",
        Verdict::Allow => "allow",
    }
}

/// Why the policy is against it, and what went wrong besides.
fn why(Audited { reason, failure, .. }: &Audited) -> String {
    match (reason.as_str(), failure.as_str()) {
        (reason, "") => reason.to_owned(),
        ("", failure) => format!("failed: {failure}"),
        (reason, failure) => format!("{reason}; failed: {failure}"),
    }
}

fn target(call: &Audited) -> String {
    let Audited { protocol, destination, method, path, .. } = call;
    let method = if method.is_empty() { String::new() } else { format!("{method} ") };
    format!("{method}{protocol}://{destination}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(
        verdict: Verdict,
        calls: u64,
        call: (&str, &str, &str, &str),
        why: (&str, &str),
        failure: &str,
    ) -> Counted {
        let (method, protocol, destination, path) = call;
        let call = Audited {
            verdict,
            destination: destination.into(),
            protocol: protocol.into(),
            method: method.into(),
            path: path.into(),
            reason: why.0.into(),
            remedy: why.1.into(),
            failure: failure.into(),
        };
        Counted { call, calls, decision: "5f0c1e2d3a4b5968".into() }
    }

    #[test]
    fn what_would_be_refused_is_told_with_what_would_let_it_go() {
        let tenant = Tenant { workload: "sleep".into(), namespace: "default".into() };
        let unknown = ("no ServiceEntry knows it", "a ServiceEntry with the host b.example and the port 443");
        let calls = vec![
            counted(Verdict::WouldDeny, 2, ("", "tls", "b.example:443", ""), unknown, ""),
            counted(Verdict::WouldDeny, 1, ("POST", "http", "b.example:443", "/x"), unknown, "no such name"),
            counted(Verdict::Allow, 7, ("GET", "http", "a.example", "/"), ("", ""), ""),
        ];
        let told = |summary: &Summary| {
            let mut out = Vec::new();
            write_text(&mut out, &tenant, summary).expect("room");
            let text = String::from_utf8(out).expect("text");
            text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            told(&Summary { calls, others: 3 }),
            [
                "audit: 13 calls of sleep.default: 3 would be refused by the present policy, 1 could not be made",
                "VERDICT      CALLS   CALL                          WHY",
                "would deny   2       tls://b.example:443           no ServiceEntry knows it",
                "would deny   1       POST http://b.example:443/x   no ServiceEntry knows it; failed: no such name",
                "allow        7       GET http://a.example/",
                "and 3 calls elsewhere",
                "what would let them go:",
                "  a ServiceEntry with the host b.example and the port 443",
                "hint: for a while, `egressctl allow HOST[:PORT][/PATH] --from sleep --for 1h --reason TEXT` does",
            ]
        );
        let nothing = "audit: 0 calls of sleep.default: 0 would be refused by the present policy, 0 could not be made";
        assert_eq!(told(&Summary::default()), [nothing]);
    }
}
