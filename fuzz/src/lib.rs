//! What several targets need.

use hostler_resources::REGISTRY;
use hostler_schema::{Actor, Resource};

/// A resource, by the first byte of an input, and the rest of it.
pub fn resource(data: &[u8]) -> Option<(&'static Resource, &[u8])> {
    let (first, rest) = data.split_first()?;
    let entry = REGISTRY.0.get(usize::from(*first) % REGISTRY.0.len())?;
    Some((entry.resource, rest))
}

/// A user without permissions, for whom every condition is in the statement.
pub fn nobody() -> Actor {
    Actor {
        id: 7,
        username: "ann".to_owned(),
        is_superuser: false,
        is_system_auditor: false,
        is_organization_admin: false,
        can_write: true,
        session: None,
        external_account: None,
        policy: Default::default(),
        job_settings: Default::default(),
    }
}
