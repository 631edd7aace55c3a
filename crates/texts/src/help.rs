//! The help of a program in its person's language: every command and flag gets its words by its place in the tree,
//! `help-PROGRAM-COMMAND-FLAG`.

use std::io::Write;

use clap::builder::Resettable;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};

use crate::Texts;

/// What `--lang` says, before the arguments are read: their help needs it.
pub fn asked_language() -> Option<String> {
    // What is no text is no language either, and no reason to stop.
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    arguments.iter().enumerate().find_map(|(index, argument)| match argument.strip_prefix("--lang") {
        Some("") => arguments.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    })
}

/// Ends the program as clap does, after a word about wrong usage in the person's language.
pub fn explain(error: &clap::Error, texts: Texts) -> ! {
    if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = writeln!(std::io::stderr(), "{}:", texts.get("usage-wrong", &[]));
    }
    error.exit()
}

/// Gives a program's command tree the words of one language; `program` is the beginning of their keys.
pub fn speaking(command: Command, texts: Texts, program: &str) -> Command {
    let word = |key: &str| texts.get(key, &[]);
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    let around = |part: &str| word(&format!("help-{program}-{part}"));
    let command = command
        .before_help(around("before"))
        .after_help(around("after"))
        .disable_version_flag(true)
        .disable_help_subcommand(true)
        .arg(version.help(word("help-version")).help_heading(word("help-options")));
    dressed(command, texts, &format!("help-{program}"))
}

fn dressed(command: Command, texts: Texts, key: &str) -> Command {
    let word = |key: &str| texts.get(key, &[]);
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let mut command = command
        .about(word(key))
        .long_about(Resettable::Reset)
        .disable_help_flag(true)
        .arg(help.help(word("help-help")).help_heading(word("help-options")))
        .subcommand_help_heading(word("help-commands"))
        .subcommand_value_name(word("help-command"))
        .help_template(format!(
            "{{before-help}}{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}{{after-help}}",
            word("help-usage")
        ));
    for id in argument_ids(&command) {
        command = command.mut_arg(&id, |argument| {
            let heading = match (argument.is_positional(), argument.is_global_set()) {
                (true, _) => "help-arguments",
                (false, true) => "help-everywhere",
                (false, false) => "help-options",
            };
            argument.help(word(&format!("{key}-{id}"))).long_help(Resettable::Reset).help_heading(word(heading))
        });
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let key = format!("{key}-{name}");
        command = command.mut_subcommand(name, |sub| dressed(sub, texts, &key));
    }
    command
}

fn argument_ids(command: &Command) -> Vec<String> {
    let ids = command.get_arguments().map(|argument| argument.get_id().as_str().to_owned());
    ids.filter(|id| id != "help" && id != "version").collect()
}

/// Commands and flags that have no words in a language, by the keys that are missing; for tests.
pub fn wordless(command: &Command, texts: Texts, program: &str) -> Vec<String> {
    fn collect(command: &Command, key: &str, keys: &mut Vec<String>) {
        keys.push(key.to_owned());
        keys.extend(argument_ids(command).into_iter().map(|id| format!("{key}-{id}")));
        for sub in command.get_subcommands() {
            collect(sub, &format!("{key}-{}", sub.get_name()), keys);
        }
    }
    let mut keys = vec![format!("help-{program}-before"), format!("help-{program}-after")];
    collect(command, &format!("help-{program}"), &mut keys);
    keys.into_iter().filter(|key| !texts.has(key)).collect()
}
