//! What a user holds, worked out once in a statement however many of its conditions ask for it.
//!
//! Who may see a row, change it and delete it, and who may see what it links to:
//! each of these asks for the objects on which the user holds certain roles. Asked
//! for from the tables each time, such a statement took PostgreSQL ten times as
//! long to plan as to run.

/// What users hold, directly or through their teams, as if it were a table: `user_id`, `content_type`,
/// `role_field`, `object_id` and `definition_id` of the role, as in `roles`.
///
/// A query over it must compare [`HOLDER`] with the id of the user as a value, and sees what that
/// user holds; without, it fails. It can be part of any statement.
pub const HELD: &str = "held";

/// The column of [`HELD`] that tells whose it is.
pub const HOLDER: &str = "user_id";

/// What stands in a statement before the id of the user.
pub(crate) const ASKED_FOR: &str = r#""held"."user_id" = "#;

/// The grants of the user and of the teams of which the user is a member or admin, be it as admin of
/// the organization of the team. `{}` stands for the user.
const HELD_BY_ONE: &str = r#"
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

/// What goes before a statement that asks for what the users hold who are bound to these parameters.
pub(crate) fn clause(users: impl Iterator<Item = String>) -> String {
    let mut clause = String::with_capacity(1200);
    for user in users {
        clause.push_str(if clause.is_empty() {
            "WITH \"held\" (\"user_id\", \"content_type\", \"role_field\", \"object_id\", \"definition_id\") \
             AS MATERIALIZED ("
        } else {
            "UNION ALL"
        });
        clause.push_str(&HELD_BY_ONE.replace("{}", &user));
    }
    if !clause.is_empty() {
        clause.push_str(") ");
    }
    clause
}
