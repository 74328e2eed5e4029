//! Deletes notices that all servers have read.

use hostler_engine::Engine;
use hostler_tasks::{Outcome, Task, TaskError, TaskRun};
use sea_query::{Expr, ExprTrait, Func, Query};
use serde::{Deserialize, Serialize};

/// Servers read the newest ones within a second.
const KEPT: i64 = 10_000;

/// Deletes all but the latest notices.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeleteOldNotices {}

impl Task for DeleteOldNotices {
    const NAME: &'static str = "delete_old_notices";
    type State = Engine;

    async fn run(&self, engine: &Engine, _: &TaskRun) -> Result<Outcome, TaskError> {
        let newest = Query::select().expr(Func::max(Expr::col("id")).sub(KEPT)).from("notices").to_owned();
        let delete = Query::delete()
            .from_table("notices")
            .and_where(Expr::col("id").lt(Expr::SubQuery(None, Box::new(newest.into()))))
            .to_owned();
        let mut tx = engine.database.begin().await?;
        tx.execute(&delete).await?;
        tx.commit().await?;
        Ok(Outcome::Complete)
    }
}
