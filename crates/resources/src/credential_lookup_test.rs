//! `credentials/N/test/` and `credential_types/N/test/`: checks the inputs and metadata
//! of a lookup. The lookup itself is not implemented.

use hostler_credential_types::InputErrors;
use hostler_database::{Type, Value};
use hostler_engine::{ENCRYPTED, Engine, Error, Record};
use hostler_schema::{Actor, Resource, Rule, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use crate::credential_access::can_use;
use crate::credential_inputs::TypeDefinition;
use crate::credentials::INPUTS;
use crate::encrypted_inputs::decrypted;
use crate::{CREDENTIAL, CREDENTIAL_TYPE};

/// Fails unless the actor may test lookups with this credential or credential type.
///
/// # Errors
/// [`Error::Forbidden`].
pub async fn require_lookup_permission(
    engine: &Engine,
    actor: &Actor,
    resource: &Resource,
    id: i64,
) -> Result<(), Error> {
    let rule = if resource.name == CREDENTIAL.name { can_use(actor, id) } else { Rule::from_bool(actor.is_superuser) };
    engine.require(actor, rule).await
}

/// Checks a test of a lookup and returns the reason why it fails. The `inputs` of the
/// body replace those of the credential one by one.
///
/// # Errors
/// [`Error::Forbidden`], vault and database errors.
pub async fn test_lookup(
    engine: &Engine,
    actor: &Actor,
    resource: &Resource,
    id: i64,
    body: &Map<String, Json>,
) -> Result<String, Error> {
    require_lookup_permission(engine, actor, resource, id).await?;
    let mut tx = engine.database.begin().await?;
    let (definition, mut inputs) = if resource.name == CREDENTIAL_TYPE.name {
        (TypeDefinition::load(&mut tx, id).await?, Map::new())
    } else {
        (TypeDefinition::load_for_credential(&mut tx, id).await?, stored_inputs(engine, &mut tx, id).await?)
    };
    drop(tx);
    if !definition.is_external() {
        return Ok(format!("{} does not look up values: only external types do.", definition.name));
    }
    let sent = match object(body, "inputs") {
        Ok(sent) => sent,
        Err(message) => return Ok(message),
    };
    let metadata = match object(body, "metadata") {
        Ok(metadata) => metadata,
        Err(message) => return Ok(message),
    };
    for (name, value) in sent {
        if value != ENCRYPTED || !inputs.contains_key(&name) {
            inputs.insert(name, value);
        }
    }
    let info = definition.info();
    let schema = &definition.inputs;
    let mut messages = match schema.check_values(info, &mut inputs, None) {
        Ok(()) => vec![],
        Err(errors) => lines(errors),
    };
    let required = schema.fields.iter().filter(|field| schema.required.contains(&field.id));
    for field in required.filter(|field| inputs.get(&field.id).is_none_or(|value| value == "")) {
        messages.push(format!("{}: required for {}", field.id, definition.name));
    }
    messages.extend(schema.check_metadata(info, &metadata).err().into_iter().flat_map(lines));
    if messages.is_empty() {
        messages.push("The inputs are valid, but this server cannot look up values in external systems yet.".into());
    }
    Ok(messages.join("; "))
}

async fn stored_inputs(
    engine: &Engine,
    tx: &mut hostler_database::Transaction,
    id: i64,
) -> Result<Map<String, Json>, Error> {
    let query = Query::select()
        .expr(column(CREDENTIAL.table, INPUTS.column))
        .from(Alias::new(CREDENTIAL.table))
        .and_where(column(CREDENTIAL.table, "id").eq(id))
        .to_owned();
    let mut record = Record::empty(&CREDENTIAL);
    record.id = id;
    if let Some(Value::Json(inputs)) =
        tx.read(&query, &[Type::Json]).await?.into_iter().next().and_then(|row| row.0.into_iter().next())
    {
        record.set(&INPUTS, Value::Json(inputs));
    }
    decrypted(engine, &record, &INPUTS)
}

fn object(body: &Map<String, Json>, key: &str) -> Result<Map<String, Json>, String> {
    match body.get(key) {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(object)) => Ok(object.clone()),
        Some(_) => Err(format!("{key} must be an object")),
    }
}

fn lines(errors: InputErrors) -> Vec<String> {
    match errors {
        InputErrors::General(messages) => messages,
        InputErrors::PerInput(parts) => {
            parts.into_iter().map(|(id, messages)| format!("{id}: {}", messages.join(" "))).collect()
        }
    }
}
