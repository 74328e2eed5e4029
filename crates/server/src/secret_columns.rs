//! The columns with encrypted secrets, for the rotation of keys.

use hostler_resources::{JOB, REGISTRY};
use hostler_schema::FieldKind;
use hostler_vault::{Encoding, SecretColumn};

/// All columns with encrypted secrets: those of resources by the kind of their fields, and those of other tables. A column
/// missing here would become unreadable when keys are rotated; `tests/http/secret_keys.rs` looks for such columns.
pub fn secret_columns() -> Vec<SecretColumn> {
    let fields = REGISTRY.0.iter().flat_map(|entry| entry.resource.fields.iter().map(|field| (entry.resource, field)));
    // Those without a column are in requests only.
    let fields = fields.filter(|(_, field)| !field.column.is_empty());
    let mut columns: Vec<SecretColumn> = fields
        .filter_map(|(resource, field)| {
            let encoding = match field.kind {
                FieldKind::Encrypted => Encoding::Text { field: field.name, owner: "id" },
                FieldKind::Inputs => Encoding::Members { field: field.name },
                _ => return None,
            };
            Some(SecretColumn {
                // The secrets of everything that runs are encrypted as those of jobs.
                kind: if resource.stored_in() == JOB.stored_in() { JOB.name } else { resource.name },
                table: resource.table,
                stored_in: resource.stored_in(),
                column: field.column,
                encoding,
            })
        })
        .collect();
    columns.extend([
        SecretColumn {
            kind: "setting",
            table: "settings",
            stored_in: "settings",
            column: "value",
            encoding: Encoding::Named { name: "name" },
        },
        SecretColumn {
            kind: "user",
            table: "second_factors",
            stored_in: "second_factors",
            column: "secret",
            encoding: Encoding::Text { field: "second_factor", owner: "user_id" },
        },
    ]);
    columns
}
