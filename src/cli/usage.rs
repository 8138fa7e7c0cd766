//! Usage errors in kubectl's words.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Command, ValueEnum};

use super::context::When;
use super::style;
use super::verb::printed;
use crate::diagnostic::{nearest, visible};

/// What does here what kubectl has other commands for.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &["edit", "patch", "label", "annotate", "set"],
        "egressctl get KIND NAME -o yaml > FILE, and egressctl replace -f FILE when it is changed",
    ),
    (
        &["explain", "api-versions"],
        "egressctl api-resources lists the kinds, and egressctl validate -f FILE checks every field",
    ),
    (&["diff"], "egressctl replay -f FILE tells what a change would do to recorded calls"),
    (&["events", "top"], "egressctl logs stats, and egressctl proxy metrics"),
];

/// The program's name in messages.
const PROGRAM: &str = "egressctl";

/// Reports what clap found: help on standard output, an error in kubectl's words on standard error.
pub(super) fn report(error: &clap::Error, typed: &[OsString]) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // A reader that has left does not need help.
            let _ = write!(io::stdout(), "{}", printed(&error.render().to_string()));
            ExitCode::SUCCESS
        }
        _ => {
            let words: Vec<String> = typed.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            let text = text(error, &words);
            let color = color_of(&words).allows(io::stderr().is_terminal(), |name| std::env::var_os(name));
            let _ = writeln!(io::stderr(), "{}", if color { style::marked(&text) } else { text });
            ExitCode::FAILURE
        }
    }
}

/// The message for a usage error.
fn text(error: &clap::Error, words: &[String]) -> String {
    let get = |kind| error.get(kind).map(words_of).unwrap_or_default();
    let argument = get(ContextKind::InvalidArg).into_iter().next().unwrap_or_default();
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let value = get(ContextKind::InvalidValue).into_iter().next().unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let name = get(ContextKind::InvalidSubcommand).join(" ");
            let (name, above) = (visible(&name), path_of(words));
            let instead = INSTEAD.iter().find(|(others, _)| above.is_empty() && others.contains(&&*name));
            let instead = instead.map(|(_, instead)| format!("\nhint: {instead}"));
            let said = instead.unwrap_or_else(|| meant(error));
            return format!("error: unknown command \"{name}\" for \"{PROGRAM}{above}\"{said}");
        }
        ErrorKind::UnknownArgument if flag.starts_with("--") => format!("unknown flag: {flag}"),
        ErrorKind::UnknownArgument if flag.starts_with('-') && flag.len() > 1 => {
            let letter = flag[1..].chars().next().unwrap_or_default();
            format!("unknown shorthand flag: '{letter}' in {}", shorthand(letter, words))
        }
        ErrorKind::UnknownArgument => format!("unexpected args: [{argument}]"),
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: {}", bare_flag(flag, words)),
        ErrorKind::InvalidValue => {
            let valid = get(ContextKind::ValidValue).join(", ");
            format!("invalid argument \"{value}\" for {}: must be one of {valid}", place(&argument, flag))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = first_paragraph(&error.render().to_string());
            format!("{missing}{}", values_of(flag, words).map(|valid| format!(", one of {valid}")).unwrap_or_default())
        }
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            let why = why.strip_suffix(&format!(", got {value:?}")).unwrap_or(&why);
            let why = if why == "invalid digit found in string" { "must be a whole number" } else { why };
            format!("invalid argument \"{value}\" for {}: {why}", place(&argument, flag))
        }
        ErrorKind::NoEquals => format!("flag {flag} takes its value after ="),
        _ => first_paragraph(&error.render().to_string()),
    };
    let (message, path) = (visible(&message), path_of(words));
    let near = match error.kind() {
        ErrorKind::UnknownArgument if !flag.starts_with('-') && takes_files(words) => {
            did_you_mean(&[format!("-f {}", visible(&argument))])
        }
        _ => meant(error),
    };
    format!("error: {message}{near}\nSee '{PROGRAM}{path} --help' for usage.")
}

/// What a value was for: a flag, or an argument as it stands in the usage line.
fn place(argument: &str, flag: &str) -> String {
    if argument.starts_with(['<', '[']) { argument.to_owned() } else { format!("\"{flag}\" flag") }
}

/// `--color` of a command line that could not be read.
fn color_of(words: &[String]) -> When {
    let behind = words.windows(2).rev().find(|pair| pair[0] == "--color").map(|pair| pair[1].as_str());
    let value = words.iter().rev().find_map(|word| word.strip_prefix("--color=")).or(behind);
    value.and_then(|value| When::from_str(value, true).ok()).unwrap_or(When::Auto)
}

fn words_of(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(word) => vec![word.clone()],
        ContextValue::Strings(words) => words.clone(),
        _ => Vec::new(),
    }
}

/// The names that are near, as kubectl lists them.
fn meant(error: &clap::Error) -> String {
    let near =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg].into_iter().filter_map(|kind| error.get(kind));
    let mut near: Vec<String> = near.flat_map(words_of).collect();
    if let Some(valid) = error.get(ContextKind::ValidValue).map(words_of) {
        near.extend(valid);
    }
    // Clap takes many for near; where one is a slip away, that one is meant.
    let typed = [ContextKind::InvalidSubcommand, ContextKind::InvalidValue].into_iter();
    let typed: Vec<String> = typed.filter_map(|kind| error.get(kind)).flat_map(words_of).collect();
    let slip = |typed: &String| nearest(typed, near.iter().map(String::as_str));
    let begun = |typed: &String| near.iter().find(|name| name.starts_with(typed.as_str())).map(String::as_str);
    if let Some(name) = typed.first().and_then(|typed| slip(typed).or_else(|| begun(typed))) {
        near = vec![name.to_owned()];
    } else if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::InvalidSubcommand) {
        near.clear();
    }
    did_you_mean(&near)
}

fn did_you_mean(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("\n\nDid you mean this?\n\t{}\n", names.join("\n\t")),
    }
}

/// The values that an argument takes, as it stands in a usage line: `<TYPE>`.
fn values_of(argument: &str, words: &[String]) -> Option<String> {
    let root = super::command();
    let command = walk(&root, words).0;
    let name = argument.trim_matches(['<', '>', '.']);
    let named = command.get_arguments().find(|one| one.get_value_names().is_some_and(|names| names[0] == name))?;
    let values = named.get_possible_values();
    let values: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// Whether a command takes files by `-f`.
fn takes_files(words: &[String]) -> bool {
    let root = super::command();
    walk(&root, words).0.get_arguments().any(|one| one.get_long() == Some("filename"))
}

/// The typed word that holds an unknown letter: `-xz`.
fn shorthand(letter: char, words: &[String]) -> String {
    let holds = |word: &&String| word.starts_with('-') && !word.starts_with("--") && word.contains(letter);
    words.iter().find(holds).cloned().unwrap_or_else(|| format!("-{letter}"))
}

/// A flag that lacks its value, as it was typed: by its long name or by its letter.
fn bare_flag(flag: &str, words: &[String]) -> String {
    match words.last() {
        Some(word) if word.starts_with('-') && !word.starts_with("--") => {
            format!("'{}' in {word}", word.chars().last().unwrap_or_default())
        }
        _ => flag.to_owned(),
    }
}

fn first_paragraph(text: &str) -> String {
    let paragraph = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The commands among the typed words, each behind a blank: ` proxy start`. Flags, and the values of global ones, may
/// stand between them.
fn path_of(words: &[String]) -> String {
    walk(&super::command(), words).1
}

/// The command that was typed, and its path.
fn walk<'c>(root: &'c Command, words: &[String]) -> (&'c Command, String) {
    let (mut at, mut path) = (root, String::new());
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-n" | "--namespace" | "--state-dir" | "--color" => drop(words.next()),
            flag if flag.starts_with('-') => {}
            word => match at.find_subcommand(word) {
                Some(command) => {
                    path.extend([" ", command.get_name()]);
                    at = command;
                }
                None => break,
            },
        }
    }
    (at, path)
}

/// The typed words with kubectl's `--flag=true` as `--flag` and without any `--flag=false`, which clap does not know.
pub(super) fn without_boolean_values(command: &Command, typed: &[OsString]) -> Vec<OsString> {
    let booleans = boolean_flags(command);
    let mut ended = false;
    let keep = |word: &OsString| {
        ended |= word == "--";
        let pair = word.to_str().filter(|_| !ended).and_then(|word| word.strip_prefix("--")?.split_once('='));
        match pair.filter(|(name, _)| booleans.contains(*name)) {
            Some((name, "true" | "True" | "TRUE" | "t" | "T" | "1")) => Some(format!("--{name}").into()),
            Some((_, "false" | "False" | "FALSE" | "f" | "F" | "0")) => None,
            _ => Some(word.clone()),
        }
    };
    typed.iter().filter_map(keep).collect()
}

fn boolean_flags(command: &Command) -> HashSet<String> {
    let own = command.get_arguments().filter(|argument| matches!(argument.get_action(), ArgAction::SetTrue));
    let own = own.filter_map(|argument| argument.get_long()).map(str::to_owned);
    own.chain(command.get_subcommands().flat_map(boolean_flags)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let all = std::iter::once(PROGRAM.to_owned()).chain(words.iter().cloned());
        let error = crate::cli::command().try_get_matches_from(all).expect_err(line);
        text(&error, &words)
    }

    #[test]
    fn usage_errors_are_worded_as_kubectls() {
        let table = [
            ("get --foo", "error: unknown flag: --foo\nSee 'egressctl get --help' for usage."),
            ("-n a get -z", "error: unknown shorthand flag: 'z' in -z\nSee 'egressctl get --help' for usage."),
            ("get -n", "error: flag needs an argument: 'n' in -n\nSee 'egressctl get --help' for usage."),
            ("get --namespace", "error: flag needs an argument: --namespace\nSee 'egressctl get --help' for usage."),
            ("gett", "error: unknown command \"gett\" for \"egressctl\"\n\nDid you mean this?\n\tget\n"),
            ("frobnicate", "error: unknown command \"frobnicate\" for \"egressctl\""),
            (
                "edit rule r",
                "error: unknown command \"edit\" for \"egressctl\"\nhint: egressctl get KIND NAME -o yaml > FILE, and egressctl \
                 replace -f FILE when it is changed",
            ),
            ("create rule", "error: unknown command \"rule\" for \"egressctl create\""),
            ("proxy foo", "error: unknown command \"foo\" for \"egressctl proxy\""),
            (
                "proxy stop --node ../../x",
                "error: invalid argument \"../../x\" for \"--node\" flag: a node's name is made of letters, digits, - \
                 and _\nSee 'egressctl proxy stop --help' for usage.",
            ),
            (
                "proxy start --resolve x",
                "error: invalid argument \"x\" for \"--resolve\" flag: expected HOST:PORT:ADDR[:PORT], as in \
                 edition.cnn.com:443:127.0.0.1:8443\nSee 'egressctl proxy start --help' for usage.",
            ),
            (
                "logs -f --until 1m",
                "error: the argument '--follow' cannot be used with '--until <TIME|DURATION>'\n\
                 See 'egressctl logs --help' for usage.",
            ),
            (
                "validate dir",
                "error: unexpected args: [dir]\n\nDid you mean this?\n\t-f dir\n\nSee 'egressctl validate --help' for \
                 usage.",
            ),
            (
                "pc rout",
                "error: invalid argument \"rout\" for <TYPE>: must be one of listeners, routes, clusters, endpoints, \
                 secrets, rules, all\n\nDid you mean this?\n\troutes\n\nSee 'egressctl proxy-config --help' for usage.",
            ),
            (
                "pc",
                "error: the following required arguments were not provided: <TYPE>, one of listeners, routes, clusters, \
                 endpoints, secrets, rules, all\nSee 'egressctl proxy-config --help' for usage.",
            ),
            (
                "allow edition.cnn.com:99999 --from sleep --for 1m --reason x",
                "error: invalid argument \"edition.cnn.com:99999\" for <HOST[:PORT][/PATH]>: the port is no number from 1 to \
                 65535\nSee 'egressctl allow --help' for usage.",
            ),
            (
                "logs facets --top x",
                "error: invalid argument \"x\" for \"--top\" flag: must be a whole number\nSee 'egressctl logs facets \
                 --help' for usage.",
            ),
            (
                "logs --level bogus",
                "error: invalid argument \"bogus\" for \"--level\" flag: must be one of info, warn, warn+, error, \
                 error+\nSee 'egressctl logs --help' for usage.",
            ),
            ("version x", "error: unexpected args: [x]\nSee 'egressctl version --help' for usage."),
            (
                "get rule --color=x",
                "error: invalid argument \"x\" for \"--color\" flag: must be one of auto, always, never\n\
                 See 'egressctl get --help' for usage.",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(refusal(line), expected, "{line}");
        }
    }

    #[test]
    fn an_unknown_flag_is_answered_with_the_nearest() {
        let text = refusal("get rule --show-label");
        assert!(
            text.starts_with("error: unknown flag: --show-label\n\nDid you mean this?\n\t--show-labels\n"),
            "{text}"
        );
    }

    #[test]
    fn boolean_flags_take_kubectls_values() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let command = crate::cli::command();
        let read = |line: &str| without_boolean_values(&command, &words(line));
        assert_eq!(read("x get --no-headers=true -o=yaml"), words("x get --no-headers -o=yaml"));
        assert_eq!(read("x delete --ignore-not-found=false a"), words("x delete a"));
        assert_eq!(read("x logs -- --tail=true --no-headers=true"), words("x logs -- --tail=true --no-headers=true"));
    }
}
