//! Making a repository from files.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::environment::Environment;
use crate::error::{Error, from_local_git};
use crate::process::Input;
use crate::projects::Projects;
use crate::repository::{Call, Repository};

/// Who made the commit, and when: always the same, so that its id is always the same too.
const AUTHOR: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "Hostler"),
    ("GIT_AUTHOR_EMAIL", "hostler@localhost"),
    ("GIT_AUTHOR_DATE", "1700000000 +0000"),
    ("GIT_COMMITTER_NAME", "Hostler"),
    ("GIT_COMMITTER_EMAIL", "hostler@localhost"),
    ("GIT_COMMITTER_DATE", "1700000000 +0000"),
];

impl Projects {
    /// Makes a bare repository with one commit on the branch `main`, unless the folder exists. The files are names without
    /// folders, and their contents. It gets its name when it is complete.
    ///
    /// # Errors
    /// Errors of the file system and of git.
    pub async fn make_repository(&self, path: &Path, files: &[(&str, &str)]) -> Result<(), Error> {
        if path.exists() {
            return Ok(());
        }
        let parent = path.parent().unwrap_or(path);
        fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        let new = tempfile::Builder::new().prefix(".new-").tempdir_in(parent).map_err(Error::io("create", parent))?;
        let new_repository = new.path().join("git");
        fill(&self.environment, &new_repository, files).await?;
        match fs::rename(&new_repository, path) {
            // Another server was faster.
            Err(_) if path.exists() => Ok(()),
            result => result.map_err(Error::io("create", path)),
        }
    }
}

async fn fill(environment: &Environment, path: &Path, files: &[(&str, &str)]) -> Result<(), Error> {
    let repository = Repository { environment, path: path.to_owned() };
    let run = async |arguments: &[&str], input: Input| {
        let variables = AUTHOR.map(|(name, value)| (name, OsStr::new(value)));
        let call = Call { variables: &variables, input: Some(input), ..Call::default() };
        let finished = repository.git(arguments, call).await?;
        if !finished.success {
            return Err(from_local_git(&finished.stderr));
        }
        Ok(String::from_utf8_lossy(&finished.stdout).trim().to_owned())
    };
    run(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main"], Input::Nothing).await?;
    let mut tree = String::new();
    for (name, content) in files {
        let id = run(&["hash-object", "-w", "--stdin"], Input::Text((*content).to_owned())).await?;
        tree.push_str(&format!("100644 blob {id}\t{name}\n"));
    }
    let tree = run(&["mktree"], Input::Text(tree)).await?;
    let commit = run(&["commit-tree", &tree, "-m", "A first playbook"], Input::Nothing).await?;
    run(&["update-ref", "refs/heads/main", &commit], Input::Nothing).await?;
    Ok(())
}
