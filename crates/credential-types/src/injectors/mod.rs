//! What a job is given of a credential: environment variables, extra variables
//! and files, made of templates over the credential's values.

mod check;
mod render;
mod sandbox;

pub use check::check_injectors;
pub use render::{RenderError, RenderedInjectors, render_injectors};

/// What stands in the place of a file's content in templates: `tower.filename`,
/// or `tower.filename.NAME` where there are several.
const FILE: &str = "template";

/// The name of a file by the key of its template: `template` has none,
/// `template.NAME` has one. `None` if the key is neither.
fn file_name(key: &str) -> Option<Option<&str>> {
    match key.strip_prefix(FILE)? {
        "" => Some(None),
        named => named.strip_prefix('.').filter(|name| crate::check_inputs::is_name(name)).map(Some),
    }
}

/// Why a variable may not be set, in AWX's words. Some belong to the server's own
/// way of running Ansible, and all of Ansible's could change what it does.
fn forbidden_variable(name: &str) -> Option<String> {
    /// As AWX has them.
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
