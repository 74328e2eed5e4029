use super::*;
use std::fs::{self, Permissions};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn new_key_is_private_and_persistent() {
    let directory = directory();
    let path = directory.path().join("key");
    let made = SecretKey::load_or_create(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read(&path).unwrap(), made.0);
    assert_eq!(SecretKey::load_or_create(&path).unwrap().0, made.0);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing temporary is left");
}

#[test]
fn keys_of_installations_differ() {
    let directory = directory();
    let one = SecretKey::load_or_create(&directory.path().join("one")).unwrap();
    let other = SecretKey::load_or_create(&directory.path().join("other")).unwrap();
    assert_ne!(one.0, other.0);
}

#[test]
fn concurrent_starts_get_the_same_key() {
    let directory = directory();
    let path = directory.path().join("key");
    let start = std::sync::Barrier::new(8);
    let keys: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    SecretKey::load_or_create(&path).unwrap().0
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn key_readable_by_others_is_rejected() {
    let directory = directory();
    let path = directory.path().join("key");
    SecretKey::load_or_create(&path).unwrap();
    for open in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o610] {
        fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
        let error = SecretKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Open { mode, .. } if mode == open), "{error}");
        let message = error.to_string();
        assert!(message.contains(&format!("{open:04o}")) && !message.contains('\n'), "{message}");
    }
    for closed in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(closed)).unwrap();
        assert!(SecretKey::load_or_create(&path).is_ok());
    }
}

#[test]
fn key_of_wrong_length_is_rejected_and_unchanged() {
    let directory = directory();
    let path = directory.path().join("key");
    for length in [0, 1, 63, 65, 4096] {
        let content = vec![1; length];
        fs::write(&path, &content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let error = SecretKey::load_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyError::Length { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn invalid_path_is_an_error() {
    let directory = directory();
    let missing = directory.path().join("missing").join("key");
    let error = SecretKey::load_or_create(&missing).unwrap_err();
    assert!(matches!(error, KeyError::Io { doing: "create", .. }), "{error}");
    assert!(!error.to_string().contains('\n'));

    let folder = directory.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let error = SecretKey::load_or_create(&folder).unwrap_err();
    assert!(matches!(error, KeyError::Io { doing: "read", .. }), "{error}");
}

#[test]
fn derived_keys_differ_by_purpose_and_by_key() {
    let key = SecretKey::from_bytes(std::array::from_fn(|index| index as u8));
    // Python's hmac, by RFC 5869:
    // prk = hmac(bytes(32), bytes(range(64))); hmac(prk, b"sessions" + b"\x01")
    assert_eq!(hex::encode(key.derive("sessions")), "a2c6a38bf6dd8aa0e31deb03014edde1e04d3c46b6529b1e9ae9c63642c5c31d");
    assert_eq!(key.derive("sessions"), key.derive("sessions"));
    assert_ne!(key.derive("sessions"), key.derive("credentials"));
    assert_ne!(key.derive("sessions"), SecretKey::from_bytes([0; 64]).derive("sessions"));
}

#[test]
fn debug_shows_nothing_of_it() {
    assert_eq!(format!("{:?}", SecretKey::from_bytes([65; 64])), "SecretKey(..)");
}
