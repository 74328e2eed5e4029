//! Starts and stops a server.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// The password of the server's superuser, whose name is `admin`.
pub const PASSWORD: &str = "password";

/// A running server; killed on drop.
pub struct Server {
    child: Child,
    /// The address of the server.
    pub base: String,
}

impl Server {
    /// Starts a program that prints its address, and waits for that line.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?).spawn()?;
        let stdout = child.stdout.take().context("a pipe")?;
        let mut server = Self { child, base: String::new() };
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The receiver is dropped after the first line.
                let _ = sender.send(line);
            }
        });
        let line = receiver.recv_timeout(Duration::from_secs(60)).unwrap_or_default();
        match line.split_once(" is listening on ") {
            Some((_, base)) => server.base = base.to_owned(),
            None => bail!("the server does not start; its log is in {}", log.display()),
        }
        Ok(server)
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `hostler serve` on this folder and any free port, without the environment variables of the developer's own Hostler.
pub fn hostler(binary: &Path, data: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOSTLER_") {
            command.env_remove(name);
        }
    }
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("HOSTLER_NO_DEMO", "1").env("HOSTLER_ADMIN_USER", "admin").env("HOSTLER_ADMIN_PASSWORD", PASSWORD);
    command
}
