//! The registry is complete: every resource matches the migrated schema of both
//! databases, and has all texts that responses and pages show.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use hostler_access::with_user_grants;
use hostler_database::{Database, Dialect, Location, Type};
use hostler_engine::Links;
use hostler_engine::query::parse;
use hostler_resources::{ACTIVITY, CREDENTIAL, INSTANCE, INSTANCE_GROUP, ORGANIZATION, REGISTRY, TEAM};
use hostler_schema::{
    Action, ActionAnswer, ActionHandling, ActionMethod, ActionParent, Actor, DefaultValue, FieldKind, HttpMethod,
    IS_DELETED, Join, NaturalKeyPart, Policy, Resource, Rule, column,
};
use hostler_testkit::database::PostgresDatabase;
use sea_query::{Alias, Query, SqliteQueryBuilder};

fn resources() -> impl Iterator<Item = &'static Resource> {
    REGISTRY.0.iter().map(|registered| registered.resource)
}

fn user(is_superuser: bool, is_organization_admin: bool) -> Actor {
    Actor {
        id: 7,
        username: "ann".to_owned(),
        is_superuser,
        is_system_auditor: false,
        is_organization_admin,
        can_write: true,
        session: None,
        external_account: None,
        policy: Policy::default(),
        job_settings: Arc::default(),
    }
}

#[test]
fn names_and_paths_are_unique() {
    let (mut names, mut plurals) = (BTreeSet::new(), BTreeSet::new());
    for resource in resources() {
        let is_new = names.insert(resource.name) || resource.same_objects_as.is_some();
        assert!(is_new, "two resources are called {}", resource.name);
        assert!(plurals.insert(resource.plural), "two resources are served at {}", resource.plural);
    }
}

/// SQLite expands the grants of the actor at each reference, and refuses a reference after a thousand tables. A filter adds
/// the rules of other resources to those of the list.
#[test]
fn rules_leave_room_for_others_in_a_statement() {
    let actor = user(false, false);
    let tables = |sql: &str| sql.matches("FROM \"").count() + sql.matches("JOIN \"").count();
    let in_grants = tables(&with_user_grants(Query::select(), &actor).to_string(SqliteQueryBuilder));
    assert!(in_grants > 0);
    for resource in resources() {
        let Rule::When(rule) = resource.access.rows(&actor, Action::Read, "this") else { continue };
        let condition = Query::select().and_where(rule).to_string(SqliteQueryBuilder);
        let references = condition.matches("FROM \"user_grants\"").count();
        let all = tables(&condition) + references * in_grants;
        assert!(all <= 600, "{}: {all} tables, {references} references to the grants", resource.name);
    }
}

#[test]
fn every_field_is_named_and_explained() {
    for resource in resources() {
        assert!(!resource.description.is_empty(), "{} has no description", resource.name);
        let mut names = BTreeSet::new();
        for field in resource.fields {
            let place = format!("{}.{}", resource.name, field.name);
            assert!(names.insert(field.name), "{place} occurs twice");
            assert!(!field.label.is_empty(), "{place} has no label");
            assert!(field.help.ends_with('.'), "{place} has no help text in a sentence");
            assert!(
                !(matches!(field.kind, FieldKind::Digest) && field.shown),
                "{place} is a secret that answers would show"
            );
        }
    }
}

#[test]
fn descriptions_refer_to_what_exists() {
    for resource in resources() {
        for name in resource.summarized_as {
            assert!(resource.field(name).is_some(), "{} is summarized by the unknown field {name}", resource.name);
        }
        for unique in resource.unique {
            for name in unique.fields {
                assert!(resource.field(name).is_some(), "{}: the unknown field {name} is to be unique", resource.name);
            }
        }
        for key in resource.natural_key {
            let (NaturalKeyPart::Field(name) | NaturalKeyPart::Link(name)) = key;
            let field = resource.field(name);
            assert!(field.is_some(), "{}: the unknown field {name} is part of the name", resource.name);
            let read = matches!(key, NaturalKeyPart::Field(_)) || field.is_some_and(|field| field.summarized);
            assert!(read, "{}: named URLs need the summary of {name}", resource.name);
        }
        for field in resource.fields {
            let place = format!("{}.{}", resource.name, field.name);
            if let Some(target) = field.kind.target() {
                assert!(REGISTRY.by_name(target.name).is_some(), "{place} links to an unregistered resource");
            }
            if let Some(DefaultValue::Json(document)) = field.default {
                assert!(serde_json::from_str::<serde_json::Value>(document).is_ok(), "{place}: the default is no JSON");
            }
        }
        for sublist in resource.sublists {
            let target = (sublist.target)().name;
            assert!(REGISTRY.by_name(target).is_some(), "{}/{} lists strangers", resource.plural, sublist.name);
            let action = resource.action(ActionParent::Object, &[sublist.name]);
            assert!(action.is_none(), "{}/{} is a sub-list and an action", resource.plural, sublist.name);
        }
    }
}

#[test]
fn actions_have_handlers_and_texts() {
    for registered in REGISTRY.0 {
        let resource = registered.resource;
        let mut paths = BTreeSet::new();
        for action in resource.actions {
            let place = format!("{}/{}", resource.plural, action.path);
            assert!(paths.insert((action.parent as u8, action.path)), "{place} occurs twice");
            assert!(action.capabilities.is_empty() || action.post.is_some(), "{place} has capabilities without POST");
            if action.handling == ActionHandling::Unimplemented {
                continue;
            }
            assert!(!action.title.is_empty() && action.description.ends_with('.'), "{place} has no texts");
            assert!(action.methods().next().is_some(), "{place} has no method");
            let answered_by_engine = |method: &ActionMethod| matches!(method.answer, ActionAnswer::Permission(_));
            let needs_handler = action.handling == ActionHandling::Hooks
                && action.methods().any(|(_, method)| !answered_by_engine(method));
            let handler = registered.hooks.action_handler(action.path);
            assert_eq!(handler.is_some(), needs_handler, "{place}: handler");
            for (method, description) in action.methods() {
                let is_write = method != HttpMethod::Get;
                assert!(description.permit.is_some() || !is_write, "{place}: {method:?} has no permission rule");
                for field in description.input.iter().chain(description.answer.fields()) {
                    assert!(
                        !field.label.is_empty() && field.help.ends_with('.'),
                        "{place}.{} has no texts",
                        field.name
                    );
                }
            }
        }
    }
}

#[test]
fn search_fields_can_be_searched() {
    let links = Links::new(REGISTRY);
    for resource in resources() {
        for name in resource.search.iter().filter(|name| !name.contains("__")) {
            let field = resource.field(name).filter(|field| field.is_stored() || field.filtered_by_hooks);
            let field = field.filter(|field| !field.kind.contains_secrets());
            assert!(field.is_some(), "{} searches the field {name}, which cannot be searched", resource.name);
        }
        // Only lists below other objects have the hooks for these.
        if resource.search.iter().any(|name| resource.field(name).is_some_and(|field| field.filtered_by_hooks)) {
            continue;
        }
        let search = [("search".to_owned(), "x".to_owned())];
        let outcome = parse(&links, resource, &search, &user(true, false), Dialect::Sqlite, "this");
        assert!(outcome.is_ok(), "{}: {outcome:?}", resource.name);
    }
}

#[test]
fn each_relation_is_declared_once() {
    let links = Links::new(REGISTRY);
    for resource in resources() {
        let mut names = BTreeSet::new();
        for hop in links.relations(resource) {
            assert!(names.insert(hop.name), "{} has two relations called {}", resource.name, hop.name);
        }
        for name in resource.unimplemented_relations {
            assert!(names.insert(name), "{}.{name} is listed as not implemented, or twice", resource.name);
        }
    }
}

#[test]
fn relations_lead_back() {
    let links = Links::new(REGISTRY);
    let hop = |resource, name: &str| links.relation(resource, name).unwrap_or_else(|| panic!("no relation {name}"));
    assert_eq!(hop(&ORGANIZATION, "teams").target, &TEAM);
    assert!(matches!(hop(&ORGANIZATION, "teams").join, Join::Reverse("organization_id")));
    assert_eq!(hop(&CREDENTIAL, "organization_galaxy_credentials").target, &ORGANIZATION);
    assert_eq!(hop(&INSTANCE, "rampart_groups").target, &INSTANCE_GROUP);
    assert_eq!(hop(&ACTIVITY, "team").target, &TEAM);
    assert!(links.relation(&INSTANCE, "instance_groups").is_none());
}

/// A same-row relation is filtered without an access condition, because the row itself is visible.
#[test]
fn same_row_relations_are_visible_with_row() {
    let mut compared = 0;
    for resource in resources() {
        for relation in resource.relations.iter().filter(|relation| matches!(relation.join, Join::SameRow)) {
            let part = (relation.target)();
            assert_eq!(part.table, resource.table, "{}.{}", resource.name, relation.name);
            for (is_superuser, is_organization_admin) in [(true, false), (false, true), (false, false)] {
                let actor = user(is_superuser, is_organization_admin);
                let rule = |of: &Resource| format!("{:?}", of.access.rows(&actor, Action::Read, "this"));
                assert_eq!(rule(part), rule(resource), "{}.{}", resource.name, relation.name);
                compared += 1;
            }
        }
    }
    assert!(compared > 0, "nothing is a part of a row");
}

#[test]
fn secrets_are_only_in_secret_fields() {
    for resource in resources() {
        let named = resource.natural_key.iter().map(|(NaturalKeyPart::Field(name) | NaturalKeyPart::Link(name))| name);
        let unique = resource.unique.iter().flat_map(|unique| unique.fields);
        for name in resource.summarized_as.iter().chain(resource.search).chain(named).chain(unique) {
            let secret = resource.field(name).is_some_and(|field| field.kind.is_secret());
            assert!(!secret, "{}.{name} is a secret that is used beyond its field", resource.name);
        }
    }
}

/// Reads every column of a description, without matching a row.
async fn fits(database: &Database) {
    for resource in resources() {
        let mut columns: Vec<&str> =
            resource.fields.iter().filter(|field| field.is_stored()).map(|field| field.column).collect();
        columns.extend(resource.relations.iter().filter_map(|relation| match relation.join {
            Join::Column(name) => Some(name),
            _ => None,
        }));
        if resource.editable {
            columns.push("version");
        }
        if resource.shared_type.is_some() {
            columns.push("ansible_id");
        }
        for name in columns {
            let query =
                Query::select().expr(column(resource.table, name)).from(Alias::new(resource.table)).limit(0).to_owned();
            let outcome = database.read(&query, &[Type::Text]).await;
            assert!(outcome.is_ok(), "{}: column {name} of {}: {outcome:?}", resource.name, resource.table);
        }
    }
}

#[tokio::test]
async fn columns_exist_in_sqlite() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = Database::open(&Location::Sqlite(folder.path().join("hostler.db"))).await.expect("a new database");
    fits(&database).await;
    database.close().await;
}

#[tokio::test]
async fn columns_exist_in_postgresql() {
    let Some(empty) = PostgresDatabase::create_with("") else {
        return hostler_testkit::skip::skip("there is no PostgreSQL");
    };
    let database = Database::open(&Location::Postgres(empty.url())).await.expect("the new database");
    fits(&database).await;
    database.close().await;
}

#[test]
fn objects_deleted_in_steps_are_hidden() {
    for resource in resources().filter(|resource| resource.deleted_in_steps) {
        for action in [Action::Read, Action::Change, Action::Delete] {
            let rule = format!("{:?}", resource.access.rows(&user(true, false), action, "row"));
            assert!(rule.contains(IS_DELETED), "{} is not wrapped in HideDeleted: {rule}", resource.name);
        }
    }
}

/// A list with variants is then counted without looking at each row.
#[test]
fn superusers_read_all_rows_of_lists_with_variants() {
    for resource in resources().filter(|resource| resource.variants.is_some()) {
        let rule = resource.access.rows(&user(true, false), Action::Read, "row");
        assert!(matches!(rule, Rule::All), "{}: {rule:?}", resource.name);
    }
}
