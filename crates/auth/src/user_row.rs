//! One row about a user, found by a token, a session, a username or an id, and the actor of that user.
//!
//! The same statement reads the generation of the settings, so each request knows the settings in force without a
//! further round trip.

use std::sync::Arc;

use hostler_access::is_organization_admin;
use hostler_database::{Dialect, Error as DatabaseError, PreparedQuery, Row, Type};
use hostler_identity::token::digest;
use hostler_schema::{Actor, column};
use hostler_settings::{GENERATION_TABLE, Settings};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, Value};

use crate::authenticator::Authenticator;
use crate::sign_in::has_second_factor;

/// The columns of `users` in a [`UserRow`], in their order.
const USER_COLUMNS: [&str; 7] =
    ["id", "username", "is_superuser", "is_system_auditor", "is_active", "password", "external_account"];
const USER_TYPES: [Type; 7] =
    [Type::Integer, Type::Text, Type::Boolean, Type::Boolean, Type::Boolean, Type::Text, Type::Text];
const GENERATION: usize = USER_COLUMNS.len();
const IS_ORGANIZATION_ADMIN: usize = GENERATION + 1;
/// The first column that depends on the query.
const FIRST_EXTRA: usize = IS_ORGANIZATION_ADMIN + 1;
/// The columns of [`TokenColumns`] and [`SessionColumns`], in their order.
const TOKEN_COLUMNS: [&str; 4] = ["scope", "expires", "id", "last_used"];
const TOKEN_TYPES: [Type; 4] = [Type::Text, Type::Time, Type::Integer, Type::Time];
const SESSION_COLUMNS: [&str; 4] = ["id", "binding", "expires", "last_used"];
const SESSION_TYPES: [Type; 4] = [Type::Integer, Type::Text, Type::Time, Type::Time];
/// The most users that one statement looks for.
const AT_ONCE: usize = 500;

/// The result of one of the [`UserQueries`]: nulls if there is no such user.
pub(crate) struct UserRow {
    /// The settings in force when the row was read.
    pub settings: Arc<Settings>,
    row: Row,
}

/// The columns of `tokens` beside the user.
pub(crate) struct TokenColumns<'a> {
    pub id: i64,
    pub scope: &'a str,
    pub expires: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// The columns of `sessions` beside the user.
pub(crate) struct SessionColumns<'a> {
    pub id: i64,
    pub binding: &'a str,
    pub expires: Timestamp,
    pub last_used: Option<Timestamp>,
}

impl UserRow {
    /// The user of a token; see [`UserRow::token`].
    pub(crate) async fn by_token(auth: &Authenticator, token: &str) -> Result<Self, DatabaseError> {
        Self::read(auth, &auth.user_queries.by_token, digest(token)).await
    }

    /// The user of a session; see [`UserRow::session`].
    pub(crate) async fn by_session(auth: &Authenticator, secret: &str) -> Result<Self, DatabaseError> {
        Self::read(auth, &auth.user_queries.by_session, digest(secret)).await
    }

    /// The user with this name; see [`UserRow::has_second_factor`].
    pub(crate) async fn by_name(auth: &Authenticator, username: &str) -> Result<Self, DatabaseError> {
        // No username contains a NUL, and PostgreSQL rejects it in a parameter.
        let username = if username.contains('\0') { "" } else { username };
        Self::read(auth, &auth.user_queries.by_name, username).await
    }

    /// The user with this id.
    pub(crate) async fn by_id(auth: &Authenticator, id: i64) -> Result<Self, DatabaseError> {
        Self::read(auth, &auth.user_queries.by_id, id).await
    }

    /// The users of those of these sessions that exist, with the digests.
    pub(crate) async fn by_sessions(
        auth: &Authenticator,
        digests: &[&str],
    ) -> Result<Vec<(String, Self)>, DatabaseError> {
        Self::by_digests(auth, "sessions", SESSION_COLUMNS, &SESSION_TYPES, digests).await
    }

    /// The users of those of these tokens that exist, with the digests.
    pub(crate) async fn by_tokens(
        auth: &Authenticator,
        digests: &[&str],
    ) -> Result<Vec<(String, Self)>, DatabaseError> {
        Self::by_digests(auth, "tokens", TOKEN_COLUMNS, &TOKEN_TYPES, digests).await
    }

    async fn by_digests(
        auth: &Authenticator,
        table: &'static str,
        columns: [&'static str; 4],
        types: &[Type; 4],
        digests: &[&str],
    ) -> Result<Vec<(String, Self)>, DatabaseError> {
        let types = [&USER_TYPES[..], &[Type::Integer, Type::Boolean], types, &[Type::Text]].concat();
        let mut found = vec![];
        for digests in digests.chunks(AT_ONCE) {
            let are = column(table, "digest").is_in(digests.iter().copied());
            let mut query = user_query([(table, are), user_of(table)]);
            query.exprs(columns.map(|name| column(table, name))).expr(column(table, "digest"));
            for row in auth.engine.database.read(&query, &types).await? {
                let row = Self::with_settings(auth, row).await?;
                let digest = row.row.text(FIRST_EXTRA + columns.len()).map(str::to_owned);
                // None if there is none of them.
                found.extend(digest.map(|digest| (digest, row)));
            }
        }
        Ok(found)
    }

    /// The users with these ids.
    pub(crate) async fn by_ids(auth: &Authenticator, ids: &[i64]) -> Result<Vec<Self>, DatabaseError> {
        let types = [&USER_TYPES, &[Type::Integer, Type::Boolean][..]].concat();
        let mut found = vec![];
        for ids in ids.chunks(AT_ONCE) {
            let query = user_query([("users", column("users", "id").is_in(ids.iter().copied()))]);
            for row in auth.engine.database.read(&query, &types).await? {
                found.push(Self::with_settings(auth, row).await?);
            }
        }
        Ok(found)
    }

    async fn read(
        auth: &Authenticator,
        query: &PreparedQuery,
        parameter: impl Into<Value>,
    ) -> Result<Self, DatabaseError> {
        let rows = auth.engine.database.read_prepared(query, &[parameter.into()]).await?;
        Self::with_settings(auth, rows.into_iter().next().ok_or_else(no_generation)?).await
    }

    async fn with_settings(auth: &Authenticator, row: Row) -> Result<Self, DatabaseError> {
        let generation = row.integer(GENERATION).ok_or_else(no_generation)?;
        Ok(UserRow { settings: auth.settings.at_generation(generation, &auth.engine.database).await?, row })
    }

    /// The user's id; none if there is no such user.
    pub(crate) fn id(&self) -> Option<i64> {
        self.row.integer(0)
    }

    /// The hash of the user's password; empty if there is none.
    pub(crate) fn password_hash(&self) -> &str {
        self.row.text(5).unwrap_or_default()
    }

    /// Whether the user exists and has a local password.
    pub(crate) fn is_local(&self) -> bool {
        self.id().is_some() && self.row.text(6).is_none()
    }

    /// The actor; none if there is no such user, if the user is disabled, or has only a local password while the
    /// settings disable those.
    pub(crate) fn actor(&self) -> Option<Actor> {
        let Self { settings, row } = self;
        let id = self.id()?;
        let external_account = row.text(6).map(str::to_owned);
        let can_sign_in = external_account.is_some() || !settings.local_auth_disabled;
        (row.boolean(4) && can_sign_in).then(|| Actor {
            id,
            username: row.text(1).unwrap_or_default().to_owned(),
            is_superuser: row.boolean(2),
            is_system_auditor: row.boolean(3),
            is_organization_admin: row.boolean(IS_ORGANIZATION_ADMIN),
            can_write: true,
            session: None,
            external_account,
            policy: settings.policy(),
            job_settings: settings.job_settings(),
        })
    }

    /// The token of [`UserRow::by_token`], if it exists.
    pub(crate) fn token(&self) -> Option<TokenColumns<'_>> {
        Some(TokenColumns {
            scope: self.row.text(FIRST_EXTRA)?,
            expires: self.row.time(FIRST_EXTRA + 1)?,
            id: self.row.integer(FIRST_EXTRA + 2)?,
            last_used: self.row.time(FIRST_EXTRA + 3),
        })
    }

    /// The session of [`UserRow::by_session`], if it exists.
    pub(crate) fn session(&self) -> Option<SessionColumns<'_>> {
        Some(SessionColumns {
            id: self.row.integer(FIRST_EXTRA)?,
            binding: self.row.text(FIRST_EXTRA + 1)?,
            expires: self.row.time(FIRST_EXTRA + 2)?,
            last_used: self.row.time(FIRST_EXTRA + 3),
        })
    }

    /// Whether the user of [`UserRow::by_name`] has a second factor.
    pub(crate) fn has_second_factor(&self) -> bool {
        self.row.integer(FIRST_EXTRA).is_some()
    }
}

/// The prepared queries behind [`UserRow`], each with one parameter.
pub(crate) struct UserQueries {
    by_token: PreparedQuery,
    by_name: PreparedQuery,
    by_session: PreparedQuery,
    by_id: PreparedQuery,
}

impl UserQueries {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let mut by_token = user_query([("tokens", column("tokens", "digest").eq(PLACEHOLDER)), user_of("tokens")]);
        by_token.exprs(TOKEN_COLUMNS.map(|name| column("tokens", name)));
        let mut by_name = user_query([
            ("users", column("users", "username").eq(PLACEHOLDER)),
            ("second_factors", has_second_factor()),
        ]);
        by_name.expr(column("second_factors", "id"));
        let mut by_session =
            user_query([("sessions", column("sessions", "digest").eq(PLACEHOLDER)), user_of("sessions")]);
        by_session.exprs(SESSION_COLUMNS.map(|name| column("sessions", name)));
        let by_id = user_query([("users", column("users", "id").eq(PLACEHOLDER))]);
        let prepare = |query: &SelectStatement, extra: &[Type]| {
            let types = [&USER_TYPES, &[Type::Integer, Type::Boolean][..], extra].concat();
            PreparedQuery::new(dialect, query, types, [PLACEHOLDER.into()])
        };
        UserQueries {
            by_token: prepare(&by_token, &TOKEN_TYPES),
            by_name: prepare(&by_name, &[Type::Integer]),
            by_session: prepare(&by_session, &SESSION_TYPES),
            by_id: prepare(&by_id, &[]),
        }
    }
}

/// The value in a query that the parameter replaces.
const PLACEHOLDER: &str = "?";

fn no_generation() -> DatabaseError {
    DatabaseError::Internal("the generation of the settings is missing".into())
}

/// The join with the user of a row of this table.
fn user_of(table: &'static str) -> (&'static str, Expr) {
    ("users", column("users", "id").eq(column(table, "user_id")))
}

/// A query for users and the generation of the settings, which joins these tables one after the other. It always
/// returns at least one row.
fn user_query<const N: usize>(joins: [(&'static str, Expr); N]) -> SelectStatement {
    let mut query = Query::select();
    query
        .exprs(USER_COLUMNS.map(|name| column("users", name)))
        .expr(column(GENERATION_TABLE, "generation"))
        .expr(is_organization_admin(column("users", "id")))
        .from(Alias::new(GENERATION_TABLE));
    for (table, condition) in joins {
        query.left_join(Alias::new(table), condition);
    }
    query
}
