//! Query parameters of lists, compiled to the conditions, the order and the page of a statement.
//!
//! ```text
//! [or__|chain__|not__]* path [__lookup] [__int] = value
//! path = name (__ name)*        relations, then a field or a relation
//! ```
//!
//! The description of the resource determines the allowed fields and relations. Each relation includes only rows that
//! the actor may see.

mod error;
mod field_test;
mod formula;
mod join;
mod limits;
mod lookup;
mod order;
mod page;
mod parse;
mod search;
mod value;

use hostler_access::has_role_or_permission;
use hostler_database::Dialect;
use hostler_schema::{Actor, Resource, Rule, column};
use sea_query::{Condition, Expr, ExprTrait, Order};

pub use error::QueryError;
pub use field_test::FieldTest;
pub use formula::{FilterPath, Formula, formula};
pub use page::{Page, PageNumber, first_rows, page_link};

use join::{Compiler, Filter};
use limits::Budget;
use parse::{Clause, Combine};

use crate::links::Links;

/// The parsed parameters of a list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The condition of the filters, without the visibility of the listed rows.
    pub filter: Condition,
    /// The order; it always ends with the id.
    pub order: Vec<(Expr, Order)>,
    /// The page.
    pub page: Page,
    /// Whether the response contains the count and links to other pages.
    pub count: bool,
}

/// Parameters that are not filters by a field. They are used elsewhere or ignored, as in AWX.
const RESERVED: &[&str] =
    &["page", "page_size", "format", "type", "count_disabled", "no_truncate", "limit", "validate"];

/// Parses the decoded parameters of a list, in their order.
///
/// `row` is the alias of the resource's table in the query.
///
/// # Errors
/// [`QueryError`], with AWX's messages where they are known.
pub fn parse(
    links: &Links,
    resource: &'static Resource,
    pairs: &[(String, String)],
    actor: &Actor,
    dialect: Dialect,
    row: &str,
) -> Result<ListQuery, QueryError> {
    parse_with(links, resource, pairs, actor, dialect, row, &[])
}

/// The tests of listed rows whose conditions the hooks may find.
///
/// # Errors
/// As [`parse`].
pub fn field_tests(
    links: &Links,
    resource: &'static Resource,
    pairs: &[(String, String)],
) -> Result<Vec<FieldTest>, QueryError> {
    if !resource.fields.iter().any(|field| field.filtered_by_hooks) {
        return Ok(Vec::new());
    }
    let parameters = Parameters::read(links, resource, pairs, &mut Budget::default())?;
    Ok(parameters.clauses.iter().flat_map(|clause| field_test::of_filters(&clause.filters)).collect())
}

/// As [`parse`], with the conditions that the hooks have found.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(
    links: &Links,
    resource: &'static Resource,
    pairs: &[(String, String)],
    actor: &Actor,
    dialect: Dialect,
    row: &str,
    found: &[(FieldTest, Expr)],
) -> Result<ListQuery, QueryError> {
    let mut budget = Budget::default();
    let Parameters { clauses, orders, role_levels } = Parameters::read(links, resource, pairs, &mut budget)?;
    let role_levels: Vec<Rule> =
        role_levels.into_iter().map(|text| role_level(resource, text, actor, row)).collect::<Result<_, _>>()?;
    let mut compiler = Compiler::new(Some(actor), dialect, found, row);
    let filter = combine(clauses, &mut compiler, row)?;
    let filter = role_levels.into_iter().fold(filter, |filter, rule| match rule {
        Rule::All => filter,
        rule => filter.add(rule.condition()),
    });
    let filter = of_types(resource, pairs, row).into_iter().fold(filter, Condition::add);
    let order = order::order(links, resource, &orders, &mut budget, &mut compiler, row)?;
    let page = Page::parse(pairs)?;
    let count = !pairs.iter().any(|(key, _)| key == "count_disabled");
    Ok(ListQuery { filter, order, page, count })
}

/// The parameters of a list by their kind.
struct Parameters<'a> {
    clauses: Vec<Clause>,
    orders: Vec<&'a str>,
    role_levels: Vec<&'a str>,
}

impl<'a> Parameters<'a> {
    fn read(
        links: &Links,
        resource: &'static Resource,
        pairs: &'a [(String, String)],
        budget: &mut Budget,
    ) -> Result<Self, QueryError> {
        let mut parameters = Parameters { clauses: Vec::new(), orders: Vec::new(), role_levels: Vec::new() };
        // If the parameter is repeated, the last value counts, as in AWX.
        let mut searched = None;
        for (key, text) in pairs {
            match key.as_str() {
                "" => {}
                "order_by" | "order" => parameters.orders.push(text),
                "search" => searched = Some(text.as_str()),
                "role_level" => {
                    budget.parameter()?;
                    parameters.role_levels.push(text);
                }
                key if RESERVED.contains(&key) || resource.own_parameters.iter().any(|own| own.name == key) => {}
                key => {
                    budget.parameter()?;
                    parameters.clauses.push(parse::clause(links, resource, key, text, budget)?);
                }
            }
        }
        if let Some(text) = searched {
            budget.parameter()?;
            let filters = search::own(links, resource, text, budget)?;
            parameters.clauses.push(Clause { combine: Combine::And, negated: false, filters });
        }
        Ok(parameters)
    }
}

/// The objects on which the actor has this role, directly, through a team or through another role, or has its
/// permission by a custom role definition.
fn role_level(resource: &'static Resource, field: &str, actor: &Actor, row: &str) -> Result<Rule, QueryError> {
    let found = match resource.variants {
        Some(variants) => variants
            .iter()
            .any(|variant| variant.role(field).is_some())
            .then(|| variants.rule(row, |variant| rows_with_role(variant, field, actor, row).unwrap_or(Rule::None))),
        None if resource.roles.is_empty() => {
            let detail = format!("role_level does not apply to this list: {} has no roles.", resource.label);
            return Err(QueryError::bad(detail));
        }
        None => rows_with_role(resource, field, actor, row),
    };
    found.ok_or_else(|| QueryError::bad(format!("{} has no role named '{field}'", resource.label)))
}

/// None if the resource has no such role.
fn rows_with_role(resource: &'static Resource, field: &str, actor: &Actor, row: &str) -> Option<Rule> {
    let role = resource.role(field)?;
    let action = match role.field {
        "read_role" => "view",
        "admin_role" => "change",
        field => field.strip_suffix("_role").unwrap_or(field),
    };
    Some(has_role_or_permission(resource, role.field, action, actor, row))
}

/// The condition of the parameter `type`, a comma-separated list of types, if it excludes any row. If it is repeated,
/// the last one counts, as in AWX.
fn of_types(resource: &Resource, pairs: &[(String, String)], row: &str) -> Option<Expr> {
    let (_, types) = pairs.iter().rev().find(|(key, _)| key == "type")?;
    let is_listed = |resource: &Resource| types.split(',').any(|name| name == resource.name);
    match resource.variants {
        Some(variants) => {
            let listed = variants.iter().filter(|variant| is_listed(variant));
            Some(column(row, variants.column).is_in(listed.map(|variant| variant.name)))
        }
        None if is_listed(resource) => None,
        None => Some(Expr::val(1).eq(0)),
    }
}

fn combine(clauses: Vec<Clause>, compiler: &mut Compiler<'_>, row: &str) -> Result<Condition, QueryError> {
    let mut together: Vec<Filter> = Vec::new();
    let mut alone = Vec::new();
    let mut alternatives = Condition::any();
    let mut found = Condition::any();
    for clause in clauses {
        // An empty search has no effect.
        if clause.filters.is_empty() {
            continue;
        }
        if clause.combine == Combine::And && !clause.negated {
            together.extend(clause.filters);
            continue;
        }
        let condition = by_itself(&clause, compiler, row)?;
        match clause.combine {
            Combine::And | Combine::Chain => alone.push(condition),
            Combine::Or => alternatives = alternatives.add(condition),
            Combine::Search => found = found.add(condition),
        }
    }
    let parts = [compiler.all(&together, row)?, alternatives, found];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    Ok(parts.chain(alone).fold(Condition::all(), Condition::add))
}

/// The condition of one parameter, where each of its filters may match other related rows.
fn by_itself(clause: &Clause, compiler: &mut Compiler<'_>, row: &str) -> Result<Condition, QueryError> {
    if clause.negated {
        return Ok(Condition::all().add(compiler.not_all(&clause.filters, row)?));
    }
    let mut condition = Condition::all();
    for filter in &clause.filters {
        condition = condition.add(compiler.all(std::slice::from_ref(filter), row)?);
    }
    Ok(condition)
}
