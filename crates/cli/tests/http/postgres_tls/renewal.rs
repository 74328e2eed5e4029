//! Renewal of certificates while the server runs.

use std::time::{Duration, Instant};

use hostler_testkit::CertificateAuthority;

use crate::postgres_tls::{HOST, PostgresTlsFixture};

/// The timeout of waits, not a measure of speed.
const PATIENCE: Duration = Duration::from_secs(45);

#[test]
fn new_connections_use_renewed_certificates() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    fixture.serves("encrypted", "sslmode=verify-full&sslrootcert=FOLDER/ca.crt");
    let next = CertificateAuthority::new("the next authority");
    fixture.cluster.set_certificate(&next.server(&[HOST]));
    let answer = fixture.server.as_admin().get("/api/v2/me/");
    assert_eq!(answer.status, 503, "{answer}");
    assert!(!answer.to_string().contains("certificate"), "{answer}");
    fixture.server.wait_for_log(&["PostgreSQL cannot be reached with TLS", "ca.crt does not contain"]);
    // An incomplete file does not replace the loaded certificates.
    fixture.write("ca.crt", "-----BEGIN CERTIFICATE-----\n");
    assert_eq!(fixture.server.as_admin().get("/api/v2/me/").status, 503);
    fixture.server.wait_for_log(&["cannot reload the certificates for PostgreSQL, keeping the old ones"]);
    fixture.write("ca.crt", &format!("{}{}", fixture.authority.certificate(), next.certificate()));
    let deadline = Instant::now() + PATIENCE;
    while fixture.server.as_admin().get("/api/v2/me/").status != 200 {
        assert!(Instant::now() < deadline, "the new certificate is not seen:\n{}", fixture.server.stderr());
    }
    assert_eq!(fixture.is_encrypted(), Some(true));
}

/// The same works without TLS.
#[test]
fn requests_succeed_after_postgres_restart() {
    let Some(mut fixture) = PostgresTlsFixture::new() else { return };
    fixture.serves("encrypted", "sslmode=verify-full&sslrootcert=FOLDER/ca.crt");
    for name in ["once", "twice"] {
        fixture.cluster.stop();
        assert_eq!(fixture.server.as_admin().get("/api/v2/me/").status, 503);
        fixture.cluster.restart();
        fixture.server.as_admin().get("/api/v2/me/").expect(200);
        fixture.server.organization(name);
    }
    // The server notices this restart with its next statement only.
    fixture.cluster.stop();
    fixture.cluster.restart();
    fixture.server.as_admin().get("/api/v2/me/").expect(200);
}
