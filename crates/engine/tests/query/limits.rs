//! Queries that would exceed the limits of a database.

use std::time::Instant;

use crate::fixture::{CITY, PERSON, ids, people, refusal};

fn refused(query: &str, detail: &str) {
    assert_eq!(refusal(&PERSON, query).detail(), detail);
}

#[test]
fn many_parameters() {
    let started = Instant::now();
    refused(&"name=x&".repeat(10_000), "There are too many parameters in the query: at most 100 are allowed.");
    refused(
        &"or__tags__name=x&".repeat(10_000),
        "There are too many parameters in the query: at most 100 are allowed.",
    );
    refused(
        &format!("order_by={}", "name,".repeat(10_000)),
        "There are too many parameters in the query: at most 100 are allowed.",
    );
    assert!(started.elapsed().as_secs() < 2);
    assert_eq!(people(&"or__not__tags__name=x&".repeat(100)), [1, 2, 3, 4, 5]);
    assert_eq!(people(&"not__name__iregex=x&".repeat(100)), [1, 2, 3, 4, 5]);
    assert_eq!(people(&"tags__color__isnull=true&".repeat(100)), [1, 3, 5]);
}

#[test]
fn many_values() {
    let list = |count: usize| vec!["1"; count].join(",");
    refused(&format!("id__in={}", list(10_000)), "There are too many values in a list: at most 2000 are allowed.");
    let three = format!("id__in={}&", list(1_500)).repeat(3);
    refused(&three, "There are too many values in the query: at most 4000 are allowed.");
    assert_eq!(people(&format!("id__in={}&id__in={}", list(2_000), list(2_000))), [1]);
}

#[test]
fn long_values() {
    let long = "x".repeat(8 * 1024 + 1);
    for key in ["name", "name__in", "name__icontains", "search", "city__search", "id__contains"] {
        refused(&format!("{key}={long}"), "Values may have at most 8192 bytes.");
    }
    assert_eq!(people(&format!("name={}", "x".repeat(8 * 1024))), Vec::<i64>::new());
}

#[test]
fn deep_paths() {
    let path = |depth: usize| "boss__".repeat(depth);
    assert_eq!(people(&format!("{}name=x", path(6))), Vec::<i64>::new());
    refused(&format!("{}name=x", path(7)), "There are too many relations in a path: at most 6 are allowed.");
    refused(&format!("{}search=x", path(7)), "There are too many relations in a path: at most 6 are allowed.");
    refused(&format!("order_by={}name", path(7)), "There are too many relations in a path: at most 6 are allowed.");
    refused(&format!("{}name=x", path(100_000)), "There are too many relations in a path: at most 6 are allowed.");
    let many = format!("not__{}name=x&", path(6));
    refused(&many.repeat(26), "There are too many relations in the query: at most 150 are allowed.");
    assert_eq!(people(&many.repeat(25)), [1, 2, 3, 4, 5]);
}

#[test]
fn many_terms() {
    let terms = |count: usize| vec!["n"; count].join(" ");
    refused(&format!("search={}", terms(51)), "There are too many search terms in the query: at most 50 are allowed.");
    assert_eq!(people(&format!("search={}", terms(50))), [1, 2, 4]);
    assert_eq!(ids(&CITY, &format!("people__search={}", vec!["n"; 50].join(",")), true), [1, 3]);
}
