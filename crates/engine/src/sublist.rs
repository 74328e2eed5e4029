//! POST to the lists below an object: associate, disassociate, create. DELETE of all objects of such a list.

use hostler_schema::{Actor, Post, Resource, Sublist};
use serde_json::{Map, Value as Json};

use crate::{CreatedObject, Engine, Error};

impl Engine {
    /// Handles a POST to a sub-list of an object that the actor may see. Returns the new object if one was created.
    ///
    /// # Errors
    /// In AWX's format: `{"msg": …}` for a body without a valid `id`.
    pub async fn post_sublist(
        &self,
        actor: &Actor,
        parent: (&'static Resource, i64),
        sublist: &'static Sublist,
        body: &Map<String, Json>,
    ) -> Result<Option<CreatedObject>, Error> {
        let below = Some((parent.0, parent.1, sublist));
        match sublist.post {
            Post::Refused => Err(Error::MethodNotAllowed),
            Post::Create(_) => self.create(actor, (sublist.target)(), body, below).await.map(Some),
            Post::Own(link) => match AssociationRequest::parse(body)? {
                Some(request) => {
                    self.change_owned(actor, parent, sublist, link, request).await?;
                    Ok(None)
                }
                None => self.create(actor, (sublist.target)(), body, below).await.map(Some),
            },
            Post::Associate(ref association) => match AssociationRequest::parse(body)? {
                Some(request) => {
                    self.change_association(actor, parent, sublist, association, request).await?;
                    Ok(None)
                }
                None if association.creates => self.associate_new(actor, parent, sublist, association, body).await,
                None => {
                    let missing = format!("{} 'id' field is missing.", (sublist.target)().type_label);
                    Err(Error::BadRequestMsg(missing))
                }
            },
            Post::GrantByHook | Post::Hook => {
                let hooks = self.registry.hooks(parent.0);
                let made = hooks.post_sublist(self, actor, parent.1, sublist, body).await?;
                Ok(made
                    .map(|json| CreatedObject { id: json.get("id").and_then(Json::as_i64).unwrap_or_default(), json }))
            }
            Post::Grant(role) => match AssociationRequest::parse(body)? {
                Some(AssociationRequest { id, attach }) => {
                    self.change_membership(actor, parent, role, id, attach).await?;
                    Ok(None)
                }
                None => self.create(actor, (sublist.target)(), body, below).await.map(Some),
            },
        }
    }
}

impl Engine {
    /// Deletes all objects of a sub-list of an object that the actor may see.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if the actor may not change the parent, and those of its hook.
    pub async fn delete_listed(
        &self,
        actor: &Actor,
        (parent, id): (&'static Resource, i64),
        sublist: &'static Sublist,
    ) -> Result<(), Error> {
        self.require_change(actor, (parent, id)).await?;
        self.registry.hooks(parent).delete_listed(self, id, sublist).await
    }
}

/// A body like `{"id": 5, "disassociate": true}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssociationRequest {
    /// The object to associate.
    pub id: i64,
    /// Whether to associate it; false to disassociate.
    pub attach: bool,
}

impl AssociationRequest {
    /// Parses a body; `None` if it has no id and so creates an object.
    ///
    /// # Errors
    /// [`Error::BadRequestMsg`] for an id that is not an integer, or for `disassociate` without an id.
    pub fn parse(body: &Map<String, Json>) -> Result<Option<Self>, Error> {
        let attach = !truthy(body.get("disassociate"));
        match body.get("id") {
            None | Some(Json::Null) if attach => Ok(None),
            None | Some(Json::Null) => Err(Error::BadRequestMsg("\"id\" is required to disassociate".into())),
            Some(id) => {
                let number = match id {
                    Json::String(text) => text.trim().parse().ok(),
                    other => other.as_i64(),
                };
                let id = number.ok_or_else(|| Error::BadRequestMsg("\"id\" field must be an integer.".into()))?;
                Ok(Some(AssociationRequest { id, attach }))
            }
        }
    }
}

/// As in AWX, any value that is true in Python.
fn truthy(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => false,
        Some(Json::Bool(value)) => *value,
        Some(Json::Number(number)) => number.as_f64() != Some(0.0),
        Some(Json::String(text)) => !text.is_empty(),
        Some(Json::Array(list)) => !list.is_empty(),
        Some(Json::Object(map)) => !map.is_empty(),
    }
}
