//! Bare mirrors of repositories: what has been fetched of a project and its submodules.
//!
//! Each URL has a mirror of its own, so that a project whose URL changes cannot use commits of the old repository.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::environment::Environment;
use crate::error::{Error, from_git, from_local_git};
use crate::folder::ProjectFolder;
use crate::git_url::GitUrl;
use crate::lock::{Lock, Locks};
use crate::process::OnLine;
use crate::repository::{Call, DEFAULT_BRANCH, Repository};
use crate::source::GitCredential;

/// The mirrors of a project while they are updated.
pub(crate) struct Mirrors<'a> {
    pub environment: &'a Environment,
    pub locks: &'a Locks,
    pub folder: &'a ProjectFolder,
    /// Held for the whole update, so that only one update of a project runs at a time.
    pub lock: &'a Lock,
    /// Whether existing mirrors are replaced.
    pub replace: bool,
    /// Environment variables of programs that connect to the server.
    pub variables: &'a BTreeMap<String, String>,
    pub on_line: OnLine<'a>,
}

impl Mirrors<'_> {
    fn variables(&self) -> Vec<(&str, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), OsStr::new(value))).collect()
    }

    /// Removes what an update left behind that was killed.
    pub async fn remove_leftovers(&self) -> Result<(), Error> {
        let mirrors = self.folder.mirrors();
        let remove = move || {
            fs::create_dir_all(&mirrors).map_err(Error::io("create", &mirrors))?;
            for entry in fs::read_dir(&mirrors).map_err(Error::io("read", &mirrors))?.flatten() {
                if entry.file_name().to_string_lossy().starts_with('.') {
                    fs::remove_dir_all(entry.path()).map_err(Error::io("remove", &entry.path()))?;
                }
            }
            Ok(())
        };
        self.lock.blocking(remove).await
    }

    /// Fetches branches, tags and the references of the refspec.
    pub async fn fetch(&self, url: &GitUrl, credential: &GitCredential, refspec: Option<&str>) -> Result<(), Error> {
        (self.on_line)(&format!("Fetching {}", url.as_str()));
        let path = self.folder.mirror(url);
        if self.replace || !path.join("HEAD").is_file() {
            return self.fetch_replacement(url, credential, refspec).await;
        }
        let stale = path.clone();
        self.lock.blocking(move || remove_stale_files(&stale)).await?;
        match self.fetch_into(&path, url, credential, refspec).await {
            Err(error) if error.may_be_damaged_mirror() => {
                (self.on_line)("The local mirror may be damaged: everything is fetched again.");
                self.fetch_replacement(url, credential, refspec).await
            }
            result => result,
        }
    }

    /// Fetches one commit that no reference leads to. Not all servers allow this.
    pub async fn fetch_commit(&self, url: &GitUrl, credential: &GitCredential, commit: &str) -> Result<(), Error> {
        let repository = Repository { environment: self.environment, path: self.folder.mirror(url) };
        match self.git_fetch(&repository, url, credential, &[commit]).await {
            // The server does not have the commit, or does not give it: the repository itself was found before.
            Err(Error::Failed { .. } | Error::UnknownRevision(_) | Error::RepositoryNotFound(_)) => Ok(()),
            result => result,
        }
    }

    /// Fetches into a new mirror, which then takes the place of the old one.
    async fn fetch_replacement(
        &self,
        url: &GitUrl,
        credential: &GitCredential,
        refspec: Option<&str>,
    ) -> Result<(), Error> {
        let (mirrors, path) = (self.folder.mirrors(), self.folder.mirror(url));
        let new =
            tempfile::Builder::new().prefix(".new-").tempdir_in(&mirrors).map_err(Error::io("create", &mirrors))?;
        let repository = Repository { environment: self.environment, path: new.path().join("git") };
        let finished = repository.git(&["init", "--quiet", "--bare", "--template="], Call::default()).await?;
        if !finished.success {
            return Err(from_local_git(&finished.stderr));
        }
        self.fetch_into(&repository.path, url, credential, refspec).await?;
        let reading = self.locks.exclusive(&self.folder.reading_lock()).await?;
        let replace = move || {
            let old = new.path().join("old");
            if path.exists() {
                fs::rename(&path, &old).map_err(Error::io("rename", &path))?;
            }
            fs::rename(new.path().join("git"), &path).map_err(Error::io("rename", new.path()))?;
            drop(reading);
            new.close().map_err(Error::io("remove", &old))
        };
        self.lock.blocking(replace).await
    }

    async fn fetch_into(
        &self,
        path: &Path,
        url: &GitUrl,
        credential: &GitCredential,
        refspec: Option<&str>,
    ) -> Result<(), Error> {
        let repository = Repository { environment: self.environment, path: path.to_owned() };
        let head = format!("+HEAD:{DEFAULT_BRANCH}");
        let mut refspecs = vec!["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
        refspecs.extend(refspec);
        refspecs.push(&head);
        match self.git_fetch(&repository, url, credential, &refspecs).await {
            // The repository is empty, or its HEAD names a branch that does not exist.
            Err(Error::UnknownRevision(name)) if name == "HEAD" => {
                refspecs.pop();
                self.git_fetch(&repository, url, credential, &refspecs).await?;
                repository.git(&["update-ref", "-d", DEFAULT_BRANCH], Call::default()).await?;
                Ok(())
            }
            result => result,
        }
    }

    async fn git_fetch(
        &self,
        repository: &Repository<'_>,
        url: &GitUrl,
        credential: &GitCredential,
        refspecs: &[&str],
    ) -> Result<(), Error> {
        self.environment.check_location(url)?;
        let options = ["fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-recurse-submodules"];
        // A single commit is no list of all references: nothing may be pruned.
        let is_list = refspecs.len() > 1;
        let mut arguments: Vec<&str> = options.into_iter().filter(|option| is_list || *option != "--prune").collect();
        arguments.extend(["--", url.as_str()]);
        arguments.extend(refspecs);
        let credential_files = self.environment.credential_files(url, credential)?;
        let call = Call {
            credential_files: Some(&credential_files),
            variables: &self.variables(),
            input: Some(self.lock.inherited()?),
            on_line: Some(self.on_line),
            ..Call::default()
        };
        let finished = repository.git(&arguments, call).await?;
        if finished.success {
            return Ok(());
        }
        let missing =
            finished.stderr.lines().find_map(|line| line.split_once("couldn't find remote ref ")).map(|it| it.1);
        match missing {
            Some(name) => Err(Error::UnknownRevision(name.to_owned())),
            None => Err(from_git(&finished.stderr, url.as_str(), url.host())),
        }
    }

    /// Fetches the files that a commit stores with Git LFS.
    pub async fn fetch_lfs(&self, url: &GitUrl, credential: &GitCredential, commit: &str) -> Result<(), Error> {
        let repository = Repository { environment: self.environment, path: self.folder.mirror(url) };
        if !repository.uses_lfs(commit).await? {
            return Ok(());
        }
        if !repository.git(&["lfs", "version"], Call::default()).await?.success {
            return Err(Error::LfsMissing);
        }
        (self.on_line)("Fetching files of Git LFS");
        let credential_files = self.environment.credential_files(url, credential)?;
        let call = Call {
            config: &[("remote.origin.url", url.as_str())],
            credential_files: Some(&credential_files),
            variables: &self.variables(),
            input: Some(self.lock.inherited()?),
            on_line: Some(self.on_line),
            ..Call::default()
        };
        let finished = repository.git(&["lfs", "fetch", "origin", commit], call).await?;
        if finished.success { Ok(()) } else { Err(from_git(&finished.stderr, url.as_str(), url.host())) }
    }

    /// Removes the mirrors of earlier URLs, when the URL of the project has changed.
    pub async fn remove_others(&self, main: &GitUrl, used: Vec<PathBuf>) -> Result<(), Error> {
        let (marker, name) = (self.folder.path.join("source"), digest(main.as_str()));
        if fs::read_to_string(&marker).is_ok_and(|current| current == name) {
            return Ok(());
        }
        let mirrors = self.folder.mirrors();
        let reading = self.locks.exclusive(&self.folder.reading_lock()).await?;
        let remove = move || {
            for entry in fs::read_dir(&mirrors).map_err(Error::io("read", &mirrors))?.flatten() {
                if !used.contains(&entry.path()) {
                    fs::remove_dir_all(entry.path()).map_err(Error::io("remove", &entry.path()))?;
                }
            }
            drop(reading);
            fs::write(&marker, name).map_err(Error::io("write", &marker))
        };
        self.lock.blocking(remove).await
    }
}

/// Removes lock files and half-written packs of a git that was killed. None runs: each one that writes holds the lock of
/// the update.
fn remove_stale_files(mirror: &Path) -> Result<(), Error> {
    for entry in WalkDir::new(mirror).into_iter().flatten().filter(|entry| entry.file_type().is_file()) {
        let name = entry.file_name().to_string_lossy();
        if name.ends_with(".lock") || name.starts_with("tmp_") {
            fs::remove_file(entry.path()).map_err(Error::io("remove", entry.path()))?;
        }
    }
    Ok(())
}

/// A name for a file that stands for a text.
pub(crate) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text)).chars().take(32).collect()
}
