/// The two roles that stand above all objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Singleton {
    /// May do everything: `system_administrator`, the users with `is_superuser`.
    Administrator,
    /// May see everything: `system_auditor`, the users with `is_system_auditor`.
    Auditor,
}

impl Singleton {
    /// The value of `role_field`.
    pub const fn field(self) -> &'static str {
        match self {
            Singleton::Administrator => "system_administrator",
            Singleton::Auditor => "system_auditor",
        }
    }
}

/// A role that implies another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImpliedBy {
    /// Another role of the same object.
    Own(&'static str),
    /// A role of the object's organization.
    Organization(&'static str),
    /// A role of the team that the object belongs to, if it belongs to one.
    Team(&'static str),
    /// A system-wide role.
    System(Singleton),
}

/// One role that every object of a type has, such as `admin_role` of an organization.
#[derive(Clone, Copy, Debug)]
pub struct ObjectRole {
    /// Its `role_field`, unique among the roles of the type.
    pub field: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What it permits.
    pub description: &'static str,
    /// Whether it can be granted to users only, not to teams.
    pub user_only: bool,
    /// The roles that imply this one.
    pub implied_by: &'static [ImpliedBy],
    /// The permissions of the role definition that stands for it in the newer
    /// view, if that is made only when the role is first granted, as in AWX.
    pub compatible: &'static [&'static str],
}

impl ObjectRole {
    /// A role that can be granted to users and teams.
    pub const fn new(
        field: &'static str,
        name: &'static str,
        description: &'static str,
        implied_by: &'static [ImpliedBy],
    ) -> Self {
        ObjectRole { field, name, description, user_only: false, implied_by, compatible: &[] }
    }

    /// Its definition in the newer view is made when it is first granted, with these permissions.
    pub const fn compatible(mut self, permissions: &'static [&'static str]) -> Self {
        self.compatible = permissions;
        self
    }

    /// Only users can be granted it.
    pub const fn user_only(mut self) -> Self {
        self.user_only = true;
        self
    }
}
