//! The HTML page around a JSON response.

use axum::http::{HeaderName, Method, StatusCode, header};
use hostler_http::{CSRF_COOKIE, Content, Request, Response, csrf_cookie, csrf_token, render_template};
use hostler_schema::Actor;
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value as Json};

use super::markup::markup;
use crate::route::Route;

/// The response headers that the page shows.
const SHOWN_HEADERS: [HeaderName; 5] =
    [header::ALLOW, header::ETAG, header::LOCATION, header::RETRY_AFTER, header::WWW_AUTHENTICATE];
/// The key of messages about several fields together.
const ALL_FIELDS: &str = "__all__";
/// The default page size of lists.
const DEFAULT_PAGE_SIZE: u64 = 25;

/// The request and what belongs to its page.
pub(crate) struct PageContext<'a> {
    pub route: &'a Route,
    pub actor: Option<&'a Actor>,
    pub request: &'a Request,
    /// The response to OPTIONS for the same path and actor, if it describes actions.
    pub options: Option<Map<String, Json>>,
}

/// The actions for which the page has forms.
#[derive(Default)]
struct AllowedActions {
    create: bool,
    change: bool,
    delete: bool,
}

/// Renders a JSON response as a page. Other responses stay.
pub(crate) fn render_page(page: PageContext<'_>, response: Response) -> Response {
    let Response { status, content, headers } = response;
    let body = match content {
        Content::Json(body) => body,
        content => return Response { status, content, headers },
    };
    let request = page.request;
    let has_session = page.actor.is_some_and(|actor| actor.session.is_some());
    let token = has_session.then(|| csrf_token(&request.headers));
    let allowed = if has_session { page.allowed_actions(&body) } else { AllowedActions::default() };
    let header = |wanted: &HeaderName| {
        headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone().into_owned())
    };
    let was_read = request.method == Method::GET && status == StatusCode::OK;
    let tag =
        if was_read { header(&header::ETAG) } else { request.if_match().and_then(|tags| tags.into_iter().next()) };
    let form = page.form(&allowed, &body, was_read, status, tag.clone());
    let problems = if form.is_some() && !was_read { problems(&body) } else { vec![] };
    let delete = (was_read && allowed.delete).then(|| match page.route {
        Route::SettingCategory(_) => {
            context! { summary => "Reset…", question => "Yes, set all of these to their defaults", tag }
        }
        _ => context! { summary => "Delete…", question => "Yes, delete this for good", tag },
    });
    let lines = SHOWN_HEADERS.iter().filter_map(|name| Some((name, header(name)?)));
    let mut lines: Vec<Value> = lines.map(|(name, value)| context! { name => titled(name.as_str()), value }).collect();
    lines.push(context! { name => "Content-Type", value => "application/json" });
    let query = request.query_string();
    let target = if query.is_empty() { request.path.clone() } else { format!("{}?{query}", request.path) };
    let is_closed = status == StatusCode::UNAUTHORIZED;
    let is_list = !is_closed && matches!(page.route, Route::List(_) | Route::Sublist(..) | Route::Me);

    let context = context! {
        title => if is_closed { "You are not logged in".to_owned() } else { page.title(status) },
        subject => if was_read { page.subject(&body) } else { None },
        description => page.options.as_ref().and_then(|words| words.get("description")).and_then(Json::as_str),
        crumbs => crumbs(&request.path).map(|(name, path)| context! { name, path }).collect::<Vec<_>>(),
        user => page.actor.map(|actor| actor.username.as_str()),
        has_session,
        token => token.as_deref(),
        next => utf8_percent_encode(&target, NON_ALPHANUMERIC).to_string(),
        path => request.path.as_str(),
        json_path => format!("{}?{}", request.path, with_format(&query)),
        method => request.method.as_str(),
        target,
        status => status.to_string(),
        is_good => status.is_success(),
        headers => lines,
        body => Value::from_safe_string(markup(&body)),
        is_closed,
        is_list,
        search => request.parameter("search").unwrap_or_default(),
        list => if is_list && was_read { list(&body, request) } else { None },
        fields => if form.is_some() { page.fields() } else { vec![] },
        form,
        problems,
        delete,
    };
    let mut page = render_template(status, "page.html", context);
    // A page with forms sets the CSRF token that its forms contain.
    let is_token =
        |name: &HeaderName, value: &str| name == header::SET_COOKIE && value.starts_with(&format!("{CSRF_COOKIE}="));
    page.headers.extend(headers.into_iter().filter(|(name, value)| token.is_none() || !is_token(name, value)));
    match token {
        Some(token) => page.with(header::SET_COOKIE, request.cookie(csrf_cookie(&token))),
        None => page,
    }
}

/// The page for an unknown path.
pub(crate) fn not_found_page() -> Response {
    render_template(StatusCode::NOT_FOUND, "unknown.html", context! {})
}

/// Redirects after a successful form, so that reloading the page does not send the form again.
/// What a POST created is shown at once, because tokens are shown only then.
pub(crate) fn redirect_after_form(route: &Route, request: &Request, response: Response) -> Response {
    let place = match (request.method.as_str(), response.status) {
        ("PUT" | "PATCH", StatusCode::OK) => match &response.content {
            // The path by name changes with the name.
            Content::Json(body) => body["url"].as_str().unwrap_or(&request.path).to_owned(),
            _ => request.path.clone(),
        },
        ("DELETE", StatusCode::NO_CONTENT) if matches!(route, Route::Detail(..)) => parent(&request.path).to_owned(),
        // A page of its own has only what answers GET.
        ("POST", StatusCode::NO_CONTENT) if matches!(route, Route::Action(_, _, action) if action.get.is_none()) => {
            parent(&request.path).to_owned()
        }
        (_, StatusCode::NO_CONTENT) => request.path.clone(),
        _ => return response,
    };
    Response::redirect(StatusCode::SEE_OTHER, place)
}

impl PageContext<'_> {
    fn title(&self, status: StatusCode) -> String {
        if let Some(name) = self.options.as_ref().and_then(|words| words.get("name")).and_then(Json::as_str) {
            return name.to_owned();
        }
        match self.route {
            Route::ApiRoot => "REST API".into(),
            Route::VersionRoot => "Version 2".into(),
            Route::Ping => "Ping".into(),
            Route::Config => "Configuration".into(),
            Route::SettingList => "Settings".into(),
            Route::SettingCategory(category) => format!("Settings: {category}"),
            // The title must not reveal what a hidden path is.
            _ => status.canonical_reason().filter(|_| !status.is_success()).unwrap_or("API").into(),
        }
    }

    /// The name of the object.
    fn subject(&self, body: &Json) -> Option<String> {
        let Route::Detail(found, _) = self.route else { return None };
        let name = found.resource.summarized_as.first()?;
        body[*name].as_str().filter(|name| !name.is_empty()).map(str::to_owned)
    }

    fn action(&self, name: &str) -> Option<&Map<String, Json>> {
        self.options.as_ref()?.get("actions")?.get(name)?.as_object()
    }

    fn allowed_actions(&self, body: &Json) -> AllowedActions {
        match self.route {
            Route::List(_) | Route::Sublist(..) | Route::Action(..) => {
                AllowedActions { create: self.action("POST").is_some(), ..AllowedActions::default() }
            }
            Route::Detail(found, _) => AllowedActions {
                change: self.action("PUT").is_some(),
                delete: found.resource.deletable
                    && body["summary_fields"]["user_capabilities"]["delete"].as_bool().unwrap_or(true),
                ..AllowedActions::default()
            },
            Route::SettingCategory(category) => {
                let can_change = category != "changed" && self.actor.is_some_and(|actor| actor.is_superuser);
                AllowedActions { change: can_change, delete: can_change, ..AllowedActions::default() }
            }
            _ => AllowedActions::default(),
        }
    }

    /// The form to create or change: after a read with the stored values, after a failed form with
    /// the text that was sent.
    fn form(
        &self,
        allowed: &AllowedActions,
        body: &Json,
        was_read: bool,
        status: StatusCode,
        tag: Option<String>,
    ) -> Option<Value> {
        let typed = self.request.is_form && !status.is_success() && !self.request.body.is_empty();
        // An action without GET has a form too.
        let has_only_post = self.request.method == Method::GET && status == StatusCode::METHOD_NOT_ALLOWED;
        if !(was_read || typed || has_only_post) || !(allowed.create || allowed.change) {
            return None;
        }
        let content = if typed {
            String::from_utf8_lossy(&self.request.body).into_owned()
        } else if allowed.create {
            "{}".to_owned()
        } else {
            self.writable(body)
        };
        let (title, buttons) = if allowed.create {
            ("Create or associate", vec![context! { method => "POST", words => "Send this content" }])
        } else {
            let patch = context! { method => "PATCH", words => "Change the fields above" };
            let put = context! { method => "PUT", words => "Replace the whole object" };
            ("Change", vec![patch, put])
        };
        let title = match self.route {
            Route::List(_) => "Create",
            Route::Action(..) => "Request",
            _ => title,
        };
        let rows = content.lines().count().clamp(4, 20) + 1;
        Some(context! { title, content, rows, tag, buttons })
    }

    /// The fields of the object that a client may write, as JSON.
    fn writable(&self, body: &Json) -> String {
        let values = match (self.action("PUT"), body) {
            (Some(fields), Json::Object(values)) => {
                let known = fields.keys().filter_map(|name| Some((name.clone(), values.get(name)?.clone())));
                Json::Object(known.collect())
            }
            _ => body.clone(),
        };
        serde_json::to_string_pretty(&values).unwrap_or_default()
    }

    /// OPTIONS' description of the writable fields.
    fn fields(&self) -> Vec<Value> {
        let Some(fields) = self.action("POST").or_else(|| self.action("PUT")) else { return vec![] };
        let text = |words: &Json, key: &str| words[key].as_str().unwrap_or_default().to_owned();
        let line = |(name, words): (&String, &Json)| {
            let required = words["required"].as_bool().unwrap_or(false);
            context! { name, type => text(words, "type"), required, help => text(words, "help_text") }
        };
        fields.iter().map(line).collect()
    }
}

/// The messages of an error response, each with the path of its field; empty for the whole.
fn problems(body: &Json) -> Vec<Value> {
    fn collect(path: &str, json: &Json, found: &mut Vec<Value>) {
        match json {
            Json::Object(map) => {
                for (key, value) in map {
                    let path = match key.as_str() {
                        "detail" | ALL_FIELDS => path.to_owned(),
                        key if path.is_empty() => key.to_owned(),
                        key => format!("{path}.{key}"),
                    };
                    collect(&path, value, found);
                }
            }
            Json::Array(list) => list.iter().for_each(|value| collect(path, value, found)),
            Json::String(words) => found.push(context! { path, words }),
            other => found.push(context! { path, words => other.to_string() }),
        }
    }
    let mut found = vec![];
    collect("", body, &mut found);
    found
}

fn list(body: &Json, request: &Request) -> Option<Value> {
    let count = body["count"].as_u64()?;
    let number = |name: &str| request.parameter(name).and_then(|text| text.trim().parse::<u64>().ok());
    let size =
        number("page_size").filter(|size| *size > 0).unwrap_or(DEFAULT_PAGE_SIZE).min(hostler_engine::MAX_PAGE_SIZE);
    let pages = count.div_ceil(size).max(1);
    let page = if request.parameter("page") == Some("last") { pages } else { number("page").unwrap_or(1) };
    let link = |key: &str| body[key].as_str().map(str::to_owned);
    Some(context! { count, page, pages, next => link("next"), previous => link("previous") })
}

/// The name and the path of each part of a path.
fn crumbs(path: &str) -> impl Iterator<Item = (String, &str)> {
    let mut start = 1;
    path.match_indices('/').skip(1).map(move |(end, _)| {
        let name = percent_decode_str(&path[start..end]).decode_utf8_lossy().into_owned();
        start = end + 1;
        (if name == "api" { "API".into() } else { name }, &path[..=end])
    })
}

fn parent(path: &str) -> &str {
    let end = path.trim_end_matches('/').rfind('/').unwrap_or(0);
    &path[..=end]
}

/// The query for the same response as JSON.
fn with_format(query: &str) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key != "format");
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair("format", "json").finish()
}

/// A header's name in its usual case.
fn titled(name: &str) -> String {
    let words = name.split('-').map(|word| match word {
        "etag" => "ETag".to_owned(),
        "www" => "WWW".to_owned(),
        word => {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breadcrumbs_have_one_entry_per_part() {
        let crumbs: Vec<_> = crumbs("/api/v2/teams/ops%20a++acme/").collect();
        let shown: Vec<_> = crumbs.iter().map(|(name, path)| (name.as_str(), *path)).collect();
        assert_eq!(
            shown,
            [
                ("API", "/api/"),
                ("v2", "/api/v2/"),
                ("teams", "/api/v2/teams/"),
                ("ops a++acme", "/api/v2/teams/ops%20a++acme/"),
            ]
        );
        assert_eq!(parent("/api/v2/users/3/"), "/api/v2/users/");
    }

    #[test]
    fn json_link_keeps_query() {
        assert_eq!(with_format("page=2&format=api&name=a%26b"), "page=2&name=a%26b&format=json");
        assert_eq!(with_format(""), "format=json");
    }

    #[test]
    fn headers_are_named_as_usual() {
        assert_eq!(["allow", "etag", "www-authenticate"].map(titled), ["Allow", "ETag", "WWW-Authenticate"]);
    }
}
