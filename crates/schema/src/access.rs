use sea_query::{Alias, BinOper, Condition, Expr, ExprTrait, Query, SelectStatement, UnionType};

use crate::column;

/// Settings that decide who may do what; read once for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// MANAGE_ORGANIZATION_AUTH: without it only superusers change users and teams.
    pub manage_organization_auth: bool,
    /// ORG_ADMINS_CAN_SEE_ALL_USERS: an organization admin sees every user and team.
    pub org_admins_see_all_users: bool,
    /// LOCAL_PASSWORD_MIN_LENGTH: fewest characters of a new password.
    pub password_min_length: u32,
    /// LOCAL_PASSWORD_MIN_DIGITS: fewest digits in a new password.
    pub password_min_digits: u32,
    /// LOCAL_PASSWORD_MIN_UPPER: fewest upper-case letters in a new password.
    pub password_min_upper: u32,
    /// LOCAL_PASSWORD_MIN_SPECIAL: fewest characters in a new password that are neither letter nor digit.
    pub password_min_special: u32,
    /// LOCAL_PASSWORD_REFUSE_COMMON: a new password must not be one that turned up often in leaks.
    pub password_refuse_common: bool,
    /// Seconds for which a new token is good unless it says otherwise.
    pub token_seconds: i64,
    /// Seconds for which a new refresh token is good.
    pub refresh_token_seconds: i64,
    /// ALLOW_OAUTH2_FOR_EXTERNAL_USERS: users of LDAP and of identity providers may create tokens.
    pub tokens_for_external_users: bool,
    /// The AUTH_LDAP_ settings: what directories fill.
    pub managed: LdapManagedFields,
    /// ACTIVITY_STREAM_ENABLED: what is done is recorded in the activity stream.
    pub activity_stream: bool,
}

impl Default for Policy {
    /// What is in force where nothing was ever set, as far as it is a matter of yes or no.
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

/// Which fields of users who come from a directory are not changed here: the directory fills them at each sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LdapManagedFields(u8);

impl LdapManagedFields {
    /// What directories can fill, and the name that users are found by.
    pub const FIELDS: [&str; 6] = ["username", "first_name", "last_name", "email", "is_superuser", "is_system_auditor"];

    /// These fields; others than [`LdapManagedFields::FIELDS`] are ignored.
    pub fn of<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let known = |field: &str| Self::FIELDS.iter().position(|known| *known == field);
        LdapManagedFields(fields.into_iter().filter_map(known).fold(0, |set, position| set | 1 << position))
    }

    /// Whether this field is one of them.
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
    /// May do everything.
    pub is_superuser: bool,
    /// May see everything.
    pub is_system_auditor: bool,
    /// Administers at least one organization. Read with the user, as the two flags above: a question that
    /// rules ask of every row must not cost anything there.
    pub is_organization_admin: bool,
    /// False for a token without the `write` scope: then nothing may be changed.
    pub can_write: bool,
    /// The session by which the actor is signed in, if it is one.
    pub session: Option<i64>,
    /// The source of an external account, such as `ldap`; none for a user with a local password.
    pub external_account: Option<String>,
    /// The settings in force.
    pub policy: Policy,
}

impl Actor {
    /// The user as whom what the actor does is recorded, if it is one.
    pub fn user(&self) -> Option<i64> {
        (self.id != 0).then_some(self.id)
    }
}

/// An action on a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See it.
    Read,
    /// Change its fields.
    Change,
    /// Delete it.
    Delete,
}

/// To which rows a permission extends.
#[derive(Clone, Debug)]
pub enum Rule {
    /// To all.
    All,
    /// To none.
    None,
    /// To those that meet the condition.
    When(Expr),
}

impl Rule {
    /// Everything or nothing.
    pub fn from_bool(allowed: bool) -> Self {
        if allowed { Rule::All } else { Rule::None }
    }

    /// To the rows of either.
    pub fn or(self, other: Rule) -> Rule {
        match (self, other) {
            (Rule::All, _) | (_, Rule::All) => Rule::All,
            (Rule::None, rule) | (rule, Rule::None) => rule,
            (Rule::When(a), Rule::When(b)) => Rule::When(a.or(b)),
        }
    }

    /// To the rows of both.
    pub fn and(self, other: Rule) -> Rule {
        match (self, other) {
            (Rule::None, _) | (_, Rule::None) => Rule::None,
            (Rule::All, rule) | (rule, Rule::All) => rule,
            (Rule::When(a), Rule::When(b)) => Rule::When(a.and(b)),
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

    /// The ids of the rows of `table` to which it extends, where the rule calls these rows `row`. Each alternative is
    /// looked up by itself: an OR would have PostgreSQL try it on every row there is.
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

    /// The same as an expression that yields a truth value, for a SELECT list.
    pub fn expression(self) -> Expr {
        match self {
            Rule::All => Expr::Constant(sea_query::Value::Bool(Some(true))),
            Rule::None => Expr::Constant(sea_query::Value::Bool(Some(false))),
            Rule::When(condition) => condition,
        }
    }
}

/// The conditions of which one suffices.
fn alternatives(condition: Expr) -> Vec<Expr> {
    match condition {
        Expr::Binary(left, BinOper::Or, right) => [alternatives(*left), alternatives(*right)].concat(),
        condition => vec![condition],
    }
}

/// The links of an object that is about to be created, by field name.
pub type Draft<'a> = &'a dyn Fn(&str) -> Option<i64>;

/// Who may do what with the rows of one resource.
///
/// There is no default: a resource that forgets to say cannot be compiled.
/// Rules do not look at the token's scope; one place in the server refuses all
/// writes without it, and the engine shows no capability then.
pub trait Access: Send + Sync {
    /// The rows on which `actor` may do `action`. `row` is the name of the
    /// resource's table in the query.
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule;

    /// The roles of an object's organization that alone allow this action, for a
    /// type without roles of its own, for explain_access.
    fn organization_roles(&self, _action: Action) -> Vec<&'static str> {
        vec![]
    }

    /// Whether `actor` may create an object with these links. A condition, if
    /// one is returned, refers to no row.
    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule;

    /// Whether `actor`, who may change the row, may make its link `name` lead to
    /// another object, or nowhere. A condition, if one is returned, refers to no
    /// row. Unless a resource says otherwise one may link to what one may create
    /// such an object with.
    fn relink(&self, actor: &Actor, name: &str, _from: Option<i64>, to: Option<i64>) -> Rule {
        self.create(actor, &|link| if link == name { to } else { None })
    }
}
