//! The git repositories that cases name as `{repo}` and `{rich}`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The files of `{repo}`; the recordings contain what their playbooks print.
const SMALL: &[(&str, &str)] = &[
    (
        "hello.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: say hello\n      debug:\n        msg: \"hello {{ who | default('world') }}\"\n",
    ),
    (
        "fail.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: break\n      fail:\n        msg: broken on purpose\n",
    ),
    (
        "sleep.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: wait\n      pause:\n        seconds: 60\n",
    ),
    (
        "stats.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - set_stats:\n        data:\n          built: '42'\n",
    ),
    ("roles/requirements.yml", "[]\n"),
    ("inventory.ini", "[web]\nweb1 ansible_connection=local\nweb2 ansible_connection=local\n[web:vars]\ncolor=blue\n"),
    ("not_a_playbook.yml", "color: blue\n"),
    ("ansible.cfg", "[defaults]\ndeprecation_warnings = False\n"),
];

/// The files of `{rich}`, a folder for each commit.
const RICH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance/rich");

/// Creates `{repo}`, which is deleted with the directory.
pub(super) fn small() -> TempDir {
    let repository = init();
    for (name, text) in SMALL {
        let file = repository.path().join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(file, text).expect("a file of the repository");
    }
    commit(&repository, "first");
    repository
}

/// Creates `{rich}`: `rich/main` on branch main (tagged v1), `rich/dev` on branch dev after it, and `rich/pull` after
/// it as `refs/pull/1/head`, which is on no branch.
pub(super) fn rich() -> TempDir {
    let repository = init();
    let source = Path::new(RICH);
    copy(&source.join("main"), repository.path());
    let script = repository.path().join("inventories/script.py");
    fs::set_permissions(script, Permissions::from_mode(0o755)).expect("an executable script");
    commit(&repository, "first");
    git(&repository, &["tag", "v1"]);
    for name in ["dev", "pull"] {
        git(&repository, &["checkout", "-q", "-b", name, "main"]);
        copy(&source.join(name), repository.path());
        commit(&repository, name);
    }
    git(&repository, &["update-ref", "refs/pull/1/head", "pull"]);
    git(&repository, &["checkout", "-q", "main"]);
    git(&repository, &["branch", "-q", "-D", "pull"]);
    repository
}

fn init() -> TempDir {
    let repository = TempDir::with_prefix("conform-repo-").expect("a directory for the repository");
    // The server may clone it as another user.
    fs::set_permissions(repository.path(), Permissions::from_mode(0o755)).expect("a readable directory");
    git(&repository, &["init", "-q", "-b", "main"]);
    repository
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry of the directory");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copied file");
        }
    }
}

fn commit(repository: &TempDir, message: &str) {
    git(repository, &["add", "-A"]);
    git(repository, &["commit", "-q", "-m", message]);
}

fn git(repository: &TempDir, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=c", "-c", "user.email=c@example.org"]).args(arguments);
    let status = command.current_dir(repository.path()).stdout(Stdio::null()).status().expect("git");
    assert!(status.success(), "git {arguments:?}: {status}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rich_repository_has_branches_tag_and_pull_request() {
        let repository = rich();
        let output = Command::new("git")
            .args(["for-each-ref", "--format", "%(refname)"])
            .current_dir(repository.path())
            .output()
            .expect("git");
        let references = String::from_utf8(output.stdout).expect("text");
        let references: Vec<&str> = references.lines().collect();
        assert_eq!(references, ["refs/heads/dev", "refs/heads/main", "refs/pull/1/head", "refs/tags/v1"]);
    }
}
