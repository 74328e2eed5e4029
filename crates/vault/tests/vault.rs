//! The vault with a real database and a real folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use common::{CONTEXT, on};
use hostler_testkit::{Backend, on_each_backend};
use hostler_vault::{SecretContext, Vault, VaultError, is_encrypted, key_id};

on_each_backend!(
    vaults_share_keys_of_same_data,
    concurrent_starts_create_one_key,
    missing_key_is_reported_and_not_recreated,
    key_readable_by_others_is_rejected,
);

fn vaults_share_keys_of_same_data(backend: Backend) {
    on(backend, async |world| {
        let encrypted = world.encrypt(&world.vault().await, "s3cret").await;
        assert!(is_encrypted(&encrypted) && !encrypted.contains("s3cret"));
        assert_eq!(*world.vault().await.decrypt(&CONTEXT, &encrypted).unwrap(), "s3cret");
        let elsewhere = world.vault().await.decrypt(&SecretContext::new("credential", 8, "password"), &encrypted);
        assert!(matches!(elsewhere, Err(VaultError::DecryptionFailed)));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(world.keys()), mode(world.keys().join("1.key"))), (0o700, 0o600));
    });
}

fn concurrent_starts_create_one_key(backend: Backend) {
    on(backend, async |world| {
        let (a, b, c) = tokio::join!(world.vault(), world.vault(), world.vault());
        let mut keys = vec![];
        for vault in [a, b, c] {
            keys.push(key_id(&world.encrypt(&vault, "secret").await).unwrap().to_owned());
        }
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
    });
}

fn missing_key_is_reported_and_not_recreated(backend: Backend) {
    on(backend, async |world| {
        let encrypted = world.encrypt(&world.vault().await, "secret").await;
        fs::rename(world.keys(), world.elsewhere()).unwrap();
        let error = Vault::open(&world.keys(), &world.database).await.unwrap_err();
        assert!(matches!(&error, VaultError::MissingKey { id, .. } if id == key_id(&encrypted).unwrap()), "{error}");
        assert!(!world.keys().exists(), "no other key was made");
        // A folder with the key of another installation fails as well.
        fs::create_dir(world.keys()).unwrap();
        hostler_identity::key::SecretKey::load_or_create(&world.keys().join("1.key")).unwrap();
        let error = Vault::open(&world.keys(), &world.database).await.unwrap_err();
        assert!(error.to_string().contains(key_id(&encrypted).unwrap()), "{error}");
        fs::remove_dir_all(world.keys()).unwrap();
        fs::rename(world.elsewhere(), world.keys()).unwrap();
        assert_eq!(*world.vault().await.decrypt(&CONTEXT, &encrypted).unwrap(), "secret");
    });
}

fn key_readable_by_others_is_rejected(backend: Backend) {
    on(backend, async |world| {
        world.vault().await;
        fs::set_permissions(world.keys().join("1.key"), fs::Permissions::from_mode(0o644)).unwrap();
        let error = Vault::open(&world.keys(), &world.database).await.unwrap_err();
        assert!(matches!(error, VaultError::Key(_)), "{error}");
    });
}
