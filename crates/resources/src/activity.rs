//! The activity stream as a resource: entries are written by the engine, never by clients.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hostler_database::{Type, Value};
use hostler_engine::{Engine, Error, Hooks, RenderContext, ResponseObject, summarize};
use hostler_schema::{Access, Action, Actor, Draft, Field, RelatedSearch, Resource, Rule, column, fields};
use sea_query::{Alias, Asterisk, Condition, Expr, ExprTrait, Func, Query, UnionType};
use serde_json::{Map, Value as Json};

use crate::common::types_with_roles;
use crate::{JOB, JOB_TEMPLATE, REGISTRY, UNIFIED_JOB, USER};

const OPERATIONS: &[(&str, &str)] = &[
    ("create", "Entity Created"),
    ("update", "Entity Updated"),
    ("delete", "Entity Deleted"),
    ("associate", "Entity Associated with another Entity"),
    ("disassociate", "Entity was Disassociated with another Entity"),
];

/// Used by filters and summaries.
const SETTING: Field = fields::json("setting")
    .label("Setting")
    .nullable()
    .read_only()
    .filter_unlisted()
    .hidden()
    .help("The setting it was done to: its category and its name.");

const ACTOR: Field = fields::link("actor", "actor_id", || &USER)
    .label("Actor")
    .nullable()
    .read_only()
    .hidden()
    .summarized()
    .reverse("activity_stream")
    .help("The user who did it.");

const ACTIVITY_FIELDS: &[Field] = &[
    fields::id(),
    ACTOR,
    fields::time("timestamp").label("Timestamp").read_only().help("When it was done."),
    fields::choice("operation", OPERATIONS).label("Operation").read_only().help("What was done."),
    fields::json("changes")
        .label("Changes")
        .read_only()
        .help("The values, or for an update the pairs of old and new values."),
    fields::text("object1").label("Object1").read_only().help("The type of the object it was done to."),
    fields::text("object2").label("Object2").read_only().help("The type of the object that was associated with it."),
    fields::text("object_association")
        .label("Object association")
        .read_only()
        .not_filterable()
        .type_name("field")
        .help("Through what the two are associated."),
    fields::text("action_node").label("Action node").read_only().help("The node on which it was done."),
    fields::text("object_type")
        .label("Object type")
        .read_only()
        .not_filterable()
        .type_name("field")
        .help("The type of the object that owns the association."),
    SETTING,
];

/// The activity stream.
pub static ACTIVITY: Resource = Resource {
    type_label: "Activity Stream",
    list_title: "Activity Stream List",
    detail_title: "Activity Stream Detail",
    description: "What was done, when and by which user. Secrets are not recorded. Users see their own entries, those about \
                  teams, projects, credentials and applications that they see, and those about organizations that they \
                  administer or audit, with their members, labels, execution environments and notification \
                  templates.",
    table: "activity",
    related_search: RelatedSearch::BelowObjects,
    unimplemented_relations: &[
        "notification",
        "receptor_address",
        "schedule",
        "unified_job",
        "unified_job_template",
        "workflow_approval",
        "workflow_approval_template",
        "workflow_job",
        "workflow_job_node",
        "workflow_job_template",
        "workflow_job_template_node",
    ],
    summarized_as: &[],
    search: &["changes"],
    creatable: false,
    editable: false,
    deletable: false,
    capabilities: false,
    recorded: false,
    ..Resource::new("activity_stream", "activity_stream", "ActivityStream", ACTIVITY_FIELDS, &ActivityAccess)
};

struct ActivityAccess;

impl Access for ActivityAccess {
    /// Superusers and system auditors see all entries. Others see those that they have caused, and those about objects
    /// that [`Access::activity`] of the type names; but never one that is also about a hidden object with roles.
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        if action != Action::Read {
            return Rule::None;
        }
        if actor.is_superuser || actor.is_system_auditor {
            return Rule::All;
        }
        // Selected first, so that a list reads these entries instead of testing all.
        let mut seen = Query::select()
            .expr(column("own", "id"))
            .from_as(Alias::new("activity"), Alias::new("own"))
            .and_where(column("own", "actor_id").eq(actor.id))
            .to_owned();
        for resource in REGISTRY.resources().filter(|resource| resource.recorded) {
            let objects = match resource.access.activity(actor, "readable") {
                Rule::None => continue,
                Rule::All => Expr::Constant(true.into()),
                rule => column("link", "object_id").in_subquery(rule.ids(resource.table, "readable")),
            };
            let entries = Query::select()
                .expr(column("link", "activity_id"))
                .from_as(Alias::new("activity_links"), Alias::new("link"))
                .and_where(column("link", "content_type").eq(resource.name))
                .and_where(objects)
                .to_owned();
            seen.union(UnionType::All, entries);
        }
        Rule::When(column(row, "id").in_subquery(seen)).and(Rule::When(hidden_links(actor, row).eq(0)))
    }

    fn create(&self, _actor: &Actor, _draft: Draft<'_>) -> Rule {
        Rule::None
    }
}

/// The number of an entry's links to objects with roles that are hidden from the actor.
///
/// A count, not NOT EXISTS or NOT IN: for those PostgreSQL would read all hidden links of the table and all visible objects.
fn hidden_links(actor: &Actor, row: &str) -> Expr {
    let hidden = types_with_roles().filter_map(|resource| {
        let visible = match resource.access.rows(actor, Action::Read, "object") {
            Rule::All => return None,
            rule => rule.condition(),
        };
        let object = Query::select()
            .expr(Expr::val(1))
            .from_as(Alias::new(resource.table), Alias::new("object"))
            .and_where(column("object", "id").eq(column("link", "object_id")))
            .cond_where(visible)
            .to_owned();
        Some(column("link", "content_type").eq(resource.name).and(Expr::exists(object).not()))
    });
    let links = Query::select()
        .expr(Func::count(Expr::col(Asterisk)))
        .from_as(Alias::new("activity_links"), Alias::new("link"))
        .and_where(column("link", "activity_id").eq(column(row, "id")))
        .cond_where(hidden.fold(Condition::any(), Condition::add))
        .to_owned();
    Expr::SubQuery(None, Box::new(links.into()))
}

/// Shows which objects an entry is about.
pub struct ActivityHooks;

#[async_trait]
impl Hooks for ActivityHooks {
    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let ids = page.iter().map(|shown| shown.loaded.record.id);
        let query = Query::select()
            .exprs(["activity_id", "content_type", "object_id"].map(|name| column("activity_links", name)))
            .from(Alias::new("activity_links"))
            .and_where(column("activity_links", "activity_id").is_in(ids))
            .order_by((Alias::new("activity_links"), Alias::new("id")), sea_query::Order::Asc)
            .to_owned();
        let links = engine.database.read(&query, &[Type::Integer, Type::Text, Type::Integer]).await?;
        // One query for each type that occurs on the page, never more than there are types.
        let mut wanted: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for link in &links {
            if let (Some(content_type), Some(id)) = (link.text(1), link.integer(2)) {
                wanted.entry(content_type).or_default().push(id);
            }
        }
        let templates = templates_of_jobs(engine, wanted.get(JOB.name).map(Vec::as_slice).unwrap_or_default()).await?;
        wanted.entry(JOB_TEMPLATE.name).or_default().extend(templates.values());
        let mut found: BTreeMap<(&str, i64), Map<String, Json>> = BTreeMap::new();
        for (content_type, mut ids) in wanted.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            let Some(registered) = REGISTRY.by_name(content_type) else { continue };
            ids.sort_unstable();
            ids.dedup();
            for (id, summary) in summarize(engine, view.actor, registered.resource, &ids).await? {
                found.insert((registered.resource.name, id), summary);
            }
        }
        for shown in page {
            let id = Some(shown.loaded.record.id);
            let mut urls: Map<String, Json> = Map::new();
            let mut summaries: Map<String, Json> = Map::new();
            for link in links.iter().filter(|link| link.integer(0) == id) {
                let (Some(content_type), Some(object)) = (link.text(1), link.integer(2)) else { continue };
                let Some(registered) = REGISTRY.by_name(content_type) else { continue };
                let Some(summary) = found.get(&(registered.resource.name, object)) else { continue };
                push(&mut urls, content_type, registered.resource.url(object).into());
                push(&mut summaries, content_type, summary.clone().into());
                // As in AWX, an entry about a job also shows the template, without a link to it.
                let template = templates.get(&object).filter(|_| content_type == JOB.name);
                if let Some(summary) = template.and_then(|template| found.get(&(JOB_TEMPLATE.name, *template))) {
                    push(&mut summaries, JOB_TEMPLATE.name, summary.clone().into());
                }
            }
            for (content_type, list) in urls {
                shown.add_related(&content_type, list);
            }
            for (content_type, list) in summaries {
                shown.add_summary(&content_type, list);
            }
            if let Value::Json(setting) = shown.loaded.record.get(&SETTING).clone() {
                if let Some(category) = setting["category"].as_str() {
                    shown.add_related("setting", format!("/api/v2/settings/{category}/").into());
                }
                shown.add_summary("setting", Json::Array(vec![setting]));
            }
        }
        Ok(())
    }
}

/// The templates of jobs, by job.
async fn templates_of_jobs(engine: &Engine, jobs: &[i64]) -> Result<BTreeMap<i64, i64>, Error> {
    if jobs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = Query::select()
        .exprs(["id", "unified_job_template_id"].map(|name| column(UNIFIED_JOB.table, name)))
        .from(Alias::new(UNIFIED_JOB.table))
        .and_where(column(UNIFIED_JOB.table, "id").is_in(jobs.iter().copied()))
        .and_where(column(UNIFIED_JOB.table, "unified_job_template_id").is_not_null())
        .to_owned();
    Ok(engine.database.read_as::<(i64, i64)>(&query).await?.into_iter().collect())
}

fn push(lists: &mut Map<String, Json>, key: &str, value: Json) {
    if let Json::Array(list) = lists.entry(key).or_insert_with(|| Json::Array(vec![])) {
        list.push(value);
    }
}
