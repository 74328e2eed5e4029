//! What the description of inventory sources cannot express.

use async_trait::async_trait;
use hostler_database::{Transaction, Value};
use hostler_engine::{ActionHandler, Edit, Engine, Error, Hooks, Record, RenderContext, ResponseObject};
use hostler_queue::Updated;
use hostler_schema::{Sublist, column};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::json;

use super::{
    CREDENTIAL_LINK, ENVIRONMENT, INVENTORY_LINK, INVENTORY_SOURCE, ORGANIZATION_LINK, PROJECT_LINK, SOURCE, checks,
    listed,
};
use crate::attached::{self, CREDENTIALS_OF_TEMPLATE};
use crate::credential_inputs::TypeDefinition;
use crate::inventories::require_own_hosts;
use crate::unified_job_templates::show_last_update;
use crate::unified_jobs::summary_mut;
use crate::updating::Updating;
use crate::{INVENTORY, INVENTORY_UPDATE, UNIFIED_JOB, execution_environments};

static UPDATING: Updating = Updating {
    updates: &INVENTORY_UPDATE,
    of: Updated::InventorySource,
    can_update: |source| checks::can_be_updated(source.text(&SOURCE), source.integer(&PROJECT_LINK)),
};

/// Checks sources, keeps their organization that of the inventory, and shows their credentials.
pub struct InventorySourceHooks;

#[async_trait]
impl Hooks for InventorySourceHooks {
    async fn prepare(&self, engine: &Engine, edit: &mut Edit<'_>) -> Result<(), Error> {
        // Changes are checked in their transaction.
        if edit.is_new() {
            checks::check_new_links(engine, edit).await?;
            checks::check_kind(engine, edit).await?;
        }
        Ok(())
    }

    async fn derive(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        if !edit.is_new() {
            checks::check_constructed(edit)?;
            return checks::check_kind(engine, edit).await;
        }
        let Some(inventory) = edit.new.integer(&INVENTORY_LINK) else { return Ok(()) };
        let query = Query::select()
            .expr(column(INVENTORY.table, "organization_id"))
            .from(Alias::new(INVENTORY.table))
            .and_where(column(INVENTORY.table, "id").eq(inventory))
            .to_owned();
        let organization: Option<i64> = tx.read_first::<Option<i64>>(&query).await?.flatten();
        edit.new.set(&ORGANIZATION_LINK, organization.map_or(Value::Null, Value::Integer));
        Ok(())
    }

    async fn validate(&self, _engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        // The server itself creates the source of a constructed inventory.
        if edit.is_new()
            && edit.new.text(&SOURCE) != checks::CONSTRUCTED
            && let Some(inventory) = edit.new.integer(&INVENTORY_LINK)
        {
            require_own_hosts(tx, inventory, INVENTORY_SOURCE.type_label).await?;
        }
        checks::check_credential(tx, edit).await
    }

    async fn after_save(&self, _engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        // Last, because AWX does not know this check: it must not hide others.
        checks::check_host_filter(edit)?;
        if edit.changes(&CREDENTIAL_LINK) {
            replace_credential(tx, id, edit.new.integer(&CREDENTIAL_LINK)).await?;
        }
        Ok(())
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        Some(column(UNIFIED_JOB.table, "inventory_source_id").eq(record.id))
    }

    async fn check_association(
        &self,
        _engine: &Engine,
        tx: &mut Transaction,
        parent: i64,
        sublist: &'static Sublist,
        id: i64,
    ) -> Result<(), Error> {
        if sublist.name != "credentials" {
            return Ok(());
        }
        let table = INVENTORY_SOURCE.table;
        let query = Query::select()
            .exprs([SOURCE.column, CREDENTIAL_LINK.column].map(|name| column(table, name)))
            .from(Alias::new(table))
            .and_where(column(table, "id").eq(parent))
            .to_owned();
        let source: Option<(String, Option<i64>)> = tx.read_first(&query).await?;
        let problem = match source {
            None => return Err(Error::NotFound(Some(INVENTORY_SOURCE.label))),
            Some((_, Some(_))) => Some("Source already has credential assigned.".to_owned()),
            Some((kind, None)) => {
                let definition = TypeDefinition::load_for_credential(tx, id).await?;
                checks::problem_of_credential(&kind, Some(&definition))
            }
        };
        problem.map_or(Ok(()), |problem| Err(Error::BadRequestMsg(problem)))
    }

    async fn after_association(
        &self,
        tx: &mut Transaction,
        parent: i64,
        sublist: &'static Sublist,
        id: i64,
        attach: bool,
    ) -> Result<(), Error> {
        match sublist.name {
            "credentials" => set(tx, parent, CREDENTIAL_LINK.column, attach.then_some(id)).await,
            _ => Ok(()),
        }
    }

    async fn delete_listed(&self, engine: &Engine, parent: i64, sublist: &'static Sublist) -> Result<(), Error> {
        listed::delete_listed(engine, parent, sublist).await
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let credentials = attached::credentials(engine, view.actor, CREDENTIALS_OF_TEMPLATE, &ids).await?;
        for shown in page.iter_mut() {
            attached::show_single_credential(shown, &credentials);
            show_last_update(shown);
            for name in ["last_job", "last_update"] {
                if let Some(summary) = summary_mut(&mut shown.json, name) {
                    summary.shift_remove("canceled_on");
                    summary.insert("license_error".into(), json!(false));
                }
            }
        }
        if let (true, false, [shown]) = (view.detail, view.created, page) {
            let record = &shown.loaded.record;
            let (own, organization) = (record.integer(&ENVIRONMENT), record.integer(&ORGANIZATION_LINK));
            execution_environments::show_resolved(engine, view.actor, shown, own, organization).await?;
        }
        Ok(())
    }

    fn action_handler(&self, path: &str) -> Option<&'static dyn ActionHandler> {
        (path == "update").then_some(&UPDATING)
    }
}

/// The list of credentials of a source has the one of its field.
async fn replace_credential(tx: &mut Transaction, source: i64, credential: Option<i64>) -> Result<(), Error> {
    const LINKS: &str = "unified_job_template_credentials";
    let delete = Query::delete()
        .from_table(Alias::new(LINKS))
        .and_where(column(LINKS, "unified_job_template_id").eq(source))
        .to_owned();
    tx.execute_deferred(&delete).await?;
    if let Some(credential) = credential {
        tx.insert_rows(LINKS, ["unified_job_template_id", "credential_id"], [[source.into(), credential.into()]])
            .await?;
    }
    Ok(())
}

/// Sets a link that clients cannot set directly.
async fn set(tx: &mut Transaction, id: i64, link: &'static str, value: Option<i64>) -> Result<(), Error> {
    let table = INVENTORY_SOURCE.stored_in();
    let update = Query::update()
        .table(Alias::new(table))
        .value(Alias::new(link), value)
        .and_where(column(table, "id").eq(id))
        .to_owned();
    tx.execute_inline(&update).await?;
    Ok(())
}
