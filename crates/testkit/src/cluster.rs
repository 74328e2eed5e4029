//! PostgreSQL clusters for a test run, or for one test that stops its cluster.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::certificate_authority::{CertificateAndKey, CertificateAuthority};
use crate::skip::skip;
use crate::tls::replace;

/// The PostgreSQL programs that tests need.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "pg_ctl", "pg_basebackup"];

/// Long enough: a start takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The interval of polling.
const PAUSE: Duration = Duration::from_millis(10);

/// A cluster; stopped and removed on drop.
#[derive(Debug)]
pub struct Cluster {
    server: Option<Child>,
    programs: Programs,
    folder: TempDir,
    port: u16,
}

/// The folder of PostgreSQL's programs, and the user that runs them.
#[derive(Clone, Debug)]
struct Programs {
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Programs {
    fn find() -> Result<Self, String> {
        let mut folders: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        // Debian installs the server's programs outside of PATH, in one folder per version.
        let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
        let Some(folder) = folders.into_iter().find(|it| PROGRAMS.iter().all(|program| it.join(program).is_file()))
        else {
            let wanted = PROGRAMS.join(", ");
            return Err(format!("{wanted} are together neither in a folder of PATH nor in /usr/lib/postgresql/*/bin"));
        };
        Ok(Self { folder, user: unprivileged()? })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        // That user may not be able to read the current directory.
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Runs a program to its end.
    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program).args(arguments).output();
        let output = output.unwrap_or_else(|problem| panic!("{program} does not run: {problem}"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Writes the certificate where PostgreSQL reads it.
    fn show(&self, data: &Path, shown: &CertificateAndKey) {
        self.write(&data.join("server.crt"), &shown.certificate);
        self.write(&data.join("server.key"), &shown.key);
    }

    /// Writes a file that only PostgreSQL's user can read.
    fn write(&self, path: &Path, content: &str) {
        replace(path, content);
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).expect("PostgreSQL's user owns its files");
        }
    }

    /// A folder that PostgreSQL's user can write.
    fn make_folder(&self) -> TempDir {
        let folder = TempDir::with_prefix("hostler-postgres-").expect("a folder for PostgreSQL");
        if let Some((user, group)) = self.user {
            chown(folder.path(), Some(user), Some(group)).expect("PostgreSQL's user owns its folder");
        }
        folder
    }
}

/// PostgreSQL does not run as root: its own user is used then, or an unprivileged one.
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
    /// Starts a cluster.
    ///
    /// # Errors
    /// If PostgreSQL is not installed.
    pub fn start() -> Result<Self, String> {
        Self::start_with(|_, _| ())
    }

    /// Starts a cluster after `prepare` has changed its data folder.
    fn start_with(prepare: impl FnOnce(&Programs, &Path)) -> Result<Self, String> {
        let programs = Programs::find()?;
        let folder = programs.make_folder();
        programs.run(
            "initdb",
            &[
                "--auth=trust",
                "--username=hostler",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "--pgdata",
                &path(&data(&folder)),
            ],
        );
        prepare(&programs, &data(&folder));
        Ok(Self::on(programs, folder))
    }

    /// Starts a cluster for one test, or returns why it is skipped.
    pub fn start_for_test() -> Option<Self> {
        Self::start().inspect_err(|because| skip(because)).ok()
    }

    /// Starts a cluster with TLS for one test, or returns why it is skipped. `clients` signs the certificates of
    /// clients; `access` is the content of `pg_hba.conf`.
    pub fn start_encrypted_for_test(
        shown: &CertificateAndKey,
        clients: &CertificateAuthority,
        access: &str,
    ) -> Option<Self> {
        let started = Self::start_with(|programs, data| {
            programs.show(data, shown);
            programs.write(&data.join("clients.crt"), &clients.certificate());
            programs.write(&data.join("pg_hba.conf"), access);
            let settings = data.join("postgresql.conf");
            let known = fs::read_to_string(&settings).expect("PostgreSQL's settings");
            programs.write(&settings, &format!("{known}\nssl = on\nssl_ca_file = 'clients.crt'\n"));
        });
        started.inspect_err(|because| skip(because)).ok()
    }

    /// Restarts it with another certificate.
    pub fn set_certificate(&mut self, shown: &CertificateAndKey) {
        self.stop();
        self.programs.show(&data(&self.folder), shown);
        self.restart();
    }

    fn on(programs: Programs, folder: TempDir) -> Self {
        let mut cluster = Self { server: None, programs, folder, port: 0 };
        // The free port may be taken before PostgreSQL binds it: then another one is used.
        for _ in 0..5 {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            cluster.port = listener.local_addr().expect("an address").port();
            drop(listener);
            if cluster.run() {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start:\n{}", cluster.log())
    }

    /// Creates a read-only standby of this cluster.
    #[must_use]
    pub fn standby(&self) -> Self {
        let folder = self.programs.make_folder();
        self.programs.run(
            "pg_basebackup",
            &[
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "--dbname",
                &self.url(),
                "--pgdata",
                &path(&data(&folder)),
            ],
        );
        Self::on(self.programs.clone(), folder)
    }

    /// Promotes a standby to a primary.
    pub fn promote(&self) {
        self.programs.run("pg_ctl", &["promote", "--silent", "--pgdata", &path(&data(&self.folder))]);
    }

    /// Stops it immediately, like a crash.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // Through pg_ctl, because the server's child processes must end as well. An error leaves a process behind and
        // is ignored.
        let _ = self
            .programs
            .command("pg_ctl")
            .args(["stop", "--silent", "--mode=immediate", "--pgdata"])
            .arg(data(&self.folder))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let _ = server.wait();
    }

    /// Restarts it with the same port and data.
    pub fn restart(&mut self) {
        assert!(self.server.is_none(), "the cluster runs already");
        assert!(self.run(), "PostgreSQL does not start again:\n{}", self.log());
    }

    /// The URL for the tests.
    pub fn url(&self) -> String {
        format!("postgres://hostler@{}/postgres", self.address())
    }

    /// Its host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> String {
        fs::read_to_string(log(&self.folder)).unwrap_or_default()
    }

    /// Starts the server; returns whether it started.
    fn run(&mut self) -> bool {
        let log = fs::File::create(log(&self.folder)).expect("a file for PostgreSQL's log");
        let mut command = self.programs.command("postgres");
        command
            .arg("-D")
            .arg(data(&self.folder))
            .arg("-k")
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string()]);
        // The data are temporary: commits must survive the server, but not a power failure.
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", "max_connections=300"] {
            command.args(["-c", setting]);
        }
        command.stdout(log.try_clone().expect("the log once more")).stderr(log);
        self.server = Some(command.spawn().expect("postgres runs"));
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let server = self.server.as_mut().expect("it was just started");
            if server.try_wait().expect("a child to wait for").is_some() {
                break;
            }
            if is_ready(&data(&self.folder), server.id()) {
                return true;
            }
            sleep(PAUSE);
        }
        self.stop();
        false
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

/// The server writes its process id and its state into its lock file, which remains after a crash.
fn is_ready(data: &Path, process: u32) -> bool {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let lines: Vec<&str> = file.lines().map(str::trim).collect();
    lines.first() == Some(&process.to_string().as_str())
        // A standby accepts read-only connections.
        && lines.get(7).is_some_and(|state| ["ready", "standby"].contains(state))
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}
