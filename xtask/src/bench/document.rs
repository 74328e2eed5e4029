//! The table, and its place in docs/benchmarks.md.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::load::Speed;

/// What one run found.
pub struct Measured {
    pub rows: Vec<Row>,
    /// What was typed.
    pub command: String,
    /// Which part of the document it replaces.
    pub key: &'static str,
    /// The database in words.
    pub database: String,
    pub users: usize,
    pub seconds: u32,
    /// Milliseconds until the disk has a small write.
    pub sync: f64,
    /// Seconds from exec to the first answer on a new database.
    pub new_start: f64,
    /// The same on the seeded database.
    pub start: f64,
    /// Resident megabytes before the first request.
    pub idle: f64,
    /// The same after the last one.
    pub after: f64,
    /// The most they ever were.
    pub peak: f64,
    pub cores: usize,
    /// In gigabytes.
    pub machine_memory: f64,
}

/// One request over one number of connections.
pub struct Row {
    pub name: &'static str,
    pub connections: u32,
    pub speed: Speed,
    /// The bare handler over as many connections.
    pub bare: Speed,
    /// Microseconds of processor time for one request.
    pub processor: f64,
    pub statements: u32,
    /// Requests per second of AWX, where that is known.
    pub awx: Option<f64>,
}

impl Row {
    fn share(&self) -> f64 {
        self.speed.rate() / self.bare.rate()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, connections, speed, bare, processor, statements, awx } = self;
        let (awx, times) = match awx {
            Some(awx) => (format!("{awx:.0}"), format!("{:.0} ×", speed.rate() / awx)),
            None => ("".to_owned(), "".to_owned()),
        };
        writeln!(
            out,
            "| {name} | {connections} | {:.0} | {:.2} | {:.2} | {processor:.0} | {statements} | {:.0} | {:.2} | {awx} | {times} |",
            speed.rate(),
            speed.p50,
            speed.p99,
            bare.rate(),
            self.share(),
        )
    }
}

const HEADER: &str = "\
| Request | Connections | Requests/s | p50 ms | p99 ms | Processor µs/request | Statements | Bare handler/s | Share of it | AWX/s | Times AWX |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

impl fmt::Display for Measured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "`{}` on {}: {} cores with {:.0} GB of memory, shared by the server and the load generator. {} users, {} s for each figure.",
            self.command,
            today(),
            self.cores,
            self.machine_memory,
            self.users,
            self.seconds
        )?;
        writeln!(out, "{}. A write of 4 KiB takes {:.2} ms until it is on this disk.\n", self.database, self.sync)?;
        out.write_str(HEADER)?;
        for row in &self.rows {
            row.fmt(out)?;
        }
        writeln!(out, "\n| Aim | Wanted | Found | |\n|---|--:|--:|---|")?;
        for (aim, wanted, found, is_met) in self.aims() {
            writeln!(out, "| {aim} | {wanted} | {found} | {} |", if is_met { "met" } else { "missed" })?;
        }
        Ok(())
    }
}

impl Measured {
    /// What is aimed at, how much is wanted, and what was found.
    fn aims(&self) -> Vec<(String, String, String, bool)> {
        let mut aims = vec![];
        for row in self.rows.iter().filter(|row| row.awx.is_some()) {
            let times = row.speed.rate() / row.awx.unwrap_or(f64::INFINITY);
            let what = format!("{} over {}, compared with AWX", row.name, row.connections);
            aims.push((what, "100 ×".to_owned(), format!("{times:.0} ×"), times >= 100.0));
        }
        for row in self.rows.iter().filter(|row| row.name == "GET user, token") {
            let what = format!("{} over {}, compared with the bare handler", row.name, row.connections);
            aims.push((what, "0.33".to_owned(), format!("{:.2}", row.share()), row.share() >= 0.33));
        }
        for (what, found) in [("idle", self.idle), ("after the load", self.after), ("at its peak", self.peak)] {
            aims.push((format!("resident memory {what}"), "60 MB".to_owned(), format!("{found:.0} MB"), found < 60.0));
        }
        for (what, found) in [("this", self.start), ("a new", self.new_start)] {
            let what = format!("from exec to the first answer on {what} database");
            aims.push((what, "0.2 s".to_owned(), format!("{found:.3} s"), found < 0.2));
        }
        aims
    }
}

#[expect(clippy::disallowed_methods, reason = "the document tells on which day it was measured")]
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Puts the run into the document, in place of the last one on such a database.
pub fn write(file: &Path, measured: &Measured) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = replaced(&text, measured.key, &measured.to_string())
        .with_context(|| format!("{} has no place for it", file.display()))?;
    fs::write(file, text)?;
    println!("written into {}", file.display());
    Ok(())
}

/// The text with another content between the two markers of this key.
fn replaced(text: &str, key: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin {key} -->\n"), format!("<!-- end {key} -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{content}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_between_its_markers_changes() {
        let text = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n<!-- begin y -->\n<!-- end y -->\n";
        let new = replaced(text, "x", "new\n");
        let wanted = "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n<!-- begin y -->\n<!-- end y -->\n";
        assert_eq!(new.as_deref(), Some(wanted));
        assert_eq!(replaced(wanted, "x", "new\n").as_deref(), Some(wanted));
        assert_eq!(replaced(text, "z", "new"), None);
    }
}
