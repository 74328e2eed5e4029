//! The table `notices`, in the order of its commits.

use hostler_database::{Database, Error};
use sea_query::{Alias, Expr, Order, Query, SelectStatement};

use hostler_schema::column;

const TABLE: &str = "notices";
const NOTICE: &str = "notice";
const NOW: &str = "committed";

/// A row.
pub(super) struct NoticeRow {
    pub kind: String,
    pub object: i64,
    pub status: String,
}

/// How far the table was read: rows of transactions that were committed later follow, also if their ids are smaller.
pub(super) struct Position(String);

impl Position {
    /// After everything that is committed.
    pub(super) async fn now(database: &Database) -> Result<Position, Error> {
        let query = Query::select().expr(database.dialect().commit_position(TABLE)).to_owned();
        let position: Option<String> = database.read_first(&query).await?;
        position.map(Position).ok_or_else(|| Error::Internal("a query without a table has no row".into()))
    }

    /// What was committed since, in the order of the ids. Advances.
    pub(super) async fn read(&mut self, database: &Database) -> Result<Vec<NoticeRow>, Error> {
        type Columns = (String, Option<String>, Option<i64>, Option<String>);
        let rows: Vec<Columns> = database.read_as(&self.query(database)).await?;
        let mut notices = vec![];
        for (position, kind, object, status) in rows {
            self.0 = position;
            if let (Some(kind), Some(object), Some(status)) = (kind, object, status) {
                notices.push(NoticeRow { kind, object, status });
            }
        }
        Ok(notices)
    }

    /// One row if there is nothing new, with nulls.
    fn query(&self, database: &Database) -> SelectStatement {
        let dialect = database.dialect();
        let now = Query::select().expr_as(dialect.commit_position(TABLE), Alias::new("position")).to_owned();
        let is_new: Expr = dialect.committed_since(NOTICE, &self.0);
        Query::select()
            .expr(column(NOW, "position"))
            .exprs(["kind", "object_id", "status"].map(|name| column(NOTICE, name)))
            .from_subquery(now, Alias::new(NOW))
            .join_as(sea_query::JoinType::LeftJoin, Alias::new(TABLE), Alias::new(NOTICE), is_new)
            .order_by_expr(column(NOTICE, "id"), Order::Asc)
            .to_owned()
    }
}
