//! The last jobs on hosts.

use hostler_engine::{Engine, Error, ResponseObject};
use hostler_schema::{Action, Actor, column};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Func, Order, Query, SelectStatement};
use serde_json::{Value as Json, json};

use super::copies;
use crate::{HOST, JOB, JOB_HOST_SUMMARY};

/// How many of its last jobs a host names.
const MOST: u64 = 5;

/// A host, and a job on it: id, name, status and end.
pub type RecentJob = (i64, i64, String, String, Option<Timestamp>);

/// The last jobs on the hosts of a page that the actor may see, the latest first.
///
/// # Errors
/// Database errors.
pub async fn of_hosts(engine: &Engine, actor: &Actor, page: &[ResponseObject]) -> Result<Vec<RecentJob>, Error> {
    let (copies, others): (Vec<_>, Vec<_>) = page.iter().partition(|shown| copies::is_copy(shown));
    let mut jobs = vec![];
    for (hosts, link) in [(others, "host_id"), (copies, "constructed_host_id")] {
        if !hosts.is_empty() {
            let hosts = hosts.iter().map(|shown| shown.loaded.record.id).collect();
            jobs.extend(engine.read_with_rules_as::<RecentJob>(actor, last_jobs(actor, hosts, link)).await?);
        }
    }
    Ok(jobs)
}

/// Selects the last jobs on these hosts, by this link of the summaries.
fn last_jobs(actor: &Actor, hosts: Vec<i64>, link: &'static str) -> SelectStatement {
    const HOSTS: &str = "listed";
    const SUMMARIES: &str = "done";
    const JOBS: &str = "recent";
    let oldest = Query::select()
        .expr(column("earlier", "id"))
        .from_as(Alias::new(JOB_HOST_SUMMARY.table), Alias::new("earlier"))
        .and_where(column("earlier", link).eq(column(HOSTS, "id")))
        .order_by((Alias::new("earlier"), Alias::new("id")), Order::Desc)
        .limit(1)
        .offset(MOST - 1)
        .to_owned();
    let oldest = Expr::SubQuery(None, Box::new(oldest.into()));
    Query::select()
        .expr(column(HOSTS, "id"))
        .exprs(["id", "name", "status", "finished"].map(|name| column(JOBS, name)))
        .from_as(Alias::new(HOST.table), Alias::new(HOSTS))
        .join_as(
            sea_query::JoinType::InnerJoin,
            Alias::new(JOB_HOST_SUMMARY.table),
            Alias::new(SUMMARIES),
            column(SUMMARIES, link)
                .eq(column(HOSTS, "id"))
                .and(column(SUMMARIES, "id").gte(Func::coalesce([oldest, Expr::Constant(0i64.into())]))),
        )
        .join_as(
            sea_query::JoinType::InnerJoin,
            Alias::new(JOB.table),
            Alias::new(JOBS),
            column(JOBS, "id").eq(column(SUMMARIES, "job_id")),
        )
        .and_where(column(HOSTS, "id").is_in(hosts))
        .cond_where(JOB.access.rows(actor, Action::Read, JOBS).condition())
        .order_by((Alias::new(SUMMARIES), Alias::new("id")), Order::Desc)
        .to_owned()
}

/// The jobs of one host, as its summary shows them.
pub fn shown(jobs: &[RecentJob], host: i64) -> Json {
    let own = jobs.iter().filter(|(on, ..)| *on == host);
    let job = |(_, id, name, status, finished): &RecentJob| {
        let finished = finished.map(hostler_engine::time_text);
        json!({"id": id, "name": name, "type": JOB.name, "status": status, "finished": finished})
    };
    own.map(job).collect()
}
