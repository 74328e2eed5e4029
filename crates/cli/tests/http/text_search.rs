//! Searches and text filters compare Unicode text without regard to case, and take special characters literally.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(text_filters_match_unicode_and_special_characters, search_covers_every_search_field);

/// Names with special characters of the databases, and with letters whose lower case is unusual.
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

fn text_filters_match_unicode_and_special_characters(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    server.team("team one", home);
    for name in NAMES {
        admin.create("/api/v2/projects/", json!({"name": name, "organization": home}));
    }
    let names = || NAMES.iter().map(|name| (*name).to_owned());
    let folded = |text: &str| text.to_lowercase();
    for term in TERMS {
        let list =
            |lookup: &str, value: &str| found(&admin, "projects", &format!("{lookup}={}", encoded(value)), "name");
        let holding: Vec<String> = names().filter(|name| folded(name).contains(&folded(term))).collect();
        let message = format!("{term:?}");
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
        assert_eq!(list("name__iexact", &folded(name)), same, "{name}");
    }
    assert_eq!(found(&admin, "projects", "search=vin&search=kelvin,%C4%B0", "name"), [NAMES[5]]);
    assert_eq!(found(&admin, "projects", "organization__name__icontains=HOM", "name"), names().collect::<Vec<_>>());
    assert_eq!(found(&admin, "organizations", "teams__search=team%20o", "name"), ["home"]);
}

fn search_covers_every_search_field(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
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
    for part in ["pha-br", "harl", "delt", "cho@fox"] {
        assert_eq!(found(&admin, "users", &format!("search={part}"), "username"), ["alpha-bravo"], "{part}");
    }
    for list in ["organizations", "teams", "projects", "labels", "applications", "credentials"] {
        let searched = if list == "labels" { "search=olf" } else { "search=olf,words&description__icontains=ome" };
        assert_eq!(found(&admin, list, searched, "name").len(), 1, "{list}");
    }
}
