//! Handlers of resources: lists, objects, sub-lists, copies, and what is not implemented yet.

use axum::http::{Method as Verb, StatusCode, header};
use hostler_engine::{
    Actions, Engine, Error, ListScope, ObjectKey, PostBody, Registered, UpdateMethod, find_id, object_roles,
};
use hostler_http::{HandlerResult, Request, Response};
use hostler_resources::{USER, explain, require_lookup_permission, test_lookup};
use hostler_schema::{Actor, Resource, Sublist, column};
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
            Ok(Response::ok(actions.document(&engine.links, resource, resource.list_title)))
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
            return Ok(Response::ok(actions.document(&engine.links, resource, resource.detail_title)));
        }
        Verb::DELETE if resource.deletable => {
            Box::pin(engine.delete(actor, resource, &target, expected)).await?;
            return Ok(Response::no_content());
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
    let id = find_id(engine, actor, parent, &target).await?;
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
            Ok(Response::ok(actions.document(&engine.links, listed, sublist.title)))
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
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// `/api/v2/RESOURCE/KEY/copy/`.
pub(crate) async fn copy(
    engine: &Engine,
    actor: &Actor,
    found: &'static Registered,
    key: &str,
    request: &Request,
) -> HandlerResult {
    let resource = found.resource;
    let target = ObjectKey::parse(resource, key)?;
    match request.method {
        Verb::GET | Verb::HEAD => {
            let can_copy = actor.can_write && engine.can_copy(actor, resource, &target).await?;
            Ok(Response::json(StatusCode::OK, json!({"can_copy": can_copy})))
        }
        Verb::OPTIONS => {
            let can_copy = actor.can_write && engine.can_copy(actor, resource, &target).await?;
            let name = |required: Option<bool>| {
                let field = resource.field("name")?;
                let mut name = json!({
                    "type": "string", "label": field.label, "max_length": field.max, "filterable": false,
                    "help_text": "The name of the copy. It must differ from the name of the original.",
                });
                if let Some(required) = required {
                    name["required"] = required.into();
                }
                Some(name)
            };
            let mut actions = json!({"GET": {"name": name(None)}});
            if can_copy {
                actions["POST"] = json!({"name": name(Some(true))});
            }
            Ok(Response::json(
                StatusCode::OK,
                json!({
                    "name": format!("{} Copy", resource.type_label),
                    "description": "Creates a copy of the object, including secrets, under another name.",
                    "renders": ["application/json", "text/html"],
                    "parses": ["application/json"],
                    "object_roles": object_roles(resource),
                    "actions": actions,
                }),
            ))
        }
        Verb::POST => {
            let body = request.object()?;
            let created = engine.copy(actor, resource, &target, &body).await?;
            Ok(Response::json(StatusCode::CREATED, created.json).with(header::LOCATION, resource.url(created.id)))
        }
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// `/api/v2/credentials/KEY/test/` and `/api/v2/credential_types/KEY/test/`.
pub(crate) async fn lookup_test(
    engine: &Engine,
    actor: &Actor,
    found: &'static Registered,
    key: &str,
    request: &Request,
) -> HandlerResult {
    let resource = found.resource;
    let id = find_id(engine, actor, resource, &ObjectKey::parse(resource, key)?).await?;
    match request.method {
        Verb::GET | Verb::HEAD => {
            require_lookup_permission(engine, actor, resource, id).await?;
            Ok(Response::ok(serde_json::Map::new()))
        }
        Verb::OPTIONS => Ok(Response::json(
            StatusCode::OK,
            json!({
                "name": format!("{} Test", resource.type_label),
                "description": "Tests a lookup in an external system with these inputs and metadata.",
                "renders": ["application/json", "text/html"],
                "parses": ["application/json"],
                "actions": {},
            }),
        )),
        Verb::POST => {
            let body = request.object()?;
            let reason = test_lookup(engine, actor, resource, id, &body).await?;
            Ok(Response::json(StatusCode::BAD_REQUEST, json!({"inputs": reason})))
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
            Ok(Response::ok(actions.document(&engine.links, &USER, "Me")))
        }
        _ => Err(Error::MethodNotAllowed.into()),
    }
}

/// `/api/v2/users/KEY/explain_access/?object=PATH`.
pub(crate) async fn explain_access(
    engine: &Engine,
    actor: &Actor,
    found: &'static Registered,
    key: &str,
    request: &Request,
) -> HandlerResult {
    let user = find_id(engine, actor, found.resource, &ObjectKey::parse(found.resource, key)?).await?;
    let object = request.query.iter().find(|(name, _)| name == "object").map(|(_, value)| value.as_str());
    Ok(Response::ok(explain(engine, actor, user, object.unwrap_or_default()).await?))
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

/// A path of AWX below an object that is not implemented: 501 if the actor may see the object, and for POST may start
/// the action.
pub(crate) async fn unimplemented_sublist(
    engine: &Engine,
    actor: &Actor,
    found: &'static Registered,
    key: &str,
    name: &str,
    request: &Request,
) -> HandlerResult {
    let id = find_id(engine, actor, found.resource, &ObjectKey::parse(found.resource, key)?).await?;
    if request.method == Verb::POST {
        const ROW: &str = "started";
        engine.require_on(actor, (found.resource, id), ROW, found.hooks.can_start(actor, name, ROW)).await?;
    }
    Err(Error::NotImplemented(name.replace('_', " ")).into())
}

fn etag_of(resource: &Resource, json: &Map<String, Json>, version: i64) -> String {
    etag(resource, json.get("id").and_then(Json::as_i64).unwrap_or_default(), version)
}

/// The ETag of an object (RFC 9110, section 8.8.3).
fn etag(resource: &Resource, id: i64, version: i64) -> String {
    format!("\"{}-{id}-{version}\"", resource.name)
}
