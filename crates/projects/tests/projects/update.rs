use std::fs;

use hostler_projects::{Error, FetchMode, GitSource, ProjectOptions};

use crate::fixture::Fixture;

#[tokio::test]
async fn branch_tag_and_commit_are_found() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let first = repository.commit_file("a.yml", "1");
    repository.git(&["tag", "-a", "-m", "Release", "v1"]);
    repository.git(&["checkout", "-q", "-b", "dev/new"]);
    let dev = repository.commit_file("a.yml", "2");
    repository.git(&["checkout", "-q", "main"]);
    let main = repository.commit_file("a.yml", "3");
    for (branch, expected) in [
        ("", &main),
        ("HEAD", &main),
        ("main", &main),
        ("dev/new", &dev),
        ("origin/main", &main),
        ("v1", &first),
        (first.as_str(), &first),
        (&first[..10], &first),
        (&first[..10].to_uppercase(), &first),
    ] {
        let source = repository.source().branch(branch).unwrap();
        assert_eq!(&fixture.update(&source).await.unwrap(), expected, "{branch}");
    }
}

#[tokio::test]
async fn branch_takes_precedence_over_tag_of_the_same_name() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    repository.git(&["tag", "same"]);
    repository.git(&["checkout", "-q", "-b", "same"]);
    let branch = repository.commit_file("a.yml", "2");
    assert_eq!(fixture.update(&repository.source().branch("same").unwrap()).await.unwrap(), branch);
}

#[tokio::test]
async fn unknown_branch_is_named_in_the_error() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let error = fixture.update(&repository.source().branch("mian").unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "The branch, tag or commit 'mian' does not exist in the repository.");
    let missing = "0123456789012345678901234567890123456789";
    for branch in [missing, "main~1", "main^{tree}", "@{-1}", ":/Change", "main..HEAD", "ma*", "hostler/head x"] {
        let error = fixture.update(&repository.source().branch(branch).unwrap()).await.unwrap_err();
        assert!(matches!(&error, Error::UnknownRevision(name) if name == branch), "{branch}: {error}");
    }
    fixture.update(&repository.source()).await.unwrap();
}

#[tokio::test]
async fn refspec_fetches_pull_requests() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    repository.git(&["checkout", "-q", "-b", "proposal"]);
    let pull = repository.commit_file("pull.yml", "2");
    repository.git(&["update-ref", "refs/pull/1/head", &pull]);
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["branch", "-q", "-D", "proposal"]);
    let source = repository.source().branch("pull/1/head").unwrap();
    assert!(matches!(fixture.update(&source).await.unwrap_err(), Error::UnknownRevision(_)));
    let source = source.refspec("refs/pull/*:refs/remotes/origin/pull/*").unwrap();
    assert_eq!(fixture.update(&source).await.unwrap(), pull);
    let source = repository.source().refspec("refs/pull/9/head:refs/remotes/origin/pull/9").unwrap();
    let error = fixture.update(&source).await.unwrap_err();
    assert!(error.to_string().contains("'refs/pull/9/head'"), "{error}");
}

#[tokio::test]
async fn rewritten_and_deleted_branches_are_followed() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    repository.git(&["branch", "topic"]);
    let topic = repository.source().branch("topic").unwrap();
    fixture.update(&topic).await.unwrap();
    repository.git(&["commit", "-q", "--amend", "-m", "Rewritten"]);
    let rewritten = repository.git(&["rev-parse", "HEAD"]);
    assert_eq!(fixture.update(&repository.source()).await.unwrap(), rewritten);
    // A folder of references takes the place of a reference.
    repository.git(&["branch", "-q", "-D", "topic"]);
    repository.git(&["branch", "topic/new"]);
    assert!(matches!(fixture.update(&topic).await.unwrap_err(), Error::UnknownRevision(_)));
    let new = repository.source().branch("topic/new").unwrap();
    assert_eq!(fixture.update(&new).await.unwrap(), rewritten);
}

#[tokio::test]
async fn commit_that_no_branch_contains_is_fetched_if_the_server_allows_it() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let hidden = repository.commit_file("a.yml", "2");
    repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repository.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    assert_eq!(fixture.update(&repository.source().branch(&hidden).unwrap()).await.unwrap(), hidden);
    fixture.update(&repository.source()).await.unwrap();
}

#[tokio::test]
async fn empty_repository_has_no_default_branch() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let error = fixture.update(&repository.source()).await.unwrap_err();
    assert!(matches!(error, Error::NoDefaultBranch), "{error}");
    // HEAD names a branch that does not exist.
    let commit = repository.commit_file("a.yml", "1");
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.git(&["branch", "-q", "-D", "main"]);
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    let error = fixture.update(&repository.source()).await.unwrap_err();
    assert!(matches!(error, Error::NoDefaultBranch), "{error}");
    assert_eq!(fixture.update(&repository.source().branch("other").unwrap()).await.unwrap(), commit);
}

#[tokio::test]
async fn missing_repository_is_reported() {
    let fixture = Fixture::new().await;
    let source = GitSource::new(&format!("file://{}/nothing", fixture.path().display()), true).unwrap();
    let error = fixture.update(&source).await.unwrap_err();
    assert!(matches!(error, Error::RepositoryNotFound(_)), "{error}");
    assert!(error.to_string().contains("/nothing was not found"), "{error}");
}

#[tokio::test]
async fn file_urls_are_rejected_by_git_too() {
    let fixture = Fixture::with(|options: &mut ProjectOptions, _| options.allow_file = false).await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let error = fixture.update(&repository.source()).await.unwrap_err();
    assert!(error.to_string().contains("'file' not allowed"), "{error}");
}

#[tokio::test]
async fn changed_url_hides_the_commits_of_the_old_repository() {
    let fixture = Fixture::new().await;
    let (old, new) = (fixture.repository("old"), fixture.repository("new"));
    let secret = old.commit_file("secret.yml", "1");
    new.commit_file("a.yml", "1");
    fixture.update(&old.source()).await.unwrap();
    fixture.update(&new.source()).await.unwrap();
    let error = fixture.update(&new.source().branch(&secret).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::UnknownRevision(_)), "{error}");
    assert_eq!(fs::read_dir(fixture.folder().join("mirrors")).unwrap().count(), 1);
}

#[tokio::test]
async fn everything_can_be_fetched_again() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let old = repository.commit_file("a.yml", "1");
    fixture.update(&repository.source()).await.unwrap();
    repository.git(&["commit", "-q", "--amend", "-m", "Rewritten"]);
    repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    repository.git(&["gc", "-q", "--prune=now"]);
    let source = repository.source().branch(&old).unwrap();
    assert_eq!(fixture.update(&source).await.unwrap(), old);
    let new = fixture.update_as(&repository.source(), FetchMode::Everything).await.unwrap();
    assert_ne!(new, old);
    let error = fixture.update(&source).await.unwrap_err();
    assert!(matches!(error, Error::UnknownRevision(_)), "{error}");
}

#[tokio::test]
async fn damaged_mirror_and_stale_lock_files_are_repaired() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    fixture.update(&repository.source()).await.unwrap();
    let mirror = fs::read_dir(fixture.folder().join("mirrors")).unwrap().next().unwrap().unwrap().path();
    for lock in ["packed-refs.lock", "refs/remotes/origin/main.lock", "config.lock", "shallow.lock"] {
        fs::write(mirror.join(lock), "").unwrap();
    }
    fs::create_dir(fixture.folder().join("mirrors/.new-abc")).unwrap();
    let second = repository.commit_file("a.yml", "2");
    assert_eq!(fixture.update(&repository.source()).await.unwrap(), second);
    assert!(!fixture.log().contains("damaged"), "{}", fixture.log());
    for entry in walkdir::WalkDir::new(mirror.join("objects")).into_iter().flatten() {
        if entry.file_type().is_file() {
            fs::remove_file(entry.path()).unwrap();
            fs::write(entry.path(), "damaged").unwrap();
        }
    }
    let third = repository.commit_file("a.yml", "3");
    assert_eq!(fixture.update(&repository.source()).await.unwrap(), third);
    assert!(fixture.log().contains("damaged"), "{}", fixture.log());
    assert_eq!(fs::read_dir(fixture.folder().join("mirrors")).unwrap().count(), 1);
}

#[tokio::test]
async fn host_that_refuses_the_connection_is_named() {
    let fixture = Fixture::new().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = GitSource::new(&format!("http://127.0.0.1:{port}/x"), false).unwrap();
    let error = fixture.update(&source).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("127.0.0.1:{port} cannot be reached")), "{error}");
}

#[tokio::test]
async fn simultaneous_updates_wait_for_each_other() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let commit = repository.commit_file("a.yml", "1");
    let source = repository.source();
    let updates = (fixture.update(&source), fixture.update(&source), fixture.update(&source));
    let (one, two, three) = tokio::join!(updates.0, updates.1, updates.2);
    assert_eq!([one.unwrap(), two.unwrap(), three.unwrap()], [&commit; 3].map(String::as_str));
}
