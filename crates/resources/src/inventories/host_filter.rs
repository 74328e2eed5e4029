//! Host filters: of the parameter `host_filter` of lists of hosts, and of smart inventories.

use std::collections::BTreeSet;
use std::sync::Arc;

use hostler_database::Dialect;
use hostler_engine::query::{self, FilterPath, Formula, QueryError};
use hostler_engine::{Engine, Error, Links};
use hostler_host_filter::{FACTS, FactTest, HostFilter, Test};
use hostler_inventory::{SmartInventories, SmartInventory};
use hostler_schema::{Actor, Field, Resource, column, fields};
use sea_query::{Alias, CaseStatement, Condition, Expr, ExprTrait, Query};

use crate::{GROUP, HOST, INVENTORY, INVENTORY_SOURCE, JOB, JOB_HOST_SUMMARY, LABEL, ORGANIZATION};

/// The parameter of lists of hosts.
pub(super) const PARAMETER: Field = fields::text("host_filter").label("Host filter").help(
    "Tests of the form `key=value` with the keys of filters, joined by `and`, `or` and parentheses; values with spaces in \
     double quotes. `ansible_facts__key=value` searches the cached facts.",
);

/// The condition on listed hosts for the parameter `host_filter`, by what the actor may see; none without a filter.
///
/// # Errors
/// [`Error::BadRequestError`] for an invalid filter.
pub(super) fn of_list(
    engine: &Engine,
    actor: &Actor,
    parameters: &[(String, String)],
    row: &str,
) -> Result<Option<Condition>, Error> {
    let Some((_, text)) = parameters.iter().rfind(|(name, _)| name == PARAMETER.name) else { return Ok(None) };
    if text.is_empty() {
        return Ok(None);
    }
    let dialect = engine.database.dialect();
    let wrong = |problem: String| Error::BadRequestError(problem);
    let formula = formula(text, dialect, row).map_err(wrong)?;
    let condition = query::formula(&engine.links, &HOST, &formula, Some(actor), dialect, row, &|_| Ok(()));
    condition.map(Some).map_err(|problem| wrong(problem.to_string()))
}

/// Finds the hosts of smart inventories.
pub struct SmartHosts {
    links: Arc<Links>,
    dialect: Dialect,
}

impl SmartHosts {
    /// For a database of this dialect.
    pub fn new(links: Arc<Links>, dialect: Dialect) -> Self {
        SmartHosts { links, dialect }
    }

    /// For the database of this engine.
    pub(super) fn of(engine: &Engine) -> Self {
        SmartHosts::new(Arc::clone(&engine.links), engine.database.dialect())
    }

    /// The condition on hosts under the alias `row` that the filter matches them. It depends on no actor, so that all who
    /// see the inventory see the same hosts: it follows only relations within the organization.
    ///
    /// # Errors
    /// The reason why the filter is invalid.
    pub(super) fn condition(&self, host_filter: &str, row: &str) -> Result<Condition, String> {
        let formula = formula(host_filter, self.dialect, row)?;
        query::formula(&self.links, &HOST, &formula, None, self.dialect, row, &check_path)
            .map_err(|problem| problem.to_string())
    }
}

impl SmartInventories for SmartHosts {
    /// Of hosts with the same name, the oldest one counts.
    fn hosts(&self, inventory: &SmartInventory, row: &str) -> Result<Condition, String> {
        const OLDER: &str = "older";
        let matching = |row: &str| -> Result<Condition, String> {
            let of_organization = Query::select()
                .expr(column(INVENTORY.table, "id"))
                .from(Alias::new(INVENTORY.table))
                .and_where(column(INVENTORY.table, "organization_id").eq(inventory.organization))
                .and_where(column(INVENTORY.table, "kind").eq(""))
                .and_where_option(INVENTORY.not_deleted(INVENTORY.table))
                .to_owned();
            let own = column(row, "inventory_id").in_subquery(of_organization);
            Ok(Condition::all().add(own).add(self.condition(&inventory.host_filter, row)?))
        };
        // In a CASE, so that the databases look for hosts with the name first, of which there are few.
        let also_matches = CaseStatement::new()
            .case(column(OLDER, "id").is_not_null(), Expr::from(matching(OLDER)?))
            .finally(Expr::Constant(false.into()));
        let older = Query::select()
            .expr(Expr::Constant(1i64.into()))
            .from_as(Alias::new(HOST.table), Alias::new(OLDER))
            .and_where(column(OLDER, "name").eq(column(row, "name")))
            .and_where(column(OLDER, "id").lt(column(row, "id")))
            .and_where(also_matches.into())
            .to_owned();
        Ok(matching(row)?.add(Expr::exists(older).not()))
    }
}

/// Refuses what the filter of a smart inventory must not compare: objects beyond the organization and its jobs, and of
/// those more than summaries show. Its author, who administers the inventories of the organization, may not see them.
fn check_path(path: FilterPath<'_>) -> Result<(), QueryError> {
    let mut from: &'static Resource = &HOST;
    for to in path.resources {
        let within: &[&Resource] = match from.name {
            name if name == HOST.name => &[&GROUP, &INVENTORY, &INVENTORY_SOURCE, &JOB, &JOB_HOST_SUMMARY],
            name if name == GROUP.name => &[&GROUP, &HOST, &INVENTORY, &INVENTORY_SOURCE],
            name if name == INVENTORY.name => &[&GROUP, &HOST, &INVENTORY_SOURCE, &LABEL, &ORGANIZATION],
            name if name == JOB_HOST_SUMMARY.name => &[&JOB],
            _ => &[],
        };
        if !within.iter().any(|allowed| allowed.name == to.name) {
            let (from, to) = (from.label, to.label);
            let detail = format!("The filter of a smart inventory cannot follow relations from {from} to {to}.");
            return Err(QueryError::BadRequest(detail));
        }
        from = to;
    }
    if [&HOST, &GROUP, &INVENTORY].iter().any(|resource| resource.name == from.name) {
        return Ok(());
    }
    let is_shown = |name: &&str| {
        *name == "id" || from.summarized_as.iter().any(|shown| from.field(shown).is_some_and(|f| f.column == *name))
    };
    match path.columns.iter().all(is_shown) {
        true => Ok(()),
        false => {
            let detail =
                format!("The filter of a smart inventory can only compare what summaries show of {}.", from.label);
            Err(QueryError::BadRequest(detail))
        }
    }
}

/// The lookup that AWX refuses in the filter of a smart inventory: it would be the key of a fact.
pub(super) fn lookup_of_fact(host_filter: &str) -> Option<String> {
    fn find(filter: &HostFilter) -> Option<String> {
        match filter {
            HostFilter::All(parts) | HostFilter::Any(parts) => parts.iter().find_map(find),
            HostFilter::Test(test) => FactTest::of(test).ok()??.lookup().map(str::to_owned),
        }
    }
    find(&hostler_host_filter::parse(host_filter).ok()?)
}

/// The message for such a lookup.
pub(super) fn lookup_message(lookup: &str) -> String {
    format!("{FACTS} does not support searching with __{lookup}")
}

fn formula(text: &str, dialect: Dialect, row: &str) -> Result<Formula, String> {
    let filter = hostler_host_filter::parse(text).map_err(|problem| problem.to_string())?;
    formula_of(&filter, dialect, row)
}

/// The depth is bounded by the parser.
fn formula_of(filter: &HostFilter, dialect: Dialect, row: &str) -> Result<Formula, String> {
    let parts = |parts: &[HostFilter]| -> Result<Vec<Formula>, String> {
        parts.iter().map(|part| formula_of(part, dialect, row)).collect()
    };
    Ok(match filter {
        HostFilter::All(all) => Formula::All(parts(all)?),
        HostFilter::Any(any) => Formula::Any(parts(any)?),
        HostFilter::Test(test) => match FactTest::of(test).map_err(|problem| problem.to_string())? {
            Some(fact) => Formula::Condition(dialect.json_contains(column(row, FACTS), &fact.document())),
            None => Formula::Filter(test.key.clone(), text_of(test)?),
        },
    })
}

/// The value of a test in the form that parameters of lists have.
fn text_of(test: &Test) -> Result<String, String> {
    let text = &test.value.text;
    match test.key.rsplit("__").next() {
        // The whole text is one term.
        Some("search") if test.key == "search" => Ok(format!("\"{text}\"")),
        // As in AWX, a list of the characters.
        Some("in") if test.key != "in" => match test.value.typed().as_str() {
            Some(_) => {
                let characters: BTreeSet<String> = text.chars().filter(|c| *c != ',').map(String::from).collect();
                Ok(characters.into_iter().collect::<Vec<_>>().join(","))
            }
            None => Err(format!("Invalid query {}={text}", test.key)),
        },
        _ => Ok(text.clone()),
    }
}
