//! Measures imports: `measure_import sqlite:FILE|postgres://URL HOSTS...`.
//!
//! Prints lines of fields with tabs between: the number of hosts, and how many milliseconds the first import takes, one that
//! changes nothing, and one after a variable of each host has changed. Hosts are in one of 100 groups. Writing and reading the
//! output is a part of it. The database must be new.
#![allow(clippy::disallowed_methods, reason = "a measurement needs the time")]

use std::error::Error;
use std::fs;
use std::time::Instant;

use hostler_database::{Database, Location};
use hostler_inventory_updates::{Found, Import, Selection, import, read_output};
use jiff::Timestamp;
use sea_query::{Query, Value as SqlValue};
use serde_json::{Map, Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const GROUPS: usize = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let location = arguments.next().ok_or("the location of a new database")?;
    let location = match location.strip_prefix("sqlite:") {
        Some(file) => Location::Sqlite(file.into()),
        None => Location::Postgres(location),
    };
    let database = Database::open(&location).await?;
    for hosts in arguments {
        let hosts: usize = hosts.parse()?;
        let plan = create(&database, hosts).await?;
        let mut times = vec![];
        for state in ["new", "new", "changed"] {
            let text = output(hosts, state).to_string();
            let file = std::env::temp_dir().join(format!("measure-import-{}.json", std::process::id()));
            fs::write(&file, text)?;
            let begin = Instant::now();
            let found = Found::select(read_output(&file)?, &Selection::default())?;
            let mut tx = database.begin().await?;
            import(&mut tx, &plan, &found, Timestamp::now()).await?;
            tx.commit().await?;
            times.push(begin.elapsed().as_millis().to_string());
            fs::remove_file(&file)?;
        }
        println!("{hosts}\t{}", times.join("\t"));
    }
    database.close().await;
    Ok(())
}

/// An inventory with a source that overwrites.
async fn create(database: &Database, number: usize) -> Result<Import> {
    let now = Timestamp::now();
    let mut tx = database.begin().await?;
    let mut insert = async |table: &'static str, columns: Vec<&'static str>, values: Vec<SqlValue>| {
        let mut query = Query::insert();
        query.into_table(table).columns(columns).values_panic(values.into_iter().map(Into::into));
        tx.insert(&query).await
    };
    let name = format!("inventory-{number}");
    let columns = vec!["created", "modified", "name"];
    let inventory = insert("inventories", columns, vec![now.into(), now.into(), name.clone().into()]).await?;
    let columns = vec!["created", "modified", "name", "type", "source", "sourced_inventory_id"];
    let values = vec![now.into(), now.into(), name.into(), "inventory_source".into(), "scm".into(), inventory.into()];
    let source = insert("unified_job_templates", columns, values).await?;
    tx.commit().await?;
    Ok(Import { source, inventory, overwrite: true, overwrite_variables: true })
}

fn output(hosts: usize, state: &str) -> Value {
    let name = |number: usize| format!("host-{number:06}.example.com");
    let variables: Map<String, Value> = (0..hosts)
        .map(|number| {
            let address = format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255);
            (name(number), json!({"ansible_host": address, "number": number, "state": state, "tags": ["a", "b"]}))
        })
        .collect();
    let mut document = json!({"_meta": {"hostvars": variables}});
    for group in 0..GROUPS {
        let members: Vec<String> = (group..hosts).step_by(GROUPS).map(name).collect();
        document[format!("group_{group}")] = json!({"hosts": members, "vars": {"group": group}});
    }
    document
}
