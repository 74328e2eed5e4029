//! The services that hosts come from, each with its plugin of Ansible.

use serde_json::{Map, Value, json};

/// A service, with AWX's rules for its hosts.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// The kind of the source.
    pub kind: &'static str,
    /// The collection that contains the plugin.
    pub collection: &'static str,
    /// The name of the plugin in the collection.
    pub plugin: &'static str,
    /// The variables with the id of a host in the service: alternatives, whose parts are separated by dots.
    pub instance_id: &'static [&'static str],
    /// The variables that say whether a host runs, and the value for hosts that do; no variables if all hosts do.
    pub enabled: (&'static [&'static str], &'static str),
}

const fn service(
    kind: &'static str,
    collection: &'static str,
    plugin: &'static str,
    instance_id: &'static [&'static str],
    enabled: (&'static [&'static str], &'static str),
) -> Service {
    Service { kind, collection, plugin, instance_id, enabled }
}

const SERVICES: &[Service] = &[
    service("ec2", "amazon.aws", "aws_ec2", &["instance_id"], (&["ec2_state"], "running")),
    service("gce", "google.cloud", "gcp_compute", &["gce_id"], (&["status"], "running")),
    service("azure_rm", "azure.azcollection", "azure_rm", &["id"], (&["powerstate"], "running")),
    service(
        "vmware",
        "community.vmware",
        "vmware_vm_inventory",
        &["config.instanceUuid", "config.instanceuuid"],
        (&["guest.gueststate"], "running"),
    ),
    service(
        "satellite6",
        "theforeman.foreman",
        "foreman",
        &["foreman_id", "foreman.id"],
        (&["foreman_enabled", "foreman.enabled"], "True"),
    ),
    service("openstack", "openstack.cloud", "openstack", &["openstack.id"], (&["status"], "ACTIVE")),
    service("rhv", "ovirt.ovirt", "ovirt", &["id"], (&["status"], "up")),
    service("controller", "awx.awx", "controller", &["remote_tower_id"], (&["remote_tower_enabled"], "true")),
    service("insights", "redhatinsights.insights", "insights", &["insights_id"], (&[], "")),
    service("terraform", "cloud.terraform", "terraform_state", &["id"], (&[], "")),
    service("openshift_virtualization", "kubevirt.core", "kubevirt", &["id"], (&[], "")),
];

impl Service {
    /// The service of a kind of sources; none for sources in projects and others.
    pub fn find(kind: &str) -> Option<&'static Service> {
        SERVICES.iter().find(|service| service.kind == kind)
    }

    /// The full name of the plugin.
    pub fn full_plugin(&self) -> String {
        format!("{}.{}", self.collection, self.plugin)
    }

    /// The name of the configuration file: plugins accept certain names only.
    pub fn file_name(&self) -> String {
        format!("{}.yml", self.plugin)
    }

    /// The configuration of the plugin: the variables of the source, with what follows from its credential. `project` is the
    /// project of a Google credential, `backend` the file with the configuration of a Terraform backend.
    pub fn configuration(
        &self,
        variables: &Map<String, Value>,
        project: Option<&str>,
        backend: Option<&str>,
    ) -> Map<String, Value> {
        let mut configuration = variables.clone();
        let mut default = |name: &str, value: Value| {
            configuration.entry(name).or_insert(value);
        };
        match self.kind {
            "gce" => {
                default("auth_kind", "serviceaccount".into());
                default("projects", json!([project.unwrap_or_default()]));
            }
            "terraform" => {
                if let Some(file) = backend {
                    default("backend_config_files", file.into());
                }
            }
            _ => {}
        }
        configuration.insert("plugin".into(), self.full_plugin().into());
        configuration
    }

    /// Environment variables that the plugin needs.
    pub fn environment(&self) -> Vec<(&'static str, &'static str)> {
        match self.kind {
            // So that templates can be null, as addresses of stopped hosts are.
            "gce" | "azure_rm" => vec![("ANSIBLE_JINJA2_NATIVE", "True")],
            _ => vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_names_the_plugin() {
        let variables = json!({"plugin": "other", "regions": ["eu"]});
        let configuration = Service::find("ec2").unwrap().configuration(variables.as_object().unwrap(), None, None);
        assert_eq!(Value::from(configuration), json!({"plugin": "amazon.aws.aws_ec2", "regions": ["eu"]}));
        assert!(Service::find("scm").is_none());
    }

    #[test]
    fn configuration_has_what_follows_from_the_credential() {
        let of = |kind: &str, variables: Value| {
            let service = Service::find(kind).unwrap();
            Value::from(service.configuration(variables.as_object().unwrap(), Some("p"), Some("/backend")))
        };
        assert_eq!(of("gce", json!({}))["projects"], json!(["p"]));
        assert_eq!(of("gce", json!({"projects": ["q"]}))["projects"], json!(["q"]));
        assert_eq!(of("terraform", json!({}))["backend_config_files"], "/backend");
    }
}
