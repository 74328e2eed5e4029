//! Values are read as they were written, and lookups match the same rows, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use hostler_database::{Database, Dialect, Error, InvalidRegex, Row, TextLookup, Type, Value};
use jiff::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};

const COLUMNS: [&str; 5] = ["number", "flag", "words", "moment", "document"];
const TYPES: [Type; 5] = [Type::Integer, Type::Boolean, Type::Text, Type::Time, Type::Json];

async fn insert(database: &Database, columns: &[&'static str], values: Vec<Expr>) -> Result<i64, Error> {
    let mut transaction = database.begin().await?;
    let statement =
        Query::insert().into_table("sample").columns(columns.iter().copied()).values_panic(values).to_owned();
    let id = transaction.insert(&statement).await?;
    transaction.commit().await?;
    Ok(id)
}

fn select(columns: &[&'static str]) -> SelectStatement {
    Query::select().columns(columns.iter().copied()).from("sample").order_by("id", Order::Asc).to_owned()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

both!(every_type_comes_back, |database| {
    let document = serde_json::json!({"z": [1, null, "é\n\u{1f980}"], "a": 1.5});
    let rows = [
        (i64::MAX, true, "Grüße, 世界 \u{1f980} % _ ' \\ \" $1 ?", time("2026-11-23T20:08:35.123456Z")),
        (i64::MIN, false, "", time("1969-12-31T23:59:59.999999Z")),
        (-1, true, "\n\t", time("0001-01-01T00:00:00Z")),
        (0, false, "x", time("9999-12-30T22:00:00.999999Z")),
    ];
    for (number, flag, words, moment) in &rows {
        let values =
            vec![(*number).into(), (*flag).into(), (*words).into(), (*moment).into(), document.to_string().into()];
        insert(&database, &COLUMNS, values).await.unwrap();
    }
    let found = database.read(&select(&COLUMNS), &TYPES).await.unwrap();
    assert_eq!(found.len(), rows.len());
    for (row, (number, flag, words, moment)) in found.iter().zip(&rows) {
        assert_eq!(row.integer(0), Some(*number));
        assert_eq!(row.boolean(1), *flag);
        assert_eq!(row.text(2), Some(*words));
        assert_eq!(row.time(3), Some(*moment));
        assert_eq!(row.json(4), Some(&document));
    }
});

both!(bytes_come_back, |database| {
    let stored: Vec<u8> = (0..=255).collect();
    for bytes in [stored.clone(), vec![]] {
        insert(&database, &["bytes"], vec![bytes.into()]).await.unwrap();
    }
    insert(&database, &["number"], vec![1.into()]).await.unwrap();
    let rows = database.read(&select(&["bytes"]), &[Type::Bytes]).await.unwrap();
    assert_eq!(rows[0].bytes(0), Some(stored.as_slice()));
    assert_eq!(rows[1].bytes(0), Some(&[][..]));
    assert_eq!(rows[2].bytes(0), None);
});

both!(null_comes_back, |database| {
    let values = vec![
        Option::<i64>::None.into(),
        Option::<bool>::None.into(),
        Option::<String>::None.into(),
        Option::<Timestamp>::None.into(),
        Option::<String>::None.into(),
    ];
    insert(&database, &COLUMNS, values).await.unwrap();
    let mut rows = database.read(&select(&COLUMNS), &TYPES).await.unwrap();
    assert_eq!(rows, [Row(vec![Value::Null; 5])]);
    assert!(!rows[0].boolean(1));
    assert_eq!(rows[0].take(0), Value::Null);
    assert_eq!(rows[0][99], Value::Null);
});

both!(times_are_cut_to_microseconds_and_compare, |database| {
    insert(&database, &["moment"], vec![time("2026-01-01T00:00:00.000001999Z").into()]).await.unwrap();
    let exact = time("2026-01-01T00:00:00.000001Z");
    let rows = database.read(&select(&["moment"]), &[Type::Time]).await.unwrap();
    assert_eq!(rows[0].time(0), Some(exact));
    for (condition, count) in [
        (Expr::col("moment").eq(exact), 1),
        (Expr::col("moment").gt(exact), 0),
        (Expr::col("moment").lt(time("2026-01-01T00:00:00.000002Z")), 1),
    ] {
        let query = select(&["id"]).and_where(condition).to_owned();
        assert_eq!(database.read(&query, &[Type::Integer]).await.unwrap().len(), count);
    }
});

both!(integers_of_every_width_bind, |database| {
    insert(&database, &["number", "flag"], vec![7.into(), true.into()]).await.unwrap();
    let seven = [
        Expr::val(7i8),
        Expr::val(7i16),
        Expr::val(7i32),
        Expr::val(7i64),
        Expr::val(7u8),
        Expr::val(7u16),
        Expr::val(7u32),
        Expr::val(7u64),
    ];
    for value in seven {
        let query = select(&["flag"]).and_where(Expr::col("number").eq(value)).limit(5).offset(0).to_owned();
        assert!(database.read(&query, &[Type::Boolean]).await.unwrap()[0].boolean(0));
    }
    let query = select(&["id"]).and_where(Expr::col("number").eq(u64::MAX)).to_owned();
    // No stored integer is that large.
    assert!(database.read(&query, &[Type::Integer]).await.unwrap().is_empty());
    // The server expects a narrower integer here, or a wider number.
    let narrow = Query::select().expr(Expr::cust_with_values("substr('abc', $1)", [i64::MAX])).to_owned();
    // SQLite has another form of placeholders.
    assert!(matches!(database.read(&narrow, &[Type::Text]).await, Err(Error::Internal(_))));
    if database.dialect() == Dialect::Postgres {
        for number in [0, 1, -1, 9999, 10_000, 10_001, 100_000_000, i64::MAX, i64::MIN] {
            let wide =
                Query::select().expr(Expr::cust_with_values("CAST(CAST($1 AS NUMERIC) AS TEXT)", [number])).to_owned();
            assert_eq!(
                database.read(&wide, &[Type::Text]).await.unwrap()[0].text(0),
                Some(number.to_string().as_str())
            );
        }
    }
});

both!(nul_in_text_is_no_panic, |database| {
    let result = insert(&database, &["words"], vec!["a\0b".into()]).await;
    match database.dialect() {
        Dialect::Sqlite => assert!(result.is_ok()),
        Dialect::Postgres => {
            let Err(Error::Internal(problem)) = result else { panic!("{result:?}") };
            assert!(!problem.contains("a\0b"));
        }
    }
    database.ping().await.unwrap();
});

both!(wrong_types_are_errors, |database| {
    insert(&database, &["words", "document"], vec!["x".into(), "{broken".into()]).await.unwrap();
    let cases: [(&[&'static str], &[Type]); 4] = [
        (&["words"], &[Type::Integer]),
        (&["document"], &[Type::Json]),
        (&["id"], &[Type::Text]),
        (&["id", "words"], &[Type::Integer]),
    ];
    for (columns, types) in cases {
        let result = database.read(&select(columns), types).await;
        assert!(matches!(result, Err(Error::Internal(_))), "{columns:?}: {result:?}");
    }
    let absent = Query::select().column("absent").from("sample").to_owned();
    assert!(matches!(database.read(&absent, &[Type::Text]).await, Err(Error::Internal(_))));
});

both!(nulls_sort_as_the_greatest, |database| {
    for number in [Some(2), None, Some(1)] {
        insert(&database, &["number"], vec![Option::<i64>::into(number)]).await.unwrap();
    }
    for (order, expected) in [(Order::Asc, [Some(1), Some(2), None]), (Order::Desc, [None, Some(2), Some(1)])] {
        let mut query = Query::select().column("number").from("sample").to_owned();
        database.dialect().order_by(&mut query, Expr::col("number"), order, true);
        let rows = database.read(&query, &[Type::Integer]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.integer(0)).collect::<Vec<_>>(), expected);
    }
});

/// The lower case of the Kelvin sign and of the dotted capital I are ASCII letters.
const WORDS: [&str; 11] = [
    "",
    "Équipe",
    "équipe",
    "STRASSE",
    "Straße",
    "100%_a",
    "it's",
    "back\\slash",
    "Ünï\u{1f980}côde",
    "300 \u{212a}",
    "\u{130}ZMIR",
];

async fn lookup(database: &Database, lookup: TextLookup, value: &str) -> Vec<String> {
    let condition = database.dialect().text_lookup(Expr::col("words"), lookup, value).unwrap();
    let query = select(&["words"]).and_where(condition).to_owned();
    let rows = database.read(&query, &[Type::Text]).await.unwrap();
    rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect()
}

both!(text_lookups_mean_the_same, |database| {
    use TextLookup::*;
    for words in WORDS {
        insert(&database, &["words"], vec![words.into()]).await.unwrap();
    }
    insert(&database, &["words"], vec![Option::<String>::None.into()]).await.unwrap();
    let teams: &[&str] = &["Équipe", "équipe"];
    let cases: &[(TextLookup, &str, &[&str])] = &[
        (Exact, "équipe", &["équipe"]),
        (Exact, "", &[""]),
        (IExact, "ÉQUIPE", teams),
        (IExact, "straße", &["Straße"]),
        (IExact, "straSSe", &["STRASSE"]),
        (IExact, "300 K", &["300 \u{212a}"]),
        (IExact, "ÜNÏ\u{1f980}CÔDE", &["Ünï\u{1f980}côde"]),
        (Contains, "quip", teams),
        (Contains, "QUIP", &[]),
        (Contains, "%", &["100%_a"]),
        (Contains, "_", &["100%_a"]),
        (Contains, "'", &["it's"]),
        (Contains, "\\", &["back\\slash"]),
        (Contains, "", &WORDS),
        (IContains, "É", teams),
        (IContains, "ß", &["Straße"]),
        (IContains, "ASS", &["STRASSE"]),
        (IContains, "%_A", &["100%_a"]),
        (IContains, "K\\S", &["back\\slash"]),
        (IContains, "k", &["back\\slash", "300 \u{212a}"]),
        (IContains, "\u{212a}", &["back\\slash", "300 \u{212a}"]),
        (IContains, "I", &["Équipe", "équipe", "it's", "\u{130}ZMIR"]),
        (IContains, "\u{307}zm", &["\u{130}ZMIR"]),
        (IContains, "ï", &["Ünï\u{1f980}côde"]),
        (IContains, "", &WORDS),
        (StartsWith, "É", &["Équipe"]),
        (StartsWith, "100%", &["100%_a"]),
        (StartsWith, "", &WORDS),
        (IStartsWith, "éQ", teams),
        (IStartsWith, "ünï\u{1f980}", &["Ünï\u{1f980}côde"]),
        (IStartsWith, "ST", &["STRASSE", "Straße"]),
        (IStartsWith, "i\u{307}", &["\u{130}ZMIR"]),
        (IStartsWith, "", &WORDS),
        (EndsWith, "ße", &["Straße"]),
        (EndsWith, "\u{1f980}côde", &["Ünï\u{1f980}côde"]),
        (EndsWith, "", &WORDS),
        (IEndsWith, "SSE", &["STRASSE"]),
        (IEndsWith, "CÔDE", &["Ünï\u{1f980}côde"]),
        (IEndsWith, " k", &["300 \u{212a}"]),
        (IEndsWith, "", &WORDS),
        (Regex, "^[Éé]quipe$", teams),
        (Regex, "^equipe", &[]),
        (Regex, r"\d+%", &["100%_a"]),
        (Regex, r"\\", &["back\\slash"]),
        (Regex, "", &WORDS),
        (IRegex, "^é", teams),
        (IRegex, "strasse|it's", &["STRASSE", "it's"]),
    ];
    for (kind, value, expected) in cases {
        assert_eq!(lookup(&database, *kind, value).await, *expected, "{kind:?} {value:?}");
    }
});

both!(bad_patterns_are_refused, |database| {
    let dialect = database.dialect();
    for pattern in ["(", "[a", r"(a)\1", "(?=a)", &"a".repeat(1001), "((a{1000}){1000}){1000}"] {
        for lookup in [TextLookup::Regex, TextLookup::IRegex] {
            let result = dialect.text_lookup(Expr::col("words"), lookup, pattern);
            assert!(matches!(result, Err(InvalidRegex(_))), "{pattern}");
        }
    }
    // A syntax that only PostgreSQL does not support is an error with a message.
    insert(&database, &["words"], vec!["x".into()]).await.unwrap();
    let condition = dialect.text_lookup(Expr::col("words"), TextLookup::Regex, r"(?P<name>x)").unwrap();
    let result = database.read(&select(&["words"]).and_where(condition).to_owned(), &[Type::Text]).await;
    match dialect {
        Dialect::Sqlite => assert_eq!(result.unwrap().len(), 1),
        Dialect::Postgres => assert_eq!(result, Err(Error::TooComplex)),
    }
});

both!(too_much_is_too_complex, |database| {
    let many = select(&["id"]).and_where(Expr::col("number").is_in((0..70_000).collect::<Vec<i64>>())).to_owned();
    assert_eq!(database.read(&many, &[Type::Integer]).await, Err(Error::TooComplex));
    // Nested too deeply for SQLite; PostgreSQL accepts more.
    if database.dialect() == Dialect::Sqlite {
        let deep = Expr::cust(format!("number{}", " + 1".repeat(1100)));
        let deep = select(&["id"]).and_where(deep.gt(0)).to_owned();
        assert_eq!(database.read(&deep, &[Type::Integer]).await, Err(Error::TooComplex));
    }
});

both!(documents_contain_parts, |database| {
    let document = serde_json::json!({
        "a": 1, "b": "it's \"x\" ?", "c": null, "d": true, "e": {"f": [1.5, "x", [2], {"g": false}]}, "ü k.[0]": -7,
        "\"": 1, "a\" b\"": 2, "\\": 3, "c\\d\n\u{1}": 4, "": 5,
    });
    insert(
        &database,
        &COLUMNS,
        vec![1.into(), true.into(), "x".into(), time("2026-01-01T00:00:00Z").into(), document.to_string().into()],
    )
    .await
    .unwrap();
    for (part, expected) in [
        (r#"{}"#, true),
        (r#"{"a": 1}"#, true),
        (r#"{"a": 1.0, "d": true}"#, true),
        (r#"{"a": "1"}"#, false),
        (r#"{"a": true}"#, false),
        (r#"{"a": [1]}"#, false),
        (r#"{"b": "it's \"x\" ?"}"#, true),
        (r#"{"b": "it"}"#, false),
        (r#"{"c": null}"#, true),
        (r#"{"z": null}"#, false),
        (r#"{"d": 1}"#, false),
        (r#"{"d": false}"#, false),
        (r#"{"e": {}}"#, true),
        (r#"{"e": {"f": []}}"#, true),
        (r#"{"e": {"f": ["x", 1.5]}}"#, true),
        (r#"{"e": {"f": "x"}}"#, false),
        (r#"{"e": {"f": [[2]]}}"#, true),
        (r#"{"e": {"f": [2]}}"#, false),
        (r#"{"e": {"f": [{"g": false}]}}"#, true),
        (r#"{"e": {"f": [{"g": true}]}}"#, false),
        (r#"{"e": ["f"]}"#, false),
        (r#"{"ü k.[0]": -7}"#, true),
        (r#"{"\"": 1}"#, true),
        (r#"{"\"": 2}"#, false),
        (r#"{"a\" b\"": 2}"#, true),
        (r#"{"\\": 3}"#, true),
        (r#"{"c\\d\n\u0001": 4}"#, true),
        (r#"{"": 5}"#, true),
        (r#"{"x\".a": 1}"#, false),
        (r#"{"a\u0000": 1}"#, false),
        (r#"{"b": "\u0000"}"#, false),
    ] {
        let part: serde_json::Value = serde_json::from_str(part).unwrap();
        let contains = database.dialect().json_contains(Expr::col("document"), &part);
        let found = Query::select().column("id").from("sample").and_where(contains).to_owned();
        assert_eq!(!database.read(&found, &[Type::Integer]).await.unwrap().is_empty(), expected, "{part}");
    }
});
