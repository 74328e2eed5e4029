//! The second factor in the database.

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

/// What is stored of a user's second factor.
pub(super) struct Factor {
    pub created: Timestamp,
    /// Since when it is asked for; until then it is being set up.
    pub confirmed: Option<Timestamp>,
    sealed: String,
    last_step: i64,
}

/// The condition that a user, whose table is in the query, has a second factor that is asked for.
pub(crate) fn has_second_factor() -> Expr {
    column(TABLE, "user_id").eq(column("users", "id")).and(column(TABLE, "confirmed").is_not_null())
}

/// Where the secret of a user's device is sealed for.
fn place(user: i64) -> SecretContext<'static> {
    SecretContext::new("user", user, "second_factor")
}

fn internal(error: VaultError) -> Error {
    Error::Internal(format!("the secret of a second factor: {error}"))
}

impl Factor {
    pub(super) async fn of(engine: &Engine, user: i64) -> Result<Option<Self>, Error> {
        let query = Query::select()
            .exprs(["created", "confirmed", "secret", "last_step"].map(|name| column(TABLE, name)))
            .from(Alias::new(TABLE))
            .and_where(column(TABLE, "user_id").eq(user))
            .to_owned();
        let rows = engine.database.read(&query, &[Type::Time, Type::Time, Type::Text, Type::Integer]).await?;
        Ok(rows.first().and_then(|row| {
            Some(Factor {
                created: row.time(0)?,
                confirmed: row.time(1),
                sealed: row.text(2)?.to_owned(),
                last_step: row.integer(3)?,
            })
        }))
    }

    pub(super) fn secret(&self, engine: &Engine, user: i64) -> Result<Zeroizing<String>, Error> {
        engine.vault.decrypt(&place(user), &self.sealed).map_err(internal)
    }

    /// The step of a code of the device; none if the code is wrong, too old, or was used before.
    pub(super) fn step(&self, engine: &Engine, user: i64, code: &str) -> Result<Option<i64>, Error> {
        let now = engine.clock.now().as_second();
        Ok(totp::check(&self.secret(engine, user)?, code, now, self.last_step))
    }
}

/// Stores the secret of a device that is still to be verified, in place of one that was not.
pub(super) async fn begin(engine: &Engine, user: i64, secret: &str) -> Result<(), Error> {
    let mut tx = engine.database.begin().await?;
    let sealed = engine.vault.encrypt(&mut tx, &place(user), secret).await.map_err(internal)?;
    let unconfirmed = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "user_id").eq(user))
        .and_where(column(TABLE, "confirmed").is_null())
        .to_owned();
    tx.execute(&unconfirmed).await?;
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["user_id", "created", "secret"].map(Alias::new))
        .values_panic([user.into(), engine.clock.now().into(), sealed.into()])
        .to_owned();
    tx.insert(&insert).await?;
    tx.commit().await?;
    Ok(())
}

/// From now on the second factor is asked for. False if it was already, or is no more.
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

/// Makes new recovery codes in place of those there are.
pub(super) async fn renew_recovery_codes(tx: &mut Transaction, user: i64) -> Result<Vec<NewSecret>, Error> {
    delete_of(tx, CODES, user).await?;
    let codes = new_recovery_codes();
    let mut insert = Query::insert();
    insert.into_table(Alias::new(CODES)).columns(["user_id", "digest"].map(Alias::new));
    for code in &codes {
        insert.values_panic([user.into(), code.digest.as_str().into()]);
    }
    tx.execute(&insert).await?;
    Ok(codes)
}

/// Forgets a second factor and its recovery codes. False if there was none that was asked for.
pub(super) async fn forget(tx: &mut Transaction, user: i64) -> Result<bool, Error> {
    let confirmed = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "user_id").eq(user))
        .and_where(column(TABLE, "confirmed").is_not_null())
        .to_owned();
    let was_asked_for = tx.execute(&confirmed).await? == 1;
    delete_of(tx, TABLE, user).await?;
    delete_of(tx, CODES, user).await?;
    Ok(was_asked_for)
}

async fn delete_of(tx: &mut Transaction, table: &'static str, user: i64) -> Result<(), Error> {
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

/// Whether a code is good for a user with a second factor: one of the device, or a recovery code. It is used up by
/// this, on all nodes.
///
/// # Errors
/// What the database says, or a secret that cannot be opened.
pub(crate) async fn consume_code(engine: &Engine, actor: &Actor, code: &str) -> Result<bool, Error> {
    let user = actor.id;
    let Some(factor) = Factor::of(engine, user).await?.filter(|factor| factor.confirmed.is_some()) else {
        return Ok(false);
    };
    if let Some(step) = factor.step(engine, user, code)? {
        let take = Query::update()
            .table(Alias::new(TABLE))
            .value(Alias::new("last_step"), step)
            .and_where(column(TABLE, "user_id").eq(user))
            // Of two who come with the same code one is late. A later step than this one was stored before the clock
            // was set back.
            .and_where(column(TABLE, "last_step").lt(step).or(column(TABLE, "last_step").eq(factor.last_step)))
            .to_owned();
        let mut tx = engine.database.begin().await?;
        let taken = tx.execute(&take).await? == 1;
        tx.commit().await?;
        return Ok(taken);
    }
    let spend = Query::delete()
        .from_table(Alias::new(CODES))
        .cond_where(
            Condition::all()
                .add(column(CODES, "user_id").eq(user))
                .add(column(CODES, "digest").eq(recovery_digest(code))),
        )
        .to_owned();
    let mut tx = engine.database.begin().await?;
    let spent = tx.execute(&spend).await? == 1;
    if spent {
        record(engine, &mut tx, user, actor, "recovery_code", [HIDDEN.into(), Json::Null]).await?;
    }
    tx.commit().await?;
    Ok(spent)
}

/// Records a change to how a user signs in.
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
