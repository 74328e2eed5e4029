//! Starts the real binary for one test.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use rustix::process::Resource;
use rustix::process::{Pid, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tempfile::TempDir;

use crate::ansible;
use crate::client::{Address, Client};
use crate::cluster::Cluster;
use crate::database::{Backend, PostgresDatabase};
use crate::dump;

/// The username of every test server's first superuser.
pub const ADMIN: &str = "admin";
/// The password of every test server's first superuser.
pub const ADMIN_PASSWORD: &str = "password";

/// Where the server keeps an SQLite database, in its data directory.
const SQLITE_FILE: &str = "hostler.db";
/// The text before the address in the server's first line of output.
const READY: &str = "Hostler is listening on ";
/// Long enough: a debug build on a busy machine migrates a database in this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary without the environment variables of the developer's own Hostler.
pub fn command(binary: impl AsRef<Path>) -> Command {
    let mut command = Command::new(binary.as_ref());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOSTLER_") {
            command.env_remove(name);
        }
    }
    // Without the machine's configuration file.
    command.env("HOSTLER_CONFIG", "/dev/null");
    command.env("HOSTLER_NO_DEMO", "1");
    command.stdin(Stdio::null());
    command
}

/// A running server; killed on drop. Its data are removed with the last server that uses them.
#[derive(Debug)]
pub struct TestServer {
    // The first field, because fields are dropped in order: the process must end before its data are removed.
    process: Option<Process>,
    binary: PathBuf,
    environment: Vec<(String, String)>,
    folder: Arc<TempDir>,
    data: PathBuf,
    database: Option<Arc<PostgresDatabase>>,
    /// The URL of the database, if it differs from that of `database`.
    database_url: Option<String>,
    /// The file for the log, if it is not captured.
    log: Option<PathBuf>,
    address: Address,
}

impl TestServer {
    /// Starts the binary, `env!("CARGO_BIN_EXE_hostler")` of the calling test, and waits until it listens.
    pub fn start(binary: impl Into<PathBuf>, backend: Backend) -> Self {
        Self::start_with(binary, backend, &[])
    }

    /// Like `start`, with additional environment variables.
    pub fn start_with(binary: impl Into<PathBuf>, backend: Backend, environment: &[(&str, &str)]) -> Self {
        let binary = binary.into();
        let database = (backend == Backend::Postgres).then(|| PostgresDatabase::migrated_by(&binary));
        let mut server = Self::stopped_on(binary, database);
        server.environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        server.run();
        server
    }

    /// A server with an empty database that is not started yet: `restart` starts it.
    pub fn stopped(binary: impl Into<PathBuf>, backend: Backend) -> Self {
        Self::stopped_on(binary.into(), (backend == Backend::Postgres).then(PostgresDatabase::create))
    }

    /// Starts a server with its own database on a cluster that the test may stop; it must outlive the server.
    pub fn start_on(binary: impl Into<PathBuf>, cluster: &Cluster) -> Self {
        let mut server = Self::stopped_on(binary.into(), Some(PostgresDatabase::create_on(cluster.url())));
        server.run();
        server
    }

    fn stopped_on(binary: PathBuf, database: Option<PostgresDatabase>) -> Self {
        let folder = TempDir::with_prefix("hostler-test-").expect("a directory for the server's data");
        Self {
            process: None,
            binary,
            environment: vec![],
            data: folder.path().join("data"),
            folder: Arc::new(folder),
            database: database.map(Arc::new),
            database_url: None,
            log: None,
            address: Address::new("http://127.0.0.1:0"),
        }
    }

    /// Stores the data below this folder from its next start on.
    pub fn move_to(&mut self, folder: &Path) {
        self.data = folder.join("data");
    }

    /// Writes its log to this file from its next start on.
    pub fn log_to(&mut self, file: impl Into<PathBuf>) {
        self.log = Some(file.into());
    }

    /// Uses this URL of its database from its next start on, which must lead to the same database.
    pub fn connect_to(&mut self, url: impl Into<String>) {
        self.database_url = Some(url.into());
    }

    /// Sets an environment variable from its next start on.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts another server on the same data.
    #[must_use]
    pub fn start_second(&self) -> Self {
        let mut server = Self {
            process: None,
            binary: self.binary.clone(),
            environment: self.environment.clone(),
            folder: Arc::clone(&self.folder),
            data: self.data.clone(),
            database: self.database.clone(),
            database_url: self.database_url.clone(),
            log: self.log.clone(),
            address: Address::new("http://127.0.0.1:0"),
        };
        server.run();
        server
    }

    /// A command of the binary that works on this server's data.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.binary);
        command.args(arguments).arg("--data").arg(self.data());
        if let Some(url) = self.database_url() {
            command.args(["--database", &url]);
        }
        command
    }

    /// Stops the server if it runs, and restarts it with the same data. Existing clients stay usable, though the port
    /// may change.
    pub fn restart(&mut self) {
        if self.process.is_some() {
            self.stop();
        }
        self.run();
    }

    fn run(&mut self) {
        let mut command = command(&self.binary);
        let place = self.environment.iter().find(|(name, _)| name == "HOSTLER_LISTEN");
        let place = place.map_or("127.0.0.1:0", |(_, place)| place);
        command.args(["serve", "--listen", place, "--data"]).arg(self.data());
        if let Some(url) = self.database_url() {
            command.args(["--database", &url]);
        }
        command.env("HOSTLER_ADMIN_USER", ADMIN).env("HOSTLER_ADMIN_PASSWORD", ADMIN_PASSWORD);
        command.env("HOSTLER_DEBUG_HEADERS", "1").env("HOSTLER_ANSIBLE", ansible::of_this_machine());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::spawn(command, self.log.as_deref());
        self.address.set(process.wait_until_ready());
        self.process = Some(process);
    }

    /// Sends SIGTERM, without waiting.
    pub fn terminate(&self) {
        self.process.as_ref().expect("a running server").terminate();
    }

    /// Sends SIGHUP, which reloads the certificates, without waiting.
    pub fn reload(&self) {
        self.process.as_ref().expect("a running server").signal(Signal::HUP);
    }

    /// Waits for the end of the server, and returns its exit status.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.take().expect("a running server").wait()
    }

    /// Sends SIGTERM, and returns the exit status.
    pub fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.wait()
    }

    /// Kills the server (SIGKILL).
    pub fn kill9(&mut self) {
        // Dropping the process kills it.
        self.process.take().expect("a running server");
    }

    /// Waits until the running server has logged a line with all of these words.
    pub fn wait_for_log(&self, words: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.stderr();
            if log.lines().any(|line| words.iter().all(|word| line.contains(word))) {
                return;
            }
            assert!(Instant::now() < deadline, "no line of the log has {words:?}:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The log of the running server.
    pub fn stderr(&self) -> String {
        self.process.as_ref().expect("a running server").stderr()
    }

    /// The standard output of the running server after its first line.
    pub fn remaining_stdout(&self) -> Vec<String> {
        self.process.as_ref().expect("a running server").lines.try_iter().collect()
    }

    /// The directory of `--data`, which the server creates itself.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// The URL of `--database`, if the backend is PostgreSQL.
    pub fn database_url(&self) -> Option<String> {
        self.database_url.clone().or_else(|| self.database.as_deref().map(PostgresDatabase::url))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("a running server").child.id()
    }

    /// Limits the size of files that the running process writes, or removes the limit.
    pub fn limit(&self, resource: Resource, most: Option<u64>) {
        let process = Pid::from_child(&self.process.as_ref().expect("a running server").child);
        let known = prlimit(Some(process), resource, Rlimit { current: most, ..getrlimit(resource) });
        known.expect("a limit of the server");
    }

    /// Runs SQL on the server's data, for states that no request creates.
    pub fn execute(&self, statement: &str) {
        match &self.database {
            Some(database) => database.execute_inside(statement).expect("PostgreSQL takes the statement"),
            None => {
                let file = rusqlite::Connection::open(self.data().join(SQLITE_FILE)).expect("the server's database");
                // The server may be writing.
                file.busy_timeout(PATIENCE).expect("a timeout");
                file.execute_batch(statement).expect("SQLite takes the statement");
            }
        }
    }

    /// Every row of every table, as text.
    pub fn dump(&self) -> String {
        match &self.database {
            Some(database) => dump::postgres(&database.url()).expect("PostgreSQL's rows"),
            None => {
                let file = rusqlite::Connection::open(self.data().join(SQLITE_FILE)).expect("the server's database");
                dump::sqlite(&file).expect("SQLite's rows")
            }
        }
    }

    /// Runs SQL that may fail in the server's PostgreSQL database, which may be empty.
    pub fn try_execute(&self, statement: &str) -> Result<(), postgres::Error> {
        self.database.as_ref().expect("a server on PostgreSQL").execute_inside(statement)
    }

    /// Makes PostgreSQL end the server's connections and reject new ones.
    pub fn reject_connections(&self) {
        self.database.as_ref().expect("a server on PostgreSQL").reject_connections();
    }

    /// The address of the server, such as `http://127.0.0.1:40123`.
    pub fn base(&self) -> String {
        self.address.get()
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> Client {
        Client::new(self.address.clone())
    }

    /// The first superuser.
    pub fn as_admin(&self) -> Client {
        self.as_user(ADMIN, ADMIN_PASSWORD)
    }

    /// A user with a name and a password.
    pub fn as_user(&self, name: &str, password: &str) -> Client {
        self.anonymous().with_password(name, password)
    }

    /// The user of this token.
    pub fn with_token(&self, token: &str) -> Client {
        self.anonymous().with_token(token)
    }
}

/// A child process whose output is captured while it runs.
#[derive(Debug)]
struct Process {
    child: Child,
    lines: Receiver<String>,
    stderr: Arc<Mutex<String>>,
    stderr_reader: Option<JoinHandle<()>>,
}

impl Process {
    fn spawn(mut command: Command, log: Option<&Path>) -> Self {
        let stderr = match log {
            Some(log) => Stdio::from(File::options().append(true).create(true).open(log).expect("a file for the log")),
            None => Stdio::piped(),
        };
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|problem| panic!("could not run {command:?}: {problem}"));
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        // Both pipes are read to their end, because the process would block on a full one.
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let stderr = Arc::new(Mutex::new(String::new()));
        let gathered = Arc::clone(&stderr);
        let pipe = child.stderr.take();
        let stderr_reader = thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..length]);
                gathered.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Self { child, lines, stderr, stderr_reader: Some(stderr_reader) }
    }

    fn wait_until_ready(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => match line.strip_prefix(READY) {
                Some(base) => base.to_owned(),
                None => panic!("the server's first line is {line:?}, wanted {READY:?} and its address"),
            },
            Err(RecvTimeoutError::Timeout) => {
                panic!("the server said nothing for {PATIENCE:?}; its log:\n{}", self.stderr())
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.wait();
                // Its last output may not have been read yet.
                let _ = self.stderr_reader.take().map(JoinHandle::join);
                panic!("the server ended with {status} before it was ready; its log:\n{}", self.stderr())
            }
        }
    }

    fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server takes a signal");
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server did not end within {PATIENCE:?}:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
