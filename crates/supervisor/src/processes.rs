//! Processes of the machine, from `/proc`.

use std::collections::HashSet;
use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub session: i32,
    /// In clock ticks since the start of the machine. It distinguishes processes with the same id.
    pub start_time: u64,
    /// A zombie, which waits to be reaped.
    pub is_zombie: bool,
}

impl Process {
    /// Reads one process; none if it has ended.
    pub fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The fields of proc_pid_stat(5). The second one, the name, may contain spaces and parentheses.
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse().ok();
        Some(Self {
            pid,
            parent: number(1)?,
            session: number(3)?,
            start_time: fields.get(19)?.parse().ok()?,
            is_zombie: matches!(fields.first(), Some(&("Z" | "X"))),
        })
    }

    /// All processes that this user sees.
    pub fn all() -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Self::read).collect()
    }

    /// Sends SIGKILL, unless the process has ended and another one has its id.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends a signal, unless the process has ended and another one has its id.
    pub fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        // The descriptor refers to one process for ever, so what is read now is about that one.
        if Self::read(self.pid).is_some_and(|now| now.start_time == self.start_time) {
            let _ = pidfd_send_signal(descriptor, signal);
        }
    }

    /// A file of `/proc` about it; empty if it cannot be read.
    pub fn read_file(&self, name: &str) -> Vec<u8> {
        fs::read(format!("/proc/{}/{name}", self.pid)).unwrap_or_default()
    }

    /// The name of the program.
    pub fn name(&self) -> Option<String> {
        Some(fs::read_to_string(format!("/proc/{}/comm", self.pid)).ok()?.trim_end().to_owned())
    }
}

/// The processes below these, without them.
pub fn descendants(of: &[i32], processes: &[Process]) -> Vec<Process> {
    let mut found: HashSet<i32> = of.iter().copied().collect();
    let mut result = Vec::new();
    loop {
        let before = found.len();
        for process in processes {
            if found.contains(&process.parent) && found.insert(process.pid) {
                result.push(*process);
            }
        }
        if found.len() == before {
            return result;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_with_parentheses_is_parsed() {
        let stat = "7 (a) b (c) S 3 7 5 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let expected = Process { pid: 7, parent: 3, session: 5, start_time: 12345, is_zombie: false };
        assert_eq!(Process::parse(7, stat), Some(expected));
        assert_eq!(Process::parse(7, "7 (a"), None);
    }

    #[test]
    fn descendants_are_found_in_any_order() {
        let process = |pid, parent| Process { pid, parent, session: 1, start_time: 1, is_zombie: false };
        let all = [process(4, 3), process(3, 2), process(2, 1), process(9, 1)];
        let found: Vec<i32> = descendants(&[2], &all).iter().map(|process| process.pid).collect();
        assert_eq!(found, [3, 4]);
    }
}
