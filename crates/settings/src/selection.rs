//! Which settings a path of `/api/v2/settings/` is about.

use hostler_schema::Actor;
use serde_json::{Map, Value as Json, json};

use crate::definitions::{self, CATEGORIES, Category};
use crate::setting::Setting;
use crate::values::Settings;

/// The slug that selects all settings.
pub(crate) const ALL: &str = "all";
/// The slug that selects the settings with a stored value.
pub(crate) const CHANGED: &str = "changed";

/// A selection of settings.
#[derive(Clone, Copy)]
pub struct Selection(pub(crate) Selected);

/// The selected settings.
#[derive(Clone, Copy)]
pub(crate) enum Selected {
    All,
    Changed,
    Category(&'static Category),
    One(&'static Setting),
}

impl Selection {
    /// The selection for the last part of a path.
    pub fn find(slug: &str) -> Option<Self> {
        let selected = match slug {
            ALL => Selected::All,
            CHANGED => Selected::Changed,
            _ => CATEGORIES.into_iter().find(|category| category.slug == slug).map(Selected::Category)?,
        };
        Some(Selection(selected))
    }

    /// The values of the selected settings, as responses show them.
    pub fn values(self, settings: &Settings) -> Map<String, Json> {
        let selected = self.settings(settings);
        selected.map(|(_, setting)| (setting.name.to_owned(), settings.response_value(setting))).collect()
    }

    /// The selected settings, given the stored ones.
    pub(crate) fn settings(self, stored: &Settings) -> impl Iterator<Item = (&'static Category, &'static Setting)> {
        definitions::all().filter(move |(category, setting)| match self.0 {
            Selected::All => true,
            Selected::Changed => !setting.read_only && stored.stored.contains_key(setting.name),
            Selected::Category(wanted) => category.slug == wanted.slug,
            Selected::One(wanted) => setting.name == wanted.name,
        })
    }
}

/// The list of categories, for superusers and system auditors; empty for others.
pub fn category_list(actor: &Actor) -> Json {
    let is_permitted = actor.is_superuser || actor.is_system_auditor;
    let mut categories = vec![(ALL, "All"), (CHANGED, "Changed")];
    categories.extend(CATEGORIES.iter().map(|category| (category.slug, category.name)));
    // By slug, as in AWX.
    categories.sort_unstable();
    let results: Vec<Json> = categories
        .iter()
        .filter(|_| is_permitted)
        .map(|(slug, name)| json!({"url": format!("/api/v2/settings/{slug}/"), "slug": slug, "name": name}))
        .collect();
    json!({"count": results.len(), "next": null, "previous": null, "results": results})
}
