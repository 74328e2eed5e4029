//! What a directory's entry and groups make of a user. Computes only.

use std::collections::BTreeMap;

use crate::config::{Directory, Members, RoleRule};
use crate::dn;
use crate::groups::{Attributes, Groups};

/// What a user is to be, as far as the directory decides it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LdapUser {
    /// The name of the entry, in lower case as AWX keeps it.
    pub dn: String,
    /// Values of fields; those for which the entry has none are left as they are.
    pub fields: BTreeMap<&'static str, String>,
    /// Flags, set or not.
    pub flags: BTreeMap<&'static str, bool>,
    /// The organizations that must exist, by name.
    pub organizations: Vec<String>,
    /// The teams that must exist, as organization and name.
    pub teams: Vec<(String, String)>,
    /// Roles that the user is to hold or not to hold; of others nothing is known.
    pub roles: Vec<RoleAssignment>,
}

/// A role that a map decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// The name of the organization.
    pub organization: String,
    /// The name of the team in it, if it is the team's role.
    pub team: Option<String>,
    /// The role's field, such as `member_role`.
    pub field: &'static str,
    /// Whether the user is to hold it.
    pub granted: bool,
}

/// The longest first and last names and addresses, as AWX keeps them; longer ones are cut.
const LONGEST: [(&str, usize); 3] = [("first_name", 150), ("last_name", 150), ("email", 254)];

impl Directory {
    /// What the directory makes of the user of this entry, who is in these groups.
    pub(crate) fn person(&self, dn: &str, attributes: &Attributes, groups: &Groups) -> LdapUser {
        let mut person = LdapUser { dn: dn.to_lowercase(), ..LdapUser::default() };
        for (field, attribute) in &self.attributes {
            match attributes.first(attribute) {
                Some(value) => {
                    let longest = LONGEST.iter().find(|(name, _)| name == field).map_or(usize::MAX, |(_, most)| *most);
                    person.fields.insert(field, value.trim().chars().take(longest).collect());
                }
                None => tracing::debug!(dn, attribute, "the entry has no value of an attribute that is mapped"),
            }
        }
        for (flag, names) in &self.flags {
            let is_in = |name: &String| dn::normalize(name).is_some_and(|name| groups.is_member(&name));
            person.flags.insert(flag, names.iter().any(is_in));
        }
        for rule in &self.organizations {
            person.organizations.push(rule.name.clone());
            for (field, role) in &rule.roles {
                let organization = rule.name.clone();
                let decided =
                    role.decide(groups).map(|granted| RoleAssignment { organization, team: None, field, granted });
                person.roles.extend(decided);
            }
        }
        for rule in &self.teams {
            person.organizations.push(rule.organization.clone());
            person.teams.push((rule.organization.clone(), rule.name.clone()));
            person.roles.extend(rule.members.decide(groups).map(|granted| RoleAssignment {
                organization: rule.organization.clone(),
                team: Some(rule.name.clone()),
                field: "member_role",
                granted,
            }));
        }
        person.organizations.sort_unstable();
        person.organizations.dedup();
        person
    }
}

impl RoleRule {
    /// Whether a user in these groups is to hold the role; `None` if that is left as it is.
    pub(crate) fn decide(&self, groups: &Groups) -> Option<bool> {
        let is_among = match &self.who {
            Members::Unspecified => return None,
            Members::Everybody => true,
            Members::Nobody => false,
            Members::Groups(names) => names.iter().any(|name| groups.has(name)),
        };
        if is_among { Some(true) } else { self.removes.then_some(false) }
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

    /// Somebody in the group [`OPS`] and no other.
    fn person(settings: &Json) -> LdapUser {
        let mut attributes = Attributes::default();
        attributes.add("givenName", vec![" Ann ".into(), "Anna".into()]);
        attributes.add("SN", vec!["x".repeat(200)]);
        let mut groups = Groups::default();
        groups.found(OPS.into());
        directory(settings).person("UID=Ann,DC=org", &attributes, &groups)
    }

    /// What becomes of a role, by who has it and whether others lose it.
    fn role(who: &Json, removes: Option<bool>) -> Option<bool> {
        let mut rule = json!({"organization": "Acme", "users": who});
        if let Some(removes) = removes {
            rule["remove"] = removes.into();
        }
        let person = person(&json!({"TEAM_MAP": {"Ops": rule}}));
        assert_eq!(person.organizations, ["Acme"]);
        assert_eq!(person.teams, [("Acme".to_owned(), "Ops".to_owned())]);
        person.roles.first().map(|role| role.granted)
    }

    #[test]
    fn the_first_value_of_an_attribute_fills_a_field() {
        let map = json!({"first_name": "GIVENNAME", "last_name": "sn", "email": "mail"});
        let person = person(&json!({"USER_ATTR_MAP": map}));
        assert_eq!(person.dn, "uid=ann,dc=org");
        assert_eq!(person.fields["first_name"], "Ann");
        assert_eq!(person.fields["last_name"].len(), 150);
        assert!(!person.fields.contains_key("email"));
    }

    #[test]
    fn any_of_a_flags_groups_sets_it() {
        let flags =
            json!({"is_superuser": ["cn=gone,dc=org", "CN=Ops, DC=org"], "is_system_auditor": "cn=gone,dc=org"});
        let person = person(&json!({"USER_FLAGS_BY_GROUP": flags}));
        assert_eq!(person.flags, BTreeMap::from([("is_superuser", true), ("is_system_auditor", false)]));
    }

    #[test]
    fn maps_give_and_take_roles_or_leave_them() {
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
    fn each_role_of_an_organization_is_decided_by_itself() {
        let map =
            json!({"Acme": {"admins": false, "remove_admins": false, "auditors": OPS, "users": false}, "Beta": {}});
        let person = person(&json!({"ORGANIZATION_MAP": map}));
        assert_eq!(person.organizations, ["Acme", "Beta"]);
        let roles: Vec<(&str, bool)> = person.roles.iter().map(|role| (role.field, role.granted)).collect();
        assert_eq!(roles, [("auditor_role", true), ("member_role", false)]);
    }
}
