//! Writing the files of a plan, and removing them.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::environment::Environment;
use crate::error::{Error, from_local_git};
use crate::folder::CheckoutFolder;
use crate::lock::Lock;
use crate::plan::{Part, Plan};
use crate::process::OnLine;
use crate::repository::{Call, Repository};

/// The files of a project at one commit, which never change.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The folder with the files. They are read-only.
    pub path: PathBuf,
    /// The commit of the project.
    pub commit: String,
    pub(crate) folder: CheckoutFolder,
}

/// Writes the files of all repositories, and gives the folder its final name when they are complete.
pub(crate) async fn create(
    environment: &Environment,
    folder: &CheckoutFolder,
    plan: &Plan,
    lock: &Lock,
    on_line: OnLine<'_>,
) -> Result<(), Error> {
    let partial = folder.partial();
    for part in &plan.0 {
        write_files(environment, folder, part, lock, on_line).await?;
    }
    let files = folder.files();
    lock.blocking(move || publish(&partial, &files)).await
}

/// Protects a folder that is complete, and gives it its name.
pub(crate) fn publish(partial: &Path, target: &Path) -> Result<(), Error> {
    make_read_only(partial)?;
    // After a power failure the folder must not have its name without its files.
    let open = File::open(partial).map_err(Error::io("open", partial))?;
    rustix::fs::syncfs(&open).map_err(|error| Error::io("write", partial)(error.into()))?;
    fs::rename(partial, target).map_err(Error::io("rename", partial))
}

async fn write_files(
    environment: &Environment,
    folder: &CheckoutFolder,
    part: &Part,
    lock: &Lock,
    on_line: OnLine<'_>,
) -> Result<(), Error> {
    let (root, path) = (folder.partial(), part.path.clone());
    let target = lock.blocking(move || create_inside(&root, &path)).await?;
    let repository = Repository { environment, path: part.mirror.clone() };
    // Without these filters git would write the pointers instead of the files.
    let lfs = [
        ("filter.lfs.process", "git-lfs filter-process"),
        ("filter.lfs.smudge", "git-lfs smudge -- %f"),
        ("filter.lfs.required", "true"),
    ];
    let uses_lfs = repository.uses_lfs(&part.commit).await?;
    let index = folder.index();
    let call = Call {
        config: if uses_lfs { &lfs } else { &[] },
        variables: &[("GIT_INDEX_FILE", index.as_os_str()), ("GIT_WORK_TREE", target.as_os_str())],
        folder: Some(&target),
        input: Some(lock.inherited()?),
        on_line: Some(on_line),
        credential_files: None,
    };
    let finished = repository.git(&["read-tree", "--reset", "-u", &part.commit], call).await?;
    let removed = fs::remove_file(&index);
    if !finished.success {
        return Err(from_local_git(&finished.stderr));
    }
    removed.map_err(Error::io("remove", &index))
}

/// Creates the folder of a repository below the root. A symbolic link on the way could lead out of it.
fn create_inside(root: &Path, path: &str) -> Result<PathBuf, Error> {
    let mut target = root.to_owned();
    for name in std::iter::once(OsStr::new("")).chain(Path::new(path).iter()) {
        if !name.is_empty() {
            target.push(name);
        }
        match fs::symlink_metadata(&target) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                let source = Error::InvalidName(path.to_owned());
                return Err(Error::Submodule { path: path.to_owned(), source: Box::new(source) });
            }
            Err(_) => fs::create_dir_all(&target).map_err(Error::io("create", &target))?,
        }
    }
    Ok(target)
}

/// Removes the permission to write from all files and folders.
fn make_read_only(folder: &Path) -> Result<(), Error> {
    for entry in WalkDir::new(folder).contents_first(true) {
        let entry = entry.map_err(|error| walk_error(folder, error))?;
        if entry.file_type().is_symlink() {
            continue;
        }
        let metadata = entry.metadata().map_err(|error| walk_error(folder, error))?;
        let mode = metadata.permissions().mode() & 0o555;
        fs::set_permissions(entry.path(), Permissions::from_mode(mode)).map_err(Error::io("protect", entry.path()))?;
    }
    Ok(())
}

/// Removes what a server left behind that was killed while it created or removed the checkout. The lock is held.
pub(crate) fn remove_incomplete(folder: &CheckoutFolder) -> Result<(), Error> {
    let index = folder.index();
    for file in [index.with_extension("lock"), index] {
        if file.exists() {
            fs::remove_file(&file).map_err(Error::io("remove", &file))?;
        }
    }
    remove_tree(&folder.partial())
}

/// Removes a folder whose folders may be read-only. One that does not exist is no error.
pub(crate) fn remove_tree(folder: &Path) -> Result<(), Error> {
    if fs::symlink_metadata(folder).is_err() {
        return Ok(());
    }
    for entry in WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
        fs::set_permissions(entry.path(), Permissions::from_mode(0o700)).map_err(Error::io("remove", entry.path()))?;
    }
    fs::remove_dir_all(folder).map_err(Error::io("remove", folder))
}

/// Removes a checkout, while its lock is held.
pub(crate) fn remove(folder: &CheckoutFolder, lock: Lock) -> Result<(), Error> {
    let (files, partial) = (folder.files(), folder.partial());
    remove_tree(&partial)?;
    if files.exists() {
        // If this is interrupted, no half of the files is taken for the whole.
        fs::rename(&files, &partial).map_err(Error::io("rename", &files))?;
    }
    for entry in fs::read_dir(&folder.path).map_err(Error::io("read", &folder.path))?.flatten() {
        let path = entry.path();
        if path == folder.lock() {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&path)?;
        } else {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    fs::remove_file(folder.lock()).map_err(Error::io("remove", &folder.path))?;
    drop(lock);
    // It is not empty if another task has created it again.
    if let Err(error) = fs::remove_dir(&folder.path) {
        tracing::debug!(%error, "the folder of a checkout is used again");
    }
    Ok(())
}

/// The names of the files in a folder; none if it does not exist.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn walk_error(folder: &Path, error: walkdir::Error) -> Error {
    Error::io("read", folder)(error.into())
}
