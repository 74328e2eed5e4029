#![allow(clippy::panic, reason = "tests report by panicking")]

use std::sync::Arc;

use hostler_schema::{Access, Action, Actor, ImpliedBy, ObjectRole, Policy, Resource, Rule, Singleton, fields};
use sea_query::{Query, SqliteQueryBuilder};

use super::{ByParent, OnParent};
use crate::user_grants::USER_GRANTS;
use crate::{objects_with_permission, objects_with_role, with_user_grants};

const FARM_ROLES: &[ObjectRole] = &[
    ObjectRole::new("admin_role", "Admin", "", &[ImpliedBy::System(Singleton::Administrator)]),
    ObjectRole::new("read_role", "Read", "", &[ImpliedBy::Own("admin_role"), ImpliedBy::System(Singleton::Auditor)]),
];
static FARM: Resource =
    Resource { roles: FARM_ROLES, ..Resource::new("farm", "farms", "Farm", &[fields::id()], &Nobody) };
static FIELD: Resource = Resource::new("field", "fields", "Field", &[fields::id()], &BY_FARM);

const BY_FARM: ByParent = ByParent {
    link: fields::link("farm", "farm_id", || &FARM),
    read: OnParent::Role("read_role"),
    change: OnParent::Role("admin_role"),
    create: OnParent::RoleOrPermission("admin_role", "change"),
};
/// Plants of a field, by what the actor may do with the field.
const BY_FIELD: ByParent = ByParent {
    link: fields::link("field", "field_id", || &FIELD),
    read: OnParent::Action(Action::Read),
    change: OnParent::Action(Action::Change),
    create: OnParent::Action(Action::Change),
};

struct Nobody;

impl Access for Nobody {
    fn rows(&self, _: &Actor, _: Action, _: &str) -> Rule {
        Rule::None
    }
    fn create(&self, _: &Actor, _: hostler_schema::Draft<'_>) -> Rule {
        Rule::None
    }
}

fn actor(is_superuser: bool, is_system_auditor: bool) -> Actor {
    Actor {
        id: 7,
        username: "ann".to_owned(),
        is_superuser,
        is_system_auditor,
        is_organization_admin: false,
        can_write: true,
        session: None,
        external_account: None,
        policy: Policy::default(),
        job_settings: Arc::default(),
    }
}

/// The condition in SQL; `all` and `none` for rules without one.
fn sql(rule: Rule) -> String {
    match rule {
        Rule::All => "all".to_owned(),
        Rule::None => "none".to_owned(),
        Rule::When(condition) => {
            let text = Query::select().and_where(condition).to_string(SqliteQueryBuilder);
            text.split_once(" WHERE ").map(|(_, condition)| condition.replace('"', "")).unwrap_or(text)
        }
    }
}

#[test]
fn role_on_parent_allows_action_on_row() {
    let user = actor(false, false);
    let read = sql(BY_FARM.rows(&user, Action::Read, "this"));
    assert_eq!(
        read,
        "this.farm_id IN (SELECT user_grants.object_id FROM user_grants WHERE user_grants.content_type = 'farm' AND \
         user_grants.role_field IN ('read_role', 'admin_role'))"
    );
    for action in [Action::Change, Action::Delete] {
        let change = sql(BY_FARM.rows(&user, action, "this"));
        assert!(change.ends_with("user_grants.role_field IN ('admin_role'))"), "{change}");
    }
}

#[test]
fn rules_follow_parents_of_parents() {
    let read = sql(BY_FIELD.rows(&actor(false, false), Action::Read, "this"));
    let start = "this.field_id IN (SELECT parent.id FROM fields AS parent WHERE parent.farm_id IN (SELECT ";
    assert!(read.starts_with(start), "{read}");
    let change = sql(BY_FIELD.rows(&actor(false, false), Action::Change, "this"));
    assert!(change.starts_with(start) && change.contains("IN ('admin_role')"), "{change}");
}

#[test]
fn superusers_and_auditors_need_no_condition() {
    for by in [BY_FARM, BY_FIELD] {
        assert_eq!(sql(by.rows(&actor(true, false), Action::Change, "this")), "all");
        assert_eq!(sql(by.rows(&actor(false, true), Action::Read, "this")), "all");
        assert_ne!(sql(by.rows(&actor(false, true), Action::Change, "this")), "all");
    }
}

#[test]
fn conditions_on_grants_of_superusers_need_no_common_table_expression() {
    for (is_superuser, expected) in [(true, false), (false, true)] {
        let actor = actor(is_superuser, false);
        for objects in [
            objects_with_role("farm", &["read_role"], &actor),
            objects_with_permission("farm", "awx.view_farm", &actor),
        ] {
            let named = objects.to_string(SqliteQueryBuilder).contains(USER_GRANTS);
            assert_eq!(named, expected);
        }
        let query = with_user_grants(Query::select(), &actor).to_string(SqliteQueryBuilder);
        assert_eq!(query.contains(USER_GRANTS), expected);
    }
}

#[test]
fn creation_needs_permission_on_the_named_parent() {
    let user = actor(false, false);
    let named = sql(BY_FIELD.create(&user, &|link| (link == "field").then_some(3)));
    assert!(named.contains("FROM fields AS target WHERE target.id = 3 AND target.farm_id IN"), "{named}");
    let any = sql(BY_FIELD.create(&user, &|_| None));
    assert!(any.contains("FROM fields AS target WHERE target.farm_id IN"), "{any}");
    let permitted = sql(BY_FARM.create(&user, &|_| None));
    assert!(
        permitted.contains("role_definition_permissions") && permitted.contains("'awx.change_farm'"),
        "{permitted}"
    );
}
