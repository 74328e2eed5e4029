//! What a job gets of its credentials.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_credential_types::{InputSchema, render_injectors};
use hostler_database::Error as DatabaseError;
use hostler_queue::JobKind;
use hostler_supervisor::{Secrets, SshKey, VaultPassword};
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::job_row::JobRow;
use crate::preparation::Refusal;
use crate::runner::Runner;

mod managed;

/// What is shown instead of a secret variable, as in AWX.
pub(crate) const MASK: &str = "**********";

/// What a job gets of all its credentials.
pub(crate) struct JobCredentials {
    pub secrets: Secrets,
    pub remote_user: String,
    pub become_method: String,
    pub become_user: String,
    /// Environment variables that are not secret.
    pub public_environment: BTreeMap<String, String>,
    /// The environment variables among the secrets, masked.
    pub masked_environment: BTreeMap<String, String>,
    /// Extra variables.
    pub variables: Map<String, Value>,
    /// Files in the directory of the job, by name.
    pub files: Vec<(String, Zeroizing<Vec<u8>>)>,
}

/// A credential with its type.
struct Credential {
    id: i64,
    name: String,
    namespace: Option<String>,
    schema: InputSchema,
    injectors: Value,
    /// In plain text.
    inputs: Map<String, Value>,
}

/// The value of an input that the job asks for at launch.
const ASK: &str = "ASK";

impl Runner {
    /// What a job gets of its credentials. `workspace` is the folder that the job will see.
    pub(crate) async fn job_credentials(&self, job: &JobRow, workspace: &Path) -> Result<JobCredentials, Refusal> {
        // An ad hoc command has one in its row.
        let (table, id) = match job.kind {
            JobKind::AdHocCommand => ("unified_jobs", "id"),
            _ => ("unified_job_credentials", "unified_job_id"),
        };
        let of_job = Query::select()
            .column("credential_id")
            .from(Alias::new(table))
            .and_where(Expr::col(Alias::new(id)).eq(job.id))
            .to_owned();
        let passwords = self.job_secrets(job.id, "credential_passwords", &job.credential_passwords)?;
        let mut all = JobCredentials::default();
        for mut credential in self.credentials(of_job).await? {
            credential.answer(&passwords)?;
            all.add(&credential, workspace)?;
        }
        Ok(all)
    }

    /// The credentials with these ids, by id, in two statements.
    async fn credentials(&self, ids: SelectStatement) -> Result<Vec<Credential>, Refusal> {
        let column = |table: &'static str, name: &'static str| Expr::col((Alias::new(table), Alias::new(name)));
        let (table, types) = ("credentials", "credential_types");
        let query = Query::select()
            .exprs([column(table, "id"), column(table, "name"), column(types, "namespace")])
            .exprs([column(types, "inputs"), column(types, "injectors"), column(table, "inputs")])
            .from(Alias::new(table))
            .inner_join(Alias::new(types), column(types, "id").eq(column(table, "credential_type_id")))
            .and_where(column(table, "id").in_subquery(ids.clone()))
            .order_by((Alias::new(table), Alias::new("id")), Order::Asc)
            .to_owned();
        type Columns = (i64, String, Option<String>, Value, Value, Value);
        let rows: Vec<Columns> = self.database.read_as(&query).await?;
        if let Some((id, field)) = self.external_input(ids).await? {
            let name = rows.iter().find(|row| row.0 == id).map(|row| row.1.as_str()).unwrap_or_default();
            return Err(Refusal::error(format!(
                "The input {field} of the credential {name:?} comes from an external system, which is not implemented yet."
            )));
        }
        rows.into_iter()
            .map(|(id, name, namespace, schema, injectors, inputs)| {
                let inputs = match inputs {
                    Value::Object(inputs) => self.decrypted(id, &name, inputs)?,
                    _ => Map::new(),
                };
                Ok(Credential { id, name, namespace, schema: InputSchema::read(&schema), injectors, inputs })
            })
            .collect()
    }

    /// One of the inputs that come from another system.
    async fn external_input(&self, ids: SelectStatement) -> Result<Option<(i64, String)>, DatabaseError> {
        let query = Query::select()
            .columns(["target_credential_id", "input_field_name"])
            .from(Alias::new("credential_input_sources"))
            .and_where(Expr::col(Alias::new("target_credential_id")).in_subquery(ids))
            .limit(1)
            .to_owned();
        self.database.read_first(&query).await
    }

    /// Secrets that are stored with a job in this field, in plain text.
    pub(crate) fn job_secrets(
        &self,
        job: i64,
        field: &str,
        stored: &Map<String, Value>,
    ) -> Result<BTreeMap<String, String>, Refusal> {
        let plain = self.vault.decrypt_members("job", job, field, stored).map_err(|(name, problem)| {
            Refusal::error(format!("The secret {name} of the job cannot be decrypted: {problem}."))
        })?;
        Ok(plain.into_iter().map(|(name, text)| (name, text.to_string())).collect())
    }

    fn decrypted(&self, id: i64, name: &str, mut inputs: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
        let plain = self.vault.decrypt_members("credential", id, "inputs", &inputs).map_err(|(input, problem)| {
            Refusal::error(format!("The input {input} of the credential {name:?} cannot be decrypted: {problem}."))
        })?;
        inputs.extend(plain.into_iter().map(|(input, text)| (input, text.as_str().into())));
        Ok(inputs)
    }
}

impl Credential {
    /// A text among the inputs; empty if there is none.
    fn text(&self, name: &str) -> String {
        self.inputs.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A text, unless it is empty.
    fn given(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Replaces the inputs that it asks for at launch by these passwords.
    fn answer(&mut self, passwords: &BTreeMap<String, String>) -> Result<(), Refusal> {
        let fields = self.schema.fields.iter().map(|field| field.id.clone());
        let asked: Vec<String> = fields.filter(|field| self.text(field) == ASK).collect();
        for field in asked {
            let name = match (self.namespace.as_deref(), field.as_str()) {
                (Some("ssh"), "password") => "ssh_password".to_owned(),
                // Without a key there is nothing to unlock.
                (Some("ssh"), "ssh_key_unlock") if self.given("ssh_key_data").is_none() => {
                    self.inputs.shift_remove(&field);
                    continue;
                }
                (Some("ssh"), "become_password" | "ssh_key_unlock") => field.clone(),
                (Some("vault"), "vault_password") => match self.given("vault_id") {
                    Some(id) => format!("vault_password.{id}"),
                    None => field.clone(),
                },
                _ => continue,
            };
            let Some(password) = passwords.get(&name) else {
                let problem = format!("The credential {:?} asks for {name}, which was not given at launch.", self.name);
                return Err(Refusal::error(problem));
            };
            self.inputs.insert(field, password.as_str().into());
        }
        Ok(())
    }
}

impl JobCredentials {
    fn add(&mut self, credential: &Credential, workspace: &Path) -> Result<(), Refusal> {
        match credential.namespace.as_deref() {
            Some("ssh") => self.add_machine(credential, workspace),
            Some("vault") => {
                if let Some(password) = credential.given("vault_password") {
                    self.secrets.vaults.push(VaultPassword { id: credential.text("vault_id"), password });
                }
            }
            Some("net") => self.add_network(credential, workspace),
            Some(namespace) => match managed::injectors(namespace, credential) {
                Some(injectors) => return self.inject(credential, &injectors, workspace),
                None => return self.inject(credential, &credential.injectors, workspace),
            },
            None => return self.inject(credential, &credential.injectors, workspace),
        }
        Ok(())
    }

    fn add_machine(&mut self, credential: &Credential, workspace: &Path) {
        self.remote_user = credential.text("username");
        self.become_method = credential.text("become_method");
        self.become_user = credential.text("become_username");
        self.secrets.connection_password = credential.given("password");
        self.secrets.become_password = credential.given("become_password");
        if let Some(private_key) = credential.given("ssh_key_data") {
            let passphrase = credential.given("ssh_key_unlock");
            self.secrets.ssh_keys.push(SshKey { private_key, passphrase });
        }
        if let Some(certificate) = credential.given("ssh_public_key_data") {
            // Without the key, which is in the agent only, it is of no use to others.
            let path = self.add_file("credentials/ssh-certificate", certificate + "\n", workspace);
            self.set("ANSIBLE_SSH_COMMON_ARGS", &format!("-o CertificateFile=\"{path}\""));
        }
    }

    fn add_network(&mut self, credential: &Credential, workspace: &Path) {
        self.set("ANSIBLE_NET_USERNAME", &credential.text("username"));
        if let Some(password) = credential.given("password") {
            self.set_secret("ANSIBLE_NET_PASSWORD", password);
        }
        if let Some(key) = credential.given("ssh_key_data") {
            let name = format!("credentials/{}-ssh-key", credential.id);
            let path = self.add_file(&name, key.trim_end().to_owned() + "\n", workspace);
            self.set("ANSIBLE_NET_SSH_KEYFILE", &path);
        }
        if credential.inputs.get("authorize").and_then(Value::as_bool) == Some(true) {
            self.set("ANSIBLE_NET_AUTHORIZE", "1");
            if let Some(password) = credential.given("authorize_password") {
                self.set_secret("ANSIBLE_NET_AUTH_PASS", password);
            }
        }
    }

    fn inject(&mut self, credential: &Credential, injectors: &Value, workspace: &Path) -> Result<(), Refusal> {
        let file = |name: Option<&str>| format!("credentials/{}-{}", credential.id, name.unwrap_or("file"));
        let path_of = |name: Option<&str>| workspace.join(file(name)).display().to_string();
        let injected = render_injectors(&credential.schema, injectors, &credential.inputs, path_of);
        let injected =
            injected.map_err(|problem| Refusal::error(format!("The credential {:?}: {problem}.", credential.name)))?;
        for (name, value) in injected.env {
            self.secrets.environment.insert(name, value.to_string());
        }
        self.masked_environment.extend(injected.masked_env);
        self.variables.extend(injected.extra_vars);
        for (name, content) in injected.files {
            let content = Zeroizing::new(content.as_bytes().to_vec());
            self.files.push((format!("workspace/{}", file(name.as_deref())), content));
        }
        Ok(())
    }

    /// Adds a file of the workspace, and returns its path.
    fn add_file(&mut self, name: &str, content: String, workspace: &Path) -> String {
        self.files.push((format!("workspace/{name}"), Zeroizing::new(content.into_bytes())));
        workspace.join(name).display().to_string()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.public_environment.insert(name.to_owned(), value.to_owned());
    }

    fn set_secret(&mut self, name: &str, value: String) {
        self.masked_environment.insert(name.to_owned(), MASK.to_owned());
        self.secrets.environment.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn credential(namespace: Option<&str>, injectors: Value, inputs: Value) -> Credential {
        let schema = json!({"fields": [
            {"id": "password", "type": "string", "secret": true, "ask_at_runtime": true},
            {"id": "username", "type": "string"},
        ]});
        Credential {
            id: 3,
            name: "c".into(),
            namespace: namespace.map(str::to_owned),
            schema: InputSchema::read(&schema),
            injectors,
            inputs: inputs.as_object().unwrap().clone(),
        }
    }

    fn of(credential: &Credential) -> JobCredentials {
        let mut all = JobCredentials::default();
        all.add(credential, Path::new("/w")).unwrap();
        all
    }

    #[test]
    fn machine_credential_becomes_options_and_secrets() {
        let inputs = json!({"username": "u", "password": "p", "ssh_key_data": "k", "ssh_key_unlock": "x",
            "become_method": "su", "become_username": "b", "become_password": "q", "ssh_public_key_data": "cert"});
        let all = of(&credential(Some("ssh"), json!({}), inputs));
        assert_eq!((&*all.remote_user, &*all.become_method, &*all.become_user), ("u", "su", "b"));
        assert_eq!(all.secrets.connection_password.as_deref(), Some("p"));
        assert_eq!(all.secrets.become_password.as_deref(), Some("q"));
        assert_eq!(all.secrets.ssh_keys[0].passphrase.as_deref(), Some("x"));
        assert_eq!(all.files[0].0, "workspace/credentials/ssh-certificate");
        let option = &all.public_environment["ANSIBLE_SSH_COMMON_ARGS"];
        assert_eq!(option, "-o CertificateFile=\"/w/credentials/ssh-certificate\"");
    }

    #[test]
    fn injectors_of_custom_and_managed_types_are_rendered() {
        let injectors = json!({"env": {"T": "{{password}}", "F": "{{tower.filename}}"},
            "file": {"template": "<{{password}}>"}, "extra_vars": {"v": "{{username}}"}});
        let all = of(&credential(None, injectors, json!({"username": "u", "password": "p"})));
        assert_eq!(all.secrets.environment["T"], "p");
        assert_eq!(all.secrets.environment["F"], "/w/credentials/3-file");
        assert_eq!(all.masked_environment["T"], "**********");
        assert_eq!(all.variables["v"], "u");
        assert_eq!(all.files[0].0, "workspace/credentials/3-file");
        assert_eq!(all.files[0].1.as_slice(), b"<p>");

        let all = of(&credential(Some("aws"), json!({}), json!({"username": "u", "password": "p"})));
        assert_eq!(all.secrets.environment["AWS_SECRET_ACCESS_KEY"], "p");
        assert!(!all.secrets.environment.contains_key("AWS_SESSION_TOKEN"));
    }

    #[test]
    fn asked_passwords_are_those_of_the_launch() {
        let mut asks = credential(Some("ssh"), json!({}), json!({"password": "ASK", "username": "ASK"}));
        let problem = asks.answer(&BTreeMap::new()).unwrap_err();
        assert!(problem.explanation.contains("ssh_password"), "{problem:?}");
        asks.answer(&BTreeMap::from([("ssh_password".into(), "p".into())])).unwrap();
        let all = of(&asks);
        assert_eq!(all.secrets.connection_password.as_deref(), Some("p"));
        assert_eq!(all.remote_user, "ASK", "a user name is not asked for");
    }
}
