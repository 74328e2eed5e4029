//! Access to internals for the targets in `fuzz/`; compiled for them only.

use std::collections::BTreeMap;

use hostler_schema::{Actor, Resource};
use sea_query::Condition;
use serde_json::{Map, Value as Json};

use crate::decode::{self, Problems};
use crate::{Edit, Record, UpdateMethod, named_url};

/// Decodes the body of a new object and of a changed one; returns the errors of the new one.
pub fn decode(resource: &'static Resource, actor: &Actor, body: &Map<String, Json>) -> Vec<(String, Vec<String>)> {
    let decoded = |old: Option<Record>, method| {
        let mut edit = Edit {
            actor,
            new: old.clone().unwrap_or_else(|| Record::empty(resource)),
            replaces: old.is_some() && method == UpdateMethod::Put,
            old,
            secrets: BTreeMap::new(),
            digests: BTreeMap::new(),
            revealed: BTreeMap::new(),
        };
        let mut problems = Problems::default();
        decode::decode(&mut edit, body, method, &mut problems);
        (edit.new, problems.0)
    };
    let (created, problems) = decoded(None, UpdateMethod::Put);
    for method in [UpdateMethod::Patch, UpdateMethod::Put] {
        let _ = decoded(Some(created.clone()), method);
    }
    problems
}

/// Whether a name in a path can be one of this resource.
pub fn fits(resource: &'static Resource, name: &str) -> bool {
    named_url::fits(resource, name)
}

/// The condition for a name in a path.
pub fn named(resource: &'static Resource, name: &str) -> Option<Condition> {
    named_url::condition(resource, name, "row")
}
