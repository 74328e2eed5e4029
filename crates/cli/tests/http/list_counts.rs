//! The count of a list is the number of its rows.

use std::collections::BTreeSet;

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    counts_match_filtered_counts,
    organization_admin_pages_through_visible_roles,
    projects_of_a_superuser_are_all_projects,
);

/// Compares each list's count with that of the list with a filter that matches all rows.
fn assert_counts(admin: &Client, when: &str) {
    let root = admin.get("/api/v2/").expect(200).json();
    let mut compared = 0;
    for list in root.as_object().expect("an object").values().filter_map(|path| path.as_str()) {
        let answer = admin.get(&format!("{list}?page_size=1"));
        if answer.status != 200 || !answer.json()["count"].is_u64() {
            continue;
        }
        let filtered = admin.get(&format!("{list}?page_size=1&id__gte=0"));
        if filtered.status == 200 {
            assert_eq!(answer.json()["count"], filtered.json()["count"], "{list} {when}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "only {compared} lists were compared");
}

fn counts_match_filtered_counts(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    assert_counts(&admin, "on a new server");

    let organization = server.organization("org");
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let team = server.team("team", organization);
    let project = admin.create("/api/v2/projects/", json!({"name": "project", "organization": organization}));
    server.add_member(organization, &ann);
    server.add_member(organization, &bob);
    server.add_admin(organization, &ann);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), bob.id);
    let roles = admin.get(&format!("/api/v2/projects/{project}/object_roles/")).expect(200).json();
    for role in roles["results"].as_array().expect("a list") {
        admin.attach(&format!("/api/v2/teams/{team}/roles/"), role["id"].as_i64().expect("an id"));
    }
    bob.token("read");
    ann.token("write");
    admin.patch(&bob.path(), json!({"is_superuser": true})).expect(200);
    admin.patch(&ann.path(), json!({"is_system_auditor": true})).expect(200);
    assert_counts(&admin, "after granting");

    admin.post(&format!("/api/v2/organizations/{organization}/users/"), json!({"id": ann.id, "disassociate": true}));
    admin.post("/api/v2/users/", json!({"username": "bob", "password": "x"})).expect(400);
    admin.patch(&bob.path(), json!({"is_superuser": false})).expect(200);
    assert_counts(&admin, "after taking away");

    // This also deletes tokens, teams, roles and their grants.
    admin.delete(&bob.path()).expect(204);
    assert_counts(&admin, "after deleting a user");
    admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    assert_counts(&admin, "after deleting an organization");
}

/// Organization admins see the roles of all teams, and the roles of other objects that they can read.
fn organization_admin_pages_through_visible_roles(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let ann = server.user("ann");
    let mut visible = vec![];
    for name in ["hers", "foreign"] {
        let organization = server.organization(name);
        let team = server.team(&format!("team of {name}"), organization);
        let fields = json!({"name": format!("project of {name}"), "organization": organization});
        let project = admin.create("/api/v2/projects/", fields);
        visible.push(format!("/api/v2/teams/{team}/"));
        if name == "hers" {
            server.add_admin(organization, &ann);
            visible.push(format!("/api/v2/organizations/{organization}/"));
            visible.push(format!("/api/v2/projects/{project}/"));
        } else {
            // Of hidden objects she sees the roles that she has; of a team she sees all roles.
            let roles = admin.get(&format!("/api/v2/teams/{team}/object_roles/")).expect(200).json();
            admin.attach(&format!("{}roles/", ann.path()), roles["results"][0]["id"].as_i64().expect("an id"));
        }
    }
    let everything = admin.results("/api/v2/roles/");
    let is_seen = |role: &&Value| {
        let objects = ["organization", "team", "project"].map(|name| role["related"][name].as_str());
        objects.iter().flatten().any(|url| visible.iter().any(|seen| seen == url))
    };
    let seen: BTreeSet<i64> = everything.iter().filter(is_seen).filter_map(|role| role["id"].as_i64()).collect();
    assert!(seen.len() < everything.len(), "nothing is hidden");

    let client = ann.client.clone();
    for order in ["id", "-id", "role_field,-id", "-content_type__model,id", "object_id,role_field,id"] {
        let list = format!("/api/v2/roles/?order_by={order}");
        let whole = client.results(&list);
        let ids: Vec<i64> = whole.iter().filter_map(|role| role["id"].as_i64()).collect();
        assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), seen, "{list}");
        assert_eq!(ids.len(), seen.len(), "{list} shows some twice");
        // A user who sees everything gets the same order.
        let same = admin.results(&list);
        let same: Vec<i64> =
            same.iter().filter_map(|role| role["id"].as_i64()).filter(|id| seen.contains(id)).collect();
        assert_eq!(ids, same, "{list}");
        let mut paged = vec![];
        for page in 1..=ids.len().div_ceil(4) {
            let page = client.get(&format!("{list}&page_size=4&page={page}")).expect(200).json();
            assert_eq!(page["count"], seen.len(), "{list}");
            paged.extend(page["results"].as_array().into_iter().flatten().filter_map(|role| role["id"].as_i64()));
        }
        assert_eq!(paged, ids, "pages of {list}");
        let last = client.get(&format!("{list}&page_size=4&page=last")).expect(200).json();
        let last: Vec<i64> =
            last["results"].as_array().into_iter().flatten().filter_map(|role| role["id"].as_i64()).collect();
        assert!(ids.ends_with(&last) && !last.is_empty(), "the last page of {list} is {last:?}");
    }
    // The last number whose page ends within 64 bits.
    client.get(&format!("/api/v2/roles/?page_size=1&page={}", i64::MAX)).expect(404);
    let of_teams = client.get("/api/v2/roles/?content_type__model=team&page_size=1").expect(200).json();
    let expected = everything.iter().filter(|role| role["related"]["team"].is_string()).count();
    assert_eq!(of_teams["count"], expected);
}

fn projects_of_a_superuser_are_all_projects(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let organization = server.organization("org");
    let [ann, bob] = ["ann", "bob"].map(|name| server.user(name));
    for name in ["one", "two", "three"] {
        admin.create("/api/v2/projects/", json!({"name": name, "organization": organization}));
    }
    let projects = |client: &Client, path: &str| client.get(path).expect(200).json()["count"].as_i64();
    let of_ann = format!("{}projects/", ann.path());
    assert_eq!(projects(&admin, &of_ann), Some(0));
    server.add_member(organization, &bob);
    for flag in ["is_superuser", "is_system_auditor"] {
        admin.patch(&ann.path(), json!({flag: true})).expect(200);
        assert_eq!(projects(&admin, &of_ann), Some(3), "{flag}");
        assert_eq!(projects(&admin, &format!("{of_ann}?name__startswith=t")), Some(2), "{flag}");
        if flag == "is_superuser" {
            // Bob can see Ann's flag, but none of these projects.
            assert_eq!(projects(&bob.client, &of_ann), Some(0));
        }
        admin.patch(&ann.path(), json!({flag: false})).expect(200);
        assert_eq!(projects(&admin, &of_ann), Some(0), "no longer {flag}");
    }
}
