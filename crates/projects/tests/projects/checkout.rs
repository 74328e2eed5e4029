use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use hostler_projects::{Error, ProjectOptions, Projects};

use crate::fixture::{Fixture, script};

#[tokio::test]
async fn checkout_has_all_files_and_is_read_only() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.write("site.yml", "- hosts: all\n");
    repository.write("deep/er/run.sh", "#!/bin/sh\n");
    fs::set_permissions(repository.path.join("deep/er/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("site.yml", repository.path.join("link.yml")).unwrap();
    repository.commit();
    let files = fixture.files(&repository.source()).await;
    assert_eq!(fs::read_to_string(files.join("site.yml")).unwrap(), "- hosts: all\n");
    assert_eq!(fs::read_link(files.join("link.yml")).unwrap().to_str(), Some("site.yml"));
    let mode = |name: &str| fs::metadata(files.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("site.yml") & 0o222, mode("deep") & 0o222, mode("deep/er/run.sh") & 0o333), (0, 0, 0o111));
    assert!(!files.join(".git").exists());
}

/// Options with a git that writes each call into a log, and the log.
fn logged(options: &mut ProjectOptions, path: &std::path::Path) {
    let log = path.join("calls");
    let text = format!(r#"printf '%s\n' "$*" >>'{}'; exec git "$@""#, log.display());
    options.git = script(&path.join("git"), &text);
}

fn created(fixture: &Fixture) -> usize {
    fs::read_to_string(fixture.path().join("calls")).unwrap().matches("read-tree").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_jobs_share_one_checkout() {
    let fixture = Arc::new(Fixture::with(logged).await);
    let repository = fixture.repository("a");
    (0..200).for_each(|number| repository.write(&format!("files/{number}"), "text"));
    repository.commit();
    let source = repository.source();
    let commit = fixture.update(&source).await.unwrap();
    // Half of the jobs are started by another server that uses the same folder.
    let options = ProjectOptions { allow_file: true, git: fixture.path().join("git"), ..ProjectOptions::default() };
    let other = Arc::new(Projects::open(fixture.path().join("projects"), options).await.unwrap());
    let mut jobs = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (fixture, other, source, commit) = (fixture.clone(), other.clone(), source.clone(), commit.clone());
        jobs.spawn(async move {
            let projects = if number % 2 == 0 { &fixture.projects } else { &other };
            let checkout = projects.checkout(1, &source, &commit, &format!("job-{number}"), &|_| {}).await.unwrap();
            assert_eq!(fs::read_dir(checkout.path.join("files")).unwrap().count(), 200);
        });
    }
    jobs.join_all().await;
    assert_eq!(created(&fixture), 1);
    assert_eq!(fixture.projects.holders(1).await.unwrap().len(), 20);
}

#[tokio::test]
async fn used_checkouts_are_kept_and_unused_ones_removed() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let source = repository.source();
    let mut checkouts = Vec::new();
    for number in 0..3 {
        repository.commit_file("deep/a.yml", &number.to_string());
        let commit = fixture.update(&source).await.unwrap();
        checkouts.push(fixture.checkout(&source, &commit, &format!("job-{number}")).await.unwrap());
    }
    let exists = || checkouts.iter().map(|checkout| checkout.path.exists()).collect::<Vec<_>>();
    let newest = checkouts[2].commit.clone();
    fixture.projects.remove_unused(1, &[]).await.unwrap();
    assert_eq!(exists(), [true, true, true]);
    fixture.projects.release(1, "job-0").await.unwrap();
    fixture.projects.release(1, "job-2").await.unwrap();
    fixture.projects.release(1, "job-2").await.unwrap();
    fixture.projects.remove_unused(1, &[&newest]).await.unwrap();
    assert_eq!(exists(), [false, true, true]);
    // A server that starts again finds the holders.
    let options = ProjectOptions { allow_file: true, ..ProjectOptions::default() };
    let restarted = Projects::open(fixture.path().join("projects"), options).await.unwrap();
    assert_eq!(restarted.holders(1).await.unwrap(), ["job-1"]);
    restarted.remove_project(1).await.unwrap();
    assert_eq!(exists(), [false, true, false]);
    restarted.release(1, "job-1").await.unwrap();
    restarted.remove_project(1).await.unwrap();
    assert!(!fixture.folder().exists());
    restarted.remove_project(1).await.unwrap();
    // A removed checkout is created again.
    let commit = fixture.update(&source).await.unwrap();
    assert!(fixture.checkout(&source, &commit, "job-9").await.unwrap().path.exists());
}

#[tokio::test]
async fn interrupted_checkout_is_created_again() {
    let fixture = Fixture::with(logged).await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let source = repository.source();
    let commit = fixture.update(&source).await.unwrap();
    // What a server leaves behind that is killed while it creates or removes a checkout.
    let folder = fixture.folder().join("checkouts").join(&commit);
    fs::create_dir_all(folder.join("partial/deep")).unwrap();
    fs::write(folder.join("partial/deep/left"), "").unwrap();
    fs::write(folder.join("index"), "not an index").unwrap();
    fs::write(folder.join("lock"), "").unwrap();
    let files = fixture.checkout(&source, &commit, "job-1").await.unwrap().path;
    let names: Vec<_> = fs::read_dir(&files).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a.yml"]);
    assert!(!folder.join("partial").exists() && !folder.join("index").exists());
}

#[tokio::test]
async fn checkout_needs_no_connection() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let source = repository.source();
    let commit = fixture.update(&source).await.unwrap();
    fs::remove_dir_all(&repository.path).unwrap();
    fixture.checkout(&source, &commit, "job-1").await.unwrap();
    assert!(matches!(fixture.update(&source).await.unwrap_err(), Error::RepositoryNotFound(_)));
    fixture.checkout(&source, &commit, "job-2").await.unwrap();
}

#[tokio::test]
async fn commit_that_was_not_fetched_is_reported() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let commit = repository.commit_file("a.yml", "1");
    let source = repository.source();
    for _ in 0..2 {
        let error = fixture.checkout(&source, &commit, "job-1").await.unwrap_err();
        assert!(matches!(error, Error::NotFetched(_)), "{error}");
        fs::create_dir_all(fixture.folder().join("mirrors")).unwrap();
    }
    assert!(fixture.projects.holders(1).await.unwrap().is_empty());
}

#[tokio::test]
async fn failed_checkout_leaves_nothing_behind() {
    let fail = |options: &mut ProjectOptions, path: &std::path::Path| {
        let text =
            r#"case "$*" in *read-tree*) echo "fatal: No space left on device" >&2; exit 1 ;; esac; exec git "$@""#;
        options.git = script(&path.join("git"), text);
    };
    let fixture = Fixture::with(fail).await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let source = repository.source();
    let commit = fixture.update(&source).await.unwrap();
    let error = fixture.checkout(&source, &commit, "job-1").await.unwrap_err();
    assert!(matches!(error, Error::DiskFull), "{error}");
    assert_eq!(fs::read_dir(fixture.folder().join("checkouts")).unwrap().count(), 0);
}

#[tokio::test]
async fn jobs_do_not_wait_for_an_update() {
    let hang = |options: &mut ProjectOptions, path: &std::path::Path| {
        let text = format!(
            r#"case "$*" in *fetch*) [ -e '{0}/hang' ] && echo >'{0}/hangs' && exec sleep 600 ;; esac; exec git "$@""#,
            path.display()
        );
        options.git = script(&path.join("git"), &text);
    };
    let fixture = Fixture::with(hang).await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let source = repository.source();
    let commit = fixture.update(&source).await.unwrap();
    fs::write(fixture.path().join("hang"), "").unwrap();
    let start = async {
        crate::fixture::until(|| fixture.path().join("hangs").exists()).await;
        fixture.checkout(&source, &commit, "job-1").await.unwrap()
    };
    tokio::select! {
        result = fixture.update(&source) => panic!("the update ended: {result:?}"),
        checkout = start => assert!(checkout.path.exists()),
    }
}
