//! The measured server, and requests to it outside of the load tests.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use ureq::Agent;
use ureq::http::Response;

use super::cases::{By, Kind};
use crate::server::{PASSWORD, Server, hostler};

/// The command that starts the server, repeatedly with the same data.
pub struct MeasuredServer {
    binary: PathBuf,
    folder: PathBuf,
    database: Option<String>,
}

impl MeasuredServer {
    /// A server with its data and its log in this folder.
    pub fn new(binary: PathBuf, folder: PathBuf, database: Option<String>) -> Self {
        Self { binary, folder, database }
    }

    /// The SQLite database.
    pub fn file(&self) -> PathBuf {
        self.folder.join("data").join("hostler.db")
    }

    /// Starts the server; returns the seconds until its first response.
    pub fn start(&self, flags: &[&str]) -> Result<(Server, f64)> {
        let mut command = hostler(&self.binary, &self.folder.join("data"));
        command.args(["--log", "warn"]).args(flags);
        if let Some(url) = &self.database {
            command.env("HOSTLER_DATABASE", url);
        }
        let start = Instant::now();
        let server = Server::start(&mut command, &self.folder.join("server.log"))?;
        ApiClient::new(&server.base).agent.get(format!("{}/api/v2/ping/", server.base)).call()?;
        Ok((server, start.elapsed().as_secs_f64()))
    }
}

fn basic(name: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{PASSWORD}")))
}

/// A client for single requests.
pub struct ApiClient {
    agent: Agent,
    base: String,
}

impl ApiClient {
    /// A client for this address.
    pub fn new(base: &str) -> Self {
        // The server is on loopback: no proxy of the environment.
        let agent = Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(60))).build();
        Self { agent: agent.new_agent(), base: base.to_owned() }
    }

    /// The header `Authorization` of the superuser.
    pub fn authorization(&self, by: By, token: &str) -> String {
        match by {
            By::Token => format!("Bearer {token}"),
            By::Basic => basic("admin"),
        }
    }

    /// A new token of the superuser with the scope `write`.
    pub fn token(&self) -> Result<String> {
        self.make_token(&self.authorization(By::Basic, ""))
    }

    /// A new token of a user, who gets a password for it.
    pub fn token_of(&self, user: i64) -> Result<String> {
        let by_superuser = self.authorization(By::Basic, "");
        let path = format!("/api/v2/users/{user}/");
        let request = self.agent.patch(format!("{}{path}", self.base)).header("Authorization", by_superuser);
        let answer = request.header("Content-Type", "application/json").send(json!({"password": PASSWORD}).to_string());
        let answer: Json = serde_json::from_slice(&answer?.body_mut().read_to_vec()?)?;
        let name = answer["username"].as_str().context("a user without a name")?;
        self.make_token(&basic(name))
    }

    fn make_token(&self, authorization: &str) -> Result<String> {
        let answer = self.post("/api/v2/tokens/", authorization, &json!({"scope": "write"}))?;
        Ok(answer["token"].as_str().context("no token")?.to_owned())
    }

    /// Creates one object of each kind, the template of the dataset.
    pub fn make_examples(&self) -> Result<()> {
        let by = self.authorization(By::Basic, "");
        let organization = &self.post("/api/v2/organizations/", &by, &json!({"name": "Example"}))?["id"];
        for list in ["teams", "projects"] {
            let body = json!({"name": "Example", "organization": organization});
            self.post(&format!("/api/v2/{list}/"), &by, &body)?;
        }
        Ok(())
    }

    /// Changes an object by PATCH.
    pub fn change(&self, path: &str, authorization: &str, body: &Json) -> Result<()> {
        let request = self.agent.patch(format!("{}{path}", self.base)).header("Authorization", authorization);
        request.header("Content-Type", "application/json").send(body.to_string())?;
        Ok(())
    }

    /// The response to a POST.
    pub fn post(&self, path: &str, authorization: &str, body: &Json) -> Result<Json> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("Authorization", authorization);
        let mut answer = request.header("Content-Type", "application/json").send(body.to_string())?;
        Ok(serde_json::from_slice(&answer.body_mut().read_to_vec()?)?)
    }

    /// The body of a response.
    pub fn body(&self, path: &str, authorization: &str) -> Result<Vec<u8>> {
        Ok(self.ask(Kind::Get, path, authorization, "")?.body_mut().read_to_vec()?)
    }

    /// The number of statements of a request when the caches are filled.
    pub fn statements(&self, kind: Kind, path: &str, authorization: &str) -> Result<u32> {
        // The first request after a change of settings reloads them.
        self.ask(kind, path, authorization, "Ada")?;
        let answer = self.ask(kind, path, authorization, "Grace")?;
        let count = answer.headers().get("X-API-Query-Count").context("the server does not count")?;
        Ok(count.to_str()?.parse()?)
    }

    fn ask(&self, kind: Kind, path: &str, authorization: &str, name: &str) -> Result<Response<ureq::Body>> {
        let address = format!("{}{path}", self.base);
        Ok(match kind {
            Kind::Get | Kind::List => self.agent.get(address).header("Authorization", authorization).call()?,
            Kind::Patch => {
                let request = self.agent.patch(address).header("Authorization", authorization);
                let body = json!({"first_name": name}).to_string();
                request.header("Content-Type", "application/json").send(body)?
            }
        })
    }
}
