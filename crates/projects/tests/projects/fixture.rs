//! A projects folder and repositories, all in one temporary folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use hostler_projects::{Checkout, Error, FetchMode, GitSource, ProjectOptions, Projects};
use tempfile::TempDir;

pub struct Fixture {
    pub dir: TempDir,
    pub projects: Projects,
    pub lines: Mutex<Vec<String>>,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A fixture whose options are changed. The function also gets the temporary folder.
    pub async fn with(change: impl FnOnce(&mut ProjectOptions, &Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secrets = dir.path().join("secrets");
        fs::create_dir(&secrets).unwrap();
        let mut options = ProjectOptions { allow_file: true, secrets_dir: Some(secrets), ..ProjectOptions::default() };
        change(&mut options, dir.path());
        let projects = Projects::open(dir.path().join("projects"), options).await.unwrap();
        Self { dir, projects, lines: Mutex::default() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The folder of the project that the tests use.
    pub fn folder(&self) -> PathBuf {
        self.path().join("projects/1")
    }

    pub fn repository(&self, name: &str) -> Repository {
        Repository::create(&self.path().join("repositories").join(name))
    }

    pub async fn update(&self, source: &GitSource) -> Result<String, Error> {
        self.update_as(source, FetchMode::Changes).await
    }

    pub async fn update_as(&self, source: &GitSource, update: FetchMode) -> Result<String, Error> {
        self.projects.update(1, source, update, &|line| self.lines.lock().unwrap().push(line.to_owned())).await
    }

    pub async fn checkout(&self, source: &GitSource, commit: &str, holder: &str) -> Result<Checkout, Error> {
        let on_line = |line: &str| self.lines.lock().unwrap().push(line.to_owned());
        self.projects.checkout(1, source, commit, holder, &on_line).await
    }

    /// Updates, and returns the files of the new commit.
    pub async fn files(&self, source: &GitSource) -> PathBuf {
        let commit = self.update(source).await.unwrap();
        self.checkout(source, &commit, "job-1").await.unwrap().path
    }

    /// All lines that programs printed.
    pub fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Whether a text is in a file of the projects folder or of the secrets, or in a file's name.
    pub fn is_on_disk(&self, text: &str) -> bool {
        let folders = ["projects", "secrets"].map(|name| self.path().join(name));
        let entries = folders.iter().flat_map(walkdir::WalkDir::new).map(Result::unwrap);
        let contains = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        entries.into_iter().any(|entry| {
            contains(entry.path().as_os_str().as_encoded_bytes())
                || (entry.file_type().is_file() && contains(&fs::read(entry.path()).unwrap()))
        })
    }
}

impl Drop for Fixture {
    /// Makes checkouts writable, so that the temporary folder can be removed.
    fn drop(&mut self) {
        for entry in walkdir::WalkDir::new(self.path()).into_iter().flatten().filter(|entry| entry.file_type().is_dir())
        {
            let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700));
        }
    }
}

pub struct Repository {
    pub path: PathBuf,
}

impl Repository {
    fn create(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        let repository = Self { path: path.to_owned() };
        repository.git(&["init", "-q", "-b", "main"]);
        repository
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.path).args(["-c", "protocol.file.allow=always"]).args(arguments);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for person in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{person}_NAME"), "Ada").env(format!("GIT_{person}_EMAIL"), "ada@example.org");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits all files and returns the commit id.
    pub fn commit(&self) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "Change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A commit with one file.
    pub fn commit_file(&self, name: &str, text: &str) -> String {
        self.write(name, text);
        self.commit()
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    pub fn source(&self) -> GitSource {
        GitSource::new(&self.url(), true).unwrap()
    }
}

/// A shell script that takes the place of a program.
pub fn script(path: &Path, text: &str) -> PathBuf {
    // Written by another process: a descriptor that is open for writing could be inherited by a child of another test,
    // and the script could then not be executed.
    let copy = path.with_extension("text");
    fs::write(&copy, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Command::new("cp").arg("-p").arg(&copy).arg(path).status().unwrap().success());
    path.to_owned()
}

/// Waits until a condition holds.
pub async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
