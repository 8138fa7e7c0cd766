//! The egressctl binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    egressctl::cli::main()
}
