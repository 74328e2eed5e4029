use super::*;
use crate::InputSchema;

/// Recorded from AWX 24.6.1: name, kind and namespace of each type.
const RECORDED: &[(&str, &str, &str)] = &[
    ("AWS Secrets Manager lookup", "external", "aws_secretsmanager_credential"),
    ("Amazon Web Services", "cloud", "aws"),
    ("Ansible Galaxy/Automation Hub API Token", "galaxy", "galaxy_api_token"),
    ("Bitbucket Data Center HTTP Access Token", "token", "bitbucket_dc_token"),
    ("Centrify Vault Credential Provider Lookup", "external", "centrify_vault_kv"),
    ("Container Registry", "registry", "registry"),
    ("CyberArk Central Credential Provider Lookup", "external", "aim"),
    ("CyberArk Conjur Secrets Manager Lookup", "external", "conjur"),
    ("GPG Public Key", "cryptography", "gpg_public_key"),
    ("GitHub Personal Access Token", "token", "github_token"),
    ("GitLab Personal Access Token", "token", "gitlab_token"),
    ("Google Compute Engine", "cloud", "gce"),
    ("HashiCorp Vault Secret Lookup", "external", "hashivault_kv"),
    ("HashiCorp Vault Signed SSH", "external", "hashivault_ssh"),
    ("Insights", "insights", "insights"),
    ("Machine", "ssh", "ssh"),
    ("Microsoft Azure Key Vault", "external", "azure_kv"),
    ("Microsoft Azure Resource Manager", "cloud", "azure_rm"),
    ("Network", "net", "net"),
    ("OpenShift or Kubernetes API Bearer Token", "kubernetes", "kubernetes_bearer_token"),
    ("OpenStack", "cloud", "openstack"),
    ("Red Hat Ansible Automation Platform", "cloud", "controller"),
    ("Red Hat Satellite 6", "cloud", "satellite6"),
    ("Red Hat Virtualization", "cloud", "rhv"),
    ("Source Control", "scm", "scm"),
    ("Terraform backend configuration", "cloud", "terraform"),
    ("Thycotic DevOps Secrets Vault", "external", "thycotic_dsv"),
    ("Thycotic Secret Server", "external", "thycotic_tss"),
    ("VMware vCenter", "cloud", "vmware"),
    ("Vault", "vault", "vault"),
];

#[test]
fn managed_types_match_awx() {
    let mut types: Vec<_> =
        MANAGED_TYPES.iter().map(|managed| (managed.name, managed.kind, managed.namespace)).collect();
    types.sort_unstable();
    assert_eq!(types, RECORDED);
}

#[test]
fn machine_type_matches_the_recorded_one() {
    let mut inputs = machines::MACHINE.inputs();
    for field in inputs["fields"].as_array_mut().unwrap() {
        field.as_object_mut().unwrap().shift_remove("help_text");
    }
    let recorded = json!({"fields": [
        {"id": "username", "label": "Username", "type": "string"},
        {"id": "password", "label": "Password", "type": "string", "secret": true, "ask_at_runtime": true},
        {"id": "ssh_key_data", "label": "SSH Private Key", "type": "string", "format": "ssh_private_key", "secret": true, "multiline": true},
        {"id": "ssh_public_key_data", "label": "Signed SSH Certificate", "type": "string", "multiline": true, "secret": true},
        {"id": "ssh_key_unlock", "label": "Private Key Passphrase", "type": "string", "secret": true, "ask_at_runtime": true},
        {"id": "become_method", "label": "Privilege Escalation Method", "type": "string"},
        {"id": "become_username", "label": "Privilege Escalation Username", "type": "string"},
        {"id": "become_password", "label": "Privilege Escalation Password", "type": "string", "secret": true, "ask_at_runtime": true},
    ]});
    assert_eq!(inputs, recorded);
    assert_eq!(machines::MACHINE.injectors(), json!({}));
}

#[test]
fn definitions_are_consistent() {
    for managed in MANAGED_TYPES {
        let name = managed.name;
        let inputs = InputSchema::read(&managed.inputs());
        assert_eq!(inputs.fields.len(), managed.fields.len(), "{name}");
        let all: Vec<_> = inputs.fields.iter().chain(&inputs.metadata).collect();
        for (index, field) in all.iter().enumerate() {
            assert!(!all[..index].iter().any(|other| other.id == field.id), "{name}: {} is defined twice", field.id);
            assert!(!field.label.is_empty(), "{name}: {} has no label", field.id);
            if let Some(default) = field.default.as_ref().and_then(Json::as_str).filter(|_| !field.choices.is_empty()) {
                assert!(field.choices.iter().any(|choice| choice == default), "{name}: {}", field.id);
            }
        }
        for field in managed.fields.iter().chain(managed.metadata) {
            assert!(
                field.help.is_empty() || field.help.ends_with('.'),
                "{name}: the help of {} is not a sentence",
                field.id
            );
        }
        for id in &inputs.required {
            assert!(all.iter().any(|field| field.id == *id), "{name} requires the unknown {id}");
        }
        for (id, needs) in &inputs.dependencies {
            assert!(needs.iter().chain([id]).all(|id| inputs.field(id).is_some()), "{name}: {id}");
        }
        assert_eq!(managed.kind == "external", !managed.metadata.is_empty(), "{name}");
    }
}

/// Without the keys that only managed types may have, each definition passes the check of custom types.
#[test]
fn definitions_pass_the_check_of_custom_types() {
    for managed in MANAGED_TYPES {
        let mut inputs = managed.inputs();
        let object = inputs.as_object_mut().unwrap();
        object.shift_remove("dependencies");
        object.shift_remove("metadata");
        for field in object["fields"].as_array_mut().unwrap() {
            let field = field.as_object_mut().unwrap();
            field.shift_remove("ask_at_runtime");
            if field.get("format") == Some(&json!("vault_id")) {
                field.shift_remove("format");
            }
        }
        assert_eq!(crate::check_inputs(&mut inputs), Ok(()), "{}", managed.name);
    }
}
