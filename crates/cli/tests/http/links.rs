//! Each link in a response leads to a path that exists: to a response with OPTIONS, or to a path that is described as
//! not implemented yet.

use std::collections::{BTreeMap, BTreeSet};

use hostler_testkit::{Backend, Client, Fixture, TestServer, on_each_backend};
use serde_json::Value;

on_each_backend!(all_links_resolve);

struct Walk<'a> {
    client: &'a Client,
    who: &'a str,
    /// The templates of paths that are described as not implemented.
    later: &'a BTreeSet<String>,
    open: Vec<(String, String)>,
    seen: BTreeSet<String>,
    named: BTreeMap<String, String>,
    wrong: Vec<String>,
}

/// The client that may see everything.
const SUPERUSER: &str = "a superuser";

impl Walk<'_> {
    fn follow(&mut self, from: &str, link: &str) {
        let is_ours = link.starts_with("/api/v2/") && !link.ends_with("openapi.json");
        if is_ours && self.seen.insert(encoded(link)) {
            self.open.push((from.to_owned(), encoded(link)));
        }
    }

    fn walk(&mut self) {
        while let Some((from, path)) = self.open.pop() {
            let answer = self.client.get(&path);
            let bare = path.split('?').next().unwrap_or(&path);
            let is_later = self.later.contains(&template(bare));
            // The API root shows all users the link to the metrics, as in AWX; only superusers and auditors may follow
            // it.
            if bare == "/api/v2/metrics/" && self.who != SUPERUSER && answer.status == 403 {
                continue;
            }
            if answer.status != if is_later { 501 } else { 200 } {
                self.wrong.push(format!("{} from {from}: {answer}", self.who));
                continue;
            }
            let options = self.client.options(&path);
            let names_itself = options.status == 200 && options.json()["name"].is_string();
            if !is_later && !path.contains('?') && !names_itself {
                self.wrong.push(format!("{} from {from}: {options}", self.who));
            }
            if is_later {
                continue;
            }
            let body = answer.json();
            match body["results"].as_array() {
                Some(results) => {
                    if let Some(next) = body["next"].as_str() {
                        self.follow(&path, next);
                    }
                    results.iter().for_each(|object| self.object(&path, object));
                }
                None => self.object(&path, &body),
            }
        }
    }

    /// The links of an object and of its `summary_fields`.
    fn object(&mut self, path: &str, object: &Value) {
        let roots = if object["type"].is_string() { vec![&object["url"], &object["related"]] } else { vec![object] };
        for value in roots {
            collect_links(value, &mut |link| self.follow(path, link));
        }
        if let (Some(named), Some(url)) = (object["related"]["named_url"].as_str(), object["url"].as_str()) {
            self.named.insert(encoded(named), url.to_owned());
        }
    }
}

/// AWX does not encode spaces in named URLs, but browsers do.
fn encoded(link: &str) -> String {
    link.replace(' ', "%20")
}

fn collect_links(json: &Value, found: &mut impl FnMut(&str)) {
    match json {
        Value::String(text) => found(text),
        Value::Array(list) => list.iter().for_each(|value| collect_links(value, found)),
        Value::Object(map) => map.values().for_each(|value| collect_links(value, found)),
        _ => {}
    }
}

/// A path with `{key}` instead of the part that names the object.
fn template(path: &str) -> String {
    let mut parts: Vec<_> = path.split('/').collect();
    if parts.len() > 5 {
        parts[4] = "{key}";
    }
    parts.join("/")
}

fn all_links_resolve(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let fixture = Fixture::populate(&server, backend, 1);
    let later: BTreeSet<String> = fixture
        .endpoints(&server)
        .into_iter()
        .filter(|endpoint| endpoint.is_later)
        .map(|endpoint| endpoint.template)
        .collect();
    let admin = server.as_admin().post("/api/v2/tokens/", serde_json::json!({"scope": "write"})).expect(201).json();
    let admin = server.with_token(admin["token"].as_str().expect("a token"));
    let mut wrong = vec![];
    let walkers = [
        (SUPERUSER, admin, 300),
        ("an organization admin", fixture.ann.token("write"), 200),
        ("a member", fixture.bea.token("write"), 60),
    ];
    for (who, client, least) in walkers {
        let (open, seen) = (vec![], BTreeSet::new());
        let mut walk = Walk { client: &client, who, later: &later, open, seen, named: BTreeMap::new(), wrong: vec![] };
        walk.follow("the start", "/api/v2/");
        walk.walk();
        assert!(walk.seen.len() > least, "{who} found only {} links", walk.seen.len());
        assert!(walk.named.len() > 3, "{who} found only {:?}", walk.named);
        for (named, url) in &walk.named {
            let answer = client.get(named);
            if answer.status != 200 || answer.json()["url"] != url.as_str() {
                walk.wrong.push(format!("{who}: {named} is not {url}: {answer}"));
            }
        }
        wrong.extend(walk.wrong);
    }
    assert!(wrong.is_empty(), "{backend}: {} links:\n{}", wrong.len(), wrong.join("\n"));
}
