//! Parsing the values of settings, both for changes of settings and for sign-ins. The messages about invalid values are
//! AWX's if AWX has one.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use url::Url;

use crate::config::{
    ConnectionOptions, Members, OrganizationRule, RoleRule, Scope, Search, ServerAddr, TeamRule, USER_FIELDS,
    USER_FLAGS,
};
use crate::filter::{USER, fill_dn, is_filter};
use crate::groups::GroupType;
use crate::{dn, groups};

const NOT_A_STRING: &str = "Not a valid string.";
const BLANK: &str = "This field may not be blank.";

/// AWX's default network timeout.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum of timeouts, in seconds.
const MAX_TIMEOUT: u64 = 300;

/// The Python type of a value, for AWX's messages.
fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

fn dictionary(value: &Json) -> Result<&Map<String, Json>, String> {
    value.as_object().ok_or_else(|| format!("Expected a dictionary of items but got type \"{}\".", type_name(value)))
}

fn list(value: &Json) -> Result<&Vec<Json>, String> {
    value.as_array().ok_or_else(|| format!("Expected a list of items but got type \"{}\".", type_name(value)))
}

/// Quoted names, separated by commas.
fn quoted<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let mut names: Vec<String> = names.map(|name| Json::from(name.as_str()).to_string()).collect();
    names.sort_unstable();
    names.join(", ")
}

/// A string, which may be empty; null counts as empty.
///
/// # Errors
/// Anything else.
pub(crate) fn text(value: &Json) -> Result<String, String> {
    match value {
        Json::Null => Ok(String::new()),
        Json::String(text) => Ok(text.clone()),
        _ => Err(NOT_A_STRING.into()),
    }
}

fn filled_text(value: &Json) -> Result<&str, String> {
    match value.as_str() {
        None => Err(NOT_A_STRING.into()),
        Some(text) if text.trim().is_empty() => Err(BLANK.into()),
        Some(text) => Ok(text),
    }
}

/// A boolean.
///
/// # Errors
/// Anything else.
pub(crate) fn boolean(value: &Json) -> Result<bool, String> {
    match value {
        Json::Bool(value) => Ok(*value),
        Json::String(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Json::String(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err("Must be a valid boolean.".into()),
    }
}

/// SERVER_URI: addresses separated by commas or spaces, tried in order.
pub(crate) fn server_uri(value: &Json) -> Result<Vec<ServerAddr>, String> {
    let text = text(value)?;
    text.split([',', ' ']).filter(|uri| !uri.is_empty()).map(address).collect()
}

fn address(uri: &str) -> Result<ServerAddr, String> {
    let refused = || "Enter a valid URL.".to_owned();
    let url = Url::parse(uri).map_err(|_| refused())?;
    let has_tls = match url.scheme() {
        "ldap" => false,
        "ldaps" => true,
        _ => return Err(refused()),
    };
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let host = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']')).unwrap_or_default();
    let port = url.port().unwrap_or(if has_tls { 636 } else { 389 });
    if !is_bare || host.is_empty() || port == 0 || host.contains('%') {
        return Err(refused());
    }
    Ok(ServerAddr { has_tls, host: host.to_owned(), port })
}

/// BIND_DN: a DN, or a username of Active Directory (`DOMAIN\user`, `user@domain`).
pub(crate) fn bind_dn(value: &Json) -> Result<String, String> {
    let text = text(value)?;
    let name = text.trim();
    let is_word = |word: &str, more: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c) || more.contains(c))
    };
    let is_down_level = name.split_once('\\').is_some_and(|(domain, user)| is_word(domain, "") && is_word(user, " "));
    let is_principal = name.split_once('@').is_some_and(|(user, domain)| is_word(user, "+") && is_word(domain, ""));
    if is_down_level || is_principal || dn::normalize(name).is_some() {
        Ok(name.to_owned())
    } else {
        Err(format!("Invalid DN: {text}"))
    }
}

/// CONNECTION_OPTIONS: the supported options of python-ldap.
pub(crate) fn connection_options(value: &Json) -> Result<ConnectionOptions, String> {
    const KNOWN: [&str; 6] = [
        "OPT_REFERRALS",
        "OPT_NETWORK_TIMEOUT",
        "OPT_TIMEOUT",
        "OPT_X_TLS_REQUIRE_CERT",
        "OPT_X_TLS_CACERTFILE",
        "OPT_X_TLS_NEWCTX",
    ];
    let empty = Map::new();
    let sent = if value.is_null() { &empty } else { dictionary(value)? };
    let unknown: Vec<&String> = sent.keys().filter(|name| !KNOWN.contains(&name.as_str())).collect();
    if !unknown.is_empty() {
        return Err(format!("Invalid connection option(s): {}.", quoted(unknown.into_iter())));
    }
    let seconds = |name: &str| match sent.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seconds @ 1..=MAX_TIMEOUT) => Ok(Some(Duration::from_secs(seconds))),
            _ => Err(format!("{name}: a number of seconds from 1 to {MAX_TIMEOUT} is required.")),
        },
    };
    // A referral may lead to a server that is not configured.
    if sent.get("OPT_REFERRALS").is_some_and(|value| value.as_i64() != Some(0) && *value != Json::Bool(false)) {
        return Err("OPT_REFERRALS: referrals are not followed, so this can only be 0.".into());
    }
    if sent.get("OPT_X_TLS_NEWCTX").is_some_and(|value| !value.is_u64()) {
        return Err("OPT_X_TLS_NEWCTX: a number is required.".into());
    }
    // As in OpenLDAP: 0 never, 1 hard, 2 demand, 3 allow (which accepts any certificate), 4 try.
    let verifies = match sent.get("OPT_X_TLS_REQUIRE_CERT").map(Json::as_u64) {
        None | Some(Some(1 | 2 | 4)) => true,
        Some(Some(0 | 3)) => false,
        _ => return Err("OPT_X_TLS_REQUIRE_CERT: a number from 0 to 4 is required.".into()),
    };
    let ca_file = match sent.get("OPT_X_TLS_CACERTFILE") {
        None => None,
        Some(value) => match value.as_str() {
            Some(path) if path.starts_with('/') && !path.contains('\0') => Some(PathBuf::from(path)),
            _ => return Err("OPT_X_TLS_CACERTFILE: the full path of a file is required.".into()),
        },
    };
    let network_timeout = seconds("OPT_NETWORK_TIMEOUT")?.unwrap_or(NETWORK_TIMEOUT);
    let timeout = seconds("OPT_TIMEOUT")?.unwrap_or(network_timeout);
    Ok(ConnectionOptions { network_timeout, timeout, verifies, ca_file })
}

fn required_dn(value: &Json) -> Result<&str, String> {
    let text = filled_text(value)?;
    match dn::normalize(text) {
        Some(_) => Ok(text),
        None => Err(format!("Invalid DN: {text}")),
    }
}

/// REQUIRE_GROUP and DENY_GROUP: the DN of a group, or none.
pub(crate) fn optional_dn(value: &Json) -> Result<Option<String>, String> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) if text.is_empty() => Ok(None),
        value => required_dn(value).map(|text| Some(text.to_owned())),
    }
}

fn without_user(text: &str) -> String {
    format!("DN must include \"{USER}\" placeholder for username: {text}")
}

/// USER_DN_TEMPLATE.
pub(crate) fn user_dn_template(value: &Json) -> Result<Option<String>, String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(None);
    }
    if !text.contains(USER) {
        return Err(without_user(&text));
    }
    match fill_dn(&text, "user").and_then(|filled| dn::normalize(&filled)) {
        Some(_) => Ok(Some(text)),
        None => Err(format!("Invalid DN: {text}")),
    }
}

fn search(value: &Json, for_user: bool) -> Result<Option<Search>, String> {
    let parts = list(value)?;
    let [base, scope, filter] = parts.as_slice() else {
        return match parts.len() {
            0 => Ok(None),
            length => Err(format!("Expected a list of three items but got {length} instead.")),
        };
    };
    let base = required_dn(base)?.to_owned();
    let scope = match scope.as_str() {
        Some("SCOPE_BASE") => Scope::Base,
        Some("SCOPE_ONELEVEL") => Scope::OneLevel,
        Some("SCOPE_SUBTREE") => Scope::Subtree,
        Some(other) => return Err(format!("\"{other}\" is not a valid choice.")),
        None => return Err(format!("\"{scope}\" is not a valid choice.")),
    };
    let filter = filled_text(filter)?.trim();
    if for_user && !filter.contains(USER) {
        return Err(without_user(filter));
    }
    // The username is not inserted into the filter for groups.
    if !is_filter(filter) || (!for_user && filter.contains(USER)) {
        return Err(format!("Invalid filter: {filter}"));
    }
    Ok(Some(Search { base, scope, filter: filter.to_owned() }))
}

/// GROUP_SEARCH: base, scope and filter.
pub(crate) fn group_search(value: &Json) -> Result<Option<Search>, String> {
    if value.is_null() { Ok(None) } else { search(value, false) }
}

/// USER_SEARCH: base, scope and filter, or a list of such lists.
pub(crate) fn user_search(value: &Json) -> Result<Vec<Search>, String> {
    if value.is_null() {
        return Ok(vec![]);
    }
    let parts = list(value)?;
    if parts.first().is_none_or(Json::is_string) {
        return Ok(search(value, true)?.into_iter().collect());
    }
    let mut searches = vec![];
    for (position, part) in parts.iter().enumerate() {
        let number = position + 1;
        if !part.is_array() {
            return Err(format!("Element {number} of a list of searches must be a search itself."));
        }
        let found = search(part, true).map_err(|message| format!("Element {number}: {message}"))?;
        searches.push(found.ok_or_else(|| format!("Element {number} is empty."))?);
    }
    Ok(searches)
}

/// USER_ATTR_MAP: the attributes for fields of a user.
pub(crate) fn user_attr_map(value: &Json) -> Result<Vec<(&'static str, String)>, String> {
    let sent = dictionary(value)?;
    let known = |name: &str| USER_FIELDS.into_iter().find(|field| *field == name);
    let unknown: Vec<&String> = sent.keys().filter(|name| known(name).is_none()).collect();
    if !unknown.is_empty() {
        return Err(format!("Invalid user attribute(s): {}.", quoted(unknown.into_iter())));
    }
    let mut map = vec![];
    for (name, attribute) in sent {
        let attribute = filled_text(attribute)?.trim();
        if !is_attribute(attribute) {
            return Err(format!("{name}: \"{attribute}\" is not the name of an attribute."));
        }
        map.extend(known(name).map(|field| (field, attribute.to_owned())));
    }
    Ok(map)
}

/// Whether this is an attribute description, possibly with options (RFC 4512, section 2.5).
fn is_attribute(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.;_".contains(c))
}

/// GROUP_TYPE with GROUP_TYPE_PARAMS.
pub(crate) fn group_type(value: &Json, params: &Json) -> Result<GroupType, String> {
    let word = match value {
        Json::Null => groups::DEFAULT_TYPE,
        value => value.as_str().ok_or_else(|| format!("\"{value}\" is not a valid choice."))?,
    };
    let kind = groups::kind(word).ok_or_else(|| format!("\"{word}\" is not a valid choice."))?;
    let parameter = |name: &str| params.get(name).and_then(Json::as_str).filter(|name| is_attribute(name));
    (kind.build)(&parameter).ok_or_else(|| "Missing required parameters in GROUP_TYPE_PARAMS.".to_owned())
}

/// GROUP_TYPE_PARAMS: the attributes that the type uses.
pub(crate) fn group_type_params(value: &Json, group_type: &Json) -> Result<(), String> {
    let sent = dictionary(value)?;
    let Some(kind) = group_type.as_str().and_then(groups::kind) else { return Ok(()) };
    let unknown: Vec<&String> = sent.keys().filter(|name| !kind.parameters.contains(&name.as_str())).collect();
    if !unknown.is_empty() {
        return Err(format!("Invalid key(s): {}.", quoted(unknown.into_iter())));
    }
    for (name, attribute) in sent {
        if !is_attribute(filled_text(attribute)?) {
            return Err(format!("{name}: {attribute} is not the name of an attribute."));
        }
    }
    Ok(())
}

/// USER_FLAGS_BY_GROUP: the groups whose members have a flag. Other users lose it.
pub(crate) fn user_flags(value: &Json) -> Result<Vec<(&'static str, Vec<String>)>, String> {
    let mut flags = vec![];
    for (name, sent) in dictionary(value)? {
        let flag = USER_FLAGS.into_iter().find(|flag| flag == name);
        let flag = flag.ok_or_else(|| format!("Invalid user flag: \"{name}\"."))?;
        let names = match sent {
            Json::Array(names) if names.is_empty() => return Err(format!("{name}: This list may not be empty.")),
            Json::Array(names) => names.iter().collect(),
            one => vec![one],
        };
        let groups: Result<Vec<String>, String> =
            names.into_iter().map(|group| required_dn(group).map(str::to_owned)).collect();
        flags.push((flag, groups.map_err(|message| format!("{name}: {message}"))?));
    }
    Ok(flags)
}

fn members(value: Option<&Json>) -> Result<Members, String> {
    let group = |value: &Json| {
        let text = required_dn(value)?;
        dn::normalize(text).ok_or_else(|| format!("Invalid DN: {text}"))
    };
    match value {
        None | Some(Json::Null) => Ok(Members::Unspecified),
        Some(Json::Bool(true)) => Ok(Members::AllUsers),
        Some(Json::Bool(false)) => Ok(Members::NoUsers),
        Some(Json::String(word)) if word.is_empty() => Ok(Members::Unspecified),
        Some(Json::String(word)) if word.eq_ignore_ascii_case("true") => Ok(Members::AllUsers),
        Some(Json::String(word)) if word.eq_ignore_ascii_case("false") => Ok(Members::NoUsers),
        Some(name @ Json::String(_)) => Ok(Members::Groups(vec![group(name)?])),
        Some(Json::Array(names)) if names.is_empty() => Ok(Members::NoUsers),
        Some(Json::Array(names)) => Ok(Members::Groups(names.iter().map(group).collect::<Result<_, _>>()?)),
        Some(other) => Err(format!(
            "Expected None, True, False, a string or list of strings but got {} instead.",
            type_name(other)
        )),
    }
}

/// Prefixes a message with its position in a map.
fn at(name: &str, key: &str) -> impl Fn(String) -> String {
    move |message| format!("{name}: {key}: {message}")
}

fn refuse_unknown(name: &str, sent: &Map<String, Json>, known: &[&str]) -> Result<(), String> {
    match sent.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{name}: {key}: Invalid field.")),
        None => Ok(()),
    }
}

/// ORGANIZATION_MAP: the roles of organizations.
pub(crate) fn organization_map(value: &Json) -> Result<Vec<OrganizationRule>, String> {
    const ROLES: [(&str, &str, &str); 3] = [
        ("admins", "remove_admins", "admin_role"),
        ("auditors", "remove_auditors", "auditor_role"),
        ("users", "remove_users", "member_role"),
    ];
    let known: Vec<&str> = ROLES.iter().flat_map(|(who, remove, _)| [*who, *remove]).collect();
    let mut rules = vec![];
    for (name, sent) in dictionary(value)? {
        let sent = dictionary(sent).map_err(|message| format!("{name}: {message}"))?;
        refuse_unknown(name, sent, &known)?;
        let mut roles = vec![];
        for (key, remove, field) in ROLES {
            let who = members(sent.get(key)).map_err(at(name, key))?;
            let removes = sent.get(remove).map_or(Ok(true), boolean).map_err(at(name, remove))?;
            roles.push((field, RoleRule { who, removes }));
        }
        rules.push(OrganizationRule { name: object_name(name)?, roles });
    }
    Ok(rules)
}

/// TEAM_MAP: the members of teams.
pub(crate) fn team_map(value: &Json) -> Result<Vec<TeamRule>, String> {
    let mut rules = vec![];
    for (name, sent) in dictionary(value)? {
        let sent = dictionary(sent).map_err(|message| format!("{name}: {message}"))?;
        refuse_unknown(name, sent, &["organization", "users", "remove"])?;
        let organization = match sent.get("organization") {
            None => Err("This field is required.".to_owned()),
            Some(value) => filled_text(value).and_then(object_name),
        };
        let organization = organization.map_err(at(name, "organization"))?;
        let who = members(sent.get("users")).map_err(at(name, "users"))?;
        let removes = sent.get("remove").map_or(Ok(true), boolean).map_err(at(name, "remove"))?;
        rules.push(TeamRule { name: object_name(name)?, organization, members: RoleRule { who, removes } });
    }
    Ok(rules)
}

/// The name of an organization or a team, which is created if it does not exist.
fn object_name(name: &str) -> Result<String, String> {
    let trimmed = name.trim();
    if trimmed.is_empty() {
        return Err(BLANK.into());
    }
    if trimmed.chars().count() > 512 {
        return Err(format!("{trimmed}: Ensure this field has no more than 512 characters."));
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests;
