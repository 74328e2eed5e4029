//! The common table expression `user_grants`: the effective grants of a user, computed once per statement.
//!
//! Several conditions of a statement need them: which rows the actor may see, change and delete, and which linked
//! objects. With a subquery over the tables for each, PostgreSQL took ten times as long to plan a statement as to run it.

/// The name of the common table expression, with the columns `user_id`, `content_type`, `role_field`, `object_id` and
/// `definition_id` of the roles that users have directly or through their teams.
///
/// A query over it must compare [`GRANTED_USER`] with the id of the user as a value; without this it fails. It can be
/// part of any statement.
pub const USER_GRANTS: &str = "user_grants";

/// The column of [`USER_GRANTS`] with the id of the user.
pub const GRANTED_USER: &str = "user_id";

/// The SQL before a parameter that is the id of such a user.
pub(crate) const BEFORE_USER: &str = r#""user_grants"."user_id" = "#;

/// The grants of the user, and of the teams of which the user is a member or admin, also as admin of the team's
/// organization. `{}` is replaced by the user's parameter.
const GRANTS_OF_USER: &str = r#"
SELECT g.user_id, r.content_type, r.role_field, r.object_id, r.definition_id
FROM grants g JOIN roles r ON r.id = g.role_id
WHERE g.user_id = {}
UNION ALL
SELECT CAST({} AS bigint), r.content_type, r.role_field, r.object_id, r.definition_id
FROM grants g JOIN roles r ON r.id = g.role_id
WHERE g.team_id IN (
    SELECT r.object_id FROM grants g JOIN roles r ON r.id = g.role_id
    WHERE g.user_id = {} AND r.content_type = 'team' AND r.role_field IN ('member_role', 'admin_role')
    UNION
    SELECT t.id FROM teams t WHERE t.organization_id IN (
        SELECT r.object_id FROM grants g JOIN roles r ON r.id = g.role_id
        WHERE g.user_id = {} AND r.content_type = 'organization' AND r.role_field = 'admin_role'))
"#;

/// The WITH clause for the users who are bound to these parameters.
pub(crate) fn clause(users: impl Iterator<Item = String>) -> String {
    let mut clause = String::with_capacity(1200);
    for user in users {
        clause.push_str(if clause.is_empty() {
            "WITH \"user_grants\" (\"user_id\", \"content_type\", \"role_field\", \"object_id\", \"definition_id\") \
             AS MATERIALIZED ("
        } else {
            "UNION ALL"
        });
        clause.push_str(&GRANTS_OF_USER.replace("{}", &user));
    }
    if !clause.is_empty() {
        clause.push_str(") ");
    }
    clause
}
