//! `dashboard/`: how many objects the actor sees, and how many jobs ended on each day.

use std::collections::HashMap;

use async_trait::async_trait;
use hostler_database::{Dialect, FromRow, Type};
use hostler_engine::{ActionHandler, ActionRequest, ActionResponse, Engine, Error};
use hostler_schema::{
    Action, ActionAnswer, ActionMethod, ActionParent, Actor, DefaultValue, Field, Resource, ResourceAction, column,
    fields,
};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, Query, SelectStatement};
use serde_json::{Map, Value as Json, json};

use crate::{
    CREDENTIAL, GROUP, HOST, INVENTORY, INVENTORY_SOURCE, INVENTORY_UPDATE, JOB, JOB_TEMPLATE, ORGANIZATION, PROJECT,
    PROJECT_UPDATE, TEAM, UNIFIED_JOB, USER,
};

const PATH: &str = "dashboard";
const GRAPH_PATH: &str = "dashboard/graphs/jobs";

/// The terminal statuses of the graph.
const STATUSES: [&str; 4] = ["successful", "failed", "canceled", "error"];
/// The sources of projects, and how they are called.
const SCM_TYPES: [(&str, &str); 3] = [("git", "Git"), ("svn", "Subversion"), ("archive", "Remote Archive")];

// Hidden: as in AWX, OPTIONS lists no fields.
static DOCUMENT: Field = fields::json("document").hidden().read_only().label("Document").help("The document.");
const PERIOD: Field = fields::text("period")
    .label("Period")
    .default(DefaultValue::Text("month"))
    .hidden()
    .not_filterable()
    .help("`month`, `two_weeks`, `week` or `day`.");
const JOB_TYPE: Field = fields::text("job_type")
    .label("Job type")
    .default(DefaultValue::Text("all"))
    .hidden()
    .not_filterable()
    .help("`playbook_run`, `scm_update` or `inv_sync`; all jobs for other values.");

/// The counts.
pub const DASHBOARD: ResourceAction = ResourceAction::new(PATH, "Dashboard")
    .describe("How many objects of each kind you see, and how many of them failed.")
    .below(ActionParent::Root)
    .types(&[])
    .get(ActionMethod::new("read", ActionAnswer::Document(&DOCUMENT)));
/// The graph of jobs.
pub const JOBS_GRAPH: ResourceAction = ResourceAction::new(GRAPH_PATH, "Dashboard Jobs Graphs")
    .describe("How many of the jobs that you see ended on each day, by status. The days are those of UTC.")
    .below(ActionParent::Root)
    .types(&[])
    .get(ActionMethod::new("read", ActionAnswer::Document(&DOCUMENT)).input(&[PERIOD, JOB_TYPE]));

/// The handler of these actions.
pub fn handler(path: &str) -> Option<&'static dyn ActionHandler> {
    [PATH, GRAPH_PATH].contains(&path).then_some(&Dashboard)
}

struct Dashboard;

#[async_trait]
impl ActionHandler for Dashboard {
    async fn act(&self, engine: &Engine, request: ActionRequest<'_>) -> Result<ActionResponse, Error> {
        match request.action.path {
            GRAPH_PATH => jobs_graph(engine, &request).await,
            _ => counts(engine, request.actor).await.map(ActionResponse::Fields),
        }
    }
}

/// The rows of a resource that the actor sees.
fn visible(resource: &'static Resource, actor: &Actor) -> SelectStatement {
    Query::select()
        .from(Alias::new(resource.table))
        .cond_where(resource.access.rows(actor, Action::Read, resource.table).condition())
        .to_owned()
}

// PostgreSQL does not know the types of parameters in sums.
fn number(number: i64) -> Expr {
    Expr::Constant(number.into())
}

fn sum(values: Expr) -> Expr {
    let sum: Expr = Func::coalesce([Func::sum(values).into(), number(0)]).into();
    sum.cast_as("bigint")
}

/// The number of all rows.
fn all() -> Expr {
    Func::count(Expr::col(Asterisk)).into()
}

/// The number of the rows for which the condition is true.
fn matching(condition: Expr) -> Expr {
    sum(Expr::case(condition, number(1)).finally(number(0)).into())
}

/// The value of a field that the database computes.
fn computed(resource: &'static Resource, name: &str) -> Expr {
    resource.field(name).and_then(|field| field.read_by).map_or(number(0), |read| read(resource.table))
}

/// These numbers about the objects that the actor sees, and about one kind of them if there is a condition.
async fn count<T: FromRow + Default, const N: usize>(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    numbers: [Expr; N],
    condition: Option<Expr>,
) -> Result<T, Error> {
    let query = visible(resource, actor).exprs(numbers).and_where_option(condition).to_owned();
    Ok(engine.read_with_rules_as::<T>(actor, query).await?.into_iter().next().unwrap_or_default())
}

fn path(list: &str) -> String {
    format!("/api/v2/{list}")
}

async fn counts(engine: &Engine, actor: &Actor) -> Result<Json, Error> {
    let of_inventory = |name| computed(&INVENTORY, name);
    let numbers = [
        all(),
        matching(of_inventory("has_active_failures")),
        matching(of_inventory("has_inventory_sources")),
        sum(of_inventory("inventory_sources_with_failures")),
    ];
    let (inventories, with_failed_hosts, with_source, failed_sources): (i64, i64, i64, i64) =
        count(engine, actor, &INVENTORY, numbers, None).await?;
    let of_source = |name| column(INVENTORY_SOURCE.table, name);
    let numbers = [all(), matching(of_source("status").eq("failed"))];
    let (ec2, failed_ec2): (i64, i64) =
        count(engine, actor, &INVENTORY_SOURCE, numbers, Some(of_source("source").eq("ec2"))).await?;
    let (groups, failed_groups): (i64, i64) =
        count(engine, actor, &GROUP, [all(), matching(is_in_failed_source())], None).await?;
    let numbers = [all(), matching(computed(&HOST, "has_active_failures"))];
    let (hosts, failed_hosts): (i64, i64) = count(engine, actor, &HOST, numbers, None).await?;
    let projects = projects(engine, actor).await?;
    let all_projects = projects.values().fold((0, 0), |all, some| (all.0 + some.0, all.1 + some.1));
    let mut scm_types = Map::new();
    for (scm_type, label) in SCM_TYPES {
        let (total, failed) = projects.get(scm_type).copied().unwrap_or_default();
        let url = path(&format!("projects/?scm_type={scm_type}"));
        let failures_url = format!("{url}&last_job_failed=True");
        let shown = json!({"url": url, "label": label, "failures_url": failures_url, "total": total, "failed": failed});
        scm_types.insert(scm_type.into(), shown);
    }
    let mut shown = json!({
        "related": {"jobs_graph": path("dashboard/graphs/jobs/")},
        "inventories": {
            "url": path("inventories/"), "total": inventories, "total_with_inventory_source": with_source,
            "job_failed": with_failed_hosts, "inventory_failed": failed_sources,
        },
        "inventory_sources": {
            "ec2": {
                "url": path("inventory_sources/?source=ec2"),
                "failures_url": path("inventory_sources/?source=ec2&status=failed"),
                "label": "Amazon EC2", "total": ec2, "failed": failed_ec2,
            },
        },
        "groups": {"url": path("groups/"), "total": groups, "inventory_failed": failed_groups},
        "hosts": {
            "url": path("hosts/"), "failures_url": path("hosts/?last_job_host_summary__failed=True"),
            "total": hosts, "failed": failed_hosts,
        },
        "projects": {
            "url": path("projects/"), "failures_url": path("projects/?last_job_failed=True"),
            "total": all_projects.0, "failed": all_projects.1,
        },
        "scm_types": scm_types,
    });
    for resource in [&USER, &ORGANIZATION, &TEAM, &CREDENTIAL, &JOB_TEMPLATE] {
        let total: i64 = count(engine, actor, resource, [all()], None).await?;
        shown[resource.plural] = json!({"url": path(&format!("{}/", resource.plural)), "total": total});
    }
    Ok(shown)
}

/// Whether a group comes from a source whose last update failed.
fn is_in_failed_source() -> Expr {
    const MEMBERS: &str = "inventory_source_groups";
    let source = |name| column(INVENTORY_SOURCE.table, name);
    Expr::exists(
        Query::select()
            .expr(number(1))
            .from(Alias::new(MEMBERS))
            .inner_join(Alias::new(INVENTORY_SOURCE.table), source("id").eq(column(MEMBERS, "inventory_source_id")))
            .and_where(column(MEMBERS, "group_id").eq(column(GROUP.table, "id")))
            .and_where(source("last_job_failed").eq(true))
            .to_owned(),
    )
}

/// The projects that the actor sees and those whose last update failed, by the type of their source.
async fn projects(engine: &Engine, actor: &Actor) -> Result<HashMap<String, (i64, i64)>, Error> {
    let of_project = |name| column(PROJECT.table, name);
    let query = visible(&PROJECT, actor)
        .expr(of_project("scm_type"))
        .exprs([all(), matching(of_project("last_job_failed").eq(true))])
        .add_group_by([of_project("scm_type")])
        .to_owned();
    let rows: Vec<(String, i64, i64)> = engine.read_with_rules_as(actor, query).await?;
    Ok(rows.into_iter().map(|(scm_type, total, failed)| (scm_type, (total, failed))).collect())
}

/// The first day of a period that ends today is this long ago.
fn length_of(period: &str) -> Option<Span> {
    Some(match period {
        "month" => 1.month(),
        "two_weeks" => 2.weeks(),
        "week" => 1.week(),
        "day" => 1.day(),
        _ => return None,
    })
}

async fn jobs_graph(engine: &Engine, request: &ActionRequest<'_>) -> Result<ActionResponse, Error> {
    const SECONDS: i64 = 86_400;
    let period = request.input.text(&PERIOD);
    let Some(length) = length_of(period) else {
        return Err(Error::BadRequestError(format!("Unknown period \"{period}\"")));
    };
    let now = engine.clock.now();
    let out_of_range = |_| Error::Internal("the clock is out of range".into());
    let start = now.to_zoned(TimeZone::UTC).checked_sub(length).map_err(out_of_range)?.timestamp();
    let job = |name| column(UNIFIED_JOB.table, name);
    let day = match engine.database.dialect() {
        Dialect::Sqlite => Expr::cust("\"unified_jobs\".\"finished\" / 86400000000"),
        Dialect::Postgres => {
            Expr::cust("CAST(floor(extract(epoch FROM \"unified_jobs\".\"finished\") / 86400) AS bigint)")
        }
    };
    let mut query = visible(&UNIFIED_JOB, request.actor);
    query
        .expr(job("status"))
        .expr(day.clone())
        .expr(all())
        .and_where(job("finished").gte(start))
        .and_where(job("finished").lte(now))
        .and_where(job("status").is_in(STATUSES))
        .and_where(job("launch_type").ne("sync"))
        .add_group_by([job("status"), day]);
    let job_type = match request.input.text(&JOB_TYPE) {
        "playbook_run" => Some(JOB.name),
        "scm_update" => Some(PROJECT_UPDATE.name),
        "inv_sync" => Some(INVENTORY_UPDATE.name),
        _ => None,
    };
    if let Some(job_type) = job_type {
        query.and_where(job("type").eq(job_type));
    }
    let types = [Type::Text, Type::Integer, Type::Integer];
    let rows = engine.read_with_rules(request.actor, query, &types).await?;
    let ended: HashMap<(&str, i64), i64> =
        rows.iter().filter_map(|row| Some(((row.text(0)?, row.integer(1)?), row.integer(2)?))).collect();
    let days = start.as_second().div_euclid(SECONDS)..=now.as_second().div_euclid(SECONDS);
    let mut graph = Map::new();
    for status in STATUSES {
        let points = days.clone().map(|day| {
            // As in AWX, a number with a decimal point.
            json!([(day * SECONDS) as f64, ended.get(&(status, day)).copied().unwrap_or_default()])
        });
        graph.insert(status.into(), points.collect());
    }
    Ok(ActionResponse::Fields(json!({"jobs": graph})))
}
