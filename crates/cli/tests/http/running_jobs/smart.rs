//! Jobs on smart inventories.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use super::Jobs;

on_each_backend!(job_on_a_smart_inventory_keeps_its_hosts);

/// Reports the hosts of the inventory, and waits.
const SCRIPT: &str = "
inventory = json.load(open(workspace + 'inventory.json'))
report('ready', sorted(inventory['all']['hosts']))
event('runner_on_ok', 'ok: [one]\\n', host='one')
wait_for('go')
for host in ('one', 'two'): event('runner_on_ok', f'ok: [{host}]\\n', host=host)
counts = {'one': 1, 'two': 1}
event('playbook_on_stats', 'done\\n', ok=counts, processed=counts, failures={'two': 1})
";

fn job_on_a_smart_inventory_keeps_its_hosts(backend: Backend) {
    let mut jobs = Jobs::start(backend, SCRIPT);
    let admin = jobs.server.as_admin();
    let template = jobs.shown_template();
    let (organization, own) = (&template["organization"], &template["inventory"]);
    let later = admin.create("/api/v2/inventories/", json!({"name": "later", "organization": organization}));
    let host =
        |name: &str, inventory: &Value| admin.create("/api/v2/hosts/", json!({"name": name, "inventory": inventory}));
    let (one, two) = (host("one", own), host("two", own));
    // The older host with this name counts.
    let same = host("two", &json!(later));
    let smart = json!({
        "name": "smart", "organization": organization, "kind": "smart", "host_filter": "name=one or name=two",
    });
    let smart = admin.create("/api/v2/inventories/", smart);
    admin.patch(&jobs.template_path(), json!({"inventory": smart})).expect(200);
    let job = jobs.launch();
    assert_eq!(jobs.reported(job, "ready"), "['one', 'two']");
    // Neither another filter nor another server changes the hosts of the job.
    admin.patch(&format!("/api/v2/inventories/{smart}/"), json!({"host_filter": "name=none"})).expect(200);
    jobs.wait_for_events(job, 1);
    jobs.server.kill9();
    jobs.server.restart();
    jobs.go(job);
    assert_eq!(jobs.ended(job)["status"], "successful");
    let admin = jobs.server.as_admin();
    let summaries = admin.results(&format!("/api/v2/jobs/{job}/job_host_summaries/?order_by=host_name"));
    let ids: Vec<&Value> = summaries.iter().map(|summary| &summary["host"]).collect();
    assert_eq!(ids, [&json!(one), &json!(two)]);
    let events = admin.results(&format!("/api/v2/hosts/{one}/job_events/"));
    assert_eq!(events.len(), 2, "{events:?}");
    let shown = |id: i64| admin.get(&format!("/api/v2/hosts/{id}/")).expect(200).json();
    assert_eq!((&shown(two)["last_job"], &shown(two)["has_active_failures"]), (&json!(job), &json!(true)));
    assert_eq!(shown(same)["last_job"], json!(null));
    // The counts of both inventories.
    admin
        .patch(&format!("/api/v2/inventories/{smart}/"), json!({"host_filter": "last_job__status=successful"}))
        .expect(200);
    let counted = |id: &Value| {
        let shown = admin.get(&format!("/api/v2/inventories/{id}/")).expect(200).json();
        (
            shown["total_hosts"].clone(),
            shown["hosts_with_active_failures"].clone(),
            shown["has_active_failures"].clone(),
        )
    };
    let expected = (json!(2), json!(1), json!(true));
    assert_eq!((counted(&json!(smart)), counted(own)), (expected.clone(), expected));
    let summary = &jobs.shown_template()["summary_fields"]["inventory"];
    assert_eq!((&summary["total_hosts"], &summary["hosts_with_active_failures"]), (&json!(2), &json!(1)));
    jobs.nothing_is_left();
}
