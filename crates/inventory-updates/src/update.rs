//! The row of an update.

use hostler_database::{Database, Error};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};
use serde_json::{Map, Value};

use crate::found::Selection;
use crate::import::Import;
use crate::service::Service;

/// The kind of the sources of constructed inventories.
const CONSTRUCTED: &str = "constructed";
/// The variable of a host of an input inventory with its id.
const ID_OF_HOST: &str = "remote_tower_id";
/// What an inventory for Ansible says of a host beside its variables.
const OF_HOST: [&str; 4] = [ID_OF_HOST, "remote_tower_enabled", "remote_host_id", "remote_host_enabled"];

/// An update of an inventory source, with what the source was when it was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryUpdate {
    /// The id of the job.
    pub id: i64,
    /// The source.
    pub source: i64,
    /// The inventory.
    pub inventory: i64,
    /// The kind of the source.
    pub kind: String,
    /// The file or folder in the project.
    pub path: String,
    /// Environment variables, or the configuration of the plugin: JSON or YAML.
    pub variables: String,
    /// A pattern that selects hosts.
    pub limit: String,
    /// How much is printed, 0 to 2.
    pub verbosity: i64,
    enabled_var: String,
    enabled_value: String,
    host_filter: String,
    overwrite: bool,
    overwrite_vars: bool,
}

impl InventoryUpdate {
    /// Reads the update with this id; none if it does not exist, or its inventory does not.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn load(database: &Database, id: i64) -> Result<Option<Self>, Error> {
        let query = |columns: &[&'static str]| {
            Query::select()
                .columns(columns.iter().map(|name| Alias::new(*name)))
                .from(Alias::new("inventory_updates"))
                .and_where(Expr::col(Alias::new("id")).eq(id))
                .to_owned()
        };
        let texts = query(&[
            "source",
            "source_path",
            "source_vars",
            "job_limit",
            "enabled_var",
            "enabled_value",
            "host_filter",
        ]);
        let others = query(&["inventory_source_id", "inventory_id", "verbosity", "overwrite", "overwrite_vars"]);
        // The columns never change after the creation.
        type Texts = (String, String, String, String, String, String, String);
        let texts: Option<Texts> = database.read_first(&texts).await?;
        type Others = (Option<i64>, Option<i64>, i64, bool, bool);
        let others: Option<Others> = database.read_first(&others).await?;
        let (Some(texts), Some(others)) = (texts, others) else { return Ok(None) };
        let (kind, path, variables, limit, enabled_var, enabled_value, host_filter) = texts;
        let (Some(source), Some(inventory), verbosity, overwrite, overwrite_vars) = others else { return Ok(None) };
        Ok(Some(InventoryUpdate {
            id,
            source,
            inventory,
            kind,
            path,
            variables,
            limit,
            verbosity,
            enabled_var,
            enabled_value,
            host_filter,
            overwrite,
            overwrite_vars,
        }))
    }

    /// Whether it computes the hosts of a constructed inventory.
    pub fn is_constructed(&self) -> bool {
        self.kind == CONSTRUCTED
    }

    /// The inventories that a constructed inventory is made of, in order.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn inputs(&self, database: &Database) -> Result<Vec<i64>, Error> {
        let of = |table: &'static str, name: &'static str| Expr::col((Alias::new(table), Alias::new(name)));
        let query = Query::select()
            .expr(of("inventories", "id"))
            .from(Alias::new("inventory_inputs"))
            .inner_join(
                Alias::new("inventories"),
                of("inventories", "id").eq(of("inventory_inputs", "input_inventory_id")),
            )
            .and_where(of("inventory_inputs", "inventory_id").eq(self.inventory))
            .and_where(of("inventories", "is_deleted").eq(false))
            .order_by((Alias::new("inventory_inputs"), Alias::new("id")), Order::Asc)
            .to_owned();
        database.read_as(&query).await
    }

    /// The service that the source asks; none for files.
    pub fn service(&self) -> Option<&'static Service> {
        Service::find(&self.kind)
    }

    /// The variables of the source.
    ///
    /// # Errors
    /// A sentence for users.
    pub fn parsed_variables(&self) -> Result<Map<String, Value>, String> {
        let parsed = hostler_variables::parse(&self.variables);
        parsed.map_err(|problem| format!("The variables of the source cannot be used: {problem}"))
    }

    /// What is taken from the output.
    ///
    /// # Errors
    /// A sentence for users.
    pub fn selection(&self) -> Result<Selection, String> {
        let host_filter = Selection::filter(&self.host_filter);
        let host_filter =
            host_filter.map_err(|problem| format!("The host filter of the source is invalid: {problem}"))?;
        let service = self.service();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (enabled_variables, enabled_value) = match service {
            _ if !self.enabled_var.is_empty() => {
                let alternatives = self.enabled_var.split(',').map(str::to_owned).collect();
                (alternatives, (!self.enabled_value.is_empty()).then(|| self.enabled_value.clone()))
            }
            Some(Service { enabled: (variables, value), .. }) if !variables.is_empty() => {
                (texts(variables), Some((*value).to_owned()))
            }
            _ => (vec![], None),
        };
        Ok(Selection {
            host_filter,
            excludes_empty_groups: service.is_some(),
            instance_id: match service {
                Some(service) => texts(service.instance_id),
                None if self.is_constructed() => texts(&[ID_OF_HOST]),
                None => vec![],
            },
            left_out: if self.is_constructed() { texts(&OF_HOST) } else { vec![] },
            enabled_variables,
            enabled_value,
        })
    }

    /// How the inventory is changed.
    pub fn import(&self) -> Import {
        Import {
            source: self.source,
            inventory: self.inventory,
            overwrite: self.overwrite,
            overwrite_variables: self.overwrite_vars,
        }
    }

    /// The command line of `ansible-inventory` for these files or folders. Values are never separate arguments, so
    /// that none is taken for an option.
    pub fn command_line(&self, program: String, sources: &[String], folder: &str, output: &str) -> Vec<String> {
        let mut command = vec![program, "--list".to_owned(), "--export".to_owned()];
        command.extend(sources.iter().map(|source| format!("--inventory={source}")));
        command.extend([
            format!("--output={output}"),
            // Files with variables beside the source are read, too.
            format!("--playbook-dir={folder}"),
        ]);
        if !self.limit.is_empty() {
            command.push(format!("--limit={}", self.limit));
        }
        // As in AWX: warnings only, or what an inventory plugin says at 3, or at 5.
        if let Some(level) = match self.verbosity {
            ..=0 => None,
            1 => Some(3),
            _ => Some(5),
        } {
            command.push(format!("-{}", "v".repeat(level)));
        }
        command
    }
}
