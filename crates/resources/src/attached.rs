//! What is attached to templates and jobs by join tables: credentials, labels and instance groups, and how responses show
//! them.

use hostler_database::{Row, Transaction, Type, Value};
use hostler_engine::{Engine, Error, ResponseObject};
use hostler_schema::{Action, Actor, Join, Resource, Rule, column};
use sea_query::{Alias, Expr, ExprTrait, Order, Query, SelectStatement};
use serde_json::{Value as Json, json};

use crate::{CREDENTIAL, CREDENTIAL_TYPE, labels};

const fn joined(table: &'static str, left: &'static str, right: &'static str) -> Join {
    Join::JoinTable { table, left, right, filter: None }
}

/// From a template to its credentials.
pub const CREDENTIALS_OF_TEMPLATE: Join =
    joined("unified_job_template_credentials", "unified_job_template_id", "credential_id");
/// From a template to its labels.
pub const LABELS_OF_TEMPLATE: Join = joined("unified_job_template_labels", "unified_job_template_id", "label_id");
/// From a template to its instance groups, in the order in which they are chosen.
pub const GROUPS_OF_TEMPLATE: Join =
    joined("unified_job_template_instance_groups", "unified_job_template_id", "instance_group_id");
/// From a job to its credentials.
pub const CREDENTIALS_OF_JOB: Join = joined("unified_job_credentials", "unified_job_id", "credential_id");
/// From a job to its labels.
pub const LABELS_OF_JOB: Join = joined("unified_job_labels", "unified_job_id", "label_id");
/// From a job to the instance groups that its launch asked for.
pub const GROUPS_OF_JOB: Join = joined("unified_job_instance_groups", "unified_job_id", "instance_group_id");

/// The value of an input that a job asks for at launch.
const ASK: &str = "ASK";

/// A credential that is attached to an object.
pub struct AttachedCredential {
    /// The id of the object.
    pub owner: i64,
    /// The id of the credential.
    pub id: i64,
    /// Its name.
    pub name: String,
    description: String,
    /// The namespace of its type; `None` for a custom type.
    namespace: Option<String>,
    cloud: bool,
    /// The id of its type.
    pub type_id: i64,
    /// The name of its type.
    pub type_name: String,
    /// The kind of its type, such as `ssh`.
    pub kind: String,
    inputs: Json,
    /// Whether the actor may see it.
    pub visible: bool,
}

impl AttachedCredential {
    /// The id of a vault credential; "" if it has none.
    pub fn vault_id(&self) -> &str {
        self.inputs["vault_id"].as_str().unwrap_or_default()
    }

    /// Whether it is a credential for Ansible Vault.
    pub fn is_vault(&self) -> bool {
        self.kind == "vault"
    }

    /// What no two credentials of a job may have in common: the type, and for vaults also the vault id.
    pub fn place(&self) -> (i64, &str) {
        (self.type_id, if self.is_vault() { self.vault_id() } else { "" })
    }

    /// The name of its place in messages.
    pub fn place_name(&self) -> String {
        match (self.is_vault(), self.vault_id()) {
            (true, id) if !id.is_empty() => format!("{} (id={id})", self.type_name),
            _ => self.type_name.clone(),
        }
    }

    /// Whether a job can use a credential of this kind.
    pub fn is_for_jobs(&self) -> bool {
        ["cloud", "kubernetes", "net", "ssh", "vault"].contains(&self.kind.as_str())
    }

    /// The names of the passwords that it asks for at launch.
    pub fn passwords(&self) -> Vec<String> {
        let asks = |input: &str| self.inputs[input].as_str() == Some(ASK);
        let mut names = vec![];
        if self.kind == "ssh" {
            for (input, name) in [("password", "ssh_password"), ("become_password", "become_password")] {
                if asks(input) {
                    names.push(name.to_owned());
                }
            }
            let has_key = self.inputs["ssh_key_data"].as_str().is_some_and(|key| !key.is_empty());
            if asks("ssh_key_unlock") && has_key {
                names.push("ssh_key_unlock".into());
            }
        } else if self.is_vault() && asks("vault_password") {
            names.push(match self.vault_id() {
                "" => "vault_password".into(),
                id => format!("vault_password.{id}"),
            });
        }
        names
    }
}

/// The columns of a credential in the queries of this module.
/// `visible` is the rule for the credentials that the actor sees.
fn credential_query(visible: Rule) -> SelectStatement {
    let credential = |name| column(CREDENTIAL.table, name);
    let credential_type = |name| column(CREDENTIAL_TYPE.table, name);
    Query::select()
        .exprs(["id", "name", "description", "kind", "cloud"].map(credential))
        .exprs(["id", "name", "kind"].map(credential_type))
        .expr(credential("inputs"))
        .expr(visible.expression())
        .from(Alias::new(CREDENTIAL.table))
        .inner_join(
            Alias::new(CREDENTIAL_TYPE.table),
            ExprTrait::eq(credential("credential_type_id"), credential_type("id")),
        )
        .order_by((Alias::new(CREDENTIAL.table), Alias::new("name")), Order::Asc)
        .order_by((Alias::new(CREDENTIAL.table), Alias::new("id")), Order::Asc)
        .to_owned()
}

/// The types of the columns of a credential.
const TYPES: [Type; 11] = [
    Type::Integer,
    Type::Text,
    Type::Text,
    Type::Text,
    Type::Boolean,
    Type::Integer,
    Type::Text,
    Type::Text,
    Type::Json,
    Type::Boolean,
    Type::Integer,
];

fn decode(row: &Row) -> AttachedCredential {
    let text = |position| row.text(position).unwrap_or_default().to_owned();
    AttachedCredential {
        id: row.integer(0).unwrap_or_default(),
        name: text(1),
        description: text(2),
        namespace: row.text(3).map(str::to_owned),
        cloud: row.boolean(4),
        type_id: row.integer(5).unwrap_or_default(),
        type_name: text(6),
        kind: text(7),
        inputs: match &row[8] {
            Value::Json(inputs) => inputs.clone(),
            _ => Json::Null,
        },
        visible: row.boolean(9),
        owner: row.integer(10).unwrap_or_default(),
    }
}

/// The credentials that a join table attaches to these objects.
fn attached_query(visible: Rule, join: Join, owners: &[i64]) -> SelectStatement {
    let mut query = credential_query(visible);
    if let Join::JoinTable { table, left, right, .. } = join {
        query
            .expr(column(table, left))
            .inner_join(Alias::new(table), column(table, right).eq(column(CREDENTIAL.table, "id")))
            .and_where(column(table, left).is_in(owners.iter().copied()));
    }
    query
}

/// The credentials with these ids.
fn query_with_ids(visible: Rule, ids: &[i64]) -> SelectStatement {
    let mut query = credential_query(visible);
    query.expr(Expr::Constant(0i64.into())).and_where(column(CREDENTIAL.table, "id").is_in(ids.iter().copied()));
    query
}

/// The credentials that the actor sees.
fn visible(actor: &Actor) -> Rule {
    CREDENTIAL.access.rows(actor, Action::Read, CREDENTIAL.table)
}

/// The credentials of all these objects, by name, in one statement.
///
/// # Errors
/// Database errors.
pub async fn credentials(
    engine: &Engine,
    actor: &Actor,
    join: Join,
    owners: &[i64],
) -> Result<Vec<AttachedCredential>, Error> {
    let rows = engine.read_with_rules(actor, attached_query(visible(actor), join, owners), &TYPES).await?;
    Ok(rows.iter().map(decode).collect())
}

/// The credentials of this template, and the credential with this id, in the transaction that attaches it.
///
/// # Errors
/// Database errors.
pub async fn credentials_for_attachment(
    tx: &mut Transaction,
    template: i64,
    id: i64,
) -> Result<(Vec<AttachedCredential>, Option<AttachedCredential>), Error> {
    let present = tx.read(&attached_query(Rule::None, CREDENTIALS_OF_TEMPLATE, &[template]), &TYPES).await?;
    let added = tx.read(&query_with_ids(Rule::None, &[id]), &TYPES).await?;
    Ok((present.iter().map(decode).collect(), added.first().map(decode)))
}

/// The credentials with these ids, by name.
///
/// # Errors
/// Database errors.
pub async fn credentials_with_ids(
    engine: &Engine,
    actor: &Actor,
    ids: &[i64],
) -> Result<Vec<AttachedCredential>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let rows = engine.read_with_rules(actor, query_with_ids(visible(actor), ids), &TYPES).await?;
    Ok(rows.iter().map(decode).collect())
}

/// The names of the passwords that the credentials of this object ask for.
pub fn passwords_needed(credentials: &[AttachedCredential], owner: i64) -> Vec<String> {
    credentials.iter().filter(|credential| credential.owner == owner).flat_map(AttachedCredential::passwords).collect()
}

/// Adds the credentials that the actor may see to the summaries of their objects.
pub fn show_credentials(page: &mut [ResponseObject], credentials: &[AttachedCredential]) {
    for shown in page {
        let id = shown.loaded.record.id;
        let of_object = credentials.iter().filter(|credential| credential.owner == id && credential.visible);
        let list: Vec<Json> = of_object
            .map(|credential| {
                json!({
                    "id": credential.id, "name": credential.name, "description": credential.description,
                    "kind": credential.namespace, "cloud": credential.cloud,
                })
            })
            .collect();
        shown.add_summary("credentials", list.into());
    }
}

/// Adds the only credential of an object as its field, and to its summaries and links, if the actor may see it.
pub fn show_single_credential(shown: &mut ResponseObject, credentials: &[AttachedCredential]) {
    let id = shown.loaded.record.id;
    let found = credentials.iter().find(|credential| credential.owner == id);
    shown.json.insert("credential".into(), found.map(|credential| credential.id).into());
    let visible = found.filter(|credential| credential.visible);
    let summary = visible.map(|credential| {
        json!({
            "id": credential.id, "name": credential.name, "description": credential.description,
            "kind": credential.namespace, "cloud": credential.cloud, "credential_type_id": credential.type_id,
        })
    });
    if let (Some(credential), Some(summary)) = (visible, &summary) {
        shown.add_summary("credential", summary.clone());
        shown.add_related("credential", CREDENTIAL.url(credential.id).into());
    }
    shown.add_summary("credentials", summary.into_iter().collect());
}

/// Adds labels to the summaries of objects of this resource, in one statement.
///
/// # Errors
/// Database errors.
pub async fn show_labels(
    engine: &Engine,
    resource: &'static Resource,
    ids: &[i64],
    page: &mut [ResponseObject],
) -> Result<(), Error> {
    let mut summaries = labels::summaries(engine, resource, ids).await?;
    for shown in page {
        let summary = summaries.remove(&shown.loaded.record.id).unwrap_or_else(labels::no_labels);
        shown.add_summary(labels::LABELS, summary);
    }
    Ok(())
}

/// The objects of a resource that are attached to these objects and that the actor may see: owner, id and name.
///
/// # Errors
/// Database errors.
pub async fn names(
    engine: &Engine,
    actor: &Actor,
    resource: &'static Resource,
    join: Join,
    owners: &[i64],
    order: (Alias, Alias),
) -> Result<Vec<(i64, i64, String)>, Error> {
    let Join::JoinTable { table, left, right, .. } = join else { return Ok(vec![]) };
    let query = Query::select()
        .expr(column(table, left))
        .exprs(["id", "name"].map(|name| column(resource.table, name)))
        .from(Alias::new(table))
        .inner_join(Alias::new(resource.table), ExprTrait::eq(column(table, right), column(resource.table, "id")))
        .and_where(ExprTrait::is_in(column(table, left), owners.iter().copied()))
        .cond_where(resource.access.rows(actor, Action::Read, resource.table).condition())
        .order_by(order, Order::Asc)
        .order_by((Alias::new(resource.table), Alias::new("id")), Order::Asc)
        .to_owned();
    Ok(engine.read_with_rules_as(actor, query).await?)
}
