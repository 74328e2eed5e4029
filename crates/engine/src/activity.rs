//! The activity stream: actions, their actors and their objects.

use hostler_database::{Transaction, Value};
use hostler_schema::{Actor, Field, Join, Resource, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::field_values::{initial, json_value};
use crate::select::ROW;
use crate::{Edit, Engine, Error, Record};

/// The table of the entries.
pub(crate) const TABLE: &str = "activity";

/// Leads from an entry to the objects of this type that it is about.
pub(crate) const fn objects_of(content_type: &'static str) -> Join {
    Join::JoinTable {
        table: "activity_links",
        left: "activity_id",
        right: "object_id",
        filter: Some(("content_type", content_type)),
    }
}

/// The mask of secrets in the activity stream.
pub const HIDDEN: &str = "hidden";

/// An entry that is not written yet.
pub struct ActivityEntry {
    /// `create`, `update`, `delete`, `associate` or `disassociate`.
    pub operation: &'static str,
    /// The changes.
    pub changes: Json,
    /// The type of the object.
    pub object1: String,
    /// The type of the object that was associated, if any.
    pub object2: String,
    /// The relationship of the association.
    pub association: &'static str,
    /// The type of the object that owns the association.
    pub object_type: String,
    /// The objects of the entry, by type and id.
    pub links: Vec<(String, i64)>,
    /// The setting of the entry, if it is about one: its `category` and `name`.
    pub setting: Option<Json>,
}

impl ActivityEntry {
    /// An entry about one object.
    pub fn about(resource: &Resource, id: i64, operation: &'static str, changes: Map<String, Json>) -> Self {
        ActivityEntry {
            operation,
            changes: changes.into(),
            object1: resource.name.into(),
            object2: String::new(),
            association: "",
            object_type: String::new(),
            links: if operation == "delete" { vec![] } else { vec![(resource.name.into(), id)] },
            setting: None,
        }
    }

    /// Writes the entry in the transaction of the change, unless the settings disable the activity stream. On PostgreSQL it
    /// is sent with the next statement.
    ///
    /// # Errors
    /// Database errors.
    pub async fn write(self, engine: &Engine, tx: &mut Transaction, actor: &Actor) -> Result<(), Error> {
        if !actor.policy.activity_stream {
            return Ok(());
        }
        let insert = Query::insert()
            .into_table(Alias::new(TABLE))
            .columns(
                [
                    "timestamp",
                    "operation",
                    "changes",
                    "object1",
                    "object2",
                    "object_association",
                    "object_type",
                    "action_node",
                    "actor_id",
                    "setting",
                ]
                .map(Alias::new),
            )
            .values_panic([
                engine.clock.now().into(),
                self.operation.into(),
                self.changes.to_string().into(),
                self.object1.into(),
                self.object2.into(),
                self.association.into(),
                self.object_type.into(),
                engine.node.to_string().into(),
                actor.user().into(),
                self.setting.map(|setting| setting.to_string()).into(),
            ])
            .to_owned();
        tx.execute_deferred(&insert).await?;
        if !self.links.is_empty() {
            let id = tx.dialect().last_inserted_id(TABLE);
            let mut links = Query::insert();
            links
                .into_table(Alias::new("activity_links"))
                .columns(["activity_id", "content_type", "object_id"].map(Alias::new));
            for (content_type, object_id) in self.links {
                links.values_panic([id.clone(), content_type.into(), object_id.into()]);
            }
            tx.execute_deferred(&links).await?;
        }
        Ok(())
    }
}

/// Records the creation or change of an object; writes nothing if nothing changed.
pub(crate) async fn record_edit(engine: &Engine, tx: &mut Transaction, edit: &Edit<'_>, id: i64) -> Result<(), Error> {
    let resource = edit.new.resource;
    if !resource.recorded {
        return Ok(());
    }
    let mut changes = Map::new();
    for field in resource.fields.iter().filter(|field| field.recorded) {
        let secret = field.kind.contains_secrets();
        match &edit.old {
            None if is_left_out(field, edit.new.get(field)) => {}
            None => {
                let value = if secret { HIDDEN.into() } else { described(tx, field, edit.new.get(field)).await? };
                changes.insert(field.name.into(), value);
            }
            Some(_) if !edit.changes(field) => {}
            Some(_) if secret => {
                changes.insert(field.name.into(), json!([HIDDEN, HIDDEN]));
            }
            Some(old) => {
                let pair = json!([
                    described(tx, field, old.get(field)).await?,
                    described(tx, field, edit.new.get(field)).await?
                ]);
                changes.insert(field.name.into(), pair);
            }
        }
    }
    let operation = if edit.is_new() { "create" } else { "update" };
    if edit.is_new() {
        changes.insert("id".into(), id.into());
    } else if changes.is_empty() {
        return Ok(());
    }
    ActivityEntry::about(resource, id, operation, changes).write(engine, tx, edit.actor).await
}

/// Records that an object is about to be deleted.
pub(crate) async fn record_deletion(
    engine: &Engine,
    tx: &mut Transaction,
    actor: &Actor,
    record: &Record,
) -> Result<(), Error> {
    let resource = record.resource;
    let mut changes = Map::new();
    let left_out = |field: &Field| is_left_out(field, record.get(field));
    for field in resource.fields.iter().filter(|field| field.recorded && !left_out(field)) {
        let value =
            if field.kind.contains_secrets() { HIDDEN.into() } else { described(tx, field, record.get(field)).await? };
        changes.insert(field.name.into(), value);
    }
    changes.insert("id".into(), record.id.into());
    if resource.recorded {
        ActivityEntry::about(resource, record.id, "delete", changes).write(engine, tx, actor).await?;
    }
    Ok(())
}

/// Whether an entry about a whole object leaves a field out: hidden fields are recorded only if they differ from their
/// default.
fn is_left_out(field: &Field, value: &Value) -> bool {
    !field.shown && !field.kind.is_secret() && *value == initial(field)
}

/// A value in the activity stream. A link is shown as `name-id`, as in AWX.
async fn described(tx: &mut Transaction, field: &Field, value: &Value) -> Result<Json, Error> {
    let (Some(target), Value::Integer(id)) = (field.kind.target(), value) else {
        return Ok(json_value(field.kind, value));
    };
    let Some(name) = target.summarized_as.first().and_then(|name| target.field(name)) else { return Ok(json!(id)) };
    let query = Query::select()
        .expr(column(ROW, name.column))
        .from_as(Alias::new(target.table), Alias::new(ROW))
        .and_where(column(ROW, "id").eq(*id))
        .to_owned();
    let rows = tx.read(&query, &[hostler_database::Type::Text]).await?;
    let name = rows.first().and_then(|row| row.text(0)).unwrap_or_default();
    Ok(format!("{name}-{id}").into())
}
