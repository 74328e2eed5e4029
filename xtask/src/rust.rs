//! Formatting, lints and the tests of the workspace.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use hostler_testkit::Cluster;
use hostler_testkit::skip::{FORBIDDEN, MISSING, SKIPS_VARIABLE};

use crate::leftovers::Scratch;
use crate::report::{Counts, Report};

const VARIABLE: &str = "HOSTLER_TEST_POSTGRES";

/// Checks the workspace with nothing but the toolchain and the databases.
pub fn check(report: &mut Report) -> Result<()> {
    step(report, "formatting", &["fmt", "--all", "--check"])?;
    step(report, "lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    tests(report)
}

fn step(report: &mut Report, name: &str, arguments: &[&str]) -> Result<()> {
    report.part(name);
    if !cargo(arguments).status().context("cargo does not run")?.success() {
        report.fail(name);
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

fn tests(report: &mut Report) -> Result<()> {
    report.part("tests");
    let given = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty());
    let cluster = match given {
        Some(_) => None,
        None => match Cluster::start() {
            Ok(cluster) => Some(cluster),
            Err(because) => {
                report.skip("the tests on PostgreSQL", &because);
                None
            }
        },
    };
    if let Err(problem) = hostler_testkit::database::drop_abandoned() {
        println!("databases that earlier tests have left cannot be dropped: {problem}");
    }
    let scratch = Scratch::make()?;
    let skips = scratch.path().join("skips");
    let has_nextest = cargo(&["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success();
    let mut command = if has_nextest {
        cargo(&["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        println!("cargo-nextest is not installed: the tests run with cargo test");
        cargo(&["test", "--workspace", "--no-fail-fast"])
    };
    if let Some(cluster) = &cluster {
        command.env(VARIABLE, cluster.url());
    }
    command.env("TMPDIR", scratch.path()).env(SKIPS_VARIABLE, &skips);
    let (is_success, counts) = if has_nextest {
        // It reports on standard error, and sums up once.
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
    tell_skips(report, &fs::read_to_string(&skips).unwrap_or_default());
    Ok(())
}

/// Reports why tests did not run, which those counted as passed that say so.
fn tell_skips(report: &mut Report, lines: &str) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines.lines() {
        *reasons.entry(line).or_default() += 1;
    }
    for (reason, count) in reasons {
        let what = if count == 1 { "a test".to_owned() } else { format!("{count} tests") };
        match (reason.strip_prefix(MISSING), reason.strip_prefix(FORBIDDEN)) {
            (_, Some(because)) => report.skip_forbidden(&what, because),
            (because, None) => report.skip(&what, because.unwrap_or(reason)),
        }
    }
}

/// Passes a runner's lines on and adds up those that are sums.
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
    fn what_could_be_installed_fails_where_all_is_required() {
        let allowed = "forbidden: only root may mount\n";
        for (lines, is_success) in [("", true), (allowed, true), ("forbidden: a\nmissing: cc\nmissing: cc\n", false)] {
            let mut report = Report::new(true);
            tell_skips(&mut report, lines);
            assert_eq!(report.is_success(), is_success, "{lines}");
        }
    }

    #[test]
    fn sums_are_found_among_the_lines() -> Result<()> {
        let lines = "test a ... ok\ntest result: ok. 2 passed; 0 failed\ntest result: ok. 3 passed; 1 failed\n";
        let counts = follow(lines.as_bytes(), |line| line.strip_prefix("test result: "))?;
        assert_eq!(counts, Counts { passed: 5, failed: 1, skipped: 0 });
        Ok(())
    }
}
