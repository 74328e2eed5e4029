//! Deletion of inventories, hosts and groups.

use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::{GROUPS, HOSTS, INVENTORIES, add_hosts, group, host, inventory, names, start};

on_each_backend!(
    deleted_group_takes_what_is_only_in_it,
    objects_in_use_are_not_deleted,
    large_inventory_is_deleted_in_steps,
);

fn deleted_group_takes_what_is_only_in_it(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let own = inventory(&admin, "own", server.organization("home"));
    let [top, low, shared, side] = ["top", "low", "shared", "side"].map(|name| group(&admin, name, own));
    let [lost, kept, loose] = ["lost", "kept", "loose"].map(|name| host(&admin, name, own));
    for (parent, child) in [(top, low), (top, shared), (side, shared)] {
        admin.attach(&format!("{GROUPS}{parent}/children/"), child);
    }
    for (parent, member) in [(low, lost), (low, kept), (shared, kept)] {
        admin.attach(&format!("{GROUPS}{parent}/hosts/"), member);
    }
    admin.delete(&format!("{GROUPS}{top}/")).expect(204);
    assert_eq!(names(&admin, GROUPS), ["shared", "side"]);
    assert_eq!(names(&admin, HOSTS), ["kept", "loose"]);
    assert_eq!(names(&admin, &format!("{GROUPS}{shared}/hosts/")), ["kept"]);
    admin.get(&format!("{HOSTS}{lost}/")).expect(404);
    admin.get(&format!("{HOSTS}{loose}/")).expect(200);
    let deletions = admin.results("/api/v2/activity_stream/?operation=delete");
    let deleted: Vec<_> = deletions.iter().map(|entry| (&entry["object1"], &entry["changes"]["name"])).collect();
    assert_eq!(deleted, [(&json!("group"), &json!("top"))]);
}

fn objects_in_use_are_not_deleted(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let own = inventory(&admin, "own", home);
    let (id, members) = (host(&admin, "h", own), group(&admin, "g", own));
    server.execute(&format!(
        "INSERT INTO unified_jobs (created, modified, type, name, status, inventory_id, organization_id)
         SELECT created, created, 'job', 'j', 'running', id, organization_id FROM inventories WHERE id = {own}"
    ));
    let organization = format!("/api/v2/organizations/{home}/");
    for path in [format!("{INVENTORIES}{own}/"), format!("{HOSTS}{id}/"), format!("{GROUPS}{members}/"), organization] {
        let refused = admin.delete(&path).expect(409).json();
        assert_eq!(refused["error"], "Resource is being used by running jobs.");
        assert_eq!(refused["active_jobs"][0]["type"], "job");
    }
    server.execute("UPDATE unified_jobs SET status = 'successful'");
    admin.delete(&format!("{HOSTS}{id}/")).expect(204);
    admin.delete(&format!("{INVENTORIES}{own}/")).expect(202);
    admin.get(&format!("{INVENTORIES}{own}/")).expect(404);
}

fn large_inventory_is_deleted_in_steps(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let own = inventory(&admin, "own", home);
    add_hosts(&server, own, 15_000);
    let last = admin.get(&format!("{HOSTS}?order_by=-id&page_size=1")).expect(200).json()["results"][0]["id"].clone();
    admin.delete(&format!("{INVENTORIES}{own}/")).expect(202);
    admin.get(&format!("{INVENTORIES}{own}/")).expect(404);
    assert!(admin.results(HOSTS).is_empty());
    assert!(admin.get(&format!("{HOSTS}{last}/")).status >= 403);
    inventory(&admin, "own", home);
    for _ in 0..6000 {
        if admin.get(&format!("{HOSTS}{last}/")).status == 404 {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("the hosts were not deleted");
}
