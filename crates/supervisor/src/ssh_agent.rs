use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::error::Error;
use crate::secrets::{SshKey, serve_once};

/// How long an agent may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts an agent with these keys, and returns the path of its socket below `workspace`. The agent ends with the job.
pub fn start(directory: &Path, workspace: &Path, keys: &[SshKey]) -> Result<PathBuf, Error> {
    let socket = workspace.join("ssh-agent");
    let mut agent = Command::new("ssh-agent");
    // No libraries for keys of other kinds: the job could choose one, and the agent is not isolated.
    agent.args(["-D", "-P", "!*", "-a"]).arg(&socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut agent = agent.spawn().map_err(not_started("ssh-agent"))?;
    wait_for_socket(&socket, &mut agent)?;
    let askpass = directory.join("askpass");
    fs::write(&askpass, "#!/bin/sh\nexec cat \"$HOSTLER_PASSPHRASE\"\n").map_err(Error::file(&askpass))?;
    fs::set_permissions(&askpass, fs::Permissions::from_mode(0o700)).map_err(Error::file(&askpass))?;
    for (index, key) in keys.iter().enumerate() {
        // A second question would mean that the passphrase was wrong: then the file is gone, and ssh-add fails.
        let passphrase = directory.join(format!("passphrase-{index}"));
        let secret = Zeroizing::new(key.passphrase.clone().unwrap_or_default() + "\n");
        serve_once(passphrase.clone(), secret)?;
        let is_added = add(&socket, &askpass, &passphrase, key)?;
        let _ = fs::remove_file(&passphrase);
        if !is_added {
            let number = index + 1;
            return Err(Error::Preparation(format!("SSH key {number} is invalid, or its passphrase is wrong")));
        }
    }
    Ok(socket)
}

fn add(socket: &Path, askpass: &Path, passphrase: &Path, key: &SshKey) -> Result<bool, Error> {
    let mut command = Command::new("ssh-add");
    command.args(["-q", "-"]);
    command.env("SSH_AUTH_SOCK", socket).env("SSH_ASKPASS", askpass).env("SSH_ASKPASS_REQUIRE", "force");
    command.env("HOSTLER_PASSPHRASE", passphrase);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(not_started("ssh-add"))?;
    if let Some(mut input) = child.stdin.take() {
        // ssh-add refuses a key without a line feed at its end. If it ended early, its status says so.
        let _ = input.write_all(key.private_key.trim_end().as_bytes()).and_then(|()| input.write_all(b"\n"));
    }
    Ok(child.wait().map_err(not_started("ssh-add"))?.success())
}

fn wait_for_socket(socket: &Path, agent: &mut Child) -> Result<(), Error> {
    let begin = Instant::now();
    while !socket.exists() {
        let has_ended = agent.try_wait().map_err(not_started("ssh-agent"))?.is_some();
        if has_ended || begin.elapsed() > START_TIMEOUT {
            return Err(Error::Preparation("ssh-agent does not start".to_owned()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn not_started(program: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |problem| Error::Preparation(format!("{program} could not be started: {problem}"))
}
