//! `hostler secrets`: key rotation while a server runs, and after a kill.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use hostler_database::{Database, Location, Type};
use hostler_testkit::{Backend, TestServer, command, on_each_backend};
use hostler_vault::{SecretContext, Vault};
use sea_query::{Alias, Query};

on_each_backend!(keys_are_rotated_while_server_runs, killed_rotation_is_completed, lost_key_is_reported,);

/// More rows than several batches of the rotation.
const USERS: i64 = 1_000;

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn secret(user: i64) -> String {
    format!("secret of {user}")
}

fn place(user: i64) -> SecretContext<'static> {
    SecretContext::new("user", user, "second_factor")
}

/// The server's data and keys.
fn on_its_data<T>(server: &TestServer, work: impl AsyncFnOnce(&Database, Vault) -> T) -> T {
    let location = match server.database_url() {
        Some(url) => Location::Postgres(url),
        None => Location::Sqlite(server.data().join("hostler.db")),
    };
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let database = Database::open(&location).await.expect("the server's database");
        let vault = Vault::open(&server.data().join("keys"), &database).await.expect("the server's keys");
        let result = work(&database, vault).await;
        database.close().await;
        result
    })
}

/// Users with second factors, as the server stores them.
fn seal_many(server: &TestServer) {
    on_its_data(server, async |database, vault| {
        let mut tx = database.begin().await.expect("a transaction");
        let encryptor = vault.encryptor(&mut tx).await.expect("the key");
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        for id in 1_001..=1_000 + USERS {
            let user = Query::insert()
                .into_table(Alias::new("users"))
                .columns(["id", "ansible_id", "created", "username"].map(Alias::new))
                .values_panic([id.into(), format!("id {id}").into(), now.into(), format!("user{id}").into()])
                .to_owned();
            let factor = Query::insert()
                .into_table(Alias::new("second_factors"))
                .columns(["user_id", "created", "secret"].map(Alias::new))
                .values_panic([id.into(), now.into(), encryptor.encrypt(&place(id), &secret(id)).into()])
                .to_owned();
            tx.execute(&user).await.expect("a user");
            tx.execute(&factor).await.expect("a second factor");
        }
        tx.commit().await.expect("a commit");
    });
}

/// Every secret can be decrypted with the current keys, and is unchanged.
fn assert_all_there(server: &TestServer) {
    on_its_data(server, async |database, vault| {
        let query = Query::select()
            .columns(["user_id", "secret"].map(Alias::new))
            .from(Alias::new("second_factors"))
            .to_owned();
        let rows = database.read(&query, &[Type::Integer, Type::Text]).await.expect("the second factors");
        assert_eq!(rows.len() as i64, USERS);
        for row in rows {
            let id = row.integer(0).expect("an id");
            let plain = vault.decrypt(&place(id), row.text(1).expect("a text")).expect("a secret that opens");
            assert_eq!(*plain, secret(id));
        }
    });
}

fn hostler(server: &TestServer, words: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_hostler"));
    command.args(words).arg("--data").arg(server.data());
    if let Some(url) = server.database_url() {
        command.args(["--database", &url]);
    }
    command
}

fn output_of(server: &TestServer, words: &[&str]) -> String {
    let output = hostler(server, words).output().expect("the binary runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{words:?}: {out}{err}");
    out.into_owned()
}

/// The generation, number of secrets and state of each key.
fn status(server: &TestServer) -> Vec<(String, i64, String)> {
    let text = output_of(server, &["secrets", "status"]);
    let words = |line: &str| -> Vec<String> { line.split('\t').map(str::to_owned).collect() };
    text.lines()
        .skip(1)
        .map(words)
        .map(|words| (words[0].clone(), words[2].parse().expect("a count"), words[3].clone()))
        .collect()
}

fn only(generation: &str) -> Vec<(String, i64, String)> {
    vec![(generation.into(), USERS, "current".into())]
}

fn keys_are_rotated_while_server_runs(backend: Backend) {
    let server = start(backend);
    seal_many(&server);
    assert_eq!(status(&server), only("1"));
    let text = output_of(&server, &["secrets", "rotate"]);
    assert!(
        text.contains("(generation 2) is the current key now") && text.contains("1000 secrets encrypted again"),
        "{text}"
    );
    assert!(text.contains("(generation 1) is removed"), "{text}");
    assert_eq!(status(&server), only("2"));
    assert_all_there(&server);
    server.as_admin().get("/api/v2/me/").expect(200);
}

fn killed_rotation_is_completed(backend: Backend) {
    let server = start(backend);
    seal_many(&server);
    let mut rotation =
        hostler(&server, &["secrets", "rotate"]).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let lines = BufReader::new(rotation.stdout.take().expect("a pipe")).lines();
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|line| line.contains("encrypted again")), "the first batch is done");
    rotation.kill().expect("a process to kill");
    rotation.wait().expect("its end");

    let half = status(&server);
    assert_eq!(half.len(), 2, "killed too late to see anything: {half:?}");
    assert!(half.iter().all(|(_, secrets, _)| *secrets > 0), "{half:?}");
    assert_eq!(half.iter().map(|(_, secrets, _)| secrets).sum::<i64>(), USERS);
    assert_eq!(half[0].2, "being replaced: run hostler secrets rotate");
    assert_all_there(&server);

    let text = output_of(&server, &["secrets", "rotate"]);
    assert!(text.contains("An earlier rotation was interrupted"), "{text}");
    assert_eq!(status(&server), only("2"), "no third key was made");
    assert_all_there(&server);
}

/// The server must not create another key, which would make all secrets unreadable.
fn lost_key_is_reported(backend: Backend) {
    let mut server = start(backend);
    seal_many(&server);
    server.stop();
    let (keys, away) = (server.data().join("keys"), server.data().join("away"));
    std::fs::rename(&keys, &away).expect("a folder to move");
    let mut serve = hostler(&server, &["serve", "--listen", "127.0.0.1:0"]);
    let output = serve.output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("put the key files that belong to this database there"),
        "{text}"
    );
    assert!(!keys.join("1.key").exists());
    let _ = std::fs::remove_dir_all(&keys);
    std::fs::rename(&away, &keys).expect("a folder to move back");
    server.restart();
    assert_all_there(&server);
}
