//! Programs that hang, or are missing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hostler_projects::{Error, FetchMode, GitSource, ProjectOptions, Projects};

use crate::fixture::{Fixture, script, until};

/// A git whose fetch starts a child and waits for it. Both write their process ids.
fn hanging(options: &mut ProjectOptions, path: &Path) {
    hanging_with(options, path, "wait");
}

/// A git whose fetch starts a child that keeps the error output open, and ends with this command.
fn hanging_with(options: &mut ProjectOptions, path: &Path, end: &str) {
    let text = format!(
        r#"case "$*" in *fetch*) sleep 600 >&2 & echo $$ $! >'{0}/new'; mv '{0}/new' '{0}/ids'; {end} ;; esac; exec git "$@""#,
        path.display()
    );
    options.git = script(&path.join("git"), &text);
}

fn ids(fixture: &Fixture) -> Vec<String> {
    let text = fs::read_to_string(fixture.path().join("ids")).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Whether a process runs. One that has ended and was not yet waited for does not run.
fn runs(id: &str) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|text| !text.contains(") Z"))
}

#[tokio::test]
async fn cancelled_update_kills_all_processes() {
    let fixture = Fixture::with(hanging).await;
    let repository = fixture.repository("a");
    let source = repository.source();
    tokio::select! {
        result = fixture.update(&source) => panic!("the update ended: {result:?}"),
        () = until(|| fixture.path().join("ids").exists()) => {}
    }
    until(|| !ids(&fixture).iter().any(|id| runs(id))).await;
    // The lock is free again.
    fs::write(fixture.path().join("git"), "").unwrap();
    let error = fixture.update(&repository.source()).await.unwrap_err();
    assert!(!matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn program_that_takes_too_long_is_killed() {
    for end in ["wait", "exit 1"] {
        let limited = |options: &mut ProjectOptions, path: &Path| {
            hanging_with(options, path, end);
            options.timeout = Duration::from_secs(3);
        };
        let fixture = Fixture::with(limited).await;
        let repository = fixture.repository("a");
        let error = fixture.update(&repository.source()).await.unwrap_err();
        assert_eq!(error.to_string(), "git was stopped because it took more than 3 seconds.");
        until(|| !ids(&fixture).iter().any(|id| runs(id))).await;
    }
}

/// The environment variable with the folder of a server that is killed.
const KILLED: &str = "HOSTLER_TEST_KILLED";

/// A git whose first fetch lasts until a file appears, and fails then. Later ones record whether it had ended.
fn slow_once(options: &mut ProjectOptions, path: &Path) {
    let text = format!(
        r#"cd '{}'
case "$*" in *fetch*)
    if [ ! -e started ]; then
        touch started
        while [ ! -e release ]; do sleep 0.02; done
        touch ended
        exit 1
    fi
    [ -e ended ] || touch overlap ;;
esac
exec git "$@""#,
        path.display()
    );
    options.git = script(&path.join("git"), &text);
}

/// The server that the next test starts as a process and kills. It does nothing otherwise.
#[tokio::test]
async fn server_that_is_killed() {
    let Some(folder) = std::env::var_os(KILLED) else { return };
    let folder = Path::new(&folder);
    let git = folder.join("git");
    let options = ProjectOptions { allow_file: true, git, ..ProjectOptions::default() };
    let projects = Projects::open(folder.join("projects"), options).await.unwrap();
    let url = format!("file://{}", folder.join("repositories/a").display());
    let source = GitSource::new(&url, true).unwrap();
    projects.update(1, &source, FetchMode::Changes, &|_| {}).await.unwrap_err();
}

#[tokio::test]
async fn update_waits_for_the_git_of_a_killed_server() {
    let fixture = Fixture::with(slow_once).await;
    let repository = fixture.repository("a");
    let commit = repository.commit_file("a.yml", "1");
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "programs::server_that_is_killed"]).env(KILLED, fixture.path());
    let mut server = command.spawn().unwrap();
    until(|| fixture.path().join("started").exists()).await;
    server.kill().await.unwrap();
    let release = async {
        // Without the lock the update would start its own git in this time.
        tokio::time::sleep(Duration::from_millis(300)).await;
        fs::write(fixture.path().join("release"), "").unwrap();
    };
    let source = repository.source();
    let (updated, ()) = tokio::join!(fixture.update(&source), release);
    assert_eq!(updated.unwrap(), commit);
    assert!(!fixture.path().join("overlap").exists());
}

#[tokio::test]
async fn missing_git_is_named() {
    let fixture = Fixture::with(|options, path| options.git = path.join("no-git")).await;
    let repository = fixture.repository("a");
    let error = fixture.update(&repository.source()).await.unwrap_err();
    assert_eq!(error.to_string(), "The program no-git is not installed on the server.");
}

#[tokio::test]
async fn endless_and_binary_error_output_is_limited() {
    let noisy = |options: &mut ProjectOptions, path: &Path| {
        let text = r#"case "$*" in *fetch*) head -c 20000000 /dev/zero | tr '\0' x >&2; printf '\377\0\033[31mred\n' >&2; exit 1 ;; esac
exec git "$@""#;
        options.git = script(&path.join("git"), text);
    };
    let fixture = Fixture::with(noisy).await;
    let repository = fixture.repository("a");
    fixture.update(&repository.source()).await.unwrap_err();
    let lines = fixture.lines.lock().unwrap();
    assert!(lines.len() < 2_100 && lines.iter().all(|line| line.len() <= 3 * 8192), "{}", lines.len());
}
