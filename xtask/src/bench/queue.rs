//! How fast the dispatcher starts jobs. The work is in `crates/queue/examples/measure_queue.rs`.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::database::BenchDatabase;
use super::document::{self, Target, targets, today};
use crate::cargo::cargo;

/// The numbers of jobs that wait, of a short run and of a full one.
const QUICK: [&str; 2] = ["10", "1000"];
const FULL: [&str; 5] = ["10", "100", "1000", "10000", "100000"];
/// The jobs that should start in a second.
const STARTS: f64 = 500.0;

/// Measures, and writes the table into the document.
pub fn run(server: Option<&str>, is_quick: bool, document: Option<&Path>, folder: &Path) -> Result<()> {
    let database = BenchDatabase::create(server, "queue")?;
    let location = database.url().unwrap_or_else(|| format!("sqlite:{}", folder.join("queue.db").display()));
    let mut command = cargo();
    command.args(["run", "--release", "--package", "hostler-queue", "--example", "measure_queue", "--"]);
    command.arg(location).args(if is_quick { &QUICK[..] } else { &FULL[..] });
    let output = command.output().context("cargo does not run")?;
    ensure!(output.status.success(), "the measurement failed: {}", String::from_utf8_lossy(&output.stderr));
    let (mut rows, mut starts) = (vec![], None);
    for line in String::from_utf8(output.stdout)?.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["starts", number] => starts = Some(number.parse::<f64>().context(line.to_owned())?),
            ["pending", pending, median, slow] => rows.push(format!("| {pending} | {median} | {slow} |")),
            _ => bail!("the measurement printed {line}"),
        }
    }
    let measured = Table {
        introduction: format!("`cargo xtask bench --queue` on {}: {}.", today(), database.described()?),
        rows,
        target: Target::least(
            "jobs of an executor that does nothing, started in a second",
            starts.context("no starts")?,
            STARTS,
            "",
        ),
    };
    let measured = measured.to_string();
    println!("\n{measured}");
    match document {
        Some(file) => {
            let key = if server.is_some() { "queue postgresql" } else { "queue sqlite" };
            document::write(file, key, &measured)
        }
        None => Ok(()),
    }
}

struct Table {
    introduction: String,
    rows: Vec<String>,
    target: Target,
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n", self.introduction)?;
        writeln!(out, "| Jobs that wait | start of another one after, ms (median) | 95% within, ms |\n|--:|--:|--:|")?;
        for row in &self.rows {
            writeln!(out, "{row}")?;
        }
        writeln!(out)?;
        targets(out, vec![self.target.clone()])
    }
}
