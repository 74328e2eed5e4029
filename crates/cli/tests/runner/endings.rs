//! How jobs end.

use hostler_queue::Ended;
use hostler_testkit::{Backend, on_each_backend};

use crate::setup::{is_running, with_scripts};

on_each_backend!(
    job_runs_and_its_events_are_stored,
    status_follows_from_the_program,
    running_job_is_canceled,
    job_is_canceled_before_its_start,
    time_limit_ends_the_job,
    stopped_server_leaves_the_job_running,
);

fn job_runs_and_its_events_are_stored(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server
            .job(
                "event('playbook_on_start')\n\
                 for number in range(3000): event('runner_on_ok', f'line {number}\\n', host='one')\n\
                 print('plain')",
            )
            .await;
        assert_eq!(server.run(job).await, ("successful".to_owned(), String::new()));
        assert_eq!(server.number(job, "stdout_lines").await, 3001);
        assert_eq!(server.number(job, "emitted_events").await, 3002);
        let output = server.output(job).await;
        assert!(output.starts_with("line 0\nline 1\n") && output.contains("\nline 2999\n"), "{output:.200}");
        assert!(server.text(job, "job_args").await.contains(r#""--","site.yml""#));
        assert!(server.text(job, "job_env").await.contains("JOB_ID"));
        assert_eq!(server.text(job, "job_cwd").await, server.project().display().to_string());
    });
}

fn status_follows_from_the_program(backend: Backend) {
    with_scripts(backend, async |server| {
        for (script, status, explanation) in
            [("", "successful", ""), ("sys.exit(2)", "failed", ""), ("os.kill(os.getpid(), 9)", "error", "signal 9")]
        {
            let job = server.job(script).await;
            let ended = server.run(job).await;
            assert_eq!(ended.0, status, "{script}");
            assert!(
                ended.1.contains(explanation) && ended.1.is_empty() == explanation.is_empty(),
                "{script}: {ended:?}"
            );
        }
    });
}

fn running_job_is_canceled(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("event('a', 'before\\n')\nreport('pid', os.getpid())\ntime.sleep(1000)").await;
        let run = server.start(job);
        let pid = run.reported("pid").await;
        server.wait_for_status(job, "running").await;
        run.signals.cancel.cancel();
        assert_eq!(run.end().await, Ok(Ended::Finished));
        assert_eq!(server.ended(job).await.0, "canceled");
        assert!(!is_running(&pid));
        assert!(server.output(job).await.starts_with("before\n"));
    });
}

fn job_is_canceled_before_its_start(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("report('never')").await;
        let run = server.start(job);
        run.signals.cancel.cancel();
        assert_eq!(run.end().await, Ok(Ended::Finished));
        assert_eq!(server.ended(job).await.0, "canceled");
    });
}

fn time_limit_ends_the_job(backend: Backend) {
    with_scripts(backend, async |server| {
        let job = server.job("time.sleep(1000)").await;
        server.change("unified_jobs", job, "timeout", 1).await;
        let ended = server.run(job).await;
        assert_eq!(ended, ("failed".to_owned(), "Job terminated due to timeout".to_owned()));
    });
}

fn stopped_server_leaves_the_job_running(backend: Backend) {
    with_scripts(backend, async |server| {
        let job =
            server.job("event('a', 'one\\n')\nreport('pid', os.getpid())\nwait_for('go')\nevent('b', 'two\\n')").await;
        let run = server.start(job);
        let pid = run.reported("pid").await;
        run.signals.shutdown.cancel();
        assert_eq!(run.end().await, Ok(Ended::Detached));
        assert!(is_running(&pid));
        server.restart().await;
        let run = server.adopt(job);
        run.signal("go");
        assert_eq!(run.end().await, Ok(Ended::Finished));
        assert_eq!(server.ended(job).await.0, "successful");
        assert_eq!(server.output(job).await, "one\ntwo\n");
    });
}
