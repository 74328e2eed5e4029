//! Asking a directory whether a name and a password belong together.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use crate::config::{Directory, Scope, Search, UserLookup};
use crate::connection::{Connection, Entry, LdapError, code};
use crate::dn;
use crate::filter::{fill, fill_dn};
use crate::groups::{Attributes, Groups};
use crate::mapping::LdapUser;

/// How long one directory may take in all.
const LONGEST: Duration = Duration::from_secs(60);
/// The most groups of one user.
const MOST_GROUPS: usize = 10_000;
/// The most groups of which one search asks for the groups that contain them.
const GROUPS_AT_ONCE: usize = 100;
/// What a search asks for that wants no attributes (RFC 4511, section 4.5.1.8).
const NO_ATTRIBUTES: [&str; 1] = ["1.1"];
const ANY_ENTRY: &str = "(objectClass=*)";

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The directory has no such user, or several.
    #[error("it has {0} entries for this name")]
    NotFound(usize),
    /// The directory refused the password.
    #[error("it refused the password")]
    WrongPassword,
    /// A setting keeps the user out: its name.
    #[error("{0} keeps this user out")]
    ExcludedByGroup(String),
    /// It could not be asked, or did not answer as it should. Names addresses and settings, never a password.
    #[error("{0}")]
    Unavailable(String),
}

impl From<LdapError> for SignInError {
    fn from(trouble: LdapError) -> Self {
        SignInError::Unavailable(trouble.to_string())
    }
}

impl Directory {
    /// Whether this name and password belong together, and what the directory makes of their user.
    ///
    /// # Errors
    /// Why not. All but [`SignInError::Unavailable`] are the directory's own decision.
    pub async fn sign_in(&self, username: &str, password: &str) -> Result<LdapUser, SignInError> {
        self.in_time(self.sign_in_slowly(username.trim(), password)).await
    }

    /// Looks for the user as [`Directory::sign_in`] does and tells nothing: so that an answer without the directory
    /// takes as long as one with it.
    pub async fn simulate_sign_in(&self, username: &str) {
        let looking = async {
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
        // Whatever comes of it.
        let _ = self.in_time(looking).await;
    }

    /// Whether an entry of this name, which was once found for this user, can still be one of the directory's users.
    ///
    /// # Errors
    /// [`SignInError::Unavailable`].
    pub async fn is_entry_of_user(&self, dn: &str, username: &str) -> Result<bool, SignInError> {
        if let UserLookup::Template(template) = &self.lookup {
            // Whoever made the name by the template is the only one who could make it again.
            let made = fill_dn(template, username.trim()).and_then(|made| dn::normalize(&made));
            return Ok(made.is_some() && made == dn::normalize(dn));
        }
        let reading = async {
            let mut connection = self.connect().await?;
            Ok(self.entry(&mut connection, dn).await?.is_some())
        };
        self.in_time(reading).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SignInError>>) -> Result<T, SignInError> {
        timeout(LONGEST, work).await.unwrap_or_else(|_| Err(SignInError::Unavailable("it took too long".into())))
    }

    async fn sign_in_slowly(&self, username: &str, password: &str) -> Result<LdapUser, SignInError> {
        // A bind without a password is an anonymous one, which succeeds whoever's name it has (RFC 4513, 5.1.2).
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
        // The root of a directory has no name, and a bind without one is anonymous too.
        if dn::normalize(&found.dn).is_none_or(|dn| dn.is_empty()) {
            return Err(SignInError::NotFound(0));
        }
        self.check_password(&mut connection, &found.dn, password).await?;

        // Without a name to search with, the user is the one who may look.
        if !self.bind_dn.is_empty() {
            self.bind(&mut connection).await?;
        }
        let found = match &self.lookup {
            UserLookup::Template(_) => self.entry(&mut connection, &found.dn).await?.unwrap_or(found),
            UserLookup::Search(_) => found,
        };
        let groups = self.groups(&mut connection, &found).await?;
        self.require(&groups)?;
        Ok(self.person(&found.dn, &found.attributes, &groups))
    }

    /// A connection that may search.
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
        /// What servers say to a name that does not exist or cannot be one.
        const WRONG: [u32; 3] = [code::INVALID_CREDENTIALS, code::NO_SUCH_OBJECT, code::INVALID_DN_SYNTAX];
        let outcome = connection.bind(dn, password).await?;
        if WRONG.contains(&outcome.code) {
            return Err(SignInError::WrongPassword);
        }
        outcome.success("the bind of the user").map_err(SignInError::from)
    }

    /// The one entry that the searches find for a name.
    async fn find(&self, connection: &mut Connection, username: &str) -> Result<Entry, SignInError> {
        let UserLookup::Search(searches) = &self.lookup else { return Err(SignInError::NotFound(0)) };
        let wanted = self.wanted();
        let mut found = BTreeMap::new();
        for search in searches {
            let Some(filter) = fill(&search.filter, username) else { continue };
            let search = Search { filter, ..search.clone() };
            // One more than there may be tells that there are too many.
            match entries(connection.search(&search, &wanted, 2).await) {
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

    /// The entry of this name.
    async fn entry(&self, connection: &mut Connection, dn: &str) -> Result<Option<Entry>, SignInError> {
        let search = Search { base: dn.to_owned(), scope: Scope::Base, filter: ANY_ENTRY.to_owned() };
        Ok(entries(connection.search(&search, &self.wanted(), 1).await)?.into_iter().next())
    }

    /// The attributes of users that anything here looks at.
    fn wanted(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.attributes.iter().map(|(_, attribute)| attribute.as_str()).collect();
        names.extend(self.group_type.user_attributes());
        if names.is_empty() { NO_ATTRIBUTES.to_vec() } else { names }
    }

    /// The groups of a user, as far as anything depends on them.
    async fn groups(&self, connection: &mut Connection, user: &Entry) -> Result<Groups, SignInError> {
        let mut groups = Groups::default();
        let Some(search) = self.group_search.as_ref().filter(|_| self.uses_groups()) else { return Ok(groups) };
        let Some(membership) = self.group_type.membership(&user.dn, &user.attributes) else { return Ok(groups) };
        let mut new = find_groups(connection, search, &membership, &mut groups).await?;
        while self.group_type.is_nested() && !new.is_empty() {
            let mut further = vec![];
            for some in new.chunks(GROUPS_AT_ONCE) {
                if let Some(filter) = self.group_type.containing(some) {
                    further.extend(find_groups(connection, search, &filter, &mut groups).await?);
                }
            }
            new = further;
        }
        if !self.group_type.is_nested() {
            self.ask_for_named(connection, &membership, &mut groups).await?;
        }
        Ok(groups)
    }

    /// Groups that decide who may come in and who has flags count wherever they are, as in AWX: they are asked for
    /// by name.
    async fn ask_for_named(
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
            groups.answered(normalized, !found.is_empty());
        }
        Ok(())
    }

    fn require(&self, groups: &Groups) -> Result<(), SignInError> {
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

/// A search where nothing is finds nothing.
fn entries(found: Result<Vec<Entry>, LdapError>) -> Result<Vec<Entry>, LdapError> {
    match found {
        Err(LdapError::Refused { code: code::NO_SUCH_OBJECT, .. }) => Ok(vec![]),
        other => other,
    }
}

/// Adds the groups that a search finds, and tells those that are new.
async fn find_groups(
    connection: &mut Connection,
    search: &Search,
    members: &str,
    groups: &mut Groups,
) -> Result<Vec<String>, SignInError> {
    let filter = fill(&search.filter, "").unwrap_or_default();
    let narrowed = Search { filter: format!("(&{filter}{members})"), ..search.clone() };
    let mut new = vec![];
    for entry in entries(connection.search(&narrowed, &NO_ATTRIBUTES, MOST_GROUPS).await)? {
        if dn::normalize(&entry.dn).is_some_and(|normalized| groups.found(normalized)) {
            new.push(entry.dn);
        }
    }
    if groups.count() > MOST_GROUPS {
        return Err(SignInError::Unavailable(format!("a user is in more than {MOST_GROUPS} groups")));
    }
    Ok(new)
}
