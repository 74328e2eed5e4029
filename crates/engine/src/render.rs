//! Serializes a loaded object to JSON.

use hostler_database::{Row, Type, Value};
use hostler_schema::{Actor, Field, FieldKind, Resource, column};
use jiff::Timestamp;
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::field_values::{ENCRYPTED, json_value, type_of};
use crate::hooks::RenderContext;
use crate::named_url;
use crate::select::{LoadedObject, ROW, summary_fields, visible};
use crate::{Engine, Error};

/// A time in responses: in UTC.
pub fn time_text(time: Timestamp) -> String {
    // As in AWX: with microseconds, unless they are zero.
    if time.subsec_nanosecond() == 0 { time.to_string() } else { format!("{time:.6}") }
}

/// The object as JSON, without the keys of the hooks.
pub(crate) fn render(loaded: &LoadedObject, view: RenderContext<'_>) -> Map<String, Json> {
    let record = &loaded.record;
    let resource = record.resource;
    let mut json = Map::with_capacity(resource.fields.len() + 5);
    json.insert("id".into(), record.id.into());
    json.insert("type".into(), resource.name.into());
    json.insert("url".into(), resource.url(record.id).into());
    json.insert("related".into(), related(loaded, view).into());
    json.insert("summary_fields".into(), summaries(loaded, view).into());
    for (field, value) in resource.fields.iter().zip(&record.values) {
        if field.shown && (view.detail || !field.detail_only) && !matches!(field.kind, FieldKind::Id) {
            let shown = json_value(field.kind, value);
            json.insert(field.name.into(), if matches!(field.kind, FieldKind::Inputs) { masked(shown) } else { shown });
        }
    }
    json
}

/// The values of an `inputs` document, with a mask for each secret.
fn masked(mut inputs: Json) -> Json {
    if let Json::Object(values) = &mut inputs {
        for value in values.values_mut().filter(|value| value.as_str().is_some_and(hostler_vault::is_encrypted)) {
            *value = ENCRYPTED.into();
        }
    }
    inputs
}

fn related(loaded: &LoadedObject, view: RenderContext<'_>) -> Map<String, Json> {
    let resource = loaded.record.resource;
    let mut links = Map::with_capacity(resource.sublists.len() + resource.actions.len() + 4);
    if view.detail
        && let Some(url) = named_url::of(loaded)
    {
        links.insert("named_url".into(), url.into());
    }
    for (link, id, values) in loaded.linked().filter(|(link, ..)| link.field.in_related) {
        if let Some(target) = link.resource_of(values) {
            links.insert(link.field.name.into(), target.url(id).into());
        }
    }
    let url = resource.url(loaded.record.id);
    let lists = resource.sublists.iter().filter(|sublist| sublist.linked).map(|sublist| (sublist.name, sublist.name));
    let actions = resource.actions.iter().filter_map(|action| Some((action.link?, action.path)));
    for (key, path) in lists.chain(actions) {
        links.insert(key.into(), [&url, path, "/"].concat().into());
    }
    links
}

fn summaries(loaded: &LoadedObject, view: RenderContext<'_>) -> Map<String, Json> {
    let resource = loaded.record.resource;
    let mut summaries = Map::with_capacity(loaded.summaries.len() + 3);
    if let (Some(shared_type), Some(ansible_id)) = (resource.shared_type, &loaded.ansible_id) {
        summaries.insert("resource".into(), json!({"ansible_id": ansible_id, "resource_type": shared_type}));
    }
    for (link, id, values) in loaded.linked() {
        if let Some(values) = values {
            summaries.insert(link.field.name.into(), summary_of(link.summary_fields(), id, values).into());
        }
    }
    if resource.capabilities {
        let can_write = view.actor.can_write;
        let mut capabilities = Map::new();
        if resource.editable {
            capabilities.insert("edit".into(), (can_write && loaded.changeable).into());
        }
        capabilities.insert("delete".into(), (can_write && loaded.deletable).into());
        for ((keys, _), allowed) in resource.capability_rules().zip(&loaded.capabilities) {
            capabilities.extend(keys.iter().map(|key| ((*key).to_owned(), (can_write && *allowed).into())));
        }
        summaries.insert("user_capabilities".into(), capabilities.into());
    }
    summaries
}

/// The fields of an object in the `summary_fields` of others.
fn summary_of(fields: impl Iterator<Item = &'static Field>, id: i64, values: &[Value]) -> Map<String, Json> {
    let mut summary = Map::new();
    summary.insert("id".into(), id.into());
    for (field, value) in fields.zip(values) {
        summary.insert(field.name.into(), json_value(field.kind, value));
    }
    summary
}

/// The summaries of those of these objects that the actor may see, by id.
///
/// # Errors
/// Database errors.
pub async fn summarize(
    engine: &Engine,
    actor: &Actor,
    target: &'static Resource,
    ids: &[i64],
) -> Result<Vec<(i64, Map<String, Json>)>, Error> {
    let mut query = Query::select();
    let mut types = vec![Type::Integer];
    query.expr(column(ROW, "id")).from_as(Alias::new(target.table), Alias::new(ROW));
    for field in summary_fields(target) {
        query.expr(column(ROW, field.column));
        types.push(type_of(field.kind));
    }
    query.and_where(column(ROW, "id").is_in(ids.iter().copied())).cond_where(visible(target, actor).condition());
    let rows = engine.read_with_rules(actor, query, &types).await?;
    let summary = |row: &Row| row.integer(0).map(|id| (id, summary_of(summary_fields(target), id, &row.0[1..])));
    let mut summaries: Vec<(i64, Map<String, Json>)> = rows.iter().filter_map(summary).collect();
    if target.summarized_by_hooks && !summaries.is_empty() {
        let mut enriched: Vec<_> = summaries.iter_mut().map(|(id, summary)| (*id, summary)).collect();
        engine.registry.hooks(target).enrich_summaries(engine, &mut enriched).await?;
    }
    Ok(summaries)
}
