//! Reading a bare repository on this machine.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::environment::{CredentialFiles, Environment};
use crate::error::{Error, from_local_git};
use crate::mask::Mask;
use crate::process::{Finished, Input, OnLine, run};

/// The reference to the commit of the remote HEAD, which is the default branch.
pub(crate) const DEFAULT_BRANCH: &str = "refs/hostler/head";

/// A bare repository.
pub(crate) struct Repository<'a> {
    pub environment: &'a Environment,
    pub path: PathBuf,
}

/// A submodule that a commit names.
pub(crate) struct Submodule {
    pub path: String,
    pub url: String,
    pub branch: Option<String>,
    /// The commit that the repository names.
    pub commit: String,
}

/// One call of git.
#[derive(Default)]
pub(crate) struct Call<'a> {
    pub config: &'a [(&'a str, &'a str)],
    pub credential_files: Option<&'a CredentialFiles>,
    /// Variables of the environment.
    pub variables: &'a [(&'a str, &'a OsStr)],
    pub folder: Option<&'a Path>,
    pub input: Option<Input>,
    pub on_line: Option<OnLine<'a>>,
}

impl Repository<'_> {
    /// Runs git with this repository.
    pub async fn git(&self, arguments: &[&str], call: Call<'_>) -> Result<Finished, Error> {
        let mut command = self.environment.command(&self.environment.options.git, call.config);
        command.arg("--git-dir").arg(&self.path).args(arguments).envs(call.variables.iter().copied());
        command.current_dir(call.folder.unwrap_or(&self.environment.home));
        let mask = match call.credential_files {
            Some(credential_files) => {
                credential_files.apply(&mut command);
                credential_files.mask.clone()
            }
            None => Mask::default(),
        };
        let input = call.input.unwrap_or(Input::Nothing);
        run(command, input, self.environment.options.timeout, &mask, call.on_line.unwrap_or(&|_| {})).await
    }

    async fn read(&self, arguments: &[&str], call: Call<'_>) -> Result<Vec<u8>, Error> {
        let finished = self.git(arguments, call).await?;
        if finished.success { Ok(finished.stdout) } else { Err(from_local_git(&finished.stderr)) }
    }

    /// The commit of a branch, tag or commit id; of the default branch if the name is empty.
    pub async fn resolve(&self, name: &str) -> Result<Option<String>, Error> {
        let names = candidates(name);
        if names.is_empty() {
            return Ok(None);
        }
        let mut text = String::new();
        for name in names {
            text.push_str(&name);
            text.push_str("^{commit}\n");
        }
        let call = Call { input: Some(Input::Text(text)), ..Call::default() };
        let answer = self.read(&["cat-file", "--batch-check=%(objecttype) %(objectname)"], call).await?;
        let answer = String::from_utf8_lossy(&answer);
        Ok(answer
            .lines()
            .find_map(|line| line.strip_prefix("commit "))
            .filter(|id| is_commit_id(id))
            .map(str::to_owned))
    }

    pub async fn has_commit(&self, commit: &str) -> Result<bool, Error> {
        Ok(self.path.join("HEAD").is_file() && self.resolve(commit).await?.as_deref() == Some(commit))
    }

    /// The submodules of a commit that have both a URL and a commit.
    pub async fn submodules(&self, commit: &str) -> Result<Vec<Submodule>, Error> {
        let files = self.list(commit, &[".gitmodules"]).await?;
        let Some((_, id, _)) = files.iter().find(|(mode, ..)| mode.starts_with("100")) else { return Ok(Vec::new()) };
        let pattern = r"^submodule\..*\.(path|url|branch)$";
        let finished = self.git(&["config", "-z", "--blob", id, "--get-regexp", pattern], Call::default()).await?;
        if !finished.success && !finished.stderr.is_empty() {
            return Err(from_local_git(&finished.stderr));
        }
        let text = String::from_utf8_lossy(&finished.stdout);
        let entries: Vec<(&str, &str, &str)> = text
            .split('\0')
            .filter_map(|entry| entry.split_once('\n'))
            .filter_map(|(key, value)| key.rsplit_once('.').map(|(section, key)| (section, key, value)))
            .collect();
        let value = |section: &str, key: &str| {
            entries.iter().rev().find(|(of, name, _)| *of == section && *name == key).map(|(_, _, value)| *value)
        };
        let mut paths: Vec<(&str, &str)> = entries
            .iter()
            .filter(|(_, key, path)| *key == "path" && is_inside(path))
            .map(|(section, _, path)| (*section, path.trim_end_matches('/')))
            .collect();
        paths.sort_by_key(|(_, path)| *path);
        paths.dedup_by_key(|(_, path)| *path);
        let names: Vec<&str> = paths.iter().map(|(_, path)| *path).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let commits = self.list(commit, &names).await?;
        let submodule = |(section, path): (&str, &str)| {
            let commit = commits.iter().find(|(mode, _, name)| mode == "160000" && name == path)?;
            let branch = value(section, "branch").map(str::to_owned);
            Some(Submodule {
                path: path.to_owned(),
                url: value(section, "url")?.to_owned(),
                branch,
                commit: commit.1.clone(),
            })
        };
        Ok(paths.into_iter().filter_map(submodule).collect())
    }

    /// Mode, id and path of these entries of a commit, as far as they exist.
    async fn list(&self, commit: &str, paths: &[&str]) -> Result<Vec<(String, String, String)>, Error> {
        let mut arguments = vec!["ls-tree", "-z", commit, "--"];
        arguments.extend(paths);
        let call = Call { variables: &[("GIT_LITERAL_PATHSPECS", OsStr::new("1"))], ..Call::default() };
        let answer = self.read(&arguments, call).await?;
        let answer = String::from_utf8_lossy(&answer);
        let entry = |line: &str| {
            let (entry, path) = line.split_once('\t')?;
            let mut words = entry.split(' ');
            let (mode, _, id) = (words.next()?, words.next()?, words.next()?);
            Some((mode.to_owned(), id.to_owned(), path.to_owned()))
        };
        Ok(answer.split('\0').filter_map(entry).collect())
    }

    /// Whether files of a commit are stored with Git LFS.
    pub async fn uses_lfs(&self, commit: &str) -> Result<bool, Error> {
        let arguments = ["grep", "-q", "-F", "-e", "filter=lfs", commit, "--", ":(glob)**/.gitattributes"];
        Ok(self.git(&arguments, Call::default()).await?.success)
    }
}

/// Whether a text is a complete commit id.
pub(crate) fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The names under which git may know a branch, tag or commit: branches first, as in AWX.
fn candidates(name: &str) -> Vec<String> {
    if name.is_empty() || name == "HEAD" {
        return vec![DEFAULT_BRANCH.to_owned()];
    }
    // These characters are in no reference, but in expressions that git would evaluate.
    if name.contains("..") || name.contains("@{") || name.contains(|c: char| c.is_control() || " ~^:?*[\\".contains(c))
    {
        return Vec::new();
    }
    let mut names = vec![
        format!("refs/remotes/origin/{name}"),
        format!("refs/tags/{name}"),
        format!("refs/remotes/{name}"),
        format!("refs/{name}"),
    ];
    if name.starts_with("refs/") {
        names.push(name.to_owned());
    }
    if (4..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        names.push(name.to_ascii_lowercase());
    }
    names
}

/// Whether a path of a submodule stays in its repository.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path).components().all(|part| match part {
            Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
            _ => false,
        })
}
