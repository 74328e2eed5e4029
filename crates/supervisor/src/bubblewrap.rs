use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

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

/// Searches a program in PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}
