//! The compared requests: every list and detail of the OpenAPI document, and the most expensive filters and orders of
//! lists.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use crate::bench::client::Connection;
use crate::bench::dataset::Dataset;

/// The actors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Superuser,
    OrganizationAdmin,
    Member,
}

impl Who {
    pub const ALL: [Who; 3] = [Who::Superuser, Who::OrganizationAdmin, Who::Member];

    /// A description.
    pub fn name(self) -> &'static str {
        match self {
            Who::Superuser => "superuser",
            Who::OrganizationAdmin => "organization admin",
            Who::Member => "member",
        }
    }
}

/// A request that is comparable between datasets of any size.
#[derive(Clone)]
pub struct Request {
    /// The path with N for each id.
    pub name: String,
    /// The path in this dataset.
    pub path: String,
}

impl Request {
    /// The same with this page size.
    pub fn limited_to(&self, count: usize) -> Self {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        Self { path: format!("{}{separator}page_size={count}", self.path), name: self.name.clone() }
    }
}

/// Expensive requests to the largest lists. `{organization}` is an organization of the actor, `{user}` one of its
/// members, `{middle}` the number of a page in the middle.
const FILTERED: &[&str] = &[
    super::FILTERED_AND_ORDERED,
    "users/?page_size=200",
    "users/?page={middle}",
    "users/?page=last",
    "users/?order_by=last_name,-first_name",
    "users/?order_by=-created",
    "users/?order_by=-last_login",
    "users/?username=user-000150",
    "users/?username__startswith=user-0001",
    "users/?username__icontains=00012",
    "users/?first_name__iexact=grace&last_name=Hopper",
    "users/?search=rossi",
    "users/?search=grace,hopper",
    "users/?or__first_name=Ada&or__last_name__icontains=berg",
    "users/?not__last_name=Hopper&order_by=-username",
    "users/?is_superuser=true",
    "users/?email__endswith=99@example.org",
    "users/?id__in=20,30,40,50",
    "users/?roles__role_field=admin_role",
    "users/?roles__content_type__model=team&order_by=username",
    "organizations/?name__icontains=0001",
    "organizations/?order_by=-name",
    "organizations/?teams__name__startswith=Team 000",
    "organizations/?created_by__username=admin",
    "teams/?order_by=organization__name,name",
    "teams/?organization={organization}",
    "teams/?organization__name__icontains=0001&order_by=-name",
    "teams/?search=0001",
    "teams/?page={middle}",
    "projects/?order_by=-organization__name",
    "projects/?organization__name__icontains=0001",
    "projects/?modified_by__last_name=Hopper",
    "projects/?name__icontains=0001&order_by=-modified",
    "labels/?organization__name__startswith=Organization 0000",
    "roles/?content_type__model=organization&role_field=admin_role",
    "roles/?search=admin",
    "roles/?page={middle}",
    "role_user_assignments/?user={user}",
    "role_user_assignments/?order_by=-created",
    "role_user_assignments/?role_definition__name=Team Member",
    "role_user_assignments/?page={middle}",
    "role_team_assignments/?object_id=12",
    "tokens/?order_by=-expires",
    "tokens/?user__last_name__startswith=Ho",
    "activity_stream/?order_by=-timestamp",
    "activity_stream/?actor__username=admin&operation=create",
    "activity_stream/?user={user}",
    "activity_stream/?object1=team&order_by=-id",
    "activity_stream/?search=0012",
    "activity_stream/?page={middle}",
    "organizations/{organization}/users/?order_by=last_name&search=son",
    "organizations/{organization}/access_list/?order_by=-username",
    "users/{user}/explain_access/?object=/api/v2/organizations/{organization}/",
];

/// All requests of this actor, except those whose response in this dataset is not an object.
pub fn requests(connection: &mut Connection, authorization: &str, dataset: &Dataset) -> Result<Vec<Request>> {
    let mut ask = |path: &str| -> Result<Option<Json>> {
        let answer = connection.get(&path.replace(' ', "%20"), authorization)?;
        ensure!(answer.status < 500 || answer.status == 501, "{path} answers {}", answer.status);
        if answer.status != 200 {
            return Ok(None);
        }
        // The metrics are not JSON, and have no links.
        Ok(Some(serde_json::from_slice(&answer.body).unwrap_or_default()))
    };
    let mut paths = vec![];
    let root = ask("/api/v2/")?.context("there is no root")?;
    let lists = root.as_object().context("the root is no object")?.values().filter_map(Json::as_str);
    for list in lists {
        let Some(answer) = ask(list)? else { continue };
        paths.push(list.to_owned());
        if answer.get("count").is_none() {
            continue;
        }
        // The last object is an ordinary one, unlike the first ones.
        let last = ask(&format!("{list}?order_by=-id&page_size=1"))?.context("a list cannot be ordered")?;
        let Some(object) = last["results"].get(0) else { continue };
        let Some(url) = object["url"].as_str() else { continue };
        paths.push(url.to_owned());
        for link in object["related"].as_object().into_iter().flat_map(|links| links.values()).filter_map(Json::as_str)
        {
            if link.starts_with(url) && ask(link)?.is_some_and(|answer| answer.get("results").is_some()) {
                paths.push(link.to_owned());
            }
        }
    }
    for path in FILTERED {
        let mut path = format!("/api/v2/{path}")
            .replace("{organization}", &dataset.organization().to_string())
            .replace("{user}", &dataset.member().to_string());
        if path.contains("{middle}") {
            let list = path.split('?').next().unwrap_or_default();
            let count = ask(list)?.and_then(|answer| answer["count"].as_i64()).unwrap_or(0);
            path = path.replace("{middle}", &(count / 50).max(1).to_string());
        }
        if ask(&path)?.is_some() {
            paths.push(path);
        }
    }
    let mut requests: Vec<Request> =
        paths.iter().map(|path| Request { name: without_ids(path), path: path.replace(' ', "%20") }).collect();
    let mut seen = std::collections::BTreeSet::new();
    requests.retain(|request| seen.insert(request.name.clone()));
    Ok(requests)
}

/// The path without ids: `/api/v2/users/7/teams/` becomes `users/N/teams/`.
fn without_ids(path: &str) -> String {
    let path = path.strip_prefix("/api/v2/").unwrap_or(path);
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.split('/').map(|part| if is_number(part) { "N" } else { part }).collect();
    let mut name = parts.join("/");
    if let Some(query) = query {
        let pairs: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((key @ ("page" | "user" | "organization"), value)) if is_number(value) => format!("{key}=N"),
                Some((key @ "object", _)) => format!("{key}=…"),
                _ => pair.to_owned(),
            })
            .collect();
        name = format!("{name}?{}", pairs.join("&"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_names_do_not_depend_on_ids() {
        for (path, name) in [
            ("/api/v2/users/17/teams/", "users/N/teams/"),
            ("/api/v2/users/?page=4000", "users/?page=N"),
            ("/api/v2/users/?page=last&page_size=25", "users/?page=last&page_size=25"),
            ("/api/v2/teams/?organization=3&search=3", "teams/?organization=N&search=3"),
        ] {
            assert_eq!(without_ids(path), name);
        }
    }
}
