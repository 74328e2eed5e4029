//! Role assignments to users and to teams: the newer API of grants.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::AccessFixture;
use crate::permissions::table::{Action, Table};

on_each_backend!(assignments);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET the assignments"),
    ("see", "GET the assignment"),
    ("create", "POST one of the same role on the same object to another user"),
    ("delete", "DELETE it"),
];

fn assignments(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let mut actors = fixture.usual();
    for field in ["admin_role", "project_admin_role", "auditor_role", "member_role"] {
        actors.push(fixture.holder("home", &fixture.home_path(), field));
    }
    let mut insiders = fixture.holders_of_crew();
    insiders.extend(fixture.holders_of_site());
    let permissions = ["awx.view_project", "awx.change_project"];
    insiders.push(fixture.defined("custom.change", "awx.project", fixture.site, &permissions));
    actors.extend(fixture.all_members(insiders));
    let [holder, other] = ["t-holder", "t-other"].map(|name| fixture.server.user(name));
    for person in [&holder, &other] {
        fixture.server.add_member(fixture.home, person);
    }
    let other_team = fixture.server.team("other", fixture.home);
    let definition = |name: &str| {
        let found = admin.results(&format!("/api/v2/role_definitions/?name={}", name.replace(' ', "%20")));
        found[0]["id"].as_i64().expect("an id")
    };
    let (on_project, on_team) = (definition("Project Use"), definition("Team Member"));
    let custom = definition("custom.change");
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    for (title, list, who, (holder, other), definition, object) in [
        (
            "a user has Project Use of site",
            "role_user_assignments",
            "user",
            (holder.id, other.id),
            on_project,
            fixture.site,
        ),
        (
            "a user has a custom role on site",
            "role_user_assignments",
            "user",
            (holder.id, other.id),
            custom,
            fixture.site,
        ),
        (
            "a user has Team Member of crew",
            "role_user_assignments",
            "user",
            (holder.id, other.id),
            on_team,
            fixture.crew,
        ),
        (
            "a team has Project Use of site",
            "role_team_assignments",
            "team",
            (fixture.crew, other_team),
            on_project,
            fixture.site,
        ),
    ] {
        let list = format!("/api/v2/{list}/");
        let body = |id: i64| json!({"role_definition": definition, who: id, "object_id": object});
        table.block(title, &fixture, &actors, ACTIONS, |_, action| {
            // Repeating an assignment changes nothing.
            let path = format!("{list}{}/", admin.create(&list, body(holder)));
            Some(match action {
                "list" => Action::see(&list),
                "see" => Action::see(path),
                "create" => Action::create(&list, body(other)),
                _ => Action::delete_for_good(path),
            })
        });
    }
    table.compare(backend, "assignments");
}
