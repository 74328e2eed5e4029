//! What an inventory's description cannot say.

use async_trait::async_trait;
use hostler_database::Transaction;
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, Record, RenderContext, ResponseObject, SublistRows};
use hostler_schema::{Actor, Sublist, column};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::constructed::{self, CONSTRUCTED};
use super::host_filter::{self, SmartHosts};
use super::inventory::{HOST_FILTER, KIND, ORGANIZATION_LINK, creates_in};
use super::{actions, copy, counts, script, smart, tree, variable_data};
use crate::inventory_sources::UpdatingAll;
use crate::{HOST, INVENTORY, INVENTORY_SOURCE, UNIFIED_JOB, labels};

/// Checks kinds, counts hosts, and handles the actions.
pub struct InventoryHooks;

#[async_trait]
impl Hooks for InventoryHooks {
    async fn validate(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        let kind = edit.new.text(&KIND);
        let was_constructed = edit.old.as_ref().is_some_and(|old| old.text(&KIND) == CONSTRUCTED);
        if !edit.is_new() && edit.changes(&KIND) && (!kind.is_empty() || was_constructed) {
            let message = "You cannot turn a regular inventory into a \"smart\" or \"constructed\" inventory.";
            return Err(Error::ChangeNotAllowed(message.into()));
        }
        let host_filter = edit.new.text(&HOST_FILTER);
        if kind == smart::SMART && host_filter.is_empty() {
            return Err(Error::field(HOST_FILTER.name, "Smart inventories must specify host_filter"));
        }
        if host_filter.is_empty() || !edit.changes(&HOST_FILTER) {
            return Ok(());
        }
        // It selects hosts of all inventories of the organization.
        let organization = edit.new.integer(&ORGANIZATION_LINK);
        engine.require_in(tx, edit.actor, creates_in(edit.actor, organization)).await?;
        check_filter(engine, host_filter)
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        constructed::save_source(engine, tx, edit, id).await?;
        if edit.is_new() || !edit.changes(&ORGANIZATION_LINK) {
            return Ok(());
        }
        // The organization of a source is that of its inventory.
        let table = INVENTORY_SOURCE.stored_in();
        let update = Query::update()
            .table(Alias::new(table))
            .value(Alias::new("organization_id"), edit.new.integer(&ORGANIZATION_LINK))
            .value(Alias::new("version"), Expr::col(Alias::new("version")).add(1))
            .and_where(column(table, "sourced_inventory_id").eq(id))
            .to_owned();
        tx.execute_deferred(&update).await?;
        Ok(())
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        Some(jobs_of_inventory(record.id))
    }

    async fn before_delete(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        _actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        labels::delete_last_uses(tx, &INVENTORY, record.id).await
    }

    async fn check_association(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        parent: i64,
        sublist: &'static Sublist,
        id: i64,
    ) -> Result<(), Error> {
        if sublist.name == constructed::INPUTS_PATH { constructed::check_input(tx, parent, id).await } else { Ok(()) }
    }

    async fn after_association(
        &self,
        tx: &mut Transaction,
        _parent: i64,
        sublist: &'static Sublist,
        id: i64,
        attach: bool,
    ) -> Result<(), Error> {
        if sublist.name == labels::LABELS && !attach { labels::delete_if_unused(tx, id).await } else { Ok(()) }
    }

    async fn sublist_rows(
        &self,
        engine: &Engine,
        parent: i64,
        sublist: &'static Sublist,
        row: &str,
    ) -> Result<Option<SublistRows>, Error> {
        if sublist.name == "hosts" { smart::listed_hosts(engine, parent, row).await } else { Ok(None) }
    }

    async fn enrich_summaries(
        &self,
        engine: &Engine,
        summaries: &mut [(i64, &mut Map<String, Json>)],
    ) -> Result<(), Error> {
        counts::add_to_summaries(engine, summaries).await
    }

    async fn enrich(
        &self,
        engine: &Engine,
        _view: RenderContext<'_>,
        page: &mut [ResponseObject],
    ) -> Result<(), Error> {
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let mut summaries = labels::summaries(engine, &INVENTORY, &ids).await?;
        counts::count_smart(engine, page).await?;
        for shown in page {
            let summary = summaries.remove(&shown.loaded.record.id).unwrap_or_else(labels::no_labels);
            shown.add_summary(labels::LABELS, summary);
            if shown.loaded.record.text(&KIND) == CONSTRUCTED {
                constructed::add_links(shown);
            }
            if shown.loaded.record.text(&KIND) == smart::SMART
                && let Some(Json::Object(related)) = shown.json.get_mut("related")
            {
                OF_OWN_GROUPS.iter().for_each(|key| drop(related.shift_remove(*key)));
            }
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        match path {
            variable_data::PATH => Some(&variable_data::VariableData),
            actions::SCRIPT_PATH => Some(&script::Script),
            actions::TREE_PATH => Some(&tree::Tree),
            actions::UPDATE_SOURCES_PATH => Some(&UpdatingAll),
            "copy" => Some(&copy::Copying),
            _ => None,
        }
    }
}

fn check_filter(engine: &Engine, host_filter: &str) -> Result<(), Error> {
    let wrong = |message: String| Err(Error::field(HOST_FILTER.name, message));
    if let Some(lookup) = host_filter::lookup_of_fact(host_filter) {
        // As in AWX, below the field once more.
        let parts = vec![(HOST_FILTER.name.into(), vec![host_filter::lookup_message(&lookup)])];
        return Err(Error::InvalidNested { field: HOST_FILTER.name.into(), parts, others: vec![] });
    }
    SmartHosts::of(engine).condition(host_filter, HOST.table).map_or_else(wrong, |_| Ok(()))
}

/// The keys of `related` that smart inventories do not have, because they have no groups and sources.
const OF_OWN_GROUPS: [&str; 5] = ["groups", "root_groups", "tree", "update_inventory_sources", "inventory_sources"];

/// The jobs of an inventory: what is in it is not deleted while one of them is not finished.
pub(super) fn jobs_of_inventory(inventory: i64) -> Expr {
    column(UNIFIED_JOB.table, "inventory_id").eq(inventory)
}

fn kind_of(inventory: i64) -> sea_query::SelectStatement {
    Query::select()
        .expr(column(INVENTORY.table, KIND.column))
        .from(Alias::new(INVENTORY.table))
        .and_where(column(INVENTORY.table, "id").eq(inventory))
        .to_owned()
}

/// Fails unless the hosts and groups of the inventory are its own, so that new ones can be added.
pub async fn require_own_hosts(tx: &mut Transaction, inventory: i64, created: &'static str) -> Result<(), Error> {
    let kind: Option<String> = tx.read_first(&kind_of(inventory)).await?;
    match kind.is_none_or(|kind| kind.is_empty()) {
        true => Ok(()),
        false => {
            let message = format!("Cannot create {created} for Smart or Constructed Inventories");
            Err(Error::InvalidLink("inventory", message))
        }
    }
}
