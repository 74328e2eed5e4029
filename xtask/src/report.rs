//! The counts of checks that passed, failed and were skipped.

use std::fmt;

/// The counts of a run; displayed as its summary line.
#[derive(Debug, Default)]
pub struct Report {
    requires_all: bool,
    counts: Counts,
}

/// Numbers of checks by their result.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Not run.
    pub skipped: u64,
}

impl Report {
    /// An empty report; with `requires_all` skipped checks count as failed.
    pub fn new(requires_all: bool) -> Self {
        Self { requires_all, counts: Counts::default() }
    }

    /// Prints the heading of a part.
    pub fn part(&self, name: &str) {
        println!("\n=== {name}");
    }

    /// Adds the counts of a part.
    pub fn add(&mut self, counts: Counts) {
        self.counts.passed += counts.passed;
        self.counts.failed += counts.failed;
        self.counts.skipped += counts.skipped;
    }

    /// Counts a failed check.
    pub fn fail(&mut self, what: &str) {
        println!("FAILED: {what}");
        self.counts.failed += 1;
    }

    /// Counts checks that need something that is not installed as skipped, or as failed where everything is required. 0
    /// only prints the reason, for checks that are counted elsewhere.
    pub fn skip(&mut self, what: &str, reason: &str, count: usize) {
        if self.requires_all {
            println!("FAILED: {what} cannot run, because {reason}, and everything is required");
            self.counts.failed += count as u64;
        } else {
            self.skip_forbidden(what, reason, count);
        }
    }

    /// Counts checks as skipped that this machine does not allow, whatever is installed; they cannot be required.
    pub fn skip_forbidden(&mut self, what: &str, reason: &str, count: usize) {
        println!("SKIPPED: {what} because {reason}");
        self.counts.skipped += count as u64;
    }

    /// Subtracts checks that were counted as passed but did nothing.
    pub fn uncount_passed(&mut self, count: usize) {
        self.counts.passed = self.counts.passed.saturating_sub(count as u64);
    }

    /// Whether nothing failed.
    pub fn is_success(&self) -> bool {
        self.counts.failed == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { passed, failed, skipped } = self.counts;
        write!(out, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

impl Counts {
    /// Reads every `N word` of a line such as `3 passed, 1 failed`; text in brackets is ignored.
    pub fn parse(line: &str) -> Self {
        let mut counts = Self::default();
        for part in line.split([',', ';']) {
            let mut words = part.split_whitespace().skip_while(|word| word.parse::<u64>().is_err());
            let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            match words.next() {
                Some("passed") => counts.passed += number,
                // The last two: `timed out` and `exec failed`.
                Some("failed" | "timed" | "exec") => counts.failed += number,
                Some("skipped" | "ignored") => counts.skipped += number,
                _ => {}
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_parse_summaries_of_nextest_and_libtest() {
        let nextest = "29 passed (2 slow, 1 flaky), 1 failed, 2 timed out, 17 skipped";
        assert_eq!(Counts::parse(nextest), Counts { passed: 29, failed: 3, skipped: 17 });
        let libtest = "test result: FAILED. 8 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(Counts::parse(libtest), Counts { passed: 8, failed: 1, skipped: 2 });
        assert_eq!(Counts::parse("23 passed, 0 failed"), Counts { passed: 23, failed: 0, skipped: 0 });
        assert_eq!(Counts::parse("nothing of the kind"), Counts::default());
    }

    #[test]
    fn skipped_checks_fail_where_everything_is_required() {
        let mut lenient = Report::new(false);
        lenient.skip("a", "b", 1);
        assert!(lenient.is_success());
        let mut strict = Report::new(true);
        strict.skip("a", "b", 1);
        assert!(!strict.is_success());
        assert_eq!(strict.to_string(), "0 passed, 1 failed, 0 skipped");
    }
}
