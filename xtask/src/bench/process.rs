//! Process statistics of the kernel.

use std::fs;

use anyhow::{Context as _, Result};

/// The length of a tick in /proc: always a hundredth of a second in user space.
const TICK: f64 = 0.01;

/// The memory of a process in megabytes, by its name in /proc/PID/status.
pub fn memory(id: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    kilobytes(&status, name).map(|amount| amount * 1024.0 / 1e6).with_context(|| format!("/proc has no {name}"))
}

/// The memory of the machine in gigabytes.
pub fn machine_memory() -> Result<f64> {
    let info = fs::read_to_string("/proc/meminfo")?;
    kilobytes(&info, "MemTotal").map(|amount| amount * 1024.0 / 1e9).context("/proc has no MemTotal")
}

/// The seconds of processor time that a process has used.
pub fn processor_time(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    ticks(&stat).map(|ticks| ticks * TICK).context("/proc has no processor time")
}

/// The same in nanoseconds, without the threads that have ended.
pub fn precise_processor_time(id: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may end during the loop.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e9)
}

fn kilobytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The name, the second field, may contain spaces: count from its closing bracket.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_parsed() {
        assert_eq!(kilobytes("Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n", "VmRSS"), Some(1024.0));
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 200";
        assert_eq!(ticks(stat), Some(300.0));
    }
}
