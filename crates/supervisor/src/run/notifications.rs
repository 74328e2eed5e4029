use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::WatchFlags;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use crate::error::Error;
use crate::file_watch::FileWatch;
use crate::files;
use crate::final_record::Reason;

/// What the supervisor waits for besides output: signals, and the request to cancel.
pub struct Notifications {
    signals: UnixStream,
    is_terminated: Arc<AtomicBool>,
    cancel: PathBuf,
    directory: FileWatch,
}

impl Notifications {
    /// From now on signals do not end this process.
    pub fn new(directory: &Path) -> Result<Self, Error> {
        let (signals, writer) = UnixStream::pair().map_err(Error::system("socketpair"))?;
        signals.set_nonblocking(true).map_err(Error::system("fcntl"))?;
        for signal in [SIGCHLD, SIGTERM, SIGINT, SIGHUP] {
            let writer = writer.try_clone().map_err(Error::system("dup"))?;
            signal_hook::low_level::pipe::register(signal, writer).map_err(Error::system("sigaction"))?;
        }
        let is_terminated = Arc::new(AtomicBool::new(false));
        let flags = [(SIGTERM, Arc::clone(&is_terminated)), (SIGINT, Arc::clone(&is_terminated))];
        // The limit of the size of files must be an error, not the end.
        for (signal, flag) in flags.into_iter().chain([(SIGXFSZ, Arc::default())]) {
            signal_hook::flag::register(signal, flag).map_err(Error::system("sigaction"))?;
        }
        let cancel = directory.join(files::CANCEL);
        let directory = FileWatch::new(directory, WatchFlags::CREATE | WatchFlags::MOVED_TO);
        Ok(Self { signals, is_terminated, cancel, directory })
    }

    /// Why the job is to be stopped, if that was requested.
    pub fn stop_request(&self) -> Option<Reason> {
        if self.is_terminated.load(Ordering::Relaxed) {
            Some(Reason::Terminated)
        } else {
            self.cancel.exists().then_some(Reason::Canceled)
        }
    }

    /// What to poll.
    pub fn descriptors(&self) -> Vec<PollFd<'_>> {
        let signals = PollFd::new(&self.signals, PollFlags::IN);
        [signals].into_iter().chain(self.directory.descriptor()).collect()
    }

    /// How long to wait before the request is looked for.
    pub fn interval(&self) -> Option<Duration> {
        self.directory.interval()
    }

    /// Forgets what was reported.
    pub fn clear(&self) {
        let mut ignored = [0; 1024];
        while matches!((&self.signals).read(&mut ignored), Ok(count) if count > 0) {}
        self.directory.clear();
    }
}
