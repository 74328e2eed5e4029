//! A request's way: route, actor, scope, handler, headers.

use std::any::Any;
use std::borrow::Cow;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode, header};
use futures_util::FutureExt;
use hostler_engine::Error;
use hostler_listener::PeerAddr;
use hostler_schema::{Actor, Post};
use hostler_telemetry::{ParentSpan, RequestSpan};
use serde_json::{Map, Value as Json};

use crate::authenticate::{AuthOutcome, Authentication, RequestHead, unauthenticated};
use crate::browse::{self, Format, PageContext, form, negotiate, prefers_plain_text};
use crate::cookies::{SESSION_COOKIE, cookie, with_csrf_cookie, with_session_cookie};
use crate::error::error_response;
use crate::metrics::{AuthMethod, RoutePattern, standard_method};
use crate::request::{Request, is_safe};
use crate::response::{Content, Response};
use crate::route::Route;
use crate::session_age::{self, SESSION_TIMEOUT};
use crate::settings::Settings;
use crate::settings::definitions::authentication::{ALLOW_METRICS_FOR_ANONYMOUS_USERS, LOGIN_REDIRECT_OVERRIDE};
use crate::state::App;
use crate::{body, login, metrics, oauth, openapi, resource_handlers, service_info, settings, sign_in};

/// What the log tells of a request beside its answer.
#[derive(Default)]
struct Trace {
    actor: Option<String>,
    known: bool,
    client: Option<IpAddr>,
    is_tls: bool,
    is_https: bool,
    pattern: Option<RoutePattern>,
    auth_method: Option<AuthMethod>,
}

/// Answers one request. Nothing that goes wrong inside ends the server.
pub(crate) async fn handle(app: &App, request: axum::http::Request<Body>) -> HttpResponse<Body> {
    let started = Instant::now();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let parent = app.trace_exporter.as_ref().and_then(|_| ParentSpan::from_headers(request.headers()));
    let mut trace = Trace::default();
    // Boxed, for it has room for whatever a request may come to, and is moved several times.
    let work = Box::pin(AssertUnwindSafe(answer(app, request, &mut trace)).catch_unwind());
    let (outcome, queries) = hostler_database::count_statements(work).await;
    let response =
        outcome.unwrap_or_else(|panic| error_response(Error::Internal(format!("panic: {}", message(&panic))), ""));
    let mut response = response.into_http();
    let took = started.elapsed();
    let seconds = took.as_secs_f64();
    let status = response.status();
    app.counters.count(trace.pattern.unwrap_or(RoutePattern::Unknown), &method, status.as_u16(), seconds, queries);
    if let (StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS, Some(auth_method)) = (status, trace.auth_method) {
        app.counters.count_auth_failure(auth_method);
    }
    if let Some(exporter) = &app.trace_exporter {
        let method = standard_method(&method);
        let (status, end) = (status.as_u16(), app.engine.clock.now().into());
        let route = trace.pattern.map(|pattern| format!("/api/{pattern}"));
        let scheme = if trace.is_https { "https" } else { "http" };
        let client = trace.client;
        exporter.record(RequestSpan {
            id: &id,
            parent,
            method,
            route,
            path: &path,
            scheme,
            client,
            status,
            end,
            took,
            statements: queries,
        });
    }
    common_headers(response.headers_mut(), app, &id, took, &trace);
    if app.options.debug_headers {
        response.headers_mut().insert(HeaderName::from_static("x-api-query-count"), HeaderValue::from(queries));
    }
    let client = trace.client.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let actor = trace.actor.as_deref().unwrap_or("-");
    let (status, milliseconds) = (status.as_u16(), seconds * 1000.0);
    if app.options.slow_request.is_some_and(|slow| took >= slow) {
        tracing::warn!(request = %id, actor, client, %method, %path, status, milliseconds, queries, "slow request");
    } else {
        tracing::info!(request = %id, actor, client, %method, %path, status, milliseconds, queries, "request");
    }
    response
}

fn message(panic: &Box<dyn Any + Send>) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// The headers that are the same on every answer, whatever the answer says itself.
const FIXED_HEADERS: [(HeaderName, &str); 6] = [
    (header::SERVER, service_info::SERVER_NAME),
    (header::VARY, "Accept, Accept-Language, Origin, Cookie"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("x-api-product-name"), "AWX"),
];

fn common_headers(headers: &mut HeaderMap, app: &App, id: &str, took: Duration, trace: &Trace) {
    // At once, for the map would grow, and sort itself anew, several times.
    headers.reserve(2 * FIXED_HEADERS.len());
    for (name, value) in FIXED_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let fresh = HeaderValue::from_static("no-cache, no-store, must-revalidate");
    headers.entry(header::CACHE_CONTROL).or_insert(fresh);
    let mut set = |name: &'static str, value: HeaderValue| headers.insert(HeaderName::from_static(name), value);
    if let Ok(node) = HeaderValue::from_str(&app.options.node) {
        set("x-api-node", node);
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        set("x-api-request-id", id);
    }
    let milliseconds = (took + Duration::from_micros(500)).as_millis();
    if let Ok(took) = HeaderValue::try_from(format!("{}.{:03}s", milliseconds / 1000, milliseconds % 1000)) {
        set("x-api-time", took.clone());
        set("x-api-total-time", took);
    }
    if trace.is_tls && app.options.hsts > 0 {
        let hsts = HeaderValue::try_from(format!("max-age={}", app.options.hsts));
        hsts.map(|hsts| set("strict-transport-security", hsts)).ok();
    }
    if trace.known {
        set("x-api-product-version", HeaderValue::from_static(service_info::AWX_VERSION));
    }
}

async fn answer(app: &App, request: axum::http::Request<Body>, trace: &mut Trace) -> Response {
    let (parts, incoming) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query: Vec<_> = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    // One that is not known is believed nothing but what it sends.
    let peer = parts.extensions.get().copied().unwrap_or(PeerAddr::Unknown);
    trace.client = peer.ip();
    trace.is_tls = peer.is_tls();
    let mut wanted = negotiate(&parts.headers, &query);
    let registry = app.engine.registry;
    let Some(route) = Route::find(registry, &path) else {
        let slashed = format!("{path}/");
        if is_safe(&parts.method) && Route::find(registry, &slashed).is_some() {
            let suffix = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            return Response::redirect(StatusCode::MOVED_PERMANENTLY, slashed + &suffix);
        }
        return if wanted == Format::Html { browse::not_found_page() } else { Response::unknown_path() };
    };
    trace.pattern = Some(route.pattern());
    trace.auth_method = auth_method(&route, &parts.headers, &parts.method);
    // Of the paths that have pages, this one has a text beside them.
    if !route.has_pages() || (matches!(route, Route::Metrics) && prefers_plain_text(&parts.headers, &query)) {
        wanted = Format::Json;
    }
    let Authentication { settings, client, outcome } =
        authorized(app, &route, &parts.headers, &parts.method, peer, trace).await;
    (trace.client, trace.is_https) = (client.address, client.is_https);
    let (method, headers) = (parts.method, parts.headers);
    let mut request = Request { method, path, query, headers, body: vec![], is_form: false, settings, client };
    let (actor, session_renewed, rejection) = match outcome {
        AuthOutcome::Anonymous => (None, false, None),
        AuthOutcome::Authenticated { actor, session_renewed } => (Some(actor), session_renewed, None),
        AuthOutcome::Rejected(response) => (None, false, Some(response)),
    };
    let response = match rejection {
        Some(response) => response,
        None => match receive(incoming, &mut request, actor.as_ref()).await {
            Err(response) => response,
            Ok(()) => match route {
                Route::OAuth(endpoint) => Box::pin(oauth::respond(app, endpoint, &request)).await,
                _ => respond(app, &route, actor.as_ref(), &request, wanted).await,
            },
        },
    };
    let elsewhere = request.settings.text(&LOGIN_REDIRECT_OVERRIDE);
    if wanted == Format::Html
        && response.status == StatusCode::UNAUTHORIZED
        && is_safe(&request.method)
        && !elsewhere.is_empty()
    {
        return Response::redirect(StatusCode::FOUND, elsewhere);
    }
    let mut response = response.with(header::ALLOW, allow(&route));
    if actor.as_ref().is_some_and(|actor| actor.session.is_some()) {
        response = response.with(SESSION_TIMEOUT, session_age::age(&request.settings).as_secs().to_string());
    }
    if let (true, Some(secret)) = (session_renewed, cookie(&request.headers, SESSION_COOKIE)) {
        response = with_session_cookie(response, &request, secret);
    }
    match wanted {
        Format::Html => {}
        Format::Yaml => return response.in_yaml(),
        _ => return response,
    }
    if request.is_form {
        response = browse::redirect_after_form(&route, &request, response);
    }
    let described = match (&response.content, &actor) {
        (Content::Json(_), Some(actor)) => Box::pin(described(app, &route, actor, &request)).await,
        _ => None,
    };
    browse::render_page(PageContext { route: &route, actor: actor.as_ref(), request: &request, described }, response)
}

/// What a request brings to prove who sends it, as far as failing to is counted.
fn auth_method(route: &Route, headers: &HeaderMap, method: &Method) -> Option<AuthMethod> {
    if matches!(route, Route::Login) {
        return (*method == Method::POST).then_some(AuthMethod::LoginForm);
    }
    let scheme = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split(' ').next()?;
    let schemes = [("basic", AuthMethod::Basic), ("bearer", AuthMethod::Token)];
    schemes.into_iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known)).map(|(_, auth_method)| auth_method)
}

/// Reads the body. What a session sent as a form becomes the request that the form means.
async fn receive(incoming: Body, request: &mut Request, actor: Option<&Actor>) -> Result<(), Response> {
    body::check_headers(&request.headers)?;
    request.body = body::read(incoming).await?;
    let has_session = actor.is_some_and(|actor| actor.session.is_some());
    if has_session && form::is_form(&request.method, &request.headers) { form::decode(request) } else { Ok(()) }
}

/// What OPTIONS tells this actor of the path, for the page around another answer.
async fn described(app: &App, route: &Route, actor: &Actor, request: &Request) -> Option<Map<String, Json>> {
    let asked = Request { method: Method::OPTIONS, body: vec![], ..request.clone() };
    match known(app, route.clone(), actor, &asked).await.ok()?.content {
        // Paths that do not describe themselves answer as to GET.
        Content::Json(Json::Object(words)) if words.contains_key("actions") => Some(words),
        _ => None,
    }
}

/// The actor, if the request may go on: the one place that enforces who must
/// be known, and that a token without the `write` scope changes nothing.
async fn authorized(
    app: &App,
    route: &Route,
    headers: &HeaderMap,
    method: &Method,
    peer: PeerAddr,
    trace: &mut Trace,
) -> Authentication {
    let head = RequestHead { headers, method, peer };
    // Login, logout and OAuth2 endpoints read their credentials themselves.
    if route.authenticates_itself() {
        return head.anonymous(app).await;
    }
    let mut authentication = head.authenticate(app).await;
    match &authentication.outcome {
        AuthOutcome::Authenticated { actor, .. } => {
            trace.actor = Some(actor.username.clone());
            trace.known = true;
            if !actor.can_write && !is_safe(method) {
                authentication.outcome = AuthOutcome::Rejected(error_response(Error::forbidden(), method.as_str()));
            }
        }
        AuthOutcome::Anonymous if !route.is_public() && !is_open(route, &authentication.settings) => {
            authentication.outcome = AuthOutcome::Rejected(unauthenticated());
        }
        AuthOutcome::Anonymous | AuthOutcome::Rejected(_) => {}
    }
    authentication
}

/// Whether the settings let anybody ask.
fn is_open(route: &Route, settings: &Settings) -> bool {
    matches!(route, Route::Metrics) && settings.boolean(&ALLOW_METRICS_FOR_ANONYMOUS_USERS)
}

async fn respond(app: &App, route: &Route, actor: Option<&Actor>, request: &Request, wanted: Format) -> Response {
    match wanted {
        Format::Unknown => return Response::detail(StatusCode::NOT_FOUND, "Not found."),
        Format::NotAcceptable => {
            return Response::detail(StatusCode::NOT_ACCEPTABLE, "Could not satisfy the request Accept header.");
        }
        Format::Json | Format::Yaml | Format::Html => {}
    }
    let outcome = match actor {
        Some(actor) => known(app, route.clone(), actor, request).await,
        None => Box::pin(public(app, route.clone(), request)).await,
    };
    let mut response = outcome.unwrap_or_else(|failure| error_response(failure, request.method.as_str()));
    if let (Some(format @ ("json" | "yaml")), Content::Json(json)) =
        (request.parameter("format"), &mut response.content)
    {
        keep_format(json, format);
    }
    response
}

/// What anybody may ask.
async fn public(app: &App, route: Route, request: &Request) -> Result<Response, Error> {
    if matches!(route, Route::Login) {
        return login::login(app, request).await;
    }
    if matches!(route, Route::Logout) {
        return login::logout(app, request).await;
    }
    if !is_safe(&request.method) {
        return Err(Error::MethodNotAllowed);
    }
    if request.method == Method::OPTIONS
        && let Some(words) = service_info::options(&route)
    {
        return Ok(words);
    }
    match route {
        Route::ApiRoot => Ok(with_csrf_cookie(service_info::api_root(&request.settings), request)),
        Route::VersionRoot => Ok(service_info::version_root(app.engine.registry)),
        Route::Ping => Ok(service_info::ping(app, &request.settings)),
        Route::OAuthRoot => Ok(oauth::root()),
        Route::Metrics => metrics::show(app, request).await,
        Route::Stylesheet => Ok(Response::fixed("text/css; charset=utf-8", browse::STYLESHEET)
            .with(header::CACHE_CONTROL, "public, max-age=3600")),
        _ => Ok(unauthenticated()),
    }
}

async fn known(app: &App, route: Route, actor: &Actor, request: &Request) -> Result<Response, Error> {
    let engine = &app.engine;
    match route {
        Route::ApiRoot
        | Route::VersionRoot
        | Route::Ping
        | Route::OAuthRoot
        | Route::OAuth(_)
        | Route::Login
        | Route::Logout
        | Route::Stylesheet => Box::pin(public(app, route, request)).await,
        Route::Metrics if actor.is_superuser || actor.is_system_auditor || is_open(&route, &request.settings) => {
            Box::pin(public(app, route, request)).await
        }
        Route::Metrics => Err(Error::forbidden()),
        Route::OpenApi if is_safe(&request.method) => Ok(Response::fixed("application/json", openapi::text())),
        Route::OpenApi => Err(Error::MethodNotAllowed),
        Route::Config if request.method == Method::OPTIONS => {
            service_info::options(&route).ok_or_else(|| Error::Internal("config describes itself".into()))
        }
        Route::Config if is_safe(&request.method) => Ok(service_info::config(actor)),
        Route::SettingList if request.method == Method::OPTIONS => Ok(Response::ok(settings::list_options())),
        Route::SettingList if is_safe(&request.method) => Ok(settings::list(actor)),
        Route::Config | Route::SettingList => Err(Error::MethodNotAllowed),
        Route::SettingCategory(category) => Box::pin(settings::category(app, actor, &category, request)).await,
        Route::Me => Box::pin(resource_handlers::me(engine, actor, request)).await,
        Route::List(found) => Box::pin(resource_handlers::list(engine, actor, found, request)).await,
        Route::Detail(found, key) => resource_handlers::detail(engine, actor, found, &key, request).await,
        Route::Sublist(found, key, sublist) => {
            Box::pin(resource_handlers::sublist(engine, actor, found, &key, sublist, request)).await
        }
        Route::Copy(found, key) => Box::pin(resource_handlers::copy(engine, actor, found, &key, request)).await,
        Route::ExplainAccess(found, key) if is_safe(&request.method) => {
            Box::pin(resource_handlers::explain_access(engine, actor, found, &key, request)).await
        }
        Route::ExplainAccess(..) => Err(Error::MethodNotAllowed),
        Route::UserSignIn(key, path) => Box::pin(sign_in::respond(app, actor, &key, path, request)).await,
        Route::UnimplementedList(name) => resource_handlers::unimplemented_list(name, request),
        Route::UnimplementedSublist(found, key, name) => {
            Box::pin(resource_handlers::unimplemented_sublist(engine, actor, found, &key, name, request)).await
        }
    }
}

/// The methods of a path, as the `Allow` header lists them.
fn allow(route: &Route) -> Cow<'static, str> {
    if let Route::OAuth(endpoint) = route {
        return endpoint.allow().into();
    }
    let mut verbs = vec!["GET"];
    match route {
        Route::List(found) if found.resource.creatable => verbs.push("POST"),
        Route::Copy(..) => verbs.push("POST"),
        Route::Sublist(_, _, sublist) if sublist.post != Post::Refused => verbs.push("POST"),
        Route::Detail(found, _) => {
            if found.resource.editable {
                verbs.extend(["PUT", "PATCH"]);
            }
            if found.resource.deletable {
                verbs.push("DELETE");
            }
        }
        Route::SettingCategory(_) => verbs.extend(["PUT", "PATCH", "DELETE"]),
        Route::UserSignIn(_, path) => {
            verbs = path.methods().to_vec();
            verbs.push("OPTIONS");
            return verbs.join(", ").into();
        }
        Route::Login | Route::Logout => verbs.push("POST"),
        _ => {}
    }
    verbs.extend(["HEAD", "OPTIONS"]);
    verbs.join(", ").into()
}

/// Whoever asks with `?format=` gets links that keep it, as in AWX.
fn keep_format(json: &mut Json, format: &str) {
    match json {
        Json::Array(list) => list.iter_mut().for_each(|value| keep_format(value, format)),
        Json::Object(map) => {
            for (key, value) in map.iter_mut() {
                match (key.as_str(), value) {
                    ("url", Json::String(link)) => add_format(link, format),
                    ("related", Json::Object(links)) => {
                        for (name, link) in links.iter_mut() {
                            if let (true, Json::String(link)) = (name != "named_url", link) {
                                add_format(link, format);
                            }
                        }
                    }
                    ("results", value) => keep_format(value, format),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn add_format(link: &mut String, format: &str) {
    link.push_str("?format=");
    link.push_str(format);
}
