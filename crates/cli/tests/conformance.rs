//! Replays what AWX 24.6.1 answered, one test per recorded case and backend.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use std::path::Path;
use std::process::ExitCode;

use hostler_testkit::conformance::{Case, Exceptions, cases_in, replay};
use hostler_testkit::{Backend, TestServer, backends};
use libtest_mimic::{Arguments, Failed, Trial, run};

/// The folder of this test's data.
fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance"))
}

fn exceptions() -> Exceptions {
    Exceptions::read(&folder().join("differences.toml"))
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = cases_in(&folder().join("cases"));
    let mut trials = vec![Trial::test("differences_are_well_founded", {
        let cases = cases.clone();
        move || fail_with(&exceptions().faults(&cases))
    })];
    let available = backends();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        // Ignored rather than absent: the summary then tells that it did not run.
        let is_ignored = !available.contains(&backend);
        for case in &cases {
            let name = format!("{backend}::{}", case.name);
            let case = case.clone();
            trials.push(Trial::test(name, move || check(backend, &case)).with_ignored_flag(is_ignored));
        }
    }
    run(&arguments, trials).exit_code()
}

fn check(backend: Backend, case: &Case) -> Result<(), Failed> {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let outcomes = replay(&server.anonymous(), case);
    fail_with(&exceptions().complaints(case, &outcomes))
}

fn fail_with(complaints: &[String]) -> Result<(), Failed> {
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}
