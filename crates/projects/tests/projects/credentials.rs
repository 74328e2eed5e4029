use std::fs;

use hostler_projects::{Error, GitCredential, GitSource, ProjectOptions, Projects, Proxy, Tls};
use hostler_testkit::CertificateAuthority;

use crate::fixture::{Fixture, script};
use crate::http_server::HttpServer;

const SECRET: &str = "Canary5ecret";

fn credential(password: &str) -> GitCredential {
    GitCredential { username: "ada".to_owned(), password: password.to_owned().into(), ..GitCredential::default() }
}

/// Options with a git that writes its arguments and its environment into a log.
fn logged(options: &mut ProjectOptions, path: &std::path::Path) {
    let text = format!(r#"{{ printf '%s\n' "$*"; env; }} >>'{}'; exec git "$@""#, path.join("calls").display());
    options.git = script(&path.join("git"), &text);
}

#[tokio::test]
async fn password_is_used_and_found_nowhere() {
    let fixture = Fixture::with(logged).await;
    let repository = fixture.repository("a");
    let commit = repository.commit_file("a.yml", "1");
    let server = HttpServer::serve(&repository, "ada", SECRET);
    let source = GitSource::new(&server.url(), false).unwrap().credential(credential(SECRET)).unwrap();
    assert_eq!(fixture.update(&source).await.unwrap(), commit);
    fixture.checkout(&source, &commit, "job-1").await.unwrap();
    let calls = fs::read_to_string(fixture.path().join("calls")).unwrap();
    assert!(calls.contains(" fetch ") && calls.contains("GIT_ASKPASS="), "{calls}");
    assert!(!calls.contains(SECRET) && !fixture.log().contains(SECRET));
    assert!(!fixture.is_on_disk(SECRET));
    assert_eq!(fs::read_dir(fixture.path().join("secrets")).unwrap().count(), 0);
}

#[tokio::test]
async fn environment_of_the_server_is_not_passed_on() {
    let fixture = Fixture::with(logged).await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    fixture.update(&repository.source()).await.unwrap();
    let calls = fs::read_to_string(fixture.path().join("calls")).unwrap();
    assert!(!calls.contains("CARGO_"), "{calls}");
    for line in ["GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "core.hooksPath"] {
        assert!(calls.contains(line), "{line}: {calls}");
    }
    assert!(
        calls.contains(&format!("HOME={}", fixture.path().canonicalize().unwrap().join("projects/home").display()))
    );
    // What git starts for a source without SSH, such as git-lfs, gets no key of the server's user.
    let is_ssh = |line: &&str| line.starts_with("GIT_SSH_COMMAND='ssh' -F none") && line.contains("IdentityFile=none");
    let runs = |start: &str| calls.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(calls.lines().filter(is_ssh).count(), runs("GIT_TERMINAL_PROMPT="));
}

#[tokio::test]
async fn wrong_and_missing_passwords_are_reported() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let server = HttpServer::serve(&repository, "ada", SECRET);
    let source = GitSource::new(&server.url(), false).unwrap();
    let wrong = "Wr0ngSecret";
    for source in [source.clone(), source.credential(credential(wrong)).unwrap()] {
        let error = fixture.update(&source).await.unwrap_err();
        assert!(matches!(error, Error::AuthenticationFailed(_)), "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{}", server.port)), "{error}");
    }
    assert!(!fixture.log().contains(wrong) && !fixture.is_on_disk(wrong), "{}", fixture.log());
    assert_eq!(fs::read_dir(fixture.path().join("secrets")).unwrap().count(), 0);
}

#[tokio::test]
async fn credential_in_the_url_is_used_and_not_shown() {
    let fixture = Fixture::with(logged).await;
    let repository = fixture.repository("a");
    let commit = repository.commit_file("a.yml", "1");
    let server = HttpServer::serve(&repository, "ada", "p@ss/Canary5ecret");
    let url = server.url().replace("://", "://ada:p%40ss%2FCanary5ecret@");
    let source = GitSource::new(&url, false).unwrap();
    assert_eq!(fixture.update(&source).await.unwrap(), commit);
    assert!(!format!("{source:?}").contains(SECRET));
    let calls = fs::read_to_string(fixture.path().join("calls")).unwrap();
    assert!(!calls.contains(SECRET) && !fixture.log().contains(SECRET) && !fixture.is_on_disk(SECRET));
}

#[tokio::test]
async fn server_of_a_redirect_gets_no_secret() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let other = HttpServer::serve(&repository, "ada", SECRET);
    let first = HttpServer::redirect(other.port);
    let source = GitSource::new(&first.url(), false).unwrap().credential(credential(SECRET)).unwrap();
    let error = fixture.update(&source).await.unwrap_err();
    assert!(matches!(error, Error::AuthenticationFailed(_)), "{error}");
    assert!(other.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn unknown_commit_is_reported_over_http_too() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    repository.commit_file("a.yml", "1");
    let server = HttpServer::serve(&repository, "ada", SECRET);
    let missing = "0123456789012345678901234567890123456789";
    let source = GitSource::new(&server.url(), false).unwrap().branch(missing).unwrap();
    let error = fixture.update(&source.credential(credential(SECRET)).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::UnknownRevision(_)), "{error}");
    let error = fixture.update(&GitSource::new(&format!("{}/x", server.url()), false).unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::AuthenticationFailed(_)), "{error}");
    let other = GitSource::new(&format!("{}/x", server.url()), false).unwrap().credential(credential(SECRET)).unwrap();
    let error = fixture.update(&other).await.unwrap_err();
    assert!(matches!(error, Error::RepositoryNotFound(_)), "{error}");
}

#[tokio::test]
async fn proxy_is_used_except_for_some_hosts() {
    let fixture = Fixture::new().await;
    let repository = fixture.repository("a");
    let commit = repository.commit_file("a.yml", "1");
    let server = HttpServer::serve(&repository, "ada", SECRET);
    let proxied = |none_for: Option<&str>| {
        let (port, none_for) = (server.port, none_for.map(str::to_owned));
        let proxy = Proxy { http: Some(format!("http://127.0.0.1:{port}")), https: None, none_for };
        Fixture::with(move |options, _| options.proxy = proxy)
    };
    let url = "http://host.invalid/repository";
    let source = GitSource::new(url, false).unwrap().credential(credential(SECRET)).unwrap();
    assert_eq!(proxied(None).await.update(&source).await.unwrap(), commit);
    let error = proxied(Some("host.invalid")).await.update(&source).await.unwrap_err();
    assert_eq!(error.to_string(), "host.invalid cannot be reached: its name cannot be resolved.");
}

#[tokio::test]
async fn tls_certificates_are_verified_unless_an_option_says_otherwise() {
    let authority = CertificateAuthority::new("Own authority");
    let identity = authority.server(&["localhost"]);
    for (tls, is_trusted) in [
        (Tls::System, false),
        (Tls::Authorities("authority.pem".into()), true),
        (Tls::Authorities("other.pem".into()), false),
        (Tls::Unverified, true),
    ] {
        let change = |options: &mut ProjectOptions, path: &std::path::Path| {
            fs::write(path.join("authority.pem"), authority.certificate()).unwrap();
            fs::write(path.join("other.pem"), CertificateAuthority::new("Other").certificate()).unwrap();
            options.tls = match tls.clone() {
                Tls::Authorities(name) => Tls::Authorities(path.join(name)),
                tls => tls,
            };
        };
        let fixture = Fixture::with(change).await;
        let repository = fixture.repository("a");
        let commit = repository.commit_file("a.yml", "1");
        let server = HttpServer::serve_tls(&repository, "ada", SECRET, &identity);
        let url = format!("https://localhost:{}/repository", server.port);
        let source = GitSource::new(&url, false).unwrap().credential(credential(SECRET)).unwrap();
        match fixture.update(&source).await {
            Ok(updated) => assert!(is_trusted && updated == commit, "{tls:?}"),
            Err(error) => assert!(!is_trusted && matches!(error, Error::TlsNotTrusted(_)), "{tls:?}: {error}"),
        }
        assert_eq!(server.received.lock().unwrap().is_empty(), !is_trusted, "{tls:?}");
    }
}

#[tokio::test]
async fn submodule_on_another_server_gets_no_password() {
    let fixture = Fixture::new().await;
    let (main, sub) = (fixture.repository("main"), fixture.repository("sub"));
    let pinned = sub.commit_file("a.yml", "1");
    let other = HttpServer::serve(&sub, "ada", SECRET);
    main.write(".gitmodules", &format!("[submodule \"sub\"]\n\tpath = sub\n\turl = {}\n", other.url()));
    main.git(&["add", "--all"]);
    main.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{pinned},sub")]);
    main.git(&["commit", "-q", "-m", "Submodule"]);
    let server = HttpServer::serve(&main, "ada", SECRET);
    let source = GitSource::new(&server.url(), false).unwrap().credential(credential(SECRET)).unwrap();
    let error = fixture.update(&source).await.unwrap_err();
    assert!(matches!(&error, Error::Submodule { path, .. } if path == "sub"), "{error}");
    assert!(error.to_string().contains("Authentication"), "{error}");
    assert!(other.received.lock().unwrap().is_empty());
}

#[tokio::test]
async fn secrets_of_a_killed_server_are_removed_at_the_next_start() {
    let fixture = Fixture::new().await;
    let secrets = fixture.path().join("secrets");
    let (dead, alive) = (secrets.join("hostler-secrets-dead"), secrets.join("hostler-secrets-alive"));
    for folder in [&dead, &alive] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("password"), SECRET).unwrap();
        fs::write(folder.join("lock"), "").unwrap();
    }
    let lock = fs::File::open(alive.join("lock")).unwrap();
    lock.lock().unwrap();
    let options = ProjectOptions { secrets_dir: Some(secrets), ..ProjectOptions::default() };
    Projects::open(fixture.path().join("projects"), options).await.unwrap();
    assert!(!dead.exists() && alive.exists());
}

#[tokio::test]
async fn folders_of_other_users_are_left_alone() {
    let fixture = Fixture::new().await;
    let secrets = fixture.path().join("secrets");
    let (foreign, link) = (secrets.join("hostler-secrets-foreign"), secrets.join("hostler-secrets-link"));
    fs::create_dir(&foreign).unwrap();
    // Opening it would block.
    let lock = foreign.join("lock");
    assert!(std::process::Command::new("mkfifo").arg(&lock).status().unwrap().success());
    std::os::unix::fs::symlink(&foreign, &link).unwrap();
    if std::os::unix::fs::chown(&foreign, Some(12_345), None).is_err() {
        // Only root can give a folder away; the link remains.
        fs::rename(&foreign, fixture.path().join("foreign")).unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(fixture.path().join("foreign"), &link).unwrap();
    }
    let options = ProjectOptions { secrets_dir: Some(secrets), ..ProjectOptions::default() };
    Projects::open(fixture.path().join("projects"), options).await.unwrap();
    assert!(link.join("lock").exists());
}
