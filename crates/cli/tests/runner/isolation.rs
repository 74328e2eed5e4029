//! What an isolated job sees, from inside a playbook.

use std::fs;

use hostler_runner::IsolationMode;
use hostler_supervisor::check_bubblewrap;
use hostler_testkit::Backend;
use hostler_testkit::skip::skip_forbidden;

use crate::setup::on;

#[test]
fn job_sees_neither_the_data_folder_nor_other_jobs() {
    if let Err(problem) = check_bubblewrap() {
        skip_forbidden(&problem.to_string());
        return;
    }
    on(Backend::Sqlite, IsolationMode::Bubblewrap, None, async |server| {
        let other = server.data.join("jobs/999999/workspace");
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("secret"), "SECRET").unwrap();
        fs::write(server.data.join("secret.key"), "SECRET").unwrap();
        let script = format!(
            "for path in ['secret.key', 'hostler.db', 'keys', 'jobs/999999/workspace/secret']:
    path = '{data}/' + path
    print(os.path.exists(path), flush=True)
print(os.listdir('.'), open('site.yml').read(9), flush=True)
report('own', 'x')
try:
    open('site.yml', 'a')
except OSError as problem:
    print(problem.strerror, flush=True)",
            data = server.data.display()
        );
        let job = server.job(&script).await;
        assert_eq!(server.run(job).await.0, "successful");
        let output = server.output(job).await;
        assert!(!output.contains("True") && !output.contains("SECRET"), "{output}");
        assert!(output.contains("['site.yml'] for path "), "{output}");
        assert!(output.contains("Read-only file system"), "{output}");
    });
}
