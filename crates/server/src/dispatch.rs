//! Request processing: route, authentication, token scope, body, handler, common headers, log.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response as HttpResponse, StatusCode, header};
use futures_util::FutureExt;
use hostler_auth::{AuthOutcome, Authentication, RequestHead, SESSION_TIMEOUT, login, logout, oauth, unauthenticated};
use hostler_database::{count_statements, share_snapshots};
use hostler_engine::Error;
use hostler_http::{
    Content, HandlerResult, Request, Response, SESSION_COOKIE, STYLESHEET, check_body_headers, cookie, decode_form,
    error_response, is_form, is_safe, keep_format, read_body, with_csrf_cookie, with_session_cookie,
};
use hostler_listener::PeerAddr;
use hostler_schema::Actor;
use hostler_settings::Settings;
use hostler_settings::definitions::authentication::{
    ALLOW_METRICS_FOR_ANONYMOUS_USERS, LOGIN_REDIRECT_OVERRIDE, session_seconds,
};
use hostler_telemetry::ParentSpan;
use hyper::upgrade::OnUpgrade;
use serde_json::{Map, Value as Json};

use crate::browse::{self, Format, PageContext, negotiate, prefers_plain_text};
use crate::metrics::AuthMethod;
use crate::request_log::{AnsweredRequest, RecordedParts, RequestLog, ResponseEnd};
use crate::route::Route;
use crate::state::App;
use crate::{actions, key_requests, live, metrics, openapi, resource_handlers, service_info, settings_handlers};

/// Handles a request. A panic in it becomes a 500.
pub(crate) async fn handle(app: &Arc<App>, request: axum::http::Request<Body>) -> HttpResponse<Body> {
    let started = Instant::now();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let parent = app.trace_exporter.as_ref().and_then(|_| ParentSpan::from_headers(request.headers()));
    let mut log = RequestLog::default();
    // Boxed: the future is large and moved several times.
    let work = Box::pin(AssertUnwindSafe(process(app, request, &mut log)).catch_unwind());
    let (outcome, statements) = count_statements(share_snapshots(work)).await;
    let response = outcome
        .unwrap_or_else(|panic| error_response(Error::Internal(format!("panic: {}", panic_message(&*panic))), &method));
    let streamed = match &response.content {
        Content::Stream(streamed) => Some(streamed.length),
        _ => None,
    };
    let mut response = response.into_http();
    let took = started.elapsed();
    common_headers(response.headers_mut(), app, &id, took, &log);
    if app.options.debug_headers {
        response.headers_mut().insert(HeaderName::from_static("x-api-query-count"), HeaderValue::from(statements));
    }
    let answered = AnsweredRequest { id, method, uri, parent, log, status: response.status(), started, took };
    match streamed {
        None => {
            answered.record(app, statements, ResponseEnd::Complete);
            response
        }
        Some(length) => response.map(|body| {
            let parts = body.into_data_stream();
            Body::from_stream(RecordedParts::new(parts, length, Arc::clone(app), answered, statements))
        }),
    }
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Headers with the same value on every response.
const STATIC_HEADERS: [(HeaderName, &str); 6] = [
    (header::SERVER, service_info::SERVER_NAME),
    (header::VARY, "Accept, Accept-Language, Origin, Cookie"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("x-api-product-name"), "AWX"),
];

fn common_headers(headers: &mut HeaderMap, app: &App, id: &str, took: Duration, log: &RequestLog) {
    // Once, so that the map does not grow and rehash several times.
    headers.reserve(2 * STATIC_HEADERS.len());
    for (name, value) in STATIC_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let not_cached = HeaderValue::from_static("no-cache, no-store, must-revalidate");
    headers.entry(header::CACHE_CONTROL).or_insert(not_cached);
    let mut set = |name: &'static str, value: HeaderValue| headers.insert(HeaderName::from_static(name), value);
    if let Some(node) = &app.node_header {
        set("x-api-node", node.clone());
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        set("x-api-request-id", id);
    }
    let milliseconds = (took + Duration::from_micros(500)).as_millis();
    if let Ok(took) = HeaderValue::try_from(format!("{}.{:03}s", milliseconds / 1000, milliseconds % 1000)) {
        set("x-api-time", took.clone());
        set("x-api-total-time", took);
    }
    if log.is_tls && app.options.hsts > 0 {
        let hsts = HeaderValue::try_from(format!("max-age={}", app.options.hsts));
        hsts.map(|hsts| set("strict-transport-security", hsts)).ok();
    }
    if log.is_authenticated {
        set("x-api-product-version", HeaderValue::from_static(service_info::AWX_VERSION));
    }
}

async fn process(app: &App, request: axum::http::Request<Body>, log: &mut RequestLog) -> Response {
    let (mut parts, incoming) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query: Vec<_> = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let peer = parts.extensions.get().copied().unwrap_or(PeerAddr::Unknown);
    log.client = peer.ip();
    log.is_tls = peer.is_tls();
    let registry = app.engine().registry;
    let Some(route) = Route::find(registry, &path) else {
        let with_slash = format!("{path}/");
        // As in AWX, there is no page at the path of sockets.
        if Route::find(registry, &with_slash).is_some_and(|route| !matches!(route, Route::Websocket)) {
            return redirect_to_slash(&parts.method, with_slash, parts.uri.query());
        }
        let format = negotiate(&parts.headers, &query, &[]);
        return if format == Format::Html { browse::not_found_page() } else { Response::not_found() };
    };
    let mut format = negotiate(&parts.headers, &query, route.formats());
    log.pattern = Some(route.pattern());
    log.auth_method = auth_method(&route, &parts.headers, &parts.method);
    // Metrics are plain text, too.
    if !route.has_html() || (matches!(route, Route::Metrics) && prefers_plain_text(&parts.headers, &query)) {
        format = Format::Json;
    }
    let Authentication { settings, client, outcome } =
        authenticate(app, &route, &parts.headers, &parts.method, peer, log).await;
    (log.client, log.is_https) = (client.address, client.is_https);
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let (method, headers) = (parts.method, parts.headers);
    let mut request = Request { method, path, query, headers, body: vec![], is_form: false, settings, client };
    let (actor, session_renewed, rejection) = match outcome {
        AuthOutcome::Anonymous => (None, false, None),
        AuthOutcome::Authenticated { actor, session_renewed } => (Some(actor), session_renewed, None),
        AuthOutcome::Rejected(error) => (None, false, Some(error)),
    };
    let result = match rejection {
        Some(error) => Err(error),
        None => match read_request_body(incoming, &mut request, actor.as_ref()).await {
            Err(response) => Err(response.into()),
            Ok(()) => match route {
                Route::OAuth(endpoint) => Box::pin(oauth::respond(&app.auth, endpoint, &request)).await,
                Route::Websocket => match &actor {
                    Some(actor) => Box::pin(live::open(app, actor, &request, upgrade)).await,
                    None => Ok(unauthenticated()),
                },
                _ => call_handler(app, &route, actor.as_ref(), &request, format).await,
            },
        },
    };
    let mut response = result.unwrap_or_else(|error| error.into_response(&request.method));
    if matches!(route, Route::Websocket) && response.status == StatusCode::UNAUTHORIZED {
        // As in AWX: clients of sockets expect it.
        response = Response { status: StatusCode::FORBIDDEN, ..Response::text("text/plain", "Access denied") };
    }
    if format == Format::Html && response.status == StatusCode::UNAUTHORIZED && is_safe(&request.method) {
        let login_url = request.settings.text(&LOGIN_REDIRECT_OVERRIDE);
        if !login_url.is_empty() {
            return Response::redirect(StatusCode::FOUND, login_url);
        }
    }
    let mut response = response.with(header::ALLOW, route.allowed_methods());
    if actor.as_ref().is_some_and(|actor| actor.session.is_some()) {
        response = response.with(SESSION_TIMEOUT, session_seconds(&request.settings).to_string());
    }
    if let (true, Some(secret)) = (session_renewed, cookie(&request.headers, SESSION_COOKIE)) {
        response = with_session_cookie(response, &request, secret);
    }
    match format {
        Format::Html => {}
        Format::Yaml => return response.in_yaml(),
        _ => return response,
    }
    if request.is_form {
        response = browse::redirect_after_form(&route, &request, response);
    }
    let options = match (&response.content, &actor) {
        (Content::Json(_), Some(actor)) => Box::pin(options_of(app, &route, actor, &request)).await,
        _ => None,
    };
    browse::render_page(PageContext { route: &route, actor: actor.as_ref(), request: &request, options }, response)
}

/// Redirects to the path with its slash. 308 keeps the method and the body: after a 301, clients repeat a write as GET.
fn redirect_to_slash(method: &Method, path: String, query: Option<&str>) -> Response {
    let status = if is_safe(method) { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Response::redirect(status, path + &query)
}

/// The authentication method of a request, for the count of failures.
fn auth_method(route: &Route, headers: &HeaderMap, method: &Method) -> Option<AuthMethod> {
    if matches!(route, Route::Login) {
        return (*method == Method::POST).then_some(AuthMethod::LoginForm);
    }
    let scheme = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split(' ').next()?;
    let schemes = [("basic", AuthMethod::Basic), ("bearer", AuthMethod::Token)];
    schemes.into_iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known)).map(|(_, auth_method)| auth_method)
}

/// Reads the body, and decodes a form that a session sent.
async fn read_request_body(incoming: Body, request: &mut Request, actor: Option<&Actor>) -> Result<(), Response> {
    check_body_headers(&request.headers)?;
    request.body = read_body(incoming).await?;
    let has_session = actor.is_some_and(|actor| actor.session.is_some());
    if has_session && is_form(&request.method, &request.headers) { decode_form(request) } else { Ok(()) }
}

/// The response to OPTIONS for this actor and path, for the HTML page around another response.
async fn options_of(app: &App, route: &Route, actor: &Actor, request: &Request) -> Option<Map<String, Json>> {
    let options = Request { method: Method::OPTIONS, body: vec![], ..request.clone() };
    match call_authenticated(app, route, actor, &options, Format::Json).await.ok()?.content {
        // Some paths answer OPTIONS as GET.
        Content::Json(Json::Object(options)) if options.contains_key("actions") => Some(options),
        _ => None,
    }
}

/// Authenticates a request: the only place that requires authentication and the `write`
/// scope of tokens.
async fn authenticate(
    app: &App,
    route: &Route,
    headers: &HeaderMap,
    method: &Method,
    peer: PeerAddr,
    log: &mut RequestLog,
) -> Authentication {
    let head = RequestHead { headers, method, peer };
    // Login, logout, OAuth2 endpoints, callbacks and webhooks read their credentials themselves.
    if route.authenticates_itself(method) {
        return head.anonymous(&app.auth).await;
    }
    let mut authentication = head.authenticate(&app.auth).await;
    match &authentication.outcome {
        AuthOutcome::Authenticated { actor, .. } => {
            log.actor = Some(actor.username.clone());
            log.is_authenticated = true;
            if !actor.can_write && !is_safe(method) {
                authentication.outcome = AuthOutcome::Rejected(Error::forbidden().into());
            }
        }
        AuthOutcome::Anonymous if !route.is_public() && !is_public_by_setting(route, &authentication.settings) => {
            authentication.outcome = AuthOutcome::Rejected(unauthenticated().into());
        }
        AuthOutcome::Anonymous | AuthOutcome::Rejected(_) => {}
    }
    authentication
}

/// Whether the settings allow requests without authentication.
fn is_public_by_setting(route: &Route, settings: &Settings) -> bool {
    matches!(route, Route::Metrics) && settings.boolean(&ALLOW_METRICS_FOR_ANONYMOUS_USERS)
}

async fn call_handler(
    app: &App,
    route: &Route,
    actor: Option<&Actor>,
    request: &Request,
    format: Format,
) -> HandlerResult {
    match format {
        Format::Unknown => return Ok(Response::not_found()),
        Format::NotAcceptable => {
            let detail = "Could not satisfy the request Accept header.";
            return Ok(Response::detail(StatusCode::NOT_ACCEPTABLE, detail));
        }
        Format::Json | Format::Yaml | Format::Html | Format::OfAction(_) => {}
    }
    let mut response = match actor {
        Some(actor) => call_authenticated(app, route, actor, request, format).await?,
        None => Box::pin(call_public(app, route, request)).await?,
    };
    if let (Some(format @ ("json" | "yaml")), Content::Json(json)) =
        (request.parameter("format"), &mut response.content)
    {
        keep_format(json, format);
    }
    Ok(response)
}

/// Calls the handler of a request without an actor.
async fn call_public(app: &App, route: &Route, request: &Request) -> HandlerResult {
    if matches!(route, Route::Login) {
        return login(&app.auth, request).await;
    }
    if matches!(route, Route::Logout) {
        return logout(&app.auth, request).await;
    }
    if let Route::Action(_, Some(key), action) = route
        && route.authenticates_itself(&request.method)
    {
        return key_requests::respond(app, key, action, request).await;
    }
    if !is_safe(&request.method) {
        return Err(Error::MethodNotAllowed.into());
    }
    if request.method == Method::OPTIONS
        && let Some(options) = service_info::options(route)
    {
        return Ok(options);
    }
    match route {
        Route::ApiRoot => Ok(with_csrf_cookie(service_info::api_root(&request.settings), request)),
        Route::VersionRoot => Ok(service_info::version_root(app.engine().registry)),
        Route::Ping => Ok(service_info::ping(app, &request.settings)),
        Route::OAuthRoot => Ok(oauth::root()),
        Route::Metrics => metrics::show(app, request).await,
        Route::Stylesheet => {
            Ok(Response::text("text/css", STYLESHEET).with(header::CACHE_CONTROL, "public, max-age=3600"))
        }
        _ => Ok(unauthenticated()),
    }
}

async fn call_authenticated(
    app: &App,
    route: &Route,
    actor: &Actor,
    request: &Request,
    format: Format,
) -> HandlerResult {
    let engine = app.engine();
    match route {
        Route::ApiRoot
        | Route::Websocket
        | Route::VersionRoot
        | Route::Ping
        | Route::OAuthRoot
        | Route::OAuth(_)
        | Route::Login
        | Route::Logout
        | Route::Stylesheet => Box::pin(call_public(app, route, request)).await,
        Route::Metrics
            if actor.is_superuser || actor.is_system_auditor || is_public_by_setting(route, &request.settings) =>
        {
            Box::pin(call_public(app, route, request)).await
        }
        Route::Metrics => Err(Error::forbidden().into()),
        Route::OpenApi if is_safe(&request.method) => Ok(openapi::response()),
        Route::OpenApi => Err(Error::MethodNotAllowed.into()),
        Route::Config if request.method == Method::OPTIONS => {
            service_info::options(route).ok_or_else(|| Error::Internal("config has no OPTIONS".into()).into())
        }
        Route::Config if is_safe(&request.method) => service_info::config(engine, actor).await,
        Route::Config => Err(Error::MethodNotAllowed.into()),
        Route::SettingList => settings_handlers::list(actor, request),
        Route::SettingCategory(category) => Box::pin(settings_handlers::category(app, actor, category, request)).await,
        Route::Me => Box::pin(resource_handlers::me(engine, actor, request)).await,
        Route::List(found) => Box::pin(resource_handlers::list(engine, actor, found, request)).await,
        Route::Detail(found, key) => resource_handlers::detail(engine, actor, found, key, request).await,
        Route::Sublist(found, key, sublist) => {
            Box::pin(resource_handlers::sublist(engine, actor, found, key, sublist, request)).await
        }
        Route::Action(found, key, action) => {
            let format = format.of_action();
            Box::pin(actions::respond(app, actor, (found, key.as_deref()), action, format, request)).await
        }
        Route::UnimplementedList(name) => resource_handlers::unimplemented_list(name, request),
    }
}
