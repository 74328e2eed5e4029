//! Requirements, with a program that takes the place of ansible-galaxy.

use std::fs;
use std::path::Path;

use hostler_projects::{AnsibleGalaxy, Checkout, Error, GalaxyServer, Requirements};

use crate::fixture::{Fixture, Repository, script};

struct Galaxy {
    fixture: Fixture,
    repository: Repository,
    galaxy: AnsibleGalaxy,
}

impl Galaxy {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let repository = fixture.repository("a");
        repository.write("site.yml", "- hosts: all\n");
        let text = format!(
            r#"{{ echo "$*"; env; [ -z "$ANSIBLE_CONFIG" ] || cat "$ANSIBLE_CONFIG"; }} >>'{}'
echo >"$HOME/cache"
grep -q wrong "$4" && echo "ERROR! wrong was not found" >&2 && exit 1
cp "$4" "$6/installed"
echo "installed with $2 Canary5ecret""#,
            fixture.path().join("calls").display()
        );
        let program = script(&fixture.path().join("ansible-galaxy"), &text);
        Self { fixture, repository, galaxy: AnsibleGalaxy { program, ..AnsibleGalaxy::default() } }
    }

    async fn checkout(&self) -> Checkout {
        let source = self.repository.source();
        let commit = self.fixture.update(&source).await.unwrap();
        self.fixture.checkout(&source, &commit, "job-1").await.unwrap()
    }

    async fn install(&self) -> Result<Requirements, Error> {
        let checkout = self.checkout().await;
        let on_line = |line: &str| self.fixture.lines.lock().unwrap().push(line.to_owned());
        self.fixture.projects.install_requirements(&checkout, &self.repository.source(), &self.galaxy, &on_line).await
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.fixture.path().join("calls")).unwrap_or_default()
    }

    fn count(&self) -> usize {
        self.calls().lines().filter(|line| line.contains(" install -r ")).count()
    }
}

fn installed(folder: Option<&Path>) -> String {
    fs::read_to_string(folder.unwrap().join("installed")).unwrap()
}

#[tokio::test]
async fn roles_and_collections_are_installed_once_per_content() {
    let galaxy = Galaxy::new().await;
    galaxy.repository.write("roles/requirements.yml", "- name: ada.web\n");
    galaxy.repository.write("collections/requirements.yml", "collections:\n  - ada.tools\n");
    galaxy.repository.commit();
    let first = galaxy.install().await.unwrap();
    assert_eq!(installed(first.roles.as_deref()), "- name: ada.web\n");
    assert_eq!(installed(first.collections.as_deref()), "collections:\n  - ada.tools\n");
    assert_eq!(galaxy.install().await.unwrap(), first);
    assert_eq!(galaxy.count(), 2);
    assert!(!first.roles.as_ref().unwrap().parent().unwrap().join("home").exists());
    // Changed requirements on the same branch.
    galaxy.repository.commit_file("roles/requirements.yml", "- name: ada.web\n  version: v2\n");
    let second = galaxy.install().await.unwrap();
    assert!(installed(second.roles.as_deref()).contains("v2"));
    // They are removed with the checkout.
    galaxy.fixture.projects.release(1, "job-1").await.unwrap();
    galaxy.fixture.projects.remove_unused(1, &[]).await.unwrap();
    assert!(!first.roles.unwrap().exists() && !second.roles.unwrap().exists());
}

#[tokio::test]
async fn root_file_may_name_roles_and_collections() {
    let galaxy = Galaxy::new().await;
    galaxy.repository.commit_file("requirements.yml", "roles:\n  - a.b\ncollections:\n  - c.d\n");
    let requirements = galaxy.install().await.unwrap();
    assert!(requirements.roles.is_some() && requirements.collections.is_some());
    galaxy.repository.commit_file("requirements.yml", "- a.b\n");
    let requirements = galaxy.install().await.unwrap();
    assert!(requirements.roles.is_some() && requirements.collections.is_none());
}

#[tokio::test]
async fn files_without_entries_install_nothing() {
    let galaxy = Galaxy::new().await;
    galaxy.repository.commit();
    for text in ["", "---\n", "# later\n", "[]\n", "roles: []\ncollections:\n"] {
        galaxy.repository.commit_file("roles/requirements.yml", text);
        assert_eq!(galaxy.install().await.unwrap(), Requirements::default(), "{text:?}");
    }
    assert_eq!(galaxy.count(), 0);
}

#[tokio::test]
async fn failed_installation_is_reported_and_repeated() {
    let galaxy = Galaxy::new().await;
    galaxy.repository.commit_file("collections/requirements.yml", "collections:\n  - wrong\n");
    for count in 1..3 {
        let error = galaxy.install().await.unwrap_err();
        assert_eq!(error.to_string(), "ansible-galaxy failed: ERROR! wrong was not found");
        assert_eq!(galaxy.count(), count);
    }
}

#[tokio::test]
async fn invalid_files_are_named() {
    let galaxy = Galaxy::new().await;
    for text in ["roles: [", "just a text\n", "roles: 5\n", "&a [*a]\n"] {
        galaxy.repository.commit_file("roles/requirements.yml", text);
        let error = galaxy.install().await.unwrap_err();
        assert!(error.to_string().starts_with("roles/requirements.yml is not valid: "), "{text:?}: {error}");
    }
    fs::remove_file(galaxy.repository.path.join("roles/requirements.yml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", galaxy.repository.path.join("roles/requirements.yml")).unwrap();
    galaxy.repository.commit();
    let error = galaxy.install().await.unwrap_err();
    assert!(error.to_string().contains("leads out of the project"), "{error}");
    assert_eq!(galaxy.count(), 0);
}

#[tokio::test]
async fn token_of_a_galaxy_server_is_only_in_a_private_file() {
    let mut galaxy = Galaxy::new().await;
    galaxy.repository.commit_file("roles/requirements.yml", "- name: ada.web\n");
    let url = "https://galaxy.example.org/".to_owned();
    let server = GalaxyServer { url, auth_url: String::new(), token: "Canary5ecret".to_owned().into() };
    galaxy.galaxy.servers = vec![server];
    galaxy.install().await.unwrap();
    let calls = galaxy.calls();
    let (before, config) = calls.split_once("[galaxy]\n").unwrap();
    assert!(!before.contains("Canary5ecret") && !before.contains("CARGO_"), "{before}");
    let expected =
        "server_list = server1\n[galaxy_server.server1]\nurl = https://galaxy.example.org/\ntoken = Canary5ecret\n";
    assert_eq!(config, expected);
    assert!(galaxy.fixture.log().contains("installed with install ********"), "{}", galaxy.fixture.log());
    assert!(!galaxy.fixture.is_on_disk("Canary5ecret"));
    galaxy.galaxy.servers[0].token = "a\n[defaults]".to_owned().into();
    assert!(matches!(galaxy.install().await.unwrap_err(), Error::InvalidField(_)));
}
