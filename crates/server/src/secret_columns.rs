//! Where sealed secrets stand: what a rotation of keys has to go through.

use hostler_resources::REGISTRY;
use hostler_schema::Kind;
use hostler_vault::{Form, Shelf};

/// Every column with sealed secrets: those of resources by their kind, and those
/// of tables that are no resource. One that is missing here would become
/// unreadable when the key is rotated; `tests/http/secret_keys.rs` looks for such.
pub fn secret_columns() -> Vec<Shelf> {
    let fields = REGISTRY.0.iter().flat_map(|entry| entry.resource.fields.iter().map(|field| (entry.resource, field)));
    let mut secret_columns: Vec<Shelf> = fields
        .filter_map(|(resource, field)| {
            let form = match field.kind {
                Kind::Sealed => Form::Text { field: field.name, owner: "id" },
                Kind::Inputs => Form::Members { field: field.name },
                _ => return None,
            };
            Some(Shelf { kind: resource.name, table: resource.table, column: field.column, form })
        })
        .collect();
    secret_columns.extend([
        Shelf { kind: "setting", table: "settings", column: "value", form: Form::Named { name: "name" } },
        Shelf {
            kind: "user",
            table: "second_factors",
            column: "secret",
            form: Form::Text { field: "second_factor", owner: "user_id" },
        },
    ]);
    secret_columns
}
