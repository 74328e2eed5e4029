use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use crate::{Actor, Resource, Rule, column};

/// How the rows of one resource are joined to the rows of another.
#[derive(Clone, Copy, Debug)]
pub enum Join {
    /// This row's column is a foreign key to the other row.
    Column(&'static str),
    /// The other row's column is a foreign key to this row.
    Reverse(&'static str),
    /// The other row is this row, under another description of the same table, or as a variant. An actor who sees this
    /// row sees that one.
    SameRow,
    /// A join table contains the ids of both rows.
    JoinTable {
        /// The name of the join table.
        table: &'static str,
        /// Its column with this row's id.
        left: &'static str,
        /// Its column with the other row's id.
        right: &'static str,
        /// A column of the join table and the value that it must have.
        filter: Option<(&'static str, &'static str)>,
    },
    /// The other row is this object's role with this `role_field`.
    Role {
        /// The name of this resource.
        content_type: &'static str,
        /// The `role_field`.
        field: &'static str,
    },
    /// A condition on this row's id and the other table's alias in the query.
    Condition(fn(this_id: Expr, other: &str) -> Expr),
}

impl Join {
    /// The join from the other row to this one, if this is a join table.
    pub fn reversed(&self) -> Option<Join> {
        match *self {
            Join::JoinTable { table, left, right, filter } => {
                Some(Join::JoinTable { table, left: right, right: left, filter })
            }
            _ => None,
        }
    }

    /// The condition that joins row `other` to row `this`, both aliases of tables in the query.
    pub fn condition(&self, this: &str, other: &str) -> Expr {
        match self {
            Join::Column(name) => column(this, name).eq(column(other, "id")),
            _ => self.condition_for_id(column(this, "id"), other),
        }
    }

    /// The condition that joins row `other` to the row with this id.
    ///
    /// For [`Join::Column`] it is the id of the linked row.
    pub fn condition_for_id(&self, this_id: Expr, other: &str) -> Expr {
        match self {
            Join::Column(_) | Join::SameRow => column(other, "id").eq(this_id),
            Join::JoinTable { table, left, right, filter } => column(other, "id").in_subquery(
                select_column(table, right, *filter).and_where(column(table, left).eq(this_id)).to_owned(),
            ),
            Join::Reverse(name) => column(other, name).eq(this_id),
            Join::Role { content_type, field } => column(other, "object_id")
                .eq(this_id)
                .and(column(other, "content_type").eq(*content_type))
                .and(column(other, "role_field").eq(*field)),
            Join::Condition(condition) => condition(this_id, other),
        }
    }

    /// The id of the row of the join table that joins row `other` to the row with this id; none for other joins.
    pub fn position(&self, this_id: i64, other: &str) -> Option<Expr> {
        let Join::JoinTable { table, left, right, filter } = self else { return None };
        let position = select_column(table, "id", *filter)
            .and_where(column(table, left).eq(this_id))
            .and_where(column(table, right).eq(column(other, "id")))
            .to_owned();
        Some(Expr::SubQuery(None, Box::new(position.into())))
    }

    /// The condition that row `this` is joined to one of the rows of a subquery. `others` builds that subquery for a
    /// given column. None for joins that have no such form.
    ///
    /// The condition may be NULL instead of false if the foreign key is NULL.
    pub fn condition_for_any(&self, this: &str, others: impl FnOnce(&'static str) -> SelectStatement) -> Option<Expr> {
        Some(match self {
            Join::Column(name) => column(this, name).in_subquery(others("id")),
            Join::SameRow => column(this, "id").in_subquery(others("id")),
            Join::Reverse(name) => column(this, "id").in_subquery(others(name)),
            Join::JoinTable { table, left, right, filter } => column(this, "id").in_subquery(
                select_column(table, left, *filter)
                    .and_where(column(table, right).in_subquery(others("id")))
                    .to_owned(),
            ),
            Join::Role { content_type, field } => column(this, "id").in_subquery(
                select_column("roles", "object_id", Some(("content_type", content_type)))
                    .and_where(column("roles", "role_field").eq(*field))
                    .and_where(column("roles", "id").in_subquery(others("id")))
                    .to_owned(),
            ),
            Join::Condition(_) => return None,
        })
    }
}

/// Selects the column `name` of a join table where it is not NULL.
fn select_column(
    table: &'static str,
    name: &'static str,
    filter: Option<(&'static str, &'static str)>,
) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr(column(table, name))
        .from(Alias::new(table))
        .and_where(column(table, name).is_not_null())
        .and_where_option(filter.map(|(name, value)| column(table, name).eq(value)));
    query
}

/// A relation that filters, searches and orders may follow.
#[derive(Clone, Copy)]
pub struct Relation {
    /// Its name in filters, as in `organization__name=x`.
    pub name: &'static str,
    /// The target resource.
    pub target: fn() -> &'static Resource,
    /// The join.
    pub join: Join,
    /// Whether OPTIONS lists `<name>__search`.
    pub listed: bool,
}

/// Where OPTIONS offers to search through the relations of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelatedSearch {
    /// In all lists of the resource.
    Everywhere,
    /// Only in sub-lists of other objects.
    BelowObjects,
}

impl Relation {
    /// A relation that OPTIONS lists for searches.
    pub const fn new(name: &'static str, target: fn() -> &'static Resource, join: Join) -> Self {
        Relation { name, target, join, listed: true }
    }
    /// OPTIONS does not list it; filters may still follow it.
    pub const fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }
}

/// How a sub-list associates objects with its parent. Each association is a row of the sub-list's [`Join::JoinTable`].
///
/// The actor must be allowed to change the parent.
#[derive(Clone, Copy, Debug)]
pub struct Association {
    /// The name of the relationship in activity entries: AWX's module, model and field.
    pub relationship: &'static str,
    /// The rows of the target, under this alias, that the actor may associate.
    pub permit: fn(actor: &Actor, row: &str) -> Rule,
    /// Whether removing an association needs that permission too.
    pub removal_needs_permit: bool,
    /// Whether a body without `id` creates an object and associates it.
    pub creates: bool,
    /// The link that a created object has in common with the parent, such as the inventory of a host and its groups.
    pub inherits: Option<&'static str>,
    /// Whether a body that only has the unique values of an existing object associates that object.
    pub finds: bool,
}

impl Association {
    /// Associates existing objects only; every user who may change the parent may remove them.
    pub const fn new(relationship: &'static str, permit: fn(actor: &Actor, row: &str) -> Rule) -> Self {
        Association { relationship, permit, removal_needs_permit: false, creates: false, inherits: None, finds: false }
    }
    /// Removing an association needs the same permission on the object as adding it.
    pub const fn permit_removal(mut self) -> Self {
        self.removal_needs_permit = true;
        self
    }
    /// A body without `id` creates an object and associates it.
    pub const fn or_create(mut self) -> Self {
        self.creates = true;
        self
    }
    /// A created object gets the parent's value of this link.
    pub const fn inheriting(mut self, link: &'static str) -> Self {
        self.inherits = Some(link);
        self
    }
    /// A body that only has the unique values of an existing object associates that object.
    pub const fn or_find(mut self) -> Self {
        self.finds = true;
        self
    }
}

/// The effect of POST to a sub-list.
#[derive(Clone, Copy, Debug)]
pub enum Post {
    /// Nothing: 405.
    Refused,
    /// Grants this role of the parent, or revokes it with `disassociate`; a body without `id` creates the user first.
    Grant(&'static str),
    /// Creates an object of the target, with the parent in the field of this name.
    Create(&'static str),
    /// As `Create`; a body with the `id` of an object of the list changes nothing, and deletes the object with
    /// `disassociate`.
    Own(&'static str),
    /// Associates an existing object, removes it with `disassociate`, or creates one.
    Associate(Association),
    /// Grants or revokes a role, in the parent resource's hook.
    GrantByHook,
    /// The parent resource's hook decides.
    Hook,
}

impl Post {
    /// Whether POST is allowed at all.
    pub const fn is_allowed(&self) -> bool {
        !matches!(self, Post::Refused)
    }

    /// Whether the body can only name an existing object.
    pub const fn takes_only_id(&self) -> bool {
        matches!(self, Post::GrantByHook | Post::Associate(Association { creates: false, .. }))
    }

    /// Whether the body can name an existing object.
    pub const fn takes_id(&self) -> bool {
        matches!(self, Post::Grant(_) | Post::GrantByHook | Post::Own(_) | Post::Associate(_))
    }
}

/// A list below one object, such as `/organizations/1/users/`.
#[derive(Clone, Copy)]
pub struct Sublist {
    /// The last part of its path, and its key in `related`.
    pub name: &'static str,
    /// The resource of its objects.
    pub target: fn() -> &'static Resource,
    /// Its title in OPTIONS.
    pub title: &'static str,
    /// The join that selects its rows.
    pub join: Join,
    /// The condition that the list of the parent with this id contains all rows of the target, whether by `join` or
    /// not. If it is true, the join is skipped.
    pub whole: Option<fn(this_id: Expr) -> Expr>,
    /// Whether users who may read the parent see every row of the list, including rows that the target's own rules
    /// hide.
    pub visible_to_readers: bool,
    /// The effect of POST.
    pub post: Post,
    /// Whether DELETE deletes all its objects, by the parent resource's hook. The actor must be allowed to change the parent.
    pub emptied_by_delete: bool,
    /// The fields that POST requires here, beyond those that the target always requires.
    pub required: &'static [&'static str],
    /// Whether the parent's `related` contains it.
    pub linked: bool,
    /// Whether the rows are listed in the order of their association, that of the ids of its [`Join::JoinTable`],
    /// unless the client requests another order.
    pub ordered: bool,
    /// Whether the parameter `limit` gives the first rows, without a count.
    pub limited: bool,
    /// The name of the relation that filters may follow, if it differs from the default. See [`Sublist::relation`].
    filter_name: Option<&'static str>,
    /// The name of the opposite relation, from the listed objects to the parent.
    pub reverse: Option<&'static str>,
}

impl Sublist {
    /// A read-only sub-list in the parent's `related`.
    pub const fn new(name: &'static str, title: &'static str, target: fn() -> &'static Resource, join: Join) -> Self {
        Sublist {
            name,
            target,
            title,
            join,
            whole: None,
            visible_to_readers: false,
            post: Post::Refused,
            emptied_by_delete: false,
            required: &[],
            linked: true,
            ordered: false,
            limited: false,
            filter_name: None,
            reverse: None,
        }
    }
    /// The list contains all rows for a parent that matches this condition.
    pub const fn whole_if(mut self, condition: fn(this_id: Expr) -> Expr) -> Self {
        self.whole = Some(condition);
        self
    }
    /// Users who may read the parent see every row.
    pub const fn visible_to_readers(mut self) -> Self {
        self.visible_to_readers = true;
        self
    }
    /// Sets the effect of POST.
    pub const fn post(mut self, post: Post) -> Self {
        self.post = post;
        self
    }
    /// DELETE deletes all its objects.
    pub const fn emptied_by_delete(mut self) -> Self {
        self.emptied_by_delete = true;
        self
    }
    /// Sets the fields that POST requires here.
    pub const fn requires(mut self, fields: &'static [&'static str]) -> Self {
        self.required = fields;
        self
    }
    /// The parameter `limit` gives the first rows, without a count.
    pub const fn limited(mut self) -> Self {
        self.limited = true;
        self
    }
    /// The rows are listed in the order of their association.
    pub const fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }
    /// Filters follow the list as a relation of this name. A list with [`Post::Associate`] is a relation of its own name
    /// by default.
    pub const fn filter_name(mut self, name: &'static str) -> Self {
        self.filter_name = Some(name);
        self
    }
    /// Filters of the listed resource follow the list's [`Join::JoinTable`] backwards under this name.
    pub const fn reverse(mut self, name: &'static str) -> Self {
        self.reverse = Some(name);
        self
    }
    /// The name of the relation that filters may follow from the parent to the listed objects, if there is one.
    pub fn relation(&self) -> Option<&'static str> {
        self.filter_name.or_else(|| matches!(self.post, Post::Associate(_)).then_some(self.name))
    }
    /// The parent's `related` does not contain it.
    pub const fn unlinked(mut self) -> Self {
        self.linked = false;
        self
    }
}
