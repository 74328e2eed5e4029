//! `job_templates/N/callback/`: a host that knows the key of a template asks for a job on itself.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::time::Duration;

use hostler_engine::{ActionInput, CreatedObject, Engine, Error, Record};
use hostler_queue::Status;
use hostler_schema::{ActionAnswer, ActionMethod, Actor, Field, HttpMethod, ResourceAction, column, fields};
use hostler_survey::Survey;
use sea_query::{Alias, Cond, Condition, Expr, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{ASK_VARIABLES, ASKS, INVENTORY_LINK};
use crate::attached::{self, CREDENTIALS_OF_TEMPLATE};
use crate::launch::{EXTRA_VARS, Origin, launch, survey_of};
use crate::{HOST, JOB, UNIFIED_JOB};

/// The path below a template.
pub const PATH: &str = "callback";

/// The variables that name the address of a host; the later ones count.
const ADDRESS_VARIABLES: [&str; 2] = ["ansible_ssh_host", "ansible_host"];
/// The names of hosts are resolved only in inventories with at most this many hosts.
const MAX_RESOLVED: u64 = 1_000;
/// How long resolving names may take.
const RESOLVING_TIME: Duration = Duration::from_secs(5);
/// How many names are resolved at a time, for all requests: each lookup takes a thread.
static LOOKUPS: Semaphore = Semaphore::const_new(64);
const USER_INPUT_REQUIRED: &str = "Cannot start automatically, user input required!";

/// The key in the body.
pub const KEY: Field = fields::text("host_config_key")
    .label("Host config key")
    .required()
    .not_filterable()
    .help("The key of the template.");

/// The description of the path.
pub const CALLBACK: ResourceAction = ResourceAction::new(PATH, "Job Template Callback")
    .describe(
        "A host that sends the key of the template launches a job that is limited to the host. GET shows which hosts of \
         the inventory match the address of the request.",
    )
    .unlinked()
    .get(ActionMethod::new(
        "the matching hosts",
        ActionAnswer::Fields(&[
            fields::computed("host_config_key").label("Host config key").help("The key of the template."),
            fields::computed("matching_hosts")
                .label("Matching hosts")
                .help("The hosts of the inventory that match the address of the request."),
        ]),
    ))
    .post_by_key(ActionMethod::new("launch", ActionAnswer::NewObject(|| &JOB)).input(&[KEY, EXTRA_VARS]));

/// The names of the hosts of the template's inventory that match an address.
///
/// # Errors
/// Database errors.
pub async fn matching_hosts(
    engine: &Engine,
    template: &Record,
    address: Option<IpAddr>,
) -> Result<BTreeSet<String>, Error> {
    let (Some(inventory), Some(address)) = (template.integer(&INVENTORY_LINK), address) else {
        return Ok(BTreeSet::new());
    };
    let address = address.to_canonical();
    let named = hosts(engine, inventory, Some(may_have(address)), None).await?;
    let matching: BTreeSet<String> =
        named.iter().filter(|host| host.address() == Some(address)).map(|host| host.name.clone()).collect();
    if !matching.is_empty() {
        return Ok(matching);
    }
    let all = hosts(engine, inventory, None, Some(MAX_RESOLVED + 1)).await?;
    if all.len() as u64 > MAX_RESOLVED {
        return Ok(BTreeSet::new());
    }
    let unresolved = all.into_iter().filter(|host| host.address().is_none()).collect();
    Ok(resolve(unresolved, address).await)
}

/// Launches a job on the host with this address.
///
/// # Errors
/// [`Error::BadRequestMsg`] if not exactly one host matches, or if the launch needs more; those of a launch.
pub async fn launch_on_host(
    engine: &Engine,
    actor: &Actor,
    template: &Record,
    address: Option<IpAddr>,
    variables: Option<&Json>,
) -> Result<CreatedObject, Error> {
    let refused = |message: &str| Err(Error::BadRequestMsg(message.to_owned()));
    if template.integer(&INVENTORY_LINK).is_none() {
        return refused("Cannot start automatically, an inventory is required.");
    }
    let mut matching = matching_hosts(engine, template, address).await?;
    let Some(host) = matching.pop_first() else { return refused("No matching host could be found!") };
    if !matching.is_empty() {
        return refused("Multiple hosts matched the request!");
    }
    let variables = variables.filter(|variables| !variables.is_null());
    let variables = variables.map(variables_of).transpose()?;
    if needs_user(engine, actor, template, variables.as_ref()).await? {
        return refused(USER_INPUT_REQUIRED);
    }
    if has_unfinished_job(engine, template.id, &host).await? {
        return refused("Host callback job already pending.");
    }
    let mut body = Map::new();
    if let Some(mut variables) = variables.filter(|_| template.boolean(&ASK_VARIABLES)) {
        // A host must not decide how Ansible connects.
        variables.retain(|name, _| !name.starts_with("ansible_"));
        body.insert(EXTRA_VARS.name.into(), variables.into());
    }
    let input = ActionInput::decode(&[EXTRA_VARS], &body, HttpMethod::Post)?;
    launch(engine, actor, template, &input, &Origin::callback(host)).await
}

fn variables_of(sent: &Json) -> Result<Map<String, Json>, Error> {
    match sent {
        Json::Object(variables) => Ok(variables.clone()),
        other => hostler_variables::parse(other.as_str().unwrap_or(&other.to_string()))
            .map_err(|problem| Error::field(EXTRA_VARS.name, problem.to_string())),
    }
}

/// Whether a launch with these variables needs a user. As in AWX, a host that sends variables answers all prompts.
async fn needs_user(
    engine: &Engine,
    actor: &Actor,
    template: &Record,
    variables: Option<&Map<String, Json>>,
) -> Result<bool, Error> {
    let survey = survey_of(template);
    let required = survey.as_ref().map(Survey::required).unwrap_or_default();
    let is_missing = |name: &&str| !variables.is_some_and(|variables| variables.contains_key(*name));
    let is_asked = variables.is_none() && ASKS.iter().any(|ask| template.boolean(ask));
    if is_asked || required.iter().any(is_missing) {
        return Ok(true);
    }
    let credentials = attached::credentials(engine, actor, CREDENTIALS_OF_TEMPLATE, &[template.id]).await?;
    Ok(!attached::passwords_needed(&credentials, template.id).is_empty())
}

/// Whether a job of the template on this host is not finished: one per host is enough.
async fn has_unfinished_job(engine: &Engine, template: i64, host: &str) -> Result<bool, Error> {
    let jobs = UNIFIED_JOB.table;
    let unfinished = [Status::Pending, Status::Waiting, Status::Running].map(Status::as_str);
    let query = Query::select()
        .expr(column(jobs, "id"))
        .from(Alias::new(jobs))
        .and_where(column(jobs, "unified_job_template_id").eq(template))
        .and_where(column(jobs, "status").is_in(unfinished))
        .and_where(column(jobs, "job_limit").eq(host))
        .limit(1)
        .to_owned();
    Ok(engine.database.read_first::<i64>(&query).await?.is_some())
}

/// A host of the inventory.
struct Host {
    name: String,
    /// What Ansible connects to.
    target: String,
}

impl Host {
    /// Its address, if that needs no lookup.
    fn address(&self) -> Option<IpAddr> {
        self.target.parse().ok().map(|address: IpAddr| address.to_canonical())
    }
}

/// The condition for hosts whose name or variables may contain an address. IPv6 addresses have several forms.
fn may_have(address: IpAddr) -> Condition {
    let part = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(_) => ":".to_owned(),
    };
    ["name", "variables"]
        .into_iter()
        .fold(Cond::any(), |any, field| any.add(column(HOST.table, field).like(format!("%{part}%"))))
}

/// Hosts of an inventory, with the variables that name their addresses.
async fn hosts(
    engine: &Engine,
    inventory: i64,
    condition: Option<Condition>,
    limit: Option<u64>,
) -> Result<Vec<Host>, Error> {
    let mut query = Query::select();
    query
        .exprs(["name", "variables"].map(|name| column(HOST.table, name)))
        .from(Alias::new(HOST.table))
        .and_where(column(HOST.table, "inventory_id").eq(inventory))
        .and_where_option(condition.map(Expr::from));
    if let Some(limit) = limit {
        query.limit(limit);
    }
    let rows: Vec<(String, String)> = engine.database.read_as(&query).await?;
    let host = |(name, variables): (String, String)| {
        let target = target(&variables).unwrap_or_else(|| name.clone());
        Host { name, target }
    };
    Ok(rows.into_iter().map(host).collect())
}

/// The address in the variables of a host.
fn target(variables: &str) -> Option<String> {
    if !ADDRESS_VARIABLES.iter().any(|name| variables.contains(name)) {
        return None;
    }
    let variables = hostler_variables::parse(variables).ok()?;
    ADDRESS_VARIABLES.iter().rev().find_map(|name| Some(variables.get(*name)?.as_str()?.to_owned()))
}

/// The names of those hosts whose names in DNS have this address. Names that are not resolved in time do not match.
async fn resolve(hosts: Vec<Host>, address: IpAddr) -> BTreeSet<String> {
    let mut lookups = JoinSet::new();
    for host in hosts {
        lookups.spawn(async move {
            // A lookup that nobody waits for any more goes on, and keeps its permit.
            let permit = LOOKUPS.acquire().await.ok()?;
            let lookup = move || {
                let _permit = permit;
                let mut found = (host.target.as_str(), 0).to_socket_addrs().ok()?;
                found.any(|socket| socket.ip().to_canonical() == address).then_some(host.name)
            };
            tokio::task::spawn_blocking(lookup).await.ok()?
        });
    }
    let mut matching = BTreeSet::new();
    let all = async {
        while let Some(found) = lookups.join_next().await {
            matching.extend(found.ok().flatten());
        }
    };
    if tokio::time::timeout(RESOLVING_TIME, all).await.is_err() {
        tracing::warn!("the names of hosts could not be resolved in time for a provisioning callback");
    }
    matching
}

/// The response to GET.
///
/// # Errors
/// Database errors.
pub async fn show(engine: &Engine, template: &Record, address: Option<IpAddr>) -> Result<Json, Error> {
    let matching = matching_hosts(engine, template, address).await?;
    Ok(json!({"host_config_key": template.text(&super::HOST_CONFIG_KEY), "matching_hosts": matching}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_host_is_in_its_variables() {
        assert_eq!(target("ansible_host: 10.0.0.1"), Some("10.0.0.1".into()));
        assert_eq!(target("{\"ansible_ssh_host\": \"a\", \"ansible_host\": \"b\"}"), Some("b".into()));
        assert_eq!(target("ansible_ssh_host: old"), Some("old".into()));
        for other in ["", "ansible_port: 22", "ansible_host: {a", "ansible_host: 5"] {
            assert_eq!(target(other), None, "{other}");
        }
    }
}
