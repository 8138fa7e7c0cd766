//! `version`.

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::manifest;

const EXAMPLES: &str = "Examples:
  # The version in a line
  egressctl version

  # For programs
  egressctl version -o json

  # The same in YAML
  egressctl version -o yaml";

/// Print the version of this program.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// yaml or json
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Accepted for kubectl's sake: there is no server whose version could be asked
    #[arg(long)]
    client: bool,
}

impl Arguments {
    /// Prints it.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let version = concat!("v", env!("CARGO_PKG_VERSION"));
        let tree = json!({"clientVersion": {
            "gitVersion": version,
            "major": env!("CARGO_PKG_VERSION_MAJOR"),
            "minor": env!("CARGO_PKG_VERSION_MINOR"),
            "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
        }});
        let text = match self.output.as_deref() {
            None | Some("") => format!("Client Version: {version}\n"),
            Some("json") => manifest::encode::json(&tree),
            Some("yaml") => manifest::encode::yaml(&tree),
            Some(_) => return Err(Failure::client("--output must be 'yaml' or 'json'").into()),
        };
        Ok(context.out.write_all(text.as_bytes())?)
    }
}
