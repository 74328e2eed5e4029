use super::*;
use crate::{InputSchema, managed};
use serde_json::{Map, Value as Json, json};

fn inputs() -> InputSchema {
    InputSchema::read(&json!({"fields": [
        {"id": "host", "label": "Host", "type": "string"},
        {"id": "token", "label": "Token", "type": "string", "secret": true},
        {"id": "verify", "label": "Verify", "type": "boolean"},
        {"id": "key", "label": "Key", "type": "string", "format": "ssh_private_key", "secret": true},
    ]}))
}

fn messages(injectors: Json) -> Vec<String> {
    check_injectors(&injectors, &inputs()).err().unwrap_or_default()
}

#[test]
fn valid_injectors_are_accepted() {
    for injectors in [
        json!({}),
        json!({"env": {"X_TOKEN": "{{ token }}"}, "extra_vars": {"h": "{{ host }}"}}),
        json!({"file": {"template": "[x]\nt={{ token }}"}, "env": {"X_FILE": "{{ tower.filename }}"}}),
        json!({"file": {"template.a": "{{ token }}", "template.b": "x"},
               "env": {"A": "{{ tower.filename.a }}", "B": "{{ tower.filename.b }}"}}),
        json!({"extra_vars": {"a": {"b": ["{{ host }}", {"c": "{{ token }}"}, 1]}, "{{host}}": "x"}}),
        json!({"env": {"X": "{% if verify %}{{ host.split(':')[0] | upper }}{% endif %}"}}),
        json!({"env": {"X": "{{ missing | default('x') }}"}}),
    ] {
        assert_eq!(messages(injectors.clone()), Vec::<String>::new(), "{injectors}");
    }
}

// Recorded from AWX 24.6.1, or the output of jsonschema 4.21.1.
#[test]
fn structure_errors_have_the_messages_of_awx() {
    for (injectors, expected) in [
        (json!("x"), "str provided, expected dict"),
        (
            json!({"nope": 1}),
            "Schema validation error in relative path [] (Additional properties are not allowed ('nope' was unexpected))",
        ),
        (json!({"env": []}), "list provided in relative path ['env'], expected dict"),
        (json!({"env": {"X": 5}}), "int provided in relative path ['env', 'X'], expected string"),
        (
            json!({"env": {"1A": "x"}}),
            "Schema validation error in relative path ['env'] ('1A' does not match any of the regexes: '^[a-zA-Z_]+[a-zA-Z0-9_]*$')",
        ),
        (json!({"env": {"X": "é"}}), r"'é' does not match '^[\x00-\x7f]*$'"),
        (
            json!({"file": {"templates": "x"}}),
            r"Schema validation error in relative path ['file'] ('templates' does not match any of the regexes: '^template(\\.[a-zA-Z_]+[a-zA-Z0-9_]*)?$')",
        ),
        (json!({"extra_vars": {"a": 5}}), "5 is not valid under any of the given schemas"),
        (json!({"extra_vars": {"a": {"1": "x"}}}), "{'1': 'x'} is not valid under any of the given schemas"),
    ] {
        assert_eq!(messages(injectors.clone()), vec![expected], "{injectors}");
    }
}

#[test]
fn undefined_names_are_rejected() {
    for (injectors, expected) in [
        (json!({"env": {"X": "{{ missing }}"}}), "X uses an undefined field ('missing' is undefined)"),
        (json!({"env": {"X": "{{ missing.x }}"}}), "X uses an undefined field ('missing' is undefined)"),
        (json!({"env": {"X": "{{ missing + 'x' }}"}}), "X uses an undefined field ('missing' is undefined)"),
        (json!({"env": {"X": "{{ missing() }}"}}), "X uses an undefined field ('missing' is undefined)"),
        (json!({"env": {"X": "{% if missing %}x{% endif %}"}}), "X uses an undefined field ('missing' is undefined)"),
        (json!({"env": {"X": "{{ host.x }}"}}), "X uses an undefined field (a value has no such attribute)"),
        (json!({"extra_vars": {"{{nope}}": "x"}}), "a key uses an undefined field ('nope' is undefined)"),
        (
            json!({"extra_vars": {"a": ["x", {"b": "{{ nope }}"}]}}),
            "a[1].b uses an undefined field ('nope' is undefined)",
        ),
        (json!({"file": {"template": "{{ nope }}"}}), "template uses an undefined field ('nope' is undefined)"),
        (
            json!({"env": {"X": "{{ tower }}"}}),
            "X uses an undefined field (Cannot directly reference reserved `tower` namespace container.)",
        ),
        (
            json!({"env": {"X": "{{ 0 ~ tower }}"}}),
            "X uses an undefined field (Cannot directly reference reserved `tower` namespace container.)",
        ),
        (
            json!({"env": {"X": "{{ tower.filename }}"}}),
            "X uses an undefined field (Must define unnamed file injector in order to reference `tower.filename`.)",
        ),
        (
            json!({"file": {"template.a": ""}, "env": {"X": "{{ tower.filename.b }}"}}),
            "X uses an undefined field ('tower.filename.b' is undefined)",
        ),
        (json!({"env": {"X": "{{ tower.other }}"}}), "X uses an undefined field ('tower.other' is undefined)"),
    ] {
        assert_eq!(messages(injectors.clone()), vec![expected], "{injectors}");
    }
}

#[test]
fn invalid_and_expensive_templates_are_rejected() {
    for (template, word) in [
        ("{{ host", "end of input"),
        ("{{ host | nope }}", "nope"),
        ("{% include 'secret.key' %}", "secret.key"),
        ("{% import 'x' as y %}", "'x'"),
        ("{% extends 'x' %}", "does not exist"),
        ("{% for i in range(99999) %}{{ host }}{% endfor %}", "fuel"),
        ("{{ 'x' * 100000000 }}", "fuel"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
    ] {
        let messages = messages(json!({"env": {"X": template}}));
        assert!(
            messages[0].starts_with("Syntax error rendering template for X inside of env (")
                && messages[0].contains(word),
            "{template}: {messages:?}"
        );
    }
    // minijinja's parser would overflow the stack.
    let long = messages(json!({"env": {"X": format!("{{{{ a{} }}}}", "+a".repeat(30_000))}}));
    assert!(long[0].contains("longer than 4096 bytes"), "{long:?}");
    for template in ["{{ host.__class__ }}", "{{ self._TemplateReference__context }}", "{{ env }}", "{{ config }}"] {
        assert!(!messages(json!({"env": {"X": template}})).is_empty(), "{template}");
    }
}

#[test]
fn reserved_variables_are_rejected() {
    assert_eq!(
        messages(json!({"env": {"ANSIBLE_CONFIG": "x"}})),
        vec![
            "Environment variable ANSIBLE_CONFIG may affect Ansible configuration so its use is not allowed in credentials."
        ]
    );
    assert_eq!(
        messages(json!({"env": {"PATH": "x"}})),
        vec!["Environment variable PATH is not allowed to be used in credentials."]
    );
}

#[test]
fn several_files_need_names() {
    assert_eq!(
        messages(json!({"file": {"template": "", "template.a": ""}})),
        vec!["Must use multi-file syntax when injecting multiple files"]
    );
}

#[test]
fn managed_injectors_pass_the_check_of_custom_types() {
    for managed in managed::MANAGED_TYPES {
        assert_eq!(
            check_injectors(&managed.injectors(), &InputSchema::read(&managed.inputs())),
            Ok(()),
            "{}",
            managed.name
        );
    }
}

fn object(value: Json) -> Map<String, Json> {
    value.as_object().unwrap().clone()
}

fn path_of(name: Option<&str>) -> String {
    format!("/run/{}", name.unwrap_or("file"))
}

#[test]
fn injectors_are_rendered() {
    let injectors = json!({
        "file": {"template.ini": "[x]\ntoken={{ token }}", "template.key": "{{ key }}"},
        "env": {"X_TOKEN": "{{ token }}", "X_URL": "https://{{ host }}/?t={{ token }}", "X_VERIFY": "{{ verify }}",
                "X_INI": "{{ tower.filename.ini }}", "X_NONE": "<{{ nothing }}>", "PATH": "x"},
        "extra_vars": {"hosts": ["{{ host }}", 1], "{{host}}": {"token": "{{ token }}"}},
    });
    let values = object(json!({"host": "h", "token": "s3cret", "key": "K"}));
    let injected = render_injectors(&inputs(), &injectors, &values, path_of).unwrap();
    let env: Vec<_> = injected.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        env,
        [
            ("X_INI", "/run/ini"),
            ("X_NONE", "<>"),
            ("X_TOKEN", "s3cret"),
            ("X_URL", "https://h/?t=s3cret"),
            ("X_VERIFY", "False"),
        ]
    );
    assert_eq!(injected.masked_env["X_URL"], "https://h/?t=**********");
    assert_eq!(Json::from(injected.extra_vars.clone()), json!({"hosts": ["h", 1], "h": {"token": "s3cret"}}));
    let files: Vec<_> = injected.files.iter().map(|(name, content)| (name.as_deref(), content.as_str())).collect();
    assert_eq!(files, [(Some("ini"), "[x]\ntoken=s3cret"), (Some("key"), "K\n")]);
    assert!(!format!("{injected:?}").contains("s3cret"));
}

#[test]
fn managed_type_renders_as_in_awx() {
    let managed = managed::MANAGED_TYPES.iter().find(|managed| managed.namespace == "rhv").unwrap();
    let inputs = InputSchema::read(&managed.inputs());
    let values = object(json!({"host": "h", "username": "u", "password": "p", "ca_file": ""}));
    let injected = render_injectors(&inputs, &managed.injectors(), &values, path_of).unwrap();
    assert_eq!(injected.files[0].1.as_str(), "[ovirt]\novirt_url=h\novirt_username=u\novirt_password=p\n");
    assert_eq!(injected.env["OVIRT_INI_PATH"].as_str(), "/run/file");
}

#[test]
fn render_error_names_the_path_and_no_secret() {
    let injectors = json!({"env": {"X": "{{ token.nope() }}"}});
    let values = object(json!({"token": "s3cret"}));
    let problem = render_injectors(&inputs(), &injectors, &values, path_of).unwrap_err();
    assert!(problem.to_string().contains("env.X") && !problem.to_string().contains("s3cret"), "{problem}");
}
