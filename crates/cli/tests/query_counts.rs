//! Lists take as many statements for thirty objects as for one.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use std::fmt::Write as _;

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(statements_do_not_grow_with_the_list);

/// Objects of several types stand in these lists: there is one statement more for each type that occurs.
const MIXED: &[&str] = &["/roles/", "/activity_stream/", "/access_list/"];
/// As many types as these lists can name.
const TYPES: u64 = 6;
/// More than a request for one object could ever need.
const MOST: u64 = 15;

fn statements_do_not_grow_with_the_list(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let ann = server.user("ann");
    let writer = ann.token("write");
    let first = server.organization("org-0");
    server.promote(first, &ann);
    for number in 0..30 {
        let org = if number == 0 { first } else { server.organization(&format!("org-{number}")) };
        // Each with other links, so that what is looked up once for all cannot hide what is looked up for each.
        let team = server.team(&format!("team-{number}"), org);
        server.team(&format!("crew-{number}"), first);
        admin.create("/api/v2/labels/", json!({"name": format!("label-{number}"), "organization": org}));
        admin.attach(&format!("/api/v2/organizations/{org}/users/"), ann.id);
        admin.attach(&format!("/api/v2/teams/{team}/users/"), ann.id);
        writer.create("/api/v2/tokens/", json!({"scope": "read"}));
        if number < 4 {
            let made = server.user(&format!("user-{number}"));
            server.join(first, &made);
            server.join(org, &made);
        }
    }
    // Thirty people without thirty slow hashes.
    let places: Vec<_> = (0..30).map(|number| format!("('id-{number}', 0, 'copy-{number}')")).collect();
    if backend == Backend::Sqlite {
        server.execute(&format!("INSERT INTO users (ansible_id, created, username) VALUES {}", places.join(", ")));
    } else {
        let places = places.join(", ").replace(", 0, ", ", now(), ");
        server.execute(&format!("INSERT INTO users (ansible_id, created, username) VALUES {places}"));
    }
    server.execute(&format!(
        "INSERT INTO grants (role_id, user_id, created) SELECT roles.id, users.id, users.created FROM roles, users \
         WHERE content_type = 'organization' AND object_id = {first} AND role_field = 'member_role' AND username LIKE 'copy-%'"
    ));
    let organization = format!("/api/v2/organizations/{first}/");
    for number in 0..30 {
        let writer = if number % 2 == 0 { &admin } else { &writer };
        writer.patch(&organization, json!({"description": number.to_string()})).expect(200);
    }
    let mut lists: Vec<String> = ["users", "organizations", "teams", "labels", "tokens", "roles", "activity_stream"]
        .map(|plural| format!("/api/v2/{plural}/"))
        .into();
    lists.extend(["users", "teams", "activity_stream", "access_list"].map(|below| format!("{organization}{below}/")));
    lists.extend(
        ["organizations", "teams", "roles", "tokens", "activity_stream"].map(|below| format!("{}{below}/", ann.path())),
    );
    lists.push("/api/v2/teams/?order_by=organization__name&organization__name__startswith=org&search=e".to_owned());

    lists.extend([ann.path(), organization.clone()]);

    let mut table = String::from("list of  1  30\n");
    let mut is_good = true;
    for (name, client) in [("admin", server.with_token(&admin_token(&server))), ("ann", writer)] {
        for list in &lists {
            let separator = if list.contains('?') { '&' } else { '?' };
            let [one, thirty] = [1, 30].map(|size| {
                let path = format!("{list}{separator}page_size={size}");
                let answer = client.get(&path).expect(200);
                // A single object has no page: it stands in the table for comparison.
                let shown = answer.json().get("results").and_then(|list| list.as_array().map(Vec::len)).unwrap_or(size);
                assert!(shown == size || (name == "ann" && shown > 0), "{list} has only {shown} objects");
                answer.queries()
            });
            let types = if MIXED.iter().any(|mixed| list.ends_with(mixed)) { TYPES } else { 0 };
            is_good &= one <= thirty && thirty <= one + types && thirty <= MOST;
            let _ = writeln!(table, "{one:>11}{thirty:>4}  {name} {list}");
        }
    }
    assert!(is_good, "{backend}: the statements grow with the list, or are more than {MOST}:\n{table}");
}

fn admin_token(server: &TestServer) -> String {
    let made = server.as_admin().post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
    made["token"].as_str().expect("a token").to_owned()
}
