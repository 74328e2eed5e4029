//! The binary `hostler`.

mod ansible;
mod backup;
mod check;
mod config;
mod demo;
mod jobs;
mod log;
mod manual;
mod options;
mod output;
mod probe;
mod restore;
mod run_job;
mod secrets;
mod serve;
mod service_manager;
mod settings;
mod status;
mod storage;
mod users;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use listenfd::ListenFd;

use crate::options::{AnsibleCommand, Command, ConfigCommand};
use crate::output::StdoutClosed;

/// Faster than the C library's allocator, which it replaces for SQLite, too. With
/// `MIMALLOC_PURGE_DELAY=0`, which the packages set, it returns the memory of password hashing to the system at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a command that has ended waits for its operations on files.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// The exit status when standard output is closed: what a shell reports for a program killed by SIGPIPE.
const STDOUT_CLOSED: u8 = 141;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) if problem.is::<StdoutClosed>() => ExitCode::from(STDOUT_CLOSED),
        Err(problem) => fail(&problem),
    }
}

fn run() -> Result<()> {
    if let Some(directory) = run_job::directory() {
        return run_job::run(&directory);
    }
    let (cli, matches, config) = config::parse()?;
    match cli.command {
        Command::Serve(options) => {
            // It changes environment variables, so it must run before any thread is started.
            let activated = ListenFd::from_env();
            on_runtime(serve::run(*options, activated))
        }
        Command::User(command) => on_runtime(users::run(command)),
        Command::Setting(command) => on_runtime(settings::run(command)),
        Command::Status { data } => on_runtime(async move { status::run(&data).await }),
        Command::Secrets(command) => on_runtime(secrets::run(command)),
        Command::Backup { data, file, force } => backup::run(&data, &file, force),
        Command::Restore { data, file, force } => restore::run(&data, &file, force),
        Command::Check { data } => check::run(&data, &config),
        Command::Probe(options) => probe::run(&options),
        Command::Migrate { data, to } => restore::migrate(&data, &to),
        Command::Ansible(AnsibleCommand::Install { data }) => ansible::install(&data),
        Command::Config(ConfigCommand::Show(_)) => config::show(&config, &matches),
        Command::Completions { shell } => manual::completions(shell),
        Command::Manual { to } => manual::manual(to.as_deref()),
    }
}

fn on_runtime(command: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime could not be started")?;
    let result = runtime.block_on(command);
    // Nothing waits for an installation of Ansible: the next server begins it again.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    result
}

/// Prints the error with its causes in one line.
fn fail(problem: &anyhow::Error) -> ExitCode {
    let mut line = String::new();
    for cause in problem.chain().map(|cause| cause.to_string().replace('\n', " ")) {
        if !line.contains(&cause) {
            line = if line.is_empty() { cause } else { format!("{line}: {cause}") };
        }
    }
    // If this fails, only the exit status reports the error.
    let _ = writeln!(std::io::stderr(), "hostler: {line}");
    ExitCode::FAILURE
}
