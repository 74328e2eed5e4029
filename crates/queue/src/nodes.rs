//! The heartbeats of nodes, and the jobs of nodes that are gone.

use std::collections::HashMap;
use std::time::Duration;

use hostler_database::{Database, Error, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query};
use tokio::time::Instant;

use crate::capacity::{CapacityOptions, Machine, adjusted_capacity};
use crate::end::end_jobs;
use crate::store::{JOBS, STARTED, col, of, select, update};
use crate::{Finish, Status};

const INSTANCES: &str = "instances";

/// What is known of another node.
struct Observation {
    last_seen: Option<Timestamp>,
    /// When this process first saw that value. The clocks of nodes may differ, and be set back: the time that counts is
    /// how long the value has not changed.
    since: Instant,
}

/// The other nodes, as this process has seen them.
#[derive(Default)]
pub(crate) struct Observations(HashMap<String, Observation>);

/// A node that has sent no heartbeat for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Silent {
    pub hostname: String,
    pub last_seen: Option<Timestamp>,
    pub silence: Duration,
}

/// Writes that this node runs, and how much it can run.
pub(crate) async fn send_heartbeat(
    database: &Database,
    node: &str,
    machine: Machine,
    options: &CapacityOptions,
    now: Timestamp,
) -> Result<(), Error> {
    let mut tx = database.begin().await?;
    let mut query = select(INSTANCES, ["id", "capacity_adjustment"]);
    query.and_where(col("hostname").eq(node));
    let Some((id, adjustment)) = tx.read_first::<(i64, i64)>(&query).await? else { return Ok(()) };
    let (cpu, memory) = (machine.cpu_capacity(options), machine.memory_capacity(options));
    let mut change = update(INSTANCES);
    change
        .value(Alias::new("last_seen"), now)
        .value(Alias::new("last_health_check"), now)
        .value(Alias::new("node_state"), "ready")
        .value(Alias::new("errors"), "")
        .value(Alias::new("cpu"), i64::from(machine.cpus) * 10)
        .value(Alias::new("memory"), machine.memory)
        .value(Alias::new("cpu_capacity"), cpu)
        .value(Alias::new("mem_capacity"), memory)
        .value(Alias::new("capacity"), adjusted_capacity(cpu, memory, adjustment))
        .and_where(col("id").eq(id));
    tx.execute_inline(&change).await?;
    tx.commit().await
}

/// Writes that this node takes no jobs any more, because its server stops.
pub(crate) async fn leave(database: &Database, node: &str, now: Timestamp) -> Result<(), Error> {
    let mut tx = database.begin().await?;
    let mut change = unavailable(node, "The server of this node was stopped.");
    change.value(Alias::new("last_seen"), now);
    tx.execute_inline(&change).await?;
    tx.commit().await
}

fn unavailable(node: &str, reason: &str) -> sea_query::UpdateStatement {
    let mut change = update(INSTANCES);
    change
        .value(Alias::new("node_state"), "unavailable")
        .value(Alias::new("capacity"), 0)
        .value(Alias::new("errors"), reason)
        .and_where(col("hostname").eq(node));
    change
}

impl Observations {
    /// Reads the heartbeats of the other nodes, and returns those that were silent for at least this time.
    pub(crate) async fn observe(
        &mut self,
        database: &Database,
        node: &str,
        at_least: Duration,
    ) -> Result<Vec<Silent>, Error> {
        let mut query = select(INSTANCES, ["hostname", "last_seen"]);
        query.and_where(col("hostname").ne(node)).and_where(col("managed").eq(true));
        let seen: Vec<(String, Option<Timestamp>)> = database.read_as(&query).await?;
        self.0.retain(|known, _| seen.iter().any(|(hostname, _)| hostname == known));
        let mut silent = vec![];
        for (hostname, last_seen) in seen {
            let known =
                self.0.entry(hostname.clone()).or_insert_with(|| Observation { last_seen, since: Instant::now() });
            if known.last_seen != last_seen {
                *known = Observation { last_seen, since: Instant::now() };
            }
            let silence = known.since.elapsed();
            if silence >= at_least {
                silent.push(Silent { hostname, last_seen, silence });
            }
        }
        Ok(silent)
    }
}

/// Writes that a silent node takes no jobs.
pub(crate) async fn mark_silent(database: &Database, silent: &Silent) -> Result<(), Error> {
    let reason = format!("This node has sent no heartbeat since {}.", moment(silent.last_seen));
    let mut tx = database.begin().await?;
    let change = unavailable(&silent.hostname, &reason)
        .and_where(col("node_state").ne("unavailable"))
        .and_where(match silent.last_seen {
            Some(seen) => col("last_seen").eq(seen),
            None => col("last_seen").is_null(),
        })
        .to_owned();
    if tx.execute_inline(&change).await? > 0 {
        tx.commit().await?;
        tracing::warn!(node = silent.hostname, "a node has sent no heartbeat: it gets no jobs");
    }
    Ok(())
}

/// Ends the jobs of a node that was silent for too long. Nobody can know whether they still run there; when the node is
/// back, it ends what the database calls ended.
pub(crate) async fn end_jobs_of(database: &Database, silent: &Silent, now: Timestamp) -> Result<usize, Error> {
    let explanation = format!(
        "The node {} that ran this job has sent no heartbeat since {}.",
        silent.hostname,
        moment(silent.last_seen)
    );
    let jobs = select(JOBS, ["id"])
        .and_where(Expr::cust(STARTED))
        .and_where(col("controller_node").eq(silent.hostname.as_str()))
        .to_owned();
    end_all(database, &jobs, &explanation, now).await
}

/// Ends the jobs of nodes that are not instances any more.
pub(crate) async fn end_jobs_of_unknown_nodes(database: &Database, now: Timestamp) -> Result<usize, Error> {
    let known = Query::select()
        .expr(Expr::val(1))
        .from(Alias::new(INSTANCES))
        .and_where(of(INSTANCES, "hostname").eq(of(JOBS, "controller_node")))
        .to_owned();
    let jobs = select(JOBS, ["id"]).and_where(Expr::cust(STARTED)).and_where(Expr::not_exists(known)).to_owned();
    end_all(database, &jobs, "The node that ran this job is not an instance any more.", now).await
}

async fn end_all(
    database: &Database,
    jobs: &sea_query::SelectStatement,
    explanation: &str,
    now: Timestamp,
) -> Result<usize, Error> {
    let jobs: Vec<i64> = database.read_as(jobs).await?;
    if jobs.is_empty() {
        return Ok(0);
    }
    let mut tx: Transaction = database.begin().await?;
    let end = Finish { status: Status::Error, explanation, traceback: "", now };
    end_jobs(&mut tx, &jobs, &end, &[]).await?;
    tx.commit().await?;
    tracing::warn!(?jobs, explanation, "jobs ended with the status error");
    Ok(jobs.len())
}

fn moment(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "its start".to_owned(), |time| time.to_string())
}
