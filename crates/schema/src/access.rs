use std::sync::Arc;

use sea_query::{Alias, BinOper, Condition, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::{IS_DELETED, JobSettings, column};

/// Settings that access rules read; loaded once for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// MANAGE_ORGANIZATION_AUTH: if false, only superusers change users and teams.
    pub manage_organization_auth: bool,
    /// ORG_ADMINS_CAN_SEE_ALL_USERS: organization admins see all users and teams.
    pub org_admins_see_all_users: bool,
    /// LOCAL_PASSWORD_MIN_LENGTH: the minimum number of characters in a new password.
    pub password_min_length: u32,
    /// LOCAL_PASSWORD_MIN_DIGITS: the minimum number of digits in a new password.
    pub password_min_digits: u32,
    /// LOCAL_PASSWORD_MIN_UPPER: the minimum number of upper-case letters in a new password.
    pub password_min_upper: u32,
    /// LOCAL_PASSWORD_MIN_SPECIAL: the minimum number of characters in a new password that are neither letter nor
    /// digit.
    pub password_min_special: u32,
    /// LOCAL_PASSWORD_REFUSE_COMMON: a new password must not be a common one of leaked lists.
    pub password_refuse_common: bool,
    /// The default lifetime of a new token in seconds.
    pub token_seconds: i64,
    /// The lifetime of a new refresh token in seconds.
    pub refresh_token_seconds: i64,
    /// ALLOW_OAUTH2_FOR_EXTERNAL_USERS: users of LDAP and of identity providers may create tokens.
    pub tokens_for_external_users: bool,
    /// The fields that the AUTH_LDAP_ settings manage.
    pub managed: LdapManagedFields,
    /// ACTIVITY_STREAM_ENABLED: changes are recorded in the activity stream.
    pub activity_stream: bool,
}

impl Default for Policy {
    /// The default of each boolean setting, and no limits.
    fn default() -> Self {
        Policy {
            manage_organization_auth: true,
            org_admins_see_all_users: true,
            password_min_length: 0,
            password_min_digits: 0,
            password_min_upper: 0,
            password_min_special: 0,
            password_refuse_common: false,
            token_seconds: 0,
            refresh_token_seconds: 0,
            tokens_for_external_users: false,
            managed: LdapManagedFields::default(),
            activity_stream: true,
        }
    }
}

/// The fields of LDAP users that cannot be changed here, because each sign-in sets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LdapManagedFields(u8);

impl LdapManagedFields {
    /// The fields that directories can set, and the username.
    pub const FIELDS: [&str; 6] = ["username", "first_name", "last_name", "email", "is_superuser", "is_system_auditor"];

    /// A set of these fields; fields other than [`LdapManagedFields::FIELDS`] are ignored.
    pub fn of<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |field: &str| Self::FIELDS.iter().position(|known| *known == field);
        LdapManagedFields(fields.into_iter().filter_map(known).fold(0, |set, position| set | 1 << position))
    }

    /// Whether the set contains this field.
    pub fn has(self, field: &str) -> bool {
        Self::FIELDS.iter().position(|known| *known == field).is_some_and(|position| self.0 & 1 << position != 0)
    }
}

/// The user who makes the request.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's id; 0 for the system and the command line.
    pub id: i64,
    /// The user's name, for logs.
    pub username: String,
    /// Has all permissions.
    pub is_superuser: bool,
    /// Sees everything.
    pub is_system_auditor: bool,
    /// Whether the user is an admin of at least one organization. It is loaded with the user, like the two flags above,
    /// so that rules need not compute it for each row.
    pub is_organization_admin: bool,
    /// False for a token without the scope `write`: nothing may be changed.
    pub can_write: bool,
    /// The session of the request, if there is one.
    pub session: Option<i64>,
    /// The source of an external account, such as `ldap`; none for a user with a local password.
    pub external_account: Option<String>,
    /// The settings in force that access rules read.
    pub policy: Policy,
    /// The settings in force that jobs read.
    pub job_settings: Arc<JobSettings>,
}

impl Actor {
    /// The user for activity entries and `created_by`, if there is one.
    pub fn user(&self) -> Option<i64> {
        (self.id != 0).then_some(self.id)
    }
}

/// An action on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Read it.
    Read,
    /// Change its fields.
    Change,
    /// Delete it.
    Delete,
}

/// The rows that a permission applies to.
#[derive(Clone, Debug)]
pub enum Rule {
    /// All rows.
    All,
    /// No row.
    None,
    /// The rows that match the condition.
    When(Expr),
}

impl Rule {
    /// All rows or none.
    pub fn from_bool(allowed: bool) -> Self {
        if allowed { Rule::All } else { Rule::None }
    }

    /// The rows of either rule.
    pub fn or(self, other: Rule) -> Rule {
        match (self, other) {
            (Rule::All, _) | (_, Rule::All) => Rule::All,
            (Rule::None, rule) | (rule, Rule::None) => rule,
            (Rule::When(a), Rule::When(b)) => Rule::When(a.or(b)),
        }
    }

    /// The rows of both rules.
    pub fn and(self, other: Rule) -> Rule {
        match (self, other) {
            (Rule::None, _) | (_, Rule::None) => Rule::None,
            (Rule::All, rule) | (rule, Rule::All) => rule,
            (Rule::When(a), Rule::When(b)) => Rule::When(a.and(b)),
        }
    }

    /// The rows of the rule that match this condition too. It is added to each alternative, so that [`Rule::ids`] still
    /// selects each separately.
    pub fn within(self, condition: Expr) -> Rule {
        match self {
            Rule::All => Rule::When(condition),
            Rule::None => Rule::None,
            Rule::When(rule) => alternatives(rule)
                .into_iter()
                .fold(Rule::None, |all, alternative| all.or(Rule::When(condition.clone().and(alternative)))),
        }
    }

    /// The condition for a WHERE clause.
    pub fn condition(self) -> Condition {
        match self {
            Rule::All => Condition::all(),
            Rule::None => Condition::all().add(Expr::Constant(sea_query::Value::Bool(Some(false)))),
            Rule::When(condition) => Condition::all().add(condition),
        }
    }

    /// The ids of the rows of `table` that the rule applies to; `row` is the alias in the rule. Each alternative is a
    /// separate SELECT, because PostgreSQL would evaluate an OR for every row of the table.
    pub fn ids(self, table: &'static str, row: &str) -> SelectStatement {
        let ids_of = |rule: Rule| {
            let mut ids = Query::select();
            ids.expr(column(row, "id")).from_as(Alias::new(table), Alias::new(row)).cond_where(rule.condition());
            ids
        };
        let Rule::When(condition) = self else { return ids_of(self) };
        let mut found: Option<SelectStatement> = None;
        for alternative in alternatives(condition) {
            let ids = ids_of(Rule::When(alternative));
            match &mut found {
                Some(found) => {
                    found.union(UnionType::All, ids);
                }
                None => found = Some(ids),
            }
        }
        found.unwrap_or_else(|| ids_of(Rule::None))
    }

    /// The rule as a boolean expression for a SELECT list.
    pub fn expression(self) -> Expr {
        match self {
            Rule::All => Expr::Constant(sea_query::Value::Bool(Some(true))),
            Rule::None => Expr::Constant(sea_query::Value::Bool(Some(false))),
            Rule::When(condition) => condition,
        }
    }
}

/// The operands of the OR.
fn alternatives(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr::Binary(left, BinOper::Or, right) => [alternatives(*left), alternatives(*right)].concat(),
        condition => vec![condition],
    }
}

/// The access rules of a resource whose objects are deleted in steps: nobody may do anything with one that is being
/// deleted.
pub struct HideDeleted(pub &'static dyn Access);

impl Access for HideDeleted {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        self.0.rows(actor, action, row).within(column(row, IS_DELETED).eq(false))
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        self.0.activity(actor, row)
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        self.0.organization_roles(action)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        self.0.create(actor, draft)
    }

    fn create_needs(&self, actor: &Actor, draft: Draft<'_>) -> Vec<(&'static str, &'static str, Rule)> {
        self.0.create_needs(actor, draft)
    }

    fn relink(&self, actor: &Actor, name: &str, from: Option<i64>, to: Option<i64>) -> Rule {
        self.0.relink(actor, name, from, to)
    }
}

/// The links of an object that is about to be created, by field name.
pub type Draft<'a> = &'a dyn Fn(&str) -> Option<i64>;

/// The access rules of a resource.
///
/// There is no default: a resource without rules does not compile. Rules do not check the scope of a token: the server
/// rejects all writes without it in one place, and the engine then shows no capabilities.
pub trait Access: Send + Sync {
    /// The rows on which `actor` may do `action`. `row` is the name of the
    /// resource's table in the query.
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule;

    /// The rows whose entries in the activity stream `actor` may see. Superusers and system auditors see all entries;
    /// by default nobody else does.
    fn activity(&self, _actor: &Actor, _row: &str) -> Rule {
        Rule::None
    }

    /// The roles of an object's organization that allow this action, for explain_access and types without roles.
    fn organization_roles(&self, _action: Action) -> Vec<&'static str> {
        vec![]
    }

    /// Whether `actor` may create an object with these links. A returned condition refers to no row.
    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule;

    /// What the links of a new object need, each with the message for a client without it: a refusal of
    /// [`Access::create`] names the first link whose rule fails. The rules refer to no row.
    fn create_needs(&self, _actor: &Actor, _draft: Draft<'_>) -> Vec<(&'static str, &'static str, Rule)> {
        vec![]
    }

    /// Whether `actor`, who may change the row, may set its link `name` to another object or to null. A returned
    /// condition refers to no row. By default the rule is that for creating an object with the new link.
    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        self.create(actor, &|link| if link == name { to } else { None })
    }
}
