//! Key rotation, with concurrent writers and after interruptions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Fixture, on};
use hostler_database::{Database, Type};
use hostler_testkit::{Backend, on_each_backend};
use hostler_vault::{Encoding, KeyUse, Progress, RotationError, SecretColumn, SecretContext, Vault, key_id};
use sea_query::{Alias, Expr, ExprTrait, LockType, Query};
use serde_json::{Value as Json, json};

on_each_backend!(
    rotation_encrypts_every_encoding_again,
    running_server_uses_new_key,
    concurrent_writes_are_not_lost,
    rotation_waits_for_encrypting_transactions,
    interrupted_rotation_is_resumed,
    undecryptable_secret_keeps_its_key,
    concurrent_rotations_are_rejected,
);

/// The columns of the table `safes`, and settings.
const SECRET_COLUMNS: &[SecretColumn] = &[
    SecretColumn {
        kind: "safe",
        table: "safes",
        stored_in: "safes",
        column: "pin",
        encoding: Encoding::Text { field: "pin", owner: "id" },
    },
    SecretColumn {
        kind: "safe",
        table: "safes",
        stored_in: "safes",
        column: "papers",
        encoding: Encoding::Members { field: "papers" },
    },
    SecretColumn {
        kind: "setting",
        table: "settings",
        stored_in: "settings",
        column: "value",
        encoding: Encoding::Named { name: "name" },
    },
];
/// More than the rows of a batch.
const ROWS: i64 = 130;

fn pin(id: i64) -> String {
    format!("pin {id}")
}

async fn fill(world: &Fixture, vault: &Vault) {
    let mut tx = world.database.begin().await.unwrap();
    let encryptor = vault.encryptor(&mut tx).await.unwrap();
    for id in 1..=ROWS {
        let pin = encryptor.encrypt(&SecretContext::new("safe", id, "pin"), &pin(id));
        let papers = json!({
            "open": "anybody may read this", "flag": true,
            "deed": encryptor.encrypt(&SecretContext::new("safe", id, "papers.deed"), &format!("deed {id}")),
            "will": encryptor.encrypt(&SecretContext::new("safe", id, "papers.will"), &format!("will {id}")),
        });
        let insert = Query::insert()
            .into_table(Alias::new("safes"))
            .columns(["id", "pin", "papers"].map(Alias::new))
            .values_panic([id.into(), pin.into(), papers.to_string().into()])
            .to_owned();
        tx.execute(&insert).await.unwrap();
    }
    for (name, value) in [
        ("BIND_PASSWORD", Json::from(encryptor.encrypt(&SecretContext::new("setting", 0, "BIND_PASSWORD"), "hush"))),
        ("OPEN", json!(["x", 1])),
    ] {
        let insert = Query::insert()
            .into_table(Alias::new("settings"))
            .columns(["name", "value"].map(Alias::new))
            .values_panic([name.into(), value.to_string().into()])
            .to_owned();
        tx.execute(&insert).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// How many texts `fill` encrypts.
const TEXTS: u64 = 3 * ROWS as u64 + 1;

/// A newly opened vault decrypts every text to its original value.
async fn assert_all_there(world: &Fixture) {
    let vault = world.vault().await;
    let query = Query::select().columns(["id", "pin", "papers"].map(Alias::new)).from(Alias::new("safes")).to_owned();
    let rows = world.database.read(&query, &[Type::Integer, Type::Text, Type::Json]).await.unwrap();
    assert_eq!(rows.len() as i64, ROWS);
    for row in rows {
        let (id, papers) = (row.integer(0).unwrap(), row.json(2).unwrap());
        assert_eq!(*vault.decrypt(&SecretContext::new("safe", id, "pin"), row.text(1).unwrap()).unwrap(), pin(id));
        assert_eq!((&papers["open"], &papers["flag"]), (&json!("anybody may read this"), &json!(true)));
        for name in ["deed", "will"] {
            let field = format!("papers.{name}");
            let opened =
                vault.decrypt(&SecretContext::new("safe", id, &field), papers[name].as_str().unwrap()).unwrap();
            assert_eq!(*opened, format!("{name} {id}"));
        }
    }
    let query = Query::select().columns(["name", "value"].map(Alias::new)).from(Alias::new("settings")).to_owned();
    for row in world.database.read(&query, &[Type::Text, Type::Json]).await.unwrap() {
        match (row.text(0).unwrap(), row.json(1).unwrap()) {
            ("BIND_PASSWORD", value) => {
                let context = SecretContext::new("setting", 0, "BIND_PASSWORD");
                assert_eq!(*vault.decrypt(&context, value.as_str().unwrap()).unwrap(), "hush");
            }
            ("OPEN", value) => assert_eq!(*value, json!(["x", 1])),
            _ => {}
        }
    }
}

async fn rotate(world: &Fixture, vault: &Vault) -> (Result<(), RotationError>, Vec<Progress>) {
    let mut progress = vec![];
    let outcome = vault.rotate(&world.database, SECRET_COLUMNS, &mut |step| progress.push(step)).await;
    (outcome, progress)
}

async fn uses(world: &Fixture) -> Vec<(Option<u64>, bool, u64)> {
    let uses = world.vault().await.key_uses(&world.database, SECRET_COLUMNS).await.unwrap();
    uses.into_iter().map(|KeyUse { generation, current, texts, .. }| (generation, current, texts)).collect()
}

fn files(world: &Fixture) -> Vec<String> {
    let entries = std::fs::read_dir(world.keys()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".key"));
    names.sort();
    names
}

fn rotation_encrypts_every_encoding_again(backend: Backend) {
    on(backend, async |world| {
        let vault = world.vault().await;
        fill(&world, &vault).await;
        assert_eq!(uses(&world).await, [(Some(1), true, TEXTS)]);
        let (outcome, progress) = rotate(&world, &vault).await;
        outcome.unwrap();
        assert!(progress.contains(&Progress::Encrypted(TEXTS)), "{progress:?}");
        assert!(matches!(progress.last(), Some(Progress::Retired { generation: 1, .. })), "{progress:?}");
        assert_eq!((files(&world), uses(&world).await), (vec!["2.key".to_owned()], vec![(Some(2), true, TEXTS)]));
        assert_all_there(&world).await;
        rotate(&world, &world.vault().await).await.0.unwrap();
        assert_eq!(uses(&world).await, [(Some(3), true, TEXTS)]);
        assert_all_there(&world).await;
    });
}

fn running_server_uses_new_key(backend: Backend) {
    on(backend, async |world| {
        let running = world.vault().await;
        let before = world.encrypt(&running, "before").await;
        rotate(&world, &world.vault().await).await.0.unwrap();
        let after = world.encrypt(&running, "after").await;
        assert_ne!(key_id(&before), key_id(&after));
        assert_eq!(*world.vault().await.decrypt(&common::CONTEXT, &after).unwrap(), "after");
        // It can still decrypt with the old key that it had read before the removal.
        assert_eq!(*running.decrypt(&common::CONTEXT, &before).unwrap(), "before");
    });
}

/// Writes as servers do until `done`: encrypts one secret again and writes back the others of the row unchanged.
async fn keep_writing(database: Database, vault: Vault, done: Arc<AtomicBool>, writer: i64) -> u64 {
    let mut writes = 0;
    while !done.load(Ordering::Relaxed) {
        let id = 1 + (writes as i64 * 7 + writer * 31) % ROWS;
        let mut tx = database.begin().await.unwrap();
        let mut query = Query::select();
        query
            .column(Alias::new("papers"))
            .from(Alias::new("safes"))
            .and_where(Expr::col(Alias::new("id")).eq(id))
            .lock(LockType::NoKeyUpdate);
        let rows = tx.read(&query, &[Type::Json]).await.unwrap();
        let mut papers = rows[0].json(0).unwrap().clone();
        let field = "papers.deed";
        let deed = vault.encrypt(&mut tx, &SecretContext::new("safe", id, field), &format!("deed {id}")).await.unwrap();
        papers["deed"] = deed.into();
        let update = Query::update()
            .table(Alias::new("safes"))
            .value(Alias::new("papers"), papers.to_string())
            .and_where(Expr::col(Alias::new("id")).eq(id))
            .to_owned();
        tx.execute(&update).await.unwrap();
        tx.commit().await.unwrap();
        writes += 1;
    }
    writes
}

fn concurrent_writes_are_not_lost(backend: Backend) {
    on(backend, async |world| {
        fill(&world, &world.vault().await).await;
        let done = Arc::new(AtomicBool::new(false));
        let mut writers = vec![];
        for writer in 0..3 {
            let (database, vault) = (world.database.clone(), world.vault().await);
            writers.push(tokio::spawn(keep_writing(database, vault, done.clone(), writer)));
        }
        for _ in 0..3 {
            rotate(&world, &world.vault().await).await.0.unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for writer in writers {
            assert!(writer.await.unwrap() > 0);
        }
        assert_eq!(uses(&world).await, [(Some(4), true, TEXTS)]);
        assert_all_there(&world).await;
    });
}

fn rotation_waits_for_encrypting_transactions(backend: Backend) {
    on(backend, async |world| {
        let vault = world.vault().await;
        fill(&world, &vault).await;
        let mut tx = world.database.begin().await.unwrap();
        let encrypted = vault.encrypt(&mut tx, &SecretContext::new("safe", 5, "pin"), &pin(5)).await.unwrap();
        let (database, rotating) = (world.database.clone(), world.vault().await);
        let rotation = tokio::spawn(async move { rotating.rotate(&database, SECRET_COLUMNS, &mut |_| {}).await });
        // Without waiting the rotation would be complete by now.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let update = Query::update()
            .table(Alias::new("safes"))
            .value(Alias::new("pin"), encrypted)
            .and_where(Expr::col(Alias::new("id")).eq(5))
            .to_owned();
        tx.execute(&update).await.unwrap();
        tx.commit().await.unwrap();
        rotation.await.unwrap().unwrap();
        assert_eq!(uses(&world).await, [(Some(2), true, TEXTS)]);
        assert_all_there(&world).await;
    });
}

/// Dropping the future stops it like a kill, at any await.
fn interrupted_rotation_is_resumed(backend: Backend) {
    on(backend, async |world| {
        fill(&world, &world.vault().await).await;
        let mut generation = 1;
        for wanted in 0..6 {
            let vault = world.vault().await;
            let (stop, stopped) = tokio::sync::oneshot::channel();
            let (mut stop, mut count) = (Some(stop), 0);
            let mut report = |_| {
                count += 1;
                if count > wanted {
                    stop.take().map(|stop| stop.send(()));
                }
            };
            tokio::select! {
                biased;
                _ = stopped => {}
                outcome = vault.rotate(&world.database, SECRET_COLUMNS, &mut report) => outcome.unwrap(),
            }
            assert_all_there(&world).await;
            let texts: u64 = uses(&world).await.iter().map(|(_, _, texts)| texts).sum();
            assert_eq!(texts, TEXTS, "after {wanted}");
            let (outcome, progress) = rotate(&world, &world.vault().await).await;
            outcome.unwrap();
            if files(&world) == [format!("{}.key", generation + 1)] {
                assert_eq!(progress[0], Progress::Resumed, "after {wanted}");
                generation += 1;
            } else {
                // The rotation completed before it could be stopped; the second was a new one.
                generation += 2;
            }
            assert_eq!(uses(&world).await, [(Some(generation), true, TEXTS)]);
        }
        assert_all_there(&world).await;
    });
}

fn undecryptable_secret_keeps_its_key(backend: Backend) {
    on(backend, async |world| {
        let vault = world.vault().await;
        fill(&world, &vault).await;
        let foreign = world.encrypt(&vault, "encrypted for another context").await;
        let set = |id: i64, text: String| {
            Query::update()
                .table(Alias::new("safes"))
                .value(Alias::new("pin"), text)
                .and_where(Expr::col(Alias::new("id")).eq(id))
                .to_owned()
        };
        let mut tx = world.database.begin().await.unwrap();
        tx.execute(&set(3, foreign)).await.unwrap();
        tx.commit().await.unwrap();
        for resumed in [false, true] {
            let (outcome, progress) = rotate(&world, &world.vault().await).await;
            assert!(matches!(outcome, Err(RotationError::Undecryptable(1))), "{outcome:?}");
            assert_eq!(progress.contains(&Progress::Resumed), resumed);
            assert!(
                progress.contains(&Progress::Undecryptable { location: "safe 3 pin (row 3 of safes)".into() }),
                "{progress:?}"
            );
            assert_eq!(uses(&world).await, [(Some(1), false, 1), (Some(2), true, TEXTS - 1)]);
        }
        // After the secret is set again, the rotation completes.
        let mut tx = world.database.begin().await.unwrap();
        let again = vault.encrypt(&mut tx, &SecretContext::new("safe", 3, "pin"), &pin(3)).await.unwrap();
        tx.execute(&set(3, again)).await.unwrap();
        tx.commit().await.unwrap();
        rotate(&world, &world.vault().await).await.0.unwrap();
        assert_eq!(uses(&world).await, [(Some(2), true, TEXTS)]);
        assert_all_there(&world).await;
    });
}

fn concurrent_rotations_are_rejected(backend: Backend) {
    on(backend, async |world| {
        let (one, other) = (world.vault().await, world.vault().await);
        fill(&world, &one).await;
        let (one, other) = tokio::join!(rotate(&world, &one), rotate(&world, &other));
        // The second either ran during the first or after it.
        assert!(one.0.is_ok() || other.0.is_ok());
        for (outcome, _) in [one, other] {
            assert!(matches!(outcome, Ok(()) | Err(RotationError::Busy)), "{outcome:?}");
        }
        assert_all_there(&world).await;
    });
}
