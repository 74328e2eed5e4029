//! The updates, events and host summaries of a [`crate::Fixture`]. No request creates them, and jobs that run take
//! long: these are only rows.

use crate::client::Client;
use crate::server::TestServer;

/// The number of ids of events for each job.
const IDS: i64 = 1 << 24;
/// The counter of the first event of the fixture. The server may write events with lower ones meanwhile.
const FIRST: i64 = 1001;

/// A project update, an inventory update and an ad hoc command, and an event and a host summary with lists below them.
pub(crate) struct Events {
    pub update: i64,
    pub update_event: i64,
    pub inventory_update: i64,
    pub inventory_update_event: i64,
    pub ad_hoc_command: i64,
    pub ad_hoc_command_event: i64,
    pub event: i64,
    pub summary: i64,
}

impl Events {
    /// So many events of this job, on the hosts and on those of the group, with as many below the first one; summaries of
    /// all hosts in all jobs of the template; updates of the project and of the source with events; and ad hoc commands with
    /// events on the host and on those of the group.
    #[expect(clippy::too_many_arguments, reason = "they are objects that the fixture has made before")]
    pub fn populate(
        server: &TestServer,
        admin: &Client,
        size: usize,
        job: i64,
        host: i64,
        group: i64,
        project: i64,
        source: i64,
    ) -> Self {
        let in_group = admin.results(&format!("/api/v2/groups/{group}/hosts/?page_size=200"));
        let in_group = in_group.iter().filter_map(|host| host["id"].as_i64());
        let hosts: Vec<i64> = std::iter::repeat_n(host, size).chain(in_group).collect();
        server.execute(&format!(
            "INSERT INTO job_host_summaries (created, modified, job_id, host_id, host_name) \
             SELECT jobs.created, jobs.created, jobs.id, hosts.id, hosts.name FROM jobs \
             JOIN jobs AS last ON last.unified_job_template_id = jobs.unified_job_template_id \
             JOIN hosts ON hosts.inventory_id = jobs.inventory_id WHERE last.id = {job}"
        ));
        add_event(server, 0, job, FIRST, None);
        for (counter, host) in (FIRST + 1..).zip(&hosts) {
            add_event(server, 0, job, counter, Some(*host));
        }
        for _ in 0..size {
            server.execute(&format!(
                "INSERT INTO unified_jobs (type, name, status, created, modified, finished, organization_id, \
                 unified_job_template_id, updated_project_id) SELECT 'project_update', name, 'successful', created, \
                 created, created, organization_id, id, id FROM unified_job_templates WHERE id = {project}"
            ));
        }
        let first = |path: &str| admin.results(path)[0]["id"].as_i64().expect("an id");
        let update = first(&format!("/api/v2/projects/{project}/project_updates/?order_by=-id"));
        for counter in (FIRST..).take(size) {
            add_event(server, 1, update, counter, None);
        }
        for _ in 0..size {
            server.execute(&format!(
                "INSERT INTO unified_jobs (type, name, status, created, modified, finished, organization_id, \
                 unified_job_template_id, inventory_source_id, inventory_id, project_id, project_update_id) \
                 SELECT 'inventory_update', name, 'successful', created, created, created, organization_id, id, id, \
                 sourced_inventory_id, source_project_id, {update} FROM unified_job_templates WHERE id = {source}"
            ));
        }
        let inventory_update = first(&format!("/api/v2/inventory_sources/{source}/inventory_updates/?order_by=-id"));
        for counter in (FIRST..).take(size) {
            add_event(server, 2, inventory_update, counter, None);
        }
        for _ in 0..size {
            server.execute(&format!(
                "INSERT INTO unified_jobs (type, name, status, created, modified, finished, organization_id, inventory_id, \
                 created_by_id, credential_id, module_name) SELECT 'ad_hoc_command', 'ping', 'successful', created, created, \
                 created, organization_id, inventory_id, created_by_id, (SELECT MIN(id) FROM credentials WHERE NOT managed), 'ping' \
                 FROM unified_jobs WHERE id = {job}"
            ));
        }
        let commands = admin.results("/api/v2/ad_hoc_commands/?order_by=-id&page_size=200");
        let commands: Vec<i64> = commands.iter().filter_map(|command| command["id"].as_i64()).collect();
        for command in &commands {
            for (counter, host) in (FIRST..).zip(&hosts) {
                add_event(server, 3, *command, counter, Some(*host));
            }
        }
        let ad_hoc_command = commands[0];
        let summary = first(&format!("/api/v2/jobs/{job}/job_host_summaries/"));
        Events {
            update,
            update_event: update * IDS + FIRST,
            inventory_update,
            inventory_update_event: inventory_update * IDS + FIRST,
            ad_hoc_command,
            ad_hoc_command_event: ad_hoc_command * IDS + FIRST,
            event: job * IDS + FIRST,
            summary,
        }
    }
}

/// An event of a job (0), of a project update (1), of an inventory update (2) or of an ad hoc command (3). All are below the first one.
fn add_event(server: &TestServer, kind: u8, job: i64, counter: i64, host: Option<i64>) {
    let id = job * IDS + counter;
    let parent = if counter > FIRST { FIRST } else { 0 };
    let host = host.map_or_else(|| "NULL".to_owned(), |host| host.to_string());
    server.execute(&format!(
        "INSERT INTO stored_job_events (id, kind, failed, changed, verbosity, event_id, created, uuid_hash, host_id, \
         parent_counter, start_line, end_line, host_name_id, play_id, task_id, role_id, playbook_id) \
         SELECT {id}, {kind}, false, false, 0, {FIRST}, created, {counter}, CAST({host} AS BIGINT), \
         {parent}, 0, 0, 0, 0, 0, 0, 0 FROM unified_jobs WHERE id = {job}"
    ));
    if counter == FIRST {
        server.execute(&format!(
            "INSERT INTO job_event_names (job_id, id, name) VALUES ({job}, {FIRST}, 'runner_on_ok')"
        ));
    }
    server.execute(&format!("UPDATE unified_jobs SET emitted_events = {counter} WHERE id = {job}"));
}
