//! `hostler completions` and `hostler manual`, both generated from the definitions of the commands.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::options::Cli;
use crate::output::print_bytes;

/// The sections of the manual page that are not in the definitions of the commands.
const FILES: [(&str, &str); 3] = [
    (
        "/etc/hostler/hostler.toml",
        "The configuration file, unless --config names another one. Each line is option = \"value\".",
    ),
    ("secret.key, keys/", "In the data folder: the key that signs sessions, and the keys that encrypt secrets."),
    ("hostler.db", "In the data folder: the embedded database."),
];
const STATUSES: [(&str, &str); 4] = [
    ("0", "Success."),
    ("1", "Failure; one line on standard error says why."),
    ("2", "Invalid command line; nothing was done."),
    ("141", "Standard output was closed, as by | head."),
];

/// Prints the completion script of a shell.
pub fn completions(shell: Shell) -> Result<()> {
    print_bytes(&script(shell))
}

/// Writes the manual pages of all commands into a folder, or prints that of `hostler` itself.
pub fn manual(folder: Option<&Path>) -> Result<()> {
    let command = documented();
    let Some(folder) = folder else { return print_bytes(&page(&command)?) };
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for command in tree(&command) {
        let file = folder.join(format!("{}.1", title(command)));
        fs::write(&file, page(command)?).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = vec![];
    clap_complete::generate(shell, &mut Cli::command(), "hostler", &mut script);
    script
}

/// The commands without the `help` subcommands, which would be in each page.
fn documented() -> Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// A command and all its subcommands.
fn tree(command: &Command) -> Vec<&Command> {
    let mut all = vec![command];
    all.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).flat_map(tree));
    all
}

/// The name of its page, such as `hostler-user-create`.
fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command) -> Result<Vec<u8>> {
    let mut page = vec![];
    let source = format!("hostler {}", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone()).source(source).manual("Hostler").render(&mut page)?;
    if title(command) == "hostler" {
        let mut more = Roff::new();
        for (heading, entries) in [("FILES", &FILES[..]), ("EXIT STATUS", &STATUSES)] {
            more.control("SH", [heading]);
            for (name, meaning) in entries {
                more.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
            }
        }
        more.to_writer(&mut page)?;
    }
    Ok(page)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use std::process::{Command as Program, Stdio};

    use super::*;

    /// The visible flags of a command.
    fn flags(command: &Command) -> Vec<String> {
        let visible = command.get_arguments().filter(|option| !option.is_hide_set());
        visible.filter_map(|option| Some(format!("--{}", option.get_long()?))).collect()
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn manual_page_lists_options_variables_and_subcommands() {
        let command = documented();
        for command in tree(&command) {
            let page = text(page(command).expect("a page")).replace("\\-", "-");
            let name = title(command);
            assert!(page.contains(&format!(".TH {name} 1  \"hostler ")), "{page}");
            for flag in flags(command) {
                assert!(page.contains(&flag), "{flag} is not in the page of {name}:\n{page}");
            }
            for option in command.get_arguments() {
                if let Some(variable) = option.get_env() {
                    let variable = variable.to_string_lossy();
                    assert!(page.contains(variable.as_ref()), "{variable} is not in the page of {name}:\n{page}");
                }
            }
            for below in command.get_subcommands() {
                assert!(page.contains(title(below)), "{} is not in the page of {name}:\n{page}", title(below));
            }
        }
    }

    #[test]
    fn main_manual_page_lists_files_and_exit_statuses() {
        let page = text(page(&documented()).expect("a page"));
        for (name, _) in FILES.iter().chain(&STATUSES) {
            assert!(page.contains(name), "{name} is missing:\n{page}");
        }
    }

    #[test]
    fn completion_scripts_contain_options_and_commands() {
        let command = documented();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = text(script(shell));
            for command in tree(&command) {
                let names = command.get_subcommands().map(|below| below.get_name().to_owned());
                for word in names.chain(flags(command)) {
                    // Fish names options without their dashes.
                    let word = word.trim_start_matches('-');
                    assert!(script.contains(word), "{word} of {} is not in the script for {shell}", title(command));
                }
            }
        }
    }

    /// Runs the completion function in Bash for each command.
    #[test]
    fn bash_completes_the_options_of_each_command() {
        let command = documented();
        let commands = tree(&command);
        let mut script = text(script(Shell::Bash));
        for command in &commands {
            let words = title(command).to_owned();
            let path = command.get_bin_name().unwrap_or(&words);
            let count = path.split(' ').count();
            script += &format!("COMP_WORDS=({path} --) COMP_CWORD={count} COMPREPLY=()\n_hostler hostler -- ''\n");
            script += "echo \"${COMPREPLY[*]}\"\n";
        }
        let output = Program::new("bash").args(["--norc", "-c", &script]).stdin(Stdio::null()).output();
        let output = output.expect("bash runs");
        let offers = text(output.stdout);
        assert_eq!(offers.lines().count(), commands.len(), "{offers}{}", text(output.stderr));
        for (command, offer) in commands.iter().zip(offers.lines()) {
            let offered: Vec<&str> = offer.split(' ').collect();
            for flag in flags(command) {
                assert!(offered.contains(&flag.as_str()), "{flag} of {} is not offered: {offer}", title(command));
            }
        }
    }
}
