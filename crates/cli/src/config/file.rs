//! Reading the configuration file.
//!
//! Its values become the defaults of the options of the same name, so that environment variables and flags override them,
//! and clap validates all three alike.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};
use toml::de::{DeTable, DeValue};

use crate::options::Cli;

/// The file that is read without `--config`.
const DEFAULT_FILE: &str = "/etc/hostler/hostler.toml";
/// The option with the path of the file; not allowed in the file itself.
const OPTION: &str = "config";
/// The command whose options the file may set. Other commands use the options that they share with it.
pub const SERVE: &str = "serve";

/// A configuration file.
#[derive(Default)]
pub struct ConfigFile {
    path: PathBuf,
    entries: Vec<Entry>,
}

struct Entry {
    key: String,
    value: String,
    line: usize,
}

/// Parses the command line and the configuration file. Exits as clap does if the command line is invalid or requests
/// help.
///
/// # Errors
/// If the file cannot be read or is invalid.
pub fn parse() -> Result<(Cli, ArgMatches, ConfigFile)> {
    let first = Cli::command().get_matches();
    let config = ConfigFile::load(first.get_one::<PathBuf>(OPTION).map(PathBuf::as_path))?;
    config.check()?;
    let matches = config.apply(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((cli, matches, config))
}

impl ConfigFile {
    /// Reads the given file, which must exist, or the default one, which need not.
    fn load(given: Option<&Path>) -> Result<ConfigFile> {
        let path = given.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound && given.is_none() => return Ok(ConfigFile::default()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the configuration file {}", path.display()));
            }
        };
        ConfigFile::read(path, &text)
    }

    fn read(path: &Path, text: &str) -> Result<ConfigFile> {
        let line = |position: usize| text[..position.min(text.len())].matches('\n').count() + 1;
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                let line = line(error.span().map_or(0, |span| span.start));
                // Only the message: the full error quotes the line, which may contain a password.
                bail!("{}:{line}: {}", path.display(), error.message());
            }
        };
        let mut entries = vec![];
        for (key, value) in table.iter() {
            let line = line(key.span().start);
            let key = key.get_ref().to_string();
            let value = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                DeValue::Integer(_) => bail!("{}:{line}: {key} must be a decimal number or a string", path.display()),
                DeValue::Boolean(value) => value.to_string(),
                _ => bail!("{}:{line}: {key} must be a string, a number or a boolean", path.display()),
            };
            entries.push(Entry { key, value, line });
        }
        entries.sort_by_key(|entry| entry.line);
        Ok(ConfigFile { path: path.to_owned(), entries })
    }

    /// Rejects unknown options and invalid values.
    fn check(&self) -> Result<()> {
        let command = Cli::command();
        let serve = command.find_subcommand(SERVE).context("the command serve is missing")?;
        for Entry { key, value, line } in &self.entries {
            let location = format!("{}:{line}", self.path.display());
            let Some(option) = serve.get_arguments().find(|option| is_configurable(option, key)) else {
                let known: Vec<&str> = configurable(serve).map(|option| option.get_id().as_str()).collect();
                bail!("{location}: unknown option {key}; known options: {}", known.join(", "));
            };
            let flag = format!("--{}={value}", option.get_long().unwrap_or_default());
            if let Err(error) = Cli::command().try_get_matches_from(["hostler", SERVE, &flag]) {
                // It repeats the value, which is not a secret: options for secrets accept any text. A hint to --help follows
                // after a blank line.
                let text = error.to_string();
                let problem = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
                bail!("{location}: {}", problem.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
        Ok(())
    }

    /// The command with the values of the file as defaults.
    fn apply(&self, mut command: Command) -> Command {
        let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        for name in names {
            command = command.mut_subcommand(name, |sub| self.apply(sub));
        }
        for Entry { key, value, .. } in &self.entries {
            if command.get_arguments().any(|option| is_configurable(option, key)) {
                command = command.mut_arg(key, |option| option.default_value(value.clone()));
            }
        }
        command
    }

    /// The source of an option's value: a flag, an environment variable, a line of the file, or the default.
    pub fn origin(&self, option: &clap::Arg, matches: &ArgMatches) -> String {
        let key = option.get_id().as_str();
        match matches.value_source(key) {
            Some(ValueSource::CommandLine) => format!("--{}", option.get_long().unwrap_or_default()),
            Some(ValueSource::EnvVariable) => {
                option.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
            _ => match self.entries.iter().find(|entry| entry.key == key) {
                Some(entry) => format!("{}:{}", self.path.display(), entry.line),
                None => "default".to_owned(),
            },
        }
    }

    /// The path of the file, if it exists.
    pub fn path(&self) -> Option<&Path> {
        (!self.path.as_os_str().is_empty()).then_some(self.path.as_path())
    }

    /// The value of an option in the file.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }
}

/// The options of a command that the file may set: those with an environment variable.
pub fn configurable(command: &Command) -> impl Iterator<Item = &clap::Arg> {
    command.get_arguments().filter(|option| option.get_env().is_some() && option.get_id() != OPTION)
}

fn is_configurable(option: &clap::Arg, key: &str) -> bool {
    option.get_id() == key && option.get_env().is_some() && key != OPTION
}
