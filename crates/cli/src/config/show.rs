//! `hostler config show`: the effective value of each option, with its source.

use anyhow::{Context, Result};
use clap::{ArgMatches, CommandFactory};
use url::Url;

use super::file::{ConfigFile, SERVE, configurable};
use crate::options::Cli;
use crate::output::print_line;

/// Replaces a secret.
const MASK: &str = "********";

/// Prints the options of `hostler serve` as a configuration file, with the origin of each value in a comment.
pub fn show(config: &ConfigFile, matches: &ArgMatches) -> Result<()> {
    let command = Cli::command();
    let serve = command.find_subcommand(SERVE).context("the command serve is missing")?;
    // The options of `hostler config show`, which are those of `serve`.
    let matches = matches.subcommand().and_then(|(_, config)| config.subcommand()).context("the command")?.1;
    for option in configurable(serve) {
        let key = option.get_id().as_str();
        let origin = config.origin(option, matches);
        match matches.get_raw(key).filter(|values| values.len() > 0) {
            Some(values) => {
                let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                let value = mask_secret(key, &values.join(","));
                let value = match value.as_str() {
                    "true" | "false" => value,
                    _ if is_number(&value) => value,
                    _ => toml::Value::String(value).to_string(),
                };
                print_line(&format!("{key} = {value}  # {origin}"))?;
            }
            None => print_line(&format!("# {key} is not set"))?,
        }
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|number| number.to_string() == text)
}

/// A value with its secrets masked.
pub fn mask_secret(key: &str, value: &str) -> String {
    match key {
        "admin_password" => MASK.to_owned(),
        // The server rejects such a URL, but it is shown here.
        "otlp_endpoint" if value.contains(['@', '?']) => MASK.to_owned(),
        "database" => match Url::parse(value) {
            Ok(mut url) => {
                let is_masked = url.password().is_none() || url.set_password(Some(MASK)).is_ok();
                // libpq accepts these parameters for the password, and for that of a key.
                let has_no_secret_parameter =
                    url.query_pairs().all(|(name, _)| name != "password" && name != "sslpassword");
                if is_masked && has_no_secret_parameter { url.to_string() } else { MASK.to_owned() }
            }
            Err(_) => MASK.to_owned(),
        },
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::mask_secret;

    #[test]
    fn only_secrets_are_masked() {
        for (key, value, expected) in [
            ("admin_password", "secret", "********"),
            ("database", "postgres://me:secret@db:5433/x?a=b", "postgres://me:********@db:5433/x?a=b"),
            ("database", "postgres://me@db/x", "postgres://me@db/x"),
            ("database", "postgres://me@db/x?password=secret", "********"),
            ("database", "postgres://me@db/x?sslpassword=secret", "********"),
            (
                "database",
                "postgres://me:secret@db/x?sslmode=verify-full&sslrootcert=/ca.pem",
                "postgres://me:********@db/x?sslmode=verify-full&sslrootcert=/ca.pem",
            ),
            ("database", "not a url: secret", "********"),
            ("otlp_endpoint", "http://me:secret@collector", "********"),
            ("otlp_endpoint", "https://collector/?key=secret", "********"),
            ("otlp_endpoint", "https://collector/otlp", "https://collector/otlp"),
            ("listen", "127.0.0.1:8052", "127.0.0.1:8052"),
        ] {
            assert_eq!(mask_secret(key, value), expected);
        }
    }
}
