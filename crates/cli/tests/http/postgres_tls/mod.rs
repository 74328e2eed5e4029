//! TLS to PostgreSQL: each `sslmode`, server and client certificates, and error messages.

mod clients;
mod commands;
mod modes;
mod refusals;
mod renewal;

use std::path::PathBuf;
use std::process::Output;

use hostler_testkit::tls::replace;
use hostler_testkit::{CertificateAndKey, CertificateAuthority, Cluster, TestServer};
use postgres::NoTls;
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");
/// The host name in the cluster's certificates; the tests connect by its address.
const HOST: &str = "db.example.org";
const PASSWORD: &str = "sesame";

/// The pg_hba.conf. The tests themselves connect without TLS, as `hostler`.
const ACCESS: &str = "
    local    all  all                        trust
    host     all  hostler    127.0.0.1/32    trust
    hostssl  all  encrypted  127.0.0.1/32    scram-sha-256
    hostnossl all plain      127.0.0.1/32    trust
    hostssl  all  known      127.0.0.1/32    cert
    hostssl  all  careful    127.0.0.1/32    scram-sha-256 clientcert=verify-full
";

/// A cluster with TLS, and a server that is not started yet.
struct PostgresTlsFixture {
    // The first field, because fields are dropped in order: the server must end before its database is dropped.
    server: TestServer,
    cluster: Cluster,
    authority: CertificateAuthority,
    folder: TempDir,
    /// The name of the server's database.
    database: String,
}

impl PostgresTlsFixture {
    fn new() -> Option<PostgresTlsFixture> {
        let authority = CertificateAuthority::new("the authority");
        let shown = authority.server(&[HOST]);
        PostgresTlsFixture::showing(authority, &shown)
    }

    fn showing(authority: CertificateAuthority, shown: &CertificateAndKey) -> Option<PostgresTlsFixture> {
        let cluster = Cluster::start_encrypted_for_test(shown, &authority, ACCESS)?;
        let mut admin = postgres::Client::connect(&cluster.url(), NoTls).expect("a connection");
        for name in ["encrypted", "plain", "known", "careful"] {
            let role = format!("CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{PASSWORD}'");
            admin.batch_execute(&role).expect("a role");
        }
        let mut server = TestServer::start_on(BINARY, &cluster);
        server.stop();
        let url = server.database_url().expect("a database");
        let database = url.rsplit_once('/').map_or("", |(_, name)| name).to_owned();
        let fixture =
            PostgresTlsFixture { server, cluster, authority, folder: TempDir::new().expect("a folder"), database };
        fixture.write("ca.crt", &fixture.authority.certificate());
        Some(fixture)
    }

    /// Writes a file that the URL refers to.
    fn write(&self, name: &str, content: &str) {
        replace(&self.file(name), content);
    }

    /// Writes a client certificate as `NAME.crt` and `NAME.key`.
    fn write_identity(&self, name: &str, issued: &CertificateAndKey) {
        self.write(&format!("{name}.crt"), &issued.certificate);
        self.write(&format!("{name}.key"), &issued.key);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The URL of the cluster for this user; `FOLDER` in the query is replaced by the folder of the files.
    fn url(&self, user: &str, host: &str, query: &str) -> String {
        let query = query.replace("FOLDER", self.folder.path().to_str().expect("a path in UTF-8"));
        let (port, database) = (self.cluster.port(), &self.database);
        format!("postgres://{user}:{PASSWORD}@{host}:{port}/{database}?hostaddr=127.0.0.1&{query}")
            .trim_end_matches('&')
            .to_owned()
    }

    /// Starts the server with this URL, and reads and writes.
    fn serves(&mut self, user: &str, query: &str) {
        self.serves_at(self.url(user, HOST, query));
    }

    fn serves_at(&mut self, url: String) {
        self.server.connect_to(url.clone());
        self.server.restart();
        let admin = self.server.as_admin();
        let name = format!("made over {url}");
        let made = admin.post("/api/v2/organizations/", serde_json::json!({"name": name})).expect(201).json();
        let path = made["url"].as_str().expect("a path");
        assert_eq!(admin.get(path).expect(200).json()["name"], name);
        admin.delete(path).expect(204);
    }

    /// Whether all connections of the server are encrypted; none if only some are.
    fn is_encrypted(&self) -> Option<bool> {
        let mut admin = postgres::Client::connect(&self.cluster.url(), NoTls).expect("a connection");
        let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hostler'";
        let found: Vec<bool> = admin.query(sql, &[]).expect("connections").iter().map(|row| row.get(0)).collect();
        assert!(!found.is_empty(), "the server is not connected");
        found.iter().all(|is| *is == found[0]).then_some(found[0])
    }

    /// Starts the server with this URL, which must fail; returns the one-line error.
    fn refused(&mut self, url: &str) -> String {
        self.server.connect_to(url);
        let Output { status, stderr, .. } =
            self.server.command(&["serve", "--listen", "127.0.0.1:0"]).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert_eq!(status.code(), Some(1), "{url}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains(PASSWORD), "{url}: {stderr}");
        stderr.lines().last().unwrap_or_default().to_owned()
    }

    /// The same for an error in the TLS parameters of the URL.
    fn refuses(&mut self, user: &str, host: &str, query: &str, words: &[&str]) {
        let said = self.refused(&self.url(user, host, query));
        for word in words {
            let word = word.replace("FOLDER", self.folder.path().to_str().expect("a path in UTF-8"));
            assert!(said.contains(&word), "{user} at {host} with {query}: no {word:?} in {said}");
        }
    }
}
