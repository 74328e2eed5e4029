//! SSH, with a program that takes the place of ssh: it logs how it is called, and runs the command on this machine.

use std::fs;
use std::path::Path;

use hostler_projects::{Error, GitCredential, GitSource, HostKeys, ProjectOptions};

use crate::fixture::{Fixture, Repository, script};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nCanary5ecretKey\n-----END OPENSSH PRIVATE KEY-----";

/// An ssh that logs its arguments, the mode of its key file and of its folder, and what askpass answers to `question`.
fn ssh(options: &mut ProjectOptions, path: &Path, question: &str) {
    let text = format!(
        r#"{{
echo "$*"
key=$(echo "$*" | sed -n 's/.*IdentityFile="\([^"]*\)".*/\1/p')
[ -z "$key" ] || stat -c %a "$key" "$(dirname "$key")"
[ -z "$key" ] || tail -n 2 "$key"
[ -z "$SSH_ASKPASS" ] || "$SSH_ASKPASS" "{question}"
echo
}} >>'{}'
for command; do :; done
exec sh -c "$command""#,
        path.join("calls").display()
    );
    options.ssh = script(&path.join("ssh"), &text);
}

async fn fixture(question: &str) -> (Fixture, Repository) {
    let fixture = Fixture::with(|options, path| ssh(options, path, question)).await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    (fixture, repository)
}

fn source(repository: &Repository, start: &str, credential: GitCredential) -> GitSource {
    let url = format!("{start}{}", repository.path.display());
    GitSource::new(&url, false).unwrap().credential(credential).unwrap()
}

fn calls(fixture: &Fixture) -> String {
    fs::read_to_string(fixture.path().join("calls")).unwrap()
}

#[tokio::test]
async fn ssh_key_is_a_private_file_while_it_is_used() {
    let (fixture, repository) = fixture("Enter passphrase for key '/x/key': ").await;
    let credential = GitCredential {
        ssh_key: KEY.to_owned().into(),
        ssh_key_passphrase: "Canary5phrase".to_owned().into(),
        ..GitCredential::default()
    };
    fixture.update(&source(&repository, "git@example.org:", credential)).await.unwrap();
    let calls = calls(&fixture);
    let (first, rest) = calls.split_once('\n').unwrap();
    assert!(first.contains("-F none") && first.contains("StrictHostKeyChecking=accept-new"), "{first}");
    assert!(first.contains(" git@example.org ") && !first.contains("BatchMode=yes"), "{first}");
    assert_eq!(rest.trim(), "600\n700\nCanary5ecretKey\n-----END OPENSSH PRIVATE KEY-----\nCanary5phrase");
    assert!(!first.contains("Canary5phrase") && !fixture.is_on_disk("Canary5"));
}

#[tokio::test]
async fn ssh_password_is_given_only_to_its_host() {
    let credential = GitCredential {
        username: "ada".to_owned(),
        password: "Canary5ecret".to_owned().into(),
        ..GitCredential::default()
    };
    for (question, answer) in [
        ("ada@example.org's password: ", "Canary5ecret"),
        ("(ada@example.org) Password: ", "Canary5ecret"),
        ("ada@other.org's password: ", ""),
        ("Are you sure you want to continue connecting (yes/no)? ", ""),
    ] {
        let (fixture, repository) = fixture(question).await;
        fixture.update(&source(&repository, "ssh://example.org", credential.clone())).await.unwrap();
        let calls = calls(&fixture);
        let (first, rest) = calls.split_once('\n').unwrap();
        assert!(first.contains("User=ada"), "{first}");
        assert_eq!(rest.trim(), answer, "{question}");
    }
}

#[tokio::test]
async fn ssh_without_credential_asks_nothing() {
    let (fixture, repository) = fixture("").await;
    fixture.update(&source(&repository, "git@example.org:", GitCredential::default())).await.unwrap();
    let calls = calls(&fixture);
    assert!(calls.contains("BatchMode=yes") && calls.contains("IdentityFile=none"), "{calls}");
}

#[tokio::test]
async fn host_keys_can_be_unverified() {
    let change = |options: &mut ProjectOptions, path: &Path| {
        ssh(options, path, "");
        options.host_keys = HostKeys::Unverified;
    };
    let fixture = Fixture::with(change).await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    fixture.update(&source(&repository, "git@example.org:", GitCredential::default())).await.unwrap();
    assert!(calls(&fixture).contains("StrictHostKeyChecking=no"));
}

#[tokio::test]
async fn missing_ssh_is_named() {
    let fixture = Fixture::with(|options, path| options.ssh = path.join("no/ssh")).await;
    let repository = fixture.repository("a");
    let source = source(&repository, "git@example.org:", GitCredential::default());
    let error = fixture.update(&source).await.unwrap_err();
    assert_eq!(error.to_string(), "The program ssh is not installed on the server.");
}

#[tokio::test]
async fn failures_of_ssh_have_a_sentence() {
    for (text, expected) in [
        ("Host key verification failed.", "The SSH host key of example.org is unknown or has changed."),
        ("git@example.org: Permission denied (publickey).", "Authentication at example.org failed."),
        ("Load key \"/x/key\": error in libcrypto", "The SSH key of the credential cannot be used"),
        ("ssh: Could not resolve hostname example.org: Name or service not known", "its name cannot be resolved."),
        ("ERROR: Repository not found.", "was not found."),
    ] {
        let change = |options: &mut ProjectOptions, path: &Path| {
            options.ssh = script(&path.join("ssh"), &format!("echo '{text}' >&2; exit 255"));
        };
        let fixture = Fixture::with(change).await;
        let repository = fixture.repository("a");
        let credential = GitCredential { ssh_key: KEY.to_owned().into(), ..GitCredential::default() };
        let error: Error = fixture.update(&source(&repository, "git@example.org:", credential)).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
        assert!(fixture.log().contains(text), "{}", fixture.log());
        assert_eq!(fs::read_dir(fixture.path().join("secrets")).unwrap().count(), 0);
    }
}
