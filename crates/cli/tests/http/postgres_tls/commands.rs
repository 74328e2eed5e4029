//! Commands connect to PostgreSQL like the server.

use std::process::Command;

use hostler_testkit::{Backend, TestServer, command};
use postgres::NoTls;

use crate::postgres_tls::{BINARY, HOST, PostgresTlsFixture};

const VERIFIED: &str = "sslmode=verify-full&sslrootcert=FOLDER/ca.crt&channel_binding=require";

fn run(mut command: Command) -> (bool, String) {
    let output = command.output().expect("the binary runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn works(command: Command) -> String {
    let (works, said) = run(command);
    assert!(works, "{said}");
    said
}

/// An empty database on the server's cluster, and its URL with TLS.
fn another(fixture: &PostgresTlsFixture, name: &str) -> String {
    let mut admin = postgres::Client::connect(&fixture.cluster.url(), NoTls).expect("a connection");
    admin.batch_execute(&format!("CREATE DATABASE {name}")).expect("a database");
    fixture.url("encrypted", HOST, VERIFIED).replace(&fixture.database, name)
}

#[test]
fn commands_connect_with_tls() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    fixture.serves("encrypted", VERIFIED);
    fixture.server.organization("kept");
    let file = fixture.file("backup.tar");
    let file = file.to_str().expect("a path in UTF-8");
    works(fixture.server.command(&["backup", file]));
    assert_eq!(works(fixture.server.command(&["check"])), "No problems found.\n");
    works(fixture.server.command(&["setting", "list"]));

    let data = fixture.file("restored");
    let data = data.to_str().expect("a path in UTF-8");
    let restore = |url: &str| {
        let mut restore = command(BINARY);
        restore.args(["restore", file, "--data", data, "--database", url]);
        restore
    };
    let url = another(&fixture, "restored");
    fixture.write("other.crt", &hostler_testkit::CertificateAuthority::new("another authority").certificate());
    let (worked, said) = run(restore(&url.replace("ca.crt", "other.crt")));
    assert!(!worked && said.contains("with TLS") && said.contains("other.crt does not contain"), "{said}");
    let said = works(restore(&url));
    assert!(said.contains("Restored"), "{said}");
    let mut admin = postgres::Client::connect(&fixture.cluster.url().replace("/postgres", "/restored"), NoTls)
        .expect("a connection");
    let names = admin.query("SELECT name FROM organizations", &[]).expect("names");
    assert!(names.iter().any(|row| row.get::<_, String>(0) == "kept"));
}

#[test]
fn migrate_connects_with_tls() {
    let Some(fixture) = PostgresTlsFixture::new() else { return };
    let mut embedded = TestServer::start(BINARY, Backend::Sqlite);
    embedded.organization("moved");
    embedded.stop();
    let url = another(&fixture, "moved");
    works(embedded.command(&["migrate", "--to", &url]));
    embedded.connect_to(url);
    embedded.restart();
    let found = embedded.as_admin().get("/api/v2/organizations/?name=moved").expect(200).json();
    assert_eq!(found["count"], 1);
    assert_eq!(fixture.is_encrypted(), Some(true));
}
