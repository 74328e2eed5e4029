//! Injectors: templates that turn credential inputs into environment variables, extra
//! variables and files of a job.

mod check;
mod render;
mod sandbox;

pub use check::check_injectors;
pub use render::{RenderError, RenderedInjectors, render_injectors};
pub use sandbox::MAX_TEMPLATE;

/// The key of a file's template, possibly with `.NAME`. Other templates refer to the path
/// as `tower.filename` or `tower.filename.NAME`.
const FILE: &str = "template";

/// The name in the key of a file's template: `template` has none, `template.NAME` has
/// one. `None` if the key is neither.
fn file_name(key: &str) -> Option<Option<&str>> {
    match key.strip_prefix(FILE)? {
        "" => Some(None),
        named => named.strip_prefix('.').filter(|name| crate::check_inputs::is_name(name)).map(Some),
    }
}

/// The error, as AWX words it, for an environment variable that credentials must not set:
/// those that configure Ansible, and those that AWX sets itself.
fn forbidden_variable(name: &str) -> Option<String> {
    /// AWX's list.
    const RESERVED: &[&str] = &[
        "VIRTUAL_ENV",
        "PATH",
        "PYTHONPATH",
        "JOB_ID",
        "INVENTORY_ID",
        "INVENTORY_SOURCE_ID",
        "INVENTORY_UPDATE_ID",
        "AD_HOC_COMMAND_ID",
        "REST_API_URL",
        "REST_API_TOKEN",
        "MAX_EVENT_RES",
        "CALLBACK_QUEUE",
        "CALLBACK_CONNECTION",
        "CACHE",
        "JOB_CALLBACK_DEBUG",
        "INVENTORY_HOSTVARS",
        "AWX_HOST",
        "PROJECT_REVISION",
        "SUPERVISOR_CONFIG_PATH",
    ];
    if name.starts_with("ANSIBLE_") {
        return Some(format!(
            "Environment variable {name} may affect Ansible configuration so its use is not allowed in credentials."
        ));
    }
    RESERVED.contains(&name).then(|| format!("Environment variable {name} is not allowed to be used in credentials."))
}

#[cfg(test)]
mod tests;
