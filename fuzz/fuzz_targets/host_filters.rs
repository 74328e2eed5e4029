//! Filters of smart inventories: every text is rejected or becomes a statement.
#![no_main]

use std::sync::{Arc, LazyLock};

use hostler_database::Dialect;
use hostler_engine::Links;
use hostler_inventory::{SmartInventories, SmartInventory};
use hostler_resources::{HOST, REGISTRY, SmartHosts};
use libfuzzer_sys::fuzz_target;
use sea_query::{PostgresQueryBuilder, Query, SqliteQueryBuilder};

static LINKS: LazyLock<Arc<Links>> = LazyLock::new(|| Arc::new(Links::new(REGISTRY)));

fuzz_target!(|text: &str| {
    let inventory = SmartInventory { organization: 1, host_filter: text.to_owned() };
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        let Ok(hosts) = SmartHosts::new(Arc::clone(&LINKS), dialect).hosts(&inventory, HOST.table) else { continue };
        let select = Query::select().from(HOST.table).cond_where(hosts).to_owned();
        let text = match dialect {
            Dialect::Sqlite => select.build(SqliteQueryBuilder).0,
            Dialect::Postgres => select.build(PostgresQueryBuilder).0,
        };
        // Texts of the client are bound, never part of the statement.
        assert!(text.len() < 1 << 20, "a statement of {} bytes", text.len());
    }
});
