//! The query that loads objects of a resource, and the decoding of its rows.

use std::sync::Arc;

use hostler_access::with_user_grants;
use hostler_database::{Row, Type, Value};
use hostler_schema::{Action, Actor, Field, FieldKind, NaturalKeyPart, Resource, Rule, column};
use sea_query::{Alias, CaseStatement, Condition, Expr, ExprTrait, JoinType, Query, SelectStatement};

use crate::Record;
use crate::field_values::{ENCRYPTED, type_of};

/// The alias of the listed resource's table in every query of the engine.
pub(crate) const ROW: &str = "this";

/// A loaded object: its values, its links, and the actor's permissions on it.
#[derive(Clone, Debug)]
pub struct LoadedObject {
    /// The stored values.
    pub record: Record,
    /// The version, which the ETag contains.
    pub version: i64,
    /// Its identity across systems, if the resource has one.
    pub ansible_id: Option<String>,
    /// The links with a summary.
    pub(crate) links: Arc<[SummaryLink]>,
    /// The values of the linked objects that the actor may see, one for each of `links`; each with the name of the
    /// variant at the end if the object has one.
    pub summaries: Vec<Option<Vec<Value>>>,
    /// Whether the actor may see it.
    pub visible: bool,
    /// Whether the actor may change it.
    pub changeable: bool,
    /// Whether the actor may delete it.
    pub deletable: bool,
    /// Whether the actor has each of the other capabilities, in the order of the description.
    pub capabilities: Vec<bool>,
}

impl LoadedObject {
    /// The links with a summary that are not null: each with the id of the linked object, and with its values if the
    /// actor may see it.
    pub(crate) fn linked(&self) -> impl Iterator<Item = (&SummaryLink, i64, Option<&[Value]>)> {
        let links = self.links.iter().zip(&self.summaries);
        links.filter_map(|(link, values)| Some((link, self.record.integer(link.field)?, values.as_deref())))
    }
}

/// A link whose object is summarized in the objects of a [`Selection`].
#[derive(Debug)]
pub(crate) struct SummaryLink {
    pub field: &'static Field,
    pub target: &'static Resource,
    /// What is read of the linked object: the fields of its summary, then the rest of its natural key for named URLs.
    pub columns: Vec<&'static Field>,
    /// The number of fields of its summary.
    summarized: usize,
    /// The fields in the named URL of the linked object that belong to objects which that one links to: each with the
    /// link, the resource and the field.
    pub distant: Vec<(&'static Field, &'static Resource, &'static Field)>,
}

impl SummaryLink {
    /// `in_name` is whether the linked object is part of the named URL.
    fn new(field: &'static Field, target: &'static Resource, in_name: bool) -> Self {
        let mut columns: Vec<_> = summary_fields(target).collect();
        let summarized = columns.len();
        columns.extend(target.natural_key.iter().filter_map(|key| match key {
            NaturalKeyPart::Field(name) if !target.summarized_as.contains(name) => target.field(name),
            _ => None,
        }));
        let distant = if in_name { distant_parts(target) } else { vec![] };
        SummaryLink { field, target, columns, summarized, distant }
    }

    /// The fields of the summary.
    pub fn summary_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.columns.iter().take(self.summarized).copied()
    }

    /// The resource of a linked object with these values: for the base of variants the object's variant, which is
    /// unknown if the actor may not see the object.
    pub fn resource_of(&self, values: Option<&[Value]>) -> Option<&'static Resource> {
        let Some(variants) = self.target.variants else { return Some(self.target) };
        match values?.last()? {
            Value::Text(name) => variants.find(name),
            _ => None,
        }
    }
}

/// The parts of a named URL of this resource that its links contribute.
fn distant_parts(resource: &'static Resource) -> Vec<(&'static Field, &'static Resource, &'static Field)> {
    let links = resource.natural_key.iter().filter_map(|key| match key {
        NaturalKeyPart::Link(name) => resource.field(name).and_then(|link| Some((link, link.target()?))),
        NaturalKeyPart::Field(_) => None,
    });
    let parts = links.flat_map(|(link, target)| {
        target.natural_key.iter().filter_map(move |key| match key {
            NaturalKeyPart::Field(name) => Some((link, target, target.field(name)?)),
            NaturalKeyPart::Link(_) => None,
        })
    });
    parts.collect()
}

/// A SELECT over one resource, with the decoder of its rows.
pub(crate) struct Selection {
    pub query: SelectStatement,
    pub types: Vec<Type>,
    pub reading: RowDecoder,
}

/// Decodes the rows of a [`Selection`].
#[derive(Clone)]
pub(crate) struct RowDecoder {
    resource: &'static Resource,
    links: Arc<[SummaryLink]>,
    /// Whether it is a single object, whose visibility is a column.
    with_visible: bool,
}

/// The expression that a SELECT reads for a field; none if it does not read the field. Secrets stay in the database: an
/// encrypted one is read as `$encrypted$` if it is set.
fn read_as(field: &Field) -> Option<Expr> {
    match (field.kind, field.expression(ROW)?) {
        (FieldKind::Digest, _) => None,
        (FieldKind::Encrypted, stored) => Some(CaseStatement::new().case(stored.ne(""), ENCRYPTED).finally("").into()),
        (_, stored) => Some(stored),
    }
}

/// Whether a SELECT reads this field, of a single object or for a list.
fn is_read(field: &Field, single: bool) -> bool {
    let is_stored = field.is_stored() || field.read_by.is_some();
    is_stored && !matches!(field.kind, FieldKind::Digest) && (single || !field.detail_only)
}

/// The fields of a linked object in a summary.
pub(crate) fn summary_fields(target: &'static Resource) -> impl Iterator<Item = &'static Field> {
    target.summarized_as.iter().filter_map(|name| target.field(name))
}

impl Selection {
    /// Objects of this resource, with whether the actor may see each, for requests that distinguish 403 from 404.
    pub(crate) fn with_visibility(resource: &'static Resource, actor: &Actor) -> Self {
        let mut query = Query::select();
        query.from_as(Alias::new(resource.table), Alias::new(ROW));
        Self::new(resource, actor, true, query)
    }

    /// The objects with the ids of this query, which are visible to the actor.
    ///
    /// The subquery comes first in the FROM clause, so that both databases start with it and join the rest for these
    /// ids only.
    pub(crate) fn for_ids(resource: &'static Resource, actor: &Actor, ids: SelectStatement) -> Self {
        const FOUND: &str = "found";
        let mut query = Query::select();
        // CROSS JOIN, because SQLite then keeps the order of the tables; otherwise its planner chooses it.
        query
            .from_subquery(ids, Alias::new(FOUND))
            .join_as(JoinType::CrossJoin, Alias::new(resource.table), Alias::new(ROW), Condition::all())
            .and_where(column(ROW, "id").eq(column(FOUND, "id")));
        Self::new(resource, actor, false, query)
    }

    /// The objects with these ids, which are visible to the actor.
    pub(crate) fn with_ids(resource: &'static Resource, actor: &Actor, ids: &[i64]) -> Self {
        let mut query = Query::select();
        query
            .from_as(Alias::new(resource.table), Alias::new(ROW))
            .and_where(column(ROW, "id").is_in(ids.iter().copied()));
        Self::new(resource, actor, false, query)
    }

    /// The stored values of an object, with their types.
    pub(crate) fn stored(resource: &'static Resource, id: i64) -> (SelectStatement, Vec<Type>) {
        let fields = || resource.fields.iter().filter(|field| is_read(field, true));
        let query = Query::select()
            .exprs(fields().filter_map(read_as))
            .from_as(Alias::new(resource.table), Alias::new(ROW))
            .and_where(column(ROW, "id").eq(id))
            .to_owned();
        (query, fields().map(|field| type_of(field.kind)).collect())
    }

    fn new(resource: &'static Resource, actor: &Actor, with_visible: bool, mut query: SelectStatement) -> Self {
        let mut types = Vec::with_capacity(resource.fields.len() + 8);
        let read = resource.fields.iter().filter(|field| is_read(field, with_visible));
        for (field, expression) in read.filter_map(|field| Some((field, read_as(field)?))) {
            query.expr(expression);
            types.push(type_of(field.kind));
        }
        query.expr(if resource.editable { column(ROW, "version") } else { Expr::Constant(1i64.into()) });
        types.push(Type::Integer);
        if resource.shared_type.is_some() {
            query.expr(column(ROW, "ansible_id"));
            types.push(Type::Text);
        }
        let in_name = |field: &Field| {
            let is_part = |part: &NaturalKeyPart| matches!(part, NaturalKeyPart::Link(name) if *name == field.name);
            with_visible && resource.natural_key.iter().any(is_part)
        };
        let links: Arc<[_]> =
            resource.summaries().map(|(field, target)| SummaryLink::new(field, target, in_name(field))).collect();
        for (number, SummaryLink { field: link, target, columns, distant, .. }) in links.iter().enumerate() {
            let alias = format!("summary{number}");
            query.expr(column(&alias, "id"));
            types.push(Type::Integer);
            for field in columns {
                query.expr(column(&alias, field.column));
                types.push(type_of(field.kind));
            }
            for (link, target, field) in distant {
                query.expr(visible_value(target, field, column(&alias, link.column), actor));
                types.push(type_of(field.kind));
            }
            if let Some(variants) = target.variants {
                query.expr(column(&alias, variants.column));
                types.push(Type::Text);
            }
            // A summary must not show the name of a hidden object.
            let visible = target.access.rows(actor, Action::Read, &alias).condition();
            let joined = Condition::all().add(column(&alias, "id").eq(column(ROW, link.column))).add(visible);
            query.join_as(JoinType::LeftJoin, Alias::new(target.table), Alias::new(alias), joined);
        }
        let mut rules = vec![];
        if with_visible {
            rules.push(resource.access.rows(actor, Action::Read, ROW));
        }
        rules.push(resource.access.rows(actor, Action::Change, ROW));
        rules.push(resource.access.rows(actor, Action::Delete, ROW));
        rules.extend(
            resource.capability_rules().map(|(_, permit)| permit.map_or(Rule::All, |permit| permit(actor, ROW))),
        );
        for rule in rules {
            query.expr(rule.expression());
            types.push(Type::Boolean);
        }
        let query = with_user_grants(query, actor);
        Selection { query, types, reading: RowDecoder { resource, links, with_visible } }
    }
}

/// Decodes a row of [`Selection::stored`].
pub(crate) fn decode_stored(resource: &'static Resource, id: i64, row: Row) -> Record {
    let mut record = Record { id, ..Record::empty(resource) };
    let fields = resource.fields.iter().enumerate().filter(|(_, field)| is_read(field, true));
    for ((position, _), value) in fields.zip(row.0) {
        record.values[position] = value;
    }
    record
}

impl RowDecoder {
    /// Decodes a row.
    pub(crate) fn load(&self, row: Row) -> LoadedObject {
        let mut cells = row.0.into_iter();
        let mut next = || cells.next().unwrap_or(Value::Null);
        let mut record = Record::empty(self.resource);
        for (position, field) in self.resource.fields.iter().enumerate() {
            if is_read(field, self.with_visible) {
                record.values[position] = next();
            }
        }
        record.id = self.resource.field("id").and_then(|id| record.integer(id)).unwrap_or_default();
        let version = integer(next()).unwrap_or_default();
        let ansible_id = self.resource.shared_type.and_then(|_| match next() {
            Value::Text(text) => Some(text),
            _ => None,
        });
        let mut summaries = vec![];
        for SummaryLink { target, columns, distant, .. } in self.links.iter() {
            let present = integer(next()).is_some();
            let columns = columns.len() + distant.len() + usize::from(target.variants.is_some());
            let values: Vec<Value> = (0..columns).map(|_| next()).collect();
            summaries.push(present.then_some(values));
        }
        let mut allowed = || matches!(next(), Value::Boolean(true));
        let visible = !self.with_visible || allowed();
        let (changeable, deletable) = (allowed(), allowed());
        let capabilities = self.resource.capability_rules().map(|_| allowed()).collect();
        let links = Arc::clone(&self.links);
        LoadedObject { record, version, ansible_id, links, summaries, visible, changeable, deletable, capabilities }
    }
}

/// A field of the object with this id; NULL if the actor may not see it.
fn visible_value(target: &'static Resource, field: &Field, id: Expr, actor: &Actor) -> Expr {
    const DISTANT: &str = "distant";
    let value = Query::select()
        .expr(column(DISTANT, field.column))
        .from_as(Alias::new(target.table), Alias::new(DISTANT))
        .and_where(column(DISTANT, "id").eq(id))
        .cond_where(target.access.rows(actor, Action::Read, DISTANT).condition())
        .to_owned();
    Expr::SubQuery(None, Box::new(value.into()))
}

fn integer(value: Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(number),
        _ => None,
    }
}

/// The condition that a row is visible to the actor.
pub(crate) fn visible(resource: &'static Resource, actor: &Actor) -> Rule {
    resource.access.rows(actor, Action::Read, ROW)
}
