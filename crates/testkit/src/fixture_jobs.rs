//! The job templates and jobs of a [`crate::Fixture`].

use serde_json::{Value, json};

use crate::client::Client;

/// A job template and a job for the lists below each.
pub(crate) struct Jobs {
    home: i64,
    project: i64,
    inventory: i64,
    vault: Value,
    pub template: i64,
}

impl Jobs {
    /// A job template of this organization and inventory.
    pub fn begin(admin: &Client, home: i64, inventory: i64) -> Self {
        let project = json!({
            "name": "source", "organization": home, "scm_type": "git", "scm_url": "https://127.0.0.1:9/source",
            // Its playbooks are not known.
            "allow_override": true,
        });
        let project = admin.create("/api/v2/projects/", project);
        let vault = admin.results("/api/v2/credential_types/?namespace=vault")[0]["id"].clone();
        let mut jobs = Jobs { home, project, inventory, vault, template: 0 };
        jobs.template = jobs.create_template(admin, "template-0");
        jobs
    }

    fn create_template(&self, admin: &Client, name: &str) -> i64 {
        let body = json!({
            "name": name, "project": self.project, "inventory": self.inventory, "playbook": "site.yml",
            "allow_simultaneous": true,
        });
        admin.create("/api/v2/job_templates/", body)
    }

    /// One more object in each list.
    pub fn add(&self, admin: &Client, number: usize, instance_group: i64, label: i64, notification: i64) {
        self.create_template(admin, &format!("template-{}", number + 1));
        let path = format!("/api/v2/job_templates/{}/", self.template);
        let credential = json!({
            "name": format!("vault-{number}"), "organization": self.home, "credential_type": self.vault,
            "inputs": {"vault_password": "v", "vault_id": number.to_string()},
        });
        admin.attach(&format!("{path}credentials/"), admin.create("/api/v2/credentials/", credential));
        admin.attach(&format!("{path}instance_groups/"), instance_group);
        admin.attach(&format!("{path}labels/"), label);
        for event in ["started", "success", "error"] {
            admin.attach(&format!("{path}notification_templates_{event}/"), notification);
        }
    }

    /// So many jobs with all that is attached to the template. Returns the last one.
    pub fn launch(&self, admin: &Client, size: usize) -> i64 {
        let path = format!("/api/v2/job_templates/{}/launch/", self.template);
        (0..size).fold(0, |_, _| admin.create(&path, json!({})))
    }
}
