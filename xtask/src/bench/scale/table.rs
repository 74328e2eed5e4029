//! The comparison of a small and a large dataset: a summary in docs/benchmarks.md, and a data file.

use std::fmt;

use super::requests::Who;
use super::{FILTERED_AND_ORDERED, Times};
use crate::bench::document::{Target, targets};

/// The results of a run.
pub struct Scale {
    pub rows: Vec<Row>,
    /// The numbers of users of the two datasets.
    pub users: [i64; 2],
    /// The command line.
    pub command: String,
    /// The key of the document's section.
    pub key: &'static str,
    /// A description of the machine.
    pub machine: String,
    /// A description of the database.
    pub database: String,
    /// Seconds from exec to the first response in the large dataset.
    pub start: f64,
    /// Resident megabytes before the first request in the large dataset.
    pub idle: f64,
    /// The same after the last request.
    pub after: f64,
}

/// A request of an actor.
pub struct Row {
    pub who: Who,
    pub name: String,
    pub small: Times,
    pub large: Times,
}

/// The maximum slowdown in the large dataset.
const TWICE: f64 = 2.0;
/// Differences in milliseconds that do not count: requests to the small dataset often take less than one, and twice
/// that is within the noise of the machine.
const FLOOR: f64 = 2.0;

impl Row {
    fn is_over(&self) -> bool {
        self.ratio() > TWICE && self.large.p99 > FLOOR
    }

    /// Whether the request is a chosen one: filtered, ordered, or for another page than the first.
    fn is_chosen(&self) -> bool {
        self.name.contains('?')
    }

    fn ratio(&self) -> f64 {
        self.large.p99 / self.small.p99
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [small, large] = self.users;
        writeln!(
            out,
            "`{}` on {}: {}. {}.\n",
            self.command,
            crate::bench::document::today(),
            self.machine,
            self.database
        )?;
        let (chosen, plain): (Vec<&Row>, Vec<&Row>) = self.rows.iter().partition(|row| row.is_chosen());
        for (what, rows) in [
            ("lists and details, as the server links to them,", plain),
            ("of the same, filtered, ordered or at another page,", chosen),
        ] {
            let within = rows.iter().filter(|row| !row.is_over()).count();
            writeln!(
                out,
                "Of {} {what} {within} take at most twice as long (p99) with {large} users as with {small}, or less than {FLOOR:.0} ms.",
                rows.len(),
            )?;
        }
        writeln!(out, "Each of them is in [{0}]({0}), largest growth first.\n", self.data_file())?;
        targets(out, self.targets())
    }
}

impl Scale {
    /// The path of the data file, relative to the document.
    pub fn data_file(&self) -> String {
        format!("benchmarks/{}.tsv", self.key.replace(' ', "-"))
    }

    /// All rows as tab-separated values, largest growth first.
    pub fn data(&self) -> String {
        let [small, large] = self.users;
        let mut text = format!(
            "path below /api/v2/\tactor\tp50 ms, {small} users\tp50 ms, {large} users\tp99 ms, {small} users\t\
             p99 ms, {large} users\tp99 ratio\tprocessor µs, {small} users\tprocessor µs, {large} users\tstatements\n"
        );
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
        for row in rows {
            let Row { who, name, small, large } = row;
            text += &format!(
                "{name}\t{}\t{:.2}\t{:.2}\t{:.2}\t{:.2}\t{:.1}\t{:.0}\t{:.0}\t{}\n",
                who.name(),
                small.p50,
                large.p50,
                small.p99,
                large.p99,
                row.ratio(),
                small.processor,
                large.processor,
                large.statements,
            );
        }
        text
    }
}

impl Scale {
    fn targets(&self) -> Vec<Target> {
        let mut list = vec![];
        for row in self.rows.iter().filter(|row| row.name == FILTERED_AND_ORDERED && row.who != Who::Member) {
            let what = format!("p99 of 25 of {} users, filtered and ordered, as {}", self.users[1], row.who.name());
            list.push(Target::below(what, row.large.p99, 10.0, "ms"));
        }
        list.push(Target::below("resident memory idle", self.idle, 40.0, "MB"));
        list.push(Target::below("resident memory at the end", self.after, 120.0, "MB"));
        list.push(Target::below("from exec to the first answer", self.start * 1000.0, 100.0, "ms"));
        list
    }
}
