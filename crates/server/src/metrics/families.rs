//! The figures and their two forms: Prometheus' text, and AWX's JSON of it.

use std::fmt::Write;

use hostler_database::Type;
use hostler_engine::Error;
use hostler_schema::column;
use sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement};
use serde_json::{Map, Value as Json, json};

use super::counters::{Counters, DURATION_BUCKETS};
use crate::service_info::AWX_VERSION;
use crate::settings::Settings;
use crate::settings::definitions::system::{INSTALL_UUID, TOWER_URL_BASE};
use crate::state::App;

/// Figures of one name.
pub(super) struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<Sample>,
}

struct Sample {
    /// What a part of a histogram adds to the name.
    part: Option<&'static str>,
    labels: Vec<(&'static str, String)>,
    value: f64,
}

impl Family {
    fn new(name: &'static str, kind: &'static str, help: &'static str) -> Self {
        Family { name, kind, help, samples: vec![] }
    }

    fn with(mut self, labels: Vec<(&'static str, String)>, value: f64) -> Self {
        self.samples.push(Sample { part: None, labels, value });
        self
    }
}

/// What stands in the database, by one statement.
pub(super) async fn of_the_database(app: &App, settings: &Settings) -> Result<Vec<Family>, Error> {
    const COUNTED: [(&str, &str, &str); 4] = [
        ("organizations", "awx_organizations_total", "How many organizations there are."),
        ("users", "awx_users_total", "How many users there are."),
        ("teams", "awx_teams_total", "How many teams there are."),
        ("projects", "awx_projects_total", "How many projects there are."),
    ];
    let count = |table: &str| -> SelectStatement {
        Query::select().expr(Func::count(column(table, "id"))).from(Alias::new(table)).to_owned()
    };
    let mut live = count("sessions");
    live.and_where(column("sessions", "expires").gt(app.engine.clock.now()));
    let mut query = Query::select();
    for (table, ..) in COUNTED {
        query.expr(Expr::SubQuery(None, Box::new(count(table).into())));
    }
    query.expr(Expr::SubQuery(None, Box::new(live.into())));
    let rows = app.engine.database.read(&query, &[Type::Integer; COUNTED.len() + 1]).await?;
    let value = |index: usize| rows.first().and_then(|row| row.integer(index)).unwrap_or_default() as f64;

    let system = vec![
        ("install_uuid", settings.text(&INSTALL_UUID)),
        ("tower_url_base", settings.text(&TOWER_URL_BASE)),
        ("tower_version", AWX_VERSION.to_owned()),
        ("license_type", "open".to_owned()),
    ];
    let about = "This installation, and the release of AWX whose API it speaks.";
    let mut families = vec![Family::new("awx_system_info", "gauge", about).with(system, 1.0)];
    for (index, (_, name, help)) in COUNTED.into_iter().enumerate() {
        families.push(Family::new(name, "gauge", help).with(vec![], value(index)));
    }
    // Every session of ours is somebody's.
    let sessions = value(COUNTED.len());
    let mut family = Family::new("awx_sessions_total", "gauge", "How many sessions of browsers are open.");
    for (kind, count) in [("all", sessions), ("user", sessions), ("anonymous", 0.0)] {
        family = family.with(vec![("type", kind.to_owned())], count);
    }
    families.push(family);
    Ok(families)
}

/// What this server has counted since it started.
pub(super) fn of_this_server(counters: &Counters) -> Vec<Family> {
    let mut requests =
        Family::new("hostler_http_requests_total", "counter", "Requests that were answered, by kind of path.");
    let mut durations =
        Family::new("hostler_http_request_duration_seconds", "histogram", "How long requests took, by kind of path.");
    for ((pattern, method), counted) in counters.requests() {
        let labels = || vec![("route", pattern.to_string()), ("method", method.to_owned())];
        let mut all = 0;
        for (status, count) in counted.by_status {
            all += count;
            let mut labels = labels();
            labels.push(("status", status.to_string()));
            requests = requests.with(labels, count as f64);
        }
        let mut below = 0;
        let mut add = |part, more: Option<String>, value: f64| {
            let mut labels = labels();
            labels.extend(more.map(|end| ("le", end)));
            durations.samples.push(Sample { part: Some(part), labels, value });
        };
        for (end, count) in DURATION_BUCKETS.iter().zip(counted.classes) {
            below += count;
            add("bucket", Some(end.to_string()), below as f64);
        }
        add("bucket", Some("+Inf".to_owned()), all as f64);
        add("sum", None, counted.total);
        add("count", None, all as f64);
    }
    let mut failures = Family::new(
        "hostler_sign_in_failures_total",
        "counter",
        "Requests whose password or token was wrong, or not looked at after too many wrong ones.",
    );
    for (by, count) in counters.failures() {
        failures = failures.with(vec![("by", by.to_owned())], count as f64);
    }
    let statements =
        Family::new("hostler_database_statements_total", "counter", "Statements that requests made the database run.")
            .with(vec![], counters.statements() as f64);
    let mut families = vec![requests, durations, failures, statements];
    if let Some(bytes) = resident() {
        let family = Family::new("process_resident_memory_bytes", "gauge", "Memory that the process has resident.");
        families.push(family.with(vec![], bytes));
    }
    families
}

/// Memory that the process has resident, in bytes, where the system tells.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// Prometheus' text format, version 0.0.4.
pub(super) fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, kind, help, samples } in families {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for Sample { part, labels, value } in samples {
            text.push_str(name);
            if let Some(part) = part {
                let _ = write!(text, "_{part}");
            }
            if !labels.is_empty() {
                let labels: Vec<String> =
                    labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
                let _ = write!(text, "{{{}}}", labels.join(","));
            }
            let _ = writeln!(text, " {value:?}");
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The same as AWX has it in JSON.
pub(super) fn json(families: &[Family]) -> Map<String, Json> {
    let families = families.iter().map(|family| {
        let samples = family.samples.iter().map(|sample| {
            let labels: Map<String, Json> =
                sample.labels.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
            let mut json = json!({"labels": labels, "value": sample.value});
            if let (Some(part), Some(json)) = (sample.part, json.as_object_mut()) {
                json.insert("sample_type".into(), part.into());
            }
            json
        });
        let samples: Vec<Json> = samples.collect();
        (family.name.to_owned(), json!({"help_text": family.help, "type": family.kind, "samples": samples}))
    });
    families.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        let family = Family::new("x", "gauge", "y").with(vec![("a", "b\"\\\nc".to_owned())], 1.5);
        assert_eq!(text(&[family]), "# HELP x y\n# TYPE x gauge\nx{a=\"b\\\"\\\\\\nc\"} 1.5\n");
    }
}
