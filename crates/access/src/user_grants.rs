//! The effective grants of the actor as a common table expression.
//!
//! A statement asks several times on which objects the actor has certain roles: who may see a row, change it and delete
//! it, and who may see what it links to. PostgreSQL took ten times as long to plan such a statement as to run it, as long
//! as each condition read the tables itself.

use hostler_schema::{Actor, column};
use sea_query::{Alias, CommonTableExpression, Expr, ExprTrait, Query, SelectStatement, WithClause};

use crate::grants::granted_directly_or_by_team;

/// The name of the common table expression.
pub(crate) const USER_GRANTS: &str = "user_grants";

/// Its columns, which are those of `roles`.
const COLUMNS: [&str; 4] = ["content_type", "role_field", "object_id", "definition_id"];

/// Adds the effective grants of the actor to a query that contains rules for this actor. Rules refer to them by name, so
/// that a query without them fails, unless the actor is a superuser, to whom every rule extends.
pub fn with_user_grants(mut query: SelectStatement, actor: &Actor) -> SelectStatement {
    if !actor.is_superuser {
        let mut grants = Query::select();
        grants
            .exprs(COLUMNS.map(|name| column("roles", name)))
            .from(Alias::new("grants"))
            .inner_join(Alias::new("roles"), column("roles", "id").eq(column("grants", "role_id")));
        let mut expression = CommonTableExpression::new();
        expression
            .table_name(Alias::new(USER_GRANTS))
            .columns(COLUMNS.map(Alias::new))
            .materialized(true)
            .query(granted_directly_or_by_team(grants, Expr::val(actor.id)));
        query.with_cte(WithClause::new().cte(expression).to_owned());
    }
    query
}
