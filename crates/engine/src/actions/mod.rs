//! Actions: paths that are neither lists nor objects.
//!
//! The engine finds the object and checks the permission in one statement, and decodes the input by the description.
//! Then the handler of the resource does the work, or the server for actions that need more than the engine.

mod copy;
mod input;
mod options;

use async_trait::async_trait;
use hostler_database::Type;
use hostler_schema::{
    ActionAnswer, ActionFormat, ActionHandling, ActionMethod, Actor, HttpMethod, Resource, ResourceAction, Rule,
};
use sea_query::Query;
use serde_json::{Map, Value as Json};

pub use self::input::ActionInput;
use crate::read::find_with_rules;
use crate::select::ROW;
use crate::{CreatedObject, Engine, Error, ObjectKey};

/// A request for an action by an actor who has the permission.
pub struct ActionRequest<'a> {
    /// The actor.
    pub actor: &'a Actor,
    /// The resource that describes the action.
    pub resource: &'static Resource,
    /// The action.
    pub action: &'static ResourceAction,
    /// The method.
    pub method: HttpMethod,
    /// The id of the object, which the actor may see; 0 for an action without an object.
    pub id: i64,
    /// The values of the body, or of the query of GET.
    pub input: ActionInput,
    /// The body of a method that takes it as a whole.
    pub body: Map<String, Json>,
    /// The requested format among those of the action; `None` for JSON.
    pub format: Option<&'static ActionFormat>,
    description: &'static ActionMethod,
    /// Whether the actor may POST. False unless that is the response.
    can_post: bool,
}

/// The response of an action.
pub enum ActionResponse {
    /// These fields.
    Fields(Json),
    /// These fields of something new that has no path of its own.
    NewFields(Json),
    /// A new object.
    NewObject(CreatedObject),
    /// These fields, of work that was accepted and continues.
    Accepted(Json),
    /// No content.
    Nothing,
    /// A text in a format of the action.
    Text(&'static ActionFormat, String),
    /// A file, which is sent while it is produced.
    Download(Download),
    /// The request is invalid, for reasons in a form of its own.
    Rejected(Json),
    /// The actor lacks a permission, with reasons in a form of its own.
    Forbidden(Json),
}

/// A file that is produced in parts.
pub struct Download {
    /// The format.
    pub format: &'static ActionFormat,
    /// The name of the file, of ASCII letters, digits, `_` and `.`.
    pub file_name: String,
    /// The content.
    pub parts: Box<dyn DownloadParts>,
}

/// The parts of a file.
#[async_trait]
pub trait DownloadParts: Send {
    /// The next part; none at the end. It is called when the client has read the part before.
    ///
    /// # Errors
    /// The connection is closed.
    async fn next_part(&mut self) -> Result<Option<Vec<u8>>, Error>;
}

/// Does the work of an action.
#[async_trait]
pub trait ActionHandler: Send + Sync {
    /// Handles a request, after its permission and its input were checked.
    ///
    /// # Errors
    /// Any error: the request fails.
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error>;
}

impl ActionRequest<'_> {
    /// Decodes the input from the body, or from the query of GET.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn read_input(&mut self, sent: &Map<String, Json>) -> Result<(), Error> {
        if self.description.whole_body {
            self.body = sent.clone();
        } else {
            self.input = ActionInput::decode(self.description.input, sent, self.method)?;
        }
        Ok(())
    }

    /// The description of the method.
    pub fn description(&self) -> &'static ActionMethod {
        self.description
    }
}

impl Engine {
    /// Finds the object of an action and checks the permission for the method. The request has no input yet.
    ///
    /// # Errors
    /// As for [`Engine::show`]; [`Error::MethodNotAllowed`], and [`Error::NotImplemented`].
    pub async fn begin_action<'a>(
        &self,
        actor: &'a Actor,
        resource: &'static Resource,
        action: &'static ResourceAction,
        target: Option<&ObjectKey>,
        method: HttpMethod,
    ) -> Result<ActionRequest<'a>, Error> {
        let description = action.method(method);
        let is_implemented = action.handling != ActionHandling::Unimplemented;
        if description.is_none() && is_implemented {
            return Err(Error::MethodNotAllowed);
        }
        let mut rules = vec![description.map_or(Rule::All, |description| rule(Some(description), actor))];
        if description.is_some_and(|description| matches!(description.answer, ActionAnswer::Permission(_))) {
            rules.push(rule(action.method(HttpMethod::Post), actor));
        }
        let (id, allowed) = self.check_action(actor, resource, target, rules).await?;
        let is_allowed = |position: usize| allowed.get(position).is_some_and(|allowed| *allowed);
        if !is_allowed(0) {
            return Err(Error::forbidden());
        }
        match description.filter(|_| is_implemented) {
            Some(description) => Ok(ActionRequest {
                actor,
                resource,
                action,
                method,
                id,
                input: ActionInput::default(),
                body: Map::new(),
                format: None,
                description,
                can_post: actor.can_write && is_allowed(1),
            }),
            None => Err(Error::NotImplemented(action.path.replace('_', " "))),
        }
    }

    /// Handles an action that the server does not handle.
    ///
    /// # Errors
    /// Those of the handler.
    pub async fn act(&self, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        if let ActionAnswer::Permission(field) = request.description.answer {
            let mut fields = Map::new();
            fields.insert(field.name.into(), request.can_post.into());
            return Ok(ActionResponse::Fields(fields.into()));
        }
        let (resource, path) = (request.resource, request.action.path);
        match self.registry.hooks(resource).action_handler(path) {
            Some(handler) => handler.act(self, request).await,
            None => Err(Error::Internal(format!("{}/{path} has no handler", resource.plural))),
        }
    }

    /// The id of the action's object, and whether each of the rules applies to it, in one statement.
    async fn check_action(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: Option<&ObjectKey>,
        rules: Vec<Rule>,
    ) -> Result<(i64, Vec<bool>), Error> {
        if let Some(target) = target {
            return find_with_rules(self, actor, resource, target, rules).await;
        }
        let types = vec![Type::Boolean; rules.len()];
        let query = Query::select().exprs(rules.into_iter().map(Rule::expression)).to_owned();
        let rows = self.read_with_rules(actor, query, &types).await?;
        Ok((0, (0..types.len()).map(|position| rows.first().is_some_and(|row| row.boolean(position))).collect()))
    }
}

/// The rule of a method; no row for one that does not exist.
fn rule(method: Option<&ActionMethod>, actor: &Actor) -> Rule {
    match method {
        Some(ActionMethod { permit: Some(permit), .. }) => permit(actor, ROW),
        Some(_) => Rule::All,
        None => Rule::None,
    }
}
