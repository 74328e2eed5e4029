//! A git repository with small playbooks, for the cases that name `{repo}`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tempfile::TempDir;

/// The files of the repository; the recordings hold what their playbooks print.
const FILES: &[(&str, &str)] = &[
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
];

/// Makes the repository; it lives as long as the directory.
pub(super) fn make() -> TempDir {
    let folder = TempDir::with_prefix("conform-repo-").expect("a directory for the repository");
    for (name, text) in FILES {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        fs::write(file, text).expect("a file of the repository");
    }
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["-c", "user.name=c", "-c", "user.email=c@example.org", "commit", "-q", "-m", "first"],
    ] {
        let status = Command::new("git").args(arguments).current_dir(folder.path()).status().expect("git");
        assert!(status.success(), "git {arguments:?}: {status}");
    }
    // The server may clone it as another user.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("an open directory");
    folder
}
