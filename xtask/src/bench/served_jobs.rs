//! Jobs that are launched through the API: what they cost beside plain `ansible-playbook`, how much memory they take, and
//! how many launches a second are stored.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostler_testkit::Websocket;
use serde_json::{Value as Json, json};

use super::cases::By;
use super::document::Target;
use super::load::{Load, Writes};
use super::measured_server::{ApiClient, MeasuredServer};
use super::process;
use crate::server::Server;

/// How often a job is asked for its status: a two-hundredth of the time that it has taken, at least this.
const PAUSE: Duration = Duration::from_millis(5);
/// The jobs that run at once while the memory is measured.
const RUNNING: u32 = 10;
/// The connections that launch, and for how many seconds.
const LAUNCHES: (u32, u32) = (32, 4);
/// The folder of the manual project.
const PROJECT: &str = "bench";

/// A server with a job template whose playbook can be replaced.
pub struct ServedJobs<'a> {
    server: Server,
    client: ApiClient,
    authorization: String,
    template: i64,
    folder: &'a Path,
}

impl<'a> ServedJobs<'a> {
    /// Starts a server with its data in this folder. Its jobs run with this Ansible.
    pub fn start(hostler: &Path, ansible: &OsStr, inventory: &str, folder: &'a Path) -> Result<Self> {
        Self::start_with(hostler, ansible, inventory, folder, &[])
    }

    /// The same, with further options of the server.
    pub fn start_with(
        hostler: &Path,
        ansible: &OsStr,
        inventory: &str,
        folder: &'a Path,
        more: &[&str],
    ) -> Result<Self> {
        let measured = MeasuredServer::new(hostler.to_owned(), folder.to_owned(), None);
        let ansible = ansible.to_str().context("the path of Ansible is not UTF-8")?;
        // The capacity allows ten jobs at once on every machine.
        let flags = ["--ansible", ansible, "--cpu-capacity", "100", "--memory-capacity", "100"];
        let (server, _) = measured.start(&[&flags, more].concat())?;
        let client = ApiClient::new(&server.base);
        let authorization = client.authorization(By::Token, &client.token()?);
        let mut jobs = Self { server, client, authorization, template: 0, folder };
        jobs.write_playbook("[]")?;
        let organization = jobs.create("organizations", &json!({"name": "Bench"}))?;
        let hosts = jobs.create("inventories", &json!({"name": "Bench", "organization": organization}))?;
        for name in inventory.lines().take_while(|line| !line.starts_with('[')) {
            let variables = r#"{"ansible_connection": "local"}"#;
            jobs.create("hosts", &json!({"name": name, "inventory": hosts, "variables": variables}))?;
        }
        let project = json!({"name": "Bench", "organization": organization, "local_path": PROJECT});
        let project = jobs.create("projects", &project)?;
        let template = json!({
            "name": "Bench", "project": project, "inventory": hosts, "playbook": "site.yml", "allow_simultaneous": true,
            "forks": 5,
        });
        jobs.template = jobs.create("job_templates", &template)?;
        Ok(jobs)
    }

    /// The playbook of the following jobs.
    pub fn write_playbook(&self, playbook: &str) -> Result<()> {
        let folder = self.folder.join("data/manual-projects").join(PROJECT);
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("site.yml"), playbook)?)
    }

    /// Runs a job; returns the seconds from the launch until its end is visible.
    pub fn run(&self) -> Result<f64> {
        let start = Instant::now();
        let job = self.launch()?;
        loop {
            let job = self.read(&format!("/api/v2/jobs/{job}/"))?;
            if job["finished"].is_string() {
                ensure!(job["status"] == "successful", "the job failed: {job}");
                return Ok(start.elapsed().as_secs_f64());
            }
            // The requests of a long job must not take its processor time.
            thread::sleep(PAUSE.max(start.elapsed() / 200));
        }
    }

    /// The resident megabytes of the server.
    pub fn memory(&self) -> Result<f64> {
        process::memory(self.server.id(), "VmRSS")
    }

    /// The resident megabytes of the server while ten jobs run.
    pub fn memory_with_jobs(&self) -> Result<f64> {
        self.write_playbook("- hosts: all\n  gather_facts: false\n  tasks: [{command: sleep 20}]\n")?;
        let jobs = (0..RUNNING).map(|_| self.launch()).collect::<Result<Vec<_>>>()?;
        let count = |status: &str| -> Result<Json> {
            Ok(self.read(&format!("/api/v2/jobs/?id__gte={}&status={status}&page_size=1", jobs[0]))?["count"].clone())
        };
        while count("running")? != RUNNING {
            ensure!(count("error")? == 0 && count("failed")? == 0, "a job cannot run: see its job_explanation");
            ensure!(count("successful")? == 0, "the first jobs end before the last ones start");
            thread::sleep(PAUSE);
        }
        thread::sleep(Duration::from_secs(2));
        let busy = self.memory()?;
        for job in jobs {
            self.ended(job)?;
        }
        Ok(busy)
    }

    /// The launches a second that are stored while no job may start.
    pub fn launches(&self) -> Result<Target> {
        let instances = self.read("/api/v2/instances/")?;
        let instance = instances["results"][0]["id"].as_i64().context("no instance")?;
        self.client.change(
            &format!("/api/v2/instances/{instance}/"),
            &self.authorization,
            &json!({"enabled": false}),
        )?;
        let load = Load {
            base: &self.server.base,
            path: "/api/v2/ping/",
            authorization: &self.authorization,
            writes: Some(Writes::Launches(self.template)),
        };
        let (connections, seconds) = LAUNCHES;
        let speed = load.run(self.folder, connections, seconds)?;
        let what = format!("launches over {connections}, a second");
        Ok(Target::least(what, speed.rate(), 1000.0, ""))
    }

    /// A socket of the superuser.
    pub fn websocket(&self) -> Websocket {
        Websocket::accepted(&self.server.base, &self.authorization)
    }

    /// Waits until the job has ended.
    pub fn ended(&self, job: i64) -> Result<Json> {
        loop {
            let job = self.read(&format!("/api/v2/jobs/{job}/"))?;
            if job["finished"].is_string() {
                return Ok(job);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Launches a job, and returns its id.
    pub fn launch(&self) -> Result<i64> {
        let path = format!("/api/v2/job_templates/{}/launch/", self.template);
        let job = self.client.post(&path, &self.authorization, &json!({}))?;
        job["id"].as_i64().context("a job without an id")
    }

    fn read(&self, path: &str) -> Result<Json> {
        Ok(serde_json::from_slice(&self.client.body(path, &self.authorization)?)?)
    }

    fn create(&self, list: &str, body: &Json) -> Result<i64> {
        let object = self.client.post(&format!("/api/v2/{list}/"), &self.authorization, body)?;
        object["id"].as_i64().context("an object without an id")
    }
}
