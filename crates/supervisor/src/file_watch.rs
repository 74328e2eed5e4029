use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

/// How often a file is looked at that the system does not watch.
const INTERVAL: Duration = Duration::from_millis(200);

/// Waits for changes of a file or folder. The system watches only some files of each user
/// (`fs.inotify.max_user_instances`): the others are looked at in intervals.
#[derive(Debug)]
pub struct FileWatch(Option<OwnedFd>);

impl FileWatch {
    /// Reports these changes from now on.
    pub fn new(path: &Path, changes: WatchFlags) -> Self {
        let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        Self(watch.and_then(|watch| inotify::add_watch(&watch, path, changes).map(|_| watch)).ok())
    }

    /// Watches nothing.
    #[cfg(feature = "fuzzing")]
    pub fn none() -> Self {
        Self(None)
    }

    /// What to poll, if the system watches the file.
    pub fn descriptor(&self) -> Option<PollFd<'_>> {
        self.0.as_ref().map(|watch| PollFd::new(watch, PollFlags::IN))
    }

    /// How long to wait for a change before the file is looked at.
    pub fn interval(&self) -> Option<Duration> {
        if self.0.is_some() { None } else { Some(INTERVAL) }
    }

    /// Forgets the changes that were reported.
    pub fn clear(&self) {
        let mut ignored = [0; 4096];
        while self.0.as_ref().is_some_and(|watch| rustix::io::read(watch, &mut ignored).is_ok_and(|count| count > 0)) {}
    }
}
