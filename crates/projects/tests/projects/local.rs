//! Repositories on the server itself.

use std::os::unix::fs::symlink;

use hostler_projects::Error;

use crate::fixture::Fixture;

#[tokio::test]
async fn repositories_in_private_folders_are_rejected() {
    let fixture = Fixture::with(|options, folder| {
        options.private_folders.push(folder.join("repositories/data"));
        options.shared_folders.push(folder.join("repositories/data/demo"));
    })
    .await;
    let private = fixture.repository("data/private");
    let shared = fixture.repository("data/demo/shared");
    let other = fixture.repository("other");
    let commits = [&private, &shared, &other].map(|repository| repository.commit_file("a.yml", "1"));
    let link = fixture.path().join("repositories/link");
    symlink(fixture.path().join("repositories/data/private"), &link).unwrap();
    let encoded = format!("file://{}", fixture.path().join("repositories/data/%70rivate").display());
    for source in [private.source(), fixture.projects.source(&format!("file://{}", link.display())).unwrap()] {
        let error = fixture.update(&source).await.unwrap_err();
        assert!(matches!(&error, Error::InvalidField(field) if field.field == "scm_url"), "{error}");
    }
    fixture.update(&fixture.projects.source(&encoded).unwrap()).await.unwrap_err();
    assert_eq!(fixture.update(&shared.source()).await.unwrap(), commits[1]);
    let commit = fixture.update(&other.source()).await.unwrap();
    assert_eq!(commit, commits[2]);
    // A mirror of another project.
    let mirrors = std::fs::read_dir(fixture.folder().join("mirrors")).unwrap();
    for mirror in mirrors.flatten() {
        let source = fixture.projects.source(&format!("file://{}", mirror.path().display())).unwrap();
        fixture.update(&source).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_repository_is_made_once_and_has_always_the_same_commit() {
    let (first, second) = (Fixture::new().await, Fixture::new().await);
    let mut commits = vec![];
    for fixture in [&first, &second, &first] {
        let path = fixture.path().join("repositories/demo/playbooks.git");
        let files = [("hello_world.yml", "- hosts: all\n"), ("README.md", "Hello\n")];
        fixture.projects.make_repository(&path, &files).await.unwrap();
        let source = fixture.projects.source(&format!("file://{}", path.display())).unwrap();
        let commit = fixture.update(&source).await.unwrap();
        let checkout = fixture.checkout(&source, &commit, "job-1").await.unwrap();
        assert_eq!(hostler_projects::playbooks(&checkout.path, false), ["hello_world.yml"]);
        commits.push(commit);
    }
    assert!(commits.iter().all(|commit| *commit == commits[0]), "{commits:?}");
}
