//! A clock that a test sets, for the whole process of a server.
//!
//! Debian's `faketime` would do the same, but for processes with an allocator of their own.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::server::TestServer;
use crate::skip::skip;

const SOURCE: &str = include_str!("clock.c");

/// The clock of the servers that were given it.
#[derive(Debug)]
pub struct FakeClock(TempDir);

impl FakeClock {
    /// A clock that goes right at first; says so and yields nothing where there is no compiler of C.
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

    /// Lets a server go by this clock from its next start on. Only the time of day changes: how long something takes
    /// is measured as ever.
    pub fn preload_into(&self, server: &mut TestServer) {
        server.set_variable("LD_PRELOAD", &self.library().display().to_string());
        server.set_variable("TEST_CLOCK_FILE", &self.file().display().to_string());
    }

    /// Sets the clock so many seconds from the right time.
    pub fn set(&self, offset: i64) {
        // At once: the server may read it at any moment.
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
