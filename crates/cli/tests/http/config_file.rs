//! The configuration file: precedence, errors, and the output of `config show`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A configuration file in a temporary folder.
struct File {
    _folder: TempDir,
    path: PathBuf,
}

fn file(content: &str) -> File {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path().join("hostler.toml");
    fs::write(&path, content).expect("a file");
    File { _folder: folder, path }
}

impl File {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = hostler_testkit::command(env!("CARGO_BIN_EXE_hostler"));
        command.args(arguments).env("HOSTLER_CONFIG", &self.path);
        command
    }

    /// The lines of `config show`.
    fn shown(&self, variables: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
        let mut command = self.command(&[&["config", "show"], flags].concat());
        let output = command.envs(variables.iter().copied()).output().expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// The one-line error for an invalid file.
    fn refused(&self) -> String {
        let output = self.command(&["config", "show"]).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        stderr
    }
}

fn assert_has(lines: &[String], expected: &str) {
    assert!(lines.iter().any(|line| line == expected), "{expected:?} is not in {lines:#?}");
}

#[test]
fn precedence_is_flag_environment_file_default() {
    let file = file("# ours\nlog = \"warn\"\nlisten = \"127.0.0.1:1\"\nnode = \"n1\"\ndebug_headers = true\n");
    let place = file.path.display();
    let lines = file.shown(&[("HOSTLER_LISTEN", "127.0.0.1:2"), ("HOSTLER_NODE", "n2")], &["--listen", "127.0.0.1:3"]);
    assert_has(&lines, "listen = \"127.0.0.1:3\"  # --listen");
    assert_has(&lines, "node = \"n2\"  # HOSTLER_NODE");
    assert_has(&lines, &format!("log = \"warn\"  # {place}:2"));
    assert_has(&lines, &format!("debug_headers = true  # {place}:5"));
    assert_has(&lines, "log_format = \"human\"  # default");
    assert_has(&lines, "# database is not set");
}

#[test]
fn config_show_output_is_a_valid_file() {
    let first = file("tls_key = \"a \\\"quoted\\\" = # text\"\nadmin_user = \"7\"\n");
    let shown = first.shown(&[], &[]);
    let again = file(&shown.join("\n")).shown(&[], &[]);
    let values = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| line.rsplit_once("  # ").map_or(line.as_str(), |(value, _)| value).to_owned()).collect()
    };
    assert_eq!(values(&shown), values(&again));
}

#[test]
fn config_show_hides_secrets() {
    let file = file("database = \"postgres://me:tellnobody@db/x\"\nadmin_password = \"tellnobody\"\n");
    for lines in [
        file.shown(&[], &[]),
        file.shown(
            &[("HOSTLER_DATABASE", "postgres://me:tellnobody@db/y"), ("HOSTLER_ADMIN_PASSWORD", "tellnobody")],
            &[],
        ),
    ] {
        assert!(!lines.concat().contains("tellnobody"), "{lines:#?}");
        assert!(lines.concat().contains("postgres://me:********@db/"), "{lines:#?}");
    }
}

#[test]
fn world_readable_password_is_reported() {
    let folder = TempDir::new().expect("a directory");
    let file = file("admin_password = \"x\"\n");
    let check = || {
        let output = file.command(&["check", "--data"]).arg(folder.path()).output().expect("the binary runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(check().contains("contains a password and all users can access it (mode 0644)"), "{}", check());
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o640)).expect("a mode");
    assert!(!check().contains("contains a password"), "{}", check());
}

#[test]
fn config_errors_name_the_line() {
    for (content, line, words) in [
        ("log = \"info\"\n\nlisen = \"x\"\n", 3, vec!["unknown option lisen", "listen"]),
        ("listen = \"nowhere\"\n", 1, vec!["nowhere", "--listen"]),
        ("\nlog_format = \"xml\"\n", 2, vec!["xml", "--log-format", "human, json"]),
        ("log = \"verbose\"\n", 1, vec!["verbose", "info", "MODULE=LEVEL"]),
        ("log = \"\"\n", 1, vec!["info"]),
        ("log = \"info,hostler_server=loud\"\n", 1, vec!["MODULE=LEVEL"]),
        ("node = \"two words\"\n", 1, vec!["two words", "no spaces"]),
        ("node = \"\"\n", 1, vec!["255"]),
        ("hsts = 0x10\n", 1, vec!["hsts must be a decimal number"]),
        ("log = \"info\"\nlog = \"warn\"\n", 2, vec![]),
        ("log = [\"info\"]\n", 1, vec!["log must be a string"]),
        ("[server]\nlisten = \"127.0.0.1:1\"\n", 1, vec!["server"]),
        ("config = \"/etc/other.toml\"\n", 1, vec!["unknown option config"]),
        ("admin_password = tellnobody\n", 1, vec![]),
    ] {
        let file = file(content);
        let refused = file.refused();
        assert!(refused.contains(&format!("{}:{line}: ", file.path.display())), "{content:?}: {refused}");
        for word in words {
            assert!(refused.contains(word), "{word:?} is not in {refused}");
        }
        assert!(!refused.contains("tellnobody"), "{refused}");
    }
}

#[test]
fn named_config_file_must_exist() {
    let mut command = hostler_testkit::command(env!("CARGO_BIN_EXE_hostler"));
    let output =
        command.args(["--config", "/nowhere/hostler.toml", "config", "show"]).output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("/nowhere/hostler.toml"), "{stderr}");
}

#[test]
fn all_commands_read_config_file() {
    let folder = TempDir::new().expect("a directory");
    let data = folder.path().join("from-the-file");
    let file = file(&format!("data = {:?}\n", data.to_str().expect("a path")));
    for arguments in [&["user", "list"][..], &["check"], &["backup", "/nowhere/file"]] {
        let output = file.command(arguments).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(&format!("there is no data folder {}", data.display())), "{arguments:?}: {stderr}");
    }
}
