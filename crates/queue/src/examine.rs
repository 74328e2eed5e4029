//! The examination of pending jobs: what each one waits for, and what it needs.
//!
//! A job is examined once after its launch, and again when the job that blocked it has ended. It costs a constant number of
//! index searches, however many jobs wait: of the jobs before it, only the one directly before it can block it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hostler_database::{Error, Transaction, Type};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, LockType, Order, Query, UnionType};

use crate::capacity::Nodes;
use crate::dependencies::create_dependencies;
use crate::groups::groups_of;
use crate::impact::{hosts_that_matter, impact};
use crate::needs::Needs;
use crate::store::{ACTIVE, DEPENDENCIES, JOBS, STARTED, TEMPLATES, UNEXAMINED, col, of, order, select, update};
use crate::{JobKind, Status};

/// A job that is examined.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub id: i64,
    pub kind: String,
    pub template: Option<i64>,
    pub project: Option<i64>,
    pub inventory: Option<i64>,
    pub organization: Option<i64>,
    /// Whether its dependencies were created.
    pub has_dependencies: bool,
    pub forks: i64,
    pub launch_type: String,
    pub slice: (i64, i64),
    /// The jobs that block it.
    pub blockers: Vec<i64>,
}

impl Candidate {
    /// Whether it is an update of a project.
    pub(crate) fn is_project_update(&self) -> bool {
        self.kind == JobKind::ProjectUpdate.as_str()
    }

    /// Whether it is a run of a playbook.
    pub(crate) fn is_job(&self) -> bool {
        self.kind == JobKind::Job.as_str()
    }

    /// Whether it is an update of a project or of an inventory source.
    pub(crate) fn is_update(&self) -> bool {
        self.is_project_update() || self.kind == JobKind::InventoryUpdate.as_str()
    }
}

/// Examines up to `limit` jobs, the oldest ones first.
pub(crate) async fn examine(tx: &mut Transaction, nodes: &Nodes, limit: usize, now: Timestamp) -> Result<(), Error> {
    let mut candidates = candidates(tx, limit).await?;
    if candidates.is_empty() {
        return Ok(());
    }
    create_dependencies(tx, &mut candidates, now).await?;
    add_unfinished_dependencies(tx, &mut candidates).await?;
    // A blocker that ends at this moment would not free the job, unless it is locked.
    let blockers: BTreeSet<i64> = candidates.iter().flat_map(|job| job.blockers.iter().copied()).collect();
    let blockers = lock_active(tx, &blockers).await?;
    let mut ready = vec![];
    let mut blocked: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for job in &candidates {
        match job.blockers.iter().max() {
            None => ready.push(job),
            // If it is not active any more, the next examination finds another one, or none.
            Some(blocker) if blockers.contains_key(blocker) => blocked.entry(*blocker).or_default().push(job.id),
            Some(_) => {}
        }
    }
    for (blocker, jobs) in blocked {
        let kind = blockers.get(&blocker).map_or("job", |kind| kind.as_str()).replace('_', "");
        let mut change = pending(&jobs);
        change
            .value(Alias::new("blocked_by_id"), blocker)
            .value(Alias::new("job_explanation"), format!("waiting for {kind}-{blocker} to finish"));
        tx.execute_deferred(&change).await?;
    }
    make_startable(tx, nodes, &ready).await?;
    show_in_templates(tx, &candidates).await
}

/// A change of pending jobs that have been examined.
fn pending(jobs: &[i64]) -> sea_query::UpdateStatement {
    let mut change = update(JOBS);
    change
        .value(Alias::new("dependencies_processed"), true)
        .and_where(col("id").is_in(jobs.iter().copied()))
        .and_where(col("status").eq(Status::Pending.as_str()));
    change
}

async fn candidates(tx: &mut Transaction, limit: usize) -> Result<Vec<Candidate>, Error> {
    use Type::{Boolean, Integer, Text};
    // The greatest id before the job, and any that was given to a node: a transaction with a lower id may be committed
    // later. Only active jobs are in the indexes.
    let before = |key: &str| {
        Expr::cust(format!(
            "(SELECT MAX(other.id) FROM unified_jobs AS other WHERE other.unified_job_template_id = unified_jobs.{key} \
             AND other.id < unified_jobs.id AND other.{ACTIVE})"
        ))
    };
    let started = |key: &str| {
        Expr::cust(format!(
            "(SELECT MAX(other.id) FROM unified_jobs AS other WHERE other.unified_job_template_id = unified_jobs.{key} \
             AND other.id <> unified_jobs.id AND other.{STARTED})"
        ))
    };
    let mut query = select(
        JOBS,
        [
            "id",
            "type",
            "unified_job_template_id",
            "project_id",
            "inventory_id",
            "organization_id",
            "allow_simultaneous",
            "dependencies_processed",
            "forks",
            "launch_type",
            "job_slice_number",
            "job_slice_count",
        ],
    );
    for key in ["unified_job_template_id", "project_id"] {
        query.expr(before(key)).expr(started(key));
    }
    // The updates of its inventory: jobs wait for them, and updates for each other.
    let inventory_update = |condition: &str| {
        Expr::cust(format!(
            "(SELECT MAX(other.id) FROM unified_jobs AS other WHERE other.type = 'inventory_update' \
             AND other.inventory_id = unified_jobs.inventory_id AND other.{ACTIVE} AND {condition})"
        ))
    };
    query.expr(inventory_update("other.id < unified_jobs.id"));
    query.expr(inventory_update(&format!("other.id > unified_jobs.id AND other.{STARTED}")));
    // An update of a constructed inventory reads its input inventories.
    query.expr(Expr::cust(format!(
        "(SELECT MAX(other.id) FROM unified_jobs AS other WHERE unified_jobs.type = 'inventory_update' \
         AND other.type = 'inventory_update' AND other.inventory_id IN (SELECT inventory_inputs.input_inventory_id \
         FROM inventory_inputs WHERE inventory_inputs.inventory_id = unified_jobs.inventory_id) AND other.{ACTIVE} \
         AND (other.id < unified_jobs.id OR other.{STARTED}))"
    )));
    query.and_where(Expr::cust(UNEXAMINED)).order_by_expr(order(), Order::Asc);
    query.limit(u64::try_from(limit).unwrap_or(u64::MAX));
    const TYPES: [Type; 19] = [
        Integer, Text, Integer, Integer, Integer, Integer, Boolean, Boolean, Integer, Text, Integer, Integer, Integer,
        Integer, Integer, Integer, Integer, Integer, Integer,
    ];
    let rows = tx.read(&query, &TYPES).await?;
    let candidate = |row: &hostler_database::Row| {
        let text = |column| row.text(column).unwrap_or_default().to_owned();
        let kind = text(1);
        let is_project_update = kind == JobKind::ProjectUpdate.as_str();
        let mut blockers = vec![];
        if is_project_update || !row.boolean(6) {
            blockers.extend([row.integer(12), row.integer(13)]);
        }
        if !is_project_update {
            blockers.extend([row.integer(14), row.integer(15), row.integer(16), row.integer(17), row.integer(18)]);
        }
        Some(Candidate {
            id: row.integer(0)?,
            template: row.integer(2),
            project: row.integer(3),
            inventory: row.integer(4),
            organization: row.integer(5),
            has_dependencies: row.boolean(7),
            forks: row.integer(8).unwrap_or_default(),
            launch_type: text(9),
            slice: (row.integer(10).unwrap_or_default(), row.integer(11).unwrap_or(1)),
            blockers: blockers.into_iter().flatten().collect(),
            kind,
        })
    };
    Ok(rows.iter().filter_map(candidate).collect())
}

/// What a job depends on blocks it until it has ended.
async fn add_unfinished_dependencies(tx: &mut Transaction, jobs: &mut [Candidate]) -> Result<(), Error> {
    let mut query = Query::select();
    query
        .exprs([of(DEPENDENCIES, "unified_job_id"), of(DEPENDENCIES, "dependency_id")])
        .from(Alias::new(DEPENDENCIES))
        .inner_join(Alias::new(JOBS), of(JOBS, "id").eq(of(DEPENDENCIES, "dependency_id")))
        .and_where(of(DEPENDENCIES, "unified_job_id").is_in(jobs.iter().map(|job| job.id)))
        .and_where(of(JOBS, "status").is_in(active_names()));
    let pairs: Vec<(i64, i64)> = tx.read_as(&query).await?;
    for job in jobs {
        job.blockers.extend(pairs.iter().filter(|pair| pair.0 == job.id).map(|pair| pair.1));
    }
    Ok(())
}

fn active_names() -> impl Iterator<Item = &'static str> {
    Status::ALL.into_iter().filter(|status| status.is_active()).map(Status::as_str)
}

/// Those of these jobs that have not ended, with their kinds. They cannot end before this transaction does.
async fn lock_active(tx: &mut Transaction, jobs: &BTreeSet<i64>) -> Result<HashMap<i64, String>, Error> {
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = select(JOBS, ["id", "type"]);
    query
        .and_where(col("id").is_in(jobs.iter().copied()))
        .and_where(Expr::cust(ACTIVE))
        .order_by(Alias::new("id"), Order::Asc)
        .lock(LockType::Update);
    let rows: Vec<(i64, String)> = tx.read_as(&query).await?;
    Ok(rows.into_iter().collect())
}

/// Writes what jobs need that wait for nothing but capacity. Those that get it in the same transaction are never seen with
/// this explanation.
async fn make_startable(tx: &mut Transaction, nodes: &Nodes, jobs: &[&Candidate]) -> Result<(), Error> {
    let groups = groups_of(tx, jobs).await?;
    let hosts = count_hosts(tx, jobs).await?;
    let mut by_needs: BTreeMap<Needs, Vec<i64>> = BTreeMap::new();
    for (job, groups) in jobs.iter().zip(groups) {
        let hosts = job.inventory.and_then(|inventory| hosts.get(&inventory).copied());
        by_needs.entry(Needs { impact: impact(job, hosts), groups }).or_default().push(job.id);
    }
    for (needs, jobs) in by_needs {
        let mut change = pending(&jobs);
        change
            .value(Alias::new("queue_class"), needs.to_string())
            .value(Alias::new("task_impact"), needs.impact)
            .value(Alias::new("job_explanation"), nodes.explain(&needs));
        tx.execute_deferred(&change).await?;
    }
    Ok(())
}

/// The number of hosts of the inventories of jobs, as far as it matters.
async fn count_hosts(tx: &mut Transaction, jobs: &[&Candidate]) -> Result<HashMap<i64, i64>, Error> {
    let mut limits: BTreeMap<i64, i64> = BTreeMap::new();
    for job in jobs {
        if let Some(inventory) = job.inventory
            && !job.is_update()
        {
            let limit = limits.entry(inventory).or_default();
            *limit = std::cmp::max(*limit, hosts_that_matter(job));
        }
    }
    let count = |(inventory, limit): (i64, i64)| {
        let some = select("hosts", ["id"])
            .and_where(col("inventory_id").eq(inventory))
            .limit(u64::try_from(limit).unwrap_or_default())
            .to_owned();
        let inventory = Expr::val(inventory).cast_as("bigint");
        Query::select().exprs([inventory, of("some", "id").count()]).from_subquery(some, "some").to_owned()
    };
    let mut counts = limits.into_iter().map(count);
    let Some(mut query) = counts.next() else { return Ok(HashMap::new()) };
    // SQLite allows 500 parts; there are at most as many as jobs are examined at once.
    for next in counts {
        query.union(UnionType::All, next);
    }
    Ok(tx.read_as::<(i64, i64)>(&query).await?.into_iter().collect())
}

/// Shows in the templates that their jobs are pending, unless an earlier one is shown.
async fn show_in_templates(tx: &mut Transaction, jobs: &[Candidate]) -> Result<(), Error> {
    let shown: Vec<&Candidate> = jobs.iter().filter(|job| job.template.is_some()).collect();
    // A job may have been canceled since it was read: its template must not show it again.
    let active = lock_active(tx, &shown.iter().map(|job| job.id).collect()).await?;
    let shown = shown.into_iter().filter(|job| active.contains_key(&job.id));
    let templates: BTreeMap<i64, i64> = shown.filter_map(|job| Some((job.template?, job.id))).collect();
    for (template, job) in templates {
        let mut change = update(TEMPLATES);
        change
            .value(Alias::new("status"), Status::Pending.as_str())
            .value(Alias::new("current_job_id"), job)
            .and_where(col("id").eq(template))
            .and_where(col("current_job_id").is_null());
        tx.execute_deferred(&change).await?;
    }
    Ok(())
}
