//! Jobs that run, on servers and databases that are killed meanwhile. A script stands for Ansible.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, Cluster, TestServer, on_each_backend, stand_in_ansible};
use serde_json::{Value, json};
use tempfile::TempDir;

on_each_backend!(launched_job_runs, canceled_job_ends, killed_server_adopts_its_jobs, stopped_server_adopts_its_jobs);

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

struct Jobs {
    server: TestServer,
    template: i64,
    // Removed on drop.
    _folder: TempDir,
}

impl Jobs {
    /// A server with a template whose playbook is this script.
    fn on(mut server: TestServer, script: &str) -> Self {
        let folder = TempDir::with_prefix("hostler-ansible-").expect("a folder");
        let program = stand_in_ansible(folder.path());
        server.set_variable("HOSTLER_ANSIBLE", program.to_str().expect("UTF-8"));
        server.set_variable("HOSTLER_ISOLATION", "none");
        server.set_variable("HOSTLER_CPU_CAPACITY", "100");
        server.set_variable("HOSTLER_MEMORY_CAPACITY", "100");
        let project = server.data().join("manual-projects/scripts");
        fs::create_dir_all(&project).expect("a folder");
        fs::write(project.join("site.yml"), script).expect("a file");
        server.restart();
        let admin = server.as_admin();
        let organization = server.organization("home");
        let inventory = admin.create("/api/v2/inventories/", json!({"name": "hosts", "organization": organization}));
        let project = json!({"name": "scripts", "organization": organization, "local_path": "scripts"});
        let project = admin.create("/api/v2/projects/", project);
        let template = json!({
            "name": "a", "project": project, "inventory": inventory, "playbook": "site.yml", "forks": 1,
            "allow_simultaneous": true,
        });
        let template = admin.create("/api/v2/job_templates/", template);
        Jobs { server, template, _folder: folder }
    }

    fn start(backend: Backend, script: &str) -> Self {
        Self::on(TestServer::stopped(env!("CARGO_BIN_EXE_hostler"), backend), script)
    }

    fn launch(&self) -> i64 {
        let path = format!("/api/v2/job_templates/{}/launch/", self.template);
        let job = self.server.as_admin().post(&path, json!({})).expect(201).json();
        job["id"].as_i64().expect("an id")
    }

    fn job(&self, id: i64) -> Value {
        self.server.as_admin().get(&format!("/api/v2/jobs/{id}/")).expect(200).json()
    }

    /// Waits until the job has ended.
    fn ended(&self, id: i64) -> Value {
        let begin = Instant::now();
        loop {
            let job = self.job(id);
            if job["finished"].is_string() {
                return job;
            }
            assert!(begin.elapsed() < PATIENCE, "{job} {}", self.server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn workspace(&self, id: i64) -> PathBuf {
        self.server.data().join("jobs").join(id.to_string()).join("workspace")
    }

    /// Waits until the script has reported this.
    fn reported(&self, id: i64, name: &str) -> String {
        let path = self.workspace(id).join(name);
        let begin = Instant::now();
        while !path.exists() {
            assert!(begin.elapsed() < PATIENCE, "{} {}", self.job(id), self.server.stderr());
            thread::sleep(Duration::from_millis(10));
        }
        fs::read_to_string(path).expect("the report")
    }

    /// The number of stored events of all jobs.
    fn events(&self) -> usize {
        self.server.dump().lines().filter(|line| line.starts_with("stored_job_events\t")).count()
    }
}

/// Writes events before and after the test creates the file `go`.
const SCRIPT: &str = "
for number in range(500): event('runner_on_ok', f'{number}\\n', host='one')
report('ready', os.getpid())
wait_for('go')
for number in range(500): event('runner_on_ok', f'{number}\\n', host='one')
";

fn launched_job_runs(backend: Backend) {
    let jobs = Jobs::start(backend, "event('playbook_on_start', 'hello\\n')");
    let job = jobs.ended(jobs.launch());
    assert_eq!(job["status"], "successful", "{job}");
    assert_eq!((&job["job_explanation"], &job["failed"]), (&json!(""), &json!(false)), "{job}");
    assert!(job["job_args"].as_str().is_some_and(|arguments| arguments.contains("site.yml")), "{job}");
    let template = jobs.server.as_admin().get(&format!("/api/v2/job_templates/{}/", jobs.template)).expect(200).json();
    assert_eq!(template["status"], "successful");
}

fn canceled_job_ends(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let job = jobs.launch();
    let process = jobs.reported(job, "ready");
    jobs.server.as_admin().post(&format!("/api/v2/jobs/{job}/cancel/"), json!({})).expect(202);
    assert_eq!(jobs.ended(job)["status"], "canceled");
    assert!(!PathBuf::from(format!("/proc/{}", process.trim())).exists());
    // The program says that it was interrupted.
    assert!(jobs.events() >= 500);
}

fn killed_server_adopts_its_jobs(backend: Backend) {
    adopts(backend, TestServer::kill9);
}

fn stopped_server_adopts_its_jobs(backend: Backend) {
    adopts(backend, |server| assert!(server.stop().success()));
}

fn adopts(backend: Backend, end: impl FnOnce(&mut TestServer)) {
    const JOBS: usize = 10;
    let mut jobs = Jobs::start(backend, SCRIPT);
    let ids: Vec<i64> = (0..JOBS).map(|_| jobs.launch()).collect();
    for id in &ids {
        jobs.reported(*id, "ready");
    }
    end(&mut jobs.server);
    // Half of them end while there is no server.
    for id in ids.iter().take(JOBS / 2) {
        fs::write(jobs.workspace(*id).join("go"), "").expect("a file");
    }
    jobs.server.restart();
    for id in &ids {
        if jobs.workspace(*id).exists() {
            fs::write(jobs.workspace(*id).join("go"), "").unwrap_or_default();
        }
        let job = jobs.ended(*id);
        assert_eq!((&job["status"], &job["job_explanation"]), (&json!("successful"), &json!("")), "{job}");
    }
    assert_eq!(jobs.events(), JOBS * 1000);
    // The directory of a job is removed after its end is stored.
    let begin = Instant::now();
    while fs::read_dir(jobs.server.data().join("jobs")).expect("the folder").count() > 0 {
        assert!(begin.elapsed() < PATIENCE, "directories of jobs are left: {}", jobs.server.stderr());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn events_are_complete_after_postgresql_was_away() {
    let Some(mut cluster) = Cluster::start_for_test() else { return };
    let jobs = Jobs::on(TestServer::start_on(env!("CARGO_BIN_EXE_hostler"), &cluster), SCRIPT);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    cluster.stop();
    fs::write(jobs.workspace(job).join("go"), "").expect("a file");
    jobs.server.wait_for_log(&["the database does not answer"]);
    cluster.restart();
    let job = jobs.ended(job);
    assert_eq!(job["status"], "successful", "{job}");
    assert_eq!(jobs.events(), 1000);
}
