//! `hostler status`: what runs, what waits and why.

use anyhow::Result;
use hostler_queue::{JobOverview, NodeOverview, Overview, overview};

use crate::options::DataOptions;
use crate::output::print_line;
use crate::storage;

/// The number of jobs that are listed.
const LISTED: u64 = 50;

/// Prints the state of the queue. The server may run or not.
pub async fn run(data: &DataOptions) -> Result<()> {
    let (database, _) = storage::existing(data).await?;
    let found = overview(&database, LISTED).await;
    database.close().await;
    for line in lines(&found?) {
        print_line(&line)?;
    }
    Ok(())
}

fn lines(overview: &Overview) -> Vec<String> {
    let mut lines: Vec<String> = overview.nodes.iter().map(node).collect();
    lines.push(format!("{} jobs run", overview.started));
    lines.extend(overview.started_jobs.iter().map(job));
    lines.extend(omitted(overview.started, overview.started_jobs.len()));
    lines.push(format!("{} jobs wait", overview.pending));
    lines.extend(overview.pending_jobs.iter().map(job));
    lines.extend(omitted(overview.pending, overview.pending_jobs.len()));
    lines
}

fn node(node: &NodeOverview) -> String {
    let NodeOverview { hostname, state, errors, capacity, usage, last_seen } = node;
    let seen = last_seen.map_or_else(|| "never".to_owned(), |time| time.to_string());
    let (jobs, used) = (usage.jobs, usage.capacity);
    let line = format!("node {hostname}\t{state}\t{used} of {capacity} forks used\t{jobs} jobs\tlast seen {seen}");
    if errors.is_empty() { line } else { format!("{line}\t{}", one_line(errors)) }
}

fn job(job: &JobOverview) -> String {
    let JobOverview { id, kind, name, status, node, created, explanation } = job;
    let line = format!("  {kind} {id}\t{status}\t{}\tlaunched {created}", one_line(name));
    let line = if node.is_empty() { line } else { format!("{line}\ton {node}") };
    if explanation.is_empty() { line } else { format!("{line}\t{}", one_line(explanation)) }
}

fn omitted(count: usize, listed: usize) -> Option<String> {
    let more = count.saturating_sub(listed);
    (more > 0).then(|| format!("  and {more} more"))
}

/// The text without characters that a terminal would interpret.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_listed_with_their_reasons() {
        let pending = JobOverview {
            id: 7,
            kind: "job".into(),
            name: "deploy\u{1b}[31m".into(),
            status: "pending".into(),
            node: String::new(),
            created: jiff::Timestamp::UNIX_EPOCH,
            explanation: "waiting for job-6 to finish".into(),
        };
        let overview = Overview { pending: 3, pending_jobs: vec![pending], ..Overview::default() };
        let expected = [
            "0 jobs run",
            "3 jobs wait",
            "  job 7\tpending\tdeploy [31m\tlaunched 1970-01-01T00:00:00Z\twaiting for job-6 to finish",
            "  and 2 more",
        ];
        assert_eq!(lines(&overview), expected);
    }
}
