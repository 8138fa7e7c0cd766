//! `trace`: what would happen to a call, and why.

mod batch;
mod world;

use std::io::Write as _;

use clap::Args;
use jiff::Timestamp;

use crate::cli::admin_client;
use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;
use crate::decision::{Asked, Told, tell};
use crate::node::api::Question;

use world::{World, named};

const EXAMPLES: &str = "Examples:
  # What the workload sleep gets when it calls a site, by what is declared
  egressctl trace --from sleep http://edition.cnn.com/politics

  # What one of several running proxies would do
  egressctl trace --proxy ci --from sleep http://edition.cnn.com/politics

  # The same by files alone, without registry and proxy
  egressctl trace -f fixtures/scenario --from sleep http://edition.cnn.com/politics

  # Only the verdict, for a script
  egressctl trace --from sleep -o json http://edition.cnn.com/politics

  # Many calls, a JSON line each, answered in order
  egressctl trace --batch < calls.jsonl";

/// Show what would happen to a call, and why: routes, rules, checks, and the lines that would be logged.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The call, as a client of the proxy makes it
    #[arg(value_name = "URL", required_unless_present = "batch", conflicts_with = "batch")]
    url: Option<String>,
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
    /// The running proxy to ask [default: the first that has a listener for the workload; none: what is declared]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["names", "batch"])]
    proxy: Option<String>,
    /// When the call is made, as 2018-06-18T13:22:58Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// json for scripts
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
    /// Read calls from standard input: {"id","manifest","from","request":{"method","url","headers":{}}} a line; without
    /// manifest (YAML text) the call is judged by what is declared in the registry
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
        let from = self.from.as_deref().map(|from| named(from, context.namespace()));
        let asked = Asked {
            from: from.clone(),
            method: self.method,
            url: self.url.unwrap_or_default(),
            headers: self.headers.iter().map(|header| split(header)).collect::<Result<_, _>>()?,
            at: at.as_microsecond(),
        };
        let mut notes = Vec::new();
        let told = match self.files.names.is_empty() {
            true => of_proxy(&asked, self.proxy.as_deref(), &mut notes, context)?,
            false => None,
        };
        let told = match told {
            Some(told) => told,
            None => {
                let world = World::open(&self.files, from, context)?;
                notes.extend(world.notes);
                tell(&world.snapshot, 0, &asked, context.color).map_err(Failure::client)?
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

/// `name: value`, as curl takes it.
fn split(header: &str) -> Result<(String, String), Failure> {
    let (name, value) = header
        .split_once(':')
        .ok_or_else(|| Failure::client(format!("a header is written 'NAME: VALUE', not {header:?}")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
