//! Labels of an organization, for its templates and jobs.

use std::collections::HashMap;

use hostler_access::{ByParent, OnParent};
use hostler_database::Transaction;
use hostler_engine::{Engine, Error};
use hostler_schema::{
    Access, Action, Actor, Draft, Field, Join, NaturalKeyPart, Resource, Rule, UniqueConstraint, column, fields,
};
use sea_query::{Alias, Condition, Expr, ExprTrait, Order, Query};
use serde_json::{Value as Json, json};

use crate::common::{CREATED, CREATED_BY, MODIFIED, MODIFIED_BY};
use crate::{JOB_TEMPLATE, ORGANIZATION};

const NAME: Field =
    fields::text("name").label("Name").max(512).required().help("The text of the label; unique in its organization.");
const ORGANIZATION_LINK: Field = fields::link("organization", "organization_id", || &ORGANIZATION)
    .label("Organization")
    .required()
    .summarized()
    .reverse("labels")
    .help("The organization that the label belongs to.");

/// Labels.
pub static LABEL: Resource = Resource {
    list_title: "Labels",
    detail_title: "Label Detail",
    description: "Labels group templates and jobs. Members of the organization create them, its admins rename them.",
    unimplemented_relations: &[
        "joblaunchconfig_labels",
        "schedule_labels",
        "workflowjobnode_labels",
        "workflowjobtemplatenode_labels",
    ],
    summarized_as: &["name"],
    search: &["name"],
    natural_key: &[NaturalKeyPart::Field("name"), NaturalKeyPart::Link("organization")],
    unique: &[UniqueConstraint {
        fields: &["organization", "name"],
        key: "__all__",
        message: "Label with this Name and Organization already exists.",
    }],
    // As in AWX: a label is deleted with the last object that has it.
    deletable: false,
    capabilities: false,
    ..Resource::new(
        "label",
        "labels",
        "Label",
        &[fields::id(), CREATED, MODIFIED, CREATED_BY, MODIFIED_BY, NAME, ORGANIZATION_LINK],
        &ACCESS,
    )
};

const ACCESS: LabelAccess = LabelAccess;

const OF_ORGANIZATION: ByParent = ByParent {
    link: ORGANIZATION_LINK,
    read: OnParent::Role("read_role"),
    change: OnParent::Role("admin_role"),
    create: OnParent::Role("member_role"),
};

/// The permissions on labels. As in AWX, users also see the labels of the templates that they see.
struct LabelAccess;

impl Access for LabelAccess {
    fn rows(&self, actor: &Actor, action: Action, row: &str) -> Rule {
        const TEMPLATE: &str = "labeled";
        let rule = OF_ORGANIZATION.rows(actor, action, row);
        if action != Action::Read || matches!(rule, Rule::All) {
            return rule;
        }
        let templates = JOB_TEMPLATE.access.rows(actor, Action::Read, TEMPLATE).ids(JOB_TEMPLATE.table, TEMPLATE);
        let uses = "unified_job_template_labels";
        let labels = Query::select()
            .expr(column(uses, "label_id"))
            .from(Alias::new(uses))
            .and_where(column(uses, "unified_job_template_id").in_subquery(templates))
            .to_owned();
        rule.or(Rule::When(column(row, "id").in_subquery(labels)))
    }

    fn activity(&self, actor: &Actor, row: &str) -> Rule {
        OF_ORGANIZATION.activity(actor, row)
    }

    fn organization_roles(&self, action: Action) -> Vec<&'static str> {
        OF_ORGANIZATION.organization_roles(action)
    }

    fn create(&self, actor: &Actor, draft: Draft<'_>) -> Rule {
        OF_ORGANIZATION.create(actor, draft)
    }
}

/// The list of the labels of an object.
pub const LABELS: &str = "labels";

/// How many labels the summary of an object names.
const MAX_SUMMARIZED: usize = 10;

/// The tables of the objects that have labels, with the column of the label.
const USES: [&str; 3] = ["inventory_labels", "unified_job_template_labels", "unified_job_labels"];

/// The labels that the actor sees, and so may add to an object.
pub fn readable_labels(actor: &Actor, row: &str) -> Rule {
    LABEL.access.rows(actor, Action::Read, row)
}

/// The condition that no object has the label of the row `labels`.
fn is_unused() -> Condition {
    USES.into_iter().fold(Condition::all(), |all, table| {
        let uses = Query::select()
            .expr(column(table, "id"))
            .from(Alias::new(table))
            .and_where(column(table, "label_id").eq(column(LABEL.table, "id")))
            .to_owned();
        all.add(Expr::exists(uses).not())
    })
}

/// Deletes a label that no object has any more, as in AWX.
///
/// # Errors
/// Database errors.
pub async fn delete_if_unused(tx: &mut Transaction, id: i64) -> Result<(), Error> {
    let delete = Query::delete()
        .from_table(Alias::new(LABEL.table))
        .and_where(column(LABEL.table, "id").eq(id))
        .cond_where(is_unused())
        .to_owned();
    tx.execute(&delete).await?;
    Ok(())
}

/// Takes all labels off an object that is about to be deleted, and deletes those that no other object has.
///
/// # Errors
/// Database errors; [`Error::Internal`] for a resource without labels.
pub async fn delete_last_uses(tx: &mut Transaction, resource: &'static Resource, id: i64) -> Result<(), Error> {
    let (table, link) = join_table(resource)?;
    let query = Query::select()
        .expr(column(table, "label_id"))
        .from(Alias::new(table))
        .and_where(column(table, link).eq(id))
        .to_owned();
    let labels: Vec<i64> = tx.read_as(&query).await?;
    if labels.is_empty() {
        return Ok(());
    }
    let uses = Query::delete().from_table(Alias::new(table)).and_where(column(table, link).eq(id)).to_owned();
    tx.execute(&uses).await?;
    let unused = Query::delete()
        .from_table(Alias::new(LABEL.table))
        .and_where(column(LABEL.table, "id").is_in(labels))
        .cond_where(is_unused())
        .to_owned();
    tx.execute(&unused).await?;
    Ok(())
}

/// The labels of these objects for `summary_fields`, by object, in one statement. Objects without labels are left out.
///
/// # Errors
/// Database errors; [`Error::Internal`] for a resource without labels.
pub async fn summaries(engine: &Engine, resource: &'static Resource, ids: &[i64]) -> Result<HashMap<i64, Json>, Error> {
    let (table, link) = join_table(resource)?;
    let query = Query::select()
        .expr(column(table, link))
        .expr(column(LABEL.table, "id"))
        .expr(column(LABEL.table, "name"))
        .from(Alias::new(table))
        .inner_join(Alias::new(LABEL.table), column(LABEL.table, "id").eq(column(table, "label_id")))
        .and_where(column(table, link).is_in(ids.iter().copied()))
        .order_by((Alias::new(LABEL.table), Alias::new("name")), Order::Asc)
        .to_owned();
    let rows: Vec<(i64, i64, String)> = engine.database.read_as(&query).await?;
    let mut all: HashMap<i64, Vec<Json>> = HashMap::new();
    for (object, id, name) in rows {
        all.entry(object).or_default().push(json!({"id": id, "name": name}));
    }
    let summary = |labels: Vec<Json>| {
        let named: Vec<&Json> = labels.iter().take(MAX_SUMMARIZED).collect();
        json!({"count": labels.len(), "results": named})
    };
    Ok(all.into_iter().map(|(object, labels)| (object, summary(labels))).collect())
}

/// The summary of an object without labels.
pub fn no_labels() -> Json {
    json!({"count": 0, "results": []})
}

/// The join table of the labels of a resource, and its column with the object.
fn join_table(resource: &'static Resource) -> Result<(&'static str, &'static str), Error> {
    match resource.sublist(LABELS).map(|sublist| sublist.join) {
        Some(Join::JoinTable { table, left, .. }) => Ok((table, left)),
        _ => Err(Error::Internal(format!("{} has no labels", resource.plural))),
    }
}
