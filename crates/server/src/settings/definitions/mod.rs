//! Every setting that Hostler honours, by category; no other is listed or taken.

pub(crate) mod authentication;
pub(crate) mod ldap;
pub(crate) mod system;
pub(crate) mod ui;

use super::{Setting, Settings};

/// Settings that belong together.
pub(crate) struct Category {
    /// The last part of its path.
    pub slug: &'static str,
    /// What people call it.
    pub name: &'static str,
    pub settings: &'static [&'static Setting],
}

/// The categories that settings belong to, by slug.
pub(crate) const CATEGORIES: [&Category; 4] =
    [&authentication::CATEGORY, &ldap::CATEGORY, &system::CATEGORY, &ui::CATEGORY];

/// All settings, each with its category.
pub(crate) fn all() -> impl Iterator<Item = (&'static Category, &'static Setting)> {
    CATEGORIES.into_iter().flat_map(|category| category.settings.iter().map(move |setting| (category, *setting)))
}

/// A rule that binds several settings together: it is asked of the values that shall be in force, and says what is wrong.
pub(crate) type Rule = fn(&Settings) -> Result<(), &'static str>;

/// All such rules.
pub(crate) const RULES: &[Rule] = &[authentication::somebody_can_sign_in];
