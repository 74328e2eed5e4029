//! ORG_ADMINS_CAN_SEE_ALL_USERS and MANAGE_ORGANIZATION_AUTH.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{SYSTEM, set, start};

on_each_backend!(org_admins_can_see_all_users_setting, manage_organization_auth_setting);

fn org_admins_can_see_all_users_setting(backend: Backend) {
    let server = start(backend);
    let (acme, other) = (server.organization("Acme"), server.organization("Other"));
    let (ann, member, stranger) = (server.user("ann"), server.user("member"), server.user("stranger"));
    server.add_admin(acme, &ann);
    server.add_member(acme, &member);
    server.add_member(other, &stranger);
    let (team, elsewhere) = (server.team("ops", acme), server.team("crew", other));
    let see = || {
        let paths = [member.path(), stranger.path()].into_iter();
        let paths = paths.chain([team, elsewhere].map(|id| format!("/api/v2/teams/{id}/")));
        paths.map(|path| ann.client.get(&path).status).collect::<Vec<_>>()
    };
    let count = || ann.client.results("/api/v2/users/?username__in=member,stranger").len();
    assert_eq!((see(), count()), (vec![200, 200, 200, 200], 2));
    set(&server, SYSTEM, json!({"ORG_ADMINS_CAN_SEE_ALL_USERS": false}));
    assert_eq!((see(), count()), (vec![200, 403, 200, 403], 1));
    server.as_admin().delete(SYSTEM).expect(204);
    assert_eq!((see(), count()), (vec![200, 200, 200, 200], 2));
}

fn manage_organization_auth_setting(backend: Backend) {
    let server = start(backend);
    let acme = server.organization("Acme");
    let (ann, member) = (server.user("ann"), server.user("member"));
    server.add_admin(acme, &ann);
    server.add_member(acme, &member);
    let users = format!("/api/v2/organizations/{acme}/users/");
    set(&server, SYSTEM, json!({"MANAGE_ORGANIZATION_AUTH": false}));
    ann.client.patch(&member.path(), json!({"first_name": "M"})).expect(403);
    ann.client.patch(&ann.path(), json!({"first_name": "A"})).expect(403);
    ann.client.post(&users, json!({"username": "new", "password": "Sekret-Pw1"})).expect(403);
    ann.client.post(&users, json!({"id": member.id, "disassociate": true})).expect(403);
    server.as_admin().patch(&member.path(), json!({"first_name": "M"})).expect(200);
    set(&server, SYSTEM, json!({"MANAGE_ORGANIZATION_AUTH": true}));
    ann.client.patch(&member.path(), json!({"first_name": "N"})).expect(200);
    ann.client.post(&users, json!({"username": "new", "password": "Sekret-Pw1"})).expect(201);
}
