use std::fs;

use hostler_projects::Error;

use crate::fixture::{Fixture, Repository};

/// Adds a submodule with a relative URL.
fn add(repository: &Repository, path: &str, url: &str, arguments: &[&str]) {
    let mut all = vec!["submodule", "--quiet", "add"];
    all.extend(arguments);
    all.extend([url, path]);
    repository.git(&all);
    repository.commit();
}

#[tokio::test]
async fn pinned_submodules_are_checked_out_at_every_depth() {
    let fixture = Fixture::new().await;
    let (main, sub, inner) = (fixture.repository("main"), fixture.repository("sub"), fixture.repository("inner"));
    inner.commit_file("inner.yml", "old");
    add(&sub, "parts/inner", "../inner", &[]);
    sub.commit_file("sub.yml", "old");
    add(&main, "sub", "../sub", &[]);
    sub.commit_file("sub.yml", "new");
    inner.commit_file("inner.yml", "new");
    let files = fixture.files(&main.source()).await;
    assert_eq!(fs::read_to_string(files.join("sub/sub.yml")).unwrap(), "old");
    assert_eq!(fs::read_to_string(files.join("sub/parts/inner/inner.yml")).unwrap(), "old");
}

#[tokio::test]
async fn tracked_submodules_are_at_the_tip_of_their_branch() {
    let fixture = Fixture::new().await;
    let (main, sub) = (fixture.repository("main"), fixture.repository("sub"));
    sub.commit_file("sub.yml", "pinned");
    sub.git(&["branch", "stable"]);
    add(&main, "tip", "../sub", &[]);
    add(&main, "stable", "../sub", &["-b", "stable"]);
    sub.commit_file("sub.yml", "tip");
    sub.git(&["checkout", "-q", "stable"]);
    sub.commit_file("sub.yml", "stable");
    sub.git(&["checkout", "-q", "main"]);
    let source = main.source().track_submodules(true);
    let commit = fixture.update(&source).await.unwrap();
    let first = fixture.checkout(&source, &commit, "job-1").await.unwrap().path;
    assert_eq!(fs::read_to_string(first.join("tip/sub.yml")).unwrap(), "tip");
    assert_eq!(fs::read_to_string(first.join("stable/sub.yml")).unwrap(), "stable");
    // The tip moves, the commit of the project stays: the next update gives other files.
    sub.commit_file("sub.yml", "newer");
    assert_eq!(fixture.checkout(&source, &commit, "job-2").await.unwrap().path, first);
    assert_eq!(fixture.update(&source).await.unwrap(), commit);
    let second = fixture.checkout(&source, &commit, "job-3").await.unwrap().path;
    assert_eq!(fs::read_to_string(second.join("tip/sub.yml")).unwrap(), "newer");
    assert_eq!(fs::read_to_string(first.join("tip/sub.yml")).unwrap(), "tip");
    for job in ["job-1", "job-2", "job-3"] {
        fixture.projects.release(1, job).await.unwrap();
    }
    fixture.projects.remove_unused(1, &[&commit]).await.unwrap();
    assert!(second.exists() && !first.exists());
    let pinned = fixture.files(&main.source()).await;
    assert_eq!(fs::read_to_string(pinned.join("tip/sub.yml")).unwrap(), "pinned");
}

#[tokio::test]
async fn missing_branch_of_a_submodule_is_named() {
    let fixture = Fixture::new().await;
    let (main, sub) = (fixture.repository("main"), fixture.repository("sub"));
    sub.commit_file("sub.yml", "1");
    add(&main, "sub", "../sub", &[]);
    main.git(&["config", "-f", ".gitmodules", "submodule.sub.branch", "mian"]);
    main.commit();
    let error = fixture.update(&main.source().track_submodules(true)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "The submodule sub: The branch, tag or commit 'mian' does not exist in the repository."
    );
}

#[tokio::test]
async fn submodule_with_a_command_as_url_is_rejected() {
    let fixture = Fixture::new().await;
    for url in ["ext::sh -c 'touch evil'", "--upload-pack=touch", "../../../../../../../../../../../../../../x"] {
        let (main, sub) = (fixture.repository("main"), fixture.repository("sub"));
        sub.commit_file("sub.yml", "1");
        if !main.path.join("sub").exists() {
            add(&main, "sub", "../sub", &[]);
        }
        main.git(&["config", "-f", ".gitmodules", "submodule.sub.url", url]);
        main.commit();
        let error = fixture.update(&main.source()).await.unwrap_err();
        assert!(matches!(&error, Error::Submodule { path, .. } if path == "sub"), "{url}: {error}");
    }
}

#[tokio::test]
async fn submodule_below_a_link_is_rejected() {
    let fixture = Fixture::new().await;
    let (main, sub) = (fixture.repository("main"), fixture.repository("sub"));
    let pinned = sub.commit_file("evil", "1");
    let outside = fixture.path().join("outside");
    fs::create_dir(&outside).unwrap();
    // The tree of this commit has two entries with the name `a`: a folder with the submodule, and a link.
    main.write(".gitmodules", "[submodule \"x\"]\n\tpath = a/sub\n\turl = ../sub\n");
    main.write("target", outside.to_str().unwrap());
    let modules = main.git(&["hash-object", "-w", ".gitmodules"]);
    let target = main.git(&["hash-object", "-w", "target"]);
    let make_tree = |entries: &str| {
        main.write("entries", entries);
        let command = format!("cd '{}' && git mktree --missing <entries", main.path.display());
        let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let folder = make_tree(&format!("160000 commit {pinned}\tsub\n"));
    let entries = format!("100644 blob {modules}\t.gitmodules\n120000 blob {target}\ta\n040000 tree {folder}\ta\n");
    let tree = make_tree(&entries);
    let commit = main.git(&["commit-tree", "-m", "Evil", &tree]);
    main.git(&["update-ref", "refs/heads/main", &commit]);
    if let Ok(commit) = fixture.update(&main.source()).await {
        // git may leave out the link.
        let _ = fixture.checkout(&main.source(), &commit, "job-1").await;
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}
