//! The values of credentials on their way to and from the database: what is
//! secret among them is stored sealed, each bound to its credential and its name.

use hostler_credential_types::{CredentialTypeInfo, InputErrors, InputSchema};
use hostler_database::{Transaction, Type, Value};
use hostler_engine::{ENCRYPTED, Edit, Engine, Error, Record};
use hostler_schema::{Field, column};
use hostler_vault::{SecretContext, is_encrypted};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use crate::{CREDENTIAL, CREDENTIAL_TYPE};

/// The definition that a credential has to fit.
pub struct TypeDefinition {
    /// The type's name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What names it, if it is managed.
    pub namespace: Option<String>,
    /// What a credential consists of.
    pub inputs: InputSchema,
}

impl TypeDefinition {
    /// That of the credential type with this id.
    ///
    /// # Errors
    /// What the database says; [`Error::Conflict`] if the type is gone.
    pub async fn load(tx: &mut Transaction, id: i64) -> Result<Self, Error> {
        let query = Query::select()
            .exprs(COLUMNS.map(|name| column(CREDENTIAL_TYPE.table, name)))
            .from(Alias::new(CREDENTIAL_TYPE.table))
            .and_where(column(CREDENTIAL_TYPE.table, "id").eq(id))
            .to_owned();
        Self::read(tx, query).await
    }

    /// That of the type of the credential with this id.
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
        let text = |place| row.text(place).map(str::to_owned);
        let (name, kind, namespace) = (text(0).unwrap_or_default(), text(1).unwrap_or_default(), text(2));
        let inputs = match row.0.into_iter().nth(3) {
            Some(Value::Json(json)) => InputSchema::read(&json),
            _ => InputSchema::default(),
        };
        Ok(TypeDefinition { name, kind, namespace, inputs })
    }

    /// Whether values are looked up with such credentials.
    pub fn is_external(&self) -> bool {
        self.kind == "external"
    }

    /// The names of the fields of such a credential.
    pub fn field_names(&self) -> Vec<&str> {
        self.inputs.fields.iter().map(|field| field.id.as_str()).collect()
    }

    /// Whether this value of this field has to be sealed.
    fn is_secret(&self, name: &str, value: &str) -> bool {
        let Some(field) = self.inputs.field(name) else { return false };
        // The word by which somebody is asked for the value at launch is no secret.
        let asks = field.ask_at_runtime && value == ASK;
        field.secret && !value.is_empty() && !asks
    }
}

/// What is read of a type.
const COLUMNS: [&str; 4] = ["name", "kind", "namespace", "inputs"];

/// In the place of a value that is asked for when work starts.
const ASK: &str = "ASK";

/// Checks the values that a credential shall have and makes them ready to be
/// stored: those of an existing one are sealed where they are secret; the secrets
/// of a new one wait for [`encrypt_new`], because they are bound to its id.
///
/// # Errors
/// [`Error::Invalid`] and [`Error::InvalidNested`] for values that do not fit the definition.
pub async fn prepare(
    engine: &Engine,
    tx: &mut Transaction,
    edit: &mut Edit<'_>,
    field: &'static Field,
    definition: &TypeDefinition,
) -> Result<(), Error> {
    let stored = edit.old.as_ref().map(|old| values(old, field)).unwrap_or_default();
    let sent = match edit.new.get(field) {
        Value::Json(Json::Object(sent)) => sent.clone(),
        other => return Err(not_an_object(field, other)),
    };
    let id = edit.new.id;
    let mut plain = Map::new();
    for (name, value) in sent {
        let value = match (value.as_str(), stored.get(&name).and_then(Json::as_str)) {
            // The client keeps what is stored, or did not send any inputs but another type.
            (Some(text), Some(kept)) if is_encrypted(kept) && (text == ENCRYPTED || text == kept) => {
                open(engine, id, field, &name, kept)?.into()
            }
            (Some(ENCRYPTED), Some(kept)) => kept.into(),
            // What a new one may not hold is for its type to say.
            (Some(ENCRYPTED), None) if !edit.is_new() => {
                let message =
                    format!("{ENCRYPTED} keeps the value that is stored, but none is: send the value itself.");
                return Err(part(field, &name, message));
            }
            (Some(text), _) if is_encrypted(text) => {
                return Err(part(field, &name, "This text cannot be told from one that is stored encrypted."));
            }
            _ => value,
        };
        plain.insert(name, value);
    }
    definition.check(field, &mut plain, edit.old.is_some().then_some(&stored))?;
    if edit.is_new() {
        edit.secrets.insert(field.name, Json::Object(plain.clone()).to_string());
        plain.retain(|name, value| !value.as_str().is_some_and(|value| definition.is_secret(name, value)));
        edit.new.set(field, Value::Json(plain.into()));
        return Ok(());
    }
    let encryptor = engine.vault.encryptor(tx).await?;
    for (name, value) in &mut plain {
        let Some(text) = value.as_str().filter(|text| definition.is_secret(name, text)) else { continue };
        // What stays the same stays as it is, so that nothing counts as changed.
        let kept = match stored.get(name).and_then(Json::as_str).filter(|kept| is_encrypted(kept)) {
            Some(kept) if open(engine, id, field, name, kept)? == text => Some(kept.to_owned()),
            _ => None,
        };
        *value = kept.unwrap_or_else(|| encryptor.encrypt(&place(id, &key(field, name)), text)).into();
    }
    edit.new.set(field, Value::Json(plain.into()));
    Ok(())
}

/// Seals the secrets of a credential that has just been created.
///
/// # Errors
/// What the vault and the database say.
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
    let open = values(&edit.new, field);
    if open.len() == inputs.len() {
        return Ok(());
    }
    let encryptor = engine.vault.encryptor(tx).await?;
    for (name, value) in inputs.iter_mut().filter(|(name, _)| !open.contains_key(*name)) {
        if let Some(text) = value.as_str() {
            *value = encryptor.encrypt(&place(id, &key(field, name)), text).into();
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

/// The values of a credential with its secrets in plain text.
///
/// # Errors
/// What the vault says.
pub fn decrypted(engine: &Engine, record: &Record, field: &'static Field) -> Result<Json, Error> {
    let mut inputs = values(record, field);
    for (name, value) in &mut inputs {
        if let Some(sealed) = value.as_str().filter(|text| is_encrypted(text)) {
            *value = open(engine, record.id, field, name, sealed)?.into();
        }
    }
    Ok(inputs.into())
}

fn values(record: &Record, field: &Field) -> Map<String, Json> {
    match record.get(field) {
        Value::Json(Json::Object(values)) => values.clone(),
        _ => Map::new(),
    }
}

/// What a sealed value is bound to: the credential and the value's own name.
fn key(field: &Field, name: &str) -> String {
    format!("{}.{name}", field.name)
}

fn place(id: i64, key: &str) -> SecretContext<'_> {
    SecretContext::new(CREDENTIAL.name, id, key)
}

fn open(engine: &Engine, id: i64, field: &Field, name: &str, sealed: &str) -> Result<String, Error> {
    Ok(engine.vault.decrypt(&place(id, &key(field, name)), sealed)?.to_string())
}

fn part(field: &Field, name: &str, message: impl Into<String>) -> Error {
    Error::InvalidNested(field.name.to_owned(), vec![(name.to_owned(), vec![message.into()])])
}

/// A value's type as AWX names it.
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
    fn info(&self) -> CredentialTypeInfo<'_> {
        CredentialTypeInfo { name: &self.name, kind: &self.kind, managed: self.namespace.is_some() }
    }

    fn check(
        &self,
        field: &Field,
        values: &mut Map<String, Json>,
        stored: Option<&Map<String, Json>>,
    ) -> Result<(), Error> {
        self.inputs.check_values(self.info(), values, stored).map_err(|problems| failure(field, problems))
    }

    /// Whether this may stand beside a source of such a type.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check_metadata(&self, field: &Field, metadata: &Value) -> Result<(), Error> {
        let Value::Json(Json::Object(values)) = metadata else { return Err(not_an_object(field, metadata)) };
        self.inputs.check_metadata(self.info(), values).map_err(|problems| failure(field, problems))
    }
}

fn failure(field: &Field, problems: InputErrors) -> Error {
    match problems {
        InputErrors::General(messages) => Error::Invalid(vec![(field.name.to_owned(), messages)]),
        InputErrors::PerInput(parts) => Error::InvalidNested(field.name.to_owned(), parts),
    }
}

fn not_an_object(field: &Field, value: &Value) -> Error {
    Error::field(field.name, format!("{} provided, expected dict", type_name(value)))
}
