//! Which commits of which repositories a checkout consists of: the project's and those of its submodules.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::environment::Environment;
use crate::error::Error;
use crate::folder::ProjectFolder;
use crate::git_url::{GitUrl, Transport};
use crate::mirror::{Mirrors, digest};
use crate::repository::{Repository, Submodule};
use crate::source::{GitCredential, GitSource};

/// The most submodules of a project, counting those of submodules.
const MAX_SUBMODULES: usize = 500;
/// How deep submodules may contain submodules.
const MAX_DEPTH: usize = 10;

/// One repository of a checkout.
pub(crate) struct Part {
    /// Where its files are in the checkout; empty for the project itself.
    pub path: String,
    pub mirror: PathBuf,
    pub commit: String,
    url: GitUrl,
    credential: GitCredential,
    depth: usize,
}

/// All repositories of a checkout, each after the one that contains it.
pub(crate) struct Plan(pub Vec<Part>);

impl Plan {
    /// The name of the checkout: the commit of the project, and a digest of the submodules' commits if they are not
    /// determined by it.
    pub fn key(&self, source: &GitSource) -> String {
        let Some((main, submodules)) = self.0.split_first() else { return String::new() };
        if !source.track_submodules || submodules.is_empty() {
            return main.commit.clone();
        }
        let list: Vec<String> = submodules.iter().map(|part| format!("{}\0{}\n", part.path, part.commit)).collect();
        format!("{}-{}", main.commit, digest(&list.concat()))
    }

    pub fn mirrors(&self) -> Vec<PathBuf> {
        self.0.iter().map(|part| part.mirror.clone()).collect()
    }
}

/// Finds the submodules of a commit. With `mirrors`, what is missing is fetched; without, it is an error.
pub(crate) async fn plan(
    environment: &Environment,
    folder: &ProjectFolder,
    source: &GitSource,
    commit: &str,
    mirrors: Option<&Mirrors<'_>>,
) -> Result<Plan, Error> {
    let mirror = folder.mirror(&source.url);
    let (url, credential) = (source.url.clone(), source.credential.clone());
    let repository = Repository { environment, path: mirror.clone() };
    if !repository.has_commit(commit).await? {
        return Err(Error::NotFetched(commit.to_owned()));
    }
    let mut fetched = HashSet::from([url.as_str().to_owned()]);
    let mut parts = vec![Part { path: String::new(), mirror, commit: commit.to_owned(), url, credential, depth: 0 }];
    let mut next = 0;
    while let Some(part) = parts.get(next) {
        let repository = Repository { environment, path: part.mirror.clone() };
        let mut found = Vec::new();
        for submodule in repository.submodules(&part.commit).await? {
            let path =
                if part.path.is_empty() { submodule.path.clone() } else { format!("{}/{}", part.path, submodule.path) };
            let failed = |error: Error| Error::Submodule { path: path.clone(), source: Box::new(error) };
            if part.depth >= MAX_DEPTH || parts.len() + found.len() > MAX_SUBMODULES {
                let detail = "the repository has too many submodules".to_owned();
                return Err(failed(Error::Failed { program: "the update".to_owned(), detail }));
            }
            let allow_file = environment.options.allow_file;
            let (url, own) = part.url.submodule(&submodule.url, allow_file).map_err(|error| failed(error.into()))?;
            let mirror = folder.mirror(&url);
            let repository = Repository { environment, path: mirror.clone() };
            let credential = credential_for(source, &url, own);
            let wanted = Wanted { source, submodule: &submodule, url: &url, credential: &credential };
            let commit = wanted.commit(&repository, mirrors, &mut fetched).await.map_err(failed)?;
            found.push(Part { path, mirror, commit, url, credential, depth: part.depth + 1 });
        }
        next += 1;
        parts.extend(found);
    }
    if let Some(mirrors) = mirrors {
        for part in &parts {
            mirrors.fetch_lfs(&part.url, &part.credential, &part.commit).await?;
        }
    }
    Ok(Plan(parts))
}

/// A submodule whose commit is wanted.
struct Wanted<'a> {
    source: &'a GitSource,
    submodule: &'a Submodule,
    url: &'a GitUrl,
    credential: &'a GitCredential,
}

impl Wanted<'_> {
    async fn commit(
        self,
        repository: &Repository<'_>,
        mirrors: Option<&Mirrors<'_>>,
        fetched: &mut HashSet<String>,
    ) -> Result<String, Error> {
        let named = &self.submodule.commit;
        let tracks = self.source.track_submodules;
        let mut is_present = !tracks && repository.has_commit(named).await?;
        if let Some(mirrors) = mirrors {
            if (!is_present || mirrors.replace) && fetched.insert(self.url.as_str().to_owned()) {
                mirrors.fetch(self.url, self.credential, None).await?;
                is_present = !tracks && repository.has_commit(named).await?;
            }
            if !tracks && !is_present {
                mirrors.fetch_commit(self.url, self.credential, named).await?;
                is_present = repository.has_commit(named).await?;
            }
        }
        if !tracks {
            let missing = if mirrors.is_some() { Error::UnknownRevision } else { Error::NotFetched };
            return if is_present { Ok(named.clone()) } else { Err(missing(named.clone())) };
        }
        if !repository.path.exists() {
            return Err(Error::NotFetched(named.clone()));
        }
        // A dot means the branch of the project.
        let branch = match self.submodule.branch.as_deref() {
            Some(".") => &self.source.branch,
            branch => branch.unwrap_or_default(),
        };
        let missing =
            || if branch.is_empty() { Error::NoDefaultBranch } else { Error::UnknownRevision(branch.to_owned()) };
        repository.resolve(branch).await?.ok_or_else(missing)
    }
}

/// The credential for a submodule: its own, or the project's if no other server gets a password by this. A server
/// learns nothing from an SSH key.
fn credential_for(source: &GitSource, url: &GitUrl, own: GitCredential) -> GitCredential {
    let project = &source.credential;
    if !own.is_empty() || (url.transport() == source.url.transport() && url.server() == source.url.server()) {
        return if own.is_empty() { project.clone() } else { own };
    }
    match url.transport() {
        Transport::Ssh => GitCredential { password: GitCredential::default().password, ..project.clone() },
        _ => GitCredential::default(),
    }
}
