//! The table of verbs.

use clap::Subcommand;

use crate::cli::context::Context;
use crate::cli::failure::Outcome;

/// A verb is a module with `Arguments`, which clap reads and whose `run` does it; besides its line here it has a `mod`
/// line, because rustfmt does not look for modules inside macros. `make_state` is said of those that put something into the state
/// directory, and so make one.
macro_rules! verbs {
    ($($module:ident $verb:ident $(($makes:ident))?)*) => {
        /// What to do.
        #[derive(Debug, Subcommand)]
        #[expect(clippy::large_enum_variant, reason = "made once, and clap takes no boxed one")]
        pub(crate) enum Verb {
            $(#[allow(missing_docs, reason = "the help is that of the arguments")]
            $verb(super::$module::Arguments),)*
        }

        impl Verb {
            /// Does it.
            ///
            /// # Errors
            /// Everything that went wrong, in kubectl's words.
            pub(crate) fn run(self, context: &mut Context) -> Outcome {
                match self {
                    $(Self::$verb(arguments) => {
                        $(context.$makes();)?
                        arguments.run(context)
                    })*
                }
            }
        }
    };
}

verbs! {
    create Create(make_state)
    apply Apply(make_state)
    replace Replace
    get Get
    describe Describe
    delete Delete
    allow Allow(make_state)
    logs Logs
    trace Trace
    replay Replay
    generate Generate
    why Why
    validate Validate
    analyze Analyze
    exec Exec
    run Run(make_state)
    proxy Proxy
    proxy_config ProxyConfig
    proxy_status ProxyStatus
    identity Identity(make_state)
    demo Demo
    eval Eval
    api_resources ApiResources
    completion Completion
    version Version
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_verb_has_a_sentence_and_three_examples() {
        for verb in crate::cli::command().get_subcommands() {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.contains(' '), "{}: {about}", verb.get_name());
            let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let after = crate::cli::verb::printed(&after);
            let examples = after.lines().filter(|line| line.trim_start().starts_with("egressctl ")).count();
            assert!(after.starts_with("Examples:") && examples >= 3, "{}: {examples} examples", verb.get_name());
        }
    }

    #[test]
    fn the_definition_is_sound() {
        crate::cli::command().debug_assert();
    }
}
