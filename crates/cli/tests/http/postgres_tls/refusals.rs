//! An invalid TLS configuration ends the start at once with an error message.

use hostler_testkit::{CertificateAndKey, CertificateAuthority, Cluster, TestServer};

use crate::postgres_tls::{BINARY, HOST, PostgresTlsFixture};

const VERIFIED: &str = "sslmode=verify-full&sslrootcert=FOLDER/ca.crt";

#[test]
fn bad_server_certificate_is_reported() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    fixture.write("other.crt", &CertificateAuthority::new("another authority").certificate());
    fixture.write("empty.crt", "");
    let place = format!("cannot connect to PostgreSQL at {HOST}:{}/", fixture.cluster.port());
    for (host, query, words) in [
        (
            HOST,
            "sslmode=verify-full&sslrootcert=FOLDER/other.crt",
            [place.as_str(), "by an authority that FOLDER/other.crt does not contain", "into that file"],
        ),
        (HOST, "sslmode=verify-ca&sslrootcert=FOLDER/other.crt", ["with TLS", "does not contain", "ssl_cert_file"]),
        (HOST, "sslmode=require&sslrootcert=FOLDER/other.crt", ["with TLS", "does not contain", "ssl_cert_file"]),
        (HOST, "sslmode=verify-full", ["with TLS", "the system does not trust", "in sslrootcert"]),
        (
            "other.example.org",
            VERIFIED,
            ["certificate is for db.example.org", "URL names other.example.org", "sslmode=verify-ca"],
        ),
        ("127.0.0.1", VERIFIED, ["certificate is for db.example.org", "URL names 127.0.0.1", "sslmode=verify-ca"]),
        (HOST, "sslmode=verify-full&sslrootcert=FOLDER/none", ["cannot be used", "FOLDER/none", "No such file"]),
        (HOST, "sslmode=verify-full&sslrootcert=FOLDER/empty.crt", ["sslrootcert", "empty.crt", "no certificate"]),
        (HOST, "sslmode=verify_full", ["the URL of the database at", "unknown sslmode=verify_full", "verify-ca"]),
        (HOST, "sslmode=prefer&sslrootcert=FOLDER/ca.crt", ["sslrootcert", "sslmode=prefer", "verify-full"]),
        (HOST, "sslmode=disable", ["cannot connect", "pg_hba.conf", "check that"]),
    ] {
        fixture.refuses("encrypted", host, query, &words);
    }
    // An expired certificate is rejected, even if the operator has configured it as trusted.
    let expired = fixture.authority.expired_server(&[HOST]);
    fixture.cluster.set_certificate(&expired);
    fixture.write("expired.crt", &expired.certificate);
    let words = ["has expired on 2020-02-29", "renew it", "clock"];
    fixture.refuses("encrypted", HOST, VERIFIED, &words);
    fixture.refuses("encrypted", HOST, "sslmode=verify-ca&sslrootcert=FOLDER/expired.crt", &words);
    fixture.cluster.set_certificate(&fixture.authority.server(&[]));
    fixture.refuses("encrypted", HOST, VERIFIED, &["names no host as its subjectAltName", "common name"]);
    fixture.cluster.set_certificate(&CertificateAndKey::self_signed(&[HOST]));
    fixture.refuses("encrypted", HOST, VERIFIED, &["with TLS: the server's certificate", "sslrootcert"]);
}

#[test]
fn server_without_tls_is_reported() {
    let Some(cluster) = Cluster::start_for_test() else { return };
    let mut server = TestServer::start_on(BINARY, &cluster);
    let url = server.database_url().expect("a database");
    server.stop();
    for mode in ["require", "verify-full"] {
        server.connect_to(format!("{url}?sslmode={mode}"));
        let output = server.command(&["serve", "--listen", "127.0.0.1:0"]).output().expect("the binary runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("does not speak TLS; set ssl = on"), "{mode}: {said}");
    }
    for mode in ["allow", "prefer", "disable"] {
        server.connect_to(format!("{url}?sslmode={mode}"));
        server.restart();
        server.organization(mode);
    }
}

#[test]
fn non_tls_server_is_reported() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    // Before version 17 PostgreSQL does not support direct TLS connections.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answering = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut socket, _) = listener.accept().expect("a client");
        let mut start = [0; 16];
        let _ = socket.read(&mut start);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let said = fixture.refused(&format!("postgres://me@127.0.0.1:{port}/x?sslmode=require&sslnegotiation=direct"));
    answering.join().expect("it answered");
    assert!(said.contains("does not speak TLS") && said.contains("host and port"), "{said}");
}

#[test]
fn silent_server_times_out() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    // The kernel accepts connections, but no process reads from them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    for query in ["sslmode=disable", "sslmode=require"] {
        let said = fixture.refused(&format!("postgres://me@127.0.0.1:{port}/x?connect_timeout=1&{query}"));
        assert!(said.contains("does not answer"), "{query}: {said}");
    }
}
