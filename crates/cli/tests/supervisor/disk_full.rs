use hostler_supervisor::{Program, Reason};
use hostler_testkit::SmallDisk;

use crate::job::{Job, wait_until};

#[test]
fn job_is_stopped_while_the_disk_stays_full() {
    let Some(disk) = SmallDisk::mount(2) else { return };
    let program = Program::Command(["sh", "-c", "yes 0123456789"].map(str::to_owned).to_vec());
    let mut job = Job::in_directory(disk.path().to_owned(), program);
    job.description.disk_full_wait = 1;
    let outcome = job.run();
    assert_eq!(outcome.last.reason, Reason::DiskFull);
    assert!(outcome.last.message.contains("the disk was full for 1 seconds"), "{}", outcome.last.message);
    assert!(outcome.text().starts_with("0123456789\n"));
}

#[test]
fn job_waits_for_space_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let script = "echo >workspace/begun; until [ -e workspace/go ]; do sleep 0.01; done; seq 100000";
    let program = Program::Command(["sh", "-c", &format!("cd ..; {script}")].map(str::to_owned).to_vec());
    let job = Job::in_directory(disk.path().to_owned(), program);
    let running = job.start();
    job.reported("begun");
    // An empty file needs no space.
    disk.fill();
    job.signal("go");
    let spool = job.directory.join("spool");
    wait_until("the program has written", || spool.metadata().is_ok());
    std::thread::sleep(std::time::Duration::from_millis(300));
    disk.empty();
    let outcome = running.finish();
    assert_eq!((outcome.last.reason, outcome.last.lines), (Reason::Exited, 100_000));
    assert!(outcome.text().ends_with("99999\n100000\n"));
}
