//! Group types and memberships. The names are those of django-auth-ldap, which AWX's settings use.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::filter::escape;

/// The default group type.
pub const DEFAULT_TYPE: &str = "MemberDNGroupType";

/// How a group lists its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupType {
    /// By DN, in this attribute.
    MemberDns {
        attribute: String,
        /// Whether members of a member group are members too.
        nested: bool,
    },
    /// POSIX groups (RFC 2307): the value of a user attribute in `memberUid`, or the primary group of the user.
    Posix { user_attribute: String },
}

type Parameter<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// A group type that can be configured.
pub(crate) struct GroupTypeDefinition {
    pub(crate) name: &'static str,
    /// The allowed parameters.
    pub(crate) parameters: &'static [&'static str],
    /// `None` if a parameter is missing.
    pub(crate) build: fn(Parameter<'_>) -> Option<GroupType>,
}

const NAME: &[&str] = &["name_attr"];
const MEMBER: &[&str] = &["member_attr", "name_attr"];

fn member_dns(attribute: &str, nested: bool) -> Option<GroupType> {
    Some(GroupType::MemberDns { attribute: attribute.to_owned(), nested })
}

fn posix(attribute: &str) -> Option<GroupType> {
    Some(GroupType::Posix { user_attribute: attribute.to_owned() })
}

// In the order in which AWX offers them.
const KINDS: &[GroupTypeDefinition] = &[
    GroupTypeDefinition { name: "PosixGroupType", parameters: NAME, build: |_| posix("uid") },
    GroupTypeDefinition { name: "GroupOfNamesType", parameters: NAME, build: |_| member_dns("member", false) },
    GroupTypeDefinition {
        name: "GroupOfUniqueNamesType",
        parameters: NAME,
        build: |_| member_dns("uniqueMember", false),
    },
    GroupTypeDefinition { name: "ActiveDirectoryGroupType", parameters: NAME, build: |_| member_dns("member", false) },
    GroupTypeDefinition {
        name: "OrganizationalRoleGroupType",
        parameters: NAME,
        build: |_| member_dns("roleOccupant", false),
    },
    GroupTypeDefinition {
        name: DEFAULT_TYPE,
        parameters: MEMBER,
        build: |parameter| member_dns(parameter("member_attr")?, false),
    },
    GroupTypeDefinition { name: "NestedGroupOfNamesType", parameters: NAME, build: |_| member_dns("member", true) },
    GroupTypeDefinition {
        name: "NestedGroupOfUniqueNamesType",
        parameters: NAME,
        build: |_| member_dns("uniqueMember", true),
    },
    GroupTypeDefinition {
        name: "NestedActiveDirectoryGroupType",
        parameters: NAME,
        build: |_| member_dns("member", true),
    },
    GroupTypeDefinition {
        name: "NestedOrganizationalRoleGroupType",
        parameters: NAME,
        build: |_| member_dns("roleOccupant", true),
    },
    GroupTypeDefinition {
        name: "NestedMemberDNGroupType",
        parameters: MEMBER,
        build: |parameter| member_dns(parameter("member_attr")?, true),
    },
    GroupTypeDefinition {
        name: "PosixUIDGroupType",
        parameters: &["ldap_group_user_attr", "name_attr"],
        build: |parameter| posix(parameter("ldap_group_user_attr")?),
    },
];

/// The group type with this name.
pub(crate) fn kind(name: &str) -> Option<&'static GroupTypeDefinition> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The names of all group types.
pub fn type_names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

/// The attributes of an entry. Their names are case-insensitive, so they are stored in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(BTreeMap<String, Vec<String>>);

impl Attributes {
    pub(crate) fn add(&mut self, name: &str, values: Vec<String>) {
        self.0.entry(name.to_ascii_lowercase()).or_default().extend(values);
    }

    /// The first value, if any.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_lowercase()).and_then(|values| values.first()).map(String::as_str)
    }
}

impl GroupType {
    /// The user attributes that memberships depend on.
    pub(crate) fn user_attributes(&self) -> Vec<&str> {
        match self {
            GroupType::MemberDns { .. } => vec![],
            GroupType::Posix { user_attribute } => vec![user_attribute, "gidNumber"],
        }
    }

    /// Whether groups can be members of groups.
    pub(crate) fn is_nested(&self) -> bool {
        matches!(self, GroupType::MemberDns { nested: true, .. })
    }

    /// The filter for the groups of a user; `None` if the entry lacks the attribute that groups refer to.
    pub(crate) fn membership(&self, dn: &str, attributes: &Attributes) -> Option<String> {
        match self {
            GroupType::MemberDns { attribute, .. } => Some(format!("({attribute}={})", escape(dn))),
            GroupType::Posix { user_attribute } => {
                let uid = format!("(memberUid={})", escape(attributes.first(user_attribute)?));
                Some(match attributes.first("gidNumber") {
                    Some(gid) => format!("(|(gidNumber={}){uid})", escape(gid)),
                    None => uid,
                })
            }
        }
    }

    /// The filter for groups that have any of these groups as members.
    pub(crate) fn containing(&self, groups: &[String]) -> Option<String> {
        let GroupType::MemberDns { attribute, .. } = self else { return None };
        let terms: String = groups.iter().map(|dn| format!("({attribute}={})", escape(dn))).collect();
        Some(format!("(|{terms})"))
    }
}

/// The groups of a user, by normalized DN.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    searched: HashSet<String>,
    /// Memberships that were checked one by one.
    checked: HashMap<String, bool>,
}

impl Groups {
    /// Adds a group that a search found; false if it is already there.
    pub(crate) fn add_found(&mut self, normalized: String) -> bool {
        self.searched.insert(normalized)
    }

    pub(crate) fn count(&self) -> usize {
        self.searched.len()
    }

    /// Adds the result of checking one group.
    pub(crate) fn add_checked(&mut self, normalized: String, is_member: bool) {
        self.checked.insert(normalized, is_member);
    }

    /// Whether the group search found this group.
    pub(crate) fn is_found(&self, normalized: &str) -> bool {
        self.searched.contains(normalized)
    }

    /// Whether the group search found this group, or a check of this group did.
    pub(crate) fn is_member(&self, normalized: &str) -> bool {
        self.is_found(normalized) || self.checked.get(normalized).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_type_can_be_built() {
        let parameter = |name: &str| ["member_attr", "ldap_group_user_attr"].contains(&name).then_some("x");
        for kind in KINDS {
            assert!((kind.build)(&parameter).is_some(), "{}", kind.name);
        }
        assert!(kind(DEFAULT_TYPE).is_some_and(|kind| (kind.build)(&|_| None).is_none()));
        assert!(kind("LDAPGroupType").is_none());
        assert_eq!(type_names().count(), 12);
    }

    #[test]
    fn membership_filters_are_escaped() {
        let mut attributes = Attributes::default();
        let by_name = GroupType::MemberDns { attribute: "member".into(), nested: false };
        assert_eq!(
            by_name.membership(r"cn=a\2a(b),dc=org", &attributes).as_deref(),
            Some(r"(member=cn=a\5c2a\28b\29,dc=org)")
        );
        let posix = GroupType::Posix { user_attribute: "uid".into() };
        assert_eq!(posix.membership("uid=ann", &attributes), None);
        attributes.add("UID", vec!["a*".into()]);
        assert_eq!(posix.membership("uid=ann", &attributes).as_deref(), Some(r"(memberUid=a\2a)"));
        attributes.add("gidnumber", vec!["100".into()]);
        assert_eq!(posix.membership("uid=ann", &attributes).as_deref(), Some(r"(|(gidNumber=100)(memberUid=a\2a))"));
        let groups = ["cn=a".to_owned(), "cn=(".to_owned()];
        assert_eq!(by_name.containing(&groups).as_deref(), Some(r"(|(member=cn=a)(member=cn=\28))"));
        assert_eq!(posix.containing(&groups), None);
    }
}
