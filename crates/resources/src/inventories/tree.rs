//! `inventories/N/tree/`: the groups of an inventory, nested.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_schema::column;
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use crate::GROUP;

/// The greatest number of groups in the answer. A group occurs once in each group that contains it.
const MAX_NODES: usize = 20_000;
/// The deepest nesting in the answer.
const MAX_DEPTH: usize = 100;

/// Shows the tree.
pub(super) struct Tree;

#[async_trait]
impl ActionHandler for Tree {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let ids = Query::select()
            .expr(column(GROUP.table, "id"))
            .from(Alias::new(GROUP.table))
            .and_where(column(GROUP.table, "inventory_id").eq(request.id))
            .limit(MAX_NODES as u64 + 1)
            .to_owned();
        let groups = engine.show_all(request.actor, &GROUP, ids).await?;
        if groups.len() > MAX_NODES {
            return Err(too_large());
        }
        let mut nodes = Nodes { groups: HashMap::new(), children: HashMap::new(), left: MAX_NODES };
        let mut roots = BTreeSet::new();
        for mut group in groups {
            // As in AWX.
            if let Some(Json::Object(summary)) = group.get_mut("summary_fields") {
                summary.shift_remove("user_capabilities");
            }
            let (Some(id), Some(name)) = (group.get("id").and_then(Json::as_i64), group.get("name")) else { continue };
            roots.insert((name.as_str().unwrap_or_default().to_owned(), id));
            nodes.groups.insert(id, group);
        }
        for (parent, child) in edges(engine, request.id).await? {
            if let Some(name) = nodes.groups.get(&child).and_then(|group| group["name"].as_str()) {
                let named = (name.to_owned(), child);
                roots.remove(&named);
                nodes.children.entry(parent).or_default().insert(named);
            }
        }
        Ok(ActionResponse::Fields(nodes.shown(&roots, 0)?))
    }
}

/// The groups in groups of an inventory: parent and child.
async fn edges(engine: &Engine, inventory: i64) -> Result<Vec<(i64, i64)>, Error> {
    const TABLE: &str = "inventory_group_children";
    let query = Query::select()
        .expr(column(TABLE, "parent_id"))
        .expr(column(TABLE, "child_id"))
        .from(Alias::new(TABLE))
        .inner_join(Alias::new(GROUP.table), column(GROUP.table, "id").eq(column(TABLE, "parent_id")))
        .and_where(column(GROUP.table, "inventory_id").eq(inventory))
        .to_owned();
    Ok(engine.database.read_as(&query).await?)
}

fn too_large() -> Error {
    Error::BadRequest(format!(
        "The tree has more than {MAX_NODES} groups or {MAX_DEPTH} levels: read groups/ and their children/ instead."
    ))
}

struct Nodes {
    groups: HashMap<i64, Map<String, Json>>,
    /// The children of each group by name and id.
    children: HashMap<i64, BTreeSet<(String, i64)>>,
    /// How many groups may still be shown.
    left: usize,
}

impl Nodes {
    fn shown(&mut self, ids: &BTreeSet<(String, i64)>, depth: usize) -> Result<Json, Error> {
        let mut list = vec![];
        for (_, id) in ids {
            self.left = self.left.checked_sub(1).filter(|_| depth < MAX_DEPTH).ok_or_else(too_large)?;
            let Some(mut group) = self.groups.get(id).cloned() else { continue };
            let children = self.children.get(id).cloned().unwrap_or_default();
            group.insert("children".into(), self.shown(&children, depth + 1)?);
            list.push(Json::Object(group));
        }
        Ok(list.into())
    }
}
