//! A stand-in for Ansible.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// What the scripts of tests may use: `event` writes an event, `wait_for` waits until the test creates a file.
const PRELUDE: &str = r#"
import json, os, subprocess, sys, time
pipe = int(os.environ["HOSTLER_EVENT_PIPE"])
workspace = os.environ["HOSTLER_JOB_DIRECTORY"] + "/workspace/"
counter = 0
def event(name, stdout="", **data):
    global counter
    counter += 1
    event = {"event": name, "uuid": f"{name}-{counter}", "created": "2026-01-01T00:00:00+00:00", "stdout": stdout,
             "event_data": data}
    line = (json.dumps(event) + "\n").encode()
    while line:
        line = line[os.write(pipe, line):]
def report(name, value=""):
    with open(workspace + name + ".new", "w") as file:
        file.write(str(value))
    os.rename(workspace + name + ".new", workspace + name)
def wait_for(name):
    while not os.path.exists(workspace + name):
        time.sleep(0.01)
def inventory(document):
    with open(output, "w") as file:
        file.write(document if isinstance(document, str) else json.dumps(document))
"#;

/// Creates a program in this folder that runs its playbook as Python, and returns its path. Scripts may use `event`, `report`
/// and `wait_for`. Beside it is a program that runs the source of an inventory so; such a script writes its `inventory`. A
/// third one runs the arguments of an ad hoc command, whose pattern is `pattern`.
pub fn stand_in_ansible(folder: &Path) -> PathBuf {
    let folder = folder.canonicalize().expect("a folder").join("stand-in");
    fs::create_dir_all(folder.join("bin")).expect("a folder");
    fs::create_dir_all(folder.join("lib/ansible")).expect("a folder");
    let lib = folder.join("lib");
    for (name, text) in
        [("ansible/__init__.py", ""), ("ansible/release.py", "__version__ = '2.16.0'\n"), ("prelude.py", PRELUDE)]
    {
        fs::write(lib.join(name), text).expect("a file");
    }
    let (python, program) = (folder.join("bin/python"), folder.join("bin/ansible-playbook"));
    executable(&python, &format!("#!/bin/sh\nPYTHONPATH={} exec python3 \"$@\"\n", lib.display()));
    let run = "import prelude, sys\nexec(open(sys.argv[-1]).read(), vars(prelude))\n";
    executable(&program, &format!("#!{}\n{run}", python.display()));
    let run = "import prelude, sys\n\
               options = dict(option.split('=', 1) for option in sys.argv if '=' in option)\n\
               prelude.output = options['--output']\n\
               exec(open(options['--inventory']).read(), vars(prelude))\n";
    executable(&folder.join("bin/ansible-inventory"), &format!("#!{}\n{run}", python.display()));
    let run = "import prelude, sys\n\
               options = dict(option.split('=', 1) for option in sys.argv if '=' in option)\n\
               prelude.pattern = sys.argv[-1]\n\
               exec(options['--args'], vars(prelude))\n";
    executable(&folder.join("bin/ansible"), &format!("#!{}\n{run}", python.display()));
    program
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// Whether this machine has an Ansible for jobs of test servers.
pub fn has_ansible() -> bool {
    of_this_machine().is_file()
}

/// The `ansible-playbook` of this machine: that of `HOSTLER_TEST_ANSIBLE`, or the one in PATH. Otherwise a path without a
/// program, so that no test server installs one.
pub(crate) fn of_this_machine() -> PathBuf {
    let in_path = || {
        let folders = env::var_os("PATH").unwrap_or_default();
        let programs: Vec<PathBuf> = env::split_paths(&folders).map(|folder| folder.join("ansible-playbook")).collect();
        programs.into_iter().find(|program| program.is_file())
    };
    let program = env::var_os("HOSTLER_TEST_ANSIBLE").map(PathBuf::from).or_else(in_path);
    program.unwrap_or_else(|| "/nonexistent/ansible-playbook".into())
}
