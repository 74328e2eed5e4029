//! What jobs get of credentials whose types AWX injects by code: the same environment variables and files, as templates.

use serde_json::{Map, Value, json};

use super::Credential;

/// The injectors of a managed type; none if those of the database are complete.
pub(super) fn injectors(namespace: &str, credential: &Credential) -> Option<Value> {
    let injectors = match namespace {
        "aws" => environment(
            credential,
            &[
                ("AWS_ACCESS_KEY_ID", "username"),
                ("AWS_SECRET_ACCESS_KEY", "password"),
                ("AWS_SECURITY_TOKEN", "security_token"),
                ("AWS_SESSION_TOKEN", "security_token"),
            ],
        ),
        "azure_rm" => azure(credential),
        "vmware" => environment(
            credential,
            &[("VMWARE_HOST", "host"), ("VMWARE_USER", "username"), ("VMWARE_PASSWORD", "password")],
        ),
        "gce" => google(credential),
        "openstack" => openstack(),
        "kubernetes_bearer_token" => kubernetes(credential),
        "terraform" => terraform(credential),
        _ => return None,
    };
    Some(injectors)
}

/// Environment variables with inputs, as far as there are such inputs.
fn environment(credential: &Credential, variables: &[(&str, &str)]) -> Value {
    let given = variables.iter().filter(|(_, input)| credential.given(input).is_some());
    let variables: Map<String, Value> =
        given.map(|(name, input)| ((*name).to_owned(), format!("{{{{ {input} }}}}").into())).collect();
    json!({ "env": variables })
}

fn azure(credential: &Credential) -> Value {
    let user = [("AZURE_AD_USER", "username"), ("AZURE_PASSWORD", "password")];
    let client = [("AZURE_CLIENT_ID", "client"), ("AZURE_SECRET", "secret"), ("AZURE_TENANT", "tenant")];
    let account: &[(&str, &str)] = if credential.given("client").is_some() { &client } else { &user };
    let always = [("AZURE_SUBSCRIPTION_ID", "subscription"), ("AZURE_CLOUD_ENVIRONMENT", "cloud_environment")];
    environment(credential, &[account, &always].concat())
}

fn google(credential: &Credential) -> Value {
    let mut injectors =
        environment(credential, &[("GCE_EMAIL", "username"), ("GCE_PROJECT", "project"), ("GCP_PROJECT", "project")]);
    for name in ["GCE_CREDENTIALS_FILE_PATH", "GCP_SERVICE_ACCOUNT_FILE", "GOOGLE_APPLICATION_CREDENTIALS"] {
        injectors["env"][name] = "{{ tower.filename }}".into();
    }
    let project = if credential.given("project").is_some() { r#""project_id": {{ project | tojson }}, "# } else { "" };
    let account = format!(
        r#"{{"type": "service_account", {project}"private_key": {{{{ ssh_key_data | tojson }}}}, "client_email": {{{{ username | tojson }}}}, "token_uri": "https://oauth2.googleapis.com/token"}}"#
    );
    injectors["file"] = json!({ "template": account });
    injectors
}

/// JSON is YAML, too.
fn openstack() -> Value {
    let cloud = r#"{"clouds": {"devstack": {
"auth": {"auth_url": {{ host | tojson }}, "username": {{ username | tojson }}, "password": {{ password | tojson }}, "project_name": {{ project | tojson }}
{%- if project_domain_name %}, "project_domain_name": {{ project_domain_name | tojson }}{% endif %}
{%- if domain %}, "domain_name": {{ domain | tojson }}{% endif %}},
{%- if region %} "region_name": {{ region | tojson }},{% endif %}
"verify": {% if verify_ssl %}true{% else %}false{% endif %}}}}
"#;
    json!({ "file": { "template": cloud }, "env": { "OS_CLIENT_CONFIG_FILE": "{{ tower.filename }}" } })
}

fn kubernetes(credential: &Credential) -> Value {
    let mut injectors = environment(credential, &[("K8S_AUTH_HOST", "host"), ("K8S_AUTH_API_KEY", "bearer_token")]);
    let verifies = credential.inputs.get("verify_ssl").and_then(Value::as_bool).unwrap_or(false);
    injectors["env"]["K8S_AUTH_VERIFY_SSL"] = if verifies { "True" } else { "False" }.into();
    if verifies && credential.given("ssl_ca_cert").is_some() {
        injectors["file"] = json!({ "template": "{{ ssl_ca_cert }}" });
        injectors["env"]["K8S_AUTH_SSL_CA_CERT"] = "{{ tower.filename }}".into();
    }
    injectors
}

fn terraform(credential: &Credential) -> Value {
    let mut injectors = json!({ "file": {}, "env": {} });
    for (input, name, variable) in [
        ("configuration", "config", "TF_BACKEND_CONFIG_FILE"),
        ("gce_credentials", "gce", "GOOGLE_BACKEND_CREDENTIALS"),
    ] {
        if credential.given(input).is_some() {
            injectors["file"][format!("template.{name}")] = format!("{{{{ {input} }}}}").into();
            injectors["env"][variable] = format!("{{{{ tower.filename.{name} }}}}").into();
        }
    }
    injectors
}

#[cfg(test)]
mod tests {
    use hostler_credential_types::managed::MANAGED_TYPES;
    use hostler_credential_types::{InputSchema, render_injectors};

    use super::*;

    fn files(namespace: &str, inputs: Value) -> Vec<Value> {
        let managed = MANAGED_TYPES.iter().find(|managed| managed.namespace == namespace).unwrap();
        let credential = Credential {
            id: 1,
            name: "c".into(),
            namespace: Some(namespace.into()),
            schema: InputSchema::read(&managed.inputs()),
            injectors: managed.injectors(),
            inputs: inputs.as_object().unwrap().clone(),
        };
        let injectors = injectors(namespace, &credential).unwrap();
        let path_of = |_: Option<&str>| "/f".to_owned();
        let injected = render_injectors(&credential.schema, &injectors, &credential.inputs, path_of).unwrap();
        injected.files.iter().map(|(_, content)| serde_json::from_str(content).unwrap()).collect()
    }

    #[test]
    fn files_are_json() {
        let google = files("gce", json!({"username": "u", "ssh_key_data": "k\"\n", "project": "p"}));
        assert_eq!(google[0]["private_key"], "k\"\n");
        assert_eq!(google[0]["project_id"], "p");
        let inputs = json!({"username": "u", "password": "p", "host": "h", "project": "x", "region": "r"});
        let openstack = files("openstack", inputs);
        assert_eq!(openstack[0]["clouds"]["devstack"]["region_name"], "r");
        assert_eq!(openstack[0]["clouds"]["devstack"]["auth"]["password"], "p");
    }
}
