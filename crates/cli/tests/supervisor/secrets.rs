use std::fs;
use std::process::Command;

use hostler_supervisor::{AnsibleOptions, Exit, Playbook, Program, Reason, SshKey, VaultPassword};
use hostler_testkit::skip::skip;

use crate::job::{Job, executable};

/// A job that runs this script in place of `ansible-playbook`.
fn stand_in(script: &str) -> Job {
    let mut job = Job::script("");
    let program = job.directory.join("ansible-playbook");
    executable(&program, &format!("#!/usr/bin/env python3\nimport os, sys, subprocess\n{script}"));
    job.description.program = Program::Playbook(Box::new(Playbook {
        options: AnsibleOptions { program, ..AnsibleOptions::default() },
        playbook: "site.yml".to_owned(),
        limit: "web".to_owned(),
        ..Playbook::default()
    }));
    job
}

#[test]
fn passwords_are_read_once_and_stand_nowhere() {
    let mut job = stand_in(
        r#"
print(sys.argv[1:])
for argument in sys.argv[1:]:
    name, _, path = argument.partition("=")
    path = path.rpartition("@")[2]
    if path.startswith("/"):
        print(name, open(path).read())
        print(os.path.exists(path))
print([variable for variable in os.environb.items() if b"PASSWORD" in variable[1]])
for line in open("/proc/%d/environ" % os.getppid(), "rb").read().split(b"\0"):
    if b"PASSWORD" in line:
        print("the supervisor has", line)
"#,
    );
    job.secrets.connection_password = Some("CONNECTION PASSWORD".to_owned());
    job.secrets.become_password = Some("BECOME PASSWORD".to_owned());
    job.secrets.vaults = vec![
        VaultPassword { id: String::new(), password: "VAULT PASSWORD".to_owned() },
        VaultPassword { id: "prod".to_owned(), password: "PROD PASSWORD".to_owned() },
    ];
    let outcome = job.run();
    let workspace = job.directory.join("workspace").display().to_string();
    let expected = format!(
        "['--limit=web', '--connection-password-file={workspace}/connection-password', \
         '--become-password-file={workspace}/become-password', '--vault-password-file={workspace}/vault-password-0', \
         '--vault-id=prod@{workspace}/vault-password-1', '--', 'site.yml']\n\
         --connection-password-file CONNECTION PASSWORD\n\nFalse\n\
         --become-password-file BECOME PASSWORD\n\nFalse\n\
         --vault-password-file VAULT PASSWORD\n\nFalse\n\
         --vault-id PROD PASSWORD\n\nFalse\n[]\n"
    );
    assert_eq!(outcome.text(), expected);
    // The test's own output is in the spool; no other file has a password.
    for file in fs::read_dir(&job.directory).expect("the directory").chain(fs::read_dir(workspace).expect("the folder"))
    {
        let path = file.expect("an entry").path();
        if path.is_file() && !path.ends_with("spool") && !path.ends_with("ansible-playbook") {
            let content = fs::read(&path).expect("the file");
            assert!(!String::from_utf8_lossy(&content).contains("PASSWORD"), "{}", path.display());
        }
    }
}

#[test]
fn secret_environment_reaches_the_program_only() {
    let mut job = stand_in("print(os.environ['CLOUD_TOKEN'], os.environ['PLAIN'], os.environ.get('CARGO'))");
    job.description.environment.insert("PLAIN".to_owned(), "plain".to_owned());
    job.secrets.environment.insert("CLOUD_TOKEN".to_owned(), "TOKEN".to_owned());
    assert_eq!(job.run().text(), "TOKEN plain None\n");
    let description = fs::read_to_string(job.directory.join("job.json")).expect("the description");
    assert!(!description.contains("TOKEN"));
}

#[test]
fn password_that_is_not_read_does_not_delay_the_end() {
    let mut job = stand_in("print('done')");
    job.secrets.become_password = Some("secret".to_owned());
    let outcome = job.run();
    assert_eq!((outcome.last.exit, outcome.text().as_str()), (Some(Exit::Code(0)), "done\n"));
}

#[test]
fn ssh_agent_has_the_keys() {
    let mut job = stand_in("subprocess.run(['ssh-add', '-l'])");
    let Some(plain) = ssh_key(&job, "") else { return };
    let Some(protected) = ssh_key(&job, "the passphrase") else { return };
    job.secrets.ssh_keys = vec![
        SshKey { private_key: plain, passphrase: None },
        SshKey { private_key: protected.clone(), passphrase: Some("the passphrase".to_owned()) },
    ];
    let text = job.run().text();
    assert_eq!(text.matches("(ED25519)").count(), 2, "{text}");

    let mut wrong = stand_in("print('started')");
    wrong.secrets.ssh_keys = vec![SshKey { private_key: protected, passphrase: Some("wrong".to_owned()) }];
    let outcome = wrong.run();
    assert_eq!(outcome.last.reason, Reason::NotStarted);
    assert_eq!(outcome.last.message, "SSH key 1 is invalid, or its passphrase is wrong");
    assert_eq!(outcome.text(), "");
}

/// A new private key; none if there is no ssh-keygen.
fn ssh_key(job: &Job, passphrase: &str) -> Option<String> {
    let file = job.directory.join(format!("key{}", passphrase.len()));
    let mut command = Command::new("ssh-keygen");
    let output = command.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&file).output();
    if output.is_err() {
        skip("there is no ssh-keygen");
        return None;
    }
    fs::read_to_string(file).ok()
}
