//! `eval`: tries an expression of Mixer's language.

use std::io;

use clap::Args;
use serde_json::{Map, Value as Json};

use crate::cli::context::Context;
use crate::cli::eval::{Attributes, Fault, batch, compile, evaluate, write_json, write_text};
use crate::cli::failure::{Failure, Failures, Outcome};
use crate::cli::input::Files;
use crate::diagnostic::{Problem, Source, render};

const EXAMPLES: &str = "Examples:
  # What a rule's match would say of a call
  egressctl eval 'request.host.endsWith(\".cnn.com\")' --attr request.host=edition.cnn.com

  # A key of a map; what is not given is absent
  egressctl eval 'request.headers[\"x-team\"] | \"unknown\"' --attr request.headers[x-team]=web

  # Attributes from a file, the answer for a program
  egressctl eval --attributes call.yaml -o json 'response.code >= 500'

  # An attribute of an attributemanifest, with its type
  egressctl eval 'shop.tier == 2' --attr shop.tier:INT64=2

  # Many at once, a line of JSON each
  echo '{\"id\":1,\"expr\":\"request.size > 10\",\"attrs\":{\"request.size\":12}}' |
    egressctl eval --batch";

/// What stands for the file in messages about the expression.
const NAME: &str = "<expression>";

/// Try an expression of a rule or an instance: print its value and type, or what is wrong with it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The expression
    #[arg(value_name = "EXPR", required_unless_present = "batch")]
    expression: Option<String>,
    /// Value of an attribute; NAME[KEY]=VALUE for a key of a map, NAME:TYPE=VALUE for an attribute of your own
    #[arg(long = "attr", value_name = "NAME=VALUE")]
    attr: Vec<String>,
    /// YAML or JSON file with attributes: a map from names to values; - reads standard input
    #[arg(long, value_name = "FILE")]
    attributes: Option<String>,
    /// json
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Answer lines {"id","expr","attrs","attr_types"} of standard input, each by a line
    #[arg(long, conflicts_with_all = ["expression", "attr", "attributes"])]
    batch: bool,
}

impl Arguments {
    /// Evaluates and prints.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let as_json = match self.output.as_deref() {
            None | Some("") => false,
            Some("json") => true,
            Some(_) => return Err(Failure::client("--output must be 'json'").into()),
        };
        if self.batch {
            return Ok(batch::run(io::stdin().lock(), &mut context.out)?);
        }
        let expression = self.expression.clone().unwrap_or_default();
        let attributes = self.given()?;
        match (answer(&expression, attributes, as_json, context)?, as_json) {
            (Ok(line), _) => Ok(context.out.write_all(line.as_bytes())?),
            (Err(fault), true) => {
                let mut line = String::from("{\"error\":");
                fault.write_json(&expression, &mut line);
                line.push_str("}\n");
                context.out.write_all(line.as_bytes())?;
                // All is said; what is left is the exit code.
                Err(Failures::default())
            }
            (Err(fault), false) => {
                let picture = picture(&fault.problem, &expression, context.color_err);
                Err(Failure::Text(picture).into())
            }
        }
    }

    /// The attributes of the file, and over them those of the flags.
    fn given(&self) -> Result<Attributes, Failures> {
        let mut attributes = Attributes::default();
        if let Some(file) = &self.attributes {
            let sources = Files { names: vec![file.clone()], recursive: false }.read()?;
            for source in &sources {
                attributes.assign_all(&tree(source)?).map_err(|why| Failure::client(format!("{file}: {why}")))?;
            }
        }
        self.attr.iter().try_for_each(|text| attributes.assign(text)).map_err(Failure::client)?;
        Ok(attributes)
    }
}

fn tree(source: &Source) -> Result<Map<String, Json>, Failure> {
    if source.text.trim().is_empty() {
        return Ok(Map::new());
    }
    serde_yaml::from_str(&source.text)
        .map_err(|fault| Failure::client(format!("{}: expected a map from attributes to values: {fault}", source.name)))
}

/// The line to be printed; warnings go to standard error at once.
fn answer(
    expression: &str,
    attributes: Attributes,
    as_json: bool,
    context: &mut Context,
) -> Result<Result<String, Fault>, Failure> {
    let (vocabulary, values) = attributes.finish();
    let (program, warnings) = match compile(expression, &vocabulary) {
        Ok(compiled) => compiled,
        Err(fault) => return Ok(Err(fault)),
    };
    for warning in warnings.iter() {
        let picture = picture(warning, expression, context.color_err);
        context.say(&picture)?;
    }
    Ok(evaluate(&program, &values, |of, value| {
        let mut line = String::new();
        if as_json {
            line.push_str(&format!("{{\"type\":\"{of}\",\"value\":"));
            write_json(value, &mut line);
            line.push_str("}\n");
        } else {
            write_text(value, &mut line);
            line.push_str(&format!("\t{of}\n"));
        }
        line
    }))
}

fn picture(problem: &Problem, expression: &str, color: bool) -> String {
    let source = Source::new(NAME, expression);
    let place = problem.within.clone().map(|span| (&source, span));
    render(problem, place, color)
}
