//! The systemd units in `packaging`: valid, and sandboxed.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const UNITS: [&str; 2] = ["hostler.service", "hostler.socket"];
/// The maximum exposure of `systemd-analyze security`, of 100; it calls this "OK".
const MOST_EXPOSED: &str = "30";

/// The units, with this binary as ExecStart; none if systemd is not installed.
fn units() -> Option<TempDir> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        hostler_testkit::skip::skip("there is no systemd-analyze");
        return None;
    }
    let folder = TempDir::new().expect("a directory");
    for name in UNITS {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd").join(name);
        let unit = fs::read_to_string(source).expect("a unit");
        let unit = unit.replace("/usr/bin/hostler", env!("CARGO_BIN_EXE_hostler"));
        fs::write(folder.path().join(name), unit).expect("a file");
    }
    Some(folder)
}

fn analyze(folder: &TempDir, arguments: &[&str], units: &[&str]) -> String {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .args(units)
        .current_dir(folder.path())
        .output()
        .expect("systemd-analyze runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn units_pass_systemd_analyze() {
    let Some(folder) = units() else { return };
    let said = analyze(&folder, &["verify", "--man=no"], &UNITS);
    // It prints what it ignores, and exits with 0.
    assert!(!UNITS.iter().any(|name| said.contains(name)), "{said}");
}

#[test]
fn service_is_sandboxed() {
    let Some(folder) = units() else { return };
    let threshold = format!("--threshold={MOST_EXPOSED}");
    analyze(&folder, &["security", "--offline=true", "--no-pager", &threshold], &UNITS[..1]);
}

#[test]
fn sandbox_allows_the_isolation_of_jobs() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd/hostler.service");
    let unit = fs::read_to_string(unit).expect("a unit");
    // With each of them bubblewrap cannot mount /proc.
    for option in ["ProtectKernelTunables=", "ProtectKernelLogs=", "ProtectProc=", "ProcSubset="] {
        assert!(!unit.lines().any(|line| line.starts_with(option)), "{option}");
    }
    for line in ["RestrictNamespaces=user mnt pid ipc uts", "SystemCallFilter=@chown @mount capset pivot_root"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn jobs_outlive_a_restart_of_the_service() {
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd/hostler.service");
    let unit = fs::read_to_string(unit).expect("a unit");
    assert!(unit.lines().any(|line| line == "KillMode=process"), "systemd would kill the supervisors of jobs");
}
