//! Validation of credential inputs by the credential's type.

use hostler_credential_types::{CredentialTypeInfo, InputErrors, InputSchema};
use hostler_database::{Transaction, Value};
use hostler_engine::{ENCRYPTED, Edit, Engine, Error};
use hostler_schema::{Field, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use crate::encrypted_inputs::{input_error, inputs_of, merge_with_stored, not_an_object, store};
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
        let row: Option<(String, String, Option<String>, Json)> = tx.read_first(&query).await?;
        let (name, kind, namespace, inputs) =
            row.ok_or_else(|| Error::Conflict("The credential type was deleted at the same moment.".into()))?;
        let inputs = InputSchema::read(&inputs);
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

/// Checks the new inputs of a credential and prepares them for storage.
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
    let stored = edit.old.as_ref().map(|old| inputs_of(old, field));
    let keeps = |sent: &Map<String, Json>, name: &str| keeps_empty(edit, definition, sent, name);
    // The check against the type rejects inputs that the type does not have, as in AWX.
    let stays = |name: &str| definition.inputs.field(name).is_none_or(|field| field.secret);
    let mut plain = merge_with_stored(engine, edit, field, keeps, stays)?;
    // A mask that is left has nothing to keep. In a new credential the check against the type rejects it.
    if let Some((name, _)) = plain.iter().find(|(_, value)| !edit.is_new() && *value == ENCRYPTED) {
        let message = format!("{ENCRYPTED} keeps the stored value, but there is none: send the value itself.");
        return Err(input_error(field, name, message));
    }
    definition.check(field, &mut plain, stored.as_ref())?;
    // As in AWX, an empty secret is not stored at all.
    plain.retain(|name, value| !(value == "" && definition.is_secret_field(name)));
    store(engine, tx, edit, field, plain, |name, value| definition.is_secret(name, value)).await
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
