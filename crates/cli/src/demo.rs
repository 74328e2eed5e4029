//! The demo of an empty database.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use hostler_projects::Projects;
use hostler_resources::{DEMO_FILES, create_demo};
use hostler_server::App;

/// The folder with the repository of the demo, in the data folder. All projects may use repositories in it.
pub const FOLDER: &str = "demo";
/// The repository in that folder.
const REPOSITORY: &str = "playbooks.git";

/// Creates the demo. Without git it is left out, and a warning says so: the server works without it.
pub async fn create(app: &App, projects: &Projects, data: &Path, superuser: &str) {
    if let Err(problem) = try_create(app, projects, data, superuser).await {
        tracing::warn!("the demo could not be created: {problem:#}");
    }
}

async fn try_create(app: &App, projects: &Projects, data: &Path, superuser: &str) -> Result<()> {
    let data = data.canonicalize().with_context(|| format!("{} cannot be used", data.display()))?;
    let repository = data.join(FOLDER).join(REPOSITORY);
    projects.make_repository(&repository, DEMO_FILES).await?;
    let url = format!("file://{}", repository.display());
    // The error of a request has no text of its own.
    create_demo(app.engine(), superuser, &url).await.map_err(|problem| anyhow!("{problem:?}"))
}
