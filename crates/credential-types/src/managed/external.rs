//! External types, which look up inputs of other credentials in a secret store.

use super::{Field, ManagedType, boolean, secret, text, url};

pub(super) static CONJUR: ManagedType = ManagedType {
    metadata: &[
        text("secret_path", "Secret Identifier").help("The id of the secret, such as some/identifier."),
        text("secret_version", "Secret Version").help("Which version to take; the newest if empty."),
    ],
    ..ManagedType::new(
        "CyberArk Conjur Secrets Manager Lookup",
        "external",
        "conjur",
        &[
            url("url", "Conjur URL"),
            secret("api_key", "API Key"),
            text("account", "Account"),
            text("username", "Username"),
            text("cacert", "Public Key Certificate").multiline(),
        ],
        &["url", "api_key", "account", "username"],
    )
};

const HASHICORP_AUTH_PATH: Field = text("auth_path", "Path to Auth")
    .help("The path where the authentication is mounted, if it differs from the credential's.");

/// The two types for HashiCorp Vault log in by the same fields.
macro_rules! hashicorp_fields {
    ($($more:expr),*) => {
        &[
            url("url", "Server URL").help("The URL of the Vault server."),
            secret("token", "Token").help("A token for Vault."),
            text("cacert", "CA Certificate").multiline().help("The certificate authority of the server, in PEM."),
            text("role_id", "AppRole role_id").help("The role for AppRole."),
            secret("secret_id", "AppRole secret_id").help("The secret of the role for AppRole."),
            text("client_cert_public", "Client Certificate")
                .multiline()
                .help("The client certificate for TLS authentication, in PEM, with intermediate certificates."),
            secret("client_cert_private", "Client Certificate Key")
                .multiline()
                .help("The private key of the certificate, in PEM."),
            text("client_cert_role", "TLS Authentication Role")
                .help("The role for TLS authentication; any matching role if empty."),
            text("namespace", "Namespace name (Vault Enterprise only)").help("The namespace to log in to and to read from."),
            text("kubernetes_role", "Kubernetes role").help("The role for authentication with the pod's service account."),
            text("username", "Username").help("The user name for authentication by password."),
            secret("password", "Password").help("The password of that user."),
            text("default_auth_path", "Path to Auth")
                .default("approle")
                .help("The path where the authentication is mounted, unless a lookup names another one."),
            $($more),*
        ]
    };
}

pub(super) static HASHICORP_SECRET: ManagedType = ManagedType {
    metadata: &[
        text("secret_backend", "Name of Secret Backend")
            .help("Where the secrets engine is mounted; the first part of the path if empty."),
        text("secret_path", "Path to Secret").help("The path of the secret, such as /path/secret1."),
        HASHICORP_AUTH_PATH,
        text("secret_key", "Key Name").help("The key within the secret."),
        text("secret_version", "Secret Version (v2 only)").help("Which version to take; the newest if empty."),
    ],
    ..ManagedType::new(
        "HashiCorp Vault Secret Lookup",
        "external",
        "hashivault_kv",
        hashicorp_fields![
            text("api_version", "API Version")
                .choices(&["v1", "v2"])
                .default("v1")
                .help("v1 for a secrets engine without versions, v2 for one with them.")
        ],
        &["url", "secret_path", "api_version", "secret_key"],
    )
};

pub(super) static HASHICORP_SSH: ManagedType = ManagedType {
    metadata: &[
        text("public_key", "Unsigned Public Key").multiline(),
        text("secret_path", "Path to Secret").help("The path where the SSH secrets engine is mounted, such as ssh."),
        HASHICORP_AUTH_PATH,
        text("role", "Role Name").help("The role that the key is signed for."),
        text("valid_principals", "Valid Principals")
            .help("The user names for which the certificate is valid, if they differ from those of the role."),
    ],
    ..ManagedType::new(
        "HashiCorp Vault Signed SSH",
        "external",
        "hashivault_ssh",
        hashicorp_fields![],
        &["url", "secret_path", "public_key", "role"],
    )
};

pub(super) static AZURE_KEY_VAULT: ManagedType = ManagedType {
    metadata: &[
        text("secret_field", "Secret Name").help("The name of the secret."),
        text("secret_version", "Secret Version").help("Which version to take; the newest if empty."),
    ],
    ..ManagedType::new(
        "Microsoft Azure Key Vault",
        "external",
        "azure_kv",
        &[
            url("url", "Vault URL (DNS Name)"),
            text("client", "Client ID"),
            secret("secret", "Client Secret"),
            text("tenant", "Tenant ID"),
            text("cloud_name", "Cloud Environment")
                .choices(&["AzureUSGovernment", "AzureCloud", "AzureGermanCloud", "AzureChinaCloud"])
                .default("AzureCloud")
                .help("The cloud in which the vault is."),
        ],
        &["url", "client", "secret", "tenant", "secret_field"],
    )
};

pub(super) static CYBERARK: ManagedType = ManagedType {
    metadata: &[
        text("object_query", "Object Query")
            .help("The query for the account, such as Safe=TestSafe;Object=testAccountName123."),
        text("object_query_format", "Object Query Format").choices(&["Exact", "Regexp"]).default("Exact"),
        text("object_property", "Object Property").help("The property to return; the password if empty."),
        text("reason", "Reason").help("The reason for the access, if the policy of the object requires one."),
    ],
    ..ManagedType::new(
        "CyberArk Central Credential Provider Lookup",
        "external",
        "aim",
        &[
            url("url", "CyberArk CCP URL"),
            text("webservice_id", "Web Service ID").help("The id of the web service; AIMWebService if empty."),
            secret("app_id", "Application ID"),
            secret("client_key", "Client Key").multiline(),
            secret("client_cert", "Client Certificate").multiline(),
            boolean("verify", "Verify SSL Certificates").default_true(),
        ],
        &["url", "app_id", "object_query"],
    )
};

pub(super) static CENTRIFY: ManagedType = ManagedType {
    metadata: &[
        text("account-name", "Account Name").help("The account of a system or a domain."),
        text("system-name", "System Name").help("The system that the account is on."),
    ],
    ..ManagedType::new(
        "Centrify Vault Credential Provider Lookup",
        "external",
        "centrify_vault_kv",
        &[
            url("url", "Centrify Tenant URL").help("The URL of the tenant."),
            text("client_id", "Centrify API User").help("A user who may use the API, and see the accounts."),
            secret("client_password", "Centrify API Password").help("The password of that user."),
            text("oauth_application_id", "OAuth2 Application ID").default("awx").help("The registered application."),
            text("oauth_scope", "OAuth2 Scope").default("awx").help("The scope of the application."),
        ],
        &["url", "account-name", "system-name", "client_id", "client_password"],
    )
};

pub(super) static DEVOPS_SECRETS_VAULT: ManagedType = ManagedType {
    metadata: &[
        text("path", "Secret Path").help("The path of the secret, such as /test/secret1."),
        text("secret_field", "Secret Field").help("The field of the secret."),
        text("secret_decoding", "Should the secret be base64 decoded?")
            .choices(&["No Decoding", "Decode Base64"])
            .default("No Decoding")
            .help("Whether the value is stored in base64, as files are."),
    ],
    ..ManagedType::new(
        "Thycotic DevOps Secrets Vault",
        "external",
        "thycotic_dsv",
        &[
            text("tenant", "Tenant")
                .help("The first part of the vault's host name: acme of acme.secretsvaultcloud.com."),
            text("tld", "Top-level Domain (TLD)")
                .choices(&["ca", "com", "com.au", "eu"])
                .default("com")
                .help("The last part of the vault's host name."),
            text("client_id", "Client ID"),
            secret("client_secret", "Client Secret"),
        ],
        &["tenant", "client_id", "client_secret", "path", "secret_field", "secret_decoding"],
    )
};

pub(super) static SECRET_SERVER: ManagedType = ManagedType {
    metadata: &[
        text("secret_id", "Secret ID").help("The number of the secret."),
        text("secret_field", "Secret Field").help("The field of the secret."),
    ],
    ..ManagedType::new(
        "Thycotic Secret Server",
        "external",
        "thycotic_tss",
        &[
            text("server_url", "Secret Server URL")
                .help("The URL of the server, such as https://acme.secretservercloud.com."),
            text("username", "Username").help("A user of the server, or of the domain below."),
            text("domain", "Domain").help("The domain of the user; empty for one of the server itself."),
            secret("password", "Password").help("The password of that user."),
        ],
        &["server_url", "username", "password", "secret_id", "secret_field"],
    )
};

pub(super) static AWS_SECRETS_MANAGER: ManagedType = ManagedType {
    metadata: &[
        text("region_name", "AWS Secrets Manager Region").help("The region in which the secret is."),
        text("secret_name", "AWS Secret Name"),
    ],
    ..ManagedType::new(
        "AWS Secrets Manager lookup",
        "external",
        "aws_secretsmanager_credential",
        &[text("aws_access_key", "AWS Access Key"), secret("aws_secret_key", "AWS Secret Key")],
        &["aws_access_key", "aws_secret_key", "region_name", "secret_name"],
    )
};
