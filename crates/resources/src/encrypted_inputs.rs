//! Values of a field of the kind `Inputs`: a JSON object, some of whose values are encrypted, each on its own and bound
//! to its object and its name.

use hostler_database::{Transaction, Value};
use hostler_engine::{ENCRYPTED, Edit, Engine, Error, Record, python_type};
use hostler_schema::{Field, Resource, column};
use hostler_vault::{SecretContext, is_encrypted};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

/// The sent object in plain text, with the stored value for each one that the client wants to keep. `keeps` says whether
/// the value with this name is to be kept although the client did not send the mask. A stored secret is left out unless
/// `is_secret` says that its name is still that of a secret: otherwise it would be stored and shown in plain text.
///
/// # Errors
/// [`Error::Invalid`] for another JSON value, [`Error::InvalidNested`] for a text that looks like an encrypted one; vault
/// errors.
pub fn merge_with_stored(
    engine: &Engine,
    edit: &Edit<'_>,
    field: &Field,
    keeps: impl Fn(&Map<String, Json>, &str) -> bool,
    is_secret: impl Fn(&str) -> bool,
) -> Result<Map<String, Json>, Error> {
    let sent = match edit.new.get(field) {
        Value::Json(Json::Object(sent)) => sent,
        other => return Err(not_an_object(field, other)),
    };
    let stored = edit.old.as_ref().map(|old| inputs_of(old, field)).unwrap_or_default();
    let mut plain = Map::new();
    for (name, value) in sent {
        let value = match (value.as_str(), stored.get(name).and_then(Json::as_str)) {
            // The stored text itself is in `sent` if the request changes only the type.
            (Some(text), Some(old)) if text == ENCRYPTED || text == old || keeps(sent, name) => {
                if !is_encrypted(old) {
                    old.into()
                } else if is_secret(name) {
                    decrypt(engine, &edit.new, field, name, old)?.into()
                } else {
                    continue;
                }
            }
            (Some(text), _) if is_encrypted(text) => {
                return Err(input_error(field, name, "This text has the form of a stored, encrypted value."));
            }
            _ => value.clone(),
        };
        plain.insert(name.clone(), value);
    }
    Ok(plain)
}

/// Sets the value that is stored: the plain values, with the secret texts among them encrypted. Those of a new object are
/// encrypted by [`encrypt_new`], because they are bound to its id.
///
/// # Errors
/// Vault and database errors.
pub async fn store(
    engine: &Engine,
    tx: &mut Transaction,
    edit: &mut Edit<'_>,
    field: &'static Field,
    mut plain: Map<String, Json>,
    is_secret: impl Fn(&str, &str) -> bool,
) -> Result<(), Error> {
    let Some(old) = &edit.old else {
        edit.secrets.insert(field.name, Json::Object(plain.clone()).to_string());
        plain.retain(|name, value| !value.as_str().is_some_and(|value| is_secret(name, value)));
        edit.new.set(field, Value::Json(plain.into()));
        return Ok(());
    };
    let stored = inputs_of(old, field);
    let mut encryptor = None;
    for (name, value) in &mut plain {
        let Some(text) = value.as_str().filter(|text| is_secret(name, text)) else { continue };
        // Encryption is randomized: reuse the stored text of an unchanged secret, so that it does not count as changed.
        let unchanged = match stored.get(name).and_then(Json::as_str).filter(|old| is_encrypted(old)) {
            Some(old) if decrypt(engine, &edit.new, field, name, old)? == text => Some(old.to_owned()),
            _ => None,
        };
        *value = match unchanged {
            Some(old) => old.into(),
            None => {
                // The encryptor locks the current key.
                let encryptor = match &encryptor {
                    Some(encryptor) => encryptor,
                    None => encryptor.insert(engine.vault.encryptor(tx).await?),
                };
                encryptor.encrypt(&context(edit.new.resource, edit.new.id, &key(field, name)), text).into()
            }
        };
    }
    edit.new.set(field, Value::Json(plain.into()));
    Ok(())
}

/// Encrypts the secrets of an object that has just been created.
///
/// # Errors
/// Vault and database errors.
pub async fn encrypt_new(
    engine: &Engine,
    tx: &mut Transaction,
    edit: &Edit<'_>,
    field: &'static Field,
    id: i64,
) -> Result<(), Error> {
    let Some(Ok(Json::Object(mut inputs))) = edit.secrets.get(field.name).map(|text| serde_json::from_str(text)) else {
        return Ok(());
    };
    let public = inputs_of(&edit.new, field);
    if public.len() == inputs.len() {
        return Ok(());
    }
    let resource = edit.new.resource;
    let encryptor = engine.vault.encryptor(tx).await?;
    for (name, value) in inputs.iter_mut().filter(|(name, _)| !public.contains_key(*name)) {
        if let Some(text) = value.as_str() {
            *value = encryptor.encrypt(&context(resource, id, &key(field, name)), text).into();
        }
    }
    let update = Query::update()
        .table(Alias::new(resource.table))
        .value(Alias::new(field.column), Json::Object(inputs).to_string())
        .and_where(column(resource.table, "id").eq(id))
        .to_owned();
    tx.execute_inline(&update).await?;
    Ok(())
}

/// These secret texts, encrypted for a field of an object.
///
/// # Errors
/// Vault and database errors.
pub async fn encrypted(
    engine: &Engine,
    tx: &mut Transaction,
    (resource, id): (&'static Resource, i64),
    field: &Field,
    mut plain: Map<String, Json>,
) -> Result<Map<String, Json>, Error> {
    if plain.is_empty() {
        return Ok(plain);
    }
    let encryptor = engine.vault.encryptor(tx).await?;
    for (name, value) in &mut plain {
        if let Some(text) = value.as_str() {
            *value = encryptor.encrypt(&context(resource, id, &key(field, name)), text).into();
        }
    }
    Ok(plain)
}

/// The stored object with its secrets in plain text.
///
/// # Errors
/// Vault errors.
pub fn decrypted(engine: &Engine, record: &Record, field: &Field) -> Result<Map<String, Json>, Error> {
    let mut inputs = inputs_of(record, field);
    for (name, value) in &mut inputs {
        if let Some(text) = value.as_str().filter(|text| is_encrypted(text)) {
            *value = decrypt(engine, record, field, name, text)?.into();
        }
    }
    Ok(inputs)
}

/// The stored object, with its secrets encrypted.
pub fn inputs_of(record: &Record, field: &Field) -> Map<String, Json> {
    match record.get(field) {
        Value::Json(Json::Object(inputs)) => inputs.clone(),
        _ => Map::new(),
    }
}

/// The error for one of the values.
pub fn input_error(field: &Field, name: &str, message: impl Into<String>) -> Error {
    let parts = vec![(name.to_owned(), vec![message.into()])];
    Error::InvalidNested { field: field.name.to_owned(), parts, others: vec![] }
}

/// The error for a value that is no JSON object.
pub fn not_an_object(field: &Field, value: &Value) -> Error {
    let type_name = if let Value::Json(json) = value { python_type(json) } else { "NoneType" };
    Error::field(field.name, format!("{type_name} provided, expected dict"))
}

/// The name by which an encrypted value is bound to its object.
fn key(field: &Field, name: &str) -> String {
    format!("{}.{name}", field.name)
}

fn context<'k>(resource: &'static Resource, id: i64, key: &'k str) -> SecretContext<'k> {
    SecretContext::new(resource.name, id, key)
}

fn decrypt(engine: &Engine, record: &Record, field: &Field, name: &str, text: &str) -> Result<String, Error> {
    Ok(engine.vault.decrypt(&context(record.resource, record.id, &key(field, name)), text)?.to_string())
}
