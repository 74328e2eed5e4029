//! The command line: start, failed starts, stop, crashes, and the commands for users.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use hostler_testkit::client::Address;
use hostler_testkit::database::PostgresDatabase;
use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, Client, TestServer, backends};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");

fn start(backend: Backend) -> TestServer {
    TestServer::start(BINARY, backend)
}

fn hostler(arguments: &[&str]) -> Command {
    let mut command = hostler_testkit::command(BINARY);
    command.args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_lists_environment_variables() {
    let output = hostler(&["serve", "--help"]).output().expect("the binary runs");
    assert!(output.status.success());
    let help = text(&output.stdout);
    for name in ["HOSTLER_LISTEN", "HOSTLER_DATA", "HOSTLER_DATABASE", "HOSTLER_ADMIN_USER", "HOSTLER_ADMIN_PASSWORD"] {
        assert!(help.contains(name), "{name} is not in:\n{help}");
    }
}

#[test]
fn unknown_command_is_usage_error() {
    let output = hostler(&["dance"]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn serve_is_configured_by_environment() {
    let folder = TempDir::new().expect("a directory");
    let mut child = hostler(&["serve"])
        .env("HOSTLER_LISTEN", "127.0.0.1:0")
        .env("HOSTLER_DATA", folder.path().join("data"))
        .env("HOSTLER_ADMIN_PASSWORD", ADMIN_PASSWORD)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    let read = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line);
    child.kill().and_then(|()| child.wait()).expect("the server can be killed");
    read.expect("a line");
    assert!(line.starts_with("Hostler is listening on http://127.0.0.1:"), "{line:?}");
}

#[test]
fn stdout_contains_one_line() {
    let server = start(Backend::Sqlite);
    server.as_admin().get("/api/v2/me/").expect(200);
    assert!(server.anonymous().get("/api/v2/me/").status == 401);
    assert_eq!(server.remaining_stdout(), Vec::<String>::new());
}

/// No log lines either, neither ours nor those of libraries.
#[test]
fn log_lines_have_no_source_location() {
    for backend in backends() {
        let mut server = TestServer::stopped(BINARY, backend);
        server.set_variable("HOSTLER_LOG_FORMAT", "json");
        server.set_variable("HOSTLER_LOG", "debug,refinery_core=info");
        server.restart();
        server.as_admin().get("/api/v2/me/").expect(200);
        let (log, mut modules) = (server.stderr(), BTreeSet::new());
        for line in log.lines().filter(|line| !line.starts_with("Created the superuser")) {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{backend}: no JSON: {line}"));
            modules.insert(event["target"].as_str().expect("a target").to_owned());
            let mut keys = event.as_object().expect("an object").keys();
            assert!(keys.all(|key| !key.starts_with("log.")), "{backend}: {line}");
            // Only `src/` is checked, because a statement may name a file in a comment.
            assert!(!line.contains("src/"), "{backend}: {line}");
        }
        assert!(modules.iter().any(|module| module.starts_with("refinery")), "{backend}: {modules:?}");
        assert!(log.contains("migrating the database schema"), "{backend}:\n{log}");
        let mut quiet = TestServer::stopped(BINARY, backend);
        quiet.restart();
        assert!(!quiet.stderr().contains("refinery"), "{backend}:\n{}", quiet.stderr());
    }
}

#[test]
fn query_count_header_is_opt_in() {
    assert!(start(Backend::Sqlite).as_admin().get("/api/v2/users/").queries() > 0);
    let plain = TestServer::start_with(BINARY, Backend::Sqlite, &[("HOSTLER_DEBUG_HEADERS", "0")]);
    assert_eq!(plain.as_admin().get("/api/v2/users/").header("X-API-Query-Count"), None);
}

/// Runs `serve`, which must fail: exit code 1, and a one-line reason.
fn refusal(listen: &str, data: &Path) -> String {
    let output = hostler(&["serve", "--listen", listen, "--data"])
        .arg(data)
        .env("HOSTLER_ADMIN_PASSWORD", ADMIN_PASSWORD)
        .output()
        .expect("the binary runs");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "wanted one line:\n{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(text(&output.stdout), "");
    stderr
}

#[test]
fn port_in_use_is_reported() {
    let folder = TempDir::new().expect("a directory");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let _listener = TcpListener::bind(taken).expect("the port again");
    let line = refusal(&taken.to_string(), &folder.path().join("data"));
    assert!(line.contains(&taken.to_string()), "{line}");
}

#[test]
fn readonly_data_directory_is_reported() {
    // Below a plain file no user can write, not even root, for whom file modes do not apply.
    let file = tempfile::NamedTempFile::new().expect("a file");
    let data = file.path().join("data");
    let line = refusal("127.0.0.1:0", &data);
    assert!(line.contains(&data.display().to_string()), "{line}");
}

/// The server exits instead of retrying: systemd restarts it.
#[test]
fn unreachable_postgres_is_reported() {
    let folder = TempDir::new().expect("a directory");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
    let output = hostler(&["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("data"))
        .env("HOSTLER_DATABASE", format!("postgres://hostler:tellnobody@{closed}/hostler"))
        .output()
        .expect("the binary runs");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(text(&output.stdout), "", "it must not print an address");
    assert!(stderr.contains(&format!("{closed}/hostler")) && !stderr.contains("tellnobody"), "{stderr}");
}

#[test]
fn newer_database_schema_is_rejected() {
    let mut server = start(Backend::Sqlite);
    assert!(server.stop().success());
    let database = sqlite_file(&server.data());
    let connection = rusqlite::Connection::open(&database).expect("the server's database");
    connection
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (2000000000, 'from_the_future', '2999-01-01T00:00:00Z', '1')",
            [],
        )
        .expect("a migration from the future");
    drop(connection);
    let before = fs::read(&database).expect("the database");
    let line = refusal("127.0.0.1:0", &server.data());
    assert!(line.contains("newer"), "{line}");
    assert!(before == fs::read(&database).expect("the database"), "the refused database was changed");
}

fn sqlite_file(data: &Path) -> PathBuf {
    let is_database = |file: &PathBuf| fs::read(file).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"));
    files(data).into_iter().find(is_database).expect("an SQLite database in the data directory")
}

/// All files below a directory.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn data_directory_is_private() {
    let server = start(Backend::Sqlite);
    server.as_admin().get("/api/v2/me/").expect(200);
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&server.data()), 0o700);
    let files = files(&server.data());
    let keys: Vec<_> = files.iter().filter(|file| file.to_string_lossy().contains("key")).collect();
    assert!(!keys.is_empty(), "there is no key among {files:?}");
    for key in keys {
        assert_eq!(mode(key), 0o600, "{}", key.display());
    }
}

#[test]
fn sigterm_exits_with_zero() {
    for backend in backends() {
        let mut server = start(backend);
        // An open idle connection must not delay the shutdown.
        let _idle = TcpStream::connect(server.base().trim_start_matches("http://")).expect("a connection");
        let asked = Instant::now();
        assert_eq!(server.stop().code(), Some(0), "{backend}");
        assert!(asked.elapsed() < Duration::from_secs(10), "{backend}: it took {:?}", asked.elapsed());
    }
}

#[test]
fn sigterm_finishes_running_requests() {
    let mut server = start(Backend::Sqlite);
    let token = server.as_admin().post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
    let body = json!({"name": "unfinished"}).to_string();
    let head = format!(
        "POST /api/v2/organizations/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        token["token"].as_str().expect("a token"),
        body.len()
    );
    let mut stream = TcpStream::connect(server.base().trim_start_matches("http://")).expect("a connection");
    stream.write_all(head.as_bytes()).expect("the head is sent");
    // The server must have read the request head before it stops.
    sleep(Duration::from_millis(300));
    server.terminate();
    sleep(Duration::from_millis(300));
    stream.write_all(body.as_bytes()).expect("the body is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn acknowledged_writes_survive_kill() {
    for backend in backends() {
        let mut server = start(backend);
        let token = server.as_admin().post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
        let client = server.with_token(token["token"].as_str().expect("a token"));
        let answered = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for writer in 0..4 {
                let (client, answered) = (&client, &answered);
                scope.spawn(move || {
                    for number in 0.. {
                        let name = format!("kept-{writer}-{number}");
                        let call = client.request("POST", "/api/v2/organizations/").json(json!({"name": name}));
                        match call.try_send() {
                            Ok(answer) if answer.status == 201 => answered.lock().expect("no panic").push(name),
                            Ok(answer) => panic!("{answer}"),
                            Err(_) => return,
                        }
                    }
                });
            }
            let deadline = Instant::now() + Duration::from_secs(30);
            while answered.lock().expect("no panic").len() < 20 && Instant::now() < deadline {
                sleep(Duration::from_millis(5));
            }
            // During writes.
            server.kill9();
        });
        server.restart();
        let answered = answered.into_inner().expect("no panic");
        assert!(answered.len() >= 20, "{backend}: only {} writes were answered", answered.len());
        for name in answered {
            let found = client.get(&format!("/api/v2/organizations/?name={name}")).expect(200).json();
            assert_eq!(found["count"], 1, "{backend}: {name} is gone");
        }
    }
}

/// Runs a `user` command on a server's data, with this password on standard input.
fn user(server: &TestServer, arguments: &[&str], password: &str) -> Output {
    let mut command = hostler(&["user"]);
    command.args(arguments).env("HOSTLER_DATA", server.data());
    if let Some(url) = server.database_url() {
        command.env("HOSTLER_DATABASE", url);
    }
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    // A command that rejects its arguments does not read standard input: a broken pipe is expected.
    let _ = writeln!(child.stdin.take().expect("a pipe"), "{password}");
    child.wait_with_output().expect("the command ends")
}

fn user_done(server: &TestServer, arguments: &[&str], password: &str) -> String {
    let output = user(server, arguments, password);
    assert!(output.status.success(), "user {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn users_command_creates_lists_and_resets_passwords() {
    for backend in backends() {
        // The server runs: users are locked out of a running server.
        let server = start(backend);
        user_done(&server, &["create", "carol"], "First-Pass-1");
        user_done(&server, &["create", "dave", "--superuser"], "First-Pass-1");
        let me = |name: &str, password: &str| server.as_user(name, password).get("/api/v2/me/");
        let carol = me("carol", "First-Pass-1").expect(200).json();
        assert_eq!(carol["results"][0]["is_superuser"], false, "{backend}");
        let dave = me("dave", "First-Pass-1").expect(200).json();
        assert_eq!(dave["results"][0]["is_superuser"], true, "{backend}");

        let listed = user_done(&server, &["list"], "");
        for name in [ADMIN, "carol", "dave"] {
            let is_listed = listed.lines().any(|line| line.split_whitespace().any(|word| word == name));
            assert!(is_listed, "{backend}: {name} is not in:\n{listed}");
        }

        user_done(&server, &["password", "carol"], "Second-Pass-2");
        me("carol", "Second-Pass-2").expect(200);
        me("carol", "First-Pass-1").expect(401);
    }
}

#[test]
fn users_command_rejects_bad_input() {
    let server = start(Backend::Sqlite);
    for arguments in [&["create", ADMIN][..], &["password", "nobody"], &["create", "has space"]] {
        let output = user(&server, arguments, "Some-Pass-1");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: wanted one line:\n{stderr}");
    }
}

/// A mistyped folder must be an error, instead of a new empty database.
#[test]
fn commands_do_not_create_data() {
    let folder = TempDir::new().expect("a directory");
    let missing = folder.path().join("missing");
    for data in [missing.as_path(), folder.path()] {
        for arguments in [
            &["user", "create", "rescue", "--superuser", "--data"][..],
            &["user", "list", "--data"],
            &["setting", "list", "--data"],
            &["secrets", "rotate", "--data"],
        ] {
            let output = hostler(arguments).arg(data).output().expect("the binary runs");
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
            assert!(stderr.contains(&data.display().to_string()) && stderr.contains("--data"), "{stderr}");
            assert_eq!(files(folder.path()), Vec::<PathBuf>::new(), "{arguments:?}");
            assert!(!missing.exists(), "{arguments:?}");
        }
    }
}

/// The server runs as its own user, the administrator is root.
#[test]
fn files_created_by_root_get_data_owner() {
    const OTHER_USER: u32 = 12345;
    let folder = TempDir::new().expect("a directory");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a directory");
    if chown(&data, Some(OTHER_USER), Some(OTHER_USER)).is_err() {
        return hostler_testkit::skip::skip_forbidden("only root may give a folder away");
    }
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("a mode");
    let is_theirs = |moment: &str| {
        for file in files(&data).iter().chain([&data.join("keys")]) {
            let found = fs::metadata(file).expect("a file");
            assert_eq!((found.uid(), found.gid()), (OTHER_USER, OTHER_USER), "{moment}: {}", file.display());
        }
    };
    let run = |arguments: &[&str]| {
        let output = hostler(arguments).arg("--data").arg(&data).output().expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    };
    let mut server = hostler(&["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("Hostler is listening"), "{line:?}");
    is_theirs("a server of root runs");
    run(&["secrets", "rotate"]);
    is_theirs("the key was replaced");
    server.kill().and_then(|()| server.wait()).expect("the server can be killed");
    fs::remove_file(data.join(".lock")).expect("a lock");
    run(&["check"]);
    run(&["user", "list"]);
    is_theirs("it is used without a server");
}

#[test]
fn empty_admin_password_is_rejected() {
    let server = TestServer::start_with(BINARY, Backend::Sqlite, &[("HOSTLER_ADMIN_PASSWORD", "")]);
    server.as_user(ADMIN, "").get("/api/v2/me/").expect(401);
    let log = server.stderr();
    let password = log.split_once(" with the password ").and_then(|(_, rest)| rest.split(' ').next());
    server.as_user(ADMIN, password.expect("a generated password")).get("/api/v2/me/").expect(200);
}

/// Several servers that start at the same time on the same new data all start, and share it.
#[test]
fn concurrent_first_starts_share_database() {
    for backend in backends() {
        let database = (backend == Backend::Postgres).then(PostgresDatabase::create);
        let folder = TempDir::new().expect("a directory");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a directory");
        let start = || {
            let mut command = hostler(&["serve", "--listen", "127.0.0.1:0"]);
            command.env("HOSTLER_DATA", &data).env("HOSTLER_ADMIN_PASSWORD", ADMIN_PASSWORD);
            if let Some(database) = &database {
                command.env("HOSTLER_DATABASE", database.url());
            }
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
        };
        let mut children: Vec<_> = (0..4).map(|_| start()).collect();
        for child in &mut children {
            let mut line = String::new();
            let output = child.stdout.take().expect("its output");
            BufReader::new(output).read_line(&mut line).expect("a line");
            let Some(base) = line.trim().strip_prefix("Hostler is listening on ") else {
                let mut problem = String::new();
                let _ = child.stderr.take().expect("its errors").read_to_string(&mut problem);
                panic!("{backend}: one did not start: {line:?} {problem}");
            };
            let address = Address::new(base);
            let client = Client::new(address).with_password(ADMIN, ADMIN_PASSWORD);
            let users = client.get("/api/v2/users/").expect(200).json();
            assert_eq!(users["count"], 1, "{backend}");
            let definitions = client.get("/api/v2/role_definitions/?managed=true").expect(200).json();
            assert_eq!(definitions["count"], 32, "{backend}");
        }
        for mut child in children {
            child.kill().expect("it ran");
            child.wait().expect("it ended");
        }
    }
}

/// Like `| head`, which ends before all output is written.
#[test]
fn closed_stdout_is_no_error() {
    let server = start(Backend::Sqlite);
    let data = server.data();
    let data = data.to_str().expect("a path in letters");
    for arguments in [
        &["config", "show"][..],
        &["manual"],
        &["setting", "list", "--data", data],
        &["user", "list", "--data", data],
        &["secrets", "status", "--data", data],
        &["check", "--data", data],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = hostler(arguments).stdout(writer).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let output = output.wait_with_output().expect("the command ends");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(141), "{arguments:?}");
    }
    // A full disk is an error, because output is lost.
    let full = fs::File::options().write(true).open("/dev/full").expect("a full disk");
    let output = hostler(&["config", "show"]).stdout(full).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("standard output"), "{}", text(&output.stderr));
}

#[test]
fn manual_pages_are_written_to_folder() {
    let folder = TempDir::new().expect("a directory");
    let pages = folder.path().join("new/man1");
    let output = hostler(&["manual", "--to"]).arg(&pages).output().expect("the binary runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = fs::read_to_string(pages.join("hostler-user-reset-second-factor.1")).expect("a page of a deep command");
    assert!(page.contains("lost device"), "{page}");

    // Below a plain file no user can write, not even root.
    let output = hostler(&["manual", "--to"]).arg(pages.join("hostler.1/man1")).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("hostler.1/man1") && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn completions_are_valid_shell_scripts() {
    let output = hostler(&["completions", "bash"]).output().expect("the binary runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let script = text(&output.stdout);
    assert!(script.contains("reset-second-factor"), "{script}");
    let check = Command::new("bash").args(["--norc", "-n", "-c", &script]).output().expect("bash runs");
    assert!(check.status.success() && check.stderr.is_empty(), "{}", text(&check.stderr));
    let output = hostler(&["completions", "tcsh"]).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
}
