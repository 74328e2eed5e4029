//! Real Ansible: `ansible-playbook` of `HOSTLER_TEST_ANSIBLE`, or in PATH.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use hostler_runner::IsolationMode;
use hostler_supervisor::AnsibleInstallation;
use hostler_testkit::Backend;
use hostler_testkit::skip::skip;
use sea_query::{Expr, ExprTrait as _, Query};

use crate::setup::{Server, on};

fn with_ansible(test: impl AsyncFnOnce(&mut Server)) {
    let program = env::var_os("HOSTLER_TEST_ANSIBLE").map(PathBuf::from);
    match AnsibleInstallation::find(program.as_deref()) {
        Ok(ansible) => on(Backend::Sqlite, IsolationMode::Auto, Some(ansible.ansible_playbook), test),
        Err(problem) => skip(&format!("there is no Ansible, in PATH or HOSTLER_TEST_ANSIBLE: {problem}")),
    }
}

#[test]
fn playbook_gets_inventory_variables_and_secrets() {
    with_ansible(async |server| {
        let playbook = "
- hosts: web
  gather_facts: false
  tasks:
    - debug:
        msg: >-
          job={{ awx_job_id }} {{ tower_job_id }} inventory={{ awx_inventory_name }} group={{ of_group }} all={{ of_all }}
          text={{ text }} number={{ number + 1 }} trusted={{ trusted }} from_env={{ lookup('env', 'TOKEN') | length }}
          file={{ lookup('file', lookup('env', 'TOKEN_FILE')) | length }} credential={{ of_credential }}
";
        let job = server.job(playbook).await;
        let inventory = server.number(job, "inventory_id").await;
        server.change("inventories", inventory, "variables", "of_all: 1").await;
        let groups = [("web", "of_group: yes"), ("db", "")];
        let mut ids = vec![];
        for (name, variables) in groups {
            let values = [("inventory_id", inventory.into()), ("name", name.into()), ("variables", variables.into())];
            ids.push(server.insert("inventory_groups", values).await);
        }
        server.execute("inventory_group_children", [("parent_id", ids[0].into()), ("child_id", ids[1].into())]).await;
        let host = server.first("hosts").await;
        server.execute("inventory_group_hosts", [("group_id", ids[1].into()), ("host_id", host.into())]).await;
        let template = server.insert(
            "unified_job_templates",
            [
                ("type", "job_template".into()),
                ("name", "template".into()),
                ("extra_vars", "trusted: '{{ 1 + 1 }}'".into()),
            ],
        );
        server.change("unified_jobs", job, "unified_job_template_id", template.await).await;
        let variables = r#"{"text": "{{ 1 + 1 }}", "number": 41, "trusted": "{{ 1 + 1 }}"}"#;
        server.change("unified_jobs", job, "extra_vars", variables).await;
        let inputs = r#"{"fields": [{"id": "token", "type": "string", "secret": true}]}"#;
        let injectors = r#"{"env": {"TOKEN": "{{ token }}", "TOKEN_FILE": "{{ tower.filename }}"},
            "file": {"template": "<{{ token }}>"}, "extra_vars": {"of_credential": "{{ token }}x"}}"#;
        let kind = server.insert(
            "credential_types",
            [
                ("name", "token".into()),
                ("kind", "cloud".into()),
                ("inputs", inputs.into()),
                ("injectors", injectors.into()),
            ],
        );
        let credential = server.insert(
            "credentials",
            [
                ("name", "token".into()),
                ("credential_type_id", kind.await.into()),
                ("inputs", r#"{"token": "Canary5"}"#.into()),
            ],
        );
        let links = [("unified_job_id", job.into()), ("credential_id", credential.await.into())];
        server.execute("unified_job_credentials", links).await;

        let ended = server.run(job).await;
        let output = server.output(job).await;
        assert_eq!(ended.0, "successful", "{ended:?} {output}");
        for expected in [
            format!("job={job} {job} "),
            "inventory=inventory group=True all=1".into(),
            "text={{ 1 + 1 }} number=42 trusted=2".into(),
            "from_env=7".into(),
            "file=9 credential=Canary5x".into(),
        ] {
            assert!(output.contains(&expected), "{expected}: {output}");
        }
        let environment = server.text(job, "job_env").await;
        assert!(environment.contains("TOKEN") && !environment.contains("Canary5"), "{environment}");
        assert!(!server.text(job, "job_args").await.contains("Canary5"));
    });
}

#[test]
fn jobs_of_a_git_project_share_a_checkout() {
    with_ansible(async |server| {
        let repository = server.folder().join("repository");
        let script = "git init -q -b main . && printf -- '- hosts: all\\n  gather_facts: false\\n  tasks: [{debug: {msg: from git}}]\\n' >site.yml && git add . && git -c user.name=t -c user.email=t@example.org commit -qm first";
        std::fs::create_dir(&repository).unwrap();
        assert!(Command::new("sh").args(["-c", script]).current_dir(&repository).status().unwrap().success());
        let mut ended = vec![];
        let first = server.job("").await;
        let project = server.number(first, "project_id").await;
        server.change("unified_job_templates", project, "scm_type", "git").await;
        server.change("unified_job_templates", project, "scm_url", format!("file://{}", repository.display())).await;
        for job in [first, server.copy_of(first).await] {
            ended.push(server.run(job).await);
            assert!(server.output(job).await.contains("from git"), "{ended:?} {}", server.output(job).await);
            assert_eq!(server.text(job, "scm_revision").await.len(), 40);
        }
        assert!(ended.iter().all(|(status, _)| status == "successful"), "{ended:?}");
    });
}

#[test]
fn job_on_a_smart_inventory_runs_on_the_hosts_of_others() {
    with_ansible(async |server| {
        let playbook = "
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: 'ran on {{ inventory_hostname }} of {{ origin }} in {{ groups.all | length }}'}
    - fail: {msg: on purpose}
      when: inventory_hostname == 'two'
";
        let job = server.job(playbook).await;
        let own = server.number(job, "inventory_id").await;
        let organization = server.insert("organizations", [("name", "o".into()), ("ansible_id", "a".into())]).await;
        server.change("inventories", own, "organization_id", organization).await;
        let inventory = |name: &str, kind: &str, host_filter: Option<&str>| {
            server.insert(
                "inventories",
                [
                    ("name", name.into()),
                    ("organization_id", organization.into()),
                    ("kind", kind.into()),
                    ("host_filter", host_filter.into()),
                ],
            )
        };
        let other = inventory("other", "", None).await;
        let host = |inventory: i64, name: &str, origin: &str| {
            let variables = format!("{{ansible_connection: local, origin: {origin}}}");
            let inventory = ("inventory_id", inventory.into());
            server.insert("hosts", [inventory, ("name", name.into()), ("variables", variables.into())])
        };
        let one = server.first("hosts").await;
        server.change("hosts", one, "variables", "{ansible_connection: local, origin: own}").await;
        let (two, same) = (host(other, "two", "other").await, host(other, "one", "other").await);
        let smart = inventory("smart", "smart", Some("name=one or name=two")).await;
        server.change("unified_jobs", job, "inventory_id", smart).await;

        let ended = server.run(job).await;
        let output = server.output(job).await;
        assert_eq!(ended.0, "failed", "{ended:?} {output}");
        for expected in ["ran on one of own in 2", "ran on two of other in 2"] {
            assert!(output.contains(expected), "{expected}: {output}");
        }
        let last = async |host: i64| {
            let query =
                Query::select().column("last_job_id").from("hosts").and_where(Expr::col("id").eq(host)).to_owned();
            server.database.read_first::<Option<i64>>(&query).await.unwrap().unwrap()
        };
        assert_eq!((last(one).await, last(two).await, last(same).await), (Some(job), Some(job), None));
    });
}
