//! `cargo xtask package`: the Debian package and the container image.

mod debian;
mod image;
mod licences;
mod trial;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::cargo;
use anyhow::{Context as _, Result, bail, ensure};

pub use trial::{Obstacle, build, check};

/// The options of `cargo xtask package`.
pub struct Options {
    binary: Option<PathBuf>,
    to: PathBuf,
}

impl Options {
    /// Parses the flags.
    pub fn parse(flags: &[String]) -> Result<Options> {
        let mut options = Options { binary: None, to: root()?.join("target/package") };
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let mut value = || flags.next().with_context(|| format!("{flag} needs a path"));
            match flag.as_str() {
                "--binary" => options.binary = Some(value()?.into()),
                "--to" => options.to = value()?.into(),
                other => bail!("package has no option {other}: see cargo xtask help"),
            }
        }
        Ok(options)
    }
}

/// Builds the Debian package and the root file system of the container, from the release binary unless another is
/// given.
pub fn run(options: &Options) -> Result<()> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => {
            let built = cargo().args(["build", "--release", "--package", "hostler"]).status()?;
            ensure!(built.success(), "the release cannot be built");
            // This executable is in a profile's folder of the target directory, beside that of the release.
            let target = std::env::current_exe()?.ancestors().nth(2).context("the target directory")?.to_owned();
            target.join("release/hostler")
        }
    };
    println!("{}", debian::build(&binary, &options.to, "xz")?.display());
    println!("{}", image::build(&binary, &options.to)?.display());
    Ok(())
}

/// The workspace.
fn root() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?.to_owned())
}

/// Runs a program that must succeed, and returns its output.
fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("{command:?} does not run"))?;
    ensure!(output.status.success(), "{command:?} fails");
    Ok(String::from_utf8(output.stdout)?)
}

/// A command for the packaged binary without the environment variables of the developer's own Hostler.
fn hostler(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOSTLER_") {
            command.env_remove(name);
        }
    }
    command
}
