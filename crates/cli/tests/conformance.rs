//! Compares responses with those recorded from AWX 24.6.1, one test per recorded case and backend.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use hostler_testkit::conformance::{Case, KnownDifferences, cases_in, replay};
use hostler_testkit::skip::skip;
use hostler_testkit::{Backend, TestServer, backends, has_ansible};
use libtest_mimic::{Arguments, Failed, Trial, run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let cases = cases_in(&folder.join("cases"));
    let known = Arc::new(KnownDifferences::read(&folder.join("differences.toml"), &folder.join("waiting.toml")));
    let faults = known.faults(&cases);
    let mut trials = vec![Trial::test("lists_of_differences_are_sound", move || fail_with(&faults))];
    let available = backends();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        for case in &cases {
            // Ignored instead of omitted, so that the summary counts it as skipped.
            let is_ignored = !available.contains(&backend) || known.is_waiting(case);
            let name = format!("{backend}::{}", case.name);
            let (case, known) = (case.clone(), Arc::clone(&known));
            let trial = Trial::test(name, move || check(backend, &case, &known));
            trials.push(trial.with_ignored_flag(is_ignored));
        }
    }
    run(&arguments, trials).exit_code()
}

fn check(backend: Backend, case: &Case, known: &KnownDifferences) -> Result<(), Failed> {
    if case.runs_jobs() && !has_ansible() {
        skip("there is no Ansible, in PATH or HOSTLER_TEST_ANSIBLE");
        return Ok(());
    }
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let outcomes = replay(&server.anonymous(), case);
    fail_with(&known.complaints(case, &outcomes))
}

fn fail_with(complaints: &[String]) -> Result<(), Failed> {
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}
