//! What developers and CI run; `cargo xtask help` tells.

mod attack;
mod bench;
mod clients;
mod fuzz;
mod package;
mod report;
mod rust;
mod server;

use std::process::ExitCode;

use anyhow::{Result, bail};

use report::Report;

const HELP: &str = "\
cargo xtask test      formatting, lints, the tests on both databases, and the real clients
cargo xtask clients   the real clients only
cargo xtask try       the Debian package and the container only: installed, called and removed in a copy of this
                      machine that is thrown away (takes root)
cargo xtask package   a Debian package, and what containers are made of, in target/package
cargo xtask bench     how fast the release build is; writes docs/benchmarks.md
cargo xtask attack    what guessing at one password does to everybody else
cargo xtask fuzz      mutates what comes from outside until something breaks

  --no-clients        without the real clients
  --only-rust         without packages, too: nothing but the Rust toolchain and the databases
  --require-all       what cannot run here fails instead of being skipped

  bench takes these instead:
  --scale             compares every list and detail with those of 200 users instead
  --users N           users in the database (100000)
  --seconds S         how long each figure is measured (4)
  --database URL      a PostgreSQL server to make a database on, instead of SQLite
  --quick             few users, one second each, and nothing is written

  package takes:
  --binary FILE       the program to pack, instead of building the release
  --to DIR            where the packages go

  attack takes:
  --seconds S         how long it measures without and with an attack (60)

  fuzz takes names of targets, all without any, and:
  --seconds S         how long each of them runs (60)

HOSTLER_TEST_POSTGRES names a PostgreSQL server on which databases may be made;
without it a throw-away cluster is started where PostgreSQL is installed.
";

/// What was asked for of the checks.
struct Options {
    has_rust: bool,
    has_packages: bool,
    has_clients: bool,
    requires_all: bool,
}

fn options(arguments: &[String]) -> Result<Option<Options>> {
    let Some((command, flags)) = arguments.split_first() else { return Ok(None) };
    let mut options = match command.as_str() {
        "test" => Options { has_rust: true, has_packages: true, has_clients: true, requires_all: false },
        "try" => Options { has_rust: false, has_packages: true, has_clients: false, requires_all: false },
        "clients" => Options { has_rust: false, has_packages: false, has_clients: true, requires_all: false },
        "help" | "--help" | "-h" => return Ok(None),
        other => bail!("there is no command {other}; cargo xtask help tells what there is"),
    };
    for flag in flags {
        match flag.as_str() {
            "--no-clients" if options.has_rust => options.has_clients = false,
            "--only-rust" if options.has_rust => (options.has_packages, options.has_clients) = (false, false),
            "--require-all" => options.requires_all = true,
            other => bail!("{command} takes no {other}; cargo xtask help tells what there is"),
        }
    }
    Ok(Some(options))
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((command, flags)) = arguments.split_first()
        && command == "bench"
    {
        bench::run(&bench::Options::parse(flags)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some((command, flags)) = arguments.split_first()
        && command == "attack"
    {
        attack::run(flags)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some((command, flags)) = arguments.split_first()
        && command == "package"
    {
        package::run(&package::Options::parse(flags)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some((command, flags)) = arguments.split_first()
        && command == "fuzz"
    {
        fuzz::run(flags)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(options) = options(&arguments)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    let mut report = Report::new(options.requires_all);
    if options.has_rust {
        rust::check(&mut report)?;
    }
    if options.has_packages {
        package::check(&mut report)?;
    }
    if options.has_clients {
        clients::check(&mut report)?;
    }
    println!("{report}");
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
