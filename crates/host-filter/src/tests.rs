use serde_json::{Value as Json, json};

use super::*;

fn test(key: &str, text: &str) -> HostFilter {
    HostFilter::Test(Test { key: key.into(), value: Value { text: text.into(), is_quoted: false } })
}

fn fact(filter: &str) -> Json {
    let HostFilter::Test(test) = parse(filter).unwrap() else { panic!("{filter}") };
    FactTest::of(&test).unwrap().unwrap().document()
}

#[test]
fn and_binds_stronger_than_or() {
    use HostFilter::{All, Any};
    let (a, b, c) = (|| test("a", "1"), || test("b", "2"), || test("c", "3"));
    assert_eq!(parse("a=1").unwrap(), a());
    assert_eq!(parse("a=1 or b=2 and c=3").unwrap(), Any(vec![a(), All(vec![b(), c()])]));
    assert_eq!(parse("(a=1 or b=2)and(c=3)").unwrap(), All(vec![Any(vec![a(), b()]), c()]));
    assert_eq!(parse(" a = 1  and\tb=2 and c=3 ").unwrap(), All(vec![a(), b(), c()]));
}

#[test]
fn words_and_quoted_texts() {
    assert_eq!(parse("name=").unwrap(), test("name", ""));
    assert_eq!(parse("name=android").unwrap(), test("name", "android"));
    assert_eq!(parse("\"name\"=x").unwrap(), test("name", "x"));
    let quoted =
        HostFilter::Test(Test { key: "name".into(), value: Value { text: "a (b) = or c".into(), is_quoted: true } });
    assert_eq!(parse("name=\"a (b) = or c\"").unwrap(), quoted);
    assert_eq!(parse("name=höst").unwrap(), test("name", "höst"));
}

#[test]
fn other_texts_are_refused() {
    for text in [
        "",
        " ",
        "web1",
        "name==web1",
        "=x",
        "\"\"=x",
        "a=1 b=2",
        "a=1 or",
        "and a=1",
        "(a=1",
        "a=1)",
        "()",
        "a=\"1",
        "a=1 AND b=2",
        "a=1 andb=2",
        "a=1=2",
    ] {
        assert_eq!(parse(text), Err(InvalidFilter::Syntax(text.into())), "{text}");
    }
    assert_eq!(parse("name==web1").unwrap_err().to_string(), "Invalid query name==web1");
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth: usize| format!("{}a=1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(parse(&nested(MAX_DEPTH)).unwrap(), test("a", "1"));
    assert_eq!(parse(&nested(MAX_DEPTH + 1)), Err(InvalidFilter::TooDeep));
    assert_eq!(parse(&"(".repeat(MAX_LENGTH)), Err(InvalidFilter::TooDeep));
    assert_eq!(parse(&"(".repeat(MAX_LENGTH + 1)), Err(InvalidFilter::TooLong));
    let many = |count: usize| vec!["a=1"; count].join(" or ");
    assert!(parse(&many(MAX_TESTS)).is_ok());
    assert_eq!(parse(&many(MAX_TESTS + 1)), Err(InvalidFilter::TooManyTests));
}

#[test]
fn facts_become_documents() {
    assert_eq!(fact("ansible_facts__color=blue"), json!({"color": "blue"}));
    assert_eq!(fact("ansible_facts__where__tags[]=x"), json!({"where": {"tags": ["x"]}}));
    assert_eq!(fact("ansible_facts__disks[]__name=sda"), json!({"disks": [{"name": "sda"}]}));
    for (text, value) in [
        ("7", json!(7)),
        ("-7", json!(-7)),
        ("1.5", json!(1.5)),
        ("1.", json!("1.")),
        ("1e3", json!("1e3")),
        ("\"7\"", json!("7")),
        ("true", json!(true)),
        ("null", json!(null)),
        ("\"null\"", json!("null")),
        ("", json!("")),
        ("99999999999999999999", json!(1e20)),
    ] {
        assert_eq!(fact(&format!("ansible_facts__x={text}")), json!({ "x": value }), "{text}");
    }
    for text in ["ansible_facts=1", "ansible_facts__=1", "ansible_facts__a____b=1", "ansible_facts__[]=1"] {
        let HostFilter::Test(test) = parse(text).unwrap() else { panic!("{text}") };
        assert!(FactTest::of(&test).is_err(), "{text}");
    }
}

/// Random texts of the characters and words that mean something are parsed within the bounds; a parsed filter that is
/// written again is parsed to itself.
#[test]
fn random_texts() {
    const PIECES: [&str; 16] = [
        "(",
        ")",
        "=",
        "\"",
        " ",
        "and",
        "or",
        " and ",
        " or ",
        "a",
        "groups__name",
        "a=1",
        "\t",
        "ü",
        "[]",
        "a=\"x y\"",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut parsed = 0;
    for _ in 0..200_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(PIECES[(state >> 60) as usize]);
            if state & 0x7_0000_0000 == 0 {
                break;
            }
        }
        if let Ok(filter) = parse(&text) {
            parsed += 1;
            assert_eq!(parse(&written(&filter)).as_ref(), Ok(&filter), "{text}");
        }
    }
    assert!(parsed > 1000, "{parsed}");
}

fn written(filter: &HostFilter) -> String {
    let list = |parts: &[HostFilter], word: &str| {
        parts.iter().map(|part| format!("({})", written(part))).collect::<Vec<_>>().join(word)
    };
    match filter {
        HostFilter::All(parts) => list(parts, " and "),
        HostFilter::Any(parts) => list(parts, " or "),
        HostFilter::Test(Test { key, value }) if value.is_quoted => format!("\"{key}\"=\"{}\"", value.text),
        HostFilter::Test(Test { key, value }) => format!("\"{key}\"={}", value.text),
    }
}
