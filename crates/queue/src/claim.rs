//! Gives startable jobs to nodes.
//!
//! The jobs with the same needs are one sequence in the order of their ids. Only the first ones of each sequence are read,
//! so the number of jobs that wait does not matter.

use std::collections::{BTreeMap, HashMap};

use hostler_database::{Database, Error, Transaction};
use sea_query::{Alias, CommonTableExpression, Expr, ExprTrait, Order, Query, SelectStatement, UnionType, WithClause};

use crate::Status;
use crate::capacity::{Group, Node, Nodes, Place};
use crate::needs::Needs;
use crate::overview::read_usages;
use crate::store::{CHANNEL, JOBS, STARTABLE, TEMPLATES, UNEXAMINED, change_status, col, of, order, select, update};

/// A job that was given to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub id: i64,
    pub kind: String,
    /// The hostname of the node.
    pub node: String,
}

/// Reads in a transaction or outside of one.
pub(crate) enum Reader<'a> {
    Database(&'a Database),
    Transaction(&'a mut Transaction),
}

impl Reader<'_> {
    pub(crate) async fn read_as<T: hostler_database::FromRow>(
        &mut self,
        query: &SelectStatement,
    ) -> Result<Vec<T>, Error> {
        match self {
            Reader::Database(database) => database.read_as(query).await,
            Reader::Transaction(tx) => tx.read_as(query).await,
        }
    }
}

/// Whether a job waits to be examined, or one could be given to a node.
pub(crate) async fn has_work(database: &Database) -> Result<bool, Error> {
    let mut unexamined = select(JOBS, ["id"]);
    unexamined.and_where(Expr::cust(UNEXAMINED)).order_by_expr(order(), Order::Asc).limit(1);
    if database.read_first::<i64>(&unexamined).await?.is_some() {
        return Ok(true);
    }
    let mut reader = Reader::Database(database);
    let waiting = sequences(&mut reader).await?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let nodes = read_nodes(&mut reader).await?;
    Ok(waiting.iter().any(|needs| nodes.place(needs).is_some()))
}

/// Gives up to `limit` jobs to nodes.
pub(crate) async fn claim(
    tx: &mut Transaction,
    node: &str,
    nodes: &mut Nodes,
    limit: usize,
) -> Result<Vec<Claim>, Error> {
    let waiting = sequences(&mut Reader::Transaction(tx)).await?;
    let mut jobs: Vec<(i64, String, Option<i64>, usize)> = vec![];
    for (index, needs) in waiting.iter().enumerate() {
        if nodes.place(needs).is_some() {
            let first = first_jobs(tx, needs, limit).await?;
            jobs.extend(first.into_iter().map(|(id, kind, template)| (id, kind, template, index)));
        } else {
            explain(tx, nodes.explain(needs), needs, limit).await?;
        }
    }
    jobs.sort_unstable_by_key(|(id, ..)| *id);
    let mut full = vec![false; waiting.len()];
    let mut claims = vec![];
    let mut by_place: HashMap<(i64, String), Vec<i64>> = HashMap::new();
    let mut templates: BTreeMap<i64, i64> = BTreeMap::new();
    for (id, kind, template, index) in jobs {
        if claims.len() >= limit {
            break;
        }
        let Some(needs) = waiting.get(index) else { continue };
        if full.get(index).copied().unwrap_or(true) {
            continue;
        }
        let Some(place) = nodes.place(needs) else {
            // The next ones of the sequence need the same.
            if let Some(full) = full.get_mut(index) {
                *full = true;
            }
            continue;
        };
        nodes.take(&place, needs);
        let Place { group, node } = place;
        by_place.entry((group, node.clone())).or_default().push(id);
        if let Some(template) = template {
            templates.insert(template, id);
        }
        claims.push(Claim { id, kind, node });
    }
    for ((group, host), jobs) in by_place {
        let values: Vec<(&'static str, Expr)> = vec![
            ("instance_group_id", group.into()),
            ("execution_node", host.as_str().into()),
            ("controller_node", host.as_str().into()),
            ("queue_class", Option::<String>::None.into()),
            ("job_explanation", "".into()),
        ];
        change_status(tx, &jobs, Status::Waiting, values).await?;
        count(tx, "instances", col("hostname").eq(host), jobs.len()).await?;
        count(tx, "instance_groups", col("id").eq(group), jobs.len()).await?;
    }
    for (template, job) in templates {
        let mut change = update(TEMPLATES);
        change
            .value(Alias::new("status"), Status::Waiting.as_str())
            .value(Alias::new("current_job_id"), job)
            .and_where(col("id").eq(template));
        tx.execute_deferred(&change).await?;
    }
    if claims.iter().any(|claim| claim.node != node) {
        tx.notify(CHANNEL).await?;
    }
    Ok(claims)
}

/// Counts the jobs that were given to a node or a group.
async fn count(tx: &mut Transaction, table: &'static str, which: Expr, jobs: usize) -> Result<(), Error> {
    let more = i64::try_from(jobs).unwrap_or_default();
    let mut change = update(table);
    change.value(Alias::new("jobs_total"), col("jobs_total").add(more)).and_where(which);
    tx.execute_deferred(&change).await
}

/// What the startable jobs need, each once. Each is found by one search in the index.
async fn sequences(reader: &mut Reader<'_>) -> Result<Vec<Needs>, Error> {
    let least = || select(JOBS, []).expr(col("queue_class").min()).and_where(Expr::cust(STARTABLE)).to_owned();
    let mut next = least();
    next.and_where(of(JOBS, "queue_class").gt(of("sequences", "class")));
    let more = Query::select()
        .expr(Expr::SubQuery(None, Box::new(next.into())))
        .from(Alias::new("sequences"))
        .and_where(of("sequences", "class").is_not_null())
        .to_owned();
    let mut all = least();
    all.union(UnionType::All, more);
    let mut expression = CommonTableExpression::new();
    expression.table_name(Alias::new("sequences")).column(Alias::new("class")).query(all);
    let mut query = Query::select();
    query
        .expr(of("sequences", "class"))
        .from(Alias::new("sequences"))
        .and_where(of("sequences", "class").is_not_null())
        .with_cte(WithClause::new().recursive(true).cte(expression).to_owned());
    let classes: Vec<String> = reader.read_as(&query).await?;
    classes
        .iter()
        .map(|class| {
            Needs::parse(class).ok_or_else(|| Error::Internal(format!("{class} does not say what a job needs")))
        })
        .collect()
}

/// The first startable jobs with these needs: id, kind and template.
async fn first_jobs(
    tx: &mut Transaction,
    needs: &Needs,
    limit: usize,
) -> Result<Vec<(i64, String, Option<i64>)>, Error> {
    let mut query = select(JOBS, ["id", "type", "unified_job_template_id"]);
    query
        .and_where(Expr::cust(STARTABLE))
        .and_where(col("queue_class").eq(needs.to_string()))
        .order_by_expr(order(), Order::Asc)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX));
    tx.read_as(&query).await
}

/// Explains why the first jobs with these needs do not start, if it was another reason before.
async fn explain(tx: &mut Transaction, explanation: &str, needs: &Needs, limit: usize) -> Result<(), Error> {
    let first = select(JOBS, ["id"])
        .and_where(Expr::cust(STARTABLE))
        .and_where(col("queue_class").eq(needs.to_string()))
        .order_by_expr(order(), Order::Asc)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX))
        .to_owned();
    let mut change = update(JOBS);
    change
        .value(Alias::new("job_explanation"), explanation)
        .and_where(tx.dialect().in_array(col("id"), first))
        .and_where(col("status").eq(Status::Pending.as_str()))
        .and_where(col("job_explanation").ne(explanation));
    tx.execute_deferred(&change).await
}

/// The nodes and groups, with what was given to them.
pub(crate) async fn read_nodes(reader: &mut Reader<'_>) -> Result<Nodes, Error> {
    type Instance = (i64, String, i64, bool, String, String);
    let query = select("instances", ["id", "hostname", "capacity", "enabled", "node_type", "node_state"]);
    let instances: Vec<Instance> = reader.read_as(&query).await?;
    let query = select("instance_group_instances", ["instance_group_id", "instance_id"]);
    let members: Vec<(i64, i64)> = reader.read_as(&query).await?;
    let query = select("instance_groups", ["id", "max_concurrent_jobs", "max_forks", "is_container_group"]);
    let groups: Vec<(i64, i64, i64, bool)> = reader.read_as(&query).await?;
    let usages = read_usages(reader).await?;

    let node = |(id, hostname, capacity, enabled, node_type, node_state): Instance| {
        let usable = enabled && node_state == "ready" && matches!(node_type.as_str(), "hybrid" | "execution");
        let usage = usages.nodes.get(&hostname).copied().unwrap_or_default();
        Node { id, hostname, capacity, used: usage.capacity, jobs: usage.jobs, usable }
    };
    let mut nodes = Nodes { nodes: instances.into_iter().map(node).collect(), groups: HashMap::new() };
    for (id, max_jobs, max_forks, is_container_group) in groups {
        let of_group = members.iter().filter(|(group, _)| *group == id).map(|(_, node)| *node).collect();
        let usage = usages.groups.get(&id).copied().unwrap_or_default();
        let (jobs, forks) = (usage.jobs, usage.capacity);
        nodes.groups.insert(id, Group { nodes: of_group, max_jobs, max_forks, jobs, forks, is_container_group });
    }
    Ok(nodes)
}
