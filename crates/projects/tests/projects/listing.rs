use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use hostler_projects::{
    InvalidPath, inventory_files, inventory_source, manual_folder, manual_folders, playbook, playbooks,
};

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn playbooks_are_listed_as_in_awx() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        (".hidden.yml", "- hosts: all\n"),
        ("broken.yml", "- hosts: all\n  tasks:\n    - no_such_module:\n"),
        ("deep/er/nested.yaml", "- hosts: all\n"),
        ("Zebra.yml", "---\n- name: a play\n  hosts: all\n"),
        ("import.yml", "- import_playbook: hello.yml\n"),
        ("import_full.yml", "- ansible.builtin.import_playbook: hello.yml\n"),
        ("inventories/tree.yml", "all:\n  hosts:\n    a:\n"),
        ("templated.yml", "{% raw %}\n- hosts: all\n{% endraw %}\n"),
        ("vaulted.yml", "$ANSIBLE_VAULT;1.1;AES256\n3030\n"),
        ("windows.yml", "\u{feff}---\r\n- hosts: all\r\n"),
        // Not listed.
        ("not_a_playbook.yml", "color: blue\n# hosts: all\nmyhosts: a\n"),
        ("text.txt", "- hosts: all\n"),
        (".hidden/a.yml", "- hosts: all\n"),
        ("roles/x/tasks/main.yml", "- hosts: all\n"),
        ("tasks/main.yml", "- hosts: all\n"),
        ("deep/group_vars/all.yml", "hosts: a\n"),
        ("host_vars/a.yml", "hosts: a\n"),
        ("empty.yml", ""),
    ] {
        write(dir.path(), name, text);
    }
    fs::write(dir.path().join("binary.yml"), b"\xff\xfe\x00- hosts: all").unwrap();
    let expected = [
        ".hidden.yml",
        "broken.yml",
        "deep/er/nested.yaml",
        "import.yml",
        "import_full.yml",
        "inventories/tree.yml",
        "templated.yml",
        "vaulted.yml",
        "windows.yml",
        "Zebra.yml",
    ];
    assert_eq!(playbooks(dir.path(), false), expected);
    assert!(playbooks(&dir.path().join("missing"), false).is_empty());
}

#[test]
fn inventory_files_are_listed_as_in_awx() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("inventories/broken.ini", "[unclosed\n"),
        ("inventories/empty.ini", "# nothing here\n"),
        ("inventories/script.py", "#!/usr/bin/env python3\n"),
        ("plain", "[web]\na\n\n; a comment\nb ansible_port=22\n"),
        ("hosts", "- odd: content\n"),
        // Not listed.
        ("ansible.cfg", "[defaults]\n"),
        ("hosts.yml", "all:\n"),
        ("module.py", "import os\n"),
        ("prose", "<html>\n"),
        ("group_vars/all", "a=b\n"),
        (".git/config", "a\n"),
    ] {
        write(dir.path(), name, text);
    }
    fs::write(dir.path().join("binary"), b"a\0b\n").unwrap();
    let script = dir.path().join("inventories/script.py");
    fs::set_permissions(script, fs::Permissions::from_mode(0o555)).unwrap();
    let expected = ["hosts", "inventories/broken.ini", "inventories/empty.ini", "inventories/script.py", "plain"];
    assert_eq!(inventory_files(dir.path()), expected);
}

#[test]
fn links_out_of_the_project_are_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let (project, outside) = (dir.path().join("project"), dir.path().join("outside"));
    write(&project, "site.yml", "- hosts: all\n");
    write(&outside, "secret.yml", "- hosts: all\n");
    symlink("site.yml", project.join("alias.yml")).unwrap();
    symlink(outside.join("secret.yml"), project.join("secret.yml")).unwrap();
    symlink(&outside, project.join("folder")).unwrap();
    symlink("/dev/zero", project.join("endless.yml")).unwrap();
    symlink("loop.yml", project.join("loop.yml")).unwrap();
    write(&project, "real/deep.yml", "- hosts: all\n");
    symlink("real", project.join("linked")).unwrap();
    symlink(".", project.join("real/again")).unwrap();
    assert_eq!(playbooks(&project, false), ["alias.yml", "real/deep.yml", "site.yml"]);
    assert_eq!(playbooks(&project, true), ["alias.yml", "linked/deep.yml", "real/deep.yml", "site.yml"]);
}

#[test]
fn paths_that_lead_out_of_the_project_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let (project, outside) = (dir.path().join("project"), dir.path().join("outside"));
    write(&project, "deep/site.yml", "- hosts: all\n");
    write(&outside, "secret.yml", "- hosts: all\n");
    symlink(outside.join("secret.yml"), project.join("secret.yml")).unwrap();
    symlink(&outside, project.join("folder")).unwrap();
    symlink("deep/site.yml", project.join("alias.yml")).unwrap();
    for path in ["deep/site.yml", "./deep/site.yml", "alias.yml"] {
        assert_eq!(playbook(&project, path).unwrap(), project.canonicalize().unwrap().join("deep/site.yml"));
    }
    for path in ["", "/etc/passwd", "../outside/secret.yml", "deep/../../outside/secret.yml", "deep/site.yml\0", "a\nb"]
    {
        assert_eq!(playbook(&project, path), Err(InvalidPath::NotRelative(path.to_owned())));
    }
    for path in ["secret.yml", "folder/secret.yml"] {
        assert_eq!(playbook(&project, path), Err(InvalidPath::LeadsOut(path.to_owned())));
    }
    assert_eq!(playbook(&project, "deep"), Err(InvalidPath::NotAFile("deep".to_owned())));
    assert_eq!(playbook(&project, "nope.yml"), Err(InvalidPath::NotFound("nope.yml".to_owned())));
    assert!(inventory_source(&project, "deep").is_ok() && inventory_source(&project, "").is_ok());
    assert!(inventory_source(&project, "folder").is_err() && inventory_source(&project, "..").is_err());
}

#[test]
fn manual_folders_are_below_their_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    for name in ["web", "Apps", "_7__x", ".cache"] {
        write(&root, &format!("{name}/site.yml"), "");
    }
    write(&root, "file", "");
    fs::create_dir(dir.path().join("outside")).unwrap();
    symlink(dir.path().join("outside"), root.join("link")).unwrap();
    assert_eq!(manual_folders(&root), ["Apps", "web"]);
    assert!(manual_folder(&root, "web").is_ok());
    for name in ["", ".", "..", "/", "web/..", "../outside", "link", "file", "missing", "web\n"] {
        assert!(manual_folder(&root, name).is_err(), "{name:?}");
    }
}
