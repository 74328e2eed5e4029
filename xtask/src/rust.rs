//! Formatting, lints and tests of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::Stdio;

use anyhow::{Context as _, Result};
use hostler_testkit::Cluster;
use hostler_testkit::skip::{FORBIDDEN, SKIPS_VARIABLE};

use crate::cargo::cargo;
use crate::report::{Counts, Report};
use crate::scratch::Scratch;

const VARIABLE: &str = "HOSTLER_TEST_POSTGRES";

/// Checks the workspace; needs only the toolchain and the databases.
pub fn check(report: &mut Report) -> Result<()> {
    step(report, "formatting", &["fmt", "--all", "--check"])?;
    step(report, "lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    tests(report)
}

fn step(report: &mut Report, name: &str, arguments: &[&str]) -> Result<()> {
    report.part(name);
    if !cargo().args(arguments).status().context("cargo does not run")?.success() {
        report.fail(name);
    }
    Ok(())
}

fn tests(report: &mut Report) -> Result<()> {
    report.part("tests");
    let given = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty());
    let cluster = match given {
        Some(_) => None,
        None => match Cluster::start() {
            Ok(cluster) => Some(cluster),
            Err(because) => {
                report.skip("the tests on PostgreSQL", &because, 0);
                None
            }
        },
    };
    if let Err(problem) = hostler_testkit::database::drop_abandoned() {
        println!("databases of earlier tests cannot be dropped: {problem}");
    }
    let scratch = Scratch::make()?;
    let skips = scratch.path().join("skips");
    let has_nextest =
        cargo().args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success();
    let arguments = if has_nextest {
        &["nextest", "run", "--workspace", "--no-fail-fast"][..]
    } else {
        println!("cargo-nextest is not installed: the tests run with cargo test");
        &["test", "--workspace", "--no-fail-fast"]
    };
    let mut command = cargo();
    command.args(arguments);
    if let Some(cluster) = &cluster {
        command.env(VARIABLE, cluster.url());
    }
    command.env("TMPDIR", scratch.path()).env(SKIPS_VARIABLE, &skips);
    let (is_success, counts) = if has_nextest {
        // nextest reports on standard error, and prints one summary.
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let counts = follow(child.stderr.take().context("a pipe")?, |line| Some(line.split_once("run: ")?.1));
        (child.wait()?.success(), counts?)
    } else {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let counts = follow(child.stdout.take().context("a pipe")?, |line| line.strip_prefix("test result: "));
        (child.wait()?.success(), counts?)
    };
    report.add(counts);
    if !is_success && counts.failed == 0 {
        report.fail("the tests did not run to their end");
    }
    count_skips(report, &fs::read_to_string(&skips).unwrap_or_default());
    Ok(())
}

/// Counts tests as skipped that the runner counted as passed: each of them wrote a line with its kind, name and reason.
fn count_skips(report: &mut Report, lines: &str) {
    let mut tests: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for line in lines.lines() {
        let mut parts = line.splitn(3, '\t');
        let (Some(kind), Some(name), Some(reason)) = (parts.next(), parts.next(), parts.next()) else { continue };
        // A test may have two reasons, and is counted once.
        if seen.insert(name) {
            tests.entry((kind, reason)).or_default().insert(name);
        }
    }
    for ((kind, reason), names) in tests {
        let what = if names.len() == 1 { "1 test".to_owned() } else { format!("{} tests", names.len()) };
        report.uncount_passed(names.len());
        if kind == FORBIDDEN {
            report.skip_forbidden(&what, reason, names.len());
        } else {
            report.skip(&what, reason, names.len());
        }
    }
}

/// Prints the output of a test runner and adds up its summaries.
fn follow(pipe: impl Read, sum: impl Fn(&str) -> Option<&str>) -> Result<Counts> {
    let mut total = Counts::default();
    for line in BufReader::new(pipe).lines() {
        let line = line?;
        println!("{line}");
        if let Some(counts) = sum(&line).map(Counts::parse) {
            total.passed += counts.passed;
            total.failed += counts.failed;
            total.skipped += counts.skipped;
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_not_counted_as_passed() {
        let lines = "missing\thttp::a\tno slapd\nmissing\thttp::b\tno slapd\nmissing\thttp::b\tno slapd\n\
                     forbidden\thttp::c\tonly root may mount\n";
        let summary = |requires_all| {
            let mut report = Report::new(requires_all);
            report.add(Counts { passed: 10, failed: 0, skipped: 0 });
            count_skips(&mut report, lines);
            report.to_string()
        };
        assert_eq!(summary(false), "7 passed, 0 failed, 3 skipped");
        assert_eq!(summary(true), "7 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn summary_lines_are_added_up() -> Result<()> {
        let lines = "test a ... ok\ntest result: ok. 2 passed; 0 failed\ntest result: ok. 3 passed; 1 failed\n";
        let counts = follow(lines.as_bytes(), |line| line.strip_prefix("test result: "))?;
        assert_eq!(counts, Counts { passed: 5, failed: 1, skipped: 0 });
        Ok(())
    }
}
