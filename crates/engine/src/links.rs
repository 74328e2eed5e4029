//! What follows from the links between resources: the relations that filters may follow, in both directions, and the
//! objects that a deletion affects. Computed once, when the server starts.

use std::collections::HashMap;
use std::ptr;

use hostler_schema::{Field, Join, Resource};

use crate::{Registry, activity};

/// One step from a resource to a related one.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// Its name in filters, as in `organization__name=x`.
    pub name: &'static str,
    /// The related resource.
    pub target: &'static Resource,
    /// How the rows are joined.
    pub join: Join,
    /// Whether OPTIONS lists `<name>__search`.
    pub listed: bool,
    /// The row's own foreign key to the other row, if responses show it.
    pub(crate) link: Option<&'static str>,
}

/// A resource whose objects link to objects of another one.
#[derive(Clone, Copy, Debug)]
pub struct Dependent {
    /// The resource with the link.
    pub resource: &'static Resource,
    /// The link.
    pub link: &'static Field,
}

/// What follows from the links of all resources.
pub struct Links {
    /// The relations of each resource, by the address of its description.
    relations: HashMap<usize, Vec<Hop>>,
    /// The resources that link to the rows of a table, by the table.
    dependents: HashMap<&'static str, Vec<Dependent>>,
}

impl Links {
    /// The links of all resources of the registry.
    pub fn new(registry: Registry) -> Self {
        let mut links = Links { relations: HashMap::new(), dependents: HashMap::new() };
        for resource in registry.resources() {
            links.add_relations(resource);
            links.add_links(resource);
            links.add_sublists(resource);
            if resource.table == activity::TABLE {
                links.add_activity(resource, registry);
            }
        }
        links
    }

    /// The relations that filters of this resource may follow.
    pub fn relations(&self, resource: &'static Resource) -> &[Hop] {
        let resource = resource.same_objects_as.map_or(resource, |same| same());
        self.relations.get(&address(resource)).map_or(&[], Vec::as_slice)
    }

    /// The relation of this resource with this name.
    ///
    /// As in AWX, a variant has two names: `job_template` and `jobtemplate`.
    pub fn relation(&self, resource: &'static Resource, name: &str) -> Option<Hop> {
        let hops = self.relations(resource);
        let found = hops.iter().find(|hop| hop.name == name);
        let is_joined = |hop: &&Hop| hop.target.variant_of.is_some() && is_joined(hop.name, name);
        found.or_else(|| resource.variants.and_then(|_| hops.iter().find(is_joined))).copied()
    }

    /// The resources whose objects link to rows of this table.
    pub fn dependents(&self, table: &str) -> &[Dependent] {
        self.dependents.get(table).map_or(&[], Vec::as_slice)
    }

    /// The relations that the description lists, those to the roles of an object, and those to a row as its variant.
    fn add_relations(&mut self, resource: &'static Resource) {
        for relation in resource.relations {
            let target = (relation.target)();
            let hop = Hop { name: relation.name, target, join: relation.join, listed: relation.listed, link: None };
            self.add(resource, hop);
        }
        for role in resource.roles {
            if let Some(target) = resource.role_resource {
                let join = Join::Role { content_type: resource.name, field: role.field };
                self.add(resource, Hop { name: role.field, target: target(), join, listed: false, link: None });
            }
        }
        for target in resource.variants.into_iter().flat_map(|variants| variants.iter()) {
            self.add(resource, Hop { name: target.name, target, join: Join::SameRow, listed: true, link: None });
        }
    }

    /// The relations along links, in both directions.
    fn add_links(&mut self, resource: &'static Resource) {
        for field in resource.fields {
            let Some(target) = field.target() else { continue };
            if field.filterable {
                let link = field.shown.then_some(field.column);
                let join = Join::Column(field.column);
                self.add(resource, Hop { name: field.name, target, join, listed: true, link });
            }
            if let Some(name) = field.reverse {
                let join = Join::Reverse(field.column);
                self.add(target, Hop { name, target: resource, join, listed: true, link: None });
            }
            // The rows of a base resource are those of its variants.
            if !resource.is_view && resource.variants.is_none() {
                self.dependents.entry(target.stored_in()).or_default().push(Dependent { resource, link: field });
            }
        }
    }

    /// The relations along the join tables of sub-lists, in both directions. A table of all variants leads back to their
    /// base.
    fn add_sublists(&mut self, resource: &'static Resource) {
        let base = resource.variant_of.map_or(resource, |base| base());
        for sublist in resource.sublists {
            let target = (sublist.target)();
            if let Some(name) = sublist.relation() {
                self.add(resource, Hop { name, target, join: sublist.join, listed: true, link: None });
            }
            if let (Some(name), Some(join)) = (sublist.reverse, sublist.join.reversed())
                && self.relation(target, name).is_none()
            {
                self.add(target, Hop { name, target: base, join, listed: true, link: None });
            }
        }
    }

    /// The relations from entries of the activity stream to the objects that they are about.
    fn add_activity(&mut self, activity: &'static Resource, registry: Registry) {
        for resource in registry.resources().filter(|resource| resource.recorded && resource.filters_activity) {
            let join = activity::objects_of(resource.name);
            self.add(activity, Hop { name: resource.name, target: resource, join, listed: true, link: None });
        }
    }

    fn add(&mut self, resource: &'static Resource, hop: Hop) {
        self.relations.entry(address(resource)).or_default().push(hop);
    }
}

/// Whether `joined` is the name without its underscores.
fn is_joined(name: &str, joined: &str) -> bool {
    name.split('_').try_fold(joined, |rest, part| rest.strip_prefix(part)).is_some_and(str::is_empty)
}

fn address(resource: &'static Resource) -> usize {
    ptr::from_ref(resource).addr()
}
