//! Client certificates.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use hostler_testkit::CertificateAuthority;

use crate::postgres_tls::{HOST, PostgresTlsFixture};

const VERIFIED: &str = "sslmode=verify-full&sslrootcert=FOLDER/ca.crt";

fn with(name: &str) -> String {
    format!("{VERIFIED}&sslcert=FOLDER/{name}.crt&sslkey=FOLDER/{name}.key")
}

#[test]
fn client_certificate_replaces_password() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    for name in ["known", "careful"] {
        fixture.write_identity(name, &fixture.authority.user(name));
        fixture.serves(name, &with(name));
        assert_eq!(fixture.is_encrypted(), Some(true), "{name}");
        // The certificate is valid for this name only.
        fixture.refuses(
            if name == "known" { "careful" } else { "known" },
            HOST,
            &with(name),
            &["authentication failed"],
        );
        fixture.refuses(name, HOST, VERIFIED, &["valid client certificate"]);
    }
}

#[test]
fn bad_client_certificate_is_reported() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    fixture.write_identity("known", &fixture.authority.user("known"));
    fixture.write_identity("strange", &CertificateAuthority::new("another authority").user("known"));
    fixture
        .write("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    for (query, words) in [
        (with("strange"), ["refuses the certificate in FOLDER/strange.crt", "ssl_ca_file"]),
        (format!("{VERIFIED}&sslcert=FOLDER/known.crt"), ["sslcert needs its key", "sslkey"]),
        (
            format!("{VERIFIED}&sslcert=FOLDER/known.crt&sslkey=FOLDER/strange.key"),
            ["FOLDER/strange.key cannot be used together", "does not belong"],
        ),
        (
            format!("{VERIFIED}&sslcert=FOLDER/known.crt&sslkey=FOLDER/encrypted.key"),
            ["sslkey FOLDER/encrypted.key cannot be used", "not encrypted"],
        ),
        (
            format!("{VERIFIED}&sslcert=FOLDER/none.crt&sslkey=FOLDER/known.key"),
            ["sslcert FOLDER/none.crt cannot be used", "No such file"],
        ),
    ] {
        fixture.refuses("known", HOST, &query, &words);
    }
}

#[test]
fn world_readable_key_is_reported() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    fixture.write_identity("known", &fixture.authority.user("known"));
    let key = fixture.file("known.key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("permissions");
    fixture.serves("known", &with("known"));
    fixture.server.wait_for_log(&["all users of this machine can read the key for PostgreSQL"]);
    let output = fixture.server.command(&["check"]).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("known.key is the key for PostgreSQL and all users can read it (mode 0644)"), "{said}");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).expect("permissions");
    let output = fixture.server.command(&["check"]).output().expect("the binary runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "No problems found.\n");
}
