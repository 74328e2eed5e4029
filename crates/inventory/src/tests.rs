use hostler_database::{Database, Location, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, Condition, ExprTrait, Query};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// Takes a filter for the name of a host.
struct ByName;

impl SmartInventories for ByName {
    fn hosts(&self, inventory: &SmartInventory, row: &str) -> Result<Condition, String> {
        match inventory.host_filter.as_str() {
            "" => Err("empty".into()),
            name => Ok(Condition::all().add(hostler_schema::column(row, "name").eq(name))),
        }
    }
}

/// A database with an inventory of three hosts and four groups.
async fn sample() -> (Database, TempDir) {
    let folder = TempDir::new().unwrap();
    let database = Database::open(&Location::Sqlite(folder.path().join("db.sqlite3"))).await.unwrap();
    let mut tx = database.begin().await.unwrap();
    insert(&mut tx, "organizations", &[("id", 1.into()), ("name", "o".into())]).await;
    let inventory = |id: i64, kind: &str, variables: &str| {
        let name = format!("i{id}");
        [
            ("id", id.into()),
            ("name", name.into()),
            ("organization_id", 1.into()),
            ("kind", kind.into()),
            ("variables", variables.into()),
        ]
    };
    insert(&mut tx, "inventories", &inventory(1, "", "top: yes")).await;
    insert(&mut tx, "inventories", &inventory(2, "smart", "")).await;
    insert(&mut tx, "inventories", &inventory(3, "constructed", "")).await;
    for (id, name, enabled, variables) in
        [(1, "b", true, "x: 010"), (2, "a", true, ""), (3, "c", false, "{\"y\": 1}"), (4, "d", true, "")]
    {
        let host = [
            ("id", id.into()),
            ("inventory_id", 1.into()),
            ("name", name.into()),
            ("enabled", enabled.into()),
            ("variables", variables.into()),
        ];
        insert(&mut tx, "hosts", &host).await;
    }
    for (id, name, variables) in [(1, "web", ""), (2, "eu", "zone: eu"), (3, "none", ""), (4, "off", "")] {
        let group =
            [("id", id.into()), ("inventory_id", 1.into()), ("name", name.into()), ("variables", variables.into())];
        insert(&mut tx, "inventory_groups", &group).await;
    }
    insert(&mut tx, "inventory_group_children", &[("parent_id", 1.into()), ("child_id", 2.into())]).await;
    for (group, host) in [(1, 1), (2, 2), (2, 1), (4, 3)] {
        insert(&mut tx, "inventory_group_hosts", &[("group_id", group.into()), ("host_id", host.into())]).await;
    }
    tx.commit().await.unwrap();
    (database, folder)
}

async fn insert(tx: &mut Transaction, table: &str, values: &[(&str, sea_query::Value)]) {
    let mut columns: Vec<(&str, sea_query::Value)> = values.to_vec();
    if !table.starts_with("inventory_group_") {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        columns.extend([("created", now.into()), ("modified", now.into())]);
    }
    if table == "organizations" {
        columns.push(("ansible_id", "00000000-0000-0000-0000-000000000001".into()));
    }
    let statement = Query::insert()
        .into_table(Alias::new(table))
        .columns(columns.iter().map(|(name, _)| Alias::new(*name)))
        .values_panic(columns.iter().map(|(_, value)| value.clone().into()))
        .to_owned();
    tx.execute(&statement).await.unwrap();
}

async fn document(database: &Database, options: ScriptOptions) -> Value {
    script(database, &ByName, 1, options).await.unwrap().document.into()
}

#[tokio::test]
async fn groups_hosts_and_variables_are_in_the_document() {
    let (database, _folder) = sample().await;
    let plain = document(&database, ScriptOptions::default()).await;
    let expected = json!({
        "all": {"vars": {"top": true}, "hosts": ["d"], "children": ["eu", "none", "off", "web"]},
        "eu": {"hosts": ["a", "b"], "vars": {"zone": "eu"}},
        "web": {"hosts": ["b"], "children": ["eu"]},
    });
    assert_eq!(plain, expected);
    let options = ScriptOptions { hostvars: true, towervars: true, disabled_too: true, slice: None };
    let full = document(&database, options).await;
    assert_eq!(full["off"], json!({"hosts": ["c"]}));
    assert_eq!(
        full["_meta"]["hostvars"]["c"],
        json!({
            "y": 1, "remote_tower_enabled": "false", "remote_tower_id": 3, "remote_host_enabled": "false",
            "remote_host_id": 3,
        })
    );
    assert_eq!(full["_meta"]["hostvars"]["b"]["x"], json!(8));
}

#[tokio::test]
async fn slices_share_the_hosts_by_name() {
    let (database, _folder) = sample().await;
    let slice =
        |number| ScriptOptions { hostvars: true, slice: Some(Slice { number, count: 2 }), ..Default::default() };
    let first = document(&database, slice(1)).await;
    assert_eq!(first["_meta"]["hostvars"], json!({"a": {}, "d": {}}));
    assert_eq!((&first["all"]["hosts"], &first["eu"]["hosts"]), (&json!(["d"]), &json!(["a"])));
    let second = document(&database, slice(2)).await;
    assert_eq!(second["_meta"]["hostvars"], json!({"b": {"x": 8}}));
    assert_eq!(second["all"]["hosts"], json!([]));
}

#[tokio::test]
async fn one_host_and_what_cannot_be_computed() {
    let (database, _folder) = sample().await;
    let host =
        async |name: &str, disabled_too| host_variables(&database, &ByName, 1, name, disabled_too).await.unwrap();
    assert_eq!(host("b", false).await.map(Value::from), Some(json!({"x": 8})));
    assert!(host("c", false).await.is_none());
    assert!(host("c", true).await.is_some());
    assert!(host("nosuch", true).await.is_none());
    let failure = async |inventory| script(&database, &ByName, inventory, ScriptOptions::default()).await.unwrap_err();
    assert!(matches!(failure(2).await, ScriptError::HostFilter(_)));
    assert!(matches!(failure(9).await, ScriptError::NoInventory));
    let mut tx = database.begin().await.unwrap();
    let broken = Query::update().table(Alias::new("hosts")).value(Alias::new("variables"), "[").to_owned();
    tx.execute(&broken).await.unwrap();
    tx.commit().await.unwrap();
    let options = ScriptOptions { hostvars: true, ..Default::default() };
    let problem = script(&database, &ByName, 1, options).await.unwrap_err().to_string();
    assert!(problem.starts_with("the variables of the host a are invalid: Cannot parse as JSON"), "{problem}");
}

#[tokio::test]
async fn smart_inventory_has_hosts_of_others() {
    let (database, _folder) = sample().await;
    let mut tx = database.begin().await.unwrap();
    let filter = Query::update()
        .table("inventories")
        .value("host_filter", "b")
        .and_where(sea_query::Expr::col("id").eq(2))
        .to_owned();
    tx.execute(&filter).await.unwrap();
    tx.commit().await.unwrap();
    let found = script(&database, &ByName, 2, ScriptOptions::default()).await.unwrap();
    assert_eq!(Value::from(found.document), json!({"all": {"hosts": ["b"]}}));
    assert_eq!(found.hosts_of_others, Some(BTreeMap::from([("b".to_owned(), 1)])));
    let own = script(&database, &ByName, 1, ScriptOptions::default()).await.unwrap();
    assert_eq!(own.hosts_of_others, None);
}
