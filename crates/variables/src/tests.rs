use serde_json::json;

use super::*;

fn parsed(text: &str) -> Value {
    parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}")).into()
}

fn problem(text: &str) -> String {
    match parse(text) {
        Ok(map) => panic!("{text:?} is accepted: {map:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn json_and_yaml_are_accepted() {
    for empty in ["", "---", "{}", "null", "~", "# nothing", "---\n...\n"] {
        assert_eq!(parsed(empty), json!({}), "{empty:?}");
    }
    assert_eq!(parsed("{\"a\": [1, null, true, 1.5, \"é\"]}"), json!({"a": [1, null, true, 1.5, "é"]}));
    assert_eq!(parsed("{\"a\": 1,}"), json!({"a": 1}));
    assert_eq!(parsed("a: 1\na: 2"), json!({"a": 2}));
    assert_eq!(parsed("---\na:\n  - b: c\n    d: |\n      text\n"), json!({"a": [{"b": "c", "d": "text\n"}]}));
    assert_eq!(parsed("a: {b: 1, c: [2, 3]}"), json!({"a": {"b": 1, "c": [2, 3]}}));
    assert_eq!(parsed("\"a\\u00e9\": '{{ x }}'"), json!({"aé": "{{ x }}"}));
}

#[test]
fn plain_scalars_are_those_of_yaml_1_1() {
    let values = [
        ("yes", json!(true)),
        ("Off", json!(false)),
        ("y", json!("y")),
        ("yEs", json!("yEs")),
        ("~", json!(null)),
        ("", json!(null)),
        ("nil", json!("nil")),
        ("0", json!(0)),
        ("-0", json!(0)),
        ("010", json!(8)),
        ("0o10", json!("0o10")),
        ("08", json!("08")),
        ("0x1F", json!(31)),
        ("0b101", json!(5)),
        ("1_000", json!(1000)),
        ("-17", json!(-17)),
        ("+17", json!(17)),
        ("1:30", json!(90)),
        ("1:30:00", json!(5400)),
        ("1:60", json!("1:60")),
        ("22:22", json!(1342)),
        ("1:30.5", json!(90.5)),
        ("1.5", json!(1.5)),
        ("1.", json!(1.0)),
        (".5", json!(0.5)),
        ("-.5", json!("-.5")),
        ("1e3", json!("1e3")),
        ("1.0e3", json!("1.0e3")),
        ("1.0e+3", json!(1000.0)),
        ("1.2.3", json!("1.2.3")),
        ("10.0.0.1", json!("10.0.0.1")),
        ("2020-1-1", json!("2020-1-1")),
        ("2020-01-01x", json!("2020-01-01x")),
        ("18446744073709551615", json!(18446744073709551615_u64)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("!!str 5", json!("5")),
        ("!!int '5'", json!(5)),
        ("!!float 5", json!(5.0)),
        ("'yes'", json!("yes")),
        ("=", json!("=")),
        ("a:b", json!("a:b")),
        ("-", json!([null])),
    ];
    for (text, value) in values {
        let text = if text == "-" { "\n  -" } else { text };
        assert_eq!(parsed(&format!("a: {text}")), json!({"a": value}), "{text}");
    }
    assert_eq!(parsed("1: a\nyes: b\n~: c\n1.5: d"), json!({"1": "a", "true": "b", "null": "c", "1.5": "d"}));
}

#[test]
fn aliases_and_merge_keys_are_expanded() {
    assert_eq!(parsed("a: &x 1\nb: *x"), json!({"a": 1, "b": 1}));
    let merged = parsed("base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none:\n  <<: *b\n  x: 9\ntwo:\n  <<: [*b, *m]\n");
    assert_eq!(merged["one"], json!({"x": 9, "y": 2}));
    assert_eq!(merged["two"], json!({"x": 1, "y": 2, "z": 4}));
    assert!(problem("a: {<<: 1}").contains("expected a mapping or list of mappings for merging"));
}

#[test]
fn only_mappings_are_accepted() {
    let not = |json: &str, yaml: &str| format!("Cannot parse as JSON (error: {json}) or YAML (error: {yaml}).");
    let list = "Input type `list` is not a dictionary";
    let start = "Expecting value: line 1 column 1 (char 0)";
    assert_eq!(problem("[1, 2]"), not(list, list));
    assert_eq!(problem("- a: 1"), not(start, list));
    assert_eq!(problem("just words"), not(start, "Input type `str` is not a dictionary"));
    let int = "Input type `int` is not a dictionary";
    assert_eq!(problem("42"), not(int, int));
    assert_eq!(
        problem("2020-01-01"),
        not("Extra data: line 1 column 5 (char 4)", "Input type `date` is not a dictionary")
    );
}

#[test]
fn messages_name_the_place() {
    assert_eq!(
        problem("{{ x }}"),
        "Cannot parse as JSON (error: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)) or \
         YAML (error: while constructing a mapping\n  in \"<unicode string>\", line 1, column 1:\n    {{ x }}\n    ^\n\
         found unhashable key\n  in \"<unicode string>\", line 1, column 2:\n    {{ x }}\n     ^)."
    );
    assert!(problem("a: !unsafe x").ends_with(
        "could not determine a constructor for the tag '!unsafe'\n  in \"<unicode string>\", line 1, column 4:\n    \
         a: !unsafe x\n       ^)."
    ));
    assert!(problem("a:\n\tb: 1").ends_with(
        "while scanning for the next token\nfound character '\\t' that cannot start any token\n  in \"<unicode \
         string>\", line 2, column 1:\n    \tb: 1\n    ^)."
    ));
    assert!(problem("a: 1\n---\nb: 2").ends_with(
        "expected a single document in the stream\n  in \"<unicode string>\", line 1, column 1:\n    a: 1\n    ^\nbut \
         found another document\n  in \"<unicode string>\", line 2, column 1:\n    ---\n    ^)."
    ));
    let long = problem(&format!("a: {{{{ {} }}}}", "x".repeat(500)));
    assert!(long.contains(" ... ") && long.len() < 600, "{long}");
    assert!(problem("key: 'quote").ends_with(
        "while scanning a quoted scalar\n  in \"<unicode string>\", line 1, column 6:\n    key: 'quote\n         ^\n\
         found unexpected end of stream\n  in \"<unicode string>\", line 1, column 12:\n    key: 'quote\n               ^)."
    ));
    assert!(problem("a: *nothing").contains("found undefined alias\n  in \"<unicode string>\", line 1, column 4"));
}

#[test]
fn values_without_a_form_in_json_are_rejected() {
    let not = |what: &str| format!("Variables not compatible with JSON standard (error: {what})");
    assert_eq!(problem("date: 2020-01-01"), not("Object of type date is not JSON serializable"));
    for time in ["2020-01-01T10:00:00Z", "2020-1-1 1:00:00.5 +1", "2020-01-01 10:00:00"] {
        assert_eq!(problem(&format!("a: [{time}]")), not("Object of type datetime is not JSON serializable"));
    }
    assert_eq!(problem("2020-01-01: x"), not("keys must be str, int, float, bool or None, not date"));
    for number in [".inf", "-.INF", ".nan", "18446744073709551616", "-9223372036854775809", "1.0e+999"] {
        assert_eq!(problem(&format!("a: {number}")), not("Numbers must be finite and have at most 64 bits"));
    }
    assert_eq!(problem("{\"a\": 100000000000000000000000}"), not("Numbers may have at most 64 bits"));
    assert_eq!(problem("{\"a\\u0000\": 1}"), "Null characters are not allowed.");
    assert_eq!(problem("a: [\"\\0\"]"), "Null characters are not allowed.");
    for tag in ["!vault x", "!!binary aGk=", "!!python/object/apply:os.system [id]", "!!set {a, b}", "!x {a: b}"] {
        assert!(problem(&format!("a: {tag}")).contains("could not determine a constructor for the tag"), "{tag}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(problem(&bomb).contains("too large"));
    let mut chain = "a0: &a0 []\n".to_owned();
    for level in 1..300 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(problem(&chain).contains("too deeply"));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("a: {}1{}", open.repeat(50_000), close.repeat(50_000));
        assert!(problem(&deep).contains("too deeply"), "{open}");
        let deep = format!("{{\"a\": {}1{}}}", open.repeat(50_000), close.repeat(50_000));
        assert!(problem(&deep).contains("too deeply"), "{open}");
    }
    let deep: String = (0..5000).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<String>();
    assert!(problem(&deep[..deep.len().min(MAX_LENGTH)]).contains("too deeply") || deep.len() > MAX_LENGTH);
    assert_eq!(problem(&"x".repeat(MAX_LENGTH + 1)), "Variables may have at most 4194304 bytes.");
    assert!(problem("a: &a [*a]").contains("alias"));
    let flat: String = (0..50_000).map(|number| format!("key{number}: value\n")).collect();
    assert_eq!(parse(&flat).unwrap().len(), 50_000);
}

#[test]
fn depth_of_json_is_that_of_yaml() {
    let nested = |levels: usize| format!("{{\"a\": {}1{}}}", "[".repeat(levels), "]".repeat(levels));
    for levels in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 10] {
        let is_accepted = levels < MAX_DEPTH;
        assert_eq!(parse(&nested(levels)).is_ok(), is_accepted, "{levels}");
        // The comma makes it YAML.
        assert_eq!(parse(&nested(levels).replace("1", "1,")).is_ok(), is_accepted, "{levels}");
    }
    assert_eq!(problem(&nested(MAX_DEPTH)), "Variables may have at most 100 levels.");
}

#[test]
fn many_problems_take_no_longer_than_one() {
    for item in ["!x a", "!!int a", "{[]: 1}", "{<<: 1}", "2020-01-01", ".inf"] {
        for separator in [", ", ",\n "] {
            let text = format!("a: [{}]", vec![item; 10_000].join(separator));
            assert!(problem(&text).len() < 1000, "{item}");
        }
    }
}

#[test]
fn text_is_as_python_writes_it() {
    let Value::Object(map) = json!({"a": [1, {"b": null}], "é\n\"": "😀\u{1}", "c": {}, "d": 1.0}) else { panic!() };
    assert_eq!(to_text(&map), r#"{"a": [1, {"b": null}], "\u00e9\n\"": "\ud83d\ude00\u0001", "c": {}, "d": 1.0}"#);
    assert_eq!(parse(&to_text(&map)).unwrap(), map);
}
