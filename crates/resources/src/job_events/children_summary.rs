//! `jobs/N/job_events/children_summary/`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_events::{GREATEST_COUNTER, NameColumn, counter_of, event_id, name_ids, read_bodies};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};
use serde_json::{Map, Value as Json, json};

use super::hooks::failed;
use crate::UNIFIED_JOB;

/// Types of events that have no place of their own among the others.
const META_EVENTS: [&str; 6] = ["debug", "verbose", "deprecated", "warning", "system_warning", "error"];

/// Counts the events below each event of a job.
pub struct ChildrenSummary;

#[async_trait]
impl ActionHandler for ChildrenSummary {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let job = Query::select()
            .column(Alias::new("event_processing_finished"))
            .from(Alias::new(UNIFIED_JOB.table))
            .and_where(Expr::col(Alias::new("id")).eq(request.id))
            .to_owned();
        let is_finished = engine.database.read_first::<bool>(&job).await?.unwrap_or(false);
        let mut summary = Summary { is_tree: true, ..Summary::default() };
        if is_finished {
            summary = Summary::of(&events(engine, request.id).await?);
        }
        let mut nested = Map::new();
        // Much output can be below one event.
        let parents: BTreeSet<i64> = summary.nested.values().map(|parent| event_id(request.id, *parent)).collect();
        let parents: Vec<i64> = parents.into_iter().collect();
        let mut uuids = HashMap::new();
        for ids in parents.chunks(500) {
            uuids.extend(read_bodies(&engine.database, ids).await.map_err(failed)?);
        }
        for (counter, parent) in &summary.nested {
            if let Some(body) = uuids.get(&event_id(request.id, *parent)) {
                nested.insert(counter.to_string(), body.uuid.as_str().into());
            }
        }
        Ok(ActionResponse::Fields(json!({
            "children_summary": summary.children,
            "meta_event_nested_uuid": nested,
            "event_processing_finished": is_finished,
            "is_tree": summary.is_tree,
        })))
    }
}

/// An event of the tree.
struct TreeEvent {
    counter: i64,
    parent: i64,
    is_meta: bool,
}

async fn events(engine: &Engine, job: i64) -> Result<Vec<TreeEvent>, Error> {
    let meta = name_ids(&engine.database, job, |name| META_EVENTS.contains(&name)).await?;
    let events = Query::select()
        .columns(["id", "parent_counter", NameColumn::Event.column()].map(Alias::new))
        .from(Alias::new("stored_job_events"))
        .and_where(Expr::col(Alias::new("id")).between(event_id(job, 0), event_id(job, GREATEST_COUNTER)))
        .order_by(Alias::new("id"), Order::Asc)
        .to_owned();
    let events: Vec<(i64, i64, i64)> = engine.database.read_as(&events).await?;
    let event = |(id, parent, event)| TreeEvent { counter: counter_of(id), parent, is_meta: meta.contains(&event) };
    Ok(events.into_iter().map(event).collect())
}

#[derive(Debug, Default, PartialEq)]
struct Summary {
    children: Map<String, Json>,
    /// For the counter of an event without a place of its own: the counter of the event to show it below.
    nested: BTreeMap<i64, i64>,
    is_tree: bool,
}

impl Summary {
    /// The events in their order. If those below an event do not follow it, they are shown as a list.
    fn of(events: &[TreeEvent]) -> Summary {
        let mut summary = Summary { is_tree: true, ..Summary::default() };
        let mut rows: HashMap<i64, (usize, u64)> = HashMap::new();
        let mut parents: HashMap<i64, i64> = HashMap::new();
        // The events that the next one may be below.
        let mut open: Vec<i64> = Vec::new();
        for (row, event) in events.iter().enumerate() {
            let mut parent = event.parent;
            if event.is_meta && parent == 0 {
                parent = open.last().copied().unwrap_or(0);
                if parent != 0 {
                    summary.nested.insert(event.counter, parent);
                }
            }
            while open.last().is_some_and(|last| *last != parent) {
                open.pop();
            }
            if parent != 0 && open.is_empty() {
                return Summary::default();
            }
            if !event.is_meta {
                open.push(event.counter);
            }
            rows.insert(event.counter, (row, 0));
            parents.insert(event.counter, parent);
            let mut above = parent;
            while above != 0 {
                if let Some((_, count)) = rows.get_mut(&above) {
                    *count += 1;
                }
                above = parents.get(&above).copied().unwrap_or(0);
            }
        }
        let mut found: Vec<_> = rows.into_iter().filter(|(_, (_, count))| *count > 0).collect();
        found.sort_unstable();
        let entry = |(counter, (row, count)): (i64, (usize, u64))| {
            (counter.to_string(), json!({"rowNumber": row, "numChildren": count}))
        };
        summary.children = found.into_iter().map(entry).collect();
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(parents: &[(i64, bool)]) -> Vec<TreeEvent> {
        parents
            .iter()
            .zip(1..)
            .map(|((parent, is_meta), counter)| TreeEvent { counter, parent: *parent, is_meta: *is_meta })
            .collect()
    }

    #[test]
    fn events_below_others_are_counted() {
        // The playbook, a play, a task with two events, another task with one.
        let summary =
            Summary::of(&events(&[(0, false), (1, false), (2, false), (3, false), (3, false), (2, false), (6, false)]));
        let expected = json!({
            "1": {"rowNumber": 0, "numChildren": 6},
            "2": {"rowNumber": 1, "numChildren": 5},
            "3": {"rowNumber": 2, "numChildren": 2},
            "6": {"rowNumber": 5, "numChildren": 1},
        });
        assert_eq!((Json::from(summary.children), summary.is_tree), (expected, true));
    }

    #[test]
    fn output_is_below_the_event_before_it() {
        let summary = Summary::of(&events(&[(0, true), (0, false), (2, false), (0, true), (2, false)]));
        assert_eq!(summary.nested.into_iter().collect::<Vec<_>>(), [(4, 3)]);
        assert!(summary.is_tree);
    }

    #[test]
    fn events_of_tasks_that_overlap_are_no_tree() {
        let summary = Summary::of(&events(&[(0, false), (1, false), (1, false), (2, false)]));
        assert_eq!(summary, Summary::default());
    }
}
