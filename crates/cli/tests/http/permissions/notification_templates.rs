//! Notification templates, which have no roles of their own: those of their organization and role definitions decide.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::permissions::fixture::{AccessFixture, webhook};
use crate::permissions::table::{Action, Table};

on_each_backend!(notification_templates);

const ACTIONS: &[(&str, &str)] = &[
    ("list", "GET notification_templates/ with this name"),
    ("see", "GET the notification template"),
    ("change", "PATCH its description"),
    ("delete", "DELETE it"),
    ("copy", "POST to copy/ below it"),
    ("create", "POST one of the same organization"),
    ("associate", "POST it to notification_templates_error/ of the organization"),
    ("test", "POST to test/ below it: 501 with permission, nothing is sent yet"),
];

fn notification_templates(backend: Backend) {
    let fixture = AccessFixture::new(backend);
    let admin = fixture.server.as_admin();
    let list = "/api/v2/notification_templates/";
    let id = admin.create(list, webhook("hook", fixture.home));
    let mut actors = fixture.usual();
    actors.extend(fixture.holders_of_home());
    let kind = "awx.notificationtemplate";
    let permissions = ["awx.view_notificationtemplate", "awx.change_notificationtemplate"];
    actors.push(fixture.defined("custom.change", kind, id, &permissions));
    let permissions = ["shared.view_organization", "awx.add_notificationtemplate"];
    actors.push(fixture.defined("custom.add", "shared.organization", fixture.home, &permissions));
    let permissions = [
        "shared.view_organization",
        "awx.view_notificationtemplate",
        "awx.change_notificationtemplate",
        "awx.add_notificationtemplate",
    ];
    actors.push(fixture.defined("custom.copy", "shared.organization", fixture.home, &permissions));
    let mut table = Table::new(ACTIONS);
    table.explain(&actors);
    let path = format!("{list}{id}/");
    table.block("of home", &fixture, &actors, ACTIONS, |_, action| {
        Some(match action {
            "list" => Action::see(format!("{list}?name=hook")),
            "see" => Action::see(&path),
            "change" => Action::change(&path, json!({"description": "x"})),
            "delete" => Action::delete(&path),
            "copy" => Action::create_elsewhere(format!("{path}copy/"), list, json!({"name": fixture.new_name()})),
            "create" => Action::create(list, webhook(&fixture.new_name(), fixture.home)),
            "associate" => Action::attach(format!("{}notification_templates_error/", fixture.home_path()), id),
            _ => Action::post(format!("{path}test/"), json!({})),
        })
    });
    table.compare(backend, "notification_templates");
}
