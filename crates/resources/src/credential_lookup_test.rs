//! `credentials/N/test/` and `credential_types/N/test/`: checks the inputs and metadata
//! of a lookup. The lookup itself is not implemented.

use async_trait::async_trait;
use hostler_credential_types::InputErrors;
use hostler_database::{Type, Value};
use hostler_engine::{ActionHandler, ActionInput, ActionRequest, ActionResponse, ENCRYPTED, Engine, Error, Record};
use hostler_schema::{ActionAnswer, ActionMethod, Field, HttpMethod, Permit, Resource, ResourceAction, column, fields};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::credential_inputs::TypeDefinition;
use crate::credentials::INPUTS;
use crate::encrypted_inputs::decrypted;
use crate::{CREDENTIAL, CREDENTIAL_TYPE};

/// The path of the action.
pub const LOOKUP_TEST: &str = "test";

const SENT_INPUTS: Field = fields::json("inputs")
    .label("Inputs")
    .not_filterable()
    .help("Inputs of the external system, as an object. They replace those of the credential one by one.");
const METADATA: Field =
    fields::json("metadata").label("Metadata").not_filterable().help("What to look up, as an object.");

/// `test/`, for these credentials or credential types.
pub const fn lookup_test(title: &'static str, permit: Permit) -> ResourceAction {
    ResourceAction::new(LOOKUP_TEST, title)
        .describe("Tests a lookup in an external system with these inputs and metadata.")
        .get(ActionMethod::new("whether you may test a lookup", ActionAnswer::Fields(&[])).permit(permit))
        .post(
            ActionMethod::new("test a lookup", ActionAnswer::Accepted(&[]))
                .permit(permit)
                .input(&[SENT_INPUTS, METADATA]),
        )
        .unlinked()
}

/// Tests a lookup with a credential or a credential type.
pub struct LookupTest;

#[async_trait]
impl ActionHandler for LookupTest {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        if request.method == HttpMethod::Get {
            return Ok(ActionResponse::Fields(json!({})));
        }
        let reason = reason_of_failure(engine, request.resource, request.id, &request.input).await?;
        Ok(ActionResponse::Rejected(json!({ SENT_INPUTS.name: reason })))
    }
}

/// Why the test of a lookup fails.
async fn reason_of_failure(
    engine: &Engine,
    resource: &Resource,
    id: i64,
    input: &ActionInput,
) -> Result<String, Error> {
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
    let sent = match object(input, &SENT_INPUTS) {
        Ok(sent) => sent,
        Err(message) => return Ok(message),
    };
    let metadata = match object(input, &METADATA) {
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

fn object(input: &ActionInput, field: &Field) -> Result<Map<String, Json>, String> {
    match input.json(field) {
        None | Some(Json::Null) => Ok(Map::new()),
        Some(Json::Object(object)) => Ok(object.clone()),
        Some(_) => Err(format!("{} must be an object", field.name)),
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
