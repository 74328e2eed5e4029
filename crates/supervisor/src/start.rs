use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use zeroize::Zeroizing;

use crate::error::Error;
use crate::files;
use crate::preparation::inherited_environment;
use crate::secrets::Secrets;

/// Starts `PROGRAM run-job DIR`. The caller waits for the child, so that it does not stay a zombie; the job does not
/// depend on the caller.
///
/// # Errors
///
/// If the program does not start, or does not read the secrets.
pub fn start_supervisor(program: &Path, directory: &Path, secrets: &Secrets) -> Result<Child, Error> {
    let path = directory.join(files::LOG);
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(Error::file(&path))?;
    let text = serde_json::to_vec(secrets);
    let text = Zeroizing::new(text.map_err(|problem| Error::Preparation(problem.to_string()))?);
    let mut command = Command::new(program);
    command.arg("run-job").arg(directory).env_clear().envs(inherited_environment()).current_dir("/");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(Error::system("could not start the supervisor"))?;
    let written = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(&text));
    if let Err(problem) = written {
        // Nobody else would wait for it.
        let _ = child.kill();
        let _ = child.wait();
        return Err(Error::system("could not pass the secrets")(problem));
    }
    Ok(child)
}

/// Asks the supervisor to stop the job. It has no effect on a job that has ended.
///
/// # Errors
///
/// If the file cannot be created.
pub fn request_cancel(directory: &Path) -> Result<(), Error> {
    let path = directory.join(files::CANCEL);
    File::create(&path).map(drop).map_err(Error::file(&path))
}
