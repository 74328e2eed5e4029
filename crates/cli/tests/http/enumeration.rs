//! What unauthorized clients can find out: existing usernames, and objects of other organizations.

use std::collections::BTreeMap;

use hostler_testkit::browser::Browser;
use hostler_testkit::{Backend, Client, PASSWORD, Response, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    wrong_password_does_not_reveal_users,
    login_form_does_not_reveal_users,
    username_conflict_does_not_reveal_users,
    other_organization_is_invisible,
    other_organization_cannot_be_probed_by_filters,
    team_of_other_organization_is_not_named,
    invisible_link_target_looks_nonexistent,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// All of a response except the parts that differ between requests.
fn essence(answer: &Response) -> (u16, BTreeMap<String, String>, String) {
    let varying = ["date", "x-api-request-id", "x-api-time", "x-api-total-time"];
    let headers = answer.headers.keys().map(|name| name.as_str()).filter(|name| !varying.contains(name));
    // The header with the number of statements exists in tests only.
    let headers = headers.filter(|name| *name != "x-api-query-count" && *name != "set-cookie");
    let headers = headers.map(|name| (name.to_owned(), answer.header(name).unwrap_or_default())).collect();
    (answer.status, headers, answer.text())
}

fn assert_alike(one: &Response, other: &Response) {
    assert_eq!(essence(one), essence(other), "{one}\n{other}");
}

fn wrong_password_does_not_reveal_users(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    server.user("gone");
    server.execute("UPDATE users SET is_active = false WHERE username = 'gone'");
    for path in ["/api/v2/me/", "/api/v2/", &ann.path()] {
        let unknown = server.as_user("nobody", "wrong").get(path);
        for (name, password) in
            [("ann", "wrong"), ("ann", ""), ("admin", "wrong"), ("gone", PASSWORD), ("gone", "wrong")]
        {
            assert_alike(&unknown, &server.as_user(name, password).get(path));
        }
    }
}

fn login_form_does_not_reveal_users(backend: Backend) {
    let server = start(backend);
    server.user("ann");
    server.user("gone");
    server.execute("UPDATE users SET is_active = false WHERE username = 'gone'");
    let mut browser = Browser::open(&server);
    let mut attempt = |name: &str, password: &str| {
        let mut answer = browser.log_in(&[("username", name), ("password", password)]).expect(401);
        // The form keeps the username.
        let typed = format!("value=\"{}\"", name.replace('<', "&lt;").replace('>', "&gt;"));
        let text = answer.text();
        assert!(text.contains(&typed), "{text}");
        answer.headers.remove("content-length");
        answer.body = text.replace(&typed, "").into_bytes();
        answer
    };
    let unknown = attempt("nobody", "wrong");
    for (name, password) in [("ann", "wrong"), ("ann", ""), ("gone", PASSWORD), ("<b>", "wrong")] {
        assert_alike(&unknown, &attempt(name, password));
    }
}

fn username_conflict_does_not_reveal_users(backend: Backend) {
    let server = start(backend);
    let org = server.organization("Hidden");
    server.team("secret", org);
    let (ann, stranger) = (server.user("ann"), server.user("stranger"));
    let label = json!({"name": "urgent", "organization": org});
    server.as_admin().create("/api/v2/labels/", label);
    let pairs = [
        ("users/ann/", "users/bob/"),
        ("organizations/Hidden/", "organizations/Absent/"),
        ("teams/secret++Hidden/", "teams/absent++Absent/"),
        ("teams/secret++Hidden/", "teams/absent++Hidden/"),
        ("labels/urgent++Hidden/", "labels/absent++Hidden/"),
        ("organizations/Hidden/users/", "organizations/Absent/users/"),
        ("users/ann/roles/", "users/bob/roles/"),
    ];
    for client in [&stranger.client, &server.anonymous()] {
        for (known, unknown) in pairs {
            for method in ["GET", "HEAD", "OPTIONS", "PATCH", "PUT", "DELETE", "POST"] {
                let call = |path: &str| {
                    let call = client.request(method, &format!("/api/v2/{path}"));
                    if ["GET", "HEAD", "OPTIONS"].contains(&method) { call.send() } else { call.json(json!({})).send() }
                };
                assert_alike(&call(known), &call(unknown));
            }
        }
        // Access by id requires login; a user without permission gets AWX's 403 and nothing more.
        let by_id = client.get(&ann.path());
        assert!([401, 403].contains(&by_id.status) && !by_id.text().contains("ann"), "{by_id}");
        if by_id.status == 401 {
            assert_alike(&by_id, &client.get("/api/v2/users/999999/"));
        }
    }
}

/// Two organizations. Everything in the other one has `secret` in its name.
struct TwoOrganizations {
    server: TestServer,
    /// A member of the first organization.
    member: Client,
    /// A member of a team of the first organization, but of no organization.
    sailor: Client,
    own: i64,
    other: i64,
    /// Paths in the other organization.
    paths: Vec<String>,
    /// The ids of what is in the other organization, by resource.
    ids: Vec<(&'static str, i64)>,
}

fn two_organizations(backend: Backend) -> TwoOrganizations {
    let server = start(backend);
    let admin = server.as_admin();
    let (own, other) = (server.organization("own"), server.organization("secret-org"));
    let (member, sailor, theirs) = (server.user("member"), server.user("sailor"), server.user("secret-user"));
    let boss = server.user_with("secret-boss", json!({"email": "boss@secret.example"}));
    server.add_member(own, &member);
    server.add_member(other, &theirs);
    server.add_admin(other, &boss);
    let crew = server.team("crew", own);
    let team = server.team("secret-team", other);
    admin.attach(&format!("/api/v2/teams/{crew}/users/"), sailor.id);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), theirs.id);
    let label = boss.client.create("/api/v2/labels/", json!({"name": "secret-label", "organization": other}));
    boss.client.patch(&format!("/api/v2/organizations/{other}/"), json!({"description": "secret"})).expect(200);
    let token = theirs.client.create("/api/v2/tokens/", json!({"description": "secret-token"}));
    // Former members: the objects that they created here remain, but their names are hidden.
    server.add_admin(own, &boss);
    boss.client.create("/api/v2/teams/", json!({"name": "made-by-them", "organization": own}));
    boss.client.create("/api/v2/labels/", json!({"name": "made-by-them", "organization": own}));
    boss.client.patch(&format!("/api/v2/organizations/{own}/"), json!({"description": "theirs"})).expect(200);
    admin
        .post(&format!("/api/v2/organizations/{own}/admins/"), json!({"id": boss.id, "disassociate": true}))
        .expect(204);
    let paths = [
        ("organizations", other),
        ("teams", team),
        ("labels", label),
        ("users", theirs.id),
        ("users", boss.id),
        ("tokens", token),
    ];
    let ids = paths.to_vec();
    let paths = paths.iter().map(|(plural, id)| format!("/api/v2/{plural}/{id}/")).collect();
    TwoOrganizations { member: member.client, sailor: sailor.client, server, own, other, paths, ids }
}

fn other_organization_is_invisible(backend: Backend) {
    let fixture = two_organizations(backend);
    let own = format!("/api/v2/organizations/{}/", fixture.own);
    for client in [&fixture.member, &fixture.sailor] {
        let mut paths: Vec<String> =
            ["users", "organizations", "teams", "labels", "tokens", "roles", "activity_stream", "me"]
                .map(|plural| format!("/api/v2/{plural}/?page_size=200"))
                .into();
        paths.extend(
            ["", "users/", "admins/", "teams/", "object_roles/", "access_list/", "activity_stream/"]
                .map(|below| format!("{own}{below}")),
        );
        paths.push("/api/v2/roles/1/users/".to_owned());
        for list in ["roles", "teams", "organizations", "access_list", "activity_stream", "tokens"] {
            paths.push(format!("/api/v2/users/1/{list}/"));
        }
        for path in &paths {
            let answer = client.get(path);
            assert!([200, 403].contains(&answer.status), "{answer}");
            assert!(!answer.text().contains("secret"), "{answer}");
        }
        for path in &fixture.paths {
            for method in ["GET", "OPTIONS", "PATCH", "PUT", "DELETE"] {
                let call = client.request(method, path);
                let answer = if method.starts_with('P') { call.json(json!({})).send() } else { call.send() };
                assert!(answer.status == 403 || (answer.status == 405 && path.contains("labels")), "{answer}");
                assert!(!answer.text().contains("secret"), "{answer}");
            }
        }
        // The named URL of a team contains no name of a hidden organization either.
        let teams = client.get("/api/v2/teams/").expect(200).json();
        assert!(!teams.to_string().contains("secret"), "{teams}");
    }
    let seen = fixture.sailor.get("/api/v2/teams/").expect(200).json();
    assert_eq!(seen["count"], 1, "{seen}");
    let team = &seen["results"][0];
    assert!(
        team["summary_fields"].get("organization").is_none() && team["related"].get("named_url").is_none(),
        "{team}"
    );
}

/// Filters, searches and orders that would reveal the other organization without access conditions.
fn other_organization_cannot_be_probed_by_filters(backend: Backend) {
    let fixture = two_organizations(backend);
    let guesses = [
        "teams/?organization__name__startswith=secret",
        "teams/?name__startswith=secret",
        "teams/?created_by__username__startswith=secret",
        "teams/?modified_by__email__contains=secret",
        "teams/?organization__created_by__username__startswith=secret",
        "teams/?organization__modified_by__username__startswith=secret",
        "teams/?organization__teams__name__startswith=secret",
        "organizations/?teams__name__startswith=secret",
        "organizations/?created_by__username__startswith=secret",
        "organizations/?modified_by__username__startswith=secret",
        "organizations/?modified_by__email__endswith=secret.example",
        "organizations/?labels__name__startswith=secret",
        "organizations/?teams__created_by__username__startswith=secret",
        "organizations/?search=secret",
        "organizations/?teams__search=secret",
        "organizations/?modified_by__search=secret",
        "labels/?organization__name__startswith=secret",
        "labels/?created_by__username__startswith=secret",
        "users/?username__startswith=secret",
        "users/?email__contains=secret",
        "users/?search=secret",
        "users/?roles__content_type__model=team&is_superuser=true",
        "users/?main_oauth2accesstoken__description__startswith=secret",
        "users/?activity_stream__changes__icontains=secret",
        "activity_stream/?changes__icontains=secret",
        "activity_stream/?actor__username__startswith=secret",
        "activity_stream/?organization__name__startswith=secret",
        "activity_stream/?team__name__startswith=secret",
        "activity_stream/?user__username__startswith=secret",
        "roles/?members__username__startswith=secret",
        "tokens/?user__username__startswith=secret",
        "tokens/?description__startswith=secret",
    ];
    let mut complaints = vec![];
    for client in [&fixture.member, &fixture.sailor] {
        for guess in guesses {
            let answer = client.get(&format!("/api/v2/{guess}"));
            // Guesses for a field that cannot be filtered reveal nothing; the guess must be on another field.
            if answer.status != 200 || answer.json()["count"] != 0 {
                complaints.push(answer.to_string());
            }
        }
        for (plural, id) in &fixture.ids {
            let by_id = client.get(&format!("/api/v2/{plural}/?id={id}")).expect(200);
            assert_eq!(by_id.json()["count"], 0, "{by_id}");
        }
        let by_link = client.get(&format!("/api/v2/teams/?organization={}", fixture.other)).expect(200);
        assert_eq!(by_link.json()["count"], 0, "{by_link}");
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    // The same guesses match for users who may see the objects.
    let admin = fixture.server.as_admin();
    for guess in
        ["teams/?organization__name__startswith=secret", "organizations/?modified_by__username__startswith=secret"]
    {
        assert!(
            admin.get(&format!("/api/v2/{guess}")).expect(200).json()["count"] != 0,
            "{guess} finds nothing at all"
        );
    }
}

/// A team of another organization has a role here, and so does one of its members.
fn team_of_other_organization_is_not_named(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (own, other) = (server.organization("own"), server.organization("other"));
    let (member, both) = (server.user("member"), server.user("both"));
    server.add_member(own, &member);
    server.add_member(own, &both);
    let team = server.team("secret-team", other);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), both.id);
    let path = format!("/api/v2/organizations/{own}/");
    let roles = admin.get(&path).json()["summary_fields"]["object_roles"].clone();
    let execute = roles["execute_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/teams/{team}/roles/"), execute);
    let listed = member.client.get(&format!("{path}access_list/")).expect(200);
    assert!(listed.text().contains("\"both\""), "{listed}");
    assert!(!listed.text().contains("secret-team"), "{listed}");
    for path in
        [format!("/api/v2/roles/{execute}/teams/"), format!("{path}activity_stream/"), format!("{}roles/", both.path())]
    {
        let answer = member.client.get(&path).expect(200);
        assert!(!answer.text().contains("secret-team"), "{answer}");
    }
    let all = admin.get(&format!("{path}access_list/")).expect(200);
    assert!(all.text().contains("secret-team"), "{all}");
}

fn invisible_link_target_looks_nonexistent(backend: Backend) {
    let fixture = two_organizations(backend);
    for (list, name) in [("labels", "new"), ("teams", "new"), ("labels", "secret-label"), ("teams", "secret-team")] {
        let post = |organization: i64| {
            fixture.member.post(&format!("/api/v2/{list}/"), json!({"name": name, "organization": organization}))
        };
        assert_alike(&post(fixture.other).expect(403), &post(999_999));
    }
    let label = fixture.member.create("/api/v2/labels/", json!({"name": "mine", "organization": fixture.own}));
    let move_to = |organization: i64| {
        fixture
            .member
            .patch(&format!("/api/v2/labels/{label}/"), json!({"organization": organization, "name": "secret-label"}))
    };
    assert_alike(&move_to(fixture.other).expect(403), &move_to(999_999));
}
