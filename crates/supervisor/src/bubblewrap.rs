use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::error::Error;
use crate::files;
use crate::job::Bubblewrap;

/// Folders of the system that every program may read. Those that do not exist are left out.
const SYSTEM: [&str; 11] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    // Name resolution of systemd and of NetworkManager.
    "/run/systemd/resolve",
    "/run/NetworkManager/resolv.conf",
];

/// The program and its options, to be followed by the command line of the job.
pub fn command_line(
    bubblewrap: &Bubblewrap,
    directory: &Path,
    working_directory: &Path,
) -> Result<Vec<OsString>, Error> {
    let workspace = &directory.join(files::WORKSPACE);
    // A device could not be read.
    let empty = &directory.join("empty");
    fs::write(empty, "").map_err(Error::file(empty))?;
    let program = find("bwrap").ok_or_else(|| Error::Preparation("bubblewrap (bwrap) is not installed".to_owned()))?;
    let mut command = vec![program.into_os_string()];
    let mut add = |arguments: &[&Path]| command.extend(arguments.iter().map(OsString::from));
    for option in ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"] {
        add(&[option.as_ref()]);
    }
    // Root would keep its capabilities, and could mount what is hidden.
    add(&["--cap-drop".as_ref(), "ALL".as_ref()]);
    for system in SYSTEM.map(Path::new) {
        match fs::read_link(system) {
            Ok(target) => add(&["--symlink".as_ref(), &target, system]),
            Err(_) => add(&["--ro-bind-try".as_ref(), system, system]),
        }
    }
    add(&["--proc".as_ref(), "/proc".as_ref(), "--dev".as_ref(), "/dev".as_ref()]);
    for folder in ["/tmp", "/var/tmp"] {
        add(&["--tmpfs".as_ref(), folder.as_ref()]);
    }
    for shown in &bubblewrap.shown {
        let option = if shown.is_writable { "--bind-try" } else { "--ro-bind-try" };
        add(&[option.as_ref(), &shown.source, &shown.destination]);
    }
    for path in &bubblewrap.hidden {
        if path.is_dir() {
            add(&["--tmpfs".as_ref(), path]);
        } else if path.exists() {
            add(&["--ro-bind".as_ref(), empty, path]);
        }
    }
    for (option, paths) in [("--ro-bind", &bubblewrap.read_only), ("--bind", &bubblewrap.read_write)] {
        for path in paths {
            if !path.exists() {
                return Err(Error::Preparation(format!("{} does not exist; the job should see it", path.display())));
            }
            add(&[option.as_ref(), path, path]);
        }
    }
    add(&["--bind".as_ref(), workspace, workspace]);
    add(&["--chdir".as_ref(), working_directory, "--".as_ref()]);
    Ok(command)
}

/// Checks that bubblewrap is installed, and that the system allows it.
///
/// # Errors
///
/// Why not.
pub fn check_bubblewrap() -> Result<(), Error> {
    let program = find("bwrap").ok_or_else(|| Error::Preparation("bubblewrap (bwrap) is not installed".to_owned()))?;
    let options = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--ro-bind", "/", "/", "--proc", "/proc", "true"];
    let check = move || {
        drop_ambient_capabilities()?;
        let output = Command::new(program).args(options).stdin(Stdio::null()).output();
        output.map_err(Error::system("bubblewrap could not be started"))
    };
    // A thread of its own: only it loses the capabilities.
    let output =
        thread::spawn(check).join().unwrap_or_else(|_| Err(Error::Preparation("the check failed".to_owned())))?;
    if output.status.success() {
        return Ok(());
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    Err(Error::Preparation(format!("bubblewrap does not run on this system: {}", problem.trim())))
}

/// Drops the capabilities that programs would inherit, such as that for low ports: bubblewrap refuses to run with them.
pub fn drop_ambient_capabilities() -> Result<(), Error> {
    rustix::thread::clear_ambient_capability_set().map_err(Error::system("PR_CAP_AMBIENT"))
}

/// Searches a program in PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
