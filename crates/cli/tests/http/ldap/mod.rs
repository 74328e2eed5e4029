//! Sign-in through LDAP, against OpenLDAP: accounts, mapping of groups, and the settings.

mod accounts;
mod connections;
mod fixture;
mod mapping;
mod settings;
