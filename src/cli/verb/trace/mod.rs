//! `trace`: what would happen to a call, and why.

mod batch;
mod request;
mod roles;
mod world;

use std::io::Write as _;
use std::net::IpAddr;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use crate::accesslog::{LogStore, Pattern, Query, Row, Stream};
use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;
use crate::cli::verb::proxy::outbound_policy;
use crate::cli::verb::why::id as decision_id;
use crate::decision::access;
use crate::decision::replay::Access;
use crate::decision::{Asked, Place, Source, Told, tell};
use crate::node::api::Question;
use crate::routing::OutboundPolicy;

use roles::{Roles, Who};
use world::World;

const BATCH: &str = "\
A line of --batch is {\"id\", \"manifest\", \"from\", \"request\"}. Without manifest (YAML text) the call is judged by what is \
declared in the registry. Fields of request, all optional as long as it says where the call goes:
  method, url, headers   as a client has them; headers are {\"name\": \"value\"} or {\"name\": [\"value\", …]}
  scheme, authority, path, port   instead of the URL's; port is the one that is dialled, or the gateway's server's
  protocol   http, tls (passed through unread) or tcp
  sni        the server name that TLS asks for; null for none
  hop        sidecar, or gateway: the call comes to the egress gateway's server on port
  from       who calls: a workload's name, or {\"namespace\", \"labels\"}; may also stand beside request
  source     {\"principal\", \"ip\"}
  gateway_workload   who plays the gateway: a name, labels, or {\"namespace\", \"labels\"}
  outboundTrafficPolicy   REGISTRY_ONLY or ALLOW_ANY

";

const EXAMPLES: &str = "Examples:
  # What the workload sleep gets when it calls a site, by what is declared
  egressctl trace --from sleep http://edition.cnn.com/politics

  # What one of several running proxies would do
  egressctl trace --proxy ci --from sleep http://edition.cnn.com/politics

  # The same by files alone, without registry and proxy
  egressctl trace -f fixtures/scenario --from sleep http://edition.cnn.com/politics

  # Only the verdict, for a script
  egressctl trace --from sleep -o json http://edition.cnn.com/politics

  # TLS that is passed through, and a connection of any bytes
  egressctl trace --from sleep https://edition.cnn.com
  egressctl trace --from sleep tcp://db.example.com:3306

  # What the egress gateway's server on port 443 does with a request
  egressctl trace --hop gateway --port 443 http://edition.cnn.com/politics

  # A recorded call, by what is declared now
  egressctl trace --decision 5f0c1e2d3a4b5968

  # Many calls, a JSON line each, answered in order
  egressctl trace --batch < calls.jsonl";

/// Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{BATCH}{EXAMPLES}"))]
pub(crate) struct Arguments {
    /// The call, as a client makes it: http://…, https://… (passed through), tls://NAME:PORT, tcp://HOST:PORT
    #[arg(value_name = "URL", required_unless_present_any = ["batch", "decision"], conflicts_with = "batch")]
    url: Option<String>,
    /// The recorded call of this decision, instead of one that is described
    #[arg(long, value_name = "ID", value_parser = decision_id)]
    #[arg(conflicts_with_all = ["url", "batch", "from", "method", "headers", "hop", "port", "sni", "source_ip"])]
    decision: Option<String>,
    #[command(flatten)]
    files: Files,
    /// The workload (Deployment or Pod) that calls; without it the caller is unknown
    #[arg(long, value_name = "WORKLOAD[.NAMESPACE]")]
    from: Option<String>,
    /// Method
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    method: String,
    /// Header of the request; repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Where the call comes to
    #[arg(long, value_name = "HOP", default_value = "sidecar", value_parser = place())]
    hop: Place,
    /// The port that is dialled, or the server's with --hop gateway [default: the URL's]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The server name that TLS asks for; empty for none [default: the host]
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// The caller's address [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    source_ip: Option<IpAddr>,
    /// Which hosts workloads may call, instead of asking a running proxy [default: REGISTRY_ONLY]
    #[arg(long, value_name = "REGISTRY_ONLY|ALLOW_ANY", value_parser = outbound_policy(), conflicts_with = "proxy")]
    outbound_traffic_policy: Option<OutboundPolicy>,
    /// The running proxy to ask [default: the first that has a listener for the workload; none: what is declared]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["names", "batch"])]
    proxy: Option<String>,
    /// When the call is made, as 2018-06-18T13:22:58Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// json for scripts
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
    /// Read calls from standard input, {"id","manifest","from","request":{"method","url","headers":{},…}} a line; --help
    /// says which fields there are
    #[arg(long, conflicts_with_all = ["names", "recursive", "from", "headers", "output"])]
    batch: bool,
}

impl Arguments {
    /// Judges the call, or many.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let at = self.at.unwrap_or(context.now);
        if self.batch {
            return batch::run(at, context);
        }
        let mut notes = Vec::new();
        let recorded = self.decision.as_deref().map(|id| recorded(id, &mut notes, context)).transpose()?;
        let recorded = recorded.map(|asked| Asked { at: self.at.map_or(asked.at, Timestamp::as_microsecond), ..asked });
        let named = recorded.as_ref().and_then(|asked| asked.from.as_ref());
        let named = named.map(|(name, namespace)| format!("{name}.{namespace}")).or(self.from);
        let from = named.map(|from| Who::named(&from, context.namespace()));
        let described = || -> Result<Asked, Failure> {
            Ok(Asked {
                from: from.as_ref().and_then(Who::name),
                hop: self.hop,
                method: self.method,
                url: self.url,
                port: self.port,
                sni: self.sni,
                headers: self.headers.iter().map(|header| split(header)).collect::<Result<_, _>>()?,
                source: Source { principal: None, ip: self.source_ip },
                at: at.as_microsecond(),
                ..Asked::default()
            })
        };
        let asked = recorded.map_or_else(described, Ok)?;
        // A running proxy has a policy for hosts that nobody registered, and no other.
        let told = match self.files.names.is_empty() && self.outbound_traffic_policy.is_none() {
            true => of_proxy(&asked, self.proxy.as_deref(), &mut notes, context)?,
            false => None,
        };
        let told = match told {
            Some(told) => told,
            None => {
                let outbound = self.outbound_traffic_policy.unwrap_or_default();
                let world = World::open(&self.files, &Roles { from, gateway: None, outbound }, context)?;
                notes.extend(world.notes);
                tell(&world.snapshot, Some(0), &asked, context.color).map_err(Failure::client)?
            }
        };
        if self.output.is_some() {
            let text =
                serde_json::to_string_pretty(&told.answer).map_err(|error| Failure::client(error.to_string()))?;
            return Ok(writeln!(context.out, "{text}").map_err(Failure::from)?);
        }
        for note in &notes {
            context.say(&format!("note: {note}")).map_err(Failure::from)?;
        }
        Ok(context.out.write_all(told.text.as_bytes()).map_err(Failure::from)?)
    }
}

/// The call of a recorded decision, as it is asked about.
fn recorded(id: &str, notes: &mut Vec<String>, context: &Context) -> Result<Asked, Failure> {
    let store = LogStore::open(Stream::Accesses.hot_db(&context.state_dir()?))?;
    let patterns = vec![Pattern::fixed(format!("\"decision\":\"{id}\""))];
    let query = Query { instance: Some(access::INSTANCE.to_owned()), patterns, ..Query::default() };
    let mut found = None;
    store.query(&query, &mut |row: &Row<'_>| {
        found = Some(row.line.to_owned());
        false
    })?;
    let hint = "hint: was it another state directory, or a proxy with --access off?";
    let line = found.ok_or_else(|| Failure::client(format!("no decision {id} in the log\n{hint}")))?;
    let access = Access::read(&line).map_err(Failure::client)?;
    if access.is_redacted() {
        notes.push("what was left out of the record (a query, a header) is not judged".to_owned());
    }
    notes.push(format!("the call of {}, which was told: {}", access.time, access.verdict));
    access.asked().map_err(|why| Failure::client(format!("there is nothing to trace: {why}")))
}

/// The answer of a running proxy: it alone knows fetched lists, what quotas have counted, and how it was started. None
/// where no proxy stands for the caller.
fn of_proxy(
    asked: &Asked,
    proxy: Option<&str>,
    notes: &mut Vec<String>,
    context: &Context,
) -> Result<Option<Told>, Failure> {
    let question = Question { asked: asked.clone(), color: context.color };
    let answers = admin_client::trace(&context.state_dir()?, proxy, &question)?;
    let asked_of = answers.len();
    if let Some((node, told)) = answers.into_iter().find_map(|(node, told)| Some((node, told?))) {
        notes.push(format!("proxy {node} was asked; its fetched lists and quotas count"));
        return Ok(Some(told.map_err(Failure::client)?));
    }
    let caller =
        asked.from.as_ref().map_or("an unknown caller".into(), |(name, namespace)| format!("{name}.{namespace}"));
    if let Some(proxy) = proxy {
        return Err(Failure::client(format!("proxy {proxy} has no listener for {caller}")));
    }
    if asked_of > 0 {
        notes.push(format!(
            "no running proxy has a listener for {caller}: judged by what is declared, without fetched lists and quotas"
        ));
    }
    Ok(None)
}

/// As a list, so that completions know it.
fn place() -> impl TypedValueParser<Value = Place> {
    PossibleValuesParser::new(["sidecar", "gateway"]).map(|name| match name.as_str() {
        "gateway" => Place::Gateway,
        _ => Place::Sidecar,
    })
}

/// `name: value`, as curl takes it.
fn split(header: &str) -> Result<(String, String), Failure> {
    let (name, value) = header
        .split_once(':')
        .ok_or_else(|| Failure::client(format!("a header is written 'NAME: VALUE', not {header:?}")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
