//! Types for source forges, registries, Galaxy and Kubernetes.

use super::{Injectors, ManagedType, boolean, secret, text};

pub(super) static GITHUB: ManagedType = ManagedType::new(
    "GitHub Personal Access Token",
    "token",
    "github_token",
    &[secret("token", "Token")
        .help("A personal access token, created in the developer settings of the GitHub account.")],
    &["token"],
);

pub(super) static GITLAB: ManagedType = ManagedType::new(
    "GitLab Personal Access Token",
    "token",
    "gitlab_token",
    &[secret("token", "Token").help("A personal access token, created in the preferences of the GitLab account.")],
    &["token"],
);

pub(super) static BITBUCKET: ManagedType = ManagedType::new(
    "Bitbucket Data Center HTTP Access Token",
    "token",
    "bitbucket_dc_token",
    &[secret("token", "Token").help("An HTTP access token, created in the settings of the Bitbucket account.")],
    &["token"],
);

pub(super) static INSIGHTS: ManagedType = ManagedType {
    injectors: Injectors {
        file: None,
        env: &[("INSIGHTS_USER", "{{username}}"), ("INSIGHTS_PASSWORD", "{{password}}")],
        extra_vars: &[("scm_username", "{{username}}"), ("scm_password", "{{password}}")],
    },
    ..ManagedType::new(
        "Insights",
        "insights",
        "insights",
        &[text("username", "Username"), secret("password", "Password")],
        &["username", "password"],
    )
};

pub(super) static KUBERNETES: ManagedType = ManagedType::new(
    "OpenShift or Kubernetes API Bearer Token",
    "kubernetes",
    "kubernetes_bearer_token",
    &[
        text("host", "OpenShift or Kubernetes API Endpoint").help("The URL of the cluster's API."),
        secret("bearer_token", "API authentication bearer token"),
        boolean("verify_ssl", "Verify SSL").default_true(),
        secret("ssl_ca_cert", "Certificate Authority data").multiline(),
    ],
    &["host", "bearer_token"],
);

pub(super) static REGISTRY: ManagedType = ManagedType::new(
    "Container Registry",
    "registry",
    "registry",
    &[
        text("host", "Authentication URL")
            .default("quay.io")
            .help("The registry to log in to when an image is pulled."),
        text("username", "Username"),
        secret("password", "Password or Token").help("The password, or a token."),
        boolean("verify_ssl", "Verify SSL").default_true(),
    ],
    &["host"],
);

pub(super) static GALAXY: ManagedType = ManagedType::new(
    "Ansible Galaxy/Automation Hub API Token",
    "galaxy",
    "galaxy_api_token",
    &[
        text("url", "Galaxy Server URL").help("The server for collections and roles."),
        text("auth_url", "Auth Server URL")
            .help("The URL that exchanges the token for a session, if the server has single sign-on."),
        secret("token", "API Token").help("The token of the account. Public content needs no token."),
    ],
    &["url"],
);

pub(super) static GPG: ManagedType = ManagedType::new(
    "GPG Public Key",
    "cryptography",
    "gpg_public_key",
    &[secret("gpg_public_key", "GPG Public Key")
        .multiline()
        .help("The public key for checking signatures of content, in ASCII armor.")],
    &["gpg_public_key"],
);
