//! Handlers of resources: lists, objects, sub-lists, and lists that are not implemented yet.

use axum::http::{Method as Verb, StatusCode, header};
use hostler_engine::{
    Actions, AssociationRequest, Engine, Error, ListScope, ObjectKey, PostBody, Registered, UpdateMethod, find_id,
};
use hostler_http::{HandlerResult, Request, Response};
use hostler_resources::USER;
use hostler_schema::{Actor, Post, Resource, Sublist, column};
use sea_query::ExprTrait;
use serde_json::{Map, Value as Json, json};

/// `/api/v2/RESOURCE/`.
pub(crate) async fn list(
    engine: &Engine,
    actor: &Actor,
    found: &'static Registered,
    request: &Request,
) -> HandlerResult {
    let resource = found.resource;
    match request.method {
        Verb::GET | Verb::HEAD => {
            Ok(Response::ok(engine.list(actor, resource, ListScope::All, &request.path, &request.query).await?))
        }
        Verb::OPTIONS => {
            let post = resource.creatable && actor.can_write && engine.can_create(actor, resource).await?;
            let actions = Actions { post, list: true, ..Actions::default() };
            Ok(Response::ok(actions.document(&engine.links, actor, resource, resource.list_title)))
        }
        Verb::POST if resource.creatable => {
            let body = request.object()?;
            let created = engine.create(actor, resource, &body, None).await?;
            Ok(Response::json(StatusCode::CREATED, created.json).with(header::LOCATION, resource.url(created.id)))
        }
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// `/api/v2/RESOURCE/KEY/`, where KEY is an id or a name.
pub(crate) async fn detail(
    engine: &Engine,
    actor: &Actor,
    found: &'static Registered,
    key: &str,
    request: &Request,
) -> HandlerResult {
    let resource = found.resource;
    let target = ObjectKey::parse(resource, key)?;
    let wanted = request.if_match();
    let matches = |id: i64, version: i64| {
        wanted.as_deref().is_none_or(|tags| tags.iter().any(|tag| tag == "*" || *tag == etag(resource, id, version)))
    };
    let expected: Option<&(dyn Fn(i64, i64) -> bool + Sync)> = wanted.as_ref().map(|_| &matches as _);
    let method = match request.method {
        Verb::GET | Verb::HEAD => {
            let (json, version) = engine.show(actor, resource, &target).await?;
            let tag = etag_of(resource, &json, version);
            let response = Response::ok(json);
            return Ok(if resource.editable { response.with(header::ETAG, tag) } else { response });
        }
        Verb::OPTIONS => {
            let put =
                resource.editable && actor.can_write && Box::pin(engine.can_change(actor, resource, &target)).await?;
            let actions = Actions { put, ..Actions::default() };
            return Ok(Response::ok(actions.document(&engine.links, actor, resource, resource.detail_title)));
        }
        Verb::DELETE if resource.deletable => {
            Box::pin(engine.delete(actor, resource, &target, expected)).await?;
            return Ok(match resource.deleted_later {
                true => Response::empty(StatusCode::ACCEPTED),
                false => Response::no_content(),
            });
        }
        Verb::PATCH if resource.editable => UpdateMethod::Patch,
        Verb::PUT if resource.editable => UpdateMethod::Put,
        _ => return Err(Error::MethodNotAllowed.into()),
    };
    let body = request.object()?;
    let (json, version) = Box::pin(engine.update(actor, resource, &target, method, &body, expected)).await?;
    let tag = etag_of(resource, &json, version);
    Ok(Response::ok(json).with(header::ETAG, tag))
}

/// Whether this only adds or removes an association: then the engine looks for the parent itself.
fn is_association(sublist: &Sublist, request: &Request) -> bool {
    request.method == Verb::POST
        && matches!(sublist.post, Post::Associate(_))
        && request.object().is_ok_and(|body| matches!(AssociationRequest::parse(&body), Ok(Some(_))))
}

/// `/api/v2/RESOURCE/KEY/SUBLIST/`.
pub(crate) async fn sublist(
    engine: &Engine,
    actor: &Actor,
    found: &'static Registered,
    key: &str,
    sublist: &'static Sublist,
    request: &Request,
) -> HandlerResult {
    let parent = found.resource;
    let target = ObjectKey::parse(parent, key)?;
    let id = match &target {
        ObjectKey::Id(id) if is_association(sublist, request) => *id,
        _ => find_id(engine, actor, parent, &target).await?,
    };
    let listed = (sublist.target)();
    match request.method {
        Verb::GET | Verb::HEAD => {
            let scope = ListScope::Sublist(parent, id, sublist);
            Ok(Response::ok(engine.list(actor, listed, scope, &request.path, &request.query).await?))
        }
        Verb::OPTIONS => {
            let post = sublist.post.is_allowed()
                && actor.can_write
                && engine.can_post_sublist(actor, (parent, id), sublist).await?;
            let post_body = PostBody::of(sublist);
            let actions =
                Actions { post, put: false, post_body, list: true, below_object: true, required: sublist.required };
            Ok(Response::ok(actions.document(&engine.links, actor, listed, sublist.title)))
        }
        Verb::POST if sublist.post.is_allowed() => {
            let body = request.object()?;
            Ok(match engine.post_sublist(actor, (parent, id), sublist, &body).await? {
                Some(created) => {
                    Response::json(StatusCode::CREATED, created.json).with(header::LOCATION, listed.url(created.id))
                }
                None => Response::no_content(),
            })
        }
        Verb::DELETE if sublist.emptied_by_delete => {
            engine.delete_listed(actor, (parent, id), sublist).await?;
            Ok(Response::no_content())
        }
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// `/api/v2/me/`: a list with the actor, as in AWX.
pub(crate) async fn me(engine: &Engine, actor: &Actor, request: &Request) -> HandlerResult {
    match request.method {
        Verb::GET | Verb::HEAD => {
            let is_actor = column("this", "id").eq(actor.id);
            Ok(Response::ok(
                engine.list(actor, &USER, ListScope::Filtered(&is_actor), &request.path, &request.query).await?,
            ))
        }
        Verb::OPTIONS => {
            let actions = Actions { list: true, ..Actions::default() };
            Ok(Response::ok(actions.document(&engine.links, actor, &USER, "Me")))
        }
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// A list of AWX that is not implemented: OPTIONS shows no actions, other methods are 501.
pub(crate) fn unimplemented_list(name: &str, request: &Request) -> HandlerResult {
    let title = name.replace('_', " ");
    match request.method {
        Verb::OPTIONS => Ok(Response::json(
            StatusCode::OK,
            json!({
                "name": title,
                "description": format!("Hostler does not serve {title} yet."),
                "renders": ["application/json"],
                "parses": ["application/json"],
                "actions": {},
            }),
        )),
        _ => Err(Error::NotImplemented(title).into()),
    }
}

fn etag_of(resource: &Resource, json: &Map<String, Json>, version: i64) -> String {
    etag(resource, json.get("id").and_then(Json::as_i64).unwrap_or_default(), version)
}

/// The ETag of an object (RFC 9110, section 8.8.3).
fn etag(resource: &Resource, id: i64, version: i64) -> String {
    format!("\"{}-{id}-{version}\"", resource.name)
}
