//! Whether a document contains another one, as PostgreSQL's operator `@>`.

use sea_query::{Expr, ExprTrait};
use serde_json::Value as Json;

use crate::Dialect;

impl Dialect {
    /// The condition that the JSON text `document` contains `part`: objects contain objects with some of their keys, lists
    /// contain lists of some of their elements, and other values contain themselves. The depth of `part` is the
    /// caller's to bound. A part with the character NUL is in no document: neither database can look for it.
    pub fn json_contains(self, document: Expr, part: &Json) -> Expr {
        let text = part.to_string();
        if text.contains(r"\u0000") {
            return Expr::Constant(false.into());
        }
        match self {
            Dialect::Sqlite => contains(&document, "$", part, 0),
            // Its type for documents has no NUL.
            Dialect::Postgres => Expr::cust_with_exprs(
                r"CASE WHEN strpos($1, '\u0000') > 0 THEN FALSE ELSE $2::jsonb @> $3::jsonb END",
                [document.clone(), document, Expr::val(text).cast_as("text")],
            ),
        }
    }
}

/// The same on SQLite, for the value at a path in the document. `depth` is the number of lists around it.
fn contains(document: &Expr, path: &str, part: &Json, depth: usize) -> Expr {
    let at = |text: &'static str| Expr::cust_with_exprs(text, [document.clone(), Expr::val(path)]);
    let kind = at("json_type(?, ?)");
    match part {
        Json::Object(members) => members.iter().fold(kind.eq("object"), |all, (key, value)| {
            // In a path, a key is quoted as in JSON.
            all.and(contains(document, &format!("{path}.{}", Json::from(key.as_str())), value, depth))
        }),
        Json::Array(elements) => elements.iter().fold(kind.eq("array"), |all, element| {
            let value = Expr::cust(format!("element{depth}.value"));
            let kind = Expr::cust(format!("element{depth}.type"));
            let found = match element {
                Json::Object(_) | Json::Array(_) => {
                    let expected = if element.is_object() { "object" } else { "array" };
                    // Elements of other types are no JSON text.
                    let document = Expr::case(kind.clone().eq(expected), value).finally("null").into();
                    kind.eq(expected).and(contains(&document, "$", element, depth + 1))
                }
                scalar => is_scalar(kind, value, scalar),
            };
            let text = format!("EXISTS (SELECT 1 FROM json_each(?, ?) AS element{depth} WHERE ?)");
            all.and(Expr::cust_with_exprs(text, [document.clone(), Expr::val(path), found]))
        }),
        scalar => is_scalar(kind, at("json_extract(?, ?)"), scalar),
    }
}

/// The condition that the value of this type is a number, a text, a boolean or null.
fn is_scalar(kind: Expr, value: Expr, scalar: &Json) -> Expr {
    match scalar {
        Json::String(text) => kind.eq("text").and(value.eq(text.as_str())),
        Json::Number(number) => {
            let number = match number.as_i64() {
                Some(number) => Expr::val(number),
                None => Expr::val(number.as_f64().unwrap_or_default()),
            };
            kind.is_in(["integer", "real"]).and(value.eq(number))
        }
        Json::Bool(truth) => kind.eq(if *truth { "true" } else { "false" }),
        Json::Null | Json::Object(_) | Json::Array(_) => kind.eq("null"),
    }
}
