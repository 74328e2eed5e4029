//! `hostler secrets`: the keys that encrypt the secrets in the database.

use anyhow::Result;
use hostler_server::secret_columns;
use hostler_vault::{KeyUse, Progress};

use crate::options::{DataOptions, SecretsCommand};
use crate::output::print_line;
use crate::storage;

/// Runs a `secrets` command.
pub async fn run(command: SecretsCommand) -> Result<()> {
    match command {
        SecretsCommand::Rotate { data } => rotate(&data).await,
        SecretsCommand::Status { data } => status(&data).await,
    }
}

async fn rotate(data: &DataOptions) -> Result<()> {
    let (database, keys) = storage::existing(data).await?;
    // A closed standard output does not interrupt the rotation.
    let mut report = |progress: Progress| drop(print_line(&line(&progress)));
    let outcome = keys.vault.rotate(&database, &secret_columns(), &mut report).await;
    database.close().await;
    Ok(outcome?)
}

fn line(progress: &Progress) -> String {
    match progress {
        Progress::Resumed => "An earlier rotation was interrupted: it is brought to its end.".into(),
        Progress::Current { key, generation } => format!("Key {key} (generation {generation}) is the current key now."),
        Progress::Encrypted(texts) => format!("{texts} secrets encrypted again."),
        Progress::Undecryptable { location } => format!("This secret cannot be decrypted: {location}."),
        Progress::Retired { key, generation } => format!("Key {key} (generation {generation}) is removed."),
    }
}

async fn status(data: &DataOptions) -> Result<()> {
    let (database, keys) = storage::existing(data).await?;
    let uses = keys.vault.key_uses(&database, &secret_columns()).await?;
    print_line("generation\tkey\tsecrets\t")?;
    for KeyUse { key, generation, current, texts } in uses {
        let generation = generation.map_or_else(|| "-".to_owned(), |generation| generation.to_string());
        let word = match (current, generation.as_str()) {
            (true, _) => "current",
            (false, "-") => "missing: its secrets cannot be read",
            (false, _) => "being replaced: run hostler secrets rotate",
        };
        print_line(&format!("{generation}\t{key}\t{texts}\t{word}"))?;
    }
    database.close().await;
    Ok(())
}
