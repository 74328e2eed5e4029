//! `constructed_inventories/`: inventories whose hosts an update computes from those of other inventories, by Ansible's plugin
//! of that name. They are inventories; here they also have the settings of their only source.

use std::collections::HashMap;

use async_trait::async_trait;
use constcat::concat_slices;
use hostler_access::with_user_grants;
use hostler_database::{Transaction, Value};
use hostler_engine::{Edit, Engine, Error, Hooks, Record, RenderContext, ResponseObject, SystemWrite};
use hostler_schema::{
    Actor, Association, Capability, DefaultValue, Field, Join, Post, Resource, Sublist, column, fields,
};
use sea_query::{Alias, Condition, Expr, ExprTrait, Func, JoinType, Order, Query, SelectStatement};
use serde_json::{Value as Json, json};

use super::inventory::{AD_HOC, FIRST_FIELDS, HOST_FILTER, KIND, LAST_FIELDS, NAME, can_copy, inventory};
use super::inventory_hooks::InventoryHooks;
use crate::inventory_sources::{CONSTRUCTED as SOURCE_KIND, SOURCE};
use crate::job_templates::usable_inventories;
use crate::{INVENTORY, INVENTORY_SOURCE};

/// The kind of constructed inventories.
pub(super) const CONSTRUCTED: &str = "constructed";
/// The list of the inventories that one is made of.
pub(super) const INPUTS_PATH: &str = "input_inventories";
/// The join table of [`INPUTS`].
const INPUT_TABLE: &str = "inventory_inputs";

/// The inventories that a constructed inventory is made of, in order: later ones win.
pub(super) const INPUTS: Sublist = Sublist::new(
    INPUTS_PATH,
    "Inventory Input Inventories List",
    || &INVENTORY,
    Join::JoinTable { table: INPUT_TABLE, left: "inventory_id", right: "input_inventory_id", filter: None },
)
.unlinked()
.ordered()
.reverse("destination_inventories")
.post(Post::Associate(Association::new(
    "awx.main.models.inventory.InventoryConstructedInventoryMembership",
    usable_inventories,
)));

/// A setting of an inventory, the field of its source with the same name, and the column there.
type Setting = (Field, &'static str);

const SETTINGS: [Setting; 4] = [
    (
        setting(fields::text("source_vars").label("Source vars"), |row| of_source(row, "source_vars"))
            .help("The configuration of Ansible's plugin `constructed`, as JSON or YAML."),
        "source_vars",
    ),
    (
        setting(fields::integer("update_cache_timeout").label("Update cache timeout").at_least(0), |row| {
            of_source(row, "update_cache_timeout")
        })
        .help("For how many seconds an update counts as fresh, so that a launch does not repeat it."),
        "update_cache_timeout",
    ),
    (
        setting(fields::text("limit").label("Limit"), |row| of_source(row, "job_limit"))
            .help("A pattern that selects hosts of the input inventories and of the constructed groups."),
        "job_limit",
    ),
    (
        setting(fields::integer("verbosity").label("Verbosity").range(0, 2), |row| of_source(row, "verbosity"))
            .help("How much the output of updates says."),
        "verbosity",
    ),
];

const fn setting(field: Field, read: fn(row: &str) -> Expr) -> Field {
    field.read_by(read).stored_by_hooks().nullable().default(DefaultValue::Null).kept_on_put().not_filterable()
}

/// The source of the inventory with this id.
fn source_of(inventory: Expr) -> SelectStatement {
    let table = INVENTORY_SOURCE.table;
    Query::select()
        .from(Alias::new(table))
        .and_where(column(table, "sourced_inventory_id").eq(inventory))
        .and_where(column(table, "source").eq(SOURCE_KIND))
        .limit(1)
        .to_owned()
}

/// This column of the source of the inventory `row`; NULL for other inventories.
fn of_source(row: &str, name: &'static str) -> Expr {
    let source = source_of(column(row, "id")).expr(column(INVENTORY_SOURCE.table, name)).to_owned();
    Expr::SubQuery(None, Box::new(source.into()))
}

const FIELDS: &[Field] = concat_slices!([Field]:
    FIRST_FIELDS,
    // A body may repeat the kind.
    &[KIND.write_unlisted().kept_on_put(), HOST_FILTER.read_only().hidden()],
    LAST_FIELDS,
    &[SETTINGS[0].0, SETTINGS[1].0, SETTINGS[2].0, SETTINGS[3].0],
);

/// Constructed inventories, with the settings of their sources.
pub static CONSTRUCTED_INVENTORY: Resource = Resource {
    table: "inventories",
    same_objects_as: Some(|| &INVENTORY),
    list_title: "Constructed Inventory List",
    detail_title: "Constructed Inventory Detail",
    description: "The hosts of a constructed inventory are computed from its input inventories, by Ansible's plugin \
                  `constructed`: it makes groups and variables, and the limit selects hosts. An update computes them, by \
                  itself before a job. Everything else of it is below `inventories/`.",
    other_capabilities: &[Capability { name: "copy", permit: can_copy }, AD_HOC],
    is_view: true,
    ..inventory("constructed_inventories", FIELDS)
};

/// The hooks of inventories, with the settings of sources.
pub struct ConstructedHooks;

#[async_trait]
impl Hooks for ConstructedHooks {
    async fn derive(&self, _engine: &Engine, _tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        if edit.is_new() {
            edit.new.set(&KIND, Value::Text(CONSTRUCTED.into()));
        }
        Ok(())
    }

    async fn validate(&self, engine: &Engine, tx: &mut Transaction, edit: &mut Edit<'_>) -> Result<(), Error> {
        InventoryHooks.validate(engine, tx, edit).await?;
        let is_constructed = edit.new.text(&KIND) == CONSTRUCTED;
        let changed = SETTINGS.iter().find(|(field, _)| !is_constructed && edit.changes(field));
        changed.map_or(Ok(()), |(field, _)| {
            Err(Error::field(field.name, "Only constructed inventories have this setting."))
        })
    }

    async fn after_save(&self, engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
        InventoryHooks.after_save(engine, tx, edit, id).await
    }

    fn jobs_that_use(&self, record: &Record) -> Option<Expr> {
        InventoryHooks.jobs_that_use(record)
    }

    async fn before_delete(
        &self,
        engine: &Engine,
        tx: &mut Transaction,
        actor: &Actor,
        record: &Record,
    ) -> Result<(), Error> {
        InventoryHooks.before_delete(engine, tx, actor, record).await
    }

    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        for shown in page.iter_mut() {
            let url = INVENTORY.url(shown.loaded.record.id);
            let lists = INVENTORY.sublists.iter().filter(|list| list.linked).map(|list| (list.name, list.name));
            let actions = INVENTORY.actions.iter().filter_map(|action| Some((action.link?, action.path)));
            for (key, path) in lists.chain(actions) {
                shown.add_related(key, format!("{url}{path}/").into());
            }
        }
        InventoryHooks.enrich(engine, view, page).await
    }

    fn own_filter(
        &self,
        _engine: &Engine,
        _actor: &Actor,
        _parameters: &[(String, String)],
        row: &str,
    ) -> Result<Option<Condition>, Error> {
        Ok(Some(Condition::all().add(column(row, KIND.column).eq(CONSTRUCTED))))
    }
}

/// Adds the links that only constructed inventories have.
pub(super) fn add_links(shown: &mut ResponseObject) {
    let id = shown.loaded.record.id;
    shown.add_related(INPUTS_PATH, format!("{}{INPUTS_PATH}/", INVENTORY.url(id)).into());
    shown.add_related("constructed_url", CONSTRUCTED_INVENTORY.url(id).into());
}

/// Gives a constructed inventory its source, if it has none, and the source the settings of the edit.
///
/// # Errors
/// Database errors.
pub(super) async fn save_source(engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
    if edit.new.text(&KIND) != CONSTRUCTED {
        return Ok(());
    }
    let source = source_of(Expr::val(id)).expr(column(INVENTORY_SOURCE.table, "id")).to_owned();
    let settings = SETTINGS.iter().map(|(field, column)| (field, *column, edit.new.get(field)));
    let settings = settings.filter(|(_, _, value)| **value != Value::Null);
    let Some(source) = tx.read_first::<i64>(&source).await? else {
        let values = settings.map(|(field, _, value)| (field.name, value.clone())).collect();
        return create_source(engine, tx, edit.actor, (id, edit.new.text(&NAME)), values).await;
    };
    let table = INVENTORY_SOURCE.stored_in();
    let mut update = Query::update();
    update.table(Alias::new(table)).and_where(column(table, "id").eq(source));
    let mut is_changed = false;
    for (field, name, value) in settings.filter(|(field, ..)| edit.changes(field)) {
        match value {
            Value::Integer(number) => update.value(Alias::new(name), *number),
            _ => update.value(Alias::new(name), edit.new.text(field)),
        };
        is_changed = true;
    }
    if is_changed {
        update.value(Alias::new("modified"), engine.clock.now());
        update.value(Alias::new("version"), Expr::col(Alias::new("version")).add(1));
        tx.execute_deferred(&update).await?;
    }
    Ok(())
}

/// The longest name of a source.
const LONGEST_NAME: usize = 512;

/// Creates the source of an inventory with this id and name.
async fn create_source(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    (inventory, name): (i64, &str),
    values: Vec<(&'static str, Value)>,
) -> Result<(), Error> {
    let name: String = format!("Auto-created source for: {name}").chars().take(LONGEST_NAME).collect();
    let body = json!({
        "name": name.trim_end(), "inventory": inventory,
        "overwrite": true, "overwrite_vars": true, "update_on_launch": true,
    });
    let Json::Object(body) = body else { return Err(Error::Internal("a source is no object".into())) };
    let source = NewSource(values);
    engine.create_in_transaction(tx, actor, &INVENTORY_SOURCE, &body, &source).await.map(drop)
}

/// Sets what clients cannot send. The variables may be wrong: then the update says it.
struct NewSource(Vec<(&'static str, Value)>);

impl SystemWrite for NewSource {
    fn prefill(&self, edit: &mut Edit<'_>) {
        edit.new.set(&SOURCE, Value::Text(SOURCE_KIND.into()));
        for (name, value) in &self.0 {
            if let Some(field) = INVENTORY_SOURCE.field(name) {
                edit.new.set(field, value.clone());
            }
        }
    }
}

/// Whether the inventory with this id is a constructed one.
///
/// # Errors
/// Database errors.
pub(super) async fn is_constructed(tx: &mut Transaction, inventory: i64) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(INVENTORY.table, KIND.column))
        .from(Alias::new(INVENTORY.table))
        .and_where(column(INVENTORY.table, "id").eq(inventory))
        .to_owned();
    Ok(tx.read_first::<String>(&query).await?.is_some_and(|kind| kind == CONSTRUCTED))
}

/// Fails unless `input` can be an input of the inventory `parent`: no inventory can then contain itself.
///
/// # Errors
/// [`Error::BadRequestError`]; database errors.
pub(super) async fn check_input(tx: &mut Transaction, parent: i64, input: i64) -> Result<(), Error> {
    let query = Query::select()
        .exprs(["id", KIND.column].map(|name| column(INVENTORY.table, name)))
        .from(Alias::new(INVENTORY.table))
        .and_where(column(INVENTORY.table, "id").is_in([parent, input]))
        .and_where_option(INVENTORY.not_deleted(INVENTORY.table))
        .to_owned();
    let kinds: HashMap<i64, String> = tx.read_as::<(i64, String)>(&query).await?.into_iter().collect();
    let kind = |id: i64| kinds.get(&id).map(String::as_str);
    let refuse = |message: &str| Err(Error::BadRequestError(message.into()));
    match (kind(parent), kind(input)) {
        (_, None) => Err(Error::BadRequest("Inventory matching query does not exist.".into())),
        (_, Some(CONSTRUCTED)) => refuse("You cannot add a constructed inventory to another constructed inventory."),
        (Some(CONSTRUCTED), _) => Ok(()),
        _ => refuse("Only constructed inventories have input inventories."),
    }
}

/// Copies the settings and the inputs of a constructed inventory to a copy of it: those inputs that the actor may use.
///
/// # Errors
/// Database errors.
pub(super) async fn copy(tx: &mut Transaction, actor: &Actor, from: i64, to: i64) -> Result<(), Error> {
    let original = SETTINGS.map(|(_, name)| {
        let value = source_of(Expr::val(from)).expr(column(INVENTORY_SOURCE.table, name)).to_owned();
        (name, Expr::SubQuery(None, Box::new(value.into())))
    });
    let table = INVENTORY_SOURCE.stored_in();
    let mut update = Query::update();
    update.table(Alias::new(table));
    for (name, value) in original {
        update.value(Alias::new(name), Func::coalesce([value, column(table, name)]));
    }
    update.and_where(column(table, "sourced_inventory_id").eq(to));
    tx.execute(&update).await?;
    const INPUT: &str = "input";
    let usable = usable_inventories(actor, INPUT);
    let inputs = Query::select()
        .expr(column(INPUT_TABLE, "input_inventory_id"))
        .from(Alias::new(INPUT_TABLE))
        .join_as(
            JoinType::InnerJoin,
            Alias::new(INVENTORY.table),
            Alias::new(INPUT),
            column(INPUT, "id").eq(column(INPUT_TABLE, "input_inventory_id")),
        )
        .and_where(column(INPUT_TABLE, "inventory_id").eq(from))
        .and_where_option(INVENTORY.not_deleted(INPUT))
        .cond_where(usable.condition())
        .order_by((Alias::new(INPUT_TABLE), Alias::new("id")), Order::Asc)
        .to_owned();
    let inputs: Vec<i64> = tx.read_as(&with_user_grants(inputs, actor)).await?;
    let rows = inputs.into_iter().map(|input| [to.into(), input.into()]);
    tx.insert_rows(INPUT_TABLE, ["inventory_id", "input_inventory_id"], rows).await?;
    Ok(())
}
