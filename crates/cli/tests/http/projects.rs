//! Projects: manual folders, checks of their source, and copies.

use std::fs;

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    manual_folders_are_offered_and_listed,
    folders_out_of_reach_are_rejected,
    options_of_other_sources_are_rejected,
    copy_has_the_same_source,
    manual_projects_are_not_copied,
    superusers_remove_the_organization,
);

const PROJECTS: &str = "/api/v2/projects/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn manual_folders_are_offered_and_listed(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let config = |key: &str| admin.get("/api/v2/config/").expect(200).json()[key].clone();
    assert_eq!(config("project_local_paths"), json!([]));
    let folder = server.data().join("manual-projects/site");
    fs::create_dir_all(folder.join("deep")).expect("a folder");
    assert_eq!(config("project_local_paths"), json!(["site"]));
    let project = admin.post(PROJECTS, json!({"name": "manual", "local_path": "site"})).expect(201).json();
    assert_eq!((project["status"].as_str(), &project["scm_type"]), (Some("ok"), &json!("")));
    assert_eq!(config("project_local_paths"), json!([]));
    let path = format!("{PROJECTS}{}/", project["id"]);
    let list = |name: &str| admin.get(&format!("{path}{name}/")).expect(200).json();
    assert_eq!((list("playbooks"), list("inventories")), (json!([]), json!([])));
    // The folder is read again.
    fs::write(folder.join("deep/site.yml"), "- hosts: all\n").expect("a file");
    fs::write(folder.join("hosts"), "one\n").expect("a file");
    assert_eq!((list("playbooks"), list("inventories")), (json!(["deep/site.yml"]), json!(["hosts"])));
    let other = admin.post(PROJECTS, json!({"name": "other", "local_path": "site"})).expect(400).json();
    assert!(other["local_path"][0].is_string(), "{other}");
    // Nothing is fetched for it.
    let changed = admin.patch(&path, json!({"scm_branch": "x", "scm_url": "https://git.example/x"})).expect(200).json();
    assert_eq!((changed["scm_branch"].as_str(), changed["scm_url"].as_str()), (Some("x"), Some("")));
}

fn folders_out_of_reach_are_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let root = server.data().join("manual-projects");
    fs::create_dir_all(&root).expect("a folder");
    fs::create_dir(root.join("_private")).expect("a folder");
    fs::write(root.join("file"), "").expect("a file");
    std::os::unix::fs::symlink("/etc", root.join("link")).expect("a link");
    for folder in ["../../etc", "/etc", "nosuchfolder", "_private", "file", "link", ".", "..", "a/b"] {
        let answer = admin.post(PROJECTS, json!({"name": "x", "local_path": folder})).expect(400).json();
        assert!(answer["local_path"][0].is_string(), "{folder}: {answer}");
    }
    assert_eq!(admin.get(PROJECTS).expect(200).json()["count"], 0);
    let missing = admin.post(PROJECTS, json!({"name": "x"})).expect(201).json();
    assert_eq!((missing["status"].as_str(), missing["local_path"].as_str()), (Some("missing"), Some("")));
}

fn options_of_other_sources_are_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let url = "https://git.example/x";
    for (field, body) in [
        ("scm_branch", json!({"scm_type": "archive", "scm_url": url, "scm_branch": "main"})),
        ("scm_refspec", json!({"scm_type": "svn", "scm_url": url, "scm_refspec": "refs/a"})),
        ("scm_track_submodules", json!({"scm_type": "svn", "scm_url": url, "scm_track_submodules": true})),
        ("scm_update_on_launch", json!({"scm_type": "", "scm_update_on_launch": true})),
        ("scm_url", json!({"scm_type": "git", "scm_url": "ext::sh -c id"})),
        ("scm_url", json!({"scm_type": "git", "scm_url": "--upload-pack=id"})),
        ("scm_url", json!({"scm_type": "git", "scm_url": "https://"})),
        ("scm_url", json!({"scm_type": "git", "scm_url": "ssh:///repository"})),
    ] {
        let mut body = body;
        body["name"] = json!("x");
        let answer = admin.post(PROJECTS, body.clone()).expect(400).json();
        assert!(answer[field][0].is_string(), "{body}: {answer}");
    }
    let project = admin.create(PROJECTS, json!({"name": "x", "scm_type": "git", "scm_url": url}));
    let path = format!("{PROJECTS}{project}/");
    let answer = admin.patch(&path, json!({"local_path": "elsewhere"})).expect(400).json();
    assert!(answer["local_path"][0].is_string(), "{answer}");
    admin.patch(&path, json!({"scm_type": "svn", "scm_refspec": "refs/a"})).expect(400);
}

fn copy_has_the_same_source(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("o");
    let source = json!({
        "name": "x", "organization": organization, "scm_type": "git", "scm_url": "https://git.example/x",
        "scm_branch": "dev", "timeout": 5, "allow_override": true,
    });
    let project = admin.create(PROJECTS, source);
    let copy = format!("{PROJECTS}{project}/copy/");
    assert_eq!(admin.get(&copy).expect(200).json(), json!({"can_copy": true}));
    admin.post(&copy, json!({"name": "x"})).expect(400);
    let copied = admin.post(&copy, json!({"name": "y"})).expect(201).json();
    let original = admin.get(&format!("{PROJECTS}{project}/")).expect(200).json();
    for key in ["organization", "scm_type", "scm_url", "scm_branch", "timeout", "allow_override"] {
        assert_eq!(copied[key], original[key], "{key}");
    }
    assert_ne!(copied["local_path"], original["local_path"]);
    // An admin of the project may not add one to the organization.
    let admin_of_project = server.user("ann");
    let role = &original["summary_fields"]["object_roles"]["admin_role"]["id"];
    admin.attach(&format!("{}roles/", admin_of_project.path()), role.as_i64().expect("a role"));
    assert_eq!(admin_of_project.client.get(&copy).expect(200).json(), json!({"can_copy": false}));
    admin_of_project.client.post(&copy, json!({"name": "z"})).expect(403);
}

fn manual_projects_are_not_copied(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let project = admin.create(PROJECTS, json!({"name": "x", "organization": server.organization("o")}));
    let path = format!("{PROJECTS}{project}/");
    let may = |path: &str| admin.get(path).expect(200).json()["summary_fields"]["user_capabilities"]["copy"].clone();
    assert_eq!(may(&path), Value::Bool(false));
    admin.post(&format!("{path}copy/"), json!({"name": "y"})).expect(403);
}

fn superusers_remove_the_organization(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("o");
    let project = admin.create(PROJECTS, json!({"name": "x", "organization": organization}));
    let path = format!("{PROJECTS}{project}/");
    let ann = server.user("ann");
    server.add_admin(organization, &ann);
    ann.client.patch(&path, json!({"description": "other"})).expect(200);
    ann.client.patch(&path, json!({"organization": null})).expect(403);
    assert!(admin.patch(&path, json!({"organization": null})).expect(200).json()["organization"].is_null());
}
