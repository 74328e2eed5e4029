//! Second factors and recovery codes in the database.

use hostler_database::{Transaction, Type};
use hostler_engine::{ActivityEntry, Engine, Error, HIDDEN};
use hostler_identity::token::NewSecret;
use hostler_identity::totp::{self, new_recovery_codes, recovery_digest};
use hostler_resources::USER;
use hostler_schema::{Actor, column};
use hostler_vault::{SecretContext, VaultError};
use jiff::Timestamp;
use sea_query::{Alias, Condition, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json};
use zeroize::Zeroizing;

pub(super) const TABLE: &str = "second_factors";
const CODES: &str = "recovery_codes";

/// A user's second factor, as it is stored.
pub(super) struct SecondFactor {
    pub created: Timestamp,
    /// When it was enabled; none while it is being set up.
    pub confirmed: Option<Timestamp>,
    encrypted_secret: String,
    last_step: i64,
}

/// The condition that the user in the query's table `users` has an enabled second factor.
pub(crate) fn has_second_factor() -> Expr {
    column(TABLE, "user_id").eq(column("users", "id")).and(column(TABLE, "confirmed").is_not_null())
}

/// The context that the secret of a user's device is encrypted for.
fn secret_context(user: i64) -> SecretContext<'static> {
    SecretContext::new("user", user, "second_factor")
}

fn internal(error: VaultError) -> Error {
    Error::Internal(format!("the secret of a second factor: {error}"))
}

impl SecondFactor {
    pub(super) async fn load(engine: &Engine, user: i64) -> Result<Option<Self>, Error> {
        let query = Query::select()
            .exprs(["created", "confirmed", "secret", "last_step"].map(|name| column(TABLE, name)))
            .from(Alias::new(TABLE))
            .and_where(column(TABLE, "user_id").eq(user))
            .to_owned();
        let rows = engine.database.read(&query, &[Type::Time, Type::Time, Type::Text, Type::Integer]).await?;
        Ok(rows.first().and_then(|row| {
            Some(SecondFactor {
                created: row.time(0)?,
                confirmed: row.time(1),
                encrypted_secret: row.text(2)?.to_owned(),
                last_step: row.integer(3)?,
            })
        }))
    }

    pub(super) fn secret(&self, engine: &Engine, user: i64) -> Result<Zeroizing<String>, Error> {
        engine.vault.decrypt(&secret_context(user), &self.encrypted_secret).map_err(internal)
    }

    /// The time step of a device's code; none if the code is wrong, too old, or was used before.
    pub(super) fn step(&self, engine: &Engine, user: i64, code: &str) -> Result<Option<i64>, Error> {
        let now = engine.clock.now().as_second();
        Ok(totp::check(&self.secret(engine, user)?, code, now, self.last_step))
    }
}

/// Stores the secret of a new device, which replaces one that was not enabled.
pub(super) async fn store_unconfirmed(engine: &Engine, user: i64, secret: &str) -> Result<(), Error> {
    let mut tx = engine.database.begin().await?;
    let encrypted_secret = engine.vault.encrypt(&mut tx, &secret_context(user), secret).await.map_err(internal)?;
    let unconfirmed = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "user_id").eq(user))
        .and_where(column(TABLE, "confirmed").is_null())
        .to_owned();
    tx.execute(&unconfirmed).await?;
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["user_id", "created", "secret"].map(Alias::new))
        .values_panic([user.into(), engine.clock.now().into(), encrypted_secret.into()])
        .to_owned();
    tx.insert(&insert).await?;
    tx.commit().await?;
    Ok(())
}

/// Enables the second factor. False if it is enabled already, or no longer exists.
pub(super) async fn confirm(engine: &Engine, tx: &mut Transaction, user: i64, step: i64) -> Result<bool, Error> {
    let update = Query::update()
        .table(Alias::new(TABLE))
        .value(Alias::new("confirmed"), engine.clock.now())
        .value(Alias::new("last_step"), step)
        .and_where(column(TABLE, "user_id").eq(user))
        .and_where(column(TABLE, "confirmed").is_null())
        .to_owned();
    Ok(tx.execute(&update).await? == 1)
}

/// Replaces the recovery codes by new ones.
pub(super) async fn renew_recovery_codes(tx: &mut Transaction, user: i64) -> Result<Vec<NewSecret>, Error> {
    delete_rows(tx, CODES, user).await?;
    let codes = new_recovery_codes();
    let mut insert = Query::insert();
    insert.into_table(Alias::new(CODES)).columns(["user_id", "digest"].map(Alias::new));
    for code in &codes {
        insert.values_panic([user.into(), code.digest.as_str().into()]);
    }
    tx.execute(&insert).await?;
    Ok(codes)
}

/// Deletes a second factor and its recovery codes. False if none was enabled.
pub(super) async fn delete(tx: &mut Transaction, user: i64) -> Result<bool, Error> {
    let confirmed = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "user_id").eq(user))
        .and_where(column(TABLE, "confirmed").is_not_null())
        .to_owned();
    let was_enabled = tx.execute(&confirmed).await? == 1;
    delete_rows(tx, TABLE, user).await?;
    delete_rows(tx, CODES, user).await?;
    Ok(was_enabled)
}

async fn delete_rows(tx: &mut Transaction, table: &'static str, user: i64) -> Result<(), Error> {
    let delete = Query::delete().from_table(Alias::new(table)).and_where(column(table, "user_id").eq(user)).to_owned();
    tx.execute(&delete).await?;
    Ok(())
}

/// How many recovery codes a user has left.
pub(super) async fn recovery_codes_left(engine: &Engine, user: i64) -> Result<usize, Error> {
    let query = Query::select()
        .expr(column(CODES, "id"))
        .from(Alias::new(CODES))
        .and_where(column(CODES, "user_id").eq(user))
        .to_owned();
    Ok(engine.database.read(&query, &[Type::Integer]).await?.len())
}

/// Consumes a code of the user's device, or a recovery code, on all nodes. False if the code is wrong or was used before.
///
/// # Errors
/// Errors of the database, or a secret that cannot be decrypted.
pub(crate) async fn consume_code(engine: &Engine, actor: &Actor, code: &str) -> Result<bool, Error> {
    let user = actor.id;
    let Some(factor) = SecondFactor::load(engine, user).await?.filter(|factor| factor.confirmed.is_some()) else {
        return Ok(false);
    };
    if let Some(step) = factor.step(engine, user, code)? {
        let consume = Query::update()
            .table(Alias::new(TABLE))
            .value(Alias::new("last_step"), step)
            .and_where(column(TABLE, "user_id").eq(user))
            // Of two requests with the same code only one succeeds. A later step was stored before the clock was set
            // back.
            .and_where(column(TABLE, "last_step").lt(step).or(column(TABLE, "last_step").eq(factor.last_step)))
            .to_owned();
        let mut tx = engine.database.begin().await?;
        let consumed = tx.execute(&consume).await? == 1;
        tx.commit().await?;
        return Ok(consumed);
    }
    let consume = Query::delete()
        .from_table(Alias::new(CODES))
        .cond_where(
            Condition::all()
                .add(column(CODES, "user_id").eq(user))
                .add(column(CODES, "digest").eq(recovery_digest(code))),
        )
        .to_owned();
    let mut tx = engine.database.begin().await?;
    let consumed = tx.execute(&consume).await? == 1;
    if consumed {
        record(engine, &mut tx, user, actor, "recovery_code", [HIDDEN.into(), Json::Null]).await?;
    }
    tx.commit().await?;
    Ok(consumed)
}

/// Writes an activity stream entry about a user's sign-in.
pub(super) async fn record(
    engine: &Engine,
    tx: &mut Transaction,
    user: i64,
    actor: &Actor,
    what: &str,
    change: [Json; 2],
) -> Result<(), Error> {
    let changes: Map<String, Json> = [(what.to_owned(), Json::from(change.to_vec()))].into_iter().collect();
    ActivityEntry::about(&USER, user, "update", changes).write(engine, tx, actor).await
}
