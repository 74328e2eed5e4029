//! The inventories, hosts and groups of a [`crate::Fixture`].

use serde_json::json;

use crate::client::Client;
use crate::server::TestServer;

/// An inventory with a host and a group for the lists below each.
pub(crate) struct Inventories {
    home: i64,
    pub inventory: i64,
    pub host: i64,
    pub group: i64,
    pub use_role: i64,
}

impl Inventories {
    /// An inventory of this organization.
    pub fn begin(admin: &Client, home: i64) -> Self {
        let inventory = json!({"name": "inventory-0", "organization": home});
        let inventory = admin.create("/api/v2/inventories/", inventory);
        let shown = admin.get(&format!("/api/v2/inventories/{inventory}/")).expect(200).json();
        let use_role = shown["summary_fields"]["object_roles"]["use_role"]["id"].as_i64().expect("a role");
        let host = admin.create("/api/v2/hosts/", json!({"name": "host-0", "inventory": inventory}));
        let group = admin.create("/api/v2/groups/", json!({"name": "group-0", "inventory": inventory}));
        Inventories { home, inventory, host, group, use_role }
    }

    /// One more object in each list.
    pub fn add(&self, server: &TestServer, admin: &Client, number: usize, instance_group: i64, label: i64) {
        let Inventories { home, inventory, host, group, .. } = *self;
        let other = json!({"name": format!("inventory-{}", number + 1), "organization": home});
        let other = admin.create("/api/v2/inventories/", other);
        admin.create("/api/v2/hosts/", json!({"name": "host-0", "inventory": other}));
        admin.create("/api/v2/groups/", json!({"name": "group-0", "inventory": other}));
        let smart = json!({
            "name": format!("smart-{number}"), "organization": home, "kind": "smart",
            "host_filter": "name=host-0 and inventory__name=inventory-0",
        });
        admin.create("/api/v2/inventories/", smart);
        let constructed = json!({"name": format!("constructed-{number}"), "organization": home, "limit": "all"});
        let constructed = admin.create("/api/v2/constructed_inventories/", constructed);
        for input in [inventory, other] {
            admin.attach(&format!("/api/v2/inventories/{constructed}/input_inventories/"), input);
        }
        // The list of an inventory that is no constructed one must not be empty either.
        server.execute(&format!(
            "INSERT INTO inventory_inputs (inventory_id, input_inventory_id) VALUES ({inventory}, {other})"
        ));
        admin.create(&format!("/api/v2/groups/{group}/hosts/"), json!({"name": format!("host-{}", number + 1)}));
        admin.create(&format!("/api/v2/groups/{group}/children/"), json!({"name": format!("child-{number}")}));
        admin.create(&format!("/api/v2/hosts/{host}/groups/"), json!({"name": format!("root-{number}")}));
        admin.attach(&format!("/api/v2/inventories/{inventory}/instance_groups/"), instance_group);
        admin.attach(&format!("/api/v2/inventories/{inventory}/labels/"), label);
    }

    /// So many sources, as if they read this project and had brought hosts and groups: all of them the first ones, and the
    /// first source all. Returns that one.
    pub fn add_sources(&self, server: &TestServer, admin: &Client, size: usize, project: i64) -> i64 {
        let Inventories { home, inventory, host, group, .. } = *self;
        let aws = admin.results("/api/v2/credential_types/?namespace=aws")[0]["id"].clone();
        let credential = json!({
            "name": "aws", "organization": home, "credential_type": aws, "inputs": {"username": "u", "password": "p"},
        });
        let credential = admin.create("/api/v2/credentials/", credential);
        let create = |number: usize| {
            let credential = (number == 0).then_some(credential);
            let body = json!({
                "name": format!("source-{number}"), "inventory": inventory, "source": "ec2", "credential": credential,
            });
            admin.create("/api/v2/inventory_sources/", body)
        };
        let sources: Vec<i64> = (0..size).map(create).collect();
        let first = sources.first().copied().unwrap_or_default();
        server.execute(&format!(
            "UPDATE unified_job_templates SET source_project_id = {project} WHERE type = 'inventory_source' AND source = 'ec2'"
        ));
        for (object, table, id) in [("host", "hosts", host), ("group", "inventory_groups", group)] {
            server.execute(&format!(
                "INSERT INTO inventory_source_{object}s (inventory_source_id, {object}_id) \
                 SELECT sources.id, objects.id FROM inventory_sources AS sources JOIN {table} AS objects \
                 ON objects.inventory_id = sources.sourced_inventory_id \
                 WHERE sources.id = {first} OR objects.id = {id}"
            ));
        }
        for template in admin.results("/api/v2/notification_templates/") {
            for event in ["started", "success", "error"] {
                let list = format!("/api/v2/inventory_sources/{first}/notification_templates_{event}/");
                admin.attach(&list, template["id"].as_i64().expect("an id"));
            }
        }
        first
    }
}
