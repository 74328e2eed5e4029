//! The tasks of developers and CI; `cargo xtask help` lists them.

mod bench;
mod cargo;
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
cargo xtask words     searches the sources and documents for words that the project does not use
cargo xtask clients   only the real clients, or those that are named: awx, openapi, pages, collection
cargo xtask try       only the Debian package and the container: installs, runs and removes them in a disposable copy of
                      this machine (needs root)
cargo xtask documents only the commands in README.md and docs, or in the documents that are named (needs root)
cargo xtask package   builds a Debian package and the content of a container image in target/package
cargo xtask bench     benchmarks the release build and writes docs/benchmarks.md
cargo xtask attack    measures the effect of a password attack on other users
cargo xtask fuzz      runs the fuzz targets

  --no-clients        without the real clients
  --only-rust         also without packages and documents: needs only the Rust toolchain and the databases
  --require-all       checks that cannot run on this machine fail instead of being skipped

  Options of bench:
  --scale             compares every list and detail with those of a database with 200 users
  --jobs              compares jobs with ansible-playbook
  --events            measures how fast events are written and read
  --queue             measures how fast jobs start
  --websockets        measures many WebSockets on one running job
  --users N           users in the database (100000)
  --seconds S         duration of each measurement (4)
  --database URL      a PostgreSQL server to create a database on, instead of SQLite
  --quick             few users, one second each, and no output file

  Options of package:
  --binary FILE       the binary to pack, instead of building the release
  --to DIR            the output folder

  Options of attack:
  --seconds S         duration of the measurement without and with an attack (60)

  fuzz runs the named targets, or all, with these options:
  --seconds S         duration of each target (60)
  --inputs N          the number of inputs of each target instead, the same in each run

HOSTLER_TEST_POSTGRES is the URL of a PostgreSQL server on which databases can be created;
without it a temporary cluster is started if PostgreSQL is installed.
";

/// Which of the package trials to run.
const PACKED: &str = "the packages, and the commands of the documents";

/// Which checks to run.
#[derive(Default)]
struct Options {
    has_rust: bool,
    has_words: bool,
    has_packages: bool,
    has_documents: bool,
    /// The documents to run; empty for all.
    documents: Vec<String>,
    has_clients: bool,
    /// The clients to run; empty for all.
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
        other => bail!("unknown command {other}: see cargo xtask help"),
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
            other => bail!("{command} has no option {other}: see cargo xtask help"),
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
