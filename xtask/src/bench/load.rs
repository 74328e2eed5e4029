//! Load tests with wrk.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

const SCRIPT: &str = include_str!("load.lua");

/// The requests of a load test.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// The address of the server.
    pub base: &'a str,
    /// The path and query of a GET.
    pub path: &'a str,
    /// The value of the header `Authorization`.
    pub authorization: &'a str,
    /// The writes; none for a GET.
    pub writes: Option<Writes>,
}

/// The writes of a load test.
#[derive(Clone, Copy)]
pub enum Writes {
    /// PATCH of one user after the other, from the first id to the last.
    Users(i64, i64),
    /// Associates this instance group with one organization after the other, from the first id to the last, then removes
    /// it from each, and so on.
    InstanceGroup { group: i64, organizations: (i64, i64) },
    /// Launches this job template.
    Launches(i64),
}

impl Writes {
    /// The arguments of the script.
    fn arguments(self) -> Vec<String> {
        match self {
            Writes::Users(first, last) => vec!["users".to_owned(), first.to_string(), last.to_string()],
            Writes::InstanceGroup { group, organizations: (first, last) } => {
                vec!["instance_group".to_owned(), first.to_string(), last.to_string(), group.to_string()]
            }
            Writes::Launches(template) => vec!["launches".to_owned(), template.to_string(), template.to_string()],
        }
    }
}

/// The result of a load test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// The number of responses.
    pub requests: f64,
    /// The duration in seconds.
    pub seconds: f64,
    /// The median response time in milliseconds.
    pub p50: f64,
    /// The 99th percentile of the response time in milliseconds.
    pub p99: f64,
}

impl Speed {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.requests / self.seconds
    }
}

/// Whether wrk is installed.
pub fn require() -> Result<()> {
    // wrk exits with an error after printing its version.
    let answer = Command::new("wrk").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if answer.is_err() {
        bail!(
            "the load comes from wrk, which is not installed: install the package wrk (apt install wrk, dnf install wrk, brew install wrk)"
        );
    }
    Ok(())
}

impl Load<'_> {
    /// Sends requests for this duration over this number of connections. `folder` contains wrk's script.
    pub fn run(&self, folder: &Path, connections: u32, seconds: u32) -> Result<Speed> {
        let script = folder.join("load.lua");
        std::fs::write(&script, SCRIPT)?;
        let mut command = Command::new("wrk");
        // One thread is enough for wrk; the server uses the rest of the machine.
        command.args(["--threads", "1", "--latency", "--timeout", "30s"]);
        command.args(["--connections", &connections.to_string(), "--duration", &format!("{seconds}s")]);
        command.arg("--script").arg(&script);
        command.arg("--header").arg(format!("Authorization: {}", self.authorization));
        command.arg(format!("{}{}", self.base, self.path));
        if let Some(writes) = self.writes {
            command.arg("--").args(writes.arguments());
        }
        let output = command.stderr(Stdio::inherit()).output().context("wrk does not run")?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk failed: {text}");
        result(&text)
    }
}

/// Reads the output of the script; fails if a response was an error.
fn result(text: &str) -> Result<Speed> {
    let line = text.lines().find_map(|line| line.strip_prefix("result "));
    let numbers: Vec<f64> = line
        .unwrap_or_default()
        .split(' ')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("wrk printed no result")?;
    let [requests, microseconds, p50, p99, failed] = numbers[..] else { bail!("unexpected output of wrk: {text}") };
    ensure!(failed == 0.0, "{failed} of {requests} requests failed");
    ensure!(requests > 0.0, "no responses");
    Ok(Speed { requests, seconds: microseconds / 1e6, p50: p50 / 1000.0, p99: p99 / 1000.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_output_is_parsed() -> Result<()> {
        let speed = result("Running 2s test\nresult 3000 2000000 125 2500 0\n")?;
        assert_eq!(speed, Speed { requests: 3000.0, seconds: 2.0, p50: 0.125, p99: 2.5 });
        assert_eq!(speed.rate(), 1500.0);
        Ok(())
    }

    #[test]
    fn failed_requests_are_an_error() {
        assert!(result("result 3000 2000000 125 2500 1\n").is_err());
        assert!(result("result 0 2000000 0 0 0\n").is_err());
        assert!(result("unable to connect\n").is_err());
    }
}
