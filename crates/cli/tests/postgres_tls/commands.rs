//! Commands come to PostgreSQL as the server does.

use std::process::Command;

use hostler_testkit::{Backend, TestServer, command};
use postgres::NoTls;

use crate::{BINARY, HOST, World};

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

/// An empty database beside that of the server, and the URL that leads there by TLS.
fn another(world: &World, name: &str) -> String {
    let mut admin = postgres::Client::connect(&world.cluster.url(), NoTls).expect("a connection");
    admin.batch_execute(&format!("CREATE DATABASE {name}")).expect("a database");
    world.url("encrypted", HOST, VERIFIED).replace(&world.database, name)
}

#[test]
fn backups_checks_and_users_go_by_tls() {
    let Some(mut world) = World::new() else { return };
    world.serves("encrypted", VERIFIED);
    world.server.organization("kept");
    let file = world.file("backup.tar");
    let file = file.to_str().expect("a path in UTF-8");
    works(world.server.command(&["backup", file]));
    assert_eq!(works(world.server.command(&["check"])), "Nothing is wrong.\n");
    works(world.server.command(&["setting", "list"]));

    let data = world.file("restored");
    let data = data.to_str().expect("a path in UTF-8");
    let restore = |url: &str| {
        let mut restore = command(BINARY);
        restore.args(["restore", file, "--data", data, "--database", url]);
        restore
    };
    let url = another(&world, "restored");
    world.write("other.crt", &hostler_testkit::Authority::new("another authority").certificate());
    let (worked, said) = run(restore(&url.replace("ca.crt", "other.crt")));
    assert!(!worked && said.contains("by TLS") && said.contains("other.crt does not hold"), "{said}");
    let said = works(restore(&url));
    assert!(said.contains("Restored"), "{said}");
    let mut admin =
        postgres::Client::connect(&world.cluster.url().replace("/postgres", "/restored"), NoTls).expect("a connection");
    let names = admin.query("SELECT name FROM organizations", &[]).expect("names");
    assert!(names.iter().any(|row| row.get::<_, String>(0) == "kept"));
}

#[test]
fn the_way_to_postgresql_goes_by_tls() {
    let Some(world) = World::new() else { return };
    let mut embedded = TestServer::start(BINARY, Backend::Sqlite);
    embedded.organization("moved");
    embedded.stop();
    let url = another(&world, "moved");
    works(embedded.command(&["migrate", "--to", &url]));
    embedded.connect_to(url);
    embedded.restart();
    let found = embedded.as_admin().get("/api/v2/organizations/?name=moved").expect(200).json();
    assert_eq!(found["count"], 1);
    assert_eq!(world.is_encrypted(), Some(true));
}
