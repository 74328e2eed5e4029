//! What developers and CI run; `cargo xtask help` tells.

mod bench;
mod clients;
mod disposable_root;
mod documents;
mod fuzz;
mod package;
mod password_attack;
mod report;
mod rust;
mod scratch;
mod server;
mod words;

use std::process::ExitCode;

use anyhow::{Result, bail};

use package::Obstacle;
use report::Report;

const HELP: &str = "\
cargo xtask test      formatting, lints, the tests on both databases, and the real clients
cargo xtask words     searches the sources and documents for words that were given up
cargo xtask clients   the real clients only, or those of awx, openapi, pages and collection that are named behind it
cargo xtask try       the Debian package and the container only: installed, called and removed in a copy of this
                      machine that is thrown away (takes root)
cargo xtask documents the commands in README.md and docs only, or of the documents that are named behind it (the same)
cargo xtask package   a Debian package, and what containers are made of, in target/package
cargo xtask bench     how fast the release build is; writes docs/benchmarks.md
cargo xtask attack    what guessing at one password does to everybody else
cargo xtask fuzz      mutates what comes from outside until something breaks

  --no-clients        without the real clients
  --only-rust         without packages and documents, too: nothing but the Rust toolchain and the databases
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
  --inputs N          how many inputs each of them tries instead, the same each time

HOSTLER_TEST_POSTGRES names a PostgreSQL server on which databases may be made;
without it a throw-away cluster is started where PostgreSQL is installed.
";

/// What is tried of the packages.
const PACKED: &str = "the packages, and the commands of the documents";

/// What was asked for of the checks.
#[derive(Default)]
struct Options {
    has_rust: bool,
    has_words: bool,
    has_packages: bool,
    has_documents: bool,
    /// Which documents; none for all.
    documents: Vec<String>,
    has_clients: bool,
    /// Which clients; none for all.
    clients: Vec<String>,
    requires_all: bool,
}

fn options(arguments: &[String]) -> Result<Option<Options>> {
    let Some((command, flags)) = arguments.split_first() else { return Ok(None) };
    let mut options = Options::default();
    match command.as_str() {
        "test" => {
            (options.has_rust, options.has_packages, options.has_documents, options.has_clients) =
                (true, true, true, true);
        }
        "try" => options.has_packages = true,
        "documents" => options.has_documents = true,
        "words" => options.has_words = true,
        "clients" => options.has_clients = true,
        "help" | "--help" | "-h" => return Ok(None),
        other => bail!("there is no command {other}; cargo xtask help tells what there is"),
    }
    for flag in flags {
        match flag.as_str() {
            "--no-clients" if options.has_rust => options.has_clients = false,
            "--only-rust" if options.has_rust => {
                (options.has_packages, options.has_documents, options.has_clients) = (false, false, false);
            }
            "--require-all" => options.requires_all = true,
            document if command == "documents" && !document.starts_with('-') => {
                options.documents.push(document.to_owned());
            }
            client if command == "clients" && clients::NAMES.contains(&client) => {
                options.clients.push(client.to_owned());
            }
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
        password_attack::run(flags)?;
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
    if options.has_words {
        words::check(&mut report)?;
    }
    if options.has_packages || options.has_documents {
        match package::build()? {
            Ok(built) => {
                if options.has_packages {
                    package::check(&mut report, &built)?;
                }
                if options.has_documents {
                    documents::check(&mut report, &built.package, &clients::environment()?, &options.documents)?;
                }
            }
            Err(Obstacle::Missing(because)) => report.skip(PACKED, &because, 1),
            Err(Obstacle::Forbidden(because)) => report.skip_forbidden(PACKED, &because, 1),
        }
    }
    if options.has_clients {
        clients::check(&mut report, &options.clients)?;
    }
    println!("{report}");
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
