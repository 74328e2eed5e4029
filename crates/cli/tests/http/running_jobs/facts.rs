//! Facts that jobs keep for later jobs. A script writes the files of Ansible's cache plugin.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::running_jobs::Jobs;

on_each_backend!(
    facts_reach_the_next_job,
    jobs_at_once_keep_the_facts_of_each_other,
    jobs_without_fact_cache_neither_get_nor_keep_facts,
    old_facts_are_not_given,
    facts_of_a_server_that_was_killed_are_kept,
    links_of_a_job_are_not_followed,
);

/// `facts` reads those of a host, `keep` replaces the file as the plugin does, `limit` has the hosts of the job.
const PRELUDE: &str = "
cache = os.environ.get('ANSIBLE_CACHE_PLUGIN_CONNECTION', '/nonexistent')
def facts(host):
    try:
        return json.load(open(f'{cache}/{host}'))
    except FileNotFoundError:
        return None
def keep(host, **values):
    with open(f'{cache}/.{host}', 'w') as file:
        json.dump(values, file)
    os.rename(f'{cache}/.{host}', f'{cache}/{host}')
limit = [argument for argument in sys.argv if argument.startswith('--limit=')]
limit = limit[0].split('=')[1] if limit else ''
event('verbose', json.dumps([facts('one'), facts('two')]) + '\\n')
";

struct Facts {
    jobs: Jobs,
    hosts: [i64; 2],
}

impl Facts {
    fn start(backend: Backend, script: &str) -> Self {
        let jobs = Jobs::start(backend, &format!("{PRELUDE}{script}"));
        let admin = jobs.server.as_admin();
        let inventory = jobs.shown_template()["inventory"].clone();
        let host = |name: &str| admin.create("/api/v2/hosts/", json!({"name": name, "inventory": inventory}));
        let hosts = ["one", "two"].map(host);
        admin.patch(&jobs.template_path(), json!({"use_fact_cache": true, "ask_limit_on_launch": true})).expect(200);
        Facts { jobs, hosts }
    }

    fn launch(&self, limit: &str) -> i64 {
        let path = format!("{}launch/", self.jobs.template_path());
        let job = self.jobs.server.as_admin().post(&path, json!({"limit": limit})).expect(201).json();
        job["id"].as_i64().expect("an id")
    }

    /// Runs a job to its end, and returns the facts that it got of both hosts.
    fn run(&self, limit: &str) -> Value {
        let id = self.launch(limit);
        let job = self.jobs.ended(id);
        assert_eq!(job["status"], "successful", "{job}");
        serde_json::from_slice(&self.jobs.output(id)).expect("JSON")
    }

    /// The stored facts of both hosts.
    fn stored(&self) -> Value {
        let facts =
            |id| self.jobs.server.as_admin().get(&format!("/api/v2/hosts/{id}/ansible_facts/")).expect(200).json();
        json!(self.hosts.map(facts))
    }

    /// When the facts of a host were changed.
    fn modified(&self, host: usize) -> Value {
        let path = format!("/api/v2/hosts/{}/", self.hosts[host]);
        self.jobs.server.as_admin().get(&path).expect(200).json()["ansible_facts_modified"].clone()
    }
}

fn facts_reach_the_next_job(backend: Backend) {
    let script = "
if limit == 'one': keep('one', color='blue', size=7)
if limit == 'two': keep('one', size=8), keep('two', color='red')
if limit == 'all': os.remove(f'{cache}/one')
";
    let facts = Facts::start(backend, script);
    assert_eq!(facts.run("one"), json!([null, null]));
    assert_eq!(facts.stored(), json!([{"color": "blue", "size": 7}, {}]));
    assert!(facts.modified(0).is_string() && facts.modified(1).is_null());
    let before = facts.modified(0);
    // Nothing changes.
    assert_eq!(facts.run("none"), json!([{"color": "blue", "size": 7}, null]));
    assert_eq!(facts.modified(0), before);
    assert_eq!(facts.run("two"), json!([{"color": "blue", "size": 7}, null]));
    assert_eq!(facts.stored(), json!([{"size": 8}, {"color": "red"}]));
    // As by `meta: clear_facts`.
    assert_eq!(facts.run("all"), json!([{"size": 8}, {"color": "red"}]));
    assert_eq!(facts.stored(), json!([{}, {"color": "red"}]));
}

fn jobs_at_once_keep_the_facts_of_each_other(backend: Backend) {
    let script = "
report('ready')
wait_for('go')
if limit == 'one': keep('one', a=1)
else: keep('one', b=2), keep('two', c=3)
";
    let facts = Facts::start(backend, script);
    let ids = [facts.launch("one"), facts.launch("two")];
    for id in ids {
        facts.jobs.reported(id, "ready");
    }
    for id in ids {
        facts.jobs.go(id);
        facts.jobs.ended(id);
    }
    assert_eq!(facts.stored(), json!([{"a": 1, "b": 2}, {"c": 3}]));
}

fn jobs_without_fact_cache_neither_get_nor_keep_facts(backend: Backend) {
    let facts = Facts::start(backend, "if cache != '/nonexistent': keep('one', a=1)");
    facts.run("one");
    facts.jobs.server.as_admin().patch(&facts.jobs.template_path(), json!({"use_fact_cache": false})).expect(200);
    assert_eq!(facts.run("one"), json!([null, null]));
    assert_eq!(facts.stored(), json!([{"a": 1}, {}]));
}

fn old_facts_are_not_given(backend: Backend) {
    let facts = Facts::start(backend, "if limit == 'one': keep('one', a=1), keep('two', b=2)");
    facts.run("one");
    let admin = facts.jobs.server.as_admin();
    admin.patch("/api/v2/settings/jobs/", json!({"ANSIBLE_FACT_CACHE_TIMEOUT": 3600})).expect(200);
    let old = if backend == Backend::Sqlite { "0" } else { "'1970-01-01'" };
    let host = facts.hosts[0];
    facts.jobs.server.execute(&format!("UPDATE hosts SET ansible_facts_modified = {old} WHERE id = {host}"));
    assert_eq!(facts.run("none"), json!([null, {"b": 2}]));
    assert_eq!(facts.stored(), json!([{"a": 1}, {"b": 2}]));
    admin.delete("/api/v2/settings/jobs/").expect(204);
    assert_eq!(facts.run("none"), json!([{"a": 1}, {"b": 2}]));
}

fn facts_of_a_server_that_was_killed_are_kept(backend: Backend) {
    let mut facts = Facts::start(backend, "report('ready')\nwait_for('go')\nkeep('one', a=1)");
    let id = facts.launch("one");
    facts.jobs.reported(id, "ready");
    facts.jobs.server.kill9();
    facts.jobs.go(id);
    facts.jobs.server.restart();
    assert_eq!(facts.jobs.ended(id)["status"], "successful");
    assert_eq!(facts.stored(), json!([{"a": 1}, {}]));
}

fn links_of_a_job_are_not_followed(backend: Backend) {
    let script = "
keep('two', b=2)
if limit == 'one':
    with open(workspace + 'secret', 'w') as file: file.write('{\"secret\": 1}')
    os.symlink(workspace + 'secret', f'{cache}/one')
if limit == 'two':
    os.rename(cache, cache + '.old')
    os.symlink(cache + '.old', cache)
    keep('two', b=3)
";
    let facts = Facts::start(backend, script);
    facts.run("one");
    assert_eq!(facts.stored(), json!([{}, {"b": 2}]));
    facts.run("two");
    assert_eq!(facts.stored(), json!([{}, {"b": 2}]));
}
