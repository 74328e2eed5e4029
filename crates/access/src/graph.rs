use std::collections::VecDeque;

use hostler_schema::{ImpliedBy, ObjectRole, Resource, Singleton};

/// All roles that imply a certain role of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImplyingRoles {
    /// Roles of the object itself, by `role_field`; the role asked for comes first.
    pub own: Vec<&'static str>,
    /// Roles of the object's organization, by `role_field`.
    pub organization: Vec<&'static str>,
    /// Roles of the team that the object belongs to, by `role_field`. The roles that imply these are in the team's own
    /// graph.
    pub team: Vec<&'static str>,
    /// System-wide roles.
    pub system: Vec<Singleton>,
}

/// The roles that imply `field` on an object of this resource.
///
/// A role that the resource does not have is implied by nothing.
pub fn implying_roles(resource: &'static Resource, field: &'static str) -> ImplyingRoles {
    implying_any(resource, &[field])
}

/// The roles that imply at least one of these on an object of this resource.
pub(crate) fn implying_any(resource: &'static Resource, fields: &[&'static str]) -> ImplyingRoles {
    let mut found = ImplyingRoles::default();
    for field in fields {
        follow(resource.roles, field, &mut found.own, |cause| match cause {
            ImpliedBy::Organization(role) => {
                if let Some((_, organization)) = resource.link("organization") {
                    follow(organization.roles, role, &mut found.organization, |cause| {
                        if let ImpliedBy::System(singleton) = cause {
                            add(&mut found.system, singleton);
                        }
                    });
                }
            }
            ImpliedBy::Team(role) => add(&mut found.team, role),
            ImpliedBy::System(singleton) => add(&mut found.system, singleton),
            ImpliedBy::Own(_) => {}
        });
    }
    found
}

/// The roles of the same object that `field` implies, itself included,
/// in the order in which the resource lists its roles.
pub fn implied_roles(resource: &'static Resource, field: &'static str) -> Vec<&'static str> {
    resource
        .roles
        .iter()
        .filter(|role| implying_roles(resource, role.field).own.contains(&field))
        .map(|role| role.field)
        .collect()
}

/// Adds all roles of `roles` that imply `field`; other sources are passed to `elsewhere`.
fn follow(
    roles: &'static [ObjectRole],
    field: &'static str,
    found: &mut Vec<&'static str>,
    mut elsewhere: impl FnMut(ImpliedBy),
) {
    let mut open = vec![field];
    while let Some(field) = open.pop() {
        let Some(role) = roles.iter().find(|role| role.field == field) else { continue };
        if found.contains(&role.field) {
            continue;
        }
        found.push(role.field);
        for cause in role.implied_by {
            match cause {
                ImpliedBy::Own(parent) => open.push(parent),
                other => elsewhere(*other),
            }
        }
    }
}

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The shortest path from a granted role to a role of an object: the granted role
/// first, then each role that the one before implies, the last of them
/// `field` of the object itself. None if the one does not imply the other.
pub fn implication_path(
    resource: &'static Resource,
    field: &'static str,
    granted: ImpliedBy,
) -> Option<Vec<ImpliedBy>> {
    // Breadth first, from the requested role to the roles that imply it.
    let mut open = VecDeque::from([vec![ImpliedBy::Own(field)]]);
    let mut seen = vec![ImpliedBy::Own(field)];
    while let Some(path) = open.pop_front() {
        let node = *path.first()?;
        if node == granted {
            return Some(path);
        }
        for cause in causes(resource, node) {
            if !seen.contains(&cause) {
                seen.push(cause);
                let mut longer = vec![cause];
                longer.extend(&path);
                open.push_back(longer);
            }
        }
    }
    None
}

/// The roles that directly imply this one, from the object's point of view.
fn causes(resource: &'static Resource, node: ImpliedBy) -> Vec<ImpliedBy> {
    match node {
        ImpliedBy::Own(field) => resource.role(field).map(|role| role.implied_by.to_vec()).unwrap_or_default(),
        ImpliedBy::Organization(field) => {
            let above = resource.link("organization").and_then(|(_, organization)| organization.role(field));
            let seen_from_below = |cause: &ImpliedBy| match cause {
                ImpliedBy::Own(field) => ImpliedBy::Organization(field),
                other => *other,
            };
            above.map(|role| role.implied_by.iter().map(seen_from_below).collect()).unwrap_or_default()
        }
        ImpliedBy::Team(field) => {
            let team = resource.link("team").and_then(|(_, team)| team.role(field));
            let seen_from_below = |cause: &ImpliedBy| match cause {
                ImpliedBy::Own(field) => ImpliedBy::Team(field),
                other => *other,
            };
            team.map(|role| role.implied_by.iter().map(seen_from_below).collect()).unwrap_or_default()
        }
        ImpliedBy::System(_) => vec![],
    }
}
