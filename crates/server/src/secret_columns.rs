//! Where sealed secrets stand: what a rotation of keys has to go through.

use hostler_resources::REGISTRY;
use hostler_schema::FieldKind;
use hostler_vault::{Encoding, SecretColumn};

/// Every column with sealed secrets: those of resources by their kind, and those
/// of tables that are no resource. One that is missing here would become
/// unreadable when the key is rotated; `tests/http/secret_keys.rs` looks for such.
pub fn secret_columns() -> Vec<SecretColumn> {
    let fields = REGISTRY.0.iter().flat_map(|entry| entry.resource.fields.iter().map(|field| (entry.resource, field)));
    let mut columns: Vec<SecretColumn> = fields
        .filter_map(|(resource, field)| {
            let encoding = match field.kind {
                FieldKind::Encrypted => Encoding::Text { field: field.name, owner: "id" },
                FieldKind::Inputs => Encoding::Members { field: field.name },
                _ => return None,
            };
            Some(SecretColumn { kind: resource.name, table: resource.table, column: field.column, encoding })
        })
        .collect();
    columns.extend([
        SecretColumn {
            kind: "setting",
            table: "settings",
            column: "value",
            encoding: Encoding::Named { name: "name" },
        },
        SecretColumn {
            kind: "user",
            table: "second_factors",
            column: "secret",
            encoding: Encoding::Text { field: "second_factor", owner: "user_id" },
        },
    ]);
    columns
}
