//! Responses to OPTIONS for actions.

use hostler_schema::{ActionHandling, Actor, Field, HttpMethod, Resource, ResourceAction};
use serde_json::{Map, Value as Json, json};

use super::rule;
use crate::options::{object_roles, shape, written};
use crate::{Engine, Error, ObjectKey};

impl Engine {
    /// The response to OPTIONS: the fields of the methods that the actor may use.
    ///
    /// # Errors
    /// As for GET of the action, or for showing the object if the action has no GET.
    pub async fn action_options(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        action: &'static ResourceAction,
        target: Option<&ObjectKey>,
    ) -> Result<Map<String, Json>, Error> {
        let rules = action.methods().map(|(_, method)| rule(Some(method), actor)).collect();
        let (_, allowed) = self.check_action(actor, resource, target, rules).await?;
        if action.handling == ActionHandling::Unimplemented {
            return Err(Error::NotImplemented(action.path.replace('_', " ")));
        }
        let is_allowed = |wanted: HttpMethod| {
            let mut allowed = action.methods().zip(&allowed);
            allowed.any(|((method, _), allowed)| method == wanted && *allowed)
        };
        if action.get.is_some() && !is_allowed(HttpMethod::Get) {
            return Err(Error::forbidden());
        }
        Ok(document(resource, action, |method| actor.can_write && is_allowed(method)))
    }
}

fn document(
    resource: &'static Resource,
    action: &'static ResourceAction,
    can_write: impl Fn(HttpMethod) -> bool,
) -> Map<String, Json> {
    let mut actions = Map::new();
    let input = |method: HttpMethod| action.method(method).map_or(&[][..], |described| described.input);
    let mut describe_input = |method: HttpMethod| {
        if action.method(method).is_some() && can_write(method) {
            let fields = input(method).iter().filter(|field| field.writable);
            let fields: Map<String, Json> = fields.map(|field| (field.name.into(), written(field).into())).collect();
            actions.insert(method.name().into(), fields.into());
        }
    };
    describe_input(HttpMethod::Put);
    describe_input(HttpMethod::Post);
    if let Some(get) = &action.get {
        // As in AWX, GET lists the fields of the bodies too that responses may contain.
        let answered = get.answer.fields().iter();
        let fields = answered.chain(input(HttpMethod::Post)).chain(input(HttpMethod::Put));
        let shown = fields.filter(|field: &&Field| field.shown);
        let fields: Map<String, Json> = shown.map(|field| (field.name.into(), shape(field).into())).collect();
        actions.insert(HttpMethod::Get.name().into(), fields.into());
    }
    let mut renders = vec!["application/json", "text/html"];
    renders.extend(action.formats.iter().map(|format| format.media_type));
    renders.dedup();
    let mut document = Map::new();
    document.insert("name".into(), action.title.into());
    document.insert("description".into(), action.description.into());
    document.insert("renders".into(), renders.into());
    document.insert("parses".into(), json!(["application/json"]));
    document.insert("actions".into(), actions.into());
    let types = action.types.map_or_else(|| vec![resource.name], <[&str]>::to_vec);
    if !types.is_empty() {
        document.insert("types".into(), types.into());
    }
    if !resource.roles.is_empty() {
        document.insert("object_roles".into(), object_roles(resource).into());
    }
    document
}
