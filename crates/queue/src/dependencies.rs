//! The updates that jobs need before they start: of projects, and of inventory sources. Jobs that are examined together
//! share them, and what an update needs itself is created with it: project, inventory, job.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hostler_database::{Error, Transaction};
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};

use crate::examine::Candidate;
use crate::store::{DEPENDENCIES, JOBS, col, of, update};
use crate::{NewUpdate, Status, Updated, create_update};

/// The latest update of a project or of an inventory source that is updated when a job is launched.
#[derive(Clone, Copy)]
struct LatestUpdate {
    id: i64,
    status: Status,
    finished: Option<Timestamp>,
    cache_timeout: i64,
}

impl LatestUpdate {
    /// An update that was just created.
    fn new(id: i64) -> Self {
        LatestUpdate { id, status: Status::Pending, finished: None, cache_timeout: 0 }
    }

    /// Whether another update is needed before a job.
    fn is_stale(&self, now: Timestamp) -> bool {
        match (self.status, self.finished) {
            (Status::Successful, Some(finished)) => {
                let age = now.duration_since(finished);
                // The clock may have been set back.
                age.is_negative() || age >= SignedDuration::from_secs(self.cache_timeout)
            }
            (status, _) => status.is_finished(),
        }
    }
}

/// The latest updates of projects that are updated at launches; none if there was no update yet.
struct Projects {
    latest: HashMap<i64, Option<LatestUpdate>>,
    now: Timestamp,
}

impl Projects {
    async fn read(tx: &mut Transaction, ids: BTreeSet<i64>, now: Timestamp) -> Result<Self, Error> {
        let mut projects = Projects { latest: HashMap::new(), now };
        if ids.is_empty() {
            return Ok(projects);
        }
        let latest = Expr::cust(
            "(SELECT MAX(other.id) FROM unified_jobs AS other WHERE other.updated_project_id = projects.id)",
        );
        let mut query = Query::select();
        query
            .expr(of("projects", "id"))
            .expr(of("projects", "scm_update_cache_timeout"))
            .exprs(["id", "status", "finished"].map(|name| of(JOBS, name)))
            .from("projects")
            .left_join(Alias::new(JOBS), of(JOBS, "id").eq(latest))
            .and_where(of("projects", "id").is_in(ids))
            .and_where(of("projects", "scm_update_on_launch").eq(true))
            .and_where(of("projects", "scm_type").ne(""));
        type Columns = (i64, i64, Option<i64>, Option<String>, Option<Timestamp>);
        let rows: Vec<Columns> = tx.read_as(&query).await?;
        for (project, cache_timeout, id, status, finished) in rows {
            projects.latest.insert(project, latest_update(id, status.as_deref(), finished, cache_timeout));
        }
        Ok(projects)
    }

    /// The update of the project that something waits for, created if it is needed; none if the project is fresh.
    async fn needed(&mut self, tx: &mut Transaction, project: i64) -> Result<Option<i64>, Error> {
        let Some(latest) = self.latest.get_mut(&project) else { return Ok(None) };
        if latest.is_none_or(|update| update.is_stale(self.now)) {
            let Some(id) = create_update(tx, &new(Updated::Project(project), self.now)).await? else { return Ok(None) };
            *latest = Some(LatestUpdate::new(id));
        }
        Ok(latest.filter(|update| update.status.is_active()).map(|update| update.id))
    }
}

fn new(of: Updated, now: Timestamp) -> NewUpdate {
    NewUpdate { of, launch_type: "dependency", created_by: None, now }
}

/// An inventory source that is updated when a job is launched.
struct Source {
    id: i64,
    project: Option<i64>,
    /// Whether the project has another commit than that which was read last.
    is_behind: bool,
    latest: Option<LatestUpdate>,
}

fn latest_update(
    id: Option<i64>,
    status: Option<&str>,
    finished: Option<Timestamp>,
    cache_timeout: i64,
) -> Option<LatestUpdate> {
    let status = status.and_then(Status::parse)?;
    Some(LatestUpdate { id: id?, status, finished, cache_timeout })
}

/// The sources of these inventories that are updated at launches, by inventory.
async fn read_sources(tx: &mut Transaction, inventories: BTreeSet<i64>) -> Result<BTreeMap<i64, Vec<Source>>, Error> {
    const SOURCES: &str = "inventory_sources";
    let mut found: BTreeMap<i64, Vec<Source>> = BTreeMap::new();
    if inventories.is_empty() {
        return Ok(found);
    }
    let latest = Expr::cust(
        "(SELECT MAX(other.id) FROM unified_jobs AS other WHERE other.inventory_source_id = inventory_sources.id)",
    );
    // A branch of its own has other commits than the project.
    let is_behind = Expr::cust(
        "COALESCE(inventory_sources.scm_branch = '' AND unified_jobs.scm_revision <> projects.scm_revision, FALSE)",
    );
    let mut query = Query::select();
    query
        .exprs(
            ["sourced_inventory_id", "id", "source_project_id", "update_cache_timeout"].map(|name| of(SOURCES, name)),
        )
        .exprs(["id", "status", "finished"].map(|name| of(JOBS, name)))
        .expr(is_behind)
        .from(Alias::new(SOURCES))
        .left_join(Alias::new(JOBS), of(JOBS, "id").eq(latest))
        .left_join(Alias::new("projects"), of("projects", "id").eq(of(SOURCES, "source_project_id")))
        .and_where(of(SOURCES, "sourced_inventory_id").is_in(inventories))
        .and_where(of(SOURCES, "update_on_launch").eq(true))
        .and_where(of(SOURCES, "source").ne("file"))
        .order_by((Alias::new(SOURCES), Alias::new("id")), Order::Asc);
    type Columns = (i64, i64, Option<i64>, i64, Option<i64>, Option<String>, Option<Timestamp>, bool);
    let rows: Vec<Columns> = tx.read_as(&query).await?;
    for (inventory, id, project, cache_timeout, update, status, finished, is_behind) in rows {
        let latest = latest_update(update, status.as_deref(), finished, cache_timeout);
        found.entry(inventory).or_default().push(Source { id, project, is_behind, latest });
    }
    Ok(found)
}

/// The inventories that constructed ones of these are made of.
async fn read_inputs(tx: &mut Transaction, inventories: &BTreeSet<i64>) -> Result<BTreeMap<i64, Vec<i64>>, Error> {
    const INPUTS: &str = "inventory_inputs";
    let mut inputs: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    if inventories.is_empty() {
        return Ok(inputs);
    }
    let mut query = Query::select();
    query
        .exprs(["inventory_id", "input_inventory_id"].map(|name| of(INPUTS, name)))
        .from(Alias::new(INPUTS))
        .and_where(of(INPUTS, "inventory_id").is_in(inventories.iter().copied()))
        .order_by((Alias::new(INPUTS), Alias::new("id")), Order::Asc);
    for (inventory, input) in tx.read_as::<(i64, i64)>(&query).await? {
        inputs.entry(inventory).or_default().push(input);
    }
    Ok(inputs)
}

/// The updates that were created, and what waits for what.
#[derive(Default)]
struct Created {
    updates: Vec<i64>,
    dependencies: BTreeSet<(i64, i64)>,
}

impl Created {
    /// The updates of these sources that have not ended, created where they are needed. `before` are updates of what the
    /// sources read, which they wait for.
    async fn needed_updates(
        &mut self,
        tx: &mut Transaction,
        sources: &mut [Source],
        projects: &mut Projects,
        before: &BTreeSet<i64>,
    ) -> Result<BTreeSet<i64>, Error> {
        let mut needed = BTreeSet::new();
        let now = projects.now;
        for source in sources {
            let project_update = match source.project {
                Some(project) => projects.needed(tx, project).await?,
                None => None,
            };
            let before: Vec<i64> = before.iter().copied().chain(project_update).collect();
            // What it reads may change.
            let is_outdated = |update: LatestUpdate| {
                update.is_stale(now) || !update.status.is_active() && (source.is_behind || !before.is_empty())
            };
            if source.latest.is_none_or(is_outdated) {
                let Some(id) = create_update(tx, &new(Updated::InventorySource(source.id), now)).await? else {
                    continue;
                };
                source.latest = Some(LatestUpdate::new(id));
                self.updates.push(id);
                self.dependencies.extend(before.iter().map(|update| (id, *update)));
            }
            needed.extend(source.latest.filter(|update| update.status.is_active()).map(|update| update.id));
        }
        Ok(needed)
    }
}

/// Creates the updates that jobs need, and makes the jobs depend on them. Before an update of a constructed inventory come
/// those of its input inventories.
pub(crate) async fn create_dependencies(
    tx: &mut Transaction,
    jobs: &mut [Candidate],
    now: Timestamp,
) -> Result<(), Error> {
    let is_new = |job: &&Candidate| !job.has_dependencies && !job.is_project_update();
    let new_jobs = || jobs.iter().filter(is_new);
    let inputs = read_inputs(tx, &new_jobs().filter_map(|job| job.inventory).collect()).await?;
    let inventories = new_jobs().filter(|job| job.is_job()).filter_map(|job| job.inventory);
    let mut sources = read_sources(tx, inventories.chain(inputs.values().flatten().copied()).collect()).await?;
    let of_sources = sources.values().flatten().filter_map(|source| source.project);
    let projects = new_jobs().filter_map(|job| job.project).chain(of_sources).collect();
    let mut projects = Projects::read(tx, projects, now).await?;
    let mut created = Created::default();
    for job in new_jobs() {
        let mut needed: BTreeSet<i64> = BTreeSet::new();
        if let Some(project) = job.project {
            needed.extend(projects.needed(tx, project).await?);
        }
        let mut of_inputs = BTreeSet::new();
        let reads_inputs = job.inventory.filter(|_| job.is_job() || job.is_update());
        for input in reads_inputs.and_then(|inventory| inputs.get(&inventory)).into_iter().flatten() {
            if let Some(sources) = sources.get_mut(input) {
                of_inputs.extend(created.needed_updates(tx, sources, &mut projects, &BTreeSet::new()).await?);
            }
        }
        if !job.is_job() {
            needed.extend(of_inputs);
        } else if let Some(sources) = job.inventory.and_then(|inventory| sources.get_mut(&inventory)) {
            needed.extend(created.needed_updates(tx, sources, &mut projects, &of_inputs).await?);
        }
        created.dependencies.extend(needed.into_iter().map(|update| (job.id, update)));
    }
    let Created { updates, dependencies } = created;
    // What they need was created here.
    if !updates.is_empty() {
        let mut change = update(JOBS);
        change.value(Alias::new("dependencies_processed"), true).and_where(col("id").is_in(updates));
        tx.execute_deferred(&change).await?;
    }
    let rows = dependencies.into_iter().map(|(job, dependency)| [job.into(), dependency.into()]);
    tx.insert_rows(DEPENDENCIES, ["unified_job_id", "dependency_id"], rows).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn update_is_stale_after_its_cache_timeout() {
        let finished: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let latest = |status, cache_timeout| LatestUpdate { id: 1, status, finished: Some(finished), cache_timeout };
        let after = |seconds| finished.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        assert!(!latest(Status::Successful, 60).is_stale(after(59)));
        assert!(latest(Status::Successful, 60).is_stale(after(60)));
        assert!(latest(Status::Successful, 0).is_stale(finished));
        assert!(latest(Status::Successful, 60).is_stale(after(-1)), "the clock was set back");
        assert!(latest(Status::Failed, 60).is_stale(after(1)));
        assert!(latest(Status::Canceled, 60).is_stale(after(1)));
        assert!(!latest(Status::Running, 0).is_stale(after(100)));
    }
}
