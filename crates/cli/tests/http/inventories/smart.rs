//! Host filters and smart inventories.

use hostler_testkit::{Backend, Client, TestServer, TestUser, on_each_backend};
use serde_json::{Value, json};

use super::{GROUPS, HOSTS, INVENTORIES, group, host, inventory, names, start};

on_each_backend!(
    lists_are_filtered_by_host_filter,
    facts_are_found_in_documents,
    invalid_host_filters_are_refused,
    host_filter_shows_nothing_hidden,
    smart_inventory_has_the_hosts_of_others,
    hosts_with_the_same_name_count_once,
    filter_of_a_smart_inventory_is_validated,
    only_inventory_admins_of_the_organization_set_filters,
    readers_of_a_smart_inventory_see_its_hosts,
    smart_inventory_has_nothing_of_its_own,
    smart_inventories_are_copied_and_counted,
);

/// The parameter with this filter.
fn parameter(filter: &str) -> String {
    let escaped: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("host_filter={escaped}")
}

/// The list of hosts that match the filter.
fn filtered(filter: &str) -> String {
    format!("{HOSTS}?{}", parameter(filter))
}

fn smart(client: &Client, name: &str, organization: i64, filter: &str) -> i64 {
    let body = json!({"name": name, "organization": organization, "kind": "smart", "host_filter": filter});
    client.create(INVENTORIES, body)
}

/// Gives a user a role on an object.
fn grant(server: &TestServer, user: &TestUser, list: &str, object: i64, role: &str) {
    let admin = server.as_admin();
    let role = admin.results(&format!("/api/v2/{list}/{object}/object_roles/?role_field={role}"))[0]["id"].clone();
    admin.post(&format!("{}roles/", user.path()), json!({"id": role})).expect(204);
}

/// The hosts of an inventory.
fn hosts_of(client: &Client, inventory: i64) -> Vec<String> {
    names(client, &format!("{INVENTORIES}{inventory}/hosts/"))
}

/// An organization whose inventory has web1 and web2 in the group web, web1 also in eu, and db1, which is disabled. Returns
/// the organization, the inventory and the hosts.
fn sample(server: &TestServer) -> (i64, i64, [i64; 3]) {
    let admin = server.as_admin();
    let home = server.organization("home");
    let own = inventory(&admin, "own", home);
    let hosts @ [web1, web2, db1] = ["web1", "web2", "db1"].map(|name| host(&admin, name, own));
    let [web, eu] = ["web", "eu"].map(|name| group(&admin, name, own));
    for (group, host) in [(web, web1), (web, web2), (eu, web1)] {
        admin.attach(&format!("{GROUPS}{group}/hosts/"), host);
    }
    let changes = json!({"enabled": false, "description": "has two words"});
    admin.patch(&format!("{HOSTS}{db1}/"), changes).expect(200);
    (home, own, hosts)
}

fn lists_are_filtered_by_host_filter(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (_, own, [web1, ..]) = sample(&server);
    for (filter, expected) in [
        ("", &["db1", "web1", "web2"][..]),
        ("name__startswith=web", &["web1", "web2"]),
        ("name=web1 or name=db1", &["db1", "web1"]),
        ("name=db1 or name=web1 and enabled=false", &["db1"]),
        ("(name=db1 or name=web1) and enabled=true", &["web1"]),
        ("groups__name=eu", &["web1"]),
        // Each test has its own group.
        ("groups__name=eu and groups__name=web", &["web1"]),
        ("groups__name=eu and not_a_word=1", &[]),
        ("description__icontains=\"two words\"", &["db1"]),
        ("search=\"two words\"", &["db1"]),
        ("search=\"words two\"", &[]),
        ("groups__search=we", &["web1", "web2"]),
        ("\"name\"=\"web1\"", &["web1"]),
        ("name__in=web1,web2", &[]),
        ("inventory__kind=null", &[]),
        ("last_job__status=failed", &[]),
        ("inventory__organization__name=home and name__regex=^web[12]$", &["web1", "web2"]),
    ] {
        if filter.contains("not_a_word") {
            admin.get(&filtered(filter)).expect(400);
            continue;
        }
        assert_eq!(names(&admin, &filtered(filter)), expected, "{filter}");
    }
    assert_eq!(names(&admin, &filtered(&format!("id={web1}"))), ["web1"]);
    assert_eq!(names(&admin, &format!("{}&name=web2", filtered("groups__name=web"))), ["web2"]);
    let below = format!("{INVENTORIES}{own}/hosts/?{}", parameter("groups__name=eu"));
    assert_eq!(names(&admin, &below), ["web1"]);
    let page = admin.get(&format!("{}&page_size=1", filtered("groups__name=web"))).expect(200).json();
    assert_eq!(page["count"], 2);
    assert!(page["next"].as_str().is_some_and(|next| next.contains("host_filter=groups__name%3Dweb")), "{page}");
}

fn facts_are_found_in_documents(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, _, [web1, web2, _]) = sample(&server);
    let facts = [
        (
            web1,
            json!({"color": "blue", "size": 7, "flag": true, "none": null, "disks": [{"name": "sda"}, {"name": "sdb"}],
                      "where": {"city": "Bern", "tags": ["x", "y"]}, "nested": [["a"]], "nul": "it's"}),
        ),
        (web2, json!({"color": "red", "size": 7.5, "flag": false, "where": "Bern", "disks": [1, "sda"]})),
    ];
    for (id, facts) in facts {
        let text = facts.to_string().replace('\'', "''");
        server.execute(&format!("UPDATE hosts SET ansible_facts = '{text}' WHERE id = {id}"));
    }
    for (filter, expected) in [
        ("ansible_facts__color=blue", &["web1"][..]),
        ("ansible_facts__size=7", &["web1"]),
        ("ansible_facts__size=\"7\"", &[]),
        ("ansible_facts__size=7.5", &["web2"]),
        ("ansible_facts__flag=true", &["web1"]),
        ("ansible_facts__flag=\"true\"", &[]),
        ("ansible_facts__none=null", &["web1"]),
        ("ansible_facts__where__city=Bern", &["web1"]),
        ("ansible_facts__where=Bern", &["web2"]),
        ("ansible_facts__where__tags[]=x", &["web1"]),
        ("ansible_facts__where__tags=x", &[]),
        ("ansible_facts__disks[]__name=sda", &["web1"]),
        ("ansible_facts__disks[]=sda", &["web2"]),
        ("ansible_facts__nul=\"it's\"", &["web1"]),
        ("ansible_facts__color__contains=bl", &[]),
        ("ansible_facts__color=blue or ansible_facts__color=red", &["web1", "web2"]),
    ] {
        assert_eq!(names(&admin, &filtered(filter)), expected, "{filter}");
    }
    let blue = smart(&admin, "blue", home, "ansible_facts__color=blue and ansible_facts__where__tags[]=y");
    assert_eq!(hosts_of(&admin, blue), ["web1"]);
}

fn invalid_host_filters_are_refused(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    sample(&server);
    let refused = |filter: &str| admin.get(&filtered(filter)).expect(400).json()["error"].clone();
    for filter in ["web1", "name==web1", "name=a name=b", "(name=a", "ansible_facts=1", "id__in=12"] {
        assert_eq!(refused(filter), format!("Invalid query {filter}"));
    }
    assert_eq!(refused("created_by__password__startswith=p"), "Filtering on password is not allowed.");
    assert_eq!(refused("nosuch=1"), "Host has no field named 'nosuch'");
    assert_eq!(refused("not__name=a"), "Host has no field named 'not'");
    assert_eq!(refused("host_filter=a"), "Host has no field named 'host_filter'");
    assert!(refused("name__regex=[").as_str().is_some_and(|error| !error.is_empty()));
    for filter in ["(".repeat(5000), vec!["name=a"; 200].join(" or "), "x".repeat(9000)] {
        assert!(refused(&filter).as_str().is_some_and(|error| error.contains("at most")), "{}", &filter[..20]);
    }
    // Relations without end.
    let endless = format!("{}name=a", "groups__hosts__".repeat(30));
    assert!(refused(&endless).as_str().is_some_and(|error| error.contains("too many relations")));
}

fn host_filter_shows_nothing_hidden(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, own, _) = sample(&server);
    let (reader, maker) = (server.user("reader"), server.user("maker"));
    grant(&server, &maker, "organizations", home, "inventory_admin_role");
    host(&maker.client, "web3", own);
    assert!(names(&reader.client, &filtered("name__startswith=web")).is_empty());
    grant(&server, &reader, "inventories", own, "read_role");
    assert_eq!(names(&reader.client, &filtered("name__startswith=web")), ["web1", "web2", "web3"]);
    // The reader sees neither the organization nor the creator of the host.
    assert!(names(&reader.client, &filtered("inventory__organization__name=home")).is_empty());
    assert!(names(&reader.client, &filtered("created_by__username=maker")).is_empty());
    assert_eq!(names(&admin, &filtered("created_by__username=maker")), ["web3"]);
}

fn smart_inventory_has_the_hosts_of_others(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, own, [web1, web2, _]) = sample(&server);
    let away = server.organization("away");
    host(&admin, "web9", inventory(&admin, "other", away));
    let id = smart(&admin, "s", home, "name__startswith=web or name=db1");
    let path = format!("{INVENTORIES}{id}/");
    let shown = || admin.get(&path).expect(200).json();
    assert_eq!(hosts_of(&admin, id), ["db1", "web1", "web2"]);
    assert_eq!((&shown()["total_hosts"], &shown()["total_groups"]), (&json!(3), &json!(0)));
    let listed = admin.results(&format!("{path}hosts/?order_by=name"));
    assert_eq!(listed[1]["inventory"], own);
    assert_eq!(listed[1]["summary_fields"]["inventory"]["name"], "own");
    let script = |query: &str| admin.get(&format!("{path}script/{query}")).expect(200).json();
    assert_eq!(
        script("?hostvars=1"),
        json!({
            "all": {"hosts": ["web1", "web2"]}, "_meta": {"hostvars": {"web1": {}, "web2": {}}},
        })
    );
    assert_eq!(script("?all=1"), json!({"all": {"hosts": ["db1", "web1", "web2"]}}));
    assert_eq!(script("?host=web1"), json!({}));
    admin.get(&format!("{path}script/?host=web9")).expect(404);
    // Its filter is applied to the present hosts.
    admin.patch(&format!("{HOSTS}{web1}/"), json!({"name": "app1"})).expect(200);
    host(&admin, "web3", own);
    assert_eq!(hosts_of(&admin, id), ["db1", "web2", "web3"]);
    admin.patch(&path, json!({"host_filter": "groups__name=eu"})).expect(200);
    assert_eq!(hosts_of(&admin, id), ["app1"]);
    assert_eq!(shown()["total_hosts"], 1);
    let smart_of = |host: i64| names(&admin, &format!("{HOSTS}{host}/smart_inventories/"));
    assert_eq!(smart_of(web1), ["s"]);
    assert!(smart_of(web2).is_empty());
    admin.delete(&format!("{INVENTORIES}{own}/")).expect(202);
    assert!(hosts_of(&admin, id).is_empty());
    admin.delete(&path).expect(202);
    admin.get(&path).expect(404);
}

fn hosts_with_the_same_name_count_once(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let [first, second] = ["first", "second"].map(|name| inventory(&admin, name, home));
    let [older, newer] = [first, second].map(|inventory| {
        let id = host(&admin, "w1", inventory);
        admin.patch(&format!("{HOSTS}{id}/"), json!({"variables": format!("from: {inventory}")})).expect(200);
        id
    });
    host(&admin, "w2", second);
    let both = smart(&admin, "both", home, "name__startswith=w");
    let one = smart(&admin, "one", home, "name=w1 and inventory__name=second");
    let ids = |inventory: i64, query: &str| {
        let results = admin.results(&format!("{INVENTORIES}{inventory}/hosts/?name=w1{query}"));
        results.iter().map(|host| host["id"].as_i64().expect("an id")).collect::<Vec<_>>()
    };
    assert_eq!(ids(both, ""), [older]);
    // A filter of the list does not bring back the other one.
    assert!(ids(both, &format!("&inventory={second}")).is_empty());
    assert_eq!(ids(one, ""), [newer]);
    let total =
        |inventory: i64| admin.get(&format!("{INVENTORIES}{inventory}/")).expect(200).json()["total_hosts"].clone();
    assert_eq!((total(both), total(one)), (json!(2), json!(1)));
    let page = admin.get(&format!("{INVENTORIES}{both}/hosts/?page_size=1")).expect(200).json();
    assert_eq!(page["count"], 2);
    let script = admin.get(&format!("{INVENTORIES}{both}/script/?hostvars=1")).expect(200).json();
    assert_eq!(script["_meta"]["hostvars"]["w1"], json!({"from": first}));
    assert_eq!(names(&admin, &format!("{HOSTS}{older}/smart_inventories/")), ["both"]);
    assert_eq!(names(&admin, &format!("{HOSTS}{newer}/smart_inventories/")), ["one"]);
}

fn filter_of_a_smart_inventory_is_validated(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, own, _) = sample(&server);
    let id = smart(&admin, "s", home, "name=web1");
    let refused = |filter: Value| {
        let of_change = admin.patch(&format!("{INVENTORIES}{id}/"), json!({"host_filter": filter})).expect(400).json();
        let body = json!({"name": "new", "organization": home, "kind": "smart", "host_filter": filter});
        assert_eq!(admin.post(INVENTORIES, body).expect(400).json(), of_change);
        of_change
    };
    for filter in [json!(""), json!(null)] {
        assert_eq!(refused(filter), json!({"host_filter": ["Smart inventories must specify host_filter"]}));
    }
    assert_eq!(refused(json!("name==x")), json!({"host_filter": ["Invalid query name==x"]}));
    assert_eq!(refused(json!("nosuch=1")), json!({"host_filter": ["Host has no field named 'nosuch'"]}));
    assert_eq!(
        refused(json!("name=a and ansible_facts__a__contains=x")),
        json!({"host_filter": {"host_filter": ["ansible_facts does not support searching with __contains"]}})
    );
    for filter in [
        "created_by__username=admin",
        "created_by__email__startswith=a",
        "last_job__extra_vars__contains=x",
        "last_job__project__scm_url__contains=x",
        "inventory__jobtemplates__name=x",
        "inventory__organization__admin_role__members__username=x",
        "inventory__labels__organization__name=x",
        "inventory__admin_role__members__username=x",
    ] {
        let message = refused(json!(filter))["host_filter"][0].as_str().unwrap_or_default().to_owned();
        let reasons = ["The filter of a smart inventory", "Filtering on"];
        assert!(reasons.iter().any(|reason| message.starts_with(reason)), "{filter}: {message}");
    }
    for filter in [
        "inventory__organization__name=home",
        "groups__parents__name=a",
        "inventory__groups__name=web",
        "last_job__status=failed or last_job_host_summary__failed=true",
        "inventory__labels__name=prod",
    ] {
        admin.patch(&format!("{INVENTORIES}{id}/"), json!({"host_filter": filter})).expect(200);
        hosts_of(&admin, id);
    }
    // An ordinary inventory keeps a filter without using it.
    let kept = admin.patch(&format!("{INVENTORIES}{own}/"), json!({"host_filter": "name=web1"})).expect(200).json();
    assert_eq!((&kept["host_filter"], &kept["total_hosts"]), (&json!("name=web1"), &json!(3)));
}

fn only_inventory_admins_of_the_organization_set_filters(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, ..) = sample(&server);
    let id = smart(&admin, "s", home, "name=web1");
    let path = format!("{INVENTORIES}{id}/");
    let own = server.user("own");
    grant(&server, &own, "inventories", id, "admin_role");
    let of_organization = server.user("of-organization");
    grant(&server, &of_organization, "organizations", home, "inventory_admin_role");
    own.client.patch(&path, json!({"description": "x", "host_filter": "name=web1"})).expect(200);
    own.client.patch(&path, json!({"host_filter": "name__contains=e"})).expect(403);
    assert_eq!(hosts_of(&admin, id), ["web1"]);
    of_organization.client.patch(&path, json!({"host_filter": "name=web2"})).expect(200);
    assert_eq!(hosts_of(&admin, id), ["web2"]);
    let body = json!({"name": "t", "organization": home, "kind": "smart", "host_filter": "name=web1"});
    own.client.post(INVENTORIES, body.clone()).expect(403);
    of_organization.client.post(INVENTORIES, body).expect(201);
}

fn readers_of_a_smart_inventory_see_its_hosts(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, own, [web1, ..]) = sample(&server);
    let id = smart(&admin, "s", home, "name=web1");
    let reader = server.user("reader");
    let list = format!("{INVENTORIES}{id}/hosts/");
    reader.client.get(&list).expect(403);
    grant(&server, &reader, "inventories", id, "read_role");
    let shown = reader.client.results(&list);
    assert_eq!(shown[0]["name"], "web1");
    assert!(shown[0]["summary_fields"]["inventory"].is_null(), "{}", shown[0]);
    assert_eq!(shown[0]["summary_fields"]["user_capabilities"], json!({"edit": false, "delete": false}));
    assert_eq!(reader.client.get(&format!("{INVENTORIES}{id}/")).expect(200).json()["total_hosts"], 1);
    // As in AWX, the host itself follows its own inventory.
    reader.client.get(&format!("{HOSTS}{web1}/")).expect(403);
    assert!(reader.client.results(HOSTS).is_empty());
    // Those who see the host see only those of its smart inventories that they may see.
    let other = server.user("other");
    grant(&server, &other, "inventories", own, "read_role");
    assert!(other.client.results(&format!("{HOSTS}{web1}/smart_inventories/")).is_empty());
    other.client.get(&list).expect(403);
}

fn smart_inventory_has_nothing_of_its_own(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, own, [web1, _, db1]) = sample(&server);
    let id = smart(&admin, "s", home, "name=web1");
    let path = format!("{INVENTORIES}{id}/");
    admin.post(HOSTS, json!({"name": "x", "inventory": id})).expect(400);
    admin.post(GROUPS, json!({"name": "x", "inventory": id})).expect(400);
    let refused = admin.post(&format!("{path}hosts/"), json!({"name": "x"})).expect(400).json();
    assert_eq!(refused, json!({"inventory": {"detail": "Cannot create Host for Smart or Constructed Inventories"}}));
    admin.post(&format!("{path}hosts/"), json!({"id": db1})).expect(400);
    // A host of another inventory is not deleted by leaving the smart one.
    admin.post(&format!("{path}hosts/"), json!({"id": web1, "disassociate": true})).expect(400);
    assert_eq!(hosts_of(&admin, id), ["web1"]);
    assert!(admin.results(&format!("{path}groups/")).is_empty());
    assert_eq!(admin.get(&format!("{path}tree/")).expect(200).json(), json!([]));
    let body = json!({"kind": "smart", "host_filter": "name=x"});
    admin.patch(&format!("{INVENTORIES}{own}/"), body).expect(405);
    admin.patch(&path, json!({"kind": "constructed"})).expect(405);
    let turned = admin.patch(&path, json!({"kind": ""})).expect(200).json();
    assert_eq!((&turned["host_filter"], &turned["total_hosts"]), (&json!("name=web1"), &json!(0)));
    assert!(hosts_of(&admin, id).is_empty());
    host(&admin, "x", id);
    assert_eq!(hosts_of(&admin, id), ["x"]);
}

fn smart_inventories_are_copied_and_counted(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, ..) = sample(&server);
    let id = smart(&admin, "s", home, "name__startswith=web");
    let copy = admin.post(&format!("{INVENTORIES}{id}/copy/"), json!({"name": "t"})).expect(201).json();
    for (key, value) in
        [("kind", json!("smart")), ("host_filter", json!("name__startswith=web")), ("total_hosts", json!(2))]
    {
        assert_eq!(copy[key], value, "{copy}");
    }
    for number in 0..30 {
        smart(&admin, &format!("n{number}"), home, &format!("name=web1 or description=\"{}\"", "x".repeat(1000)));
    }
    let listed = admin.get(&format!("{INVENTORIES}?kind=smart&page_size=200")).expect(200);
    let totals: Vec<i64> = listed.json()["results"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|shown| shown["total_hosts"].as_i64())
        .collect();
    assert_eq!((totals.len(), totals.iter().sum::<i64>()), (32, 34));
    assert!(listed.queries() <= 12, "{}", listed.queries());
    let entries = admin.results("/api/v2/activity_stream/?object1=inventory&operation=create&changes__icontains=n29");
    assert_eq!(entries[0]["changes"]["kind"], "smart");
}
