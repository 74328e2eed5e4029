//! Checking a username and password with a directory.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::{Directory, Scope, Search, UserLookup};
use crate::connection::{Connection, Entry, LdapError, code};
use crate::dn;
use crate::filter::{fill, fill_dn};
use crate::groups::{Attributes, Groups};
use crate::mapping::LdapUser;

/// The timeout of all operations with one directory.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The maximum number of groups of a user.
const MAX_GROUPS: usize = 10_000;
/// The maximum number of groups in the filter of a search for parent groups.
const GROUPS_PER_SEARCH: usize = 100;
/// The attribute list for no attributes (RFC 4511, section 4.5.1.8).
const NO_ATTRIBUTES: [&str; 1] = ["1.1"];
const ANY_ENTRY: &str = "(objectClass=*)";

/// Why a sign-in failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The directory has no entry for the user, or several.
    #[error("{0} entries found for this username")]
    NotFound(usize),
    /// The password is wrong.
    #[error("password rejected")]
    WrongPassword,
    /// The setting with this name excludes the user.
    #[error("{0} excludes this user")]
    ExcludedByGroup(String),
    /// The directory is unavailable, or its response is invalid. The text may contain addresses and settings, but no
    /// password.
    #[error("{0}")]
    Unavailable(String),
}

impl From<LdapError> for SignInError {
    fn from(problem: LdapError) -> Self {
        SignInError::Unavailable(problem.to_string())
    }
}

impl Directory {
    /// Checks a username and password, and maps the entry to a user.
    ///
    /// # Errors
    /// [`SignInError`]. All but [`SignInError::Unavailable`] are decisions of the directory.
    pub async fn sign_in(&self, username: &str, password: &str) -> Result<LdapUser, SignInError> {
        self.with_timeout(self.check(username.trim(), password)).await
    }

    /// Searches for the user as [`Directory::sign_in`] does and ignores the result, so that a rejection without the
    /// directory takes as long as one by the directory.
    pub async fn simulate_sign_in(&self, username: &str) {
        let search = async {
            let mut connection = self.connect().await?;
            match &self.lookup {
                UserLookup::Template(template) => {
                    let dn = fill_dn(template, username.trim()).unwrap_or_default();
                    self.entry(&mut connection, &dn).await?;
                }
                UserLookup::Search(_) => {
                    self.find(&mut connection, username.trim()).await?;
                }
            }
            Ok(())
        };
        // Only its duration matters.
        let _ = self.with_timeout(search).await;
    }

    /// Whether a DN that was once found for this username can still be an entry of this directory.
    ///
    /// # Errors
    /// [`SignInError::Unavailable`].
    pub async fn is_entry_of_user(&self, dn: &str, username: &str) -> Result<bool, SignInError> {
        if let UserLookup::Template(template) = &self.lookup {
            // With a template, only this username leads to this DN.
            let filled = fill_dn(template, username.trim()).and_then(|filled| dn::normalize(&filled));
            return Ok(filled.is_some() && filled == dn::normalize(dn));
        }
        let lookup = async {
            let mut connection = self.connect().await?;
            Ok(self.entry(&mut connection, dn).await?.is_some())
        };
        self.with_timeout(lookup).await
    }

    async fn with_timeout<T>(&self, work: impl Future<Output = Result<T, SignInError>>) -> Result<T, SignInError> {
        timeout(TIMEOUT, work).await.unwrap_or_else(|_| Err(SignInError::Unavailable("timed out".into())))
    }

    async fn check(&self, username: &str, password: &str) -> Result<LdapUser, SignInError> {
        // A bind without a password is anonymous, and succeeds for any DN (RFC 4513, section 5.1.2).
        if password.is_empty() {
            return Err(SignInError::WrongPassword);
        }
        if username.is_empty() {
            return Err(SignInError::NotFound(0));
        }
        let (mut connection, found) = match &self.lookup {
            UserLookup::Template(template) => {
                let connection = Connection::open(self).await.map_err(SignInError::Unavailable)?;
                let dn = fill_dn(template, username).ok_or(SignInError::NotFound(0))?;
                (connection, Entry { dn, attributes: Attributes::default() })
            }
            UserLookup::Search(_) => {
                let mut connection = self.connect().await?;
                let found = self.find(&mut connection, username).await?;
                (connection, found)
            }
        };
        // The DN of the root is empty, and a bind with an empty DN is anonymous, too.
        if dn::normalize(&found.dn).is_none_or(|dn| dn.is_empty()) {
            return Err(SignInError::NotFound(0));
        }
        self.check_password(&mut connection, &found.dn, password).await?;

        // Without BIND_DN, the groups are read as the user.
        if !self.bind_dn.is_empty() {
            self.bind(&mut connection).await?;
        }
        let found = match &self.lookup {
            UserLookup::Template(_) => self.entry(&mut connection, &found.dn).await?.unwrap_or(found),
            UserLookup::Search(_) => found,
        };
        let groups = self.groups(&mut connection, &found).await?;
        self.check_group_restrictions(&groups)?;
        Ok(self.map_user(&found.dn, &found.attributes, &groups))
    }

    /// A connection, bound with BIND_DN if there is one.
    async fn connect(&self) -> Result<Connection, SignInError> {
        let mut connection = Connection::open(self).await.map_err(SignInError::Unavailable)?;
        if !self.bind_dn.is_empty() {
            self.bind(&mut connection).await?;
        }
        Ok(connection)
    }

    async fn bind(&self, connection: &mut Connection) -> Result<(), SignInError> {
        let outcome = connection.bind(&self.bind_dn, &self.bind_password).await?;
        outcome.success("the bind with BIND_DN").map_err(SignInError::from)
    }

    async fn check_password(&self, connection: &mut Connection, dn: &str, password: &str) -> Result<(), SignInError> {
        /// Some servers use the other codes for a DN that does not exist or is invalid.
        const WRONG: [u32; 3] = [code::INVALID_CREDENTIALS, code::NO_SUCH_OBJECT, code::INVALID_DN_SYNTAX];
        let outcome = connection.bind(dn, password).await?;
        if WRONG.contains(&outcome.code) {
            return Err(SignInError::WrongPassword);
        }
        outcome.success("the bind as the user").map_err(SignInError::from)
    }

    /// The only entry that the searches find for a username.
    async fn find(&self, connection: &mut Connection, username: &str) -> Result<Entry, SignInError> {
        let UserLookup::Search(searches) = &self.lookup else { return Err(SignInError::NotFound(0)) };
        let attributes = self.required_attributes();
        let mut found = BTreeMap::new();
        for search in searches {
            let Some(filter) = fill(&search.filter, username) else { continue };
            let search = Search { filter, ..search.clone() };
            // Two are enough to know that the username is ambiguous.
            match entries(connection.search(&search, &attributes, 2).await) {
                Err(LdapError::Refused { code: code::SIZE_LIMIT_EXCEEDED, .. }) => {
                    return Err(SignInError::NotFound(2));
                }
                other => {
                    found.extend(other?.into_iter().map(|entry| (dn::normalize(&entry.dn).unwrap_or_default(), entry)))
                }
            }
        }
        match found.len() {
            1 => found.into_values().next().ok_or(SignInError::NotFound(0)),
            several => Err(SignInError::NotFound(several)),
        }
    }

    /// The entry with this DN.
    async fn entry(&self, connection: &mut Connection, dn: &str) -> Result<Option<Entry>, SignInError> {
        let search = Search { base: dn.to_owned(), scope: Scope::Base, filter: ANY_ENTRY.to_owned() };
        Ok(entries(connection.search(&search, &self.required_attributes(), 1).await)?.into_iter().next())
    }

    /// The user attributes that the settings use.
    fn required_attributes(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.attributes.iter().map(|(_, attribute)| attribute.as_str()).collect();
        names.extend(self.group_type.user_attributes());
        if names.is_empty() { NO_ATTRIBUTES.to_vec() } else { names }
    }

    /// The groups of a user, as far as settings depend on them.
    async fn groups(&self, connection: &mut Connection, user: &Entry) -> Result<Groups, SignInError> {
        let mut groups = Groups::default();
        let Some(search) = self.group_search.as_ref().filter(|_| self.uses_groups()) else { return Ok(groups) };
        let Some(membership) = self.group_type.membership(&user.dn, &user.attributes) else { return Ok(groups) };
        let mut new = find_groups(connection, search, &membership, &mut groups).await?;
        while self.group_type.is_nested() && !new.is_empty() {
            let mut further = vec![];
            for some in new.chunks(GROUPS_PER_SEARCH) {
                if let Some(filter) = self.group_type.containing(some) {
                    further.extend(find_groups(connection, search, &filter, &mut groups).await?);
                }
            }
            new = further;
        }
        if !self.group_type.is_nested() {
            self.check_named_groups(connection, &membership, &mut groups).await?;
        }
        Ok(groups)
    }

    /// Checks the groups of REQUIRE_GROUP, DENY_GROUP and USER_FLAGS_BY_GROUP by DN: as in AWX, they may be outside the group
    /// search.
    async fn check_named_groups(
        &self,
        connection: &mut Connection,
        membership: &str,
        groups: &mut Groups,
    ) -> Result<(), SignInError> {
        let by_flag = self.flags.iter().flat_map(|(_, names)| names);
        for name in self.require_group.iter().chain(&self.deny_group).chain(by_flag) {
            let Some(normalized) = dn::normalize(name) else { continue };
            if groups.is_member(&normalized) {
                continue;
            }
            let search = Search { base: name.clone(), scope: Scope::Base, filter: membership.to_owned() };
            let found = entries(connection.search(&search, &NO_ATTRIBUTES, 1).await)?;
            groups.add_checked(normalized, !found.is_empty());
        }
        Ok(())
    }

    fn check_group_restrictions(&self, groups: &Groups) -> Result<(), SignInError> {
        let is_in = |name: &String| dn::normalize(name).is_some_and(|name| groups.is_member(&name));
        if self.require_group.as_ref().is_some_and(|name| !is_in(name)) {
            return Err(SignInError::ExcludedByGroup(format!("{}REQUIRE_GROUP", self.prefix)));
        }
        if self.deny_group.as_ref().is_some_and(is_in) {
            return Err(SignInError::ExcludedByGroup(format!("{}DENY_GROUP", self.prefix)));
        }
        Ok(())
    }
}

/// The entries of a search; none if its base does not exist.
fn entries(found: Result<Vec<Entry>, LdapError>) -> Result<Vec<Entry>, LdapError> {
    match found {
        Err(LdapError::Refused { code: code::NO_SUCH_OBJECT, .. }) => Ok(vec![]),
        other => other,
    }
}

/// Adds the groups that a search finds, and returns the new ones.
async fn find_groups(
    connection: &mut Connection,
    search: &Search,
    members: &str,
    groups: &mut Groups,
) -> Result<Vec<String>, SignInError> {
    let filter = fill(&search.filter, "").unwrap_or_default();
    let narrowed = Search { filter: format!("(&{filter}{members})"), ..search.clone() };
    let mut new = vec![];
    for entry in entries(connection.search(&narrowed, &NO_ATTRIBUTES, MAX_GROUPS).await)? {
        if dn::normalize(&entry.dn).is_some_and(|normalized| groups.add_found(normalized)) {
            new.push(entry.dn);
        }
    }
    if groups.count() > MAX_GROUPS {
        return Err(SignInError::Unavailable(format!("a user is in more than {MAX_GROUPS} groups")));
    }
    Ok(new)
}
