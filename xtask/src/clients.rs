//! Runs real clients: the `awx` command and the awx.awx collection, unmodified; schemathesis, which compares responses
//! with the OpenAPI document; and Chromium, which opens the pages.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::cargo::cargo;
use crate::report::{Counts, Report};
use crate::server::{PASSWORD, Server, hostler};

/// The oldest Python version that the clients support.
const OLDEST_PYTHON: &str = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";

/// The clients, by the names with which each can be run alone.
pub const NAMES: [&str; 4] = ["awx", "openapi", "pages", "collection"];

/// Runs these clients, all if none is named, each against its own server.
pub fn check(report: &mut Report, names: &[String]) -> Result<()> {
    report.part("clients");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let clients = root.join("clients");
    // The executable is in a profile's folder of the target directory.
    let target = std::env::current_exe()?.ancestors().nth(2).context("the target directory")?.to_owned();
    let bin = match environment()? {
        Ok(bin) => bin,
        Err(because) => {
            report.skip(
                "the awx command, schemathesis, the walk through the pages and the awx.awx collection",
                &because,
                NAMES.len(),
            );
            return Ok(());
        }
    };
    for name in NAMES.iter().filter(|name| names.is_empty() || names.iter().any(|wanted| wanted == *name)) {
        match *name {
            "awx" => awx(report, &bin, &clients, &target)?,
            "openapi" => script(report, name, &clients.join("check_openapi.py"), &bin, &target, &[])?,
            "pages" => pages(report, &bin, &clients, &target)?,
            _ => collection(report, &bin, &clients, &target)?,
        }
    }
    Ok(())
}

fn awx(report: &mut Report, bin: &Path, clients: &Path, target: &Path) -> Result<()> {
    // The export of one server is imported into another, empty one.
    let Some((empty, _data)) = server(report, "awx-empty", target) else { return Ok(()) };
    let other = [("CONTROLLER_EMPTY_HOST", OsStr::new(&empty.base))];
    script(report, "awx", &clients.join("check_awx_cli.py"), bin, target, &other)
}

/// The HTML pages in a browser. Screenshots are kept in `target/pages`.
fn pages(report: &mut Report, bin: &Path, clients: &Path, target: &Path) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = |names: &[&str]| {
        names
            .iter()
            .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
            .find(|file| file.is_file())
    };
    // The names of the executable in Debian, other distributions and upstream.
    let chromium = find(&["chromium", "chromium-browser", "google-chrome"]);
    let (Some(chromium), Some(driver)) = (chromium, find(&["chromedriver"])) else {
        report.skip("the walk through the pages", "Chromium or its chromedriver is not installed", 1);
        return Ok(());
    };
    let screenshots = target.join("pages");
    if screenshots.exists() {
        fs::remove_dir_all(&screenshots)?;
    }
    let programs = [
        ("CHROMIUM", chromium.as_os_str()),
        ("CHROMEDRIVER", driver.as_os_str()),
        ("SCREENSHOTS", screenshots.as_os_str()),
    ];
    script(report, "pages", &clients.join("check_pages.py"), bin, target, &programs)?;
    println!("The screenshots are in {}", screenshots.display());
    Ok(())
}

/// The folder with the clients' executables, in a virtual environment that is kept while its requirements stay the
/// same; the inner error says what is missing on this machine.
pub fn environment() -> Result<Result<PathBuf, String>> {
    let target = std::env::current_exe()?.ancestors().nth(2).context("the target directory")?.to_owned();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    prepare(&target.join("clients-venv"), &root.join("clients/requirements.txt"))
}

fn prepare(folder: &Path, requirements: &Path) -> Result<Result<PathBuf, String>> {
    let bin = folder.join("bin");
    let wanted = fs::read_to_string(requirements)?;
    let stamp = folder.join("requirements.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Ok(bin));
    }
    let python = Command::new("python3").args(["-c", OLDEST_PYTHON]).stderr(Stdio::null()).status();
    if !python.is_ok_and(|status| status.success()) {
        return Ok(Err("there is no python3 of version 3.10 or later with its venv module".to_owned()));
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let is_made = Command::new("python3").args(["-m", "venv"]).arg(folder).status()?.success();
    let is_installed = is_made
        && Command::new(bin.join("python"))
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(requirements)
            .status()?
            .success();
    if !is_installed {
        return Ok(Err("pip could not install clients/requirements.txt".to_owned()));
    }
    fs::write(stamp, wanted)?;
    Ok(Ok(bin))
}

/// A server for one client with its own data; an error if it does not start.
fn server(report: &mut Report, client: &str, target: &Path) -> Option<(Server, TempDir)> {
    match start(&target.join(format!("clients-{client}.log"))) {
        Ok(started) => Some(started),
        Err(problem) => {
            report.fail(&format!("no server for {client}: {problem:#}"));
            None
        }
    }
}

fn start(log: &Path) -> Result<(Server, TempDir)> {
    ensure!(cargo().args(["build", "--package", "hostler"]).status()?.success(), "it cannot be built");
    // Cargo puts the binary beside this executable, wherever the target directory is.
    let binary = std::env::current_exe()?.with_file_name("hostler");
    let folder = TempDir::with_prefix("hostler-clients-")?;
    Ok((Server::start(&mut hostler(&binary, &folder.path().join("data")), log)?, folder))
}

/// A command without the settings of this machine's user and without a proxy.
fn program(program: &Path, home: &Path, server: &Server) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", home).env("TMPDIR", home).env("LC_ALL", "C.UTF-8");
    command.env("CONTROLLER_HOST", &server.base).env("CONTROLLER_USERNAME", "admin");
    // Python must not write cache files beside the scripts in the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("CONTROLLER_PASSWORD", PASSWORD).env("CONTROLLER_VERIFY_SSL", "false");
    command.stdin(Stdio::null());
    command
}

/// Runs a script whose last line has the numbers of its checks.
fn script(
    report: &mut Report,
    name: &str,
    script: &Path,
    bin: &Path,
    target: &Path,
    environment: &[(&str, &OsStr)],
) -> Result<()> {
    let Some((server, _data)) = server(report, name, target) else { return Ok(()) };
    let home = tempfile::tempdir()?;
    let output = program(&bin.join("python"), home.path(), &server)
        .envs(environment.iter().copied())
        .arg(script)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let counts = text.lines().last().map(Counts::parse).unwrap_or_default();
    report.add(counts);
    if counts == Counts::default() || output.status.success() != (counts.failed == 0) {
        report.fail(&format!("the checks of {name} did not run to their end"));
    }
    Ok(())
}

fn collection(report: &mut Report, bin: &Path, clients: &Path, target: &Path) -> Result<()> {
    let Some((server, _data)) = server(report, "collection", target) else { return Ok(()) };
    let home = tempfile::tempdir()?;
    let output = program(&bin.join("ansible-playbook"), home.path(), &server)
        .args(["--inventory", "localhost,", "--connection", "local"])
        .arg(clients.join("collection.yml"))
        .arg("--extra-vars")
        .arg(format!("ansible_python_interpreter={}", bin.join("python").display()))
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let counts = text.lines().find_map(recap).unwrap_or_default();
    report.add(counts);
    if counts == Counts::default() || output.status.success() != (counts.failed == 0) {
        report.fail("the playbook of the awx.awx collection did not run to its end");
    }
    Ok(())
}

/// Counts the tasks in the recap of the play: `localhost : ok=9 changed=4 failed=0 ...`.
fn recap(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("localhost")?.split_once(" : ")?;
    let of = |key: &str| {
        let value = counts.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    Some(Counts { passed: of("ok"), failed: of("failed") + of("unreachable"), skipped: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn play_recap_is_parsed() {
        let line = "localhost                  : ok=9    changed=4    unreachable=1    failed=1    skipped=0";
        assert_eq!(recap(line), Some(Counts { passed: 9, failed: 2, skipped: 0 }));
        assert_eq!(recap("TASK [localhost : x]"), None);
    }
}
