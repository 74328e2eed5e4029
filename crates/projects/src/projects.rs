//! All projects of an installation.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::checkout::{self, Checkout};
use crate::environment::Environment;
use crate::error::Error;
use crate::folder::{CheckoutFolder, ProjectFolder};
use crate::lock::{Lock, Locks, blocking};
use crate::mirror::Mirrors;
use crate::options::ProjectOptions;
use crate::plan::plan;
use crate::process::OnLine;
use crate::repository::{Repository, is_commit_id};
use crate::secrets_dir::{create_private, default_parent, remove_abandoned, write_askpass};
use crate::source::{GitSource, InvalidField};

/// The folder with the mirrors and checkouts of all projects. Several servers may use the same folder.
pub struct Projects {
    root: PathBuf,
    pub(crate) environment: Environment,
    pub(crate) locks: Locks,
}

/// What an update does with what was fetched before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchMode {
    /// Fetches what has changed.
    Changes,
    /// Fetches everything again (`scm_delete_on_update`).
    Everything,
}

impl Projects {
    /// Opens the folder, creates it if it does not exist, and removes secrets that a killed server left behind.
    pub async fn open(root: PathBuf, options: ProjectOptions) -> Result<Self, Error> {
        blocking(move || {
            let (home, secrets) = (root.join("home"), root.join("secrets"));
            create_private(&home)?;
            create_private(&secrets)?;
            let root = root.canonicalize().map_err(Error::io("open", &root))?;
            let secrets_parent = options.secrets_dir.clone().or_else(default_parent).unwrap_or(secrets);
            remove_abandoned(&secrets_parent)?;
            let askpass = write_askpass(&root)?;
            let (home, known_hosts) = (root.join("home"), root.join("known_hosts"));
            let environment = Environment { options, root: root.clone(), home, askpass, known_hosts, secrets_parent };
            Ok(Self { root, environment, locks: Locks::default() })
        })
        .await
    }

    /// A source at this URL (the field `scm_url`), if the options allow it.
    ///
    /// # Errors
    /// Why the URL cannot be used.
    pub fn source(&self, url: &str) -> Result<GitSource, InvalidField> {
        GitSource::new(url, self.environment.options.allow_file)
    }

    /// Fetches the repository with its submodules, and returns the commit of the source's branch. Dropping the future
    /// cancels the update, which is also how a time limit of the project is kept. Updates of the same project wait for each
    /// other; jobs never wait for an update.
    pub async fn update(
        &self,
        project: i64,
        source: &GitSource,
        mode: FetchMode,
        on_line: OnLine<'_>,
    ) -> Result<String, Error> {
        let folder = self.folder(project);
        let lock = self.locks.exclusive(&folder.update_lock()).await?;
        let replace = mode == FetchMode::Everything;
        let (environment, locks) = (&self.environment, &self.locks);
        let variables = &source.environment;
        let mirrors = Mirrors { environment, locks, folder: &folder, lock: &lock, replace, variables, on_line };
        mirrors.remove_leftovers().await?;
        mirrors.fetch(&source.url, &source.credential, source.refspec.as_deref()).await?;
        let repository = Repository { environment, path: folder.mirror(&source.url) };
        let mut commit = repository.resolve(&source.branch).await?;
        if commit.is_none() && is_commit_id(&source.branch) {
            mirrors.fetch_commit(&source.url, &source.credential, &source.branch).await?;
            commit = repository.resolve(&source.branch).await?;
        }
        let Some(commit) = commit else {
            let is_default = source.branch.is_empty() || source.branch == "HEAD";
            return Err(if is_default {
                Error::NoDefaultBranch
            } else {
                Error::UnknownRevision(source.branch.clone())
            });
        };
        let plan = plan(environment, &folder, source, &commit, Some(&mirrors)).await?;
        mirrors.remove_others(&source.url, plan.mirrors()).await?;
        on_line(&format!("The commit is {commit}"));
        Ok(commit)
    }

    /// The files of a commit that an update has fetched. The first caller creates them, all others share them. They are
    /// kept until [`release`](Self::release) is called for the holder, such as `job-17`.
    pub async fn checkout(
        &self,
        project: i64,
        source: &GitSource,
        commit: &str,
        holder: &str,
        on_line: OnLine<'_>,
    ) -> Result<Checkout, Error> {
        if !is_commit_id(commit) {
            return Err(Error::UnknownRevision(commit.to_owned()));
        }
        check_holder(holder)?;
        let folder = self.folder(project);
        let environment = &self.environment;
        let mut planned = None;
        if source.track_submodules {
            let _reading = self.locks.shared(&folder.reading_lock()).await?;
            planned = Some(plan(environment, &folder, source, commit, None).await?);
        }
        let key = planned.as_ref().map_or_else(|| commit.to_owned(), |plan| plan.key(source));
        if !folder.mirrors().is_dir() && !folder.checkout(&key).files().is_dir() {
            return Err(Error::NotFetched(commit.to_owned()));
        }
        let lock = self.locks.exclusive(&folder.checkout(&key).lock()).await?;
        let checkout_folder = folder.checkout(&key);
        if !checkout_folder.files().is_dir() {
            let created = self.create(&folder, source, commit, &checkout_folder, planned, &lock, on_line).await;
            if let Err(error) = created {
                blocking(move || checkout::remove(&checkout_folder, lock)).await?;
                return Err(error);
            }
        }
        let (checkout_folder, holder, commit) = (folder.checkout(&key), holder.to_owned(), commit.to_owned());
        blocking(move || {
            let references = checkout_folder.references();
            fs::create_dir_all(&references).map_err(Error::io("create", &references))?;
            let reference = references.join(holder);
            fs::write(&reference, "").map_err(Error::io("create", &reference))?;
            drop(lock);
            Ok(Checkout { path: checkout_folder.files(), commit, folder: checkout_folder })
        })
        .await
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are the state of one call of checkout")]
    async fn create(
        &self,
        folder: &ProjectFolder,
        source: &GitSource,
        commit: &str,
        checkout_folder: &CheckoutFolder,
        planned: Option<crate::plan::Plan>,
        lock: &Lock,
        on_line: OnLine<'_>,
    ) -> Result<(), Error> {
        let incomplete = checkout_folder.clone();
        lock.blocking(move || checkout::remove_incomplete(&incomplete)).await?;
        let _reading = self.locks.shared(&folder.reading_lock()).await?;
        let planned = match planned {
            Some(planned) => planned,
            None => plan(&self.environment, folder, source, commit, None).await?,
        };
        checkout::create(&self.environment, checkout_folder, &planned, lock, on_line).await
    }

    /// The projects of which files are stored.
    pub async fn stored(&self) -> Result<Vec<i64>, Error> {
        let root = self.root.clone();
        blocking(move || Ok(checkout::names(&root).iter().filter_map(|name| name.parse().ok()).collect())).await
    }

    /// The holders of a project's checkouts. After a restart the server releases those whose jobs have ended.
    pub async fn holders(&self, project: i64) -> Result<Vec<String>, Error> {
        let checkouts = self.folder(project).checkouts();
        blocking(move || {
            let keys = checkout::names(&checkouts).into_iter();
            let folders = keys.map(|key| CheckoutFolder { path: checkouts.join(key) });
            let mut holders: Vec<String> = folders.flat_map(|folder| checkout::names(&folder.references())).collect();
            holders.sort_unstable();
            holders.dedup();
            Ok(holders)
        })
        .await
    }

    /// Ends a holder's use of the project's checkouts.
    pub async fn release(&self, project: i64, holder: &str) -> Result<(), Error> {
        check_holder(holder)?;
        let (checkouts, holder) = (self.folder(project).checkouts(), holder.to_owned());
        blocking(move || {
            for key in checkout::names(&checkouts) {
                let reference = CheckoutFolder { path: checkouts.join(key) }.references().join(&holder);
                match fs::remove_file(&reference) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::io("remove", &reference)(error));
                    }
                    _ => {}
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes the checkouts that nobody holds, except those of these commits. Of a commit with several checkouts the
    /// newest is kept.
    pub async fn remove_unused(&self, project: i64, keep: &[&str]) -> Result<(), Error> {
        let folder = self.folder(project);
        let mut newest: HashMap<&str, (SystemTime, String)> = HashMap::new();
        let keys = checkout::names(&folder.checkouts());
        for key in &keys {
            let commit = key.split('-').next().unwrap_or(key);
            let created = fs::metadata(folder.checkout(key).files()).and_then(|metadata| metadata.modified());
            if let (true, Ok(created)) = (keep.contains(&commit), created) {
                let entry = newest.entry(commit).or_insert_with(|| (created, key.clone()));
                if entry.0 < created {
                    *entry = (created, key.clone());
                }
            }
        }
        for key in keys.iter().filter(|key| !newest.values().any(|(_, kept)| kept == *key)) {
            let checkout_folder = folder.checkout(key);
            // One that is being created or taken is used.
            let Some(lock) = self.locks.try_exclusive(&checkout_folder.lock())? else { continue };
            if checkout::names(&checkout_folder.references()).is_empty() {
                blocking(move || checkout::remove(&checkout_folder, lock)).await?;
            }
        }
        Ok(())
    }

    /// Removes all of a deleted project that nobody uses, and with the last call all of it.
    pub async fn remove_project(&self, project: i64) -> Result<(), Error> {
        let folder = self.folder(project);
        if !folder.path.exists() {
            return Ok(());
        }
        let lock = self.locks.exclusive(&folder.update_lock()).await?;
        let reading = self.locks.exclusive(&folder.reading_lock()).await?;
        let mirrors = folder.mirrors();
        blocking(move || {
            checkout::remove_tree(&mirrors)?;
            drop(reading);
            Ok(())
        })
        .await?;
        self.remove_unused(project, &[]).await?;
        blocking(move || {
            if checkout::names(&folder.checkouts()).is_empty() {
                checkout::remove_tree(&folder.path)?;
            }
            drop(lock);
            Ok(())
        })
        .await
    }

    fn folder(&self, project: i64) -> ProjectFolder {
        ProjectFolder { path: self.root.join(project.to_string()) }
    }
}

/// A holder is the name of a file.
fn check_holder(holder: &str) -> Result<(), Error> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if holder.is_empty() || holder.len() > 100 || holder.starts_with('.') || !holder.chars().all(valid) {
        return Err(Error::InvalidName(holder.to_owned()));
    }
    Ok(())
}
