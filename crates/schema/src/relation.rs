use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement};

use crate::{Resource, column};

/// How the rows of one resource lead to the rows of another.
#[derive(Clone, Copy)]
pub enum Via {
    /// This row's column holds the other row's id.
    Column(&'static str),
    /// The other row's column holds this row's id.
    Reverse(&'static str),
    /// The other row is this one, seen as a part of the same table: whoever sees this one sees that, too.
    Same,
    /// Rows of a third table hold the ids of both.
    Through {
        /// That table.
        table: &'static str,
        /// Its column with this row's id.
        here: &'static str,
        /// Its column with the other row's id.
        there: &'static str,
        /// A column and the value that it must have.
        only: Option<(&'static str, &'static str)>,
    },
    /// Any other way: given this row's id and the name under which the other
    /// table stands in the query, the condition that both belong together.
    Condition(fn(this_id: Expr, other: &str) -> Expr),
    /// Hostler keeps no such objects, so no row ever leads to one.
    Nowhere,
}

impl Via {
    /// The condition that row `other` belongs to row `this`, both names of tables in the query.
    pub fn joins(&self, this: &str, other: &str) -> Expr {
        match self {
            Via::Column(name) => column(this, name).eq(column(other, "id")),
            _ => self.belongs_to(column(this, "id"), other),
        }
    }

    /// The condition that row `other` belongs to the row with this id.
    ///
    /// For [`Via::Column`] the id must be that of the row linked to.
    pub fn belongs_to(&self, this_id: Expr, other: &str) -> Expr {
        match self {
            Via::Column(_) | Via::Same => column(other, "id").eq(this_id),
            Via::Through { table, here, there, only } => column(other, "id")
                .in_subquery(linked(table, there, *only).and_where(column(table, here).eq(this_id)).to_owned()),
            Via::Reverse(name) => column(other, name).eq(this_id),
            Via::Condition(condition) => condition(this_id, other),
            Via::Nowhere => Expr::Constant(sea_query::Value::Bool(Some(false))),
        }
    }

    /// The condition that row `this` belongs to one of the rows that meet a
    /// condition, for which these are selected first, by themselves: `others`
    /// makes that selection of the column it is given. None if there is no such way.
    ///
    /// Where there is nothing to compare, the condition may be NULL instead of false.
    pub fn belongs_to_any(&self, this: &str, others: impl FnOnce(&'static str) -> SelectStatement) -> Option<Expr> {
        Some(match self {
            Via::Column(name) => column(this, name).in_subquery(others("id")),
            Via::Same => column(this, "id").in_subquery(others("id")),
            Via::Reverse(name) => column(this, "id").in_subquery(others(name)),
            Via::Through { table, here, there, only } => column(this, "id").in_subquery(
                linked(table, here, *only).and_where(column(table, there).in_subquery(others("id"))).to_owned(),
            ),
            Via::Condition(_) | Via::Nowhere => return None,
        })
    }
}

/// The column `wanted` of the third table, where it links anything.
fn linked(table: &'static str, wanted: &'static str, only: Option<(&'static str, &'static str)>) -> SelectStatement {
    let mut query = Query::select();
    query
        .expr(column(table, wanted))
        .from(Alias::new(table))
        .and_where(column(table, wanted).is_not_null())
        .and_where_option(only.map(|(name, value)| column(table, name).eq(value)));
    query
}

/// A relation that filters, searches and orderings may cross.
#[derive(Clone, Copy)]
pub struct Relation {
    /// Its name in a filter, as in `organization__name=x`.
    pub name: &'static str,
    /// What it leads to.
    pub target: fn() -> &'static Resource,
    /// How.
    pub via: Via,
    /// Whether OPTIONS offers `<name>__search`.
    pub searchable: bool,
}

impl Relation {
    /// A relation that OPTIONS offers for searching.
    pub const fn new(name: &'static str, target: fn() -> &'static Resource, via: Via) -> Self {
        Relation { name, target, via, searchable: true }
    }
    /// Keeps the relation out of OPTIONS; filters may still cross it.
    pub const fn unlisted(mut self) -> Self {
        self.searchable = false;
        self
    }
}

/// What POST to a sub-list does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Post {
    /// Nothing: 405.
    Refused,
    /// Grants (or, with `disassociate`, takes away) this role of the parent;
    /// a body without `id` creates the user first.
    Grant(&'static str),
    /// Creates an object of the target whose field of this name is the parent.
    Create(&'static str),
    /// Associates an existing object or takes it away, by the parent resource's hook.
    Attach,
    /// The parent resource's hook decides.
    Hook,
}

/// A list below one object, such as `/organizations/1/users/`.
#[derive(Clone, Copy)]
pub struct Sublist {
    /// Last part of its path, and its key in `related`.
    pub name: &'static str,
    /// What it lists.
    pub target: fn() -> &'static Resource,
    /// Its name for people, as OPTIONS shows it.
    pub title: &'static str,
    /// Which rows it lists.
    pub via: Via,
    /// The condition that the parent with this id leads to all rows there are, be it by `via` or not. Asked first, it
    /// spares gathering them.
    pub whole: Option<fn(this_id: Expr) -> Expr>,
    /// What POST does.
    pub post: Post,
    /// Whether the parent shows a link to it in `related`.
    pub linked: bool,
}

impl Sublist {
    /// A read-only sub-list that the parent links to.
    pub const fn new(name: &'static str, title: &'static str, target: fn() -> &'static Resource, via: Via) -> Self {
        Sublist { name, target, title, via, whole: None, post: Post::Refused, linked: true }
    }
    /// Lists all rows for a parent that meets this condition.
    pub const fn whole_if(mut self, condition: fn(this_id: Expr) -> Expr) -> Self {
        self.whole = Some(condition);
        self
    }
    /// Sets what POST does.
    pub const fn post(mut self, post: Post) -> Self {
        self.post = post;
        self
    }
    /// The parent's `related` does not name it.
    pub const fn unlinked(mut self) -> Self {
        self.linked = false;
        self
    }
}
