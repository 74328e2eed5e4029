//! The command line and the environment of the program.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::job::{Isolation, JobDescription, Program};
use crate::leftovers::DIRECTORY_VARIABLE;
use crate::secrets::{Secrets, serve_once};
use crate::{bubblewrap, callback, files, ssh_agent};

/// What the program gets from the environment of the supervisor, and the supervisor from that of the server. Other
/// variables may contain secrets of the server.
pub const INHERITED_VARIABLES: [&str; 9] =
    ["HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "SHELL", "TZ", "USER"];

/// The variable with the folders of callback plugins.
const PLUGIN_FOLDERS: &str = "ANSIBLE_CALLBACK_PLUGINS";

/// The command that runs the program of the job. `event_pipe` is the number of the descriptor that it inherits.
pub fn command(
    directory: &Path,
    description: &JobDescription,
    secrets: &Secrets,
    event_pipe: i32,
) -> Result<Command, Error> {
    let workspace = directory.join(files::WORKSPACE);
    fs::create_dir_all(&workspace).map_err(Error::file(&workspace))?;
    let working_directory = &description.working_directory;
    if !working_directory.is_dir() {
        return Err(Error::Preparation(format!("the folder {} does not exist", working_directory.display())));
    }
    let mut environment = inherited_environment();
    let mut arguments = match &description.program {
        Program::Command(command) => command.iter().map(OsString::from).collect(),
        Program::Playbook(playbook) => {
            let mut command = playbook.arguments();
            command.extend(secret_options(&workspace, secrets)?);
            command.extend(playbook.last_arguments());
            command
        }
        Program::AdHocCommand(ad_hoc) => {
            let mut command = ad_hoc.arguments();
            command.extend(secret_options(&workspace, secrets)?);
            command.extend(ad_hoc.last_arguments());
            command
        }
    };
    let program = arguments.first().ok_or_else(|| Error::Preparation("the job names no program".to_owned()))?;
    if Path::new(program).is_absolute() && !Path::new(program).exists() {
        return Err(Error::Preparation(format!("{} does not exist", program.display())));
    }
    let mut set = |name: &str, value: OsString| environment.insert(name.into(), value);
    set("ANSIBLE_FORCE_COLOR", "true".into());
    let mut is_isolated = false;
    if let Isolation::Bubblewrap(bubblewrap) = &description.isolation {
        is_isolated = true;
        let home = workspace.join("home");
        fs::create_dir_all(&home).map_err(Error::file(&home))?;
        set("HOME", home.into());
        let mut isolated = bubblewrap::command_line(bubblewrap, directory, working_directory)?;
        isolated.append(&mut arguments);
        arguments = isolated;
    }
    if !secrets.ssh_keys.is_empty() {
        set("SSH_AUTH_SOCK", ssh_agent::start(directory, &workspace, &secrets.ssh_keys)?.into());
    }
    for (name, value) in description.environment.iter().chain(&secrets.environment) {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(Error::Preparation(format!("the environment variable {name:?} is invalid")));
        }
        // They would load a library of the job into bubblewrap itself, outside of the isolation.
        if is_isolated && (name.starts_with("LD_") || name == "GLIBC_TUNABLES") {
            return Err(Error::Preparation(format!(
                "the environment variable {name} is not allowed in an isolated job"
            )));
        }
        set(name, value.into());
    }
    // Ours is found first, and no variable of the job replaces it.
    let mut plugins = callback::install(&workspace)?.into_os_string();
    if let Some(others) = description.environment.get(PLUGIN_FOLDERS) {
        plugins.push(":");
        plugins.push(others);
    }
    set(PLUGIN_FOLDERS, plugins);
    set("ANSIBLE_STDOUT_CALLBACK", "hostler".into());
    if matches!(description.program, Program::AdHocCommand(_)) {
        // Otherwise `ansible` prints without the plugin.
        set("ANSIBLE_LOAD_CALLBACK_PLUGINS", "true".into());
        set(callback::AD_HOC_VARIABLE, "1".into());
    }
    set(callback::PIPE_VARIABLE, event_pipe.to_string().into());
    set(DIRECTORY_VARIABLE, directory.into());
    let mut command = Command::new(arguments.remove(0));
    command.args(arguments).env_clear().envs(environment).current_dir(working_directory);
    Ok(command)
}

/// The inherited variables that are set.
pub fn inherited_environment() -> BTreeMap<OsString, OsString> {
    INHERITED_VARIABLES.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?))).collect()
}

/// Options that name a FIFO for each password.
fn secret_options(workspace: &Path, secrets: &Secrets) -> Result<Vec<OsString>, Error> {
    let mut options = Vec::new();
    let mut add = |option: &str, file: &str, secret: &str| {
        let path = serve_once(workspace.join(file), Zeroizing::new(secret.to_owned() + "\n"))?;
        let mut option = OsString::from(option);
        option.push(path);
        options.push(option);
        Ok::<(), Error>(())
    };
    if let Some(password) = &secrets.connection_password {
        add("--connection-password-file=", "connection-password", password)?;
    }
    if let Some(password) = &secrets.become_password {
        add("--become-password-file=", "become-password", password)?;
    }
    for (index, vault) in secrets.vaults.iter().enumerate() {
        let file = format!("vault-password-{index}");
        match vault.id.as_str() {
            "" => add("--vault-password-file=", &file, &vault.password)?,
            id if id.contains('@') => {
                return Err(Error::Preparation("a vault id must not contain \"@\"".to_owned()));
            }
            id => add(&format!("--vault-id={id}@"), &file, &vault.password)?,
        }
    }
    Ok(options)
}
