use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The plugin. Ansible looks for `hostler.py` in the folders of callback plugins.
const PLUGIN: &str = include_str!("callback/hostler.py");

/// The environment variable with the file descriptor of the event pipe.
pub const PIPE_VARIABLE: &str = "HOSTLER_EVENT_PIPE";

/// The environment variable that is set for ad hoc commands.
pub const AD_HOC_VARIABLE: &str = "HOSTLER_AD_HOC";

/// Writes the plugin into a folder below `workspace`, and returns the folder.
pub fn install(workspace: &Path) -> Result<PathBuf, Error> {
    let folder = workspace.join("callback");
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let file = folder.join("hostler.py");
    fs::write(&file, PLUGIN).map_err(Error::file(&file))?;
    Ok(folder)
}
