//! Filters, orders and pages of lists that no recorded case covers.

use hostler_testkit::{Backend, Client, PASSWORD, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    filters_across_relation_match_one_object_unless_chained,
    or_and_not_filters,
    filters_and_order_cross_relations,
    related_search,
    named_urls_resolve,
    next_page_links_are_followed,
    case_insensitive_filters_use_unicode,
    type_filter_of_other_type_is_empty,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// The values of one field of a list, in order.
fn column(client: &Client, path: &str, field: &str) -> Vec<String> {
    let results = client.get(path).expect(200).json()["results"].clone();
    let values = results.as_array().expect("results").iter();
    values.map(|object| object[field].as_str().expect("a text").to_owned()).collect()
}

fn names(client: &Client, path: &str) -> Vec<String> {
    column(client, path, "name")
}

/// Organizations a, b and c: only `a` has one team that is both red and large.
fn teams(server: &TestServer) {
    for (org, teams) in [
        ("a", &[("red-1", "large"), ("blue-1", "small")][..]),
        ("b", &[("red-2", "small"), ("blue-2", "large")]),
        ("c", &[("green-3", "large")]),
    ] {
        let id = server.organization(org);
        for (name, size) in teams {
            let body = json!({"name": name, "description": size, "organization": id});
            server.as_admin().create("/api/v2/teams/", body);
        }
    }
}

fn filters_across_relation_match_one_object_unless_chained(backend: Backend) {
    let server = start(backend);
    teams(&server);
    let admin = server.as_admin();
    let list = |query: &str| names(&admin, &format!("/api/v2/organizations/?order_by=name&{query}"));
    assert_eq!(list("teams__name__startswith=red&teams__description=large"), ["a"]);
    assert_eq!(list("chain__teams__name__startswith=red&chain__teams__description=large"), ["a", "b"]);
    assert_eq!(list("chain__teams__name__startswith=red"), ["a", "b"]);
    // An object with several matches is listed once.
    assert_eq!(list("teams__name__contains=e"), ["a", "b", "c"]);
    assert_eq!(admin.get("/api/v2/organizations/?teams__name__contains=e").json()["count"], 3);
}

fn or_and_not_filters(backend: Backend) {
    let server = start(backend);
    teams(&server);
    let admin = server.as_admin();
    let list = |query: &str| names(&admin, &format!("/api/v2/organizations/?order_by=name&{query}"));
    assert_eq!(list("or__name=a&or__name=c"), ["a", "c"]);
    assert_eq!(list("not__name=a"), ["b", "c"]);
    assert_eq!(list("not__name=a&not__name=b"), ["c"]);
    assert_eq!(list("or__name=c&or__not__name__in=b,c"), ["a", "c"]);
    assert_eq!(list("or__not__name=a&or__not__name=b"), ["a", "b", "c"]);
    assert_eq!(list("name__in=a,b&or__name=b&or__name=c"), ["b"]);
    assert_eq!(list("not__teams__name__startswith=red"), ["c"]);
    assert_eq!(list("chain__not__teams__name__startswith=red"), ["c"]);
    admin.get("/api/v2/organizations/?name__in=").expect(400);
    assert_eq!(list("not__name__in=a"), ["b", "c"]);
}

fn filters_and_order_cross_relations(backend: Backend) {
    let server = start(backend);
    teams(&server);
    let admin = server.as_admin();
    let list = |query: &str| names(&admin, &format!("/api/v2/teams/?{query}"));
    assert_eq!(list("organization__name=b&order_by=name"), ["blue-2", "red-2"]);
    assert_eq!(list("organization__teams__name=red-2&order_by=-name"), ["red-2", "blue-2"]);
    assert_eq!(list("organization__created_by__username=admin&order_by=name&page_size=1"), ["blue-1"]);
    assert_eq!(list("order_by=-organization__name,name"), ["green-3", "blue-2", "red-2", "blue-1", "red-1"]);
    assert_eq!(list("order_by=organization__name,-name"), ["red-1", "blue-1", "red-2", "blue-2", "green-3"]);
    assert_eq!(list("organization=2&organization__id__gt=1&order_by=name"), ["blue-2", "red-2"]);
    for wrong in [
        "nothing__name=a",
        "organization__nothing=a",
        "name__nothing=a",
        "order_by=nothing",
        "order_by=organization__nothing",
    ] {
        let answer = admin.get(&format!("/api/v2/teams/?{wrong}"));
        assert!(answer.status == 400 && answer.json()["detail"].is_string(), "{answer}");
    }
    for secret in ["password=x", "password__startswith=a", "or__password__isnull=true", "created_by__password=x"] {
        let list = if secret.starts_with("created_by") { "teams" } else { "users" };
        admin.get(&format!("/api/v2/{list}/?{secret}")).expect(403);
    }
}

fn related_search(backend: Backend) {
    let server = start(backend);
    teams(&server);
    let admin = server.as_admin();
    let orgs = |query: &str| names(&admin, &format!("/api/v2/organizations/?order_by=name&{query}"));
    assert_eq!(orgs("teams__search=RED"), ["a", "b"]);
    assert_eq!(orgs("teams__search=green"), ["c"]);
    let teams = |query: &str| names(&admin, &format!("/api/v2/teams/?order_by=name&{query}"));
    assert_eq!(teams("search=red"), ["red-1", "red-2"]);
    assert_eq!(teams("search=LARGE"), ["blue-2", "green-3", "red-1"]);
    assert_eq!(teams("search=nothing-like-it"), Vec::<String>::new());
}

fn named_urls_resolve(backend: Backend) {
    let server = start(backend);
    teams(&server);
    let admin = server.as_admin();
    let org = server.organization("d");
    let ann = server.user("ann");
    server.add_admin(org, &ann);
    let team = json!({"name": "of-ann", "organization": org});
    server.as_user("ann", PASSWORD).post("/api/v2/teams/", team).expect(201);
    let list = |query: &str| names(&admin, &format!("/api/v2/teams/?order_by=name&{query}"));
    assert_eq!(list("created_by__username=ann"), ["of-ann"]);
    assert_eq!(list("created_by__username=nobody"), [""; 0]);
    assert_eq!(list("created_by__username=ann&created_by__first_name=x"), [""; 0]);
    assert_eq!(list("not__created_by__username=admin"), ["of-ann"]);
    assert_eq!(list("or__created_by__username=ann&or__name=red-1"), ["of-ann", "red-1"]);
    assert_eq!(list("organization__created_by__username=admin&organization__name=d"), ["of-ann"]);
    // A row whose creator was deleted has no creator.
    admin.delete(&ann.path()).expect(204);
    assert_eq!(list("not__created_by__username=admin"), ["of-ann"]);
    let count =
        |path: &str| admin.get(&format!("/api/v2/{path}")).expect(200).json()["count"].as_u64().expect("a count");
    // System-wide roles belong to no object; neither a filter nor its negation may lose them.
    let (all, of_teams) = (count("roles/"), count("roles/?content_type__model=team"));
    assert!(0 < of_teams && of_teams < all, "{of_teams} of {all}");
    assert_eq!(count("roles/?not__content_type__model=team"), all - of_teams);
    assert_eq!(count("roles/?content_type__model__isnull=true"), 2);
    assert_eq!(count("roles/?content_type__model=team&role_field=admin_role"), 6);
    assert_eq!(count("roles/?or__content_type__model=team&or__role_field=system_auditor"), of_teams + 1);
    // Assignments, by their definition and by their object.
    let bob = server.user("bob");
    server.add_admin(org, &bob);
    for (filter, expected) in [
        ("role_definition__name=Organization Admin", 1),
        ("role_definition__name=Organization Member", 0),
        ("not__role_definition__name=Organization Admin", 0),
        (&format!("object_id={org}"), 1),
        ("object_id=none", 0),
    ] {
        let mine = format!("role_user_assignments/?user={}&{}", bob.id, filter.replace(' ', "%20"));
        assert_eq!(count(&mine), expected, "{mine}");
    }
}

fn next_page_links_are_followed(backend: Backend) {
    let server = start(backend);
    teams(&server);
    let admin = server.as_admin();
    let mut path = "/api/v2/teams/?order_by=name&page_size=2&name__regex=[a-z]%2B".to_owned();
    let (mut seen, mut back) = (vec![], vec![Value::Null]);
    loop {
        let page = admin.get(&path).expect(200).json();
        assert_eq!(page["count"], 5);
        seen.extend(names(&admin, &path));
        assert_eq!(page["previous"].is_null(), back.len() == 1, "{path}");
        back.push(page["previous"].clone());
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ["blue-1", "blue-2", "green-3", "red-1", "red-2"]);
    let last = admin.get("/api/v2/teams/?order_by=name&page_size=2&page=last").expect(200).json();
    assert_eq!((&last["results"][0]["name"], &last["next"]), (&json!("red-2"), &Value::Null));
    assert!(last["previous"].as_str().is_some_and(|link| link.contains("page=2")), "{last}");
    for page in ["0", "4", "-1", "x", "99999999999999999999"] {
        let answer = admin.get(&format!("/api/v2/teams/?page_size=2&page={page}")).expect(404);
        assert_eq!(answer.json(), json!({"detail": "Invalid page."}));
    }
    let most = admin.get("/api/v2/teams/?page_size=1000").expect(200).json();
    assert_eq!(most["results"].as_array().map(Vec::len), Some(5));
}

fn case_insensitive_filters_use_unicode(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    server.user_with("oe", json!({"first_name": "\u{d6}dipus", "last_name": "100%_a"}));
    server.user_with("plain", json!({"first_name": "Odipus", "last_name": "100xxa"}));
    let list = |query: &str| column(&admin, &format!("/api/v2/users/?order_by=username&{query}"), "username");
    assert_eq!(list("first_name__icontains=%C3%B6DI"), ["oe"]);
    assert_eq!(list("first_name__iexact=%C3%B6dipus"), ["oe"]);
    assert_eq!(list("first_name__contains=%C3%B6"), Vec::<String>::new());
    assert_eq!(list("first_name__iregex=%5E%C3%B6.i"), ["oe"]);
    assert_eq!(list("first_name__regex=%5E%C3%B6"), Vec::<String>::new());
    // Special characters of the databases are literal here.
    assert_eq!(list("last_name__contains=%25_"), ["oe"]);
    assert_eq!(list("last_name__startswith=100%25"), ["oe"]);
}

fn type_filter_of_other_type_is_empty(backend: Backend) {
    let server = start(backend);
    teams(&server);
    let admin = server.as_admin();
    let count = |path: &str| admin.get(path).expect(200).json()["count"].as_i64().expect("a count");
    let everything = count("/api/v2/organizations/");
    assert_ne!(everything, 0);
    for (kind, counted) in [
        ("organization", everything),
        ("team,organization", everything),
        ("team", 0),
        ("nothing-of-ours", 0),
        ("", 0),
        ("organization&type=team", 0),
        ("team&type=organization", everything),
    ] {
        assert_eq!(count(&format!("/api/v2/organizations/?type={kind}")), counted, "type={kind}");
    }
    assert_eq!(names(&admin, "/api/v2/organizations/?type=organization&name=b"), ["b"]);
    assert!(names(&admin, "/api/v2/organizations/?type=team&or__name=a&or__name=b").is_empty());
    // The type of activity entries is activity_stream for all kinds of objects.
    assert_eq!(count("/api/v2/activity_stream/?type=organization"), 0);
    assert_ne!(count("/api/v2/activity_stream/?type=activity_stream"), 0);
    let organization = admin.get("/api/v2/organizations/?name=a").json()["results"][0]["id"].clone();
    assert_eq!(count(&format!("/api/v2/organizations/{organization}/teams/?type=organization")), 0);
    assert_eq!(count(&format!("/api/v2/organizations/{organization}/access_list/?type=team")), 0);
    assert_ne!(count(&format!("/api/v2/organizations/{organization}/access_list/?type=user")), 0);
}
