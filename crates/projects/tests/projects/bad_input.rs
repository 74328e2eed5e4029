use hostler_projects::{Error, FetchMode, GitCredential, GitSource, InvalidField};

use crate::fixture::Fixture;

fn field<T: std::fmt::Debug>(result: Result<T, InvalidField>) -> &'static str {
    result.unwrap_err().field
}

fn source() -> GitSource {
    GitSource::new("https://example.org/x", false).unwrap()
}

#[test]
fn branches_that_could_be_options_are_rejected() {
    let long = "x".repeat(5000);
    for branch in ["-x", "--upload-pack=touch", "a\nb", "a\0", &long] {
        assert_eq!(field(source().branch(branch)), "scm_branch", "{branch:?}");
    }
    for branch in ["", "main", "feature/ünïcode", "v1.0", "a b"] {
        source().branch(branch).unwrap();
    }
}

#[test]
fn refspecs_that_git_could_misread_are_rejected() {
    for refspec in [
        "-x",
        "--prune",
        "+",
        "+-x:refs/x",
        ":refs/heads/x",
        "a:b",
        "refs/a:refs/b:refs/c",
        "refs/*/*:refs/x/*",
        "refs/*:refs/x",
        "refs/*",
        "refs/a:refs/*",
        "^refs/heads/x",
        "refs/a b:refs/c",
        "refs/a\n:refs/c",
        "refs/../x:refs/c",
        "refs/x:refs/hostler/head",
    ] {
        assert_eq!(field(source().refspec(refspec)), "scm_refspec", "{refspec:?}");
    }
    for refspec in ["", "refs/pull/1/head", "+refs/pull/*:refs/remotes/origin/pull/*", "refs/a:refs/remotes/origin/a"] {
        source().refspec(refspec).unwrap();
    }
}

#[test]
fn credentials_with_control_characters_are_rejected() {
    let text = |text: &str| zeroize::Zeroizing::new(text.to_owned());
    let none = GitCredential::default;
    for (credential, expected) in [
        (GitCredential { username: "a\nb".into(), ..none() }, "username"),
        (GitCredential { username: "-oProxyCommand=x".into(), ..none() }, "username"),
        (GitCredential { username: "a\" b".into(), ..none() }, "username"),
        (GitCredential { password: text("a\nhost=evil"), ..none() }, "password"),
        (GitCredential { ssh_key_passphrase: text("a\nb"), ..none() }, "ssh_key_unlock"),
        (GitCredential { ssh_key: text("a\0"), ..none() }, "ssh_key_data"),
    ] {
        assert_eq!(field(source().credential(credential)), expected);
    }
    assert_eq!(field(GitSource::new("https://a%0ab@example.org/x", false)), "scm_url");
    assert_eq!(field(GitSource::new("https://-x@example.org/x", false)), "scm_url");
}

#[tokio::test]
async fn holders_and_commits_that_are_no_names_are_rejected() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let commit = repository.commit_file("a.yml", "1");
    let source = repository.source();
    fixture.projects.update(1, &source, FetchMode::Changes, &|_| {}).await.unwrap();
    for holder in ["", ".", "..", "../x", "a/b", "a\0", "ä", &"x".repeat(200)] {
        let error = fixture.checkout(&source, &commit, holder).await.unwrap_err();
        assert!(matches!(error, Error::InvalidName(_)), "{holder:?}: {error}");
        fixture.projects.release(1, holder).await.unwrap_err();
    }
    for commit in ["", "main", "../../etc", "HEAD", &commit[..10], &commit.to_uppercase()] {
        let error = fixture.checkout(&source, commit, "job-1").await.unwrap_err();
        assert!(matches!(error, Error::UnknownRevision(_)), "{commit:?}: {error}");
    }
}
