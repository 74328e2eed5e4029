//! Servers, supervisors and machines that are killed while jobs run.

use std::fs;
use std::time::Duration;

use hostler_queue::{Ended, Executor as _};
use hostler_supervisor::SupervisorRecord;
use hostler_testkit::{Backend, on_each_backend};
use rustix::process::{Pid, Signal, kill_process};

use crate::setup::{is_running, wait_until, with_scripts};

on_each_backend!(
    jobs_of_a_killed_server_go_on,
    job_that_was_being_prepared_starts_again,
    job_whose_directory_is_gone_is_an_error,
    job_of_a_killed_supervisor_is_an_error,
    job_of_a_restarted_machine_is_an_error,
    canceled_job_of_a_stopped_supervisor_is_canceled,
    deleted_job_does_not_run_on,
    rests_of_ended_jobs_are_removed,
    files_of_ended_jobs_and_deleted_projects_are_removed,
);

fn jobs_of_a_killed_server_go_on(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server
            .job(
                "for number in range(20000):\n    event('runner_on_ok', f'{number}\\n', host='one')\n\
                 report('written')\nwait_for('go')\nevent('end', 'end\\n')",
            )
            .await;
        let mut run = server.start(job);
        server.wait_for_status(job, "running").await;
        for round in 1..=3 {
            wait_until("events are stored", async || server.number(job, "emitted_events").await >= round * 2000).await;
            run.kill_executor().await;
            server.restart().await;
            run = server.adopt(job);
        }
        run.reported("written").await;
        run.signal("go");
        assert_eq!(run.end().await, Ok(Ended::Finished));
        assert_eq!(server.ended(job).await, ("successful".to_owned(), String::new()));
        assert_eq!(server.number(job, "emitted_events").await, 20001);
        let expected: String = (0..20000).map(|number| format!("{number}\n")).chain(["end\n".to_owned()]).collect();
        assert!(server.output(job).await == expected, "each line once, in order");
    });
}

fn job_that_was_being_prepared_starts_again(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("event('a', 'ran\\n')").await;
        fs::create_dir_all(server.data.join("jobs").join(job.to_string()).join("workspace")).unwrap();
        let run = server.adopt(job);
        assert_eq!(run.end().await, Ok(Ended::Finished));
        assert_eq!(server.ended(job).await.0, "successful");
        assert_eq!(server.output(job).await, "ran\n");
    });
}

fn job_whose_directory_is_gone_is_an_error(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("report('never')").await;
        server.change("unified_jobs", job, "status", "running").await;
        assert_eq!(server.adopt(job).end().await, Ok(Ended::Finished));
        let (status, explanation) = server.ended(job).await;
        assert_eq!(status, "error");
        assert!(explanation.contains("directory of the job is gone"), "{explanation}");
        assert!(server.output(job).await.contains(&explanation));
    });
}

fn job_of_a_killed_supervisor_is_an_error(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server
            .job(
                "event('a', 'before\\n')\nchild = subprocess.Popen(['sleep', '1000'], env={})\n\
                 report('child', child.pid)\nreport('pid', os.getpid())\ntime.sleep(1000)",
            )
            .await;
        let run = server.start(job);
        let processes = [run.reported("child").await, run.reported("pid").await];
        // What the supervisor has not read is lost with it.
        wait_until("the event is stored", async || server.number(job, "emitted_events").await == 1).await;
        let record = SupervisorRecord::read(&run.directory()).unwrap().unwrap();
        kill_process(Pid::from_raw(record.supervisor.pid).unwrap(), Signal::KILL).unwrap();
        assert_eq!(run.end().await, Ok(Ended::Finished));
        let (status, explanation) = server.ended(job).await;
        assert_eq!(status, "error");
        assert!(explanation.contains("supervisor of the job was killed"), "{explanation}");
        assert_eq!(server.output(job).await, format!("before\nERROR! {explanation}\n"));
        assert!(processes.iter().all(|pid| !is_running(pid)));
    });
}

fn job_of_a_restarted_machine_is_an_error(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("event('a', 'before\\n')\nreport('pid', os.getpid())\ntime.sleep(1000)").await;
        let run = server.start(job);
        let directory = run.directory();
        run.reported("pid").await;
        run.kill_executor().await;
        hostler_supervisor::kill_leftovers(&directory).unwrap();
        // What a restart of the machine leaves.
        let path = directory.join("supervisor.json");
        let mut record = SupervisorRecord::read(&directory).unwrap().unwrap();
        record.boot_id = "another".into();
        fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
        server.restart().await;
        assert_eq!(server.adopt(job).end().await, Ok(Ended::Finished));
        let ended = server.ended(job).await;
        assert_eq!(ended, ("error".to_owned(), "The machine was restarted while the job ran.".to_owned()));
        assert!(server.output(job).await.starts_with("before\n"));
    });
}

fn canceled_job_of_a_stopped_supervisor_is_canceled(backend: Backend) {
    with_scripts(backend, async |server| {
        server.cancel_limit = Duration::from_millis(500);
        server.restart().await;
        let job = server.job("event('a', 'before\\n')\nreport('pid', os.getpid())\ntime.sleep(1000)").await;
        let run = server.start(job);
        let pid = run.reported("pid").await;
        wait_until("the event is stored", async || server.number(job, "emitted_events").await == 1).await;
        let supervisor = SupervisorRecord::read(&run.directory()).unwrap().unwrap().supervisor.pid;
        kill_process(Pid::from_raw(supervisor).unwrap(), Signal::STOP).unwrap();
        run.signals.cancel.cancel();
        assert_eq!(run.end().await, Ok(Ended::Finished));
        assert_eq!(server.ended(job).await, ("canceled".to_owned(), String::new()));
        assert_eq!(server.output(job).await, "before\n");
        assert!(!is_running(&pid) && !is_running(&supervisor.to_string()));
    });
}

fn deleted_job_does_not_run_on(backend: Backend) {
    with_scripts(backend, async |server| {
        let script = "report('pid', os.getpid())\nwait_for('go')\nevent('a', 'x\\n')\ntime.sleep(1000)";
        let job = server.job(script).await;
        let run = server.start(job);
        let (pid, directory) = (run.reported("pid").await, run.directory());
        server.wait_for_status(job, "running").await;
        server.delete("unified_jobs", job).await;
        run.signal("go");
        assert!(run.end().await.is_err());
        assert!(!is_running(&pid) && !directory.exists());
    });
}

fn rests_of_ended_jobs_are_removed(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("report('pid', os.getpid())\ntime.sleep(1000)").await;
        let run = server.start(job);
        let (pid, directory) = (run.reported("pid").await, run.directory());
        run.kill_executor().await;
        server.change("unified_jobs", job, "status", "error").await;
        server.runner.clean_up().await.unwrap();
        assert!(!is_running(&pid) && !directory.exists());
    });
}

fn files_of_ended_jobs_and_deleted_projects_are_removed(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("").await;
        let project = server.number(job, "project_id").await;
        let projects = server.data.join("projects");
        let reference = |job: &str| projects.join(format!("{project}/checkouts/c/references/{job}"));
        let (active, ended) = (reference(&format!("job-{job}")), reference("update-999"));
        fs::create_dir_all(active.parent().unwrap()).unwrap();
        fs::write(&active, "").unwrap();
        fs::write(&ended, "").unwrap();
        server.runner.clean_up().await.unwrap();
        assert!(active.exists() && !ended.exists());
        server.runner.remove_unused().await.unwrap();
        assert!(active.exists(), "the project exists");
        server.delete("unified_job_templates", project).await;
        server.runner.remove_unused().await.unwrap();
        assert!(active.exists(), "a job uses the files");
        server.delete("unified_jobs", job).await;
        server.runner.clean_up().await.unwrap();
        server.runner.remove_unused().await.unwrap();
        assert!(!projects.join(project.to_string()).exists());
    });
}
