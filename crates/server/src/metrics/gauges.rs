//! The metrics that are measured when they are requested.

use hostler_database::Type;
use hostler_engine::Error;
use hostler_resources::{ORGANIZATION, PROJECT, TEAM, USER};
use hostler_schema::column;
use hostler_settings::Settings;
use hostler_settings::definitions::system::{INSTALL_UUID, TOWER_URL_BASE};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Opts, Registry};
use sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement};

use crate::service_info::AWX_VERSION;
use crate::state::App;

/// The gauges of the database, with AWX's names where AWX has them. They take two SQL statements.
pub(super) async fn database(app: &App, settings: &Settings) -> Result<Vec<MetricFamily>, Error> {
    let counted = [
        (&ORGANIZATION, "awx_organizations_total", "Number of organizations."),
        (&USER, "awx_users_total", "Number of users."),
        (&TEAM, "awx_teams_total", "Number of teams."),
        (&PROJECT, "awx_projects_total", "Number of projects."),
    ];
    let count = |table: &str| -> SelectStatement {
        Query::select().expr(Func::count(column(table, "id"))).from(Alias::new(table)).to_owned()
    };
    let mut sessions = count("sessions");
    sessions.and_where(column("sessions", "expires").gt(app.engine().clock.now()));
    let mut query = Query::select();
    for (resource, ..) in counted {
        let mut count = count(resource.table);
        count.and_where_option(resource.not_deleted(resource.table));
        query.expr(Expr::SubQuery(None, Box::new(count.into())));
    }
    let mut unfinished = count("tasks");
    unfinished.and_where(column("tasks", "periodic").is_null());
    let mut failing = count("tasks");
    failing.and_where(column("tasks", "failures").gt(0));
    query.exprs([sessions, unfinished, failing].map(|count| Expr::SubQuery(None, Box::new(count.into()))));
    let rows = app.engine().database.read(&query, &vec![Type::Integer; counted.len() + 3]).await?;
    let value = |index: usize| rows.first().and_then(|row| row.integer(index)).unwrap_or_default() as f64;

    let (pending, started) = hostler_queue::job_counts(&app.engine().database).await?;

    let registry = Registry::new();
    gauge(&registry, "awx_pending_jobs_total", "Number of jobs that wait.", &[], pending as f64)?;
    gauge(&registry, "awx_running_jobs_total", "Number of jobs that were given to a node.", &[], started as f64)?;
    let system = [
        ("install_uuid", settings.text(&INSTALL_UUID)),
        ("tower_url_base", settings.text(&TOWER_URL_BASE)),
        ("tower_version", AWX_VERSION.to_owned()),
        ("license_type", "open".to_owned()),
    ];
    let help = "This installation, and the release of AWX whose API it serves.";
    gauge(&registry, "awx_system_info", help, &system, 1.0)?;
    for (index, (_, name, help)) in counted.into_iter().enumerate() {
        gauge(&registry, name, help, &[], value(index))?;
    }
    // There are no anonymous sessions.
    let sessions = value(counted.len());
    for (kind, count) in [("all", sessions), ("user", sessions), ("anonymous", 0.0)] {
        let labels = [("type", kind.to_owned())];
        gauge(&registry, "awx_sessions_total", "Number of browser sessions.", &labels, count)?;
    }
    let tasks = [
        ("hostler_tasks_unfinished", "Background tasks that wait or run, without periodic ones."),
        ("hostler_tasks_failing", "Background tasks whose latest run failed: they are retried."),
    ];
    for (index, (name, help)) in tasks.into_iter().enumerate() {
        gauge(&registry, name, help, &[], value(counted.len() + 1 + index))?;
    }
    Ok(registry.gather())
}

/// The gauges of this process.
pub(super) fn process() -> Result<Vec<MetricFamily>, Error> {
    let registry = Registry::new();
    if let Some(bytes) = resident_memory() {
        gauge(&registry, "process_resident_memory_bytes", "Resident memory size in bytes.", &[], bytes)?;
    }
    Ok(registry.gather())
}

fn gauge(registry: &Registry, name: &str, help: &str, labels: &[(&str, String)], value: f64) -> Result<(), Error> {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Gauge::with_opts(Opts::new(name, help).const_labels(labels))
        .and_then(|gauge| {
            gauge.set(value);
            registry.register(Box::new(gauge))
        })
        .map_err(|problem| Error::Internal(format!("metric {name}: {problem}")))
}

/// The resident memory in bytes, where the operating system reports it.
fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}
