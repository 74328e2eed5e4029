//! A PostgreSQL cluster that lives as long as the tests do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

/// A running cluster; stopped and removed on drop.
pub struct Cluster {
    server: Child,
    programs: Programs,
    folder: TempDir,
    port: u16,
}

/// Where PostgreSQL's programs are, and as whom they run.
struct Programs {
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Programs {
    fn find() -> Result<Self, String> {
        let mut folders: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        // Debian keeps the server's programs out of PATH, one folder per version.
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
        let Some(folder) = folders.into_iter().find(|it| it.join("initdb").is_file() && it.join("postgres").is_file())
        else {
            return Err("initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin".to_owned());
        };
        Ok(Self { folder, user: unprivileged()? })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // The caller's directory may be closed to that user.
        command.current_dir("/");
        command
    }
}

/// PostgreSQL refuses to run as root: its own user then, or one who owns nothing.
fn unprivileged() -> Result<Option<(u32, u32)>, String> {
    let own = fs::metadata("/proc/self").map_err(|problem| problem.to_string())?.uid();
    if own != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|problem| problem.to_string())?;
    let find = |wanted: &str| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&wanted)).then_some(())?;
            Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
        })
    };
    match find("postgres").or_else(|| find("nobody")) {
        Some(user) => Ok(Some(user)),
        None => Err("PostgreSQL does not run as root, and there is no user postgres or nobody".to_owned()),
    }
}

impl Cluster {
    /// Starts a cluster; the inner error says what is not installed here.
    pub fn start() -> Result<Result<Self, String>> {
        let programs = match Programs::find() {
            Ok(programs) => programs,
            Err(because) => return Ok(Err(because)),
        };
        let folder = TempDir::with_prefix("hostler-postgres-")?;
        if let Some((user, group)) = programs.user {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let output = programs
            .command("initdb")
            .args(["--auth=trust", "--username=hostler", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg("--pgdata")
            .arg(data(&folder))
            .output()
            .context("initdb does not run")?;
        ensure!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        // A free port may be taken before PostgreSQL binds it: then another one.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            if let Some(server) = run(&programs, &folder, port)? {
                return Ok(Ok(Self { server, programs, folder, port }));
            }
        }
        bail!("PostgreSQL does not start:\n{}", fs::read_to_string(log(&folder)).unwrap_or_default())
    }

    /// The URL under which tests reach the cluster.
    pub fn url(&self) -> String {
        format!("postgres://hostler@127.0.0.1:{}/postgres", self.port)
    }
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

fn run(programs: &Programs, folder: &TempDir, port: u16) -> Result<Option<Child>> {
    let log = fs::File::create(log(folder))?;
    let mut command = programs.command("postgres");
    command.arg("-D").arg(data(folder)).arg("-k").arg(folder.path()).arg("-p").arg(port.to_string());
    // The data are thrown away: nothing has to survive a power cut.
    for setting in [
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=300",
    ] {
        command.args(["-c", setting]);
    }
    let mut server = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    for _ in 0..300 {
        if server.try_wait()?.is_some() {
            return Ok(None);
        }
        if is_ready(&data(folder)) {
            return Ok(Some(server));
        }
        sleep(Duration::from_millis(100));
    }
    stop(programs, folder);
    let _ = server.wait();
    Ok(None)
}

/// The server writes its state into the last line of its lock file.
fn is_ready(data: &Path) -> bool {
    let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    state.lines().nth(7).is_some_and(|line| line.trim() == "ready")
}

fn stop(programs: &Programs, folder: &TempDir) {
    // Through pg_ctl, for the server's own children have to end as well. A
    // failure leaves a stray process, and nothing that could be done about it.
    let _ = programs
        .command("pg_ctl")
        .args(["stop", "--silent", "--mode=immediate", "--pgdata"])
        .arg(data(folder))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

impl Drop for Cluster {
    fn drop(&mut self) {
        stop(&self.programs, &self.folder);
        let _ = self.server.wait();
    }
}
