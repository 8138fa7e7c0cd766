//! `trace`: what would happen to a call, and why.

mod answer;
mod batch;
mod tree;
mod world;

use std::io::Write as _;

use clap::Args;
use jiff::Timestamp;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::input::Files;
use crate::decision::explain;

use world::{Request, World};

const EXAMPLES: &str = "Examples:
  # What the workload sleep gets when it calls a site, by what is declared
  egressctl trace --from sleep http://edition.cnn.com/politics

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
    /// When the call is made, as 2018-06-18T13:22:58Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// json for scripts
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
    /// Read calls from standard input: {"id","manifest","from","request":{"method","url","headers":{}}} a line
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
        let world = World::open(&self.files, self.from.as_deref(), context)?;
        let request = Request {
            method: self.method,
            url: self.url.unwrap_or_default(),
            headers: self.headers.iter().map(|header| split(header)).collect::<Result<_, _>>()?,
        };
        let call = world.call(&request, at).map_err(Failure::client)?;
        let judged = call.map(|call| (explain(&world.snapshot, 0, &call), call));
        if self.output.is_some() {
            let answer = match &judged {
                Ok((explained, call)) => answer::json(call, explained),
                Err(failure) => answer::refused_head(&request.url, *failure),
            };
            let text = serde_json::to_string_pretty(&answer).map_err(|error| Failure::client(error.to_string()))?;
            return Ok(writeln!(context.out, "{text}").map_err(Failure::from)?);
        }
        for note in &world.notes {
            context.say(&format!("note: {note}")).map_err(Failure::from)?;
        }
        let text = match &judged {
            Ok((explained, call)) => tree::text(call, &world, explained, context.color),
            Err(failure) => tree::refused_head(*failure, context.color),
        };
        Ok(context.out.write_all(text.as_bytes()).map_err(Failure::from)?)
    }
}

/// `name: value`, as curl takes it.
fn split(header: &str) -> Result<(String, String), Failure> {
    let (name, value) = header
        .split_once(':')
        .ok_or_else(|| Failure::client(format!("a header is written 'NAME: VALUE', not {header:?}")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
