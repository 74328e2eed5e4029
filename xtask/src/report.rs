//! What passed, what failed, and what could not be tried.

use std::fmt;

/// The tally of a run; shown as its summary line.
#[derive(Debug, Default)]
pub struct Report {
    requires_all: bool,
    counts: Counts,
}

/// How many checks ended how.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// As they should.
    pub passed: u64,
    /// Otherwise.
    pub failed: u64,
    /// Not tried.
    pub skipped: u64,
}

impl Report {
    /// An empty report; with `requires_all` what is skipped counts as failed.
    pub fn new(requires_all: bool) -> Self {
        Self { requires_all, counts: Counts::default() }
    }

    /// Says which part begins.
    pub fn part(&self, name: &str) {
        println!("\n=== {name}");
    }

    /// Adds the tally of a part.
    pub fn add(&mut self, counts: Counts) {
        self.counts.passed += counts.passed;
        self.counts.failed += counts.failed;
        self.counts.skipped += counts.skipped;
    }

    /// Notes a part that failed as a whole.
    pub fn fail(&mut self, what: &str) {
        println!("FAILED: {what}");
        self.counts.failed += 1;
    }

    /// Notes a part that cannot be tried here.
    pub fn skip(&mut self, what: &str, because: &str) {
        if self.requires_all {
            self.fail(&format!("{what} cannot run, because {because}, and all is required"));
        } else {
            self.skip_forbidden(what, because);
        }
    }

    /// Notes a part that this machine does not allow, whatever is installed; nobody can require it.
    pub fn skip_forbidden(&mut self, what: &str, because: &str) {
        println!("SKIPPED: {what} because {because}");
        self.counts.skipped += 1;
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
    /// Reads every `N word` of a line such as `3 passed, 1 failed`; what a
    /// runner writes in brackets is detail.
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
    fn reads_the_summaries_of_the_runners() {
        let nextest = "29 passed (2 slow, 1 flaky), 1 failed, 2 timed out, 17 skipped";
        assert_eq!(Counts::parse(nextest), Counts { passed: 29, failed: 3, skipped: 17 });
        let libtest = "test result: FAILED. 8 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out";
        assert_eq!(Counts::parse(libtest), Counts { passed: 8, failed: 1, skipped: 2 });
        assert_eq!(Counts::parse("23 passed, 0 failed"), Counts { passed: 23, failed: 0, skipped: 0 });
        assert_eq!(Counts::parse("nothing of the kind"), Counts::default());
    }

    #[test]
    fn what_is_required_cannot_be_skipped() {
        let mut lenient = Report::new(false);
        lenient.skip("a", "b");
        assert!(lenient.is_success());
        let mut strict = Report::new(true);
        strict.skip("a", "b");
        assert!(!strict.is_success());
        assert_eq!(strict.to_string(), "0 passed, 1 failed, 0 skipped");
    }
}
