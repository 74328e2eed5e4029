//! What the services that send webhooks say about an event.

use serde_json::{Map, Value as Json};
use url::Url;

/// The ref of a branch or tag that was deleted.
const DELETED_REF: &str = "0000000000000000000000000000000000000000";

/// A service that sends webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Bitbucket Data Center.
    BitbucketDc,
}

/// An event, with the body that describes it.
#[derive(Debug)]
pub struct Event {
    /// Its type, from a header.
    pub kind: Option<String>,
    /// Its id: a repeated event has the same one.
    pub guid: Option<String>,
    /// The body.
    pub payload: Map<String, Json>,
}

impl Service {
    /// All services.
    pub const ALL: [Service; 3] = [Service::Github, Service::Gitlab, Service::BitbucketDc];

    /// The service of a path and of the field `webhook_service`.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The name in the path and in the field `webhook_service`.
    pub const fn name(self) -> &'static str {
        match self {
            Service::Github => "github",
            Service::Gitlab => "gitlab",
            Service::BitbucketDc => "bitbucket_dc",
        }
    }

    /// The header with the type of the event.
    pub const fn kind_header(self) -> &'static str {
        match self {
            Service::Github => "x-github-event",
            Service::Gitlab => "x-gitlab-event",
            Service::BitbucketDc => "x-event-key",
        }
    }

    /// The header with the id of the event. GitLab sends none.
    pub const fn guid_header(self) -> Option<&'static str> {
        match self {
            Service::Github => Some("x-github-delivery"),
            Service::Gitlab => None,
            Service::BitbucketDc => Some("x-request-id"),
        }
    }

    /// Whether events of this type launch nothing.
    pub fn ignores(self, kind: Option<&str>) -> bool {
        self == Service::BitbucketDc && self.ref_path(kind).is_none()
    }

    /// Where the payload has the ref, by the type of the event.
    fn ref_path(self, kind: Option<&str>) -> Option<&'static str> {
        Some(match (self, kind?) {
            (Service::Github, "pull_request" | "pull_request_review" | "pull_request_review_comment") => {
                "/pull_request/head/sha"
            }
            (Service::Github, "push") => "/after",
            (Service::Github, "release") => "/release/tag_name",
            (Service::Github, "commit_comment") => "/comment/commit_id",
            (Service::Github, "create") => "/ref",
            (Service::Github, "page_build") => "/build/commit",
            (Service::Gitlab, "Push Hook" | "Tag Push Hook") => "/checkout_sha",
            (Service::Gitlab, "Merge Request Hook") => "/object_attributes/last_commit/id",
            (Service::BitbucketDc, "repo:refs_changed" | "mirror:repo_synchronized") => "/changes/0/toHash",
            (Service::BitbucketDc, "pr:opened" | "pr:from_ref_updated" | "pr:modified") => {
                "/pullRequest/toRef/latestCommit"
            }
            _ => return None,
        })
    }
}

impl Event {
    fn at(&self, pointer: &str) -> Option<&Json> {
        let (first, rest) = pointer.strip_prefix('/')?.split_once('/').unwrap_or((pointer.strip_prefix('/')?, ""));
        let part = self.payload.get(first)?;
        if rest.is_empty() { Some(part) } else { part.pointer(&format!("/{rest}")) }
    }

    /// The commit or ref that the event is about; null if there is none, or if it was deleted.
    pub fn reference(&self, service: Service) -> Json {
        let found = service.ref_path(self.kind.as_deref()).and_then(|path| self.at(path));
        found.filter(|found| *found != DELETED_REF).cloned().unwrap_or_default()
    }

    /// The URL that takes the status of the job.
    pub fn status_api(&self, service: Service) -> Option<String> {
        let kind = self.kind.as_deref();
        match service {
            Service::Github if kind == Some("pull_request") => {
                Some(self.at("/pull_request/statuses_url")?.as_str()?.to_owned())
            }
            Service::Github => None,
            Service::Gitlab => {
                service.ref_path(kind)?;
                let origin = origin(self.at("/project/web_url")?.as_str()?)?;
                let project = self.at("/project/id")?.as_i64()?;
                let reference = self.reference(service);
                let commit = reference.as_str().filter(|commit| is_commit(commit))?;
                Some(format!("{origin}/api/v4/projects/{project}/statuses/{commit}"))
            }
            Service::BitbucketDc => {
                let reference = self.reference(service);
                let commit = reference.as_str().filter(|commit| is_commit(commit))?;
                let link =
                    ["/actor/links/self/0/href", "/repository/links/self/0/href"].iter().find_map(|path| self.at(path));
                let origin = origin(link?.as_str()?)?;
                Some(format!("{origin}/rest/build-status/1.0/commits/{commit}"))
            }
        }
    }
}

/// Whether a text can be part of a path.
fn is_commit(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The scheme, host and port of a URL.
fn origin(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
    Some(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, payload: Json) -> Event {
        let payload = payload.as_object().cloned().unwrap_or_default();
        Event { kind: Some(kind.into()), guid: None, payload }
    }

    #[test]
    fn ref_is_that_of_the_kind_of_event() {
        let sha = "0123456789012345678901234567890123456789";
        for (service, kind, payload) in [
            (Service::Github, "push", json!({"after": sha})),
            (Service::Github, "pull_request", json!({"pull_request": {"head": {"sha": sha}}})),
            (Service::Gitlab, "Push Hook", json!({"checkout_sha": sha})),
            (Service::Gitlab, "Merge Request Hook", json!({"object_attributes": {"last_commit": {"id": sha}}})),
            (Service::BitbucketDc, "repo:refs_changed", json!({"changes": [{"toHash": sha}]})),
            (Service::BitbucketDc, "pr:opened", json!({"pullRequest": {"toRef": {"latestCommit": sha}}})),
        ] {
            assert_eq!(event(kind, payload).reference(service), sha, "{kind}");
        }
        for (kind, payload) in [("push", json!({"after": DELETED_REF})), ("push", json!({})), ("ping", json!({}))] {
            assert_eq!(event(kind, payload).reference(Service::Github), Json::Null);
        }
    }

    #[test]
    fn status_goes_to_the_server_of_the_event() {
        let github = json!({"pull_request": {"statuses_url": "https://api.github.example/s"}});
        let expected = Some("https://api.github.example/s".to_owned());
        assert_eq!(event("pull_request", github.clone()).status_api(Service::Github), expected);
        assert_eq!(event("push", github).status_api(Service::Github), None);
        let gitlab = json!({"project": {"id": 7, "web_url": "https://gitlab.example/a/b"}, "checkout_sha": "abc"});
        let expected = Some("https://gitlab.example/api/v4/projects/7/statuses/abc".to_owned());
        assert_eq!(event("Push Hook", gitlab).status_api(Service::Gitlab), expected);
        let bitbucket = json!({
            "actor": {"links": {"self": [{"href": "https://bb.example:7990/users/a"}]}}, "changes": [{"toHash": "abc"}],
        });
        let expected = Some("https://bb.example:7990/rest/build-status/1.0/commits/abc".to_owned());
        assert_eq!(event("repo:refs_changed", bitbucket).status_api(Service::BitbucketDc), expected);
        for payload in [
            json!({"project": {"id": 7, "web_url": "file:///etc"}, "checkout_sha": "abc"}),
            json!({"project": {"id": 7, "web_url": "https://gitlab.example"}, "checkout_sha": "a/../b"}),
            json!({"project": 7}),
        ] {
            assert_eq!(event("Push Hook", payload).status_api(Service::Gitlab), None);
        }
    }

    #[test]
    fn bitbucket_sends_more_than_launches_jobs() {
        assert!(Service::BitbucketDc.ignores(Some("diagnostics:ping")) && Service::BitbucketDc.ignores(None));
        assert!(!Service::BitbucketDc.ignores(Some("pr:opened")) && !Service::Github.ignores(Some("ping")));
    }
}
