//! Limits of bulk operations.

use super::Category;
use crate::setting::Setting;

pub(crate) const CATEGORY: Category = Category {
    slug: "bulk",
    name: "Bulk Actions",
    settings: &[&BULK_JOB_MAX_LAUNCH, &BULK_HOST_MAX_CREATE, &BULK_HOST_MAX_DELETE],
};

pub(crate) static BULK_JOB_MAX_LAUNCH: Setting = Setting::integer("BULK_JOB_MAX_LAUNCH", 100, i64::MIN, i64::MAX)
    .label("Max jobs to allow bulk jobs to launch")
    .help("The most jobs that one request launches.")
    .without_effect("jobs are not launched in bulk yet");

pub(crate) static BULK_HOST_MAX_CREATE: Setting = Setting::integer("BULK_HOST_MAX_CREATE", 100, i64::MIN, i64::MAX)
    .label("Max number of hosts to allow to be created in a single bulk action")
    .help("The most hosts that one request creates.");

pub(crate) static BULK_HOST_MAX_DELETE: Setting = Setting::integer("BULK_HOST_MAX_DELETE", 250, i64::MIN, i64::MAX)
    .label("Max number of hosts to allow to be deleted in a single bulk action")
    .help("The most hosts that one request deletes.");
