//! A server for the real clients.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// The password of the server's superuser, whose name is `admin`.
pub const PASSWORD: &str = "password";

/// A running server with data of its own; killed, and its data removed, on drop.
pub struct Server {
    child: Child,
    /// Kept for its data.
    _folder: TempDir,
    /// Where it listens.
    pub base: String,
}

impl Server {
    /// Builds the binary, starts it, and waits until it answers.
    pub fn start(log: &Path) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let is_built = Command::new(cargo).args(["build", "--package", "hostler"]).status()?.success();
        if !is_built {
            bail!("the binary cannot be built");
        }
        // Cargo puts it beside this program, wherever the target directory is.
        let binary = std::env::current_exe()?.with_file_name("hostler");
        let folder = TempDir::with_prefix("hostler-clients-")?;
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .env("HOSTLER_ADMIN_USER", "admin")
            .env("HOSTLER_ADMIN_PASSWORD", PASSWORD)
            .env_remove("HOSTLER_DATABASE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let stdout = child.stdout.take().context("a pipe")?;
        let mut server = Self { child, _folder: folder, base: String::new() };
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The receiver is gone after the first line, which is all it wants.
                let _ = sender.send(line);
            }
        });
        let line = receiver.recv_timeout(Duration::from_secs(60)).unwrap_or_default();
        match line.strip_prefix("Hostler is listening on ") {
            Some(base) => server.base = base.to_owned(),
            None => bail!("the server does not start; its log is in {}", log.display()),
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
