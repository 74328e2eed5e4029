//! Types for machines, source control and Ansible Vault.

use super::{ManagedType, boolean, key, secret, text};

pub(super) static MACHINE: ManagedType = ManagedType::new(
    "Machine",
    "ssh",
    "ssh",
    &[
        text("username", "Username"),
        secret("password", "Password").ask_at_runtime(),
        key("ssh_key_data", "SSH Private Key"),
        secret("ssh_public_key_data", "Signed SSH Certificate").multiline(),
        secret("ssh_key_unlock", "Private Key Passphrase").ask_at_runtime(),
        text("become_method", "Privilege Escalation Method")
            .help("How to become another user on the machine, as Ansible's become_method: sudo, su, runas and so on."),
        text("become_username", "Privilege Escalation Username"),
        secret("become_password", "Privilege Escalation Password").ask_at_runtime(),
    ],
    &[],
);

pub(super) static SOURCE_CONTROL: ManagedType = ManagedType::new(
    "Source Control",
    "scm",
    "scm",
    &[
        text("username", "Username"),
        secret("password", "Password"),
        key("ssh_key_data", "SCM Private Key"),
        secret("ssh_key_unlock", "Private Key Passphrase"),
    ],
    &[],
);

pub(super) static VAULT: ManagedType = ManagedType::new(
    "Vault",
    "vault",
    "vault",
    &[
        secret("vault_password", "Vault Password").ask_at_runtime(),
        text("vault_id", "Vault Identifier").format("vault_id").help(
            "The name before the @ of Ansible's --vault-id, for several vault passwords. Leave it empty if there is \
             only one. It cannot be changed later.",
        ),
    ],
    &["vault_password"],
);

pub(super) static NETWORK: ManagedType = ManagedType {
    dependency: Some(("authorize_password", "authorize")),
    ..ManagedType::new(
        "Network",
        "net",
        "net",
        &[
            text("username", "Username"),
            secret("password", "Password"),
            key("ssh_key_data", "SSH Private Key"),
            secret("ssh_key_unlock", "Private Key Passphrase"),
            boolean("authorize", "Authorize"),
            secret("authorize_password", "Authorize Password"),
        ],
        &["username"],
    )
};
