//! Inventories, hosts and groups: validation, memberships, variables, the script and copies.

mod bulk;
mod deletions;
mod smart;

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    inventory_is_validated,
    hosts_and_groups_share_names,
    memberships_stay_in_one_inventory_without_cycles,
    variables_are_read_and_replaced_as_json,
    script_has_enabled_hosts,
    tree_nests_groups,
    copy_has_the_same_content,
    label_disappears_with_its_last_use,
    roles_of_inventory_open_its_hosts,
    counts_can_be_filtered,
    named_urls_lead_through_the_organization,
);

const INVENTORIES: &str = "/api/v2/inventories/";
const HOSTS: &str = "/api/v2/hosts/";
const GROUPS: &str = "/api/v2/groups/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn inventory(client: &Client, name: &str, organization: i64) -> i64 {
    client.create(INVENTORIES, json!({"name": name, "organization": organization}))
}

fn host(client: &Client, name: &str, inventory: i64) -> i64 {
    client.create(HOSTS, json!({"name": name, "inventory": inventory}))
}

fn group(client: &Client, name: &str, inventory: i64) -> i64 {
    client.create(GROUPS, json!({"name": name, "inventory": inventory}))
}

fn names(client: &Client, list: &str) -> Vec<String> {
    let results = client.results(list);
    let mut names: Vec<String> =
        results.iter().map(|object| object["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

fn inventory_is_validated(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    inventory(&admin, "a", home);
    let duplicate = "Inventory with this Name and Organization already exists.";
    for (body, field, message) in [
        (json!({"name": "x"}), "organization", "This field is required."),
        (json!({"name": "a", "organization": home}), "__all__", duplicate),
        (json!({"name": "x", "organization": null}), "organization", "This field may not be null."),
        (
            json!({"name": "x", "organization": 99_999_999}),
            "organization",
            "Invalid pk \"99999999\" - object does not exist.",
        ),
        (json!({"name": "x", "organization": home, "kind": "odd"}), "kind", "\"odd\" is not a valid choice."),
        (
            json!({"name": "x", "organization": home, "kind": "smart"}),
            "host_filter",
            "Smart inventories must specify host_filter",
        ),
        (json!({"name": "x", "organization": home, "variables": ["a"]}), "variables", "Not a valid string."),
    ] {
        assert_eq!(admin.post(INVENTORIES, body).expect(400).json(), json!({field: [message]}));
    }
    for variables in ["[1]", "just words", "{{ x }}", "a: {{ x }}", "a: !vault x", "a:\n\tb: 1", "a: 2020-01-01"] {
        let body = json!({"name": "x", "organization": home, "variables": variables});
        let refused = admin.post(INVENTORIES, body).expect(400).json();
        assert!(refused["variables"][0].is_string(), "{variables}: {refused}");
    }
    let bomb: String = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |bomb, level| {
        let before = level - 1;
        format!("{bomb}a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]\n")
    });
    let refused = admin.post(INVENTORIES, json!({"name": "x", "organization": home, "variables": bomb})).expect(400);
    assert!(refused.json()["variables"][0].as_str().is_some_and(|text| text.contains("too large")));
    assert_eq!(names(&admin, INVENTORIES), ["a"]);
}

fn hosts_and_groups_share_names(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let own = inventory(&admin, "i", home);
    host(&admin, "web", own);
    group(&admin, "db", own);
    let with_port = admin.post(HOSTS, json!({"name": "app:22", "inventory": own, "variables": "a: yes"})).expect(201);
    assert_eq!(with_port.json()["name"], "app");
    assert_eq!(with_port.json()["variables"], "{\"a\": true, \"ansible_ssh_port\": 22}");
    let path = with_port.json()["url"].as_str().expect("a path").to_owned();
    let other_port = admin.patch(&path, json!({"name": "app:2222"})).expect(200).json();
    assert_eq!(other_port["variables"], "{\"a\": true, \"ansible_ssh_port\": 2222}");
    for (body, field, message) in [
        (json!({"name": "web", "inventory": own}), "__all__", "Host with this Name and Inventory already exists."),
        (json!({"name": "web:22", "inventory": own}), "__all__", "Host with this Name and Inventory already exists."),
        (json!({"name": "db", "inventory": own}), "__all__", "A Group with that name already exists."),
        (json!({"name": "x:0", "inventory": own}), "name", "Invalid port specification: 0"),
        (json!({"name": "x:99999", "inventory": own}), "name", "Invalid port specification: 99999"),
        (json!({"name": ":22", "inventory": own}), "name", "This field may not be blank."),
        (
            json!({"name": "a\nb", "inventory": own}),
            "name",
            "Names of hosts and groups cannot contain control characters.",
        ),
        (json!({"name": "x", "inventory": own, "enabled": "perhaps"}), "enabled", "Must be a valid boolean."),
        (json!({"name": "x"}), "inventory", "This field is required."),
        (
            json!({"name": "x", "inventory": 99_999_999}),
            "inventory",
            "Invalid pk \"99999999\" - object does not exist.",
        ),
    ] {
        assert_eq!(admin.post(HOSTS, body).expect(400).json(), json!({field: [message]}));
    }
    for (name, field, message) in [
        ("all", "name", "Invalid group name."),
        ("_meta", "name", "Invalid group name."),
        ("web", "__all__", "A Host with that name already exists."),
        ("db", "__all__", "Group with this Name and Inventory already exists."),
    ] {
        let refused = admin.post(GROUPS, json!({"name": name, "inventory": own})).expect(400).json();
        assert_eq!(refused, json!({field: [message]}));
    }
    for name in ["[::1]", "-dash", "a b", "ünïcode", "a/b", "10.0.0.1"] {
        host(&admin, name, own);
    }
    assert_eq!(admin.results(HOSTS).len(), 8);
    let other = inventory(&admin, "other", home);
    host(&admin, "web", other);
    let first = admin.results(&format!("{HOSTS}?name=web&inventory={own}"))[0]["id"].as_i64().expect("an id");
    let moved = admin.patch(&format!("{HOSTS}{first}/"), json!({"inventory": other})).expect(403).json();
    assert_eq!(moved, json!({"detail": "Unable to change inventory on a host."}));
}

fn memberships_stay_in_one_inventory_without_cycles(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let [own, other] = ["own", "other"].map(|name| inventory(&admin, name, home));
    let [a, b, c] = ["a", "b", "c"].map(|name| group(&admin, name, own));
    let (near, far) = (host(&admin, "near", own), host(&admin, "far", other));
    let foreign = group(&admin, "foreign", other);
    let children = |id: i64| format!("{GROUPS}{id}/children/");
    let members = |id: i64| format!("{GROUPS}{id}/hosts/");
    admin.attach(&children(a), b);
    admin.attach(&children(b), c);
    let cycle = json!({"error": "Cyclical Group association."});
    assert_eq!(admin.post(&children(c), json!({"id": a})).expect(400).json(), cycle);
    assert_eq!(admin.post(&children(a), json!({"id": a})).expect(400).json(), cycle);
    let apart = json!({"detail": "Cannot associate two items from different inventories."});
    assert_eq!(admin.post(&children(a), json!({"id": foreign})).expect(400).json(), apart);
    assert_eq!(admin.post(&members(a), json!({"id": far})).expect(400).json(), apart);
    assert_eq!(admin.post(&format!("{HOSTS}{far}/groups/"), json!({"id": a})).expect(400).json(), apart);
    let absent = json!({"detail": "Host matching query does not exist."});
    assert_eq!(admin.post(&members(a), json!({"id": 99_999_999})).expect(400).json(), absent);
    admin.attach(&members(c), near);
    assert_eq!(names(&admin, &format!("{GROUPS}{a}/all_hosts/")), ["near"]);
    assert_eq!(names(&admin, &format!("{HOSTS}{near}/groups/")), ["c"]);
    assert_eq!(names(&admin, &format!("{HOSTS}{near}/all_groups/")), ["a", "b", "c"]);
    assert_eq!(names(&admin, &format!("{INVENTORIES}{own}/root_groups/")), ["a"]);
    group(&admin, "free", own);
    for id in [a, b, c] {
        assert_eq!(names(&admin, &format!("{GROUPS}{id}/potential_children/")), ["free"]);
    }
    // A new host gets the inventory of the group; one with that name is added to the group.
    let made = admin.post(&members(b), json!({"name": "made"})).expect(201).json();
    assert_eq!(made["inventory"], own);
    admin.post(&members(c), json!({"name": "made"})).expect(204);
    admin.post(&members(c), json!({"name": "made", "variables": "x: 1"})).expect(400);
    let shown = admin.get(&format!("{HOSTS}{}/", made["id"])).expect(200).json();
    assert_eq!(shown["summary_fields"]["groups"]["count"], 2);
    admin.post(&children(a), json!({"id": b, "disassociate": true})).expect(204);
    assert_eq!(names(&admin, &format!("{INVENTORIES}{own}/root_groups/")), ["a", "b", "free"]);
    // In the lists of the inventory, to disassociate is to delete.
    admin.post(&format!("{INVENTORIES}{own}/hosts/"), json!({"id": near, "disassociate": true})).expect(204);
    admin.get(&format!("{HOSTS}{near}/")).expect(404);
    admin.post(&format!("{INVENTORIES}{own}/hosts/"), json!({"id": far, "disassociate": true})).expect(400);
    admin.get(&format!("{HOSTS}{far}/")).expect(200);
    assert_eq!(names(&admin, &format!("{GROUPS}?parents__name=b")), ["c"]);
    assert_eq!(names(&admin, &format!("{HOSTS}?groups__name=c")), ["made"]);
}

fn variables_are_read_and_replaced_as_json(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let own = inventory(&admin, "own", server.organization("home"));
    let id = host(&admin, "h", own);
    let path = format!("{HOSTS}{id}/");
    let data = format!("{path}variable_data/");
    admin.patch(&path, json!({"variables": "---\na: 010\nb: {c: [yes, ~]}\n'5': x"})).expect(200);
    assert_eq!(admin.get(&data).expect(200).json(), json!({"a": 8, "b": {"c": [true, null]}, "5": "x"}));
    let sent = json!({"x": {"y": [1, null, true, 1.5, "é"]}});
    assert_eq!(admin.put(&data, &sent).expect(200).json(), sent);
    assert_eq!(admin.get(&path).expect(200).json()["variables"], "{\"x\": {\"y\": [1, null, true, 1.5, \"\\u00e9\"]}}");
    assert_eq!(admin.patch(&data, json!({"z": 1})).expect(200).json(), json!({"z": 1}));
    assert_eq!(admin.get(&data).expect(200).json(), json!({"z": 1}));
    let refused = admin.put(&data, json!([1])).expect(400).json();
    assert_eq!(refused, json!({"detail": "JSON parse error - not a JSON object"}));
    admin.put(&data, json!({"z": "\0"})).expect(400);
    assert_eq!(admin.patch(&path, json!({"variables": null})).expect(200).json()["variables"], "");
    assert_eq!(admin.get(&data).expect(200).json(), json!({}));
    assert_eq!(admin.get(&format!("{path}ansible_facts/")).expect(200).json(), json!({}));
    let entries = admin.results(&format!("/api/v2/activity_stream/?host={id}&operation=update"));
    assert_eq!(entries.len(), 4);
}

fn script_has_enabled_hosts(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let own = inventory(&admin, "own", server.organization("home"));
    admin.patch(&format!("{INVENTORIES}{own}/"), json!({"variables": "top: 1"})).expect(200);
    let web = group(&admin, "web", own);
    let [a, off] = ["a", "off"].map(|name| host(&admin, name, own));
    host(&admin, "loose", own);
    admin.patch(&format!("{HOSTS}{off}/"), json!({"enabled": false, "variables": "x: 1"})).expect(200);
    for member in [a, off] {
        admin.attach(&format!("{GROUPS}{web}/hosts/"), member);
    }
    let script = format!("{INVENTORIES}{own}/script/");
    let read = |query: &str| admin.get(&format!("{script}{query}")).expect(200).json();
    let expected = json!({
        "all": {"vars": {"top": 1}, "hosts": ["loose"], "children": ["web"]}, "web": {"hosts": ["a"]},
    });
    assert_eq!(read(""), expected);
    assert_eq!(read("?hostvars=1")["_meta"]["hostvars"], json!({"a": {}, "loose": {}}));
    let all = read("?hostvars=1&all=1&towervars=1");
    assert_eq!(all["web"]["hosts"], json!(["a", "off"]));
    assert_eq!(all["_meta"]["hostvars"]["off"]["remote_tower_enabled"], "false");
    assert_eq!(read("?host=off&all=1"), json!({"x": 1}));
    assert_eq!(read("?subset=slice2of2&hostvars=1")["_meta"]["hostvars"], json!({"loose": {}}));
    admin.get(&format!("{script}?host=off")).expect(404);
    admin.get(&format!("{script}?host=nosuch")).expect(404);
    for subset in ["slice3of2", "slice0of2", "x"] {
        admin.get(&format!("{script}?subset={subset}")).expect(400);
    }
    // The number of statements does not depend on the number of hosts.
    let few = admin.get(&format!("{script}?hostvars=1")).queries();
    add_hosts(&server, own, 20_000);
    let many = admin.get(&format!("{script}?hostvars=1")).expect(200);
    assert_eq!(many.queries(), few);
    let hostvars = many.json()["_meta"]["hostvars"].as_object().map(serde_json::Map::len);
    assert_eq!(hostvars, Some(20_002));
}

/// Adds hosts to an inventory, without activity entries.
fn add_hosts(server: &TestServer, inventory: i64, count: u32) {
    server.execute(&format!(
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {count})
         INSERT INTO hosts (created, modified, name, variables, inventory_id)
         SELECT inventories.created, inventories.created, 'host ' || numbers.number, 'x: 1', inventories.id
         FROM numbers, inventories WHERE inventories.id = {inventory}"
    ));
}

fn tree_nests_groups(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let own = inventory(&admin, "own", server.organization("home"));
    let [top, low, side] = ["top", "low", "side"].map(|name| group(&admin, name, own));
    for parent in [top, side] {
        admin.attach(&format!("{GROUPS}{parent}/children/"), low);
    }
    let tree = admin.get(&format!("{INVENTORIES}{own}/tree/")).expect(200).json();
    let shape = |node: &Value| (node["name"].clone(), node["children"][0]["name"].clone());
    let roots: Vec<_> = tree.as_array().expect("a list").iter().map(shape).collect();
    assert_eq!(roots, [(json!("side"), json!("low")), (json!("top"), json!("low"))]);
    assert!(tree[0]["summary_fields"]["user_capabilities"].is_null());
    // Each level doubles the number of nodes.
    let mut above = low;
    for level in 0..16 {
        let pair = [0, 1].map(|side| group(&admin, &format!("l{level}-{side}"), own));
        let next = group(&admin, &format!("l{level}"), own);
        for side in pair {
            admin.attach(&format!("{GROUPS}{above}/children/"), side);
            admin.attach(&format!("{GROUPS}{side}/children/"), next);
        }
        above = next;
    }
    let refused = admin.get(&format!("{INVENTORIES}{own}/tree/")).expect(400).json();
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("more than")), "{refused}");
}

fn copy_has_the_same_content(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let own = inventory(&admin, "own", home);
    admin.patch(&format!("{INVENTORIES}{own}/"), json!({"variables": "v: 1", "description": "d"})).expect(200);
    let [top, low] = ["top", "low"].map(|name| group(&admin, name, own));
    admin.attach(&format!("{GROUPS}{top}/children/"), low);
    let member = host(&admin, "h", own);
    admin.patch(&format!("{HOSTS}{member}/"), json!({"enabled": false, "variables": "x: 1"})).expect(200);
    admin.attach(&format!("{GROUPS}{low}/hosts/"), member);
    let pool = admin.create("/api/v2/instance_groups/", json!({"name": "pool"}));
    admin.attach(&format!("{INVENTORIES}{own}/instance_groups/"), pool);
    let path = format!("{INVENTORIES}{own}/copy/");
    assert_eq!(admin.get(&path).expect(200).json(), json!({"can_copy": true}));
    admin.post(&path, json!({"name": "own"})).expect(400);
    let copy = admin.post(&path, json!({"name": "copy"})).expect(201).json();
    assert_eq!(
        (&copy["description"], &copy["variables"], &copy["total_hosts"]),
        (&json!("d"), &json!("v: 1"), &json!(1))
    );
    let script = |id: &Value| admin.get(&format!("{INVENTORIES}{id}/script/?hostvars=1&all=1")).expect(200).json();
    assert_eq!(script(&copy["id"]), script(&own.into()));
    assert_eq!(names(&admin, &format!("{INVENTORIES}{}/instance_groups/", copy["id"])), ["pool"]);
    admin.delete(&format!("{INVENTORIES}{own}/")).expect(202);
    assert_eq!(names(&admin, HOSTS), ["h"]);
}

fn label_disappears_with_its_last_use(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let [one, two] = ["one", "two"].map(|name| inventory(&admin, name, home));
    let labels = |id: i64| format!("{INVENTORIES}{id}/labels/");
    let body = json!({"name": "urgent", "organization": home});
    let label = admin.create(&labels(one), body.clone());
    admin.post(&labels(one), &body).expect(204);
    admin.post(&labels(two), &body).expect(204);
    let shown = admin.get(&format!("{INVENTORIES}{two}/")).expect(200).json();
    assert_eq!(shown["summary_fields"]["labels"], json!({"count": 1, "results": [{"id": label, "name": "urgent"}]}));
    assert_eq!(names(&admin, &format!("{INVENTORIES}?labels__name=urgent")), ["one", "two"]);
    admin.post(&labels(one), json!({"id": label, "disassociate": true})).expect(204);
    admin.get(&format!("/api/v2/labels/{label}/")).expect(200);
    admin.delete(&format!("{INVENTORIES}{two}/")).expect(202);
    admin.get(&format!("/api/v2/labels/{label}/")).expect(404);
}

fn roles_of_inventory_open_its_hosts(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let own = inventory(&admin, "own", home);
    let id = host(&admin, "h", own);
    let roles = admin.get(&format!("{INVENTORIES}{own}/")).expect(200).json()["summary_fields"]["object_roles"].clone();
    let path = format!("{INVENTORIES}{own}/");
    let expected = [
        ("admin_role", [true, true, false, true], 200, 201),
        ("adhoc_role", [false, false, false, true], 403, 403),
        ("use_role", [false; 4], 403, 403),
        ("update_role", [false; 4], 403, 403),
        ("read_role", [false; 4], 403, 403),
    ];
    for (role, capabilities, change, create) in expected {
        let person = server.user(role);
        person.client.get(&path).expect(403);
        person.client.get(&format!("{HOSTS}{id}/")).expect(403);
        assert!(person.client.results(HOSTS).is_empty());
        admin.attach(&format!("/api/v2/users/{}/roles/", person.id), roles[role]["id"].as_i64().expect("a role"));
        let shown = person.client.get(&path).expect(200).json()["summary_fields"]["user_capabilities"].clone();
        let [edit, delete, copy, adhoc] = capabilities;
        assert_eq!(shown, json!({"edit": edit, "delete": delete, "copy": copy, "adhoc": adhoc}), "{role}");
        person.client.get(&format!("{HOSTS}{id}/")).expect(200);
        person.client.patch(&format!("{HOSTS}{id}/"), json!({"description": role})).expect(change);
        person.client.put(&format!("{HOSTS}{id}/variable_data/"), json!({"by": role})).expect(change);
        person.client.post(HOSTS, json!({"name": role, "inventory": own})).expect(create);
        let update = if matches!(role, "admin_role" | "update_role") { 400 } else { 403 };
        person.client.post(&format!("{path}update_inventory_sources/"), json!({})).expect(update);
        person.client.post(&format!("{path}copy/"), json!({"name": format!("by {role}")})).expect(403);
        person.client.post(INVENTORIES, json!({"name": role, "organization": home})).expect(403);
    }
    let boss = server.user("boss");
    server.add_admin(home, &boss);
    boss.client.post(&format!("{path}copy/"), json!({"name": "by boss"})).expect(201);
    assert_eq!(admin.results(&format!("/api/v2/organizations/{home}/inventories/")).len(), 2);
}

fn counts_can_be_filtered(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let [empty, full] = ["empty", "full"].map(|name| inventory(&admin, name, home));
    let id = host(&admin, "h", full);
    group(&admin, "g", full);
    assert_eq!(names(&admin, &format!("{INVENTORIES}?total_hosts__gt=0")), ["full"]);
    assert_eq!(names(&admin, &format!("{INVENTORIES}?total_groups=0")), ["empty"]);
    let ordered = admin.results(&format!("{INVENTORIES}?order_by=-total_hosts"));
    assert_eq!((&ordered[0]["id"], &ordered[1]["id"]), (&json!(full), &json!(empty)));
    assert!(names(&admin, &format!("{INVENTORIES}?has_active_failures=true")).is_empty());
    server.execute(&format!(
        "INSERT INTO unified_jobs (created, modified, type, name, status, inventory_id)
         SELECT created, created, 'job', 'j', 'failed', id FROM inventories WHERE id = {full}"
    ));
    server.execute(&format!(
        "INSERT INTO job_host_summaries (created, modified, job_id, host_id, host_name, failed)
         SELECT created, created, id, {id}, 'h', {} FROM unified_jobs",
        if backend == Backend::Sqlite { "1" } else { "TRUE" }
    ));
    server.execute(
        "UPDATE hosts SET last_job_host_summary_id = (SELECT id FROM job_host_summaries),
         last_job_id = (SELECT id FROM unified_jobs)",
    );
    assert_eq!(names(&admin, &format!("{INVENTORIES}?has_active_failures=true")), ["full"]);
    let shown = admin.get(&format!("{HOSTS}{id}/")).expect(200).json();
    assert_eq!(shown["has_active_failures"], true);
    assert_eq!(shown["summary_fields"]["last_job"]["status"], "failed");
    assert_eq!(shown["last_job"], shown["summary_fields"]["recent_jobs"][0]["id"]);
    assert_eq!(shown["summary_fields"]["recent_jobs"][0]["type"], "job");
    assert_eq!(shown["summary_fields"]["inventory"]["hosts_with_active_failures"], 1);
    assert_eq!(shown["summary_fields"]["inventory"]["total_hosts"], 1);
}

fn named_urls_lead_through_the_organization(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let own = inventory(&admin, "own", server.organization("home"));
    let id = host(&admin, "h", own);
    let shown = admin.get(&format!("{HOSTS}{id}/")).expect(200).json();
    assert_eq!(shown["related"]["named_url"], "/api/v2/hosts/h++own++home/");
    assert_eq!(admin.get("/api/v2/hosts/h++own++home/").expect(200).json()["id"], id);
    assert_eq!(admin.get("/api/v2/inventories/own++home/").expect(200).json()["id"], own);
    admin.get("/api/v2/hosts/h++own++other/").expect(404);
}
