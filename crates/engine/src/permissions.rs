//! Checks of access rules in the database.

use hostler_database::Type;
use hostler_schema::{Resource, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::read::Source;
use crate::{Engine, Error};

impl Engine {
    /// Fails unless a rule that does not refer to a row is met.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn require(&self, rule: Rule) -> Result<(), Error> {
        require(self, rule).await
    }

    /// Fails unless this object meets a rule over the table `row`.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn require_on(&self, (resource, id): (&Resource, i64), row: &str, rule: Rule) -> Result<(), Error> {
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
        require(self, rule).await
    }
}

/// Fails unless a rule that does not refer to a row is met.
pub(crate) async fn require(engine: &Engine, rule: Rule) -> Result<(), Error> {
    require_from(&mut Source::Database(&engine.database), rule).await
}

pub(crate) async fn require_from(source: &mut Source<'_>, rule: Rule) -> Result<(), Error> {
    if is_met(source, rule).await? { Ok(()) } else { Err(Error::forbidden()) }
}

/// Whether a rule that does not refer to a row is met.
pub(crate) async fn is_met(source: &mut Source<'_>, rule: Rule) -> Result<bool, Error> {
    match rule {
        Rule::All => Ok(true),
        Rule::None => Ok(false),
        Rule::When(condition) => {
            let query = Query::select().expr(condition).to_owned();
            let rows = source.read(&query, &[Type::Boolean]).await?;
            Ok(rows.first().is_some_and(|row| row.boolean(0)))
        }
    }
}
