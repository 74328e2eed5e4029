//! Actions of every kind, in a resource for tests.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request as HttpRequest, StatusCode, header};
use hostler_auth::{FirstPassword, create_first_superuser};
use hostler_database::{Database, Location};
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error, Hooks, Registered, Registry};
use hostler_identity::key::SecretKey;
use hostler_resources::{LABEL, ORGANIZATION};
use hostler_schema::{
    Access, Action, ActionAnswer, ActionFormat, ActionMethod, ActionParent, Actor, Draft, Field, HttpMethod,
    NaturalKeyPart, Policy, Resource, ResourceAction, Rule, fields,
};
use hostler_vault::Vault;
use serde_json::{Map, Value as Json, json};

use crate::dispatch::handle;
use crate::{App, Keys, Options};

const COUNT: Field = fields::integer("count").label("Count").required().range(1, 9).help("A number.");
const LINE: Field = fields::integer("line").label("Line").help("The first line.");
const TEXT: ActionFormat = ActionFormat { name: "txt", media_type: "text/plain" };

fn superusers(actor: &Actor, _row: &str) -> Rule {
    Rule::from_bool(actor.is_superuser)
}

/// Labels, with actions of every kind.
static SAMPLE: Resource = Resource {
    table: "labels",
    natural_key: &[NaturalKeyPart::Field("name")],
    actions: &[
        ResourceAction::new("preview", "Preview")
            .below(ActionParent::List)
            .post(ActionMethod::new("preview", ActionAnswer::Accepted(&[COUNT])).permit(superusers).input(&[COUNT])),
        ResourceAction::new("bulk/sample_create", "Bulk")
            .below(ActionParent::Root)
            .post(ActionMethod::new("create", ActionAnswer::NewFields(&[])).permit(superusers)),
        ResourceAction::new("events/summary/children", "Children")
            .get(ActionMethod::new("summarize", ActionAnswer::Fields(&[LINE])).input(&[LINE]))
            .unlinked(),
        ResourceAction::new("stdout", "Output")
            .get(ActionMethod::new("read", ActionAnswer::Fields(&[])))
            .delete(ActionMethod::new("delete", ActionAnswer::Nothing).permit(superusers))
            .formats(&[TEXT]),
    ],
    ..Resource::new(
        "sample",
        "samples",
        "Sample",
        &[fields::id(), fields::text("name").label("Name").help("The name.")],
        &SampleAccess,
    )
};

struct SampleAccess;

impl Access for SampleAccess {
    fn rows(&self, actor: &Actor, _action: Action, row: &str) -> Rule {
        superusers(actor, row)
    }

    fn create(&self, actor: &Actor, _draft: Draft<'_>) -> Rule {
        superusers(actor, "")
    }
}

const SAMPLES: Registry = Registry(&[Registered { resource: &SAMPLE, hooks: &SampleHooks }]);

struct SampleHooks;

impl Hooks for SampleHooks {
    fn action_handler(&self, _path: &str) -> Option<&'static dyn ActionHandler> {
        Some(&Echo)
    }
}

/// Responds with what it got.
struct Echo;

#[async_trait]
impl ActionHandler for Echo {
    async fn act(&self, _engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        let (id, line) = (request.id, request.input.integer(&LINE));
        Ok(match (request.action.path, request.method) {
            ("preview", _) => ActionResponse::Accepted(json!({"id": id, "count": request.input.integer(&COUNT)})),
            ("bulk/sample_create", _) => ActionResponse::NewFields(json!({"id": id})),
            ("stdout", HttpMethod::Delete) => ActionResponse::Nothing,
            ("stdout", _) => match request.format {
                Some(format) => ActionResponse::Text(format, "output".into()),
                None => ActionResponse::Fields(json!({"content": "output"})),
            },
            _ => ActionResponse::Fields(json!({"id": id, "line": line})),
        })
    }
}

type TestResult = Result<(), Box<dyn StdError>>;

/// A response.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    allow: String,
    content_type: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A server with the test resource, and one object of it.
struct Fixture {
    app: Arc<App>,
    id: i64,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Result<Self, Box<dyn StdError>> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(&Location::Sqlite(folder.path().join("test.db"))).await?;
        let vault = Vault::open(&folder.path().join("keys"), &database).await?;
        let keys = Keys { secret: SecretKey::from_bytes([7; 64]), vault };
        let options = Options {
            node: "test".into(),
            debug_headers: false,
            slow_request: None,
            manual_projects: folder.path().into(),
            hsts: 0,
        };
        let mut app = App::new(database, keys, options);
        create_first_superuser(app.engine(), "admin", FirstPassword::new("password".into(), false)).await?;
        let actor = Actor {
            id: 1,
            username: "admin".into(),
            is_superuser: true,
            is_system_auditor: false,
            is_organization_admin: false,
            can_write: true,
            session: None,
            external_account: None,
            policy: Policy::default(),
            job_settings: Arc::default(),
        };
        let body = |pairs: Json| -> Map<String, Json> { serde_json::from_value(pairs).unwrap_or_default() };
        let created = app.engine().create(&actor, &ORGANIZATION, &body(json!({"name": "Acme"})), None).await;
        let organization = created.map_err(|error| format!("{error:?}"))?.id;
        let label = body(json!({"name": "preview", "organization": organization}));
        let created = app.engine().create(&actor, &LABEL, &label, None).await;
        let id = created.map_err(|error| format!("{error:?}"))?.id;
        app.auth.engine.registry = SAMPLES;
        Ok(Fixture { app: Arc::new(app), id, _folder: folder })
    }

    async fn send(&self, method: &str, path: &str, accept: &str, body: Json) -> Result<Answer, Box<dyn StdError>> {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = HttpRequest::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(path)
            // admin:password
            .header(header::AUTHORIZATION, "Basic YWRtaW46cGFzc3dvcmQ=")
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)?;
        let response = handle(&self.app, request).await;
        let (parts, body) = response.into_parts();
        let header =
            |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let body = String::from_utf8(to_bytes(body, usize::MAX).await?.to_vec())?;
        Ok(Answer {
            status: parts.status,
            allow: header(header::ALLOW),
            content_type: header(header::CONTENT_TYPE),
            body,
        })
    }
}

const ANY: &str = "*/*";

#[tokio::test]
async fn action_of_a_list_precedes_an_object_of_its_name() -> TestResult {
    let fixture = Fixture::new().await?;
    let path = "/api/v2/samples/preview/";
    let answer = fixture.send("POST", path, ANY, json!({"count": 3})).await?;
    assert_eq!((answer.status.as_u16(), answer.json()), (202, json!({"id": 0, "count": 3})));
    assert_eq!(answer.allow, "POST, OPTIONS");
    assert_eq!(fixture.send("GET", path, ANY, Json::Null).await?.status.as_u16(), 405);
    for (body, message) in [
        (json!({}), "This field is required."),
        (json!({"count": 10}), "Ensure this value is less than or equal to 9."),
        (json!({"count": "x"}), "A valid integer is required."),
    ] {
        let refused = fixture.send("POST", path, ANY, body).await?;
        assert_eq!((refused.status.as_u16(), refused.json()), (400, json!({"count": [message]})));
    }
    let options = fixture.send("OPTIONS", path, ANY, Json::Null).await?.json();
    assert_eq!(options["actions"]["POST"]["count"]["required"], true);
    let object = fixture.send("GET", &format!("/api/v2/samples/{}/", fixture.id), ANY, Json::Null).await?.json();
    assert_eq!(object["related"]["stdout"], format!("/api/v2/samples/{}/stdout/", fixture.id));
    assert!(object["related"].get("preview").is_none(), "{object}");
    Ok(())
}

#[tokio::test]
async fn action_of_the_root_has_no_list() -> TestResult {
    let fixture = Fixture::new().await?;
    let answer = fixture.send("POST", "/api/v2/bulk/sample_create/", ANY, Json::Null).await?;
    assert_eq!((answer.status.as_u16(), answer.json()), (201, json!({"id": 0})));
    for path in ["/api/v2/bulk/", "/api/v2/bulk/other/", "/api/v2/samples/bulk/sample_create/"] {
        assert_eq!(fixture.send("POST", path, ANY, Json::Null).await?.status.as_u16(), 404, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn action_has_a_path_of_several_segments() -> TestResult {
    let fixture = Fixture::new().await?;
    let path = format!("/api/v2/samples/{}/events/summary/children/", fixture.id);
    let answer = fixture.send("GET", &format!("{path}?line=1&line=4"), ANY, Json::Null).await?;
    assert_eq!(answer.json(), json!({"id": fixture.id, "line": 4}));
    assert_eq!(answer.allow, "GET, HEAD, OPTIONS");
    assert_eq!(fixture.send("GET", &format!("{path}?line=x"), ANY, Json::Null).await?.status.as_u16(), 400);
    let by_name = fixture.send("GET", "/api/v2/samples/preview/events/summary/children/", ANY, Json::Null).await?;
    assert_eq!(by_name.json(), json!({"id": fixture.id, "line": null}));
    for path in ["events/summary", "events", "events/summary/children/x"] {
        let answer = fixture.send("GET", &format!("/api/v2/samples/1/{path}/"), ANY, Json::Null).await?;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
    }
    assert_eq!(
        fixture.send("GET", "/api/v2/samples/99/events/summary/children/", ANY, Json::Null).await?.status.as_u16(),
        404
    );
    Ok(())
}

#[tokio::test]
async fn action_responds_in_its_formats() -> TestResult {
    let fixture = Fixture::new().await?;
    let path = format!("/api/v2/samples/{}/stdout/", fixture.id);
    let by_name = format!("{path}?format=txt");
    for (path, accept) in [(&by_name, ANY), (&path, "text/plain")] {
        let answer = fixture.send("GET", path, accept, Json::Null).await?;
        assert_eq!((answer.content_type.as_str(), answer.body.as_str()), ("text/plain; charset=utf-8", "output"));
        assert_eq!(fixture.send("HEAD", path, accept, Json::Null).await?.status.as_u16(), 200);
    }
    for (path, accept) in
        [(&path, ANY), (&path, "application/json, text/plain"), (&format!("{path}?format=json"), "text/plain")]
    {
        let answer = fixture.send("GET", path, accept, Json::Null).await?;
        assert_eq!((answer.content_type.as_str(), answer.json()), ("application/json", json!({"content": "output"})));
    }
    assert_eq!(fixture.send("GET", &format!("{path}?format=ansi"), ANY, Json::Null).await?.status.as_u16(), 404);
    assert_eq!(fixture.send("GET", &path, "image/png", Json::Null).await?.status.as_u16(), 406);
    assert_eq!(fixture.send("DELETE", &path, ANY, Json::Null).await?.status.as_u16(), 204);
    let renders = fixture.send("OPTIONS", &path, ANY, Json::Null).await?.json();
    assert_eq!(renders["renders"], json!(["application/json", "text/html", "text/plain"]));
    Ok(())
}
