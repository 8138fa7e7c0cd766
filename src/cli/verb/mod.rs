//! The verbs, one file each: arguments as clap reads them, what they mean, and the run.

mod table;

mod allow;
mod analyze;
mod api_resources;
mod apply;
mod completion;
mod create;
mod create_token;
mod delete;
mod demo;
mod describe;
mod eval;
mod exec;
mod generate;
mod get;
mod identity;
mod listen;
mod logs;
mod proxy;
mod proxy_config;
mod proxy_status;
mod replace;
mod replay;
mod run;
mod trace;
mod validate;
mod version;
mod why;

use crate::cli::output::table::terminal_width;

pub(crate) use table::Verb;

/// kubectl's order of help: what it does, examples, options, usage.
const HELP: &str = "{about}{after-help}\n\n{all-args}\n\nUsage:\n  {usage}\n";

/// The same with the words that may follow.
const HELP_WITH_SUBCOMMANDS: &str =
    "{about}{after-help}\n\nCommands:\n{subcommands}\n\nOptions:\n{options}\n\nUsage:\n  {usage}\n";

/// Most columns of help, and as many as it has where it is not for a terminal.
const HELP_WIDTH: usize = 120;

/// Stands for a blank at which a line of help must not be broken.
const FIXED_BLANK: char = '\u{a0}';

/// A verb's definition with kubectl's look and habits.
pub(super) fn as_kubectl(command: clap::Command) -> clap::Command {
    let width = terminal_width().map_or(HELP_WIDTH, |columns| columns.min(HELP_WIDTH));
    with_help(command, width)
}

fn with_help(command: clap::Command, width: usize) -> clap::Command {
    let mut help = if command.has_subcommands() { command } else { command.help_template(HELP) };
    if let Some(text) = help.get_after_help().map(|text| as_written(&text.to_string())) {
        help = help.after_help(text);
    }
    help.term_width(width).args_override_self(true).mut_subcommands(|verb| with_help(verb, width))
}

/// A text whose paragraphs are as wide as the terminal, and whose examples stay as they are: one that is broken into lines cannot
/// be copied.
fn as_written(text: &str) -> String {
    let line = |line: &str| match line.starts_with(' ') {
        true => line.replace(' ', FIXED_BLANK.encode_utf8(&mut [0; 4])),
        false => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Help as it is printed.
pub(super) fn printed(help: &str) -> String {
    help.replace(FIXED_BLANK, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command and all below it.
    fn each(command: &clap::Command, path: &str, look: &mut dyn FnMut(&str, &str)) {
        let path = format!("{path} {}", command.get_name());
        look(&path, &command.get_after_help().map(ToString::to_string).unwrap_or_default());
        command.get_subcommands().for_each(|verb| each(verb, &path, look));
    }

    #[test]
    fn a_paragraph_of_help_is_one_line_that_the_terminal_breaks() {
        each(&crate::cli::command(), "", &mut |path, help| {
            let lines: Vec<&str> = help.lines().collect();
            for two in lines.windows(2).filter(|two| two[0] != "Examples:") {
                let is_text = |line: &str| !line.is_empty() && !line.starts_with([' ', FIXED_BLANK]);
                assert!(!(is_text(two[0]) && is_text(two[1])), "{path}: {two:?}");
            }
        });
    }

    #[test]
    fn help_is_as_wide_as_the_terminal_and_its_examples_stay_whole() {
        for width in [60, 80, 120] {
            let mut command = with_help(<crate::cli::Cli as clap::CommandFactory>::command(), width);
            let logs = command.find_subcommand_mut("logs").expect("a verb");
            let help = printed(&logs.render_help().to_string());
            let is_example = |line: &str| {
                ["egressctl", "kubectl", "POD=", "#"].iter().any(|start| line.trim_start().starts_with(start))
            };
            let wide: Vec<&str> =
                help.lines().filter(|line| line.chars().count() > width && !is_example(line)).collect();
            assert!(wide.is_empty(), "{wide:#?}");
            assert!(
                help.contains(
                    "\n  egressctl logs --where 'destination.endsWith(\"cnn.com\") && responseCode >= 400'\n"
                )
            );
            let paragraph = help.split("\n\n").find(|one| one.starts_with("Exit status")).expect("it says so");
            assert!(paragraph.lines().rev().skip(1).all(|line| line.chars().count() > width / 2), "{paragraph}");
        }
    }
}
