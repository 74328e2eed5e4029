//! How fast events are written and read. The work is in `crates/events/examples/measure_events.rs`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::database::BenchDatabase;
use super::document::{self, Target, targets, today};
use crate::cargo::cargo;

/// The key of a figure, its target, and whether it should be at least that.
const TARGETS: [(&str, &str, f64, &str, bool); 8] = [
    ("written", "events written in a second", 20_000.0, "", true),
    ("bytes", "bytes stored for an event of 1.3 KB", 300.0, "", false),
    ("page", "a page of 200 events, the slowest of 50", 20.0, "ms", false),
    ("lines", "100 lines, the slowest of 50", 20.0, "ms", false),
    ("filter", "a filter by a task in the job", 100.0, "ms", false),
    ("stdout", "a search of the output of the job", 100.0, "ms", false),
    ("data", "a search of the data of the job", 100.0, "ms", false),
    ("download", "MB of output read in a second", 200.0, "", true),
];
const WRITTEN_ON_POSTGRES: f64 = 15_000.0;

/// Measures with this number of stored events, and writes the table into the document.
pub fn run(server: Option<&str>, events: u64, document: Option<&Path>, folder: &Path) -> Result<()> {
    let database = BenchDatabase::create(server, "events")?;
    let mut command = cargo();
    command.args(["run", "--release", "--package", "hostler-events", "--example", "measure_events", "--"]);
    command.arg(folder).arg(events.to_string()).args(database.url());
    let output = command.output().context("cargo does not run")?;
    ensure!(output.status.success(), "the measurement failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut figures = BTreeMap::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once('\t') else { bail!("the measurement printed {line}") };
        figures.insert(key, value.parse::<f64>().with_context(|| line.to_owned())?);
    }
    let found = |key: &str| figures.get(key).copied().with_context(|| format!("there is no figure {key}"));
    let mut list = vec![];
    for (key, what, wanted, unit, is_least) in TARGETS {
        let wanted = if key == "written" && server.is_some() { WRITTEN_ON_POSTGRES } else { wanted };
        let found = found(key)?;
        list.push(match is_least {
            true => Target::least(what, found, wanted, unit),
            false => Target::below(what, found, wanted, unit),
        });
    }
    let introduction = format!(
        "`cargo xtask bench --events` on {}: {}. A job of {} events among {} stored ones, in transactions of 1,000.",
        today(),
        database.described()?,
        found("job")?,
        found("stored")?
    );
    let measured = Table { introduction, list }.to_string();
    println!("\n{measured}");
    match document {
        Some(file) => {
            let key = if server.is_some() { "events postgresql" } else { "events sqlite" };
            document::write(file, key, &measured)
        }
        None => Ok(()),
    }
}

struct Table {
    introduction: String,
    list: Vec<Target>,
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n", self.introduction)?;
        targets(out, self.list.clone())
    }
}
