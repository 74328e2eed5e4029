//! Tests the Debian package and the container's root file system in a disposable copy of this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::{debian, image, output, root};
use crate::cargo::cargo;
use crate::disposable_root;
use crate::report::{Counts, Report};

/// The required programs, and their use.
const PROGRAMS: [(&str, &str); 6] = [
    ("dpkg-deb", "packs"),
    ("dpkg-shlibdeps", "finds the packages of libraries"),
    ("strip", "takes out what only debuggers read"),
    ("unshare", "makes namespaces"),
    ("ip", "sets the network of one up"),
    ("curl", "asks the server"),
];

/// The packages of a debug build.
pub struct Built {
    binary: PathBuf,
    folder: TempDir,
    /// The Debian package.
    pub package: PathBuf,
}

/// Why the packages cannot be tested on this machine.
pub enum Obstacle {
    /// A program is missing, which could be installed.
    Missing(String),
    /// The machine does not allow it.
    Forbidden(String),
}

/// Builds the packages, which needs root; the inner error says why that is impossible on this machine.
pub fn build() -> Result<Result<Built, Obstacle>> {
    if let Some(because) = obstacle() {
        return Ok(Err(because));
    }
    ensure!(cargo().args(["build", "--package", "hostler"]).status()?.success(), "it cannot be built");
    // This executable is in a profile's folder of the target directory, and so is the server.
    let binary = std::env::current_exe()?.with_file_name("hostler");
    let folder = TempDir::with_prefix("hostler-packages-")?;
    let package = debian::build(&binary, folder.path(), "gzip")?;
    Ok(Ok(Built { binary, folder, package }))
}

/// Installs, runs and removes the packages, in a disposable copy of this machine.
pub fn check(report: &mut Report, built: &Built) -> Result<()> {
    report.part("packages");
    let Built { binary, folder, package } = built;
    let containerfile = root()?.join("packaging/container/Containerfile");
    let debian = || in_a_copy("try_debian.sh", &[package]);
    let container = || in_a_copy("try_image.sh", &[&image::build(binary, folder.path())?, &containerfile]);
    if !is_there("buildah") {
        report.skip("building the image of a container", "there is no buildah; only its root is tried", 1);
    }
    let trials: [(&str, &dyn Fn() -> Result<()>); 2] = [("the Debian package", &debian), ("the container", &container)];
    for (name, trial) in trials {
        println!("{name}:");
        match trial() {
            Ok(()) => report.add(Counts { passed: 1, ..Counts::default() }),
            Err(problem) => report.fail(&format!("{name}: {problem:#}")),
        }
    }
    Ok(())
}

fn obstacle() -> Option<Obstacle> {
    if !output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        return Some(Obstacle::Forbidden("that takes root".to_owned()));
    }
    if let Some((program, use_of_it)) = PROGRAMS.iter().find(|(program, _)| !is_there(program)) {
        return Some(Obstacle::Missing(format!("there is no {program}, which {use_of_it}")));
    }
    // Not all file systems support overlays, and not all containers may mount them.
    let problem = disposable_root::run("true", &[]).err()?;
    Some(Obstacle::Forbidden(format!("no throw-away copy of this machine can be made: {problem:#}")))
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Runs one of the project's scripts in a copy, with these files as its arguments.
fn in_a_copy(script: &str, files: &[&Path]) -> Result<()> {
    let script = root()?.join("xtask/src/package").join(script);
    disposable_root::run("bash", &[&[script.as_path()], files].concat())
}
