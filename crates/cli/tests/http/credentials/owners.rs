//! Owners of credentials, and who may create credentials for whom.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::credentials::fixture::{CredentialsFixture, path};

on_each_backend!(
    new_credential_has_exactly_one_owner,
    user_creates_own_credential,
    team_credential_is_usable_by_members,
    organization_admin_creates_for_own_members,
    owners_are_shown_only_if_visible,
    moving_requires_permission_on_both_organizations,
    credential_names_are_unique_per_organization_and_type,
    named_url_without_organization_finds_the_only_or_the_unowned_credential,
);

const LIST: &str = "/api/v2/credentials/";

fn new_credential_has_exactly_one_owner(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let person = fixture.server.user("ann");
    let team = fixture.server.team("crew", fixture.home);
    let bare = json!({"name": "key", "credential_type": fixture.kind});
    let answer = fixture.admin.post(LIST, &bare).expect(400).json();
    assert_eq!(answer, json!({"detail": ["Missing 'user', 'team', or 'organization'."]}));
    let mut body = bare.clone();
    body["user"] = json!(person.id);
    body["team"] = json!(team);
    body["organization"] = json!(fixture.home);
    let answer = fixture.admin.post(LIST, &body).expect(400).json();
    let message = "Only one of 'user', 'team', or 'organization' should be provided, received organization, team, \
                   user fields.";
    assert_eq!(answer, json!({"detail": [message]}));
    for (owner, id) in [("user", 4711), ("team", 4711), ("organization", 4711)] {
        let answer = fixture.admin.post(LIST, fixture.body("key", owner, id)).expect(400).json();
        assert_eq!(answer, json!({owner: ["Invalid pk \"4711\" - object does not exist."]}));
    }
    body = bare;
    body["user"] = Value::Null;
    body["organization"] = json!(fixture.home);
    fixture.admin.post(LIST, &body).expect(201);
}

fn user_creates_own_credential(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (ann, bob) = (fixture.server.user("ann"), fixture.server.user("bob"));
    let made = ann.client.post(LIST, fixture.body("mine", "user", ann.id)).expect(201).json();
    assert_eq!(made["summary_fields"]["owners"][0]["name"], "ann");
    assert_eq!(made["related"]["user"], json!(ann.path()));
    assert_eq!(
        made["summary_fields"]["user_capabilities"],
        json!({"edit": true, "delete": true, "copy": false, "use": true})
    );
    let mine = path(made["id"].as_i64().expect("an id"));
    ann.client.get(&mine).expect(200);
    bob.client.get(&mine).expect(403);
    bob.client.patch(&mine, json!({"name": "his"})).expect(403);
    bob.client.delete(&mine).expect(403);
    for (owner, id) in
        [("user", bob.id), ("organization", fixture.home), ("team", fixture.server.team("t", fixture.home))]
    {
        ann.client.post(LIST, fixture.body("other", owner, id)).expect(403);
    }
    ann.client.post(&format!("{}credentials/", bob.path()), fixture.body("other", "user", ann.id)).expect(403);
    // In the list of the own user the owner need not be given.
    let below = format!("{}credentials/", ann.path());
    let body = json!({"name": "second", "credential_type": fixture.kind});
    ann.client.post(&below, body).expect(201);
    let names: Vec<_> = ann.client.results(&below).iter().map(|found| found["name"].clone()).collect();
    assert_eq!(names, ["mine", "second"]);
    ann.client.delete(&mine).expect(204);
}

fn team_credential_is_usable_by_members(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (captain, sailor) = (fixture.server.user("captain"), fixture.server.user("sailor"));
    let team = fixture.server.team("crew", fixture.home);
    let crew = format!("/api/v2/teams/{team}/");
    fixture.admin.attach(&format!("{crew}users/"), sailor.id);
    let roles = fixture.admin.get(&crew).json()["summary_fields"]["object_roles"].clone();
    fixture.admin.attach(&format!("{}roles/", captain.path()), roles["admin_role"]["id"].as_i64().expect("a role"));

    sailor.client.post(LIST, fixture.body("key", "team", team)).expect(403);
    let made = captain.client.post(LIST, fixture.body("key", "team", team)).expect(201).json();
    assert_eq!(made["organization"], fixture.home, "what is a team's is its organization's");
    let key = path(made["id"].as_i64().expect("an id"));
    let may = |client: &hostler_testkit::Client| {
        let shown = client.get(&key).expect(200).json();
        let may = &shown["summary_fields"]["user_capabilities"];
        (may["edit"] == true, may["use"] == true)
    };
    assert_eq!(may(&captain.client), (true, true));
    assert_eq!(may(&sailor.client), (false, true));
    sailor.client.patch(&key, json!({"name": "x"})).expect(403);
    captain.client.patch(&key, json!({"description": "x"})).expect(200);
    let names = |list: &str| -> Vec<Value> {
        fixture.admin.results(&format!("{key}{list}/")).iter().map(|found| found["id"].clone()).collect()
    };
    assert_eq!(names("owner_teams"), [json!(team)]);
    let access: Vec<Value> =
        fixture.admin.results(&format!("{key}access_list/")).iter().map(|found| found["username"].clone()).collect();
    assert_eq!(access, ["admin", "captain", "sailor"]);
    assert_eq!(fixture.admin.results(&format!("{crew}credentials/")).len(), 1);

    // The captain has access through the team's role.
    let why = format!("{}explain_access/?object={key}", captain.path());
    let why = captain.client.get(&why).expect(200).json();
    assert_eq!(why["actions"], json!({"read": true, "change": true, "delete": true}));
    assert_eq!(why["roles"][0]["because"][1], json!({"implies": "admin_role", "of": "credential"}), "{why}");

    // The team loses access when the credential moves to another organization.
    fixture.admin.patch(&key, json!({"organization": fixture.away})).expect(200);
    captain.client.patch(&key, json!({"description": "y"})).expect(403);
    assert!(names("owner_teams").is_empty());
}

fn organization_admin_creates_for_own_members(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (boss, keeper, rival, member) = (
        fixture.server.user("boss"),
        fixture.server.user("keeper"),
        fixture.server.user("rival"),
        fixture.server.user("member"),
    );
    fixture.server.add_admin(fixture.home, &boss);
    fixture.server.add_admin(fixture.away, &rival);
    fixture.server.add_member(fixture.home, &member);
    let roles = fixture.admin.get(&format!("/api/v2/organizations/{}/", fixture.home)).json();
    let keeps = roles["summary_fields"]["object_roles"]["credential_admin_role"]["id"].as_i64().expect("a role");
    fixture.admin.attach(&format!("{}roles/", keeper.path()), keeps);

    for (number, (person, expected)) in [(&boss, 201), (&keeper, 201), (&rival, 403), (&member, 403)].iter().enumerate()
    {
        let body = fixture.body(&format!("of home {number}"), "organization", fixture.home);
        person.client.post(LIST, &body).expect(*expected);
        let below = format!("/api/v2/organizations/{}/credentials/", fixture.home);
        let body = json!({"name": format!("below {number}"), "credential_type": fixture.kind});
        if *expected == 201 || person.name == "member" {
            person.client.post(&below, &body).expect(*expected);
        }
    }
    // A user's admin may create credentials for the user.
    boss.client.post(LIST, fixture.body("for member", "user", member.id)).expect(201);
    keeper.client.post(LIST, fixture.body("no", "user", member.id)).expect(403);
    rival.client.post(LIST, fixture.body("no", "user", member.id)).expect(403);
}

fn owners_are_shown_only_if_visible(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (ann, bob) = (fixture.server.user("ann"), fixture.server.user("bob"));
    for person in [&ann, &bob] {
        fixture.server.add_member(fixture.home, person);
    }
    let key = fixture.of_home("key");
    fixture.grant(key, "admin_role", &ann);
    fixture.grant(key, "read_role", &bob);
    fixture
        .server
        .as_admin()
        .post(&format!("/api/v2/organizations/{}/users/", fixture.home), json!({"id": bob.id, "disassociate": true}));
    let owners = |client: &hostler_testkit::Client| -> Vec<Value> {
        let shown = client.get(&path(key)).expect(200).json();
        shown["summary_fields"]["owners"]
            .as_array()
            .expect("owners")
            .iter()
            .map(|owner| owner["name"].clone())
            .collect()
    };
    assert_eq!(owners(&fixture.admin), ["ann", "home"]);
    assert_eq!(owners(&ann.client), ["ann", "home"]);
    // A user outside of the organization sees neither the credential nor its owner.
    assert!(owners(&bob.client).is_empty());
    assert!(bob.client.results(&format!("{}owner_users/", path(key))).is_empty());
    let shown = bob.client.get(&path(key)).json();
    assert!(shown["related"].get("named_url").is_none(), "{shown}");
}

fn moving_requires_permission_on_both_organizations(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (boss, both, holder) =
        (fixture.server.user("boss"), fixture.server.user("both"), fixture.server.user("holder"));
    fixture.server.add_admin(fixture.home, &boss);
    for organization in [fixture.home, fixture.away] {
        fixture.server.add_admin(organization, &both);
        fixture.server.add_member(organization, &holder);
    }
    fixture.server.add_admin(fixture.away, &holder);
    let key = fixture.of_home("key");
    fixture.grant(key, "admin_role", &holder);
    let there = json!({"organization": fixture.away});
    boss.client.patch(&path(key), &there).expect(403);
    // An admin of the credential who is not credential admin of the organization cannot move it.
    holder.client.patch(&path(key), &there).expect(403);
    holder.client.patch(&path(key), json!({"organization": null})).expect(403);
    holder.client.patch(&path(key), json!({"description": "x"})).expect(200);
    both.client.patch(&path(key), &there).expect(200);
}

fn credential_names_are_unique_per_organization_and_type(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let ann = fixture.server.user("ann");
    fixture.of_home("key");
    let answer = fixture.admin.post(LIST, fixture.body("key", "organization", fixture.home)).expect(400).json();
    let message = "Credential with this Organization, Name and Credential type already exists.";
    assert_eq!(answer, json!({"__all__": [message]}));
    let team = fixture.server.team("crew", fixture.home);
    fixture.admin.post(LIST, fixture.body("key", "team", team)).expect(400);
    fixture.admin.post(LIST, fixture.body("key", "organization", fixture.away)).expect(201);
    // Names of credentials that belong to users need not be unique.
    fixture.admin.post(LIST, fixture.body("key", "user", ann.id)).expect(201);
    fixture.admin.post(LIST, fixture.body("key", "user", ann.id)).expect(201);
    let named = "/api/v2/credentials/key++cloudy+cloud++home/";
    assert_eq!(fixture.admin.get(named).expect(200).json()["related"]["named_url"], named);
    ann.client.get(named).expect(404);
    ann.client.get("/api/v2/credentials/key++cloudy+cloud++nowhere/").expect(404);
    let odd = fixture.admin.post(LIST, fixture.body("a+b++c", "organization", fixture.home)).expect(201).json();
    let named = odd["related"]["named_url"].as_str().expect("a named URL").to_owned();
    assert_eq!(named, "/api/v2/credentials/a[+]b[+][+]c++cloudy+cloud++home/");
    assert_eq!(fixture.admin.get(&named.replace('[', "%5B").replace(']', "%5D")).expect(200).json()["id"], odd["id"]);
}

fn named_url_without_organization_finds_the_only_or_the_unowned_credential(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let ann = fixture.server.user("ann");
    let named = "/api/v2/credentials/key++cloudy+cloud++/";
    fixture.admin.get(named).expect(404);
    let at_home = fixture.of_home("key");
    assert_eq!(fixture.admin.get(named).expect(200).json()["id"], at_home);
    assert_eq!(fixture.admin.get(&format!("{named}access_list/")).expect(200).json()["count"], 1);
    ann.client.get(named).expect(404);
    ann.client.get(&format!("{named}access_list/")).expect(404);
    // Two organizations have one.
    fixture.admin.post(LIST, fixture.body("key", "organization", fixture.away)).expect(201);
    fixture.admin.get(named).expect(404);
    fixture.admin.patch(named, json!({"description": "x"})).expect(404);
    fixture.admin.get(&format!("{named}access_list/")).expect(404);
    let of_ann = fixture.admin.post(LIST, fixture.body("key", "user", ann.id)).expect(201).json();
    for client in [&fixture.admin, &ann.client] {
        assert_eq!(client.get(named).expect(200).json()["id"], of_ann["id"]);
        client.get(&format!("{named}access_list/")).expect(200);
    }
    fixture.admin.get("/api/v2/credentials/key++cloudy+cloud/").expect(404);
    // Two projects that lost their organizations have one name: it names neither.
    for organization in ["first", "second"] {
        let organization = fixture.server.organization(organization);
        fixture.admin.create("/api/v2/projects/", json!({"name": "deploy", "organization": organization}));
        fixture.admin.delete(&format!("/api/v2/organizations/{organization}/")).expect(204);
    }
    fixture.admin.get("/api/v2/projects/deploy++/").expect(404);
    fixture.admin.delete("/api/v2/projects/deploy++/").expect(404);
}
