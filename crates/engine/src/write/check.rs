//! Validation before a row is written.

use hostler_database::{Transaction, Type, Value};
use hostler_schema::{FieldKind, Resource, UniqueConstraint, column};
use sea_query::{Alias, ExprTrait, Query};

use crate::decode::Problems;
use crate::field_values::{NOT_EMAIL, is_email, no_such, sql_value};
use crate::select::ROW;
use crate::{Edit, Engine, Error};

/// Validates a row before it is written. As in AWX, decoding and link errors are reported first; rules that compare
/// with other rows are checked only if there are none.
pub(super) async fn check(
    engine: &Engine,
    tx: &mut Transaction,
    edit: &mut Edit<'_>,
    mut problems: Problems,
) -> Result<(), Error> {
    let resource = edit.new.resource;
    for field in resource.fields.iter().filter(|field| field.writable) {
        if problems.has(field.name) || !edit.changes(field) {
            continue;
        }
        let Value::Integer(id) = *edit.new.get(field) else { continue };
        let exists = match field.kind {
            FieldKind::Reserved => false,
            FieldKind::Link(target) => exists(tx, target(), id).await?,
            _ => true,
        };
        if !exists {
            problems.add(field.name, no_such(&id.to_string()));
        }
    }
    if !problems.0.is_empty() {
        return Err(Error::Invalid(problems.0));
    }
    for field in resource.fields.iter().filter(|field| matches!(field.kind, FieldKind::Email)) {
        if edit.changes(field) && !is_email(edit.new.text(field)) {
            problems.add(field.name, NOT_EMAIL);
        }
    }
    let hooks = engine.registry.hooks(resource);
    hooks.derive(engine, tx, edit).await.or_else(|failure| collect_messages(failure, &mut problems))?;
    for unique in resource.unique {
        if taken(tx, edit, unique).await? {
            problems.add(unique.key, unique.message);
        }
    }
    hooks.validate(engine, tx, edit).await.or_else(|failure| collect_messages(failure, &mut problems))?;
    if problems.0.is_empty() { Ok(()) } else { Err(Error::Invalid(problems.0)) }
}

/// Adds the validation messages of a hook to the others; returns any other error. A field whose value could not be read
/// keeps the message that says so.
pub(super) fn collect_messages(failure: Error, problems: &mut Problems) -> Result<(), Error> {
    match failure {
        Error::Invalid(mut found) => {
            found.retain(|(field, _)| field == WHOLE_OBJECT || !problems.has(field));
            for (field, messages) in found {
                for message in messages {
                    problems.add(&field, message);
                }
            }
            Ok(())
        }
        other => Err(other),
    }
}

/// The key of messages that are about no single field.
const WHOLE_OBJECT: &str = "__all__";

async fn exists(tx: &mut Transaction, target: &'static Resource, id: i64) -> Result<bool, Error> {
    let query = Query::select()
        .expr(column(ROW, "id"))
        .from_as(Alias::new(target.table), Alias::new(ROW))
        .and_where(column(ROW, "id").eq(id))
        .and_where_option(target.not_deleted(ROW))
        .to_owned();
    Ok(!tx.read(&query, &[Type::Integer]).await?.is_empty())
}

/// Whether another row has the same values of unique fields.
async fn taken(tx: &mut Transaction, edit: &Edit<'_>, unique: &UniqueConstraint) -> Result<bool, Error> {
    let resource = edit.new.resource;
    let fields: Vec<_> = unique.fields.iter().filter_map(|name| resource.field(name)).collect();
    if !fields.iter().any(|field| edit.changes(field)) {
        return Ok(false);
    }
    let mut query = Query::select();
    query.expr(column(ROW, "id")).from_as(Alias::new(resource.table), Alias::new(ROW)).limit(1);
    for field in fields {
        query.and_where(column(ROW, field.column).eq(sql_value(edit.new.get(field), field.kind)));
    }
    if let Some(old) = &edit.old {
        query.and_where(column(ROW, "id").ne(old.id));
    }
    Ok(!tx.read(&query, &[Type::Integer]).await?.is_empty())
}
