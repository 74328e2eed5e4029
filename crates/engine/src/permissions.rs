//! Checks of access rules in the database.

use hostler_access::with_user_grants;
use hostler_database::{Error as DatabaseError, FromRow, Row, Transaction, Type, typed};
use hostler_schema::{Actor, Resource, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use crate::read::Source;
use crate::{Engine, Error};

impl Engine {
    /// Runs a query that contains access rules for this actor.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn read_with_rules(
        &self,
        actor: &Actor,
        query: SelectStatement,
        types: &[Type],
    ) -> Result<Vec<Row>, DatabaseError> {
        Source::Database(&self.database).read_with_rules(actor, query, types).await
    }

    /// As [`Engine::read_with_rules`], with rows of this type.
    ///
    /// # Errors
    /// Errors of the database; [`DatabaseError::Internal`] for a column that is NULL and must not be.
    pub async fn read_with_rules_as<T: FromRow>(
        &self,
        actor: &Actor,
        query: SelectStatement,
    ) -> Result<Vec<T>, DatabaseError> {
        typed(self.read_with_rules(actor, query, T::TYPES).await?)
    }

    /// As [`Engine::read_with_rules`], in a transaction.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn read_with_rules_in(
        &self,
        tx: &mut Transaction,
        actor: &Actor,
        query: SelectStatement,
        types: &[Type],
    ) -> Result<Vec<Row>, DatabaseError> {
        Source::Transaction(tx).read_with_rules(actor, query, types).await
    }

    /// Fails unless a rule that refers to no row is true.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn require(&self, actor: &Actor, rule: Rule) -> Result<(), Error> {
        require(self, actor, rule).await
    }

    /// As [`Engine::require`], in a transaction.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn require_in(&self, tx: &mut Transaction, actor: &Actor, rule: Rule) -> Result<(), Error> {
        require_from(&mut Source::Transaction(tx), actor, rule).await
    }

    /// Fails unless this object matches a rule over the table `row`.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn require_on(
        &self,
        actor: &Actor,
        (resource, id): (&Resource, i64),
        row: &str,
        rule: Rule,
    ) -> Result<(), Error> {
        let rule = match rule {
            Rule::When(condition) => Rule::When(Expr::exists(
                Query::select()
                    .expr(Expr::val(1))
                    .from_as(Alias::new(resource.table), Alias::new(row))
                    .and_where(column(row, "id").eq(id))
                    .and_where(condition)
                    .to_owned(),
            )),
            rule => rule,
        };
        require(self, actor, rule).await
    }
}

impl Source<'_> {
    /// Runs a query that contains access rules for this actor. Every such query runs here, is a `Selection`, or has
    /// `with_user_grants`, because rules need the common table expression of the effective grants.
    pub(crate) async fn read_with_rules(
        &mut self,
        actor: &Actor,
        query: SelectStatement,
        types: &[Type],
    ) -> Result<Vec<Row>, DatabaseError> {
        self.read(&with_user_grants(query, actor), types).await
    }
}

/// Fails unless a rule that refers to no row is true.
pub(crate) async fn require(engine: &Engine, actor: &Actor, rule: Rule) -> Result<(), Error> {
    require_from(&mut Source::Database(&engine.database), actor, rule).await
}

pub(crate) async fn require_from(source: &mut Source<'_>, actor: &Actor, rule: Rule) -> Result<(), Error> {
    if is_met(source, actor, rule).await? { Ok(()) } else { Err(Error::forbidden()) }
}

/// Whether a rule that refers to no row is true.
pub(crate) async fn is_met(source: &mut Source<'_>, actor: &Actor, rule: Rule) -> Result<bool, Error> {
    match rule {
        Rule::All => Ok(true),
        Rule::None => Ok(false),
        Rule::When(condition) => {
            let query = Query::select().expr(condition).to_owned();
            let rows = source.read_with_rules(actor, query, &[Type::Boolean]).await?;
            Ok(rows.first().is_some_and(|row| row.boolean(0)))
        }
    }
}
