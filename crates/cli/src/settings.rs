//! `hostler setting`: changes settings directly in the database, for users who can read the data folder.

use anyhow::{Result, anyhow};
use hostler_settings::{list_settings, reset_setting, set_setting};

use crate::options::SettingCommand;
use crate::output::print_line;
use crate::storage;

/// Runs a `setting` command.
pub async fn run(command: SettingCommand) -> Result<()> {
    match command {
        SettingCommand::List { data } => {
            let app = storage::app(&data).await?;
            let settings = list_settings(app.engine()).await.map_err(|failure| anyhow!("{failure:?}"))?;
            for (name, value, is_changed) in settings {
                print_line(&format!("{name}\t{value}{}", if is_changed { "\tchanged" } else { "" }))?;
            }
        }
        SettingCommand::Set { data, name, value } => {
            set_setting(storage::app(&data).await?.engine(), &name, &value).await?;
        }
        SettingCommand::Reset { data, name } => reset_setting(storage::app(&data).await?.engine(), &name).await?,
    }
    Ok(())
}
