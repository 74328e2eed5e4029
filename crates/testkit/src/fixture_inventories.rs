//! The inventories, hosts and groups of a [`crate::Fixture`].

use serde_json::json;

use crate::client::Client;

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
    pub fn add(&self, admin: &Client, number: usize, instance_group: i64, label: i64) {
        let Inventories { home, inventory, host, group, .. } = *self;
        let other = json!({"name": format!("inventory-{}", number + 1), "organization": home});
        let other = admin.create("/api/v2/inventories/", other);
        admin.create("/api/v2/hosts/", json!({"name": "host-0", "inventory": other}));
        admin.create("/api/v2/groups/", json!({"name": "group-0", "inventory": other}));
        admin.create(&format!("/api/v2/groups/{group}/hosts/"), json!({"name": format!("host-{}", number + 1)}));
        admin.create(&format!("/api/v2/groups/{group}/children/"), json!({"name": format!("child-{number}")}));
        admin.create(&format!("/api/v2/hosts/{host}/groups/"), json!({"name": format!("root-{number}")}));
        admin.attach(&format!("/api/v2/inventories/{inventory}/instance_groups/"), instance_group);
        admin.attach(&format!("/api/v2/inventories/{inventory}/labels/"), label);
    }
}
