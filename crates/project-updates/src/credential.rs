//! Credentials as git and ansible-galaxy need them.

use hostler_database::{Database, Error as DatabaseError};
use hostler_projects::{GalaxyServer, GitCredential};
use hostler_vault::{Vault, VaultError};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};
use serde_json::Value;
use zeroize::Zeroizing;

/// The inputs of a credential for a repository.
const GIT_INPUTS: [&str; 4] = ["username", "password", "ssh_key_data", "ssh_key_unlock"];
/// The inputs of a credential for a Galaxy server.
const GALAXY_INPUTS: [&str; 3] = ["url", "auth_url", "token"];

/// Why a credential cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The database cannot be read.
    #[error("The credential cannot be read: {0}.")]
    Database(#[from] DatabaseError),
    /// The secret cannot be decrypted.
    #[error("The credential cannot be decrypted: {0}.")]
    Vault(#[from] VaultError),
    /// It was deleted at the same moment.
    #[error("The credential does not exist any more.")]
    Deleted,
    /// A value comes from an external system.
    #[error("The value {0} of the credential comes from an external secret store, which updates cannot use yet.")]
    External(String),
}

/// The credential of a repository.
///
/// # Errors
/// Why it cannot be used.
pub async fn git_credential(database: &Database, vault: &Vault, id: i64) -> Result<GitCredential, CredentialError> {
    let query = Query::select().column("inputs").from("credentials").and_where(Expr::col("id").eq(id)).to_owned();
    let inputs: Value = database.read_first(&query).await?.ok_or(CredentialError::Deleted)?;
    refuse_external(database, id, &GIT_INPUTS).await?;
    let [username, password, ssh_key, ssh_key_passphrase] = decrypted(vault, id, &inputs, GIT_INPUTS)?;
    Ok(GitCredential { username: username.to_string(), password, ssh_key, ssh_key_passphrase })
}

/// The Galaxy servers of an organization, in their order.
///
/// # Errors
/// Why they cannot be used.
pub async fn galaxy_servers(
    database: &Database,
    vault: &Vault,
    organization: Option<i64>,
) -> Result<Vec<GalaxyServer>, CredentialError> {
    const LINKS: &str = "organization_galaxy_credentials";
    let Some(organization) = organization else { return Ok(vec![]) };
    let of = |table: &'static str, name: &'static str| Expr::col((Alias::new(table), Alias::new(name)));
    let query = Query::select()
        .expr(of("credentials", "id"))
        .expr(of("credentials", "inputs"))
        .from(LINKS)
        .inner_join(Alias::new("credentials"), of("credentials", "id").eq(of(LINKS, "credential_id")))
        .and_where(of(LINKS, "organization_id").eq(organization))
        .order_by((Alias::new(LINKS), Alias::new("id")), Order::Asc)
        .to_owned();
    let mut servers = vec![];
    let credentials: Vec<(i64, Value)> = database.read_as(&query).await?;
    for (id, inputs) in credentials {
        refuse_external(database, id, &GALAXY_INPUTS).await?;
        let [url, auth_url, token] = decrypted(vault, id, &inputs, GALAXY_INPUTS)?;
        servers.push(GalaxyServer { url: url.to_string(), auth_url: auth_url.to_string(), token });
    }
    Ok(servers)
}

/// The values of these inputs in plain text; empty for those that the credential does not have.
fn decrypted<const N: usize>(
    vault: &Vault,
    id: i64,
    inputs: &Value,
    names: [&str; N],
) -> Result<[Zeroizing<String>; N], VaultError> {
    // The update does not depend on the others.
    let needed = names.into_iter().filter_map(|name| Some((name.to_owned(), inputs.get(name)?.clone()))).collect();
    let mut plain = vault.decrypt_members("credential", id, "inputs", &needed).map_err(|(_, problem)| problem)?;
    let stored = |name| Zeroizing::new(needed.get(name).and_then(Value::as_str).unwrap_or_default().to_owned());
    Ok(names.map(|name| plain.remove(name).unwrap_or_else(|| stored(name))))
}

async fn refuse_external(database: &Database, id: i64, names: &[&str]) -> Result<(), CredentialError> {
    let query = Query::select()
        .column("input_field_name")
        .from("credential_input_sources")
        .and_where(Expr::col("target_credential_id").eq(id))
        .and_where(Expr::col("input_field_name").is_in(names.iter().copied()))
        .limit(1)
        .to_owned();
    let external: Option<String> = database.read_first(&query).await?;
    external.map_or(Ok(()), |name| Err(CredentialError::External(name)))
}
