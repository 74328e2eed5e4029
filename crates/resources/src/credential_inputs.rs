//! Validation, encryption and decryption of credential inputs. Each secret input is
//! encrypted on its own, bound to its credential and its name.

use hostler_credential_types::{CredentialTypeInfo, InputErrors, InputSchema};
use hostler_database::{Transaction, Type, Value};
use hostler_engine::{ENCRYPTED, Edit, Engine, Error, Record};
use hostler_schema::{Field, column};
use hostler_vault::{SecretContext, is_encrypted};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use crate::{CREDENTIAL, CREDENTIAL_TYPE};

/// The credential type of a credential, as far as its inputs depend on it.
pub struct TypeDefinition {
    /// The name of the type.
    pub name: String,
    /// The kind of the type, such as `cloud`.
    pub kind: String,
    /// The fixed identifier of a managed type; `None` for a custom type.
    pub namespace: Option<String>,
    /// The definition of the inputs.
    pub inputs: InputSchema,
}

impl TypeDefinition {
    /// Loads a credential type by its id.
    ///
    /// # Errors
    /// Database errors; [`Error::Conflict`] if the type was deleted.
    pub async fn load(tx: &mut Transaction, id: i64) -> Result<Self, Error> {
        let query = Query::select()
            .exprs(COLUMNS.map(|name| column(CREDENTIAL_TYPE.table, name)))
            .from(Alias::new(CREDENTIAL_TYPE.table))
            .and_where(column(CREDENTIAL_TYPE.table, "id").eq(id))
            .to_owned();
        Self::read(tx, query).await
    }

    /// Loads the type of the credential with this id.
    ///
    /// # Errors
    /// As [`TypeDefinition::load`].
    pub async fn load_for_credential(tx: &mut Transaction, id: i64) -> Result<Self, Error> {
        let query = Query::select()
            .exprs(COLUMNS.map(|name| column(CREDENTIAL_TYPE.table, name)))
            .from(Alias::new(CREDENTIAL_TYPE.table))
            .inner_join(
                Alias::new(CREDENTIAL.table),
                column(CREDENTIAL.table, "credential_type_id").eq(column(CREDENTIAL_TYPE.table, "id")),
            )
            .and_where(column(CREDENTIAL.table, "id").eq(id))
            .to_owned();
        Self::read(tx, query).await
    }

    async fn read(tx: &mut Transaction, query: sea_query::SelectStatement) -> Result<Self, Error> {
        let rows = tx.read(&query, &[Type::Text, Type::Text, Type::Text, Type::Json]).await?;
        let row = rows
            .into_iter()
            .next()
            .ok_or_else(|| Error::Conflict("The credential type was deleted at the same moment.".into()))?;
        let text = |index| row.text(index).map(str::to_owned);
        let (name, kind, namespace) = (text(0).unwrap_or_default(), text(1).unwrap_or_default(), text(2));
        let inputs = match row.0.into_iter().nth(3) {
            Some(Value::Json(json)) => InputSchema::read(&json),
            _ => InputSchema::default(),
        };
        Ok(TypeDefinition { name, kind, namespace, inputs })
    }

    /// Whether credentials of this type look up values in an external system.
    pub fn is_external(&self) -> bool {
        self.kind == "external"
    }

    /// The ids of the input fields.
    pub fn field_names(&self) -> Vec<&str> {
        self.inputs.fields.iter().map(|field| field.id.as_str()).collect()
    }

    /// Whether this value of this field must be encrypted.
    fn is_secret(&self, name: &str, value: &str) -> bool {
        let Some(field) = self.inputs.field(name) else { return false };
        let asks = field.ask_at_runtime && value == ASK;
        field.secret && !value.is_empty() && !asks
    }

    /// Whether the field with this name is a secret one.
    fn is_secret_field(&self, name: &str) -> bool {
        self.inputs.field(name).is_some_and(|field| field.secret)
    }
}

/// The columns of a credential type that [`TypeDefinition`] needs.
const COLUMNS: [&str; 4] = ["name", "kind", "namespace", "inputs"];

/// The value that makes a job ask for the input at launch. It is not a secret.
const ASK: &str = "ASK";

/// Checks the new inputs of a credential and prepares them for storage. Secrets of an
/// existing credential are encrypted here. Secrets of a new one are encrypted by
/// [`encrypt_new`], because they are bound to the id.
///
/// # Errors
/// [`Error::Invalid`] and [`Error::InvalidNested`] for inputs that do not fit the definition.
pub async fn prepare(
    engine: &Engine,
    tx: &mut Transaction,
    edit: &mut Edit<'_>,
    field: &'static Field,
    definition: &TypeDefinition,
) -> Result<(), Error> {
    let stored = edit.old.as_ref().map(|old| inputs_of(old, field)).unwrap_or_default();
    let mut plain = merge_with_stored(engine, edit, field, definition, &stored)?;
    definition.check(field, &mut plain, edit.old.is_some().then_some(&stored))?;
    // As in AWX, an empty secret is not stored at all.
    plain.retain(|name, value| !(value == "" && definition.is_secret_field(name)));
    if edit.is_new() {
        edit.secrets.insert(field.name, Json::Object(plain.clone()).to_string());
        plain.retain(|name, value| !value.as_str().is_some_and(|value| definition.is_secret(name, value)));
        edit.new.set(field, Value::Json(plain.into()));
        return Ok(());
    }
    let id = edit.new.id;
    let encryptor = engine.vault.encryptor(tx).await?;
    for (name, value) in &mut plain {
        let Some(text) = value.as_str().filter(|text| definition.is_secret(name, text)) else { continue };
        // Encryption is randomized: reuse the stored text of an unchanged secret, so that it does not count as changed.
        let unchanged = match stored.get(name).and_then(Json::as_str).filter(|old| is_encrypted(old)) {
            Some(old) if decrypt(engine, id, field, name, old)? == text => Some(old.to_owned()),
            _ => None,
        };
        *value = unchanged.unwrap_or_else(|| encryptor.encrypt(&context(id, &key(field, name)), text)).into();
    }
    edit.new.set(field, Value::Json(plain.into()));
    Ok(())
}

/// The sent inputs in plain text, with the stored value for each one that the client
/// wants to keep.
fn merge_with_stored(
    engine: &Engine,
    edit: &Edit<'_>,
    field: &'static Field,
    definition: &TypeDefinition,
    stored: &Map<String, Json>,
) -> Result<Map<String, Json>, Error> {
    let sent = match edit.new.get(field) {
        Value::Json(Json::Object(sent)) => sent,
        other => return Err(not_an_object(field, other)),
    };
    let mut plain = Map::new();
    for (name, value) in sent {
        let value = match (value.as_str(), stored.get(name).and_then(Json::as_str)) {
            // The stored text itself is in `sent` if the request changes only the type.
            (Some(text), Some(old))
                if text == ENCRYPTED || text == old || keeps_empty(edit, definition, sent, name) =>
            {
                if is_encrypted(old) { decrypt(engine, edit.new.id, field, name, old)?.into() } else { old.into() }
            }
            // For a new credential the check against the type rejects it.
            (Some(ENCRYPTED), None) if !edit.is_new() => {
                let message = format!("{ENCRYPTED} keeps the stored value, but there is none: send the value itself.");
                return Err(input_error(field, name, message));
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

/// Whether an empty text keeps the stored secret: `awx import` sends PUT with an empty
/// text for each `$encrypted$` of an export. PATCH empties the secret.
fn keeps_empty(edit: &Edit<'_>, definition: &TypeDefinition, sent: &Map<String, Json>, name: &str) -> bool {
    let text = |name: &str| sent.get(name).and_then(Json::as_str).unwrap_or_default();
    if !edit.replaces || !text(name).is_empty() || !definition.is_secret_field(name) {
        return false;
    }
    // A new private key does not keep the passphrase of the old one.
    let has_new_key = !matches!(text("ssh_key_data"), "" | ENCRYPTED);
    !(name == "ssh_key_unlock" && has_new_key)
}

/// Encrypts the secrets of a credential that has just been created.
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
    let encryptor = engine.vault.encryptor(tx).await?;
    for (name, value) in inputs.iter_mut().filter(|(name, _)| !public.contains_key(*name)) {
        if let Some(text) = value.as_str() {
            *value = encryptor.encrypt(&context(id, &key(field, name)), text).into();
        }
    }
    let update = Query::update()
        .table(Alias::new(CREDENTIAL.table))
        .value(Alias::new(field.column), Json::Object(inputs).to_string())
        .and_where(column(CREDENTIAL.table, "id").eq(id))
        .to_owned();
    tx.execute_inline(&update).await?;
    Ok(())
}

/// The inputs of a credential with its secrets in plain text.
///
/// # Errors
/// Vault errors.
pub fn decrypted(engine: &Engine, record: &Record, field: &'static Field) -> Result<Map<String, Json>, Error> {
    let mut inputs = inputs_of(record, field);
    for (name, value) in &mut inputs {
        if let Some(text) = value.as_str().filter(|text| is_encrypted(text)) {
            *value = decrypt(engine, record.id, field, name, text)?.into();
        }
    }
    Ok(inputs)
}

fn inputs_of(record: &Record, field: &Field) -> Map<String, Json> {
    match record.get(field) {
        Value::Json(Json::Object(inputs)) => inputs.clone(),
        _ => Map::new(),
    }
}

/// The name by which an encrypted input is bound to its credential.
fn key(field: &Field, name: &str) -> String {
    format!("{}.{name}", field.name)
}

fn context(id: i64, key: &str) -> SecretContext<'_> {
    SecretContext::new(CREDENTIAL.name, id, key)
}

fn decrypt(engine: &Engine, id: i64, field: &Field, name: &str, text: &str) -> Result<String, Error> {
    Ok(engine.vault.decrypt(&context(id, &key(field, name)), text)?.to_string())
}

fn input_error(field: &Field, name: &str, message: impl Into<String>) -> Error {
    let parts = vec![(name.to_owned(), vec![message.into()])];
    Error::InvalidNested { field: field.name.to_owned(), parts, others: vec![] }
}

/// The name of a value's type in AWX's messages.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Json(Json::String(_)) => "str",
        Value::Json(Json::Array(_)) => "list",
        Value::Json(Json::Bool(_)) => "bool",
        Value::Json(Json::Number(number)) if number.is_f64() => "float",
        Value::Json(Json::Number(_)) => "int",
        Value::Json(Json::Object(_)) => "dict",
        _ => "NoneType",
    }
}

impl TypeDefinition {
    /// What the checks of values need besides the inputs.
    pub fn info(&self) -> CredentialTypeInfo<'_> {
        CredentialTypeInfo { name: &self.name, kind: &self.kind, managed: self.namespace.is_some() }
    }

    fn check(
        &self,
        field: &Field,
        values: &mut Map<String, Json>,
        stored: Option<&Map<String, Json>>,
    ) -> Result<(), Error> {
        self.inputs.check_values(self.info(), values, stored).map_err(|errors| failure(field, errors))
    }

    /// Checks the metadata of an input source against its source credential's type.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::InvalidNested`].
    pub fn check_metadata(&self, field: &Field, metadata: &Value) -> Result<(), Error> {
        let Value::Json(Json::Object(values)) = metadata else { return Err(not_an_object(field, metadata)) };
        self.inputs.check_metadata(self.info(), values).map_err(|errors| failure(field, errors))
    }
}

fn failure(field: &Field, errors: InputErrors) -> Error {
    let field = field.name.to_owned();
    match errors {
        InputErrors::General(messages) => Error::Invalid(vec![(field, messages)]),
        InputErrors::PerInput(parts) => Error::InvalidNested { field, parts, others: vec![] },
    }
}

fn not_an_object(field: &Field, value: &Value) -> Error {
    Error::field(field.name, format!("{} provided, expected dict", type_name(value)))
}
