//! `demo`: the guided tour.

use clap::Args;

use crate::cli::context::Context;
use crate::cli::demo;
use crate::cli::failure::{Failure, Outcome};

const EXAMPLES: &str = "Examples:
  # The whole tour, on loopback, in a temporary state directory
  egressctl demo

  # Only what the log said
  egressctl demo | grep '^{'

  # For scripts: whether everything works on this machine
  egressctl demo >/dev/null && echo works";

/// Take the guided tour: declare, forward over TLS, record, ask; every step is checked.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {}

impl Arguments {
    /// Takes the tour.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        Ok(demo::run(&mut context.out).map_err(|error| Failure::client(format!("{error:#}")))?)
    }
}
