//! The instance groups in which jobs may run.

use std::collections::HashMap;

use hostler_database::{Error, Transaction};
use sea_query::{Alias, ExprTrait, Order, Query};

use crate::examine::Candidate;
use crate::store::{TEMPLATES, col, select};

/// The group of jobs without groups of their own.
const DEFAULT: &str = "default";
/// The group of updates of projects.
const CONTROL_PLANE: &str = "controlplane";

/// Ordered ids of groups, by the id of what has them.
type Lists = HashMap<i64, Vec<i64>>;

/// The ids of the groups of each of these jobs, the preferred one first: those chosen at the launch, or else those of the
/// template, of the inventory and of the organization, in this order. A template or an inventory can end the list.
pub(crate) async fn groups_of(tx: &mut Transaction, jobs: &[&Candidate]) -> Result<Vec<Vec<i64>>, Error> {
    if jobs.is_empty() {
        return Ok(vec![]);
    }
    let ids = |id: fn(&Candidate) -> Option<i64>| -> Vec<i64> {
        let mut ids: Vec<i64> = jobs.iter().filter(|job| !job.is_project_update()).filter_map(|job| id(job)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let templates = ids(|job| job.template);
    let inventories = ids(|job| job.inventory);
    let chosen = lists(tx, "unified_job_instance_groups", "unified_job_id", &ids(|job| Some(job.id))).await?;
    let of_templates = lists(tx, "unified_job_template_instance_groups", "unified_job_template_id", &templates).await?;
    let of_inventories = lists(tx, "inventory_instance_groups", "inventory_id", &inventories).await?;
    let of_organizations =
        lists(tx, "organization_instance_groups", "organization_id", &ids(|job| job.organization)).await?;
    let last_templates = without_fallback(tx, TEMPLATES, &templates).await?;
    let last_inventories = without_fallback(tx, "inventories", &inventories).await?;
    let mut query = select("instance_groups", ["name", "id"]);
    query.and_where(col("name").is_in([DEFAULT, CONTROL_PLANE]));
    let named: HashMap<String, i64> = tx.read_as::<(String, i64)>(&query).await?.into_iter().collect();
    let default: Vec<i64> = named.get(DEFAULT).copied().into_iter().collect();

    let groups = |job: &&Candidate| {
        if job.is_project_update() {
            return named.get(CONTROL_PLANE).map_or_else(|| default.clone(), |id| vec![*id]);
        }
        if let Some(chosen) = chosen.get(&job.id) {
            return chosen.clone();
        }
        let mut groups: Vec<i64> = vec![];
        let mut add = |lists: &Lists, id: Option<i64>| {
            for group in id.and_then(|id| lists.get(&id)).into_iter().flatten() {
                if !groups.contains(group) {
                    groups.push(*group);
                }
            }
        };
        let ends = |last: &[i64], id: Option<i64>| id.is_some_and(|id| last.contains(&id));
        add(&of_templates, job.template);
        if !ends(&last_templates, job.template) {
            add(&of_inventories, job.inventory);
            if !ends(&last_inventories, job.inventory) {
                add(&of_organizations, job.organization);
            }
        }
        if groups.is_empty() { default.clone() } else { groups }
    };
    Ok(jobs.iter().map(groups).collect())
}

/// The instance groups of these owners, in the order of their association.
async fn lists(tx: &mut Transaction, table: &'static str, owner: &'static str, owners: &[i64]) -> Result<Lists, Error> {
    let mut found = Lists::new();
    if owners.is_empty() {
        return Ok(found);
    }
    let mut query = select(table, [owner, "instance_group_id"]);
    query.and_where(col(owner).is_in(owners.iter().copied())).order_by(Alias::new("id"), Order::Asc);
    for (owner, group) in tx.read_as::<(i64, i64)>(&query).await? {
        found.entry(owner).or_default().push(group);
    }
    Ok(found)
}

/// Those of these templates or inventories whose jobs run in no other groups than theirs.
async fn without_fallback(tx: &mut Transaction, table: &'static str, ids: &[i64]) -> Result<Vec<i64>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let query = Query::select()
        .column("id")
        .from(Alias::new(table))
        .and_where(col("id").is_in(ids.iter().copied()))
        .and_where(col("prevent_instance_group_fallback").eq(true))
        .to_owned();
    tx.read_as(&query).await
}
