//! URLs that name an object by its natural key, such as `/teams/ops++acme/`.
//!
//! As in AWX the parts are joined by `++`; a plus sign within a part is written
//! `[+]`, and characters with a meaning in URLs are percent-encoded.

use hostler_database::Value;
use hostler_resource::{Key, Kind, Resource, column};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sea_query::{Alias, Condition, ExprTrait, Query};

use crate::select::{Loaded, summary_fields};

/// Between the parts.
const SEPARATOR: &str = "++";
/// What must not stand in a part as it is.
const RESERVED: &AsciiSet =
    &CONTROLS.add(b';').add(b'/').add(b'?').add(b':').add(b'@').add(b'=').add(b'&').add(b'%').add(b'#');

/// The named URL of an object; none if the resource has no natural key, or if
/// a part of it is an object that the actor may not see.
pub(crate) fn of(loaded: &Loaded) -> Option<String> {
    let resource = loaded.record.resource;
    if resource.natural_key.is_empty() {
        return None;
    }
    let mut parts = vec![];
    for key in resource.natural_key {
        match key {
            Key::Field(name) => parts.push(loaded.record.text(resource.field(name)?).to_owned()),
            Key::Link(name) => {
                let position = resource.summaries.iter().position(|summary| summary.name == *name)?;
                let target = (resource.summaries[position].target)();
                // An object that links nowhere has an empty part; one that links to something hidden has no named URL.
                loaded.links.get(position)?.as_ref()?;
                let values = loaded.summaries.get(position)?.as_ref()?;
                for key in target.natural_key {
                    let Key::Field(wanted) = key else { return None };
                    let place = summary_fields(target).position(|field| field.name == *wanted)?;
                    let Value::Text(text) = values.get(place)? else { return None };
                    parts.push(text.clone());
                }
            }
        }
    }
    let encoded: Vec<String> = parts.iter().map(|part| encode(part)).collect();
    Some(format!("/api/v2/{}/{}/", resource.plural, encoded.join(SEPARATOR)))
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string().replace('[', "%5B").replace(']', "%5D").replace('+', "[+]")
}

/// Whether the rest of a path can be a named URL of this resource at all.
pub(crate) fn fits(resource: &'static Resource, name: &str) -> bool {
    !resource.natural_key.is_empty() && split(name).len() == parts_of(resource)
}

/// The condition that the row `row` has this natural key, or `None` if the name
/// has not the right number of parts.
pub(crate) fn condition(resource: &'static Resource, name: &str, row: &str) -> Option<Condition> {
    let mut parts = split(name).into_iter();
    let condition = matching(resource, &mut parts, row)?;
    parts.next().is_none().then_some(condition)
}

fn matching(resource: &'static Resource, parts: &mut impl Iterator<Item = String>, row: &str) -> Option<Condition> {
    if resource.natural_key.is_empty() {
        return None;
    }
    let mut all = Condition::all();
    for key in resource.natural_key {
        match key {
            Key::Field(name) => all = all.add(column(row, resource.field(name)?.column).eq(parts.next()?)),
            Key::Link(name) => {
                let field = resource.field(name)?;
                let Kind::Link(target) = field.kind else { return None };
                let target = target();
                let found = Query::select()
                    .expr(column("named", "id"))
                    .from_as(Alias::new(target.table), Alias::new("named"))
                    .cond_where(matching(target, parts, "named")?)
                    .to_owned();
                all = all.add(column(row, field.column).in_subquery(found));
            }
        }
    }
    Some(all)
}

fn parts_of(resource: &'static Resource) -> usize {
    resource
        .natural_key
        .iter()
        .map(|key| match key {
            Key::Field(_) => 1,
            Key::Link(name) => match resource.field(name).map(|field| field.kind) {
                Some(Kind::Link(target)) => parts_of(target()),
                _ => 1,
            },
        })
        .sum()
}

/// Splits at `++`, but not within `[+]`; the path is percent-decoded already.
fn split(name: &str) -> Vec<String> {
    name.split(SEPARATOR).map(|part| part.replace("[+]", "+")).collect()
}
