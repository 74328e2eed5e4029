use super::*;

const OPEN: &[(&str, &str)] = &[
    ("openssh_ed25519", include_str!("samples/openssh_ed25519.pem")),
    ("openssh_ecdsa", include_str!("samples/openssh_ecdsa.pem")),
    ("openssh_rsa", include_str!("samples/openssh_rsa.pem")),
    ("pkcs1_rsa", include_str!("samples/pkcs1_rsa.pem")),
    ("pkcs8_rsa", include_str!("samples/pkcs8_rsa.pem")),
    ("sec1_ec", include_str!("samples/sec1_ec.pem")),
    ("dsa", include_str!("samples/dsa.pem")),
];
const LOCKED: &[(&str, &str)] = &[
    ("openssh_ed25519_locked", include_str!("samples/openssh_ed25519_locked.pem")),
    ("openssh_ecdsa_locked", include_str!("samples/openssh_ecdsa_locked.pem")),
    ("pkcs1_rsa_locked", include_str!("samples/pkcs1_rsa_locked.pem")),
    ("pkcs8_rsa_locked", include_str!("samples/pkcs8_rsa_locked.pem")),
];
const CERTIFICATE: &str = include_str!("samples/certificate.pem");

#[test]
fn private_keys_are_recognized_as_encrypted_or_not() {
    for (keys, locked) in [(OPEN, false), (LOCKED, true)] {
        for (name, key) in keys {
            assert_eq!(needs_passphrase(key), Ok(locked), "{name}");
            assert_eq!(needs_passphrase(&key.replace('\n', "\r\n")), Ok(locked), "{name} with CRLF");
            assert_eq!(needs_passphrase(&format!("\n  {}", key.trim())), Ok(locked), "{name} with spaces around");
            assert_eq!(needs_passphrase(&key.replace("-----", "----")), Ok(locked), "{name} with four dashes");
        }
    }
}

#[test]
fn several_blocks_are_accepted() {
    assert_eq!(needs_passphrase(&[OPEN[3].1, CERTIFICATE].concat()), Ok(false));
    assert_eq!(needs_passphrase(&[OPEN[0].1, LOCKED[3].1].concat()), Ok(true));
    assert_eq!(needs_passphrase(CERTIFICATE), Err(PrivateKeyError::NoKey));
    assert_eq!(needs_passphrase(""), Err(PrivateKeyError::NoKey));
}

#[test]
fn truncated_key_is_rejected() {
    for (name, key) in OPEN {
        let lines: Vec<_> = key.lines().collect();
        let cut = [&lines[..lines.len() - 2], &lines[lines.len() - 1..]].concat().join("\n");
        let outcome = needs_passphrase(&cut);
        assert!(
            matches!(outcome, Err(PrivateKeyError::Unreadable | PrivateKeyError::NotBase64)),
            "{name}: {outcome:?}"
        );
    }
}

#[test]
fn invalid_keys_have_the_messages_of_awx() {
    let message = |text: &str| needs_passphrase(text).unwrap_err().to_string();
    assert_eq!(message("not a key"), "Invalid certificate or key: not a key...");
    assert_eq!(message(&"x".repeat(200)), format!("Invalid certificate or key: {}...", "x".repeat(100)));
    assert_eq!(message(&"ü".repeat(200)), format!("Invalid certificate or key: {}...", "ü".repeat(100)));
    let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    assert_eq!(message(&block("PQC PRIVATE KEY", "AAAA")), "Invalid private key: unsupported type \"PQC\"");
    assert_eq!(message(&block("PUBLIC KEY", "AAAA")), "Unsupported PEM object type: \"PUBLIC KEY\"");
    assert_eq!(message(&block("RSA PRIVATE KEY", "not base64!")), "Invalid base64-encoded data");
    assert!(
        message("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----")
            .starts_with("Invalid certificate")
    );
    assert!(message("-----BEGIN RSA PRIVATE KEY-----").starts_with("Invalid certificate"));
    assert!(message("-----").starts_with("Invalid certificate"));
}

#[test]
fn debug_does_not_show_the_key() {
    let problem = needs_passphrase("s3cret").unwrap_err();
    assert!(problem.to_string().contains("s3cret") && !format!("{problem:?}").contains("s3cret"));
}
