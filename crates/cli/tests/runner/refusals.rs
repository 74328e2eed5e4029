//! Jobs that are not started.

use std::fs;

use hostler_testkit::{Backend, on_each_backend};

use crate::setup::with_scripts;

on_each_backend!(what_is_wrong_is_said);

fn what_is_wrong_is_said(backend: Backend) {
    with_scripts(backend, async |server| {
        std::os::unix::fs::symlink("/etc/hostname", server.project().join("link.yml")).unwrap();
        let cases: [(&str, &str, &str, &str); 7] = [
            ("playbook", "missing.yml", "failed", "missing.yml"),
            ("playbook", "../../hostler.db", "failed", "'..'"),
            ("playbook", "/etc/passwd", "failed", "relative"),
            ("playbook", "link.yml", "failed", "leads out of the project"),
            ("job_limit", "all,@/etc/passwd", "failed", "limit"),
            ("extra_vars", "[1]", "failed", "extra variables"),
            ("extra_vars", "a: {b", "failed", "extra variables"),
        ];
        for (column, value, status, words) in cases {
            let job = server.job("report('never')").await;
            server.change("unified_jobs", job, column, value).await;
            let ended = server.run(job).await;
            assert_eq!(ended.0, status, "{column} {value}");
            assert!(ended.1.contains(words), "{ended:?}");
            assert!(server.output(job).await.contains(words), "the output says it, too");
        }
        for (column, words) in [("project_id", "project"), ("inventory_id", "inventory")] {
            let job = server.job("report('never')").await;
            server.change("unified_jobs", job, column, None::<i64>).await;
            let ended = server.run(job).await;
            assert!(ended.0 == "error" && ended.1.contains(words), "{ended:?}");
        }
        let job = server.job("report('never')").await;
        fs::remove_dir_all(server.project()).unwrap();
        let ended = server.run(job).await;
        assert!(ended.0 == "failed" && ended.1.contains("project"), "{ended:?}");
    });
}
