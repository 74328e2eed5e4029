//! A clock for the process of a server that a test can set.
//!
//! Debian's `faketime` does the same, but not for processes with their own allocator.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::server::TestServer;
use crate::skip::skip;

const SOURCE: &str = include_str!("clock.c");

/// The clock of the servers that it was attached to.
#[derive(Debug)]
pub struct FakeClock(TempDir);

impl FakeClock {
    /// A clock with the right time; none if there is no C compiler, which is reported.
    pub fn build() -> Option<Self> {
        let folder = TempDir::with_prefix("hostler-clock-").expect("a folder for the clock");
        let clock = Self(folder);
        let source = clock.0.path().join("clock.c");
        fs::write(&source, SOURCE).expect("the clock is written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.library()).arg(source).stdin(Stdio::null());
        let output = match compiler.output() {
            Ok(output) => output,
            Err(problem) => {
                skip(&format!("there is no compiler of C, cc: {problem}"));
                return None;
            }
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        clock.set(0);
        Some(clock)
    }

    /// A server uses this clock from its next start on. Only the time of day changes, not the monotonic clock.
    pub fn preload_into(&self, server: &mut TestServer) {
        server.set_variable("LD_PRELOAD", &self.library().display().to_string());
        server.set_variable("TEST_CLOCK_FILE", &self.file().display().to_string());
    }

    /// Sets the clock this number of seconds from the right time.
    pub fn set(&self, offset: i64) {
        // Atomically: the server may read it at any moment.
        let new = self.0.path().join("new");
        fs::write(&new, offset.to_string()).expect("the clock is set");
        fs::rename(new, self.file()).expect("the clock is set");
    }

    fn library(&self) -> PathBuf {
        self.0.path().join("clock.so")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("offset")
    }
}
