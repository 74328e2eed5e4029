//! Updates of constructed inventories and jobs on them, with real Ansible.

use hostler_testkit::skip::skip;
use hostler_testkit::{Backend, has_ansible, on_each_backend};
use serde_json::{Value, json};

use super::{Constructed, HOSTS, INVENTORIES};

on_each_backend!(
    update_constructs_hosts,
    failed_update_says_why,
    inputs_are_updated_before_the_job,
    job_belongs_to_the_original_hosts,
);

fn without_ansible() -> bool {
    if !has_ansible() {
        skip("there is no Ansible, in PATH or HOSTLER_TEST_ANSIBLE");
    }
    !has_ansible()
}

fn update_constructs_hosts(backend: Backend) {
    if without_ansible() {
        return;
    }
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    let group = json!({"name": "front", "inventory": made.inputs[0], "variables": "color: blue"});
    let group = admin.create("/api/v2/groups/", group);
    let w1 = made.host(made.inputs[0], "w1");
    admin.attach(&format!("/api/v2/groups/{group}/hosts/"), w1["id"].as_i64().expect("an id"));
    let off = admin.create(HOSTS, json!({"name": "off1", "inventory": made.inputs[0], "enabled": false}));
    made.update_successfully();
    assert_eq!(made.names("hosts/"), ["w1", "w2", "w3"]);
    assert_eq!(made.names("groups/"), ["front", "odd"]);
    // Of hosts with the same name, the last input's counts.
    for (name, input) in [("w1", 0), ("w2", 1), ("w3", 1)] {
        let (copy, original) = (made.host(made.constructed, name), made.host(made.inputs[input], name));
        assert_eq!(copy["instance_id"], original["id"].to_string(), "{name}");
        assert_eq!(copy["related"]["original_host"], original["url"], "{name}");
        let origin = if input == 0 { "first" } else { "second" };
        let variables: Value = serde_json::from_str(copy["variables"].as_str().expect("a text")).expect("JSON");
        let expected = json!({"ansible_connection": "local", "origin": origin, "tag": format!("{name}!")});
        assert_eq!(variables, expected);
    }
    assert!(w1["related"].get("original_host").is_none());
    let script = admin.get(&made.below("script/?hostvars=1")).expect(200).json();
    assert_eq!((&script["odd"]["hosts"], &script["front"]["vars"]), (&json!(["w1", "w3"]), &json!({"color": "blue"})));
    let copy = made.host(made.constructed, "w1");
    let path = copy["url"].as_str().expect("a path");
    let answer = admin.patch(path, json!({"instance_id": off.to_string()})).expect(400).json();
    assert!(answer.get("instance_id").is_some(), "{answer}");
    // An update without changes writes nothing, and keeps the hosts.
    let version = admin.get(path).header("etag");
    made.update_successfully();
    assert_eq!(admin.get(path).header("etag"), version);
    // A limit selects; what has gone is removed.
    admin.patch(&made.path(), json!({"limit": "odd"})).expect(200);
    admin.delete(w1["url"].as_str().expect("a path")).expect(204);
    admin.get(&format!("{path}ansible_facts/")).expect(404);
    made.update_successfully();
    assert_eq!(made.names("hosts/"), ["w3"]);
    // Groups stay without their hosts.
    assert_eq!(made.names("groups/"), ["front", "odd"]);
    let shown = made.shown();
    assert_eq!((&shown["total_hosts"], &shown["total_inventory_sources"]), (&json!(1), &json!(0)));
    // A smart inventory as input has the hosts of others.
    let body = json!({"name": "s", "organization": made.organization, "kind": "smart", "host_filter": "name=w2"});
    let smart = admin.create(INVENTORIES, body);
    for input in made.inputs {
        admin.post(&made.below("input_inventories/"), json!({"id": input, "disassociate": true})).expect(204);
    }
    admin.attach(&made.below("input_inventories/"), smart);
    admin.patch(&made.path(), json!({"limit": ""})).expect(200);
    made.update_successfully();
    let oldest = made.host(made.inputs[0], "w2");
    assert_eq!(made.names("hosts/"), ["w2"]);
    assert_eq!(made.host(made.constructed, "w2")["related"]["original_host"], oldest["url"]);
}

fn failed_update_says_why(backend: Backend) {
    if without_ansible() {
        return;
    }
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    made.update_successfully();
    let hosts = made.names("hosts/");
    for (settings, reason) in [
        (json!({"limit": "nope"}), "No host matches the limit \"nope\"."),
        (json!({"limit": "@/etc/passwd"}), "The limit must not name a file."),
        (json!({"limit": "", "source_vars": "a: ["}), "The variables of the source cannot be used"),
        (json!({"source_vars": "strict: true\ncompose: {x: nothing.there}"}), "The plugin could not read the source"),
    ] {
        admin.patch(&made.path(), settings.clone()).expect(200);
        let update = made.update();
        let explanation = update["job_explanation"].as_str().expect("a text");
        let output = made.output(&update);
        assert_eq!(update["status"], "failed", "{settings} {update} {output}");
        assert!(explanation.contains(reason), "{settings}: {explanation} {output}");
        assert_eq!(made.names("hosts/"), hosts);
    }
}

fn inputs_are_updated_before_the_job(backend: Backend) {
    if without_ansible() {
        return;
    }
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    // A source that always fails, so that the order is seen.
    let project = json!({"name": "gone", "organization": made.organization, "scm_type": "git",
                         "scm_url": "file:///nonexistent/repository"});
    let project = admin.create("/api/v2/projects/", project);
    let source = json!({"name": "s", "inventory": made.inputs[0], "source": "scm", "source_project": project,
                        "update_on_launch": true});
    let source = admin.create("/api/v2/inventory_sources/", source);
    let update = made.update();
    assert_eq!(update["status"], "failed", "{update}");
    assert!(update["job_explanation"].as_str().expect("a text").starts_with("Previous Task Failed"), "{update}");
    let of_input = || admin.results(&format!("/api/v2/inventory_updates/?inventory_source={source}")).len();
    assert_eq!(of_input(), 1);
    admin.delete(&format!("/api/v2/inventory_sources/{source}/")).expect(204);
    let template = made.template("- hosts: all\n  gather_facts: false\n");
    let updates = || admin.results(&format!("/api/v2/inventory_updates/?inventory={}", made.constructed)).len();
    assert_eq!(made.launch(template)["status"], "successful");
    assert_eq!((updates(), made.names("hosts/").len()), (2, 3));
    // A fresh update is not repeated.
    admin.patch(&made.path(), json!({"update_cache_timeout": 3600})).expect(200);
    assert_eq!(made.launch(template)["status"], "successful");
    assert_eq!(updates(), 2);
}

fn job_belongs_to_the_original_hosts(backend: Backend) {
    if without_ansible() {
        return;
    }
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    let playbook = "
- hosts: odd
  gather_facts: false
  tasks:
    - set_fact: {color: 'blue {{ tag }}', cacheable: true}
    - fail: {msg: on purpose}
      when: inventory_hostname == 'w3'
";
    let template = made.template(playbook);
    let job = made.launch(template);
    assert_eq!(job["status"], "failed", "{}", made.output(&job));
    let (copy, original) = (made.host(made.constructed, "w3"), made.host(made.inputs[1], "w3"));
    let summaries =
        admin.results(&format!("{}job_host_summaries/?order_by=host_name", job["url"].as_str().expect("a path")));
    let links: Vec<(&Value, &Value)> =
        summaries.iter().map(|summary| (&summary["host"], &summary["constructed_host"])).collect();
    assert_eq!((links.len(), links[1]), (2, (&original["id"], &copy["id"])));
    for host in [&copy, &original] {
        let path = host["url"].as_str().expect("a path");
        assert_eq!(admin.results(&format!("{path}job_host_summaries/"))[0]["id"], summaries[1]["id"]);
        let events = admin.results(&format!("{path}job_events/?event=runner_on_failed"));
        assert_eq!((events.len(), &events[0]["host"]), (1, &original["id"]));
        let facts = admin.get(&format!("{path}ansible_facts/")).expect(200).json();
        assert_eq!(facts, json!({"color": "blue w3!"}));
        let recent = &admin.get(path).expect(200).json()["summary_fields"]["recent_jobs"];
        assert_eq!(recent[0]["id"], job["id"], "{path}");
    }
    let shown = |host: &Value| admin.get(host["url"].as_str().expect("a path")).expect(200).json();
    assert_eq!((&shown(&original)["last_job"], &shown(&copy)["last_job"]), (&job["id"], &json!(null)));
    // The plugin sees the stored facts of the originals, and so does the next job.
    admin.patch(&made.path(), json!({"source_vars": "groups:\n  blue: color is defined"})).expect(200);
    made.update_successfully();
    let script = admin.get(&made.below("script/")).expect(200).json();
    assert_eq!(script["blue"]["hosts"], json!(["w1", "w3"]));
}
