//! `variable_data/`: the variables of an inventory, host or group as a JSON object.

use async_trait::async_trait;
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, ObjectKey, UpdateMethod};
use hostler_schema::{ActionAnswer, ActionMethod, Field, HttpMethod, Permit, ResourceAction, column, fields};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

pub(super) const PATH: &str = "variable_data";

const NAME: &str = "variables";
static VARIABLES: Field = fields::variables(NAME).label("Variables").help("The variables.");

/// The description of the action, whose variables the actor may change on these objects.
pub(super) const fn action(title: &'static str, permit: Permit) -> ResourceAction {
    let change = ActionMethod::new("replace", ActionAnswer::Document(&VARIABLES)).permit(permit).whole_body(&VARIABLES);
    ResourceAction::new(PATH, title)
        .describe("The variables as one JSON object. PUT and PATCH replace all of them.")
        .get(ActionMethod::new("read", ActionAnswer::Document(&VARIABLES)))
        .put(change)
        .patch(change)
}

/// Reads and replaces variables.
pub(super) struct VariableData;

#[async_trait]
impl ActionHandler for VariableData {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let ActionRequest { actor, resource, method, id, .. } = request;
        if method == HttpMethod::Get {
            let query = Query::select()
                .expr(column(resource.table, NAME))
                .from(Alias::new(resource.table))
                .and_where(column(resource.table, "id").eq(id))
                .to_owned();
            let text: Option<String> = engine.database.read_first(&query).await?;
            let text = text.ok_or(Error::NotFound(Some(resource.label)))?;
            let variables =
                hostler_variables::parse(&text).map_err(|problem| Error::BadRequest(problem.to_string()))?;
            return Ok(ActionResponse::Fields(variables.into()));
        }
        let mut change = Map::new();
        change.insert(NAME.into(), Json::from(hostler_variables::to_text(&request.body)));
        engine.update(actor, resource, &ObjectKey::Id(id), UpdateMethod::Patch, &change, None).await?;
        Ok(ActionResponse::Fields(request.body.into()))
    }
}
