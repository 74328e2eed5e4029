//! Searches find the same whether the index of texts helps them or not.

use hostler_testkit::{Backend, Client, TestServer, backends, on_each_backend};
use serde_json::json;

on_each_backend!(
    every_part_of_a_text_is_found,
    what_changes_is_found_as_it_is,
    every_searched_text_is_in_the_index,
    a_database_of_the_version_before_is_indexed,
);

/// The tables whose texts are in the index.
const TABLES: [&str; 7] = ["users", "organizations", "teams", "projects", "labels", "applications", "credentials"];

/// How many changes are noted before all of them come into the index on SQLite.
const NOTED: usize = 256;

/// Names with what means something to databases, and with letters whose lower case is not what one would think.
const NAMES: &[&str] = &[
    "O'Brien \"Bob\"",
    "100%_\\ab",
    "100xxxab",
    "\u{130}stanbul",
    "\u{212a}elvin",
    "Kelvin \u{130}",
    "Stra\u{df}e",
    "STRA\u{1e9e}E",
    "M\u{fc}LLER-L\u{dc}DENSCHEIDT",
    "\u{39f}\u{394}\u{39f}\u{3a3}",
    "\u{39f}\u{394}\u{39f}\u{3a3}\u{391}",
    "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}",
    "\u{13a0}\u{13a1}\u{13a2}\u{13a3}",
    "\u{6771}\u{4eac}\u{90fd}\u{5e81}",
    "e\u{301}t\u{e9}\u{301}x",
    "\u{1f4a5}\u{1f4a5}\u{1f4a5}bang",
    "a",
    "ab",
    "AB AB AB",
    "tail \u{17f}\u{17f}\u{17f}",
    "not AND or OR NEAR(x) * ^ name:x",
];

const TERMS: &[&str] = &[
    "O'B",
    "\"Bob\"",
    "\"",
    "'",
    "100%",
    "%_\\",
    "_",
    "\\a",
    "xab",
    "\u{130}s",
    "i\u{307}s",
    "i\u{307}st",
    "ist",
    "anb",
    "stanbul",
    "\u{212a}el",
    "kel",
    "KELV",
    "vin \u{130}",
    "vin i",
    "n i\u{307}",
    "STRASSE",
    "stra\u{df}",
    "a\u{1e9e}e",
    "m\u{fc}ll",
    "L\u{dc}D",
    "ller-",
    "\u{3bf}\u{3b4}\u{3bf}\u{3c3}",
    "\u{39f}\u{394}\u{39f}\u{3a3}",
    "\u{3b4}\u{3bf}\u{3c2}",
    "\u{394}\u{39f}\u{3a3}\u{391}",
    "\u{3b4}\u{3bf}\u{3c3}\u{3b1}",
    "\u{440}\u{418}\u{412}\u{435}",
    "\u{ab70}\u{ab71}\u{ab72}",
    "\u{13a1}\u{13a2}\u{13a3}",
    "\u{4eac}\u{90fd}\u{5e81}",
    "\u{90fd}\u{5e81}",
    "\u{e9}\u{301}x",
    "e\u{301}t",
    "\u{1f4a5}\u{1f4a5}b",
    "ang",
    "a",
    "ab",
    "AB ",
    "ab ab",
    "\u{17f}\u{17f}\u{17f}",
    "sss",
    "AND",
    "NEAR(x)",
    " * ^",
    "name:x",
    "nothing like it",
];

/// With ids of a large installation: in a small one SQLite looks at all rows.
fn start(backend: Backend) -> TestServer {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    if backend == Backend::Sqlite {
        for table in TABLES {
            server.execute(&format!(
                "DELETE FROM sqlite_sequence WHERE name = '{table}';
                 INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', 1000000)"
            ));
        }
    }
    server
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The values of one field of a list of at most 200 objects, by their ids; the count must agree.
fn found(client: &Client, list: &str, query: &str, field: &str) -> Vec<String> {
    let page = client.get(&format!("/api/v2/{list}/?page_size=200&order_by=id&{query}")).expect(200).json();
    let results = page["results"].as_array().expect("results");
    assert_eq!(page["count"], results.len(), "{list}/?{query}");
    results.iter().map(|object| object[field].as_str().expect("a text").to_owned()).collect()
}

/// Makes so many changes that all before them come into the index.
fn settle(server: &TestServer) {
    server.execute(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {NOTED})
         INSERT INTO labels (created, modified, name, organization_id)
         SELECT created, modified, 'filler ' || i || ' ' || (SELECT count(*) FROM labels), organizations.id
         FROM n CROSS JOIN organizations WHERE name = 'filler'"
    ));
}

fn every_part_of_a_text_is_found(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    server.organization("filler");
    let home = server.organization("home");
    server.team("team one", home);
    for name in NAMES {
        admin.create("/api/v2/projects/", json!({"name": name, "organization": home}));
    }
    let names = || NAMES.iter().map(|name| (*name).to_owned());
    let folded = |text: &str| text.to_lowercase();
    for is_indexed in [false, true] {
        if is_indexed {
            settle(&server);
        }
        for term in TERMS {
            let list =
                |lookup: &str, value: &str| found(&admin, "projects", &format!("{lookup}={}", encoded(value)), "name");
            let holding: Vec<String> = names().filter(|name| folded(name).contains(&folded(term))).collect();
            let message = format!("{term:?}, indexed: {is_indexed}");
            assert_eq!(list("name__icontains", term), holding, "{message}");
            // Within quotes, a space is a part of the term.
            if !term.contains('"') {
                assert_eq!(list("search", &format!("\"{term}\"")), holding, "search {message}");
            }
            let all = names().filter(|name| !holding.contains(name)).collect::<Vec<_>>();
            assert_eq!(list("not__name__icontains", term), all, "not {message}");
            assert_eq!(
                list("name__contains", term),
                names().filter(|name| name.contains(term)).collect::<Vec<_>>(),
                "{message}"
            );
            let ending = names().filter(|name| name.ends_with(term)).collect::<Vec<_>>();
            assert_eq!(list("name__endswith", term), ending, "{message}");
            let alternatives = format!("or__name__icontains={}&or__name", encoded(term));
            let either: Vec<String> = names().filter(|name| holding.contains(name) || name == "ab").collect();
            assert_eq!(list(&alternatives, "ab"), either, "or {message}");
        }
        for name in NAMES {
            let list =
                |lookup: &str, value: &str| found(&admin, "projects", &format!("{lookup}={}", encoded(value)), "name");
            let same: Vec<String> = names().filter(|other| folded(other) == folded(name)).collect();
            assert_eq!(list("name__iexact", &folded(name)), same, "{name}, indexed: {is_indexed}");
        }
        assert_eq!(found(&admin, "projects", "search=kelvin,%C4%B0&search=vin", "name"), [NAMES[5]]);
        assert_eq!(found(&admin, "projects", "organization__name__icontains=HOM", "name"), names().collect::<Vec<_>>());
        assert_eq!(found(&admin, "organizations", "teams__search=team%20o", "name"), ["home"]);
    }
}

fn what_changes_is_found_as_it_is(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    server.organization("filler");
    let (ann, bob) = (server.user("annabel"), server.user("bobby"));
    let users = |query: &str| found(&admin, "users", query, "username");
    for round in 0..2 {
        settle(&server);
        let name = |text: &str| format!("{text}{round}");
        admin.patch(&ann.path(), json!({"first_name": name("Grace"), "email": "x@example.org"})).expect(200);
        for is_indexed in [false, true] {
            if is_indexed {
                settle(&server);
            }
            assert_eq!(users(&format!("search={}", name("grace"))), ["annabel"], "{round}, indexed: {is_indexed}");
            assert_eq!(users("search=grace,annabel"), ["annabel"]);
            assert_eq!(users("search=previous"), [""; 0]);
        }
        admin.patch(&ann.path(), json!({"first_name": "Previous"})).expect(200);
        assert_eq!(users("search=grace"), [""; 0]);
        assert_eq!(users("first_name__icontains=REVI&search=ann"), ["annabel"]);
        settle(&server);
        assert_eq!(users("search=grace"), [""; 0]);
        assert_eq!(users("search=revious"), ["annabel"]);
    }
    assert_eq!(users("search=bobby"), ["bobby"]);
    admin.delete(&bob.path()).expect(204);
    assert_eq!(users("search=bobby"), [""; 0]);
    server.user("bobby-2");
    settle(&server);
    assert_eq!(users("search=bobby"), ["bobby-2"]);
    // What goes along with something else.
    let away = server.organization("away");
    server.team("travellers", away);
    assert_eq!(found(&admin, "teams", "search=travel", "name"), ["travellers"]);
    admin.delete(&format!("/api/v2/organizations/{away}/")).expect(204);
    settle(&server);
    assert_eq!(found(&admin, "teams", "search=travel", "name"), [""; 0]);
}

fn every_searched_text_is_in_the_index(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("filler");
    server
        .user_with("alpha-bravo", json!({"first_name": "charlie", "last_name": "delta", "email": "echo@foxtrot.org"}));
    let body = |name: &str| json!({"name": name, "description": "some words", "organization": home});
    admin.create("/api/v2/organizations/", json!({"name": "golf-org", "description": "some words"}));
    admin.create("/api/v2/teams/", body("golf-team"));
    admin.create("/api/v2/projects/", body("golf-project"));
    admin.create("/api/v2/labels/", json!({"name": "golf-label", "organization": home}));
    let application = json!({"client_type": "public", "authorization_grant_type": "password", "name": "golf-app", "description": "some words", "organization": home});
    admin.create("/api/v2/applications/", application);
    let types = admin.get("/api/v2/credential_types/?namespace=ssh").expect(200).json();
    let credential = json!({"name": "golf-key", "description": "some words", "organization": home,
        "credential_type": types["results"][0]["id"]});
    admin.create("/api/v2/credentials/", credential);
    for is_indexed in [false, true] {
        if is_indexed {
            settle(&server);
        }
        for part in ["pha-br", "harl", "delt", "cho@fox"] {
            assert_eq!(found(&admin, "users", &format!("search={part}"), "username"), ["alpha-bravo"], "{part}");
        }
        for list in ["organizations", "teams", "projects", "labels", "applications", "credentials"] {
            let searched = if list == "labels" { "search=olf" } else { "search=olf,words&description__icontains=ome" };
            assert_eq!(found(&admin, list, searched, "name").len(), 1, "{list}, indexed: {is_indexed}");
        }
    }
}

/// As the migration found it.
fn take_the_index_away(server: &TestServer, backend: Backend) {
    if backend == Backend::Sqlite {
        for table in TABLES {
            for done in ["added", "changed", "removed"] {
                server.execute(&format!("DROP TRIGGER {table}_texts_{done}"));
            }
        }
        server.execute("DROP TABLE texts; DROP TABLE texts_changed; DROP VIEW searched_texts");
    } else {
        for table in TABLES {
            server.execute(&format!("ALTER TABLE {table} DROP COLUMN searched"));
        }
        server.execute("DROP FUNCTION index_texts(); DROP EXTENSION IF EXISTS pg_trgm");
    }
    // What came later is made again, too.
    for index in ["grants_of_users", "roles_object", "activity_object1", "users_names", "roles_type"] {
        server.execute(&format!("DROP INDEX IF EXISTS {index}"));
    }
    server.execute("DELETE FROM row_counts WHERE name LIKE 'roles.%'");
    if backend == Backend::Postgres {
        server.execute("DROP FUNCTION count_roles() CASCADE");
        for (trigger, change, changed, by) in [("counted", "INSERT", "NEW", 1), ("uncounted", "DELETE", "OLD", -1)] {
            server.execute(&format!(
                "CREATE TRIGGER roles_{trigger} AFTER {change} ON roles REFERENCING {changed} TABLE AS changed
                 FOR EACH STATEMENT EXECUTE FUNCTION count_rows('{by}')"
            ));
        }
    }
    server.execute("DELETE FROM refinery_schema_history WHERE version >= 15");
}

fn a_database_of_the_version_before_is_indexed(backend: Backend) {
    let mut server = start(backend);
    server.organization("filler");
    server.user("annabel");
    server.stop();
    take_the_index_away(&server, backend);
    server.restart();
    let admin = server.as_admin();
    let users = |query: &str| found(&admin, "users", query, "username");
    assert_eq!(users("search=nnab"), ["annabel"]);
    server.user("annabella");
    server.organization("second");
    assert_eq!(users("search=nnab"), ["annabel", "annabella"]);
    // What came later has counted what was there.
    let roles =
        |query: &str| admin.get(&format!("/api/v2/roles/?page_size=1{query}")).expect(200).json()["count"].clone();
    assert_eq!(roles(""), roles("&id__gte=0"));
    settle(&server);
    assert_eq!(users("search=nnab"), ["annabel", "annabella"]);
}

/// PostgreSQL may come without the extension that makes the index.
#[test]
fn without_its_extension_postgresql_reads_all_rows() {
    let Some(backend) = backends().into_iter().find(|backend| *backend == Backend::Postgres) else { return };
    let mut server = start(backend);
    server.user("annabel");
    server.execute("DROP EXTENSION pg_trgm CASCADE");
    let users = |server: &TestServer| found(&server.as_admin(), "users", "search=nnab", "username");
    assert_eq!(users(&server), ["annabel"]);
    // Once it is there, the index is made at the next start.
    server.restart();
    server.execute("DO $$ BEGIN ASSERT to_regclass('users_texts') IS NOT NULL; END $$");
    assert_eq!(users(&server), ["annabel"]);
}
