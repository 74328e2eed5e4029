//! Settings for finding faults of AWX, which mean nothing here.

use super::Category;
use crate::setting::Setting;

pub(crate) const CATEGORY: Category = Category {
    slug: "debug",
    name: "Debug",
    settings: &[&AWX_CLEANUP_PATHS, &AWX_REQUEST_PROFILE, &RECEPTOR_RELEASE_WORK],
};

pub(crate) static AWX_CLEANUP_PATHS: Setting = Setting::boolean("AWX_CLEANUP_PATHS", true)
    .label("Remove the directories of jobs")
    .help("Whether the directory of a job is removed at its end.")
    .without_effect("it contains secrets, and is always removed");

pub(crate) static AWX_REQUEST_PROFILE: Setting = Setting::boolean("AWX_REQUEST_PROFILE", false)
    .label("Profile requests")
    .help("Whether the time that requests take is recorded.")
    .without_effect("traces are sent to the collector of --otlp-endpoint");

pub(crate) static RECEPTOR_RELEASE_WORK: Setting = Setting::boolean("RECEPTOR_RELEASE_WORK", true)
    .label("Release work of Receptor")
    .help("Whether Receptor forgets a job at its end.")
    .without_effect("servers run jobs without Receptor");
