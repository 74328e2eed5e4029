//! `bulk/host_create/` and `bulk/host_delete/`.

use hostler_testkit::{Backend, Client, TestUser, on_each_backend};
use serde_json::{Value, json};

use super::{group, host, inventory, names, start};

on_each_backend!(
    bulk_creates_all_hosts_or_none,
    bulk_create_needs_the_inventory,
    bulk_create_keeps_to_max_hosts_of_the_organization,
    bulk_deletes_all_hosts_or_none,
    bulk_delete_reveals_no_hidden_inventory,
    bulk_lists_have_limits,
);

const CREATE: &str = "/api/v2/bulk/host_create/";
const DELETE: &str = "/api/v2/bulk/host_delete/";

fn create(client: &Client, inventory: i64, names: &[&str]) -> Vec<i64> {
    let hosts: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let created = client.post(CREATE, json!({"inventory": inventory, "hosts": hosts})).expect(201).json();
    let hosts = created["hosts"].as_array().expect("a list").clone();
    hosts.iter().map(|host| host["id"].as_i64().expect("an id")).collect()
}

fn grant(admin: &Client, user: &TestUser, inventory: i64, role: &str) {
    let shown = admin.get(&format!("/api/v2/inventories/{inventory}/")).expect(200).json();
    let id = shown["summary_fields"]["object_roles"][role]["id"].as_i64().expect("a role");
    admin.attach(&format!("{}roles/", user.path()), id);
}

fn changes(client: &Client, inventory: i64) -> Vec<Value> {
    let entries =
        client.results(&format!("/api/v2/inventories/{inventory}/activity_stream/?operation=update&order_by=id"));
    entries.iter().map(|entry| entry["changes"].clone()).collect()
}

fn bulk_creates_all_hosts_or_none(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let own = inventory(&admin, "i", server.organization("home"));
    host(&admin, "old", own);
    group(&admin, "db", own);
    let hosts =
        json!([{"name": "web:22", "variables": "a: 1", "enabled": "no"}, {"name": "app", "instance_id": "i-1"}]);
    let created = admin.post(CREATE, json!({"inventory": own, "hosts": hosts})).expect(201).json();
    assert_eq!(created["url"], format!("/api/v2/inventories/{own}/"));
    assert_eq!(created["hosts"][0]["name"], "web");
    assert_eq!(created["hosts"][0]["variables"], "{\"a\": 1, \"ansible_ssh_port\": 22}");
    let shown = admin.get(created["hosts"][0]["url"].as_str().expect("a path")).expect(200).json();
    assert_eq!((&shown["name"], &shown["enabled"], &shown["inventory"]), (&json!("web"), &json!(false), &json!(own)));
    assert_eq!(changes(&admin, own), [json!({"total_hosts": [1, 3]})]);
    for (hosts, expected) in [
        (json!([{"name": "new"}, {"name": "old"}]), json!({"__all__": [duplicates("'old'")]})),
        (json!([{"name": "x:1"}, {"name": "x:2"}]), json!({"__all__": [duplicates("'x', 'x'")]})),
        (
            json!([{"name": "new"}, {"name": "db"}]),
            json!({"hosts": {"1": {"__all__": ["A Group with that name already exists."]}}}),
        ),
        (
            json!([{"name": "new"}, "x"]),
            json!({"hosts": {"1": {"__all__": ["Invalid data. Expected a dictionary, but got str."]}}}),
        ),
        (json!([{"name": ""}]), json!({"hosts": {"0": {"name": ["This field may not be blank."]}}})),
        (
            json!([{"name": "a\nb"}]),
            json!({"hosts": {"0": {"name": ["Names of hosts and groups cannot contain control characters."]}}}),
        ),
        (
            json!([{"name": "x", "enabled": "perhaps"}]),
            json!({"hosts": {"0": {"enabled": ["Must be a valid boolean."]}}}),
        ),
    ] {
        let refused = admin.post(CREATE, json!({"inventory": own, "hosts": hosts})).expect(400).json();
        assert_eq!(refused, expected);
    }
    assert_eq!(names(&admin, &format!("/api/v2/inventories/{own}/hosts/")), ["app", "old", "web"]);
}

fn duplicates(names: &str) -> String {
    format!("Hostnames must be unique in an inventory. Duplicates found: [{names}]")
}

fn bulk_create_needs_the_inventory(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let own = inventory(&admin, "i", home);
    let smart = admin.create(
        "/api/v2/inventories/",
        json!({"name": "s", "organization": home, "kind": "smart", "host_filter": "name=x"}),
    );
    let reader = server.user("reader");
    grant(&admin, &reader, own, "use_role");
    let body = |inventory: i64| json!({"inventory": inventory, "hosts": [{"name": "x"}]});
    let lacking = format!("Inventory with id {own} not found or lack permissions to add hosts.");
    let refused = reader.client.post(CREATE, body(own)).expect(400).json();
    assert_eq!(refused, json!({"__all__": [lacking]}));
    let refused = admin.post(CREATE, body(smart)).expect(400).json();
    let message = "Hosts can only be created in manual inventories (not smart or constructed types).";
    assert_eq!(refused, json!({"__all__": [message]}));
    let missing = admin.post(CREATE, json!({"inventory": 99_999_999, "hosts": [{}]})).expect(400).json();
    assert_eq!(missing["inventory"], json!(["Invalid pk \"99999999\" - object does not exist."]));
    assert_eq!(missing["hosts"]["0"]["name"], json!(["This field is required."]));
    admin.delete(&format!("/api/v2/inventories/{own}/")).expect(202);
    admin.post(CREATE, body(own)).expect(400);
}

fn bulk_create_keeps_to_max_hosts_of_the_organization(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let (one, two) = (inventory(&admin, "one", home), inventory(&admin, "two", home));
    admin.patch(&format!("/api/v2/organizations/{home}/"), json!({"max_hosts": 3})).expect(200);
    create(&admin, one, &["a", "b"]);
    // A name that another inventory of the organization has is no new host.
    create(&admin, two, &["a", "c"]);
    let refused = admin.post(CREATE, json!({"inventory": one, "hosts": [{"name": "d"}]})).expect(403).json();
    let detail = "You have already reached the maximum number of 3 hosts allowed for your organization. Contact your \
                  System Administrator for assistance.";
    assert_eq!(refused, json!({"detail": detail}));
    create(&admin, one, &["c"]);
}

fn bulk_deletes_all_hosts_or_none(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let (one, two) = (inventory(&admin, "one", home), inventory(&admin, "two", home));
    let hosts = create(&admin, one, &["a", "b", "c"]);
    let others = create(&admin, two, &["d"]);
    for (ids, expected) in [
        (json!([hosts[0], 99_999_999]), json!({"99999999": "Hosts do not exist or you lack permission to delete it"})),
        (json!([hosts[0], "x"]), json!({"1": ["A valid integer is required."]})),
        (json!([hosts[0], null]), json!({"1": ["A valid integer is required."]})),
    ] {
        let refused = admin.post(DELETE, json!({"hosts": ids})).expect(400).json();
        assert_eq!(refused, json!({"hosts": expected}));
    }
    let user = server.user("user");
    grant(&admin, &user, one, "admin_role");
    grant(&admin, &user, two, "read_role");
    let refused = user.client.post(DELETE, json!({"hosts": [hosts[0], others[0]]})).expect(403).json();
    assert_eq!(refused, json!({"inventories": {"two": "Lack permissions to delete hosts from this inventory."}}));
    assert_eq!(names(&admin, "/api/v2/hosts/"), ["a", "b", "c", "d"]);

    let ids = json!([hosts[0], hosts[1].to_string(), others[0]]);
    let deleted = admin.post(DELETE, json!({"hosts": ids})).expect(201).json();
    assert_eq!(deleted["hosts"][hosts[1].to_string()], "The host b was deleted");
    assert_eq!(names(&admin, "/api/v2/hosts/"), ["c"]);
    let entry = json!([{"host_id": hosts[0], "host_name": "a"}, {"host_id": hosts[1], "host_name": "b"}]);
    assert_eq!(changes(&admin, one), [json!({"total_hosts": [0, 3]}), entry]);
}

fn bulk_delete_reveals_no_hidden_inventory(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let hosts = create(&admin, inventory(&admin, "secret", server.organization("home")), &["a"]);
    let outsider = server.user("outsider");
    let refused = outsider.client.post(DELETE, json!({"hosts": hosts})).expect(400).json();
    let message = "Hosts do not exist or you lack permission to delete it";
    assert_eq!(refused, json!({"hosts": {hosts[0].to_string(): message}}));
    assert_eq!(names(&admin, "/api/v2/hosts/"), ["a"]);
}

fn bulk_lists_have_limits(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let own = inventory(&admin, "i", server.organization("home"));
    let new: Vec<Value> = (0..101).map(|number| json!({"name": format!("h{number}")})).collect();
    let refused = admin.post(CREATE, json!({"inventory": own, "hosts": new})).expect(400).json();
    assert_eq!(refused, json!({"__all__": ["Number of hosts exceeds system setting BULK_HOST_MAX_CREATE"]}));
    let ids: Vec<i64> = (0..251).collect();
    let refused = admin.post(DELETE, json!({"hosts": ids})).expect(400).json();
    let expected = json!({
        "ERROR": ["Number of hosts exceeds system setting BULK_HOST_MAX_DELETE"],
        "BULK_HOST_MAX_DELETE": ["250"],
        "Hosts_count": ["251"],
    });
    assert_eq!(refused, expected);
    let endless: Vec<i64> = (0..100_001).collect();
    let refused = admin.post(DELETE, json!({"hosts": endless})).expect(400).json();
    assert_eq!(refused, json!({"hosts": ["Ensure this field has no more than 100000 elements."]}));
    assert_eq!(names(&admin, "/api/v2/hosts/"), Vec::<String>::new());
    // The limits are settings.
    let limits = json!({"BULK_HOST_MAX_CREATE": 101, "BULK_HOST_MAX_DELETE": 1});
    admin.patch("/api/v2/settings/bulk/", limits).expect(200);
    let created = admin.post(CREATE, json!({"inventory": own, "hosts": new})).expect(201).json();
    let ids: Vec<i64> =
        created["hosts"].as_array().expect("a list").iter().filter_map(|host| host["id"].as_i64()).collect();
    assert_eq!(ids.len(), 101);
    admin.post(DELETE, json!({"hosts": &ids[..2]})).expect(400);
    admin.post(DELETE, json!({"hosts": &ids[..1]})).expect(201);
}
