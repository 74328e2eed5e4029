//! Signing in through LDAP, against OpenLDAP: who gets in, what becomes of them, and the settings.

mod accounts;
mod connections;
mod fixture;
mod mapping;
mod settings;
