//! The table of a benchmark run, and its place in docs/benchmarks.md.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::load::Speed;

/// The results of a run.
pub struct Measured {
    pub rows: Vec<Row>,
    /// The targets of single measurements.
    pub figures: Vec<Target>,
    /// The command line.
    pub command: String,
    /// The key of the document's section.
    pub key: &'static str,
    /// A description of the database.
    pub database: String,
    pub users: i64,
    pub seconds: u32,
    /// Milliseconds until a small write is on disk.
    pub sync: f64,
    /// Seconds from exec to the first response with a new database.
    pub new_start: f64,
    /// The same with the seeded database.
    pub start: f64,
    /// Resident megabytes before the first request.
    pub idle: f64,
    /// Resident megabytes after the last request.
    pub after: f64,
    /// The 99th percentile of GETs in milliseconds while 32 connections write.
    pub reads_meanwhile: f64,
    /// Whether an acknowledged write survives a power failure.
    pub is_durable: bool,
    /// A description of the machine.
    pub machine: String,
}

/// One request with one number of connections.
pub struct Row {
    pub name: &'static str,
    pub connections: u32,
    pub speed: Speed,
    /// The minimal handler with the same number of connections.
    pub bare: Speed,
    /// Microseconds of processor time per request.
    pub processor: f64,
    pub statements: u32,
    /// Resident megabytes at the end.
    pub memory: f64,
    /// AWX's requests per second, if known.
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
        list.extend(self.figures.iter().cloned());
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

/// A target of a benchmark.
#[derive(Clone)]
pub struct Target {
    what: String,
    found: f64,
    wanted: f64,
    unit: &'static str,
    is_met: bool,
}

impl Target {
    /// The value should be less than this.
    pub fn below(what: impl Into<String>, found: f64, wanted: f64, unit: &'static str) -> Self {
        Self { what: what.into(), found, wanted, unit, is_met: found < wanted }
    }

    /// The value should be at least this.
    pub fn least(what: impl Into<String>, found: f64, wanted: f64, unit: &'static str) -> Self {
        Self { what: what.into(), found, wanted, unit, is_met: found >= wanted }
    }
}

/// Formats a table of targets.
pub fn targets(out: &mut fmt::Formatter<'_>, targets: Vec<Target>) -> fmt::Result {
    writeln!(out, "| Target | Wanted | Found | |\n|---|--:|--:|---|")?;
    for Target { what, found, wanted, unit, is_met } in targets {
        // As many digits as the comparison needs.
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

/// The date of the run.
#[expect(clippy::disallowed_methods, reason = "the document contains the date of the run")]
pub fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Writes the run into the document, in place of the last run with such a database.
pub fn write(file: &Path, key: &str, content: &str) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let text = replaced(&text, key, content).with_context(|| format!("{} has no section for it", file.display()))?;
    fs::write(file, text)?;
    println!("written into {}", file.display());
    Ok(())
}

/// The text with new content between the two markers of this key.
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
