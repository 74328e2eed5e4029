//! Maps an entry and its groups to a user.

use std::collections::BTreeMap;

use crate::config::{Directory, Members, RoleRule};
use crate::dn;
use crate::groups::{Attributes, Groups};

/// A user as the directory defines it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LdapUser {
    /// The DN of the entry in lower case, as AWX stores it.
    pub dn: String,
    /// Values of mapped fields that the entry has. Other fields keep their value.
    pub fields: BTreeMap<&'static str, String>,
    /// Values of mapped flags.
    pub flags: BTreeMap<&'static str, bool>,
    /// The names of organizations that must exist.
    pub organizations: Vec<String>,
    /// The teams that must exist, as (organization, name).
    pub teams: Vec<(String, String)>,
    /// Roles to grant or to revoke. Other roles are kept.
    pub roles: Vec<RoleAssignment>,
}

/// A role to grant or to revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// The name of the organization.
    pub organization: String,
    /// The name of the team in it, for a role of a team.
    pub team: Option<String>,
    /// The field of the role, such as `member_role`.
    pub field: &'static str,
    /// Whether to grant it.
    pub granted: bool,
}

/// The longest values in characters, as in AWX; longer ones are truncated.
const MAX_LENGTHS: [(&str, usize); 3] = [("first_name", 150), ("last_name", 150), ("email", 254)];

impl Directory {
    /// The user of an entry with these groups.
    pub(crate) fn map_user(&self, dn: &str, attributes: &Attributes, groups: &Groups) -> LdapUser {
        let mut user = LdapUser { dn: dn.to_lowercase(), ..LdapUser::default() };
        for (field, attribute) in &self.attributes {
            match attributes.first(attribute) {
                Some(value) => {
                    let longest =
                        MAX_LENGTHS.iter().find(|(name, _)| name == field).map_or(usize::MAX, |(_, most)| *most);
                    user.fields.insert(field, value.trim().chars().take(longest).collect());
                }
                None => tracing::debug!(dn, attribute, "the entry has no value for a mapped attribute"),
            }
        }
        for (flag, names) in &self.flags {
            let is_in = |name: &String| dn::normalize(name).is_some_and(|name| groups.is_member(&name));
            user.flags.insert(flag, names.iter().any(is_in));
        }
        for rule in &self.organizations {
            user.organizations.push(rule.name.clone());
            for (field, role) in &rule.roles {
                let organization = rule.name.clone();
                let decided =
                    role.decide(groups).map(|granted| RoleAssignment { organization, team: None, field, granted });
                user.roles.extend(decided);
            }
        }
        for rule in &self.teams {
            user.organizations.push(rule.organization.clone());
            user.teams.push((rule.organization.clone(), rule.name.clone()));
            user.roles.extend(rule.members.decide(groups).map(|granted| RoleAssignment {
                organization: rule.organization.clone(),
                team: Some(rule.name.clone()),
                field: "member_role",
                granted,
            }));
        }
        user.organizations.sort_unstable();
        user.organizations.dedup();
        user
    }
}

impl RoleRule {
    /// Whether to grant the role to a user with these groups; `None` if it is not managed.
    pub(crate) fn decide(&self, groups: &Groups) -> Option<bool> {
        let is_member = match &self.who {
            Members::Unspecified => return None,
            Members::AllUsers => true,
            Members::NoUsers => false,
            Members::Groups(names) => names.iter().any(|name| groups.is_found(name)),
        };
        if is_member { Some(true) } else { self.removes.then_some(false) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::settings::SETTINGS;

    const OPS: &str = "cn=ops,dc=org";

    fn directory(settings: &Json) -> Directory {
        let value = |name: &str| match (name, settings.get(name)) {
            (_, Some(value)) => value.clone(),
            ("SERVER_URI", None) => json!("ldap://localhost"),
            ("USER_DN_TEMPLATE", None) => json!("uid=%(user)s"),
            ("GROUP_SEARCH", None) => json!(["dc=org", "SCOPE_SUBTREE", "(cn=*)"]),
            _ => SETTINGS.iter().find(|setting| setting.name == name).map(|setting| (setting.default)()).unwrap(),
        };
        Directory::from_settings("AUTH_LDAP_", &value).unwrap().unwrap()
    }

    /// A user in the group [`OPS`] only.
    fn user(settings: &Json) -> LdapUser {
        let mut attributes = Attributes::default();
        attributes.add("givenName", vec![" Ann ".into(), "Anna".into()]);
        attributes.add("SN", vec!["x".repeat(200)]);
        let mut groups = Groups::default();
        groups.add_found(OPS.into());
        directory(settings).map_user("UID=Ann,DC=org", &attributes, &groups)
    }

    /// The result for a role, by its members and whether others lose it.
    fn role(who: &Json, removes: Option<bool>) -> Option<bool> {
        let mut rule = json!({"organization": "Acme", "users": who});
        if let Some(removes) = removes {
            rule["remove"] = removes.into();
        }
        let user = user(&json!({"TEAM_MAP": {"Ops": rule}}));
        assert_eq!(user.organizations, ["Acme"]);
        assert_eq!(user.teams, [("Acme".to_owned(), "Ops".to_owned())]);
        user.roles.first().map(|role| role.granted)
    }

    #[test]
    fn field_has_first_value_of_attribute() {
        let map = json!({"first_name": "GIVENNAME", "last_name": "sn", "email": "mail"});
        let user = user(&json!({"USER_ATTR_MAP": map}));
        assert_eq!(user.dn, "uid=ann,dc=org");
        assert_eq!(user.fields["first_name"], "Ann");
        assert_eq!(user.fields["last_name"].len(), 150);
        assert!(!user.fields.contains_key("email"));
    }

    #[test]
    fn flag_is_set_by_any_of_its_groups() {
        let flags =
            json!({"is_superuser": ["cn=gone,dc=org", "CN=Ops, DC=org"], "is_system_auditor": "cn=gone,dc=org"});
        let user = user(&json!({"USER_FLAGS_BY_GROUP": flags}));
        assert_eq!(user.flags, BTreeMap::from([("is_superuser", true), ("is_system_auditor", false)]));
    }

    #[test]
    fn team_map_grants_revokes_or_keeps_roles() {
        for (who, by_default, if_removing, if_not) in [
            (json!(null), None, None, None),
            (json!(""), None, None, None),
            (json!(true), Some(true), Some(true), Some(true)),
            (json!("true"), Some(true), Some(true), Some(true)),
            (json!(false), Some(false), Some(false), None),
            (json!([]), Some(false), Some(false), None),
            (json!("cn=Ops,dc=org"), Some(true), Some(true), Some(true)),
            (json!("cn=other,dc=org"), Some(false), Some(false), None),
            (json!(["cn=other,dc=org", OPS]), Some(true), Some(true), Some(true)),
            (json!(["cn=other,dc=org"]), Some(false), Some(false), None),
        ] {
            assert_eq!(role(&who, None), by_default, "{who}");
            assert_eq!(role(&who, Some(true)), if_removing, "{who}");
            assert_eq!(role(&who, Some(false)), if_not, "{who}");
        }
    }

    #[test]
    fn organization_roles_are_independent() {
        let map =
            json!({"Acme": {"admins": false, "remove_admins": false, "auditors": OPS, "users": false}, "Beta": {}});
        let user = user(&json!({"ORGANIZATION_MAP": map}));
        assert_eq!(user.organizations, ["Acme", "Beta"]);
        let roles: Vec<(&str, bool)> = user.roles.iter().map(|role| (role.field, role.granted)).collect();
        assert_eq!(roles, [("auditor_role", true), ("member_role", false)]);
    }
}
