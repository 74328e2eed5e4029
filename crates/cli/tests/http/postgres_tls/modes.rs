//! Each `sslmode` behaves as in libpq.

use hostler_testkit::{CertificateAndKey, CertificateAuthority};

use crate::postgres_tls::{HOST, PostgresTlsFixture};

#[test]
fn sslmode_decides_encryption() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    for (user, query, encrypted) in [
        // The cluster accepts this user with and without TLS.
        ("hostler", "", true),
        ("hostler", "sslmode=disable", false),
        ("hostler", "sslmode=allow", false),
        ("hostler", "sslmode=prefer", true),
        ("hostler", "sslmode=require", true),
        // These users in one way only.
        ("encrypted", "sslmode=allow", true),
        ("encrypted", "sslmode=require&channel_binding=require", true),
        ("encrypted", "sslmode=verify-full&sslrootcert=FOLDER/ca.crt&channel_binding=require", true),
        ("plain", "sslmode=prefer", false),
        ("plain", "", false),
    ] {
        fixture.serves(user, query);
        assert_eq!(fixture.is_encrypted(), Some(encrypted), "{user} with {query}");
    }
}

#[test]
fn sslmode_decides_verification() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    let ca = "sslrootcert=FOLDER/ca.crt";
    for (host, query) in [
        (HOST, format!("sslmode=verify-full&{ca}")),
        (HOST, format!("sslmode=verify-ca&{ca}")),
        ("other.example.org", format!("sslmode=verify-ca&{ca}")),
        ("other.example.org", format!("sslmode=require&{ca}")),
        ("other.example.org", "sslmode=require".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
    ] {
        fixture.serves_at(fixture.url("encrypted", host, &query));
        assert_eq!(fixture.is_encrypted(), Some(true), "{host} with {query}");
        let warns = fixture.server.stderr().contains("certificate is not verified");
        assert_eq!(warns, query == "sslmode=require", "{query}: {}", fixture.server.stderr());
    }
}

/// A certificate of `openssl req -x509`, which clients have as a copy.
#[test]
fn self_signed_certificate_is_trusted_as_root() {
    let shown = CertificateAndKey::self_signed(&[HOST]);
    let Some(mut fixture) = PostgresTlsFixture::showing(CertificateAuthority::new("another"), &shown) else { return };
    fixture.write("server.crt", &shown.certificate);
    let trusted = "sslmode=verify-full&sslrootcert=FOLDER/server.crt";
    fixture.serves("encrypted", trusted);
    assert_eq!(fixture.is_encrypted(), Some(true));
    fixture.refuses("encrypted", "other.example.org", trusted, &["is for db.example.org", "names other.example.org"]);
    let other = CertificateAndKey::self_signed(&[HOST]);
    fixture.write("server.crt", &other.certificate);
    fixture.refuses("encrypted", HOST, trusted, &["with TLS: the server's certificate"]);
}

#[test]
fn unix_socket_never_uses_tls() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    let folder = fixture.cluster.socket_folder().to_str().expect("a path in UTF-8").replace('/', "%2F");
    let (port, database) = (fixture.cluster.port(), &fixture.database);
    let url = format!("postgres://hostler@{folder}:{port}/{database}?sslmode=verify-full");
    fixture.serves_at(url);
    assert_eq!(fixture.is_encrypted(), Some(false));
}
