//! Types for clouds, virtualization and controllers.

use super::{Injectors, ManagedType, boolean, key, secret, text};

pub(super) static AMAZON: ManagedType = ManagedType::new(
    "Amazon Web Services",
    "cloud",
    "aws",
    &[
        text("username", "Access Key"),
        secret("password", "Secret Key"),
        secret("security_token", "STS Token")
            .help("The session token that belongs to temporary keys of the Security Token Service."),
    ],
    &["username", "password"],
);

pub(super) static OPENSTACK: ManagedType = ManagedType::new(
    "OpenStack",
    "cloud",
    "openstack",
    &[
        text("username", "Username"),
        secret("password", "Password (API Key)"),
        text("host", "Host (Authentication URL)")
            .help("The URL of the identity service, such as https://openstack.example.com/v3."),
        text("project", "Project (Tenant Name)"),
        text("project_domain_name", "Project (Domain Name)"),
        text("domain", "Domain Name").help("The domain of the user, where the identity service is version 3."),
        text("region", "Region Name").help("The region to work in; some clouds demand one."),
        boolean("verify_ssl", "Verify SSL").default_true(),
    ],
    &["username", "password", "host", "project"],
);

pub(super) static VMWARE: ManagedType = ManagedType::new(
    "VMware vCenter",
    "cloud",
    "vmware",
    &[
        text("host", "VCenter Host").help("The name or address of the vCenter server."),
        text("username", "Username"),
        secret("password", "Password"),
    ],
    &["host", "username", "password"],
);

pub(super) static SATELLITE: ManagedType = ManagedType::new(
    "Red Hat Satellite 6",
    "cloud",
    "satellite6",
    &[
        text("host", "Satellite 6 URL").help("The URL of the Satellite server, such as https://satellite.example.com."),
        text("username", "Username"),
        secret("password", "Password"),
    ],
    &["host", "username", "password"],
);

pub(super) static GOOGLE: ManagedType = ManagedType::new(
    "Google Compute Engine",
    "cloud",
    "gce",
    &[
        text("username", "Service Account Email Address").help("The email address of the service account."),
        text("project", "Project").help("The id of the project to work in, such as adjective-noun-000."),
        key("ssh_key_data", "RSA Private Key")
            .help("The service account's private key in PEM: the private_key of its JSON file."),
    ],
    &["username", "ssh_key_data"],
);

pub(super) static AZURE: ManagedType = ManagedType::new(
    "Microsoft Azure Resource Manager",
    "cloud",
    "azure_rm",
    &[
        text("subscription", "Subscription ID").help("The UUID of the subscription to work in."),
        text("username", "Username"),
        secret("password", "Password"),
        text("client", "Client ID"),
        secret("secret", "Client Secret"),
        text("tenant", "Tenant ID"),
        text("cloud_environment", "Azure Cloud Environment")
            .help("The cloud's name, AZURE_CLOUD_ENVIRONMENT, for a government's or a private cloud."),
    ],
    &["subscription"],
);

pub(super) static VIRTUALIZATION: ManagedType = ManagedType {
    injectors: Injectors {
        file: Some(
            "[ovirt]\novirt_url={{host}}\novirt_username={{username}}\novirt_password={{password}}\n\
             {% if ca_file %}ovirt_ca_file={{ca_file}}{% endif %}",
        ),
        env: &[
            ("OVIRT_INI_PATH", "{{tower.filename}}"),
            ("OVIRT_URL", "{{host}}"),
            ("OVIRT_USERNAME", "{{username}}"),
            ("OVIRT_PASSWORD", "{{password}}"),
        ],
        extra_vars: &[],
    },
    ..ManagedType::new(
        "Red Hat Virtualization",
        "cloud",
        "rhv",
        &[
            text("host", "Host (Authentication URL)")
                .help("The URL of the engine, such as https://rhv.example.com/api."),
            text("username", "Username"),
            secret("password", "Password"),
            text("ca_file", "CA File")
                .help("The path of the file with the engine's certificate authority, if it needs one."),
        ],
        &["host", "username", "password"],
    )
};

pub(super) static CONTROLLER: ManagedType = ManagedType {
    injectors: Injectors {
        file: None,
        env: &[
            ("TOWER_HOST", "{{host}}"),
            ("TOWER_USERNAME", "{{username}}"),
            ("TOWER_PASSWORD", "{{password}}"),
            ("TOWER_VERIFY_SSL", "{{verify_ssl}}"),
            ("TOWER_OAUTH_TOKEN", "{{oauth_token}}"),
            ("CONTROLLER_HOST", "{{host}}"),
            ("CONTROLLER_USERNAME", "{{username}}"),
            ("CONTROLLER_PASSWORD", "{{password}}"),
            ("CONTROLLER_VERIFY_SSL", "{{verify_ssl}}"),
            ("CONTROLLER_OAUTH_TOKEN", "{{oauth_token}}"),
        ],
        extra_vars: &[],
    },
    ..ManagedType::new(
        "Red Hat Ansible Automation Platform",
        "cloud",
        "controller",
        &[
            text("host", "Red Hat Ansible Automation Platform")
                .help("The URL of the controller: AWX, Red Hat Ansible Automation Platform or Hostler."),
            text("username", "Username").help("The user name. Leave it empty if you enter a token below."),
            secret("password", "Password"),
            secret("oauth_token", "OAuth Token")
                .help("A token of that controller, instead of a user name and password."),
            boolean("verify_ssl", "Verify SSL"),
        ],
        &["host"],
    )
};

pub(super) static TERRAFORM: ManagedType = ManagedType::new(
    "Terraform backend configuration",
    "cloud",
    "terraform",
    &[
        secret("configuration", "Backend configuration")
            .multiline()
            .help("The content of a Terraform backend block, which configures where the state is stored."),
        secret("gce_credentials", "Google Cloud Platform account credentials")
            .multiline()
            .help("The JSON file of a Google service account, for state in a bucket of Google Cloud Storage."),
    ],
    &["configuration"],
);
