//! Jobs that run while servers, supervisors and databases are killed, disks are full, clocks are set back, and what they use
//! is deleted. A script stands for Ansible.

mod blocked;
mod clock;
mod deletions;
mod facts;
mod fields;
mod full_disk;
mod lost;
mod output;
mod settings;
mod smart;
mod websocket;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, Cluster, TestServer, on_each_backend, stand_in_ansible};
use serde_json::{Value, json};
use tempfile::TempDir;

on_each_backend!(
    launched_job_runs,
    canceled_job_ends,
    canceled_job_leaves_no_process,
    killed_server_adopts_its_jobs,
    stopped_server_adopts_its_jobs,
);

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

struct Jobs {
    server: TestServer,
    template: i64,
    /// The program that stands for Ansible.
    ansible: PathBuf,
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
        Jobs { server, template, ansible: program, _folder: folder }
    }

    fn start(backend: Backend, script: &str) -> Self {
        Self::on(TestServer::stopped(BINARY, backend), script)
    }

    /// The value of `Authorization` of the administrator.
    fn authorization(&self) -> String {
        crate::websocket::basic(ADMIN, ADMIN_PASSWORD)
    }

    fn launch(&self) -> i64 {
        self.launch_of(self.template)
    }

    fn launch_of(&self, template: i64) -> i64 {
        let path = format!("/api/v2/job_templates/{template}/launch/");
        let job = self.server.as_admin().post(&path, json!({})).expect(201).json();
        job["id"].as_i64().expect("an id")
    }

    fn template_path(&self) -> String {
        format!("/api/v2/job_templates/{}/", self.template)
    }

    /// The template as the API shows it.
    fn shown_template(&self) -> Value {
        self.server.as_admin().get(&self.template_path()).expect(200).json()
    }

    /// Another template with the same project and inventory, and this playbook.
    fn another_template(&self, name: &str, script: &str) -> i64 {
        let playbook = format!("{name}.yml");
        fs::write(self.server.data().join("manual-projects/scripts").join(&playbook), script).expect("a file");
        let template = self.shown_template();
        let body = json!({
            "name": name, "project": template["project"], "inventory": template["inventory"], "playbook": playbook,
            "forks": 1,
        });
        self.server.as_admin().create("/api/v2/job_templates/", body)
    }

    fn cancel(&self, id: i64) {
        self.server.as_admin().post(&format!("/api/v2/jobs/{id}/cancel/"), json!({})).expect(202);
    }

    /// Lets scripts go on that wait for `go`.
    fn go(&self, id: i64) {
        fs::write(self.workspace(id).join("go"), "").expect("a file");
    }

    /// The whole output.
    fn output(&self, id: i64) -> Vec<u8> {
        self.server.as_admin().get(&format!("/api/v2/jobs/{id}/stdout/?format=ansi_download")).expect(200).body
    }

    fn job(&self, id: i64) -> Value {
        self.server.as_admin().get(&format!("/api/v2/jobs/{id}/")).expect(200).json()
    }

    /// Writes a program beside that which stands for Ansible.
    fn write_program(&self, name: &str, text: &str) {
        let path = self.ansible.with_file_name(name);
        fs::write(&path, text).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    /// Waits until the job has ended.
    fn ended(&self, id: i64) -> Value {
        self.ended_at(&format!("/api/v2/jobs/{id}/"))
    }

    /// Waits until the job with this path has ended.
    fn ended_at(&self, path: &str) -> Value {
        let begin = Instant::now();
        loop {
            let job = self.server.as_admin().get(path).expect(200).json();
            if job["finished"].is_string() {
                return job;
            }
            assert!(begin.elapsed() < PATIENCE, "{job} {}", self.server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn directory(&self, id: i64) -> PathBuf {
        self.server.data().join("jobs").join(id.to_string())
    }

    fn workspace(&self, id: i64) -> PathBuf {
        self.directory(id).join("workspace")
    }

    /// Waits until this number of events of the job is stored.
    fn wait_for_events(&self, id: i64, events: usize) {
        let path = format!("/api/v2/jobs/{id}/job_events/?page_size=1");
        let begin = Instant::now();
        while self.server.as_admin().get(&path).expect(200).json()["count"] != events {
            assert!(begin.elapsed() < PATIENCE, "{} {}", self.job(id), self.server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a job of the template, whose script waits for `go`, to its end.
    fn run(&self) -> Value {
        let job = self.launch();
        self.reported(job, "ready");
        self.go(job);
        self.ended(job)
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

    /// Waits until the directories of all jobs are removed, which follows after their ends are stored.
    fn nothing_is_left(&self) {
        let folder = self.server.data().join("jobs");
        let begin = Instant::now();
        while fs::read_dir(&folder).is_ok_and(|entries| entries.count() > 0) {
            assert!(begin.elapsed() < PATIENCE, "directories of jobs are left: {}", self.server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number of stored events of all jobs.
    fn events(&self) -> usize {
        self.server.dump().lines().filter(|line| line.starts_with("stored_job_events\t")).count()
    }
}

/// A repository with one commit.
fn repository(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=a"],
    ] {
        let done = Command::new("git").arg("-C").arg(folder).args(arguments).status().expect("git");
        assert!(done.success(), "git {arguments:?}");
    }
}

/// Whether the process with this id runs: it is there, and no zombie.
fn is_running(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.trim()));
    stat.is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z')))
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
    assert_eq!(jobs.shown_template()["status"], "successful");
}

fn canceled_job_ends(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let job = jobs.launch();
    let process = jobs.reported(job, "ready");
    jobs.cancel(job);
    let ended = jobs.ended(job);
    assert_eq!(ended["status"], "canceled");
    let moments = ["started", "canceled_on", "finished"].map(|field| ended[field].as_str());
    assert!(moments[0].is_some() && moments.is_sorted(), "{ended}");
    assert!(!is_running(&process));
    // The program says that it was interrupted.
    assert!(jobs.events() >= 500);
}

/// Starts processes that outlive a plain kill of the program: they ignore signals, and one has a session of its own.
const DAEMONS: &str = r#"
daemon = "trap '' HUP INT TERM; echo $$ >$0.new; mv $0.new $0; while :; do sleep 1000; done"
def start(name, *before):
    subprocess.Popen([*before, "sh", "-c", daemon, workspace + name], stdout=subprocess.DEVNULL)
    wait_for(name)
start("child")
start("daemon", "nohup", "setsid", "--fork")
"#;

/// The ids of processes that a script has started, which run.
fn started<const N: usize>(jobs: &Jobs, job: i64, names: [&str; N]) -> [String; N] {
    let processes = names.map(|name| jobs.reported(job, name));
    assert!(processes.iter().all(|process| is_running(process)), "{processes:?}");
    processes
}

fn canceled_job_leaves_no_process(backend: Backend) {
    // The last one has no trace of its job either.
    let nameless = "start('nameless', 'setsid', '--fork', 'env', '-i', 'PATH=' + os.environ['PATH'])";
    let jobs = Jobs::start(backend, &format!("{DAEMONS}\n{nameless}\n{SCRIPT}"));
    let job = jobs.launch();
    jobs.reported(job, "ready");
    let processes = started(&jobs, job, ["ready", "child", "daemon", "nameless"]);
    jobs.cancel(job);
    assert_eq!(jobs.ended(job)["status"], "canceled");
    assert!(!processes.iter().any(|process| is_running(process)), "{processes:?}");
    jobs.nothing_is_left();
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
        jobs.go(*id);
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
    jobs.nothing_is_left();
}

#[test]
fn events_are_complete_after_postgresql_was_away() {
    let Some(mut cluster) = Cluster::start_for_test() else { return };
    let jobs = Jobs::on(TestServer::start_on(BINARY, &cluster), SCRIPT);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    cluster.stop();
    jobs.go(job);
    jobs.server.wait_for_log(&["the database does not answer"]);
    cluster.restart();
    let job = jobs.ended(job);
    assert_eq!(job["status"], "successful", "{job}");
    assert_eq!(jobs.events(), 1000);
}
