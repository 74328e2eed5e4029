//! Roles and collections that a project requires.
//!
//! They are installed by ansible-galaxy once per checkout, content of the files, and servers, into a folder beside the
//! checkout's files, and removed with them. Jobs share them, read-only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::checkout::{Checkout, publish, remove_tree};
use crate::error::{Error, last_lines};
use crate::lock::{Lock, blocking};
use crate::mirror::digest;
use crate::paths;
use crate::process::{OnLine, run};
use crate::projects::Projects;
use crate::secrets_dir::SecretsDir;
use crate::source::{GitSource, InvalidField};

/// The largest requirements file.
const MAX_LENGTH: u64 = 1 << 20;

/// The home folder of ansible-galaxy.
const HOME: &str = "home";

/// The files that may name requirements, and for which kinds.
const FILES: [(&str, &[Kind]); 6] = [
    ("roles/requirements.yml", &[Kind::Role]),
    ("roles/requirements.yaml", &[Kind::Role]),
    ("collections/requirements.yml", &[Kind::Collection]),
    ("collections/requirements.yaml", &[Kind::Collection]),
    ("requirements.yml", &[Kind::Role, Kind::Collection]),
    ("requirements.yaml", &[Kind::Role, Kind::Collection]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Role,
    Collection,
}

impl Kind {
    /// The command of ansible-galaxy.
    fn command(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Collection => "collection",
        }
    }

    /// The key in a file, and the name of the folder.
    fn plural(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::Collection => "collections",
        }
    }
}

/// How requirements are installed.
#[derive(Debug, Clone)]
pub struct AnsibleGalaxy {
    /// The program: a name on the server's PATH, or a path.
    pub program: PathBuf,
    /// The servers to install from, in order. Without any, the project's `ansible.cfg` applies.
    pub servers: Vec<GalaxyServer>,
    /// Whether roles are installed.
    pub installs_roles: bool,
    /// Whether collections are installed.
    pub installs_collections: bool,
    /// Whether it prints more.
    pub is_verbose: bool,
    /// Whether it accepts any certificate.
    pub ignores_certificates: bool,
    /// Environment variables that take precedence.
    pub environment: BTreeMap<String, String>,
}

/// A server with roles and collections, from a credential of the organization.
#[derive(Clone)]
pub struct GalaxyServer {
    /// The URL of the server.
    pub url: String,
    /// The URL at which a token is exchanged, or an empty text.
    pub auth_url: String,
    /// The token, or an empty text.
    pub token: zeroize::Zeroizing<String>,
}

impl std::fmt::Debug for GalaxyServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GalaxyServer").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Where the requirements of a checkout are installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The folder for `ANSIBLE_ROLES_PATH`, if the project requires roles.
    pub roles: Option<PathBuf>,
    /// The folder for `ANSIBLE_COLLECTIONS_PATH`, if the project requires collections.
    pub collections: Option<PathBuf>,
}

/// A file with requirements of one kind.
struct RequirementsFile {
    path: &'static str,
    kind: Kind,
    text: String,
}

impl Projects {
    /// Installs what the requirements files of a checkout name, unless it is installed. The caller holds the checkout.
    /// Private git repositories are read with the credential of the source.
    pub async fn install_requirements(
        &self,
        checkout: &Checkout,
        source: &GitSource,
        galaxy: &AnsibleGalaxy,
        on_line: OnLine<'_>,
    ) -> Result<Requirements, Error> {
        galaxy.check()?;
        let folder = checkout.path.clone();
        let mut files = blocking(move || find(&folder)).await?;
        files.retain(|file| galaxy.installs(file.kind));
        if files.is_empty() {
            return Ok(Requirements::default());
        }
        let name = format!("requirements-{}", galaxy.digest(&files));
        let target = checkout.folder.path.join(&name);
        let lock = self.locks.exclusive(&checkout.folder.path.join(format!("{name}.lock"))).await?;
        if !target.is_dir() {
            let partial = checkout.folder.path.join(format!("{name}.partial"));
            let created = self.install(checkout, source, galaxy, &files, &partial, &lock, on_line).await;
            let target = target.clone();
            let finish = move || match created {
                Ok(()) => remove_tree(&partial.join(HOME)).and_then(|()| publish(&partial, &target)),
                Err(error) => remove_tree(&partial).and(Err(error)),
            };
            lock.blocking(finish).await?;
        }
        let installed = |kind| {
            let is_required = files.iter().any(|file: &RequirementsFile| file.kind == kind);
            is_required.then(|| target.join(kind.plural()))
        };
        Ok(Requirements { roles: installed(Kind::Role), collections: installed(Kind::Collection) })
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are the state of one call of install_requirements")]
    async fn install(
        &self,
        checkout: &Checkout,
        source: &GitSource,
        galaxy: &AnsibleGalaxy,
        files: &[RequirementsFile],
        partial: &Path,
        lock: &Lock,
        on_line: OnLine<'_>,
    ) -> Result<(), Error> {
        let environment = &self.environment;
        let home = partial.join(HOME);
        let folders = [home.clone(), partial.join(Kind::Role.plural()), partial.join(Kind::Collection.plural())];
        let left = partial.to_owned();
        let create = move || {
            remove_tree(&left)?;
            folders.iter().try_for_each(|folder| fs::create_dir_all(folder).map_err(Error::io("create", folder)))
        };
        lock.blocking(create).await?;
        let credential_files = environment.credential_files(&source.url, &source.credential)?;
        let mut mask = credential_files.mask.clone();
        galaxy.servers.iter().for_each(|server| mask.add(&server.token));
        let secrets = SecretsDir::create(&environment.secrets_parent)?;
        let config = match galaxy.config() {
            Some(config) => Some(secrets.write("ansible.cfg", &config)?),
            None => None,
        };
        for file in files {
            on_line(&format!("Installing {} of {}", file.kind.plural(), file.path));
            let mut command = environment.command(&galaxy.program, &[]);
            credential_files.apply(&mut command);
            command.env("HOME", &home).env("ANSIBLE_NOCOLOR", "1").current_dir(&checkout.path);
            if let Some(config) = &config {
                command.env("ANSIBLE_CONFIG", config);
            }
            command.envs(&source.environment).envs(&galaxy.environment);
            command.args([file.kind.command(), "install", "-r", file.path, "-p"]).arg(partial.join(file.kind.plural()));
            if galaxy.is_verbose {
                command.arg("-vvv");
            }
            if galaxy.ignores_certificates {
                command.arg("--ignore-certs");
            }
            let finished = run(command, lock.inherited()?, environment.options.timeout, &mask, on_line).await?;
            String::from_utf8_lossy(&finished.stdout).lines().for_each(|line| on_line(&mask.line(line)));
            if !finished.success {
                let program = "ansible-galaxy".to_owned();
                return Err(Error::Failed { program, detail: last_lines(&finished.stderr) });
            }
        }
        Ok(())
    }
}

impl Default for AnsibleGalaxy {
    /// ansible-galaxy in PATH, which installs everything.
    fn default() -> Self {
        Self {
            program: "ansible-galaxy".into(),
            servers: Vec::new(),
            installs_roles: true,
            installs_collections: true,
            is_verbose: false,
            ignores_certificates: false,
            environment: BTreeMap::new(),
        }
    }
}

impl AnsibleGalaxy {
    fn installs(&self, kind: Kind) -> bool {
        match kind {
            Kind::Role => self.installs_roles,
            Kind::Collection => self.installs_collections,
        }
    }

    fn check(&self) -> Result<(), Error> {
        let valid = |text: &str| !text.contains(|c: char| c.is_control() || c.is_whitespace());
        for server in &self.servers {
            if server.url.is_empty() || !valid(&server.url) || !valid(&server.auth_url) || !valid(&server.token) {
                let message = "The URL and the token of a Galaxy server must not contain spaces or line breaks.";
                return Err(InvalidField::new("url", message).into());
            }
        }
        Ok(())
    }

    /// What the installed roles and collections depend on.
    fn digest(&self, files: &[RequirementsFile]) -> String {
        let mut text = self.program.display().to_string();
        for part in self.servers.iter().map(|server| &server.url).chain(files.iter().map(|file| &file.text)) {
            text.push('\0');
            text.push_str(part);
        }
        digest(&text)
    }

    /// The configuration file with the servers. It is secret, because it contains the tokens.
    fn config(&self) -> Option<zeroize::Zeroizing<String>> {
        if self.servers.is_empty() {
            return None;
        }
        let names: Vec<String> = (1..=self.servers.len()).map(|number| format!("server{number}")).collect();
        let mut text = format!("[galaxy]\nserver_list = {}\n", names.join(","));
        for (name, server) in names.iter().zip(&self.servers) {
            text.push_str(&format!("[galaxy_server.{name}]\nurl = {}\n", server.url));
            for (key, value) in [("auth_url", server.auth_url.as_str()), ("token", server.token.as_str())] {
                if !value.is_empty() {
                    text.push_str(&format!("{key} = {value}\n"));
                }
            }
        }
        Some(zeroize::Zeroizing::new(text))
    }
}

/// The requirements files of a project that name something.
fn find(folder: &Path) -> Result<Vec<RequirementsFile>, Error> {
    let mut found = Vec::new();
    for (path, kinds) in FILES {
        let invalid = |reason: String| Error::InvalidRequirements { file: path.to_owned(), reason };
        let file = match paths::inside(folder, path) {
            Ok(file) => file,
            Err(paths::InvalidPath::NotFound(_)) => continue,
            Err(error) => return Err(invalid(error.to_string())),
        };
        let length = fs::metadata(&file).map_err(Error::io("read", &file))?;
        if !length.is_file() || length.len() > MAX_LENGTH {
            return Err(invalid("it is no file, or larger than 1 MiB".to_owned()));
        }
        let text = fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        if text.lines().all(|line| line.trim().is_empty() || line.starts_with('#') || line.trim_end() == "---") {
            continue;
        }
        let content: Json = serde_saphyr::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        for kind in kinds {
            if requires(&content, *kind, kinds.len() > 1).map_err(|reason| invalid(reason.to_owned()))? {
                found.push(RequirementsFile { path, kind: *kind, text: text.clone() });
            }
        }
    }
    Ok(found)
}

/// Whether a file names something of a kind. A list has roles, unless the file is only for collections: ansible-galaxy
/// then explains what is wrong.
fn requires(content: &Json, kind: Kind, is_for_both: bool) -> Result<bool, &'static str> {
    match content {
        Json::Null => Ok(false),
        Json::Array(list) => Ok(!list.is_empty() && (kind == Kind::Role || !is_for_both)),
        Json::Object(map) => match map.get(kind.plural()) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Array(list)) => Ok(!list.is_empty()),
            Some(_) => Err("roles and collections must be lists"),
        },
        _ => Err("a list or a mapping is needed"),
    }
}
