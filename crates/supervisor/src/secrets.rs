//! Secrets of a job. They come from the server by a pipe, and go to the program by its environment or by FIFOs, each of
//! which is read once: they stand in no argument and in no file.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::Error;

/// More than any set of keys and vault passwords.
const LONGEST: u64 = 8 << 20;

/// Secrets of a job.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Environment variables of the program. Its modules on this machine inherit them.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The password of connections.
    #[serde(default)]
    pub connection_password: Option<String>,
    /// The password of `become`.
    #[serde(default)]
    pub become_password: Option<String>,
    /// Vault passwords.
    #[serde(default)]
    pub vaults: Vec<VaultPassword>,
    /// Private keys for an SSH agent.
    #[serde(default)]
    pub ssh_keys: Vec<SshKey>,
}

/// The password of one vault id.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct VaultPassword {
    /// The vault id; empty for the default one.
    #[serde(default)]
    pub id: String,
    /// The password.
    pub password: String,
}

/// A private key.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SshKey {
    /// The key, in a format that `ssh-add` reads.
    pub private_key: String,
    /// Its passphrase.
    #[serde(default)]
    pub passphrase: Option<String>,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.environment.values_mut().for_each(Zeroize::zeroize);
        self.connection_password.zeroize();
        self.become_password.zeroize();
    }
}

impl Secrets {
    /// Reads them until the end of the input.
    pub(crate) fn read(input: impl Read) -> Result<Self, Error> {
        let mut text = Zeroizing::new(Vec::new());
        input.take(LONGEST).read_to_end(&mut text).map_err(Error::system("could not read the secrets"))?;
        if text.is_empty() {
            // The job must not run without its secrets.
            return Err(Error::Preparation("the server ended before it passed the secrets".to_owned()));
        }
        // The message of the error could quote a secret.
        serde_json::from_slice(&text).map_err(|_| Error::Preparation("the secrets are no valid JSON".to_owned()))
    }
}

/// Creates a FIFO that gives a secret to the first process that reads it, and is removed then.
pub fn serve_once(path: PathBuf, secret: Zeroizing<String>) -> Result<PathBuf, Error> {
    create_fifo(&path)?;
    let fifo = path.clone();
    let serve = move || {
        // It blocks until a process reads; if none does, the thread ends with the supervisor.
        let Ok(mut file) = OpenOptions::new().write(true).open(&fifo) else { return };
        // A second reader must not wait for a secret.
        let _ = fs::remove_file(&fifo);
        // A reader that ends early misses its secret only.
        let _ = file.write_all(secret.as_bytes());
    };
    let thread = thread::Builder::new().name("secret".to_owned()).stack_size(64 << 10).spawn(serve);
    thread.map_err(Error::system("could not start a thread"))?;
    Ok(path)
}

fn create_fifo(path: &Path) -> Result<(), Error> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(|problem| Error::file(path)(problem.into()))
}

/// Replaces the standard input, from which the secrets were read: the program inherits an empty one.
pub fn close_stdin() -> Result<(), Error> {
    let null = File::open("/dev/null").map_err(Error::system("/dev/null"))?;
    rustix::stdio::dup2_stdin(&null).map_err(Error::system("dup2"))
}
