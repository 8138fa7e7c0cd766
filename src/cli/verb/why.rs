//! `why`: the recorded decision about one call.

use std::io::Write as _;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value as Json;

use crate::accesslog::{LogStore, Pattern, Query, Row, Stream, line};
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::decision::access;
use crate::diagnostic::visible;
use crate::policy::refusal;

/// How long a decision may take to be stored, and the pause between two looks.
const PATIENCE: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(20);

const EXAMPLES: &str = "Examples:
  # The header x-egress-decision-id of a refused answer, and its body, name the decision
  egressctl why 5f0c1e2d3a4b5968

  # For scripts
  egressctl why 5f0c1e2d3a4b5968 -o json

  # What would be decided now
  egressctl trace --from sleep http://edition.cnn.com/politics";

/// Show why a call was refused, or that it was let go: the recorded decision, the values that were compared, and what would have let it through.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The decision, 16 hexadecimal digits
    #[arg(value_name = "ID", value_parser = id)]
    id: String,
    /// json for scripts
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
}

/// The name of a decision as it is typed.
pub(super) fn id(text: &str) -> Result<String, String> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits { Ok(text.to_ascii_lowercase()) } else { Err("a decision is named by 16 hexadecimal digits".into()) }
}

/// Fields of the entry in the order in which people read them, with their headings.
const ROWS: &[(&str, &str)] = &[
    ("decision", "Decision:"),
    ("time", "Time:"),
    ("source", "Caller:"),
    ("sourceNamespace", "Namespace:"),
    ("method", "Method:"),
    ("destination", "Host:"),
    ("destinationPort", "Port:"),
    ("path", "Path:"),
    ("verdict", "Verdict:"),
    ("responseCode", "Status:"),
    ("serverName", "SNI:"),
    ("flag", "Flag:"),
    ("reason", "Reason:"),
    ("grant", "Grant:"),
    ("grantReason", "Because:"),
    ("details", "Details:"),
    ("rule", "Rule:"),
    ("handler", "Handler:"),
    ("instances", "Instance:"),
];

impl Arguments {
    /// Finds the decision and shows it.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let state = context.state_dir()?;
        let stores = Stream::ALL.map(|stream| LogStore::open(stream.hot_db(&state)).map_err(Failure::from));
        let [lines, accesses] = stores;
        let stores = [(lines?, refusal::INSTANCE), (accesses?, access::INSTANCE)];
        let mut found = self.recorded(&stores)?;
        // Both are stored a moment after the caller has read its answer, and neither waits for the other.
        let deadline = Instant::now() + PATIENCE;
        while !whole(&found) && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
            found = self.recorded(&stores)?;
        }
        if found.is_empty() {
            return Err(Failure::client(format!(
                "no decision {} in the log\nhint: was it another state directory, or a proxy with --access off?",
                self.id
            ))
            .into());
        }
        for line in &found {
            if self.output.is_some() {
                writeln!(context.out, "{line}").map_err(Failure::from)?;
            } else {
                let fields = line::fields(line).map_err(|error| Failure::client(error.to_string()))?;
                context.out.write_all(described(&fields).as_bytes()).map_err(Failure::from)?;
            }
        }
        Ok(())
    }

    /// The entries of the decision: those that say why it was refused, or else the record of the call.
    fn recorded(&self, stores: &[(LogStore, &str)]) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        for (store, instance) in stores {
            let query = Query {
                instance: Some((*instance).to_owned()),
                patterns: vec![Pattern::fixed(format!("\"decision\":\"{}\"", self.id))],
                ..Query::default()
            };
            let mut sink = |row: &Row<'_>| {
                found.push(row.line.to_owned());
                true
            };
            store.query(&query, &mut sink).map_err(Failure::from)?;
            if !found.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}

/// Whether nothing more is to be expected of a decision than `found`: why it was refused, or the record of a call that
/// nothing was against.
fn whole(found: &[String]) -> bool {
    let nothing_against = |line: &String| line.contains("\"verdict\":\"allow\"");
    let of_call = format!("\"instance\":\"{}\"", access::INSTANCE);
    found.iter().any(|line| !line.contains(&of_call) || nothing_against(line))
}

fn described(fields: &[(String, Json)]) -> String {
    let value = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
    let mut text = String::new();
    let mut row = |heading: &str, value: &str| text.push_str(&format!("{heading:<12}{}\n", visible(value)));
    for (name, heading) in ROWS {
        if let Some(found) = value(name) {
            row(heading, &shown(found));
        }
    }
    let compared = value("values").and_then(Json::as_object);
    for (position, (name, found)) in compared.into_iter().flatten().enumerate() {
        row(if position == 0 { "Compared:" } else { "" }, &format!("{name} = {found}"));
    }
    if let Some(remedy) = value("remedy") {
        row("Would go:", &format!("with {}", shown(remedy)));
    }
    text
}

fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_told_in_the_order_of_questions() {
        let line = r#"{"level":"error","time":"2018-06-18T13:22:58.317448Z","instance":"refused.egressctl.istio-system","decision":"5f0c1e2d3a4b5968","destination":"edition.cnn.com","method":"GET","path":"/politics","reason":"PERMISSION_DENIED:p.listchecker.istio-system:/politics is not whitelisted","remedy":"\"/politics\" on the list of p.listchecker.istio-system","responseCode":403,"rule":"check.rule.istio-system","source":"sleep","values":{"request.host":"edition.cnn.com"}}"#;
        let told = described(&line::fields(line).expect("an object"));
        assert!(
            told.starts_with("Decision:   5f0c1e2d3a4b5968\nTime:       2018-06-18T13:22:58.317448Z\nCaller:"),
            "{told}"
        );
        assert!(told.contains("Compared:   request.host = \"edition.cnn.com\"\n"), "{told}");
        assert!(told.ends_with("Would go:   with \"/politics\" on the list of p.listchecker.istio-system\n"), "{told}");
    }

    #[test]
    fn the_record_of_a_refused_call_alone_is_not_the_whole_of_a_decision() {
        let record = |verdict: &str| format!(r#"{{"instance":"{}","verdict":"{verdict}"}}"#, access::INSTANCE);
        assert!(!whole(&[]) && !whole(&[record("deny")]) && !whole(&[record("would-deny")]));
        assert!(whole(&[record("allow")]));
        assert!(whole(&[format!(r#"{{"instance":"{}","reason":"no"}}"#, refusal::INSTANCE)]));
    }

    #[test]
    fn an_id_is_16_hexadecimal_digits() {
        assert_eq!(id("5F0c1e2d3a4b5968").as_deref(), Ok("5f0c1e2d3a4b5968"));
        assert!(id("5f0c").is_err() && id("5f0c1e2d3a4b596g").is_err());
    }
}
