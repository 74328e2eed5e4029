//! Granting and revoking roles, through the lists of each object and in both APIs.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(grants);

const ACTIONS: &[(&str, &str)] = &[
    ("see", "GET the role"),
    ("users", "GET users/ below the role"),
    ("teams", "GET teams/ below the role"),
    ("user+", "add the role to a user's roles"),
    ("user-", "take it away there"),
    ("role+", "add the user to the role's users"),
    ("role-", "take them away there"),
    ("team+", "add the role to a team's roles"),
    ("team-", "take it away there"),
    ("roleteam+", "add the team to the role's teams"),
    ("roleteam-", "take it away there"),
];

fn grants(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let server = &fixture.server;
    let admin = server.as_admin();
    let mut actors = fixture.usual();
    for field in ["admin_role", "project_admin_role", "auditor_role", "member_role"] {
        actors.push(fixture.holder("home", &fixture.home_path(), field));
    }
    let mut insiders: Vec<_> =
        ["admin_role", "member_role"].map(|field| fixture.holder("crew", &fixture.crew_path(), field)).into();
    insiders.extend(["admin_role", "use_role"].map(|field| fixture.holder("site", &fixture.site_path(), field)));
    insiders.push(fixture.through_team("site", &fixture.site_path(), "admin_role"));
    let view = "awx.view_project";
    insiders.push(fixture.defined("custom.change", "awx.project", fixture.site, &[view, "awx.change_project"]));
    actors.extend(fixture.all_members(insiders));

    // Two of each: one gets the role, the other loses it.
    let [without, with] = ["t-without", "t-with"].map(|name| server.user(name));
    for person in [&without, &with] {
        server.add_member(fixture.home, person);
    }
    let [team_without, team_with] = ["without", "with"].map(|name| server.team(name, fixture.home));
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    for (name, object, field) in [
        ("home", fixture.home_path(), "admin_role"),
        ("home", fixture.home_path(), "member_role"),
        ("home", fixture.home_path(), "project_admin_role"),
        ("crew", fixture.crew_path(), "admin_role"),
        ("crew", fixture.crew_path(), "member_role"),
        ("site", fixture.site_path(), "admin_role"),
        ("site", fixture.site_path(), "use_role"),
    ] {
        let role = fixture.role(&object, field);
        let for_teams = name != "crew" && !(name == "home" && ["admin_role", "member_role"].contains(&field));
        let users = format!("/api/v2/roles/{role}/users/");
        let teams = format!("/api/v2/roles/{role}/teams/");
        // They already are members of home.
        let newcomer = if (name, field) == ("home", "member_role") { server.user("t-new").id } else { without.id };
        admin.post(&users, json!({"id": with.id})).expect(204);
        if for_teams {
            admin.attach(&teams, team_with);
        }
        table.block(&format!("{field} of {name}"), &fixture, &actors, ACTIONS, |_, action| {
            let of_user = |id: i64| format!("/api/v2/users/{id}/roles/");
            let of_team = |id: i64| format!("/api/v2/teams/{id}/roles/");
            Some(match action {
                "see" => Action::see(format!("/api/v2/roles/{role}/")),
                "users" => Action::see(&users),
                "teams" => Action::see(&teams),
                "user+" => Action::attach(of_user(newcomer), role),
                "user-" => Action::detach(of_user(with.id), role),
                "role+" => Action::attach(&users, newcomer),
                "role-" => Action::detach(&users, with.id),
                _ if !for_teams && action.ends_with('-') => return None,
                "team+" => Action::attach(of_team(team_without), role),
                "team-" => Action::detach(of_team(team_with), role),
                "roleteam+" => Action::attach(&teams, team_without),
                _ => Action::detach(&teams, team_with),
            })
        });
        if field != "member_role" || name != "home" {
            admin.post(&users, json!({"id": with.id, "disassociate": true})).expect(204);
        }
    }
    let singletons = admin.results("/api/v2/roles/?content_type__isnull=true&order_by=id");
    for singleton in singletons {
        let role = singleton["id"].as_i64().expect("an id");
        let name = singleton["name"].as_str().expect("a name");
        let users = format!("/api/v2/roles/{role}/users/");
        table.block(name, &fixture, &actors, ACTIONS, |_, action| {
            Some(match action {
                "see" => Action::see(format!("/api/v2/roles/{role}/")),
                "users" => Action::see(&users),
                "teams" => Action::see(format!("/api/v2/roles/{role}/teams/")),
                "user+" => Action::attach(format!("/api/v2/users/{}/roles/", without.id), role),
                "role+" => Action::attach(&users, without.id),
                "team+" => Action::attach(format!("/api/v2/teams/{team_without}/roles/"), role),
                "roleteam+" => Action::attach(format!("/api/v2/roles/{role}/teams/"), team_without),
                _ => return None,
            })
        });
    }
    table.compare(backend, "grants");
}
