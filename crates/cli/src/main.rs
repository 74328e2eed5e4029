//! The binary `hostler`.

mod options;
mod secrets;
mod serve;
mod settings;
mod storage;
mod users;

use std::process::ExitCode;

use clap::Parser;

use crate::options::{Cli, Command};

/// Faster than the C library's, whose place it takes for SQLite too; and it gives
/// back what the hashing of passwords took, which the other keeps once for each thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => return fail(&format!("the runtime could not be started: {problem}")),
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Serve(options) => serve::run(options).await,
            Command::Setting(command) => settings::run(command).await,
            Command::User(command) => users::run(command).await,
            Command::Secrets(command) => secrets::run(command).await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&format!("{problem:#}")),
    }
}

/// One clear line for whoever started the program.
#[expect(clippy::print_stderr, reason = "this is what a command line says when it fails")]
fn fail(problem: &str) -> ExitCode {
    eprintln!("hostler: {}", problem.replace('\n', " "));
    ExitCode::FAILURE
}
