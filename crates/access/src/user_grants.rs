//! The effective grants of the actor as a common table expression.
//!
//! Several conditions of a statement need them: which rows the actor may see, change and delete, and which linked
//! objects. With a subquery over the tables for each, PostgreSQL took ten times as long to plan a statement as to run
//! it.

use hostler_schema::{Actor, column};
use sea_query::{Alias, CommonTableExpression, Expr, ExprTrait, Query, SelectStatement, WithClause};

use crate::grants::granted_directly_or_by_team;

/// The name of the common table expression.
pub(crate) const USER_GRANTS: &str = "user_grants";

/// Its columns, which are those of `roles`.
const COLUMNS: [&str; 4] = ["content_type", "role_field", "object_id", "definition_id"];

/// Whether conditions on grants name the common table expression. Superusers have all permissions: hardly any rule asks
/// for their grants, and those that do read the tables.
pub(crate) fn is_used_for(actor: &Actor) -> bool {
    !actor.is_superuser
}

/// Adds the effective grants of the actor to a query that contains rules for this actor. A query with such rules fails
/// without them.
pub fn with_user_grants(mut query: SelectStatement, actor: &Actor) -> SelectStatement {
    if is_used_for(actor) {
        // Few tables: SQLite counts them for each reference to the expression, and refuses a statement with a thousand.
        let role_ids = Query::select().expr(column("grants", "role_id")).from(Alias::new("grants")).to_owned();
        let roles = Query::select()
            .exprs(COLUMNS.map(|name| column("roles", name)))
            .from(Alias::new("roles"))
            .and_where(column("roles", "id").in_subquery(granted_directly_or_by_team(role_ids, Expr::val(actor.id))))
            .to_owned();
        let mut expression = CommonTableExpression::new();
        expression.table_name(Alias::new(USER_GRANTS)).columns(COLUMNS.map(Alias::new)).materialized(true).query(roles);
        query.with_cte(WithClause::new().cte(expression).to_owned());
    }
    query
}
