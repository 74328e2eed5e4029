//! Measurements outside the table of requests, each with its own data and a target.

use anyhow::{Context as _, Result};
use serde_json::Value as Json;

use super::cases::By;
use super::document::Target;
use super::load::{Load, Writes};
use super::measured_server::ApiClient;
use super::{Bench, WARM_UP, sequential_reads};

/// Measures all figures, one after the other. Each starts the server again and leaves its data in the database.
pub fn measure(bench: &Bench<'_>) -> Result<Vec<Target>> {
    let mut targets = associations(bench)?;
    targets.extend(list_with_variants(bench)?);
    Ok(targets)
}

/// Associations of an instance group with organizations, and their removal, over 32 connections.
fn associations(bench: &Bench<'_>) -> Result<Vec<Target>> {
    const CONNECTIONS: u32 = 32;
    let (server, _) = bench.subject.start(&[])?;
    let talker = ApiClient::new(&server.base);
    let authorization = talker.authorization(By::Token, &talker.token()?);
    let organizations = bench.dataset.organizations();
    let group = |name: &str| -> Result<i64> {
        let path = format!("/api/v2/instance_groups/?name={name}");
        let list: Json = serde_json::from_slice(&talker.body(&path, &authorization)?)?;
        list["results"][0]["id"].as_i64().with_context(|| format!("there is no instance group {name}"))
    };
    let run = |group: i64, seconds: u32| {
        let writes = Some(Writes::InstanceGroup { group, organizations });
        let load = Load { base: &server.base, path: "/", authorization: &authorization, writes };
        load.run(bench.folder, CONNECTIONS, seconds)
    };
    // With a group of its own, the warm-up leaves no association behind that the measured requests would find.
    run(group("controlplane")?, WARM_UP)?;
    let speed = run(group("default")?, bench.options.seconds)?;
    println!("associations over {CONNECTIONS}: {:.0}/s", speed.rate());
    if !bench.database.is_durable()? {
        return Ok(vec![]);
    }
    let what = format!("associations and their removal over {CONNECTIONS}, a second");
    Ok(vec![Target::least(what, speed.rate(), 3000.0, "")])
}

/// A list with variants, with three rows for two users.
fn list_with_variants(bench: &Bench<'_>) -> Result<Vec<Target>> {
    const LIST: &str = "/api/v2/unified_job_templates/?page_size=25";
    let rows = bench.dataset.users * 3 / 2;
    bench.dataset.add_projects(bench.database, &bench.subject.file(), rows)?;
    let (server, _) = bench.subject.start(&[])?;
    let talker = ApiClient::new(&server.base);
    let mut targets = vec![];
    for (who, token) in
        [("superuser", talker.token()?), ("organization admin", talker.token_of(bench.dataset.organization_admin())?)]
    {
        let authorization = talker.authorization(By::Token, &token);
        sequential_reads(&server.base, LIST, &authorization, WARM_UP)?;
        let time = sequential_reads(&server.base, LIST, &authorization, bench.options.seconds)?;
        println!("list with variants as {who}: {time:.2} ms (p99)");
        targets.push(Target::below(format!("p99 of 25 of {rows} rows with variants, as {who}"), time, 10.0, "ms"));
    }
    Ok(targets)
}
