//! `completion`: scripts that teach a shell our words.

use clap::Args;
use clap_complete::Shell;

use crate::cli::context::Context;
use crate::cli::failure::{Failure, Outcome};

const EXAMPLES: &str = "Examples:
  # For this bash
  source <(egressctl completion bash)

  # For every zsh
  egressctl completion zsh > \"${fpath[1]}/_egressctl\"

  # For every fish
  egressctl completion fish > ~/.config/fish/completions/egressctl.fish

  # For every bash of this user
  egressctl completion bash > ~/.local/share/bash-completion/completions/egressctl";

/// Print a script that completes commands and flags in bash, zsh, fish, elvish or powershell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// bash, zsh, fish, elvish or powershell
    shell: Option<String>,
}

impl Arguments {
    /// Prints the script.
    pub(crate) fn run(self, context: &mut Context) -> Outcome {
        let Some(name) = self.shell else {
            return Err(
                Failure::client("Shell not specified.\nSee 'egressctl completion -h' for help and examples").into()
            );
        };
        let shell: Shell = name.parse().map_err(|_| Failure::client(format!("Unsupported shell type \"{name}\".")))?;
        Ok(context.out.write_all(&script(shell))?)
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::cli::command(), "egressctl", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap_complete::Generator;

    #[test]
    fn the_scripts_in_completions_are_those_of_this_command_line() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let path = format!("completions/{}", shell.file_name("egressctl"));
            let kept = std::fs::read(&path).unwrap_or_default();
            let fresh = script(shell);
            assert!(kept == fresh, "{path} is stale: cargo run -q -- completion {shell} > {path}");
        }
    }
}
