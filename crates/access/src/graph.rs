use hostler_resource::{ImpliedBy, Kind, ObjectRole, Resource, Singleton};

/// Every role whose holders hold a certain role of an object too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Closure {
    /// Roles of the object itself, by `role_field`; the role asked for comes first.
    pub own: Vec<&'static str>,
    /// Roles of the object's organization, by `role_field`.
    pub organization: Vec<&'static str>,
    /// System-wide roles.
    pub system: Vec<Singleton>,
}

/// The roles that imply `field` on an object of this resource.
///
/// A role that the resource does not have is implied by nothing.
pub fn closure(resource: &'static Resource, field: &'static str) -> Closure {
    let mut found = Closure::default();
    follow(resource.roles, field, &mut found.own, |cause| match cause {
        ImpliedBy::Organization(role) => {
            if let Some(organization) = organization_of(resource) {
                follow(organization.roles, role, &mut found.organization, |cause| {
                    if let ImpliedBy::System(singleton) = cause {
                        add(&mut found.system, singleton);
                    }
                });
            }
        }
        ImpliedBy::System(singleton) => add(&mut found.system, singleton),
        ImpliedBy::Own(_) => {}
    });
    found
}

/// The roles of the same object that a holder of `field` holds too, itself included,
/// in the order in which the resource lists its roles.
pub fn implied_fields(resource: &'static Resource, field: &'static str) -> Vec<&'static str> {
    resource
        .roles
        .iter()
        .filter(|role| closure(resource, role.field).own.contains(&field))
        .map(|role| role.field)
        .collect()
}

/// The resource that describes the organization of this resource's objects.
fn organization_of(resource: &'static Resource) -> Option<&'static Resource> {
    match resource.field("organization")?.kind {
        Kind::Link(target) => Some(target()),
        _ => None,
    }
}

/// Walks from `field` to all roles of `roles` that imply it; other causes go to `elsewhere`.
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

fn add(list: &mut Vec<Singleton>, singleton: Singleton) {
    if !list.contains(&singleton) {
        list.push(singleton);
    }
}
