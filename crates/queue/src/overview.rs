//! What runs, what waits and why, for people and metrics.

use std::collections::HashMap;

use hostler_database::{Database, Error};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Order, Query};

use crate::capacity::CONTROL_IMPACT;
use crate::claim::Reader;
use crate::store::{ACTIVE, JOBS, STARTED, col, select};

/// The state of the queue.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The nodes, in the order of their names.
    pub nodes: Vec<NodeOverview>,
    /// The number of jobs that were given to a node.
    pub started: usize,
    /// Some of them, the oldest ones first.
    pub started_jobs: Vec<JobOverview>,
    /// The number of jobs that wait.
    pub pending: usize,
    /// Some of them, the oldest ones first.
    pub pending_jobs: Vec<JobOverview>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct NodeOverview {
    /// Its name.
    pub hostname: String,
    /// Its state, such as `ready`.
    pub state: String,
    /// What it says about its state.
    pub errors: String,
    /// How much it can run.
    pub capacity: i64,
    /// What its jobs take.
    pub usage: Usage,
    /// Its last heartbeat.
    pub last_seen: Option<Timestamp>,
}

/// A job.
#[derive(Clone, Debug)]
pub struct JobOverview {
    /// Its id.
    pub id: i64,
    /// Its type.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: String,
    /// Its node; empty if it has none.
    pub node: String,
    /// When it was launched.
    pub created: Timestamp,
    /// Why it waits, or what its executor says.
    pub explanation: String,
}

/// What the jobs take that were given to a node or a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How much of the capacity.
    pub capacity: i64,
    /// The number of jobs.
    pub jobs: i64,
}

/// What runs, by the hostname of the node and by the id of the instance group.
#[derive(Clone, Debug, Default)]
pub struct Usages {
    /// By node.
    pub nodes: HashMap<String, Usage>,
    /// By instance group.
    pub groups: HashMap<i64, Usage>,
}

/// What the jobs take that were given to nodes. One statement, whose cost depends on what runs only.
///
/// # Errors
/// Errors of the database.
pub async fn usages(database: &Database) -> Result<Usages, Error> {
    read_usages(&mut Reader::Database(database)).await
}

pub(crate) async fn read_usages(reader: &mut Reader<'_>) -> Result<Usages, Error> {
    let mut query = select(JOBS, ["controller_node", "execution_node", "instance_group_id"]);
    query
        .expr(Expr::cust("CAST(SUM(task_impact) AS BIGINT)"))
        .expr(col("controller_node").count())
        .and_where(Expr::cust(STARTED))
        .group_by_columns(["controller_node", "execution_node", "instance_group_id"].map(Alias::new));
    let started: Vec<(String, String, Option<i64>, i64, i64)> = reader.read_as(&query).await?;
    let mut usages = Usages::default();
    for (controller, executor, group, impact, jobs) in started {
        usages.nodes.entry(controller).or_default().capacity += CONTROL_IMPACT * jobs;
        let node = usages.nodes.entry(executor).or_default();
        node.capacity += impact;
        node.jobs += jobs;
        if let Some(group) = group {
            let group = usages.groups.entry(group).or_default();
            group.capacity += impact;
            group.jobs += jobs;
        }
    }
    Ok(usages)
}

/// The numbers of jobs that wait, and of those that were given to a node.
///
/// # Errors
/// Errors of the database.
pub async fn job_counts(database: &Database) -> Result<(usize, usize), Error> {
    let mut query = select(JOBS, ["status"]);
    query.expr(col("id").count()).and_where(Expr::cust(ACTIVE)).group_by_col("status");
    let counts: Vec<(String, i64)> = database.read_as(&query).await?;
    let count = |names: [&str; 2]| {
        let counts = counts.iter().filter(|(status, _)| names.contains(&status.as_str()));
        usize::try_from(counts.map(|(_, count)| *count).sum::<i64>()).unwrap_or_default()
    };
    Ok((count(["new", "pending"]), count(["waiting", "running"])))
}

/// The state of the queue, with up to `limit` jobs that wait and as many that were started.
///
/// # Errors
/// Errors of the database.
pub async fn overview(database: &Database, limit: u64) -> Result<Overview, Error> {
    let usages = usages(database).await?;
    let query = Query::select()
        .columns(["hostname", "node_state", "errors", "capacity", "last_seen"].map(Alias::new))
        .from("instances")
        .order_by("hostname", Order::Asc)
        .to_owned();
    let nodes: Vec<(String, String, String, i64, Option<Timestamp>)> = database.read_as(&query).await?;
    let nodes = nodes.into_iter().map(|(hostname, state, errors, capacity, last_seen)| {
        let usage = usages.nodes.get(&hostname).copied().unwrap_or_default();
        NodeOverview { hostname, state, errors, capacity, usage, last_seen }
    });
    let nodes = nodes.collect();
    let (pending, started) = job_counts(database).await?;
    let pending_jobs = jobs(database, "status IN ('new', 'pending')", limit).await?;
    let started_jobs = jobs(database, STARTED, limit).await?;
    Ok(Overview { nodes, started, started_jobs, pending, pending_jobs })
}

async fn jobs(database: &Database, condition: &'static str, limit: u64) -> Result<Vec<JobOverview>, Error> {
    let mut query = select(JOBS, ["id", "type", "name", "status", "controller_node", "created", "job_explanation"]);
    query.and_where(Expr::cust(condition)).order_by(Alias::new("id"), Order::Asc).limit(limit);
    type Columns = (i64, String, String, String, String, Timestamp, String);
    let rows: Vec<Columns> = database.read_as(&query).await?;
    let job = |(id, kind, name, status, node, created, explanation)| JobOverview {
        id,
        kind,
        name,
        status,
        node,
        created,
        explanation,
    };
    Ok(rows.into_iter().map(job).collect())
}
