//! The table, and its database in docs/benchmarks.md.

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
    pub users: i64,
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
    /// Milliseconds within which 99 of 100 GETs are answered while 32 connections write.
    pub reads_meanwhile: f64,
    /// Whether an answered write survives a power cut.
    pub is_durable: bool,
    /// The machine in words.
    pub machine: String,
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
    /// Resident megabytes at its end.
    pub memory: f64,
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
        let Row { name, connections, speed, bare, processor, statements, memory, awx } = self;
        let (awx, times) = match awx {
            Some(awx) => (format!("{awx:.0}"), format!("{:.0} ×", speed.rate() / awx)),
            None => ("".to_owned(), "".to_owned()),
        };
        writeln!(
            out,
            "| {name} | {connections} | {:.0} | {:.2} | {:.2} | {processor:.0} | {statements} | {memory:.0} | {:.0} | {:.2} | {awx} | {times} |",
            speed.rate(),
            speed.p50,
            speed.p99,
            bare.rate(),
            self.share(),
        )
    }
}

const HEADER: &str = "\
| Request | Connections | Requests/s | p50 ms | p99 ms | Processor µs/request | Statements | Memory MB | Bare handler/s | Share of it | AWX/s | Times AWX |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

impl fmt::Display for Measured {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "`{}` on {}: {}. {} users, {} s for each figure.",
            self.command,
            today(),
            self.machine,
            self.users,
            self.seconds
        )?;
        writeln!(out, "{}. A write of 4 KiB takes {:.2} ms until it is on this disk.\n", self.database, self.sync)?;
        out.write_str(HEADER)?;
        for row in &self.rows {
            row.fmt(out)?;
        }
        writeln!(
            out,
            "\nWhile 32 connections send PATCH, a GET over another takes {:.2} ms (p99).\n",
            self.reads_meanwhile
        )?;
        targets(out, self.targets())
    }
}

impl Measured {
    fn targets(&self) -> Vec<Target> {
        let mut list = vec![];
        for row in self.rows.iter().filter(|row| row.awx.is_some()) {
            let times = row.speed.rate() / row.awx.unwrap_or(f64::INFINITY);
            list.push(Target::least(
                format!("{} over {}, compared with AWX", row.name, row.connections),
                times,
                100.0,
                "×",
            ));
        }
        for row in self.rows.iter().filter(|row| row.name == "GET user, token") {
            let what = format!("{} over {}, compared with the bare handler", row.name, row.connections);
            list.push(Target::least(what, row.share(), 0.33, ""));
        }
        if self.is_durable {
            for row in self.rows.iter().filter(|row| row.name == "PATCH user, token" && row.connections == 32) {
                list.push(Target::least("PATCH user, token over 32, a second", row.speed.rate(), 2000.0, ""));
            }
        }
        list.push(Target::below("p99 of a GET meanwhile", self.reads_meanwhile, 5.0, "ms"));
        list.push(Target::below("resident memory idle", self.idle, 40.0, "MB"));
        list.push(Target::below("resident memory at the end", self.after, 120.0, "MB"));
        for (what, found) in [("this", self.start), ("a new", self.new_start)] {
            let what = format!("from exec to the first answer on {what} database");
            list.push(Target::below(what, found * 1000.0, 100.0, "ms"));
        }
        list
    }
}

/// Something that a run shall show.
pub struct Target {
    what: String,
    found: f64,
    wanted: f64,
    unit: &'static str,
    is_met: bool,
}

impl Target {
    /// It shall be less than that.
    pub fn below(what: impl Into<String>, found: f64, wanted: f64, unit: &'static str) -> Self {
        Self { what: what.into(), found, wanted, unit, is_met: found < wanted }
    }

    /// It shall be at least that.
    pub fn least(what: impl Into<String>, found: f64, wanted: f64, unit: &'static str) -> Self {
        Self { what: what.into(), found, wanted, unit, is_met: found >= wanted }
    }
}

/// Writes a table of targets.
pub fn targets(out: &mut fmt::Formatter<'_>, targets: Vec<Target>) -> fmt::Result {
    writeln!(out, "| Target | Wanted | Found | |\n|---|--:|--:|---|")?;
    for Target { what, found, wanted, unit, is_met } in targets {
        // As many digits as tell the two apart.
        let digits = if wanted < 1.0 {
            2
        } else if found < 10.0 {
            1
        } else {
            0
        };
        let verdict = if is_met { "met" } else { "missed" };
        writeln!(out, "| {what} | {wanted} {unit} | {found:.digits$} {unit} | {verdict} |")?;
    }
    Ok(())
}

/// The day of the run.
#[expect(clippy::disallowed_methods, reason = "the document tells on which day it was measured")]
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Puts the run into the document, in database of the last one on such a database.
pub fn write(file: &Path, key: &str, content: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = replaced(&text, key, content).with_context(|| format!("{} has no database for it", file.display()))?;
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
    fn text_between_markers_is_replaced() {
        let text = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n<!-- begin y -->\n<!-- end y -->\n";
        let new = replaced(text, "x", "new\n");
        let wanted = "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n<!-- begin y -->\n<!-- end y -->\n";
        assert_eq!(new.as_deref(), Some(wanted));
        assert_eq!(replaced(wanted, "x", "new\n").as_deref(), Some(wanted));
        assert_eq!(replaced(text, "z", "new"), None);
    }
}
