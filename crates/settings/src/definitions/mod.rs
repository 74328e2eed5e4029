//! All settings, by category: those with an effect, and those that clients of AWX may set although nothing reads them.
//! Others are neither listed nor accepted.

pub mod authentication;
mod bulk;
mod debug;
pub(crate) mod jobs;
pub(crate) mod ldap;
pub(crate) mod named_url;
pub mod system;
pub mod ui;

use crate::setting::Setting;
use crate::values::Settings;

pub(crate) struct Category {
    /// The last part of its path.
    pub slug: &'static str,
    pub name: &'static str,
    pub settings: &'static [&'static Setting],
}

/// All categories, by slug.
pub(crate) const CATEGORIES: [&Category; 8] = [
    &authentication::CATEGORY,
    &bulk::CATEGORY,
    &debug::CATEGORY,
    &jobs::CATEGORY,
    &ldap::CATEGORY,
    &named_url::CATEGORY,
    &system::CATEGORY,
    &ui::CATEGORY,
];

/// All settings, each with its category.
pub(crate) fn all() -> impl Iterator<Item = (&'static Category, &'static Setting)> {
    CATEGORIES.into_iter().flat_map(|category| category.settings.iter().map(move |setting| (category, *setting)))
}

/// A condition on several settings together. It checks the new values and returns an error message.
pub(crate) type Constraint = fn(&Settings) -> Result<(), &'static str>;

pub(crate) const CONSTRAINTS: &[Constraint] = &[authentication::someone_can_authenticate];
