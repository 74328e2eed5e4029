//! The playbooks and inventory files of a project, as AWX lists them.
//!
//! AWX looks at lines, not at the meaning of a file, so an inventory in YAML is in the list of playbooks too. The rules
//! are known from its recorded responses and from threads of its users.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

/// Folders whose files are parts of others.
const PARTS: [&str; 4] = ["roles", "tasks", "group_vars", "host_vars"];
/// The most of a file that is read. No playbook has its first play after so much text.
const MAX_READ: u64 = 1 << 20;

/// The paths of the playbooks below a folder, relative to it, in alphabetical order without case. `follows_links` also
/// searches folders of the project that links lead to.
pub fn playbooks(folder: &Path, follows_links: bool) -> Vec<String> {
    list(folder, follows_links, |path, name| matches!(extension(name), Some("yml" | "yaml")) && is_playbook(path))
}

/// The paths of the inventory files below a folder, relative to it, in alphabetical order without case.
pub fn inventory_files(folder: &Path) -> Vec<String> {
    list(folder, false, |path, name| match extension(name) {
        Some("ini") => true,
        _ if is_executable(path) => true,
        Some(_) => false,
        None => matches!(name, "hosts" | "inventory") || is_inventory(path),
    })
}

fn list(folder: &Path, follows_links: bool, accepts: impl Fn(&Path, &str) -> bool) -> Vec<String> {
    let Ok(root) = folder.canonicalize() else { return Vec::new() };
    let is_inside = |path: &Path| path.canonicalize().is_ok_and(|target| target.starts_with(&root));
    let is_listed = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        let is_part = || name.starts_with('.') || PARTS.contains(&name.as_ref());
        let leads_out = || entry.path_is_symlink() && !is_inside(entry.path());
        entry.depth() == 0 || !entry.file_type().is_dir() || !(is_part() || leads_out())
    };
    let mut paths = Vec::new();
    for entry in WalkDir::new(&root).follow_links(follows_links).into_iter().filter_entry(is_listed).flatten() {
        let path = entry.path();
        // A link may lead to a file of the project, but not out of it.
        let is_file = match entry.path_is_symlink() {
            true => is_inside(path) && path.is_file(),
            false => entry.file_type().is_file(),
        };
        let relative = path.strip_prefix(&root).ok().and_then(Path::to_str);
        if let (true, Some(relative), Some(name)) = (is_file, relative, entry.file_name().to_str())
            && accepts(path, name)
        {
            paths.push(relative.to_owned());
        }
    }
    paths.sort_by_cached_key(|path| (path.to_lowercase(), path.clone()));
    paths
}

/// The part of a name after its last dot; a leading dot does not count.
fn extension(name: &str) -> Option<&str> {
    Path::new(name).extension()?.to_str()
}

/// Whether a line of the file starts a play or imports a playbook, or the file is encrypted by Ansible Vault.
fn is_playbook(path: &Path) -> bool {
    let mut is_first = true;
    any_line(path, usize::MAX, |line| {
        let is_vault = std::mem::take(&mut is_first) && line.starts_with("$ANSIBLE_VAULT;");
        let key = line.trim_start();
        let key = key.strip_prefix('-').unwrap_or(key).trim_start();
        let action = key.strip_prefix("ansible.builtin.").unwrap_or(key);
        is_vault
            || key.starts_with("hosts:")
            || ["include:", "import_playbook:"].iter().any(|start| action.starts_with(start))
    })
}

/// Whether the first lines of a file could be those of an inventory: each is empty, a comment, or starts as names and
/// sections do.
fn is_inventory(path: &Path) -> bool {
    let is_other = |line: &str| {
        let starts = |c: char| c.is_ascii_alphanumeric() || "_.=[]#;".contains(c);
        line.contains('\0') || line.chars().next().is_some_and(|first| !starts(first))
    };
    File::open(path).is_ok() && !any_line(path, 10, is_other)
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

/// Whether one of the first lines has a property. A file that cannot be read has none.
fn any_line(path: &Path, count: usize, mut has: impl FnMut(&str) -> bool) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut reader = BufReader::new(file.take(MAX_READ));
    let mut line = Vec::new();
    for _ in 0..count {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return false,
            Ok(_) if has(String::from_utf8_lossy(&line).trim_end()) => return true,
            Ok(_) => {}
        }
    }
    false
}
