//! Creating, changing and deleting objects, always in this order: load the visible row, check the permission on it,
//! decode and validate, run the hooks, then write the row, its relations and the activity entry in one transaction.

mod cascade;
mod check;
mod create;
mod delete;
mod delete_in_steps;
mod in_use;
mod update;

use hostler_database::{Transaction, Value};
use hostler_schema::{Actor, Field, FieldKind, Resource};
use hostler_vault::SecretContext;
use sea_query::Value as SqlValue;
use serde_json::{Map, Value as Json};

pub use self::create::CreatedObject;
pub use self::delete_in_steps::DeleteInSteps;
pub use self::in_use::refuse_if_in_use;
use crate::field_values::sql_value;
use crate::hooks::RenderContext;
use crate::select::LoadedObject;
use crate::{Edit, Engine, Error};

/// The maximum number of attempts at a change that conflicts with other transactions.
const ATTEMPTS: u32 = 3;

/// How an existing object is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMethod {
    /// PATCH: only the fields in the body.
    Patch,
    /// PUT: the whole object; required fields must be in the body.
    Put,
}

/// Whether an object's id and version match `If-Match`.
pub type IfMatch<'a> = &'a (dyn Fn(i64, i64) -> bool + Sync);

impl Engine {
    /// The object as the actor sees it after the write.
    async fn show_loaded(
        &self,
        resource: &'static Resource,
        loaded: LoadedObject,
        actor: &Actor,
        created: bool,
    ) -> Result<Map<String, Json>, Error> {
        let mut page = self
            .serialize_page(
                resource,
                vec![loaded],
                RenderContext { actor, detail: true, created, below: None, whole_texts: true },
            )
            .await?;
        page.pop().map(|shown| shown.json).ok_or_else(|| Error::Internal("a hook dropped the object".into()))
    }
}

/// Whether the resource has a field with this name in the column of the same name.
fn has_column(resource: &Resource, name: &str) -> bool {
    resource.field(name).is_some_and(|field| field.column == name)
}

/// The columns to write and their values: all for a new object, the changed ones for an existing one.
fn stored(edit: &Edit<'_>) -> (Vec<&'static str>, Vec<SqlValue>) {
    let mut columns = vec![];
    let mut values = vec![];
    for field in edit.new.resource.fields {
        if let Some(digest) = edit.digests.get(field.name) {
            columns.push(field.column);
            values.push(digest.clone().into());
        } else if field.is_stored() && !field.kind.is_secret() && edit.changes(field) && is_given(edit, field) {
            columns.push(field.column);
            values.push(sql_value(edit.new.get(field), field.kind));
        }
    }
    (columns, values)
}

/// The columns of the encrypted secrets in the request for the object `id`, and the ciphertexts to store in them.
async fn encrypt_secrets(
    engine: &Engine,
    tx: &mut Transaction,
    edit: &Edit<'_>,
    id: i64,
) -> Result<Vec<(&'static str, String)>, Error> {
    let resource = edit.new.resource;
    let sent: Vec<_> = resource
        .fields
        .iter()
        .filter(|field| matches!(field.kind, FieldKind::Encrypted))
        .filter_map(|field| Some((field, edit.secrets.get(field.name)?)))
        .collect();
    if sent.is_empty() {
        return Ok(vec![]);
    }
    let encryptor = engine.vault.encryptor(tx).await?;
    let seal = |field: &Field, plain: &str| match plain {
        "" => String::new(),
        plain => encryptor.encrypt(&SecretContext::new(resource.name, id, field.name), plain),
    };
    Ok(sent.into_iter().map(|(field, plain)| (field.column, seal(field, plain))).collect())
}

/// Whether a field is written: on a new object those that clients write, and of the others those that a hook has set.
fn is_given(edit: &Edit<'_>, field: &Field) -> bool {
    !edit.is_new() || field.writable || *edit.new.get(field) != Value::Null
}
