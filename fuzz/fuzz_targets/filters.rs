//! Queries of lists: every query is rejected or becomes a statement.
#![no_main]

use std::sync::LazyLock;

use hostler_database::Dialect;
use hostler_engine::Links;
use hostler_fuzz::{nobody, resource};
use hostler_resources::REGISTRY;
use libfuzzer_sys::fuzz_target;
use sea_query::{PostgresQueryBuilder, Query, SqliteQueryBuilder};

static LINKS: LazyLock<Links> = LazyLock::new(|| Links::new(REGISTRY));

fuzz_target!(|data: &[u8]| {
    let Some((resource, query)) = resource(data) else { return };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query).into_owned().collect();
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let Ok(list) = hostler_engine::query::parse(&LINKS, resource, &pairs, &nobody(), dialect, "row") else {
            continue;
        };
        let mut select = Query::select();
        select.from_as(resource.table, "row").cond_where(list.filter);
        for (expression, order) in list.order {
            select.order_by_expr(expression, order);
        }
        let text = match dialect {
            Dialect::Sqlite => select.build(SqliteQueryBuilder).0,
            Dialect::Postgres => select.build(PostgresQueryBuilder).0,
        };
        // Texts of the client are bound, never part of the statement.
        assert!(text.len() < 1 << 20, "a statement of {} bytes", text.len());
    }
});
