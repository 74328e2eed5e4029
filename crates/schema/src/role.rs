/// The two system-wide roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Singleton {
    /// Has all permissions: `system_administrator`, the users with `is_superuser`.
    Administrator,
    /// Sees everything: `system_auditor`, the users with `is_system_auditor`.
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
    /// A role of the team that the object belongs to, if there is one.
    Team(&'static str),
    /// A system-wide role.
    System(Singleton),
}

/// A role that each object of a type has, such as `admin_role` of an organization.
#[derive(Clone, Copy, Debug)]
pub struct ObjectRole {
    /// Its `role_field`, unique among the roles of the type.
    pub field: &'static str,
    /// Its display name.
    pub name: &'static str,
    /// Its description.
    pub description: &'static str,
    /// Whether it can be granted to users only, not to teams.
    pub user_only: bool,
    /// The roles that imply this one.
    pub implied_by: &'static [ImpliedBy],
    /// The permissions of the managed role definition of this role, if the definition is created only when the role is
    /// first granted, as in AWX.
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

    /// Its role definition is created when it is first granted, with these permissions.
    pub const fn compatible(mut self, permissions: &'static [&'static str]) -> Self {
        self.compatible = permissions;
        self
    }

    /// Only users can get it.
    pub const fn user_only(mut self) -> Self {
        self.user_only = true;
        self
    }
}
