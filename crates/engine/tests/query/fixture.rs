//! A small SQLite database with cities, people and tags.

use std::sync::{Arc, LazyLock};

use hostler_database::Dialect;
use hostler_engine::query::{ListQuery, QueryError, parse};
use hostler_engine::{Links, NoHooks, Registered, Registry};
use hostler_schema::{
    Access, Action, Actor, Draft, Field, Join, Policy, Relation, Resource, Rule, column,
    fields::{boolean, computed, digest, id, integer, json, link, reserved, text, time},
};
use rusqlite::{Connection, functions::FunctionFlags, types::Value as Stored};
use sea_query::{Alias, ExprTrait, PostgresQueryBuilder, Query, SelectStatement, SqliteQueryBuilder, Value};

/// Superusers see every row, others only rows that are not hidden.
struct NotHidden;

impl Access for NotHidden {
    fn rows(&self, actor: &Actor, _: Action, row: &str) -> Rule {
        if actor.is_superuser { Rule::All } else { Rule::When(column(row, "hidden").eq(0)) }
    }
    fn create(&self, _: &Actor, _: Draft<'_>) -> Rule {
        Rule::None
    }
}

/// Only superusers see rows.
struct Closed;

impl Access for Closed {
    fn rows(&self, actor: &Actor, _: Action, _: &str) -> Rule {
        Rule::from_bool(actor.is_superuser)
    }
    fn create(&self, _: &Actor, _: Draft<'_>) -> Rule {
        Rule::None
    }
}

fn city() -> &'static Resource {
    &CITY
}
fn person() -> &'static Resource {
    &PERSON
}
fn tag() -> &'static Resource {
    &TAG
}

const CITY_FIELDS: &[Field] = &[id(), text("name"), text("country").nullable(), digest("seal")];
pub static CITY: Resource = Resource {
    table: "cities",
    search: &["name", "country"],
    ..Resource::new("city", "cities", "City", CITY_FIELDS, &NotHidden)
};

const PERSON_FIELDS: &[Field] = &[
    id(),
    text("name"),
    text("nick").nullable(),
    integer("age").nullable(),
    boolean("active"),
    time("born").nullable(),
    json("notes"),
    link("city", "city_id", city).reverse("people"),
    link("boss", "boss_id", person).reverse("minions"),
    digest("password"),
    computed("mood"),
    reserved("agent"),
];
pub static PERSON: Resource = Resource {
    table: "people",
    relations: &[
        Relation::new("birthplace", city, Join::Column("birthplace_id")),
        Relation::new(
            "tags",
            tag,
            Join::JoinTable { table: "people_tags", left: "person_id", right: "tag_id", filter: None },
        ),
    ],
    unimplemented_relations: &["robots"],
    search: &["name", "nick", "password"],
    ..Resource::new("person", "people", "Person", PERSON_FIELDS, &NotHidden)
};

const TAG_FIELDS: &[Field] = &[id(), text("name"), integer("weight"), text("color").nullable()];
pub static TAG: Resource = Resource {
    table: "tags",
    relations: &[Relation::new(
        "people",
        person,
        Join::JoinTable { table: "people_tags", left: "tag_id", right: "person_id", filter: None },
    )],
    search: &["name"],
    ..Resource::new("tag", "tags", "Tag", TAG_FIELDS, &NotHidden)
};

const VAULT_FIELDS: &[Field] = &[id(), text("name")];
fn vault() -> &'static Resource {
    &VAULT
}
static VAULT: Resource =
    Resource { table: "cities", ..Resource::new("vault", "vaults", "Vault", VAULT_FIELDS, &Closed) };
const GUARD_FIELDS: &[Field] = &[id()];
pub static GUARD: Resource = Resource {
    table: "people",
    relations: &[Relation::new("vault", vault, Join::Column("city_id"))],
    ..Resource::new("guard", "guards", "Guard", GUARD_FIELDS, &NotHidden)
};

static LINKS: LazyLock<Links> = LazyLock::new(|| {
    const fn registered(resource: &'static Resource) -> Registered {
        Registered { resource, hooks: &NoHooks }
    }
    static REGISTERED: [Registered; 5] =
        [registered(&CITY), registered(&PERSON), registered(&TAG), registered(&VAULT), registered(&GUARD)];
    Links::new(Registry(&REGISTERED))
});

const SCHEMA: &str = "
    CREATE TABLE cities (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT, seal TEXT, hidden INTEGER NOT NULL);
    INSERT INTO cities VALUES (1, 'Oslo', 'Norway', 's', 0), (2, 'Bergen', NULL, 's', 0), (3, 'Atlantis', 'Sea', 's', 1);
    CREATE TABLE people (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, nick TEXT, age INTEGER, active INTEGER NOT NULL, born INTEGER,
        notes TEXT NOT NULL, city_id INTEGER, boss_id INTEGER, birthplace_id INTEGER, password TEXT, hidden INTEGER NOT NULL);
    INSERT INTO people VALUES
        (1, 'Ann', NULL, 31, 1, 1577836800000000, '{\"k\": \"Straße\"}', 1, NULL, 3, 'sesame', 0),
        (2, 'Ben', 'benny', 12, 1, 1577836800000001, '{}', 1, 1, 1, 'sesame', 0),
        (3, 'Cat', 'ÄRMEL', NULL, 0, NULL, '{}', 2, 1, NULL, 'sesame', 0),
        (4, 'Dan', 'none', 112, 0, 1609459200000000, '{}', 3, 5, NULL, 'sesame', 0),
        (5, 'Eve', NULL, 40, 1, NULL, '{}', NULL, NULL, NULL, 'sesame', 1);
    CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT NOT NULL, weight INTEGER NOT NULL, color TEXT, hidden INTEGER NOT NULL);
    INSERT INTO tags VALUES (1, 'red', 1, 'r', 0), (2, 'blue', 2, NULL, 0), (3, 'secret', 3, 's', 1);
    CREATE TABLE people_tags (person_id INTEGER, tag_id INTEGER);
    INSERT INTO people_tags VALUES (1, 1), (1, 2), (2, 1), (3, 2), (4, 3);
";

pub fn actor(is_superuser: bool) -> Actor {
    Actor {
        id: 1,
        username: "test".to_owned(),
        is_superuser,
        is_system_auditor: false,
        is_organization_admin: false,
        can_write: true,
        session: None,
        external_account: None,
        job_settings: Arc::default(),
        policy: Policy {
            manage_organization_auth: true,
            org_admins_see_all_users: true,
            password_min_length: 0,
            password_min_digits: 0,
            password_min_upper: 0,
            password_min_special: 0,
            password_refuse_common: false,
            token_seconds: 60,
            refresh_token_seconds: 60,
            tokens_for_external_users: false,
            managed: hostler_schema::LdapManagedFields::default(),
            activity_stream: true,
        },
    }
}

/// Splits a query string whose special characters are not escaped.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

pub fn read(
    resource: &'static Resource,
    query: &str,
    superuser: bool,
    dialect: Dialect,
) -> Result<ListQuery, QueryError> {
    parse(&LINKS, resource, &pairs(query), &actor(superuser), dialect, "this")
}

/// The error that a superuser gets for an invalid query.
pub fn refusal(resource: &'static Resource, query: &str) -> QueryError {
    match read(resource, query, true, Dialect::Sqlite) {
        Ok(_) => panic!("{query} was not refused"),
        Err(error) => error,
    }
}

fn statement(resource: &'static Resource, list: ListQuery) -> SelectStatement {
    let mut select = Query::select();
    select.expr(column("this", "id")).from_as(Alias::new(resource.table), Alias::new("this"));
    select.cond_where(list.filter);
    for (expression, order) in list.order {
        select.order_by_expr(expression, order);
    }
    select
}

/// The statement for PostgreSQL, with inlined values.
pub fn postgres(resource: &'static Resource, query: &str, superuser: bool) -> String {
    let list = read(resource, query, superuser, Dialect::Postgres).unwrap_or_else(|error| panic!("{query}: {error}"));
    statement(resource, list).to_string(PostgresQueryBuilder)
}

/// The ids of the rows that a superuser, or another user, sees.
pub fn ids(resource: &'static Resource, query: &str, superuser: bool) -> Vec<i64> {
    let list = read(resource, query, superuser, Dialect::Sqlite).unwrap_or_else(|error| panic!("{query}: {error}"));
    assert!(postgres(resource, query, superuser).starts_with("SELECT"));
    let (sql, values) = statement(resource, list).build(SqliteQueryBuilder);
    let connection = database();
    let mut prepared = connection.prepare(&sql).unwrap_or_else(|error| panic!("{query}: {sql}: {error}"));
    let values = rusqlite::params_from_iter(values.into_iter().map(stored));
    let rows = prepared.query_map(values, |row| row.get(0)).and_then(Iterator::collect);
    rows.unwrap_or_else(|error| panic!("{query}: {sql}: {error}"))
}

/// The ids of people that a superuser sees.
pub fn people(query: &str) -> Vec<i64> {
    ids(&PERSON, query, true)
}

/// The ids of users, for an actor who does not see hidden rows.
pub fn people_seen(query: &str) -> Vec<i64> {
    ids(&PERSON, query, false)
}

fn stored(value: Value) -> Stored {
    match value {
        Value::Bool(Some(truth)) => Stored::Integer(truth.into()),
        Value::Int(Some(number)) => Stored::Integer(number.into()),
        Value::BigInt(Some(number)) => Stored::Integer(number),
        Value::String(Some(text)) => Stored::Text(text),
        Value::JiffTimestamp(Some(moment)) => Stored::Integer(moment.as_microsecond()),
        other => panic!("unexpected value {other:?}"),
    }
}

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let fold = connection.create_scalar_function("hostler_fold", 1, flags, |context| {
        Ok(context.get::<Option<String>>(0)?.map(|text| text.to_lowercase()))
    });
    fold.unwrap();
    let occurs = connection.create_scalar_function("hostler_occurs", 2, flags, |context| {
        let (folded, text) = (context.get::<String>(0)?, context.get::<Option<String>>(1)?);
        Ok(text.map(|text| text.to_lowercase().contains(&folded)))
    });
    occurs.unwrap();
    let matches = connection.create_scalar_function("hostler_regex", 3, flags, |context| {
        let pattern = context.get::<String>(0)?;
        let ignore_case = context.get::<bool>(2)?;
        let pattern = regex::RegexBuilder::new(&pattern).case_insensitive(ignore_case).build().unwrap();
        Ok(context.get::<Option<String>>(1)?.map(|text| pattern.is_match(&text)))
    });
    matches.unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}
