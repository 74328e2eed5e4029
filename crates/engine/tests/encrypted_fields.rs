//! Encrypted fields, from the request body to the row and back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod common;

use common::actor;
use hostler_database::Type;
use hostler_engine::query::{QueryError, parse};
use hostler_engine::{Engine, Error, NoHooks, ObjectKey, Registered, UpdateMethod};
use hostler_schema::fields::{encrypted, id, text};
use hostler_schema::{Access, Action, Actor, Draft, Field, Resource, Rule, column};
use hostler_testkit::{Backend, on_each_backend};
use hostler_vault::{SecretContext, is_encrypted};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

on_each_backend!(
    secret_is_stored_encrypted_and_masked,
    mask_keeps_and_empty_text_clears_secret,
    activity_stream_masks_secret,
    secret_cannot_be_filtered,
);

struct Everybody;

impl Access for Everybody {
    fn rows(&self, _: &Actor, _: Action, _: &str) -> Rule {
        Rule::All
    }
    fn create(&self, _: &Actor, _: Draft<'_>) -> Rule {
        Rule::All
    }
}

const FIELDS: &[Field] = &[id(), text("name").required(), encrypted("pin").not_blank(), encrypted("code").nullable()];
static SAFE: Resource = Resource {
    summarized_as: &["name"],
    search: &["name"],
    ..Resource::new("safe", "safes", "Safe", FIELDS, &Everybody)
};
static REGISTERED: [Registered; 1] = [Registered { resource: &SAFE, hooks: &NoHooks }];

const TABLE: &str = "CREATE TABLE safes (id {key}, version {number} NOT NULL, name TEXT NOT NULL,
    pin TEXT NOT NULL DEFAULT '', code TEXT NOT NULL DEFAULT '')";

struct World {
    engine: Engine,
    actor: Actor,
}

fn on(backend: Backend, test: impl AsyncFnOnce(World)) {
    common::on(backend, TABLE, &REGISTERED, async |engine| test(World { engine, actor: actor(0, true) }).await);
}

fn object(json: Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

impl World {
    async fn create(&self, body: Json) -> (i64, Map<String, Json>) {
        let made = self.engine.create(&self.actor, &SAFE, &object(body), None).await.unwrap();
        (made.id, made.json)
    }

    async fn patch(&self, id: i64, body: Json) -> Result<Map<String, Json>, Error> {
        let (target, body) = (ObjectKey::Id(id), object(body));
        Ok(self.engine.update(&self.actor, &SAFE, &target, UpdateMethod::Patch, &body, None).await?.0)
    }

    /// The stored value.
    async fn stored(&self, id: i64, name: &str) -> String {
        let query = Query::select()
            .column(Alias::new(name.to_owned()))
            .from(Alias::new("safes"))
            .and_where(column("safes", "id").eq(id))
            .to_owned();
        self.engine.database.read(&query, &[Type::Text]).await.unwrap()[0].text(0).unwrap().to_owned()
    }

    async fn decrypted(&self, id: i64, name: &str) -> String {
        let stored = self.stored(id, name).await;
        self.engine.vault.decrypt(&SecretContext::new("safe", id, name), &stored).unwrap().to_string()
    }

    async fn stream(&self) -> Vec<Json> {
        let query = Query::select()
            .column("changes")
            .from(Alias::new("activity"))
            .order_by("id", sea_query::Order::Asc)
            .to_owned();
        let rows = self.engine.database.read(&query, &[Type::Json]).await.unwrap();
        rows.iter().map(|row| row.json(0).unwrap().clone()).collect()
    }
}

fn secret_is_stored_encrypted_and_masked(backend: Backend) {
    on(backend, async |world| {
        let (id, json) = world.create(json!({"name": "one", "pin": " 1234 "})).await;
        assert_eq!((&json["pin"], &json["code"]), (&json!("$encrypted$"), &json!("")));
        assert!(is_encrypted(&world.stored(id, "pin").await));
        assert_eq!(world.decrypted(id, "pin").await, " 1234 ");
        assert_eq!(world.stored(id, "code").await, "");
        let json = world.patch(id, json!({"code": "abcd"})).await.unwrap();
        assert_eq!(json["code"], "$encrypted$");
        assert_eq!(
            (world.decrypted(id, "pin").await, world.decrypted(id, "code").await),
            (" 1234 ".into(), "abcd".into())
        );
    });
}

fn mask_keeps_and_empty_text_clears_secret(backend: Backend) {
    on(backend, async |world| {
        let (id, _) = world.create(json!({"name": "one", "pin": "1234", "code": "abcd"})).await;
        let before = world.stored(id, "pin").await;
        world.patch(id, json!({"pin": "$encrypted$", "code": "$encrypted$", "name": "two"})).await.unwrap();
        assert_eq!(world.stored(id, "pin").await, before);
        assert_eq!(world.decrypted(id, "code").await, "abcd");
        for nothing in [json!(null), json!("")] {
            world.patch(id, json!({"code": "abcd"})).await.unwrap();
            assert_eq!(world.patch(id, json!({"code": nothing})).await.unwrap()["code"], "");
            assert_eq!(world.stored(id, "code").await, "");
            let refused = world.patch(id, json!({"pin": nothing})).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
        assert_eq!(world.decrypted(id, "pin").await, "1234");
    });
}

fn activity_stream_masks_secret(backend: Backend) {
    on(backend, async |world| {
        let (id, _) = world.create(json!({"name": "one", "pin": "1234"})).await;
        world.patch(id, json!({"pin": "5678"})).await.unwrap();
        world.engine.delete(&world.actor, &SAFE, &ObjectKey::Id(id), None).await.unwrap();
        let stream = world.stream().await;
        assert_eq!(stream[1], json!({"pin": ["hidden", "hidden"]}));
        let text = json!(stream).to_string();
        assert!(!text.contains("1234") && !text.contains("5678") && !text.contains("$hostler$"), "{text}");
    });
}

fn secret_cannot_be_filtered(backend: Backend) {
    on(backend, async |world| {
        for (key, value) in [("pin", "1"), ("pin__startswith", "$"), ("code__isnull", "true"), ("order_by", "pin")] {
            let pairs = vec![(key.to_owned(), value.to_owned())];
            let outcome =
                parse(&world.engine.links, &SAFE, &pairs, &world.actor, world.engine.database.dialect(), "this");
            assert!(matches!(outcome, Err(QueryError::Forbidden(_))), "{key}={value}");
        }
    });
}
