//! URLs that name an object by its natural key, such as `/teams/ops++acme/`.
//!
//! As in AWX an object's own parts are joined by `+` and followed by those of the linked objects, each after a `++`; a
//! plus sign within a part is written `[+]`, and reserved characters of URLs are percent-encoded.

use std::iter::Peekable;

use hostler_database::Value;
use hostler_schema::{Field, NaturalKeyPart, Resource, column};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use sea_query::{Alias, Condition, ExprTrait, Query};

use crate::select::{LoadedObject, SummaryLink};

/// The separator between an object and a linked one.
const SEPARATOR: &str = "++";
/// The separator between the parts of one object.
const JOINER: &str = "+";
/// The characters that are percent-encoded in a part.
const RESERVED: &AsciiSet =
    &CONTROLS.add(b';').add(b'/').add(b'?').add(b':').add(b'@').add(b'=').add(b'&').add(b'%').add(b'#');

/// The named URL of an object; none if the resource has no natural key, or if a linked object in it is hidden from the
/// actor.
pub(crate) fn of(loaded: &LoadedObject) -> Option<String> {
    let resource = loaded.record.resource;
    if resource.natural_key.is_empty() {
        return None;
    }
    let mut groups = vec![vec![]];
    for key in resource.natural_key {
        match key {
            NaturalKeyPart::Field(name) => groups[0].push(loaded.record.text(resource.field(name)?).to_owned()),
            NaturalKeyPart::Link(name) => {
                let Some((link, _, values)) = loaded.linked().find(|(link, ..)| link.field.name == *name) else {
                    // A null link has an empty part.
                    groups.push(vec![String::new()]);
                    continue;
                };
                // A link to a hidden object: no named URL.
                let values = values?;
                let mut group = vec![];
                for key in link.target.natural_key {
                    let NaturalKeyPart::Field(name) = key else { continue };
                    let position = link.columns.iter().position(|field| field.name == *name)?;
                    let Value::Text(text) = values.get(position)? else { return None };
                    group.push(text.clone());
                }
                groups.push(group);
                groups.extend(distant_groups(link, values)?);
            }
        }
    }
    let encoded: Vec<String> =
        groups.iter().map(|parts| parts.iter().map(|part| encode(part)).collect::<Vec<_>>().join(JOINER)).collect();
    Some(format!("/api/v2/{}/{}/", resource.plural, encoded.join(SEPARATOR)))
}

/// The parts of the objects that a linked object links to; none if one of them is hidden from the actor.
fn distant_groups(link: &SummaryLink, values: &[Value]) -> Option<Vec<Vec<String>>> {
    let mut groups: Vec<(&str, Vec<String>)> = vec![];
    for ((through, ..), value) in link.distant.iter().zip(values.get(link.columns.len()..)?) {
        let Value::Text(text) = value else { return None };
        match groups.last_mut() {
            Some((name, parts)) if *name == through.name => parts.push(text.clone()),
            _ => groups.push((through.name, vec![text.clone()])),
        }
    }
    Some(groups.into_iter().map(|(_, parts)| parts).collect())
}

fn encode(part: &str) -> String {
    utf8_percent_encode(part, RESERVED).to_string().replace('[', "%5B").replace(']', "%5D").replace('+', "[+]")
}

/// Whether the rest of a path can be a named URL of this resource.
pub(crate) fn fits(resource: &'static Resource, name: &str) -> bool {
    parse(resource, name).is_some()
}

/// The condition that the row `row` has this natural key, or `None` if the name has the wrong number of parts.
pub(crate) fn condition(resource: &'static Resource, name: &str, row: &str) -> Option<Condition> {
    Some(parse(resource, name)?.condition(row))
}

/// The links of a resource that this name leaves open.
pub(crate) fn open_links(resource: &'static Resource, name: &str) -> Vec<&'static Field> {
    parse(resource, name)
        .map(|parsed| parsed.links.into_iter().filter(|(_, linked)| linked.is_none()).map(|(field, _)| field).collect())
        .unwrap_or_default()
}

/// A natural key in a path.
struct NamedUrl {
    resource: &'static Resource,
    fields: Vec<(&'static Field, String)>,
    /// The linked objects. As in AWX one empty part leaves open what the object links to; [`preferred`] chooses.
    links: Vec<(&'static Field, Option<NamedUrl>)>,
}

impl NamedUrl {
    fn condition(self, row: &str) -> Condition {
        let mut all = Condition::all();
        for (field, text) in self.fields {
            all = all.add(column(row, field.column).eq(text));
        }
        for (field, linked) in self.links {
            let Some(linked) = linked else { continue };
            let found = Query::select()
                .expr(column("named", "id"))
                .from_as(Alias::new(linked.resource.table), Alias::new("named"))
                .cond_where(linked.condition("named"))
                .to_owned();
            all = all.add(column(row, field.column).in_subquery(found));
        }
        all
    }
}

/// The groups of a named URL that are not read yet.
type Groups = Peekable<std::vec::IntoIter<Vec<String>>>;

fn parse(resource: &'static Resource, name: &str) -> Option<NamedUrl> {
    let mut groups = split(name).into_iter().peekable();
    let parsed = parse_groups(resource, &mut groups)?;
    groups.next().is_none().then_some(parsed)
}

fn parse_groups(resource: &'static Resource, groups: &mut Groups) -> Option<NamedUrl> {
    if resource.natural_key.is_empty() {
        return None;
    }
    let mut own = groups.next()?.into_iter();
    let mut parsed = NamedUrl { resource, fields: vec![], links: vec![] };
    for key in resource.natural_key {
        match key {
            NaturalKeyPart::Field(name) => parsed.fields.push((resource.field(name)?, own.next()?)),
            NaturalKeyPart::Link(name) => {
                let field = resource.field(name)?;
                let target = field.kind.target()?;
                let linked = if field.nullable && groups.peek().is_some_and(|parts| is_open(parts)) {
                    groups.next();
                    None
                } else {
                    Some(parse_groups(target, groups)?)
                };
                parsed.links.push((field, linked));
            }
        }
    }
    own.next().is_none().then_some(parsed)
}

fn is_open(parts: &[String]) -> bool {
    parts.iter().all(String::is_empty)
}

/// Which of the objects with a name is meant: the one that links to nothing where the name leaves a link open, or the only
/// one. None if several fit equally well.
pub(crate) fn preferred<T>(found: Vec<T>, links_nowhere: impl Fn(&T) -> bool) -> Option<T> {
    let is_only = found.len() == 1;
    let mut fitting = found.into_iter().filter(|one| is_only || links_nowhere(one));
    let first = fitting.next();
    if fitting.next().is_some() { None } else { first }
}

/// Splits at `++` and `+`, but not within `[+]`; the path is already percent-decoded.
fn split(name: &str) -> Vec<Vec<String>> {
    // Paths with this character are rejected earlier.
    const PLACEHOLDER: &str = "\0";
    let replaced = name.replace("[+]", PLACEHOLDER);
    let parts = |group: &str| group.split(JOINER).map(|part| part.replace(PLACEHOLDER, "+")).collect();
    replaced.split(SEPARATOR).map(parts).collect()
}
